//! What every listener of the local stack has in common: it can be reached from this machine only, and answers only
//! requests that ask for this machine.
//!
//! Any website that is open in a browser here can send requests to 127.0.0.1. One that lets its own name point there (DNS
//! rebinding) could read the answers too, because to the browser they are the site's own. Such a request says the site's
//! name in `Host`, and is turned away before anything reads it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::StartError;

/// The names of this machine that a request may ask for.
const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Listens on the loopback address, on a free port when `port` is 0.
///
/// The one place that opens a listening socket, so that nothing here can be reached from another machine.
///
/// # Errors
///
/// [`StartError::PortInUse`] or [`StartError::Listen`].
pub async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse(port),
        _ => StartError::Listen(error),
    })
}

/// The base address of a listener, such as `http://127.0.0.1:8080`, without a final slash.
///
/// # Errors
///
/// [`StartError::Listen`] when the socket has no address.
pub fn address(listener: &TcpListener) -> Result<String, StartError> {
    Ok(format!("http://{}", listener.local_addr().map_err(StartError::Listen)?))
}

/// Serves `routes` for as long as the runtime lives, to requests that ask for this machine, with the headers that every
/// answer of the product has. `what` is for the log.
///
/// The one place that serves a socket.
///
/// # Errors
///
/// [`StartError::Listen`] when the socket has no address.
pub fn serve(listener: TcpListener, routes: Router, what: &'static str) -> Result<(), StartError> {
    let port = listener.local_addr().map_err(StartError::Listen)?.port();
    let service = guarded(routes, port).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service).await {
            tracing::error!(%error, what, "no longer served");
        }
    });
    Ok(())
}

/// The same routes for requests that ask for `port` of this machine; any other gets 421.
fn guarded(routes: Router, port: u16) -> Router {
    routes.layer(from_fn_with_state(port, turn_away))
}

async fn turn_away(State(port): State<u16>, request: Request, next: Next) -> Response {
    let mut response = if asks_for_us(&request, port) { next.run(request).await } else { misdirected(port) };
    fc_http::protect(response.headers_mut());
    response
}

/// Whether both places in which a request can name a host name this machine.
fn asks_for_us(request: &Request, port: u16) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let in_address = request.uri().authority();
    host.to_str().is_ok_and(|host| is_ours(host, port)) && in_address.is_none_or(|host| is_ours(host.as_str(), port))
}

fn is_ours(host: &str, port: u16) -> bool {
    let Some((name, given)) = host.rsplit_once(':') else { return false };
    given == port.to_string() && OWN_NAMES.iter().any(|own| name.eq_ignore_ascii_case(own))
}

fn misdirected(port: u16) -> Response {
    let words =
        format!("This answers only at http://127.0.0.1:{port} and http://localhost:{port}. Use one of these.\n");
    (StatusCode::MISDIRECTED_REQUEST, words).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    const PORT: u16 = 8080;

    async fn ask(request: Request) -> Response {
        guarded(Router::new().fallback(|| async { "found" }), PORT).oneshot(request).await.unwrap()
    }

    async fn status(address: &str, hosts: &[&str]) -> u16 {
        let request = hosts.iter().fold(Request::get(address), |request, host| request.header(header::HOST, *host));
        ask(request.body(Body::empty()).unwrap()).await.status().as_u16()
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_in_the_message() {
        let first = listen(0).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let refused = listen(port).await.unwrap_err();
        assert!(refused.to_string().contains(&format!("Port {port} is already in use")));
    }

    #[tokio::test]
    async fn nothing_listens_beyond_this_machine() {
        assert!(listen(0).await.unwrap().local_addr().unwrap().ip().is_loopback());
    }

    #[tokio::test]
    async fn this_machine_is_asked_for_by_its_own_names() {
        for host in ["127.0.0.1:8080", "localhost:8080", "LocalHost:8080", "[::1]:8080"] {
            assert_eq!(status("/", &[host]).await, 200, "{host}");
            assert_eq!(status(&format!("http://{host}/"), &[host]).await, 200, "{host}");
        }
    }

    #[tokio::test]
    async fn a_request_for_another_host_is_turned_away_though_it_arrived_here() {
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1",
            "127.0.0.1:8081",
            "127.0.0.1:08080",
            "localhost.:8080",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example:8080",
            "127.0.0.2:8080",
            "0.0.0.0:8080",
            "[::1]",
            "localhost:8080@evil.example:8080",
            "",
        ] {
            assert_eq!(status("/", &[host]).await, 421, "{host}");
        }
        assert_eq!(status("/", &[]).await, 421, "no host at all");
        assert_eq!(status("/", &["127.0.0.1:8080", "evil.example"]).await, 421, "two hosts");
        assert_eq!(status("http://evil.example:8080/", &["127.0.0.1:8080"]).await, 421, "another host in the address");
    }

    #[tokio::test]
    async fn whoever_is_turned_away_is_told_where_to_go_and_the_answer_is_as_safe_as_any() {
        let request = Request::get("/").header(header::HOST, "evil.example").body(Body::empty()).unwrap();
        let answer = ask(request).await;
        let headers = answer.headers();
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
        let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
        assert!(std::str::from_utf8(&body).unwrap().contains("http://localhost:8080"));
    }
}

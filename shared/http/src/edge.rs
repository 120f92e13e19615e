//! Round every route: a request id, one log line, safe headers, a body limit, and problems written out.

use crate::{Problem, request_id};
use axum::{
    Extension, Router,
    body::Body,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use fc_access::RolesClaim;
use sha2::{Digest, Sha256};
use std::time::Instant;

/// Bytes a request body may have: a search is under one kilobyte.
pub const LARGEST_BODY: usize = 16 * 1024;

/// The name of the header that carries the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header in which CloudFront says that a request came through it.
pub const ORIGIN_KEY: HeaderName = HeaderName::from_static("x-origin-key");

/// Makes JSON routes into an API: everything that is not a route is a problem too, and nothing may be cached or framed.
/// Apply it once, last.
pub fn api(routes: Router) -> Router {
    secured(
        routes
            .fallback(|| async { Problem::not_found() })
            .method_not_allowed_fallback(|| async { Problem::method_not_allowed() }),
    )
}

/// What pages and API have in common: request id, log line, body limit and the headers that are right for both. Set a
/// content security policy and, where an asset may be kept, a cache policy before this.
pub fn secured(routes: Router) -> Router {
    routes.layer(DefaultBodyLimit::max(LARGEST_BODY)).layer(from_fn(round))
}

/// The same routes, where the council's directory puts roles into another claim than `roles`.
pub fn roles_in(routes: Router, claim: RolesClaim) -> Router {
    routes.layer(Extension(claim))
}

/// What CloudFront adds to each request that it lets through, where a council's page is open to some addresses only. API
/// Gateway's own address stays reachable beside it, and whoever asks there does not know this.
#[derive(Clone, Copy)]
pub struct OriginKey([u8; 32]);

impl OriginKey {
    /// From `ORIGIN_KEY`; `None` when it is empty or not set, as where nothing stands before API Gateway.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        std::env::var("ORIGIN_KEY").ok().filter(|key| !key.is_empty()).map(|key| Self::new(&key))
    }

    /// The key by its text.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Hashes are compared, so that how long it takes tells nothing of the key.
    fn is_in(self, headers: &HeaderMap) -> bool {
        headers.get(ORIGIN_KEY).is_some_and(|given| Sha256::digest(given.as_bytes()) == self.0)
    }
}

impl std::fmt::Debug for OriginKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OriginKey(redacted)")
    }
}

/// The same routes, only for requests that hold the key, where there is one. Apply it last of all.
pub fn only_through(routes: Router, key: Option<OriginKey>) -> Router {
    let Some(key) = key else { return routes };
    routes.layer(from_fn(move |request: Request, next: Next| async move {
        if key.is_in(request.headers()) {
            return next.run(request).await;
        }
        tracing::warn!(status = 403, reason = "not through CloudFront", "request");
        let mut response =
            (StatusCode::FORBIDDEN, "This address is not open. Use the council's own address for the page.\n")
                .into_response();
        protect(response.headers_mut());
        response
    }))
}

async fn round(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.extensions());
    request.extensions_mut().insert(id.clone());
    // The route's pattern, never the path: a path may hold what somebody typed.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();

    let mut response = next.run(request).await;

    let problem = response.extensions_mut().remove::<Problem>();
    let (reason, error) = match &problem {
        Some(problem) => (problem.code(), problem.cause().unwrap_or_default()),
        None => ("", ""),
    };
    let status = response.status().as_u16();
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (request_id, operation) = (id.as_str(), method.as_str());
    if status >= 500 {
        tracing::error!(request_id, operation, route, status, milliseconds, reason, error, "request failed");
    } else {
        tracing::info!(request_id, operation, route, status, milliseconds, reason, error, "request");
    }
    if let Some(problem) = &problem {
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(problem.body(id.as_str()));
    }
    protect(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Headers that stop a browser from guessing, framing, keeping, running or passing on what it got, where an answer does not
/// say something else.
pub fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Json, Path, Signed};
    use axum::{
        body::to_bytes,
        http::{Method, StatusCode},
        routing::post,
    };
    use lambda_http::request::RequestContext;
    use serde::Deserialize;
    use std::collections::HashMap;
    use tower::ServiceExt;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is tested")]
    struct Search {
        surname: String,
    }

    fn routes() -> Router {
        api(Router::new()
            .route("/v1/people/search", post(|Json(_): Json<Search>| async { "found" }))
            .route("/v1/people/{id}", post(|Path(id): Path<String>| async { id }))
            .route("/v1/me", post(|Signed(caller): Signed| async move { caller.user.id })))
    }

    async fn ask(request: Request) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = routes().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, LARGEST_BODY).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn search(content_type: &str, body: impl Into<Body>) -> Request {
        Request::post("/v1/people/search").header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()
    }

    fn claims(claims: &[(&str, &str)]) -> RequestContext {
        let claims: HashMap<_, _> = claims.iter().map(|(name, value)| (*name, *value)).collect();
        let context = serde_json::json!({
            "requestId": "edge-1",
            "http": {"method": "POST", "path": "/v1/me", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "timeEpoch": 0,
            "authorizer": {"jwt": {"claims": claims}},
        });
        RequestContext::ApiGatewayV2(serde_json::from_value(context).unwrap())
    }

    #[tokio::test]
    async fn a_malformed_body_is_explained_and_never_repeated() {
        let cases = [
            ("application/json", "{\"surname\": \"Canary", 400, "body-malformed"),
            ("application/json", "{\"surname\": \"Smith\", \"Canary\": 1}", 400, "body-not-as-described"),
            ("application/json", "{\"surname\": [\"Canary\"]}", 400, "body-not-as-described"),
            ("application/json", "", 400, "body-malformed"),
            ("text/plain", "{\"surname\": \"Canary\"}", 415, "unsupported-media-type"),
        ];
        for (content_type, body, status, code) in cases {
            let (got, headers, text) = ask(search(content_type, body)).await;
            assert_eq!(got.as_u16(), status, "{text}");
            assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
            assert!(text.contains(code) && !text.contains("Canary"), "{text}");
        }
        assert_eq!(ask(search("application/json; charset=utf-8", "{\"surname\":\"Smith\"}")).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn an_oversized_body_is_refused() {
        let (status, _, text) = ask(search("application/json", "x".repeat(LARGEST_BODY + 1))).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(text.contains("16384 bytes"), "{text}");
    }

    #[tokio::test]
    async fn unknown_addresses_and_methods_are_problems_too() {
        let (status, _, text) = ask(Request::get("/v1/nothing").body(Body::empty()).unwrap()).await;
        assert_eq!((status, text.contains("problem:not-found")), (StatusCode::NOT_FOUND, true));
        let request = Request::builder().method(Method::DELETE).uri("/v1/people/search").body(Body::empty()).unwrap();
        assert_eq!(ask(request).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn an_address_that_is_not_text_is_not_found_like_any_other() {
        let (status, headers, text) = ask(Request::post("/v1/people/%ff").body(Body::empty()).unwrap()).await;
        assert_eq!((status, text.contains("problem:not-found")), (StatusCode::NOT_FOUND, true), "{text}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    }

    #[tokio::test]
    async fn roles_are_read_from_the_claim_that_the_council_names() {
        let app = |named: &str| {
            let roles = |Signed(caller): Signed| async move { format!("{:?}", caller.user.roles) };
            roles_in(api(Router::new().route("/v1/me", post(roles))), RolesClaim::named(named))
        };
        for (named, roles) in [("jobs", "{SocialWorker}"), ("roles", "{Steward}")] {
            let context = claims(&[("sub", "amira"), ("jobs", "[social-worker]"), ("roles", "[steward]")]);
            let request = Request::post("/v1/me").extension(context).body(Body::empty()).unwrap();
            let body = to_bytes(app(named).oneshot(request).await.unwrap().into_body(), LARGEST_BODY).await.unwrap();
            assert_eq!(body, roles, "{named}");
        }
    }

    #[tokio::test]
    async fn where_only_some_addresses_are_let_in_nobody_gets_past_cloudfront() {
        let ask = |key: Option<OriginKey>, given: Option<&'static str>| async move {
            let mut request = Request::get("/v1/nothing");
            if let Some(given) = given {
                request = request.header(ORIGIN_KEY, given);
            }
            let answer = only_through(routes(), key).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            (answer.status().as_u16(), answer.headers()[header::CACHE_CONTROL].clone())
        };
        let key = Some(OriginKey::new("a long secret"));
        let no_store = HeaderValue::from_static("no-store");
        // 404 comes from the routes themselves.
        assert_eq!(ask(key, Some("a long secret")).await, (404, no_store.clone()));
        assert_eq!(ask(key, Some("a long secreT")).await, (403, no_store.clone()));
        assert_eq!(ask(key, Some("")).await, (403, no_store.clone()));
        assert_eq!(ask(key, None).await, (403, no_store.clone()));
        assert_eq!(ask(None, None).await, (404, no_store), "without CloudFront there is no key");
    }

    #[tokio::test]
    async fn claims_count_only_when_the_edge_put_them_there() {
        let forged = Request::post("/v1/me")
            .header("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbWlyYSJ9.")
            .header("x-amzn-request-context", r#"{"authorizer":{"jwt":{"claims":{"sub":"amira"}}}}"#);
        let (status, headers, _) = ask(forged.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (status, &headers[header::WWW_AUTHENTICATE]),
            (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
        );

        let signed = Request::post("/v1/me").extension(claims(&[("sub", "amira")])).body(Body::empty()).unwrap();
        let (status, headers, text) = ask(signed).await;
        assert_eq!(
            (status, text.as_str(), &headers[REQUEST_ID]),
            (StatusCode::OK, "amira", &"edge-1".parse().unwrap())
        );

        let nobody = Request::post("/v1/me").extension(claims(&[("name", "Amira")])).body(Body::empty()).unwrap();
        assert_eq!(ask(nobody).await.0, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn no_answer_may_be_kept_framed_or_guessed() {
        let (_, headers, _) = ask(search("application/json", "{\"surname\":\"Smith\"}")).await;
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }
}

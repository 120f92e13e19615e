//! What every page has in common: the frame around it, the headers that go with it, and the pages that say why there is
//! nothing to see.

use crate::{App, address::Path, signed::Signed};
use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use fc_access::Refusal;
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};

const STYLE: &str = include_str!("../assets/page.css");
const ICON: &str = include_str!("../assets/icon.svg");
/// Bytes of the content's hash that name an asset: enough to tell any two versions apart.
const HASH_BYTES: usize = 8;

static STYLE_AT: LazyLock<String> = LazyLock::new(|| asset_name(STYLE, "css"));
static ICON_AT: LazyLock<String> = LazyLock::new(|| asset_name(ICON, "svg"));

fn asset_name(content: &str, kind: &str) -> String {
    let hash: String = Sha256::digest(content).iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/{hash}.{kind}")
}

/// The frame around a page. Everything else on a page is the template's own.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) council: String,
    pub(crate) css: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) user: Option<String>,
    pub(crate) csrf: String,
    /// Where, besides ourselves, a form may lead: signing out ends at the issuer.
    form_target: Option<String>,
}

impl Frame {
    /// The frame of a page for whoever is signed in, or for nobody.
    pub(crate) fn new(app: &App, signed: Option<&Signed>) -> Self {
        let content = signed.map(Signed::content);
        Self {
            council: app.council().name.clone(),
            css: &STYLE_AT,
            icon: &ICON_AT,
            user: content.map(|content| content.user.name.clone()),
            csrf: content.map(|content| content.csrf.clone()).unwrap_or_default(),
            form_target: content.and_then(|content| content.end_session.as_deref()).and_then(origin),
        }
    }
}

/// Scheme, host and port of a URL, when it is one that may stand in a policy.
fn origin(url: &str) -> Option<String> {
    let url = openidconnect::url::Url::parse(url).ok()?;
    let origin = url.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// Where a form of this page may lead besides ourselves.
#[derive(Clone)]
struct FormTarget(String);

/// A page as a response.
pub(crate) fn show(status: StatusCode, frame: &Frame, page: &impl Template) -> Response {
    let mut response = match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    if let Some(target) = &frame.form_target {
        response.extensions_mut().insert(FormTarget(target.clone()));
    }
    response
}

/// A page that says what happened and what to do.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) heading: &'a str,
    pub(crate) paragraphs: Vec<String>,
    pub(crate) action: Option<(&'a str, String)>,
}

impl App {
    /// The page for a person, record or address that is not there, or that this user may not know of: one and the same.
    pub(crate) fn not_found(&self, signed: Option<&Signed>) -> Response {
        let frame = Frame::new(self, signed);
        let page = Message {
            frame: &frame,
            heading: "We cannot find that page",
            paragraphs: vec![
                "The person may no longer be in any system we read, or the address may be wrong or out of date.".into(),
                format!("Search again. If you opened this from {}, check the case there.", self.council().cms),
            ],
            action: Some(("Search", "/search".into())),
        };
        show(StatusCode::NOT_FOUND, &frame, &page)
    }

    /// The page for a form that did not come from one of our pages, or from one of an earlier session.
    pub(crate) fn not_from_here(&self, signed: Option<&Signed>) -> Response {
        let frame = Frame::new(self, signed);
        let page = Message {
            frame: &frame,
            heading: "We did not do that",
            paragraphs: vec![
                "The request did not come from a page of this service that is still open. Nothing was looked up or changed.".into(),
                "Go back to the search page and try again.".into(),
            ],
            action: Some(("Search", "/search".into())),
        };
        show(StatusCode::FORBIDDEN, &frame, &page)
    }

    /// The page for somebody who is not signed in any more.
    pub(crate) fn session_ended(&self, to: Option<&str>) -> Response {
        let frame = Frame::new(self, None);
        let query = to.map(|to| format!("?to={to}")).unwrap_or_default();
        let page = Message {
            frame: &frame,
            heading: "You have been signed out",
            paragraphs: vec![
                "We sign you out when you have not used the service for a while, and at the end of a working day. This protects the families you look up.".into(),
            ],
            action: Some(("Sign in again", format!("/auth/sign-in{query}"))),
        };
        show(StatusCode::UNAUTHORIZED, &frame, &page)
    }

    /// The page for somebody whom the council's directory gives no role here.
    pub(crate) fn no_access(&self) -> Response {
        let frame = Frame::new(self, None);
        let page = Message {
            frame: &frame,
            heading: "You do not have access",
            paragraphs: vec![
                "You have signed in, but your account does not have a role that lets you look people up here.".into(),
                format!(
                    "If you need this for your work, ask your manager. They can ask {} IT to give your account the social worker role. It works from your next sign-in.",
                    self.council().name
                ),
                "If you have another council account, sign in with that one.".into(),
            ],
            action: Some(("Sign in with another account", "/auth/sign-in?another=yes".into())),
        };
        show(StatusCode::FORBIDDEN, &frame, &page)
    }

    /// The page for what does not work just now.
    pub(crate) fn unavailable(&self, signed: Option<&Signed>, what: &str) -> Response {
        let frame = Frame::new(self, signed);
        let page = Message {
            frame: &frame,
            heading: "Sorry, this is not working just now",
            paragraphs: vec![
                what.into(),
                "Try again in a few minutes. If a child may be at risk, do not wait: ring the services on their duty numbers.".into(),
            ],
            action: Some(if signed.is_some() { ("Search", "/search".into()) } else { ("Start again", "/".into()) }),
        };
        show(StatusCode::SERVICE_UNAVAILABLE, &frame, &page)
    }

    /// The page for a form that cannot be read at all: it is no form, or is longer than any of ours can be.
    pub(crate) fn unreadable(&self, signed: &Signed, status: StatusCode) -> Response {
        let frame = Frame::new(self, Some(signed));
        let what = match status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                "It is too long. Nothing was looked up or changed. Type less and try again."
            }
            _ => "Something is missing from it. Nothing was looked up or changed.",
        };
        let page = Message {
            frame: &frame,
            heading: "We could not read that form",
            paragraphs: vec![what.into()],
            action: Some(("Search", "/search".into())),
        };
        show(status, &frame, &page)
    }

    /// The page for a refusal of the code that decides who may see what.
    pub(crate) fn refuse(&self, signed: &Signed, refusal: &Refusal) -> Response {
        let plain = |status, heading: &str| {
            let frame = Frame::new(self, Some(signed));
            let page = Message {
                frame: &frame,
                heading,
                paragraphs: vec![refusal.to_string()],
                action: Some(("Search", "/search".into())),
            };
            show(status, &frame, &page)
        };
        match refusal {
            Refusal::NotFound => self.not_found(Some(signed)),
            Refusal::NoRole => self.no_access(),
            Refusal::NotOffered(_) => plain(StatusCode::FORBIDDEN, "This is not switched on"),
            Refusal::Invalid(_) | Refusal::PurposeNeeded => {
                plain(StatusCode::BAD_REQUEST, "Please check what you asked for")
            }
            Refusal::NotRecorded(error) | Refusal::Unavailable(error) => {
                tracing::error!(%error, "nothing could be shown");
                self.unavailable(Some(signed), &refusal.to_string())
            }
        }
    }
}

/// The style sheet and the icon, kept by browsers for good because their names change with their content.
pub(crate) async fn asset(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    let path = format!("/assets/{name}");
    let (content, kind) = match path.as_str() {
        path if path == *STYLE_AT => (STYLE, "text/css; charset=utf-8"),
        path if path == *ICON_AT => (ICON, "image/svg+xml"),
        _ => return app.not_found(None),
    };
    let kept = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    ([(header::CONTENT_TYPE, kind), kept], content).into_response()
}

/// Anything that is no page.
pub(crate) async fn no_such_page(State(app): State<Arc<App>>) -> Response {
    app.not_found(None)
}

/// What a browser may do with a page: load our own style and icon and nothing else, show it in no frame, send forms to
/// nobody but us and, when signing out, the issuer.
pub(crate) async fn policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let target = response.extensions_mut().remove::<FormTarget>();
    let target = target.map(|FormTarget(to)| format!(" {to}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

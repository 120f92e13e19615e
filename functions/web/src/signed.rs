//! Who is signed in: the cookie, the session behind it, and the checks that a form really came from them.

use crate::{App, Settings};
use axum::{
    Form,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use fc_access::{Caller, RequestId, User};
use fc_http::request_id;
use fc_model::PersonId;
use fc_store::sessions::Live;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// Purposes kept in a session; the oldest go first.
const PURPOSES_KEPT: usize = 50;

/// What the server keeps of somebody signed in. The browser holds nothing but the cookie.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SignedIn {
    /// Who they are and what they may do, as the ID token said.
    pub(crate) user: User,
    /// Stands in every form of this session.
    pub(crate) csrf: String,
    /// Where the issuer ends sessions, when it can.
    pub(crate) end_session: Option<String>,
    /// Why they said they open whom, where the council asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) purposes: Vec<Stated>,
}

/// The child and the purpose that somebody gave for opening a person.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Stated {
    /// The person to be opened.
    pub(crate) person: PersonId,
    /// Which child it is for.
    pub(crate) child: PersonId,
    /// For what, as a word of the audit trail.
    pub(crate) purpose: String,
    /// When they said so: it counts for as long as a session without any request.
    pub(crate) at: Timestamp,
}

/// Somebody signed in, making a request.
pub(crate) struct Signed {
    pub(crate) cookie: String,
    pub(crate) live: Live<SignedIn>,
    request: RequestId,
}

impl Signed {
    /// What the session holds.
    pub(crate) fn content(&self) -> &SignedIn {
        &self.live.session.content
    }

    /// As the code that decides and records knows them.
    pub(crate) fn caller(&self) -> Caller {
        Caller { user: self.content().user.clone(), request: self.request.clone() }
    }

    /// What they said about opening a person, if they did not long ago, and for the child through whom they come now.
    pub(crate) fn stated(&self, person: &PersonId, child: Option<&PersonId>, app: &App) -> Option<&Stated> {
        let (now, lasts) = ((app.clock)(), app.limits().idle);
        self.content().purposes.iter().rev().find(|stated| {
            stated.person == *person
                && child.is_none_or(|child| *child == stated.child)
                && now.duration_since(stated.at) < lasts
        })
    }

    /// Keeps what they said about opening a person for a child.
    pub(crate) fn state(&mut self, stated: Stated) {
        let purposes = &mut self.live.session.content.purposes;
        purposes.retain(|earlier| earlier.person != stated.person || earlier.child != stated.child);
        purposes.push(stated);
        let surplus = purposes.len().saturating_sub(PURPOSES_KEPT);
        purposes.drain(..surplus);
    }

    /// The session behind a request's cookie. `Ok(None)`: there is a cookie but its session has ended.
    pub(crate) async fn of(app: &App, headers: &HeaderMap, request: RequestId) -> Result<Option<Self>, Absent> {
        let cookie = cookie(headers, app.settings.session_cookie()).ok_or(Absent::NoCookie)?;
        let live = app.sessions.read(&cookie, (app.clock)(), app.limits()).await.map_err(|error| {
            tracing::error!(%error, "a session could not be read");
            Absent::Unavailable
        })?;
        Ok(live.map(|live| Self { cookie, live, request }))
    }
}

/// Why there is no session.
pub(crate) enum Absent {
    NoCookie,
    Unavailable,
}

impl FromRequestParts<Arc<App>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        // Paths hold opaque ids only, so they may be repeated in the address of the sign-in.
        let to = (parts.method == Method::GET).then(|| parts.uri.path());
        match Self::of(app, &parts.headers, request_id(&parts.extensions)).await {
            Ok(Some(signed)) => Ok(signed),
            Ok(None) => {
                let mut page = app.session_ended(to);
                set(&mut page, &app.settings.forget(app.settings.session_cookie()));
                Err(page)
            }
            Err(Absent::NoCookie) => {
                let to = to.filter(|to| *to != "/search").map(|to| format!("/?to={to}"));
                Err(Redirect::to(to.as_deref().unwrap_or("/")).into_response())
            }
            Err(Absent::Unavailable) => Err(app.unavailable(None, "We cannot check whether you are signed in.")),
        }
    }
}

/// A form that somebody signed in has sent from one of our own pages: the only way any `POST` is read.
pub(crate) struct Posted<T> {
    pub(crate) signed: Signed,
    pub(crate) form: T,
}

/// A form with nothing in it but its button.
#[derive(Deserialize)]
pub(crate) struct Nothing {}

#[derive(Deserialize)]
struct WithToken<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    form: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        if !from_our_page(&parts.headers, &app.settings) {
            return Err(app.not_from_here(None));
        }
        let signed = Signed::from_request_parts(&mut parts, app).await?;
        let request = Request::from_parts(parts, body);
        let sent = match Form::<WithToken<T>>::from_request(request, app).await {
            Ok(Form(sent)) => sent,
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(app.unreadable(&signed, StatusCode::PAYLOAD_TOO_LARGE));
            }
            Err(_) => return Err(app.unreadable(&signed, StatusCode::BAD_REQUEST)),
        };
        if !same(&sent.csrf, &signed.content().csrf) {
            return Err(app.not_from_here(Some(&signed)));
        }
        Ok(Self { signed, form: sent.form })
    }
}

/// Whether the browser says that one of our pages sent this. `Sec-Fetch-Site` is decisive where there is one, because
/// our referrer policy makes browsers send `Origin: null` even from our own pages; without it the origin must be ours.
fn from_our_page(headers: &HeaderMap, settings: &Settings) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let origin = text(header::ORIGIN).filter(|origin| *origin != "null");
    match (text(header::HeaderName::from_static("sec-fetch-site")), origin) {
        (Some(site), origin) => site == "same-origin" && origin.is_none_or(|origin| origin == settings.base_url()),
        (None, origin) => origin == Some(settings.base_url()),
    }
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
fn same(one: &str, other: &str) -> bool {
    !other.is_empty()
        && one.len() == other.len()
        && one.bytes().zip(other.bytes()).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

/// A cookie's value by name.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

/// Sets a cookie on a response.
pub(crate) fn set(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("https://context.council.example", "https://login.example", "client", None, "roles").unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_a_form_on_our_own_page_is_taken() {
        let ours = |pairs: &[_]| from_our_page(&headers(pairs), &settings());
        let (own, other) = ("https://context.council.example", "https://evil.example");
        assert!(ours(&[("sec-fetch-site", "same-origin"), ("origin", "null")]), "what no-referrer makes of it");
        assert!(ours(&[("sec-fetch-site", "same-origin"), ("origin", own)]));
        assert!(ours(&[("origin", own)]), "an older browser");
        assert!(!ours(&[]));
        assert!(!ours(&[("origin", "null")]));
        assert!(!ours(&[("origin", other)]));
        assert!(!ours(&[("sec-fetch-site", "cross-site"), ("origin", own)]));
        assert!(!ours(&[("sec-fetch-site", "same-site"), ("origin", own)]));
        assert!(!ours(&[("sec-fetch-site", "none")]));
        assert!(!ours(&[("sec-fetch-site", "same-origin"), ("origin", other)]));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_only_by_its_whole_name() {
        let jar = headers(&[("cookie", "a=1; __Host-session=abc; x__Host-session=evil")]);
        assert_eq!(cookie(&jar, "__Host-session").as_deref(), Some("abc"));
        assert_eq!(cookie(&jar, "session"), None);
    }

    #[test]
    fn secrets_of_another_length_and_empty_ones_never_fit() {
        assert!(same("abc", "abc"));
        assert!(!same("abd", "abc") && !same("ab", "abc") && !same("", "") && !same("abc", ""));
    }
}

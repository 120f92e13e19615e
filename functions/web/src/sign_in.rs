//! Signing in and out. The browser goes to the council's own sign-in page and comes back with a code; the tokens it is
//! redeemed for never leave the server.

use crate::{
    App,
    address::Query,
    frame::{Frame, Message, show},
    issuer::{Arrival, SignInError, random},
    signed::{Absent, Nothing, Posted, Signed, SignedIn, cookie, set},
};
use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use fc_access::{Caller, Refusal, RequestId, RolesClaim, User};
use fc_store::{
    audit::{Act, Outcome},
    sessions::SignIn,
};
use openidconnect::url::form_urlencoded;
use serde::Deserialize;
use std::sync::Arc;

/// Longest path that a sign-in goes back to.
const LONGEST_PATH: usize = 200;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    frame: &'a Frame,
    cms: &'a str,
    note: Option<&'a str>,
    query: String,
}

#[derive(Deserialize)]
pub(crate) struct HomeQuery {
    to: Option<String>,
}

/// The front door: the notice and one button; people who are signed in go on to search.
pub(crate) async fn home(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Extension(request): Extension<RequestId>,
    Query(query): Query<HomeQuery>,
) -> Response {
    match Signed::of(&app, &headers, request).await {
        Ok(Some(_)) => return Redirect::to("/search").into_response(),
        Err(Absent::Unavailable) => return app.unavailable(None, "We cannot check whether you are signed in."),
        Ok(None) | Err(Absent::NoCookie) => {}
    }
    sign_in_page(&app, None, query.to)
}

fn sign_in_page(app: &App, note: Option<&str>, to: Option<String>) -> Response {
    let frame = Frame::new(app, None);
    let query = to.filter(|to| is_ours(to)).map(|to| format!("?to={to}")).unwrap_or_default();
    show(StatusCode::OK, &frame, &SignInPage { frame: &frame, cms: &app.council().cms, note, query })
}

/// Whether a path leads to a page of this service: no other host, nothing that browsers read as one.
fn is_ours(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= LONGEST_PATH
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_'))
}

#[derive(Deserialize)]
pub(crate) struct BeginQuery {
    to: Option<String>,
    another: Option<String>,
}

/// Sends the browser to the issuer.
pub(crate) async fn begin(State(app): State<Arc<App>>, Query(query): Query<BeginQuery>) -> Response {
    let departure = match app.issuer.depart(query.another.is_some()).await {
        Ok(departure) => departure,
        Err(error) => return sign_in_failed(&app, error),
    };
    let sign_in = SignIn {
        state: departure.state,
        nonce: departure.nonce,
        verifier: departure.verifier,
        to: query.to.filter(|to| is_ours(to)).unwrap_or_else(|| "/search".into()),
        begun: (app.clock)(),
    };
    let mut response = Redirect::to(&departure.to).into_response();
    set(&mut response, &app.settings.cookie(app.settings.sign_in_cookie(), &app.sessions.seal(&sign_in)));
    response
}

#[derive(Deserialize)]
pub(crate) struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Takes the browser back from the issuer. Whatever comes of it, the browser forgets this sign-in.
pub(crate) async fn callback(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Extension(request): Extension<RequestId>,
    Query(answer): Query<Answer>,
) -> Response {
    let mut response = match arrive(&app, &headers, request, answer).await {
        Ok(response) | Err(response) => response,
    };
    set(&mut response, &app.settings.forget(app.settings.sign_in_cookie()));
    response
}

async fn arrive(app: &App, headers: &HeaderMap, request: RequestId, answer: Answer) -> Result<Response, Response> {
    let broken = || sign_in_failed(app, SignInError::Refused("the answer fits no sign-in of this browser"));
    let unavailable = |error: &fc_store::StoreError| {
        tracing::error!(%error, "a sign-in could not be completed");
        app.unavailable(None, "We cannot sign you in.")
    };
    let now = (app.clock)();
    let sealed = cookie(headers, app.settings.sign_in_cookie()).ok_or_else(broken)?;
    let sign_in = app.sessions.unseal(&sealed, now).ok_or_else(broken)?;
    if answer.state.as_deref() != Some(&sign_in.state) {
        return Err(broken());
    }
    if answer.error.is_some() {
        return Err(sign_in_failed(app, SignInError::Refused("the issuer did not sign them in")));
    }
    let code = answer.code.ok_or_else(broken)?;
    let arrival = app.issuer.arrive(code, &sign_in.nonce, sign_in.verifier.clone()).await;
    let arrival = arrival.map_err(|error| sign_in_failed(app, error))?;
    if !app.sessions.use_up(&sign_in).await.map_err(|error| unavailable(&error))? {
        return Err(broken());
    }
    let user = user(&arrival, &app.settings.roles_claim)
        .ok_or_else(|| sign_in_failed(app, SignInError::Refused("the ID token names no user")))?;
    let caller = Caller { user: user.clone(), request };
    if !user.may_look_people_up() {
        tracing::warn!(roles = user.roles.len(), "someone without a role that may look people up was turned away");
        // Turned away all the same when it cannot be recorded.
        if let Refusal::NotRecorded(error) = app.auditor.refused(&caller, Act::SignIn, Refusal::NoRole).await {
            tracing::error!(%error, "a refused sign-in could not be recorded");
        }
        return Err(app.no_access());
    }
    app.note(&caller, Act::SignIn).await.map_err(|refusal| {
        tracing::error!(%refusal, "a sign-in could not be recorded");
        app.unavailable(None, &refusal.to_string())
    })?;
    // A session that this browser already had ends here: signing in always gives a fresh one.
    if let Some(earlier) = cookie(headers, app.settings.session_cookie()) {
        app.sessions.close(&earlier).await.map_err(|error| unavailable(&error))?;
    }
    let secret = random();
    let content = SignedIn { user, csrf: random(), end_session: arrival.end_session, purposes: Vec::new() };
    app.sessions.open(&secret, content, now, app.limits()).await.map_err(|error| unavailable(&error))?;
    let mut response = Redirect::to(&sign_in.to).into_response();
    set(&mut response, &app.settings.cookie(app.settings.session_cookie(), &secret));
    Ok(response)
}

/// The user whom a verified ID token names, with roles from the claim that this council's directory uses.
fn user(arrival: &Arrival, roles_claim: &RolesClaim) -> Option<User> {
    let mut claims = arrival.claims.clone();
    claims.insert("sub".into(), arrival.subject.clone().into());
    for (name, value) in [("name", &arrival.name), ("email", &arrival.email)] {
        if let Some(value) = value {
            claims.insert(name.into(), value.clone().into());
        }
    }
    User::from_claims(&claims, roles_claim).ok()
}

fn sign_in_failed(app: &App, error: SignInError) -> Response {
    tracing::warn!(%error, "a sign-in failed");
    let frame = Frame::new(app, None);
    match error {
        SignInError::Unavailable(_) => app.unavailable(None, "We cannot reach your council's sign-in service."),
        SignInError::Refused(_) => {
            let page = Message {
                frame: &frame,
                heading: "You are not signed in",
                paragraphs: vec![
                    "Your sign-in took too long, was opened twice, or did not finish.".into(),
                    "Start again. If this keeps happening, ask your IT help desk.".into(),
                ],
                action: Some(("Start again", "/".into())),
            };
            show(StatusCode::BAD_REQUEST, &frame, &page)
        }
    }
}

/// Ends the session here, and at the issuer when it can.
pub(crate) async fn sign_out(State(app): State<Arc<App>>, posted: Posted<Nothing>) -> Response {
    // Leaving must work even when nothing can be recorded.
    if let Err(refusal) = app.note(&posted.signed.caller(), Act::SignOut).await {
        tracing::error!(%refusal, "a sign-out could not be recorded");
    }
    if let Err(error) = app.sessions.close(&posted.signed.cookie).await {
        tracing::error!(%error, "a session could not be ended");
        return app.unavailable(Some(&posted.signed), "We could not sign you out. Close your browser.");
    }
    let content = posted.signed.content();
    let back = format!("{}/auth/signed-out", app.settings.base_url());
    // Without the ID token: it names the user, and addresses are kept in histories and logs. The issuer may ask which
    // account to sign out of.
    let to = content.end_session.as_ref().map(|end| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &app.settings.client_id)
            .append_pair("post_logout_redirect_uri", &back)
            .finish();
        let mark = if end.contains('?') { '&' } else { '?' };
        format!("{end}{mark}{query}")
    });
    let mut response = Redirect::to(to.as_deref().unwrap_or("/auth/signed-out")).into_response();
    set(&mut response, &app.settings.forget(app.settings.session_cookie()));
    response
}

impl App {
    /// Records signing in or out.
    async fn note(&self, caller: &Caller, act: Act) -> Result<(), Refusal> {
        let attempt = self.auditor.attempt(caller, act).await?;
        let done = Outcome { result: "done".into(), ..Outcome::default() };
        self.auditor.record(attempt, done, ()).await.map(|_| ())
    }
}

/// Where people land after signing out.
pub(crate) async fn signed_out(State(app): State<Arc<App>>) -> Response {
    sign_in_page(&app, Some("You have signed out."), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_back_to_this_service_only() {
        assert!(is_ours("/people/abc-DEF_1/services/housing"));
        for path in ["", "people", "//evil.example", "/\\evil.example", "https://evil.example", "/a?b", "/a#b", "/é"] {
            assert!(!is_ours(path), "{path}");
        }
    }
}

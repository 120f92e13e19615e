//! The council's directory on this machine: an OpenID Connect issuer with named test users, so that sign-in works here
//! exactly as it does with Entra ID, and roles arrive in the `roles` claim as Entra's app roles do.
//!
//! It asks nobody for a password. It listens on loopback, its key is made at start and never leaves the process.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::StartError;

/// Someone who can sign in.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// What goes before the `@`, and the name to give the token endpoint.
    pub name: &'static str,
    /// As colleagues know them.
    pub full_name: &'static str,
    /// What they do, for the list of who can sign in.
    pub job: &'static str,
    /// App roles, in the words of the role claim.
    pub roles: &'static [&'static str],
    /// Their id in the staff directory, where the council puts it in tokens: whose caseload is theirs follows from it.
    pub staff_id: Option<&'static str>,
    /// The directory's object id: what the audit trail keeps.
    object_id: Uuid,
}

impl User {
    /// The address they sign in with.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@council.example", self.name)
    }
}

/// The test users: one for each role, and one whom the council gave none. Sam is the social worker whom the made-up
/// council's first family is allocated to, so that searching one's own caseload can be tried.
pub const USERS: [User; 5] = [
    User {
        name: "sam.social",
        full_name: "Sam Social",
        job: "Social worker",
        roles: &["social-worker"],
        staff_id: Some(fc_synth::demo::SOCIAL_WORKER_ID),
        object_id: Uuid::from_u128(0x5a11_0000_0000_4000_8000_0000_0000_0001),
    },
    User {
        name: "tess.manager",
        full_name: "Tess Manager",
        job: "Team manager",
        roles: &["team-manager"],
        staff_id: None,
        object_id: Uuid::from_u128(0x5a11_0000_0000_4000_8000_0000_0000_0002),
    },
    User {
        name: "stevie.steward",
        full_name: "Stevie Steward",
        job: "Data steward",
        roles: &["steward"],
        staff_id: None,
        object_id: Uuid::from_u128(0x5a11_0000_0000_4000_8000_0000_0000_0003),
    },
    User {
        name: "ines.governance",
        full_name: "Ines Governance",
        job: "Information governance lead",
        roles: &["information-governance"],
        staff_id: None,
        object_id: Uuid::from_u128(0x5a11_0000_0000_4000_8000_0000_0000_0004),
    },
    User {
        name: "nadia.nobody",
        full_name: "Nadia Nobody",
        job: "Works for the council, has no role in this tool",
        roles: &[],
        staff_id: None,
        object_id: Uuid::from_u128(0x5a11_0000_0000_4000_8000_0000_0000_0005),
    },
];

/// The application that signs people in, as it would be registered in the directory.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id; ID tokens are for this audience.
    pub id: String,
    /// Its secret, when it has one. Without, proof of the code (PKCE) is all it needs.
    pub secret: Option<String>,
    /// Where people may be sent back to. Compared exactly.
    pub redirect_uris: Vec<String>,
}

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A code, from sign-in to its exchange.
    pub code: SignedDuration,
    /// An ID or access token.
    pub token: SignedDuration,
}

impl Default for Lifetimes {
    /// One minute and one hour, like Entra ID's defaults to within a few minutes.
    fn default() -> Self {
        Self { code: SignedDuration::from_mins(1), token: SignedDuration::from_hours(1) }
    }
}

/// The issuer: its key, its client and the codes it has given out.
pub struct Issuer {
    url: String,
    audience: String,
    client: Client,
    lifetimes: Lifetimes,
    key: EncodingKey,
    public: Jwk,
    codes: Mutex<HashMap<String, Code>>,
}

/// A sign-in that waits to be exchanged for tokens.
struct Code {
    user: &'static User,
    request: AuthorizationRequest,
    expires: Timestamp,
}

impl Issuer {
    /// An issuer at `url` with a fresh ES256 key. Access tokens are for `audience`, the API.
    ///
    /// # Errors
    ///
    /// [`StartError::SigningKey`].
    pub fn new(url: &str, audience: &str, client: Client, lifetimes: Lifetimes) -> Result<Arc<Self>, StartError> {
        let failed = |error: &dyn std::fmt::Display| StartError::SigningKey(error.to_string());
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|error| failed(&error))?;
        let document = pair.to_pkcs8v1().map_err(|error| failed(&error))?;
        let key = EncodingKey::from_ec_der(document.as_ref());
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(|error| failed(&error))?;
        public.common.key_id = Some(Uuid::new_v4().to_string());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Arc::new(Self {
            url: url.to_owned(),
            audience: audience.to_owned(),
            client,
            lifetimes,
            key,
            public,
            codes: Mutex::default(),
        }))
    }

    /// The issuer's name in tokens, which is also its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The public keys that tokens are checked with.
    #[must_use]
    pub fn keys(&self) -> JwkSet {
        JwkSet { keys: vec![self.public.clone()] }
    }

    /// An access token for a test user, or nothing for a name that is not one.
    #[must_use]
    pub fn access_token(&self, user: &str) -> Option<String> {
        self.sign(find_user(user)?, &self.audience, None).ok()
    }

    fn sign(&self, user: &User, audience: &str, nonce: Option<&str>) -> Result<String, Refusal> {
        let now = Timestamp::now();
        let expires = now.as_second() + self.lifetimes.token.as_secs();
        let claims = Claims {
            iss: &self.url,
            aud: audience,
            sub: &user.object_id.simple().to_string(),
            oid: &user.object_id.to_string(),
            name: user.full_name,
            preferred_username: &user.email(),
            email: &user.email(),
            roles: user.roles,
            staff_id: user.staff_id,
            nonce,
            iat: now.as_second(),
            exp: expires,
        };
        let mut header = Header::new(Algorithm::ES256);
        header.kid.clone_from(&self.public.common.key_id);
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|error| {
            tracing::error!(%error, "the development issuer could not sign a token");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The token could not be signed.")
        })
    }

    fn remember(&self, user: &'static User, request: AuthorizationRequest) -> String {
        let code = Uuid::new_v4().simple().to_string();
        let expires = Timestamp::now() + self.lifetimes.code;
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, code| code.expires > Timestamp::now());
        codes.insert(code.clone(), Code { user, request, expires });
        code
    }

    /// Takes the code away whatever comes of it, so that it works once.
    fn redeem(&self, code: &str) -> Option<Code> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(code)
    }
}

fn find_user(name: &str) -> Option<&'static User> {
    USERS.iter().find(|user| user.name == name)
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    oid: &'a str,
    name: &'a str,
    preferred_username: &'a str,
    email: &'a str,
    // Entra leaves the claim out for somebody without a role.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    staff_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    iat: i64,
    exp: i64,
}

/// The pages and endpoints, to be served at the root of [`Issuer::url`].
pub fn router(issuer: Arc<Issuer>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/keys", get(keys))
        .route("/authorize", get(choose_user).post(sign_in))
        .route("/token", post(token))
        .layer(middleware::from_fn_with_state(Arc::clone(&issuer), policy))
        .with_state(issuer)
}

/// What a browser may do with the page: use the style in it, and send its form here, which leads back to the application.
async fn policy(State(issuer): State<Arc<Issuer>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let back = issuer.client.redirect_uris.iter().filter_map(|uri| uri.parse::<Uri>().ok());
    let back =
        back.filter_map(|uri| Some(format!(" {}://{}", uri.scheme_str()?, uri.authority()?))).collect::<String>();
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{back}; frame-ancestors 'none'; base-uri 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Response {
    let url = issuer.url();
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "none"],
        "scopes_supported": ["openid", "profile", "email"],
        "claims_supported":
            ["iss", "aud", "sub", "oid", "name", "preferred_username", "email", "roles", "staff_id", "nonce", "iat", "exp"],
    }))
    .into_response()
}

async fn keys(State(issuer): State<Arc<Issuer>>) -> Json<JwkSet> {
    Json(issuer.keys())
}

/// What the application asks for when it sends somebody here. Unknown parameters are ignored, as the standard asks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct AuthorizationRequest {
    client_id: String,
    redirect_uri: String,
    response_type: String,
    scope: String,
    state: String,
    nonce: String,
    code_challenge: String,
    code_challenge_method: String,
}

/// What is wrong with a request. Somebody at an unregistered address must not be sent there.
enum BadRequest {
    TellHere(&'static str),
    SendBack(&'static str, &'static str),
}

impl AuthorizationRequest {
    fn check(&self, client: &Client) -> Result<(), BadRequest> {
        if self.client_id != client.id {
            return Err(BadRequest::TellHere("No application with this client_id is registered."));
        }
        if !client.redirect_uris.contains(&self.redirect_uri) {
            return Err(BadRequest::TellHere("This redirect_uri is not registered for the application."));
        }
        if self.response_type != "code" {
            return Err(BadRequest::SendBack("unsupported_response_type", "Only response_type=code is supported."));
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return Err(BadRequest::SendBack("invalid_scope", "The scope must include openid."));
        }
        if self.code_challenge_method != "S256" || self.code_challenge.is_empty() {
            return Err(BadRequest::SendBack("invalid_request", "A code_challenge with method S256 is required."));
        }
        Ok(())
    }

    fn fields(&self) -> [(&'static str, &str); 8] {
        [
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", &self.response_type),
            ("scope", &self.scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ]
    }

    /// Sends the browser back to the application with an answer.
    fn answer(&self, answer: &[(&str, &str)]) -> Response {
        let mut address = self.redirect_uri.clone();
        let mut mark = if address.contains('?') { '&' } else { '?' };
        for (name, value) in answer.iter().chain(&[("state", self.state.as_str())]) {
            let _ = write!(address, "{mark}{name}={}", percent_encode(value));
            mark = '&';
        }
        Redirect::to(&address).into_response()
    }

    fn refuse(&self, bad: &BadRequest) -> Response {
        match bad {
            BadRequest::TellHere(why) => {
                let page = page("Sign-in cannot start", &format!("<p>{why}</p>"));
                (StatusCode::BAD_REQUEST, page).into_response()
            }
            BadRequest::SendBack(error, why) => self.answer(&[("error", error), ("error_description", why)]),
        }
    }
}

async fn choose_user(State(issuer): State<Arc<Issuer>>, Query(request): Query<AuthorizationRequest>) -> Response {
    if let Err(bad) = request.check(&issuer.client) {
        return request.refuse(&bad);
    }
    let hidden = request.fields().iter().fold(String::new(), |mut html, (name, value)| {
        let _ = write!(html, r#"<input type="hidden" name="{name}" value="{}">"#, escape(value));
        html
    });
    let mut body = String::from(
        "<p>This stands in for the council's own sign-in. It runs on this machine only, and asks for no password.</p><ul>",
    );
    for user in USERS {
        let _ = write!(
            body,
            r#"<li><form method="post" action="/authorize">{hidden}<button name="user" value="{}">{}</button> {}</form></li>"#,
            user.name, user.full_name, user.job
        );
    }
    let _ = write!(
        body,
        r#"</ul><form method="post" action="/authorize">{hidden}<button name="user" value="">Do not sign in</button></form>"#
    );
    page("Choose who to sign in as", &body).into_response()
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    user: String,
    #[serde(flatten)]
    request: AuthorizationRequest,
}

async fn sign_in(State(issuer): State<Arc<Issuer>>, Form(Choice { user, request }): Form<Choice>) -> Response {
    if let Err(bad) = request.check(&issuer.client) {
        return request.refuse(&bad);
    }
    match find_user(&user) {
        None => request.refuse(&BadRequest::SendBack("access_denied", "Nobody signed in.")),
        Some(user) => {
            let code = issuer.remember(user, request.clone());
            request.answer(&[("code", &code)])
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    client_secret: Option<String>,
    code: String,
    redirect_uri: String,
    code_verifier: String,
    user: String,
}

async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> Result<Response, Refusal> {
    match request.grant_type.as_str() {
        "authorization_code" => exchange_code(&issuer, &headers, &request),
        "client_credentials" => token_for_user(&issuer, &request),
        _ => Err(Refusal::bad_request(
            "unsupported_grant_type",
            "Use authorization_code, or client_credentials with a user.",
        )),
    }
}

fn exchange_code(issuer: &Issuer, headers: &HeaderMap, request: &TokenRequest) -> Result<Response, Refusal> {
    check_client(issuer, headers, request)?;
    let no_grant = |why| Refusal::bad_request("invalid_grant", why);
    let code = issuer.redeem(&request.code).ok_or_else(|| no_grant("The code is unknown or was used before."))?;
    if code.expires <= Timestamp::now() {
        return Err(no_grant("The code has expired."));
    }
    if code.request.redirect_uri != request.redirect_uri {
        return Err(no_grant("The redirect_uri is not the one the code was made for."));
    }
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, request.code_verifier.as_bytes()));
    if code.request.code_challenge != challenge {
        return Err(no_grant("The code_verifier does not match the code_challenge."));
    }
    let nonce = Some(code.request.nonce.as_str()).filter(|nonce| !nonce.is_empty());
    let id_token = issuer.sign(code.user, &issuer.client.id, nonce)?;
    token_response(issuer, code.user, Some(&id_token))
}

/// Not a grant of the standard's: it stands in for a person in front of a browser, so that one line of `curl` can call
/// the API.
fn token_for_user(issuer: &Issuer, request: &TokenRequest) -> Result<Response, Refusal> {
    let user = find_user(&request.user).ok_or_else(|| {
        let names: Vec<&str> = USERS.iter().map(|user| user.name).collect();
        Refusal::bad_request("invalid_request", &format!("Give user= with one of: {}.", names.join(", ")))
    })?;
    token_response(issuer, user, None)
}

fn token_response(issuer: &Issuer, user: &User, id_token: Option<&str>) -> Result<Response, Refusal> {
    let mut body = json!({
        "access_token": issuer.sign(user, &issuer.audience, None)?,
        "token_type": "Bearer",
        "expires_in": issuer.lifetimes.token.as_secs(),
    });
    if let Some(id_token) = id_token {
        body["id_token"] = json!(id_token);
        body["scope"] = json!("openid profile email");
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// The client names itself in the form or in a Basic header, and proves itself if it has a secret.
fn check_client(issuer: &Issuer, headers: &HeaderMap, request: &TokenRequest) -> Result<(), Refusal> {
    let (id, secret) = match basic_credentials(headers) {
        Some((id, secret)) => (id, Some(secret)),
        None => (request.client_id.clone(), request.client_secret.clone()),
    };
    let secret_fits = issuer.client.secret.is_none() || issuer.client.secret == secret;
    if id == issuer.client.id && secret_fits {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", "The client is unknown or its secret is wrong."))
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// An error of the token endpoint, as OAuth 2.0 words it.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, description: &str) -> Self {
        Self { status, error, description: description.to_owned() }
    }

    fn bad_request(error: &'static str, description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, description)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        (self.status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>body{{font:1.1rem/1.5 sans-serif;margin:2rem auto;max-width:40rem;padding:0 1rem}}
ul{{list-style:none;padding:0}}li{{margin:1rem 0}}button{{font:inherit;padding:.5rem 1rem}}</style></head>
<body><main><h1>{title}</h1>{body}</main></body></html>"#
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    const URL: &str = "http://127.0.0.1:9999";
    const API: &str = "api://family-context";
    const CALLBACK: &str = "http://127.0.0.1:8080/signed-in";
    const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-";

    fn issuer_with(lifetimes: Lifetimes, secret: Option<&str>) -> Arc<Issuer> {
        let client = Client {
            id: "web".to_owned(),
            secret: secret.map(str::to_owned),
            redirect_uris: vec![CALLBACK.to_owned()],
        };
        Issuer::new(URL, API, client, lifetimes).unwrap()
    }

    fn issuer() -> Arc<Issuer> {
        issuer_with(Lifetimes::default(), None)
    }

    fn form(fields: &[(&str, &str)]) -> String {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        pairs.join("&")
    }

    fn challenge() -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()))
    }

    /// A sound request to sign in, with some fields changed.
    fn request(changes: &[(&str, &str)]) -> String {
        let challenge = challenge();
        let mut fields = vec![
            ("client_id", "web"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile"),
            ("state", "s t&te"),
            ("nonce", "once"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            fields.retain(|(field, _)| field != name);
            fields.push((name, value));
        }
        form(&fields)
    }

    struct Reply {
        status: StatusCode,
        location: String,
        body: String,
    }

    async fn send(issuer: &Arc<Issuer>, request: Request) -> Reply {
        let response = router(Arc::clone(issuer)).oneshot(request).await.unwrap();
        let location = response
            .headers()
            .get(header::LOCATION)
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Reply { status, location, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn fetch(issuer: &Arc<Issuer>, path: &str) -> Reply {
        send(issuer, Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn submit(issuer: &Arc<Issuer>, path: &str, form: String) -> Reply {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        send(issuer, request.body(Body::from(form)).unwrap()).await
    }

    async fn sign_in_as(issuer: &Arc<Issuer>, user: &str) -> String {
        let reply = submit(issuer, "/authorize", request(&[("user", user)])).await;
        let code = reply.location.split_once("code=").unwrap().1.split('&').next().unwrap();
        code.to_owned()
    }

    async fn exchange(issuer: &Arc<Issuer>, code: &str, changes: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "web"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            fields.retain(|(field, _)| field != name);
            fields.push((name, value));
        }
        let reply = submit(issuer, "/token", form(&fields)).await;
        (reply.status, serde_json::from_str(&reply.body).unwrap())
    }

    fn claims(issuer: &Issuer, token: &str, audience: &str) -> Value {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[URL]);
        let key = DecodingKey::from_jwk(&issuer.keys().keys[0]).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &rules).unwrap().claims
    }

    #[tokio::test]
    async fn a_social_worker_signs_in_and_the_id_token_says_who_and_which_role() {
        let issuer = issuer();
        let code = sign_in_as(&issuer, "sam.social").await;
        let (status, body) = exchange(&issuer, &code, &[]).await;
        assert_eq!(status, StatusCode::OK);
        let claims = claims(&issuer, body["id_token"].as_str().unwrap(), "web");
        assert_eq!(claims["name"], "Sam Social");
        assert_eq!(claims["roles"], json!(["social-worker"]));
        assert_eq!(claims["staff_id"], "W100000", "the social worker of the made-up council's first family");
        assert_eq!(claims["nonce"], "once");
        assert_eq!(claims["preferred_username"], "sam.social@council.example");
    }

    #[tokio::test]
    async fn the_access_token_is_for_the_api_and_not_for_the_page() {
        let issuer = issuer();
        let code = sign_in_as(&issuer, "sam.social").await;
        let (_, body) = exchange(&issuer, &code, &[]).await;
        assert_eq!(claims(&issuer, body["access_token"].as_str().unwrap(), API)["aud"], API);
    }

    #[tokio::test]
    async fn somebody_without_a_role_gets_a_token_without_the_claim() {
        let issuer = issuer();
        let token = issuer.access_token("nadia.nobody").unwrap();
        assert_eq!(claims(&issuer, &token, API).get("roles"), None);
    }

    #[tokio::test]
    async fn the_page_offers_every_test_user() {
        let page = fetch(&issuer(), &format!("/authorize?{}", request(&[]))).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains("<h1>Choose who to sign in as</h1>"));
        assert!(USERS.iter().all(|user| page.body.contains(user.full_name)));
    }

    #[tokio::test]
    async fn what_the_application_sent_cannot_inject_markup_into_the_page() {
        let page = fetch(&issuer(), &format!("/authorize?{}", request(&[("state", r#""><script>"#)]))).await;
        assert!(!page.body.contains("<script>"));
    }

    #[tokio::test]
    async fn the_state_comes_back_as_it_was_sent() {
        let reply = submit(&issuer(), "/authorize", request(&[("user", "sam.social")])).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        assert!(reply.location.starts_with(CALLBACK));
        assert!(reply.location.ends_with("&state=s%20t%26te"));
    }

    #[tokio::test]
    async fn a_person_may_decide_not_to_sign_in() {
        let reply = submit(&issuer(), "/authorize", request(&[("user", "")])).await;
        assert!(reply.location.contains("error=access_denied"));
    }

    #[tokio::test]
    async fn nobody_is_sent_to_an_address_that_is_not_registered() {
        let elsewhere = request(&[("redirect_uri", "http://127.0.0.1:8080/signed-in/../elsewhere")]);
        let reply = fetch(&issuer(), &format!("/authorize?{elsewhere}")).await;
        assert_eq!((reply.status, reply.location.as_str()), (StatusCode::BAD_REQUEST, ""));
    }

    #[tokio::test]
    async fn signing_in_needs_proof_of_the_code() {
        let reply = fetch(&issuer(), &format!("/authorize?{}", request(&[("code_challenge_method", "plain")]))).await;
        assert!(reply.location.contains("error=invalid_request"));
    }

    #[tokio::test]
    async fn a_wrong_verifier_gets_no_token() {
        let issuer = issuer();
        let code = sign_in_as(&issuer, "sam.social").await;
        let (status, body) = exchange(&issuer, &code, &[("code_verifier", "stolen the code, not the verifier")]).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    }

    #[tokio::test]
    async fn a_code_works_once() {
        let issuer = issuer();
        let code = sign_in_as(&issuer, "sam.social").await;
        exchange(&issuer, &code, &[]).await;
        let (status, body) = exchange(&issuer, &code, &[]).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    }

    #[tokio::test]
    async fn a_failed_exchange_uses_the_code_up() {
        let issuer = issuer();
        let code = sign_in_as(&issuer, "sam.social").await;
        exchange(&issuer, &code, &[("code_verifier", "a guess")]).await;
        assert_eq!(exchange(&issuer, &code, &[]).await.1["error"], "invalid_grant");
    }

    #[tokio::test]
    async fn a_code_is_for_the_address_it_was_asked_for() {
        let issuer = issuer();
        let code = sign_in_as(&issuer, "sam.social").await;
        let (_, body) = exchange(&issuer, &code, &[("redirect_uri", "http://127.0.0.1:8080/elsewhere")]).await;
        assert_eq!(body["error"], "invalid_grant");
    }

    #[tokio::test]
    async fn an_expired_code_gets_no_token() {
        let issuer = issuer_with(Lifetimes { code: SignedDuration::ZERO, ..Lifetimes::default() }, None);
        let code = sign_in_as(&issuer, "sam.social").await;
        assert_eq!(exchange(&issuer, &code, &[]).await.1["error_description"], "The code has expired.");
    }

    #[tokio::test]
    async fn an_application_with_a_secret_must_give_it() {
        let issuer = issuer_with(Lifetimes::default(), Some("local secret"));
        let code = sign_in_as(&issuer, "sam.social").await;
        assert_eq!(exchange(&issuer, &code, &[]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(exchange(&issuer, &code, &[("client_secret", "local secret")]).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn one_line_gets_a_token_for_the_api() {
        let issuer = issuer();
        let reply = submit(&issuer, "/token", "grant_type=client_credentials&user=sam.social".to_owned()).await;
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(claims(&issuer, body["access_token"].as_str().unwrap(), API)["name"], "Sam Social");
    }

    #[tokio::test]
    async fn a_token_for_an_unknown_user_is_refused_with_the_names_that_work() {
        let reply = submit(&issuer(), "/token", "grant_type=client_credentials&user=bob".to_owned()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(reply.body.contains("sam.social"));
    }

    #[tokio::test]
    async fn discovery_names_every_endpoint_under_the_issuer() {
        let found: Value =
            serde_json::from_str(&fetch(&issuer(), "/.well-known/openid-configuration").await.body).unwrap();
        assert_eq!(found["issuer"], URL);
        for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(found[endpoint].as_str().unwrap().starts_with(URL));
        }
    }

    #[tokio::test]
    async fn the_published_key_holds_nothing_secret() {
        let keys: Value = serde_json::from_str(&fetch(&issuer(), "/keys").await.body).unwrap();
        let key = keys["keys"][0].as_object().unwrap();
        let mut fields: Vec<&str> = key.keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }
}

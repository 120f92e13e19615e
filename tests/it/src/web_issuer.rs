//! An OpenID Connect issuer that can also lie: what the page must not believe.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The application's id at this issuer.
pub(crate) const CLIENT: &str = "family-context";

/// A signing key with the name it is published under.
struct Key {
    id: &'static str,
    signs: EncodingKey,
    published: Jwk,
}

impl Key {
    fn new(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let signs = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        let mut published = Jwk::from_encoding_key(&signs, Algorithm::ES256).unwrap();
        published.common.key_id = Some(id.to_owned());
        Self { id, signs, published }
    }
}

/// What the issuer does next.
struct Plan {
    key: Key,
    token: Option<String>,
    redeemed: Vec<HashMap<String, String>>,
}

/// The issuer. Its token endpoint hands out whatever token the test has put there.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    plan: Arc<Mutex<Plan>>,
}

impl Issuer {
    /// Starts one on this machine.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let plan = Plan { key: Key::new("first"), token: None, redeemed: Vec::new() };
        let issuer = Self { url, plan: Arc::new(Mutex::new(plan)) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        issuer
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claims of an honest ID token for Sam, a social worker.
    pub(crate) fn claims(&self, nonce: &str) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({
            "iss": self.url, "aud": CLIENT, "sub": "sam-1", "name": "Sam Social", "email": "sam@council.example",
            "roles": ["social-worker"], "nonce": nonce, "iat": now, "exp": now + 600,
        })
    }

    /// The next code is redeemed for a token with these claims.
    pub(crate) fn hands_out(&self, claims: &Value) {
        let mut plan = self.plan();
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(plan.key.id.to_owned());
        plan.token = Some(jsonwebtoken::encode(&header, claims, &plan.key.signs).unwrap());
    }

    /// The next code is redeemed for a token that somebody else signed under our key's name.
    pub(crate) fn hands_out_signed_by_a_stranger(&self, claims: &Value) {
        let stranger = Key::new("stranger");
        let mut header = Header::new(Algorithm::ES256);
        let mut plan = self.plan();
        header.kid = Some(plan.key.id.to_owned());
        plan.token = Some(jsonwebtoken::encode(&header, claims, &stranger.signs).unwrap());
    }

    /// The next code is redeemed for a token that says it needs no signature.
    pub(crate) fn hands_out_unsigned(&self, claims: &Value) {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        self.plan().token = Some(format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims)));
    }

    /// The next code is redeemed for a token signed with a secret both sides know: the application's id.
    pub(crate) fn hands_out_signed_with_a_shared_secret(&self, claims: &Value) {
        let secret = EncodingKey::from_secret(CLIENT.as_bytes());
        self.plan().token = Some(jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &secret).unwrap());
    }

    /// The issuer changes its key.
    pub(crate) fn changes_its_key(&self) {
        self.plan().key = Key::new("second");
    }

    /// What the token endpoint was sent, request by request.
    pub(crate) fn redeemed(&self) -> Vec<HashMap<String, String>> {
        self.plan().redeemed.clone()
    }
}

async fn discovery(State(issuer): State<Issuer>) -> Json<Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "end_session_endpoint": format!("{url}/end"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State(issuer): State<Issuer>) -> Json<JwkSet> {
    Json(JwkSet { keys: vec![issuer.plan().key.published.clone()] })
}

async fn token(State(issuer): State<Issuer>, Form(sent): Form<HashMap<String, String>>) -> Response {
    let mut plan = issuer.plan();
    plan.redeemed.push(sent);
    match plan.token.take() {
        Some(token) => {
            Json(json!({"access_token": "opaque", "token_type": "Bearer", "id_token": token})).into_response()
        }
        None => (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response(),
    }
}

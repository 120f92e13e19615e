//! What API Gateway does in front of the functions: checks tokens, limits bodies, gives each request an id, and hands
//! it to the function of its route.
//!
//! The functions find the verified claims where they find them on AWS, in [`RequestContext::ApiGatewayV2`], and in the
//! same shape: API Gateway turns every claim into a string, an array into `[one two]`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayRequestAuthorizer, ApiGatewayRequestAuthorizerJwtDescription, ApiGatewayV2httpRequestContext,
};
use lambda_http::request::RequestContext;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// The largest body accepted, in bytes. On AWS it is 10 MB; no form or search here comes near this.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The response header that carries the request id, as API Gateway names it.
const REQUEST_ID: &str = "apigw-requestid";

/// The functions behind the edge. Each routes whole paths, as they arrive from API Gateway.
#[derive(Clone)]
pub struct Functions {
    /// `POST /v1/people/search`, and the API's description.
    pub search: Router,
    /// Everything else under `/v1/`.
    pub family: Router,
    /// Everything else.
    pub web: Router,
}

/// Which tokens are let through.
#[derive(Clone)]
pub struct TokenCheck {
    keys: JwkSet,
    rules: Validation,
}

impl TokenCheck {
    /// Tokens by `issuer` for `audience`, signed with one of `keys`, in date to the second, and by ES256 only: the
    /// token's own word on its algorithm counts for nothing.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, keys: JwkSet) -> Self {
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = 0;
        Self { keys, rules }
    }

    /// The claims of the bearer token in `headers`.
    fn claims(&self, headers: &HeaderMap) -> Result<HashMap<String, String>, NoEntry> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else { return Err(NoEntry::NoToken) };
        let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(NoEntry::NoToken)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(NoEntry::NoToken);
        }
        self.verify(token.trim()).ok_or(NoEntry::BadToken)
    }

    fn verify(&self, token: &str) -> Option<HashMap<String, String>> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = DecodingKey::from_jwk(self.keys.find(&kid)?).ok()?;
        let claims = jsonwebtoken::decode::<BTreeMap<String, Value>>(token, &key, &self.rules).ok()?.claims;
        Some(claims.into_iter().map(|(name, value)| (name, flatten(&value))).collect())
    }
}

/// Why a request under `/v1/` is not let through.
#[derive(Clone, Copy)]
enum NoEntry {
    NoToken,
    BadToken,
}

impl NoEntry {
    fn response(self, request_id: &str) -> Response {
        let (detail, challenge) = match self {
            Self::NoToken => (
                "This needs an access token. Send it in the header: Authorization: Bearer TOKEN.",
                r#"Bearer realm="family-context""#,
            ),
            Self::BadToken => (
                "The access token is not valid here, or has expired. Get a new one and try again.",
                r#"Bearer realm="family-context", error="invalid_token""#,
            ),
        };
        let mut response = problem(StatusCode::UNAUTHORIZED, "sign-in-needed", "Sign in", detail, request_id);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}

/// Writes a claim as API Gateway does (which prints Go values): strings as they are, arrays as `[one two]`, objects as
/// `map[key:value]`.
fn flatten(claim: &Value) -> String {
    match claim {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flatten).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, String> = fields.iter().map(|(name, value)| (name, flatten(value))).collect();
            let pairs: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}:{value}")).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// Which function a request is for, and whether it needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Search,
    Family,
    Description,
    Web,
}

impl Route {
    fn of(path: &str) -> Self {
        match path {
            "/v1/people/search" => Self::Search,
            "/v1/openapi.json" => Self::Description,
            _ if path.starts_with("/v1/searches/") => Self::Search,
            _ if path == "/v1" || path.starts_with("/v1/") => Self::Family,
            _ => Self::Web,
        }
    }

    fn needs_token(self) -> bool {
        matches!(self, Self::Search | Self::Family)
    }

    /// As the template names it.
    fn key(self) -> &'static str {
        match self {
            Self::Search => "POST /v1/people/search",
            Self::Family => "ANY /v1/{proxy+}",
            Self::Description => "GET /v1/openapi.json",
            Self::Web => "$default",
        }
    }
}

/// The edge in front of `functions`, as one router.
pub fn router(functions: Functions, tokens: TokenCheck) -> Router {
    Router::new().fallback(pass).with_state(Arc::new(Edge { functions, tokens }))
}

struct Edge {
    functions: Functions,
    tokens: TokenCheck,
}

async fn pass(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let mut response = edge.pass(request, &request_id).await;
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // Also where no function was asked. What a function says of its own answer stands.
    fc_http::protect(response.headers_mut());
    response
}

impl Edge {
    async fn pass(&self, request: Request, request_id: &str) -> Response {
        let route = Route::of(request.uri().path());
        let claims = match route.needs_token().then(|| self.tokens.claims(request.headers())) {
            Some(Err(no_entry)) => return no_entry.response(request_id),
            Some(Ok(claims)) => Some(claims),
            None => None,
        };
        let context = context(&request, route, claims, request_id);
        let (mut parts, body) = request.into_parts();
        // The limit is the only way this fails here: a client that hangs up is not there to read an answer.
        let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
            let detail = format!("Send at most {} KiB.", BODY_LIMIT / 1024);
            return problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The request is too large",
                &detail,
                request_id,
            );
        };
        parts.extensions.insert(RequestContext::ApiGatewayV2(context));
        let request = Request::from_parts(parts, Body::from(body));
        let function = match route {
            Route::Search | Route::Description => &self.functions.search,
            Route::Family => &self.functions.family,
            Route::Web => &self.functions.web,
        };
        // In a task of its own: as in Lambda, a function finishes what it began when the caller hangs up, and a panic
        // is an error answer.
        match tokio::spawn(function.clone().oneshot(request)).await {
            Ok(Ok(response)) => response,
            Err(_) => {
                tracing::error!(request_id, route = route.key(), "a function panicked");
                let detail = "Something went wrong here. Try again; if it goes on, give support the request id.";
                problem(StatusCode::INTERNAL_SERVER_ERROR, "failed", "Something went wrong", detail, request_id)
            }
        }
    }
}

fn context(
    request: &Request,
    route: Route,
    claims: Option<HashMap<String, String>>,
    request_id: &str,
) -> ApiGatewayV2httpRequestContext {
    let now = jiff::Timestamp::now();
    let header_text =
        |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut context = ApiGatewayV2httpRequestContext::default();
    context.route_key = Some(route.key().to_owned());
    context.account_id = Some("000000000000".to_owned());
    context.apiid = Some("local".to_owned());
    context.stage = Some("$default".to_owned());
    context.request_id = Some(request_id.to_owned());
    context.domain_name = header_text(header::HOST);
    context.time = Some(now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string());
    context.time_epoch = now.as_millisecond();
    context.http.method = request.method().clone();
    context.http.path = Some(request.uri().path().to_owned());
    context.http.protocol = Some("HTTP/1.1".to_owned());
    context.http.source_ip =
        request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_string());
    context.http.user_agent = header_text(header::USER_AGENT);
    context.authorizer = claims.map(|claims| {
        let mut jwt = ApiGatewayRequestAuthorizerJwtDescription::default();
        jwt.claims = claims;
        let mut authorizer = ApiGatewayRequestAuthorizer::default();
        authorizer.jwt = Some(jwt);
        authorizer
    });
    context
}

/// In the shape of `fc_http::Problem`, so that a caller sees no difference between the edge and a function.
fn problem(status: StatusCode, code: &str, title: &str, detail: &str, request_id: &str) -> Response {
    let body = json!({
        "type": format!("urn:family-context:problem:{code}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
        "request": request_id,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::routing::any;
    use jiff::SignedDuration;
    use jsonwebtoken::{EncodingKey, Header};

    use super::*;
    use crate::issuer::{Client, Issuer, Lifetimes};

    const API: &str = "api://family-context";

    fn issuer_lasting(token: SignedDuration) -> Arc<Issuer> {
        let client = Client { id: "web".to_owned(), secret: None, redirect_uris: Vec::new() };
        let lifetimes = Lifetimes { token, ..Lifetimes::default() };
        Issuer::new("http://127.0.0.1:9999", API, client, lifetimes).unwrap()
    }

    fn issuer() -> Arc<Issuer> {
        issuer_lasting(SignedDuration::from_mins(5))
    }

    /// A function that answers with its name and the claims it was given.
    fn function(name: &'static str) -> Router {
        Router::new().fallback(any(move |request: Request| async move {
            let Some(RequestContext::ApiGatewayV2(context)) = request.extensions().get::<RequestContext>().cloned()
            else {
                panic!("no request context");
            };
            let claims = context.authorizer.and_then(|authorizer| authorizer.jwt).map(|jwt| jwt.claims);
            axum::Json(json!({ "function": name, "claims": claims, "id": context.request_id }))
        }))
    }

    fn edge(issuer: &Issuer) -> Router {
        let functions = Functions { search: function("search"), family: function("family"), web: function("web") };
        router(functions, TokenCheck::new(issuer.url(), API, issuer.keys()))
    }

    struct Reply {
        status: StatusCode,
        headers: HeaderMap,
        body: Value,
    }

    async fn send(edge: Router, request: Request) -> Reply {
        let response = edge.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, body: serde_json::from_slice(&body).unwrap() }
    }

    fn get(path: &str, token: Option<&str>) -> Request {
        let request = Request::get(path);
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        request.body(Body::empty()).unwrap()
    }

    async fn ask_with(issuer: &Issuer, token: &str) -> Reply {
        send(edge(issuer), get("/v1/people/P1", Some(token))).await
    }

    #[tokio::test]
    async fn each_path_goes_to_its_function() {
        let issuer = issuer();
        let token = issuer.access_token("sam.social").unwrap();
        for (path, function) in [
            ("/v1/people/search", "search"),
            ("/v1/people/P1/services/housing", "family"),
            ("/v1/openapi.json", "search"),
            ("/", "web"),
            ("/people/P1", "web"),
            ("/v10/people", "web"),
        ] {
            assert_eq!(send(edge(&issuer), get(path, Some(&token))).await.body["function"], function, "{path}");
        }
    }

    #[tokio::test]
    async fn the_function_is_told_who_asks_in_the_words_of_api_gateway() {
        let issuer = issuer();
        let reply = ask_with(&issuer, &issuer.access_token("sam.social").unwrap()).await;
        assert_eq!(reply.body["claims"]["roles"], "[social-worker]");
        assert_eq!(reply.body["claims"]["name"], "Sam Social");
        assert!(reply.body["claims"]["exp"].as_str().unwrap().parse::<u64>().is_ok());
    }

    #[test]
    fn claims_are_flattened_as_api_gateway_does() {
        assert_eq!(flatten(&json!(["social-worker", "team-manager"])), "[social-worker team-manager]");
        assert_eq!(flatten(&json!([])), "[]");
        assert_eq!(flatten(&json!({ "b": 2, "a": true })), "map[a:true b:2]");
        assert_eq!(flatten(&json!(1_700_000_000)), "1700000000");
    }

    #[tokio::test]
    async fn the_page_and_the_api_description_need_no_token() {
        let issuer = issuer();
        for path in ["/", "/v1/openapi.json"] {
            let reply = send(edge(&issuer), get(path, None)).await;
            assert_eq!((reply.status, &reply.body["claims"]), (StatusCode::OK, &Value::Null), "{path}");
        }
    }

    #[tokio::test]
    async fn without_a_token_the_api_says_how_to_send_one() {
        let reply = send(edge(&issuer()), get("/v1/people/P1", None)).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(reply.headers[header::WWW_AUTHENTICATE], r#"Bearer realm="family-context""#);
        assert_eq!(reply.body["status"], 401);
    }

    /// Those of RFC 6797 and its like that the product's own answers have.
    const SAFE_HEADERS: [&str; 9] = [
        "cache-control",
        "content-security-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "referrer-policy",
        "strict-transport-security",
        "x-content-type-options",
        "x-frame-options",
    ];

    #[tokio::test]
    async fn answers_of_the_edge_itself_are_as_safe_as_those_of_the_product() {
        let issuer = issuer();
        let broken = Router::new().fallback(any(async |request: Request| {
            assert_eq!(request.uri().path(), "/elsewhere", "this function is broken");
        }));
        let functions = Functions { search: broken.clone(), family: broken.clone(), web: broken };
        let edge = || router(functions.clone(), TokenCheck::new(issuer.url(), API, issuer.keys()));
        let large = Request::post("/search").body(Body::from(vec![b'x'; BODY_LIMIT + 1])).unwrap();
        for (request, status) in [
            (get("/v1/people/P1", None), 401),
            (get("/v1/people/P1", Some("junk")), 401),
            (large, 413),
            (get("/", None), 500),
        ] {
            let reply = send(edge(), request).await;
            assert_eq!(reply.status.as_u16(), status);
            let missing: Vec<_> = SAFE_HEADERS.iter().filter(|name| !reply.headers.contains_key(**name)).collect();
            assert!(missing.is_empty(), "{status}: {missing:?}");
            assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store", "{status}");
        }
    }

    #[tokio::test]
    async fn an_expired_token_is_refused() {
        let issuer = issuer_lasting(SignedDuration::from_secs(-1));
        let reply = ask_with(&issuer, &issuer.access_token("sam.social").unwrap()).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert!(reply.headers[header::WWW_AUTHENTICATE].to_str().unwrap().contains("invalid_token"));
    }

    #[tokio::test]
    async fn a_token_signed_by_somebody_else_is_refused() {
        let forged = issuer().access_token("sam.social").unwrap();
        assert_eq!(ask_with(&issuer(), &forged).await.status, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_token_whose_claims_were_changed_is_refused() {
        let issuer = issuer();
        let (nobody, manager) = (issuer.access_token("nadia.nobody"), issuer.access_token("tess.manager"));
        let (nobody, manager) = (nobody.unwrap(), manager.unwrap());
        let (own, others): (Vec<_>, Vec<_>) = (nobody.split('.').collect(), manager.split('.').collect());
        let changed = format!("{}.{}.{}", own[0], others[1], own[2]);
        assert_eq!(ask_with(&issuer, &changed).await.status, StatusCode::UNAUTHORIZED);
    }

    /// A token in the issuer's name, but for the page and not for the API.
    #[tokio::test]
    async fn a_token_for_another_audience_is_refused() {
        let issuer = issuer();
        let elsewhere = TokenCheck::new(issuer.url(), "api://another-tool", issuer.keys());
        let functions = Functions { search: function("search"), family: function("family"), web: function("web") };
        let token = issuer.access_token("sam.social").unwrap();
        let reply = send(router(functions, elsewhere), get("/v1/people/P1", Some(&token))).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_token_that_chooses_its_own_algorithm_is_refused() {
        let issuer = issuer();
        let claims = json!({
            "iss": issuer.url(), "aud": API, "sub": "x", "exp": 4_000_000_000_u64, "roles": ["team-manager"],
        });
        let kid = issuer.keys().keys[0].common.key_id.clone();
        let published = serde_json::to_vec(&issuer.keys().keys[0]).unwrap();
        let mut header = Header::new(Algorithm::HS256);
        header.kid.clone_from(&kid);
        let symmetric = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&published)).unwrap();
        assert_eq!(ask_with(&issuer, &symmetric).await.status, StatusCode::UNAUTHORIZED);

        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
        let none = BASE64.encode(json!({ "alg": "none", "kid": kid }).to_string());
        let unsigned = format!("{none}.{}.", BASE64.encode(claims.to_string()));
        assert_eq!(ask_with(&issuer, &unsigned).await.status, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn two_authorization_headers_are_one_too_many() {
        let issuer = issuer();
        let mut request = get("/v1/people/P1", Some(&issuer.access_token("sam.social").unwrap()));
        request.headers_mut().append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        assert_eq!(send(edge(&issuer), request).await.status, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
        let issuer = issuer();
        for (size, status) in [(BODY_LIMIT, StatusCode::OK), (BODY_LIMIT + 1, StatusCode::PAYLOAD_TOO_LARGE)] {
            let request = Request::post("/search").body(Body::from(vec![b'x'; size])).unwrap();
            assert_eq!(send(edge(&issuer), request).await.status, status);
        }
    }

    #[tokio::test]
    async fn the_answer_carries_the_request_id_the_function_saw() {
        let reply = send(edge(&issuer()), get("/", None)).await;
        assert_eq!(reply.headers[REQUEST_ID], reply.body["id"].as_str().unwrap());
    }

    #[tokio::test]
    async fn a_function_that_panics_is_an_error_answer() {
        let issuer = issuer();
        let broken = Router::new().fallback(any(async |request: Request| {
            assert_eq!(request.uri().path(), "/elsewhere", "this function is broken");
        }));
        let functions = Functions { search: broken.clone(), family: broken.clone(), web: broken };
        let edge = router(functions, TokenCheck::new(issuer.url(), API, issuer.keys()));
        assert_eq!(send(edge, get("/", None)).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

//! The JSON API as a program meets it, over the edge.

use crate::end_to_end_harness::{Reply, Town, bearer, form, send};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use fc_local::{
    edge::{BODY_LIMIT, Functions, TokenCheck, router},
    issuer::{Client, Issuer, Lifetimes},
    stack::API_AUDIENCE,
};
use fc_synth::demo;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tower::ServiceExt;

/// What a program sends with a body.
const JSON: (&str, &str) = ("content-type", "application/json");

async fn ask(town: &Town, method: &str, path: &str, token: &str) -> Reply {
    send(&town.stack.page, method, path, &[bearer(token)], b"").await
}

async fn search_with(town: &Town, token: &str, body: &str) -> Reply {
    let headers = [bearer(token), (JSON.0, JSON.1.to_owned())];
    send(&town.stack.page, "POST", "/v1/people/search", &headers, body.as_bytes()).await
}

/// That an answer is a problem, as RFC 9457 has it, with this status and code.
fn is_problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.header("content-type")), (status, "application/problem+json"), "{}", reply.body);
    let problem = reply.json();
    assert_eq!(problem["type"], format!("urn:family-context:problem:{code}"));
    assert_eq!(problem["status"], status);
    for field in ["title", "detail", "request"] {
        assert!(!problem[field].as_str().unwrap().is_empty(), "{field}: {}", reply.body);
    }
    assert_eq!(reply.header("cache-control"), "no-store");
}

/// The token that the page gets at sign-in: by the right issuer, with the right key, but not for the API.
async fn token_for_the_page(town: &Town) -> String {
    let callback = format!("{}/auth/callback", town.stack.page);
    let verifier = "a-verifier-of-forty-three-characters-or-more-";
    let challenge = BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()));
    let client = ("client_id", "family-context-web");
    let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let authorize = form(&[
        client,
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "s"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("user", "sam.social"),
    ]);
    let chosen = send(&town.stack.issuer, "POST", "/authorize", &headers, authorize.as_bytes()).await;
    let (_, code) = chosen.header("location").split_once("code=").unwrap();
    let exchange = form(&[
        client,
        ("client_secret", &town.stack.client_secret),
        ("grant_type", "authorization_code"),
        ("redirect_uri", &callback),
        ("code", code.split('&').next().unwrap()),
        ("code_verifier", verifier),
    ]);
    let tokens = send(&town.stack.issuer, "POST", "/token", &headers, exchange.as_bytes()).await;
    tokens.json()["id_token"].as_str().unwrap().to_owned()
}

/// The three parts of a token.
fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_missing_forged_or_meant_for_something_else_opens_nothing() {
    let (town, _) = Town::with_people(60).await;
    let posy = town.person_with("children_social_care", demo::CHILD_PERSON_ID).await;
    let path = format!("/v1/people/{posy}");
    let good = town.token("sam.social").await;
    assert_eq!(ask(&town, "GET", &path, &good).await.status, 200, "the same request with a good token");

    let [head, claims, signature] = parts(&good);
    let mut header = Header::new(Algorithm::HS256);
    header.kid = decoded(head)["kid"].as_str().map(str::to_owned);
    let keys = send(&town.stack.issuer, "GET", "/keys", &[], b"").await.body;
    let hmac =
        |secret: &[u8]| jsonwebtoken::encode(&header, &decoded(claims), &EncodingKey::from_secret(secret)).unwrap();
    let none = BASE64.encode(json!({ "alg": "none", "kid": header.kid }).to_string());
    let mut manager = decoded(claims);
    manager["roles"] = json!(["team-manager"]);
    let manager = BASE64.encode(manager.to_string());
    let stranger = Issuer::new(
        &town.stack.issuer,
        API_AUDIENCE,
        Client { id: "x".into(), secret: None, redirect_uris: Vec::new() },
        Lifetimes::default(),
    );
    let strangers = stranger.unwrap().access_token("sam.social").unwrap();
    let [strangers_head, strangers_claims, strangers_signature] = parts(&strangers);
    let forged = [
        ("another's key", strangers.clone()),
        ("another's signature under our key's name", format!("{head}.{strangers_claims}.{strangers_signature}")),
        ("our signature under another's claims", format!("{strangers_head}.{strangers_claims}.{signature}")),
        ("alg none", format!("{none}.{claims}.")),
        ("alg none with a signature", format!("{none}.{claims}.{signature}")),
        ("HMAC with the public keys", hmac(keys.as_bytes())),
        ("another role", format!("{head}.{manager}.{signature}")),
        ("without a signature", format!("{head}.{claims}.")),
        ("the page's own", token_for_the_page(&town).await),
        ("nonsense", "x.y.z".to_owned()),
        ("empty", String::new()),
    ];
    for (what, token) in &forged {
        let opened = ask(&town, "GET", &path, token).await;
        is_problem(&opened, 401, "sign-in-needed");
        assert!(opened.header("www-authenticate").starts_with("Bearer"), "{what}");
        let searched = search_with(&town, token, &json!({ "surname": demo::CHILD_SURNAME }).to_string()).await;
        is_problem(&searched, 401, "sign-in-needed");
    }
    for path in [path.as_str(), "/v1/nowhere", "/v1/searches/0123"] {
        is_problem(&send(&town.stack.page, "GET", path, &[], b"").await, 401, "sign-in-needed");
    }
    let basic = [("authorization", format!("Basic {good}"))];
    is_problem(&send(&town.stack.page, "GET", &path, &basic, b"").await, 401, "sign-in-needed");
}

/// The functions over the town's tables behind an edge that trusts this issuer.
fn edge_trusting(town: &Town, issuer: &Issuer) -> axum::Router {
    let (store, definitions) = (town.stack.store.clone(), town.stack.definitions.clone());
    let family = fc_family::Family { store: store.clone(), definitions: definitions.clone(), clock: Timestamp::now };
    let search = fc_search::Search { store, definitions, clock: Timestamp::now };
    let web = axum::Router::new();
    let functions = Functions { search: fc_search::router(search), family: fc_family::router(family), web };
    router(functions, TokenCheck::new(issuer.url(), API_AUDIENCE, issuer.keys()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_has_expired_opens_nothing() {
    let (town, _) = Town::with_people(60).await;
    let posy = town.person_with("children_social_care", demo::CHILD_PERSON_ID).await;
    for (token, expected) in [(SignedDuration::from_mins(5), 200), (SignedDuration::from_secs(-1), 401)] {
        let client = Client { id: "x".into(), secret: None, redirect_uris: Vec::new() };
        let lifetimes = Lifetimes { token, ..Lifetimes::default() };
        let issuer = Issuer::new("http://127.0.0.1:9", API_AUDIENCE, client, lifetimes).unwrap();
        let (name, value) = bearer(&issuer.access_token("sam.social").unwrap());
        let request = Request::get(format!("/v1/people/{posy}")).header(name, value).body(Body::empty()).unwrap();
        let (head, body) = edge_trusting(&town, &issuer).oneshot(request).await.unwrap().into_parts();
        let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        assert_eq!(head.status.as_u16(), expected, "{body}");
        assert_eq!(body.contains(demo::CHILD_FORENAME), expected == 200);
    }
}

/// An answer without what differs from request to request.
fn timeless(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let request = reply.json()["request"].as_str().unwrap().to_owned();
    let headers = reply.headers.iter().filter(|(name, _)| name != "date");
    let headers = headers.map(|(name, value)| (name.clone(), value.replace(&request, "REQUEST"))).collect();
    (reply.status, headers, reply.body.replace(&request, "REQUEST"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_person_answers_byte_for_byte_like_nobody() {
    let (town, _) = Town::with_people(60).await;
    let token = town.token("sam.social").await;
    let hidden = town.person_with("children_social_care", demo::HIDDEN_PERSON_ID).await;
    let nobody = "0123456789abcdef0123456789abcdef";
    assert_eq!(hidden.len(), nobody.len());
    for path in ["", "/family", "/services/housing", "/services/schools", "/services/nothing"] {
        let calls = town.stack.store.people.meter().reading().calls;
        let one = ask(&town, "GET", &format!("/v1/people/{hidden}{path}"), &token).await;
        let after_one = town.stack.store.people.meter().reading().calls;
        let other = ask(&town, "GET", &format!("/v1/people/{nobody}{path}"), &token).await;
        let after_other = town.stack.store.people.meter().reading().calls;
        is_problem(&one, 404, "not-found");
        assert_eq!(timeless(&one), timeless(&other), "{path}");
        assert_eq!(after_one - calls, after_other - after_one, "{path}: as many calls");
    }
    // Not found by name, by date of birth or by case, like a name and a case that nobody has.
    let searches = [
        (json!({ "surname": demo::HIDDEN_SURNAME }), json!({ "surname": "Zzyzxmere" })),
        (json!({ "case_id": demo::HIDDEN_CASE_ID }), json!({ "case_id": "99999999" })),
    ];
    for (hers, nobodys) in searches {
        let answers = [town.search(&hers).await, town.search(&nobodys).await].map(|reply| {
            assert_eq!(reply.status, 200);
            let mut json = reply.json();
            // The id the search is kept under, and the words that were typed.
            json["search"] = Value::Null;
            for term in [demo::HIDDEN_SURNAME, demo::HIDDEN_CASE_ID, "Zzyzxmere", "99999999"] {
                json = serde_json::from_str(&json.to_string().replace(term, "TERM")).unwrap();
            }
            json
        });
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0]["people"], json!([]));
    }
    // Nor in the family of her half-sister.
    let posy = town.person_with("children_social_care", demo::CHILD_PERSON_ID).await;
    let family = ask(&town, "GET", &format!("/v1/people/{posy}"), &token).await;
    assert!(family.body.contains(demo::SIBLING_FORENAME) && !family.body.contains(demo::HIDDEN_FORENAME));
    assert!(!family.body.contains(&hidden));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_answered_says_what_is_wrong_with_it() {
    let town = Town::start(None).await;
    let token = town.token("sam.social").await;
    for body in [
        "{\"surname\": \"Okafor",
        "[]",
        "null",
        "{\"surname\": 7}",
        "{\"name\": \"Okafor\"}",
        "{}",
        "",
        "{\"surname\":\"*\"}",
    ] {
        let reply = search_with(&town, &token, body).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.body);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{body}");
        assert!(!reply.body.contains("Okafor"), "what was typed is not repeated: {}", reply.body);
    }
    let text = [bearer(&token), ("content-type", "text/plain".to_owned())];
    let reply = send(&town.stack.page, "POST", "/v1/people/search", &text, b"{\"surname\":\"Okafor\"}").await;
    assert_eq!((reply.status, reply.header("content-type")), (415, "application/problem+json"), "{}", reply.body);

    for size in [fc_http_limit() + 1, BODY_LIMIT + 1, 4 * BODY_LIMIT] {
        let body = json!({ "surname": "x".repeat(size) }).to_string();
        is_problem(&search_with(&town, &token, &body).await, 413, "too-large");
    }
    for (method, path) in [
        ("GET", "/v1/people/search"),
        ("PUT", "/v1/people/search"),
        ("POST", "/v1/people/0123456789abcdef0123456789abcdef"),
        ("DELETE", "/v1/people/0123456789abcdef0123456789abcdef/services/housing"),
        ("POST", "/v1/openapi.json"),
    ] {
        let reply = ask(&town, method, path, &token).await;
        // An address that is also a person's: a search is no person.
        let expected = if (method, path) == ("GET", "/v1/people/search") { [404, 405] } else { [405, 405] };
        assert!(expected.contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.body);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{method} {path}");
    }
    for path in [
        "/v1",
        "/v1/",
        "/v1/people",
        "/v1/people/",
        "/v1/nowhere",
        "/v1/people/x",
        "/v1/people/..%2f..%2fsecrets",
        "/v1/people/%00",
        "/v1/people/0123456789abcdef0123456789abcdef/nothing",
        "/v1/searches/00112233445566778899aabbccddeeff",
        "/v1/searches/x",
    ] {
        is_problem(&ask(&town, "GET", path, &token).await, 404, "not-found");
    }
    let odd = ask(&town, "GET", "/v1/people/0123456789abcdef0123456789abcdef?name=Okafor", &token).await;
    is_problem(&odd, 400, "query-unreadable");
}

/// The largest body the functions take, as their own answer says.
fn fc_http_limit() -> usize {
    16 * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_in_the_description_of_the_api_answers() {
    let (town, _) = Town::with_people(60).await;
    let token = town.token("sam.social").await;
    let jago = town.person_with("children_social_care", "500002").await;
    let description = send(&town.stack.page, "GET", "/v1/openapi.json", &[], b"").await;
    assert_eq!(description.header("content-type"), "application/json");
    let description = description.json();
    assert!(description["openapi"].as_str().unwrap().starts_with("3."));
    let searched = search_with(&town, &token, &json!({ "surname": demo::CHILD_SURNAME }).to_string()).await.json();
    let mut answered = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        let id = if path.contains("/searches/") { searched["search"].as_str().unwrap() } else { &jago };
        let address = path.replace("{id}", id).replace("{service}", "housing");
        assert!(!address.contains('{'), "{path}");
        for (method, operation) in methods.as_object().unwrap() {
            let body =
                if method == "post" { json!({ "surname": demo::CHILD_SURNAME }).to_string() } else { String::new() };
            let headers = [bearer(&token), (JSON.0, JSON.1.to_owned())];
            let reply = send(&town.stack.page, &method.to_uppercase(), &address, &headers, body.as_bytes()).await;
            assert_eq!(reply.status, 200, "{method} {path}: {}", reply.body);
            // The answer has the fields that its schema requires.
            let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            for field in required(&description, schema) {
                assert!(reply.json().get(&field).is_some(), "{method} {path} lacks {field}: {}", reply.body);
            }
            let without = send(&town.stack.page, &method.to_uppercase(), &address, &[], body.as_bytes()).await;
            assert_eq!(without.status, 401, "{method} {path} needs a token");
            answered += 1;
        }
    }
    assert!(answered >= 5, "{answered} operations");
}

/// The names of the fields that a schema requires, in all its parts.
fn required(description: &Value, schema: &Value) -> Vec<String> {
    let named = schema["$ref"].as_str().map(|name| name.replacen('#', "", 1));
    let schema = named.map_or(schema, |pointer| description.pointer(&pointer).expect("a schema of that name"));
    let own = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| required(description, part));
    own.chain(parts).collect()
}

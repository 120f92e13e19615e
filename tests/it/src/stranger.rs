//! A stranger at the ports of a running stack: a website in a browser on the same machine. The same with a real browser is
//! in `tests/browser/stranger.test.mjs`.

use crate::end_to_end_harness::{Reply, Town, send, send_bare};

/// What a website that knows DynamoDB's protocol, but no key, sends.
const JUNK: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-2/dynamodb/aws4_request, \
    SignedHeaders=host;x-amz-date, Signature=0";

fn listeners(town: &Town) -> [(&'static str, &str); 4] {
    let stack = &town.stack;
    [("page", &stack.page), ("sign-in", &stack.issuer), ("objects", &stack.s3), ("tables", &stack.dynamodb)]
}

/// That no script of another origin may read an answer, and no browser may guess, frame or keep it.
fn is_for_nobody_else(reply: &Reply, what: &str) {
    let cors = reply.headers.iter().find(|(name, _)| name.starts_with("access-control-"));
    assert_eq!(cors, None, "{what}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(reply.header(name), value, "{what}");
    }
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_for_another_host_is_turned_away_at_every_port() {
    let town = Town::start(None).await;
    for (what, base) in listeners(&town) {
        let port = base.rsplit(':').next().unwrap();
        for host in [
            "evil.example".to_owned(),
            format!("evil.example:{port}"),
            "127.0.0.1".to_owned(),
            "localhost:1".to_owned(),
        ] {
            for method in ["GET", "POST", "PUT", "OPTIONS", "DELETE"] {
                let what = format!("{method} {what} as {host}");
                let reply = send_bare(base, method, "/", &[("host", host.clone())], b"").await;
                assert_eq!(reply.status, 421, "{what}");
                is_for_nobody_else(&reply, &what);
            }
        }
        assert_eq!(send_bare(base, "GET", "/", &[], b"").await.status, 421, "{what} without a host");
        let elsewhere = send(base, "GET", &format!("http://evil.example:{port}/"), &[], b"").await;
        assert_eq!(elsewhere.status, 421, "{what} by an address of another host");
        let localhost = [("host", format!("localhost:{port}"))];
        assert_ne!(send_bare(base, "GET", "/", &localhost, b"").await.status, 421, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_and_objects_are_for_whoever_has_the_key_of_this_start() {
    let town = Town::start(None).await;
    let origin = ("origin", "http://evil.example".to_owned());
    for authorization in
        [None, Some(JUNK.to_owned()), Some("Bearer x".to_owned()), Some(JUNK.replace("test", &town.stack.key.id))]
    {
        let mut headers = vec![
            origin.clone(),
            ("content-type", "application/x-amz-json-1.0".to_owned()),
            ("x-amz-date", "20260101T000000Z".to_owned()),
            ("x-amz-target", "DynamoDB_20120810.ListTables".to_owned()),
        ];
        headers.extend(authorization.map(|given| ("authorization", given)));
        let reply = send(&town.stack.dynamodb, "POST", "/", &headers, b"{}").await;
        assert_eq!(reply.status, 403, "{headers:?}");
        assert!(!reply.body.contains("people"), "{}", reply.body);
        is_for_nobody_else(&reply, "tables");
        for (method, path) in
            [("GET", "/"), ("GET", "/extracts?list-type=2"), ("PUT", "/extracts/housing/people/a.csv")]
        {
            let reply = send(&town.stack.s3, method, path, &headers, b"").await;
            // A junk signature is refused by the object store itself where it names the key, in words of its own.
            let named = headers.iter().any(|(_, value)| value.contains(&town.stack.key.id));
            assert!(reply.status == 403 || (named && reply.status > 403), "{method} {path}: {}", reply.status);
            assert!(!reply.body.contains("<Buckets>") && !reply.body.contains("<Contents>"), "{}", reply.body);
            is_for_nobody_else(&reply, "objects");
        }
    }
    assert!(!town.stack.file_of("extracts", "housing/people/a.csv").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_port_lets_another_origin_read_its_answers() {
    let town = Town::start(None).await;
    for (what, base) in listeners(&town) {
        let asks = [
            ("origin", "http://evil.example".to_owned()),
            ("access-control-request-method", "POST".to_owned()),
            ("access-control-request-headers", "authorization,x-amz-target".to_owned()),
        ];
        for (method, path) in [
            ("OPTIONS", "/"),
            ("GET", "/"),
            ("GET", "/v1/people/P1"),
            ("OPTIONS", "/v1/people/search"),
            ("OPTIONS", "/token"),
        ] {
            let reply = send(base, method, path, &asks, b"").await;
            is_for_nobody_else(&reply, &format!("{what}: {method} {path}"));
            assert!(method == "GET" || reply.status >= 400, "{what}: {method} {path}: {}", reply.status);
        }
    }
}

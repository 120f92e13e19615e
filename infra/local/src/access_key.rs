//! The key to the tables and objects of a running stack, and the check that a request was signed with it.
//!
//! Signatures are AWS's version 4, recomputed with AWS's own library. The S3 server checks them itself; the DynamoDB
//! emulator does not, so [`dynamo`](crate::dynamo) checks them here.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::http::{HeaderMap, header, request::Parts};
use fc_store::Endpoints;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How far the clock of whoever signs may be from ours, as AWS has it.
const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_mins(15);

/// An access key id with its secret: random, and made new at each start.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// Says which key a request was signed with.
    pub id: String,
    /// What it was signed with.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(redacted)")
    }
}

impl AccessKey {
    /// A key that nobody has had before.
    #[must_use]
    pub fn random() -> Self {
        Self { id: format!("LOCAL{}", random()), secret: random() + &random() }
    }

    /// The two servers, for a client that has this key.
    #[must_use]
    pub fn endpoints(&self, dynamodb: &str, s3: &str) -> Endpoints {
        Endpoints {
            dynamodb: dynamodb.to_owned(),
            s3: s3.to_owned(),
            access_key_id: self.id.clone(),
            secret_access_key: self.secret.clone(),
        }
    }

    /// Whether a request says that it is signed with this key; whether it is follows from [`Self::signed`]. For refusing
    /// strangers before their body is read.
    #[must_use]
    pub fn is_named_in(&self, headers: &HeaderMap) -> bool {
        Claim::of(headers).is_some_and(|claim| claim.key == self.id)
    }

    /// Whether a request to `service` was signed with this key: its method, address, signed headers and body, and not long
    /// ago.
    #[must_use]
    pub fn signed(&self, service: &str, request: &Parts, body: &[u8], now: Timestamp) -> bool {
        let Some(claim) = Claim::of(&request.headers) else { return false };
        let expected = || self.signature(&claim, request, body);
        claim.key == self.id
            && claim.service == service
            && claim.at.duration_since(now).abs() <= CLOCKS_DIFFER_BY
            && expected().is_some_and(|expected| same(&expected, claim.signature))
    }

    /// The signature that this request has if it was signed with this key.
    fn signature(&self, claim: &Claim<'_>, request: &Parts, body: &[u8]) -> Option<String> {
        let mut headers = Vec::new();
        for name in claim.signed_headers.split(';') {
            headers.push((name, request.headers.get(name)?.to_str().ok()?));
        }
        let host = request.headers.get(header::HOST)?.to_str().ok()?;
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut settings = SigningSettings::default();
        // The claim says which headers are signed.
        settings.excluded_headers = None;
        let identity = Credentials::new(&self.id, &self.secret, None, None, "local").into();
        let how = v4::SigningParams::builder()
            .identity(&identity)
            .region(claim.region)
            .name(claim.service)
            .time(moment(claim.at)?)
            .settings(settings)
            .build()
            .ok()?
            .into();
        let address = format!("http://{host}{path}");
        let request =
            SignableRequest::new(request.method.as_str(), address, headers.into_iter(), SignableBody::Bytes(body))
                .ok()?;
        Some(sign(request, &how).ok()?.into_parts().1)
    }
}

/// 32 hexadecimal digits from the system's source of randomness.
pub(crate) fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The same moment as AWS's library has it; none before 1970.
fn moment(at: Timestamp) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_secs(at.as_second().try_into().ok()?))
}

/// In a time that does not tell where they differ.
fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// What a request says of its signature.
struct Claim<'a> {
    key: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    at: Timestamp,
}

impl<'a> Claim<'a> {
    fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else { return None };
        let fields = value.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name).and_then(|rest| rest.strip_prefix('=')))
        };
        let scope: Vec<&str> = field("Credential")?.split('/').collect();
        let [key, _day, region, service, "aws4_request"] = scope[..] else { return None };
        let at = headers.get("x-amz-date")?.to_str().ok()?;
        let at = TimeZone::UTC.to_timestamp(DateTime::strptime("%Y%m%dT%H%M%SZ", at).ok()?).ok()?;
        let (signed_headers, signature) = (field("SignedHeaders")?, field("Signature")?);
        Some(Self { key, region, service, signed_headers, signature, at })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const BODY: &[u8] = br#"{"TableName":"people"}"#;

    fn now() -> Timestamp {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    /// A request for a table, signed by AWS's library as its clients sign.
    fn signed_with(key: &AccessKey, service: &str, at: Timestamp) -> Request<()> {
        let mut request = Request::post("http://127.0.0.1:8083/")
            .header("host", "127.0.0.1:8083")
            .header("x-amz-target", "DynamoDB_20120810.Scan")
            .body(())
            .unwrap();
        let identity = Credentials::new(&key.id, &key.secret, None, None, "test").into();
        let how = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-2")
            .name(service)
            .time(moment(at).unwrap())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let signable =
            SignableRequest::new("POST", "http://127.0.0.1:8083/", headers, SignableBody::Bytes(BODY)).unwrap();
        sign(signable, &how).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
        request
    }

    fn accepted(key: &AccessKey, request: Request<()>, body: &[u8]) -> bool {
        key.signed("dynamodb", &request.into_parts().0, body, now())
    }

    #[test]
    fn a_request_that_was_signed_with_the_key_is_let_through() {
        let key = AccessKey::random();
        assert!(accepted(&key, signed_with(&key, "dynamodb", now()), BODY));
    }

    #[test]
    fn no_two_starts_have_the_same_key_and_a_log_never_holds_one() {
        let (one, two) = (AccessKey::random(), AccessKey::random());
        assert!(one.id != two.id && one.secret != two.secret && one.secret.len() == 64);
        assert_eq!(format!("{one:?}"), "AccessKey(redacted)");
    }

    #[test]
    fn a_signature_by_another_secret_is_refused_though_it_names_the_key() {
        let key = AccessKey::random();
        let guess = AccessKey { id: key.id.clone(), secret: "local-development-only".into() };
        assert!(!accepted(&key, signed_with(&guess, "dynamodb", now()), BODY));
        assert!(!accepted(&key, signed_with(&AccessKey::random(), "dynamodb", now()), BODY));
    }

    #[test]
    fn a_signature_is_for_one_request_only() {
        let key = AccessKey::random();
        let request = || signed_with(&key, "dynamodb", now());
        assert!(!accepted(&key, request(), br#"{"TableName":"audit"}"#), "another body");
        let mut other = request();
        other.headers_mut().insert("x-amz-target", "DynamoDB_20120810.DeleteTable".parse().unwrap());
        assert!(!accepted(&key, other, BODY), "another operation");
        let mut other = request();
        *other.uri_mut() = "/elsewhere".parse().unwrap();
        assert!(!accepted(&key, other, BODY), "another address");
        let mut other = request();
        *other.method_mut() = axum::http::Method::PUT;
        assert!(!accepted(&key, other, BODY), "another method");
        assert!(!accepted(&key, signed_with(&key, "s3", now()), BODY), "another service");
    }

    #[test]
    fn an_old_signature_is_worth_nothing() {
        let key = AccessKey::random();
        for (minutes, good) in [(-16, false), (-14, true), (14, true), (16, false)] {
            let at = now() + SignedDuration::from_mins(minutes);
            assert_eq!(accepted(&key, signed_with(&key, "dynamodb", at), BODY), good, "{minutes} minutes");
        }
    }

    #[test]
    fn nonsense_in_place_of_a_signature_is_refused() {
        let key = AccessKey::random();
        let signature = |text: &str| {
            let mut request = signed_with(&key, "dynamodb", now());
            request.headers_mut().insert("authorization", text.parse().unwrap());
            accepted(&key, request, BODY)
        };
        let scope = format!("Credential={}/20261130/eu-west-2/dynamodb/aws4_request", key.id);
        for text in [
            String::new(),
            "Bearer x".to_owned(),
            "AWS4-HMAC-SHA256".to_owned(),
            format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=0"),
            format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature="),
            format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=, Signature={}", "0".repeat(64)),
            format!("AWS4-HMAC-SHA256 Credential={}, SignedHeaders=host, Signature=0", key.id),
        ] {
            assert!(!signature(&text), "{text}");
        }
        let mut unsigned = signed_with(&key, "dynamodb", now());
        unsigned.headers_mut().remove("authorization");
        assert!(!accepted(&key, unsigned, BODY));
    }
}

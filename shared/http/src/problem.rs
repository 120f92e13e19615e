//! Errors over HTTP (RFC 9457): what is said outside, and the cause that stays inside.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use fc_access::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which a client may try again when a table was busy.
const RETRY_AFTER: &str = "5";

/// Why there is no answer.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    cause: Option<String>,
}

/// Why there is no answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemSent<'a> {
    /// Which problem it is, for programs.
    #[schema(example = "urn:family-context:problem:not-found")]
    r#type: String,
    /// The same in a few words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do, for people. Never repeats what was sent.
    detail: &'a str,
    /// The id of the request, to quote when asking for help.
    request: &'a str,
}

impl Problem {
    /// A problem: a code for programs, a title and a detail for people.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), cause: None }
    }

    /// The same, with the cause for the log. It is never sent, and must hold no personal data.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// 400: what was sent cannot be used; the detail says how to mend it.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "We cannot use that request", detail)
    }

    /// 401: no user.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "sign-in-needed",
            "Sign in",
            "Send a valid access token: Authorization: Bearer ...",
        )
    }

    /// 404: nothing here, or nothing the user may know of.
    #[must_use]
    pub fn not_found() -> Self {
        Refusal::NotFound.into()
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "That method is not used here",
            "/v1/openapi.json says which methods each address takes.",
        )
    }

    /// 413.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The request is too large",
            format!("A request body may have at most {} bytes.", crate::edge::LARGEST_BODY),
        )
    }

    /// What is said to people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The inside cause, for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The code, for programs and the log.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The body as sent, with the request's id.
    pub(crate) fn body(&self, request: &str) -> Vec<u8> {
        let body = ProblemSent {
            r#type: format!("urn:family-context:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            request,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

/// Without a body: the edge writes it, because it knows the request's id, and logs the cause there, once.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NoRole => Self::new(StatusCode::FORBIDDEN, "no-role", "You may not do this", detail),
            Refusal::NotOffered(_) => Self::new(StatusCode::FORBIDDEN, "not-offered", "Not used here", detail),
            Refusal::NotFound => Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail),
            Refusal::Invalid(_) => Self::bad_request("invalid", detail),
            Refusal::PurposeNeeded => Self::bad_request("purpose-needed", detail),
            Refusal::NotRecorded(cause) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-recorded", "Nothing can be shown now", detail)
                    .because(cause)
            }
            Refusal::Unavailable(cause) if cause.is_passing() => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again", detail).because(cause)
            }
            Refusal::Unavailable(cause) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "Something went wrong", detail).because(cause)
            }
        }
    }
}

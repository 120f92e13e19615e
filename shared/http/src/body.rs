//! Reading JSON bodies, and saying what is wrong with them without repeating them.

use crate::Problem;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;

/// A JSON request body. Give the type `#[serde(deny_unknown_fields)]`: a misspelt field is then an error, not a search
/// that quietly asks for something else.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Send JSON",
                "Send the request body as JSON, with the header Content-Type: application/json.",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
                _ => Problem::bad_request("body-unreadable", "The request body did not arrive whole. Send it again."),
            }
        })?;
        // The parser's own message may repeat a name from the body, so only the place is passed on.
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            if error.is_data() {
                Problem::bad_request(
                    "body-not-as-described",
                    format!(
                        "The JSON has an unknown field, or a value of the wrong kind, near {place}. \
                         /v1/openapi.json says what it should hold."
                    ),
                )
            } else {
                Problem::bad_request("body-malformed", format!("The request body is not valid JSON near {place}."))
            }
        })
    }
}

//! Answers with data in them.

use axum::response::{IntoResponse, Response};
use fc_access::Disclosed;
use serde::Serialize;

/// A JSON answer. It can be made only from what the audit trail says was shown.
#[derive(Debug)]
pub struct Answer<T>(pub Disclosed<T>);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0.into_inner()).into_response()
    }
}

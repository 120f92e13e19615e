//! Reading what stands in an address. What cannot be read gets the page of an address that is none, like everything that
//! is not here.

use crate::App;
use axum::{
    extract::{FromRequestParts, Path as PathOf, Query as QueryOf},
    http::request::Parts,
    response::Response,
};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The parts of a path.
pub(crate) struct Path<T>(pub(crate) T);

/// What follows the question mark.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Path<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        match PathOf::from_request_parts(parts, app).await {
            Ok(PathOf(read)) => Ok(Self(read)),
            Err(_) => Err(app.not_found(None)),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        match QueryOf::from_request_parts(parts, app).await {
            Ok(QueryOf(read)) => Ok(Self(read)),
            Err(_) => Err(app.not_found(None)),
        }
    }
}

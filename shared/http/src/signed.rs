//! Who asks: the claims that the edge has checked, and the request's id.

use crate::Problem;
use axum::{
    extract::FromRequestParts,
    http::{Extensions, request::Parts},
};
use fc_access::{Caller, RequestId, RolesClaim, User};
use lambda_http::request::RequestContext;

/// A signed-in user with the request they make. A request without checked claims is refused: headers are not read, so a
/// token that did not pass the edge counts for nothing. Roles are in the claim `roles`, unless [`crate::roles_in`] says
/// otherwise.
#[derive(Debug)]
pub struct Signed(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let claims = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => {
                context.authorizer.as_ref().and_then(|authorizer| authorizer.jwt.as_ref()).map(|jwt| &jwt.claims)
            }
            _ => None,
        };
        let roles_claim = parts.extensions.get::<RolesClaim>().cloned().unwrap_or_default();
        let user = User::from_gateway(claims.ok_or_else(Problem::unauthorized)?, &roles_claim)
            .map_err(|nobody| Problem::unauthorized().because(nobody))?;
        Ok(Self(Caller { user, request: request_id(&parts.extensions) }))
    }
}

/// The request's id: the one the edge gave it, or a new one. Never one that the client sent.
#[must_use]
pub fn request_id(extensions: &Extensions) -> RequestId {
    if let Some(id) = extensions.get::<RequestId>() {
        return id.clone();
    }
    let given = match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
        _ => None,
    };
    RequestId::from_edge(given)
}

//! Opening people over HTTP.

use crate::{
    Family, open_family, open_person, open_service,
    page::{FamilyPage, PersonPage, ServicePage},
};
use axum::{
    Router,
    extract::{Query, State, rejection::QueryRejection},
    routing::get,
};
use fc_access::Opening;
use fc_http::{Answer, Path, Problem, ProblemSent, Signed};
use fc_model::PersonId;
use serde::Deserialize;
use utoipa::{
    IntoParams, Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// The routes.
pub fn router(family: Family) -> Router {
    let routes = Router::new()
        .route("/v1/people/{id}", get(person))
        .route("/v1/people/{id}/family", get(relatives))
        .route("/v1/people/{id}/services/{service}", get(service))
        .with_state(family);
    fc_http::api(routes)
}

/// Why, and through which child, a person is opened.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// The id of the child the work is about. Needed where the council asks for it and, in the child-first journey, to
    /// open an adult.
    child: Option<String>,
    /// `section-17`, `section-47` or `other`. Needed where the council asks for it.
    purpose: Option<String>,
}

impl Asked {
    fn opening(asked: Result<Query<Self>, QueryRejection>) -> Result<Opening, Problem> {
        let Query(asked) = asked.map_err(|_| {
            Problem::bad_request("query-unreadable", "Only child and purpose may follow the question mark, once each.")
        })?;
        let child = match asked.child {
            None => None,
            Some(id) => Some(PersonId::parse(&id).map_err(|_| {
                Problem::bad_request("child-malformed", "The child must be the id of a person, as results give it.")
            })?),
        };
        Ok(Opening { child, purpose: asked.purpose })
    }
}

/// Open a person
///
/// Basic details, all known addresses, a flag for every service, and the family. Who was opened, why, who else was on
/// the screen and what the flags said is recorded before anything is returned.
#[utoipa::path(
    get,
    path = "/v1/people/{id}",
    tag = "family",
    params(("id" = String, Path, description = "From search results or a family"), Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = PersonPage),
        (status = 400, body = ProblemSent, content_type = "application/problem+json", description = "The purpose is needed, or is none"),
        (status = 401, body = ProblemSent, content_type = "application/problem+json", description = "No valid token"),
        (status = 403, body = ProblemSent, content_type = "application/problem+json", description = "No role that may look people up"),
        (status = 404, body = ProblemSent, content_type = "application/problem+json", description = "Nobody, or nobody this user may know of"),
        (status = 503, body = ProblemSent, content_type = "application/problem+json", description = "It cannot be recorded or read now: nothing is shown"),
    ),
)]
async fn person(
    State(family): State<Family>,
    Signed(caller): Signed,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Answer<PersonPage>, Problem> {
    let opening = Asked::opening(asked)?;
    Ok(Answer(open_person(&family, &caller, &id, &opening).await?))
}

/// Open a person's family alone
///
/// Stated relationships first, then other people recorded at the same address.
#[utoipa::path(
    get,
    path = "/v1/people/{id}/family",
    tag = "family",
    params(("id" = String, Path, description = "From search results or a family"), Asked),
    security(("token" = [])),
    responses(
        (status = 200, body = FamilyPage),
        (status = 400, body = ProblemSent, content_type = "application/problem+json", description = "The purpose is needed, or is none"),
        (status = 401, body = ProblemSent, content_type = "application/problem+json", description = "No valid token"),
        (status = 403, body = ProblemSent, content_type = "application/problem+json", description = "No role that may look people up"),
        (status = 404, body = ProblemSent, content_type = "application/problem+json", description = "Nobody, or nobody this user may know of"),
        (status = 503, body = ProblemSent, content_type = "application/problem+json", description = "It cannot be recorded or read now: nothing is shown"),
    ),
)]
async fn relatives(
    State(family): State<Family>,
    Signed(caller): Signed,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Answer<FamilyPage>, Problem> {
    let opening = Asked::opening(asked)?;
    Ok(Answer(open_family(&family, &caller, &id, &opening).await?))
}

/// Open the detail of a service
///
/// What each of its sources knows, whom to ring, what is covered and what is not. Recorded as an act of its own.
#[utoipa::path(
    get,
    path = "/v1/people/{id}/services/{service}",
    tag = "family",
    params(
        ("id" = String, Path, description = "From search results or a family"),
        ("service" = String, Path, description = "From a flag, such as `housing`"),
        Asked,
    ),
    security(("token" = [])),
    responses(
        (status = 200, body = ServicePage),
        (status = 400, body = ProblemSent, content_type = "application/problem+json", description = "The purpose is needed, or is none"),
        (status = 401, body = ProblemSent, content_type = "application/problem+json", description = "No valid token"),
        (status = 403, body = ProblemSent, content_type = "application/problem+json", description = "No role that may look people up"),
        (status = 404, body = ProblemSent, content_type = "application/problem+json", description = "No such service or person, or nobody this user may know of"),
        (status = 503, body = ProblemSent, content_type = "application/problem+json", description = "It cannot be recorded or read now: nothing is shown"),
    ),
)]
async fn service(
    State(family): State<Family>,
    Signed(caller): Signed,
    Path((id, service)): Path<(String, String)>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Answer<ServicePage>, Problem> {
    let opening = Asked::opening(asked)?;
    Ok(Answer(open_service(&family, &caller, &id, &service, &opening).await?))
}

/// Says in the document how to sign requests.
#[derive(Debug, Clone, Copy)]
pub struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        document
            .components
            .get_or_insert_with(Default::default)
            .add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

#[derive(OpenApi)]
#[openapi(paths(person, relatives, service))]
struct Document;

/// The part of the OpenAPI document that is served here.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

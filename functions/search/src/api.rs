//! Searching over HTTP.

use crate::{Query, Results, Search, Typed, find, load, save};
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use fc_family::api::Token;
use fc_http::{Answer, Json, Path, Problem, ProblemSent, Signed};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

/// The routes.
pub fn router(search: Search) -> Router {
    let routes = Router::new()
        .route("/v1/people/search", post(search_people))
        .route("/v1/searches/{id}", get(search_again))
        .route("/v1/openapi.json", get(|| async { axum::Json(document()) }))
        .with_state(search);
    fc_http::api(routes)
}

/// Results, with the id under which the search is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptResults {
    /// Get `/v1/searches/{search}` to make the same search again, for a working day.
    pub search: String,
    /// What was found.
    #[serde(flatten)]
    pub results: Results,
}

/// Find people by name, date of birth or case ID
///
/// The best 12 people are returned, the youngest first within equally good matches. What was asked, and who was shown,
/// is recorded under the user's name before anything is returned.
#[utoipa::path(
    post,
    path = "/v1/people/search",
    tag = "search",
    request_body = Typed,
    security(("token" = [])),
    responses(
        (status = 200, body = KeptResults),
        (status = 400, body = ProblemSent, content_type = "application/problem+json", description = "Nothing to search for, or malformed"),
        (status = 401, body = ProblemSent, content_type = "application/problem+json", description = "No valid token"),
        (status = 403, body = ProblemSent, content_type = "application/problem+json", description = "No role that may look people up"),
        (status = 413, body = ProblemSent, content_type = "application/problem+json", description = "Body too large"),
        (status = 415, body = ProblemSent, content_type = "application/problem+json", description = "Body is not JSON"),
        (status = 503, body = ProblemSent, content_type = "application/problem+json", description = "It cannot be recorded or read now: nothing is shown"),
    ),
)]
async fn search_people(
    State(search): State<Search>,
    Signed(caller): Signed,
    Json(typed): Json<Typed>,
) -> Result<Answer<KeptResults>, Problem> {
    let query = Query::parse(&typed)?;
    let (id, found) = tokio::join!(save(&search, &caller, &query), find(&search, &caller, &query));
    let search = id?;
    Ok(Answer(found?.map(|results| KeptResults { search, results })))
}

/// Make a search again
///
/// Only the user who made it can, for a working day. It is recorded like any other search.
#[utoipa::path(
    get,
    path = "/v1/searches/{id}",
    tag = "search",
    params(("id" = String, Path, description = "From the search")),
    security(("token" = [])),
    responses(
        (status = 200, body = KeptResults),
        (status = 401, body = ProblemSent, content_type = "application/problem+json", description = "No valid token"),
        (status = 403, body = ProblemSent, content_type = "application/problem+json", description = "No role that may look people up"),
        (status = 404, body = ProblemSent, content_type = "application/problem+json", description = "Not this user's, expired, or never was"),
        (status = 503, body = ProblemSent, content_type = "application/problem+json", description = "It cannot be recorded or read now: nothing is shown"),
    ),
)]
async fn search_again(
    State(search): State<Search>,
    Signed(caller): Signed,
    Path(id): Path<String>,
) -> Result<Answer<KeptResults>, Problem> {
    let query = load(&search, &caller, &id).await?;
    let found = find(&search, &caller, &query).await?;
    Ok(Answer(found.map(|results| KeptResults { search: id, results })))
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Family Context",
        description = "Find a child, see the family, see which services are involved and whom to ring. \
                       Every answer is recorded under the user's name before it is given."
    ),
    paths(search_people, search_again),
    modifiers(&Token)
)]
struct Document;

/// The OpenAPI document of every route: those here and those of the family function.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(fc_family::api::document());
    document
}

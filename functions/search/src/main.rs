//! The search function: reads its settings, makes its clients once, and serves [`fc_search::router`].

use fc_sources::Definitions;
use fc_store::{Store, loads, settings::Clients};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    fc_telemetry::init();
    let store = Store::from_environment(&Clients::of_function())?;
    loads::warm_up(&store.loads).await;
    let search = fc_search::Search {
        store,
        definitions: Arc::new(Definitions::from_environment()?),
        clock: jiff::Timestamp::now,
    };
    let routes = fc_http::roles_in(fc_search::router(search), fc_access::RolesClaim::from_environment());
    lambda_http::run(fc_http::only_through(routes, fc_http::OriginKey::from_environment())).await
}

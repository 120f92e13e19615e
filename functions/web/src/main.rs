//! The web function: reads its settings, makes its clients once, and serves [`fc_web::router`].

use fc_sources::Definitions;
use fc_store::{Store, loads, settings::Clients};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    fc_telemetry::init();
    let store = Store::from_environment(&Clients::of_function())?;
    loads::warm_up(&store.loads).await;
    let web = fc_web::Web {
        store,
        definitions: Arc::new(Definitions::from_environment()?),
        settings: fc_web::Settings::from_environment()?,
        clock: jiff::Timestamp::now,
    };
    lambda_http::run(fc_http::only_through(fc_web::router(web), fc_http::OriginKey::from_environment())).await
}

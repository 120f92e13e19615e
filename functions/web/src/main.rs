//! The web function: reads its settings, makes its clients once, and serves [`fc_web::router`].

use fc_sources::Definitions;
use fc_store::{Store, settings::Clients};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    fc_telemetry::init();
    let web = fc_web::Web {
        store: Store::from_environment(&Clients::from_environment().await)?,
        definitions: Arc::new(Definitions::from_environment()?),
        settings: fc_web::Settings::from_environment()?,
        clock: jiff::Timestamp::now,
    };
    lambda_http::run(fc_web::router(web)).await
}

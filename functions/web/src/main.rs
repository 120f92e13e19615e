//! The web function: reads its settings, makes its clients once, and serves [`fc_web::router`].

use fc_sources::Definitions;
use fc_store::{Names, Store, settings};
use std::{path::Path, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    fc_telemetry::init();
    let sources = std::env::var("SOURCES_DIR").unwrap_or_else(|_| "sources".to_owned());
    let definitions = Definitions::load_dir(Path::new(&sources))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let clients = settings::Clients::from_environment().await;
    let store = Store::new(&clients, &Names::from_environment(), settings::handle_key_from_environment()?);
    let web = fc_web::Web {
        store,
        definitions: Arc::new(definitions),
        settings: fc_web::Settings::from_environment()?,
        clock: jiff::Timestamp::now,
    };
    lambda_http::run(fc_web::router(web)).await
}

//! The family function: reads its settings, makes its clients once, and serves [`fc_search::router`].

use fc_sources::Definitions;
use fc_store::{Names, Store, settings};
use std::{env, path::PathBuf, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    fc_telemetry::init();
    let definitions = Definitions::load_dir(&sources())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let clients = settings::Clients::from_environment().await;
    let store = Store::new(&clients, &Names::from_environment(), settings::handle_key_from_environment()?);
    let family = fc_family::Family { store, definitions: Arc::new(definitions), clock: jiff::Timestamp::now };
    lambda_http::run(fc_family::router(family)).await
}

/// `SOURCES_DIR`, or `sources` beside the binary in the function's zip.
fn sources() -> PathBuf {
    let beside = || PathBuf::from(env::var("LAMBDA_TASK_ROOT").unwrap_or_default()).join("sources");
    env::var("SOURCES_DIR").map_or_else(|_| beside(), PathBuf::from)
}

//! The ingest function: reads its settings, makes its clients once, and handles batches of its queue.

use fc_ingest::{Ingest, SqsEvent, handle};
use fc_sources::Definitions;
use fc_store::{
    Names, Store, StoreError,
    queue::Sqs,
    settings::{Clients, handle_key_from_environment},
};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use std::{env, path::PathBuf, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), Error> {
    fc_telemetry::init();
    let ingest = &ingest().await?;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| Ok::<_, Error>(handle(ingest, event.payload).await))).await
}

async fn ingest() -> Result<Ingest, Error> {
    let folder = sources_folder();
    let definitions = Definitions::load_dir(&folder).map_err(|problems| {
        for problem in &problems {
            tracing::error!(reason = %problem, "a source definition cannot be used");
        }
        Error::from(format!("{} mistakes in the source definitions", problems.len()))
    })?;
    let clients = Clients::from_environment().await;
    let queue = |name: &'static str| {
        let reason = "is not set; give the queue's URL";
        env::var(name).map(|url| Sqs::new(clients.sqs.clone(), url)).map_err(|_| StoreError::Setting { name, reason })
    };
    Ok(Ingest {
        store: Store::new(&clients, &Names::from_environment(), handle_key_from_environment()?),
        definitions: Arc::new(definitions),
        matching: Arc::new(queue("QUEUE_MATCHING")?),
        own: Arc::new(queue("QUEUE_INGEST")?),
        now: Arc::new(Timestamp::now),
    })
}

/// `SOURCES_DIR`, or `sources` beside the binary in the function's zip.
fn sources_folder() -> PathBuf {
    let beside = || PathBuf::from(env::var("LAMBDA_TASK_ROOT").unwrap_or_default()).join("sources");
    env::var("SOURCES_DIR").map_or_else(|_| beside(), PathBuf::from)
}

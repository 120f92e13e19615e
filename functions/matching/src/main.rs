//! The matching function: reads its settings, makes its clients once, and handles batches of its queue.

use fc_linkage::Model;
use fc_matching::{Matching, SqsEvent};
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
    let matching = &matching().await?;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| Ok::<_, Error>(matching.handle(event.payload).await))).await
}

async fn matching() -> Result<Matching, Error> {
    let definitions = Definitions::load_dir(&sources_folder()).map_err(|problems| {
        for problem in &problems {
            tracing::error!(reason = %problem, "a source definition cannot be used");
        }
        Error::from(format!("{} mistakes in the source definitions", problems.len()))
    })?;
    let clients = Clients::from_environment().await;
    let missing = StoreError::Setting { name: "QUEUE_INGEST", reason: "is not set; give the queue's URL" };
    let ingest = Sqs::new(clients.sqs.clone(), env::var("QUEUE_INGEST").map_err(|_| missing)?);
    Ok(Matching {
        store: Store::new(&clients, &Names::from_environment(), handle_key_from_environment()?),
        definitions: Arc::new(definitions),
        model: Model::shipped().clone(),
        ingest: Arc::new(ingest),
        now: Arc::new(Timestamp::now),
    })
}

/// `SOURCES_DIR`, or `sources` beside the binary in the function's zip.
fn sources_folder() -> PathBuf {
    let beside = || PathBuf::from(env::var("LAMBDA_TASK_ROOT").unwrap_or_default()).join("sources");
    env::var("SOURCES_DIR").map_or_else(|_| beside(), PathBuf::from)
}

//! The ingest function: reads its settings, makes its clients once, and handles batches of its queue.

use fc_ingest::{Ingest, PART_LINES, SqsEvent, handle};
use fc_sources::Definitions;
use fc_store::{Store, queue::Sqs, settings::Clients};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Error> {
    fc_telemetry::init();
    let clients = Clients::of_function();
    let ingest = &Ingest {
        store: Store::from_environment(&clients)?,
        definitions: Arc::new(Definitions::from_environment()?),
        matching: Arc::new(Sqs::from_environment(clients.sqs.clone(), "QUEUE_MATCHING")?),
        own: Arc::new(Sqs::from_environment(clients.sqs.clone(), "QUEUE_INGEST")?),
        now: Arc::new(Timestamp::now),
        part_lines: PART_LINES,
    };
    run(service_fn(async |event: LambdaEvent<SqsEvent>| Ok::<_, Error>(handle(ingest, event.payload).await))).await
}

//! The matching function: reads its settings, makes its clients once, and handles batches of its queue.

use fc_linkage::Model;
use fc_matching::{Matching, SqsEvent};
use fc_model::PersonId;
use fc_sources::Definitions;
use fc_store::{Store, queue::Sqs, settings::Clients};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Error> {
    fc_telemetry::init();
    let clients = Clients::of_function();
    let matching = &Matching {
        store: Store::from_environment(&clients)?,
        definitions: Arc::new(Definitions::from_environment()?),
        model: Model::shipped().clone(),
        ingest: Arc::new(Sqs::from_environment(clients.sqs.clone(), "QUEUE_INGEST")?),
        now: Arc::new(Timestamp::now),
        new_person: Arc::new(PersonId::random),
    };
    run(service_fn(async |event: LambdaEvent<SqsEvent>| Ok::<_, Error>(matching.handle(event.payload).await))).await
}

//! The audit-archive function: names its bucket, makes its client once, and archives what the audit table's stream hands
//! over.

use aws_lambda_events::event::dynamodb::Event;
use fc_store::{Bucket, StoreError, settings::Clients};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    fc_telemetry::init();
    let name = std::env::var("BUCKET_ARCHIVE").map_err(|_| StoreError::Setting {
        name: "BUCKET_ARCHIVE",
        reason: "is not set; give the name of the write-once bucket",
    })?;
    let bucket = &Bucket::new(Clients::of_function().s3, &name);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        Ok::<_, Error>(fc_audit_archive::archive(bucket, event.payload).await)
    }))
    .await
}

//! Queues. Messages are pointers: no personal data, and no size limit to reach.

use crate::StoreError;
use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use std::{future::Future, pin::Pin, sync::Arc};

/// Messages in one `SendMessageBatch` (an SQS limit).
const BATCH: usize = 10;

/// The future of a [`Deliver::send`].
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// Something that takes messages and delivers each at least once: SQS, or the local stack's queue.
pub trait Deliver: Send + Sync {
    /// Sends messages; on an error some may have been sent, so send all again.
    fn send(&self, bodies: Vec<String>) -> Sending<'_>;
}

/// A queue to send to.
pub type Queue = Arc<dyn Deliver>;

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    url: String,
}

impl Sqs {
    /// A queue by its URL.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// The queue whose URL is in the environment variable `name`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_environment(client: Client, name: &'static str) -> Result<Self, StoreError> {
        let missing = |_| StoreError::Setting { name, reason: "is not set; give the queue's URL" };
        Ok(Self { client, url: std::env::var(name).map_err(missing)? })
    }
}

impl Deliver for Sqs {
    /// IAM: `sqs:SendMessage`.
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        Box::pin(async move {
            for chunk in bodies.chunks(BATCH) {
                let entries = chunk.iter().enumerate().map(|(i, body)| {
                    SendMessageBatchRequestEntry::builder().id(i.to_string()).message_body(body).build()
                });
                let entries =
                    entries.collect::<Result<Vec<_>, _>>().map_err(|_| refused("request could not be built"))?;
                let output = self
                    .client
                    .send_message_batch()
                    .queue_url(&self.url)
                    .set_entries(Some(entries))
                    .send()
                    .await
                    .map_err(|error| crate::error::error_of("SendMessageBatch", "queue", &error))?;
                if let Some(failed) = output.failed.first() {
                    let reason = failed.code.clone();
                    return Err(StoreError::Unavailable {
                        operation: "SendMessageBatch",
                        place: "queue".into(),
                        reason,
                    });
                }
            }
            Ok(())
        })
    }
}

fn refused(reason: &str) -> StoreError {
    StoreError::Refused { operation: "SendMessageBatch", place: "queue".into(), reason: reason.into() }
}

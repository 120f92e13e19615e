//! Messages that fail for good: what a queue buries after its last try is kept here first, with the reason.
//!
//! A dead-letter queue keeps a message for 14 days and never says why it failed. So whoever is given one for the last time
//! writes it down in the staging bucket before trying, as one that did not come to an end, for a worker that crashes or
//! runs out of time can write nothing afterwards; then with the reason; and takes it away again if all went well. It stays
//! for 30 days there, as long as the parts that it may point to.

use crate::{Bucket, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt::Display, future::Future};

/// Receives after which a queue buries a message (`maxReceiveCount` in infra/template.yaml).
pub const RECEIVES: u32 = 5;

/// What is said of a message whose worker could say nothing any more.
const NO_END: &str = "its worker crashed or ran out of time";

/// A message that failed for the last time. Holds no personal data but what a file's name may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Of which queue: `ingest` or `matching`.
    pub queue: String,
    /// What was sent.
    pub body: String,
    /// Why it failed. Holds no personal data.
    pub reason: String,
    /// When it was tried for the last time.
    pub at: Timestamp,
}

/// A message as a queue delivers it.
#[derive(Debug, Clone, Copy)]
pub struct Delivered<'a> {
    /// Of which queue.
    pub queue: &'static str,
    /// The id that the queue gave it.
    pub id: &'a str,
    /// What was sent.
    pub body: &'a str,
    /// How often it was delivered, this time included (`ApproximateReceiveCount`).
    pub receives: Option<&'a str>,
}

/// Where a dead letter is kept.
#[must_use]
pub fn key(queue: &str, id: &str) -> String {
    format!("dead-letters/{queue}/{id}.json")
}

/// Does what a message asks for; when it is delivered for the last time, keeps it unless that went well.
///
/// # Errors
/// Those of `work`. That a message could not be kept is logged: it is among the dead letters all the same.
pub async fn keeping<T, E: Display>(
    staging: &Bucket,
    message: Delivered<'_>,
    at: Timestamp,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let is_last = message.receives.and_then(|count| count.parse::<u32>().ok()).is_some_and(|count| count >= RECEIVES);
    if !is_last {
        return work.await;
    }
    told(keep(staging, message, NO_END, at).await);
    let done = work.await;
    told(match &done {
        Ok(_) => staging.delete(&key(message.queue, message.id)).await,
        Err(error) => keep(staging, message, &error.to_string(), at).await,
    });
    done
}

async fn keep(staging: &Bucket, message: Delivered<'_>, reason: &str, at: Timestamp) -> Result<(), StoreError> {
    let (queue, body, reason) = (message.queue.to_owned(), message.body.to_owned(), reason.to_owned());
    let letter = serde_json::to_vec(&DeadLetter { queue, body, reason, at });
    let letter = letter.map_err(|_| StoreError::Corrupt { place: "memory".into(), reason: "not JSON" })?;
    staging.put(&key(message.queue, message.id), "application/json", letter).await
}

fn told(kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "a dead letter could not be kept");
    }
}

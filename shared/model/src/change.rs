//! What ingest hands to matching: one record of one feed added, changed or removed.

use crate::{Details, FeedId, RecordHandle, RecordId, Staff, redact::redacted_debug};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which of two contents of a record is the newer: as-of first, then the load's sequence within its feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq {
    /// When the content was true in the source.
    pub as_of: Timestamp,
    /// The load's number, growing within a feed.
    pub load: u64,
}

/// What a feed says of a record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Something about a person.
    Person(Box<Details>),
    /// A worker in the staff directory.
    Staff(Box<Staff>),
}

/// One line of a staged part.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The record's key.
    pub handle: RecordHandle,
    /// The record's name in its source.
    pub record: RecordId,
    /// The feed that says so.
    pub feed: FeedId,
    /// Its place in time.
    pub seq: Seq,
    /// The new content; `None` when the record has left the feed.
    pub content: Option<Content>,
}

redacted_debug!(Content, Change);

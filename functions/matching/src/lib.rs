//! Matching: which records are one person, and what a social worker reads of that person.
//!
//! A message points at a part of a load; a part holds changed records. Each change is applied to its *record*, which
//! *converges* with everything it may be one person with: keys are filed and read, pairs scored, *clusters* joined and
//! cut into people, and each person whose records changed gets a new *view*. The modules stand in that order.
//!
//! Any number of workers may run at once, in any order, with repeats and crashes: the people are the same in the end.

mod tasks;

mod record;

mod converge;

mod cluster;

mod hidden_names;

mod view;

mod tickets;

mod rebuild;

pub use rebuild::Rebuilt;

pub use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};

use aws_lambda_events::sqs::BatchItemFailure;
use converge::Work;
use fc_linkage::Model;
use fc_model::{Change, Content, PersonId, RecordHandle, StaffId};
use fc_sources::{Definitions, FeedKind};
use fc_store::{
    Queue, Store, StoreError,
    dead_letters::{self, Delivered},
    loads::{self, FeedLoad, Part, ToIngest, ToMatching},
    people,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// Bits of a staff item's version that hold the load's number; the rest is the extract's second.
const LOAD_BITS: u32 = 20;
/// Staff items written at once.
const STAFF_AT_ONCE: usize = 16;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Makes the id of a new person: [`PersonId::random`]; tests bring their own.
pub type NewPerson = Arc<dyn Fn() -> PersonId + Send + Sync>;

/// The function, made once at start.
pub struct Matching {
    /// Tables and buckets.
    pub store: Store,
    /// The council's sources.
    pub definitions: Arc<Definitions>,
    /// Weights and thresholds.
    pub model: Model,
    /// Where to say that a load is finished.
    pub ingest: Queue,
    /// What time it is.
    pub now: Clock,
    /// Ids of new people.
    pub new_person: NewPerson,
}

/// What applying a part did, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Records added, changed or removed.
    pub changed: u64,
    /// Changes that had been applied before.
    pub repeated: u64,
    /// Changes older than what was there.
    pub older: u64,
    /// Records changed that wait for the feed that says who they are.
    pub waiting: u64,
    /// Workers of the staff directory written.
    pub staff: u64,
    /// People written.
    pub projected: u64,
}

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, more: Self) {
        self.changed += more.changed;
        self.repeated += more.repeated;
        self.older += more.older;
        self.waiting += more.waiting;
        self.staff += more.staff;
        self.projected += more.projected;
    }
}

/// Why a message was not processed. Holds no personal data.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Not a message for this queue. Trying again will not help.
    #[error("the message is none of this queue's")]
    Message,
    /// The part cannot be read. Trying again will not help.
    #[error("line {line} of the part is no change")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// The part is gone although its load waits for it.
    #[error("the part is missing from staging")]
    Missing,
    /// The work took longer than a worker may take: others take it for dead.
    #[error("the work took too long, and was broken off")]
    Late,
    /// A table, bucket or queue failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Matching {
    /// Handles a batch of messages. Those that fail are named in the answer, so that the queue sends them again and
    /// in the end to its dead letters.
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        for message in event.records {
            let id = message.message_id.unwrap_or_default();
            let body = message.body.as_deref().unwrap_or_default();
            let receives = message.attributes.get("ApproximateReceiveCount").map(String::as_str);
            let delivered = Delivered { queue: "matching", id: &id, body, receives };
            let work = self.message(body);
            if let Err(error) = dead_letters::keeping(&self.store.staging, delivered, (self.now)(), work).await {
                tracing::warn!(message_id = %id, %error, "a message was not processed");
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                response.batch_item_failures.push(failure);
            }
        }
        response
    }

    /// Handles one message body.
    async fn message(&self, body: &str) -> Result<(), Failure> {
        let part = match serde_json::from_str(body).map_err(|_| Failure::Message)? {
            ToMatching::Part(part) => part,
            ToMatching::Sweep {} => return self.sweep().await,
        };
        let report = self.apply_part(&part).await?;
        let (source, feed, load) = (&part.name.source, &part.name.feed, &part.load);
        tracing::info!(%source, %feed, %load, part = part.number, records = report.changed, "part applied");
        if report.waiting > 0 {
            tracing::warn!(%source, %feed, %load, count = report.waiting, "records wait for the feed that says who they are");
        }
        Ok(())
    }

    /// Applies a part of a load, marks it done, and says so to ingest when it was the last.
    ///
    /// # Errors
    /// When the part cannot be read, or a table, bucket or queue fails. What was written stays; applying the part again
    /// goes on from there.
    pub async fn apply_part(&self, part: &Part) -> Result<Report, Failure> {
        let text = match self.store.staging.get(&part.key).await {
            Ok(bytes) => bytes,
            Err(StoreError::Missing { .. }) if !loads::is_pending(&self.store.loads, part).await? => {
                // A message that came twice, of a load that has been finished.
                return Ok(Report::default());
            }
            Err(StoreError::Missing { .. }) => return Err(Failure::Missing),
            Err(error) => return Err(error.into()),
        };
        let lines = text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        let changes = lines
            .map(|(i, line)| serde_json::from_slice(line).map_err(|_| Failure::Line { line: i + 1 }))
            .collect::<Result<Vec<Change>, _>>()?;
        let report = self.apply(changes).await?;
        let now = (self.now)();
        if loads::mark_part_done(&self.store.loads, part, now).await? {
            let finish = ToIngest::Finish(FeedLoad { name: part.name.clone(), load: part.load.clone() });
            self.ingest.send(vec![finish.body()?]).await?;
        }
        Ok(report)
    }

    /// Applies changes, in the order of each record's.
    ///
    /// # Errors
    /// When a table fails.
    pub async fn apply(&self, changes: Vec<Change>) -> Result<Report, Failure> {
        let (staff, records): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| self.is_staff(change));
        let mut report = Report { staff: self.put_staff(staff).await?, ..Report::default() };
        let mut by_record: BTreeMap<RecordHandle, Vec<Change>> = BTreeMap::new();
        for change in records {
            by_record.entry(change.handle.clone()).or_default().push(change);
        }
        let arrived = self.put_records(by_record, &mut report).await?;
        report += self.converge(arrived, &Work::begun(self.now())).await?;
        Ok(report)
    }

    fn is_staff(&self, change: &Change) -> bool {
        match &change.content {
            Some(Content::Staff(_)) => true,
            Some(Content::Person(_)) => false,
            None => {
                let definition = self.definitions.get(&change.record.source);
                let feed = definition.and_then(|definition| definition.feed(&change.feed));
                feed.is_some_and(|feed| feed.kind == FeedKind::Staff)
            }
        }
    }

    /// Writes workers of the staff directory: no matching, they are joined by their id when read.
    async fn put_staff(&self, changes: Vec<Change>) -> Result<u64, Failure> {
        let puts = changes.into_iter().map(|change| async move {
            // A removal does not say the worker's id, only the handle.
            let key = match StaffId::parse(&change.record.id) {
                Ok(id) => people::staff_key(&self.store.key, &id, &change.record.source),
                Err(_) => people::staff_key_of(&change.handle, &change.record.source),
            };
            let staff = match change.content {
                Some(Content::Staff(staff)) => Some(*staff),
                _ => None,
            };
            let seconds = u64::try_from(change.seq.as_of.as_second()).unwrap_or(0);
            let rev = (seconds << LOAD_BITS) | change.seq.load.min((1 << LOAD_BITS) - 1);
            Ok::<_, Failure>(people::put_staff(&self.store.people, key, rev, staff, self.now()).await?)
        });
        Ok(tasks::all(STAFF_AT_ONCE, puts.collect()).await?.into_iter().map(u64::from).sum())
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        (self.now)().as_second()
    }
}

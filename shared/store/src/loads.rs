//! The `loads` table: how far every file has come, and whose turn it is. No personal data.
//!
//! | pk | sk | holds |
//! | --- | --- | --- |
//! | `F#<source>/<feed>` | `FEED` | [`Feed`]: what was last applied, what is under way, who may write |
//! | `F#<source>/<feed>` | `LOAD#<load>` | [`Load`]: one uploaded file |
//! | `F#<source>/<feed>` | `PARTS#<load>#<group>` | which parts of a group have been applied, as a bitmap |
//!
//! Two rules keep concurrent workers apart. A [`Load`] changes only in one transaction with its [`Feed`], guarded by
//! the feed's version. And whoever works on a feed holds its lease: the lease's *fence* grows with every holder, each
//! later write checks it, and files that a holder stages carry it in their names, so a worker that was given up for
//! dead cannot spoil what its successor does.

use crate::{Guard, Item, Key, Op, Query, Queue, StoreError, Table};
use fc_model::{FeedId, InvalidIdentifier, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

/// How long a holder may work before another takes over: the longest a Lambda function can run.
pub const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// After this long without its last part being applied, a newer file takes over from a pending load. Longer than a
/// first load of a council takes, shorter than the night after.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_hours(6);
/// After this long the parts of a pending load that are not applied yet are sent again: longer than they wait in the queue
/// of an ordinary night.
pub const RESENT_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// After this long they are left alone: what fails for a day fails for a reason, and the alarm has told of it.
const RESENT_UNTIL: SignedDuration = SignedDuration::from_hours(24);
/// How long a load is remembered: a year of nights and some.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 400);
/// How long the bitmap of applied parts outlives its load: longer than the longest redrive (14 days).
const PARTS_REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Parts whose marks share one item: the bits of a `u64`.
const GROUP: u32 = u64::BITS;
/// Most held loads that one write ends: a transaction has room for a hundred items. The next file ends the others.
const MOST_ENDED: usize = 50;
/// How often a guarded change starts over when somebody else wrote first.
const TRIES: u32 = 16;
/// Longest that a function's start waits for its first connection.
const WARM_UP: std::time::Duration = std::time::Duration::from_millis(300);

/// A feed of a source: `housing/people`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeedName {
    /// The source system.
    pub source: SourceId,
    /// Its feed.
    pub feed: FeedId,
}

impl FeedName {
    /// A feed by its parts.
    #[must_use]
    pub fn new(source: SourceId, feed: FeedId) -> Self {
        Self { source, feed }
    }

    fn partition(&self) -> String {
        format!("F#{self}")
    }

    fn key(&self) -> Key {
        Key::new(self.partition(), "FEED")
    }

    fn load_key(&self, load: &LoadId) -> Key {
        Key::new(self.partition(), format!("LOAD#{load}"))
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.feed)
    }
}

/// A load: when its file arrived and a keyed hash of where it lies. Sorts by time and is safe in object names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoadId(String);

impl LoadId {
    /// The id of a file that arrived at `at`; `hash` is a keyed hash of bucket, key and version.
    #[must_use]
    pub fn new(at: Timestamp, hash: &str) -> Self {
        let hash: String = hash.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        Self(format!("{}-{hash}", at.strftime("%Y%m%dT%H%M%S%3fZ")))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// When it holds anything but letters, digits and hyphens, or is longer than 64.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        if text.is_empty() || text.len() > 64 {
            return Err(InvalidIdentifier::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(InvalidIdentifier::Character);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for LoadId {
    type Error = InvalidIdentifier;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl FromStr for LoadId {
    type Err = InvalidIdentifier;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<LoadId> for String {
    fn from(load: LoadId) -> Self {
        load.0
    }
}

impl fmt::Display for LoadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a load has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadState {
    /// Announced, nothing done yet.
    Received,
    /// Behind another load of its feed.
    Waiting,
    /// Cannot be used: nothing changed.
    Refused,
    /// The same content as the last applied: nothing to do.
    Duplicate,
    /// A newer full extract has been applied, or has taken over.
    Superseded,
    /// Failed a gate: waits for a person to approve or reject it, old data still served.
    Held,
    /// A person decided against it.
    Rejected,
    /// Past the commit point: its parts are being applied.
    Applying,
    /// Every part applied.
    Applied,
}

impl LoadState {
    /// Whether nothing more happens to the load by itself.
    #[must_use]
    pub fn is_closed(self) -> bool {
        !matches!(self, Self::Received | Self::Waiting | Self::Applying)
    }
}

/// Where an uploaded file lies.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded. Chosen by the source's owner: never logged.
    pub key: String,
    /// The object's version, where the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was uploaded.
    pub at: Timestamp,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upload(redacted)")
    }
}

/// One uploaded file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Its id.
    pub load: LoadId,
    /// The file.
    pub upload: Upload,
    /// How far it has come.
    pub state: LoadState,
    /// When the state was last changed.
    pub since: Timestamp,
    /// When the content was true in the source, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Whether a person said to apply it although a gate failed.
    #[serde(default)]
    pub approved: bool,
    /// Whether approving a held load can help: not when a column that must be there is missing.
    #[serde(default)]
    pub can_be_approved: bool,
    /// Where its report lies in the reports bucket, without the ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// A whole state of a feed: what has been, or is being, applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The load it came with.
    pub load: LoadId,
    /// The load's number: grows within a feed.
    pub number: u64,
    /// When the content was true in the source.
    pub as_of: Timestamp,
    /// When it was committed or, once applied, when it was applied.
    pub at: Timestamp,
    /// SHA-256 of the file, in hexadecimal.
    pub content: String,
    /// SHA-256 of the definition it was read by, in hexadecimal.
    pub definition: String,
    /// Its manifest's key in the manifests bucket; `None` when the feed has no records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Records of the feed.
    pub records: u64,
}

/// Parts staged under one prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Key prefix in the staging bucket, behind which comes the part's number.
    pub prefix: String,
    /// How many parts.
    pub parts: u32,
}

/// A load past its commit point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// What the feed will be when every part is applied.
    pub version: Version,
    /// Where its parts are: its own, and those of a stuck delta it took over.
    pub staged: Vec<Staged>,
}

impl Pending {
    /// The messages that have its parts applied.
    pub fn parts(&self, feed: &FeedName) -> Vec<Part> {
        let keys = self
            .staged
            .iter()
            .flat_map(|staged| (0..staged.parts).map(move |number| format!("{}{number}", staged.prefix)));
        let of = self.staged.iter().map(|staged| staged.parts).sum();
        let load = &self.version.load;
        let part = |(key, number)| Part { name: feed.clone(), load: load.clone(), key, number, of };
        keys.zip(0..).map(part).collect()
    }
}

/// Who works on a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The load being worked on.
    pub load: LoadId,
    /// When others may take over.
    pub until: Timestamp,
}

/// The last load that ended, however it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The load.
    pub load: LoadId,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub state: LoadState,
}

/// A whole extract of a feed, and how new it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// When its content was true in the source, once known: not of a file that lacks a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// The load it came with, which sorts by when it was uploaded.
    pub load: LoadId,
}

impl Whole {
    /// Whether another says more recent things: of two that were true at the same time, the one uploaded last.
    fn is_older(&self, than: &Self) -> bool {
        match (self.as_of, than.as_of) {
            (Some(mine), Some(its)) => (mine, &self.load) < (its, &than.load),
            _ => self.load < than.load,
        }
    }
}

/// A feed: what was last applied, what is under way, who may write.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feed {
    /// Number of the latest lease: the fence.
    pub fence: u64,
    /// Who works on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// What is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Version>,
    /// What is being applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// The last load that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Loads that wait for their turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<LoadId>,
    /// The newest whole extract that is, or was, in use or pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<Whole>,
    /// Whole extracts that wait for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Whole>,
    /// Whether a record had several rows in some file: then a file of some of its rows must not be applied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub several_rows: bool,
}

impl Feed {
    fn leased(&self, now: Timestamp) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.until > now)
    }

    /// Remembers a whole extract that is in use or pending.
    pub fn note_whole(&mut self, whole: Option<Whole>) {
        let newest = |whole: &Whole| self.whole.as_ref().is_none_or(|known| known.is_older(whole));
        if let Some(whole) = whole.filter(newest) {
            self.whole = Some(whole);
        }
    }

    /// Whether a newer whole extract is in use or pending.
    #[must_use]
    pub fn has_newer(&self, whole: &Whole) -> bool {
        self.whole.as_ref().is_some_and(|known| whole.is_older(known))
    }

    /// Takes those out of the held extracts that are older than the one in use: [`together`] supersedes them.
    fn end_older_held(&mut self, but: &LoadId) {
        let Some(whole) = &self.whole else { return };
        let mut left = MOST_ENDED;
        self.held.retain(|held| {
            let ends = left > 0 && held.load != *but && held.is_older(whole);
            left -= usize::from(ends);
            !ends
        });
    }

    /// Loads that are pending or held: one that is no more is ended by the same write.
    fn open(&self) -> BTreeSet<LoadId> {
        let pending = self.pending.iter().map(|pending| &pending.version.load);
        pending.chain(self.held.iter().map(|held| &held.load)).cloned().collect()
    }

    /// Whether the pending load has not been finished for too long.
    #[must_use]
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.version.at + STUCK_AFTER <= now)
    }

    /// Whether the parts of the pending load are overdue.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let is_overdue = |at: Timestamp| at + RESENT_AFTER <= now && now < at + RESENT_UNTIL;
        self.pending.as_ref().is_some_and(|pending| is_overdue(pending.version.at))
    }

    /// Whether a waiting load could go ahead.
    #[must_use]
    pub fn can_resume(&self, now: Timestamp) -> bool {
        !self.waiting.is_empty() && self.leased(now).is_none() && (self.pending.is_none() || self.is_stuck(now))
    }
}

/// Message to the matching queue, as `{"part": ...}` or `{"sweep": {}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToMatching {
    /// Apply a part.
    Part(Part),
    /// Finish what workers left that died. Sent by ingest's own sweep.
    Sweep {},
}

/// A pointer to a staged part: NDJSON of [`fc_model::Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The feed, written as `source` and `feed`.
    #[serde(flatten)]
    pub name: FeedName,
    /// The load.
    pub load: LoadId,
    /// The part's key in the staging bucket.
    pub key: String,
    /// The part's number in its load, from 0.
    pub number: u32,
    /// How many parts the load has.
    pub of: u32,
}

/// Message to the ingest queue, besides what S3 sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToIngest {
    /// Every part of a load has been applied.
    Finish(FeedLoad),
    /// Let the feed's waiting loads go ahead.
    Resume(FeedName),
    /// Look after all feeds: finish or resume what a lost worker left behind. Sent by a schedule.
    Sweep {},
}

/// A load of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedLoad {
    /// The feed, written as `source` and `feed`.
    #[serde(flatten)]
    pub name: FeedName,
    /// The load.
    pub load: LoadId,
}

impl ToMatching {
    /// As message body.
    ///
    /// # Errors
    /// Never in practice: the type has only texts and numbers.
    pub fn body(&self) -> Result<String, StoreError> {
        body(self)
    }
}

impl ToIngest {
    /// As message body.
    ///
    /// # Errors
    /// Never in practice: the type has only texts and numbers.
    pub fn body(&self) -> Result<String, StoreError> {
        body(self)
    }
}

fn body<T: Serialize>(message: &T) -> Result<String, StoreError> {
    serde_json::to_string(message).map_err(|_| StoreError::Corrupt { place: "memory".into(), reason: "not JSON" })
}

/// Remembers a load unless it is known, and gives what is known of it.
///
/// # Errors
/// When the table fails.
pub async fn create(loads: &Table, name: &FeedName, load: &Load) -> Result<Load, StoreError> {
    let item = load_item(name, load, 1)?;
    match loads.put(&item, Guard::Absent).await {
        Ok(()) => Ok(load.clone()),
        Err(StoreError::Conflict) => self::load(loads, name, &load.load).await?.ok_or(StoreError::Conflict),
        Err(error) => Err(error),
    }
}

/// A load.
///
/// # Errors
/// When the table fails.
pub async fn load(loads: &Table, name: &FeedName, load: &LoadId) -> Result<Option<Load>, StoreError> {
    loads.get(&name.load_key(load), true).await?.map(|item| item.read()).transpose()
}

/// A feed; the default one when nothing was ever loaded.
///
/// # Errors
/// When the table fails.
pub async fn feed(loads: &Table, name: &FeedName) -> Result<Feed, StoreError> {
    Ok(loads.get(&name.key(), true).await?.map(|item| item.read()).transpose()?.unwrap_or_default())
}

/// The latest loads of a feed, newest first.
///
/// # Errors
/// When the table fails.
pub async fn latest(loads: &Table, name: &FeedName, limit: u32) -> Result<Vec<Load>, StoreError> {
    let page = loads.query(&Query::of(name.partition()).prefix("LOAD#").descending().limit(limit)).await?;
    page.items.iter().map(Item::read).collect()
}

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// The caller's, with the feed as it is; everything written from now on checks the fence.
    Yours(Box<Feed>),
    /// Another load's: this one is on the waiting list and will be resumed.
    Waits,
    /// The caller's load is past its commit point: send its parts again.
    Committed(Pending),
    /// The load was closed earlier.
    Closed(LoadState),
    /// Another worker is at this very load: try again later.
    Busy,
}

/// Asks for the lease of a feed for one of its loads.
///
/// # Errors
/// When the table fails, or the load was never created.
pub async fn take_turn(loads: &Table, name: &FeedName, load: &LoadId, now: Timestamp) -> Result<Turn, StoreError> {
    for _ in 0..TRIES {
        let (feed_rev, mut feed, _, known) = both(loads, name, load).await?;
        if known.state.is_closed() {
            return Ok(Turn::Closed(known.state));
        }
        if let Some(pending) = feed.pending.take_if(|pending| pending.version.load == *load) {
            return Ok(Turn::Committed(pending));
        }
        if feed.leased(now).is_some_and(|lease| lease.load == *load) {
            return Ok(Turn::Busy);
        }
        if feed.leased(now).is_some() || (feed.pending.is_some() && !feed.is_stuck(now)) {
            if known.state == LoadState::Waiting && feed.waiting.contains(load) {
                return Ok(Turn::Waits);
            }
            let waits = together(loads, name, load, |feed, known| {
                // It may have become free meanwhile.
                let blocked = feed.leased(now).is_some() || (feed.pending.is_some() && !feed.is_stuck(now));
                if !blocked || known.state.is_closed() {
                    return Ok(false);
                }
                if !feed.waiting.contains(load) {
                    feed.waiting.push(load.clone());
                    feed.waiting.sort_unstable();
                }
                (known.state, known.since) = (LoadState::Waiting, now);
                Ok(true)
            });
            if waits.await? {
                return Ok(Turn::Waits);
            }
            continue;
        }
        feed.fence += 1;
        feed.lease = Some(Lease { load: load.clone(), until: now + LEASE });
        let guard = feed_rev.map_or(Guard::Absent, Guard::Is);
        match loads.put(&Item::json(name.key(), feed_rev.unwrap_or(0) + 1, &feed)?, guard).await {
            Ok(()) => return Ok(Turn::Yours(Box::new(feed))),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict)
}

/// Gives the lease back after a failure, so that the next try need not wait until it runs out.
///
/// # Errors
/// When the table fails.
pub async fn give_back(loads: &Table, name: &FeedName, fence: u64) -> Result<(), StoreError> {
    let release = |feed: Option<Feed>| {
        let held = feed.filter(|feed| feed.fence == fence && feed.lease.is_some());
        Ok::<_, StoreError>(held.map(|feed| Feed { lease: None, ..feed }))
    };
    loads.update(&name.key(), release).await.map(drop)
}

/// Remembers that records of a feed may have several rows.
///
/// # Errors
/// When the table fails.
pub async fn note_several_rows(loads: &Table, name: &FeedName) -> Result<(), StoreError> {
    let note = |feed: Option<Feed>| {
        let unknown = feed.filter(|feed| !feed.several_rows);
        Ok::<_, StoreError>(unknown.map(|feed| Feed { several_rows: true, ..feed }))
    };
    loads.update(&name.key(), note).await.map(drop)
}

/// Ends a load that changes nothing more: `end` sets the load's state and, for a load that turned out to change no
/// record, what the feed has applied. Held extracts older than that end with it. Returns whether other loads wait.
/// [`StoreError::Conflict`] when the lease was lost.
///
/// # Errors
/// When the table fails or the lease was lost.
pub async fn conclude(
    loads: &Table,
    name: &FeedName,
    fence: u64,
    load: &LoadId,
    now: Timestamp,
    end: impl Fn(&mut Feed, &mut Load),
) -> Result<bool, StoreError> {
    let mut others_wait = false;
    together(loads, name, load, |feed, known| {
        check_fence(feed, fence)?;
        end(feed, known);
        known.since = now;
        feed.lease = None;
        // What is pending here is stuck: it is not in use yet.
        if feed.pending.is_none() {
            feed.end_older_held(load);
        }
        feed.waiting.retain(|waiting| waiting != load);
        feed.attempt = Some(Attempt { load: load.clone(), at: now, state: known.state });
        others_wait = !feed.waiting.is_empty();
        Ok(true)
    })
    .await?;
    Ok(others_wait)
}

/// The commit point: before it nothing has happened, after it the load only goes forward. Gives up the lease. A stuck load
/// that this one takes over from is superseded by the same write. `whole` says how new a whole extract is.
///
/// # Errors
/// When the table fails or the lease was lost.
pub async fn commit(
    loads: &Table,
    name: &FeedName,
    fence: u64,
    pending: &Pending,
    whole: Option<&Whole>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let load = &pending.version.load;
    together(loads, name, load, |feed, known| {
        check_fence(feed, fence)?;
        feed.lease = None;
        feed.pending = Some(pending.clone());
        feed.note_whole(whole.cloned());
        feed.waiting.retain(|waiting| waiting != load);
        (known.state, known.since, known.as_of) = (LoadState::Applying, now, Some(pending.version.as_of));
        Ok(true)
    })
    .await
    .map(drop)
}

/// Remembers that a part has been applied; doing so again changes nothing. Returns whether every part of the load is
/// done, in which case the caller sends [`ToIngest::Finish`]: again and again if need be, it is only heard once.
///
/// Parts are spread over items of 64, so that many workers seldom meet; an item that is full is noted in one item for
/// the whole load.
///
/// # Errors
/// When the table fails.
pub async fn mark_part_done(loads: &Table, part: &Part, now: Timestamp) -> Result<bool, StoreError> {
    let groups = part.of.div_ceil(GROUP).max(1);
    let (group, bit) = (part.number % groups, part.number / groups);
    let members = (0..part.of).skip(group as usize).step_by(groups as usize).count();
    let key = parts_key(&part.name, &part.load, &group.to_string());
    if set_bit(loads, &key, bit, now).await? < members {
        return Ok(false);
    }
    if groups == 1 {
        return Ok(true);
    }
    let key = parts_key(&part.name, &part.load, "groups");
    Ok(set_bit(loads, &key, group, now).await? >= groups as usize)
}

/// Whether every part of a pending load has been applied.
///
/// # Errors
/// When the table fails.
pub async fn all_parts_done(loads: &Table, name: &FeedName, pending: &Pending) -> Result<bool, StoreError> {
    let of: u32 = pending.staged.iter().map(|staged| staged.parts).sum();
    let groups = of.div_ceil(GROUP).max(1);
    let (which, expected) = if groups == 1 { ("0", of) } else { ("groups", groups) };
    let item = loads.get(&parts_key(name, &pending.version.load, which), true).await?;
    let marks: Vec<u64> = item.map(|item| item.read()).transpose()?.unwrap_or_default();
    Ok(count(&marks) >= expected as usize)
}

/// The parts of a pending load that are not applied yet, in no order, at most `most`.
///
/// # Errors
/// When the table fails.
pub async fn parts_left(
    loads: &Table,
    name: &FeedName,
    pending: &Pending,
    most: usize,
) -> Result<Vec<Part>, StoreError> {
    let parts = pending.parts(name);
    let of: u32 = pending.staged.iter().map(|staged| staged.parts).sum();
    let groups = of.div_ceil(GROUP).max(1);
    let key = |group: u32| parts_key(name, &pending.version.load, &group.to_string());
    let items = loads.batch_get(&(0..groups).map(key).collect::<Vec<_>>(), true).await?;
    let mut marks: HashMap<Key, Vec<u64>> = HashMap::with_capacity(items.len());
    for item in items {
        marks.insert(item.key.clone(), item.read()?);
    }
    let is_done = |part: &Part| {
        let (group, bit) = (part.number % groups, part.number / groups);
        let word = marks.get(&key(group)).and_then(|marks| marks.get((bit / u64::BITS) as usize));
        word.is_some_and(|word| word & (1 << (bit % u64::BITS)) != 0)
    };
    Ok(parts.into_iter().filter(|part| !is_done(part)).take(most).collect())
}

/// Whether a part still has to be applied: its load is pending. Ask when a part's object is gone; a message that comes
/// twice may find the load finished and its parts deleted.
///
/// # Errors
/// When the table fails.
pub async fn is_pending(loads: &Table, part: &Part) -> Result<bool, StoreError> {
    let feed = feed(loads, &part.name).await?;
    Ok(feed.pending.is_some_and(|pending| pending.version.load == part.load))
}

fn parts_key(name: &FeedName, load: &LoadId, group: &str) -> Key {
    Key::new(name.partition(), format!("PARTS#{load}#{group}"))
}

/// Sets a bit and returns how many are set.
async fn set_bit(loads: &Table, key: &Key, bit: u32, now: Timestamp) -> Result<usize, StoreError> {
    let (word, mask) = ((bit / u64::BITS) as usize, 1u64 << (bit % u64::BITS));
    for _ in 0..TRIES {
        let found = loads.get(key, true).await?;
        let mut marks: Vec<u64> = found.as_ref().map(Item::read).transpose()?.unwrap_or_default();
        marks.resize(marks.len().max(word + 1), 0);
        if marks[word] & mask != 0 {
            return Ok(count(&marks));
        }
        marks[word] |= mask;
        let (rev, guard) = found.map_or((1, Guard::Absent), |item| (item.rev + 1, Guard::Is(item.rev)));
        let item = Item::json(key.clone(), rev, &marks)?.expiring((now + PARTS_REMEMBERED).as_second());
        match loads.put(&item, guard).await {
            Ok(()) => return Ok(count(&marks)),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict)
}

fn count(marks: &[u64]) -> usize {
    marks.iter().map(|word| word.count_ones() as usize).sum()
}

/// Makes the pending load the applied one, and ends held extracts that are older. Returns the version it replaced and
/// whether other loads wait; `None` when the load is not pending (any more), which is no error: finishing twice changes
/// nothing.
///
/// # Errors
/// When the table fails.
pub async fn finish(
    loads: &Table,
    name: &FeedName,
    load: &LoadId,
    now: Timestamp,
) -> Result<Option<Finished>, StoreError> {
    let mut finished = None;
    together(loads, name, load, |feed, known| {
        finished = None;
        let Some(pending) = feed.pending.take_if(|pending| pending.version.load == *load) else { return Ok(false) };
        let replaced = feed.applied.replace(Version { at: now, ..pending.version.clone() });
        feed.attempt = Some(Attempt { load: load.clone(), at: now, state: LoadState::Applied });
        feed.end_older_held(load);
        (known.state, known.since) = (LoadState::Applied, now);
        known.report = Some(report_key(name, load));
        finished = Some(Finished { pending, replaced, others_wait: !feed.waiting.is_empty() });
        Ok(true)
    })
    .await?;
    Ok(finished)
}

/// Puts another manifest in place of that of an applied load, and forgets which file it came of, so that the same file is
/// read again: for when the records are not as the manifest says. Returns whether it was done: not of a feed on which
/// somebody works, nor of one that has gone on.
///
/// # Errors
/// When the table fails.
pub async fn doubt(
    loads: &Table,
    name: &FeedName,
    load: &LoadId,
    manifest: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let is_done = |feed: &Feed| feed.applied.as_ref().is_some_and(|known| known.manifest.as_deref() == Some(manifest));
    let change = |feed: Option<Feed>| {
        let free = |feed: &Feed| feed.leased(now).is_none() && feed.pending.is_none() && !is_done(feed);
        let Some(mut feed) = feed.filter(free) else { return Ok::<_, StoreError>(None) };
        let Some(applied) = feed.applied.as_mut().filter(|applied| applied.load == *load) else { return Ok(None) };
        (applied.manifest, applied.content) = (Some(manifest.to_owned()), String::new());
        Ok(Some(feed))
    };
    let after = loads.update(&name.key(), change).await?;
    Ok(after.as_ref().is_some_and(is_done))
}

/// What [`finish`] did.
#[derive(Debug)]
pub struct Finished {
    /// What was pending and is applied now.
    pub pending: Pending,
    /// What was applied before.
    pub replaced: Option<Version>,
    /// Whether other loads wait for their turn.
    pub others_wait: bool,
}

/// Why a held load cannot be approved or rejected.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// No such load.
    #[error("There is no load {0} in this feed. List the feed's loads to see which are held.")]
    Unknown(LoadId),
    /// It is not held.
    #[error("Load {load} is {state:?}, not held, so there is nothing to decide.")]
    NotHeld {
        /// The load.
        load: LoadId,
        /// Its state.
        state: LoadState,
    },
    /// Approving it cannot help.
    #[error("Load {0} lacks a column that must be there. Approving cannot help: ask the owner for a whole file.")]
    Incomplete(LoadId),
    /// The table or the queue failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A person says that a held load is right. It is read and compared again, because what is applied may have changed
/// meanwhile, and applied without the limits.
///
/// # Errors
/// When the load is not held, cannot be used anyway, or the stores fail.
pub async fn approve(
    loads: &Table,
    ingest: &Queue,
    name: &FeedName,
    load: &LoadId,
    now: Timestamp,
) -> Result<(), DecisionError> {
    decide(loads, name, load, |feed, known| {
        if !known.can_be_approved {
            return Err(DecisionError::Incomplete(load.clone()));
        }
        (known.state, known.since, known.approved) = (LoadState::Waiting, now, true);
        if !feed.waiting.contains(load) {
            feed.waiting.push(load.clone());
            feed.waiting.sort_unstable();
        }
        Ok(())
    })
    .await?;
    // Sent after the decision is kept: if this fails, approving again says "not held" but the sweep resumes the feed.
    ingest.send(vec![ToIngest::Resume(name.clone()).body()?]).await?;
    Ok(())
}

/// A person says that a held load must not be applied. Old data goes on being served until the next file.
///
/// # Errors
/// When the load is not held, or the table fails.
pub async fn reject(loads: &Table, name: &FeedName, load: &LoadId, now: Timestamp) -> Result<(), DecisionError> {
    decide(loads, name, load, |feed, known| {
        (known.state, known.since) = (LoadState::Rejected, now);
        if feed.attempt.as_ref().is_some_and(|attempt| attempt.load == *load) {
            feed.attempt = Some(Attempt { load: load.clone(), at: now, state: LoadState::Rejected });
        }
        Ok(())
    })
    .await
}

async fn decide(
    loads: &Table,
    name: &FeedName,
    load: &LoadId,
    change: impl Fn(&mut Feed, &mut Load) -> Result<(), DecisionError>,
) -> Result<(), DecisionError> {
    if self::load(loads, name, load).await?.is_none() {
        return Err(DecisionError::Unknown(load.clone()));
    }
    together(loads, name, load, |feed, known| {
        if known.state != LoadState::Held {
            return Err(DecisionError::NotHeld { load: load.clone(), state: known.state });
        }
        feed.held.retain(|held| held.load != *load);
        change(feed, known).map(|()| true)
    })
    .await
    .map(drop)
}

/// How a feed is doing, for pages: may what it says be relied on?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedHealth {
    /// Nothing was ever applied.
    Never,
    /// The last file was applied, or changed nothing.
    Ok,
    /// The last file waits for a person: older data is served.
    Held,
    /// The last file could not be used: older data is served, if any.
    Failed,
}

/// How a feed is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedStatus {
    /// The source.
    pub source: SourceId,
    /// The feed.
    pub feed: FeedId,
    /// When what is served was true in the source: "last updated on".
    pub last_applied_as_of: Option<Timestamp>,
    /// When it was applied.
    pub last_applied_at: Option<Timestamp>,
    /// When a file was last dealt with, whatever came of it.
    pub last_attempt_at: Option<Timestamp>,
    /// Records in the feed.
    pub records: u64,
    /// May it be relied on?
    pub state: FeedHealth,
}

/// Opens a connection before the first person waits for one: a read of an item that nobody writes, at half a read unit. It
/// may fail, and gives up after a moment, without harm.
pub async fn warm_up(loads: &Table) {
    let nobody = [Key::new("WARM", "UP")];
    let done = tokio::time::timeout(WARM_UP, loads.batch_get(&nobody, false)).await;
    if !matches!(done, Ok(Ok(_))) {
        tracing::warn!(reason = "no answer in time", "connection not opened ahead");
    }
}

/// How feeds are doing, in the order asked; one call for up to 100 feeds. Eventually consistent.
///
/// # Errors
/// When the table fails.
pub async fn feed_statuses(loads: &Table, feeds: &[(SourceId, FeedId)]) -> Result<Vec<FeedStatus>, StoreError> {
    let names: Vec<FeedName> = feeds.iter().map(|(source, feed)| FeedName::new(source.clone(), feed.clone())).collect();
    let keys: Vec<Key> = names.iter().map(FeedName::key).collect();
    let items = if keys.is_empty() { Vec::new() } else { loads.batch_get(&keys, false).await? };
    let mut statuses = Vec::with_capacity(names.len());
    for (name, key) in names.into_iter().zip(&keys) {
        let feed: Feed = items.iter().find(|item| item.key == *key).map(Item::read).transpose()?.unwrap_or_default();
        let ended = feed.attempt.as_ref().map(|attempt| attempt.state);
        let state = match ended {
            Some(LoadState::Held) => FeedHealth::Held,
            Some(LoadState::Refused | LoadState::Rejected) => FeedHealth::Failed,
            _ if feed.applied.is_some() => FeedHealth::Ok,
            _ => FeedHealth::Never,
        };
        statuses.push(FeedStatus {
            last_applied_as_of: feed.applied.as_ref().map(|applied| applied.as_of),
            last_applied_at: feed.applied.as_ref().map(|applied| applied.at),
            last_attempt_at: feed.attempt.as_ref().map(|attempt| attempt.at),
            records: feed.applied.as_ref().map_or(0, |applied| applied.records),
            source: name.source,
            feed: name.feed,
            state,
        });
    }
    Ok(statuses)
}

fn check_fence(feed: &Feed, fence: u64) -> Result<(), StoreError> {
    if feed.fence == fence && feed.lease.is_some() { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Where the report of a load lies in the reports bucket, without the ending.
#[must_use]
pub fn report_key(name: &FeedName, load: &LoadId) -> String {
    format!("{name}/{load}")
}

fn load_item(name: &FeedName, load: &Load, rev: u64) -> Result<Item, StoreError> {
    let forgotten = (load.upload.at.max(load.since) + REMEMBERED).as_second();
    Ok(Item::json(name.load_key(&load.load), rev, load)?.expiring(forgotten))
}

/// A feed and one of its loads, each with its version.
async fn both(loads: &Table, name: &FeedName, load: &LoadId) -> Result<(Option<u64>, Feed, u64, Load), StoreError> {
    let (feed_key, load_key) = (name.key(), name.load_key(load));
    let items = loads.batch_get(&[feed_key.clone(), load_key.clone()], true).await?;
    let find = |key: &Key| items.iter().find(|item| item.key == *key);
    let missing = || StoreError::Corrupt { place: loads.name().to_owned(), reason: "no such load" };
    let known = find(&load_key).ok_or_else(missing)?;
    let feed = find(&feed_key);
    Ok((feed.map(|item| item.rev), feed.map(Item::read).transpose()?.unwrap_or_default(), known.rev, known.read()?))
}

/// Changes a feed and one of its loads in one transaction, starting over when somebody else wrote first. `change` says
/// whether to write at all; so does the result. Another load that was pending or held before, and is no more, is superseded
/// with it: only [`finish`] ends a pending load otherwise, and only a decision a held one.
async fn together<E: From<StoreError>>(
    loads: &Table,
    name: &FeedName,
    load: &LoadId,
    mut change: impl FnMut(&mut Feed, &mut Load) -> Result<bool, E>,
) -> Result<bool, E> {
    for _ in 0..TRIES {
        let (feed_rev, mut feed, load_rev, mut known) = both(loads, name, load).await?;
        let before = feed.open();
        if !change(&mut feed, &mut known)? {
            return Ok(false);
        }
        let mut ended = &before - &feed.open();
        ended.remove(load);
        let feed_item = Item::json(name.key(), feed_rev.unwrap_or(0) + 1, &feed)?;
        let mut ops = vec![
            Op::Put(feed_item, feed_rev.map_or(Guard::Absent, Guard::Is)),
            Op::Put(load_item(name, &known, load_rev + 1)?, Guard::Is(load_rev)),
        ];
        for other in ended {
            let Some(item) = loads.get(&name.load_key(&other), true).await? else { continue };
            let other = Load { state: LoadState::Superseded, since: known.since, ..item.read::<Load>()? };
            ops.push(Op::Put(load_item(name, &other, item.rev + 1)?, Guard::Is(item.rev)));
        }
        match loads.transact(&ops).await {
            Ok(()) => return Ok(true),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn housing() -> FeedName {
        FeedName::new("housing".parse().unwrap(), "people".parse().unwrap())
    }

    #[test]
    fn load_ids_sort_by_time_and_are_safe_in_object_names() {
        let monday = LoadId::new("2026-03-02T01:00:00Z".parse().unwrap(), "ffff0000ffff0000ffff");
        let tuesday = LoadId::new("2026-03-03T01:00:00Z".parse().unwrap(), "0000");
        assert_eq!(monday.to_string(), "20260302T010000000Z-ffff0000ffff0000");
        assert!(monday < tuesday);
        assert!(LoadId::parse("../secrets").is_err());
        assert_eq!(LoadId::parse(&monday.to_string()).unwrap(), monday);
    }

    #[test]
    fn of_two_whole_extracts_of_one_day_the_one_uploaded_last_is_newer_and_ends_the_held_one() {
        let whole = |as_of: Option<&str>, at: &str| Whole {
            as_of: as_of.map(|day| day.parse().unwrap()),
            load: LoadId::new(at.parse().unwrap(), "ff"),
        };
        let (day, before) = (Some("2026-03-02T00:00:00Z"), Some("2026-03-01T00:00:00Z"));
        let [first, second, third] = ["01", "02", "03"].map(|hour| whole(day, &format!("2026-03-02T{hour}:00:00Z")));
        let unreadable = whole(None, "2026-03-02T01:30:00Z");
        let held = vec![first.clone(), unreadable.clone(), third.clone()];
        let mut feed = Feed { held, ..Feed::default() };
        feed.note_whole(Some(second.clone()));
        assert!(feed.has_newer(&first) && feed.has_newer(&unreadable) && !feed.has_newer(&third));
        assert!(feed.has_newer(&whole(before, "2026-03-02T04:00:00Z")), "an older day, uploaded late");
        feed.end_older_held(&second.load);
        assert_eq!(feed.held, [third]);
        feed.note_whole(Some(first));
        assert_eq!(feed.whole, Some(second), "what is older takes no place");
    }

    #[test]
    fn messages_are_flat_json() {
        let load: LoadId = "20260302T010000000Z-ff".parse().unwrap();
        let finish = ToIngest::Finish(FeedLoad { name: housing(), load: load.clone() });
        assert_eq!(
            finish.body().unwrap(),
            r#"{"finish":{"source":"housing","feed":"people","load":"20260302T010000000Z-ff"}}"#
        );
        let part = Part { name: housing(), load, key: "k".into(), number: 0, of: 1 };
        let body = ToMatching::Part(part.clone()).body().unwrap();
        assert_eq!(serde_json::from_str::<ToMatching>(&body).unwrap(), ToMatching::Part(part));
        assert_eq!(serde_json::from_str::<ToIngest>(r#"{"sweep":{}}"#).unwrap(), ToIngest::Sweep {});
    }

    #[test]
    fn a_load_that_took_over_a_stuck_delta_sends_both_sets_of_parts() {
        let now = "2026-03-02T01:00:00Z".parse().unwrap();
        let version = Version {
            load: "new".parse().unwrap(),
            number: 2,
            as_of: now,
            at: now,
            content: String::new(),
            definition: String::new(),
            manifest: None,
            records: 0,
        };
        let staged = |prefix: &str, parts| Staged { prefix: prefix.into(), parts };
        let pending = Pending { version, staged: vec![staged("new/part-", 1), staged("old/part-", 2)] };
        let parts = pending.parts(&housing());
        let keys: Vec<&str> = parts.iter().map(|part| &*part.key).collect();
        assert_eq!(keys, ["new/part-0", "old/part-0", "old/part-1"]);
        assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(parts.iter().all(|part| part.of == 3));
    }
}

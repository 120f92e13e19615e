//! The records table: what matching works on. Nobody else reads it.
//!
//! | key (`pk` / `sk`) | content | `rev` |
//! | --- | --- | --- |
//! | `REC#<handle>` / `REC` | [`Record`]: what each feed says of a record | grows with every change |
//! | `KEY#<hash>` / `<handle>`, `<handle>@<birth>` | nothing: the record is filed so under this blocking key | that of the record when filed |
//! | `KEY#<hash>` / `!` | nothing: the key is known to be saturated; or that this is being settled | grows |
//! | `HEAD#<handle>` / `HEAD` | the cluster a record started, or where it went | the cluster's epoch |
//! | `HEAD#<handle>` / `CHUNK#<name>#<n>` | a piece of a cluster too large for one item | 0 |
//! | `WORK` / `<second>#<name>` | [`Errand`]: what a worker is about, until it has seen it through | 1 |
//! | `FACT#<handle>` / `NEVER` | handles of records that must never be linked with this one | grows |
//! | `FACT#<handle>`, `FACT#<identifier hash>` / `RESTRICT` | which records restrict this one, or all of this identifier | grows |
//!
//! A fact is kept for good: it outlives the record that stated it, and holds nothing but keyed hashes.
//!
//! Every read is strongly consistent: the convergence protocol of matching depends on it. A version never falls back,
//! even when an expired item has been deleted and is made anew: it is at least the time in seconds.

use crate::{Guard, Item, Key, Op, Query, StoreError, Table, table::TRANSACTION};
use fc_model::{Details, FeedId, HandleKey, Protection, RecordHandle, RecordId, Seq};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

/// How long what was deleted is remembered: longer than the longest redrive of a queue (14 days), so that a message that
/// comes late cannot bring it back.
pub const REMEMBERED_SECONDS: i64 = 30 * 24 * 60 * 60;

/// How long a worker may go on committing: the longest a Lambda function can run.
pub const WORK_SECONDS: i64 = 15 * 60;

/// After this long whoever opened a ticket has ended, well or not: its time, a call that it was waiting for, and what
/// clocks differ.
pub const LEFT_AFTER_SECONDS: i64 = 60 * 60;

/// Largest text kept in one head or chunk: an item may have 400 KB, and what else it holds is small.
const LARGEST_TEXT: usize = 300 * 1024;

/// How often a cluster in chunks is read again when somebody rewrote it meanwhile.
const CHUNK_TRIES: usize = 8;

/// How often unfiling is tried when another transaction is in the way.
const UNFILE_TRIES: u32 = 8;
/// The first pause between two tries; grows with each.
const UNFILE_PAUSE: Duration = Duration::from_millis(10);

/// Sort key of the mark of a saturated key: before every handle.
const MARK: &str = "!";

/// What a mark says while its key is being settled.
const SETTLING: &str = "settling";

/// A version for a new or changed item: above the last one, and at least the time.
#[must_use]
pub fn next_rev(last: Option<u64>, now_seconds: i64) -> u64 {
    let now = u64::try_from(now_seconds).unwrap_or(0);
    last.map_or(now, |last| now.max(last + 1))
}

/// Whether an item has expired: it may still be there, but does not count.
fn is_expired(item: &Item, now_seconds: i64) -> bool {
    item.expires.is_some_and(|expires| expires <= now_seconds)
}

/// What one feed says of a record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Fragment {
    /// When it was true.
    pub seq: Seq,
    /// What it says; `None` when the record has left the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// A record, feed by feed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its name in its source.
    pub id: RecordId,
    /// What each feed says.
    pub fragments: BTreeMap<FeedId, Fragment>,
    /// How it is filed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Filing>,
    /// How it was filed before, still to be deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obsolete: Vec<Filing>,
    /// Records it must never be linked with: every one its source ever named, and what was kept of a former stay.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub never: BTreeSet<RecordHandle>,
    /// What its source restricted it to, and has not lifted in so many words since: a copy of its fact.
    #[serde(default, skip_serializing_if = "is_open")]
    pub restricted: Protection,
    /// Under what that fact is kept: itself, and every identifier it had since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub restricted_under: BTreeSet<Restrictable>,
    /// Whether it ever took part in matching, so that its removal has something to undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub matched: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_open(protection: &Protection) -> bool {
    *protection == Protection::None
}

impl std::fmt::Debug for Fragment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fragment(redacted)")
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Record(redacted)")
    }
}

/// A record with its version.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The version, also of a record that has expired.
    pub rev: u64,
    /// The record; `None` when it has expired.
    pub record: Option<Record>,
}

fn record_key(handle: &RecordHandle) -> Key {
    Key::new(format!("REC#{handle}"), "REC")
}

/// Records by handle; those never seen are left out.
///
/// # Errors
/// When the table cannot be read.
pub async fn read(
    table: &Table,
    handles: impl IntoIterator<Item = &RecordHandle>,
    now_seconds: i64,
) -> Result<HashMap<RecordHandle, Stored>, StoreError> {
    let by_pk: HashMap<String, &RecordHandle> =
        handles.into_iter().map(|handle| (record_key(handle).pk, handle)).collect();
    let keys: Vec<Key> = by_pk.values().map(|handle| record_key(handle)).collect();
    let mut found = HashMap::with_capacity(keys.len());
    for item in table.batch_get(&keys, true).await? {
        if let Some(handle) = by_pk.get(&item.key.pk) {
            let record = if is_expired(&item, now_seconds) { None } else { Some(item.read()?) };
            found.insert((*handle).clone(), Stored { rev: item.rev, record });
        }
    }
    Ok(found)
}

/// Writes a record if its version is still `last`. `expires` is for a record that no feed has any more.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody wrote first; otherwise when the table cannot be written.
pub async fn write(
    table: &Table,
    handle: &RecordHandle,
    last: Option<u64>,
    rev: u64,
    record: &Record,
    expires: Option<i64>,
) -> Result<(), StoreError> {
    let item = Item { expires, ..Item::json(record_key(handle), rev, record)? };
    table.put(&item, last.map_or(Guard::Absent, Guard::Is)).await
}

fn never_key(handle: &RecordHandle) -> Key {
    Key::new(format!("FACT#{handle}"), "NEVER")
}

/// Which records these must never be linked with, whoever said so and whether or not the one who did is still here.
///
/// # Errors
/// When the table cannot be read.
pub async fn never_links(
    table: &Table,
    handles: impl IntoIterator<Item = &RecordHandle>,
) -> Result<HashMap<RecordHandle, BTreeSet<RecordHandle>>, StoreError> {
    let by_pk: HashMap<String, &RecordHandle> =
        handles.into_iter().map(|handle| (never_key(handle).pk, handle)).collect();
    let keys: Vec<Key> = by_pk.values().map(|handle| never_key(handle)).collect();
    let mut found = HashMap::new();
    for item in table.batch_get(&keys, true).await? {
        if let Some(handle) = by_pk.get(&item.key.pk) {
            found.insert((*handle).clone(), item.read()?);
        }
    }
    Ok(found)
}

/// Keeps for good, from both sides, that a record must never be linked with others. Its own side comes last: whoever finds
/// it there may rely on the others'.
///
/// # Errors
/// [`StoreError::Conflict`] when others kept writing first; otherwise when the table cannot be written.
pub async fn keep_apart(
    table: &Table,
    handle: &RecordHandle,
    others: &BTreeSet<RecordHandle>,
) -> Result<(), StoreError> {
    for other in others {
        add_never(table, other, &BTreeSet::from([handle.clone()])).await?;
    }
    add_never(table, handle, others).await
}

async fn add_never(table: &Table, handle: &RecordHandle, more: &BTreeSet<RecordHandle>) -> Result<(), StoreError> {
    let add = |known: Option<BTreeSet<RecordHandle>>| -> Result<_, StoreError> {
        let known = known.unwrap_or_default();
        Ok((!more.is_subset(&known)).then(|| known.union(more).cloned().collect()))
    };
    table.update(&never_key(handle), add).await.map(|_| ())
}

/// What restrictions are kept under: a record, or an identifier whoever has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Restrictable(String);

impl Restrictable {
    /// A record.
    #[must_use]
    pub fn record(handle: &RecordHandle) -> Self {
        Self(handle.to_string())
    }

    /// The identifiers of a record by which it is known again under another record id.
    #[must_use]
    pub fn identifiers(key: &HandleKey, details: &Details) -> Vec<Self> {
        let nhs = details.nhs_number.as_ref().map(|number| format!("nhs:{}", number.as_str()));
        let upn = details.upn.as_ref().map(|upn| format!("upn:{}", upn.as_str()));
        let case = details.case_id.as_ref().map(|case| {
            let case: String = case.as_str().split_whitespace().collect();
            format!("case:{}", case.to_lowercase())
        });
        [nhs, upn, case].into_iter().flatten().map(|text| Self(key.hash("restrict", &text))).collect()
    }

    fn key(&self) -> Key {
        Key::new(format!("FACT#{}", self.0), "RESTRICT")
    }
}

/// A restriction, by the record that states it.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Restriction {
    /// How far; `None` when it was lifted, which is remembered so that a late worker cannot undo it.
    protection: Protection,
    /// Of which extract that is; absent when no extract said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
}

/// Which records restrict these, and how far; those that nothing restricts are left out. One call for up to 100.
///
/// # Errors
/// When the table cannot be read.
pub async fn restrictions(
    table: &Table,
    of: &BTreeSet<Restrictable>,
) -> Result<HashMap<Restrictable, BTreeMap<RecordHandle, Protection>>, StoreError> {
    let by_key: HashMap<Key, &Restrictable> = of.iter().map(|one| (one.key(), one)).collect();
    let keys: Vec<Key> = by_key.keys().cloned().collect();
    let mut found = HashMap::new();
    if keys.is_empty() {
        return Ok(found);
    }
    for item in table.batch_get(&keys, true).await? {
        let Some(one) = by_key.get(&item.key) else { continue };
        let stated: BTreeMap<RecordHandle, Restriction> = item.read()?;
        let stated = stated.into_iter().map(|(by, said)| (by, said.protection));
        found.insert((*one).clone(), stated.filter(|(_, protection)| *protection > Protection::None).collect());
    }
    Ok(found)
}

/// Keeps for good how far a record restricts others, or itself. What a later extract said of it counts, and of the same
/// one the strictest; without an extract, the strictest ever.
///
/// # Errors
/// [`StoreError::Conflict`] when others kept writing first; otherwise when the table cannot be written.
pub async fn restrict(
    table: &Table,
    what: &Restrictable,
    by: &RecordHandle,
    protection: Protection,
    seq: Option<Seq>,
) -> Result<(), StoreError> {
    let said = Restriction { protection, seq };
    let change = |stated: Option<BTreeMap<RecordHandle, Restriction>>| -> Result<_, StoreError> {
        let mut stated = stated.unwrap_or_default();
        let counts = match stated.get(by) {
            None => protection > Protection::None,
            Some(known) => said.seq > known.seq || (said.seq == known.seq && protection > known.protection),
        };
        Ok(counts.then(|| {
            stated.insert(by.clone(), said);
            stated
        }))
    };
    table.update(&what.key(), change).await.map(|_| ())
}

/// How a record is filed: under the hash of a blocking key, with hashes of parts of its birth date where the key alone says
/// too little. Written `<hash>` or `<hash>@<birth>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Filing(String);

/// Letters of the hash of one part of a birth date.
const PART_LENGTH: usize = 4;

impl Filing {
    /// Under a key alone: who shares it meets this record, whatever their birth dates.
    #[must_use]
    pub fn under(hash: &str) -> Self {
        Self(hash.to_owned())
    }

    /// Under a key, for records that have a part of the birth date in common, or none. Of each part's hash a few letters are
    /// kept: two that collide are read for nothing.
    #[must_use]
    pub fn with_birth(hash: &str, parts: &[String]) -> Self {
        let parts: String = parts.iter().map(|part| part.chars().take(PART_LENGTH).collect::<String>()).collect();
        Self(format!("{hash}@{parts}"))
    }

    /// The key's hash.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }

    /// Hashes of parts of the birth date; empty when it may be any.
    #[must_use]
    pub fn birth(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, birth)| birth)
    }

    /// Whether two records that are filed so under one key may be of one birth date.
    #[must_use]
    pub fn may_be_one_birth(&self, other: &Self) -> bool {
        let (own, others) = (self.birth().as_bytes(), other.birth().as_bytes());
        let mut parts = own.chunks(PART_LENGTH).zip(others.chunks(PART_LENGTH));
        own.is_empty() || others.is_empty() || parts.any(|(own, other)| own == other)
    }

    /// As the sort key of a record that is filed so.
    fn sk(&self, handle: &RecordHandle) -> String {
        match self.birth() {
            "" => handle.to_string(),
            birth => format!("{handle}@{birth}"),
        }
    }

    fn key(&self, handle: &RecordHandle) -> Key {
        Key::new(block_pk(self.hash()), self.sk(handle))
    }

    /// Reads a key of the table; `None` if no record is filed there.
    fn of(hash: &str, sk: &str) -> Option<(RecordHandle, Self)> {
        let (handle, birth) = sk.split_once('@').map_or((sk, None), |(handle, birth)| (handle, Some(birth)));
        let filing = birth.map_or_else(|| hash.to_owned(), |birth| format!("{hash}@{birth}"));
        Some((RecordHandle::parse(handle).ok()?, Self(filing)))
    }
}

impl std::fmt::Debug for Filing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filing(redacted)")
    }
}

/// The members of a blocking key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Records filed under it, and how; only as many as were asked for.
    pub members: Vec<(RecordHandle, Filing)>,
    /// What is said of its saturation; nothing of a key that is open.
    pub mark: Option<Mark>,
    /// The version of that.
    pub mark_rev: Option<u64>,
}

/// What is said of a key's saturation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is saturated, and none of its members is linked by it.
    Saturated,
    /// Somebody is looking at its members again, or died over it: what links they have by it is not known.
    Settling,
}

impl Mark {
    fn of(item: &Item) -> Self {
        if item.data.is_empty() { Self::Saturated } else { Self::Settling }
    }
}

fn block_pk(hash: &str) -> String {
    format!("KEY#{hash}")
}

/// Files records, each at its version.
///
/// # Errors
/// When the table cannot be written.
pub async fn file(table: &Table, entries: &BTreeMap<(Filing, RecordHandle), u64>) -> Result<(), StoreError> {
    let item = |((filing, handle), rev): (&(Filing, RecordHandle), &u64)| Item::bare(filing.key(handle), *rev);
    table.batch_write(&entries.iter().map(item).collect::<Vec<_>>(), &[]).await
}

/// How a record is still filed, of these. One call for up to 100.
///
/// # Errors
/// When the table cannot be read.
pub async fn still_filed(table: &Table, handle: &RecordHandle, of: &[Filing]) -> Result<Vec<Filing>, StoreError> {
    let keys: Vec<Key> = of.iter().map(|filing| filing.key(handle)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = table.batch_get(&keys, true).await?;
    let filing = |item: &Item| Some(Filing::of(item.key.pk.strip_prefix("KEY#")?, &item.key.sk)?.1);
    Ok(found.iter().filter_map(filing).collect())
}

/// Takes a record out of keys that it does not list at version `rev`; `None` when there is no record. Nothing happens if it has
/// another version by now: that may list them, and its entries may be no newer than those of this version, for a worker that
/// was slow may have filed it meanwhile. One transaction for up to 99 keys.
///
/// # Errors
/// [`StoreError::Conflict`] when others go on being in the way; otherwise when the table cannot be used.
pub async fn unfile(
    table: &Table,
    handle: &RecordHandle,
    rev: Option<u64>,
    filings: impl IntoIterator<Item = &Filing>,
) -> Result<(), StoreError> {
    let deletes: Vec<Op> = filings.into_iter().map(|filing| Op::Delete(filing.key(handle), Guard::None)).collect();
    let still = Op::Check(record_key(handle), rev.map_or(Guard::Absent, Guard::Is));
    for deletes in deletes.chunks(TRANSACTION - 1) {
        let ops = [deletes, std::slice::from_ref(&still)].concat();
        let mut attempt = 1;
        while let Err(error) = table.transact(&ops).await {
            if error != StoreError::Conflict {
                return Err(error);
            }
            if table.get(&record_key(handle), true).await?.map(|item| item.rev) != rev {
                return Ok(());
            }
            if attempt == UNFILE_TRIES {
                return Err(error);
            }
            table.pause(UNFILE_PAUSE * attempt).await;
            attempt += 1;
        }
    }
    Ok(())
}

/// The members of a key: at most `most` of them, or all.
///
/// # Errors
/// When the table cannot be read.
pub async fn block(table: &Table, hash: &str, most: Option<usize>) -> Result<Block, StoreError> {
    let mut block = Block::default();
    let mut query = Query::of(block_pk(hash)).consistent();
    if let Some(most) = most {
        // One more for the mark.
        query = query.limit(u32::try_from(most + 1).unwrap_or(u32::MAX));
    }
    loop {
        let page = table.query(&query).await?;
        for item in page.items {
            match Filing::of(hash, &item.key.sk) {
                Some(member) => block.members.push(member),
                None => (block.mark, block.mark_rev) = (Some(Mark::of(&item)), Some(item.rev)),
            }
        }
        match page.next {
            Some(next) if most.is_none() => query = query.after(next),
            _ => break,
        }
    }
    if let Some(most) = most {
        block.members.truncate(most);
    }
    Ok(block)
}

/// Those of these keys that are marked.
///
/// # Errors
/// When the table cannot be read.
pub async fn marks<'a>(
    table: &Table,
    hashes: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, Mark>, StoreError> {
    let keys: BTreeSet<&str> = hashes.into_iter().collect();
    let keys: Vec<Key> = keys.into_iter().map(mark_key).collect();
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = table.batch_get(&keys, true).await?;
    let hash = |item: &Item| item.key.pk.strip_prefix("KEY#").map(str::to_owned);
    Ok(found.iter().filter_map(|item| Some((hash(item)?, Mark::of(item)))).collect())
}

fn mark_key(hash: &str) -> Key {
    Key::new(block_pk(hash), MARK)
}

/// Says that a key is being settled, whoever else is at it, unless its mark is no longer the one that was `seen`. Returns the
/// version of the mark; `None` when it is another by now.
///
/// # Errors
/// When the table cannot be used.
pub async fn settle(table: &Table, hash: &str, seen: Option<u64>, now_seconds: i64) -> Result<Option<u64>, StoreError> {
    let rev = next_rev(seen, now_seconds);
    match table.put(&Item::json(mark_key(hash), rev, &SETTLING)?, seen.map_or(Guard::Absent, Guard::Is)).await {
        Ok(()) => Ok(Some(rev)),
        Err(StoreError::Conflict) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Says how a key was settled, unless somebody else has begun to settle it since the mark had this version. Returns whether
/// it is said.
///
/// # Errors
/// When the table cannot be written.
pub async fn settled(table: &Table, hash: &str, rev: u64, is_saturated: bool) -> Result<bool, StoreError> {
    let key = mark_key(hash);
    let done = if is_saturated {
        table.put(&Item::bare(key, rev + 1), Guard::Is(rev)).await
    } else {
        table.delete(&key, Guard::Is(rev)).await
    };
    match done {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a worker is about: its records and their clusters, and keys that it settles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Records.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub records: BTreeSet<RecordHandle>,
    /// Hashes of blocking keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<String>,
}

impl Errand {
    /// To see to records.
    pub fn of_records(records: impl IntoIterator<Item = RecordHandle>) -> Self {
        Self { records: records.into_iter().collect(), keys: BTreeSet::new() }
    }

    /// To settle a key.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        Self { records: BTreeSet::new(), keys: BTreeSet::from([key.to_owned()]) }
    }
}

/// A ticket that is open: an [`Errand`] that somebody is on, or died over.
#[derive(Debug)]
pub struct Ticket(Key);

/// The partition of tickets. One for all: ten workers write two a part, and those of an hour ago are few.
const WORK: &str = "WORK";

/// Writes down what a worker is about: before its first commit. `name` is one that no other ticket has.
///
/// # Errors
/// When the table cannot be written.
pub async fn open_ticket(table: &Table, name: &str, errand: &Errand, now_seconds: i64) -> Result<Ticket, StoreError> {
    // Sorted by age.
    let key = Key::new(WORK, format!("{now_seconds:020}#{name}"));
    table.put(&Item::json(key.clone(), 1, errand)?, Guard::None).await?;
    Ok(Ticket(key))
}

/// The worker has seen it through: everything it committed is projected.
///
/// # Errors
/// When the table cannot be written.
pub async fn close_ticket(table: &Table, ticket: &Ticket) -> Result<(), StoreError> {
    table.delete(&ticket.0, Guard::None).await
}

/// Tickets opened before a second, the oldest first; at most `most`.
///
/// # Errors
/// When the table cannot be read.
pub async fn left_tickets(table: &Table, before_seconds: i64, most: u32) -> Result<Vec<(Ticket, Errand)>, StoreError> {
    let page = table.query(&Query::of(WORK).consistent().limit(most)).await?;
    let until = format!("{before_seconds:020}");
    let old = page.items.into_iter().filter(|item| item.key.sk < until);
    old.map(|item| Ok((Ticket(item.key.clone()), item.read()?))).collect()
}

/// A cluster's head, or where it went.
#[derive(Debug, Clone, PartialEq)]
pub struct Head<C> {
    /// The epoch, also of a head that has expired; `None` when there never was one.
    pub epoch: Option<u64>,
    /// What it holds; `None` when absent or expired.
    pub content: Option<Held<C>>,
    /// Whether it is kept in chunks.
    pub chunked: bool,
}

/// What a head holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Held<C> {
    /// The record's cluster was joined to that of another record.
    Stub(RecordHandle),
    /// The cluster.
    Root(C),
}

/// How a head is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Written<C> {
    To(RecordHandle),
    Root(C),
    Chunks { name: String, count: usize },
}

fn head_key(handle: &RecordHandle) -> Key {
    Key::new(format!("HEAD#{handle}"), "HEAD")
}

fn chunk_key(handle: &RecordHandle, name: &str, number: usize) -> Key {
    Key::new(format!("HEAD#{handle}"), format!("CHUNK#{name}#{number:04}"))
}

/// Heads by handle; every handle asked for is in the answer.
///
/// # Errors
/// When the table cannot be read, or a large cluster is being rewritten over and over.
pub async fn heads<C: DeserializeOwned>(
    table: &Table,
    handles: &BTreeSet<RecordHandle>,
    now_seconds: i64,
) -> Result<HashMap<RecordHandle, Head<C>>, StoreError> {
    let keys: Vec<Key> = handles.iter().map(head_key).collect();
    let items = if keys.is_empty() { Vec::new() } else { table.batch_get(&keys, true).await? };
    let mut by_pk: HashMap<String, Item> = items.into_iter().map(|item| (item.key.pk.clone(), item)).collect();
    let mut heads = HashMap::with_capacity(handles.len());
    for handle in handles {
        let head = match by_pk.remove(&head_key(handle).pk) {
            Some(item) => whole_head(table, handle, item, now_seconds).await?,
            None => Head { epoch: None, content: None, chunked: false },
        };
        heads.insert(handle.clone(), head);
    }
    Ok(heads)
}

/// A head with its chunks, when it has any. Chunks never change; when some are gone the head has moved on, so it is read
/// again.
async fn whole_head<C: DeserializeOwned>(
    table: &Table,
    handle: &RecordHandle,
    mut item: Item,
    now_seconds: i64,
) -> Result<Head<C>, StoreError> {
    for _ in 0..CHUNK_TRIES {
        let epoch = Some(item.rev);
        if is_expired(&item, now_seconds) {
            return Ok(Head { epoch, content: None, chunked: false });
        }
        let (name, count) = match item.read::<Written<C>>()? {
            Written::To(to) => return Ok(Head { epoch, content: Some(Held::Stub(to)), chunked: false }),
            Written::Root(cluster) => return Ok(Head { epoch, content: Some(Held::Root(cluster)), chunked: false }),
            Written::Chunks { name, count } => (name, count),
        };
        let keys: Vec<Key> = (0..count).map(|number| chunk_key(handle, &name, number)).collect();
        let mut chunks = table.batch_get(&keys, true).await?;
        if chunks.len() == count {
            chunks.sort_by(|a, b| a.key.sk.cmp(&b.key.sk));
            // Each chunk is a JSON string, so that a piece of text is valid JSON too.
            let texts = chunks.iter().map(Item::read::<String>).collect::<Result<String, _>>()?;
            let whole = Item { data: texts, ..item };
            return Ok(Head { epoch, content: Some(Held::Root(whole.read()?)), chunked: true });
        }
        match table.get(&head_key(handle), true).await? {
            Some(newer) => item = newer,
            None => return Ok(Head { epoch: None, content: None, chunked: false }),
        }
    }
    Err(StoreError::Conflict)
}

/// Points a record that has no head yet at the cluster it is about to join. Nothing is lost if it joins later or never:
/// an absent head has no members.
///
/// # Errors
/// [`StoreError::Conflict`] when it has a head by now; otherwise when the table cannot be written.
pub async fn start_elsewhere(
    table: &Table,
    handle: &RecordHandle,
    expired: Option<u64>,
    to: &RecordHandle,
    now_seconds: i64,
) -> Result<(), StoreError> {
    let rev = next_rev(expired, now_seconds);
    let stub = Item::json(head_key(handle), rev, &Written::<()>::To(to.clone()))?;
    table.put(&stub, expired.map_or(Guard::Absent, Guard::Is)).await
}

/// A new state of one cluster, made from one or several.
#[derive(Debug)]
pub struct Commit<'a, C> {
    /// Whose head holds it, with the epoch it had.
    pub root: (RecordHandle, Option<u64>),
    /// Its new epoch, above those of everything it was made from.
    pub epoch: u64,
    /// The cluster.
    pub cluster: &'a C,
    /// When nothing is left of it but tombstones: when these may go.
    pub expires: Option<i64>,
    /// Heads that were joined to it, with the epochs they had. They become stubs.
    pub joined: Vec<(RecordHandle, u64)>,
    /// Keys that are being settled by it, with the versions of their marks: nobody else may have taken them over.
    pub settling: BTreeMap<String, u64>,
    /// Those of these heads that were kept in chunks.
    pub chunked: Vec<RecordHandle>,
}

/// Commits a cluster: nothing is written unless every head is still as it was read.
///
/// # Errors
/// [`StoreError::Conflict`] when a head has moved or a key was taken over; otherwise when the table cannot be written.
pub async fn commit<C: Serialize>(table: &Table, commit: Commit<'_, C>) -> Result<(), StoreError> {
    let (root, was) = &commit.root;
    let mut head = Item::json(head_key(root), commit.epoch, &Written::Root(commit.cluster))?;
    let mut name = None;
    if head.data.len() > LARGEST_TEXT {
        (head, name) = write_chunks(table, root, commit.epoch, commit.cluster).await?;
    }
    head.expires = commit.expires;
    let guard = was.map_or(Guard::Absent, Guard::Is);
    if commit.joined.is_empty() && commit.settling.is_empty() {
        table.put(&head, guard).await?;
    } else {
        let mut ops = vec![Op::Put(head, guard)];
        for (handle, epoch) in &commit.joined {
            let stub = Item::json(head_key(handle), commit.epoch, &Written::<()>::To(root.clone()))?;
            ops.push(Op::Put(stub, Guard::Is(*epoch)));
        }
        ops.extend(commit.settling.iter().map(|(hash, rev)| Op::Check(mark_key(hash), Guard::Is(*rev))));
        table.transact(&ops).await?;
    }
    // A worker that died before its head may have left chunks beside a head that had none.
    let mut chunked: BTreeSet<&RecordHandle> = commit.chunked.iter().collect();
    if name.is_some() {
        chunked.insert(root);
    }
    for handle in chunked {
        let current = name.as_deref().filter(|_| handle == root);
        delete_old_chunks(table, handle, commit.epoch, current).await?;
    }
    Ok(())
}

/// Writes a large cluster in pieces under a new name, and returns the head that names them.
async fn write_chunks<C: Serialize>(
    table: &Table,
    root: &RecordHandle,
    epoch: u64,
    cluster: &C,
) -> Result<(Item, Option<String>), StoreError> {
    let text = Item::json(head_key(root), epoch, cluster)?.data;
    // Another writer may be at the same epoch: only one of the two heads will name its chunks.
    let name = format!("{epoch:020}-{}", fc_model::PersonId::random());
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        // A quote doubles when a text is written inside a text: half the room is always enough.
        let mut cut = rest.len().min(LARGEST_TEXT / 2);
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (piece, after) = rest.split_at(cut);
        pieces.push(Item::json(chunk_key(root, &name, pieces.len()), 0, &piece)?);
        rest = after;
    }
    for piece in &pieces {
        table.put(piece, Guard::Absent).await?;
    }
    let head = Item::json(head_key(root), epoch, &Written::<()>::Chunks { name: name.clone(), count: pieces.len() })?;
    Ok((head, Some(name)))
}

/// Deletes chunks up to an epoch, but for the current ones: those of earlier states and of writers that came too late.
/// Later epochs are left alone: their head may be about to name them.
async fn delete_old_chunks(
    table: &Table,
    handle: &RecordHandle,
    epoch: u64,
    current: Option<&str>,
) -> Result<(), StoreError> {
    let is_old = |key: &Key| {
        let name = key.sk.trim_start_matches("CHUNK#").split('#').next().unwrap_or_default();
        let of: u64 = name.split('-').next().and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        of <= epoch && Some(name) != current
    };
    let mut old = Vec::new();
    let mut query = Query::of(head_key(handle).pk).prefix("CHUNK#").consistent();
    loop {
        let page = table.query(&query).await?;
        old.extend(page.items.into_iter().map(|item| item.key).filter(is_old));
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    if old.is_empty() { Ok(()) } else { table.batch_write(&[], &old).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filing_is_read_as_it_was_written_and_tells_who_may_be_met() {
        let parts = |letters: [char; 3]| letters.map(|letter| letter.to_string().repeat(64));
        let one = Filing::with_birth("00ff", &parts(['a', 'b', 'c']));
        let near = Filing::with_birth("00ff", &parts(['d', 'b', 'e']));
        // What is alike must be the same part.
        let far = Filing::with_birth("00ff", &parts(['b', 'c', 'a']));
        let any = Filing::under("00ff");
        assert!(one.may_be_one_birth(&one) && one.may_be_one_birth(&near) && !one.may_be_one_birth(&far));
        assert!(any.may_be_one_birth(&one) && one.may_be_one_birth(&any) && any.may_be_one_birth(&any));

        let handle = RecordHandle::parse(&HandleKey::new([7; 32]).unwrap().hash("record", "1")).unwrap();
        for filing in [&one, &any] {
            assert_eq!(filing.hash(), "00ff");
            assert!(Filing::of("00ff", &filing.sk(&handle)).unwrap() == (handle.clone(), filing.clone()));
        }
        assert!(Filing::of("00ff", MARK).is_none());
        assert!(!format!("{one:?}").contains("00ff"));
    }
}

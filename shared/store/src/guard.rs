//! The guard table: confidential places and protected records, for whoever shows anything to look at first.
//!
//! Protection is decided when somebody reads: what ingest writes here binds the next request, also while the file that says
//! it is held, or waits behind a night's queue. See docs/decisions/0014.
//!
//! | key (`pk` / `sk`) | content | `rev` |
//! | --- | --- | --- |
//! | `FACT#<handle>` / `PLACE#<place>`, `RECORD` | [`Fact`]: who said so and when | 1 |
//! | `SHARD#<0 to f>` / `SHARD` | [`Shard`]: places and records, as keyed hashes | grows by one; absent, is |
//! | `VERSION` / `VERSION` | [`Version`]: the `rev` of each shard | grows by one; absent, is |
//!
//! Written in this order: facts, then their shards, then the version. A worker that dies on the way leaves nothing behind
//! that the file does not say again when it is tried again, and [`GuardTable::bind`] finishes it.

use crate::{Guard as Condition, Item, Key, StoreError, Table};
use fc_model::{Address, HandleKey, Phone, Place, Protection, RecordHandle, Summary};
use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

/// Digits of a place's id and of a shard's.
const PLACE_ID: usize = 16;
/// The shards, each named by the first digit of what it holds.
const SHARDS: &str = "0123456789abcdef";
/// A person looks at a place again after so long.
const REVIEW_AFTER_YEARS: i64 = 1;
/// How often a shard is tried again when somebody else wrote first.
const TRIES: u32 = 16;

/// When something was said of a record, and when it was taken back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fact {
    /// When ingest read it.
    pub at: Timestamp,
    /// How far the record is protected; absent where the fact is about a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// When its source took it back in so many words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<Timestamp>,
}

/// A confidential place.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The place, in keyed hashes.
    #[serde(rename = "p")]
    place: Place,
    /// The records that say so.
    #[serde(rename = "b")]
    by: BTreeSet<RecordHandle>,
    /// Keyed hashes of phone numbers that stand with it.
    #[serde(rename = "t", default, skip_serializing_if = "BTreeSet::is_empty")]
    phones: BTreeSet<String>,
    /// Since when, if the source says.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    from: Option<Date>,
    /// The day a person looks at it again.
    #[serde(rename = "r")]
    review: Date,
    /// Whether a person has confirmed a place of more than 50 occupants. Nothing counts them yet.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    confirmed: bool,
}

/// A sixteenth of all that is guarded.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shard {
    places: BTreeMap<String, Kept>,
    records: BTreeMap<RecordHandle, Protection>,
}

/// How new each shard is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Version {
    shards: BTreeMap<char, u64>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept(redacted)")
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shard({} places, {} records)", self.places.len(), self.records.len())
    }
}

/// A confidential place as a record states it.
#[derive(Clone, PartialEq)]
pub struct Stated {
    /// Its id: a hash of all its tokens.
    id: String,
    place: Place,
    phones: BTreeSet<String>,
    from: Option<Date>,
}

impl std::fmt::Debug for Stated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stated(redacted)")
    }
}

impl Stated {
    /// The place at an address, with the phones that stand beside it. `None` for an address that says nothing.
    #[must_use]
    pub fn of(address: &Address, phones: &[Phone], key: &HandleKey) -> Option<Self> {
        let place = Place::keyed(address, key);
        if place.is_empty() {
            return None;
        }
        let text = serde_json::to_string(&place).ok()?;
        let id = key.hash("place id", &text)[..PLACE_ID].to_owned();
        let phones = phones.iter().map(|phone| phone_hash(phone, key)).collect();
        Some(Self { id, place, phones, from: address.from })
    }
}

fn phone_hash(phone: &Phone, key: &HandleKey) -> String {
    key.hash("phone", phone.as_str())[..PLACE_ID].to_owned()
}

/// What one file adds and takes back.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Places, and the records that state them.
    pub places: Vec<(RecordHandle, Stated)>,
    /// How far records are protected.
    pub records: Vec<(RecordHandle, Protection)>,
    /// Places that the record which stated them takes back in so many words.
    pub places_taken_back: Vec<(RecordHandle, String)>,
    /// Records whose protection their source takes back, or makes less strict, in so many words.
    pub taken_back: Vec<(RecordHandle, Protection)>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
            && self.records.is_empty()
            && self.places_taken_back.is_empty()
            && self.taken_back.is_empty()
    }
}

/// All that is guarded, in memory, at one version.
#[derive(Default)]
pub struct Guarded {
    key: Option<HandleKey>,
    version: Version,
    /// The shards with the version each was read at.
    shards: BTreeMap<char, (u64, Arc<Shard>)>,
    /// Places by each token of which two places that may be one share at least one.
    anchors: HashMap<String, Vec<(char, String)>>,
    /// Places by the records that state them.
    stated: HashMap<RecordHandle, Vec<(char, String)>>,
    phones: HashSet<String>,
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guarded(redacted)")
    }
}

impl Guarded {
    fn of(key: &HandleKey, version: Version, shards: BTreeMap<char, (u64, Arc<Shard>)>) -> Self {
        let mut guarded = Self { key: Some(key.clone()), version, ..Self::default() };
        for (name, (_, shard)) in &shards {
            for (id, kept) in &shard.places {
                let at = (*name, id.clone());
                for anchor in kept.place.anchors() {
                    guarded.anchors.entry(anchor.to_owned()).or_default().push(at.clone());
                }
                for handle in &kept.by {
                    guarded.stated.entry(handle.clone()).or_default().push(at.clone());
                }
                guarded.phones.extend(kept.phones.iter().cloned());
            }
        }
        guarded.shards = shards;
        guarded
    }

    fn kept(&self, (shard, id): &(char, String)) -> Option<&Kept> {
        self.shards.get(shard)?.1.places.get(id)
    }

    /// Whether an address may be a confidential place, whoever lives there.
    #[must_use]
    pub fn is_confidential(&self, address: &Address) -> bool {
        if address.confidential {
            return true;
        }
        let Some(key) = self.key.as_ref().filter(|_| !self.anchors.is_empty()) else { return false };
        let place = Place::keyed(address, key);
        let beside: BTreeSet<&(char, String)> =
            place.anchors().into_iter().filter_map(|anchor| self.anchors.get(anchor)).flatten().collect();
        beside.into_iter().filter_map(|at| self.kept(at)).any(|kept| kept.place.may_be(&place))
    }

    /// Whether an address of the person with these records tells where they are kept safe: one that may be a confidential
    /// place; and, of whoever has one, each address that is current since then and not certainly another.
    #[must_use]
    pub fn is_withheld<'r>(&self, address: &Address, records: impl IntoIterator<Item = &'r RecordHandle>) -> bool {
        if self.is_confidential(address) {
            return true;
        }
        let Some(key) = &self.key else { return false };
        let mut own = records.into_iter().filter_map(|record| self.stated.get(record)).flatten().peekable();
        if own.peek().is_none() || address.is_empty() {
            return false;
        }
        let place = Place::keyed(address, key);
        own.filter_map(|at| self.kept(at)).any(|kept| {
            let is_since = address.to.is_none_or(|to| kept.from.is_some_and(|from| to > from));
            is_since && !kept.place.is_certainly_another(&place)
        })
    }

    /// Whether a record is guarded, and how far.
    #[must_use]
    pub fn protection(&self, record: &RecordHandle) -> Protection {
        let shard = shard_of(record.as_str()).and_then(|shard| self.shards.get(&shard));
        shard.and_then(|(_, shard)| shard.records.get(record)).copied().unwrap_or_default()
    }

    /// Whether a phone number stands with a confidential place.
    #[must_use]
    pub fn is_confidential_phone(&self, phone: &Phone) -> bool {
        self.key.as_ref().is_some_and(|key| !self.phones.is_empty() && self.phones.contains(&phone_hash(phone, key)))
    }

    /// Puts over a summary what is guarded of its person.
    pub fn apply(&self, summary: &mut Summary) {
        let strictest = summary.records.iter().map(|record| self.protection(record)).max();
        summary.protection = summary.protection.max(strictest.unwrap_or_default());
        if let Some(address) = &mut summary.address
            && self.is_withheld(address, &summary.records)
        {
            *address = Address { confidential: true, ..Address::default() };
        }
    }

    /// Whether a record states this place already, with these phones.
    #[must_use]
    pub fn knows_place(&self, record: &RecordHandle, stated: &Stated) -> bool {
        let kept = shard_of(&stated.id).and_then(|shard| self.kept(&(shard, stated.id.clone())));
        kept.is_some_and(|kept| kept.by.contains(record) && stated.phones.is_subset(&kept.phones))
    }

    /// The ids of places that a record states and that may be at this address.
    #[must_use]
    pub fn stated_there(&self, record: &RecordHandle, address: &Address) -> Vec<String> {
        let (Some(key), Some(stated)) = (&self.key, self.stated.get(record)) else { return Vec::new() };
        let place = Place::keyed(address, key);
        let there = |at: &&(char, String)| self.kept(at).is_some_and(|kept| kept.place.may_be(&place));
        stated.iter().filter(there).map(|(_, id)| id.clone()).collect()
    }

    /// Whether every shard stands in the version: not so where a worker died between the two.
    fn is_finished(&self) -> bool {
        self.shards.iter().all(|(name, (rev, _))| self.version.shards.get(name) == Some(rev))
    }
}

fn shard_of(hex: &str) -> Option<char> {
    hex.chars().next().filter(|digit| SHARDS.contains(*digit))
}

fn version_key() -> Key {
    Key::new("VERSION", "VERSION")
}

fn shard_key(shard: char) -> Key {
    Key::new(format!("SHARD#{shard}"), "SHARD")
}

/// The guard table, and what this execution environment has read of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GuardTable {
    table: Table,
    key: HandleKey,
    read: Arc<RwLock<Arc<Guarded>>>,
}

impl GuardTable {
    /// The guard over a table.
    #[must_use]
    pub fn new(table: Table, key: HandleKey) -> Self {
        Self { table, key, read: Arc::default() }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What is guarded now. One strong read of the version, in the first round of a request; a second call only where a
    /// shard has changed since this environment read it. IAM: `dynamodb:GetItem`, `dynamodb:BatchGetItem`.
    ///
    /// # Errors
    /// When the table cannot be read: nothing may be shown then.
    pub async fn current(&self) -> Result<Arc<Guarded>, StoreError> {
        let version: Version = match self.table.get(&version_key(), true).await? {
            Some(item) => item.read()?,
            None => Version::default(),
        };
        let before = self.read.read().unwrap_or_else(PoisonError::into_inner).clone();
        if before.key.is_some() && before.version == version {
            return Ok(before);
        }
        let is_new = |(name, rev): &(&char, &u64)| before.shards.get(name).is_none_or(|(known, _)| known < rev);
        let changed: Vec<char> = version.shards.iter().filter(is_new).map(|(name, _)| *name).collect();
        let mut shards = before.shards.clone();
        for (name, rev, shard) in read_shards(&self.table, &changed).await? {
            shards.insert(name, (rev, Arc::new(shard)));
        }
        let now = Arc::new(Guarded::of(&self.key, version, shards));
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = now.clone();
        Ok(now)
    }

    /// What is guarded, with all that stands in shards and not yet in the version: for whoever writes. IAM:
    /// `dynamodb:GetItem`, `dynamodb:BatchGetItem`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn all(&self) -> Result<Arc<Guarded>, StoreError> {
        let version: Version = match self.table.get(&version_key(), true).await? {
            Some(item) => item.read()?,
            None => Version::default(),
        };
        let shards = read_shards(&self.table, &SHARDS.chars().collect::<Vec<_>>()).await?;
        let shards = shards.into_iter().map(|(name, rev, shard)| (name, (rev, Arc::new(shard)))).collect();
        Ok(Arc::new(Guarded::of(&self.key, version, shards)))
    }

    /// Writes what is new: facts, then their shards, then the version. Finishes what a worker left that died on the way,
    /// which `known` ([`GuardTable::all`]) tells. Returns how many items were written: none where nothing is new.
    /// IAM: `dynamodb:BatchWriteItem`, `dynamodb:GetItem`, `dynamodb:PutItem`.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn bind(&self, known: &Guarded, changes: &Changes, now: Timestamp) -> Result<usize, StoreError> {
        if changes.is_empty() && known.is_finished() {
            return Ok(0);
        }
        let facts = facts(changes, now)?;
        self.table.batch_write(&facts, &[]).await?;
        let mut wrote = facts.len();
        let mut revs: BTreeMap<char, u64> = known.shards.iter().map(|(name, (rev, _))| (*name, *rev)).collect();
        for (shard, changes) in by_shard(changes) {
            let (rev, is_written) = write_shard(&self.table, shard, &changes, now).await?;
            revs.insert(shard, rev);
            wrote += usize::from(is_written);
        }
        self.table
            .update(&version_key(), |version: Option<Version>| {
                let before = version.unwrap_or_default();
                let mut after = before.clone();
                for (shard, rev) in &revs {
                    let known = after.shards.entry(*shard).or_default();
                    *known = (*known).max(*rev);
                }
                Ok::<_, StoreError>((after != before).then_some(after))
            })
            .await?;
        Ok(wrote + 1)
    }
}

async fn read_shards(table: &Table, names: &[char]) -> Result<Vec<(char, u64, Shard)>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<Key> = names.iter().map(|name| shard_key(*name)).collect();
    let items = table.batch_get(&keys, true).await?;
    let named = |item: &Item| names.iter().copied().find(|name| shard_key(*name) == item.key);
    items
        .iter()
        .filter_map(|item| Some((named(item)?, item)))
        .map(|(name, item)| Ok((name, item.rev, item.read()?)))
        .collect()
}

async fn write_shard(table: &Table, name: char, changes: &Changes, now: Timestamp) -> Result<(u64, bool), StoreError> {
    let key = shard_key(name);
    for _ in 0..TRIES {
        let found = table.get(&key, true).await?;
        let before: Shard = found.as_ref().map(Item::read).transpose()?.unwrap_or_default();
        let mut after = before.clone();
        after.change(changes, now);
        let (rev, guard) = found.map_or((1, Condition::Absent), |item| (item.rev + 1, Condition::Is(item.rev)));
        if after == before {
            return Ok((rev - 1, false));
        }
        match table.put(&Item::json(key.clone(), rev, &after)?, guard).await {
            Ok(()) => return Ok((rev, true)),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict)
}

impl Shard {
    fn change(&mut self, changes: &Changes, now: Timestamp) {
        let today = TimeZone::UTC.to_datetime(now).date();
        let review = today.checked_add(Span::new().years(REVIEW_AFTER_YEARS)).unwrap_or(today);
        for (handle, stated) in &changes.places {
            let new = || Kept {
                place: stated.place.clone(),
                by: BTreeSet::new(),
                phones: BTreeSet::new(),
                from: stated.from,
                review,
                confirmed: false,
            };
            let kept = self.places.entry(stated.id.clone()).or_insert_with(new);
            kept.by.insert(handle.clone());
            kept.phones.extend(stated.phones.iter().cloned());
            // Of several the earliest: what was current then is withheld.
            kept.from = kept.from.zip(stated.from).map(|(one, other)| one.min(other));
        }
        for (handle, place) in &changes.places_taken_back {
            if let Some(kept) = self.places.get_mut(place) {
                kept.by.remove(handle);
            }
        }
        // A place lasts as long as one record states it.
        self.places.retain(|_, kept| !kept.by.is_empty());
        for (handle, protection) in &changes.records {
            let kept = self.records.entry(handle.clone()).or_default();
            *kept = (*kept).max(*protection);
        }
        for (handle, protection) in &changes.taken_back {
            match protection {
                Protection::None => {
                    self.records.remove(handle);
                }
                less => {
                    if let Some(kept) = self.records.get_mut(handle) {
                        *kept = (*kept).min(*less);
                    }
                }
            }
        }
    }
}

fn facts(changes: &Changes, now: Timestamp) -> Result<Vec<Item>, StoreError> {
    let mut facts: BTreeMap<Key, Fact> = BTreeMap::new();
    let key = |handle: &RecordHandle, sk: String| Key::new(format!("FACT#{handle}"), sk);
    for (handle, stated) in &changes.places {
        let fact = Fact { at: now, protection: None, taken_back: None };
        facts.insert(key(handle, format!("PLACE#{}", stated.id)), fact);
    }
    for (handle, place) in &changes.places_taken_back {
        let fact = Fact { at: now, protection: None, taken_back: Some(now) };
        facts.insert(key(handle, format!("PLACE#{place}")), fact);
    }
    for (handle, protection) in &changes.records {
        let fact = Fact { at: now, protection: Some(*protection), taken_back: None };
        facts.insert(key(handle, "RECORD".into()), fact);
    }
    for (handle, protection) in &changes.taken_back {
        let fact = Fact { at: now, protection: Some(*protection), taken_back: Some(now) };
        facts.insert(key(handle, "RECORD".into()), fact);
    }
    facts.into_iter().map(|(key, fact)| Item::json(key, 1, &fact)).collect()
}

fn by_shard(changes: &Changes) -> BTreeMap<char, Changes> {
    let mut shards: BTreeMap<char, Changes> = BTreeMap::new();
    for (handle, stated) in &changes.places {
        if let Some(shard) = shard_of(&stated.id) {
            shards.entry(shard).or_default().places.push((handle.clone(), stated.clone()));
        }
    }
    for (handle, place) in &changes.places_taken_back {
        if let Some(shard) = shard_of(place) {
            shards.entry(shard).or_default().places_taken_back.push((handle.clone(), place.clone()));
        }
    }
    for (handle, protection) in &changes.records {
        if let Some(shard) = shard_of(handle.as_str()) {
            shards.entry(shard).or_default().records.push((handle.clone(), *protection));
        }
    }
    for (handle, protection) in &changes.taken_back {
        if let Some(shard) = shard_of(handle.as_str()) {
            shards.entry(shard).or_default().taken_back.push((handle.clone(), *protection));
        }
    }
    shards
}

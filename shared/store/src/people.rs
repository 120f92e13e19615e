//! The people table: what is read. Written by matching alone, rebuilt from records at any time.
//!
//! | key (`pk` / `sk`) | content | meaning |
//! | --- | --- | --- |
//! | `P#<person>` / `VIEW` | [`Standing`] of a [`PersonView`] | everything about a person |
//! | `P#<person>` / `SUMMARY` | [`Standing`] of a [`Summary`] | what results and relatives show |
//! | `R#<record handle>` / `R` | [`Standing`] of [`Located`] | which person a record belongs to |
//! | `H#<household hash>` / `<person>` | [`Standing`] of [`Occupant`] | who lives or lived there |
//! | `C#<case id hash>` / `<person>` | nothing | who has a case ID |
//! | `A#`, `B#`, `S#`, `D#` and a hash / see [`fc_model::search_keys`] | folded names, and the days on which each may be told | search entries |
//! | `STAFF#<staff id hash>` / `<source>` | [`Standing`] of a [`Staff`] | a worker, as one source lists them |
//!
//! `rev` is the epoch of the cluster an item was projected from, and guards every write. What is deleted leaves a
//! tombstone that expires, so that a late write of an older epoch cannot bring it back: readers skip items for which
//! [`is_gone`] holds. No key holds a name, so neither does a tombstone. [`Summary`] is authoritative: a reader drops an
//! entry whose name or case ID the summary does not have. Of somebody whose existence is hidden there is a view, a summary
//! and `R` items, and nothing that counts among others: no search entry, case entry or household.

use crate::{Guard, Item, Key, StoreError, Table, records::REMEMBERED_SECONDS};
use fc_model::{
    CaseId, HandleKey, Household, PersonId, PersonView, Protection, RecordHandle, SourceId, Staff, StaffId, Summary,
    search_keys,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// What became of a person, or of anything else that is projected.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing<T> {
    /// It is here.
    Here(T),
    /// The person was found to be one with another: look there.
    MovedTo(PersonId),
    /// It was deleted.
    Gone,
}

/// Where a record's person is: `R#` items.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Located {
    /// The person the record belongs to.
    pub person: PersonId,
    /// What relatives show of the person.
    pub summary: Summary,
}

/// Someone of a household: `H#` items.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Occupant {
    /// What may be shown of the person.
    pub summary: Summary,
    /// When the person lived there.
    pub stays: Vec<Household>,
}

macro_rules! redacted {
    ($($type:ident),+) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(redacted)"))
            }
        }
    )+};
}
redacted!(Located, Occupant);

/// Key of a person's view.
#[must_use]
pub fn view_key(person: &PersonId) -> Key {
    Key::new(format!("P#{person}"), "VIEW")
}

/// Key of a person's summary.
#[must_use]
pub fn summary_key(person: &PersonId) -> Key {
    Key::new(format!("P#{person}"), "SUMMARY")
}

/// Key of a record's person.
#[must_use]
pub fn record_key(record: &RecordHandle) -> Key {
    Key::new(format!("R#{record}"), "R")
}

/// Keyed hash of a household, from one of [`fc_model::Address::household_keys`]: what [`Household::key`] holds.
#[must_use]
pub fn household_hash(key: &HandleKey, household: &str) -> String {
    key.hash("household", household)
}

/// Partition of a household, from [`Household::key`]; its sort keys are person ids.
#[must_use]
pub fn household_pk(hash: &str) -> String {
    format!("H#{hash}")
}

/// Partition of a case ID, however it is typed: case and spaces do not matter. Its sort keys are person ids.
#[must_use]
pub fn case_pk(key: &HandleKey, case: &CaseId) -> String {
    format!("C#{}", key.hash("case", &packed(case.as_str())))
}

/// Partition of search entries, from what [`search_keys`] calls it: its first letter says the kind of entry.
#[must_use]
pub fn search_pk(key: &HandleKey, partition: &str) -> String {
    let kind: String = partition.chars().take(1).collect();
    format!("{kind}#{}", key.hash("search", partition))
}

/// Key of a worker, as one source lists them: two sources that know the same worker do not overwrite each other.
#[must_use]
pub fn staff_key(key: &HandleKey, staff: &StaffId, source: &SourceId) -> Key {
    Key::new(format!("STAFF#{}", key.hash("staff", &staff.folded())), source.as_str())
}

/// The handle of a worker in a staff feed: the hash in [`staff_key`], so that a removal, which says nothing but the
/// handle, still finds its item.
#[must_use]
pub fn staff_handle(key: &HandleKey, staff: &StaffId) -> Option<RecordHandle> {
    RecordHandle::parse(&key.hash("staff", &staff.folded())).ok()
}

/// The key that goes with a [`staff_handle`] of a source.
#[must_use]
pub fn staff_key_of(handle: &RecordHandle, source: &SourceId) -> Key {
    Key::new(format!("STAFF#{handle}"), source.as_str())
}

fn packed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// How a [`Standing`] is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Row<T> {
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    here: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_to: Option<PersonId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
    /// In views alone: keys of items that an earlier projection may have written and this one must delete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stale: Vec<(String, String)>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T> Row<T> {
    fn new(standing: Standing<T>, stale: BTreeSet<Key>) -> Self {
        let stale = stale.into_iter().map(|key| (key.pk, key.sk)).collect();
        let (mut here, mut moved_to, mut gone) = (None, None, false);
        match standing {
            Standing::Here(content) => here = Some(content),
            Standing::MovedTo(person) => moved_to = Some(person),
            Standing::Gone => gone = true,
        }
        Self { here, moved_to, gone, stale }
    }
}

/// How the content of every tombstone starts.
const GONE: &str = r#"{"gone":true"#;

/// Whether an item is a tombstone: readers take it for absent.
#[must_use]
pub fn is_gone(item: &Item) -> bool {
    item.data.starts_with(GONE)
}

/// What an item with content says.
///
/// # Errors
/// [`StoreError::Corrupt`] when it holds something else.
pub fn standing<T: DeserializeOwned>(item: &Item) -> Result<Standing<T>, StoreError> {
    let row: Row<T> = item.read()?;
    match (row.here, row.moved_to) {
        (Some(here), _) => Ok(Standing::Here(here)),
        (None, Some(person)) => Ok(Standing::MovedTo(person)),
        (None, None) if row.gone => Ok(Standing::Gone),
        (None, None) => Err(StoreError::Corrupt { place: "people".into(), reason: "neither here nor gone" }),
    }
}

// Projection: how matching writes all this.

/// How often a person is read again when somebody else projects it at the same time.
const TRIES: usize = 8;

/// What a person is to become.
#[derive(Debug, Clone)]
pub struct Projection {
    /// The person.
    pub person: PersonId,
    /// The epoch of the cluster that says so.
    pub epoch: u64,
    /// The view, or where the person went.
    pub standing: Standing<PersonView>,
    /// Whether the person was made at this very epoch, so that nothing of it can be there yet.
    pub is_new: bool,
}

/// Everything but the view and the summary that a view makes, without versions.
fn entries(view: &PersonView, key: &HandleKey) -> Result<BTreeMap<Key, String>, StoreError> {
    let summary = &view.summary;
    let row = |key: Key, data: String| (key, data);
    let mut entries = BTreeMap::new();
    let located = Standing::Here(Located { person: view.id.clone(), summary: summary.clone() });
    let located = text(&Row::new(located, BTreeSet::new()))?;
    entries.extend(view.records.iter().map(|record| row(record_key(&record.handle), located.clone())));
    if summary.protection == Protection::Hidden {
        return Ok(entries);
    }
    let mut stays: BTreeMap<&str, Vec<Household>> = BTreeMap::new();
    for stay in &view.households {
        stays.entry(&stay.key).or_default().push(stay.clone());
    }
    // Stays that may be told on some days only stand in the summary, where the reader finds them.
    for stay in summary.dated.iter().flat_map(|dated| &dated.households) {
        stays.entry(&stay.key).or_default();
    }
    for (hash, stays) in stays {
        let occupant = Standing::Here(Occupant { summary: summary.clone(), stays });
        entries
            .extend([row(Key::new(household_pk(hash), view.id.as_str()), text(&Row::new(occupant, BTreeSet::new()))?)]);
    }
    let case = |case: &CaseId| row(Key::new(case_pk(key, case), view.id.as_str()), String::new());
    entries.extend(summary.case_ids.iter().chain(summary.dated.iter().flat_map(|dated| &dated.case_ids)).map(case));
    entries.extend(
        search_keys::entries(summary)
            .into_iter()
            .map(|entry| row(Key::new(search_pk(key, &entry.pk), entry.sk), entry.content)),
    );
    Ok(entries)
}

/// What stands for whatever an earlier scheme wrote: like nothing that is written today.
const WRITTEN_OTHERWISE: &str = "?";

/// Everything that a stored view has made. One of an earlier scheme has made other entries: all of its keys count, and
/// whatever stands there is written anew.
fn entries_made(view: &PersonView, key: &HandleKey) -> Result<BTreeMap<Key, String>, StoreError> {
    let mut made = entries(view, key)?;
    if view.scheme != search_keys::SCHEME {
        let former = search_keys::former_keys(&view.summary);
        let former = former.into_iter().map(|(pk, sk)| Key::new(search_pk(key, &pk), sk));
        let all: Vec<Key> = made.into_keys().chain(former).collect();
        made = all.into_iter().map(|key| (key, WRITTEN_OTHERWISE.to_owned())).collect();
    }
    Ok(made)
}

fn text<T: Serialize>(row: &T) -> Result<String, StoreError> {
    serde_json::to_string(row).map_err(|_| StoreError::Corrupt { place: "memory".into(), reason: "not JSON" })
}

/// Whether each of these people has been projected, to the end, at this epoch or a later one. One call for up to 100.
///
/// # Errors
/// When the table cannot be read.
pub async fn are_projected(people: &Table, wanted: &[(&PersonId, u64)]) -> Result<bool, StoreError> {
    let keys: Vec<Key> = wanted.iter().map(|(id, _)| summary_key(id)).collect();
    if keys.is_empty() {
        return Ok(true);
    }
    let found = people.batch_get(&keys, true).await?;
    let rev: BTreeMap<&str, u64> = found.iter().map(|item| (item.key.pk.as_str(), item.rev)).collect();
    Ok(wanted.iter().zip(&keys).all(|((_, epoch), key)| rev.get(key.pk.as_str()).is_some_and(|rev| rev >= epoch)))
}

/// Of these people those whose stored view was filed by an earlier scheme. One call for up to 100.
///
/// # Errors
/// When the table cannot be read.
pub async fn of_another_scheme(people: &Table, ids: &[&PersonId]) -> Result<Vec<PersonId>, StoreError> {
    let keys: Vec<Key> = ids.iter().map(|id| view_key(id)).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for item in people.batch_get(&keys, true).await? {
        if let Standing::Here(view) = standing::<PersonView>(&item)?
            && view.scheme != search_keys::SCHEME
        {
            found.push(view.id);
        }
    }
    Ok(found)
}

/// Projects a person, and returns whether anything had to be written.
///
/// The view is written first, conditional on the very view it replaces, and says which items an earlier projection may
/// have left; then the entries; the summary last. So a summary of the view's version means that all is done, and
/// whoever finds another finishes the work from the view alone. Entries that have not changed since a finished
/// projection are not written again. `whose` says of each record of the cluster whose it is: the `R` items of other
/// people's are replaced, never deleted. One of this person's that the view does not have has left meanwhile, and is
/// deleted, whoever wrote it: no later projection would know of it.
///
/// # Errors
/// [`StoreError::Conflict`] when others kept writing first; otherwise when the table cannot be read or written.
pub async fn project(
    people: &Table,
    key: &HandleKey,
    wanted: &Projection,
    whose: &BTreeMap<RecordHandle, PersonId>,
    now_seconds: i64,
) -> Result<bool, StoreError> {
    let (view_key, summary_key) = (view_key(&wanted.person), summary_key(&wanted.person));
    let (own, taken): (Vec<_>, Vec<_>) = whose.iter().partition(|(_, person)| **person == wanted.person);
    let keys = |of: Vec<(&RecordHandle, &PersonId)>| of.into_iter().map(|(record, _)| record_key(record)).collect();
    let (own, taken): (BTreeSet<Key>, BTreeSet<Key>) = (keys(own), keys(taken));
    let mut is_new = wanted.is_new;
    for _ in 0..TRIES {
        let found =
            if is_new { Vec::new() } else { people.batch_get(&[view_key.clone(), summary_key.clone()], true).await? };
        is_new = false;
        let item = |key: &Key| found.iter().find(|item| item.key == *key);
        let (view, summary) = (item(&view_key), item(&summary_key));
        let is_finished = view.map(|view| view.rev) == summary.map(|summary| summary.rev);
        let row: Option<Row<PersonView>> = view.map(Item::read).transpose()?;
        let was = row.as_ref().and_then(|row| row.here.as_ref());

        if let (Some(view), Some(row)) = (view, &row)
            && view.rev >= wanted.epoch
        {
            if is_finished {
                return Ok(false);
            }
            // Somebody wrote the view and got no further, or is still at it: do the rest from what the view says.
            let puts = was.map(|view| entries(view, key)).transpose()?.unwrap_or_default();
            let stale = row.stale.iter().map(|(pk, sk)| Key::new(pk, sk)).collect();
            finish(people, view, puts, stale, now_seconds).await?;
            return Ok(true);
        }

        let before = was.map(|view| entries_made(view, key)).transpose()?.unwrap_or_default();
        let mut puts = match &wanted.standing {
            Standing::Here(view) => entries(view, key)?,
            Standing::MovedTo(_) | Standing::Gone => BTreeMap::new(),
        };
        let mut stale: BTreeSet<Key> = before.keys().cloned().collect();
        if !is_finished && let Some(row) = &row {
            stale.extend(row.stale.iter().map(|(pk, sk)| Key::new(pk, sk)));
        }
        stale.extend(own.iter().cloned());
        stale.retain(|key| !puts.contains_key(key) && !taken.contains(key));
        if is_finished {
            puts.retain(|key, data| before.get(key) != Some(data));
            let unchanged = row.as_ref().is_some_and(|row| match &wanted.standing {
                Standing::Here(view) => was.is_some_and(|was| PersonView { epoch: was.epoch, ..view.clone() } == *was),
                Standing::MovedTo(person) => row.moved_to.as_ref() == Some(person),
                Standing::Gone => row.gone,
            });
            if unchanged && stale.is_empty() {
                return Ok(false);
            }
        }
        let row = Row::new(wanted.standing.clone(), stale.clone());
        let mut item = Item::json(view_key.clone(), wanted.epoch, &row)?;
        item.expires = row.gone.then_some(now_seconds + REMEMBERED_SECONDS);
        match people.put(&item, view.map_or(Guard::Absent, |view| Guard::Is(view.rev))).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => continue,
            Err(error) => return Err(error),
        }
        finish(people, &item, puts, stale, now_seconds).await?;
        return Ok(true);
    }
    Err(StoreError::Conflict)
}

/// Writes the entries of a view that has been written, deletes what is stale, and writes the summary last.
async fn finish(
    people: &Table,
    view: &Item,
    puts: BTreeMap<Key, String>,
    stale: BTreeSet<Key>,
    now_seconds: i64,
) -> Result<(), StoreError> {
    let rev = view.rev;
    let forgotten = Some(now_seconds + REMEMBERED_SECONDS);
    let tombstone = |key: &Key| Item { key: key.clone(), rev, data: format!("{GONE}}}"), expires: forgotten };
    let puts = puts.into_iter().map(|(key, data)| Item { key, rev, data, expires: None });
    put_all(people, puts.chain(stale.iter().map(tombstone)).collect()).await?;

    let row: Row<PersonView> = view.read()?;
    if row.here.is_none() && !stale.is_empty() {
        // The list has served its purpose, and what is gone leaves no birth date behind in it.
        let cleared = Row { stale: Vec::new(), ..row.clone() };
        let item = Item { data: text(&cleared)?, ..view.clone() };
        match people.put(&item, Guard::Is(rev)).await {
            Ok(()) => {}
            // A later projection has replaced the view, and finishes what it finds.
            Err(StoreError::Conflict) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    let summary = match (row.here, row.moved_to) {
        (Some(view), _) => Standing::Here(view.summary),
        (None, Some(person)) => Standing::MovedTo(person),
        (None, None) => Standing::Gone,
    };
    let key = Key::new(&view.key.pk, "SUMMARY");
    let summary = Item { key, data: text(&Row::new(summary, BTreeSet::new()))?, ..view.clone() };
    put_all(people, vec![summary]).await
}

/// Puts items at once, each unless a later version is there.
async fn put_all(people: &Table, items: Vec<Item>) -> Result<(), StoreError> {
    let mut puts = JoinSet::new();
    for item in items {
        let people = people.clone();
        puts.spawn(async move { people.put(&item, Guard::Below(item.rev)).await });
    }
    while let Some(put) = puts.join_next().await {
        match put {
            Ok(Ok(()) | Err(StoreError::Conflict)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                return Err(StoreError::Unavailable {
                    operation: "PutItem",
                    place: people.name().into(),
                    reason: "the task was stopped".into(),
                });
            }
        }
    }
    Ok(())
}

/// Writes a worker of the staff directory, or a tombstone when the worker has left it, unless something newer is there.
/// Returns whether it was written.
///
/// # Errors
/// When the table cannot be written.
pub async fn put_staff(
    people: &Table,
    key: Key,
    rev: u64,
    staff: Option<Staff>,
    now_seconds: i64,
) -> Result<bool, StoreError> {
    let expires = staff.is_none().then_some(now_seconds + REMEMBERED_SECONDS);
    let row = Row::new(staff.map_or(Standing::Gone, Standing::Here), BTreeSet::new());
    let item = Item { expires, ..Item::json(key, rev, &row)? };
    match people.put(&item, Guard::Below(rev)).await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

//! The people table: what is read. Written by matching alone, rebuilt from records at any time.
//!
//! | key (`pk` / `sk`) | content | meaning |
//! | --- | --- | --- |
//! | `P#<person>` / `VIEW` | [`Standing`] of a [`PersonView`] | everything about a person |
//! | `P#<person>` / `SUMMARY` | [`Standing`] of a [`Summary`] | what results and relatives show |
//! | `R#<record handle>` / `R` | [`Standing`] of [`Located`] | which person a record belongs to |
//! | `H#<household hash>` / `<person>` | [`Standing`] of [`Occupant`] | who lives or lived there |
//! | `C#<case id hash>` / `<person>` | nothing | who has a case ID |
//! | `A#`, `B#`, `S#`, `D#` ... / see [`fc_model::search_keys`] | nothing | search entries |
//! | `STAFF#<staff id hash>` / `STAFF` | [`Standing`] of a [`Staff`] | a worker in the staff directory |
//!
//! `rev` is the epoch of the cluster an item was projected from, and guards every write. What is deleted leaves a
//! tombstone that expires, so that a late write of an older epoch cannot bring it back: readers skip items for which
//! [`is_gone`] holds. Entries without content are found by their key alone; [`Summary`] is authoritative, so a reader
//! drops an entry whose name or case ID the summary does not have.

use crate::{Item, Key, StoreError};
use fc_model::{CaseId, HandleKey, Household, PersonId, PersonView, RecordHandle, Staff, StaffId, Summary};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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

/// Key of a worker in the staff directory.
#[must_use]
pub fn staff_key(key: &HandleKey, staff: &StaffId) -> Key {
    Key::new(format!("STAFF#{}", key.hash("staff", &packed(staff.as_str()))), "STAFF")
}

fn packed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// How a [`Standing`] is written.
#[derive(Serialize, Deserialize)]
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

/// The content of a tombstone.
const GONE: &str = r#"{"gone":true}"#;

/// Whether an item is a tombstone: readers take it for absent.
#[must_use]
pub fn is_gone(item: &Item) -> bool {
    item.data == GONE
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

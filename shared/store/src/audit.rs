//! The audit trail: who asked for what, and what they were shown. Only ever added to.
//!
//! | key | value |
//! | --- | --- |
//! | `pk` | `USER#<user id>` |
//! | `sk` | `<RFC 3339 time>#<request id>#attempt` or `...#outcome` |
//! | `data` | an [`Entry`] |
//!
//! Two entries a request: the attempt is written while the data is read, the outcome before the data is returned. An
//! attempt without an outcome is a request that failed, and showed nothing.

use crate::{Guard, Item, Key, Query, StoreError, Table};
use fc_model::{CaseId, PartialDate, PersonId, ServiceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which of a request's two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Written before anything is known.
    Attempt,
    /// Written before anything is returned.
    Outcome,
}

/// The user, as the council's directory named them at the time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The directory's id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Roles held.
    pub roles: Vec<String>,
}

/// What a search asked for.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Surname as typed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub surname: String,
    /// Forename as typed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub forename: String,
    /// Date of birth, as far as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<PartialDate>,
    /// Case ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_id: Option<CaseId>,
}

/// Why a person was opened, where the council asks.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reason {
    /// The child the work is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<PersonId>,
    /// The purpose: `section-17`, `section-47`, `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Signed in to the page.
    SignIn,
    /// Signed out of the page.
    SignOut,
    /// Searched.
    Search {
        /// For what.
        terms: Terms,
    },
    /// Opened a person.
    OpenPerson {
        /// Whom.
        person: PersonId,
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
    /// Opened a person's family alone.
    OpenFamily {
        /// Whose.
        person: PersonId,
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
    /// Opened the detail of a service.
    OpenService {
        /// Whose.
        person: PersonId,
        /// Which service.
        service: ServiceId,
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
    /// Said that the person just opened was the wrong one.
    WrongPerson {
        /// Whom.
        person: PersonId,
    },
}

/// A service flag that was on the screen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagSeen {
    /// Which service.
    pub service: ServiceId,
    /// What it said: `found`, `no-record`...
    pub state: String,
}

/// What came of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// `shown`, `withheld`, `nothing`, `done` or `refused`.
    pub result: String,
    /// Everyone who was on the screen: results, or the person opened and those beside them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonId>,
    /// The flags that were on the screen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagSeen>,
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The request, the same as in logs and in the answer.
    pub request: String,
    /// Attempt or outcome.
    pub stage: Stage,
    /// Who.
    pub user: Who,
    /// What was asked for.
    #[serde(flatten)]
    pub act: Act,
    /// What came of it; absent from an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
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
redacted!(Who, Terms, Reason, Act, FlagSeen, Outcome, Entry);

impl Entry {
    /// Where it is kept. Microseconds always, so that the order of keys is the order of time.
    #[must_use]
    pub fn key(&self) -> Key {
        let stage = match self.stage {
            Stage::Attempt => "attempt",
            Stage::Outcome => "outcome",
        };
        Key::new(partition(&self.user.id), format!("{:.6}#{}#{stage}", self.at, self.request))
    }
}

fn partition(user: &str) -> String {
    format!("USER#{user}")
}

/// Writes an entry; once this returns it is durable. IAM: `dynamodb:PutItem`, `dynamodb:GetItem`.
///
/// An entry is never overwritten. When the same entry is there already, an earlier try of ours arrived although its
/// answer was lost, and that is as good.
///
/// # Errors
/// When it cannot be written, or another entry has its key.
pub async fn append(table: &Table, entry: &Entry) -> Result<(), StoreError> {
    let item = Item::json(entry.key(), 1, entry)?;
    match table.put(&item, Guard::Absent).await {
        Err(StoreError::Conflict) => match table.get(&item.key, true).await? {
            Some(there) if there.data == item.data => Ok(()),
            _ => Err(StoreError::Conflict),
        },
        other => other,
    }
}

/// A user's entries from the first on, at most `limit`, oldest first. IAM: `dynamodb:Query`.
///
/// # Errors
/// When the table cannot be read.
pub async fn of_user(table: &Table, user: &str, limit: u32) -> Result<Vec<Entry>, StoreError> {
    let page = table.query(&Query::of(partition(user)).limit(limit).consistent()).await?;
    page.items.iter().map(Item::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: &str, stage: Stage) -> Entry {
        Entry {
            at: at.parse().unwrap(),
            request: "r1".into(),
            stage,
            user: Who { id: "amira".into(), name: "Amira Shah".into(), roles: vec!["social-worker".into()] },
            act: Act::Search { terms: Terms { surname: "O'Brien".into(), ..Terms::default() } },
            outcome: None,
        }
    }

    #[test]
    fn keys_sort_as_time_does() {
        let first = entry("2026-03-01T09:00:00Z", Stage::Attempt).key();
        let second = entry("2026-03-01T09:00:00.5Z", Stage::Outcome).key();
        assert_eq!(first.sk, "2026-03-01T09:00:00.000000Z#r1#attempt");
        assert!(first.sk < second.sk);
    }

    #[test]
    fn an_entry_is_one_flat_line_that_names_the_terms() {
        let line = serde_json::to_string(&entry("2026-03-01T09:00:00Z", Stage::Attempt)).unwrap();
        assert!(line.contains(r#""act":"search","terms":{"surname":"O'Brien"}"#), "{line}");
        assert_eq!(
            serde_json::from_str::<Entry>(&line).unwrap().act,
            entry("2026-03-01T09:00:00Z", Stage::Attempt).act
        );
    }
}

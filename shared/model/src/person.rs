//! A person as a social worker reads them: derived from records, and rebuilt whenever those change.

use crate::{
    Address, BirthDate, CaseId, Email, Involvement, Name, PersonId, Phone, Protection, RecordHandle, Relationship, Sex,
    SourceId, StaffId, redact::redacted_debug,
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Something a source said, with the source and when it was current.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Sourced<T> {
    /// The source system that said it.
    pub source: SourceId,
    /// The day it was true there, when the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
    /// What it said.
    pub value: T,
}

impl<T> std::fmt::Debug for Sourced<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sourced({}, redacted)", self.source)
    }
}

/// A record that is part of a person, and why.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ViewRecord {
    /// The record's key.
    pub handle: RecordHandle,
    /// The source it is from.
    pub source: SourceId,
    /// The record's id in its source.
    pub id: String,
    /// Probability, 0 to 1, that it belongs: of its strongest link to another record here. 1 when it stands alone.
    pub confidence: f64,
    /// One sentence a social worker understands: "same NHS number and date of birth; name spelled differently".
    pub explanation: String,
}

/// A relationship from this person's side, not yet resolved to a person.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ViewRelationship {
    /// Key of the related record, resolved to a person when read, so that a split never rewrites relatives.
    pub related: RecordHandle,
    /// As the source states it. `relationship.related` is empty here: the handle stands for it.
    pub relationship: Relationship,
}

/// Everything a page about one person may draw on, before access rules.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PersonView {
    /// The person's id.
    pub id: PersonId,
    /// Grows with every projection of this person.
    pub epoch: u64,
    /// What results show.
    pub summary: Summary,
    /// Other names: former, alias, and other spellings in use, each with its source. May hold names not to be shown.
    pub other_names: Vec<Sourced<Name>>,
    /// Date of death.
    pub death: Option<Date>,
    /// Sex or gender, by the best source.
    pub sex: Option<Sex>,
    /// All known addresses across systems, newest first.
    pub addresses: Vec<Sourced<Address>>,
    /// Phones, newest first.
    pub phones: Vec<Sourced<Phone>>,
    /// E-mail addresses, newest first.
    pub emails: Vec<Sourced<Email>>,
    /// Involvements, by source.
    pub involvements: Vec<Sourced<Involvement>>,
    /// Relationships, by source.
    pub relationships: Vec<Sourced<ViewRelationship>>,
    /// The records that make up this person.
    pub records: Vec<ViewRecord>,
    /// Keys of the households this person is or was in, with the days, for "same address at the same time".
    pub households: Vec<Household>,
}

/// A stay in a household.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Household {
    /// Keyed hash of an [`Address::household_keys`] entry.
    pub key: String,
    /// First day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day; `None` while current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
}

impl Household {
    /// Whether two stays could have overlapped; an unknown day is taken to be long enough ago, or still to come.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let before =
            |end: Option<Date>, start: Option<Date>| matches!((end, start), (Some(end), Some(start)) if end < start);
        !before(self.to, other.from) && !before(other.to, self.from)
    }
}

/// What results and relatives show of a person: authoritative for address, case ID and protection.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The person's id.
    pub id: PersonId,
    /// The name in use, by the best source.
    pub name: Name,
    /// Every other form of the name that can find this person; may hold names not to be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_names: Vec<Name>,
    /// Birth date, by the best source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth: Option<BirthDate>,
    /// Date of death: no age is shown after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub death: Option<Date>,
    /// The newest current address; its lines are empty when it is confidential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Case IDs in the case management system; usually one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub case_ids: Vec<CaseId>,
    /// Workers the case is allocated to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocated: Vec<StaffId>,
    /// The strictest protection of any record.
    pub protection: Protection,
}

redacted_debug!(ViewRecord, ViewRelationship, PersonView, Household, Summary);

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn people_who_never_lived_there_together_do_not_overlap() {
        let stay = |from, to| Household { key: "k".into(), from, to };
        let (old, new) = (stay(None, Some(date(2019, 5, 1))), stay(Some(date(2020, 1, 1)), None));
        assert!(!old.overlaps(&new) && !new.overlaps(&old));
        assert!(old.overlaps(&stay(None, None)));
    }
}

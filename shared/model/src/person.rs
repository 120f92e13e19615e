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
    /// The days on which its source is shown of the person, by all that is known of their age; `None` when on none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Days>,
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
    /// The scheme by which its search entries were filed: [`crate::search_keys::SCHEME`] of that day.
    #[serde(default)]
    pub scheme: u32,
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
    /// The records that make up this person: what is guarded of one of them is of the person, before matching says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordHandle>,
    /// What sources say of the person that may be told on some days only: those shown at some ages. Readers take
    /// [`Summary::on`] a day, in which this is either in its place or left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dated: Vec<Dated>,
    /// Whether what is `dated` is all there is: on a day on which none of it may be told, nobody is here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_dated: bool,
}

/// Days on which something may be told, both included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Days {
    /// The first; `None` when always before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// The last; `None` when for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
}

impl Days {
    /// Whether a day is one of them.
    #[must_use]
    pub fn hold(self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

/// What a source that is shown at some ages says, beyond what the others do.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dated {
    /// The days on which the person has such an age.
    pub days: Days,
    /// Names that only it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Name>,
    /// Birth date, where nobody else says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth: Option<BirthDate>,
    /// Date of death, where nobody else says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub death: Option<Date>,
    /// Current address, where nobody else has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Case IDs that only it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub case_ids: Vec<CaseId>,
    /// Households that only it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub households: Vec<Household>,
}

impl Summary {
    /// The summary as it may be told on a day; `None` when nothing may.
    #[must_use]
    pub fn on(mut self, day: Date) -> Option<Self> {
        let mut told = std::mem::take(&mut self.dated).into_iter().filter(|dated| dated.days.hold(day)).peekable();
        if self.only_dated {
            told.peek()?;
        }
        let (mut names, nameless) = (Vec::new(), self.only_dated && self.name.is_empty());
        self.only_dated = false;
        for dated in told {
            names.extend(dated.names);
            self.birth = self.birth.or(dated.birth);
            self.death = self.death.or(dated.death);
            self.address = self.address.or(dated.address);
            for case in dated.case_ids {
                if !self.case_ids.contains(&case) {
                    self.case_ids.push(case);
                }
            }
        }
        let mut names = names.into_iter();
        if nameless && let Some(first) = names.next() {
            self.name = first;
        }
        for name in names {
            if self.name != name && !self.other_names.contains(&name) {
                self.other_names.push(name);
            }
        }
        Some(self)
    }

    /// Households of what may be told on a day, beyond those that always may.
    pub fn dated_households(&self, day: Date) -> impl Iterator<Item = &Household> {
        self.dated.iter().filter(move |dated| dated.days.hold(day)).flat_map(|dated| &dated.households)
    }
}

impl PersonView {
    /// The view as it may be told on a day; `None` when nobody is here on that day. What each source says is still all
    /// there: readers show of it what the age allows.
    #[must_use]
    pub fn on(mut self, day: Date) -> Option<Self> {
        self.households.extend(self.summary.dated_households(day).cloned().collect::<Vec<_>>());
        self.households.sort();
        self.households.dedup();
        let is_nameless = self.summary.only_dated;
        self.summary = self.summary.on(day)?;
        self.death = self.death.or(self.summary.death);
        let is_in_use = |said: &Sourced<Name>| said.value == self.summary.name;
        if is_nameless && let Some(place) = self.other_names.iter().position(is_in_use) {
            self.other_names.remove(place);
        }
        Some(self)
    }
}

redacted_debug!(ViewRecord, ViewRelationship, PersonView, Household, Summary, Dated);

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

//! What one source says about one person: the agreed fields and nothing else.

use crate::{Address, BirthDate, CaseId, Email, Name, NhsNumber, Phone, StaffId, Upn, redact::redacted_debug};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Sex or gender as sources record it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Recorded as another.
    Other,
}

/// How far a record is protected. Ordered: the strictest of a person's records counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Open to every social worker.
    #[default]
    None,
    /// That the person exists may be known; details are withheld.
    Withheld,
    /// That the person exists must not be known: answers are those of "no record".
    Hidden,
}

impl Protection {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// How one person is related to another, as the case management system states it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Relationship {
    /// The related person's record id in the same source.
    pub related: String,
    /// What the related person is to this one: "Mother", "Sibling".
    pub words: String,
    /// First day, when recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day, when ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Whether the source's definition does not list the words. They may say anything then, also that the two records are
    /// one person's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
}

/// Whom to ring: the lead practitioner, or the team when nobody is named.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contact {
    /// Practitioner's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What they do: "Housing officer".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Their phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Their e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Their id in the staff directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff_id: Option<StaffId>,
    /// Their team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The team's shared inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_inbox: Option<Email>,
}

/// One fact that a service holds, named and worded by its definition: "rent_arrears" is "open".
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fact {
    /// The fact's name in the source definition.
    pub name: String,
    /// Its value, in the definition's words.
    pub value: String,
    /// When it happened, for dated facts such as offences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Date>,
}

/// A service's involvement with a person.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Involvement {
    /// Organisation, school or landlord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Whom to ring.
    #[serde(default, skip_serializing_if = "is_default")]
    pub contact: Contact,
    /// Start of the last involvement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Its end; `None` while it goes on or when the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Most recent interaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_interaction: Option<Date>,
    /// Whether it is current, where the definition has a rule for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<bool>,
    /// The service's own facts, in the definition's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What one feed of a source says of one person, and, once feeds are put together, what the source says.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// Names, the one in use first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Name>,
    /// Date of birth, or expected date for an unborn child. Placeholders never get here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth: Option<BirthDate>,
    /// Whether the birth date stands on more people of the extract than chance brings: shown, and no evidence.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub birth_no_evidence: bool,
    /// Date of death.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub death: Option<Date>,
    /// Sex or gender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
    /// Addresses, in the source's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// The person's own phones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Phone>,
    /// The person's own e-mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Email>,
    /// NHS number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<NhsNumber>,
    /// Unique pupil number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upn: Option<Upn>,
    /// Case ID in the case management system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_id: Option<CaseId>,
    /// The single unique identifier for children, suppressible on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_unique_identifier: Option<String>,
    /// Identifiers of other kinds, as (kind, value), for matching alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_identifiers: Vec<(String, String)>,
    /// Relationships, from this person's side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relationships: Vec<Relationship>,
    /// Involvements of the source's service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub involvements: Vec<Involvement>,
    /// Workers the case is allocated to, for the child-first journey on one's own caseload.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allocated: Vec<StaffId>,
    /// How far the source says the person is protected.
    #[serde(skip_serializing_if = "Protection::is_none")]
    pub protection: Protection,
    /// Whether the source says in so many words that the person is not protected. Saying nothing is something else: only
    /// this lifts what the source said before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unprotected: bool,
    /// Whether its row says in so many words that the address is not confidential: only this takes back that it was. Known
    /// while the row is read; never stored.
    #[serde(skip)]
    pub not_confidential: bool,
    /// Record ids of the same source that must never be linked with this one: the other identity of an adopted child.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never_link: Vec<String>,
    /// The day this was true in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
}

impl Details {
    /// Record ids of the same source that are relatives, in words that its definition lists: other people, for nobody is
    /// their own twin.
    pub fn relatives(&self) -> impl Iterator<Item = &str> {
        let listed = self.relationships.iter().filter(|relationship| !relationship.unlisted);
        listed.map(|relationship| relationship.related.as_str())
    }

    /// Adds what another feed of the same source says about the same person. Single values keep the first that is
    /// known, so merge in the definition's feed order; lists append what is new; the strictest protection counts.
    pub fn merge(&mut self, other: Self) {
        fn append<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
            for item in more {
                if !list.contains(&item) {
                    list.push(item);
                }
            }
        }
        append(&mut self.names, other.names);
        append(&mut self.addresses, other.addresses);
        append(&mut self.phones, other.phones);
        append(&mut self.emails, other.emails);
        append(&mut self.other_identifiers, other.other_identifiers);
        append(&mut self.relationships, other.relationships);
        append(&mut self.involvements, other.involvements);
        append(&mut self.allocated, other.allocated);
        append(&mut self.never_link, other.never_link);
        if self.birth.is_none() {
            (self.birth, self.birth_no_evidence) = (other.birth, other.birth_no_evidence);
        }
        self.death = self.death.or(other.death);
        self.sex = self.sex.or(other.sex);
        self.nhs_number = self.nhs_number.take().or(other.nhs_number);
        self.upn = self.upn.take().or(other.upn);
        self.case_id = self.case_id.take().or(other.case_id);
        self.single_unique_identifier = self.single_unique_identifier.take().or(other.single_unique_identifier);
        self.protection = self.protection.max(other.protection);
        self.unprotected = (self.unprotected || other.unprotected) && self.protection == Protection::None;
        self.as_of = self.as_of.max(other.as_of);
    }
}

/// A worker in the staff directory. Not a person we match.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Staff {
    /// Contact details; the staff id is the record's id.
    pub contact: Contact,
    /// The day they left, when they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Date>,
}

redacted_debug!(Sex, Relationship, Contact, Fact, Involvement, Details, Staff);

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn feeds_of_one_source_make_one_record() {
        let mut people = Details { sex: Some(Sex::Female), as_of: Some(date(2026, 1, 1)), ..Details::default() };
        let address = Address { lines: vec!["1 High Street".into()], ..Address::default() };
        let addresses = Details {
            addresses: vec![address.clone(), address],
            protection: Protection::Withheld,
            as_of: Some(date(2026, 2, 1)),
            ..Details::default()
        };
        people.merge(addresses);
        assert_eq!(people.addresses.len(), 1, "the same address twice is one");
        assert_eq!(people.protection, Protection::Withheld);
        assert_eq!(people.sex, Some(Sex::Female));
        assert_eq!(people.as_of, Some(date(2026, 2, 1)));
    }

    #[test]
    fn an_empty_record_is_written_as_nothing() {
        assert_eq!(serde_json::to_string(&Details::default()).unwrap(), "{}");
    }
}

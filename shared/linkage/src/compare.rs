//! Comparing: how far two records agree, field by field.

use crate::{Band, Weight};
use serde::{Deserialize, Serialize};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Forenames.
    Forename,
    /// Surname.
    Surname,
    /// Date of birth.
    Birth,
    /// Addresses.
    Address,
    /// Sex or gender.
    Sex,
    /// NHS number.
    NhsNumber,
    /// Unique pupil number.
    Upn,
    /// Phones, e-mails and other identifiers.
    Contact,
}

/// How far a field agrees. Not every field knows every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The same.
    Same,
    /// Forms of one name: Bob and Robert.
    Nickname,
    /// One part in common: one of several forenames, half of a double-barrelled surname, a former name.
    Shared,
    /// Spelled or typed differently.
    Close,
    /// An initial that fits.
    Initial,
    /// Forename and surname, or day and month, swapped.
    Swapped,
    /// The same as far as both are known.
    Partial,
    /// Same year, and one is 1 January: what systems write for "only the year is known".
    FirstOfJanuary,
    /// Born about when an unborn child was expected.
    Expected,
    /// Same building, another flat.
    Building,
    /// Same postcode, another house.
    Postcode,
    /// Different.
    Differ,
    /// Not known in one of the two.
    Missing,
}

/// What one field contributes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FieldEvidence {
    /// The field.
    pub field: Field,
    /// How far it agrees.
    pub level: Level,
    /// For (positive) or against (negative) one person.
    pub weight: Weight,
}

/// Two records compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Log2 odds that the two are one person, everything counted.
    pub weight: Weight,
    /// The same as a probability.
    pub probability: f64,
    /// Linked, possible or no.
    pub band: Band,
    /// Evidence by field. With `prior` and `family` it adds up to `weight`.
    pub fields: [FieldEvidence; 8],
    /// Log2 odds before anything is compared.
    pub prior: Weight,
    /// What is taken away because relatives share surnames, addresses and birthdays; never positive.
    pub family: Weight,
}

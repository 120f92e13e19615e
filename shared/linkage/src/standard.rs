//! Standardising: a record's details in the one form in which they are compared.

use crate::{Facts, address::Home};
use fc_model::{Details, NhsNumber, PartialDate, Sex, SourceId, Upn};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One name, folded into tokens.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct StandardName {
    /// Forenames in order; empty when unknown or a placeholder such as "Baby".
    #[serde(rename = "f", skip_serializing_if = "Vec::is_empty")]
    pub forenames: Vec<String>,
    /// Surname: two or more tokens when double-barrelled.
    #[serde(rename = "s", skip_serializing_if = "Vec::is_empty")]
    pub surnames: Vec<String>,
}

/// A record standardised for comparing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standard {
    /// The source system it comes from.
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// Names, the one in use first.
    #[serde(rename = "n", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<StandardName>,
    /// Whether the name is one given before a child has one: "Baby", "Unborn", "Twin 1".
    #[serde(rename = "w", skip_serializing_if = "std::ops::Not::not")]
    pub newborn: bool,
    /// Birth date, unless missing or a placeholder.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub birth: Option<PartialDate>,
    /// Whether it is the expected date of an unborn child.
    #[serde(rename = "e", skip_serializing_if = "std::ops::Not::not")]
    pub expected: bool,
    /// Sex or gender.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
    /// Addresses, in the source's order.
    #[serde(rename = "a", skip_serializing_if = "Vec::is_empty")]
    pub homes: Vec<Home>,
    /// NHS number.
    #[serde(rename = "h", skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<NhsNumber>,
    /// Unique pupil number.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub upn: Option<Upn>,
    /// The person's own phones, e-mails and identifiers of other kinds.
    #[serde(rename = "c", skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
}

impl fmt::Debug for StandardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandardName(redacted)")
    }
}

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Standard(redacted)")
    }
}

impl Standard {
    /// Standardises what a source says of a person.
    #[must_use]
    pub fn of(source: &SourceId, details: &Details) -> Self {
        Self { source: Some(source.clone()), sex: details.sex, ..Self::default() }
    }

    /// The facts that constraints need.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts { sex: self.sex, ..Facts::default() }
    }
}

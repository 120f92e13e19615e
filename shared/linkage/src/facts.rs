//! Facts: the little that constraints need to know of a record, small enough to sit in a cluster's head.

use fc_model::{NhsNumber, PartialDate, Sex, Upn};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What [`resolve`](crate::resolve()) knows of a record: about 100 to 160 bytes as JSON.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// NHS number.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<NhsNumber>,
    /// Unique pupil number.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub upn: Option<Upn>,
    /// Birth date, unless missing or a placeholder.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub birth: Option<PartialDate>,
    /// Whether it is the expected date of an unborn child.
    #[serde(rename = "e", skip_serializing_if = "std::ops::Not::not")]
    pub expected: bool,
    /// Forenames of every name, folded, at most a few.
    #[serde(rename = "f", skip_serializing_if = "Vec::is_empty")]
    pub forenames: Vec<String>,
    /// Surname tokens of every name, folded, at most a few.
    #[serde(rename = "s", skip_serializing_if = "Vec::is_empty")]
    pub surnames: Vec<String>,
    /// Sex or gender.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts(redacted)")
    }
}

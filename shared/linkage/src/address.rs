//! Addresses, read into flat, number, street and postcode.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An address in parts, folded.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Home {
    /// The property's number in the national gazetteer.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub uprn: Option<u64>,
    /// Flat, room or unit: `14a`.
    #[serde(rename = "f", skip_serializing_if = "String::is_empty")]
    pub flat: String,
    /// House number, or the house's name: `2`, `2b`, `rose cottage`.
    #[serde(rename = "n", skip_serializing_if = "String::is_empty")]
    pub number: String,
    /// Street, with its kind in full: `high street`.
    #[serde(rename = "s", skip_serializing_if = "String::is_empty")]
    pub street: String,
    /// Postcode without its space: `SK13XE`.
    #[serde(rename = "p", skip_serializing_if = "String::is_empty")]
    pub postcode: String,
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Home(redacted)")
    }
}

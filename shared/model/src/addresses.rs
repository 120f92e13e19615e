//! Addresses and postcodes in the United Kingdom.

use crate::{Place, Uprn, fold, identifiers::InvalidIdentifier, redact::redacted_debug};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A postcode in its standard form: outward and inward part with one space, such as `SK1 3XE`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Postcode(String);

impl Postcode {
    /// Reads a postcode with or without its space, in any case. Placeholders (`ZZ99` no fixed abode and the like) are refused.
    ///
    /// # Errors
    /// When the shape is not that of a postcode (Royal Mail: `A9`, `A99`, `AA9`, `AA99`, `A9A` or `AA9A`, then `9AA`).
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        let packed: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
        let bytes = packed.as_bytes();
        if !packed.is_ascii() {
            return Err(InvalidIdentifier::Character);
        }
        if !(5..=7).contains(&bytes.len()) {
            return Err(InvalidIdentifier::Length);
        }
        let (outward, inward) = bytes.split_at(bytes.len() - 3);
        let shape: Vec<u8> = outward.iter().map(|b| if b.is_ascii_digit() { b'9' } else { b'A' }).collect();
        let fits = matches!(&shape[..], b"A9" | b"A99" | b"AA9" | b"AA99" | b"A9A" | b"AA9A")
            && inward[0].is_ascii_digit()
            && inward[1..].iter().all(u8::is_ascii_alphabetic)
            && outward.iter().all(u8::is_ascii_alphanumeric);
        if !fits {
            return Err(InvalidIdentifier::Character);
        }
        if outward == b"ZZ99" {
            return Err(InvalidIdentifier::Placeholder);
        }
        let (outward, inward) = packed.split_at(packed.len() - 3);
        Ok(Self(format!("{outward} {inward}")))
    }

    /// The postcode with its space.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the space: a town or a district.
    #[must_use]
    pub fn outward(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

impl TryFrom<String> for Postcode {
    type Error = InvalidIdentifier;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Postcode> for String {
    fn from(postcode: Postcode) -> String {
        postcode.0
    }
}

/// Where someone lives or lived.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The lines, most specific first, without the postcode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The postcode, when valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<Postcode>,
    /// The property's number in the national gazetteer, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uprn: Option<Uprn>,
    /// First day here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Last day here; `None` while current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// Whether it must not be shown: a refuge, a foster home.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confidential: bool,
    /// Whether it stands on more people of the extract than can live there: an office, a prison. Shown, and no evidence of
    /// who somebody is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_evidence: bool,
}

redacted_debug!(Postcode, Address);

impl Address {
    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.postcode.is_none() && self.uprn.is_none()
    }

    /// On one line, as shown in results.
    #[must_use]
    pub fn display(&self) -> String {
        let postcode = self.postcode.as_ref().map(Postcode::as_str);
        self.lines.iter().map(String::as_str).chain(postcode).collect::<Vec<_>>().join(", ")
    }

    /// Keys that two records share when they are of one household: the UPRN, and the postcode with every number in the
    /// lines. Flat 14A is not flat 14C, and an address without any number has no key of the second kind (a house number
    /// missing is not a match). Confidential addresses have none.
    #[must_use]
    pub fn household_keys(&self) -> Vec<String> {
        if self.confidential { Vec::new() } else { self.place_keys() }
    }

    /// The same keys whether or not the address is confidential. Never to be filed or shown: only to keep the households of
    /// a confidential address out of everything.
    #[must_use]
    pub fn place_keys(&self) -> Vec<String> {
        let uprn = self.uprn.map(|uprn| format!("U{}", u64::from(uprn)));
        let numbers = self.numbers();
        let premise = self
            .postcode
            .as_ref()
            .filter(|_| !numbers.is_empty())
            .map(|postcode| format!("P{}#{}", postcode.as_str(), numbers.join("#")));
        uprn.into_iter().chain(premise).collect()
    }

    /// Whether two addresses may be the same place: see [`crate::places`].
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        Place::plain(self).may_be(&Place::plain(other))
    }

    /// Every word of the lines that has a digit.
    fn numbers(&self) -> Vec<String> {
        let words = self.lines.iter().flat_map(|line| fold::tokens(line));
        words.filter(|word| word.bytes().any(|b| b.is_ascii_digit())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postcode_is_read_however_it_is_typed() {
        for text in ["SK1 3XE", "sk13xe", " Sk1  3xe ", "SK13XE"] {
            assert_eq!(Postcode::parse(text).unwrap().as_str(), "SK1 3XE");
        }
        assert_eq!(Postcode::parse("EC1A 1BB").unwrap().outward(), "EC1A");
    }

    #[test]
    fn what_is_not_a_postcode_is_refused() {
        for text in ["", "SK1", "1SK 3XE", "SK1 XXE", "SKÉ 3XE", "ZZ99 3VZ", "ABCD 1EF"] {
            assert!(Postcode::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flat_14a_is_not_flat_14c() {
        let flat = |line: &str| Address {
            lines: vec![line.into()],
            postcode: Postcode::parse("SK1 3XE").ok(),
            ..Address::default()
        };
        assert_ne!(flat("Flat 14A, 2 High Street").household_keys(), flat("Flat 14C, 2 High Street").household_keys());
        assert_eq!(flat("2 High Street").household_keys(), flat("2 HIGH ST.").household_keys());
        assert!(flat("High Street").household_keys().is_empty());
    }

    #[test]
    fn a_confidential_address_ties_nobody_to_a_household() {
        let refuge = Address { uprn: Uprn::parse("100").ok(), confidential: true, ..Address::default() };
        assert!(refuge.household_keys().is_empty());
        assert_eq!(refuge.place_keys(), ["U100"], "to keep others from saying it");
    }

    #[test]
    fn what_may_be_the_same_place_is_as_secret() {
        let at = |line: &str, postcode: &str| Address {
            lines: vec![line.into()],
            postcode: Postcode::parse(postcode).ok(),
            ..Address::default()
        };
        let refuge = at("Rose House, 3 Hidden Way", "SK4 4AA");
        let property = Address { uprn: Uprn::parse("100").ok(), ..Address::default() };
        for same in [at("3 HIDDEN WAY", "sk44aa"), at("Rose House", "SK4 4AA"), at("Flat 2, 3 Hidden Way", "SK4 4AA")] {
            assert!(refuge.may_be(&same) && same.may_be(&refuge));
        }
        assert!(refuge.may_be(&Address { postcode: refuge.postcode.clone(), ..Address::default() }));
        assert!(refuge.may_be(&at("Rose House 3 Hidden Way", "")), "without its postcode");
        assert!(property.may_be(&Address { uprn: property.uprn, ..refuge.clone() }));
        for another in [at("5 Hidden Way", "SK4 4AA"), at("3 Mill Lane", "SK4 4AB"), at("5 Mill Lane", "")] {
            assert!(!refuge.may_be(&another) && !another.may_be(&refuge));
        }
        assert!(!property.may_be(&refuge) && !Address::default().may_be(&refuge));
    }
}

//! Identifiers, as types that cannot hold a wrong value.

use crate::redact::redacted_debug;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{fmt, str::FromStr};

/// Why a text is not the identifier it was taken for. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentifier {
    /// Wrong number of characters.
    #[error("has the wrong length")]
    Length,
    /// A character that the identifier never has.
    #[error("has a character that does not belong")]
    Character,
    /// The check digit or check letter does not fit the rest.
    #[error("fails its check digit")]
    CheckDigit,
    /// A value that systems put in when they have none, such as ten equal digits.
    #[error("is a placeholder")]
    Placeholder,
}

/// Implements string conversion and serde for a newtype whose text is checked by `parse`.
macro_rules! text_identifier {
    ($type:ident) => {
        impl $type {
            /// The identifier as text, in its standard form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $type {
            type Error = InvalidIdentifier;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.0
            }
        }
        impl FromStr for $type {
            type Err = InvalidIdentifier;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
    };
}

/// An NHS number: ten digits, the last a modulus 11 check digit (NHS Data Dictionary). Ten equal digits are refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NhsNumber(String);
text_identifier!(NhsNumber);

impl NhsNumber {
    /// Reads ten digits, ignoring spaces and hyphens between them.
    ///
    /// # Errors
    /// When it is not ten digits, fails modulus 11, or is one digit repeated.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
        if digits.chars().any(|c| !c.is_ascii_digit()) {
            return Err(InvalidIdentifier::Character);
        }
        if digits.len() != 10 {
            return Err(InvalidIdentifier::Length);
        }
        let bytes = digits.as_bytes();
        if bytes.iter().all(|b| *b == bytes[0]) {
            return Err(InvalidIdentifier::Placeholder);
        }
        let sum: u32 = bytes[..9].iter().zip((2..=10).rev()).map(|(b, weight)| u32::from(b - b'0') * weight).sum();
        match (11 - sum % 11) % 11 {
            10 => Err(InvalidIdentifier::CheckDigit),
            check if check == u32::from(bytes[9] - b'0') => Ok(Self(digits)),
            _ => Err(InvalidIdentifier::CheckDigit),
        }
    }
}

/// The letters a UPN check letter is taken from, by remainder of 23 (Department for Education UPN guide): no I, O or S.
const UPN_LETTERS: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";

/// A unique pupil number: a check letter, eleven digits, and a digit or, for a temporary one, a letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upn(String);
text_identifier!(Upn);

impl Upn {
    /// Reads thirteen characters, ignoring case and surrounding space.
    ///
    /// # Errors
    /// When the shape is wrong or the check letter does not fit.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        let upn = text.trim().to_ascii_uppercase();
        let bytes = upn.as_bytes();
        if bytes.len() != 13 {
            return Err(InvalidIdentifier::Length);
        }
        if !bytes[1..12].iter().all(u8::is_ascii_digit) {
            return Err(InvalidIdentifier::Character);
        }
        let letter_value = |b: u8| UPN_LETTERS.iter().position(|l| *l == b);
        let last = match bytes[12] {
            b if b.is_ascii_digit() => usize::from(b - b'0'),
            b => letter_value(b).ok_or(InvalidIdentifier::Character)?,
        };
        let sum: usize = bytes[1..12].iter().zip(2..).map(|(b, weight)| usize::from(b - b'0') * weight).sum();
        if UPN_LETTERS[(sum + last * 13) % 23] != bytes[0] {
            return Err(InvalidIdentifier::CheckDigit);
        }
        if bytes[1..12].iter().all(|b| *b == b'0') {
            return Err(InvalidIdentifier::Placeholder);
        }
        Ok(Self(upn))
    }

    /// Whether this is a temporary number, given until a school knows the permanent one.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.ends_with(|c: char| c.is_ascii_alphabetic())
    }
}

/// A unique property reference number: up to twelve digits, not zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Uprn(u64);

impl Uprn {
    /// Reads up to twelve digits, ignoring leading zeros.
    ///
    /// # Errors
    /// When it holds anything but digits, is too long, or is zero.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        let text = text.trim();
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidIdentifier::Character);
        }
        text.parse::<u64>().map_err(|_| InvalidIdentifier::Length)?.try_into()
    }
}

impl TryFrom<u64> for Uprn {
    type Error = InvalidIdentifier;
    fn try_from(number: u64) -> Result<Self, Self::Error> {
        match number {
            0 => Err(InvalidIdentifier::Placeholder),
            1..=999_999_999_999 => Ok(Self(number)),
            _ => Err(InvalidIdentifier::Length),
        }
    }
}

impl From<Uprn> for u64 {
    fn from(uprn: Uprn) -> u64 {
        uprn.0
    }
}

/// Declares an identifier that a source or a council chooses itself: trimmed, not empty, bounded, no control characters.
macro_rules! opaque_identifier {
    ($(#[$doc:meta])* $type:ident, $longest:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);
        text_identifier!($type);

        impl $type {
            /// Trims and checks the text.
            ///
            /// # Errors
            #[doc = concat!("When it is empty, longer than ", stringify!($longest), " bytes, or holds a control character.")]
            pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
                let text = text.trim();
                if text.is_empty() || text.len() > $longest {
                    return Err(InvalidIdentifier::Length);
                }
                if text.chars().any(char::is_control) {
                    return Err(InvalidIdentifier::Character);
                }
                Ok(Self(text.to_owned()))
            }
        }
    };
}

opaque_identifier!(
    /// A case ID in the children's case management system: how social workers know a child.
    CaseId, 64
);
opaque_identifier!(
    /// A worker's id, on which the staff directory is joined.
    StaffId, 64
);

impl StaffId {
    /// The id as it is compared: two sources, and the directory that signs people in, write one id in different case and
    /// with or without spaces.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
    }

    /// Whether both are the same worker's.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

/// Declares an id that we name ourselves in configuration: a lower-case slug, safe in paths and keys.
macro_rules! slug {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);
        text_identifier!($type);

        impl $type {
            /// Checks the text.
            ///
            /// # Errors
            /// When it is not 1 to 40 of `a-z`, `0-9` and `_`, starting with a letter.
            pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
                if text.is_empty() || text.len() > 40 {
                    return Err(InvalidIdentifier::Length);
                }
                let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
                if !text.bytes().all(legal) || !text.as_bytes()[0].is_ascii_lowercase() {
                    return Err(InvalidIdentifier::Character);
                }
                Ok(Self(text.to_owned()))
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

slug!(
    /// A source system, such as `housing`; the name of its definition file.
    SourceId
);
slug!(
    /// One feed of a source, such as `people` or `relationships`.
    FeedId
);
slug!(
    /// A service on the page, such as `adult_social_care`. Several sources may feed one service.
    ServiceId
);

/// A record's name in its own system: `source:source_record_id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordId {
    /// The source system.
    pub source: SourceId,
    /// The record's id there, as the source writes it.
    pub id: String,
}

impl RecordId {
    /// A record id from its parts.
    #[must_use]
    pub fn new(source: SourceId, id: impl Into<String>) -> Self {
        Self { source, id: id.into() }
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.id)
    }
}

/// A person in this tool. Random, says nothing of the person, and may appear in a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonId(String);
text_identifier!(PersonId);

impl PersonId {
    /// A new random id.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Reads 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record's key in tables and manifests: a keyed hash of its record id, so that no key shows who is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordHandle(String);
text_identifier!(RecordHandle);

impl RecordHandle {
    /// Reads 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for RecordHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn parse_hex(text: &str) -> Result<String, InvalidIdentifier> {
    if text.len() != 32 {
        return Err(InvalidIdentifier::Length);
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(InvalidIdentifier::Character);
    }
    Ok(text.to_owned())
}

/// The council's secret from which every keyed hash is made. Losing it means loading everything again.
#[derive(Clone)]
pub struct HandleKey(Vec<u8>);
redacted_debug!(HandleKey, NhsNumber, Upn, Uprn, CaseId, StaffId, RecordId);

impl HandleKey {
    /// A key from secret bytes; at least 32 of them, random.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn new(secret: impl Into<Vec<u8>>) -> Result<Self, InvalidIdentifier> {
        let secret = secret.into();
        if secret.len() < 32 { Err(InvalidIdentifier::Length) } else { Ok(Self(secret)) }
    }

    /// The handle of a record: the same for every feed of its source.
    #[must_use]
    pub fn record(&self, record: &RecordId) -> RecordHandle {
        RecordHandle(self.hash("record", &record.to_string()))
    }

    /// A keyed hash of any text, 32 hexadecimal digits; `purpose` keeps uses apart.
    #[must_use]
    pub fn hash(&self, purpose: &str, text: &str) -> String {
        // Hmac takes a key of any length: this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { unreachable!("any key length is accepted") };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()[..16].iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staff_id_is_the_same_however_it_is_written() {
        let id = |text: &str| StaffId::parse(text).unwrap();
        assert!(id("SW7").is(&id(" sw 7 ")) && !id("SW7").is(&id("SW70")));
    }

    #[test]
    fn an_nhs_number_is_read_with_or_without_spaces() {
        assert_eq!(NhsNumber::parse("943 476 5919").unwrap().as_str(), "9434765919");
        assert_eq!(NhsNumber::parse("943-476-5919").unwrap(), NhsNumber::parse("9434765919").unwrap());
    }

    #[test]
    fn an_nhs_number_with_a_wrong_digit_is_refused() {
        assert_eq!(NhsNumber::parse("9434765918"), Err(InvalidIdentifier::CheckDigit));
        assert_eq!(NhsNumber::parse("943476591"), Err(InvalidIdentifier::Length));
        assert_eq!(NhsNumber::parse("94347659I9"), Err(InvalidIdentifier::Character));
    }

    #[test]
    fn ten_equal_digits_are_not_a_person() {
        for digit in 0..=9 {
            assert!(NhsNumber::parse(&digit.to_string().repeat(10)).is_err());
        }
    }

    #[test]
    fn a_upn_must_carry_its_check_letter() {
        assert!(Upn::parse("t925204625067").is_ok());
        assert_eq!(Upn::parse("A925204625067"), Err(InvalidIdentifier::CheckDigit));
        assert_eq!(Upn::parse("T92520462506"), Err(InvalidIdentifier::Length));
        assert!(!Upn::parse("T925204625067").unwrap().is_temporary());
    }

    #[test]
    fn a_uprn_has_at_most_twelve_digits() {
        assert_eq!(u64::from(Uprn::parse("000100030714377").unwrap()), 100_030_714_377);
        assert!(Uprn::parse("1234567890123").is_err());
        assert!(Uprn::parse("0").is_err());
        assert!(Uprn::parse("4.86E+09").is_err());
    }

    #[test]
    fn a_handle_is_stable_and_keyed() {
        let one = HandleKey::new([1; 32]).unwrap();
        let two = HandleKey::new([2; 32]).unwrap();
        let record = RecordId::new("housing".parse().unwrap(), "H0051747");
        assert_eq!(one.record(&record), one.record(&record));
        assert_ne!(one.record(&record), two.record(&record));
        assert!(RecordHandle::parse(one.record(&record).as_str()).is_ok());
        assert!(HandleKey::new([1; 31]).is_err());
    }

    #[test]
    fn a_source_id_is_safe_in_paths() {
        assert!(SourceId::parse("youth_justice").is_ok());
        for bad in ["", "Housing", "../etc", "9lives", "a b", &"a".repeat(41)] {
            assert!(SourceId::parse(bad).is_err(), "{bad}");
        }
    }
}

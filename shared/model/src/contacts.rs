//! Phone numbers and e-mail addresses.

use crate::{identifiers::InvalidIdentifier, redact::redacted_debug};
use serde::{Deserialize, Serialize};

/// A United Kingdom phone number: 10 or 11 digits from the leading zero.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// Reads a number with any spacing, brackets, `+44`, `0044`, or the leading zero that a spreadsheet lost.
    ///
    /// # Errors
    /// When other characters remain or it is not 10 or 11 digits.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        let packed: String =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '-' | '.' | '\u{2011}')).collect();
        let national = match packed.strip_prefix("+44").or_else(|| packed.strip_prefix("0044")) {
            Some(rest) => format!("0{}", rest.strip_prefix('0').unwrap_or(rest)),
            None => packed,
        };
        if !national.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidIdentifier::Character);
        }
        let national = match (national.len(), national.starts_with('0')) {
            (9 | 10, false) => format!("0{national}"),
            _ => national,
        };
        if !(10..=11).contains(&national.len()) || !national.starts_with('0') {
            return Err(InvalidIdentifier::Length);
        }
        if national.bytes().skip(1).all(|b| b == b'0') {
            return Err(InvalidIdentifier::Placeholder);
        }
        Ok(Self(national))
    }

    /// The digits, for a `tel:` link.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As people write it: `020 7946 0000`, `0161 496 0000`, `07700 900123`, `01632 960001`.
    #[must_use]
    pub fn display(&self) -> String {
        let digits = &self.0;
        let cuts: &[usize] = match digits.get(..3) {
            Some("020" | "023" | "024" | "028" | "029") => &[3, 7],
            Some("011") => &[4, 7],
            Some(area) if area.starts_with("01") && digits.as_bytes()[3] == b'1' => &[4, 7],
            Some("080" | "084" | "087" | "030" | "033" | "034" | "037") => &[4, 7],
            _ => &[5],
        };
        let mut out = String::new();
        for (i, c) in digits.chars().enumerate() {
            if cuts.contains(&i) {
                out.push(' ');
            }
            out.push(c);
        }
        out
    }
}

/// An e-mail address, in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Reads an address: something, one `@`, a domain with a dot, no spaces or control characters, at most 254 bytes.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentifier> {
        let text = text.trim();
        if text.len() > 254 {
            return Err(InvalidIdentifier::Length);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidIdentifier::Character)?;
        let legal = |part: &str| {
            !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || "@<>,;\"".contains(c))
        };
        let dotted = domain.split('.').count() > 1 && domain.split('.').all(|label| !label.is_empty());
        if !legal(local) || !legal(domain) || !dotted {
            return Err(InvalidIdentifier::Character);
        }
        Ok(Self(text.to_lowercase()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_conversions {
    ($type:ident) => {
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
    };
}
text_conversions!(Phone);
text_conversions!(Email);
redacted_debug!(Phone, Email);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_read_however_it_is_written() {
        for text in ["0161 496 0000", "(0161) 496-0000", "+44 161 496 0000", "+44 (0)161 496 0000", "00441614960000"] {
            assert_eq!(Phone::parse(text).unwrap().as_str(), "01614960000", "{text}");
        }
    }

    #[test]
    fn a_leading_zero_that_a_spreadsheet_lost_is_put_back() {
        assert_eq!(Phone::parse("7700900123").unwrap().display(), "07700 900123");
    }

    #[test]
    fn what_is_not_a_phone_number_is_refused() {
        for text in ["", "ask Jo", "12345", "4.86E+09", "00000000000", "016149600001234"] {
            assert!(Phone::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_spaced_for_reading_aloud() {
        assert_eq!(Phone::parse("02079460000").unwrap().display(), "020 7946 0000");
        assert_eq!(Phone::parse("01614960000").unwrap().display(), "0161 496 0000");
        assert_eq!(Phone::parse("01632960001").unwrap().display(), "01632 960001");
    }

    #[test]
    fn an_email_needs_a_domain() {
        assert_eq!(Email::parse(" Jo.Bloggs@Council.Gov.UK ").unwrap().as_str(), "jo.bloggs@council.gov.uk");
        for text in ["jo", "jo@", "@council.gov.uk", "jo@council", "jo b@council.gov.uk", "a@b@c.uk"] {
            assert!(Email::parse(text).is_err(), "{text}");
        }
    }
}

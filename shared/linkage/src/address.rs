//! Addresses, read into flat, number, street and postcode.

use crate::compare::spelled_alike;
use fc_model::{Address, Postcode, fold};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Letters kept of one part; nothing real is longer.
const LONGEST: usize = 60;

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

/// How two addresses compare, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nearness {
    /// One home.
    Same,
    /// One home, as far as both are written.
    Close,
    /// One building, another flat.
    Building,
    /// One postcode.
    Postcode,
    /// Elsewhere.
    Elsewhere,
}

const NO_HOME: [&str; 12] = [
    "no fixed abode",
    "nfa",
    "no fixed address",
    "unknown",
    "not known",
    "homeless",
    "address unknown",
    "none",
    "tbc",
    "na",
    "sofa surfing",
    "of no fixed abode",
];

/// What stands before an address that is another's, or a prison's.
const ANOTHERS: [&str; 5] = ["c o", "care of", "hmp", "hmyoi", "hm prison"];

/// Where people are written who have no address to write.
const OFFICES: [&str; 6] =
    ["civic centre", "town hall", "county hall", "council offices", "civic offices", "city hall"];

const FLATS: [&str; 9] = ["flat", "flt", "apartment", "apt", "unit", "room", "rm", "studio", "maisonette"];

/// Kinds of street in full, with how they are shortened.
const KINDS: [(&str, &[&str]); 22] = [
    ("road", &["rd"]),
    ("street", &["st", "str"]),
    ("avenue", &["ave", "av", "aven"]),
    ("drive", &["dr", "drv"]),
    ("close", &["cl", "clo"]),
    ("crescent", &["cres", "cr", "cresc"]),
    ("court", &["ct", "crt"]),
    ("gardens", &["gdns", "gdn", "garden", "gds"]),
    ("grove", &["gr", "grv", "gro"]),
    ("lane", &["ln", "la"]),
    ("place", &["pl", "plc"]),
    ("terrace", &["terr", "ter", "tce", "trc"]),
    ("square", &["sq"]),
    ("park", &["pk"]),
    ("way", &["wy"]),
    ("walk", &["wlk", "wk"]),
    ("house", &["hse", "ho"]),
    ("mount", &["mt"]),
    ("view", &["vw"]),
    ("green", &["grn", "gn"]),
    ("hill", &["hl"]),
    ("buildings", &["bldgs", "bldg", "building"]),
];

impl Home {
    /// Reads an address; `None` when it says nothing, or that there is no home.
    #[must_use]
    pub fn of(address: &Address) -> Option<Self> {
        let mut home = Self {
            uprn: address.uprn.map(u64::from),
            postcode: address.postcode.as_ref().map(packed).unwrap_or_default(),
            ..Self::default()
        };
        let parts: Vec<Vec<String>> = address
            .lines
            .iter()
            .take(8)
            .flat_map(|line| line.split([',', ';', '\n']))
            .map(|part| fold::tokens(shortened(part, 2 * LONGEST)))
            .filter(|tokens| !tokens.is_empty())
            .collect();
        let is = |words: &str, tokens: &[String]| words.split(' ').eq(tokens.iter().map(String::as_str));
        let begins = |words: &str, tokens: &[String]| is(words, &tokens[..tokens.len().min(words.split(' ').count())]);
        let no_home = |tokens: &Vec<String>| {
            NO_HOME.iter().any(|words| is(words, tokens))
                || ANOTHERS.iter().any(|words| begins(words, tokens))
                || OFFICES.iter().any(|words| is(words, &tokens[tokens.len().saturating_sub(2)..]))
        };
        if parts.iter().any(no_home) {
            return None;
        }
        home.read_parts(parts);
        for part in [&mut home.flat, &mut home.number, &mut home.street] {
            part.truncate(shortened(part, LONGEST).len());
        }
        (home != Self::default()).then_some(home)
    }

    fn read_parts(&mut self, parts: Vec<Vec<String>>) {
        let mut named: Vec<Vec<String>> = Vec::new();
        for mut tokens in parts {
            if self.flat.is_empty() && tokens.len() > 1 && FLATS.contains(&tokens[0].as_str()) {
                tokens.remove(0);
                self.flat = take_number(&mut tokens);
            }
            if self.number.is_empty() && tokens.first().is_some_and(|t| starts_with_digit(t)) {
                let number = take_number(&mut tokens);
                // "5/12 High Street" is flat 5 at number 12.
                if self.flat.is_empty() && tokens.first().is_some_and(|t| starts_with_digit(t)) {
                    self.flat = number;
                    self.number = take_number(&mut tokens);
                } else {
                    self.number = number;
                }
                if !tokens.is_empty() {
                    self.street = street(&tokens);
                    return;
                }
                continue;
            }
            if tokens.is_empty() {
                continue;
            }
            if !self.number.is_empty() {
                self.street = street(&tokens);
                return;
            }
            named.push(tokens);
        }
        // No number: a house name before its street, or a street alone.
        let with_kind = named.iter().position(|tokens| tokens.last().is_some_and(|last| kind(last).is_some()));
        if let Some(at) = with_kind {
            self.street = street(&named[at]);
            if at > 0 {
                self.number = named[at - 1].join(" ");
            }
        } else if let [house, place, ..] = &named[..] {
            self.number = house.join(" ");
            self.street = street(place);
        } else if let [place] = &named[..] {
            self.street = street(place);
        }
    }

    /// Key of the home for blocking: postcode, number and flat. `None` without a number (a missing one is no match).
    pub(crate) fn premise(&self) -> Option<String> {
        if self.postcode.is_empty() || self.number.is_empty() {
            return None;
        }
        Some(format!("{}#{}#{}", self.postcode, self.number, self.flat))
    }

    /// Key of the home for blocking without its postcode: street, number and flat.
    pub(crate) fn door(&self) -> Option<String> {
        if self.street.is_empty() || self.number.is_empty() {
            return None;
        }
        Some(format!("{}#{}#{}", self.street, self.number, self.flat))
    }

    /// How near two homes are; `None` when they cannot be compared.
    pub(crate) fn nearness(&self, other: &Self) -> Option<Nearness> {
        if self.uprn.is_some() && self.uprn == other.uprn {
            return Some(Nearness::Same);
        }
        let (a, b) = (self, other);
        let postcodes = !a.postcode.is_empty() && !b.postcode.is_empty();
        let same_postcode = postcodes && a.postcode == b.postcode;
        let numbers = !a.number.is_empty() && !b.number.is_empty();
        let same_number = numbers && a.number == b.number;
        let streets = !a.street.is_empty() && !b.street.is_empty();
        let same_street = || streets && (a.street == b.street || spelled_alike(&a.street, &b.street));
        if same_number && (same_postcode || same_street()) {
            if a.flat != b.flat {
                return Some(Nearness::Building);
            }
            // Another postcode for the same house in the same street is a typing error unless the town differs too.
            let near_postcode = || strsim::osa_distance(&a.postcode, &b.postcode) <= 2;
            return match (same_postcode, postcodes) {
                (true, _) => Some(Nearness::Same),
                (false, false) => Some(Nearness::Close),
                (false, true) if near_postcode() => Some(Nearness::Close),
                (false, true) => Some(Nearness::Elsewhere),
            };
        }
        if same_postcode {
            return Some(Nearness::Postcode);
        }
        (postcodes || (numbers && streets)).then_some(Nearness::Elsewhere)
    }
}

/// So many letters of a text at most.
fn shortened(text: &str, letters: usize) -> &str {
    text.char_indices().nth(letters).map_or(text, |(end, _)| &text[..end])
}

fn packed(postcode: &Postcode) -> String {
    postcode.as_str().replace(' ', "")
}

fn starts_with_digit(token: &str) -> bool {
    token.bytes().next().is_some_and(|b| b.is_ascii_digit())
}

/// Takes a number off the front, with the letter that follows it: `14 a` is `14a`.
fn take_number(tokens: &mut Vec<String>) -> String {
    if tokens.is_empty() {
        return String::new();
    }
    let mut number = tokens.remove(0);
    let is_letter = |t: &String| t.len() == 1 && t.bytes().all(|b| b.is_ascii_lowercase());
    if number.bytes().all(|b| b.is_ascii_digit()) && tokens.first().is_some_and(is_letter) {
        number.push_str(&tokens.remove(0));
    }
    number
}

fn kind(token: &str) -> Option<&'static str> {
    KINDS.iter().find(|(full, short)| *full == token || short.contains(&token)).map(|(full, _)| *full)
}

/// The street with its kind in full; `st` in front is a saint.
fn street(tokens: &[String]) -> String {
    let mut words: Vec<&str> = tokens.iter().map(String::as_str).collect();
    if words.len() > 1 {
        if let Some(last) = words.last_mut()
            && let Some(full) = kind(last)
        {
            *last = full;
        }
        if words[0] == "st" {
            words[0] = "saint";
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_model::Uprn;

    fn home(lines: &[&str], postcode: &str) -> Home {
        let lines = lines.iter().map(|l| (*l).to_owned()).collect();
        Home::of(&Address { lines, postcode: Postcode::parse(postcode).ok(), ..Address::default() }).unwrap()
    }

    #[test]
    fn an_address_is_read_however_its_lines_are_cut() {
        let wanted = home(&["Flat 14A", "2 High Street", "Stockport"], "SK1 3XE");
        for lines in [
            &["Flat 14A, 2 High St", "Stockport"][..],
            &["FLAT 14 A 2 HIGH STREET"],
            &["14A/2 High Street"],
            &["Apt 14a", "2", "High Street"],
        ] {
            assert_eq!(home(lines, "SK1 3XE"), wanted, "{lines:?}");
        }
    }

    #[test]
    fn flat_14a_is_not_flat_14c_and_a_missing_number_is_no_match() {
        let (a, c) = (home(&["Flat 14A, 2 High St"], "SK1 3XE"), home(&["Flat 14C, 2 High St"], "SK1 3XE"));
        assert_eq!(a.nearness(&c), Some(Nearness::Building));
        assert_eq!(home(&["High St"], "SK1 3XE").nearness(&a), Some(Nearness::Postcode));
        assert!(home(&["High St"], "SK1 3XE").premise().is_none());
    }

    #[test]
    fn a_mistyped_postcode_or_street_is_still_the_home() {
        let right = home(&["9 Maple Lane"], "LN1 5WL");
        assert_eq!(right.nearness(&home(&["9 Maple Laane"], "LN1 5WL")), Some(Nearness::Same));
        assert_eq!(right.nearness(&home(&["9 Maple Ln"], "LN1 5LW")), Some(Nearness::Close));
        assert_eq!(right.nearness(&home(&["9 Maple Lane"], "M20 2AB")), Some(Nearness::Elsewhere));
    }

    #[test]
    fn the_same_property_number_is_the_same_home() {
        let with = |uprn: &str| Home::of(&Address { uprn: Uprn::parse(uprn).ok(), ..Address::default() }).unwrap();
        assert_eq!(with("100").nearness(&with("100")), Some(Nearness::Same));
        assert_eq!(
            with("100").nearness(&with("101")),
            None,
            "property numbers alone are too often wrong to tell apart"
        );
    }

    #[test]
    fn nobody_lives_at_an_office_in_a_prison_or_care_of_somebody() {
        for lines in [
            &["C/O 1 Civic Centre", "High Street"][..],
            &["Civic Centre, High Street"],
            &["HMP Lindholm"],
            &["c/o Gran", "4 Mill Lane"],
            &["Care of Lena Novak, 4 Mill Lane"],
            &["1 Town Hall"],
        ] {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let address = Address { lines, ..Address::default() };
            assert!(Home::of(&address).is_none(), "{address:?}");
        }
        for line in ["4 Civic Road", "4 Town Hall Lane", "7 Mill Lane, Co Durham"] {
            assert!(Home::of(&Address { lines: vec![line.into()], ..Address::default() }).is_some(), "{line}");
        }
    }

    #[test]
    fn nobody_lives_together_at_no_fixed_abode() {
        let nowhere = Address { lines: vec!["No Fixed Abode".into()], ..Address::default() };
        assert!(Home::of(&nowhere).is_none());
    }
}

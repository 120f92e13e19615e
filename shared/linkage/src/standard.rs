//! Standardising: a record's details in the one form in which they are compared.

use crate::{Facts, address::Home};
use fc_model::{Details, Name, NhsNumber, PartialDate, Sex, SourceId, Upn, fold};
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
    /// Whether it names another record that it must never be linked with: the person has two identities.
    #[serde(rename = "t", skip_serializing_if = "std::ops::Not::not")]
    pub two_identities: bool,
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
        let two_identities = !details.never_link.is_empty();
        let mut standard = Self { source: Some(source.clone()), sex: details.sex, two_identities, ..Self::default() };
        for name in &details.names {
            let (name, newborn) = standard_name(name);
            standard.newborn |= newborn;
            let blank = name.forenames.is_empty() && name.surnames.is_empty();
            if !blank && !standard.names.contains(&name) && standard.names.len() < MOST {
                standard.names.push(name);
            }
        }
        // A child that has a name in one of its records is a newborn no more.
        standard.newborn &= standard.names.iter().all(|name| name.forenames.is_empty());
        let birth = details.birth.filter(|birth| !birth.date.is_placeholder() && !details.birth_no_evidence);
        standard.birth = birth.map(|birth| birth.date);
        standard.expected = birth.is_some_and(|birth| birth.expected);
        for home in details.addresses.iter().filter(|address| !address.no_evidence).filter_map(Home::of) {
            if !standard.homes.contains(&home) && standard.homes.len() < MOST {
                standard.homes.push(home);
            }
        }
        standard.nhs_number.clone_from(&details.nhs_number);
        standard.upn.clone_from(&details.upn);
        let phones = details.phones.iter().map(|phone| phone.as_str().to_owned());
        let emails = details.emails.iter().map(|email| email.as_str().to_owned());
        let others = details.other_identifiers.iter().map(|(kind, value)| format!("{kind}:{}", fold::joined(value)));
        let single = details.single_unique_identifier.iter().map(|id| format!("sui:{}", fold::joined(id)));
        for contact in phones.chain(emails).chain(others).chain(single) {
            if contact.len() <= LONGEST_CONTACT
                && !standard.contacts.contains(&contact)
                && standard.contacts.len() < MOST
            {
                standard.contacts.push(contact);
            }
        }
        standard
    }

    /// Identifiers other than NHS and pupil number, as `kind:value`: unlike a phone, a family does not share them.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = &str> {
        self.contacts.iter().map(String::as_str).filter(|contact| contact.contains(':'))
    }

    /// The facts that constraints need.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let mut forenames: Vec<String> = Vec::new();
        let mut surnames: Vec<String> = Vec::new();
        for name in &self.names {
            for (to, from) in [(&mut forenames, &name.forenames), (&mut surnames, &name.surnames)] {
                for token in from {
                    if !to.contains(token) && to.len() < MOST {
                        to.push(token.clone());
                    }
                }
            }
        }
        Facts {
            source: self.source.clone(),
            nhs_number: self.nhs_number.clone(),
            upn: self.upn.clone(),
            birth: self.birth,
            expected: self.expected,
            forenames,
            surnames,
            sex: self.sex,
        }
    }
}

/// Names, homes, contacts and tokens kept of one record.
const MOST: usize = 6;
/// Letters kept of one name; nothing real is longer.
const LONGEST_TOKEN: usize = 30;
const LONGEST_CONTACT: usize = 100;

const TITLES: [&str; 19] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "master",
    "mstr",
    "rev",
    "revd",
    "sir",
    "dame",
    "lady",
    "lord",
    "cllr",
    "sgt",
    "fr",
];
const SUFFIXES: [&str; 9] = ["jr", "jnr", "junior", "sr", "snr", "senior", "ii", "iii", "esq"];
const PARTICLES: [&str; 22] = [
    "de", "da", "do", "dos", "das", "del", "della", "di", "du", "van", "von", "der", "den", "la", "le", "al", "el",
    "bin", "bint", "ibn", "ap", "ul",
];
/// What systems and people write when they have no name.
const JUNK: [&str; 20] = [
    "unknown",
    "unk",
    "uknown",
    "unkown",
    "na",
    "none",
    "test",
    "tbc",
    "xxx",
    "xx",
    "xxxx",
    "surname",
    "forename",
    "nk",
    "anon",
    "anonymous",
    "notknown",
    "known",
    "not",
    "null",
];
/// What stands for the name of a child that has none yet.
const NEWBORN: [&str; 12] = [
    "baby", "bby", "unborn", "infant", "newborn", "twin", "twins", "triplet", "foetus", "fetus", "expected", "unnamed",
];
/// What follows such a word.
const NEWBORN_MORE: [&str; 18] = [
    "boy", "girl", "male", "female", "child", "one", "two", "three", "a", "b", "c", "i", "ii", "iii", "first",
    "second", "m", "f",
];

fn standard_name(name: &Name) -> (StandardName, bool) {
    let mut newborn = false;
    let read = |text: &str| {
        // Nothing to repair, as in nearly every name.
        if text.is_ascii() && text.len() <= MOST * LONGEST_TOKEN && !text.contains('?') {
            return fold::tokens(text);
        }
        let short: String = text.chars().take(MOST * LONGEST_TOKEN).collect();
        fold::tokens(&mojibake_repaired(&short).replace(['?', '\u{fffd}'], ""))
    };
    let mut forenames = Vec::new();
    let tokens: Vec<String> = name.forenames.iter().take(MOST).flat_map(|text| read(text)).collect();
    let mut after_newborn = false;
    for (at, token) in tokens.iter().enumerate() {
        let word = token.as_str();
        if NEWBORN.contains(&word) {
            newborn = true;
            after_newborn = true;
        } else if after_newborn && matches!(word, "of" | "for") {
            // "Baby of Emily": what follows is the mother's name.
            break;
        } else if TITLES.contains(&word) && forenames.is_empty() && at + 1 < tokens.len()
            || SUFFIXES.contains(&word) && at > 0
            || after_newborn && NEWBORN_MORE.contains(&word)
            || JUNK.contains(&word)
        {
        } else {
            forenames.push(token.clone());
        }
    }
    let mut surname: Vec<String> = read(&name.surname);
    // "Pádraig O Reilly" in one field, cut before the last word.
    while forenames.len() > 1 && !surname.is_empty() && forenames.last().is_some_and(|last| leads_surname(last)) {
        surname.splice(0..0, forenames.pop());
    }
    let mut surnames: Vec<String> = Vec::new();
    let mut prefix = String::new();
    let whole = surname.len() == 1;
    for (at, token) in surname.into_iter().enumerate() {
        let word = token.as_str();
        if NEWBORN.contains(&word) {
            newborn = true;
        } else if JUNK.contains(&word)
            || !whole
                && (SUFFIXES.contains(&word) && at > 0
                    || TITLES.contains(&word) && at == 0
                    || PARTICLES.contains(&word))
        {
        } else if !whole && matches!(word, "o" | "mc" | "mac" | "st" | "saint") && prefix.is_empty() {
            prefix = if word == "saint" { "st".into() } else { token };
        } else {
            surnames.push(std::mem::take(&mut prefix) + word);
        }
    }
    if !prefix.is_empty() {
        surnames.push(prefix);
    }
    for surname in &mut surnames {
        // MacDonald, Mac Donald and McDonald are one; Mack and Macy are left alone.
        if let Some(rest) = surname.strip_prefix("mac").filter(|rest| rest.len() >= 3) {
            *surname = format!("mc{rest}");
        }
    }
    for tokens in [&mut forenames, &mut surnames] {
        tokens.retain(|token| !token.bytes().all(|b| b.is_ascii_digit()));
        tokens.truncate(MOST);
        for token in tokens {
            if token.len() > LONGEST_TOKEN {
                *token = token.chars().take(LONGEST_TOKEN).collect();
            }
        }
    }
    (StandardName { forenames, surnames }, newborn)
}

fn leads_surname(word: &str) -> bool {
    matches!(word, "o" | "mc" | "mac") || PARTICLES.contains(&word)
}

/// Repairs text that was UTF-8 and was read as Windows-1252: `PÃ¡draig` is `Pádraig`.
fn mojibake_repaired(text: &str) -> String {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    if !text.contains(['Ã', 'Â', 'Å', 'Ä', 'â']) {
        return text.to_owned();
    }
    let byte = |c: char| match u32::from(c) {
        code @ (0..=0x7f | 0xa0..=0xff) => u8::try_from(code).ok(),
        _ => HIGH.chars().position(|h| h == c).and_then(|at| u8::try_from(at + 0x80).ok()),
    };
    let bytes: Option<Vec<u8>> = text.chars().map(byte).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_model::{Address, BirthDate};

    fn name(forename: &str, surname: &str) -> (Vec<String>, Vec<String>, bool) {
        let (name, newborn) = standard_name(&Name::current([forename], surname));
        (name.forenames, name.surnames, newborn)
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn titles_and_suffixes_are_not_names() {
        assert_eq!(name("Miss Deborah", "Sanworth"), (words(&["deborah"]), words(&["sanworth"]), false));
        assert_eq!(name("John", "Smith Jnr").1, words(&["smith"]));
    }

    #[test]
    fn particles_are_written_every_way() {
        for surname in ["O'Brien", "O Brien", "OBRIEN", "O\u{2019}Brien"] {
            assert_eq!(name("", surname).1, words(&["obrien"]), "{surname}");
        }
        for surname in ["MacDonald", "Mac Donald", "McDonald", "Mc Donald"] {
            assert_eq!(name("", surname).1, words(&["mcdonald"]), "{surname}");
        }
        assert_eq!(name("", "al-Hassan").1, name("", "Hassan").1);
        assert_eq!(name("", "St John").1, name("", "Saint John").1);
    }

    #[test]
    fn a_name_cut_at_its_last_word_or_with_a_lost_letter_is_mended() {
        assert_eq!(name("Padraig O", "Reilly"), (words(&["padraig"]), words(&["oreilly"]), false));
        assert_eq!(name("Ma?gorzata", "Dvo?ak"), (words(&["magorzata"]), words(&["dvoak"]), false));
        assert_eq!(name("Miss Dr Phoebe", "Clarke").0, words(&["phoebe"]));
    }

    #[test]
    fn a_baby_without_a_name_has_no_forename() {
        for forename in ["BABY", "Unborn", "Baby of Emily", "Baby Boy", "TWIN 1", "Infant female"] {
            assert_eq!(name(forename, "Bell"), (vec![], words(&["bell"]), true), "{forename}");
        }
        assert_eq!(name("Baby Olivia", "Bell").0, words(&["olivia"]));
    }

    #[test]
    fn unknown_is_no_name() {
        assert_eq!(name("Not known", "UNKNOWN"), (vec![], vec![], false));
    }

    #[test]
    fn text_read_in_the_wrong_encoding_is_repaired() {
        assert_eq!(name("PÃ¡draig", "O\u{e2}\u{20ac}\u{2122}Neill"), (words(&["padraig"]), words(&["oneill"]), false));
        assert_eq!(name("Zoë", "Ångström").0, words(&["zoe"]));
    }

    #[test]
    fn a_placeholder_date_is_missing() {
        let source = "housing".parse().unwrap();
        let details = |date: &str| Details {
            birth: Some(BirthDate::born(PartialDate::parse_iso(date).unwrap())),
            addresses: vec![Address::default()],
            ..Details::default()
        };
        assert!(Standard::of(&source, &details("1900-01-01")).birth.is_none());
        assert!(Standard::of(&source, &details("1987-01-01")).birth.is_some());
    }

    #[test]
    fn facts_are_small_and_keep_what_constraints_need() {
        let mut details =
            Details { nhs_number: NhsNumber::parse("9434765919").ok(), sex: Some(Sex::Female), ..Details::default() };
        details.names.push(Name::current(["Lucy", "Ann"], "Smith-Jones"));
        details.birth = Some(BirthDate::born(PartialDate::parse_iso("2015-03-02").unwrap()));
        let facts = Standard::of(&"housing".parse().unwrap(), &details).facts();
        let json = serde_json::to_string(&facts).unwrap();
        assert!(json.len() < 160, "{} bytes", json.len());
        assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
    }
}

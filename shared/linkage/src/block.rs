//! Blocking keys: the few texts under which a record is filed, so that it meets the records worth comparing and no others.

use crate::Standard;
use fc_model::{NhsNumber, Upn, nicknames};
use rphonetic::DoubleMetaphone;
use std::collections::BTreeSet;

/// The most keys a record is filed under.
pub const MOST_KEYS: usize = 12;

/// Surname tokens and homes that keys are made of: a double-barrelled name and its former, the newest addresses.
const MOST_OF_EACH: usize = 2;

/// The record's blocking keys, in plain text: hash them before they are stored. No key twice, at most [`MOST_KEYS`],
/// the most telling first. What each kind of key is for is measured in docs/linkage.md.
#[must_use]
pub fn blocking_keys(record: &Standard) -> Vec<String> {
    let mut keys = Vec::new();
    keys.extend(record.nhs_number.as_ref().map(nhs_key));
    keys.extend(record.upn.as_ref().map(upn_key));
    for identifier in record.identifiers().take(1) {
        keys.push(format!("i#{identifier}"));
    }
    let sounds = Sounds::of(record);
    // One home: survives any birth date, any surname, an initial, and names that are swapped or missing.
    for home in record.homes.iter().take(MOST_OF_EACH) {
        if let Some(premise) = home.premise() {
            keys.push(format!("h#{premise}"));
        }
        // The same home where the postcode is wrong or missing.
        if let Some(door) = home.door() {
            for initial in &sounds.initials {
                keys.push(format!("s#{door}#{initial}"));
            }
        }
    }
    // Birth date with the sound of any name: survives a move, a marriage, and names swapped.
    if let Some(birth) = record.birth.and_then(|birth| birth.whole()).filter(|_| !record.expected) {
        for sound in sounds.surnames.iter().take(MOST_OF_EACH).chain(sounds.forenames.iter().take(MOST_OF_EACH)) {
            keys.push(format!("d#{birth}#{sound}"));
        }
    }
    // The whole name, by sound and in either order: survives a move together with a wrong birth date.
    for surname in sounds.surnames.iter().take(MOST_OF_EACH) {
        for forename in sounds.forenames.iter().take(MOST_OF_EACH) {
            let (first, second) = if forename <= surname { (forename, surname) } else { (surname, forename) };
            keys.push(format!("{NAME_ALONE}{first}#{second}"));
        }
    }
    let mut seen = BTreeSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys.truncate(MOST_KEYS);
    keys
}

fn nhs_key(number: &NhsNumber) -> String {
    format!("n#{}", number.as_str())
}

fn upn_key(number: &Upn) -> String {
    format!("u#{}", number.as_str())
}

/// A record as it is to be compared with one that has the same number, when that is no one person's: somebody typed it to get past
/// a form. `None` when it is compared as it is. `is_saturated` answers for a blocking key.
#[must_use]
pub fn without_common_numbers(a: &Standard, b: &Standard, is_saturated: impl Fn(&str) -> bool) -> Option<Standard> {
    let nhs_number = a.nhs_number.as_ref().filter(|number| b.nhs_number.as_ref() == Some(*number));
    let upn = a.upn.as_ref().filter(|number| b.upn.as_ref() == Some(*number));
    let nhs_is_common = nhs_number.is_some_and(|number| is_saturated(&nhs_key(number)));
    let upn_is_common = upn.is_some_and(|number| is_saturated(&upn_key(number)));
    (nhs_is_common || upn_is_common).then(|| Standard {
        nhs_number: a.nhs_number.clone().filter(|_| !nhs_is_common),
        upn: a.upn.clone().filter(|_| !upn_is_common),
        ..a.clone()
    })
}

/// Whether a key says no more than how a name sounds. In a large council many share it and nothing else, so those filed
/// under it are compared only if they may be of [one birth date](may_be_one_birth).
#[must_use]
pub fn is_name_alone(key: &str) -> bool {
    key.starts_with(NAME_ALONE)
}

/// How keys begin that say no more than how a name sounds.
const NAME_ALONE: &str = "m#";

/// A birth date as three numbers, of which two dates have at least one in common if one of them may be the other,
/// written wrong: year and month, year and day, day and month in either order. `None` when it may be written for any
/// other, because it is missing, known in part, expected, or 1 January.
#[must_use]
pub fn birth_parts(record: &Standard) -> Option<[u32; 3]> {
    let birth = record.birth.filter(|_| !record.expected)?;
    let number = |part: i8| u32::from(part.unsigned_abs());
    let (year, month, day) = (u32::from(birth.year().unsigned_abs()), number(birth.month()?), number(birth.day()?));
    ((month, day) != (1, 1)).then_some([year * 32 + month, year * 32 + day, month.min(day) * 32 + month.max(day)])
}

/// Whether two records may be of one birth date.
#[must_use]
pub fn may_be_one_birth(a: &Standard, b: &Standard) -> bool {
    let differ = |a: [u32; 3], b: [u32; 3]| a.iter().zip(&b).all(|(a, b)| a != b);
    !birth_parts(a).zip(birth_parts(b)).is_some_and(|(a, b)| differ(a, b))
}

/// The sounds of a record's names.
pub(crate) struct Sounds {
    initials: Vec<char>,
    pub(crate) forenames: Vec<String>,
    pub(crate) surnames: Vec<String>,
}

impl Sounds {
    pub(crate) fn of(record: &Standard) -> Self {
        let mut sounds = Self { initials: Vec::new(), forenames: Vec::new(), surnames: Vec::new() };
        for name in &record.names {
            for forename in name.forenames.iter().take(MOST_OF_EACH) {
                let root = nicknames::root(forename);
                push(&mut sounds.forenames, sound(root));
                // Katherine and Catherine start alike.
                if let Some(initial) = root.chars().next().map(|c| if c == 'k' { 'c' } else { c })
                    && sounds.initials.len() < MOST_OF_EACH
                    && !sounds.initials.contains(&initial)
                {
                    sounds.initials.push(initial);
                }
            }
            for surname in &name.surnames {
                push(&mut sounds.surnames, sound(surname));
            }
        }
        sounds
    }
}

fn push(list: &mut Vec<String>, sound: String) {
    if !list.contains(&sound) {
        list.push(sound);
    }
}

/// How a folded name sounds; the name itself where the rules for English give nothing.
fn sound(name: &str) -> String {
    if name.is_ascii() {
        let code = DoubleMetaphone::default().double_metaphone(name).primary();
        if !code.is_empty() {
            return code;
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_model::{Address, BirthDate, Details, Name, PartialDate, Postcode};

    fn record(forename: &str, surname: &str, birth: &str, line: &str) -> Standard {
        let details = Details {
            names: vec![Name::current([forename], surname)],
            birth: PartialDate::parse_iso(birth).ok().map(BirthDate::born),
            addresses: vec![Address {
                lines: vec![line.to_owned()],
                postcode: Postcode::parse("SK1 3XE").ok(),
                ..Address::default()
            }],
            ..Details::default()
        };
        Standard::of(&"housing".parse().unwrap(), &details)
    }

    fn meet(a: &Standard, b: &Standard) -> bool {
        let keys = blocking_keys(b);
        blocking_keys(a).iter().any(|key| keys.contains(key))
    }

    #[test]
    fn records_meet_through_whichever_parts_are_right() {
        let lucy = record("Lucy", "Smith-Jones", "2015-03-02", "2 High Street");
        for other in [
            record("Lucie", "Jones", "2015-03-02", ""),
            record("Lucy", "Taylor", "2015-03-02", ""),
            record("Lucy", "Taylor", "", "2 High St"),
            record("Smith", "Lucy", "", ""),
            record("BABY", "Taylor", "", "2 High St"),
            record("Jones", "L", "", "2 High St"),
            record("Maria", "Jones", "2001-01-09", "2 High St"),
        ] {
            assert!(meet(&lucy, &other));
        }
        assert!(!meet(&lucy, &record("Peter", "Brown", "1960-01-09", "4 High Street")));
    }

    #[test]
    fn any_identifier_is_a_key_but_a_phone_is_not() {
        let mut one = Standard { contacts: vec!["single:abc123".into()], ..Standard::default() };
        let mut other = one.clone();
        assert!(meet(&one, &other));
        for record in [&mut one, &mut other] {
            record.contacts = vec!["01614960000".into()];
        }
        assert!(!meet(&one, &other), "families and front desks share phones");
    }

    #[test]
    fn a_home_is_found_without_its_postcode() {
        let lucy = record("Lucy", "Smith-Jones", "2015-03-02", "2 High Street");
        let mut undated = record("Lucy", "Taylor", "", "2 High St");
        undated.homes[0].postcode.clear();
        assert!(meet(&lucy, &undated));
    }

    #[test]
    fn a_birth_date_may_be_another_one_written_wrong() {
        let born = |birth: &str| record("Lucy", "Smith", birth, "");
        let birth = born("2015-03-12");
        for wrong in ["2015-03-12", "2015-12-03", "2015-03-21", "2005-03-12", "2015-09-12", "2015-01-01", "2016", ""] {
            assert!(may_be_one_birth(&birth, &born(wrong)) && may_be_one_birth(&born(wrong), &birth), "{wrong}");
        }
        for other in ["2014-07-19", "2015-04-13", "2013-04-12"] {
            assert!(!may_be_one_birth(&birth, &born(other)), "{other}");
        }
        let expected = Standard { expected: true, ..born("2019-07-01") };
        assert!(may_be_one_birth(&birth, &expected));
        // Two born on 1 January of different years are met: many are only thought to be.
        assert!(may_be_one_birth(&born("1980-01-01"), &born("1990-01-01")));
    }

    #[test]
    fn no_record_is_filed_under_many_keys() {
        let mut many = record("Lucy", "A-B-C-D-E-F-G", "2015-03-02", "2 High Street");
        many.names = (0..200).flat_map(|_| many.names.clone()).collect();
        assert!(blocking_keys(&many).len() <= MOST_KEYS);
        assert!(blocking_keys(&Standard::default()).is_empty());
    }
}

//! Search keys: the entries under which a person is found, and the keys a search looks under.
//!
//! With `DM` Double Metaphone, `root` the nickname class and `t(x)` = x without its first letter, a person is filed under
//!
//! | key | finds |
//! | --- | --- |
//! | `A#DM(surname)#DM(t(root forename))` | the forename's first letter may be wrong |
//! | `B#DM(t(surname))#DM(root forename)` | the surname's first letter may be wrong |
//! | `S#surname` | surname alone |
//! | `D#date of birth` | a date of birth, with any name |
//!
//! Popular names stay cheap because a key needs both names, and a typing mistake in a first letter is still found. Sort
//! keys put the youngest first (product research: youngest first within equally good matches).
//!
//! A person with one forename and one surname has 4 entries, with two forenames 6, double-barrelled as well 12; a former
//! name or an alias adds its own. Entries hold no address, so that moving house rewrites none.
//!
//! What stands here as a partition is hashed before it is stored, and the name is content, not key: what is left of a
//! deleted entry, for as long as it must be, names nobody.

use crate::{BirthDate, Name, PartialDate, PersonId, fold, nicknames, redact::redacted_debug};
use rphonetic::DoubleMetaphone;
use std::collections::BTreeSet;

/// Where a person is filed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Partition, in clear.
    pub pk: String,
    /// Sort key: the youngest first, then the person.
    pub sk: String,
    /// The name, as [`Filed`] reads it.
    pub name: String,
}

/// How a lookup forgives what was typed; earlier is the better match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Means {
    /// Spelled as it sounds, the forename's first letter free.
    Sound,
    /// Spelled as it sounds, the surname's first letter free.
    SurnameFirstLetterWrong,
    /// One part of a double-barrelled surname.
    SurnamePart,
    /// Surname alone.
    Surname,
    /// Date of birth.
    Birth,
    /// Date of birth with day and month swapped.
    BirthSwapped,
    /// Forename and surname swapped.
    NamesSwapped,
    /// The surname's first letter left out.
    SurnameFirstLetterMissing,
    /// The surname's first two letters swapped.
    SurnameFirstLettersSwapped,
    /// A letter too many before the surname.
    SurnameFirstLetterExtra,
    /// The forename's first letter left out.
    ForenameFirstLetterMissing,
}

/// A partition to read.
#[derive(Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Partition, in clear.
    pub pk: String,
    /// What it forgives.
    pub means: Means,
}

/// What an entry says: enough to rank it before anything else is read.
#[derive(Clone, PartialEq, Eq)]
pub struct Filed {
    /// The person.
    pub person: PersonId,
    /// Birth date, as far as known.
    pub birth: Option<PartialDate>,
    /// Surname, folded, tokens separated by single spaces.
    pub surname: String,
    /// Forenames, folded, tokens separated by single spaces.
    pub forenames: String,
}

redacted_debug!(Entry, Lookup, Filed);

/// The most lookups one search makes (8 data calls, one of which reads the summaries).
pub const MOST_LOOKUPS: usize = 7;

/// Larger than any date written as `yyyymmdd`: dates are stored as the distance from it, so that the youngest sorts
/// first, and an unknown date is this number itself, so that it sorts last.
const AFTER_ALL_DATES: u32 = 99_999_999;

/// Parts of a surname that are never searched for alone.
const PARTICLES: &[&str] = &[
    "abu", "al", "bin", "bint", "da", "de", "del", "den", "der", "di", "dos", "du", "el", "ibn", "la", "le", "mac",
    "mc", "o", "st", "ter", "van", "von", "y",
];

/// Parts of a double-barrelled surname that are filed each on its own.
const SURNAME_PARTS: usize = 3;

/// Every entry of a person. `names` best first; every name counts, former names and those not to be shown too.
pub fn entries<'a>(
    names: impl IntoIterator<Item = &'a Name>,
    birth: Option<BirthDate>,
    person: &PersonId,
) -> Vec<Entry> {
    let born = birth.map(|birth| birth.date);
    let mut filed = BTreeSet::new();
    let mut entries = Vec::new();
    let sk = sort_key(born, person);
    let mut file = |pk: String, name: &str| {
        // One entry in a partition is enough to be found there: the summary knows the other names.
        if filed.insert(pk.clone()) {
            entries.push(Entry { pk, sk: sk.clone(), name: name.to_owned() });
        }
    };
    for (place, name) in names.into_iter().enumerate() {
        let (forenames, surnames) = (name.forename_tokens(), name.surname_tokens());
        let said = format!("{}|{}", surnames.join(" "), forenames.join(" "));
        let whole = surnames.concat();
        for surname in surname_forms(&surnames) {
            // The second forename is filed with the whole surname only, to keep entries few.
            let with = if surname == whole { 2 } else { 1 };
            for forename in forenames.iter().filter(|forename| forename.chars().count() > 1).take(with) {
                let root = nicknames::root(forename);
                file(pair_key('A', &surname, tail(root)), &said);
                file(pair_key('B', tail(&surname), root), &said);
            }
            file(format!("S#{surname}"), &said);
        }
        if place == 0
            && let Some(date) = born.and_then(PartialDate::whole)
        {
            file(format!("D#{date}"), &said);
        }
    }
    entries
}

/// The partitions to read for what was typed, the likeliest first, at most [`MOST_LOOKUPS`]. Wildcards and signs are
/// ignored. Empty when there is nothing to look for: neither a surname nor a whole date of birth.
#[must_use]
pub fn lookups(surname: &str, forename: &str, birth: Option<PartialDate>) -> Vec<Lookup> {
    let surnames = fold::tokens(surname);
    let whole = surnames.concat();
    let forenames = fold::tokens(forename);
    // An initial says too little for a sound: the caller compares it with what the surname finds.
    let forename = forenames.iter().find(|forename| forename.chars().count() > 1);
    let mut wanted: Vec<(Means, String)> = Vec::new();
    match forename {
        _ if whole.is_empty() => {}
        None => {
            wanted.extend(surname_forms(&surnames).into_iter().rev().map(|form| (Means::Surname, format!("S#{form}"))));
        }
        Some(forename) => {
            let root = nicknames::root(forename);
            wanted.push((Means::Sound, pair_key('A', &whole, tail(root))));
            wanted.push((Means::SurnameFirstLetterWrong, pair_key('B', tail(&whole), root)));
            for part in surname_forms(&surnames).into_iter().filter(|form| *form != whole) {
                wanted.push((Means::SurnamePart, pair_key('A', &part, tail(root))));
            }
            let swapped = nicknames::root(&whole);
            wanted.push((Means::NamesSwapped, pair_key('A', forename, tail(swapped))));
            wanted.push((Means::SurnameFirstLetterMissing, pair_key('B', &whole, root)));
            if let Some(swapped) = first_two_swapped(&whole) {
                wanted.push((Means::SurnameFirstLettersSwapped, pair_key('A', &swapped, tail(root))));
            }
            wanted.push((Means::SurnameFirstLetterExtra, pair_key('A', tail(&whole), tail(root))));
            wanted.push((Means::ForenameFirstLetterMissing, pair_key('A', &whole, root)));
        }
    }
    if let Some(date) = birth.and_then(PartialDate::whole) {
        wanted.push((Means::Birth, format!("D#{date}")));
        if let Ok(swapped) = PartialDate::new(date.year(), Some(date.day()), Some(date.month())) {
            wanted.push((Means::BirthSwapped, format!("D#{swapped}")));
        }
    }
    wanted.sort_by_key(|(means, _)| *means);
    let mut seen = BTreeSet::new();
    wanted.retain(|(_, pk)| seen.insert(pk.clone()));
    wanted.truncate(MOST_LOOKUPS);
    wanted.into_iter().map(|(means, pk)| Lookup { pk, means }).collect()
}

impl Filed {
    /// Reads an entry's sort key and name; `None` when they have another shape.
    #[must_use]
    pub fn parse(sk: &str, name: &str) -> Option<Self> {
        let (distance, person) = sk.split_once('#')?;
        let distance: u32 = distance.parse().ok()?;
        let person = PersonId::parse(person).ok()?;
        let (surname, forenames) = name.split_once('|')?;
        let date = AFTER_ALL_DATES.checked_sub(distance)?;
        let part = |value: u32| (value > 0).then(|| i8::try_from(value).ok()).flatten();
        let birth = (date > 0)
            .then(|| {
                let year = i16::try_from(date / 10_000).ok()?;
                PartialDate::new(year, part(date / 100 % 100), part(date % 100)).ok()
            })
            .flatten();
        Some(Self { person, birth, surname: surname.to_owned(), forenames: forenames.to_owned() })
    }
}

fn sort_key(birth: Option<PartialDate>, person: &PersonId) -> String {
    let date = birth.map_or(0, |date| {
        let part = |value: Option<i8>| value.map_or(0, i32::from);
        i32::from(date.year()) * 10_000 + part(date.month()) * 100 + part(date.day())
    });
    let distance = AFTER_ALL_DATES - u32::try_from(date).unwrap_or(0);
    format!("{distance:08}#{person}")
}

/// The parts of a surname that are searched for, and last the whole of it run together. Empty without a surname.
fn surname_forms(tokens: &[String]) -> Vec<String> {
    let whole = tokens.concat();
    let mut forms: Vec<String> = Vec::new();
    if tokens.len() > 1 {
        forms.extend(tokens.iter().filter(|t| !PARTICLES.contains(&t.as_str())).take(SURNAME_PARTS).cloned());
    }
    forms.retain(|form| *form != whole);
    if !whole.is_empty() {
        forms.push(whole);
    }
    forms
}

fn pair_key(kind: char, surname: &str, forename: &str) -> String {
    format!("{kind}#{}#{}", sound(surname), sound(forename))
}

/// How a folded name sounds. Names in other scripts have no Double Metaphone: their first letters stand for them.
fn sound(name: &str) -> String {
    if name.is_ascii() {
        DoubleMetaphone::default().double_metaphone(name).primary()
    } else {
        name.chars().take(4).collect()
    }
}

/// A name without its first letter.
fn tail(name: &str) -> &str {
    let mut letters = name.chars();
    letters.next();
    letters.as_str()
}

fn first_two_swapped(name: &str) -> Option<String> {
    let mut letters = name.chars();
    let (first, second) = (letters.next()?, letters.next()?);
    Some([second, first].into_iter().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn finds(name: &Name, surname: &str, forename: &str) -> bool {
        let person = PersonId::random();
        let entries = entries([name], None, &person);
        lookups(surname, forename, None).iter().any(|lookup| entries.iter().any(|entry| entry.pk == lookup.pk))
    }

    #[test]
    fn a_name_is_found_with_a_mistake_in_either_first_letter() {
        let katharine = Name::current(["Katharine"], "Robertson");
        for (surname, forename) in [
            ("Robertson", "Katharine"),
            ("robertson", "catherine"),
            ("Robertson", "Datharine"),
            ("Tobertson", "Katharine"),
            ("obertson", "Katharine"),
            ("Krobertson", "Katharine"),
            ("Orbertson", "Katharine"),
            ("Robertson", "atharine"),
            ("Katharine", "Robertson"),
            ("Robertson*", " Katharine%"),
        ] {
            assert!(finds(&katharine, surname, forename), "typed {forename} {surname}");
        }
        assert!(!finds(&katharine, "Ahmed", "Fatima"));
    }

    #[test]
    fn a_double_barrelled_surname_is_found_by_either_part_and_split_either_way() {
        let siobhan = Name::current(["Siobhán", "Mary"], "O\u{2019}Brien-Davies");
        for surname in ["Davies", "O'Brien", "OBrien Davies", "obriendavies"] {
            assert!(finds(&siobhan, surname, "Siobhan"), "{surname} with a forename");
            assert!(finds(&siobhan, surname, ""), "{surname} alone");
        }
        assert!(finds(&siobhan, "O'Brien Davies", "Mary"), "by the second forename");
        let davies = Name::current(["Owen"], "Davies");
        assert!(finds(&davies, "Pryce-Davies", "Owen"), "typed double-barrelled, recorded plain");
    }

    #[test]
    fn a_former_name_that_must_not_be_shown_still_finds_the_person() {
        let person = PersonId::random();
        let now = Name::current(["Alex"], "Hughes");
        let before = Name { not_to_be_shown: true, ..Name::current(["Joanna"], "Whitfield") };
        let entries = entries([&now, &before], None, &person);
        assert!(entries.iter().any(|entry| entry.pk == "S#whitfield"));
    }

    #[test]
    fn the_youngest_comes_first_and_an_unknown_birth_date_last() {
        let person = PersonId::random();
        let sk = |born: Option<&str>| sort_key(born.map(|d| d.parse().unwrap()), &person);
        let mut keys = [sk(None), sk(Some("1980-01-01")), sk(Some("2015-03-02")), sk(Some("2015"))];
        keys.sort();
        assert_eq!(keys, [sk(Some("2015-03-02")), sk(Some("2015")), sk(Some("1980-01-01")), sk(None)]);
    }

    #[test]
    fn an_entry_says_who_and_when() {
        let person = PersonId::random();
        for born in [None, Some("2015-03-02"), Some("2015-03"), Some("2015")] {
            let birth: Option<PartialDate> = born.map(|d| d.parse().unwrap());
            let filed = Filed::parse(&sort_key(birth, &person), "smith jones|amy rose").unwrap();
            assert_eq!((filed.birth, &filed.person), (birth, &person));
            assert_eq!((filed.surname.as_str(), filed.forenames.as_str()), ("smith jones", "amy rose"));
        }
        for text in ["", "1#2#3", "99999999#zz", "x#y"] {
            assert!(Filed::parse(text, "smith|amy").is_none(), "{text}");
        }
        assert!(Filed::parse(&sort_key(None, &person), "smith").is_none());
    }

    #[test]
    fn entries_stay_few() {
        let person = PersonId::random();
        let born = Some(BirthDate::born(date(2015, 3, 2)));
        let count = |forenames: &[&str], surname: &str| {
            entries([&Name::current(forenames.iter().copied(), surname)], born, &person).len()
        };
        assert_eq!(count(&["Priya"], "Patel"), 4);
        assert_eq!(count(&["Priya", "Anjali"], "Patel"), 6);
        assert_eq!(count(&["Priya", "Anjali"], "Patel-Robertson"), 12);
    }

    #[test]
    fn a_search_never_looks_in_more_places_than_its_budget() {
        let born = "2015-03-02".parse().ok();
        assert_eq!(lookups("O'Brien-Davies-Pryce", "Mary Ann", born).len(), MOST_LOOKUPS);
        assert!(lookups("O'Brien-Davies", "Mary", born).iter().any(|lookup| lookup.pk == "D#2015-03-02"));
        assert_eq!(lookups("", "", born).len(), 2, "the date, and day and month swapped");
        assert!(lookups(" * ", "Mary", None).is_empty());
        assert!(lookups("Smith", "J", None) == [Lookup { pk: "S#smith".into(), means: Means::Surname }]);
    }

    #[test]
    fn names_in_any_script_have_keys() {
        for surname in ["Łukasz-Żółć", "王", "Иванова", "Ñ", "1"] {
            let name = Name::current(["Ян"], surname);
            assert!(finds(&name, surname, "Ян"), "{surname}");
        }
    }
}

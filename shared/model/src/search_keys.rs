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
//! Several names of a person may fall into one entry, and each may be told on days of its own: an entry lists them all.
//! Somebody whose details are withheld has no birth date in any entry and no `D`, or searching for dates would tell it;
//! somebody whose existence is hidden has no entry.
//!
//! What stands here as a partition is hashed before it is stored, and the name is content, not key: what is left of a
//! deleted entry, for as long as it must be, names nobody.

use crate::{
    BirthDate, Days, Name, PartialDate, PersonId, Protection, Summary, fold, nicknames, redact::redacted_debug,
};
use jiff::civil::Date;
use rphonetic::DoubleMetaphone;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The scheme of these keys. A view says by which one its entries were filed; [`former_keys`] knows the one before.
pub const SCHEME: u32 = 2;

/// Where a person is filed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Partition, in clear.
    pub pk: String,
    /// Sort key: the youngest first, then the person.
    pub sk: String,
    /// The names filed there, and the days on which each may be told, as [`Filed::on`] reads them.
    pub content: String,
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

/// Different names that one entry lists. A source that states more is taken to be found by those it states first.
const NAMES_IN_ENTRY: usize = 8;

/// Every entry of a person: of each name that may be told, on the days on which it may.
#[must_use]
pub fn entries(summary: &Summary) -> Vec<Entry> {
    let mut filing = Filing::default();
    if summary.protection == Protection::Hidden {
        return Vec::new();
    }
    let may_be_born = summary.protection == Protection::None;
    let born = |more: Option<BirthDate>| summary.birth.or(more).map(|birth| birth.date).filter(|_| may_be_born);
    if !summary.only_dated {
        for name in std::iter::once(&summary.name).chain(&summary.other_names) {
            filing.name(name, born(None), &summary.id, Days::default());
        }
        filing.birth(&summary.name, born(None), &summary.id, Days::default());
    }
    for dated in &summary.dated {
        for name in &dated.names {
            filing.name(name, born(dated.birth), &summary.id, dated.days);
        }
        // A birth date that is told on some days finds whoever is known by another source's name.
        let name = if summary.name.is_empty() { dated.names.first() } else { Some(&summary.name) };
        if (summary.only_dated || summary.birth.is_none())
            && let Some(name) = name
        {
            filing.birth(name, born(dated.birth), &summary.id, dated.days);
        }
    }
    filing.entries()
}

/// The keys, without what stands there, under which the scheme before this one filed a person: names not to be shown and
/// the birth dates of people whose details are withheld among them.
#[must_use]
pub fn former_keys(summary: &Summary) -> BTreeSet<(String, String)> {
    let mut filing = Filing::default();
    let mut file = |names: &[&Name], birth: Option<BirthDate>| {
        let born = birth.map(|birth| birth.date);
        for (place, name) in names.iter().enumerate() {
            filing.name(name, born, &summary.id, Days::default());
            if place == 0 {
                filing.birth(name, born, &summary.id, Days::default());
            }
        }
    };
    file(&std::iter::once(&summary.name).chain(&summary.other_names).collect::<Vec<_>>(), summary.birth);
    for dated in &summary.dated {
        file(&dated.names.iter().collect::<Vec<_>>(), summary.birth.or(dated.birth));
    }
    filing.0.into_keys().collect()
}

/// Entries on their way: by partition and sort key, each name that stands there with the days on which it may be told.
#[derive(Default)]
struct Filing(BTreeMap<(String, String), Vec<Said>>);

/// A name as entries hold it, and the days on which it may be told.
type Said = (String, Vec<Days>);

impl Filing {
    /// Files a name under what is made of it.
    fn name(&mut self, name: &Name, born: Option<PartialDate>, person: &PersonId, days: Days) {
        let (forenames, surnames) = (name.forename_tokens(), name.surname_tokens());
        let (said, sk, whole) = (said(name), sort_key(born, person), surnames.concat());
        for surname in surname_forms(&surnames) {
            // The second forename is filed with the whole surname only, to keep entries few.
            let with = if surname == whole { 2 } else { 1 };
            for forename in forenames.iter().filter(|forename| forename.chars().count() > 1).take(with) {
                let root = nicknames::root(forename);
                self.file(pair_key('A', &surname, tail(root)), &sk, &said, days);
                self.file(pair_key('B', tail(&surname), root), &sk, &said, days);
            }
            self.file(format!("S#{surname}"), &sk, &said, days);
        }
    }

    /// Files a person under a whole birth date.
    fn birth(&mut self, name: &Name, born: Option<PartialDate>, person: &PersonId, days: Days) {
        if let Some(date) = born.and_then(PartialDate::whole) {
            self.file(format!("D#{date}"), &sort_key(born, person), &said(name), days);
        }
    }

    fn file(&mut self, pk: String, sk: &str, said: &str, days: Days) {
        let names = self.0.entry((pk, sk.to_owned())).or_default();
        let is_full = names.len() >= NAMES_IN_ENTRY;
        match names.iter_mut().position(|(known, _)| known == said).or(is_full.then_some(0)) {
            Some(place) if !names[place].1.contains(&days) => names[place].1.push(days),
            Some(_) => {}
            None => names.push((said.to_owned(), vec![days])),
        }
    }

    fn entries(self) -> Vec<Entry> {
        self.0.into_iter().map(|((pk, sk), names)| Entry { pk, sk, content: content(&names) }).collect()
    }
}

/// A name as entries hold it.
fn said(name: &Name) -> String {
    format!("{}|{}", name.surname_tokens().join(" "), name.forename_tokens().join(" "))
}

/// What stands before days on which a name counts.
const DAYS: char = '@';

/// A line a name, behind it the days on which it may be told; none where it always may.
fn content(names: &[Said]) -> String {
    let mut text = String::new();
    for (name, spans) in names {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name);
        if spans.contains(&Days::default()) {
            continue;
        }
        for days in spans {
            let day = |day: Option<Date>| day.map_or_else(String::new, |day| day.to_string());
            let _ = write!(text, "{DAYS}{}/{}", day(days.from), day(days.to));
        }
    }
    text
}

/// Whether days as they stand in an entry hold a day. Days that cannot be read hold none.
fn hold(days: &str, today: Date) -> bool {
    let day = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    let read = |(from, to)| Some(Days { from: day(from)?, to: day(to)? });
    days.split_once('/').and_then(read).is_some_and(|days| days.hold(today))
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
    /// What an entry says on a day, by its sort key and content: a person by each name that may be told then. What has
    /// another shape says nothing.
    pub fn on(sk: &str, content: &str, today: Date) -> impl Iterator<Item = Self> {
        content.lines().filter_map(move |line| {
            let mut parts = line.split(DAYS);
            let name = parts.next()?;
            let mut spans = parts.peekable();
            let may_be_told = spans.peek().is_none() || spans.any(|days| hold(days, today));
            if may_be_told { Self::parse(sk, name) } else { None }
        })
    }

    /// Reads an entry's sort key and one of its names; `None` when they have another shape.
    fn parse(sk: &str, name: &str) -> Option<Self> {
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
    use crate::Dated;
    use jiff::civil::date;

    fn summary(name: &Name, birth: Option<BirthDate>) -> Summary {
        Summary {
            id: PersonId::random(),
            name: name.clone(),
            other_names: Vec::new(),
            birth,
            death: None,
            address: None,
            case_ids: Vec::new(),
            allocated: Vec::new(),
            protection: Protection::None,
            records: Vec::new(),
            dated: Vec::new(),
            only_dated: false,
        }
    }

    fn finds(name: &Name, surname: &str, forename: &str) -> bool {
        let entries = entries(&summary(name, None));
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

    /// What the entry in a partition says on a day: the surnames there.
    fn surnames(entries: &[Entry], pk: &str, today: Date) -> Vec<String> {
        let here = entries.iter().filter(|entry| entry.pk == pk);
        here.flat_map(|entry| Filed::on(&entry.sk, &entry.content, today)).map(|filed| filed.surname).collect()
    }

    fn dated(name: &Name, from: Option<Date>, to: Option<Date>, birth: Option<BirthDate>) -> Dated {
        Dated { days: Days { from, to }, names: vec![name.clone()], birth, ..Dated::default() }
    }

    #[test]
    fn two_services_that_count_at_different_ages_do_not_hide_each_other() {
        let (name, born) = (Name::current(["Kit"], "Quillfeather"), Some(BirthDate::born(date(2015, 3, 2))));
        let housing = dated(&name, Some(date(2031, 3, 2)), None, born);
        let school = dated(&name, Some(date(2019, 3, 2)), Some(date(2036, 3, 1)), born);
        for order in [[housing.clone(), school.clone()], [school, housing]] {
            let kit = Summary { dated: order.into(), only_dated: true, ..summary(&Name::default(), None) };
            let entries = entries(&kit);
            for pk in ["S#quillfeather", "D#2015-03-02"] {
                for (day, is_told) in [
                    (date(2019, 3, 1), false),
                    (date(2026, 3, 2), true),
                    (date(2034, 1, 1), true),
                    (date(2050, 1, 1), true),
                ] {
                    assert_eq!(!surnames(&entries, pk, day).is_empty(), is_told, "{pk} on {day}");
                }
            }
        }
    }

    #[test]
    fn each_name_in_an_entry_counts_on_its_own_days() {
        let school = dated(&Name::current(["Cathryn"], "Ash"), None, Some(date(2030, 1, 1)), None);
        let housing = dated(&Name::current(["Katharine"], "Ash"), Some(date(2031, 1, 1)), None, None);
        let kate = Summary { dated: vec![school, housing], only_dated: true, ..summary(&Name::default(), None) };
        let entries = entries(&kate);
        let forenames = |today: Date| -> Vec<String> {
            let here = entries.iter().filter(|entry| entry.pk == "S#ash");
            here.flat_map(|entry| Filed::on(&entry.sk, &entry.content, today)).map(|filed| filed.forenames).collect()
        };
        assert_eq!(forenames(date(2026, 1, 1)), ["cathryn"]);
        assert!(forenames(date(2030, 6, 1)).is_empty());
        assert_eq!(forenames(date(2032, 1, 1)), ["katharine"]);
    }

    #[test]
    fn a_birth_date_told_on_some_days_finds_whom_another_source_names() {
        let born = Some(BirthDate::born(date(2015, 3, 2)));
        let school = Dated { days: Days { from: None, to: Some(date(2036, 3, 1)) }, birth: born, ..Dated::default() };
        let posy = Summary { dated: vec![school], ..summary(&Name::current(["Posy"], "Ash"), None) };
        assert_eq!(surnames(&entries(&posy), "D#2015-03-02", date(2026, 1, 1)), ["ash"]);
        assert!(surnames(&entries(&posy), "D#2015-03-02", date(2040, 1, 1)).is_empty());
    }

    #[test]
    fn no_entry_of_somebody_withheld_knows_the_birth_date_and_nobody_hidden_has_one() {
        let mut maya = summary(&Name::current(["Maya"], "Okafor"), Some(BirthDate::born(date(2015, 3, 2))));
        maya.protection = Protection::Withheld;
        let entries_of = entries(&maya);
        assert_eq!(entries_of.len(), 3, "A, B and S");
        assert!(entries_of.iter().all(|entry| entry.sk.starts_with("99999999#") && !entry.pk.starts_with('D')));
        maya.protection = Protection::Hidden;
        assert!(entries(&maya).is_empty());
        assert_eq!(former_keys(&maya).len(), 4, "all that there may be from before");
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
        let born = Some(BirthDate::born(date(2015, 3, 2)));
        let count = |forenames: &[&str], surname: &str| {
            entries(&summary(&Name::current(forenames.iter().copied(), surname), born)).len()
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

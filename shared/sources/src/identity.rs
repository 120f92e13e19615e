//! Whether two rows under one record id speak of one person. Several rows of a record are nothing unusual, and people change
//! their names; a man of 55 and a girl of 14 are two people, and a record of both would be neither.

use crate::{Entry, FeedKind, Row};
use fc_model::{Content, Details, Name, Sex, fold};
use std::collections::{BTreeMap, HashMap};

/// Who a row speaks of, in twelve bytes: a birth date, a sex and the beginnings of two names. Nothing is a zero.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Identity {
    /// Day, month and year of birth; a zero year when it is not known.
    birth: (u8, u8, u16),
    sex: u8,
    forename: [u8; 3],
    surname: [u8; 3],
}

/// The first three letters, folded.
fn beginning(text: &str) -> [u8; 3] {
    let mut out = [0; 3];
    let letters = fold::tokens(text).concat();
    for (place, letter) in out.iter_mut().zip(letters.bytes()) {
        *place = letter;
    }
    out
}

/// Whether two beginnings of names are known and no spellings of each other.
fn are_others(one: [u8; 3], other: [u8; 3]) -> bool {
    let is_known = |text: [u8; 3]| text[1] != 0;
    is_known(one) && is_known(other) && one.iter().zip(&other).filter(|(one, other)| one != other).count() >= 2
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl Identity {
    /// Of what a row says.
    #[must_use]
    pub fn of(content: &Content) -> Self {
        match content {
            Content::Person(details) => Self::of_person(details),
            Content::Staff(_) => Self::default(),
        }
    }

    fn of_person(details: &Details) -> Self {
        let name = details.names.first();
        let birth = details.birth.filter(|birth| !birth.expected).and_then(|birth| birth.date.whole());
        let part = |number: i8| u8::try_from(number).unwrap_or_default();
        Self {
            birth: birth.map_or((0, 0, 0), |day| {
                (part(day.day()), part(day.month()), u16::try_from(day.year()).unwrap_or_default())
            }),
            sex: match details.sex {
                Some(Sex::Female) => 1,
                Some(Sex::Male) => 2,
                _ => 0,
            },
            forename: name
                .and_then(|name: &Name| name.forenames.first())
                .map(|text| beginning(text))
                .unwrap_or_default(),
            surname: name.map(|name| beginning(&name.surname)).unwrap_or_default(),
        }
    }

    /// Whether both are known well enough to say that they are two people. Another spelling, another surname, a slip in a
    /// date or another sex alone is none of it.
    #[must_use]
    pub fn clearly_differs(self, other: Self) -> bool {
        let forename = are_others(self.forename, other.forename);
        let surname = are_others(self.surname, other.surname);
        let sex = self.sex != 0 && other.sex != 0 && self.sex != other.sex;
        let ((day, month, year), (other_day, other_month, other_year)) = (self.birth, other.birth);
        if year == 0 || other_year == 0 {
            return forename && (sex || surname);
        }
        let parts = [day != other_day, month != other_month, year != other_year];
        // Day and month swapped are one slip.
        let swapped = year == other_year && day == other_month && month == other_day;
        parts.iter().filter(|differs| **differs).count() >= 2 && !swapped && (forename || sex && surname)
    }

    /// The one of two that is known.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == Self::default() { other } else { self }
    }
}

/// Finds record ids that stand on rows of people who clearly differ, where a whole file's rows may be remembered.
#[derive(Default)]
pub struct Identities {
    seen: HashMap<String, Seen>,
}

#[derive(Default)]
struct Seen {
    identity: Identity,
    lines: Vec<u64>,
    differ: bool,
}

impl Identities {
    /// Remembers a row of a feed.
    pub fn add(&mut self, kind: FeedKind, row: &Row) {
        let Row::Used { line, records, .. } = row else { return };
        if kind != FeedKind::People {
            return;
        }
        for (id, entry) in records {
            let Entry::Present(content) = entry else { continue };
            let identity = Identity::of(content);
            let seen = self.seen.entry(id.clone()).or_default();
            seen.differ |= seen.identity.clearly_differs(identity);
            seen.identity = seen.identity.or(identity);
            seen.lines.push(*line);
        }
    }

    /// Record ids of two people or more, with the lines they stand on.
    #[must_use]
    pub fn shared(self) -> BTreeMap<String, Vec<u64>> {
        let shared = self.seen.into_iter().filter(|(_, seen)| seen.differ);
        shared.map(|(id, seen)| (id, seen.lines)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_model::{BirthDate, Date, PartialDate};

    fn person(forename: &str, surname: &str, birth: Option<(i16, i8, i8)>, sex: Option<Sex>) -> Identity {
        let birth =
            birth.map(|(year, month, day)| BirthDate::born(PartialDate::from(Date::constant(year, month, day))));
        Identity::of_person(&Details {
            names: vec![Name::current([forename], surname)],
            birth,
            sex,
            ..Details::default()
        })
    }

    #[test]
    fn a_man_and_a_girl_are_two_people_and_a_person_written_twice_is_one() {
        let (man, girl) = (Some(Sex::Male), Some(Sex::Female));
        let gerald = person("Gerald", "Swinscoe", Some((1971, 2, 1)), man);
        assert!(gerald.clearly_differs(person("Primrose", "Swinscoe", Some((2012, 8, 9)), girl)));
        assert!(gerald.clearly_differs(person("Primrose", "Swinscoe", None, girl)), "no birth date");
        assert!(gerald.clearly_differs(person("Viktor", "Umberleigh", Some((2010, 11, 19)), None)));
        for (one, why) in [
            (person("Gerry", "Swinscoe", Some((1971, 2, 1)), man), "a pet name"),
            (person("Gerald", "Swinscoe", Some((2012, 8, 9)), man), "another birth date"),
            (person("Susan", "Jones", Some((1971, 2, 1)), girl), "an alias of the same birth date"),
            (person("Bert", "Swinscoe", Some((1971, 1, 2)), man), "day and month swapped"),
            (person("Bert", "Swinscoe", Some((1917, 2, 1)), man), "a slip in the year"),
            (person("Bert", "Swinscoe", None, man), "no birth date, another forename"),
            (person("G", "Swinscoe", Some((2012, 8, 9)), None), "an initial"),
            (person("", "", None, None), "nothing known"),
        ] {
            assert!(!gerald.clearly_differs(one), "{why}");
        }
    }
}

//! Quality: how well records were linked, where the truth is known, and where it fails by kind.

use crate::{Comparison, Field, Level, Model, Standard, Subject};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::Hash,
};

/// Pairs, clusters and kinds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quality {
    /// Pairs of records that were put together.
    pub found: u64,
    /// Pairs that belong together.
    pub wanted: u64,
    /// Pairs that were put together and belong so.
    pub right: u64,
    /// Harmonic mean of how pure a record's person is and how much of the true person it holds, over all records.
    pub b_cubed: f64,
    /// People with records of more than one true person.
    pub mixed: usize,
    /// By kind of pair, where records are given: what it is made of.
    pub kinds: BTreeMap<Kind, Count>,
}

/// Pairs of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// True pairs.
    pub wanted: u64,
    /// True pairs that were found.
    pub right: u64,
    /// Pairs put together that are two people.
    pub wrong: u64,
}

/// What makes a pair hard. A pair can be of several kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nothing below.
    Plain,
    /// One is an unborn child or a baby without a name.
    Unborn,
    /// Born on one day, under one roof, with different forenames: twins, or a forename replaced.
    Twins,
    /// Forename and surname in one another's place.
    SwappedNames,
    /// A nickname, an initial, or another of several forenames.
    Nickname,
    /// A name spelled differently.
    Spelling,
    /// The forename differs.
    OtherForename,
    /// The surname differs.
    OtherSurname,
    /// No birth date in one of the two.
    NoBirth,
    /// A birth date that differs, wholly or in part.
    WrongBirth,
    /// Another address.
    Moved,
    /// Two different NHS or pupil numbers.
    OtherNumber,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "none of these",
            Self::Unborn => "unborn or newborn",
            Self::Twins => "twins, by all appearance",
            Self::SwappedNames => "names swapped",
            Self::Nickname => "nickname or initial",
            Self::Spelling => "name spelled differently",
            Self::OtherForename => "different forename",
            Self::OtherSurname => "different surname",
            Self::NoBirth => "no birth date",
            Self::WrongBirth => "birth date differs",
            Self::Moved => "different address",
            Self::OtherNumber => "different NHS or pupil numbers",
        })
    }
}

impl Kind {
    fn of(comparison: &Comparison, a: &Subject, b: &Subject) -> Vec<Self> {
        let is = |field: Field, levels: &[Level]| levels.contains(&comparison.fields[field as usize].level);
        let other_forename = is(Field::Forename, &[Level::Differ]);
        let home = is(Field::Address, &[Level::Same, Level::Close]);
        let unborn = [a, b].iter().any(|subject| subject.standard.newborn || subject.standard.expected);
        let close = is(Field::Forename, &[Level::Close]) || is(Field::Surname, &[Level::Close]);
        let partly =
            [Level::Close, Level::Shared, Level::Swapped, Level::Differ, Level::FirstOfJanuary, Level::Partial];
        let number = is(Field::NhsNumber, &[Level::Differ]) || is(Field::Upn, &[Level::Differ]);
        let kinds = [
            (Self::Unborn, unborn),
            (Self::Twins, other_forename && home && is(Field::Birth, &[Level::Same])),
            (Self::SwappedNames, is(Field::Forename, &[Level::Swapped])),
            (Self::Nickname, is(Field::Forename, &[Level::Nickname, Level::Initial, Level::Shared])),
            (Self::Spelling, close),
            (Self::OtherForename, other_forename),
            (Self::OtherSurname, is(Field::Surname, &[Level::Differ])),
            (Self::NoBirth, is(Field::Birth, &[Level::Missing])),
            (Self::WrongBirth, is(Field::Birth, &partly)),
            (Self::Moved, is(Field::Address, &[Level::Differ])),
            (Self::OtherNumber, number),
        ];
        let kinds: Vec<Self> = kinds.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind).collect();
        if kinds.is_empty() { vec![Self::Plain] } else { kinds }
    }
}

impl Quality {
    /// Compares who was put together with who belongs together: for each record, what its person is called by either.
    #[must_use]
    pub fn of<T: Hash + Eq>(people: &[usize], truth: &[T]) -> Self {
        let (is, ought) = (sizes(people.iter()), sizes(truth.iter()));
        let both = sizes(people.iter().zip(truth));
        let pairs = |size: &u64| size * (size - 1) / 2;
        let records = people.len().max(1) as f64;
        let (mut pure, mut whole) = (0.0, 0.0);
        let mut true_people: HashMap<&usize, u64> = HashMap::new();
        for ((person, true_person), together) in &both {
            pure += (together * together) as f64 / is[person] as f64;
            whole += (together * together) as f64 / ought[true_person] as f64;
            *true_people.entry(person).or_default() += 1;
        }
        let (pure, whole) = (pure / records, whole / records);
        Self {
            found: is.values().map(pairs).sum(),
            wanted: ought.values().map(pairs).sum(),
            right: both.values().map(pairs).sum(),
            b_cubed: if pure + whole > 0.0 { 2.0 * pure * whole / (pure + whole) } else { 0.0 },
            mixed: true_people.values().filter(|people| **people > 1).count(),
            kinds: BTreeMap::new(),
        }
    }

    /// The same, counting kinds of pairs too.
    #[must_use]
    pub fn by_kind<T: Hash + Eq>(model: &Model, records: &[Subject], people: &[usize], truth: &[T]) -> Self {
        let mut quality = Self::of(people, truth);
        let mut count = |a: usize, b: usize, of: fn(&mut Count)| {
            let comparison = model.compare(&records[a].standard, &records[b].standard);
            for kind in Kind::of(&comparison, &records[a], &records[b]) {
                of(quality.kinds.entry(kind).or_default());
            }
        };
        for (a, b) in pairs(truth) {
            let found = people[a] == people[b];
            count(a, b, |count| count.wanted += 1);
            if found {
                count(a, b, |count| count.right += 1);
            }
        }
        for (a, b) in pairs(people) {
            if truth[a] != truth[b] {
                count(a, b, |count| count.wrong += 1);
            }
        }
        quality
    }

    /// Of the pairs found, the share that is right; 1 when none is found.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.right, self.found)
    }

    /// Of the pairs wanted, the share found; 1 when none is wanted.
    #[must_use]
    pub fn recall(&self) -> f64 {
        share(self.right, self.wanted)
    }

    /// Harmonic mean of both.
    #[must_use]
    pub fn f1(&self) -> f64 {
        if self.right == 0 { 0.0 } else { 2.0 * self.right as f64 / (self.found + self.wanted) as f64 }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "pairs: precision {:.4}, recall {:.4}, F1 {:.4}, of {} true pairs",
            self.precision(),
            self.recall(),
            self.f1(),
            self.wanted
        )?;
        writeln!(f, "B-cubed F1 {:.4}; {} people mixed from several", self.b_cubed, self.mixed)?;
        if !self.kinds.is_empty() {
            writeln!(f, "{:<32}{:>10}{:>10}{:>9}{:>12}", "kind of pair", "true", "missed", "recall", "wrong links")?;
        }
        for (kind, count) in &self.kinds {
            let missed = count.wanted - count.right;
            let recall = share(count.right, count.wanted);
            let name = kind.to_string();
            writeln!(f, "{name:<32}{:>10}{missed:>10}{recall:>9.3}{:>12}", count.wanted, count.wrong)?;
        }
        Ok(())
    }
}

/// What the truth says of a record's person, besides who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kin {
    /// Their family.
    pub family: Option<String>,
    /// When they were born. Where that is not known, what the record says counts.
    pub born: Option<String>,
}

impl Kin {
    fn are_twins(&self, other: &Self, records: [&Standard; 2]) -> bool {
        let [one, two] = records.map(|record| record.birth);
        let together = match (&self.born, &other.born) {
            (Some(born), Some(other)) => born == other,
            _ => one.is_some() && one == two,
        };
        together && self.family.is_some() && self.family == other.family
    }
}

/// Pairs of records that were put together and must never be. All of them should be 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NeverMerged {
    /// Of two people of one family, born on the same day.
    pub twins: u64,
    /// Of two people of whom a source says that they are two.
    pub others: u64,
    /// With two different valid NHS numbers.
    pub numbers: u64,
}

impl NeverMerged {
    /// Counts them: for each record, what its person is called by linking and in truth, and their kin in truth.
    #[must_use]
    pub fn of<T: PartialEq>(records: &[Subject], people: &[usize], truth: &[T], kin: &[Kin]) -> Self {
        let mut count = Self::default();
        for (a, b) in pairs(people) {
            let (one, other) = (&records[a], &records[b]);
            let says = |x: &Subject, y: &Subject| x.never_link.contains(&y.record) || x.relatives.contains(&y.record);
            count.others += u64::from(says(one, other) || says(other, one));
            let (one, other) = (&one.standard, &other.standard);
            let numbers = one.nhs_number.as_ref().zip(other.nhs_number.as_ref());
            count.numbers += u64::from(numbers.is_some_and(|(x, y)| x != y));
            count.twins += u64::from(truth[a] != truth[b] && kin[a].are_twins(&kin[b], [one, other]));
        }
        count
    }
}

impl fmt::Display for NeverMerged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "merged though they must never be: {} pairs of twins, {} that a source forbids, {} with different NHS numbers",
            self.twins, self.others, self.numbers
        )
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn sizes<T: Hash + Eq>(labels: impl Iterator<Item = T>) -> HashMap<T, u64> {
    let mut sizes = HashMap::new();
    for label in labels {
        *sizes.entry(label).or_default() += 1;
    }
    sizes
}

/// Pairs of places with one label.
fn pairs<T: Hash + Eq>(labels: &[T]) -> Vec<(usize, usize)> {
    let mut groups: HashMap<&T, Vec<usize>> = HashMap::new();
    for (place, label) in labels.iter().enumerate() {
        groups.entry(label).or_default().push(place);
    }
    let of = |group: &Vec<usize>| -> Vec<(usize, usize)> {
        (0..group.len()).flat_map(|j| (0..j).map(move |i| (i, j))).map(|(i, j)| (group[i], group[j])).collect()
    };
    groups.values().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_clusters_are_counted_as_the_field_counts_them() {
        // True people: {0, 1, 2} and {3, 4}; found: {0, 1} and {2, 3} and {4}.
        let quality = Quality::of(&[0, 0, 1, 1, 2], &["a", "a", "a", "b", "b"]);
        assert_eq!((quality.found, quality.wanted, quality.right, quality.mixed), (2, 4, 1, 1));
        assert!((quality.f1() - 1.0 / 3.0).abs() < 1e-9);
        // Purity 1, 1, 1/2, 1/2, 1; wholeness 2/3, 2/3, 1/3, 1/2, 1/2.
        let (pure, whole) = (0.8, 8.0 / 15.0);
        assert!((quality.b_cubed - 2.0 * pure * whole / (pure + whole)).abs() < 1e-9);
    }

    #[test]
    fn who_was_born_with_whom_is_for_the_truth_to_say_and_else_for_the_records() {
        let record = |birth: &str| Standard { birth: birth.parse().ok(), ..Standard::default() };
        let kin = |family: &str, born: &str| Kin {
            family: Some(family.to_owned()),
            born: Some(born.to_owned()).filter(|born| !born.is_empty()),
        };
        let (child, mistyped) = (&record("2020-01-02"), &record("2020-01-03"));
        assert!(kin("F1", "2020-01-02").are_twins(&kin("F1", "2020-01-02"), [child, mistyped]));
        assert!(!kin("F1", "2020-01-02").are_twins(&kin("F1", "1990-05-06"), [child, child]), "father and son");
        assert!(!kin("F1", "2020-01-02").are_twins(&kin("F2", "2020-01-02"), [child, child]), "strangers");
        assert!(kin("F1", "").are_twins(&kin("F1", ""), [child, child]));
        assert!(!kin("F1", "").are_twins(&kin("F1", ""), [child, mistyped]));
    }

    #[test]
    fn nobody_linked_and_nobody_to_link_is_perfect() {
        let quality = Quality::of(&[0, 1], &[0, 1]);
        assert!((quality.precision() - 1.0).abs() < 1e-9 && (quality.recall() - 1.0).abs() < 1e-9);
        assert_eq!(quality.mixed, 0);
    }
}

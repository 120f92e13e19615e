//! How well a person matches what was typed. Scores only order results: nothing here decides that two records are one
//! person, and nothing is hidden for a low score alone that was typed right.

use crate::Query;
use fc_access::shown_name;
use fc_model::{CaseId, Name, NameKind, PartialDate, PersonId, Summary, fold, nicknames, search_keys::Filed};
use std::collections::HashMap;

/// Names less alike than this are not the person meant. Jaro-Winkler of one name with one letter wrong is .85 or more;
/// with the other name right, the mean of both stays above this even when one is badly misspelt.
const ALIKE: f64 = 0.78;
/// With the exact date of birth, a name may be this far off: a former surname, a badly misspelt forename.
const ALIKE_ENOUGH_WITH_BIRTH: f64 = 0.6;
/// Scores closer than one band are equally good, and then the youngest comes first.
const BANDS: f64 = 20.0;

/// The parts of a match, each a share of a perfect one.
mod weight {
    /// A name after the first.
    pub(super) const LATER_FORENAME: f64 = 0.97;
    /// Bob for Robert.
    pub(super) const NICKNAME: f64 = 0.95;
    /// An initial, or the beginning of a name.
    pub(super) const BEGINNING: f64 = 0.9;
    /// One part of a double-barrelled surname.
    pub(super) const PART: f64 = 0.96;
    /// Forename and surname swapped.
    pub(super) const SWAPPED: f64 = 0.95;
    /// No forename on record: neither for nor against.
    pub(super) const UNKNOWN: f64 = 0.6;
    /// Added for the very date of birth.
    pub(super) const BORN_THEN: f64 = 0.2;
    /// Added when day and month are swapped, or only the year or month is known and fits.
    pub(super) const BORN_MAYBE: f64 = 0.12;
    /// Added when one digit is wrong.
    pub(super) const BORN_NEARLY: f64 = 0.06;
    /// Taken off for another date of birth.
    pub(super) const BORN_OTHERWISE: f64 = 0.1;
}

/// What was typed, folded once.
#[derive(Clone)]
pub struct Wanted {
    surname: Vec<String>,
    forenames: Vec<String>,
    birth: Option<PartialDate>,
    case_id: Option<CaseId>,
}

/// How a person matches.
#[derive(Clone, PartialEq, Eq)]
pub struct Match {
    /// Higher is better; equal is equally good.
    pub band: i64,
    /// The name that matched, when it is not the one shown and may be named: `Former name: Maya Bell`.
    pub by: Option<String>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted(redacted)")
    }
}

impl std::fmt::Debug for Match {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Match({}, redacted)", self.band)
    }
}

/// The people filed, best first and the youngest first within equally good; those who are not alike are left out.
#[must_use]
pub fn best(wanted: &Wanted, filed: &[Filed]) -> Vec<PersonId> {
    let mut people: HashMap<&PersonId, (i64, Option<PartialDate>)> = HashMap::new();
    for entry in filed {
        let surname: Vec<String> = entry.surname.split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect();
        let forenames: Vec<String> = entry.forenames.split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect();
        let Some(score) = wanted.score(&surname, &forenames, entry.birth) else { continue };
        let known = people.entry(&entry.person).or_insert((i64::MIN, entry.birth));
        known.0 = known.0.max(band(score));
    }
    let mut people: Vec<_> = people.into_iter().collect();
    people.sort_by(|(one, (a, a_born)), (other, (b, b_born))| {
        let born = |date: &Option<PartialDate>| date.map(PartialDate::earliest);
        b.cmp(a).then_with(|| born(b_born).cmp(&born(a_born))).then_with(|| one.cmp(other))
    });
    people.into_iter().map(|(person, _)| person.clone()).collect()
}

fn band(score: f64) -> i64 {
    (score * BANDS).round() as i64
}

impl Wanted {
    /// From what was typed.
    #[must_use]
    pub fn of(query: &Query) -> Self {
        Self {
            surname: fold::tokens(&query.surname),
            forenames: fold::tokens(&query.forename),
            birth: query.date_of_birth,
            case_id: query.case_id.clone(),
        }
    }

    /// How somebody whose details are withheld matches: by the name that is shown, or by the case ID. Another name or the
    /// date of birth would tell, by whether it finds them, what is not shown.
    #[must_use]
    pub fn matches_withheld(&self, person: &Summary) -> Option<Match> {
        if let Some(case) = &self.case_id {
            return has_case(person, case);
        }
        if self.surname.is_empty() {
            return None;
        }
        let name = shown_name(person)?;
        let band = band(self.score(&name.surname_tokens(), &name.forename_tokens(), None)?);
        Some(Match { band, by: None })
    }

    /// How a person matches, by any of their names; `None` when they are not the one meant.
    #[must_use]
    pub fn matches(&self, person: &Summary) -> Option<Match> {
        if let Some(case) = &self.case_id {
            return has_case(person, case);
        }
        let birth = person.birth.map(|birth| birth.date);
        let score = |name: &Name| self.score(&name.surname_tokens(), &name.forename_tokens(), birth).map(band);
        let current = if person.name.not_to_be_shown { None } else { score(&person.name) };
        // A name not to be shown finds nobody: that it did would tell it.
        let others = person.other_names.iter().filter(|name| !name.not_to_be_shown);
        let other = others.filter_map(|name| Some((score(name)?, name))).max_by_key(|(band, _)| *band);
        match (current, other) {
            (None, None) => None,
            (Some(band), None) => Some(Match { band, by: None }),
            (Some(band), Some((better, _))) if better <= band => Some(Match { band, by: None }),
            (_, Some((band, name))) => Some(Match { band, by: Some(format!("{}: {}", kind(name), name.display())) }),
        }
    }

    /// From 0 up, about 1 for the very name; `None` when too unlike.
    fn score(&self, surname: &[String], forenames: &[String], birth: Option<PartialDate>) -> Option<f64> {
        let born = self.birth.zip(birth).map_or(0.0, |(wanted, known)| birth_score(wanted, known));
        let as_typed = self.names(surname, forenames);
        let swapped = if self.forenames.is_empty() { 0.0 } else { weight::SWAPPED * self.names(forenames, surname) };
        let names = as_typed.max(swapped);
        let enough = if born >= weight::BORN_THEN { ALIKE_ENOUGH_WITH_BIRTH } else { ALIKE };
        (names >= enough).then_some(names + born)
    }

    fn names(&self, surname: &[String], forenames: &[String]) -> f64 {
        match (self.surname.is_empty(), self.forenames.is_empty()) {
            // A date of birth alone: every name fits.
            (true, _) => 1.0,
            (false, true) => surname_score(&self.surname, surname),
            (false, false) => {
                f64::midpoint(surname_score(&self.surname, surname), forename_score(&self.forenames, forenames))
            }
        }
    }
}

fn has_case(person: &Summary, case: &CaseId) -> Option<Match> {
    let packed = |id: &CaseId| fold::joined(id.as_str()).replace(' ', "");
    person.case_ids.iter().any(|id| packed(id) == packed(case)).then_some(Match { band: 0, by: None })
}

fn kind(name: &Name) -> &'static str {
    match name.kind {
        NameKind::Current => "Also recorded as",
        NameKind::Preferred => "Preferred name",
        NameKind::Former => "Former name",
        NameKind::Alias => "Alias",
    }
}

fn surname_score(typed: &[String], known: &[String]) -> f64 {
    let whole = alike(&typed.concat(), &known.concat());
    let part = || {
        let pairs = typed.iter().flat_map(|one| known.iter().map(move |other| (one, other)));
        pairs.map(|(one, other)| alike(one, other)).fold(0.0, f64::max) * weight::PART
    };
    if typed.len() > 1 || known.len() > 1 { whole.max(part()) } else { whole }
}

/// The first forename typed counts double: people paste second names as they have them.
fn forename_score(typed: &[String], known: &[String]) -> f64 {
    if known.is_empty() {
        return weight::UNKNOWN;
    }
    let best = |one: &String| {
        let scored = known.iter().enumerate().map(|(place, other)| {
            let score = forename_alike(one, other);
            if place == 0 { score } else { score * weight::LATER_FORENAME }
        });
        scored.fold(0.0, f64::max)
    };
    let Some((first, rest)) = typed.split_first() else { return weight::UNKNOWN };
    let first = best(first);
    if rest.is_empty() {
        return first;
    }
    let rest = rest.iter().map(best).sum::<f64>() / rest.len() as f64;
    (2.0 * first + rest.max(weight::UNKNOWN)) / 3.0
}

fn forename_alike(typed: &str, known: &str) -> f64 {
    if typed == known {
        1.0
    } else if nicknames::root(typed) == nicknames::root(known) {
        weight::NICKNAME
    } else if known.starts_with(typed) || (known.chars().count() == 1 && typed.starts_with(known)) {
        weight::BEGINNING
    } else {
        alike(typed, known)
    }
}

fn alike(one: &str, other: &str) -> f64 {
    if one == other { 1.0 } else { strsim::jaro_winkler(one, other) }
}

fn birth_score(wanted: PartialDate, known: PartialDate) -> f64 {
    if let (Some(wanted), Some(known)) = (wanted.whole(), known.whole()) {
        if wanted == known {
            return weight::BORN_THEN;
        }
        if wanted.year() == known.year() && wanted.month() == known.day() && wanted.day() == known.month() {
            return weight::BORN_MAYBE;
        }
        let wrong = wanted.to_string().bytes().zip(known.to_string().bytes()).filter(|(a, b)| a != b).count();
        return if wrong == 1 { weight::BORN_NEARLY } else { -weight::BORN_OTHERWISE };
    }
    let fits = |a: Option<i8>, b: Option<i8>| a.zip(b).is_none_or(|(a, b)| a == b);
    let same = wanted.year() == known.year() && fits(wanted.month(), known.month()) && fits(wanted.day(), known.day());
    if same { weight::BORN_MAYBE } else { -weight::BORN_OTHERWISE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_model::{BirthDate, Protection};

    fn wanted(surname: &str, forename: &str, birth: &str) -> Wanted {
        Wanted::of(&Query {
            surname: surname.into(),
            forename: forename.into(),
            date_of_birth: birth.parse().ok(),
            case_id: None,
        })
    }

    fn person(forenames: &str, surname: &str, born: &str) -> Summary {
        Summary {
            id: PersonId::random(),
            name: Name::current(forenames.split(' '), surname),
            other_names: Vec::new(),
            birth: born.parse::<PartialDate>().ok().map(BirthDate::born),
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

    fn band_of(wanted: &Wanted, person: &Summary) -> i64 {
        wanted.matches(person).map_or(i64::MIN, |m| m.band)
    }

    #[test]
    fn the_very_name_comes_before_one_with_a_mistake_and_that_before_another_name() {
        let asked = wanted("Robertson", "Katharine", "");
        let exact = band_of(&asked, &person("Katharine", "Robertson", "2015-03-02"));
        let typo = band_of(&asked, &person("Katherin", "Robertsen", "2015-03-02"));
        assert!(exact > typo && typo > i64::MIN);
        assert_eq!(asked.matches(&person("Fatima", "Ahmed", "2015-03-02")), None);
    }

    #[test]
    fn a_wrong_first_letter_and_swapped_names_still_match() {
        let katharine = person("Katharine", "Robertson", "2015-03-02");
        for (surname, forename) in [("Tobertson", "Katharine"), ("obertson", "Katharine"), ("Katharine", "Robertson")] {
            assert!(wanted(surname, forename, "").matches(&katharine).is_some(), "{forename} {surname}");
        }
    }

    #[test]
    fn an_initial_and_a_second_forename_match() {
        let amy = person("Amy Rose", "Smith", "2015-03-02");
        for forename in ["A", "Rose", "Am", "Amy R", "Amy Rose"] {
            assert!(wanted("Smith", forename, "").matches(&amy).is_some(), "{forename}");
        }
    }

    #[test]
    fn the_date_of_birth_decides_between_people_of_one_name() {
        let asked = wanted("Khan", "Mohammed", "2015-03-02");
        let bands: Vec<i64> = ["2015-03-02", "2015-02-03", "2015-03-12", "", "1980-07-07"]
            .into_iter()
            .map(|born| band_of(&asked, &person("Mohammed", "Khan", born)))
            .collect();
        assert!(bands.is_sorted_by(|a, b| a > b), "{bands:?}: exact, swapped, a digit wrong, unknown, another");
    }

    #[test]
    fn a_year_of_birth_is_enough_to_choose() {
        let asked = wanted("Khan", "Mohammed", "2015");
        assert!(
            band_of(&asked, &person("Mohammed", "Khan", "2015-03-02"))
                > band_of(&asked, &person("Mohammed", "Khan", "2014-03-02"))
        );
    }

    #[test]
    fn a_former_name_that_matched_is_said_and_one_that_must_not_be_shown_finds_nobody() {
        let mut maya = person("Maya", "Okafor", "2015-03-02");
        maya.other_names.push(Name { kind: NameKind::Former, ..Name::current(["Maya"], "Bell") });
        let asked = wanted("Bell", "Maya", "");
        assert_eq!(asked.matches(&maya).unwrap().by.as_deref(), Some("Former name: Maya Bell"));
        maya.other_names[0].not_to_be_shown = true;
        assert_eq!(asked.matches(&maya), None);
        assert_eq!(wanted("Okafor", "Maya", "").matches(&maya).unwrap().by, None, "the name in use needs no note");
    }

    #[test]
    fn a_double_barrelled_surname_matches_by_either_part() {
        let siobhan = person("Siobhan", "O'Brien-Davies", "");
        for surname in ["Davies", "OBrien", "O'Brien Davies", "obriendavies"] {
            assert!(wanted(surname, "Siobhan", "").matches(&siobhan).is_some(), "{surname}");
        }
    }
}

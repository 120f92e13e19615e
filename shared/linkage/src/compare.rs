//! Comparing: how far two records agree, field by field.

pub(crate) use crate::spelling::spelled_alike;
use crate::{Band, Model, Proof, Standard, Weight, address::Nearness, standard::StandardName};
use fc_model::{PartialDate, nicknames};
use serde::{Deserialize, Serialize};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Forenames.
    Forename,
    /// Surname.
    Surname,
    /// Date of birth.
    Birth,
    /// Addresses.
    Address,
    /// Sex or gender.
    Sex,
    /// NHS number.
    NhsNumber,
    /// Unique pupil number.
    Upn,
    /// Phones, e-mails and other identifiers.
    Contact,
}

/// How far a field agrees. Not every field knows every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The same.
    Same,
    /// Forms of one name: Bob and Robert.
    Nickname,
    /// One part in common: one of several forenames, half of a double-barrelled surname, a former name.
    Shared,
    /// Spelled or typed differently.
    Close,
    /// An initial that fits.
    Initial,
    /// Forename and surname, or day and month, swapped.
    Swapped,
    /// The same as far as both are known.
    Partial,
    /// Same year, and one is 1 January: what systems write for "only the year is known".
    FirstOfJanuary,
    /// Born about when an unborn child was expected.
    Expected,
    /// Same building, another flat.
    Building,
    /// Same postcode, another house.
    Postcode,
    /// Different.
    Differ,
    /// Not known in one of the two.
    Missing,
}

/// What one field contributes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FieldEvidence {
    /// The field.
    pub field: Field,
    /// How far it agrees.
    pub level: Level,
    /// For (positive) or against (negative) one person.
    pub weight: Weight,
}

/// Two records compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Log2 odds that the two are one person, everything counted.
    pub weight: Weight,
    /// The same as a probability.
    pub probability: f64,
    /// Linked, possible or no.
    pub band: Band,
    /// Evidence by field. With `prior`, `family` and `calibration` it adds up to `weight`.
    pub fields: [FieldEvidence; 8],
    /// Log2 odds before anything is compared.
    pub prior: Weight,
    /// What is taken away because relatives share surnames, addresses and birthdays; never positive.
    pub family: Weight,
    /// What is taken away or added because pairs weighed like this were right less or more often than that says, or
    /// because evidence of this kind cannot link alone.
    pub calibration: Weight,
    /// What the weight rests on.
    pub proof: Proof,
}

/// The level of every field, with the pair of names that agrees best.
pub(crate) struct Agreement<'a> {
    pub(crate) levels: [Level; FIELDS],
    /// The forename and the surname that are the same in both, for how common they are.
    pub(crate) forename: Option<&'a str>,
    pub(crate) surname: Option<&'a str>,
}

/// How many fields are compared.
pub(crate) const FIELDS: usize = 8;

/// All fields, in the order of [`Comparison::fields`].
pub(crate) const ALL_FIELDS: [Field; FIELDS] = [
    Field::Forename,
    Field::Surname,
    Field::Birth,
    Field::Address,
    Field::Sex,
    Field::NhsNumber,
    Field::Upn,
    Field::Contact,
];

pub(crate) fn agreement<'a>(model: &Model, a: &'a Standard, b: &'a Standard) -> Agreement<'a> {
    let (forename, surname, same) = names(model, a, b);
    let known = |level: Option<bool>| match level {
        None => Level::Missing,
        Some(true) => Level::Same,
        Some(false) => Level::Differ,
    };
    let sex = a.sex.zip(b.sex).map(|(a, b)| a == b);
    let nhs = match (&a.nhs_number, &b.nhs_number) {
        (Some(a), Some(b)) if a == b => Level::Same,
        (Some(a), Some(b)) if mistyped(a.as_str(), b.as_str()) => Level::Close,
        (Some(_), Some(_)) => Level::Differ,
        _ => Level::Missing,
    };
    let upn = match (&a.upn, &b.upn) {
        (Some(a), Some(b)) if a == b => Level::Same,
        // A temporary number gives way to a permanent one.
        (Some(a), Some(b)) if a.is_temporary() || b.is_temporary() => Level::Missing,
        (Some(a), Some(b)) if mistyped(a.as_str(), b.as_str()) => Level::Close,
        (Some(_), Some(_)) => Level::Differ,
        _ => Level::Missing,
    };
    let contact =
        if a.contacts.iter().any(|contact| b.contacts.contains(contact)) { Level::Same } else { Level::Missing };
    Agreement {
        levels: [forename, surname, birth(a, b), address(a, b), known(sex), nhs, upn, contact],
        forename: same.0,
        surname: same.1,
    }
}

type SameNames<'a> = (Option<&'a str>, Option<&'a str>);

/// The levels of forename and surname, over the pair of names that agrees best.
fn names<'a>(model: &Model, a: &'a Standard, b: &'a Standard) -> (Level, Level, SameNames<'a>) {
    let mut best: Option<(f64, Level, Level, SameNames<'a>)> = None;
    let choice = a.names.len() * b.names.len() > 1;
    for x in &a.names {
        for y in &b.names {
            let (forename, surname) = name_levels(x, y);
            let same_forename = (forename == Level::Same).then(|| x.forenames.first().map(String::as_str)).flatten();
            let same_surname = match surname {
                // The rarer of the two halves does not matter: any shared half will do, in an order of its own.
                Level::Same | Level::Shared => {
                    x.surnames.iter().filter(|s| y.surnames.contains(*s)).min().map(String::as_str)
                }
                _ => None,
            };
            let worth = if choice { model.name_weight(forename, surname, same_forename, same_surname) } else { 0.0 };
            let key = (forename, surname, same_forename, same_surname);
            let better = best.as_ref().is_none_or(|(w, f, s, same)| {
                // Ties are broken by the levels and names themselves, so that comparing is symmetric.
                worth > *w || (worth - *w).abs() < f64::EPSILON && key < (*f, *s, same.0, same.1)
            });
            if better {
                best = Some((worth, forename, surname, (same_forename, same_surname)));
            }
        }
    }
    best.map_or((Level::Missing, Level::Missing, (None, None)), |(_, forename, surname, same)| {
        (forename, surname, same)
    })
}

/// Whether two records agree in a forename only by what one of them is called besides: a twin may have that very name.
pub(crate) fn called_alike_only(a: &Standard, b: &Standard) -> bool {
    let first = a.names.first().zip(b.names.first()).map(|(a, b)| name_levels(a, b).0);
    (a.names.len() > 1 || b.names.len() > 1) && matches!(first, Some(Level::Shared | Level::Initial | Level::Differ))
}

/// Whether two records agree in the first of several forenames and have different ones after it: Mohammed Hassan and Mohammed
/// Bilal, Mary Ann and Mary Kate.
pub(crate) fn other_next_name(a: &Standard, b: &Standard) -> bool {
    a.names.first().zip(b.names.first()).is_some_and(|(a, b)| next_differ(&a.forenames, &b.forenames))
}

/// Whether the forenames that two records begin with begin with different letters: Jayla and Kayla. Who slips hardly ever
/// does at the first letter, and twins are given names that rhyme.
pub(crate) fn other_initial(a: &Standard, b: &Standard) -> bool {
    let initial = |one: &Standard| one.names.first()?.forenames.first()?.chars().next();
    initial(a).zip(initial(b)).is_some_and(|(a, b)| a != b)
}

/// Whether the first of several forenames agree, and none after them does.
pub(crate) fn next_differ(a: &[String], b: &[String]) -> bool {
    let ([first_a, more_a @ ..], [first_b, more_b @ ..]) = (a, b) else { return false };
    let differ = |x: &String| more_b.iter().all(|y| forename_tokens(x, y) == Level::Differ);
    !more_a.is_empty()
        && !more_b.is_empty()
        && more_a.iter().all(differ)
        && matches!(forename_tokens(first_a, first_b), Level::Same | Level::Nickname)
}

fn name_levels(a: &StandardName, b: &StandardName) -> (Level, Level) {
    let (forename, surname) = (forenames(&a.forenames, &b.forenames), surnames(&a.surnames, &b.surnames));
    if forename == Level::Differ && surname == Level::Differ && swapped(a, b) {
        return (Level::Swapped, Level::Swapped);
    }
    (forename, surname)
}

/// "Conor Reynolds" and "Reynolds Conor"; one of the two may be an initial, if the other is no mere nickname.
fn swapped(a: &StandardName, b: &StandardName) -> bool {
    let across =
        |x: Option<&String>, y: Option<&String>| x.zip(y).map_or(Level::Missing, |(x, y)| forename_tokens(x, y));
    let alike = |level: Level| matches!(level, Level::Same | Level::Nickname | Level::Close);
    let one = across(a.forenames.first(), b.surnames.first());
    let other = across(b.forenames.first(), a.surnames.first());
    let initial = |x: Level, y: Level| matches!(x, Level::Same | Level::Close) && y == Level::Initial;
    alike(one) && alike(other) || initial(one, other) || initial(other, one)
}

fn forenames(a: &[String], b: &[String]) -> Level {
    let (Some(first_a), Some(first_b)) = (a.first(), b.first()) else { return Level::Missing };
    let level = forename_tokens(first_a, first_b);
    if matches!(level, Level::Same | Level::Nickname) {
        return if next_differ(a, b) { Level::Shared } else { level };
    }
    // Two bare initials that fit are no name.
    if level != Level::Initial && run_together(a, b) {
        return Level::Same;
    }
    // Somebody called by a second forename. Second forenames alone say nothing: sisters share them.
    let called = |first: &String, others: &[String]| {
        others.iter().skip(1).any(|other| matches!(forename_tokens(first, other), Level::Same | Level::Nickname))
    };
    if !is_initial(first_a) && !is_initial(first_b) && (called(first_a, b) || called(first_b, a)) {
        return Level::Shared;
    }
    level
}

/// Whether tokens are the same once run together: "mary ann" and "maryann".
fn run_together(a: &[String], b: &[String]) -> bool {
    let letters = |tokens: &[String]| tokens.iter().map(String::len).sum::<usize>();
    letters(a) == letters(b) && a.iter().flat_map(|token| token.bytes()).eq(b.iter().flat_map(|token| token.bytes()))
}

/// Whether it is one letter of a script in which a name has several.
fn is_initial(token: &str) -> bool {
    let mut letters = token.chars();
    letters.next().is_some_and(char::is_lowercase) && letters.next().is_none()
}

/// How two forenames compare.
pub(crate) fn forename_tokens(a: &str, b: &str) -> Level {
    if is_initial(a) || is_initial(b) {
        return if a.chars().next() == b.chars().next() { Level::Initial } else { Level::Differ };
    }
    if a == b {
        return Level::Same;
    }
    let (roots_a, roots_b) = (nicknames::roots(a), nicknames::roots(b));
    // Ella and Ellie may both be Eleanor, but are names of their own: sisters can be called so.
    let both_roots = roots_a.first() == Some(&a) && roots_b.first() == Some(&b);
    if roots_a.iter().any(|root| roots_b.contains(root) && (!both_roots || *root == a || *root == b)) {
        return Level::Nickname;
    }
    // Two well-known names are two names, however alike: twins are often given such pairs.
    let both_known = !roots_a.is_empty() && !roots_b.is_empty();
    if !both_known && spelled_alike(a, b) { Level::Close } else { Level::Differ }
}

fn surnames(a: &[String], b: &[String]) -> Level {
    if a.is_empty() || b.is_empty() {
        return Level::Missing;
    }
    if let ([x], [y]) = (a, b) {
        return match x == y {
            true => Level::Same,
            false if spelled_alike(x, y) => Level::Close,
            false => Level::Differ,
        };
    }
    let all = |a: &[String], b: &[String]| a.iter().all(|token| b.contains(token));
    if all(a, b) && all(b, a) || run_together(a, b) {
        return Level::Same;
    }
    if a.iter().any(|token| !is_initial(token) && b.contains(token)) {
        return Level::Shared;
    }
    let close = a.iter().any(|x| b.iter().any(|y| spelled_alike(x, y))) || spelled_alike(&a.concat(), &b.concat());
    if close { Level::Close } else { Level::Differ }
}

/// Whether two identifiers of one length differ as typing errors do: two digits swapped, or at most two replaced. (Both
/// pass their check digits, so a single wrong digit is impossible.)
pub(crate) fn mistyped(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() <= 2
}

/// Days between which a child is born, counted from the day it was expected.
const BORN_ABOUT: std::ops::RangeInclusive<i32> = -120..=30;

fn birth(a: &Standard, b: &Standard) -> Level {
    let (Some(x), Some(y)) = (a.birth, b.birth) else { return Level::Missing };
    births(x, a.expected, y, b.expected)
}

/// How two birth dates compare, of which either may be expected.
pub(crate) fn births(x: PartialDate, x_expected: bool, y: PartialDate, y_expected: bool) -> Level {
    if x_expected != y_expected {
        let (expected, born) = if x_expected { (x, y) } else { (y, x) };
        let days = expected.earliest().until(born.earliest()).map_or(i32::MAX, |span| span.get_days());
        return if BORN_ABOUT.contains(&days) { Level::Expected } else { Level::Differ };
    }
    let parts = |date: PartialDate| Some((date.year(), date.month()?, date.day()?));
    let (Some((year, month, day)), Some((other_year, other_month, other_day))) = (parts(x), parts(y)) else {
        let agree = |a: Option<i8>, b: Option<i8>| a.zip(b).is_none_or(|(a, b)| a == b);
        let fits = x.year() == y.year() && agree(x.month(), y.month()) && agree(x.day(), y.day());
        return if fits { Level::Partial } else { Level::Differ };
    };
    if year == other_year && ((month, day) == (1, 1) || (other_month, other_day) == (1, 1)) {
        return Level::FirstOfJanuary;
    }
    if x == y {
        return Level::Same;
    }
    if year == other_year && month == other_day && day == other_month {
        return Level::Swapped;
    }
    if one_slip(digits(year, month, day), digits(other_year, other_month, other_day)) {
        return Level::Close;
    }
    let same = [year == other_year, month == other_month, day == other_day];
    if same.iter().filter(|same| **same).count() == 2 { Level::Shared } else { Level::Differ }
}

/// The eight digits of a date.
fn digits(year: i16, month: i8, day: i8) -> [u8; 8] {
    let (year, month, day) = (year.unsigned_abs(), month.unsigned_abs(), day.unsigned_abs());
    let two = |n: u8| [n / 10, n % 10];
    let ([y1, y2], [y3, y4]) = (two((year / 100) as u8), two((year % 100) as u8));
    let ([m1, m2], [d1, d2]) = (two(month), two(day));
    [y1, y2, y3, y4, m1, m2, d1, d2]
}

/// Whether one digit differs, or two neighbours are swapped.
fn one_slip(p: [u8; 8], q: [u8; 8]) -> bool {
    let mut wrong = (0..8).filter(|i| p[*i] != q[*i]);
    match (wrong.next(), wrong.next(), wrong.next()) {
        (Some(_), None, _) => true,
        (Some(i), Some(j), None) => j == i + 1 && p[i] == q[j] && p[j] == q[i],
        _ => false,
    }
}

fn address(a: &Standard, b: &Standard) -> Level {
    let nearest = a.homes.iter().flat_map(|x| b.homes.iter().filter_map(|y| x.nearness(y))).min();
    match nearest {
        None => Level::Missing,
        Some(Nearness::Same) => Level::Same,
        Some(Nearness::Close) => Level::Close,
        Some(Nearness::Building) => Level::Building,
        Some(Nearness::Postcode) => Level::Postcode,
        Some(Nearness::Elsewhere) => Level::Differ,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> PartialDate {
        PartialDate::parse_iso(text).unwrap()
    }

    fn tokens(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn bob_is_robert_but_ella_is_not_ellie_s_typing_error() {
        assert_eq!(forename_tokens("bob", "robert"), Level::Nickname);
        assert_eq!(forename_tokens("mohammed", "md"), Level::Nickname);
        assert_eq!(forename_tokens("ella", "ellie"), Level::Differ, "two names of their own");
        assert_eq!(forename_tokens("jayden", "kayden"), Level::Differ, "two well-known names");
        assert_eq!(forename_tokens("adnrew", "andrew"), Level::Close);
        assert_eq!(forename_tokens("t", "tracy"), Level::Initial);
        assert_eq!(forename_tokens("é", "élodie"), Level::Initial);
        assert_eq!(forename_tokens("明", "明"), Level::Same, "a whole name");
        assert_eq!(forename_tokens("明", "強"), Level::Differ, "twins");
    }

    #[test]
    fn a_second_forename_in_use_counts_but_sisters_sharing_one_do_not() {
        assert_eq!(forenames(&tokens("amy louise"), &tokens("louise")), Level::Shared);
        assert_eq!(forenames(&tokens("amy louise"), &tokens("zoe louise")), Level::Differ);
        assert_eq!(forenames(&tokens("mary ann"), &tokens("maryann")), Level::Same);
    }

    #[test]
    fn brothers_named_mohammed_are_told_apart_by_the_next_name() {
        assert_eq!(forenames(&tokens("mohammed hassan"), &tokens("muhammad bilal")), Level::Shared);
        assert_eq!(forenames(&tokens("mohammed hassan"), &tokens("muhammad")), Level::Nickname);
    }

    #[test]
    fn a_name_is_swapped_with_an_initial_only_if_it_is_the_very_name() {
        let name =
            |forename: &str, surname: &str| StandardName { forenames: tokens(forename), surnames: tokens(surname) };
        let millie = name("millie", "rowham");
        assert!(swapped(&name("rowham", "millie"), &millie));
        assert!(swapped(&name("r", "millie"), &millie));
        assert!(!swapped(&name("r", "emily"), &millie), "a sister");
    }

    #[test]
    fn double_barrelled_surnames_share_a_half() {
        assert_eq!(surnames(&tokens("smith jones"), &tokens("jones smith")), Level::Same);
        assert_eq!(surnames(&tokens("smith jones"), &tokens("jones")), Level::Shared);
        assert_eq!(surnames(&tokens("thompon"), &tokens("thompson")), Level::Close);
        assert_eq!(surnames(&tokens("smith"), &tokens("taylor")), Level::Differ);
    }

    #[test]
    fn dates_go_wrong_in_known_ways() {
        let level = |a: &str, b: &str| births(date(a), false, date(b), false);
        assert_eq!(level("2015-03-02", "2015-03-02"), Level::Same);
        assert_eq!(level("2015-03-02", "2015-02-03"), Level::Swapped);
        assert_eq!(level("1986-01-12", "1996-01-12"), Level::Close);
        assert_eq!(level("2015-03-12", "2015-03-21"), Level::Close);
        assert_eq!(level("2015-03-02", "1994-03-02"), Level::Shared);
        assert_eq!(level("1932-05-28", "1932-01-01"), Level::FirstOfJanuary);
        assert_eq!(level("1932", "1932-05-28"), Level::Partial);
        assert_eq!(level("2015-03-02", "1994-07-19"), Level::Differ);
    }

    #[test]
    fn a_child_is_born_about_when_expected() {
        let level = |expected: &str, born: &str| births(date(expected), true, date(born), false);
        assert_eq!(level("2024-05-01", "2024-04-02"), Level::Expected);
        assert_eq!(level("2024-05-01", "2025-04-02"), Level::Differ);
    }
}

//! What a source writes down of a person: not always what is so.

use crate::{
    Rates,
    dice::{Dice, plus},
    family::{Person, Stay, Why},
    names::{NAMES, VARIANTS, accented},
};
use fc_model::Sex;
use jiff::civil::Date;

/// A person as one source has them.
pub(crate) struct Written {
    pub(crate) forename: String,
    pub(crate) middle: String,
    pub(crate) surname: String,
    pub(crate) born: Option<Date>,
    pub(crate) sex: Option<Sex>,
    pub(crate) nhs_number: String,
    /// Whether the NHS number is known to be mistyped.
    pub(crate) nhs_number_wrong: bool,
    pub(crate) stay: Stay,
    pub(crate) postcode: String,
    pub(crate) uprn: String,
}

/// Writes a person down with the mistakes of these rates. `beside` is someone of the same family, whose NHS number can
/// be taken for theirs; `unicode` says whether the source can hold every letter.
pub(crate) fn write_down(
    person: &Person,
    beside: Option<&Person>,
    rates: &Rates,
    unicode: bool,
    today: Date,
    dice: &mut Dice,
) -> Written {
    let unnamed = !person.unborn && person.age(today) < STILL_UNBORN && dice.chance(rates.still_unborn);
    let (forename, middle, surname) = name(person, beside, unnamed, rates, unicode, today, dice);
    let (nhs_number, nhs_number_wrong) = nhs_number(person, beside, rates, dice);
    let old = person.stays.get(1).filter(|_| dice.chance(rates.old_address) && !person.home().confidential);
    let mut stay = old.unwrap_or(person.home()).clone();
    if dice.chance(rates.shortened_street) {
        for (long, short) in
            [(" Road", " Rd"), (" Street", " St"), (" Avenue", " Ave"), (" Drive", " Dr"), (" Crescent", " Cres")]
        {
            if let Some(name) = stay.place.street.strip_suffix(long) {
                stay.place.street = format!("{name}{short}");
                break;
            }
        }
    }
    let postcode = match &stay.place.postcode {
        _ if dice.chance(rates.no_postcode) => String::new(),
        postcode if dice.chance(rates.untidy_postcode) => {
            if dice.chance(0.5) {
                postcode.replace(' ', "")
            } else {
                postcode.to_lowercase()
            }
        }
        postcode => postcode.clone(),
    };
    let uprn = if dice.chance(rates.no_uprn) { String::new() } else { stay.place.uprn.to_string() };
    Written {
        forename,
        middle,
        surname,
        born: born(person, beside, unnamed, rates, dice),
        sex: (!dice.chance(rates.no_sex) && !person.unborn && !unnamed).then_some(person.sex),
        // Nobody has a number before birth.
        nhs_number: if unnamed { String::new() } else { nhs_number },
        nhs_number_wrong: nhs_number_wrong && !unnamed,
        stay,
        postcode,
        uprn,
    }
}

/// Age from which nobody is still "Unborn" anywhere.
const STILL_UNBORN: i64 = 5;

fn name(
    person: &Person,
    beside: Option<&Person>,
    unnamed: bool,
    rates: &Rates,
    unicode: bool,
    today: Date,
    dice: &mut Dice,
) -> (String, String, String) {
    let mut forename = person.forename.clone();
    let mut middle = person.middle.clone();
    let mut surname = person.surname.clone();
    if person.unborn {
        return ("Unborn".into(), String::new(), surname);
    }
    if unnamed {
        return ((*dice.pick(&["Unborn", "UNBORN", "Baby", "Baby Boy", "Baby Girl"])).into(), String::new(), surname);
    }
    if person.newborn(today) && dice.chance(rates.baby_name) {
        return ("Baby".into(), String::new(), surname);
    }
    if let Some(beside) = beside
        && dice.chance(rates.family_surname)
    {
        surname.clone_from(&beside.surname);
    }
    if let Some(former) = person.former.as_ref().filter(|former| former.why == Why::Marriage)
        && dice.chance(rates.maiden_name)
    {
        surname.clone_from(&former.surname);
    }
    if let Some(preferred) = &person.preferred
        && dice.chance(rates.preferred_as_forename)
    {
        forename.clone_from(preferred);
        middle.clear();
    } else if dice.chance(rates.nickname)
        && let Some(nickname) = VARIANTS.nickname(dice, &forename)
    {
        forename = nickname.into();
    }
    if dice.chance(rates.other_forename) {
        forename = NAMES.forename(dice, person.group, person.sex, person.born.year());
        middle.clear();
    }
    for name in [&mut forename, &mut surname] {
        if dice.chance(rates.transliteration)
            && let Some(spelling) = VARIANTS.spelling(dice, name)
        {
            *name = spelling.into();
        }
        if dice.chance(rates.typo) {
            *name = mistyped(name, dice);
        }
        if dice.chance(rates.accents) {
            *name = name.replace('\'', "\u{2019}");
            if let Some(accented) = accented(name).filter(|name| unicode || name.chars().all(|c| u32::from(c) < 256)) {
                *name = accented.into();
            }
        }
    }
    if dice.chance(rates.half_surname)
        && let Some((first, second)) = surname.split_once('-')
        && first.len() > 3
    {
        surname = if dice.chance(0.5) { first.to_owned() } else { second.to_owned() };
    }
    if dice.chance(rates.no_middle_name) {
        middle.clear();
    }
    if dice.chance(rates.swapped_names) {
        std::mem::swap(&mut forename, &mut surname);
    }
    if dice.chance(rates.initial_only) {
        forename.truncate(forename.chars().next().map_or(0, char::len_utf8));
    }
    if dice.chance(rates.title_in_name) {
        let title = if person.sex == Sex::Male { "Mr" } else { *dice.pick(&["Mrs", "Ms", "Miss"]) };
        forename = format!("{title} {forename}");
    }
    if dice.chance(rates.capitals) {
        (forename, surname) = (forename.to_uppercase(), surname.to_uppercase());
    }
    (forename, middle, surname)
}

/// One letter changed, dropped, doubled or exchanged with its neighbour; never the first.
fn mistyped(name: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() < 4 {
        return name.to_owned();
    }
    let at = 1 + dice.below(letters.len() - 2);
    match dice.below(4) {
        0 => letters[at] = char::from(b'a' + dice.below(26) as u8),
        1 => drop(letters.remove(at)),
        2 => letters.insert(at, letters[at]),
        _ => letters.swap(at, at + 1),
    }
    letters.into_iter().collect()
}

fn born(person: &Person, beside: Option<&Person>, unnamed: bool, rates: &Rates, dice: &mut Dice) -> Option<Date> {
    let born = person.born;
    let (year, month, day) = (born.year(), born.month(), born.day());
    let of = |year, month, day| Date::new(year, month, day).unwrap_or(born);
    if dice.chance(rates.no_birth) {
        return None;
    }
    Some(match () {
        () if person.unborn => born,
        // Expected a little before or after.
        () if unnamed => plus(born, dice.between(-14, 30)),
        () if dice.chance(rates.year_only) => of(year, 1, 1),
        () if dice.chance(rates.placeholder_birth) => of(1900, 1, 1),
        () if dice.chance(rates.day_month_swap) => of(year, day, month),
        () if dice.chance(rates.wrong_birth_digit) => match dice.below(3) {
            0 => of(year - 1, month, day),
            1 => of(year - 10, month, day),
            _ => plus(born, -1),
        },
        () if dice.chance(rates.family_birth) => beside.map_or(born, |beside| beside.born),
        () => born,
    })
}

fn nhs_number(person: &Person, beside: Option<&Person>, rates: &Rates, dice: &mut Dice) -> (String, bool) {
    if dice.chance(rates.no_nhs_number) || person.nhs_number.is_empty() {
        return (String::new(), false);
    }
    if let Some(beside) = beside
        && dice.chance(rates.shared_nhs_number)
    {
        return (beside.nhs_number.clone(), false);
    }
    if dice.chance(rates.wrong_nhs_number) {
        // The last digit but one: every other value of it fails the check.
        let mut digits = person.nhs_number.clone().into_bytes();
        digits[8] = b'0' + (digits[8] - b'0' + 1 + dice.below(9) as u8) % 10;
        return (digits.into_iter().map(char::from).collect(), true);
    }
    (person.nhs_number.clone(), false)
}

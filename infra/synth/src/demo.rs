//! The people every council contains, whatever its size and seed: written by hand, clean, with names nobody else has.
//!
//! *Posy Wintersgill*, 9, is known to children's social care and goes to school. Her brother *Jago*, 17, lives with her,
//! their mother *Marisol* and their step-father *Tobiah Quennell* in a home they rent from the housing association, with
//! rent arrears and a notice; the housing officer is *Delphine Hartnoll*. Youth justice works with Jago. Their father *Ansel Thornquist* lives
//! elsewhere and his details are withheld. *Isaura Velkmere*, a half-sister, is hidden: nobody may learn that she
//! exists. A baby is expected. *Philippa*, the grandmother, has adult social care, whose extract lacks the worker's
//! phone: the staff directory fills it.
//!
//! *Zephyrine Quillfeather-Canary* is there to be looked for in logs, where no name may ever be.

use crate::{
    dice::plus,
    family::{Council, Family, Former, Life, Link, Person, Stay, Why},
    records::{ByHand, Known, Tenancy},
};
use fc_model::{Protection, Sex};
use jiff::civil::Date;

/// Surname of the child to search for first, of her brother, her mother and her grandmother.
pub const CHILD_SURNAME: &str = "Wintersgill";
/// Forename of the child to search for first.
pub const CHILD_FORENAME: &str = "Posy";
/// The child's case ID.
pub const CASE_ID: &str = "10000001";
/// The child's record id in children's social care.
pub const CHILD_PERSON_ID: &str = "500001";
/// The child's age in years.
pub const CHILD_AGE: i16 = 9;
/// The child's school.
pub const SCHOOL: &str = "Holly Bank Primary School";
/// Forename of her brother, who is old enough for housing records to be shown.
pub const SIBLING_FORENAME: &str = "Jago";
/// The brother's case ID.
pub const SIBLING_CASE_ID: &str = "10000002";
/// The brother's age in years.
pub const SIBLING_AGE: i16 = 17;
/// Forename of the mother, a tenant with open rent arrears.
pub const MOTHER_FORENAME: &str = "Marisol";
/// The mother's case ID.
pub const MOTHER_CASE_ID: &str = "10000003";
/// The mother's surname while she was married to the father.
pub const MOTHER_FORMER_SURNAME: &str = "Thornquist";
/// Forename of the step-father, the joint tenant.
pub const STEPFATHER_FORENAME: &str = "Tobiah";
/// Surname of the step-father.
pub const STEPFATHER_SURNAME: &str = "Quennell";
/// The step-father's case ID.
pub const STEPFATHER_CASE_ID: &str = "10000004";
/// Forename of the father, whose details are withheld.
pub const WITHHELD_FORENAME: &str = "Ansel";
/// Surname of the father.
pub const WITHHELD_SURNAME: &str = "Thornquist";
/// The father's case ID.
pub const WITHHELD_CASE_ID: &str = "10000005";
/// Forename of the half-sister whose existence is hidden.
pub const HIDDEN_FORENAME: &str = "Isaura";
/// Surname of the hidden half-sister.
pub const HIDDEN_SURNAME: &str = "Velkmere";
/// The hidden half-sister's case ID.
pub const HIDDEN_CASE_ID: &str = "10000006";
/// The hidden half-sister's record id in children's social care.
pub const HIDDEN_PERSON_ID: &str = "500006";
/// The unborn sibling's case ID; recorded as "Unborn" with the child's surname.
pub const UNBORN_CASE_ID: &str = "10000007";
/// Days from today until the unborn sibling is expected.
pub const UNBORN_DUE_IN_DAYS: i64 = 90;
/// Forename of the grandmother, known to adult social care.
pub const GRANDMOTHER_FORENAME: &str = "Philippa";
/// The grandmother's case ID.
pub const GRANDMOTHER_CASE_ID: &str = "10000008";
/// The family's social worker.
pub const SOCIAL_WORKER: &str = "Rosalind Achebe-Moor";
/// The family's social worker's id in the staff directory.
pub const SOCIAL_WORKER_ID: &str = "W100000";
/// The grandmother's adult social care worker.
pub const ADULT_WORKER: &str = "Gethin Pryderi";
/// That worker's phone, known only from the staff directory.
pub const ADULT_WORKER_PHONE: &str = "0161 496 0102";
/// The family's housing officer.
pub const HOUSING_OFFICER: &str = "Delphine Hartnoll";
/// The housing officer's phone.
pub const HOUSING_OFFICER_PHONE: &str = "0161 496 0103";
/// Forename to look for in logs.
pub const CANARY_FORENAME: &str = "Zephyrine";
/// Surname to look for in logs.
pub const CANARY_SURNAME: &str = "Quillfeather-Canary";
/// The canary's case ID.
pub const CANARY_CASE_ID: &str = "10000009";

/// Worker number 0 of every service, in the order of the services: forename, surname, phone.
pub(crate) const WORKERS: [(&str, &str, &str); 6] = [
    ("Rosalind", "Achebe-Moor", "0161 496 0101"),
    ("Gethin", "Pryderi", "0161 496 0102"),
    ("Delphine", "Hartnoll", "0161 496 0103"),
    ("Imelda", "Castellane", "0161 496 0104"),
    ("Corwin", "Blaylock", "0161 496 0105"),
    ("Saskia", "Ferreday", "0161 496 0106"),
];

/// The child's date of birth in a council made on this day.
#[must_use]
pub fn child_born(today: Date) -> Date {
    born(today, CHILD_AGE, 120)
}

/// The brother's date of birth in a council made on this day.
#[must_use]
pub fn sibling_born(today: Date) -> Date {
    born(today, SIBLING_AGE, 47)
}

fn born(today: Date, years: i16, days: i64) -> Date {
    let birthday = Date::new(today.year() - years, today.month(), today.day().min(28)).unwrap_or(today);
    plus(birthday, -days)
}

const NOTHING: Known =
    Known { children: false, school: false, housing: false, adults: false, youth_justice: false, police: false };
const NO_TENANCY: Tenancy = Tenancy { arrears: 0, notice: 0, eviction: 0, anti_social_behaviour: 0 };

/// The demonstration family and the canary's, as one number each.
pub(crate) fn family(council: &Council, number: u64) -> Family {
    if number == 0 { wintersgill(council) } else { canary(council) }
}

fn wintersgill(council: &Council) -> Family {
    let today = council.today;
    let child = |known| ByHand { known: Known { children: true, ..known }, tenancy: NO_TENANCY, school: SCHOOL };
    let tenant = Known { children: true, housing: true, ..NOTHING };
    let arrears = Tenancy { arrears: 1, notice: 1, eviction: 0, anti_social_behaviour: 2 };
    let mut family = Family { strain: 1.0, ..Family::default() };
    let mut add = |sex, (forename, surname): (&str, &str), born: Date, dwelling, by_hand| {
        family.people.push(person(council, sex, (forename, surname), born, dwelling, by_hand));
        family.people.len() - 1
    };
    let posy = add(
        Sex::Female,
        (CHILD_FORENAME, CHILD_SURNAME),
        child_born(today),
        0,
        child(Known { school: true, ..NOTHING }),
    );
    let jago = add(
        Sex::Male,
        (SIBLING_FORENAME, CHILD_SURNAME),
        sibling_born(today),
        0,
        ByHand {
            school: "Castle Hill High School",
            ..child(Known { school: true, housing: true, youth_justice: true, ..NOTHING })
        },
    );
    let adult = |known, tenancy| ByHand { known, tenancy, school: "" };
    let marisol = add(Sex::Female, (MOTHER_FORENAME, CHILD_SURNAME), born(today, 41, 200), 0, adult(tenant, arrears));
    let tobiah = add(
        Sex::Male,
        (STEPFATHER_FORENAME, STEPFATHER_SURNAME),
        born(today, 44, 15),
        0,
        adult(Known { police: true, ..tenant }, arrears),
    );
    let ansel = add(
        Sex::Male,
        (WITHHELD_FORENAME, WITHHELD_SURNAME),
        born(today, 43, 300),
        2,
        adult(Known { children: true, ..NOTHING }, NO_TENANCY),
    );
    let isaura = add(Sex::Female, (HIDDEN_FORENAME, HIDDEN_SURNAME), born(today, 6, 33), 4, child(NOTHING));
    let unborn = add(Sex::Female, ("", CHILD_SURNAME), plus(today, UNBORN_DUE_IN_DAYS), 0, child(NOTHING));
    let philippa = add(
        Sex::Female,
        (GRANDMOTHER_FORENAME, CHILD_SURNAME),
        born(today, 71, 90),
        6,
        adult(Known { children: true, adults: true, ..NOTHING }, NO_TENANCY),
    );

    let people = &mut family.people;
    people[marisol].former =
        Some(Former { forename: MOTHER_FORENAME.into(), surname: MOTHER_FORMER_SURNAME.into(), why: Why::Marriage });
    people[ansel].protection = Protection::Withheld;
    people[isaura].protection = Protection::Hidden;
    people[isaura].stays[0].confidential = true;
    people[unborn].unborn = true;
    people[unborn].stays[0].from = today;

    for (a, b, words) in [
        (posy, marisol, "Mother"),
        (posy, tobiah, "Stepfather"),
        (posy, ansel, "Father"),
        (posy, jago, "Sibling"),
        (posy, isaura, "Half-sibling"),
        (posy, philippa, "Grandmother"),
        (jago, marisol, "Mother"),
        (jago, tobiah, "Stepfather"),
        (jago, ansel, "Father"),
        (jago, philippa, "Grandmother"),
        (unborn, posy, "Half-sibling"),
        (unborn, jago, "Half-sibling"),
        (unborn, marisol, "Mother"),
        (unborn, tobiah, "Father"),
        (isaura, ansel, "Father"),
        (marisol, tobiah, "Partner"),
        (marisol, ansel, "Ex-partner"),
        (marisol, philippa, "Mother"),
    ] {
        family.links.push(Link { a, b, words });
    }
    family
}

fn canary(council: &Council) -> Family {
    let by_hand = ByHand {
        known: Known { children: true, school: true, ..NOTHING },
        tenancy: NO_TENANCY,
        school: "Moorside Primary School",
    };
    let born = born(council.today, 8, 77);
    let child = person(council, Sex::Female, (CANARY_FORENAME, CANARY_SURNAME), born, 8, by_hand);
    Family { people: vec![child], strain: 1.0, ..Family::default() }
}

/// Days that everyone written by hand has lived where they live.
const SETTLED: i64 = 800;

fn person(
    council: &Council,
    sex: Sex,
    (forename, surname): (&str, &str),
    born: Date,
    dwelling: u64,
    by_hand: ByHand,
) -> Person {
    Person {
        group: 0,
        sex,
        born,
        unborn: false,
        died: None,
        forename: forename.into(),
        middle: String::new(),
        surname: surname.into(),
        preferred: None,
        alias: None,
        former: None,
        stays: vec![Stay {
            place: council.city.dwelling(dwelling),
            dwelling,
            from: plus(council.today, -SETTLED).max(born),
            to: None,
            confidential: false,
        }],
        protection: Protection::None,
        other_identity: None,
        life: Life::default(),
        by_hand: Some(by_hand),
        number: 0,
        nhs_number: String::new(),
        upn: String::new(),
    }
}

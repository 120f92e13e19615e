//! Which services know a family, and the rows that each of their systems writes.

use crate::{
    FeedSummary, Rates, SynthError, columns,
    dice::{Dice, Purpose, YEAR, mix, plus},
    family::{Council, Family, Link, Person, Why},
    sheet::{Encoding, Format, Sheet, dotted, iso, packed, short, slashed},
    slips::{Written, write_down},
    staff::{SERVICES, Service, Worker, worker},
};
use fc_model::{Protection, Sex};
use jiff::civil::Date;
use std::{cmp::Reverse, path::Path};

/// Who knows a person.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known {
    pub(crate) children: bool,
    pub(crate) school: bool,
    pub(crate) housing: bool,
    pub(crate) adults: bool,
    pub(crate) youth_justice: bool,
    pub(crate) police: bool,
}

/// What housing holds of a tenancy, each 1 open, 2 closed, 0 no record.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tenancy {
    pub(crate) arrears: u8,
    pub(crate) notice: u8,
    pub(crate) eviction: u8,
    pub(crate) anti_social_behaviour: u8,
}

/// What services hold of someone written by hand, in place of chance.
#[derive(Clone, Copy)]
pub(crate) struct ByHand {
    pub(crate) known: Known,
    pub(crate) tenancy: Tenancy,
    pub(crate) school: &'static str,
}

/// A service's time with a person.
#[derive(Clone, Copy)]
struct Span {
    from: Date,
    to: Option<Date>,
    last: Date,
}

const UTF8: Format = Format { encoding: Encoding::Utf8, delimiter: b',', crlf: false, page: None };
/// Rows to a page of the report that schools send.
const SCHOOLS_PAGE: u64 = 400;
/// Record ids begin here, by source.
const FIRST_PERSON_ID: u64 = 500_001;
const FIRST_CASE_ID: u64 = 10_000_001;

const CSC: &str = "children_social_care";
const SSD: &str = "standard_safeguarding_dataset";

/// All files of a council while they are being written.
pub(crate) struct Extracts {
    csc_people: Sheet<36>,
    csc_relationships: Sheet<5>,
    schools: Sheet<27>,
    adults: Sheet<34>,
    housing: Sheet<29>,
    police: Sheet<27>,
    youth_justice: Sheet<19>,
    staff: Sheet<10>,
    ssd_person: Sheet<10>,
    ssd_address: Sheet<5>,
    ssd_family: Sheet<2>,
    ssd_mother: Sheet<3>,
    ssd_identifiers: Sheet<5>,
    ssd_involvements: Sheet<6>,
    ssd_professionals: Sheet<4>,
    truth: Sheet<5>,
    /// Record ids given out, by source.
    given: [u64; SERVICES.len()],
}

/// A family while its rows are written.
struct Case<'a> {
    council: &'a Council,
    rates: Rates,
    number: u64,
    family: &'a Family,
    dice: Dice,
    /// Who works with the family, by service.
    workers: [Worker; SERVICES.len()],
    /// Record ids in children's social care, by place in the family.
    children_ids: Vec<Option<u64>>,
    known: Vec<Known>,
}

impl Extracts {
    pub(crate) fn start(folder: &Path) -> Result<Self, SynthError> {
        let ssd = |feed| (SSD, feed, false);
        Ok(Self {
            csc_people: Sheet::start(folder, (CSC, "people", false), UTF8, columns::CSC_PEOPLE)?,
            csc_relationships: Sheet::start(folder, (CSC, "relationships", false), UTF8, columns::CSC_RELATIONSHIPS)?,
            schools: Sheet::start(
                folder,
                ("schools", "people", true),
                Format { encoding: Encoding::Utf16, delimiter: b'\t', crlf: true, page: Some(SCHOOLS_PAGE) },
                columns::SCHOOLS,
            )?,
            adults: Sheet::start(
                folder,
                ("adult_social_care", "people", true),
                Format { encoding: Encoding::Utf8WithMark, ..UTF8 },
                columns::ADULTS,
            )?,
            housing: Sheet::start(
                folder,
                ("housing", "people", true),
                Format { encoding: Encoding::Windows1252, delimiter: b';', crlf: true, page: None },
                columns::HOUSING,
            )?,
            police: Sheet::start(folder, ("police", "people", true), UTF8, columns::POLICE)?,
            youth_justice: Sheet::start(
                folder,
                ("youth_justice", "people", true),
                Format { encoding: Encoding::Windows1252, delimiter: b'|', crlf: true, page: None },
                columns::YOUTH_JUSTICE,
            )?,
            staff: Sheet::start(folder, ("staff_directory", "staff", true), UTF8, columns::STAFF)?,
            ssd_person: Sheet::start(folder, ssd("person"), UTF8, columns::SSD_PERSON)?,
            ssd_address: Sheet::start(folder, ssd("address"), UTF8, columns::SSD_ADDRESS)?,
            ssd_family: Sheet::start(folder, ssd("family"), UTF8, columns::SSD_FAMILY)?,
            ssd_mother: Sheet::start(folder, ssd("mother"), UTF8, columns::SSD_MOTHER)?,
            ssd_identifiers: Sheet::start(folder, ssd("linked_identifiers"), UTF8, columns::SSD_IDENTIFIERS)?,
            ssd_involvements: Sheet::start(folder, ssd("involvements"), UTF8, columns::SSD_INVOLVEMENTS)?,
            ssd_professionals: Sheet::start(folder, ssd("professionals"), UTF8, columns::SSD_PROFESSIONALS)?,
            truth: Sheet::start(folder, ("truth", "truth", true), UTF8, columns::TRUTH)?,
            given: [0; SERVICES.len()],
        })
    }

    /// Writes everything that any system holds of a family.
    pub(crate) fn write(&mut self, council: &Council, number: u64, family: &Family) -> Result<(), SynthError> {
        let mut dice = Dice::new(council.city.seed, Purpose::Records, number);
        let by_hand = family.people[0].by_hand.is_some();
        let rates = if by_hand { Rates::clean() } else { council.rates.clone() };
        let known = known(council, family, &mut dice);
        let workers = SERVICES.map(|service| {
            let pool = service.workers(council.people) as usize;
            worker(council, service, if by_hand { 0 } else { dice.below(pool) as u64 })
        });
        let children_ids = known
            .iter()
            .map(|known| {
                known.children.then(|| {
                    self.given[0] += 1;
                    self.given[0] - 1
                })
            })
            .collect();
        let mut case = Case { council, rates, number, family, dice, workers, children_ids, known };
        self.children(&mut case)?;
        self.relationships(&mut case)?;
        for place in 0..family.people.len() {
            let known = case.known[place];
            let by_hand = family.people[place].by_hand.is_some();
            for (service, knows) in [
                (Service::Schools, known.school),
                (Service::Adults, known.adults),
                (Service::Housing, known.housing),
                (Service::Police, known.police),
                (Service::YouthJustice, known.youth_justice),
            ] {
                if !knows {
                    continue;
                }
                let again = !by_hand && case.dice.chance(case.rates.duplicate);
                for _ in 0..1 + usize::from(again) {
                    self.given[service as usize] += 1;
                    let id = self.given[service as usize];
                    match service {
                        Service::Schools => self.school(&mut case, place, id)?,
                        Service::Adults => self.adult(&mut case, place, id)?,
                        Service::Housing => self.tenant(&mut case, place, id)?,
                        Service::Police => self.suspect(&mut case, place, id)?,
                        _ => self.young_offender(&mut case, place, id)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn true_person(&mut self, source: &str, id: &str, case: &Case<'_>, place: usize) -> Result<(), SynthError> {
        let person = &case.family.people[place];
        let family = match case.family.unrelated {
            true => format!("F{:07}-{place}", case.number),
            false => format!("F{:07}", case.number),
        };
        self.truth.row(&[source, id, &format!("P{:08}", person.number), &family, &person.born.to_string()])
    }

    fn children(&mut self, case: &mut Case<'_>) -> Result<(), SynthError> {
        let today = case.council.today;
        let open = case.family.people[0].by_hand.is_some() || case.dice.chance(0.45);
        let worker = case.workers[Service::Children as usize].clone();
        let family_span = case.span(6, open, None);
        for (place, person) in case.family.people.iter().enumerate() {
            let Some(id) = case.children_ids[place] else { continue };
            let open = open || person.life.care_leaver;
            let span = match () {
                () if person.unborn => Span { from: plus(today, -20), to: None, last: plus(today, -2) },
                () => Span {
                    from: family_span.from.max(person.born),
                    to: family_span.to.filter(|_| !open),
                    ..family_span
                },
            };
            let span = Span { last: span.last.max(span.from), ..span };
            let open = open || person.unborn;
            let written = case.written(place, true);
            let person_id = (FIRST_PERSON_ID + id).to_string();
            let kind = match () {
                () if person.unborn => "Unborn child",
                () if person.is_child(today) || person.life.care_leaver => "Child",
                () => "Parent/Carer",
            };
            let former = person.former.as_ref();
            let team = if person.life.care_leaver { "Leaving care" } else { worker.team };
            let has_contact = person.by_hand.is_some() || case.dice.chance(0.5);
            let never = person.other_identity.and_then(|other| case.children_ids[other]);
            let protection = match person.protection {
                Protection::None => "",
                Protection::Withheld => "Restricted",
                Protection::Hidden => "Hidden",
            };
            let gender = match written.sex {
                _ if person.unborn => "Unborn",
                Some(Sex::Female) => "Female",
                Some(Sex::Male) => "Male",
                Some(Sex::Other) => "Indeterminate",
                None => "Not known",
            };
            let birth = written.born.map(slashed).unwrap_or_default();
            let (born, expected) = if person.unborn { (String::new(), birth) } else { (birth, String::new()) };
            self.csc_people.summary.wrong_nhs_numbers += u64::from(written.nhs_number_wrong);
            let grown_up = person.age(today) >= 16;
            self.csc_people.row(&[
                person_id.clone(),
                (FIRST_CASE_ID + id).to_string(),
                kind.into(),
                kind[..1].into(),
                written.forename,
                written.middle,
                written.surname,
                person.preferred.clone().unwrap_or_default(),
                former.map(|name| format!("{} {}", name.forename, name.surname)).unwrap_or_default(),
                if former.is_some_and(|name| name.why == Why::Gender) { "Y" } else { "" }.into(),
                born,
                expected,
                person.died.map(slashed).unwrap_or_default(),
                gender.into(),
                ethnicity(person),
                written.nhs_number,
                if case.dice.chance(0.4) { person.upn.clone() } else { String::new() },
                written.stay.place.lines().join("\n"),
                written.postcode,
                written.uprn,
                slashed(written.stay.from),
                if written.stay.confidential { "Y" } else { "" }.into(),
                if grown_up { phone(person) } else { String::new() },
                if grown_up { email(person) } else { String::new() },
                if open { "Open" } else { "Closed" }.into(),
                team.into(),
                worker.name(),
                if has_contact { worker.phone.clone() } else { String::new() },
                if has_contact { worker.email.clone() } else { String::new() },
                worker.id.clone(),
                slashed(span.from),
                span.to.map(slashed).unwrap_or_default(),
                slashed(span.last),
                protection.into(),
                never.map(|other| (FIRST_PERSON_ID + other).to_string()).unwrap_or_default(),
                slashed(span.last),
            ])?;
            self.true_person(CSC, &person_id, case, place)?;
            if person.protection == Protection::None {
                self.standard_dataset(case, place, &person_id, span)?;
            }
        }
        Ok(())
    }

    /// The rows of the public standard tables. Protected people are not in it: it has no field that says so.
    fn standard_dataset(&mut self, case: &mut Case<'_>, place: usize, id: &str, span: Span) -> Result<(), SynthError> {
        let person = &case.family.people[place];
        let worker = &case.workers[Service::Children as usize];
        let (forename, surname) = match person.unborn {
            true => (String::new(), person.surname.clone()),
            false => (person.forename.clone(), person.surname.clone()),
        };
        let born = iso(person.born);
        let (birth, expected) = if person.unborn { (String::new(), born) } else { (born, String::new()) };
        let child = person.is_child(case.council.today);
        self.ssd_person.row(&[
            id.to_owned(),
            forename,
            surname,
            match person.sex {
                _ if person.unborn => "U",
                Sex::Female => "F",
                Sex::Male => "M",
                Sex::Other => "I",
            }
            .into(),
            person.upn.clone(),
            birth,
            expected,
            person.died.map(iso).unwrap_or_default(),
            if child { person.nhs_number.clone() } else { String::new() },
            ethnicity(person),
        ])?;
        for stay in person.stays.iter().filter(|stay| !stay.confidential) {
            let place = &stay.place;
            let address = format!(
                "{{\"FLAT\":\"{}\",\"HOUSE\":\"{}\",\"STREET\":\"{}\",\"TOWN\":\"{}\",\"UPRN\":\"{}\"}}",
                place.flat, place.number, place.street, place.town, place.uprn
            );
            let to = stay.to.map(iso).unwrap_or_default();
            self.ssd_address.row(&[id.to_owned(), iso(stay.from), to, place.postcode.clone(), address])?;
        }
        if !case.family.unrelated {
            self.ssd_family.row(&[format!("FAM{:07}", case.number), id.to_owned()])?;
        }
        let mother = case.family.links.iter().find(|link| link.a == place && link.words == "Mother").map(|link| link.b);
        if let Some(mother) = mother.filter(|mother| case.family.people[*mother].protection == Protection::None)
            && let Some(mother) = case.children_ids[mother]
        {
            let mother = (FIRST_PERSON_ID + mother).to_string();
            self.ssd_mother.row(&[
                mother,
                id.to_owned(),
                if person.unborn { String::new() } else { iso(person.born) },
            ])?;
        }
        for (kind, value) in [("NHS Number", &person.nhs_number), ("Unique Pupil Number", &person.upn)] {
            if !value.is_empty() {
                self.ssd_identifiers.row(&[id, kind, value, &iso(person.born), ""])?;
            }
        }
        self.ssd_involvements.row(&[
            worker.id.clone(),
            worker.role.to_owned(),
            worker.team.to_owned(),
            id.to_owned(),
            iso(span.from),
            span.to.map(iso).unwrap_or_default(),
        ])?;
        self.true_person(SSD, id, case, place)
    }

    fn relationships(&mut self, case: &mut Case<'_>) -> Result<(), SynthError> {
        for Link { a, b, words } in &case.family.links {
            let (Some(person), Some(related)) = (case.children_ids[*a], case.children_ids[*b]) else { continue };
            // Research: fathers are often missing from kinship.
            let father = matches!(*words, "Father" | "Grandfather" | "Ex-partner");
            if father && case.dice.chance(case.rates.no_father) {
                continue;
            }
            let (from, to) = match *words {
                "Foster carer" | "Adoptive parent" => (Some(case.family.people[*a].home().from), None),
                "Partner" | "Spouse" if case.dice.chance(0.4) => (Some(plus(case.council.today, -700)), None),
                "Ex-partner" => (None, Some(plus(case.council.today, -900))),
                _ => (None, None),
            };
            self.csc_relationships.row(&[
                (FIRST_PERSON_ID + person).to_string(),
                (FIRST_PERSON_ID + related).to_string(),
                (*words).to_owned(),
                from.map(slashed).unwrap_or_default(),
                to.map(slashed).unwrap_or_default(),
            ])?;
        }
        Ok(())
    }

    fn school(&mut self, case: &mut Case<'_>, place: usize, id: u64) -> Result<(), SynthError> {
        let today = case.council.today;
        let person = &case.family.people[place];
        let age = person.age(today);
        let written = case.written(place, true);
        let worker = case.workers[Service::Schools as usize].clone();
        let id = format!("S{id:07}");
        let sex = match written.sex {
            Some(Sex::Male) => "a) Male",
            Some(Sex::Female) => "b) Female",
            _ => "c) Not known",
        };
        let school = match person.by_hand {
            Some(hand) => hand.school.to_owned(),
            None => case.council.city.school(written.stay.dwelling, age >= 11),
        };
        let start_age = if age >= 11 { 11 } else { 4 };
        let started = september(person.born.year() + start_age).min(plus(today, -1));
        let leaver = age > 18 || (age == 18 && case.dice.chance(0.5));
        let left = leaver.then(|| Date::new(person.born.year() + 18, 7, 20).unwrap_or(today).min(plus(today, -3)));
        let mut admissions = vec![(school, "M", started.max(person.born), left)];
        if person.by_hand.is_none() && left.is_none() {
            if case.dice.chance(0.03) {
                let from = case.dice.day(started, today);
                admissions.push(("Wharf Street Pupil Referral Unit".into(), "O", from, None));
            }
            if age >= 12 && case.dice.chance(0.05) {
                let moved = case.dice.day(started, today);
                admissions[0].2 = moved;
                let before = case.council.city.school(written.stay.dwelling + 4_800, true);
                admissions.push((before, "M", started, Some(moved)));
            } else if case.dice.chance(0.005) {
                admissions.push((
                    case.council.city.school(written.stay.dwelling + 4_800, age >= 11),
                    "S",
                    started,
                    None,
                ));
            }
        }
        let former = person.former.as_ref().filter(|former| former.why == Why::Marriage);
        let place_of = &written.stay.place;
        let (first, second) = match place_of.flat.is_empty() {
            true => (place_of.line(), String::new()),
            false => (place_of.flat.clone(), place_of.line()),
        };
        self.schools.summary.wrong_nhs_numbers += u64::from(written.nhs_number_wrong);
        for (school, kind, from, to) in admissions {
            self.schools.row(&[
                id.clone(),
                person.upn.clone(),
                String::new(),
                written.surname.clone(),
                written.forename.clone(),
                written.middle.clone(),
                person.preferred.clone().unwrap_or_default(),
                former.map(|former| former.surname.clone()).unwrap_or_default(),
                written.born.map(packed).unwrap_or_default(),
                sex.into(),
                (age - 4).clamp(0, 13).to_string(),
                ethnicity(person),
                if kind == "M" { written.nhs_number.clone() } else { String::new() },
                first.clone(),
                second.clone(),
                place_of.town.clone(),
                written.postcode.clone(),
                written.uprn.clone(),
                school,
                kind.into(),
                worker.name(),
                worker.role.into(),
                worker.phone.clone(),
                worker.email.clone(),
                packed(from),
                to.map(packed).unwrap_or_default(),
                packed(case.dice.day(plus(today, -YEAR).max(from), today)),
            ])?;
        }
        self.true_person("schools", &id, case, place)
    }

    fn adult(&mut self, case: &mut Case<'_>, place: usize, id: u64) -> Result<(), SynthError> {
        let person = &case.family.people[place];
        let by_hand = person.by_hand.is_some();
        let open = by_hand || person.life.care_home || case.dice.chance(0.6);
        let span = case.span(5, open && person.died.is_none(), person.died);
        let written = case.written(place, true);
        let worker = case.workers[Service::Adults as usize].clone();
        let id = format!("ASC{id:06}");
        let nhs = match written.nhs_number.as_str() {
            "" => String::new(),
            number if case.dice.chance(case.rates.spreadsheet_number) => {
                format!("{}.{}E+09", &number[..1], &number[1..3])
            }
            number => spaced(number, &mut case.dice),
        };
        // Research: over half lack the worker's phone and e-mail; the demonstration shows that.
        let contact = !by_hand && !case.dice.chance(case.rates.no_worker_contact);
        let team_only = !by_hand && case.dice.chance(0.06);
        let worker_or = |value: &str| if team_only { String::new() } else { value.to_owned() };
        let contact_or = |value: &str| if contact { worker_or(value) } else { String::new() };
        let previous: Vec<String> = person
            .stays
            .iter()
            .skip(1)
            .filter(|stay| !stay.confidential)
            .map(|stay| {
                let to = stay.to.map(iso).unwrap_or_default();
                let address = stay.place.lines().join(", ");
                format!("{address}, {} ({} to {to})", stay.place.postcode, iso(stay.from))
            })
            .collect();
        let place_of = &written.stay.place;
        // What a spreadsheet does to a whole number that it takes for a measure.
        let uprn = if !written.uprn.is_empty() && !by_hand && case.dice.chance(0.1) {
            written.uprn + ".0"
        } else {
            written.uprn
        };
        let time = if case.dice.chance(0.5) { "T00:00:00Z" } else { "" };
        self.adults.summary.wrong_nhs_numbers += u64::from(written.nhs_number_wrong && !nhs.contains('E'));
        self.adults.row(&[
            id.clone(),
            if person.sex == Sex::Male { "Mr" } else { "Ms" }.into(),
            written.forename,
            written.surname,
            person.preferred.clone().unwrap_or_default(),
            written.born.map(|born| iso(born) + time).unwrap_or_default(),
            person.died.map(iso).unwrap_or_default(),
            match written.sex {
                Some(Sex::Female) => "F",
                Some(Sex::Male) => "M",
                Some(Sex::Other) => "X",
                None => "U",
            }
            .into(),
            ethnicity(person),
            nhs,
            place_of.flat.clone(),
            place_of.number.clone(),
            place_of.street.clone(),
            place_of.town.clone(),
            written.postcode,
            uprn,
            previous.join(" | "),
            if case.dice.chance(0.3) { phone(person).replacen('0', "+44 (0)", 1) } else { String::new() },
            phone(person),
            email(person),
            if person.life.care_home { "Personal care support" } else { "Physical support" }.into(),
            "Fenchester City Council".into(),
            worker_or(&worker.name()),
            worker_or(worker.role),
            contact_or(&worker.phone),
            contact_or(&worker.email),
            worker_or(&worker.id),
            worker.team.into(),
            worker.inbox.clone(),
            iso(span.from),
            span.to.map(iso).unwrap_or_default(),
            iso(span.last),
            if person.protection == Protection::None { "N" } else { "Y" }.into(),
            iso(span.last) + time,
        ])?;
        self.true_person("adult_social_care", &id, case, place)
    }

    fn tenant(&mut self, case: &mut Case<'_>, place: usize, id: u64) -> Result<(), SynthError> {
        let today = case.council.today;
        let person = &case.family.people[place];
        let by_hand = person.by_hand.is_some();
        let written = case.written(place, false);
        let worker = case.workers[Service::Housing as usize].clone();
        let id = format!("H{id:07}");
        // Whoever is written down at an old address was a tenant there.
        let (from, to) = (written.stay.from, written.stay.to);
        let last = case.dice.day(from, to.unwrap_or(today));
        let dice = &mut case.dice;
        let mut code = |open: f64, closed: f64| match dice.unit() {
            unit if unit < open => 1,
            unit if unit < open + closed => 2,
            _ => 0,
        };
        let tenancy = match person.by_hand {
            Some(hand) => hand.tenancy,
            None if person.age(today) < 16 => Tenancy::default(),
            None => Tenancy {
                arrears: if to.is_none() { code(0.12, 0.05) } else { 0 },
                notice: code(0.03, 0.02),
                eviction: code(0.005, 0.01),
                anti_social_behaviour: code(0.03, 0.05),
            },
        };
        let mut dated = |code: u8, days: i64| match code {
            0 => String::new(),
            _ => short(dice.day(plus(today, -days), plus(today, -1)).max(from)),
        };
        let dates = [
            dated(tenancy.arrears, 400),
            dated(tenancy.notice, 350),
            dated(tenancy.eviction, 1_500),
            dated(tenancy.anti_social_behaviour, 2_500),
        ];
        let blank_for_none = dice.chance(0.5);
        let coded = |code: u8| if code == 0 && blank_for_none { String::new() } else { code.to_string() };
        let title = match (person.sex, person.age(today)) {
            (Sex::Male, 0..13) => "Master",
            (Sex::Male, _) => "Mr",
            (_, 0..18) => "Miss",
            _ => *dice.pick(&["Mrs", "Ms", "Miss"]),
        };
        let (forename, surname) = (&written.forename, &written.surname);
        let full_name = match if by_hand { 0 } else { dice.below(3) } {
            0 => format!("{}, {title} {forename}", surname.to_uppercase()),
            1 => format!("{title} {forename} {surname}"),
            _ => format!("{surname} {forename}"),
        };
        let mut address = written.stay.place.lines();
        address.extend(Some(written.postcode).filter(|postcode| !postcode.is_empty()));
        let landlord = "Fenchester Homes";
        let without_zero = dice.chance(0.4);
        let phone = if without_zero { phone(person).replace(' ', "").replacen('0', "", 1) } else { phone(person) };
        let grown_up = person.age(today) >= 16;
        self.housing.summary.wrong_nhs_numbers += u64::from(written.nhs_number_wrong);
        let address = address.join(", ");
        self.housing.row(&[
            id.clone(),
            format!("T{:06}/{}", written.stay.dwelling, 1 + place % 3),
            full_name,
            written.born.map(short).unwrap_or_default(),
            match written.sex {
                Some(Sex::Male) => "1",
                Some(Sex::Female) => "2",
                Some(Sex::Other) => "9",
                None => "0",
            }
            .into(),
            ethnicity(person),
            address.clone(),
            written.uprn,
            spaced(&written.nhs_number, dice),
            if grown_up { phone } else { String::new() },
            if grown_up { email(person) } else { String::new() },
            short(from),
            to.map(short).unwrap_or_default(),
            landlord.into(),
            worker.name(),
            worker.phone.clone(),
            worker.email.clone(),
            coded(tenancy.arrears),
            dates[0].clone(),
            dice.between(-900, 200).to_string(),
            coded(tenancy.notice),
            dates[1].clone(),
            coded(tenancy.eviction),
            dates[2].clone(),
            coded(tenancy.anti_social_behaviour),
            dates[3].clone(),
            short(last),
            short(last),
            "FH1".into(),
        ])?;
        self.true_person("housing", &id, case, place)?;
        if case.dice.chance(case.rates.unusable_row) {
            let mut row = std::array::from_fn(|_| String::new());
            row[0] = format!("{id}X");
            row[6] = address;
            row[13] = landlord.into();
            self.housing.unusable(&row)?;
        }
        Ok(())
    }

    fn suspect(&mut self, case: &mut Case<'_>, place: usize, id: u64) -> Result<(), SynthError> {
        const OFFENCES: [&str; 7] = [
            "Violence without injury",
            "Violence with injury",
            "Possession of weapons",
            "Robbery",
            "Other sexual offences",
            "Rape",
            "Homicide",
        ];
        let today = case.council.today;
        let person = &case.family.people[place];
        let written = case.written(place, true);
        let worker = case.workers[Service::Police as usize].clone();
        let dice = &mut case.dice;
        let id = format!("N{id:07}");
        let count = if person.by_hand.is_some() { 1 } else { dice.weighted(&[60, 27, 9, 4]) };
        let mut offences: Vec<(Date, &str, &str)> = (0..count)
            .map(|_| {
                let convicted = dice.chance(0.55);
                let days = if convicted { 5 * YEAR } else { YEAR };
                let on = dice.day(plus(today, -days), plus(today, -5));
                (on, OFFENCES[dice.early(OFFENCES.len(), true)], if convicted { "C" } else { "S" })
            })
            .collect();
        if person.by_hand.is_some() {
            offences = vec![(plus(today, -200), OFFENCES[0], "C")];
        }
        offences.sort_by_key(|offence| Reverse(offence.0));
        let offence = |place: usize| match offences.get(place) {
            Some((on, kind, outcome)) => [format!("{} 00:00:00", iso(*on)), (*kind).to_owned(), (*outcome).to_owned()],
            None => [const { String::new() }; 3],
        };
        let [[on1, kind1, outcome1], [on2, kind2, outcome2], [on3, kind3, outcome3]] = [0, 1, 2].map(offence);
        let alias = person.alias.as_ref().map(|(forename, surname)| format!("{}, {forename}", surname.to_uppercase()));
        let other = if count == 0 || dice.chance(0.5) { "Y" } else { "N" };
        self.police.row(&[
            id.clone(),
            format!("{:02}/{:06}X", person.born.year().rem_euclid(100), person.number % 1_000_000),
            written.surname.to_uppercase(),
            written.forename,
            written.middle,
            alias.unwrap_or_default(),
            written.born.map(|born| format!("{} 00:00:00", iso(born))).unwrap_or_default(),
            match written.sex {
                Some(Sex::Male) => "1",
                Some(Sex::Female) => "2",
                _ => "9",
            }
            .into(),
            written.stay.place.lines().join(", "),
            written.postcode,
            "Fenshire Central".into(),
            on1,
            kind1,
            outcome1,
            on2,
            kind2,
            outcome2,
            on3,
            kind3,
            outcome3,
            other.into(),
            if dice.chance(0.05) { "VI" } else { "" }.into(),
            worker.name(),
            worker.phone.clone(),
            worker.email.clone(),
            worker.team.into(),
            format!("{} 00:00:00", iso(dice.day(plus(today, -YEAR), today))),
        ])?;
        self.true_person("police", &id, case, place)
    }

    fn young_offender(&mut self, case: &mut Case<'_>, place: usize, id: u64) -> Result<(), SynthError> {
        const INTERVENTIONS: [&str; 6] = [
            "Out of court disposal",
            "Referral order",
            "Youth conditional caution",
            "Turnaround programme",
            "Youth rehabilitation order",
            "Detention and training order",
        ];
        let person = &case.family.people[place];
        let open = person.by_hand.is_some() || case.dice.chance(0.5);
        let span = case.span(2, open, None);
        let written = case.written(place, false);
        let worker = &case.workers[Service::YouthJustice as usize];
        let id = format!("YJ-{id:05}");
        let dice = &mut case.dice;
        let mut address = written.stay.place.lines();
        address.extend(Some(written.postcode).filter(|postcode| !postcode.is_empty()));
        self.youth_justice.summary.wrong_nhs_numbers += u64::from(written.nhs_number_wrong);
        let alias = person.alias.as_ref().map(|(forename, surname)| format!("{forename} {}", surname.to_uppercase()));
        self.youth_justice.row(&[
            id.clone(),
            format!("{} {}", written.forename, written.surname.to_uppercase()),
            alias.unwrap_or_default(),
            written.born.map(dotted).unwrap_or_default(),
            match written.sex {
                Some(Sex::Male) => "Male",
                Some(Sex::Female) => "Female",
                _ => "",
            }
            .into(),
            ethnicity(person),
            address.join(", "),
            written.nhs_number,
            if dice.chance(0.6) { person.upn.clone() } else { String::new() },
            written.uprn,
            worker.name(),
            worker.phone.clone(),
            worker.email.clone(),
            worker.id.clone(),
            INTERVENTIONS[dice.early(INTERVENTIONS.len(), false)].into(),
            "Not for sharing".into(),
            dotted(span.from),
            span.to.map(dotted).unwrap_or_default(),
            dotted(span.last),
        ])?;
        self.true_person("youth_justice", &id, case, place)
    }

    /// Writes the staff directory and the ends of reports, and closes every file. Gives the number of records of people.
    pub(crate) fn finish(mut self, council: &Council) -> Result<(u64, Vec<FeedSummary>), SynthError> {
        for service in SERVICES {
            for number in 0..service.workers(council.people) {
                let worker = worker(council, service, number);
                self.staff.row(&[
                    worker.id.clone(),
                    worker.name(),
                    worker.role.to_owned(),
                    worker.team.to_owned(),
                    worker.inbox.clone(),
                    worker.phone.clone(),
                    worker.email.clone(),
                    "Not for sharing".to_owned(),
                    format!("SO{}", 1 + number % 3),
                    worker.left.map(slashed).unwrap_or_default(),
                ])?;
                if service == Service::Children {
                    self.ssd_professionals.row(&[&worker.id, &worker.name(), worker.role, worker.team])?;
                }
            }
        }
        self.housing.totals()?;
        self.youth_justice.blank()?;
        let records = self.truth.finish()?.used;
        let feeds = vec![
            self.csc_people.finish()?,
            self.csc_relationships.finish()?,
            self.schools.finish()?,
            self.adults.finish()?,
            self.housing.finish()?,
            self.police.finish()?,
            self.youth_justice.finish()?,
            self.staff.finish()?,
            self.ssd_person.finish()?,
            self.ssd_address.finish()?,
            self.ssd_family.finish()?,
            self.ssd_mother.finish()?,
            self.ssd_identifiers.finish()?,
            self.ssd_involvements.finish()?,
            self.ssd_professionals.finish()?,
        ];
        Ok((records, feeds))
    }
}

impl Case<'_> {
    fn written(&mut self, place: usize, unicode: bool) -> Written {
        let people = &self.family.people;
        let beside = if people.len() > 1 { people.get((place + 1) % people.len()) } else { None };
        write_down(&people[place], beside, &self.rates, unicode, self.council.today, &mut self.dice)
    }

    /// An involvement of the last so many years, that goes on or has ended, by a person's death at the latest.
    fn span(&mut self, years: i64, open: bool, died: Option<Date>) -> Span {
        let today = self.council.today;
        let from = plus(today, -self.dice.between(10, years * YEAR));
        let to = (!open).then(|| self.dice.day(from, today));
        let to = match died {
            Some(died) => Some(to.unwrap_or(died).min(died).max(from)),
            None => to,
        };
        let end = to.unwrap_or(today);
        let last = if open { self.dice.day(plus(end, -60).max(from), end) } else { end };
        Span { from, to, last }
    }
}

/// Decides who knows whom: services touch families, not people.
fn known(council: &Council, family: &Family, dice: &mut Dice) -> Vec<Known> {
    let (today, rates) = (council.today, &council.rates);
    let children = family.people.iter().any(|person| person.is_child(today));
    let in_care_system = children && !family.unrelated && dice.chance(rates.children_social_care * family.strain);
    let first_home = family.people[0].home().dwelling;
    // A household rents or does not; who lives elsewhere rents or does not on their own.
    let pull = if family.strain > 1.5 { 1.9 } else { 1.0 };
    let homes = [dice.chance(rates.housing * pull), dice.chance(rates.housing * 1.2)];
    let youths_at_risk = if in_care_system { 6.0 } else { 1.0 };
    family
        .people
        .iter()
        .map(|person| {
            if let Some(hand) = person.by_hand {
                return hand.known;
            }
            let age = person.age(today);
            let hidden_identity = person.other_identity.is_some() && person.protection == Protection::Hidden;
            if hidden_identity {
                return Known { children: true, ..Known::default() };
            }
            let at_home = person.home().dwelling == first_home;
            let touched = match age {
                ..18 => true,
                _ if !at_home => dice.chance(0.5),
                _ if person.sex == Sex::Female => dice.chance(0.95),
                _ => dice.chance(0.75),
            };
            let alive = person.died.is_none();
            let care = match age {
                _ if person.life.care_home => 1.0,
                ..18 => 0.0,
                18..65 => rates.adult_social_care,
                65..75 => rates.adult_social_care * 2.5,
                75..85 => rates.adult_social_care * 7.0,
                _ => rates.adult_social_care * 14.0,
            };
            let crime = match (person.sex, age) {
                (_, ..18) => 0.0,
                (Sex::Male, 18..45) => rates.police * 2.0,
                (Sex::Male, 45..65) => rates.police * 1.2,
                (_, 18..45) => rates.police * 0.8,
                (_, _) => rates.police * 0.3,
            };
            Known {
                children: person.life.in_care_system || (in_care_system && touched),
                school: alive
                    && match age {
                        4..17 => dice.chance(rates.schools),
                        17..19 => dice.chance(0.6),
                        19..21 => dice.chance(0.15),
                        _ => false,
                    },
                housing: !person.unborn
                    && !person.life.care_home
                    && !person.home().confidential
                    && (alive || dice.chance(0.3))
                    && homes[usize::from(!at_home)],
                adults: dice.chance(care),
                youth_justice: (10..18).contains(&age) && dice.chance(rates.youth_justice * youths_at_risk),
                police: dice.chance(crime),
            }
        })
        .collect()
}

fn september(year: i16) -> Date {
    Date::new(year, 9, 2).unwrap_or(Date::MIN)
}

/// A mobile number of the person's own, from Ofcom's range for drama.
fn phone(person: &Person) -> String {
    format!("07700 900{:03}", mix(person.number) % 1_000)
}

fn email(person: &Person) -> String {
    let plain = |name: &str| name.to_lowercase().replace([' ', '\'', '-'], "");
    format!("{}.{}{}@mail.example", plain(&person.forename), plain(&person.surname), person.number % 97)
}

/// A code that systems hold and nobody agreed to share: a reader must drop it.
fn ethnicity(person: &Person) -> String {
    format!("E{}", 1 + person.group % 18)
}

/// An NHS number, sometimes with the spaces it is printed with.
fn spaced(number: &str, dice: &mut Dice) -> String {
    if number.len() == 10 && dice.chance(0.3) {
        format!("{} {} {}", &number[..3], &number[3..6], &number[6..])
    } else {
        number.to_owned()
    }
}

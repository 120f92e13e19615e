//! People that tests are about, and linking them.

use fc_linkage::{Decision, Linked, Model, Standard, Subject, link, link_all};
use fc_model::{Address, BirthDate, Details, Name, NhsNumber, PartialDate, Postcode, RecordId};

pub(crate) fn model() -> &'static Model {
    Model::shipped()
}

/// A record of one of three sources, in turn.
pub(crate) fn record(id: usize) -> RecordId {
    held_by(["housing", "schools", "police"][id % 3], id)
}

/// A record that this source holds.
pub(crate) fn held_by(source: &str, id: usize) -> RecordId {
    RecordId::new(source.parse().unwrap(), format!("H{id}"))
}

pub(crate) fn standard(details: &Details) -> Standard {
    Standard::of(&"housing".parse().unwrap(), details)
}

pub(crate) fn birth(date: &str) -> Option<BirthDate> {
    PartialDate::parse_iso(date).ok().map(BirthDate::born)
}

pub(crate) fn home(line: &str) -> Vec<Address> {
    let postcode = Postcode::parse("SK1 3XE").ok();
    vec![Address { lines: vec![line.to_owned()], postcode, ..Address::default() }]
}

/// A valid NHS number: nine digits spread so that two seeds differ in more than two places, and their check digit.
pub(crate) fn nhs(seed: u64) -> NhsNumber {
    (0..20)
        .find_map(|step| {
            let nine = 400_000_000 + (seed * 20 + step) * 7_013_377 % 299_999_999;
            (0..10).find_map(|check| NhsNumber::parse(&format!("{nine}{check}")).ok())
        })
        .unwrap()
}

/// Somebody of the Okafor family at 2 High Street.
pub(crate) fn okafor(forename: &str, born: &str) -> Details {
    Details {
        names: vec![Name::current([forename], "Okafor")],
        birth: birth(born),
        addresses: home("2 High Street"),
        ..Details::default()
    }
}

pub(crate) fn people(details: Vec<Details>) -> Vec<usize> {
    let records: Vec<_> = details.into_iter().enumerate().map(|(i, details)| (record(i), details)).collect();
    link_all(model(), &records)
}

/// Links records, with decisions.
pub(crate) fn linked(records: &[(RecordId, Details)], decisions: &[Decision<RecordId>]) -> Linked {
    let subjects: Vec<Subject> = records.iter().map(|(record, details)| Subject::of(record.clone(), details)).collect();
    link(model(), &subjects, decisions)
}

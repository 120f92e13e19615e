//! Linking all records at once goes about it key by key; what it compares must be what the keys say, no more and no less.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_linkage::{
    Model, Step, Subject, blocking_keys, is_name_alone, link, link::candidates, link_step_by_step, may_be_one_birth,
};
use fc_model::{Address, BirthDate, Date, Details, Name, Postcode, RecordId};
use std::collections::{BTreeMap, BTreeSet};

/// A street where everybody shares something with somebody, and one name and birth date that is everywhere.
fn street() -> Vec<Subject> {
    let forenames = ["Amara", "Daniel", "Danny", "Ruth", "Kathryn", "Catherine"];
    let surnames = ["Okafor", "Smith", "Smyth", "Nowak", "Okafor-Smith"];
    let usual = (0..400_usize).map(|i| {
        let born = Date::constant(2015, 3, 2).checked_add(std::time::Duration::from_secs(86_400 * (i as u64 % 23)));
        (forenames[i % 6], surnames[i / 6 % 5], born.unwrap(), format!("{} High Street", i % 37 + 1))
    });
    let crowd = (0..60_usize).map(|i| ("Peter", "Brown", Date::constant(1980, 7, 19), format!("{i} Mill Road")));
    let subject = |(i, (forename, surname, born, house)): (usize, (&str, &str, Date, String))| {
        let details = Details {
            names: vec![Name::current([forename], surname)],
            birth: Some(BirthDate::born(born)),
            addresses: vec![Address {
                lines: vec![house],
                postcode: Postcode::parse("SK1 3XE").ok(),
                ..Address::default()
            }],
            ..Details::default()
        };
        Subject::of(RecordId::new("housing".parse().unwrap(), format!("H{i}")), &details)
    };
    usual.chain(crowd).enumerate().map(subject).collect()
}

#[test]
fn two_records_are_compared_once_if_they_share_a_key_that_is_not_saturated() {
    let (records, model) = (street(), Model::shipped());
    let mut filed: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (i, record) in records.iter().enumerate() {
        for key in blocking_keys(&record.standard) {
            filed.entry(key).or_default().push(i as u32);
        }
    }
    let (few, many): (Vec<_>, Vec<_>) = filed.iter().partition(|(_, members)| members.len() <= model.saturation());
    let standard = |record: &u32| &records[*record as usize].standard;
    let meet = |key: &str, (a, b): (&u32, &u32)| !is_name_alone(key) || may_be_one_birth(standard(a), standard(b));
    let mut wanted: BTreeSet<(u32, u32)> = BTreeSet::new();
    for (key, members) in few {
        let pairs = members.iter().flat_map(|a| members.iter().map(move |b| (a, b)));
        wanted.extend(pairs.filter(|(a, b)| a < b && meet(key, (a, b))).map(|(a, b)| (*a, *b)));
    }

    let (pairs, saturated) = candidates(model, &records);
    assert_eq!(pairs, wanted.iter().copied().collect::<Vec<_>>());
    assert!(saturated > 0 && saturated == many.len());
    let linked = link(model, &records, &[]);
    assert_eq!((linked.compared, linked.saturated), (pairs.len(), saturated));
    let found: Vec<(u32, u32)> = linked.edges.iter().map(|edge| (edge.a as u32, edge.b as u32)).collect();
    assert!(found.is_sorted() && found.iter().all(|pair| wanted.contains(pair)));
}

#[test]
fn whoever_waits_is_told_each_step_before_it_begins() {
    let mut told = Vec::new();
    let linked = link_step_by_step(Model::shipped(), &street(), &[], |step| told.push(step));
    assert_eq!(told, [Step::Block, Step::Compare, Step::Resolve]);
    assert_eq!(linked, link(Model::shipped(), &street(), &[]));
}

//! What must hold of matching whatever the records: the invariants of docs/architecture.md.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

mod people;

use fc_linkage::{Band, Decision, Edge, Field, Level, Member, Refusal, Verdict, Weight, explain, resolve};
use fc_model::{BirthDate, Details, Name, Phone, RecordId, Relationship, Sex, Upn};
use people::{birth, held_by, home, linked, model, nhs, okafor, people, record, standard};
use proptest::prelude::*;

#[test]
fn twins_are_never_merged_on_surname_birth_date_and_address() {
    assert_eq!(people(vec![okafor("Amara", "2015-03-02"), okafor("Daniel", "2015-03-02")]), [0, 1]);
    assert_eq!(people(vec![okafor("Ella", "2015-03-02"), okafor("Ellie", "2015-03-02")]), [0, 1]);
}

#[test]
fn a_twin_s_records_find_each_other_and_not_the_other_twin() {
    let nickname = okafor("Danny", "2015-03-02");
    assert_eq!(
        people(vec![okafor("Amara", "2015-03-02"), okafor("Daniel", "2015-03-02"), nickname]),
        [0, 1, 1],
        "Danny is Daniel"
    );
}

#[test]
fn a_name_alone_links_nobody() {
    let elsewhere = Details { birth: None, addresses: home("40 High Street"), ..okafor("Zephyrine", "") };
    assert_eq!(people(vec![okafor("Zephyrine", "2015-03-02"), elsewhere]), [0, 1]);
}

#[test]
fn father_and_son_of_one_name_at_one_address_are_two_people() {
    assert_eq!(people(vec![okafor("Emeka", "1980-07-19"), okafor("Emeka", "2012-03-02")]), [0, 1]);
    let undated = Details { birth: None, ..okafor("Emeka", "") };
    let three = people(vec![okafor("Emeka", "1980-07-19"), okafor("Emeka", "2012-03-02"), undated]);
    assert_eq!(three, [0, 1, 2], "an undated record may be either's: a steward decides");
}

#[test]
fn an_undated_record_that_may_be_father_or_son_goes_to_a_steward() {
    let undated = Details { birth: None, ..okafor("Emeka", "") };
    let records: Vec<_> = [okafor("Emeka", "1980-07-19"), okafor("Emeka", "2012-03-02"), undated]
        .into_iter()
        .enumerate()
        .map(|(i, details)| (record(i), details))
        .collect();
    let possible = linked(&records, &[]).possible;
    let too_close = possible.iter().filter(|pair| pair.why == Refusal::TooCloseToCall).count();
    assert_eq!(too_close, 2);
}

#[test]
fn a_baby_that_is_given_a_name_is_the_same_child() {
    let baby = okafor("Baby", "2025-03-02");
    assert_eq!(people(vec![baby.clone(), okafor("Amara", "2025-03-02")]), [0, 0]);
    let of_twins = people(vec![baby, okafor("Amara", "2025-03-02"), okafor("Daniel", "2025-03-02")]);
    assert_eq!(of_twins, [0, 1, 2], "which twin the baby is, nobody can say");
}

#[test]
fn an_unborn_child_becomes_the_child_that_was_born() {
    let mut unborn = okafor("Unborn", "2025-03-20");
    unborn.birth = unborn.birth.map(|birth| BirthDate { expected: true, ..birth });
    assert_eq!(people(vec![unborn, okafor("Amara", "2025-03-02")]), [0, 0]);
}

#[test]
fn different_valid_nhs_numbers_are_different_people() {
    let of = |seed| Details { nhs_number: Some(nhs(seed)), ..okafor("Amara", "2015-03-02") };
    assert_eq!(people(vec![of(1), of(2)]), [0, 1]);
    assert_eq!(people(vec![of(1), of(1)]), [0, 0]);
}

#[test]
fn an_identifier_links_a_child_whose_forename_was_changed() {
    let of = |forename| Details { nhs_number: Some(nhs(1)), ..okafor(forename, "2015-03-02") };
    assert_eq!(people(vec![of("Daniel"), of("Zephyrine")]), [0, 0]);
    assert_eq!(people(vec![okafor("Daniel", "2015-03-02"), okafor("Zephyrine", "2015-03-02")]), [0, 1]);
}

#[test]
fn an_adopted_child_s_two_identities_are_never_linked() {
    let mut new = Details { nhs_number: Some(nhs(1)), ..okafor("Amara", "2015-03-02") };
    let old = new.clone();
    assert_eq!(people(vec![new.clone(), old.clone(), old.clone()]), [0, 0, 0]);
    new.never_link = vec!["H1".into()];
    let records = [(held_by("housing", 0), new), (held_by("housing", 1), old.clone()), (held_by("schools", 2), old)];
    let apart = linked(&records, &[]).people;
    assert_ne!(apart[0], apart[1]);
}

#[test]
fn a_record_that_could_give_an_adopted_child_away_is_linked_with_neither_identity() {
    let before = Details { addresses: home("36 Malham Drive"), ..okafor("Harrison", "2024-03-06") };
    let mut after = Details { addresses: home("25 Bolton Road"), ..okafor("H", "2024-03-06") };
    after.names = vec![Name::current(["H"], "Acheampong")];
    // Somebody typed the name of before at the address of after.
    let between = Details { addresses: home("25 Bolton Road"), ..before.clone() };
    let people = |after: &Details| {
        let records = [(held_by("housing", 0), after.clone()), (held_by("housing", 1), before.clone())];
        linked(&[records[0].clone(), records[1].clone(), (held_by("schools", 2), between.clone())], &[]).people
    };
    assert_eq!(people(&after), [0, 1, 1]);
    after.never_link = vec!["H1".into()];
    assert_eq!(people(&after), [0, 1, 2]);
}

#[test]
fn who_has_two_identities_is_linked_by_more_than_a_name_and_a_birth_date() {
    let elsewhere = Details { addresses: home("3 Maple Road"), ..okafor("Sultana", "2014-12-27") };
    let mut child = Details { addresses: home("12 New Crescent"), ..elsewhere.clone() };
    child.addresses[0].postcode = fc_model::Postcode::parse("QF11 1NT").ok();
    let there = child.clone();
    let people = |child: &Details, found: &Details| {
        linked(&[(held_by("housing", 0), child.clone()), (held_by("schools", 1), found.clone())], &[]).people
    };
    assert_eq!(people(&child, &elsewhere), [0, 0]);
    child.never_link = vec!["H9".into()];
    assert_eq!(people(&child, &elsewhere), [0, 1], "a name and a birth date");
    assert_eq!(people(&child, &there), [0, 0], "and a home");
}

#[test]
fn who_is_related_to_somebody_is_somebody_else() {
    let twin = |related: &str, unlisted| Relationship {
        related: related.to_owned(),
        words: "Twin".to_owned(),
        from: None,
        to: None,
        unlisted,
    };
    let child = Details { nhs_number: Some(nhs(1)), ..okafor("Amara", "2015-03-02") };
    let people = |relationship: Option<Relationship>| {
        let told = Details { relationships: relationship.into_iter().collect(), ..child.clone() };
        let records = [(held_by("housing", 0), told), (held_by("housing", 1), child.clone())];
        linked(&records, &[]).people
    };
    assert_eq!(people(None), [0, 0]);
    assert_eq!(people(Some(twin("H1", false))), [0, 1]);
    assert_eq!(people(Some(twin("H0", false))), [0, 0], "to itself");
    assert_eq!(people(Some(twin("H1", true))), [0, 0], "in words that may say anything");
}

#[test]
fn a_steward_s_decision_outweighs_the_evidence_and_never_link_outweighs_link() {
    let records = [(record(0), okafor("Amara", "2015-03-02")), (record(1), okafor("Daniel", "1980-07-19"))];
    let decision = |verdict| Decision { a: record(1), b: record(0), verdict };
    assert_eq!(linked(&records, &[decision(Verdict::Link)]).people, [0, 0]);
    let both = [decision(Verdict::Link), decision(Verdict::NeverLink)];
    assert_eq!(linked(&records, &both).people, [0, 1]);
}

#[test]
fn a_chain_of_look_alikes_does_not_make_one_person_of_twins() {
    let facts = |forename: &str| standard(&okafor(forename, "2015-03-02")).facts();
    let members: Vec<Member<u32>> = [("Amara", 0), ("A", 1), ("Abigail", 2)]
        .map(|(forename, handle)| Member { handle, facts: facts(forename) })
        .into();
    let edge = |a, b, bits| Edge { a, b, weight: Weight::from_bits(bits) };
    let resolution = resolve(model(), &members, &[edge(0, 1, 12.0), edge(1, 2, 6.0)], &[]);
    assert_eq!(resolution.people, [vec![0, 1], vec![2]]);
    assert_eq!(resolution.possible[0].why, Refusal::Conflict);
}

/// Records of a small street, alike enough to meet.
fn any_details() -> impl Strategy<Value = Details> {
    let forename = prop::sample::select(vec![
        "Amara", "Daniel", "Danny", "Dan", "Emeka", "Mohammed", "Md", "Ella", "Ellie", "Baby", "D", "", "Okafor",
    ]);
    let surname = prop::sample::select(vec!["Okafor", "Okafor-Smith", "Smith", "Smyth", "Daniel", "", "O'Brien"]);
    let date = prop::sample::select(vec![
        "2015-03-02",
        "2015-02-03",
        "2015-03-12",
        "2015-01-01",
        "1980-07-19",
        "2015",
        "",
        "2016-03-02",
    ]);
    let line = prop::sample::select(vec!["2 High Street", "2 High St", "Flat 1, 2 High Street", "4 High Street", ""]);
    let number = prop::sample::select(vec![None, None, Some(1), Some(2), Some(3)]);
    let upn = prop::sample::select(vec![None, None, Some("A925204515361"), Some("Z925201418979")]);
    let phone = prop::sample::select(vec![None, Some("01614960000")]);
    let sex = prop::sample::select(vec![None, Some(Sex::Female), Some(Sex::Male)]);
    (forename, surname, date, any::<bool>(), line, number, upn, phone, sex).prop_map(
        |(forename, surname, date, expected, line, number, upn, phone, sex)| Details {
            sex,
            names: vec![Name::current([forename], surname)],
            birth: birth(date).map(|birth| BirthDate { expected: expected && forename == "Baby", ..birth }),
            addresses: home(line),
            nhs_number: number.map(nhs),
            upn: upn.and_then(|upn| Upn::parse(upn).ok()),
            phones: phone.and_then(|phone| Phone::parse(phone).ok()).into_iter().collect(),
            ..Details::default()
        },
    )
}

fn grouping(records: &[(RecordId, Details)], people: &[usize]) -> Vec<Vec<String>> {
    let mut groups = std::collections::BTreeMap::<usize, Vec<String>>::new();
    for ((record, _), person) in records.iter().zip(people) {
        groups.entry(*person).or_default().push(record.to_string());
    }
    let mut groups: Vec<Vec<String>> = groups.into_values().collect();
    groups.iter_mut().for_each(|group| group.sort());
    groups.sort();
    groups
}

proptest! {
    #[test]
    fn comparing_is_symmetric(a in any_details(), b in any_details()) {
        let (a, b) = (standard(&a), standard(&b));
        let (forth, back) = (model().compare(&a, &b), model().compare(&b, &a));
        prop_assert_eq!(forth, back);
        prop_assert_eq!(explain(&forth), explain(&back));
    }

    #[test]
    fn more_agreement_never_lowers_a_weight(a in any_details(), b in any_details(), field in 0..7usize) {
        let mut agreeing = b.clone();
        let known = match field {
            0 => {
                agreeing.names.clone_from(&a.names);
                let name = &standard(&a).names;
                name.iter().any(|name| !name.forenames.is_empty() && !name.surnames.is_empty())
            }
            1 => {
                agreeing.birth = a.birth;
                // To be born is no agreement: a child expected under one name is often given another.
                let is_expected = |details: &Details| details.birth.is_some_and(|birth| birth.expected);
                prop_assume!(b.birth.is_none() || is_expected(&a) == is_expected(&b));
                // A year alone, or its first day, is less than a date.
                a.birth.and_then(|birth| birth.date.whole()).is_some_and(|date| (date.month(), date.day()) != (1, 1))
            }
            2 => {
                agreeing.addresses.clone_from(&a.addresses);
                !standard(&a).homes.is_empty()
            }
            3 => {
                agreeing.sex = a.sex;
                a.sex.is_some()
            }
            4 => {
                agreeing.nhs_number.clone_from(&a.nhs_number);
                a.nhs_number.is_some()
            }
            5 => {
                agreeing.upn.clone_from(&a.upn);
                a.upn.as_ref().is_some_and(|upn| !upn.is_temporary())
            }
            _ => {
                agreeing.phones.clone_from(&a.phones);
                !a.phones.is_empty()
            }
        };
        prop_assume!(known);
        let a = standard(&a);
        let (before, after) = (model().compare(&a, &standard(&b)), model().compare(&a, &standard(&agreeing)));
        // Names in the wrong order are rarer by far than a common name, and may weigh a little more: docs/linkage.md.
        prop_assume!(field != 0 || before.fields.iter().all(|one| one.level != Level::Swapped || one.field == Field::Birth));
        prop_assert!(
            after.weight.bits() >= before.weight.bits() - 0.002,
            "{} became {}: {} became {}", before.weight.bits(), after.weight.bits(), explain(&before), explain(&after)
        );
    }

    #[test]
    fn linking_what_was_linked_changes_nobody(all in prop::collection::vec(any_details(), 2..14)) {
        let records: Vec<_> = all.into_iter().enumerate().map(|(i, details)| (record(i), details)).collect();
        let once = linked(&records, &[]).people;
        prop_assert_eq!(&once, &linked(&records, &[]).people);
        // And when a steward confirms every link that was made.
        let confirmed: Vec<_> = (0..records.len())
            .flat_map(|a| (a + 1..records.len()).map(move |b| (a, b)))
            .filter(|(a, b)| once[*a] == once[*b])
            .map(|(a, b)| Decision { a: record(a), b: record(b), verdict: Verdict::Link })
            .collect();
        prop_assert_eq!(once, linked(&records, &confirmed).people);
    }

    #[test]
    fn any_two_orders_of_any_changes_end_in_the_same_people(
        changes in prop::collection::vec((0..10usize, prop::option::of(any_details())), 1..30),
        seed in any::<u64>(),
    ) {
        // Changes of one record stay in their order; between records any order may happen. None removes a record.
        let mut straight = std::collections::BTreeMap::new();
        for (id, details) in &changes {
            straight.insert(*id, details.clone());
        }
        let mut queues: Vec<Vec<_>> = (0..10).map(|id| changes.iter().filter(|(of, _)| *of == id).collect()).collect();
        let (mut arrived, mut at) = (Vec::new(), seed);
        while queues.iter().any(|queue| !queue.is_empty()) {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let waiting: Vec<usize> = (0..10).filter(|id| !queues[*id].is_empty()).collect();
            let next = waiting[(at >> 33) as usize % waiting.len()];
            arrived.push(queues[next].remove(0).clone());
        }
        let mut store: Vec<(RecordId, Details)> = Vec::new();
        for (id, details) in arrived {
            store.retain(|(known, _)| *known != record(id));
            store.extend(details.map(|details| (record(id), details)));
        }
        let straight: Vec<_> =
            straight.into_iter().filter_map(|(id, details)| Some((record(id), details?))).collect();
        let (one, other) = (linked(&straight, &[]), linked(&store, &[]));
        prop_assert_eq!(grouping(&straight, &one.people), grouping(&store, &other.people));
    }

    #[test]
    fn evidence_adds_up_to_the_weight(a in any_details(), b in any_details()) {
        let comparison = model().compare(&standard(&a), &standard(&b));
        let fields: f64 = comparison.fields.iter().map(|field| field.weight.bits()).sum();
        let sum = fields + comparison.prior.bits() + comparison.family.bits() + comparison.calibration.bits();
        prop_assert!(comparison.family.bits() <= 0.0);
        prop_assert!((sum - comparison.weight.bits()).abs() < 0.01);
        prop_assert_eq!(comparison.band, model().band(comparison.weight));
    }

    #[test]
    fn people_are_the_same_whatever_the_order_of_records(
        records in prop::collection::vec(any_details(), 2..14).prop_map(|all| {
            all.into_iter().enumerate().map(|(i, details)| (record(i), details)).collect::<Vec<_>>()
        }).prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle())),
        never in any::<bool>(),
    ) {
        let (first, second) = records;
        let decisions: Vec<_> = never
            .then(|| Decision { a: record(0), b: record(1), verdict: Verdict::NeverLink })
            .into_iter()
            .collect();
        let (one, other) = (linked(&first, &decisions), linked(&second, &decisions));
        prop_assert_eq!(grouping(&first, &one.people), grouping(&second, &other.people));
        prop_assert_eq!(one.possible.len(), other.possible.len());
    }

    #[test]
    fn never_links_and_different_nhs_numbers_hold_in_any_crowd(
        all in prop::collection::vec(any_details(), 2..14),
    ) {
        let records: Vec<_> = all.into_iter().enumerate().map(|(i, details)| (record(i), details)).collect();
        let decisions = [Decision { a: record(0), b: record(1), verdict: Verdict::NeverLink }];
        let people = linked(&records, &decisions).people;
        prop_assert_ne!(people[0], people[1]);
        for (i, (_, a)) in records.iter().enumerate() {
            for (j, (_, b)) in records.iter().enumerate().skip(i + 1) {
                let differ = matches!((&a.nhs_number, &b.nhs_number), (Some(a), Some(b)) if a != b);
                prop_assert!(!(differ && people[i] == people[j]), "{i} and {j} have different NHS numbers");
            }
        }
    }

    #[test]
    fn resolving_does_not_depend_on_the_order_of_members_or_edges(
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        details in prop::collection::vec(any_details(), 8),
        edges in prop::collection::vec((0..8usize, 0..8usize, -2..20i32), 0..20),
    ) {
        let facts: Vec<_> = details.iter().map(|details| standard(details).facts()).collect();
        let place = |i: usize| order.iter().position(|at| *at == i).unwrap();
        let straight: Vec<Member<usize>> =
            (0..8).map(|i| Member { handle: i, facts: facts[i].clone() }).collect();
        let shuffled: Vec<Member<usize>> =
            order.iter().map(|i| Member { handle: *i, facts: facts[*i].clone() }).collect();
        let edge = |&(a, b, bits): &(usize, usize, i32)| Edge { a, b, weight: Weight::from_bits(f64::from(bits)) };
        let forth: Vec<Edge> = edges.iter().map(edge).collect();
        let back: Vec<Edge> =
            edges.iter().rev().map(|(a, b, bits)| edge(&(place(*b), place(*a), *bits))).collect();
        let one = resolve(model(), &straight, &forth, &[]).people;
        let other = resolve(model(), &shuffled, &back, &[]).people;
        let named: Vec<Vec<usize>> =
            other.into_iter().map(|group| group.into_iter().map(|at| order[at]).collect()).collect();
        prop_assert_eq!(one, named);
    }

    #[test]
    fn any_text_can_be_a_name_or_an_address(name in ".{0,60}", line in ".{0,80}") {
        let details = Details { names: vec![Name::current([name.clone()], name)], addresses: home(&line), ..Details::default() };
        let standard = standard(&details);
        let same = model().compare(&standard, &standard);
        prop_assert!(model().band(same.weight) >= Band::No);
        prop_assert!(fc_linkage::blocking_keys(&standard).len() <= fc_linkage::block::MOST_KEYS);
    }
}

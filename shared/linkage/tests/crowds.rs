//! Bad input: crowds, nonsense and emptiness. Nobody is merged with a crowd, nothing panics, and work stays near linear.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

mod people;

use fc_linkage::{blocking_keys, explain};
use fc_model::{BirthDate, Details, Name};
use people::{birth, home, linked, model, nhs, okafor, people, record, standard};
use std::collections::HashMap;

/// Records of the largest person.
fn largest(people: &[usize]) -> usize {
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    for person in people {
        *sizes.entry(*person).or_default() += 1;
    }
    sizes.into_values().max().unwrap_or(0)
}

#[test]
fn ten_thousand_people_of_one_name_and_birth_date_are_neither_quadratic_nor_one_person() {
    let mut records: Vec<_> = (0..10_000)
        .map(|i| {
            let addresses = home(&format!("{} High Street", i + 1));
            (record(i), Details { addresses, ..okafor("Amara", "2015-03-02") })
        })
        .collect();
    for i in [10_000, 10_001] {
        records.push((record(i), Details { nhs_number: Some(nhs(9)), ..okafor("Amara", "2015-03-02") }));
    }
    let linked = linked(&records, &[]);
    assert!(linked.compared < 20, "{} pairs compared", linked.compared);
    assert!(linked.saturated > 0);
    assert_eq!(linked.people[10_000], linked.people[10_001], "an identifier still links");
}

#[test]
fn one_nhs_number_on_five_thousand_records_merges_no_crowd() {
    let (forenames, surnames) = (["Amara", "Daniel", "Ruth", "Peter", "Zoe"], ["Okafor", "Smith", "Begum", "Nowak"]);
    let shared = |i: usize| {
        let born: fc_model::Date = "1960-01-01".parse().unwrap();
        let born = born.checked_add(std::time::Duration::from_secs(86_400 * i as u64)).unwrap();
        let names = vec![Name::current([forenames[i % 5]], surnames[i / 5 % 4])];
        (
            record(i),
            Details { nhs_number: Some(nhs(1)), birth: Some(BirthDate::born(born)), names, ..Details::default() },
        )
    };
    let records: Vec<_> = (0..5_000).map(shared).collect();
    let linked = linked(&records, &[]);
    let largest = (0..5_000).map(|p| linked.people.iter().filter(|q| **q == p).count()).max();
    assert_eq!(largest, Some(1));
    assert!(linked.saturated > 0);
}

#[test]
fn a_number_on_more_records_than_a_key_supports_says_nothing() {
    let of = |i: usize, born: &str, line: &str| Details {
        addresses: home(line),
        nhs_number: Some(nhs(1)),
        names: vec![Name::current(["Amara"], if i < 2 { "Okafor" } else { "Nowak" })],
        birth: birth(born),
        ..Details::default()
    };
    let mut records =
        vec![(record(0), of(0, "1960-03-02", "1 Mill Lane")), (record(1), of(1, "1974-03-02", "7 Dock Road"))];
    assert_eq!(linked(&records, &[]).people, [0, 0], "it is theirs");
    let others = 2..model().saturation() + 2;
    records.extend(others.map(|i| {
        let born = format!("{}-{:02}-{:02}", 1930 + i % 60, 1 + i % 12, 1 + i % 28);
        (record(i), of(i, &born, &format!("{i} High Street")))
    }));
    let linked = linked(&records, &[]);
    assert_ne!(linked.people[0], linked.people[1], "somebody typed it everywhere");
}

#[test]
fn absurd_records_harm_nobody() {
    let long = "Wolfeschlegelsteinhausen".repeat(500);
    let absurd = [
        Details::default(),
        Details { names: vec![Name::current([long.clone(), long.clone()], long.clone()); 50], ..Details::default() },
        Details { names: vec![Name::current(["שרה", "e\u{301}\u{327}\u{202e}"], "محمد")], ..Details::default() },
        Details { names: vec![Name::current(["A"], "B"), Name::current(["", " "], "'")], ..Details::default() },
        Details { addresses: home(&long), ..Details::default() },
        Details {
            addresses: ["", ",,,", "Flat", "Flat ,", "1", "1 a", "/", "St St", "\u{0}"]
                .iter()
                .flat_map(|l| home(l))
                .collect(),
            ..Details::default()
        },
    ];
    for a in &absurd {
        for b in &absurd {
            let comparison = model().compare(&standard(a), &standard(b));
            assert!(comparison.weight.bits().is_finite() && !explain(&comparison).is_empty());
        }
    }
    assert_eq!(people(absurd.to_vec()).len(), absurd.len());
}

#[test]
fn three_hundred_people_of_a_care_home_stay_three_hundred() {
    let forenames = "Amara Daniel Ruth Peter Zoe Ivy Walter Edna Harold Mabel Frank Doris Cyril Olive Percy Vera Stanley \
                     Hilda Ronald Beryl";
    let surnames = "Okafor Smith Begum Nowak Fletcher Iqbal Dunn Byrne Kowalski Price Gill Marsh Yates Lowe Hobbs";
    let word = |words: &str, at: usize| words.split_whitespace().nth(at).unwrap_or_default().to_owned();
    let resident = |i: usize| Details {
        names: vec![Name::current([word(forenames, i % 20)], word(surnames, i / 20))],
        birth: birth(&format!("{}-{:02}-{:02}", 1930 + i % 25, 1 + i % 12, 1 + i % 28)),
        addresses: home("1 Care Home Lane"),
        ..Details::default()
    };
    let mut records: Vec<_> = (0..300).map(|i| (record(i), resident(i))).collect();
    records.push((record(300), resident(7)));
    let linked = linked(&records, &[]);
    assert_eq!(largest(&linked.people), 2);
    assert_eq!(linked.people[7], linked.people[300], "somebody known twice is still found");
    assert!(linked.saturated > 0, "the home is reported");
    assert!(linked.compared < 20 * records.len(), "{} pairs compared", linked.compared);
}

#[test]
fn records_that_say_nothing_are_nobody_s() {
    let records: Vec<_> = (0..10_000).map(|i| (record(i), Details::default())).collect();
    let linked = linked(&records, &[]);
    assert_eq!((largest(&linked.people), linked.compared), (1, 0));
}

#[test]
fn people_whose_names_are_one_letter_are_kept_apart() {
    let of = |letter: char, day: usize| Details {
        names: vec![Name::current([letter.to_string()], "B")],
        birth: birth(&format!("1980-03-{day:02}")),
        addresses: home("2 High Street"),
        ..Details::default()
    };
    let all: Vec<_> = ('A'..='Z').enumerate().map(|(i, letter)| of(letter, i + 1)).collect();
    assert_eq!(largest(&people(all)), 1);
}

#[test]
fn names_in_any_script_are_compared_as_they_are_written() {
    let of = |forename: &str, surname: &str| Details {
        names: vec![Name::current([forename], surname)],
        ..okafor("", "2015-03-02")
    };
    // The same letters, once composed and once with a combining accent.
    assert_eq!(people(vec![of("Zoe\u{308}", "N\u{e9}meth"), of("Zo\u{eb}", "Ne\u{301}meth")]), [0, 0]);
    assert_eq!(people(vec![of("שרה", "כהן"), of("שרה", "כהן")]), [0, 0]);
    assert_eq!(people(vec![of("שרה", "כהן"), of("דוד", "לוי")]), [0, 1]);
}

#[test]
fn an_endless_name_costs_no_more_than_a_long_one() {
    let endless = Details {
        names: vec![Name::current(["x".repeat(1_000_000)], "y ".repeat(500_000))],
        ..okafor("", "2015-03-02")
    };
    let standard = standard(&endless);
    let letters: usize =
        standard.names.iter().flat_map(|name| name.forenames.iter().chain(&name.surnames)).map(String::len).sum();
    assert!(letters < 1_000, "{letters} letters are kept");
    assert!(blocking_keys(&standard).iter().all(|key| key.len() < 200));
}

//! What people see of a comparison: the waterfall, its picture, and the pages round it.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_linkage::{
    Model, Subject, link,
    page::{Outcome, Pair, pair_page, person_page},
    waterfall::{picture, waterfall},
};
use fc_model::{Address, BirthDate, Details, Name, NhsNumber, PartialDate, Postcode, RecordId};

fn subject(record: &str, forename: &str, born: &str, house: &str, nhs_number: Option<&str>) -> Subject {
    let details = Details {
        names: vec![Name::current([forename], "Okafor")],
        birth: PartialDate::parse_iso(born).ok().map(BirthDate::born),
        addresses: vec![Address {
            lines: vec![house.to_owned()],
            postcode: Postcode::parse("SK1 3XE").ok(),
            ..Address::default()
        }],
        nhs_number: nhs_number.map(|number| NhsNumber::parse(number).unwrap()),
        ..Details::default()
    };
    let (source, id) = record.split_once(':').unwrap();
    Subject::of(RecordId::new(source.parse().unwrap(), id), &details)
}

/// Amara's records: two sure of each other, and one of which her birth date is missing; and her twin's.
fn okafors() -> Vec<Subject> {
    vec![
        subject("children:17", "Amara", "2015-03-02", "2 High Street", Some("9434765919")),
        subject("schools:S4", "Amara", "2015-03-02", "2 High Street", Some("9434765919")),
        subject("housing:H9", "Amara", "", "2 High Street", None),
        subject("schools:S5", "Daniel", "2015-03-02", "2 High Street", None),
    ]
}

fn pair(a: &Subject, b: &Subject) -> Pair {
    Pair {
        a: a.record.to_string(),
        b: b.record.to_string(),
        comparison: Model::shipped().compare(&a.standard, &b.standard),
    }
}

#[test]
fn a_waterfall_ends_at_the_weight() {
    let records = okafors();
    for a in &records {
        for b in &records {
            let comparison = Model::shipped().compare(&a.standard, &b.standard);
            assert_eq!(waterfall(&comparison).last().unwrap().total, comparison.weight);
        }
    }
}

#[test]
fn the_picture_tells_in_words_all_that_it_shows() {
    let records = okafors();
    let Pair { comparison, .. } = pair(&records[0], &records[3]);
    let svg = picture(Model::shipped(), &comparison, "pair");
    let words = svg.split("<desc").nth(1).unwrap().split("</desc>").next().unwrap();
    for bar in waterfall(&comparison) {
        assert!(words.contains(bar.what) && words.contains(bar.seen), "{words}");
    }
    assert!(!svg.contains("<script") && svg.contains("aria-labelledby=\"pair-title pair-desc\""));
}

#[test]
fn a_page_about_two_records_says_why_they_are_apart() {
    let records = okafors();
    insta::assert_snapshot!(pair_page(Model::shipped(), &pair(&records[0], &records[3]), Outcome::Apart));
}

#[test]
fn a_page_about_a_person_names_the_weakest_link_first() {
    let records = okafors();
    let linked = link(Model::shipped(), &records, &[]);
    assert_eq!(linked.people, [0, 0, 0, 1]);
    let ties: Vec<Pair> =
        linked.ties(Model::shipped(), &records, 0).iter().map(|tie| pair(&records[tie.a], &records[tie.b])).collect();
    assert_eq!(ties.len(), 2, "three records are held by two links");
    assert!(ties[0].comparison.weight < ties[1].comparison.weight);
    let names: Vec<String> = records[..3].iter().map(|subject| subject.record.to_string()).collect();
    insta::assert_snapshot!(person_page(Model::shipped(), &names, &ties));
}

#[test]
fn a_record_s_id_cannot_write_on_the_page() {
    let records = okafors();
    let id = "housing:<b onclick=\"x\">&";
    let odd = Pair { a: id.to_owned(), ..pair(&records[0], &records[1]) };
    for page in [
        pair_page(Model::shipped(), &odd, Outcome::Together),
        person_page(Model::shipped(), &[id.to_owned()], std::slice::from_ref(&odd)),
    ] {
        assert!(!page.contains("<b ") && page.contains("housing:&lt;b onclick=&quot;x&quot;&gt;&amp;"), "{page}");
    }
}

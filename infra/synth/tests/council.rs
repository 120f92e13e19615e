//! A made-up council, read with the definitions that are shipped.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use fc_model::{Content, Details, NameKind, Postcode, Protection, SourceId, Staff};
use fc_sources::{Definitions, Entry, Field, Reason, Row, Skip};
use fc_synth::{FeedSummary, Options, Rates, Summary, demo, write_council, write_council_with};
use jiff::civil::{Date, date};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    path::{Path, PathBuf},
};

const TODAY: Date = date(2026, 3, 2);

/// A folder of its own for a test, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("fc-synth-{}-{name}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn council(folder: &Folder, people: u64, seed: u64, rates: &Rates) -> Summary {
    let options = Options { people, seed, out: folder.0.clone(), today: TODAY };
    write_council_with(&options, rates, &mut |_| ()).unwrap()
}

fn definitions() -> Definitions {
    Definitions::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../sources")).unwrap()
}

fn files(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())).collect()
}

/// What the shipped definition makes of one file.
#[derive(Default)]
struct Read {
    used: u64,
    skipped: BTreeMap<Skip, u64>,
    rejected: Vec<Reason>,
    /// Blanked values: field or column, and why.
    problems: Vec<(Option<Field>, String, Reason)>,
    people: BTreeMap<String, Details>,
    staff: BTreeMap<String, Staff>,
}

fn read(definitions: &Definitions, summary: &FeedSummary) -> Read {
    let source: SourceId = summary.source.parse().unwrap();
    let feed = definitions.get(&source).unwrap().feed(&summary.feed.parse().unwrap()).unwrap();
    let mut read = Read::default();
    for row in feed.reader(File::open(&summary.path).unwrap(), TODAY).unwrap() {
        match row.unwrap() {
            Row::Used { records, problems, .. } => {
                read.used += 1;
                read.problems.extend(problems.into_iter().map(|p| (p.field, p.column, p.reason)));
                for (id, entry) in records {
                    match entry {
                        Entry::Present(Content::Person(details)) => read.people.entry(id).or_default().merge(*details),
                        Entry::Present(Content::Staff(staff)) => drop(read.staff.insert(id, *staff)),
                        Entry::Gone => panic!("a full extract deletes nothing"),
                    }
                }
            }
            Row::Skipped { reason, .. } => *read.skipped.entry(reason).or_default() += 1,
            Row::Rejected { reason, .. } => read.rejected.push(reason),
        }
    }
    read
}

/// The feed of a council, read.
fn source(summary: &Summary, source: &str, feed: &str) -> Read {
    let found = summary.feeds.iter().find(|f| f.source == source && f.feed == feed).unwrap();
    read(&definitions(), found)
}

fn truth(folder: &Folder) -> Vec<[String; 5]> {
    let text = fs::read_to_string(folder.0.join("truth.csv")).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    text.lines().skip(1).map(cells).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_another_council() {
    let (first, again, other) = (Folder::new("first"), Folder::new("again"), Folder::new("other"));
    for (folder, seed) in [(&first, 5), (&again, 5), (&other, 6)] {
        council(folder, 600, seed, &Rates::default());
    }
    assert!(files(&first) == files(&again));
    let (first, other) = (files(&first), files(&other));
    assert!(first.keys().eq(other.keys()));
    for (file, bytes) in &first {
        assert!(bytes != &other[file], "{file} does not depend on the seed");
    }
}

#[test]
fn a_council_has_exactly_the_people_asked_for() {
    for people in [50, 777, 2_000] {
        let folder = Folder::new(&format!("exactly-{people}"));
        let mut heard = 0;
        let options = Options { people, seed: 3, out: folder.0.clone(), today: TODAY };
        let summary = write_council(&options, &mut |done| heard = done).unwrap();
        assert_eq!((summary.people, heard), (people, people));
    }
}

#[test]
fn there_is_one_extract_for_every_shipped_feed() {
    let folder = Folder::new("feeds");
    let summary = council(&folder, 300, 3, &Rates::default());
    let written: BTreeSet<(String, String)> =
        summary.feeds.iter().map(|feed| (feed.source.to_owned(), feed.feed.to_owned())).collect();
    let shipped = definitions();
    let shipped: BTreeSet<(String, String)> = shipped
        .iter()
        .flat_map(|definition| {
            definition.feeds.iter().map(|feed| (definition.source.to_string(), feed.feed.to_string()))
        })
        .collect();
    assert_eq!(written, shipped);
    for feed in &summary.feeds {
        let only = summary.feeds.iter().filter(|other| other.source == feed.source).count() == 1;
        let file = if only { format!("{}.csv", feed.source) } else { format!("{}-{}.csv", feed.source, feed.feed) };
        assert_eq!(feed.file, file);
    }
}

#[test]
fn every_row_is_used_skipped_or_rejected_as_it_was_meant() {
    let folder = Folder::new("rows");
    let rates = Rates { unusable_row: 0.01, ..Rates::default() };
    let summary = council(&folder, 3_000, 8, &rates);
    let definitions = definitions();
    for feed in &summary.feeds {
        let read = read(&definitions, feed);
        let skipped = |reason| read.skipped.get(&reason).copied().unwrap_or_default();
        let file = &feed.file;
        assert_eq!(read.used, feed.used, "{file}: used");
        assert_eq!(skipped(Skip::Blank), feed.blank, "{file}: blank");
        assert_eq!(skipped(Skip::RepeatedHeader), feed.repeated_headers, "{file}: headers");
        assert_eq!(skipped(Skip::Totals), feed.totals, "{file}: totals");
        assert_eq!(read.rejected, vec![Reason::NobodyToName; feed.unusable as usize], "{file}: rejected");
    }
    assert!(summary.feeds.iter().any(|feed| feed.unusable > 0));
    assert!(summary.feeds.iter().any(|feed| feed.repeated_headers > 0));
}

#[test]
fn nhs_numbers_fail_their_check_only_where_they_were_mistyped() {
    let folder = Folder::new("nhs");
    let rates = Rates { wrong_nhs_number: 0.05, ..Rates::default() };
    let summary = council(&folder, 3_000, 9, &rates);
    let definitions = definitions();
    for feed in &summary.feeds {
        let failed = read(&definitions, feed)
            .problems
            .into_iter()
            .filter(|p| p.0 == Some(Field::NhsNumber) && p.2 == Reason::CheckDigit);
        assert_eq!(failed.count() as u64, feed.wrong_nhs_numbers, "{}", feed.file);
    }
    assert!(summary.feeds.iter().map(|feed| feed.wrong_nhs_numbers).sum::<u64>() > 20);
}

#[test]
fn without_mistakes_not_one_value_is_lost_in_reading() {
    let folder = Folder::new("clean");
    let summary = council(&folder, 2_000, 10, &Rates::clean());
    let definitions = definitions();
    for feed in &summary.feeds {
        assert_eq!(read(&definitions, feed).problems, [], "{}", feed.file);
    }
}

#[test]
fn the_truth_names_every_record_once() {
    let folder = Folder::new("truth");
    let summary = council(&folder, 2_000, 11, &Rates::default());
    let definitions = definitions();
    let mut records = BTreeSet::new();
    for feed in &summary.feeds {
        let read = read(&definitions, feed);
        records.extend(read.people.into_keys().map(|id| (feed.source.to_owned(), id)));
    }
    let truth = truth(&folder);
    let named: BTreeSet<_> = truth.iter().map(|[source, id, ..]| (source.clone(), id.clone())).collect();
    assert_eq!(named.len(), truth.len());
    assert!(named == records);
    assert_eq!(summary.records, truth.len() as u64);
}

#[test]
fn services_touch_people_as_they_do_in_a_city() {
    let folder = Folder::new("shares");
    let people = 20_000;
    council(&folder, people, 12, &Rates::default());
    let mut known: HashMap<String, BTreeSet<String>> = HashMap::new();
    for [source, _, person, ..] in truth(&folder) {
        known.entry(source).or_default().insert(person);
    }
    // Shares of everybody: 22% are of school age, 75% adults.
    for (source, low, high) in [
        ("children_social_care", 0.03, 0.08),
        ("schools", 0.12, 0.24),
        ("housing", 0.18, 0.32),
        ("adult_social_care", 0.02, 0.045),
        ("police", 0.03, 0.065),
        ("youth_justice", 0.0004, 0.004),
    ] {
        let share = known[source].len() as f64 / people as f64;
        assert!((low..=high).contains(&share), "{source}: {share:.4}");
    }
}

#[test]
fn the_demonstration_family_is_in_every_council() {
    for seed in [1, 99] {
        let folder = Folder::new(&format!("demo-{seed}"));
        let summary = council(&folder, 500, seed, &Rates::default());
        let children = source(&summary, "children_social_care", "people").people;
        let relationships = source(&summary, "children_social_care", "relationships").people;
        let by_case = |case: &str| {
            let mut found = children.iter().filter(|(_, d)| d.case_id.as_ref().is_some_and(|id| id.as_str() == case));
            let (id, details) = found.next().unwrap();
            assert!(found.next().is_none());
            (id.as_str(), details)
        };
        let name = |details: &Details| details.names[0].display();

        let (posy, details) = by_case(demo::CASE_ID);
        assert_eq!((posy, name(details).as_str()), (demo::CHILD_PERSON_ID, "Posy Wintersgill"));
        assert_eq!(details.birth.unwrap().date.whole(), Some(demo::child_born(TODAY)));
        assert_eq!(details.birth.unwrap().age_on(TODAY), Some(demo::CHILD_AGE as u16));
        assert_eq!(details.allocated[0].as_str(), demo::SOCIAL_WORKER_ID);
        assert_eq!(by_case(demo::SIBLING_CASE_ID).1.birth.unwrap().age_on(TODAY), Some(demo::SIBLING_AGE as u16));
        let (mother, details) = by_case(demo::MOTHER_CASE_ID);
        assert!(details.names.iter().any(|n| n.kind == NameKind::Former && n.surname == demo::MOTHER_FORMER_SURNAME));
        assert_eq!(by_case(demo::WITHHELD_CASE_ID).1.protection, Protection::Withheld);
        let (hidden, details) = by_case(demo::HIDDEN_CASE_ID);
        assert_eq!((hidden, details.protection), (demo::HIDDEN_PERSON_ID, Protection::Hidden));
        assert!(by_case(demo::UNBORN_CASE_ID).1.birth.unwrap().expected);
        assert_eq!(name(by_case(demo::CANARY_CASE_ID).1), "Zephyrine Quillfeather-Canary");

        let words = |other: &str| {
            let found = relationships[posy].relationships.iter().find(|r| r.related == other);
            found.map(|r| r.words.as_str())
        };
        assert_eq!(words(mother), Some("Mother"));
        assert_eq!(words(by_case(demo::SIBLING_CASE_ID).0), Some("Sibling"));
        assert_eq!(words(by_case(demo::STEPFATHER_CASE_ID).0), Some("Stepfather"));

        let housing = source(&summary, "housing", "people").people;
        let tenant = |forename: &str| {
            let found =
                housing.values().find(|d| d.names[0].display() == format!("{forename} {}", demo::CHILD_SURNAME));
            found.unwrap().involvements[0].clone()
        };
        let officer = tenant(demo::SIBLING_FORENAME).contact;
        assert_eq!(officer.name.as_deref(), Some(demo::HOUSING_OFFICER));
        assert_eq!(officer.phone.unwrap().display(), demo::HOUSING_OFFICER_PHONE);
        let facts = tenant(demo::MOTHER_FORENAME).facts;
        assert!(facts.iter().any(|fact| fact.name == "rent_arrears" && fact.value == "Open"));

        let adults = source(&summary, "adult_social_care", "people").people;
        let grandmother = adults.values().find(|d| d.names[0].display() == "Philippa Wintersgill").unwrap();
        let worker = &grandmother.involvements[0].contact;
        assert_eq!((worker.name.as_deref(), &worker.phone), (Some(demo::ADULT_WORKER), &None));
        let staff = source(&summary, "staff_directory", "staff").staff;
        let in_directory = &staff[worker.staff_id.as_ref().unwrap().as_str()].contact;
        assert_eq!(in_directory.phone.as_ref().unwrap().display(), demo::ADULT_WORKER_PHONE);

        let pupils = source(&summary, "schools", "people").people;
        let pupil = pupils.values().find(|d| d.names[0].display() == "Posy Wintersgill").unwrap();
        assert_eq!(pupil.involvements[0].organisation.as_deref(), Some(demo::SCHOOL));
        assert_eq!(summary.try_first[0].case_id, demo::CASE_ID);
    }
}

#[test]
fn the_smallest_council_has_families_of_every_shape() {
    let folder = Folder::new("shapes");
    let summary = council(&folder, 2_000, 13, &Rates::default());
    let kin = source(&summary, "children_social_care", "relationships").people;
    let words: BTreeSet<&str> = kin.values().flat_map(|d| &d.relationships).map(|r| r.words.as_str()).collect();
    for wanted in ["Mother", "Father", "Stepfather", "Half-sibling", "Grandmother", "Foster carer", "Adoptive parent"] {
        assert!(words.contains(wanted), "nobody's {wanted}");
    }
    let children = source(&summary, "children_social_care", "people").people;
    assert!(children.values().any(|d| d.addresses.iter().any(|a| a.confidential)));
    assert!(children.values().any(|d| d.birth.is_some_and(|b| b.expected)));

    let mut residents: HashMap<String, u64> = HashMap::new();
    for person in source(&summary, "adult_social_care", "people").people.values() {
        if let Some(line) = person.addresses.first().and_then(|address| address.lines.first()) {
            *residents.entry(line.clone()).or_default() += 1;
        }
    }
    assert!(residents.values().any(|people| *people >= 20), "no care home");

    let adults = source(&summary, "adult_social_care", "people").people;
    let mover =
        adults.values().flat_map(|d| &d.addresses).find(|address| address.from.is_some() && address.to.is_some());
    assert!(mover.is_some(), "nobody moved");
}

#[test]
fn an_adopted_child_is_two_people_who_must_never_be_linked() {
    let folder = Folder::new("adoption");
    let summary = council(&folder, 2_000, 14, &Rates::default());
    let person: HashMap<String, String> = truth(&folder)
        .into_iter()
        .filter(|t| t[0] == "children_social_care")
        .map(|[_, id, person, ..]| (id, person))
        .collect();
    let children = source(&summary, "children_social_care", "people").people;
    let mut adopted = 0;
    for (id, details) in &children {
        for other in &details.never_link {
            assert_ne!(person[id], person[other]);
            assert!(details.protection > Protection::None);
            adopted += 1;
        }
    }
    assert!(adopted >= 2);
}

#[test]
fn over_half_of_adult_social_care_lacks_the_workers_phone_and_every_worker_is_in_the_directory() {
    let folder = Folder::new("workers");
    let summary = council(&folder, 5_000, 15, &Rates::default());
    let staff = source(&summary, "staff_directory", "staff").staff;
    assert!(staff.values().any(|worker| worker.left.is_some()), "no leavers");
    let adults = source(&summary, "adult_social_care", "people").people;
    let contacts: Vec<_> = adults.values().flat_map(|d| &d.involvements).map(|i| &i.contact).collect();
    let without = contacts.iter().filter(|contact| contact.phone.is_none() && contact.email.is_none()).count();
    assert!(without * 2 > contacts.len(), "{without} of {}", contacts.len());
    for feed in ["children_social_care", "adult_social_care", "youth_justice"] {
        for details in source(&summary, feed, "people").people.values() {
            for id in details.involvements.iter().filter_map(|involvement| involvement.contact.staff_id.as_ref()) {
                assert!(staff.contains_key(id.as_str()), "{feed}");
            }
        }
    }
}

#[test]
fn nobody_real_can_be_rung_written_to_or_visited() {
    let folder = Folder::new("fictional");
    let summary = council(&folder, 2_000, 16, &Rates::default());
    let definitions = definitions();
    for feed in &summary.feeds {
        let read = read(&definitions, feed);
        let contacts = read.people.values().flat_map(|d| &d.involvements).map(|i| &i.contact);
        let contacts: Vec<_> = contacts.chain(read.staff.values().map(|worker| &worker.contact)).collect();
        let phones =
            contacts.iter().filter_map(|c| c.phone.as_ref()).chain(read.people.values().flat_map(|d| &d.phones));
        for phone in phones {
            let phone = phone.display();
            let drama = ["0161 496 0", "020 7946 0", "07700 900"].iter().any(|range| phone.starts_with(range));
            assert!(drama, "{phone} in {}", feed.file);
        }
        let emails = contacts.iter().flat_map(|c| c.email.iter().chain(&c.team_inbox));
        for email in emails.chain(read.people.values().flat_map(|d| &d.emails)) {
            assert!(email.as_str().ends_with(".example"), "{} in {}", email.as_str(), feed.file);
        }
        for postcode in read.people.values().flat_map(|d| &d.addresses).filter_map(|a| a.postcode.as_ref()) {
            assert!(Postcode::as_str(postcode).starts_with('Q'), "{}", postcode.as_str());
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = Folder::new("refused");
    fs::write(&folder.0, "a file stands here").unwrap();
    let options = Options { people: 50, seed: 1, out: folder.0.join("below"), today: TODAY };
    let error = write_council(&options, &mut |_| ()).unwrap_err();
    assert!(error.to_string().starts_with("cannot write"), "{error}");
    fs::remove_file(&folder.0).unwrap();
}

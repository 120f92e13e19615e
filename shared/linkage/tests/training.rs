//! Training: what a council's own extracts teach, without anybody saying who is who.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_linkage::{Field, Level, ModelFile, Proof, Subject, Training, Untrainable, calibrate, train};
use fc_model::{Address, BirthDate, Details, Name, PartialDate, Postcode, RecordId};

/// Records of a city made up on the spot: each person once in schools and once in housing.
fn city(people: usize) -> Vec<Subject> {
    let syllables =
        ["ka", "lo", "mi", "tre", "van", "sel", "dor", "bri", "qui", "nash", "pel", "wix", "gor", "thu", "zed", "fal"];
    // Spread, so that neither name follows from the other, nor from the birth date.
    let pick = |seed: usize, at: usize| syllables[((seed * 2_654_435_761) >> (4 * at + 5)) % 16];
    let person = |i: usize| {
        let forename = format!("{}{}", pick(i, 0), pick(i, 1));
        let surname = format!("{}{}{}", pick(i + 7, 2), pick(i + 7, 3), pick(i + 7, 4));
        let born = format!("{}-{:02}-{:02}", 1950 + i * 31 % 70, 1 + i * 17 % 12, 1 + i * 13 % 28);
        let address = Address {
            lines: vec![format!("{} {} Street", 1 + i * 19 % 90, pick(i / 3, 1))],
            postcode: Postcode::parse(&format!("SK{} {}XE", 1 + i / 900 % 9, 1 + i / 100 % 9)).ok(),
            ..Address::default()
        };
        (forename, surname, born, address)
    };
    let record = |i: usize, source: &str| {
        let (forename, surname, born, address) = person(i);
        // In housing one surname in ten is another, and one birth date in twenty is missing.
        let elsewhere = source == "housing";
        let surname = if elsewhere && i % 10 == 3 { format!("zz{surname}") } else { surname };
        let details = Details {
            names: vec![Name::current([forename], surname)],
            birth: PartialDate::parse_iso(&born).ok().map(BirthDate::born).filter(|_| !(elsewhere && i % 20 == 4)),
            addresses: vec![address],
            ..Details::default()
        };
        Subject::of(RecordId::new(source.parse().unwrap(), format!("{i}")), &details)
    };
    (0..people).flat_map(|i| [record(i, "schools"), record(i, "housing")]).collect()
}

fn quick() -> Training {
    Training { random_pairs: 100_000, ..Training::default() }
}

#[test]
fn what_a_council_s_records_have_in_common_is_learnt_from_them() {
    let trained = train(&ModelFile::shipped(), &city(3_000), &quick()).unwrap();
    let m = |field: Field, level: Level| trained.levels[&field][&level][0];
    assert!((m(Field::Surname, Level::Same) - 0.9).abs() < 0.03, "{}", m(Field::Surname, Level::Same));
    assert!(m(Field::Forename, Level::Same) > 0.97);
    assert!((trained.matches_a_record - 1.0).abs() < 0.1, "{}", trained.matches_a_record);
    let provenance = trained.provenance.unwrap();
    assert_eq!(provenance.records, 6_000);
    assert_eq!(provenance.started_from, ModelFile::shipped().version);
}

#[test]
fn the_order_of_records_teaches_nothing() {
    let mut records = city(1_000);
    let one = train(&ModelFile::shipped(), &records, &quick()).unwrap();
    records.reverse();
    records.rotate_left(611);
    assert_eq!(one, train(&ModelFile::shipped(), &records, &quick()).unwrap());
}

#[test]
fn a_trained_model_is_read_back_as_it_was_written() {
    let trained = train(&ModelFile::shipped(), &city(1_000), &quick()).unwrap();
    assert_eq!(ModelFile::parse(&trained.to_string()).unwrap().to_string(), trained.to_string());
}

#[test]
fn too_little_to_learn_from_is_said_plainly() {
    let few = train(&ModelFile::shipped(), &city(20), &quick()).unwrap_err();
    assert!(matches!(few, Untrainable::Records { given: 40 }));
    assert!(few.to_string().contains("at least 1000"), "{few}");
    let schools_only: Vec<Subject> =
        city(2_000).into_iter().filter(|subject| subject.record.source.as_str() == "schools").collect();
    let strangers = train(&ModelFile::shipped(), &schools_only, &quick()).unwrap_err();
    assert!(matches!(strangers, Untrainable::Matches { .. }), "{strangers}");
}

#[test]
fn a_name_that_few_records_have_is_not_in_the_file() {
    let mut records = city(1_000);
    let named = |i: usize, surname: &str| {
        let details = Details { names: vec![Name::current(["Ann"], surname)], ..Details::default() };
        Subject::of(RecordId::new("police".parse().unwrap(), format!("{surname}{i}")), &details)
    };
    records.extend((0..29).map(|i| named(i, "Wintersgill")));
    records.extend((0..30).map(|i| named(i, "Khan")));
    let trained = train(&ModelFile::shipped(), &records, &quick()).unwrap();
    let listed = |name: &str| trained.surnames.iter().any(|(_, names)| names.split(' ').any(|known| known == name));
    assert!(listed("khan") && !listed("wintersgill"));
}

#[test]
fn a_field_that_is_kept_keeps_its_rows() {
    let start = ModelFile::shipped();
    let training = Training { keep: vec![Field::Surname], ..quick() };
    let trained = train(&start, &city(1_000), &training).unwrap();
    for level in [Level::Same, Level::Close, Level::Differ] {
        for (kept, given) in trained.levels[&Field::Surname][&level].iter().zip(start.levels[&Field::Surname][&level]) {
            assert!((kept / given - 1.0).abs() < 0.01, "{level:?}: {kept}, {given}");
        }
    }
}

#[test]
fn with_the_truth_at_hand_probabilities_are_set_to_what_they_turn_out_to_be() {
    let records = city(1_000);
    // Everybody who looks alike is somebody else: whatever is promised is too much.
    let nobody: Vec<Option<usize>> = (0..records.len()).map(Some).collect();
    let humbled = calibrate(&ModelFile::shipped(), &records, &nobody).unwrap();
    let after = humbled.calibration[&Proof::Weighed].at(5.0);
    assert!(after < 0.0, "five bits became {after}");
    let unknown: Vec<Option<usize>> = vec![None; records.len()];
    let same = calibrate(&ModelFile::shipped(), &records, &unknown).unwrap();
    assert!((same.calibration[&Proof::Weighed].at(5.0) - 5.0).abs() < 1e-9, "nothing is known of anybody");
}

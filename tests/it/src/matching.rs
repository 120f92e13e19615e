//! Matching: records become people, whatever the order, the repeats and the crashes.

use crate::matching_harness::{Council, Told, died, reading, record};
use fc_matching::{Rebuilt, Report};
use fc_model::{Address, Change, Details, PersonView, Protection, Summary, Uprn, person::ViewRecord, search_keys};
use fc_store::{
    Guard, Item, Key,
    people::{self, Standing},
    people_reads,
    records::REMEMBERED_SECONDS,
};
use std::collections::BTreeSet;

const MAYA_NHS: &str = "9990001006";
const LEO_NHS: &str = "9990001375";

/// Maya Okafor, as five systems know her: a nickname, a letter wrong, day and month swapped, no birth date at all.
fn maya() -> [Told; 5] {
    let home = |told: Told| told.at("12 Mill Lane", "SK1 3XE");
    [
        home(record("children_social_care", "C1").named("Maya", "Okafor").born("2014-03-09").nhs(MAYA_NHS)),
        home(record("schools", "S1").named("Maya Ifeoma", "Okafor").born("2014-03-09")),
        home(record("youth_justice", "Y1").named("Maya", "Okafor").born("2014-09-03")),
        home(record("housing", "H1").named("Maya", "Okafor")).nhs(MAYA_NHS),
        home(record("adult_social_care", "A1").named("Maya", "Okafar").born("2014-03-09")),
    ]
}

/// Her brother Leo, at the same address.
fn leo() -> [Told; 2] {
    let home = |told: Told| told.at("12 Mill Lane", "SK1 3XE");
    [
        home(record("children_social_care", "C2").named("Leo", "Okafor").born("2016-11-21").nhs(LEO_NHS)),
        home(record("schools", "S2").named("Leo", "Okafor").born("2016-11-21")),
    ]
}

fn family() -> Vec<Told> {
    let mut maya = maya();
    maya[0] = maya[0].clone().related("C2", "Sibling");
    let mut leo = leo();
    leo[0] = leo[0].clone().related("C1", "Sibling");
    maya.into_iter().chain(leo).collect()
}

fn tonight(told: impl IntoIterator<Item = Told>) -> Vec<Change> {
    told.into_iter().map(Told::tonight).collect()
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.roll(i + 1));
        }
    }
}

#[tokio::test]
async fn five_systems_know_one_child_and_her_brother_is_another() {
    let council = Council::new().await;
    council.apply(tonight(family())).await;
    let maya = council.view("children_social_care", "C1").await;
    assert_eq!(maya.records.len(), 5);
    assert_eq!(maya.summary.name.display(), "Maya Okafor");
    assert_eq!(maya.summary.address.as_ref().unwrap().display(), "12 Mill Lane, SK1 3XE");
    let (cms, others): (Vec<_>, Vec<_>) =
        maya.records.iter().partition(|record| record.source.as_str() == "children_social_care");
    assert!(others.iter().all(|record| !record.explanation.is_empty() && record.confidence > 0.5));
    assert!(cms.iter().all(|record| record.explanation.is_empty()), "no source shown at some ages only is its reason");
    let leo = council.view("children_social_care", "C2").await;
    assert_eq!(leo.records.len(), 2);
    assert_eq!(leo.relationships[0].value.related, council.handle("children_social_care", "C1"));
    assert!(leo.relationships[0].value.relationship.related.is_empty(), "the handle stands for the record id");
}

#[tokio::test]
async fn the_people_are_the_same_in_whatever_order_the_records_come() {
    let changes = tonight(family());
    let first = Council::new().await;
    first.apply(changes.clone()).await;
    let expected = first.everything().await;
    let mut dice = Dice(1);
    for _ in 0..6 {
        let mut changes = changes.clone();
        dice.shuffle(&mut changes);
        let council = Council::new().await;
        council.apply(changes).await;
        assert!(council.everything().await == expected);
    }
    let at_once = Council::new().await;
    at_once.worker().apply(changes).await.unwrap();
    assert!(at_once.everything().await == expected, "one part or many");
}

#[tokio::test]
async fn a_message_that_comes_twice_changes_nothing_and_writes_nothing_to_people() {
    let council = Council::new().await;
    let changes = tonight(family());
    council.worker().apply(changes.clone()).await.unwrap();
    let (before, records) = (council.everything().await, council.records().await);
    let worker = council.worker();
    let report = worker.apply(changes.clone()).await.unwrap();
    assert_eq!(report, Report { repeated: changes.len() as u64, ..Report::default() });
    assert_eq!(worker.store.people.meter().reading().write_units, 0.0);
    assert_eq!(worker.store.records.meter().reading().write_units, 0.0);
    assert!(council.everything().await == before && council.records().await == records);
}

#[tokio::test]
async fn yesterdays_record_after_todays_changes_nothing() {
    let council = Council::new().await;
    let yesterday = record("schools", "S1").named("Maya", "Okafor").born("2014-03-09").tonight();
    let today = record("schools", "S1").named("Maya", "Okafor-Lund").born("2014-03-09").tonight();
    council.apply([today]).await;
    let before = council.everything().await;
    assert_eq!(council.apply([yesterday]).await, Report { older: 1, ..Report::default() });
    assert!(council.everything().await == before);
}

#[tokio::test]
async fn a_record_that_leaves_is_gone_everywhere() {
    let council = Council::new().await;
    council.apply(tonight(leo())).await;
    let without = council.everything().await;
    let canary =
        record("housing", "H9").named("Zephyrine", "Quillfeather").born("1980-02-01").at("9 Far Road", "SK9 9ZZ");
    council.apply([canary.clone().tonight()]).await;
    let person = council.person_of("housing", "H9").await.unwrap();
    assert!(council.everything().await != without);
    council.apply([canary.clone().left()]).await;
    assert!(council.everything().await == without);
    assert_eq!(council.standing(&person).await, Standing::Gone);
    assert!(council.person_of("housing", "H9").await.is_none());
    for (pk, sk, data) in council.records().await {
        assert!(
            !data.to_lowercase().contains("quillfeather") && !sk.contains(council.handle("housing", "H9").as_str())
        );
        assert!(!pk.starts_with("KEY#") || !data.contains("zephyrine"));
    }
    // The tombstone outlives the longest redrive, and then counts no more.
    council.wait_days(REMEMBERED_SECONDS / 86_400 - 1);
    let late = Change { seq: fc_model::Seq { load: 0, ..canary.clone().tonight().seq }, ..canary.clone().tonight() };
    assert_eq!(council.apply([late]).await.older, 1);
    council.wait_days(2);
    council.apply([canary.tonight()]).await;
    assert!(council.person_of("housing", "H9").await.is_some_and(|back| back != person));
}

#[tokio::test]
async fn a_removal_that_comes_before_its_record_stops_the_older_and_not_the_newer() {
    let council = Council::new().await;
    let told = record("schools", "S1").named("Maya", "Okafor").born("2014-03-09");
    let older = told.clone().tonight();
    let mut removal = told.clone().left();
    // All that ingest knows of a record that has left is its handle.
    removal.record.id.clear();
    council.apply([removal, older]).await;
    assert!(council.person_of("schools", "S1").await.is_none());
    council.apply([told.tonight()]).await;
    assert_eq!(council.view("schools", "S1").await.records[0].id, "S1");
}

#[tokio::test]
async fn when_the_record_that_held_two_together_goes_they_part_again() {
    let council = Council::new().await;
    let school = record("schools", "S1").named("Maya", "Okafor").born("2014-03-09").at("1 Old Street", "SK2 1AA");
    let housing = record("housing", "H1").named("Maya", "Oakford").at("12 Mill Lane", "SK1 3XE").nhs(MAYA_NHS);
    let cms = record("children_social_care", "C1")
        .named("Maya", "Okafor")
        .born("2014-03-09")
        .at("1 Old Street", "SK2 1AA")
        .nhs(MAYA_NHS);
    council.apply(tonight([school.clone(), housing.clone()])).await;
    let apart = council.everything().await;
    assert!(council.person_of("schools", "S1").await != council.person_of("housing", "H1").await);
    council.apply([cms.clone().tonight()]).await;
    let one = council.person_of("schools", "S1").await;
    assert!(one.is_some() && one == council.person_of("housing", "H1").await, "the case system knows both");
    council.apply([cms.left()]).await;
    assert!(council.everything().await == apart);
}

#[tokio::test]
async fn a_merged_persons_old_link_leads_on() {
    let council = Council::new().await;
    let [first, _, _, second, _] = maya();
    let alone = record("housing", "H1").named("Ifeoma", "Okafor").at("9 Far Road", "SK9 9ZZ");
    council.apply([first.tonight(), alone.tonight()]).await;
    let (kept, lost) = (
        council.person_of("children_social_care", "C1").await.unwrap(),
        council.person_of("housing", "H1").await.unwrap(),
    );
    assert_ne!(kept, lost);
    council.apply([second.tonight()]).await;
    let now = council.person_of("housing", "H1").await.unwrap();
    assert_eq!(council.person_of("children_social_care", "C1").await.unwrap(), now);
    let gone = if now == kept { lost } else { kept };
    assert_eq!(council.standing(&gone).await, Standing::MovedTo(now));
}

#[tokio::test]
async fn a_chain_of_likenesses_is_not_one_person() {
    let council = Council::new().await;
    let home = |told: Told| told.at("7 Park View", "SK3 0AA");
    council
        .apply(tonight([
            home(record("housing", "H1").named("John", "Baker").born("1961-05-05").nhs(MAYA_NHS)),
            home(record("adult_social_care", "A1").named("John", "Baker")),
            home(record("youth_justice", "Y1").named("John", "Baker").born("1999-08-17").nhs(LEO_NHS)),
        ]))
        .await;
    assert!(council.person_of("housing", "H1").await != council.person_of("youth_justice", "Y1").await);
}

#[tokio::test]
async fn a_newborn_gets_a_name_and_stays_the_same_child() {
    let council = Council::new().await;
    let baby = || record("children_social_care", "C7").at("12 Mill Lane", "SK1 3XE");
    council.apply([baby().named("Unborn", "Okafor").expected("2026-04-01").tonight()]).await;
    let before = council.person_of("children_social_care", "C7").await.unwrap();
    council.apply([baby().named("Ada", "Okafor").born("2026-03-28").nhs(LEO_NHS).tonight()]).await;
    let view = council.view("children_social_care", "C7").await;
    assert_eq!((view.id, view.summary.name.display().as_str()), (before, "Ada Okafor"));
    assert!(!council.everything().await.iter().any(|(_, sk, _)| sk.contains("unborn")), "no entry of the old name");
}

#[tokio::test]
async fn an_adopted_childs_two_identities_are_never_linked() {
    let council = Council::new().await;
    let [first, second, ..] = maya();
    let old = first.clone().with(|details| details.never_link = vec!["C8".into()]).tonight();
    let new = record("children_social_care", "C8").with(|details| *details = first.details.clone()).tonight();
    council.apply([new, old, second.tonight()]).await;
    let (old, new) =
        (council.person_of("children_social_care", "C1").await, council.person_of("children_social_care", "C8").await);
    assert!(old.is_some() && new.is_some() && old != new);
}

#[tokio::test]
async fn what_links_an_identity_does_not_hang_on_when_the_other_named_it() {
    let rowan = |source: &str, id: &str, at: &str| {
        record(source, id).named("Rowan", "Cressingham").born("2016-05-04").at(at, &format!("SK{} 1AA", at.len()))
    };
    // The new identity says nothing of the old one, which names it.
    let new = || rowan("children_social_care", "C8", "75 Castle Street").tonight();
    let school = || rowan("schools", "S8", "1 Low Road").tonight();
    let old = || {
        let old = record("children_social_care", "C7").named("Alfie", "Thornbury").born("2016-05-04");
        old.with(|details| details.never_link = vec!["C8".into()]).tonight()
    };
    let mut ends = Vec::new();
    for order in
        [[new(), school(), old()], [old(), new(), school()], [new(), old(), school()], [school(), old(), new()]]
    {
        let council = Council::new().await;
        for change in order {
            council.apply([change]).await;
        }
        ends.push(council.everything().await);
    }
    assert!(ends.iter().all(|end| *end == ends[0]));
}

#[tokio::test]
async fn whom_a_source_relates_to_somebody_is_somebody_else_for_as_long_as_it_says_so() {
    let council = Council::new().await;
    let [first, second, ..] = maya();
    let other = || record("children_social_care", "C8").with(|details| *details = first.details.clone());
    let people = async || {
        (council.person_of("children_social_care", "C1").await, council.person_of("children_social_care", "C8").await)
    };
    council.apply(tonight([first.clone(), other(), second])).await;
    let (one, two) = people().await;
    assert!(one.is_some() && one == two);
    council.apply([other().related("C1", "Twin").tonight()]).await;
    let (one, two) = people().await;
    assert!(one.is_some() && two.is_some() && one != two);
    council.apply([other().tonight()]).await;
    let (one, two) = people().await;
    assert!(one.is_some() && one == two);
}

#[tokio::test]
async fn identities_kept_apart_once_stay_apart_whoever_leaves_and_comes_back_without_the_word() {
    let [first, second, ..] = maya();
    let new = || record("children_social_care", "C8").with(|details| *details = first.details.clone());
    let old = || first.clone();
    let says_so = |told: Told, other: &str| told.with(|details| details.never_link = vec![other.into()]);
    let in_time = |council: &Council| council.wait_days(1);
    let much_later = |council: &Council| council.wait_days(2 * REMEMBERED_SECONDS / 86_400);
    for wait in [&in_time as &dyn Fn(&Council), &much_later] {
        for stated_by_old in [true, false] {
            let council = Council::new().await;
            let apart = async || {
                let old = council.person_of("children_social_care", "C1").await;
                let new = council.person_of("children_social_care", "C8").await;
                old.is_some() && new.is_some() && old != new
            };
            let stated = if stated_by_old { says_so(old(), "C8") } else { says_so(new(), "C1") };
            let (other, others_id) = if stated_by_old { (new(), "C8") } else { (old(), "C1") };
            council.apply(tonight([stated.clone(), other.clone(), second.clone()])).await;
            assert!(apart().await);

            // The word is taken back, and counts all the same: only a steward may undo it.
            let silent = stated.clone().with(|details| details.never_link.clear());
            council.apply([silent.clone().tonight()]).await;
            assert!(apart().await, "after the word was left out");
            council.apply([silent.clone().left()]).await;
            wait(&council);
            council.apply([silent.clone().tonight()]).await;
            assert!(apart().await, "after the one that said so left and came back");
            council.apply([silent.clone().left(), other.clone().left()]).await;
            assert!(council.person_of("children_social_care", others_id).await.is_none());
            wait(&council);
            council.apply([other.tonight(), silent.tonight()]).await;
            assert!(apart().await, "after both left and came back");
        }
    }
}

#[tokio::test]
async fn a_never_link_is_kept_before_the_record_that_states_it() {
    let [first, second, ..] = maya();
    let stated = first.clone().with(|details| details.never_link = vec!["C8".into()]).tonight();
    let silent = first.clone().tonight();
    let twin = record("children_social_care", "C8").with(|details| *details = first.details.clone());
    for writes in 1.. {
        let council = Council::new().await;
        let is_over = !died(&council.worker_that_dies_after(writes).apply(vec![stated.clone()]).await);
        let rows = council.records().await;
        let has = |start: &str| rows.iter().any(|(pk, _, _)| pk.starts_with(start));
        assert!(!has("REC#") || rows.iter().filter(|(pk, _, _)| pk.starts_with("FACT#")).count() == 2);
        council.apply([stated.clone(), silent.clone()]).await;
        council.apply(tonight([twin.clone(), second.clone()])).await;
        let old = council.person_of("children_social_care", "C1").await;
        assert!(old.is_some() && old != council.person_of("children_social_care", "C8").await);
        if is_over {
            assert!(writes > 4, "facts, record, keys and head");
            break;
        }
    }
}

/// How far the person of a record is protected.
async fn protection(council: &Council, source: &str, id: &str) -> Protection {
    council.view(source, id).await.summary.protection
}

fn hidden(told: Told) -> Told {
    told.with(|details| details.protection = Protection::Hidden)
}

/// The source says in so many words that nobody need be protected.
fn open(told: Told) -> Told {
    told.with(|details| (details.protection, details.unprotected) = (Protection::None, true))
}

#[tokio::test]
async fn a_restricted_record_that_comes_back_is_restricted_whatever_it_says_now() {
    let in_time = |council: &Council| council.wait_days(1);
    let much_later = |council: &Council| council.wait_days(2 * REMEMBERED_SECONDS / 86_400);
    for wait in [&in_time as &dyn Fn(&Council), &much_later] {
        for back in [|told: Told| told, open] {
            let council = Council::new().await;
            let [first, ..] = maya();
            council.apply([hidden(first.clone()).tonight(), first.clone().left()]).await;
            assert!(council.person_of("children_social_care", "C1").await.is_none());
            wait(&council);
            council.apply([back(first).tonight()]).await;
            assert_eq!(protection(&council, "children_social_care", "C1").await, Protection::Hidden);
        }
    }
}

#[tokio::test]
async fn a_restricted_person_does_not_come_back_under_another_record_id() {
    let council = Council::new().await;
    let [first, ..] = maya();
    council.apply([hidden(first.clone()).tonight(), first.clone().left()]).await;
    council.wait_days(2 * REMEMBERED_SECONDS / 86_400);
    // A new name, a new home and a new record: the NHS number is what stays.
    let again = record("children_social_care", "C77").named("Ruth", "Vance").born("2014-03-09").nhs(MAYA_NHS);
    let other = record("children_social_care", "C78").named("Ruth", "Vance").born("2014-03-09").nhs(LEO_NHS);
    council.apply(tonight([again, other])).await;
    assert_eq!(protection(&council, "children_social_care", "C77").await, Protection::Hidden);
    assert_eq!(protection(&council, "children_social_care", "C78").await, Protection::None, "another child");
}

#[tokio::test]
async fn a_person_stays_restricted_when_the_record_that_said_so_leaves() {
    for order in [[0, 1], [1, 0]] {
        let council = Council::new().await;
        // The school has no identifier of hers: name, birth date and home make them one.
        let [first, second, ..] = maya();
        let told = [hidden(first.clone()), second.clone()];
        council.apply(order.map(|i| told[i].clone().tonight())).await;
        council.apply([first.clone().left()]).await;
        assert_eq!(protection(&council, "schools", "S1").await, Protection::Hidden);
        // Whatever becomes of the school's record, and of the cluster: the fact is the record's.
        council.apply([second.clone().at("4 Quay", "SK8 8AA").tonight()]).await;
        assert_eq!(protection(&council, "schools", "S1").await, Protection::Hidden);
        council.apply([second.clone().left()]).await;
        council.wait_days(2 * REMEMBERED_SECONDS / 86_400);
        council.apply([second.tonight()]).await;
        assert_eq!(protection(&council, "schools", "S1").await, Protection::Hidden);
    }
}

#[tokio::test]
async fn what_a_source_lifts_outright_of_a_record_that_never_left_is_lifted() {
    let council = Council::new().await;
    let [first, second, _, housing, _] = maya();
    council.apply(tonight([second, housing, hidden(first.clone())])).await;
    assert_eq!(protection(&council, "schools", "S1").await, Protection::Hidden);
    // A blank cell is not a word.
    council.apply([first.clone().tonight()]).await;
    assert_eq!(protection(&council, "schools", "S1").await, Protection::Hidden);
    council.apply([open(first.clone()).tonight()]).await;
    assert_eq!(protection(&council, "schools", "S1").await, Protection::None);
    // Lifted for whoever has her number as well, now and later.
    council.apply([first.left()]).await;
    assert_eq!(protection(&council, "housing", "H1").await, Protection::None);
    council.apply(tonight([record("youth_justice", "Y9").named("Maya", "Okafor").nhs(MAYA_NHS)])).await;
    assert_eq!(protection(&council, "youth_justice", "Y9").await, Protection::None);
}

#[tokio::test]
async fn an_older_word_of_the_source_lifts_nothing_and_a_crash_loses_nothing() {
    let [first, ..] = maya();
    let (early, lifted, late) =
        (first.clone().tonight(), open(first.clone()).tonight(), hidden(first.clone()).tonight());
    let again = record("children_social_care", "C77").named("Ruth", "Vance").born("2014-03-09").nhs(MAYA_NHS);
    for writes in 1.. {
        let council = Council::new().await;
        council.apply([early.clone()]).await;
        let is_over = !died(&council.worker_that_dies_after(writes).apply(vec![late.clone()]).await);
        council.apply([lifted.clone(), late.clone(), lifted.clone()]).await;
        council.apply([first.clone().left(), again.clone().tonight()]).await;
        assert_eq!(protection(&council, "children_social_care", "C77").await, Protection::Hidden, "write {writes}");
        if is_over {
            assert!(writes > 3, "facts, record and head");
            break;
        }
    }
}

#[tokio::test]
async fn a_hidden_record_hides_the_whole_person_and_a_split_keeps_both_parts_hidden() {
    let council = Council::new().await;
    let [first, second, ..] = maya();
    let hidden = first.with(|details| details.protection = Protection::Hidden);
    council.apply(tonight([second.clone()])).await;
    let found_by = ["A#", "B#", "S#", "D#", "C#", "H#"];
    let is_found = async || {
        let rows = council.everything().await;
        rows.iter().filter(|(pk, _, _)| found_by.iter().any(|kind| pk.starts_with(kind))).count()
    };
    assert!(is_found().await > 4);
    council.apply(tonight([hidden.clone()])).await;
    let view = council.view("schools", "S1").await;
    assert_eq!((view.records.len(), view.summary.protection), (2, Protection::Hidden));
    assert_eq!(is_found().await, 0, "nobody hidden counts among those a search or an address finds");

    // Another name, birth date, number and address: the two part.
    let moved_on = hidden.with(|details| {
        let other = record("children_social_care", "C1").named("Ruth", "Vance").born("1971-07-30").nhs(LEO_NHS);
        *details = Details { protection: Protection::Hidden, ..other.details };
    });
    council.apply([moved_on.clone().tonight()]).await;
    let (left, kept) = (council.view("children_social_care", "C1").await, council.view("schools", "S1").await);
    assert_ne!(left.id, kept.id);
    assert_eq!((left.summary.protection, kept.summary.protection), (Protection::Hidden, Protection::Hidden));
    // The source may lift what it says of its own record; the part that it left behind waits for a review.
    council.apply([open(moved_on).tonight(), second.at("4 Quay", "SK8 8AA").tonight()]).await;
    assert_eq!(protection(&council, "children_social_care", "C1").await, Protection::None);
    assert_eq!(protection(&council, "schools", "S1").await, Protection::Hidden);
}

#[tokio::test]
async fn a_siblings_split_rewrites_no_relative() {
    let council = Council::new().await;
    council.apply(tonight(family())).await;
    let before = council.everything().await;
    let stranger = record("schools", "S1").named("Otto", "Lindqvist").born("2011-01-30").at("4 Quay", "SK8 8AA");
    council.apply([stranger.tonight()]).await;
    let after = council.everything().await;
    let leos = |rows: &BTreeSet<(String, String, String)>| {
        let leo = rows.iter().find(|(_, sk, data)| sk == "VIEW" && data.contains("\"Leo\"")).cloned().unwrap();
        rows.iter().filter(|(pk, _, _)| *pk == leo.0).cloned().collect::<Vec<_>>()
    };
    assert!(leos(&before) == leos(&after));
    let stranger = council.view("schools", "S1").await.on("2026-03-02".parse().unwrap()).unwrap();
    assert_eq!(stranger.summary.name.display(), "Otto Lindqvist");
    assert_eq!(council.view("children_social_care", "C1").await.records.len(), 4);
}

#[tokio::test]
async fn a_record_waits_for_the_feed_that_says_who_it_is() {
    let council = Council::new().await;
    let relationships = record("children_social_care", "C1").related("C2", "Mother");
    let report = council.apply([relationships.tonight_in("relationships")]).await;
    assert_eq!((report.changed, report.waiting, report.projected), (1, 1, 0));
    assert!(council.person_of("children_social_care", "C1").await.is_none());
    council.apply([maya()[0].clone().tonight()]).await;
    let view = council.view("children_social_care", "C1").await;
    assert_eq!(view.relationships[0].value.relationship.words, "Mother");
}

#[tokio::test]
async fn a_confidential_address_stays_secret_whoever_else_holds_it() {
    let council = Council::new().await;
    let refuge = |told: Told, confidential| {
        told.at("Rose House, 3 Hidden Way", "SK4 4AA").with(|details| details.addresses[0].confidential = confidential)
    };
    let cms = record("children_social_care", "C1").named("Maya", "Okafor").born("2014-03-09").nhs(MAYA_NHS);
    let school = record("schools", "S1").named("Maya", "Okafor").born("2014-03-09").nhs(MAYA_NHS);
    council.apply(tonight([refuge(school, false), refuge(cms, true)])).await;
    let view = council.view("schools", "S1").await;
    assert_eq!(view.records.len(), 2);
    assert!(view.addresses.iter().all(|address| address.value.confidential) && view.households.is_empty());
    let shown = view.summary.address.unwrap();
    assert!(shown.confidential && shown.lines.is_empty() && shown.postcode.is_none());
}

#[tokio::test]
async fn a_confidential_address_is_known_by_its_property_number_and_by_what_is_like_it() {
    let council = Council::new().await;
    let maya = |source: &str, id: &str| record(source, id).named("Maya", "Okafor").born("2014-03-09").nhs(MAYA_NHS);
    let uprn = |told: Told| told.with(|details| details.addresses[0].uprn = Uprn::parse("100012").ok());
    // The case system says the property alone; the school has the property and the street; youth justice the street.
    let cms = maya("children_social_care", "C1").with(|details| {
        details.addresses =
            vec![Address { uprn: Uprn::parse("100012").ok(), confidential: true, ..Address::default() }];
    });
    let school = uprn(maya("schools", "S1").at("3 Hidden Way", "SK4 4AA"));
    let youth = maya("youth_justice", "Y1").at("Rose House, 3 Hidden Way", "SK4 4AA");
    // A refuge without a number, and one line of it.
    let second = maya("children_social_care", "C9").at("Lily House", "SK5 5BB").with(|details| {
        details.addresses[0].confidential = true;
    });
    let line = maya("schools", "S9").at("Lily House, Hidden Road", "SK5 5BB");
    // A neighbour's child, of whom nobody keeps anything secret.
    let leo = uprn(record("schools", "S2").named("Leo", "Okafor").born("2016-11-21").at("3 Hidden Way", "SK4 4AA"));
    council.apply(tonight([cms, school, youth, second, line, leo])).await;

    let view = council.view("schools", "S1").await;
    assert_eq!(view.records.len(), 5);
    assert!(view.addresses.iter().all(|address| address.value.confidential));
    assert!(view.households.is_empty(), "it ties her to nobody");
    let leo = council.view("schools", "S2").await;
    assert!(leo.addresses.iter().all(|address| !address.value.confidential));
    assert!(!leo.on("2026-03-02".parse().unwrap()).unwrap().households.is_empty());
    for (pk, sk, data) in council.everything().await {
        let is_hers = sk.contains(&format!("<{}>", view.records.iter().map(|r| r.handle.as_str()).min().unwrap()))
            || data.contains("Maya") && sk != "VIEW";
        assert!(!pk.starts_with("H#") || !is_hers, "in a household");
        assert!(!is_hers || !data.contains("Hidden") && !data.contains("SK4") && !data.contains("House"));
    }
}

#[tokio::test]
async fn what_a_source_that_is_not_shown_at_her_age_says_finds_nobody_and_ties_nobody() {
    let council = Council::new().await;
    let known = |told: Told| told.born("2014-03-09").nhs(MAYA_NHS);
    let cms = known(record("children_social_care", "C1").named("Maya", "Okafor")).at("12 Mill Lane", "SK1 3XE");
    let school = known(record("schools", "S1").named("Maya", "Okafor-Lund")).at("12 Mill Lane", "SK1 3XE");
    council.apply(tonight([cms.clone(), school.clone()])).await;
    let without = council.everything().await;
    let before = council.view("children_social_care", "C1").await;

    // Housing is shown from 16 on. It has another name for her, a newer address and her telephone.
    let housing =
        known(record("housing", "H1").named("Maya", "Quillfeather")).at("4 Quay", "SK8 8AA").with(|details| {
            details.phones = vec![fc_model::Phone::parse("07700 900123").unwrap()];
            details.sex = Some(fc_model::Sex::Female);
            details.as_of = "2026-03-01".parse().ok();
        });
    let school = school.with(|details| details.phones = vec![fc_model::Phone::parse("07700 900123").unwrap()]);
    council.apply(tonight([housing, school])).await;
    let after = council.view("children_social_care", "C1").await;
    assert_eq!(after.records.len(), 3);
    let today = "2026-03-02".parse().unwrap();
    // Which records make up a person nobody is shown: only what is guarded of them is looked up by it.
    let on = |view: &PersonView| Summary { records: Vec::new(), ..view.summary.clone() }.on(today);
    assert!(on(&after) == on(&before), "results and relatives are as if housing had no record");
    assert!(after.households == before.households && after.sex.is_none());
    let shown = |view: &PersonView| -> Vec<_> {
        let is_shown = |record: &&ViewRecord| record.source.as_str() != "housing";
        view.records.iter().filter(is_shown).map(|r| (r.explanation.clone(), r.confidence.to_bits())).collect()
    };
    assert!(shown(&after) == shown(&before), "nor does the reason why the others are one person tell");
    let phones: Vec<&str> = after.phones.iter().map(|said| said.source.as_str()).collect();
    assert!(phones.contains(&"schools"), "a number that housing has as well is still the school's: {phones:?}");
    let entries = |rows: &BTreeSet<(String, String, String)>| -> BTreeSet<(String, String)> {
        let found_by = |pk: &str| ["A#", "B#", "S#", "D#", "H#"].iter().any(|kind| pk.starts_with(kind));
        // What counts from her sixteenth birthday on is no entry today; in a household she is by what the summary says.
        let counts = |data: &str| !data.contains("@2030-03-09/") && !data.contains(r#""stays":[]"#);
        let found = rows.iter().filter(|(pk, _, data)| found_by(pk) && counts(data));
        found.map(|(pk, sk, _)| (pk.clone(), sk.clone())).collect()
    };
    let names = |rows| -> BTreeSet<String> { entries(rows).into_iter().map(|(pk, _)| pk).collect() };
    assert!(names(&council.everything().await) == names(&without));
}

#[tokio::test]
async fn from_the_age_on_at_which_a_source_is_shown_it_finds_its_person_like_any_other() {
    let council = Council::new().await;
    let grace = |source: &str, id: &str, surname: &str, born: &str| {
        record(source, id).named("Grace", surname).born(born).nhs(LEO_NHS)
    };
    council
        .apply(tonight([
            grace("children_social_care", "C1", "Okafor", "1988-07-14"),
            grace("housing", "H1", "Lund", "1988-07-14").at("4 Quay", "SK8 8AA"),
        ]))
        .await;
    let view = council.view("housing", "H1").await;
    assert_eq!((view.records.len(), view.summary.other_names[0].surname.as_str()), (2, "Lund"));
    assert_eq!(view.summary.address.unwrap().display(), "4 Quay, SK8 8AA");
}

/// Who is found by a surname on a day, by the names their summaries then have.
async fn found_on(council: &Council, surname: &str, day: &str) -> Vec<String> {
    let (people, key, day) = (&council.store.people, &council.store.key, day.parse().unwrap());
    let found = people_reads::entries(people, key, &format!("S#{surname}"), 10, day).await.unwrap().filed;
    // Two sources may say two birth dates, or one and none: an entry each.
    let ids: BTreeSet<_> = found.into_iter().map(|filed| filed.person).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let summaries = people_reads::summaries(people, &ids, day).await.unwrap();
    assert_eq!(summaries.len(), ids.len(), "an entry is told on the days on which its person is");
    summaries.into_iter().map(|summary| summary.name.display()).collect()
}

#[tokio::test]
async fn who_is_known_only_where_their_age_is_not_shown_is_found_from_the_birthday_on() {
    let council = Council::new().await;
    let grace = |source: &str, id: &str| {
        record(source, id).named("Grace", "Shah").born("2010-07-14").nhs(MAYA_NHS).at("4 Quay", "SK8 8AA")
    };
    // Housing is shown from 16 on.
    council.apply(tonight([grace("housing", "H2")])).await;
    let view = council.view("housing", "H2").await;
    assert!(view.households.is_empty() && view.summary.address.is_none() && view.summary.birth.is_none());
    let stay = view.summary.dated[0].households[0].key.clone();
    let (people, id) = (&council.store.people, view.id);
    for (day, is_here) in [("2026-07-13", false), ("2026-07-14", true), ("2060-01-01", true)] {
        assert_eq!(found_on(&council, "shah", day).await.len(), usize::from(is_here), "{day}");
        let day = day.parse().unwrap();
        let view = people_reads::view(people, &id, day).await.unwrap();
        assert_eq!(matches!(view, Standing::Here(_)), is_here);
        let occupants = people_reads::household(people, &stay, 10, day).await.unwrap();
        assert_eq!(occupants.here.len(), usize::from(is_here));
        if let Standing::Here(view) = view {
            assert_eq!((view.summary.name.display().as_str(), view.other_names.len()), ("Grace Shah", 0));
            assert_eq!(view.summary.address.unwrap().display(), "4 Quay, SK8 8AA");
            assert!(view.summary.birth.is_some() && view.households.iter().any(|own| own.key == stay));
        }
    }
}

#[tokio::test]
async fn no_birth_date_is_no_reason_not_to_be_found_but_where_a_source_hides_it() {
    let known = |source: &str, surname: &str| record(source, "X1").named("Grace", surname).at("4 Quay", "SK8 8AA");
    let council = Council::new().await;
    // Housing says that it does not know the age, adult care knows adults alone, and youth justice hides.
    let [housing, care, youth] = ["housing", "adult_social_care", "youth_justice"];
    let surnames = [(housing, "Shah", true), (care, "Lund", true), (youth, "Quillon", false)];
    council.apply(tonight(surnames.map(|(source, surname, _)| known(source, surname)))).await;
    for (source, surname, is_found) in surnames {
        for day in ["2026-03-02", "2060-01-01"] {
            let found = found_on(&council, &surname.to_lowercase(), day).await;
            assert_eq!(!found.is_empty(), is_found, "{source} on {day}");
        }
        let view = council.view(source, "X1").await;
        assert_eq!(!view.households.is_empty(), is_found, "{source}: among the people at the address");
        assert_eq!(view.records[0].told.is_some(), is_found, "{source}");
    }
    // A source that must not be shown knows that he is fourteen: then nothing is told at that age.
    let told = |source: &str| record(source, "X2").named("Ned", "Ash").nhs(LEO_NHS).at("7 Quay", "SK8 8AA");
    council.apply(tonight([told(housing), told(youth).born("2026-01-01")])).await;
    let view = council.view(housing, "X2").await;
    assert_eq!(view.records.len(), 2, "one person");
    assert!(found_on(&council, "ash", "2030-03-02").await.is_empty(), "too young for both");
    assert_eq!(found_on(&council, "ash", "2042-03-02").await, ["Ned Ash"]);
}

#[tokio::test]
async fn a_child_whom_a_school_and_housing_know_is_found_at_every_age_at_which_either_is_shown() {
    let council = Council::new().await;
    let kit = |source: &str| {
        record(source, "K1").named("Kit", "Quillon").born("2014-03-09").nhs(MAYA_NHS).at("7 Quay", "SK8 8AA")
    };
    council.apply(tonight([kit("schools"), kit("housing")])).await;
    assert_eq!(council.view("schools", "K1").await.records.len(), 2, "one person");
    for (day, is_found) in [
        ("2018-03-08", false),
        ("2018-03-09", true),
        ("2026-03-02", true),
        ("2030-03-09", true),
        ("2035-03-09", true),
        ("2090-03-09", true),
    ] {
        assert_eq!(found_on(&council, "quillon", day).await.len(), usize::from(is_found), "{day}");
        let by_birth =
            people_reads::entries(&council.store.people, &council.store.key, "D#2014-03-09", 10, day.parse().unwrap());
        assert_eq!(by_birth.await.unwrap().filed.len(), usize::from(is_found), "by birth date on {day}");
    }
}

#[tokio::test]
async fn a_child_whom_somebody_knows_to_be_born_is_not_shown_as_expected_and_new_year_is_no_birthday() {
    let known = |source: &str| record(source, "B1").named("Kit", "Quillon").nhs(MAYA_NHS).at("7 Quay", "SK8 8AA");
    for (cms, is_expected) in [("2015-03-02", true), ("2015-01-01", false)] {
        let council = Council::new().await;
        let told = known("children_social_care");
        let cms = if is_expected { told.expected(cms) } else { told.born(cms) };
        let school = known("schools").born("2015-03-05");
        let care = known("adult_social_care").born("2015-03-05");
        council.apply(tonight([cms, school, care])).await;
        let view = council.view("schools", "B1").await;
        assert_eq!(view.records.len(), 3, "one person");
        let birth = view.summary.clone().on("2026-03-02".parse().unwrap()).unwrap().birth.unwrap();
        if is_expected {
            assert!(!birth.expected && birth.date.to_string() == "2015-03-05");
        } else {
            let adult = view.summary.on("2040-03-02".parse().unwrap()).unwrap();
            assert!(adult.birth.is_some(), "what the case system says is still there");
        }
    }
}

#[tokio::test]
async fn no_form_of_a_hidden_name_is_in_a_view_or_an_entry_whoever_writes_it() {
    let known = |source: &str, name: [&str; 2]| {
        record(source, "N1").named(name[0], name[1]).born("2014-03-09").nhs(MAYA_NHS).at("7 Quay", "SK8 8AA")
    };
    let cms = known("children_social_care", ["Maya", "Okafor"]).with(|details| {
        let kind = fc_model::NameKind::Former;
        let name = fc_model::Name::current(["Maya"], "Bellweather");
        details.names.push(fc_model::Name { kind, not_to_be_shown: true, ..name });
    });
    for other in [
        ["Maya", "Bellweather"],
        ["Maya Rose", "Bellweather"],
        ["Maya", "Bell-weather"],
        ["Maya", "Okafor-Bellweather"],
        ["Maya was Bellweather", "Okafor"],
        ["Maya", "Bellwether"],
    ] {
        let council = Council::new().await;
        council.apply(tonight([cms.clone(), known("schools", other)])).await;
        let view = council.view("schools", "N1").await;
        assert_eq!((view.records.len(), view.summary.name.display().as_str()), (2, "Maya Okafor"), "{other:?}");
        for (pk, _, data) in council.everything().await {
            assert!(!data.to_lowercase().replace(['-', ' '], "").contains("bellwe"), "{other:?} in {}", &pk[..2]);
        }
        assert!(found_on(&council, "bellweather", "2026-03-02").await.is_empty(), "{other:?}");
    }
}

/// Puts a person's view and entries as the version before wrote them.
async fn as_before(council: &Council, mut view: PersonView, hidden: fc_model::Name) -> BTreeSet<Key> {
    view.scheme = 0;
    view.summary.other_names.push(hidden);
    let (people, rev) = (&council.store.people, view.epoch);
    let key = people::view_key(&view.id);
    let put = |item: Item| async move { people.put(&item, Guard::None).await.unwrap() };
    put(Item::json(key, rev, &serde_json::json!({ "here": view })).unwrap()).await;
    let mut keys = BTreeSet::new();
    for (pk, sk) in search_keys::former_keys(&view.summary) {
        let key = Key::new(people::search_pk(&council.store.key, &pk), sk);
        put(Item { key: key.clone(), rev, data: "whitfield|maya".into(), expires: None }).await;
        keys.insert(key);
    }
    keys
}

#[tokio::test]
async fn a_rebuild_brings_stored_people_to_todays_entries_and_leaves_none_of_the_old() {
    let told = family();
    let (council, new) = (Council::new().await, Council::new().await);
    let withheld = |told: &Told| told.clone().with(|details| details.protection = Protection::Withheld);
    let told: Vec<Told> = std::iter::once(withheld(&told[0])).chain(told[1..].iter().cloned()).collect();
    for council in [&council, &new] {
        council.apply(tonight(told.clone())).await;
    }
    let handles: BTreeSet<_> = tonight(told).into_iter().map(|change| change.handle).collect();
    let maya = council.view("children_social_care", "C1").await;
    let hidden = fc_model::Name { not_to_be_shown: true, ..fc_model::Name::current(["Maya"], "Whitfield") };
    let old = as_before(&council, maya, hidden).await;

    let counted = council.worker().rebuild(&handles, false, |_| {}).await.unwrap();
    assert_eq!((counted.refiled, counted.otherwise), (1, 0));
    assert_eq!(council.worker().rebuild(&handles, true, |_| {}).await.unwrap().refiled, 1);
    assert!(council.everything().await == new.everything().await, "names, birth date and all are gone");
    let mut gone = 0;
    for key in old {
        gone += usize::from(people::is_gone(&council.store.people.get(&key, true).await.unwrap().unwrap()));
    }
    assert!(gone >= 5, "the hidden name, and every key with the birth date of somebody withheld: {gone}");
    assert_eq!(council.worker().rebuild(&handles, true, |_| {}).await.unwrap().refiled, 0);
}

#[tokio::test]
async fn a_change_brings_a_stored_person_to_todays_entries_too() {
    let council = Council::new().await;
    let first = record("children_social_care", "C1").named("Maya", "Okafor").born("2014-03-09").nhs(MAYA_NHS);
    council.apply(tonight([first.clone()])).await;
    let hidden = fc_model::Name { not_to_be_shown: true, ..fc_model::Name::current(["Maya"], "Whitfield") };
    as_before(&council, council.view("children_social_care", "C1").await, hidden).await;
    council.apply(tonight([first.at("4 Quay", "SK8 8AA")])).await;
    assert!(council.everything().await.iter().all(|(_, _, data)| !data.to_lowercase().contains("whitfield")));
}

#[tokio::test]
async fn a_source_that_is_switched_off_finds_nobody() {
    let council = Council::new().await;
    // The police are off unless a council switches them on.
    council.apply(tonight([record("police", "P1").named("Grace", "Shah").born("1980-07-14")])).await;
    for (pk, _, _) in council.everything().await {
        assert!(pk.starts_with("P#") || pk.starts_with("R#"), "found by {}", &pk[..2]);
    }
    let view = council.view("police", "P1").await;
    let today = "2026-03-02".parse().unwrap();
    assert_eq!(people_reads::view(&council.store.people, &view.id, today).await.unwrap(), Standing::Gone);
}

#[tokio::test]
async fn a_child_is_found_by_what_the_school_says_for_as_long_as_a_school_is_shown() {
    let council = Council::new().await;
    let known = |told: Told| told.born("2014-03-09").nhs(MAYA_NHS);
    let cms = known(record("children_social_care", "C1").named("Maya", "Okafor")).at("12 Mill Lane", "SK1 3XE");
    let school = known(record("schools", "S1").named("Maya", "Lund")).at("4 Quay", "SK8 8AA");
    council.apply(tonight([cms, school])).await;
    // Schools are shown from 4 to 20 years.
    for (day, is_found) in [("2018-03-08", false), ("2018-03-09", true), ("2035-03-08", true), ("2035-03-09", false)] {
        assert_eq!(found_on(&council, "lund", day).await, vec!["Maya Okafor"; usize::from(is_found)], "{day}");
        assert_eq!(found_on(&council, "okafor", day).await, ["Maya Okafor"]);
    }
    let id = council.person_of("schools", "S1").await.unwrap();
    let today = "2026-03-02".parse().unwrap();
    let Standing::Here(view) = people_reads::view(&council.store.people, &id, today).await.unwrap() else { panic!() };
    assert_eq!(view.households.len(), 2, "two homes");
    assert!(view.summary.other_names.iter().any(|name| name.surname == "Lund"));
}

#[tokio::test]
async fn what_is_known_does_not_depend_on_which_nights_file_brought_an_unchanged_record() {
    let [first, second, ..] = maya();
    let day = |change: Change, day: &str| {
        let at = format!("{day}T01:00:00Z").parse().unwrap();
        Change { seq: fc_model::Seq { as_of: at, ..change.seq }, ..change }
    };
    let mut known = Vec::new();
    for days in [["2026-03-01", "2026-03-02"], ["2026-03-02", "2026-03-01"]] {
        let council = Council::new().await;
        let again = record("schools", "S9").with(|details| *details = second.details.clone());
        let (second, again) = (second.clone().at("4 Quay", "SK8 8AA"), again.at("5 Quay", "SK8 8AA"));
        council.apply([day(second.tonight(), days[0]), day(again.tonight(), days[1])]).await;
        council.apply([first.clone().tonight()]).await;
        let view = council.view("schools", "S1").await;
        assert!(view.addresses.iter().all(|said| said.as_of.is_none()), "as of its source's last update");
        known.push(council.everything().await);
    }
    assert!(known[0] == known[1]);
    // A day that a record gives itself is told, unless its definition says that it moves on unsent.
    let council = Council::new().await;
    let dated = |told: Told| told.with(|details| details.as_of = "2026-02-01".parse().ok());
    let youth = record("youth_justice", "Y1").named("Maya", "Okafor").born("2014-03-09").at("1 Weir", "SK1 3XE");
    council.apply(tonight([dated(youth), dated(second)])).await;
    let of = async |source: &str, id: &str| {
        let view = council.view(source, id).await;
        view.addresses.into_iter().find(|said| said.source.as_str() == source).unwrap().as_of
    };
    assert_eq!(of("youth_justice", "Y1").await, "2026-02-01".parse().ok());
    assert_eq!(of("schools", "S1").await, None, "schools.toml calls as_of volatile");
}

#[tokio::test]
async fn a_crash_then_a_newer_change_then_the_redelivery_leaves_nobody_behind() {
    // Leo's school record was filed under Maya's id. One message takes it to Leo: both people change.
    let before = tonight(family());
    let wrong = record("schools", "S2").with(|details| *details = maya()[1].details.clone()).tonight();
    let right = leo()[1].clone().tonight();
    let newer = leo()[1].clone().with(|details| details.sex = Some(fc_model::Sex::Male)).tonight();
    let whole = Council::new().await;
    whole.apply(before.clone()).await;
    whole.apply([wrong.clone(), right.clone(), newer.clone()]).await;
    let expected = whole.everything().await;
    for writes in 1.. {
        let council = Council::new().await;
        council.apply(before.clone()).await;
        council.apply([wrong.clone()]).await;
        let is_over = !died(&council.worker_that_dies_after(writes).apply(vec![right.clone()]).await);
        council.apply([newer.clone()]).await;
        assert_eq!(council.apply([right.clone()]).await.changed, 0, "stopped, and acknowledged");
        assert!(council.everything().await == expected, "after a crash behind write {writes}");
        if is_over {
            assert!(writes > 5, "record, keys, head and people");
            break;
        }
    }
}

#[tokio::test]
async fn a_key_that_a_crash_left_behind_goes_with_the_next_change_or_the_one_after() {
    let moves = ["1 Old Street", "2 New Street", "3 Last Street"].map(|line| {
        let told = record("housing", "H1").named("Zephyrine", "Quillfeather").born("1980-02-01");
        told.at(line, &format!("SK{} 1AA", line.len())).tonight()
    });
    let keys = async |council: &Council| {
        let rows = council.records().await;
        rows.into_iter()
            .filter(|(pk, _, _)| pk.starts_with("KEY#"))
            .map(|(pk, sk, _)| (pk, sk))
            .collect::<BTreeSet<_>>()
    };
    let last = Council::new().await;
    last.apply([moves[2].clone()]).await;
    let expected = keys(&last).await;
    for writes in 1.. {
        let council = Council::new().await;
        council.apply([moves[0].clone()]).await;
        let is_over = !died(&council.worker_that_dies_after(writes).apply(vec![moves[1].clone()]).await);
        council.apply([moves[2].clone()]).await;
        assert!(keys(&council).await == expected, "after a crash behind write {writes}");
        if is_over {
            break;
        }
    }
}

#[tokio::test]
async fn a_crash_after_any_write_is_made_good_when_the_message_comes_again() {
    let first = tonight(family());
    // Tonight Leo's school has another child's record under his id, Maya has moved, and housing knows her no more.
    let second = vec![
        record("schools", "S2").named("Otto", "Lindqvist").born("2011-01-30").tonight(),
        maya()[1].clone().at("4 Quay", "SK8 8AA").tonight(),
        maya()[3].clone().left(),
    ];
    let whole = Council::new().await;
    whole.worker().apply(first.clone()).await.unwrap();
    whole.worker().apply(second.clone()).await.unwrap();
    let expected = whole.everything().await;
    let (mut crashes, mut writes) = (0, 1);
    loop {
        let council = Council::new().await;
        council.worker().apply(first.clone()).await.unwrap();
        let outcome = council.worker_that_dies_after(writes).apply(second.clone()).await;
        let is_over = !died(&outcome);
        council.worker().apply(second.clone()).await.unwrap();
        assert!(council.everything().await == expected, "after a crash behind write {writes}");
        if is_over {
            break;
        }
        (crashes, writes) = (crashes + 1, writes + 1);
    }
    assert!(crashes > 20, "only {crashes} writes to die after");
}

#[tokio::test]
async fn workers_at_once_with_repeats_and_crashes_agree_with_one_worker() {
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let nights: Vec<Vec<Change>> = (0..3)
            .map(|night| {
                let mut told = family();
                dice.shuffle(&mut told);
                let changed = told.into_iter().take(7 - 2 * night);
                let change = |told: Told| match (night, dice.roll(5)) {
                    (0, _) | (_, 0) => told.tonight(),
                    (_, 1) => told.left(),
                    (_, 2) => told.at("4 Quay", "SK8 8AA").tonight(),
                    (_, 3) => told.named("Maya", "Lund").tonight(),
                    _ => told.with(|details| details.nhs_number = None).tonight(),
                };
                changed.map(change).collect()
            })
            .collect();
        let serial = Council::new().await;
        for night in &nights {
            serial.worker().apply(night.clone()).await.unwrap();
        }
        let expected = serial.everything().await;

        let council = Council::new().await;
        let mut messages: Vec<Vec<Change>> =
            nights.iter().flat_map(|night| night.chunks(2).map(<[Change]>::to_vec)).collect();
        messages.extend(messages.clone());
        dice.shuffle(&mut messages);
        let mut workers = tokio::task::JoinSet::new();
        for (place, share) in messages.chunks(messages.len().div_ceil(3)).enumerate() {
            let share = share.to_vec();
            let mortal = council.worker_that_dies_after(dice.roll(60) as i64 + 1);
            let (worker, crashing) = (council.worker(), place == 0);
            workers.spawn(async move {
                for message in share {
                    if crashing {
                        let _ = mortal.apply(message.clone()).await;
                    }
                    // What a queue does with a message that failed: it comes again.
                    let mut receives = 1;
                    while let Err(error) = worker.apply(message.clone()).await {
                        assert!(receives < 20, "{error}");
                        receives += 1;
                    }
                }
            });
        }
        while let Some(done) = workers.join_next().await {
            done.unwrap();
        }
        assert!(council.everything().await == expected, "seed {seed}");
    }
}

#[tokio::test]
async fn a_key_that_half_the_council_shares_links_nobody_whoever_came_first() {
    // Six people of one name and birth date, and nothing else: with a limit of four the key says nothing.
    let namesakes: Vec<Told> =
        (0..6).map(|i| record("housing", &format!("H{i}")).named("Mohammed", "Khan").born("1985-06-15")).collect();
    let few = Council::new().await.saturated_beyond(4);
    few.apply(tonight(namesakes[..2].to_vec())).await;
    assert_eq!(few.person_of("housing", "H0").await, few.person_of("housing", "H1").await, "two alone are one");
    let mut groups = Vec::new();
    for order in [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]] {
        let council = Council::new().await.saturated_beyond(4);
        council.apply(order.map(|i| namesakes[i].clone().tonight())).await;
        let mut people = BTreeSet::new();
        for i in 0..6 {
            people.insert(council.person_of("housing", &format!("H{i}")).await.unwrap());
        }
        assert!(council.records().await.iter().any(|(pk, sk, _)| pk.starts_with("KEY#") && sk == "!"));
        groups.push((people.len(), council.everything().await));
        // Back below the limit the key counts again, and all is as with two alone.
        council.apply(namesakes[2..].iter().map(|told| told.clone().left())).await;
        assert!(council.everything().await == few.everything().await);
        assert!(!council.records().await.iter().any(|(_, sk, _)| sk == "!"));
    }
    assert_eq!(groups[0].0, 6, "six people");
    assert!(groups[0].1 == groups[1].1);
}

/// Everybody of the family, and namesakes without a home.
fn whole_town() -> Vec<Told> {
    let namesakes = (0..6).map(|i| record("housing", &format!("N{i}")).named("Mohammed", "Khan").born("1985-06-15"));
    family().into_iter().chain(namesakes).collect()
}

#[tokio::test]
async fn a_new_model_reaches_the_people_who_are_here_and_the_same_model_writes_nothing() {
    let told = whole_town();
    let new = Council::new().await;
    new.apply(tonight(told.clone())).await;
    let handles: BTreeSet<_> = tonight(told.clone()).into_iter().map(|change| change.handle).collect();
    let nothing = Rebuilt { records: 13, ..Rebuilt::default() };
    let worker = new.worker();
    let before = reading(&worker);
    assert_eq!(worker.rebuild(&handles, true, |_| {}).await.unwrap(), nothing, "offline it comes to the same");
    let cost = reading(&worker);
    assert_eq!(cost.write_units, before.write_units);
    assert!(cost.read_units <= 2.0 * 2.0 * 13.0, "{} strongly consistent read units", cost.read_units);

    type Change = fn(&mut serde_json::Value);
    let other_models: [(&str, Change); 3] = [
        ("nobody is ever linked", |model| {
            model["linked"] = 60.0.into();
            model["possible"] = 50.0.into();
        }),
        ("three records of one key are too many", |model| model["saturation"] = 2.into()),
        ("everything is a little surer", |model| model["prior"] = (-14.5).into()),
    ];
    for (what, change) in other_models {
        let council = Council::new().await.with_model(change);
        council.apply(tonight(told.clone())).await;
        let old = council.everything().await;
        let council = council.with_model(|_| {});
        let counted = council.worker().rebuild(&handles, false, |_| {}).await.unwrap();
        assert!(counted.otherwise > 0 && counted.done == 0, "{what}: {counted:?}");
        assert!(council.everything().await == old, "{what}: counting changes nothing");
        let mut told_of = Vec::new();
        let done = council.worker().rebuild(&handles, true, |so_far| told_of.push(so_far)).await.unwrap();
        assert_eq!((done.otherwise, done.done, told_of.last()), (counted.otherwise, counted.otherwise, Some(&done)));
        assert!(council.everything().await == new.everything().await, "{what}");
        assert_eq!(council.worker().rebuild(&handles, true, |_| {}).await.unwrap(), nothing, "{what}");
    }
}

#[tokio::test]
async fn a_rebuild_that_breaks_off_anywhere_is_made_good_by_the_next() {
    let told = family();
    let new = Council::new().await;
    new.apply(tonight(told.clone())).await;
    let handles: BTreeSet<_> = tonight(told.clone()).into_iter().map(|change| change.handle).collect();
    for writes in 0.. {
        let council = Council::new().await.with_model(|model| {
            model["linked"] = 60.0.into();
            model["possible"] = 50.0.into();
        });
        council.apply(tonight(told.clone())).await;
        let council = council.with_model(|_| {});
        let survived = council.worker_that_dies_after(writes).rebuild(&handles, true, |_| {}).await.is_ok();
        council.worker().rebuild(&handles, true, |_| {}).await.unwrap();
        assert!(council.everything().await == new.everything().await, "after {writes} writes");
        if survived {
            assert!(writes > 7, "at least every record was written");
            break;
        }
    }
}

#[tokio::test]
async fn a_worker_of_the_staff_directory_is_kept_by_staff_id_and_the_newest_counts() {
    let council = Council::new().await;
    let staff = |name: &str| {
        let contact = fc_model::Contact { name: Some(name.into()), ..fc_model::Contact::default() };
        let content = fc_model::Content::Staff(Box::new(fc_model::Staff { contact, left: None }));
        let change = record("staff_directory", "W-104").tonight_in("staff");
        Change { content: Some(content), ..change }
    };
    let (old, new) = (staff("Priya Shah"), staff("Priya Shah-Owen"));
    assert_eq!(council.apply([new.clone(), old]).await.staff, 1);
    let key = people::staff_key(&council.store.key, &"w-104".parse().unwrap(), &"staff_directory".parse().unwrap());
    let item = council.store.people.get(&key, true).await.unwrap().unwrap();
    let Standing::Here(kept) = people::standing::<fc_model::Staff>(&item).unwrap() else { panic!("not there") };
    assert_eq!(kept.contact.name.as_deref(), Some("Priya Shah-Owen"));
    let gone = Change { content: None, ..staff("") };
    council.apply([gone]).await;
    assert!(people::is_gone(&council.store.people.get(&key, true).await.unwrap().unwrap()));
}

#[tokio::test]
async fn two_sources_that_list_a_worker_do_not_overwrite_each_other() {
    let council = Council::new().await;
    let sources = ["staff_directory", "standard_safeguarding_dataset"].map(|source| source.parse().unwrap());
    let listed = |source: &str, contact: fc_model::Contact, left: Option<&str>| {
        let staff = fc_model::Staff { contact, left: left.and_then(|day| day.parse().ok()) };
        let content = Some(fc_model::Content::Staff(Box::new(staff)));
        Change { content, ..record(source, "W-104").tonight_in("staff") }
    };
    let contact = fc_model::Contact { name: Some("Priya Shah".into()), ..fc_model::Contact::default() };
    let directory = listed("staff_directory", contact.clone(), Some("2026-02-01"));
    let role = fc_model::Contact { name: Some("P Shah".into()), role: Some("Social worker".into()), ..contact };
    let professionals = listed("standard_safeguarding_dataset", role, None);
    for order in [[&directory, &professionals], [&professionals, &directory]] {
        council.apply(order.map(Clone::clone)).await;
        let (people, ids) = (&council.store.people, ["W-104".parse().unwrap(), "W-105".parse().unwrap()]);
        let calls = people.meter().reading().calls;
        let found = people_reads::staff(people, &council.store.key, &ids, &sources).await.unwrap();
        assert_eq!(people.meter().reading().calls, calls + 1);
        let staff = found[0].as_ref().unwrap();
        assert_eq!(
            (staff.contact.name.as_deref(), staff.contact.role.as_deref()),
            (Some("Priya Shah"), Some("Social worker"))
        );
        assert!(staff.left.is_some() && found[1].is_none());
    }
}

#[tokio::test]
async fn one_changed_record_costs_few_units() {
    let council = Council::new().await;
    // A street of families, so that keys have the usual few members.
    for (house, names) in [["Amy", "Ben"], ["Cara", "Dev"], ["Ela", "Finn"], ["Gus", "Hana"]].iter().enumerate() {
        let surname = ["Smith", "Jones", "Patel", "Nowak"][house];
        for (i, name) in names.iter().enumerate() {
            let born = format!("201{house}-0{}-1{i}", house + 1);
            let at = format!("{} High Street", house + 1);
            for source in ["children_social_care", "schools"] {
                let told = record(source, &format!("{house}{i}")).named(name, surname).born(&born);
                council.apply([told.at(&at, "SK1 3XE").tonight()]).await;
            }
        }
    }
    let mut reads = Vec::new();
    let mut writes = Vec::new();
    for (house, name) in [(0, "Amy"), (1, "Cara"), (2, "Ela"), (3, "Gus")] {
        let surname = ["Smith", "Jones", "Patel", "Nowak"][house];
        let told =
            record("schools", &format!("{house}0")).named(name, surname).born(&format!("201{house}-0{}-10", house + 1));
        let worker = council.worker();
        worker.apply(vec![told.at("80 Station Road", "SK2 2BB").tonight()]).await.unwrap();
        let used = reading(&worker);
        reads.push(used.read_units);
        writes.push(used.write_units);
    }
    reads.sort_by(f64::total_cmp);
    writes.sort_by(f64::total_cmp);
    println!("read units {reads:?}, write units {writes:?} for a changed address");
    assert!(reads[2] <= 20.0 && writes[2] <= 20.0, "reads {reads:?}, writes {writes:?}");
}

#[tokio::test]
async fn who_has_a_common_name_is_not_compared_with_all_who_have_it() {
    let council = Council::new().await;
    let namesake = |i: usize| {
        let born = format!("{}-{:02}-{:02}", 1950 + i, i % 12 + 1, i + 1);
        record("housing", &format!("H{i}")).named("Peter", "Brown").born(&born).at(&format!("{i} Mill Lane"), "SK1 3XE")
    };
    let mut reads = Vec::new();
    for i in 0..28 {
        let worker = council.worker();
        worker.apply(vec![namesake(i).tonight()]).await.unwrap();
        reads.push(reading(&worker).read_units);
    }
    let (early, late) = (reads[1..5].iter().sum::<f64>() / 4.0, reads[24..].iter().sum::<f64>() / 4.0);
    println!("read units of the first few {early}, of the last few {late}");
    // Two or three share a part of a birth date by chance.
    assert!(late < early + 5.0, "{reads:?}");
}

#[tokio::test]
async fn what_was_filed_under_a_saturated_name_is_not_looked_at_for_ever() {
    let namesake = |i: usize, born: &str, at: &str| {
        record("housing", &format!("H{i}")).named("Mohammed", "Khan").born(born).at(at, "SK1 3XE").tonight()
    };
    let council = Council::new().await.saturated_beyond(4);
    for i in 0..6 {
        council.apply([namesake(i, &format!("19{}0-0{}-1{i}", i + 2, i + 1), &format!("{i} Mill Lane"))]).await;
    }
    // How it was filed by its old birth date: under the name, which is saturated and remains its key.
    let old_births = async || {
        let rows = council.records().await;
        assert!(rows.iter().any(|(pk, sk, _)| pk.starts_with("KEY#") && sk == "!"));
        let records = rows.iter().filter(|(pk, _, _)| pk.starts_with("REC#"));
        let records = records.map(|(_, _, data)| serde_json::from_str::<serde_json::Value>(data).unwrap());
        let obsolete = records.flat_map(|record| record["obsolete"].as_array().cloned().unwrap_or_default());
        obsolete.filter(|filing| filing.as_str().unwrap().contains('@')).count()
    };
    council.apply([namesake(0, "1955-07-07", "0 Mill Lane")]).await;
    assert_eq!(old_births().await, 1);
    council.apply([namesake(0, "1955-07-07", "7 Mill Lane")]).await;
    assert_eq!(old_births().await, 0);
}

#[tokio::test]
async fn a_birth_date_put_right_brings_together_whom_a_name_alone_did_not() {
    let told = |source: &str, born: &str| {
        let at = if source == "schools" { "2 New Street" } else { "80 Station Road" };
        let told = record(source, "1").named("Zephyrine", "Quillfeather").at(at, &format!("SK{} 1AA", at.len()));
        if born.is_empty() { told } else { told.born(born) }
    };
    let after = async |births: &[(&str, &str)]| {
        let council = Council::new().await;
        for (source, born) in births {
            council.apply([told(source, born).tonight()]).await;
        }
        let (one, other) = (council.person_of("schools", "1").await, council.person_of("housing", "1").await);
        (one == other, council.everything().await)
    };
    let one = after(&[("schools", "2012-04-19"), ("housing", "2012-04-18")]).await;
    assert!(one.0, "a rare name, and one digit wrong");
    let two = after(&[("schools", "2012-04-19"), ("housing", "1975-11-30")]).await;
    assert!(!two.0);
    let nobody_knows = after(&[("schools", "2012-04-19"), ("housing", "")]).await;
    for (last, expected) in [("2012-04-18", &one), ("1975-11-30", &two), ("", &nobody_knows)] {
        for first in ["1975-11-30", "2012-04-18", "1981-04-18", ""] {
            let told = [("housing", first), ("schools", "2012-04-19"), ("housing", last)];
            assert!(after(&told).await == *expected, "{first}, then {last}");
            let told = [("schools", "2012-04-19"), ("housing", first), ("housing", last)];
            assert!(after(&told).await == *expected, "{first}, then {last}");
        }
    }
}

/// Runs a batch of messages, as SQS hands them over, with parts in staging.
async fn batch(council: &Council, event: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(event);
    let event = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let response = council.worker().handle(event).await;
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

#[tokio::test]
async fn when_the_last_part_is_applied_ingest_is_told_and_a_repeat_harms_nothing() {
    let parts = [tonight(maya()), tonight(leo())];
    let council = Council::with_parts(&parts).await;
    assert!(batch(&council, "matching-part.json").await.is_empty());
    assert!(council.sent.0.lock().unwrap().is_empty(), "one part of two");
    assert!(batch(&council, "matching-parts.json").await.is_empty());
    let told = council.sent.0.lock().unwrap().clone();
    assert_eq!(
        told,
        [r#"{"finish":{"source":"housing","feed":"people","load":"20260302T010000000Z-9f8e7d6c5b4a3928"}}"#]
    );
    assert_eq!(council.view("schools", "S1").await.records.len(), 5);
    assert_eq!(council.view("schools", "S2").await.records.len(), 2);
}

#[tokio::test]
async fn what_a_worker_left_whose_message_another_ended_is_finished_by_the_sweep() {
    let first = tonight(family());
    let moved = maya()[1].clone().at("4 Quay", "SK8 8AA").tonight();
    let whole = Council::new().await;
    whole.apply(first.clone()).await;
    whole.apply([moved.clone()]).await;
    let expected = whole.everything().await;
    let tickets =
        async |council: &Council| council.records().await.into_iter().filter(|(pk, _, _)| pk == "WORK").count();
    let mut finished = 0;
    for writes in 1.. {
        let council = Council::new().await;
        council.apply(first.clone()).await;
        assert_eq!(tickets(&council).await, 0, "a worker that is done leaves none");
        let is_over = !died(&council.worker_that_dies_after(writes).apply(vec![moved.clone()]).await);
        if tickets(&council).await > 0 {
            assert!(batch(&council, "matching-sweep.json").await.is_empty());
            assert_eq!(tickets(&council).await, 1, "its worker may be at it still");
            council.wait_days(1);
            assert!(batch(&council, "matching-sweep.json").await.is_empty());
            assert_eq!(tickets(&council).await, 0);
            assert!(council.everything().await == expected, "after a crash behind write {writes}");
            finished += 1;
        }
        if is_over {
            assert!(finished > 3, "{finished} of {writes}");
            break;
        }
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_fails_alone() {
    let council = Council::with_parts(&[tonight(maya())]).await;
    assert_eq!(
        batch(&council, "matching-malformed-among-parts.json").await,
        ["22e7ff62-5dd8-4413-8f33-8de9feb0be01", "22e7ff62-5dd8-4413-8f33-8de9feb0be02"]
    );
    assert_eq!(batch(&council, "matching-unknown-message.json").await.len(), 1);
    assert_eq!(council.view("schools", "S1").await.records.len(), 5);
}

#[tokio::test]
async fn a_part_of_a_finished_load_is_no_error_and_a_broken_one_is() {
    let nothing_staged = Council::with_parts(&[]).await;
    assert!(batch(&nothing_staged, "matching-part.json").await.is_empty(), "its load is not pending");
    let broken = Council::with_texts(vec!["{\"handle\": 1}\n".into()]).await;
    assert_eq!(batch(&broken, "matching-part.json").await.len(), 1);
}

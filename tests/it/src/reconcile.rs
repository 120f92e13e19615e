//! Reconciling: each way in which manifests, records and people can come apart, made by hand, found and repaired.

use crate::end_to_end_harness::Town;
use fc_local::reconcile::{Drift, Findings, compare, repair};
use fc_model::{PersonId, RecordHandle};
use fc_store::{Guard, Key, people};
use fc_synth::demo;
use serde_json::json;
use std::collections::BTreeSet;

/// A town with a few people loaded, and nothing apart.
async fn town() -> Town {
    let (town, _) = Town::with_people(40).await;
    let found = compared(&town).await;
    assert_eq!(found.drift, Default::default(), "a load leaves nothing apart");
    assert!(found.under_way.is_empty() && found.people > 15 && found.records > 25, "{found:?}");
    town
}

async fn compared(town: &Town) -> Findings {
    compare(&town.stack.clients, &town.stack.store, &town.stack.definitions).await.unwrap()
}

async fn repaired(town: &Town, found: &Findings) {
    repair(&town.stack.store, &town.stack.definitions, found).await.unwrap();
}

/// What was found: kind, feed and how many.
fn kinds(found: &Findings) -> Vec<(Drift, &str, usize)> {
    found.drift.iter().map(|((drift, of), which)| (*drift, of.as_str(), which.len())).collect()
}

/// The handle of Marisol's housing record, and its file. The same record at each run: records are ordered by hashes under a
/// secret that is new at each start, and not everybody may be shown.
async fn housing(town: &Town) -> (RecordHandle, Vec<u8>) {
    let items = town.items(&town.stack.store.records).await;
    let hers = |data: &str| data.contains("\"source\":\"housing\"") && data.contains(demo::MOTHER_FORENAME);
    let records: Vec<_> = items.iter().filter(|item| item.sk == "REC" && hers(&item.data)).collect();
    let [record] = records[..] else { panic!("{} records", records.len()) };
    let file = town.stack.store.extracts.get("housing/people/housing.csv").await.unwrap();
    (RecordHandle::parse(record.pk.trim_start_matches("REC#")).unwrap(), file)
}

fn record_key(handle: &RecordHandle) -> Key {
    Key::new(format!("REC#{handle}"), "REC")
}

/// The person of a record.
async fn person_of(town: &Town, handle: &RecordHandle) -> PersonId {
    let views = town.people().await;
    let has = |view: &&serde_json::Value| {
        view["records"].as_array().unwrap().iter().any(|record| record["handle"] == handle.as_str())
    };
    PersonId::parse(views.iter().find(has).unwrap()["id"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_accepted_and_is_gone_is_sent_again_by_the_next_file() {
    let town = town().await;
    let (lost, file) = housing(&town).await;
    town.stack.store.records.delete(&record_key(&lost), Guard::None).await.unwrap();

    let found = compared(&town).await;
    let missing = &found.drift[&(Drift::Missing, "housing/people".to_owned())];
    assert_eq!(missing, &BTreeSet::from([lost.to_string()]));
    repaired(&town, &found).await;
    // The very same file: it was the last one applied, and yet is no duplicate.
    let report = town.load("housing/people", "housing.csv", file).await;
    assert_eq!((report.records.changed, report.records.added, report.records.removed), (1, 0, 0));
    assert_eq!(kinds(&compared(&town).await), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_no_file_has_is_removed_by_the_next_one() {
    let town = town().await;
    let (known, file) = housing(&town).await;
    let stray = RecordHandle::parse(&"ab".repeat(16)).unwrap();
    let records = &town.stack.store.records;
    let mut item = records.get(&record_key(&known), true).await.unwrap().unwrap();
    item.key = record_key(&stray);
    records.put(&item, Guard::Absent).await.unwrap();

    let found = compared(&town).await;
    assert_eq!(found.drift[&(Drift::Unaccepted, "housing/people".to_owned())], BTreeSet::from([stray.to_string()]));
    repaired(&town, &found).await;
    let report = town.load("housing/people", "housing.csv", file).await;
    assert_eq!((report.records.removed, report.records.changed), (1, 0));
    assert_eq!(kinds(&compared(&town).await), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_nobody_shows_is_shown_again() {
    let town = town().await;
    let (handle, _) = housing(&town).await;
    let person = person_of(&town, &handle).await;
    let table = &town.stack.store.people;
    // What a restored or half-written table may lack: where the record is, or the whole person.
    for lost in [vec![people::record_key(&handle)], vec![people::view_key(&person), people::summary_key(&person)]] {
        for key in &lost {
            assert!(table.get(key, true).await.unwrap().is_some(), "{key:?}");
            table.delete(key, Guard::None).await.unwrap();
        }
        let found = compared(&town).await;
        assert!(found.drift.keys().all(|(drift, _)| *drift == Drift::NotShown), "{:?}", kinds(&found));
        let not_shown: BTreeSet<&String> = found.drift.values().flatten().collect();
        assert!(not_shown.contains(&handle.to_string()), "{not_shown:?}");
        repaired(&town, &found).await;
        assert_eq!(kinds(&compared(&town).await), []);
        assert_eq!(person_of(&town, &handle).await, person, "the same person");
        for key in &lost {
            assert!(table.get(key, true).await.unwrap().is_some(), "{key:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_without_records_is_taken_out_and_can_be_found_no_more() {
    let town = town().await;
    let (handle, _) = housing(&town).await;
    let real = person_of(&town, &handle).await;
    let table = &town.stack.store.people;
    let ghost = PersonId::random();
    for key in [people::view_key(&real), people::summary_key(&real)] {
        let mut item = table.get(&key, true).await.unwrap().unwrap();
        item.key.pk = item.key.pk.replace(real.as_str(), ghost.as_str());
        // Nobody's records: as if all of them had been lost.
        let records = town.people().await;
        let records =
            records.iter().find(|view| view["id"] == real.as_str()).unwrap()["records"].as_array().unwrap().clone();
        item.data = item.data.replace(real.as_str(), ghost.as_str());
        for record in records {
            item.data = item.data.replace(record["handle"].as_str().unwrap(), &"cd".repeat(16));
        }
        table.put(&item, Guard::Absent).await.unwrap();
    }

    let found = compared(&town).await;
    assert_eq!(kinds(&found), [(Drift::WithoutRecords, "people", 1)]);
    assert!(found.drift.values().flatten().eq([ghost.as_str()]));
    repaired(&town, &found).await;
    assert_eq!(kinds(&compared(&town).await), []);
    assert_eq!(town.get(&format!("/v1/people/{ghost}")).await.status, 404);
    assert_eq!(town.get(&format!("/v1/people/{real}")).await.status, 200, "the real person is untouched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_on_which_somebody_works_is_left_alone() {
    let town = town().await;
    let key = Key::new("F#housing/people", "FEED");
    let loads = &town.stack.store.loads;
    let item = loads.get(&key, true).await.unwrap().unwrap();
    let mut feed: serde_json::Value = item.read().unwrap();
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
    feed["lease"] = json!({ "load": feed["applied"]["load"], "until": until });
    let leased = fc_store::Item { data: feed.to_string(), rev: item.rev + 1, ..item };
    loads.put(&leased, Guard::None).await.unwrap();
    let found = compared(&town).await;
    assert_eq!(found.under_way.iter().map(ToString::to_string).collect::<Vec<_>>(), ["housing/people"]);
    assert!(found.compared > 0 && found.agreement().unwrap().contains("Not compared: housing/people."));
    assert_eq!(kinds(&found), []);
}

//! A message that always fails: it holds up nobody, it is kept with its reason, and it is applied when it is sent again.

use crate::end_to_end_harness::Town;
use fc_ingest::Ingest;
use fc_matching::SqsEvent;
use fc_store::{
    Deliver,
    dead_letters::DeadLetter,
    loads::{self, FeedName, LoadState, Part, ToMatching},
    queue::Sending,
};
use jiff::Timestamp;
use serde_json::json;
use std::sync::{Arc, Mutex};

/// A queue that only keeps what it is sent.
#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Deliver for Kept {
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        self.0.lock().unwrap().extend(bodies);
        Box::pin(std::future::ready(Ok(())))
    }
}

const TENANTS: [&str; 3] = ["Quillfeather", "Okonjo", "Brightwater"];

/// Stages a file of three tenants, a part each, and gives what would be sent to matching.
async fn staged(town: &Town) -> Vec<String> {
    let store = &town.stack.store;
    let key = "housing/people/tenants.csv";
    let mut file = String::from("PERSON_REF;FULL_NAME;DOB\n");
    for (number, surname) in TENANTS.iter().enumerate() {
        file.push_str(&format!("T{number};{surname}, Alma;1{number}-Mar-84\n"));
    }
    // Straight into the bucket's folder, so that the running stack is not told.
    let place = town.stack.file_of(store.extracts.name(), key);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, file).unwrap();
    let matching = Arc::new(Kept::default());
    let ingest = Ingest {
        store: store.clone(),
        definitions: Arc::clone(&town.stack.definitions),
        matching: matching.clone(),
        own: Arc::clone(&town.stack.ingest) as fc_store::Queue,
        now: Arc::new(Timestamp::now),
        part_lines: 1,
    };
    let notice = json!({"Records": [{
        "eventName": "ObjectCreated:Put", "eventTime": Timestamp::now().to_string(),
        "s3": {"bucket": {"name": store.extracts.name()}, "object": {"key": key}},
    }]});
    let event = json!({"Records": [{"messageId": "of-s3", "body": notice.to_string(), "attributes": {}}]});
    let event: SqsEvent = serde_json::from_value(event).unwrap();
    assert!(fc_ingest::handle(&ingest, event).await.batch_item_failures.is_empty());
    let bodies = matching.0.lock().unwrap().clone();
    assert_eq!(bodies.len(), TENANTS.len());
    bodies
}

fn part_of(body: &str) -> Part {
    match serde_json::from_str(body).unwrap() {
        ToMatching::Part(part) => part,
        ToMatching::Sweep {} => panic!("no part"),
    }
}

/// The dead letters of a queue that are kept.
fn kept(town: &Town, queue: &str) -> Vec<DeadLetter> {
    let folder = town.stack.file_of(town.stack.store.staging.name(), &format!("dead-letters/{queue}"));
    let files = std::fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
    let letters = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    letters.map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_cannot_be_applied_is_kept_with_its_reason_and_applied_when_it_is_sent_again() {
    let town = Town::start(None).await;
    let bodies = staged(&town).await;
    let name = FeedName::new("housing".parse().unwrap(), "people".parse().unwrap());
    let staging = &town.stack.store.staging;
    // One part cannot be read.
    let poison = part_of(&bodies[1]);
    let part = staging.get(&poison.key).await.unwrap();
    staging.put(&poison.key, "application/x-ndjson", b"{\"no\":\"change, of Quillfeather\"}\n".to_vec()).await.unwrap();

    town.stack.matching.push(bodies.clone());
    town.stack.settled().await;

    // It holds up nobody: the other tenants are found. Its load is not taken for done.
    assert_eq!(town.people().await.len(), TENANTS.len() - 1);
    let loads = loads::latest(&town.stack.store.loads, &name, 1).await.unwrap();
    assert!(!loads[0].state.is_closed());
    // It is dead, and kept with its reason, which says nothing of anybody.
    let dead = town.stack.matching.dead();
    assert_eq!(dead.iter().map(|dead| &dead.body).collect::<Vec<_>>(), [&bodies[1]]);
    let letters = kept(&town, "matching");
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].queue.as_str(), &letters[0].body), ("matching", &bodies[1]));
    assert_eq!(letters[0].reason, "line 1 of the part is no change");

    // Mended, and sent again from what was kept: everybody is there, and the load is done.
    staging.put(&poison.key, "application/x-ndjson", part).await.unwrap();
    town.stack.matching.push([letters[0].body.clone()]);
    town.stack.settled().await;
    assert_eq!(town.people().await.len(), TENANTS.len());
    assert_eq!(loads::latest(&town.stack.store.loads, &name, 1).await.unwrap()[0].state, LoadState::Applied);
    assert_eq!(town.stack.matching.dead().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_understands_is_kept_and_what_succeeds_at_the_last_try_is_not() {
    let town = Town::start(None).await;
    town.stack.ingest.push(["no message at all".to_owned()]);
    town.stack.settled().await;
    let letters = kept(&town, "ingest");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "the message is of no kind that ingest knows");

    let store = &town.stack.store;
    let delivered =
        fc_store::dead_letters::Delivered { queue: "matching", id: "last", body: "{}", receives: Some("5") };
    let well = async {
        // Kept before it is tried, for who crashes can write nothing afterwards.
        assert_eq!(kept(&town, "matching")[0].reason, "its worker crashed or ran out of time");
        Ok::<_, fc_store::StoreError>(())
    };
    fc_store::dead_letters::keeping(&store.staging, delivered, Timestamp::now(), well).await.unwrap();
    assert!(kept(&town, "matching").is_empty());
}

//! Ingest against embedded DynamoDB and S3 servers: what a source's owner can count on, whatever happens on the way.

use crate::lambda_runtime::Function;
use fc_ingest::{Ingest, Report, SqsEvent, handle};
use fc_local::{DataFolder, access_key::AccessKey};
use fc_model::{Change, Content, RecordHandle, Seq};
use fc_sources::Definitions;
use fc_store::{
    Endpoints, Names, Store, StoreError,
    loads::{self, FeedHealth, FeedName, LoadState, ToIngest, ToMatching},
    people,
    queue::{Deliver, Sending},
    schema::{create_buckets, create_tables},
    settings::Clients,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

mod faults;
mod reports;

use faults::Faults;

const DEFINITION: &str = r#"
title = "TITLE"
service = "SERVICE"
database = "Northgate"
organisation = "Fenchester Homes"
area = "Fenchester"
expect_every_days = 1
agreed = ["record_id", "forename", "surname", "date_of_birth"]

[duty]
team = "Duty desk"
phone = "01632 960200"

[feeds.people]
kind = "people"
mode = "MODE"
as_of = "ASOF"
dates = ["dd/mm/yyyy"]
mandatory = ["record_id", "surname"]
shrink_limit = 0.5
reject_limit = 0.4
DELETION

[feeds.people.columns]
record_id = "Ref"
forename = "Forename"
surname = "Surname"
date_of_birth = "DOB"
"#;

fn definition(name: &str, mode: &str, as_of: &str, deletion: &str) -> (String, String) {
    let text = DEFINITION
        .replace("TITLE", name)
        .replace("SERVICE", name)
        .replace("MODE", mode)
        .replace("ASOF", as_of)
        .replace("DELETION", deletion);
    (format!("{name}.toml"), text)
}

/// A source with columns that protect somebody.
fn children() -> String {
    let (_, text) = definition("children", "full", "upload", "");
    let fields = r#""date_of_birth", "address", "former_name", "worker_name", "protection", "address_confidential", "name_not_to_be_shown""#;
    let columns = r#"
address = "Address"
former_name = "Former"
worker_name = "Worker"
protection = { column = "Restriction", values = { "None" = "none", "Restricted" = "withheld" } }
address_confidential = "Confidential"
name_not_to_be_shown = "Hide"
"#;
    text.replacen(r#""date_of_birth""#, fields, 1) + columns
}

fn definitions() -> Definitions {
    let marker = r#"deletion = { column = "Action", values = ["D"] }"#;
    let (name, mut off) = definition("police", "full", "upload", "");
    off.insert_str(1, "enabled = false\n");
    let files = [
        definition("housing", "full", "upload", ""),
        definition("schools", "full", "file-name yyyymmdd", ""),
        definition("early_help", "delta", "file-name yyyymmdd", marker),
        (name, off),
        ("children.toml".into(), children()),
        ("staff_directory.toml".into(), include_str!("../../../infra/sources/staff_directory.toml").into()),
    ];
    Definitions::from_files(files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A queue that keeps what it is sent, and fails when asked to.
struct Inbox {
    bodies: Mutex<Vec<String>>,
    faults: Arc<Faults>,
}

impl Inbox {
    fn new(faults: &Arc<Faults>) -> Arc<Self> {
        Arc::new(Self { bodies: Mutex::default(), faults: Arc::clone(faults) })
    }

    fn push(&self, body: String) {
        self.bodies.lock().unwrap().push(body);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.bodies.lock().unwrap())
    }

    fn len(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }
}

impl Deliver for Inbox {
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        Box::pin(async move {
            for body in bodies {
                let failed =
                    |_| StoreError::Unavailable { operation: "Send", place: "queue".into(), reason: "test".into() };
                self.faults.before().map_err(failed)?;
                self.push(body);
                self.faults.after().map_err(failed)?;
            }
            Ok(())
        })
    }
}

/// A council's ingest, with a stand-in for matching that only remembers what it was given.
struct Council {
    ingest: Ingest,
    /// The same tables and buckets, without the faults.
    store: Store,
    faults: Arc<Faults>,
    own: Arc<Inbox>,
    matching: Arc<Inbox>,
    clock: Arc<Mutex<Timestamp>>,
    uploads: AtomicUsize,
    records: Mutex<BTreeMap<RecordHandle, (Seq, Option<Content>)>>,
    applied: AtomicUsize,
    endpoints: Endpoints,
    _folder: DataFolder,
}

impl Council {
    async fn new() -> Self {
        let folder = DataFolder::open(None).unwrap();
        let names = Names::with_prefix("");
        let s3 = fc_local::listen(0).await.unwrap();
        let access = AccessKey::random();
        let s3 = fc_local::s3::start(s3, folder.path(), &["extracts"], Arc::new(|_| {}), &access).await.unwrap();
        let dynamodb = fc_local::listen(0).await.unwrap();
        let dynamodb = fc_local::dynamo::start(dynamodb, None, access.clone()).await.unwrap();
        let endpoints = access.endpoints(&dynamodb, &s3);
        let clients = Clients::local(&endpoints);
        create_tables(&clients, &names).await.unwrap();
        create_buckets(&clients, &names).await.unwrap();
        let key = || fc_model::HandleKey::new([7; 32]).unwrap();
        let faults = Arc::new(Faults::default());
        let clock = Arc::new(Mutex::new("2026-03-02T01:00:00Z".parse().unwrap()));
        let (own, matching) = (Inbox::new(&faults), Inbox::new(&faults));
        let hands = Arc::clone(&clock);
        Self {
            ingest: Ingest {
                store: Store::new(&faults.in_front_of(&clients), &names, key()),
                definitions: Arc::new(definitions()),
                matching: Arc::clone(&matching) as _,
                own: Arc::clone(&own) as _,
                now: Arc::new(move || *hands.lock().unwrap()),
                part_lines: fc_ingest::PART_LINES,
            },
            store: Store::new(&clients, &names, key()),
            faults,
            own,
            matching,
            clock,
            uploads: AtomicUsize::new(0),
            records: Mutex::default(),
            applied: AtomicUsize::new(0),
            endpoints,
            _folder: folder,
        }
    }

    fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    fn wait(&self, hours: i64) {
        *self.clock.lock().unwrap() += SignedDuration::from_hours(hours);
    }

    /// Uploads a file and hears of it, without anything being done yet.
    async fn upload(&self, key: &str, file: impl AsRef<[u8]>) {
        self.store.extracts.put(key, "text/csv", file.as_ref().to_vec()).await.unwrap();
        let version = self.uploads.fetch_add(1, Ordering::Relaxed);
        self.wait(1);
        let (at, key) = (self.now(), key.replace(' ', "+"));
        self.own.push(format!(
            r#"{{"Records":[{{"eventName":"ObjectCreated:Put","eventTime":"{at}",
                "s3":{{"bucket":{{"name":"extracts"}},"object":{{"key":"{key}","versionId":"v{version}"}}}}}}]}}"#
        ));
    }

    /// Hands one message to ingest; on failure it goes back to the queue.
    async fn deliver(&self, body: String) -> bool {
        let event = serde_json::json!({"Records": [{"messageId": "m", "body": body}]});
        let event: SqsEvent = serde_json::from_value(event).unwrap();
        let ok = handle(&self.ingest, event).await.batch_item_failures.is_empty();
        if !ok {
            self.own.push(body);
        }
        ok
    }

    /// Hands ingest what is in its queue, once. True when nothing failed.
    async fn ingest_once(&self) -> bool {
        let mut ok = true;
        for body in self.own.take() {
            ok &= self.deliver(body).await;
        }
        ok
    }

    /// Applies the parts in the matching queue, as matching does: only what is newer counts.
    async fn apply_parts(&self) {
        for body in self.matching.take() {
            let ToMatching::Part(part) = serde_json::from_str(&body).unwrap() else { continue };
            let lines = match self.store.staging.get(&part.key).await {
                Ok(lines) => String::from_utf8(lines).unwrap(),
                Err(StoreError::Missing { .. }) => {
                    assert!(
                        !loads::is_pending(&self.store.loads, &part).await.unwrap(),
                        "a part is gone before it was applied"
                    );
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            for line in lines.lines() {
                let change: Change = serde_json::from_str(line).unwrap();
                let mut records = self.records.lock().unwrap();
                let newer = records.get(&change.handle).is_none_or(|(seq, _)| *seq < change.seq);
                if newer {
                    records.insert(change.handle, (change.seq, change.content));
                    self.applied.fetch_add(1, Ordering::Relaxed);
                }
            }
            if loads::mark_part_done(&self.store.loads, &part, self.now()).await.unwrap() {
                let done = loads::FeedLoad { name: part.name, load: part.load };
                self.own.push(ToIngest::Finish(done).body().unwrap());
            }
        }
    }

    /// Lets everything run until both queues are empty.
    async fn settle(&self) {
        for _ in 0..20 {
            if self.own.len() + self.matching.len() == 0 {
                return;
            }
            self.ingest_once().await;
            self.apply_parts().await;
        }
        panic!("the queues do not run empty: {:?}", self.own.take());
    }

    async fn load(&self, key: &str, file: impl AsRef<[u8]>) -> Report {
        self.upload(key, file).await;
        self.settle().await;
        self.latest_report(key).await
    }

    async fn latest_report(&self, key: &str) -> Report {
        let folder = key.split('/').next().unwrap();
        let known = ["housing", "schools", "early_help", "police", "children"].contains(&folder);
        let folder = if known { format!("{folder}/people") } else { "unrecognised/files".into() };
        let page = self.store.reports.get(&format!("{folder}/latest.html")).await.unwrap();
        assert!(String::from_utf8(page).unwrap().contains("</html>"));
        serde_json::from_slice(&self.store.reports.get(&format!("{folder}/latest.json")).await.unwrap()).unwrap()
    }

    /// Forenames of everyone whom matching now holds, in order.
    fn people(&self) -> Vec<String> {
        let records = self.records.lock().unwrap();
        let mut names: Vec<String> = records
            .values()
            .filter_map(|(_, content)| match content {
                Some(Content::Person(details)) => Some(details.names[0].forenames.join(" ")),
                _ => None,
            })
            .collect();
        names.sort();
        names
    }

    async fn manifest(&self, source: &str) -> Vec<String> {
        let feed = loads::feed(&self.store.loads, &feed(source)).await.unwrap();
        assert!(feed.pending.is_none() && feed.lease.is_none() && feed.waiting.is_empty(), "{feed:?}");
        match feed.applied.and_then(|applied| applied.manifest) {
            None => Vec::new(),
            Some(key) => {
                let text = String::from_utf8(self.store.manifests.get(&key).await.unwrap()).unwrap();
                text.lines().map(str::to_owned).collect()
            }
        }
    }

    async fn health(&self, source: &str) -> FeedHealth {
        let name = feed(source);
        loads::feed_statuses(&self.store.loads, &[(name.source, name.feed)]).await.unwrap()[0].state
    }
}

fn feed(source: &str) -> FeedName {
    FeedName::new(source.parse().unwrap(), "people".parse().unwrap())
}

/// An extract of a family: H1 Amir, H2 Beth and so on, each with a surname and a date of birth.
fn extract(rows: &[(&str, &str)]) -> String {
    let rows = rows.iter().map(|(id, forename)| format!("{id},{forename},Akhtar,01/02/2015\n"));
    format!("Ref,Forename,Surname,DOB\n{}", rows.collect::<String>())
}

const AMIR_BETH_CARL: [(&str, &str); 3] = [("H1", "Amir"), ("H2", "Beth"), ("H3", "Carl")];

#[tokio::test]
async fn a_file_is_loaded_and_every_row_accounted_for() {
    let council = Council::new().await;
    let mut file = extract(&AMIR_BETH_CARL);
    file.push_str(",,,\nRef,Forename,Surname,DOB\n,Dora,Akhtar,01/02/2015\nH5,,,\n");
    let report = council.load("housing/march extract.csv", &file).await;
    assert_eq!(report.state, LoadState::Applied);
    assert_eq!(report.file, "housing/march extract.csv");
    let rows = report.rows;
    assert_eq!((rows.read, rows.used, rows.blank, rows.repeated_header, rows.rejected), (7, 3, 1, 1, 2));
    assert!(rows.add_up());
    let rejected: Vec<(u64, &str)> = report.rejected.iter().map(|row| (row.line, &*row.column)).collect();
    assert_eq!(rejected.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [7, 8]);
    assert_eq!(rejected[0].1, "Ref");
    assert_eq!(report.records.added, 3);
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"]);
    assert_eq!(council.health("housing").await, FeedHealth::Ok);
}

#[tokio::test]
async fn the_same_file_twice_is_a_duplicate_and_touches_no_record() {
    let council = Council::new().await;
    council.load("housing/people/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let applied = council.applied.load(Ordering::Relaxed);
    let report = council.load("housing/people/tuesday.csv", &extract(&AMIR_BETH_CARL)).await;
    assert_eq!(report.state, LoadState::Duplicate);
    assert_eq!(council.applied.load(Ordering::Relaxed), applied);
    let now = loads::feed(&council.store.loads, &feed("housing")).await.unwrap().applied.unwrap().as_of;
    assert_eq!(now, council.now(), "the same content today is still today's");
}

#[tokio::test]
async fn a_file_in_which_nothing_changed_costs_five_reads_and_eight_small_writes() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    // The rows come in another order, so it is another file with the same records.
    let mut again = AMIR_BETH_CARL;
    again.reverse();
    council.upload("housing/tuesday.csv", &extract(&again)).await;
    let before = council.ingest.store.loads.meter().reading();
    council.faults.forget();
    assert!(council.ingest_once().await);
    let seen = council.faults.seen();
    let count = |operation: &str| seen.iter().filter(|name| *name == operation).count();
    // The file; the manifest, for common values before the file and for records after it, so that a large one is not held
    // meanwhile; and two reports: the accepted file's, to see which columns lost something, and the latest.
    assert_eq!(count("GetObject"), 5, "{seen:?}");
    // A transaction writes two items.
    let writes = count("PutItem") + 2 * count("TransactWriteItems") + count("PutObject");
    assert!(writes <= 8, "{writes} writes: {seen:?}");
    assert_eq!(count("DeleteObject") + count("Send"), 0, "{seen:?}");
    let units = council.ingest.store.loads.meter().reading() - before;
    assert!(units.write_units <= 8.0, "{units:?}");
    let untouched = [&council.ingest.store.records, &council.ingest.store.people];
    assert!(untouched.iter().all(|table| table.meter().reading().calls == 0));
    assert_eq!(council.matching.len(), 0);
    assert_eq!(council.latest_report("housing/").await.records.unchanged, 3);
}

#[tokio::test]
async fn a_person_who_left_the_source_is_removed_and_one_who_changed_is_sent_again() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let report = council.load("housing/tuesday.csv", &extract(&[("H1", "Amir"), ("H2", "Bethany")])).await;
    let records = report.records;
    assert_eq!((records.unchanged, records.changed, records.removed, records.added), (1, 1, 1, 0));
    assert_eq!(council.people(), ["Amir", "Bethany"]);
    assert_eq!(council.manifest("housing").await.len(), 2);
}

#[tokio::test]
async fn yesterdays_file_after_todays_is_superseded() {
    let council = Council::new().await;
    council.load("schools/20260302.csv", &extract(&AMIR_BETH_CARL)).await;
    let report = council.load("schools/20260301.csv", &extract(&[("H9", "Old")])).await;
    assert_eq!(report.state, LoadState::Superseded);
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"]);
    assert_eq!(council.health("schools").await, FeedHealth::Ok);
}

#[tokio::test]
async fn a_file_without_the_date_its_name_should_have_is_refused() {
    let council = Council::new().await;
    for key in ["schools/latest.csv", "schools/20270301.csv"] {
        assert_eq!(council.load(key, &extract(&AMIR_BETH_CARL)).await.state, LoadState::Refused, "{key}");
    }
    assert!(council.people().is_empty());
    assert_eq!(council.health("schools").await, FeedHealth::Failed);
}

#[tokio::test]
async fn a_shrunken_extract_is_held_and_then_approved() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let report = council.load("housing/tuesday.csv", &extract(&[("H1", "Amir")])).await;
    assert_eq!(report.state, LoadState::Held);
    assert!(report.words[0].contains("2 of 3 records would go"), "{:?}", report.words);
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"], "old data is still served");
    assert_eq!(council.health("housing").await, FeedHealth::Held);

    let own: fc_store::Queue = Arc::clone(&council.own) as _;
    let (name, table) = (feed("housing"), &council.store.loads);
    loads::approve(table, &own, &name, &report.load, council.now()).await.unwrap();
    council.settle().await;
    assert_eq!(council.people(), ["Amir"]);
    assert_eq!(council.health("housing").await, FeedHealth::Ok);
    assert_eq!(loads::load(table, &name, &report.load).await.unwrap().unwrap().state, LoadState::Applied);
    let again = loads::approve(table, &own, &name, &report.load, council.now()).await.unwrap_err();
    assert!(again.to_string().contains("not held"), "{again}");
}

#[tokio::test]
async fn a_held_extract_that_is_rejected_changes_nothing() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let report = council.load("housing/tuesday.csv", &extract(&[("H1", "Amir")])).await;
    loads::reject(&council.store.loads, &feed("housing"), &report.load, council.now()).await.unwrap();
    council.settle().await;
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"]);
    assert_eq!(council.health("housing").await, FeedHealth::Failed);
    let states: Vec<LoadState> = loads::latest(&council.store.loads, &feed("housing"), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|load| load.state)
        .collect();
    assert_eq!(states, [LoadState::Rejected, LoadState::Applied]);
}

/// How the loads of a feed stand, the first uploaded first.
async fn states(council: &Council, source: &str) -> Vec<LoadState> {
    let known = loads::latest(&council.store.loads, &feed(source), 10).await.unwrap();
    known.into_iter().rev().map(|load| load.state).collect()
}

#[tokio::test]
async fn a_held_extract_has_nothing_to_decide_once_a_newer_one_of_its_day_is_applied() {
    let council = Council::new().await;
    council.load("schools/20260301.csv", &extract(&AMIR_BETH_CARL)).await;
    let half = council.load("schools/half-20260302.csv", &extract(&[("H1", "Amir")])).await;
    assert_eq!(half.state, LoadState::Held);
    council.load("schools/20260302.csv", &extract(&[("H1", "Amir"), ("H2", "Beth")])).await;
    assert_eq!(states(&council, "schools").await, [LoadState::Applied, LoadState::Superseded, LoadState::Applied]);

    let own: fc_store::Queue = Arc::clone(&council.own) as _;
    let late = loads::approve(&council.store.loads, &own, &feed("schools"), &half.load, council.now()).await;
    assert!(late.unwrap_err().to_string().contains("Superseded, not held, so there is nothing to decide"));
    council.settle().await;
    assert_eq!(council.people(), ["Amir", "Beth"]);
}

#[tokio::test]
async fn a_held_extract_is_ended_by_one_that_changes_nothing_and_an_unreadable_one_too() {
    let council = Council::new().await;
    council.load("schools/20260301.csv", &extract(&AMIR_BETH_CARL)).await;
    council.load("schools/half-20260302.csv", &extract(&[("H1", "Amir")])).await;
    council.load("schools/lacks-20260302.csv", "Ref,Forename,DOB\nH1,Amir,01/02/2015\n").await;
    let same = council.load("schools/20260302.csv", &extract(&AMIR_BETH_CARL)).await;
    assert_eq!(same.state, LoadState::Duplicate);
    let ended = [LoadState::Applied, LoadState::Superseded, LoadState::Superseded, LoadState::Duplicate];
    assert_eq!(states(&council, "schools").await, ended);
}

#[tokio::test]
async fn the_latest_held_extract_can_be_approved_although_mended_rows_of_its_day_came_after_it() {
    let council = Council::new().await;
    council.load("schools/20260301.csv", &extract(&AMIR_BETH_CARL)).await;
    let held = council.load("schools/20260302.csv", &extract(&[("H1", "Amir")])).await;
    council.load("schools/20260302.rejected.csv", &extract(&[("H2", "Bethany")])).await;
    assert_eq!(states(&council, "schools").await, [LoadState::Applied, LoadState::Held, LoadState::Applied]);

    let own: fc_store::Queue = Arc::clone(&council.own) as _;
    loads::approve(&council.store.loads, &own, &feed("schools"), &held.load, council.now()).await.unwrap();
    council.settle().await;
    assert_eq!(council.people(), ["Amir"]);
}

#[tokio::test]
async fn of_two_extracts_of_one_day_the_last_uploaded_counts_whichever_is_heard_of_first() {
    let council = Council::new().await;
    council.upload("schools/first-20260302.csv", &extract(&AMIR_BETH_CARL)).await;
    let first = council.own.take();
    council.load("schools/second-20260302.csv", &extract(&[("H1", "Amir"), ("H2", "Beth")])).await;
    first.into_iter().for_each(|body| council.own.push(body));
    council.settle().await;
    assert_eq!(states(&council, "schools").await, [LoadState::Superseded, LoadState::Applied]);
    assert_eq!(council.people(), ["Amir", "Beth"]);
}

#[tokio::test]
async fn an_extract_with_too_many_bad_rows_is_held() {
    let council = Council::new().await;
    let file = format!("{},Dora,Akhtar,\n,Evan,Akhtar,\n,Finn,Akhtar,\n", extract(&AMIR_BETH_CARL));
    let report = council.load("housing/monday.csv", &file).await;
    assert_eq!(report.state, LoadState::Held);
    assert!(report.words[0].contains("3 of 6 rows cannot be used"), "{:?}", report.words);
}

#[tokio::test]
async fn an_extract_whose_dates_came_in_another_form_is_held_until_somebody_approves_that_form() {
    let council = Council::new().await;
    let dated = |day: &str, forename: &str| {
        let rows = (0..20).map(|row| format!("H{row},{forename}{row},Akhtar,{day}\n"));
        format!("Ref,Forename,Surname,DOB\n{}", rows.collect::<String>())
    };
    assert_eq!(council.load("housing/monday.csv", &dated("01/02/2015", "Amir")).await.state, LoadState::Applied);
    let report = council.load("housing/tuesday.csv", &dated("2015-02-01", "Amir")).await;
    assert_eq!(report.state, LoadState::Held);
    assert!(report.words[0].contains("In the column DOB, 20 of 20 values cannot be read"), "{:?}", report.words);
    assert!(report.words[0].contains("14/02/1984"), "{:?}", report.words);

    let own: fc_store::Queue = Arc::clone(&council.own) as _;
    loads::approve(&council.store.loads, &own, &feed("housing"), &report.load, council.now()).await.unwrap();
    council.settle().await;
    let next = council.load("housing/wednesday.csv", &dated("2015-02-01", "Beth")).await;
    assert_eq!(next.state, LoadState::Applied, "nothing more is lost by it: {:?}", next.words);
}

/// Thirty children, of whom the first is restricted, at a confidential address and under a former name to be hidden.
fn protected(headings: &str, mark: &str, worker: &str) -> String {
    let row = |row| {
        let (level, yes) =
            if row == 0 && mark == "Y" { ("Restricted", "Y") } else { ("", if row == 0 { mark } else { "" }) };
        format!("C{row},Ada{row},Moss,01/02/2015,{row} Mill Lane,Lily Birth,{worker},{level},{yes},{yes}\n")
    };
    let rows: String = (0..30).map(row).collect();
    format!("Ref,Forename,Surname,DOB,Address,Former,Worker,{headings}\n{rows}")
}

#[tokio::test]
async fn an_extract_whose_protecting_columns_are_renamed_emptied_or_in_error_is_held_and_shows_nobody() {
    const COLUMNS: &str = "Restriction,Confidential,Hide";
    let council = Council::new().await;
    let first = council.load("children/monday.csv", &protected(COLUMNS, "Y", "Jo Bell")).await;
    assert_eq!(first.state, LoadState::Applied, "{:?}", first.words);
    for (day, file, words) in [
        (
            "tuesday",
            protected("Restriction Level,Confidential,Hide", "Y", "Jo Bell"),
            "lacks the column Restriction, which",
        ),
        (
            "wednesday",
            protected("Restriction,Secret address,Hide", "Y", "Jo Bell"),
            "lacks the column Confidential, which",
        ),
        ("thursday", protected(COLUMNS, "", "Jo Bell"), "which protects people, had 1 value "),
        ("friday", protected(COLUMNS, "#N/A", "Jo Bell"), "cannot be understood"),
        ("saturday", protected(COLUMNS, "maybe", "Jo Bell"), "cannot be understood"),
    ] {
        let report = council.load(&format!("children/{day}.csv"), &file).await;
        assert_eq!(report.state, LoadState::Held, "{day}");
        assert!(report.words[0].contains(words), "{day}: {:?}", report.words);
        assert!(report.words.iter().any(|words| words.starts_with("To approve it is to load it as it is")));
    }
    // The same file as at first: nothing changed for anybody.
    let again = council.load("children/sunday.csv", &(protected(COLUMNS, "Y", "Jo Bell") + "\n")).await;
    assert_eq!((again.state, again.records.unchanged), (LoadState::Applied, 30), "{:?}", again.words);
}

#[tokio::test]
async fn a_column_of_workers_that_has_gone_empty_holds_the_extract_until_a_person_approves_it() {
    const COLUMNS: &str = "Restriction,Confidential,Hide";
    let council = Council::new().await;
    council.load("children/monday.csv", &protected(COLUMNS, "Y", "Jo Bell")).await;
    let report = council.load("children/tuesday.csv", &protected(COLUMNS, "Y", "")).await;
    assert_eq!(report.state, LoadState::Held);
    assert!(report.words[0].contains("Worker had 30 values in 30 rows"), "{:?}", report.words);
    let own: fc_store::Queue = Arc::clone(&council.own) as _;
    loads::approve(&council.store.loads, &own, &feed("children"), &report.load, council.now()).await.unwrap();
    council.settle().await;
    let approved = council.latest_report("children/").await;
    assert_eq!(approved.state, LoadState::Applied);
    assert!(approved.words[0].contains("approved it, although"), "the report leads with it: {:?}", approved.words);
    assert!(approved.words[1].contains("Worker had 30 values"), "{:?}", approved.words);
    let next = council.load("children/wednesday.csv", &protected(COLUMNS, "Y", " ")).await;
    assert_ne!(next.state, LoadState::Held, "nothing more is lost by it: {:?}", next.words);
}

#[tokio::test]
async fn one_record_id_on_two_people_is_told_and_neither_is_loaded() {
    let council = Council::new().await;
    let rows = "H1,Amir,Akhtar,01/02/2015\nH2,Beth,Akhtar,01/02/2015\nH3,Gerald,Moss,01/02/1971\nH3,Primrose,Hale,09/08/2012\nH4,Cy,Bell,05/06/2014\nH5,Di,Bell,05/06/2013\n";
    let report = council.load("housing/monday.csv", &format!("Ref,Forename,Surname,DOB\n{rows}")).await;
    assert_eq!(report.state, LoadState::Applied, "{:?}", report.words);
    assert_eq!((report.rows.read, report.rows.used, report.rows.rejected), (6, 4, 2));
    assert!(report.rejected.iter().all(|row| row.column == "Ref" && row.reason.contains("people who clearly differ")));
    assert_eq!(council.people(), ["Amir", "Beth", "Cy", "Di"]);
    let shared = "H7,Gerald,Moss,01/02/1971\nH7,Primrose,Hale,09/08/2012\nH1,Amir,Akhtar,01/02/2015\n";
    let report = council.load("housing/tuesday.csv", &format!("Ref,Forename,Surname,DOB\n{shared}")).await;
    assert_eq!(report.state, LoadState::Held, "more than the agreed share");
}

#[tokio::test]
async fn an_extract_that_lacks_a_mandatory_column_is_held_and_cannot_be_approved() {
    let council = Council::new().await;
    let report = council.load("housing/monday.csv", "Ref,Forename,DOB\nH1,Amir,01/02/2015\n").await;
    assert_eq!(report.state, LoadState::Held);
    assert!(report.words[0].contains("Surname"), "{:?}", report.words);
    let own: fc_store::Queue = Arc::clone(&council.own) as _;
    let refused = loads::approve(&council.store.loads, &own, &feed("housing"), &report.load, council.now()).await;
    assert!(refused.unwrap_err().to_string().contains("ask the owner for a whole file"));
}

#[tokio::test]
async fn what_cannot_be_a_file_of_a_source_is_refused_with_words_that_help() {
    let council = Council::new().await;
    let good = extract(&AMIR_BETH_CARL);
    for (key, text, words) in [
        ("probation/people/a.csv", &*good, "names no source we know"),
        ("stray.csv", &*good, "names no source we know"),
        ("housing/tenancies/a.csv", &*good, "names no feed of housing"),
        ("police/a.csv", &*good, "switched off"),
        ("housing/empty.csv", "", "The file is empty"),
    ] {
        council.upload(key, text).await;
        assert!(council.ingest_once().await, "{key} is not tried again");
        let folder = if words.contains("names no") { "unrecognised/x" } else { key };
        let report = council.latest_report(folder).await;
        assert_eq!((report.state, &*report.file), (LoadState::Refused, key));
        assert!(report.words[0].contains(words), "{:?}", report.words);
        assert_eq!(council.own.len() + council.matching.len(), 0);
    }
    assert!(council.people().is_empty());
}

#[tokio::test]
async fn a_file_that_is_gone_when_we_come_for_it_is_refused() {
    let council = Council::new().await;
    council.upload("housing/a.csv", &extract(&AMIR_BETH_CARL)).await;
    council.store.extracts.delete("housing/a.csv").await.unwrap();
    council.settle().await;
    assert_eq!(council.latest_report("housing/a.csv").await.state, LoadState::Refused);
}

#[tokio::test]
async fn a_rejected_row_keeps_its_last_good_version() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let report = council
        .load("housing/tuesday.csv", "Ref,Forename,Surname,DOB\nH1,Amira,Akhtar,\nH2,,,\nH3,Carl,Akhtar,01/02/2015\n")
        .await;
    assert_eq!(report.state, LoadState::Applied);
    assert_eq!((report.records.kept_stale, report.records.changed, report.records.removed), (1, 1, 0));
    assert_eq!(council.people(), ["Amira", "Beth", "Carl"]);
    let manifest = council.manifest("housing").await;
    assert_eq!(manifest.iter().filter(|line| line.ends_with(" stale")).count(), 1);
    let report = council.load("housing/wednesday.csv", &extract(&AMIR_BETH_CARL)).await;
    assert_eq!((report.records.kept_stale, report.records.changed, report.records.unchanged), (0, 1, 2));
}

#[tokio::test]
async fn removals_wait_while_a_rejected_rows_record_id_is_unreadable() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let bad = format!("{},Carl,Akhtar,01/02/2015\n", extract(&AMIR_BETH_CARL[..2]));
    let report = council.load("housing/tuesday.csv", &bad).await;
    assert_eq!((report.state, report.records.removals_waiting), (LoadState::Applied, 1));
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"]);
    let report = council.load("housing/wednesday.csv", &extract(&AMIR_BETH_CARL[..2])).await;
    assert_eq!((report.records.removed, report.records.removals_waiting), (1, 0));
    assert_eq!(council.people(), ["Amir", "Beth"]);
}

const DELTA: &str = "Ref,Forename,Surname,DOB,Action\n";

#[tokio::test]
async fn a_delta_adds_changes_and_deletes_only_what_it_names() {
    let council = Council::new().await;
    let first = format!("{DELTA}E1,Amir,Akhtar,,\nE2,Beth,Akhtar,,\nE3,Carl,Akhtar,,\n");
    council.load("early_help/20260301.csv", &first).await;
    let report = council.load("early_help/20260302.csv", &format!("{DELTA}E2,,,,D\nE4,Dora,Akhtar,,A\n")).await;
    assert_eq!((report.records.added, report.records.removed, report.records.unchanged), (1, 1, 2));
    assert_eq!(council.people(), ["Amir", "Carl", "Dora"]);
    assert_eq!(council.manifest("early_help").await.len(), 3);
}

#[tokio::test]
async fn a_delta_that_comes_late_applies_where_nothing_newer_is_known() {
    let council = Council::new().await;
    council.load("early_help/20260302.csv", &format!("{DELTA}E1,New,Akhtar,,\n")).await;
    let late = council.load("early_help/20260301.csv", &format!("{DELTA}E1,Old,Akhtar,,\nE2,Beth,Akhtar,,\n")).await;
    assert_eq!(late.state, LoadState::Applied);
    assert_eq!(council.people(), ["Beth", "New"]);
    let unknown = "0".repeat(32);
    assert!(
        council.manifest("early_help").await.iter().all(|line| line.ends_with(&unknown)),
        "what holds is not known"
    );
}

#[tokio::test]
async fn a_load_waits_until_the_one_before_it_is_applied() {
    let council = Council::new().await;
    council.upload("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    assert!(council.ingest_once().await);
    council.upload("housing/tuesday.csv", &extract(&AMIR_BETH_CARL[..2])).await;
    assert!(council.ingest_once().await);
    let waiting = loads::latest(&council.store.loads, &feed("housing"), 1).await.unwrap();
    assert_eq!(waiting[0].state, LoadState::Waiting);
    council.settle().await;
    assert_eq!(council.people(), ["Amir", "Beth"]);
    assert_eq!(council.manifest("housing").await.len(), 2);
}

#[tokio::test]
async fn two_workers_on_one_feed_do_not_mix() {
    let council = Council::new().await;
    council.upload("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    council.upload("housing/tuesday.csv", &extract(&[("H1", "Amira"), ("H2", "Beth")])).await;
    let mut bodies = council.own.take();
    // Each is delivered twice, all at the same time.
    bodies.extend(bodies.clone());
    let [a, b, c, d] = <[String; 4]>::try_from(bodies).unwrap();
    tokio::join!(council.deliver(a), council.deliver(b), council.deliver(c), council.deliver(d));
    council.settle().await;
    assert_eq!(council.people(), ["Amira", "Beth"]);
    assert_eq!(council.manifest("housing").await.len(), 2);
}

#[tokio::test]
async fn a_worker_that_was_given_up_for_dead_cannot_commit() {
    let council = Council::new().await;
    council.upload("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let body = council.own.take().remove(0);
    // It dies without a word while it has the lease.
    council.faults.fail_after(5, faults::When::Before);
    assert!(!council.deliver(body).await);
    council.faults.heal();
    let (name, table) = (feed("housing"), &council.store.loads);
    let stale = loads::feed(table, &name).await.unwrap();
    assert!(stale.lease.is_some(), "it died too early to test anything");
    assert!(!council.ingest_once().await, "nobody else may work before the lease runs out");
    council.wait(1);
    council.settle().await;
    let load = stale.lease.unwrap().load;
    let late =
        loads::conclude(table, &name, stale.fence, &load, council.now(), |_, load| load.state = LoadState::Refused);
    assert_eq!(late.await.unwrap_err(), StoreError::Conflict);
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"]);
}

#[tokio::test]
async fn a_full_extract_takes_over_from_a_stuck_one_and_sends_its_records_again() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    council.upload("housing/tuesday.csv", &extract(&[("H1", "Stuck"), ("H2", "Beth"), ("H4", "Lost")])).await;
    assert!(council.ingest_once().await);
    assert_eq!(council.matching.take().len(), 1, "the part is never applied");
    council.wait(7);
    let report = council.load("housing/wednesday.csv", &extract(&AMIR_BETH_CARL)).await;
    assert_eq!(report.state, LoadState::Applied);
    assert_eq!((report.records.changed, report.records.removed, report.records.unchanged), (2, 1, 1));
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"]);
    let states = loads::latest(&council.store.loads, &feed("housing"), 3).await.unwrap();
    assert_eq!(states[1].state, LoadState::Superseded);
    assert!(states[0].report.is_some(), "an applied load says where its report is");
    // Nothing is left of the one that was given up, neither who would have been in it nor what it said.
    let stuck = format!("housing/people/{}.2", states[1].load);
    let gone =
        async |bucket: &fc_store::Bucket, key: &str| matches!(bucket.get(key).await, Err(StoreError::Missing { .. }));
    assert!(gone(&council.store.manifests, &stuck).await);
    assert!(gone(&council.store.staging, &format!("{stuck}/part-0")).await);
}

#[tokio::test]
async fn a_worker_that_was_given_up_for_dead_takes_over_from_nobody() {
    let council = Council::new().await;
    council.upload("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    assert!(council.ingest_once().await);
    council.wait(7);
    // Tuesday's worker comes to the commit point of a take-over with a lease that it has lost.
    council.upload("housing/tuesday.csv", &extract(&AMIR_BETH_CARL[..2])).await;
    let body = council.own.take().remove(0);
    for requests in 8.. {
        council.faults.fail_after(requests, faults::When::Before);
        let survived = council.deliver(body.clone()).await;
        council.faults.heal();
        let monday = loads::latest(&council.store.loads, &feed("housing"), 2).await.unwrap().remove(1);
        let pending = loads::feed(&council.store.loads, &feed("housing")).await.unwrap().pending.unwrap();
        assert_eq!(
            monday.state == LoadState::Superseded,
            pending.version.load != monday.load,
            "superseded by the commit and by nothing before it"
        );
        if survived || monday.state == LoadState::Superseded {
            break;
        }
        council.own.take();
        council.wait(1);
    }
}

#[tokio::test]
async fn the_sweep_sends_again_the_parts_that_are_overdue_and_those_alone() {
    let council = Council::new().await;
    let rows: Vec<(String, String)> = (0..250).map(|n| (format!("H{n}"), format!("Child{n}"))).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(id, name)| (&**id, &**name)).collect();
    council.upload("housing/monday.csv", &extract(&rows)).await;
    assert!(council.ingest_once().await);
    let lost = council.matching.take();
    assert_eq!(lost.len(), 3);
    council.matching.push(lost[1].clone());
    council.apply_parts().await;
    let swept = async || {
        council.own.push(ToIngest::Sweep {}.body().unwrap());
        assert!(council.ingest_once().await);
        let mut bodies = council.matching.take();
        bodies.retain(|body| *body != ToMatching::Sweep {}.body().unwrap());
        bodies
    };
    assert!(swept().await.is_empty(), "they may only be slow");
    council.wait(1);
    assert_eq!(swept().await, [lost[0].clone(), lost[2].clone()]);
    council.wait(24);
    assert!(swept().await.is_empty(), "a part that fails for a day is not sent for ever");
    for body in lost {
        council.matching.push(body);
    }
    council.settle().await;
    assert_eq!(council.people().len(), 250);
}

#[tokio::test]
async fn a_delta_that_takes_over_has_the_stuck_ones_parts_applied_too() {
    let council = Council::new().await;
    council.upload("early_help/20260301.csv", &format!("{DELTA}E1,Amir,Akhtar,,\n")).await;
    assert!(council.ingest_once().await);
    assert_eq!(council.matching.take().len(), 1, "the part is lost");
    council.wait(7);
    council.load("early_help/20260302.csv", &format!("{DELTA}E2,Beth,Akhtar,,\n")).await;
    assert_eq!(council.people(), ["Amir", "Beth"]);
    assert_eq!(council.manifest("early_help").await.len(), 2);
}

#[tokio::test]
async fn the_sweep_finishes_and_resumes_what_a_lost_message_left_behind() {
    let council = Council::new().await;
    council.upload("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    assert!(council.ingest_once().await);
    council.apply_parts().await;
    council.own.take();
    council.upload("housing/tuesday.csv", &extract(&AMIR_BETH_CARL[..2])).await;
    council.own.push(ToIngest::Sweep {}.body().unwrap());
    council.settle().await;
    assert_eq!(council.people(), ["Amir", "Beth"]);
}

/// What is logged meanwhile, by this thread.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_sweep_tells_of_each_source_that_has_sent_nothing_for_too_long() {
    let council = Council::new().await;
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    let stale = async |source: &str| {
        let logged = Logged::default();
        let to = logged.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || to.clone()).finish();
        let listening = tracing::subscriber::set_default(subscriber);
        council.own.push(ToIngest::Sweep {}.body().unwrap());
        assert!(council.ingest_once().await);
        drop(listening);
        let lines = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["message"] == "feed is stale" && line["source"] == source).count()
    };
    assert_eq!(stale("housing").await, 0, "it came today");
    assert_eq!(stale("early_help").await, 1, "it never came");
    council.wait(3 * 24);
    assert_eq!(stale("housing").await, 1, "it is expected every day");
}

#[tokio::test]
async fn a_large_file_is_cut_into_parts_that_are_marked_in_any_order() {
    let council = Council::new().await;
    let rows: Vec<(String, String)> = (0..7000).map(|n| (format!("H{n}"), format!("Child{n}"))).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(id, name)| (&**id, &**name)).collect();
    council.upload("housing/large.csv", &extract(&rows)).await;
    assert!(council.ingest_once().await);
    let mut bodies = council.matching.take();
    assert_eq!(bodies.len(), 70);
    bodies.reverse();
    // Delivered twice, as queues may.
    bodies.extend(bodies.clone());
    for body in bodies {
        council.matching.push(body);
    }
    council.settle().await;
    assert_eq!(council.people().len(), 7000);
    assert_eq!(council.latest_report("housing/").await.state, LoadState::Applied);
    let staged: BTreeSet<String> = (0..70).map(|n| n.to_string()).collect();
    let load = loads::latest(&council.store.loads, &feed("housing"), 1).await.unwrap().remove(0).load;
    for number in staged {
        let gone = council.store.staging.get(&format!("housing/people/{load}.1/part-{number}")).await;
        assert!(matches!(gone, Err(StoreError::Missing { .. })), "staged personal data goes when it is applied");
    }
}

#[tokio::test]
async fn rows_that_are_too_short_are_counted_like_any_other() {
    let council = Council::new().await;
    let rows: String = (0..2000).map(|n| format!("H{n},Child{n},Akhtar\n")).collect();
    let report = council.load("housing/short.csv", &format!("Ref,Forename,Surname,DOB\n{rows}")).await;
    assert_eq!((report.rows.read, report.records.added), (2000, 2000));
    assert_eq!(council.people().len(), 2000);
}

#[tokio::test]
async fn the_real_function_answers_every_sample_event() {
    let council = Council::new().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut samples: Vec<PathBuf> =
        std::fs::read_dir(root.join("events")).unwrap().map(|file| file.unwrap().path()).collect();
    samples.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("ingest-"));
    samples.sort();
    let events = samples.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap());
    let function = Function::named("ingest")
        .unwrap()
        .with("SOURCES_DIR", &root.join("infra/sources").to_string_lossy())
        .with("HANDLE_KEY", &"07".repeat(32))
        .with("TABLE_LOADS", "loads")
        .with("TABLE_GUARD", "guard")
        .with("BUCKET_EXTRACTS", "extracts")
        .with("BUCKET_STAGING", "staging")
        .with("BUCKET_REPORTS", "reports")
        .with("BUCKET_MANIFESTS", "manifests")
        .with("QUEUE_INGEST", "http://127.0.0.1:9/ingest")
        .with("QUEUE_MATCHING", "http://127.0.0.1:9/matching")
        .with("S3_PATH_STYLE", "true")
        .with("AWS_ACCESS_KEY_ID", &council.endpoints.access_key_id)
        .with("AWS_SECRET_ACCESS_KEY", &council.endpoints.secret_access_key)
        .with("AWS_ENDPOINT_URL_S3", &council.endpoints.s3)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &council.endpoints.dynamodb);
    let run = function.run(events).await.unwrap();
    for (sample, answer) in samples.iter().zip(&run.answers) {
        let failures =
            &answer.response().unwrap_or_else(|| panic!("{sample:?}: {answer:?}\n{}", run.log))["batchItemFailures"];
        // Only what nobody understands goes back, on its way to the dead letters; and the sweep, which tells matching: at its
        // queue nobody answers here.
        let goes_back = ["ingest-unknown-message.json", "ingest-sweep.json"];
        let expected = usize::from(goes_back.iter().any(|name| sample.ends_with(name)));
        assert_eq!(failures.as_array().unwrap().len(), expected, "{sample:?}: {}", run.log);
    }
    assert_eq!(run.answers.len(), samples.len());
    // The file of the notification is not there; that of an unknown source is told where to go.
    assert_eq!(council.latest_report("housing/").await.state, LoadState::Refused);
    assert_eq!(council.latest_report("unrecognised/").await.state, LoadState::Refused);
    assert!(!run.log.contains("2026-03-01.csv"), "a file's name is its owner's business: {}", run.log);
}

#[tokio::test]
async fn a_worker_who_left_the_staff_directory_is_removed_from_where_they_are_looked_up() {
    let council = Council::new().await;
    let worker = |id: &str| format!("{id},Jo Bright\n");
    let all: String = ["S1", "S2", "S3", "S4", "S5", "S 6"].map(worker).concat();
    for (file, rows) in [("a.csv", &*all), ("b.csv", &*all.replace(&worker("S 6"), ""))] {
        council.upload(&format!("staff_directory/{file}"), &format!("Staff ID,Name\n{rows}")).await;
        council.settle().await;
    }
    let records = council.records.lock().unwrap();
    let gone: Vec<_> = records.iter().filter(|(_, (_, content))| content.is_none()).map(|(handle, _)| handle).collect();
    let source = "staff_directory".parse().unwrap();
    let left = people::staff_key(&council.store.key, &"S 6".parse().unwrap(), &source);
    let gone = gone.into_iter().map(|handle| people::staff_key_of(handle, &source));
    assert_eq!(gone.collect::<Vec<_>>(), [left]);
}

/// What must be the same however a load got there: people, manifest, states of the loads, records in the feed.
type Outcome = (Vec<String>, Vec<String>, Vec<LoadState>, u64);

async fn outcome(council: &Council) -> Outcome {
    let states = loads::latest(&council.store.loads, &feed("housing"), 10).await.unwrap();
    let report = council.latest_report("housing/").await;
    (
        council.people(),
        council.manifest("housing").await,
        states.into_iter().map(|load| load.state).collect(),
        report.records.after,
    )
}

async fn monday_then_tuesday(council: &Council) {
    council.load("housing/monday.csv", &extract(&AMIR_BETH_CARL)).await;
    council.upload("housing/tuesday.csv", &extract(&[("H1", "Amira"), ("H2", "Beth"), ("H4", "Dora")])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_any_two_steps_changes_nothing_in_the_end() {
    let undisturbed = Council::new().await;
    monday_then_tuesday(&undisturbed).await;
    undisturbed.settle().await;
    let expected = outcome(&undisturbed).await;
    assert_eq!(expected.0, ["Amira", "Beth", "Dora"]);
    let before = tokio::spawn(crash_at_every_step(faults::When::Before, expected.clone()));
    let after = tokio::spawn(crash_at_every_step(faults::When::After, expected));
    for crashes in [before.await.unwrap(), after.await.unwrap()] {
        assert!(crashes > 20, "only {crashes} crashes: the test does not reach most steps");
    }
}

/// Loads the two files again and again, with a worker that dies one request later each time, until it survives.
async fn crash_at_every_step(when: faults::When, expected: Outcome) -> usize {
    for step in 0.. {
        let council = Council::new().await;
        monday_then_tuesday(&council).await;
        council.faults.fail_after(step, when);
        // Until the fault strikes, everything runs as it should; then the worker is gone.
        let mut survived = true;
        while survived && council.own.len() + council.matching.len() > 0 {
            survived = council.ingest_once().await;
            council.apply_parts().await;
        }
        council.faults.heal();
        if survived {
            return step;
        }
        // Its lease runs out, and the queue delivers the message again.
        council.wait(1);
        council.settle().await;
        assert_eq!(outcome(&council).await, expected, "crash {when:?} step {step}");
    }
    unreachable!("the steps end")
}

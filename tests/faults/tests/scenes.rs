//! What must hold between two given calls: guards that storms meet too seldom to miss, or whose absence a sweep puts right an
//! hour later.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_faults::{
    memory::{Memory, key_of},
    simulation::{definitions, plain_store},
    stage::{Cue, Stage, Unheard, is_on, tickets},
};
use fc_ingest::Ingest;
use fc_matching::Failure;
use fc_model::{BirthDate, Change, Details, HandleKey, Name, NhsNumber, Protection, RecordHandle};
use fc_store::{
    Guard, Item, Op, StoreError,
    loads::{self, FeedName, Load, LoadId, LoadState, Turn, Upload},
    records::{self, Errand, Filing},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A limit that no key of a scene reaches.
const OPEN: usize = 50;
/// A limit that five who are alike cross.
const NARROW: usize = 4;
/// More than an item that expires is remembered for.
const MONTHS: i64 = 31 * 24 * 60 * 60;
const HOUR: i64 = 60 * 60;

fn somebody(forename: &str, surname: &str, born: &str) -> Details {
    Details {
        names: vec![Name { forenames: vec![forename.to_owned()], surname: surname.to_owned(), ..Name::default() }],
        birth: Some(BirthDate::born(born.parse::<fc_model::PartialDate>().unwrap())),
        ..Details::default()
    }
}

fn maya() -> Details {
    somebody("Maya", "Okafor", "2014-03-09")
}

fn told(stage: &Stage, day: u32, source: &str, id: &str, details: Details) -> Change {
    stage.change(day, source, id, Some(details)).unwrap()
}

fn left(stage: &Stage, day: u32, source: &str, id: &str) -> Change {
    stage.change(day, source, id, None).unwrap()
}

/// What is in the tables when one worker after the other applies these, and nothing happens to any.
async fn calmly(changes: impl Fn(&Stage) -> Vec<Change>) -> fc_faults::outcome::Outcome {
    let stage = Stage::new(OPEN).unwrap();
    for change in changes(&stage) {
        stage.apply(&[change]).await.unwrap();
    }
    stage.outcome().unwrap()
}

/// Two records are one person; then one of them says that it is somebody else.
fn parting(stage: &Stage) -> [Change; 4] {
    [
        told(stage, 1, "cms", "1", maya()),
        told(stage, 1, "housing", "2", maya()),
        told(stage, 2, "cms", "1", somebody("Oliver", "Whitlock", "1981-07-30")),
        told(stage, 3, "cms", "1", somebody("Oliver", "Whitlocke", "1981-07-30")),
    ]
}

#[tokio::test]
async fn who_commits_next_shows_what_a_dead_worker_left() {
    let stage = Stage::new(OPEN).unwrap();
    let [one, other, parted, newer] = parting(&stage);
    stage.apply(&[one, other]).await.unwrap();
    let dies = stage.worker(|table, _| if table == "people" { Cue::DieBefore } else { Cue::Go });
    assert!(dies.apply(vec![parted]).await.is_err());
    // Nobody has heard of the parting; what is newer concerns one of the two alone.
    stage.apply(&[newer]).await.unwrap();
    let differences = stage.outcome().unwrap().differences(&calmly(|stage| parting(stage).to_vec()).await, false);
    assert_eq!(differences, Vec::<String>::new());
}

#[tokio::test]
async fn a_message_that_is_overtaken_finishes_what_it_left() {
    let stage = Stage::new(OPEN).unwrap();
    let [one, other, parted, newer] = parting(&stage);
    stage.apply(&[one, other]).await.unwrap();
    let dies = stage.worker(|table, _| if table == "people" { Cue::DieBefore } else { Cue::Go });
    assert!(dies.apply(vec![parted.clone()]).await.is_err());
    let dies = stage.worker(|_, ops| if ops.iter().any(|op| is_on(op, "REC#", "")) { Cue::DieAfter } else { Cue::Go });
    assert!(dies.apply(vec![newer]).await.is_err());
    // It comes again, and finds a version that is newer than what it says and that nobody committed.
    assert_eq!(stage.apply(&[parted]).await.unwrap().older, 1);
    let differences = stage.outcome().unwrap().differences(&calmly(|stage| parting(stage).to_vec()).await, false);
    assert_eq!(differences, Vec::<String>::new());
}

#[tokio::test]
async fn a_birth_date_put_right_is_met_by_whoever_comes_next() {
    let zephyrine = |born: &str| somebody("Zephyrine", "Quillfeather", born);
    let right = |stage: &Stage| {
        let next = told(stage, 3, "housing", "2", zephyrine("2012-04-19"));
        vec![told(stage, 2, "cms", "1", zephyrine("2012-04-18")), next]
    };
    let stage = Stage::new(OPEN).unwrap();
    stage.apply(&[told(&stage, 1, "cms", "1", zephyrine("1975-11-30"))]).await.unwrap();
    for change in right(&stage) {
        stage.apply(&[change]).await.unwrap();
    }
    let differences = stage.outcome().unwrap().differences(&calmly(right).await, false);
    assert_eq!(differences, Vec::<String>::new());
}

#[tokio::test]
async fn who_unfiles_a_record_takes_nothing_from_a_version_that_came_meanwhile() {
    let maya_again = |stage: &Stage| {
        let oliver = somebody("Oliver", "Whitlock", "1981-07-30");
        [told(stage, 1, "cms", "1", maya()), told(stage, 2, "cms", "1", oliver), told(stage, 3, "cms", "1", maya())]
    };
    let other = |stage: &Stage| told(stage, 4, "housing", "2", maya());
    let (stage, ahead) = (Stage::new(OPEN).unwrap(), Stage::new(OPEN).unwrap());
    ahead.apply(&maya_again(&ahead)[..1]).await.unwrap();
    let first: Vec<Item> =
        ahead.memory.table("records").all().into_iter().filter(|item| item.key.pk.starts_with("KEY#")).collect();
    for later in &maya_again(&ahead)[1..] {
        ahead.apply(std::slice::from_ref(later)).await.unwrap();
    }
    let [one, parted, _] = maya_again(&stage);
    stage.apply(&[one]).await.unwrap();
    let (from, to) = (ahead.memory.clone(), stage.memory.clone());
    let unfiled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&unfiled);
    let slow = stage.worker(move |_, ops| {
        let unfiles = ops.iter().any(|op| matches!(op, Op::Delete(key, _) if key.pk.starts_with("KEY#")));
        if unfiles && count.fetch_add(1, Ordering::SeqCst) == 0 {
            // Another worker has gone on to what came next; then what the first filed is written at last.
            for table in ["records", "people"] {
                for item in from.table(table).all() {
                    to.table(table).write(&[Op::Put(item, Guard::None)]).unwrap();
                }
            }
            for item in &first {
                to.table("records").write(&[Op::Put(item.clone(), Guard::None)]).unwrap();
            }
        }
        Cue::Go
    });
    slow.apply(vec![parted]).await.unwrap();
    assert!(unfiled.load(Ordering::SeqCst) > 0);
    // Both stages number people alike, and the other is ahead.
    let next = stage.worker(|_, _| Cue::Go);
    (0..100).for_each(|_| drop((next.new_person)()));
    next.apply(vec![other(&stage)]).await.unwrap();
    let calm = calmly(|stage| maya_again(stage).into_iter().chain([other(stage)]).collect()).await;
    assert_eq!(stage.outcome().unwrap().differences(&calm, false), Vec::<String>::new());
}

#[tokio::test]
async fn entries_that_no_record_lists_cost_nobody_a_link() {
    let strangers = |stage: &Stage| {
        let names = ["Pemberton", "Kowalski", "Begum", "Dhillon", "Nkosi"];
        let stranger = |(i, name): (usize, &&str)| {
            told(stage, 1, "housing", &format!("9{i}"), somebody("Leo", name, &format!("19{i}1-0{}-02", i + 1)))
        };
        names.iter().enumerate().map(stranger).collect::<Vec<_>>()
    };
    let everyone = |stage: &Stage| {
        let mut changes = strangers(stage);
        changes.push(told(stage, 1, "cms", "1", maya()));
        changes.push(told(stage, 1, "housing", "2", maya()));
        changes
    };
    let stage = Stage::new(NARROW).unwrap();
    let mut changes = everyone(&stage);
    let last = changes.pop().unwrap();
    let strangers: Vec<RecordHandle> = strangers(&stage).into_iter().map(|change| change.handle).collect();
    for change in changes {
        stage.apply(&[change]).await.unwrap();
    }
    let first = stage.handle("cms", "1").unwrap();
    let items = stage.memory.table("records").all();
    let of_first =
        items.iter().filter(|item| item.key.pk.starts_with("KEY#") && item.key.sk.starts_with(first.as_str()));
    let keys: Vec<String> = of_first.map(|item| item.key.pk.trim_start_matches("KEY#").to_owned()).collect();
    assert!(keys.len() > 2);
    let mut stray = BTreeMap::new();
    for key in &keys {
        stray.extend(strangers.iter().map(|stranger| ((Filing::under(key), stranger.clone()), 1)));
    }
    records::file(&stage.store().records, &stray).await.unwrap();
    stage.apply(&[last]).await.unwrap();
    let differences = stage.outcome().unwrap().differences(&calmly(everyone).await, false);
    assert_eq!(differences, Vec::<String>::new());
    assert!(stage.marks().is_empty());
}

/// Records of one name and birth date, each of another source's person.
fn alike(stage: &Stage, how_many: usize) -> Vec<Change> {
    (0..how_many).map(|i| told(stage, 1, "housing", &format!("{i}"), maya())).collect()
}

/// As many who are alike as a key supports, and one more to come.
async fn before_the_limit() -> (Stage, Change) {
    let stage = Stage::new(NARROW).unwrap();
    let mut changes = alike(&stage, NARROW + 1);
    let last = changes.pop().unwrap();
    for change in changes {
        stage.apply(&[change]).await.unwrap();
    }
    (stage, last)
}

#[tokio::test]
async fn a_key_that_is_settled_is_not_settled_again() {
    let stage = Stage::new(NARROW).unwrap();
    stage.apply(&alike(&stage, NARROW + 2)).await.unwrap();
    let versions = |stage: &Stage| {
        let items = stage.memory.table("records").all().into_iter().filter(|item| item.key.pk.starts_with("REC#"));
        items.map(|item| (item.key.pk, item.rev)).collect::<Vec<_>>()
    };
    let (before, marks) = (versions(&stage), stage.marks());
    assert!(!marks.is_empty());
    // Somebody who died over them long ago said that he would settle them.
    let long_ago = stage.now().as_second() - 2 * HOUR;
    for mark in &marks {
        let errand = Errand::of_key(mark.key.pk.trim_start_matches("KEY#"));
        records::open_ticket(&stage.store().records, &mark.key.pk, &errand, long_ago).await.unwrap();
    }
    assert_eq!(stage.sweep(&stage.worker(|_, _| Cue::Go)).await.unwrap(), 0);
    assert!(stage.tickets().is_empty());
    assert_eq!(versions(&stage), before);
    assert_eq!(stage.marks(), marks);
}

#[tokio::test]
async fn who_is_overtaken_while_settling_a_key_sees_it_settled() {
    let (stage, last) = before_the_limit().await;
    let (rows, overtaken) = (stage.memory.table("records"), Arc::new(Mutex::new(BTreeSet::new())));
    let seen = Arc::clone(&overtaken);
    let worker = stage.worker(move |_, ops| {
        let is_said = |op: &&Op| match op {
            Op::Put(item, _) => item.data.is_empty(),
            Op::Delete(..) => true,
            Op::Check(..) => false,
        };
        let done = ops.iter().filter(|op| is_on(op, "KEY#", "!")).find(is_said);
        if let Some(key) = done.map(key_of)
            && seen.lock().unwrap().insert(key.clone())
        {
            // Another takes the key in hand, and dies.
            let mark = rows.find(key, false).unwrap();
            rows.write(&[Op::Put(Item { rev: mark.rev + 1, ..mark.clone() }, Guard::Is(mark.rev))]).unwrap();
        }
        Cue::Go
    });
    worker.apply(vec![last]).await.unwrap();
    assert!(!overtaken.lock().unwrap().is_empty());
    assert!(stage.marks().iter().all(|mark| mark.data.is_empty()), "a key is being settled, and nobody is at it");
}

#[tokio::test]
async fn who_is_overtaken_while_settling_a_key_commits_nothing_more() {
    let (stage, last) = before_the_limit().await;
    let (rows, tries) = (stage.memory.table("records"), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&tries);
    let worker = stage.worker(move |_, ops| {
        let settling: Vec<Item> =
            rows.all().into_iter().filter(|item| item.key.sk == "!" && !item.data.is_empty()).collect();
        let is_commit = ops.iter().any(|op| matches!(op, Op::Put(item, _) if item.data.contains(r#""root""#)));
        if is_commit && !settling.is_empty() && seen.lock().unwrap().is_empty() {
            for mark in settling {
                rows.write(&[Op::Put(Item { rev: mark.rev + 1, ..mark.clone() }, Guard::Is(mark.rev))]).unwrap();
            }
            // As its table would answer.
            seen.lock().unwrap().push(rows.write(ops));
            return Cue::DieBefore;
        }
        Cue::Go
    });
    assert!(worker.apply(vec![last]).await.is_err());
    assert!(matches!(tries.lock().unwrap()[..], [Err(StoreError::Conflict)]), "a commit after another took the key");
}

#[tokio::test]
async fn what_is_about_to_be_done_stands_on_a_ticket() {
    let stage = Stage::new(NARROW).unwrap();
    let (memory, seen) = (stage.memory.clone(), Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
    let counts = Arc::clone(&seen);
    let worker = stage.worker(move |table, ops| {
        let open = tickets(&memory);
        if table == "records" && ops.iter().any(|op| matches!(op, Op::Put(item, _) if item.data.contains(r#""root""#)))
        {
            counts[0].fetch_add(1, Ordering::SeqCst);
            assert!(open.iter().any(|errand| !errand.records.is_empty()), "a commit, and no ticket names a record");
        }
        for op in ops {
            if let Op::Put(item, _) = op
                && is_on(op, "KEY#", "!")
                && !item.data.is_empty()
            {
                counts[1].fetch_add(1, Ordering::SeqCst);
                let key = item.key.pk.trim_start_matches("KEY#");
                assert!(open.iter().any(|errand| errand.keys.contains(key)), "a key in hand that is on no ticket");
            }
        }
        Cue::Go
    });
    for change in alike(&stage, NARROW + 1) {
        worker.apply(vec![change]).await.unwrap();
    }
    assert!(seen[0].load(Ordering::SeqCst) > NARROW && seen[1].load(Ordering::SeqCst) > 0);
    assert!(stage.tickets().is_empty());
}

#[tokio::test]
async fn who_has_been_at_it_for_too_long_commits_nothing() {
    let stage = Stage::new(OPEN).unwrap();
    let seconds = Arc::clone(&stage.seconds);
    let slow = stage.worker(move |_, ops| {
        if ops.iter().any(|op| is_on(op, "KEY#", "")) {
            seconds.fetch_add(16 * 60, Ordering::SeqCst);
        }
        Cue::Go
    });
    let change = told(&stage, 1, "cms", "1", maya());
    assert!(matches!(slow.apply(vec![change.clone()]).await, Err(Failure::Late)));
    assert!(stage.memory.table("people").all().is_empty());
    stage.apply(&[change]).await.unwrap();
    let right = calmly(|stage| vec![told(stage, 1, "cms", "1", maya())]).await;
    assert_eq!(stage.outcome().unwrap().differences(&right, false), Vec::<String>::new());
}

#[tokio::test]
async fn tickets_are_left_alone_until_whoever_opened_them_has_ended() {
    let stage = Stage::new(OPEN).unwrap();
    let errand = Errand::of_records([stage.handle("cms", "1").unwrap()]);
    records::open_ticket(&stage.store().records, "somebody", &errand, stage.now().as_second()).await.unwrap();
    stage.wait(HOUR / 2);
    assert_eq!(stage.sweep(&stage.worker(|_, _| Cue::Go)).await.unwrap(), 0);
    assert_eq!(stage.tickets(), [errand]);
    stage.wait(HOUR / 2 + 1);
    assert_eq!(stage.sweep(&stage.worker(|_, _| Cue::Go)).await.unwrap(), 0);
    assert_eq!(stage.tickets(), []);
}

#[tokio::test]
async fn who_finishes_what_another_left_may_die_as_well() {
    let stage = Stage::new(OPEN).unwrap();
    let [one, other, parted, newer] = parting(&stage);
    stage.apply(&[one, other]).await.unwrap();
    let dies = || stage.worker(|table, _| if table == "people" { Cue::DieBefore } else { Cue::Go });
    assert!(dies().apply(vec![parted]).await.is_err());
    let left = stage.tickets();
    assert_eq!(left.len(), 1);
    for _ in 0..2 {
        // Whoever sweeps dies where the first did.
        stage.wait(2 * HOUR);
        assert_eq!(stage.sweep(&dies()).await.unwrap(), 1);
        assert_eq!(stage.tickets(), left, "one ticket, however often it was tried");
    }
    stage.wait(2 * HOUR);
    assert_eq!(stage.sweep(&stage.worker(|_, _| Cue::Go)).await.unwrap(), 0);
    assert_eq!(stage.tickets(), []);
    stage.apply(&[newer]).await.unwrap();
    let differences = stage.outcome().unwrap().differences(&calmly(|stage| parting(stage).to_vec()).await, false);
    assert_eq!(differences, Vec::<String>::new());
}

/// How many people the records are.
fn people(stage: &Stage) -> usize {
    let items = stage.memory.table("people").all();
    items.iter().filter(|item| item.key.sk == "VIEW" && item.data.starts_with(r#"{"here""#)).count()
}

#[tokio::test]
async fn what_must_never_be_linked_is_known_when_the_record_that_said_so_has_been_forgotten() {
    let stage = Stage::new(OPEN).unwrap();
    let apart = Details { never_link: vec!["2".to_owned()], ..maya() };
    stage.apply(&[told(&stage, 1, "cms", "1", apart), told(&stage, 1, "cms", "2", maya())]).await.unwrap();
    assert_eq!(people(&stage), 2);
    stage.apply(&[left(&stage, 2, "cms", "1")]).await.unwrap();
    stage.wait(MONTHS);
    stage.apply(&[told(&stage, 3, "cms", "1", maya())]).await.unwrap();
    assert_eq!(people(&stage), 2);
}

#[tokio::test]
async fn who_finds_on_their_own_side_what_must_never_be_linked_may_rely_on_the_other_side() {
    let stage = Stage::new(OPEN).unwrap();
    let apart = Details { never_link: vec!["2".to_owned()], ..maya() };
    stage.apply(&[told(&stage, 1, "cms", "2", maya())]).await.unwrap();
    let is_kept = |op: &Op| is_on(op, "FACT#", "NEVER");
    let dies = stage.worker(move |_, ops| if ops.iter().any(is_kept) { Cue::DieAfter } else { Cue::Go });
    assert!(dies.apply(vec![told(&stage, 1, "cms", "1", apart)]).await.is_err());
    // The word is taken back before the message comes again.
    stage.apply(&[told(&stage, 2, "cms", "1", maya())]).await.unwrap();
    let [own, other] = ["1", "2"].map(|id| {
        let key = fc_store::Key::new(format!("FACT#{}", stage.handle("cms", id).unwrap()), "NEVER");
        stage.memory.table("records").find(&key, false).is_some()
    });
    assert!(other || !own, "kept on one side only, where the record would find it");
}

/// How far the person is protected whose record this is, as their page has it.
fn protection(stage: &Stage, source: &str, id: &str) -> String {
    let handle = stage.handle(source, id).unwrap();
    let items = stage.memory.table("people").all();
    let views = items.iter().filter(|item| item.key.sk == "VIEW" && item.data.starts_with(r#"{"here""#));
    let view = views.map(|item| serde_json::from_str::<serde_json::Value>(&item.data).unwrap());
    let of = |view: &serde_json::Value| view["here"]["records"].to_string().contains(handle.as_str());
    view.filter(of).map(|view| view["here"]["summary"]["protection"].as_str().unwrap_or("none").to_owned()).collect()
}

#[tokio::test]
async fn who_is_hidden_stays_hidden_in_a_record_that_comes_when_the_one_that_said_so_has_left() {
    let stage = Stage::new(OPEN).unwrap();
    let nhs = Some("9434765919".parse::<NhsNumber>().unwrap());
    let hidden = Details { protection: Protection::Hidden, nhs_number: nhs.clone(), ..maya() };
    stage.apply(&[told(&stage, 1, "cms", "1", hidden)]).await.unwrap();
    stage.apply(&[left(&stage, 2, "cms", "1")]).await.unwrap();
    stage.wait(MONTHS);
    stage.apply(&[told(&stage, 3, "housing", "2", Details { nhs_number: nhs, ..maya() })]).await.unwrap();
    assert_eq!(protection(&stage, "housing", "2"), "hidden");
}

#[tokio::test]
async fn who_is_hidden_stays_hidden_in_their_other_records_when_the_one_that_said_so_leaves() {
    let stage = Stage::new(OPEN).unwrap();
    let hidden = Details { protection: Protection::Hidden, ..maya() };
    stage.apply(&[told(&stage, 1, "cms", "1", hidden), told(&stage, 1, "housing", "2", maya())]).await.unwrap();
    assert_eq!((people(&stage), protection(&stage, "housing", "2").as_str()), (1, "hidden"));
    stage.apply(&[left(&stage, 2, "cms", "1")]).await.unwrap();
    assert_eq!(protection(&stage, "housing", "2"), "hidden");
}

#[tokio::test]
async fn the_mark_of_a_key_is_nobodys_but_the_last_who_took_it() {
    let stage = Stage::new(OPEN).unwrap();
    let (table, now) = (stage.store().records, stage.now().as_second());
    let first = records::settle(&table, "abc", None, now).await.unwrap().unwrap();
    assert_eq!(records::settle(&table, "abc", None, now).await.unwrap(), None, "it is taken");
    let second = records::settle(&table, "abc", Some(first), now).await.unwrap().unwrap();
    for is_saturated in [true, false] {
        assert!(!records::settled(&table, "abc", first, is_saturated).await.unwrap(), "overtaken");
    }
    assert!(records::settled(&table, "abc", second, true).await.unwrap());
    assert!(stage.marks().iter().all(|mark| mark.data.is_empty()));
}

async fn create(table: &fc_store::Table, name: &FeedName, at: Timestamp, file: &str) -> LoadId {
    let upload = Upload { bucket: "extracts".to_owned(), key: file.to_owned(), version: None, at };
    let load = Load {
        load: LoadId::new(at, file),
        upload,
        state: LoadState::Received,
        since: at,
        as_of: None,
        approved: false,
        can_be_approved: false,
        report: None,
    };
    loads::create(table, name, &load).await.unwrap().load
}

#[tokio::test]
async fn one_worker_at_a_time_is_at_a_feed_and_who_lost_it_ends_nothing() {
    let stage = Stage::new(OPEN).unwrap();
    let (table, now) = (stage.store().loads, stage.now());
    let name = FeedName::new("cms".parse().unwrap(), "people".parse().unwrap());
    let first = create(&table, &name, now, "first").await;
    let second = create(&table, &name, now, "second").await;
    let Turn::Yours(feed) = loads::take_turn(&table, &name, &first, now).await.unwrap() else { panic!("it was free") };
    assert!(matches!(loads::take_turn(&table, &name, &second, now).await.unwrap(), Turn::Waits));
    assert!(matches!(loads::take_turn(&table, &name, &first, now).await.unwrap(), Turn::Busy));
    let later = now + SignedDuration::from_hours(1);
    let Turn::Yours(taken) = loads::take_turn(&table, &name, &second, later).await.unwrap() else {
        panic!("it ran out")
    };
    assert!(taken.fence > feed.fence);
    let late = loads::conclude(&table, &name, feed.fence, &first, later, |_, load| load.state = LoadState::Refused);
    assert!(matches!(late.await, Err(StoreError::Conflict)));
    loads::conclude(&table, &name, taken.fence, &second, later, |_, load| load.state = LoadState::Refused)
        .await
        .unwrap();
    let state = loads::load(&table, &name, &first).await.unwrap().unwrap().state;
    assert_ne!(state, LoadState::Refused);
}

#[tokio::test]
async fn a_file_in_another_order_keeps_the_manifest_that_it_takes_over() {
    let memory = Memory::default();
    let store = plain_store(&memory, &HandleKey::new([7; 32]).unwrap());
    let now: Timestamp = "2026-03-12T06:00:00Z".parse().unwrap();
    let ingest = Ingest {
        store: store.clone(),
        definitions: Arc::new(definitions().unwrap()),
        matching: Arc::new(Unheard),
        own: Arc::new(Unheard),
        now: Arc::new(move || now),
        part_lines: 100,
    };
    let hear = async |body: String| {
        let mut event = aws_lambda_events::sqs::SqsEvent::default();
        let mut message = aws_lambda_events::sqs::SqsMessage::default();
        message.message_id = Some("1".to_owned());
        message.body = Some(body);
        event.records.push(message);
        assert!(fc_ingest::handle(&ingest, event).await.batch_item_failures.is_empty());
    };
    let drop_file = async |day: u32, text: &str| {
        let key = format!("cms/addresses/addresses-202603{day}.csv");
        let version = memory.bucket("extracts").keep(&key, text.as_bytes().to_vec());
        let record = serde_json::json!({"Records": [{
            "eventName": "ObjectCreated:Put",
            "eventTime": now.to_string(),
            "s3": {"bucket": {"name": "extracts"}, "object": {"key": key, "versionId": version}},
        }]});
        hear(record.to_string()).await;
    };
    let name = FeedName::new("cms".parse().unwrap(), "addresses".parse().unwrap());
    drop_file(10, "Id,Address,Postcode\n1,3 Mill Lane,FE1 2AA\n2,4 Mill Lane,FE1 2AA\n").await;
    for part in loads::feed(&store.loads, &name).await.unwrap().pending.unwrap().parts(&name) {
        loads::mark_part_done(&store.loads, &part, now).await.unwrap();
    }
    let load = loads::feed(&store.loads, &name).await.unwrap().pending.unwrap().version.load;
    let finish = loads::ToIngest::Finish(loads::FeedLoad { name: name.clone(), load });
    hear(finish.body().unwrap()).await;
    let first = loads::feed(&store.loads, &name).await.unwrap().applied.unwrap();

    drop_file(11, "Id,Address,Postcode\n2,4 Mill Lane,FE1 2AA\n1,3 Mill Lane,FE1 2AA\n").await;
    let second = loads::feed(&store.loads, &name).await.unwrap().applied.unwrap();
    assert!(second.load != first.load && second.manifest == first.manifest && first.manifest.is_some());
    assert!(memory.bucket("manifests").find(&first.manifest.unwrap(), None).is_some(), "the manifest in use is gone");
}

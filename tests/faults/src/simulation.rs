//! One seed: a council's nights, in a storm or in calm weather, and what comes of them.

use crate::{
    council::{Council, FEEDS, Feed, File},
    dice::Dice,
    faulty::{FaultyFiles, FaultyQueue, FaultyRows},
    memory::Memory,
    outcome::Outcome,
    queue::Messages,
    storm::{Counts, Step, Storm, Worker},
    time::Time,
};
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use fc_ingest::Ingest;
use fc_linkage::Model;
use fc_matching::Matching;
use fc_model::{HandleKey, PersonId};
use fc_sources::Definitions;
use fc_store::{
    Bucket, Deliver, Queue, Store, Table,
    bucket::Objects,
    guard::GuardTable,
    loads::{self, FeedName, LoadState, ToIngest},
    queue::Sending,
    table::Items,
};
use jiff::Timestamp;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// When a simulation begins: Tuesday 10 March 2026, midnight.
pub(crate) const START: i64 = 1_773_100_800;
/// How long a message is hidden while ingest, or matching, deals with it, in milliseconds.
const INGEST_HIDDEN: u64 = 16 * 60_000;
const MATCHING_HIDDEN: u64 = 6 * 60_000;
/// How often somebody looks after the feeds.
const SWEEP_EVERY: u64 = 10 * 60_000;
/// How often dead letters are sent again, in sweeps.
const REDRIVE_EVERY: u64 = 12;
/// Sweeps after which a night should long have ended: ten days.
const LONGEST: u64 = 6 * 24 * 10;
/// Sweeps after which nothing goes wrong any more, so that every night ends: ten hours.
const STORMY: u64 = 6 * 10;

/// The weather.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// One worker, to whom nothing happens.
    Calm,
    /// Several workers in a storm.
    Storm,
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// What is in the tables and buckets in the end.
    pub outcome: Outcome,
    /// Every call.
    pub trace: Vec<Step>,
    /// What went wrong how often.
    pub counts: Counts,
    /// Workers that died.
    pub crashes: u64,
    /// Workers at once.
    pub workers: usize,
    /// Records of the largest cluster in the end.
    pub largest: usize,
    /// What should not have been, in words without personal data.
    pub complaints: Vec<String>,
}

/// The stores as they are, without any weather.
#[must_use]
pub fn plain_store(memory: &Memory, key: &HandleKey) -> Store {
    store(key, |name| Arc::new(memory.table(name)), |name| Arc::new(memory.bucket(name)))
}

pub(crate) fn store(
    key: &HandleKey,
    items: impl Fn(&'static str) -> Arc<dyn Items>,
    objects: impl Fn(&'static str) -> Arc<dyn Objects>,
) -> Store {
    let table = |name| Table::over(items(name), name);
    let bucket = |name| Bucket::over(objects(name), name);
    Store {
        loads: table("loads"),
        records: table("records"),
        people: table("people"),
        audit: table("audit"),
        sessions: table("sessions"),
        guard: GuardTable::new(table("guard"), key.clone()),
        extracts: bucket("extracts"),
        staging: bucket("staging"),
        reports: bucket("reports"),
        manifests: bucket("manifests"),
        key: key.clone(),
    }
}

/// What all workers of a run share.
struct World {
    seed: u64,
    memory: Memory,
    storm: Arc<Storm>,
    key: HandleKey,
    definitions: Arc<Definitions>,
    model: Model,
    part_lines: usize,
    ingest: Arc<Messages>,
    matching: Arc<Messages>,
    people: AtomicU64,
    over: AtomicBool,
}

/// Takes messages from whoever is in no storm.
#[derive(Debug)]
struct Calmly {
    to: Arc<Messages>,
    time: Time,
}

impl Deliver for Calmly {
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        for body in bodies {
            self.to.push(body, self.time.now());
        }
        self.to.came.notify_waiters();
        Box::pin(std::future::ready(Ok(())))
    }
}

impl World {
    fn now(&self, skew: i64) -> Timestamp {
        let milliseconds = i64::try_from(self.storm.time.now()).unwrap_or(i64::MAX / 2);
        Timestamp::from_millisecond(START * 1000 + milliseconds + skew).unwrap_or(Timestamp::MAX)
    }

    fn store_of(&self, worker: &Arc<Worker>) -> Store {
        store(
            &self.key,
            |name| Arc::new(FaultyRows::new(self.memory.table(name), Arc::clone(worker))),
            |name| Arc::new(FaultyFiles::new(self.memory.bucket(name), Arc::clone(worker))),
        )
    }

    fn queue_of(&self, worker: &Arc<Worker>, to: &Arc<Messages>) -> Queue {
        Arc::new(FaultyQueue { to: Arc::clone(to), worker: Arc::clone(worker) })
    }

    fn clock_of(self: &Arc<Self>, worker: &Arc<Worker>) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let (world, skew) = (Arc::clone(self), worker.skew);
        Arc::new(move || world.now(skew))
    }

    fn ingest_of(self: &Arc<Self>, worker: &Arc<Worker>) -> Ingest {
        Ingest {
            store: self.store_of(worker),
            definitions: Arc::clone(&self.definitions),
            matching: self.queue_of(worker, &self.matching),
            own: self.queue_of(worker, &self.ingest),
            now: self.clock_of(worker),
            part_lines: self.part_lines,
        }
    }

    fn matching_of(self: &Arc<Self>, worker: &Arc<Worker>) -> Matching {
        let world = Arc::clone(self);
        Matching {
            store: self.store_of(worker),
            definitions: Arc::clone(&self.definitions),
            model: self.model.clone(),
            ingest: self.queue_of(worker, &self.ingest),
            now: self.clock_of(worker),
            new_person: Arc::new(move || {
                let number = world.people.fetch_add(1, Ordering::SeqCst);
                let mut dice = Dice::new(world.seed, 1_000_000 + number);
                PersonId::parse(&format!("{:016x}{:016x}", dice.throw(), dice.throw()))
                    .unwrap_or_else(|_| PersonId::random())
            }),
        }
    }

    /// A worker's lives, one after the other.
    async fn work(self: Arc<Self>, number: usize) {
        let mut life = 0;
        while !self.over.load(Ordering::SeqCst) {
            life += 1;
            let dice = Dice::new(self.seed, (number as u64) * 100_000 + life);
            let worker = Worker::new(Arc::clone(&self.storm), number, dice);
            let (ingest, matching) = (self.ingest_of(&worker), self.matching_of(&worker));
            tokio::select! {
                biased;
                () = self.live(&worker, &ingest, &matching) => {}
                () = worker.dies() => {}
            }
        }
    }

    /// Deals with messages until the end.
    async fn live(&self, worker: &Worker, ingest: &Ingest, matching: &Matching) {
        while !self.over.load(Ordering::SeqCst) {
            let of_ingest_first = worker.dice(|dice| dice.in_1000(500));
            let mut got = Vec::new();
            let mut is_ingest = of_ingest_first;
            for attempt in 0..2 {
                is_ingest = of_ingest_first == (attempt == 0);
                // As in infra/template.yaml: one message, or up to five.
                let most = if is_ingest { 1 } else { 1 + worker.dice(|dice| dice.below(5)) };
                got = self.queue(is_ingest).receive(most, &self.storm);
                if !got.is_empty() {
                    break;
                }
            }
            if got.is_empty() {
                let next = [&self.ingest, &self.matching].into_iter().filter_map(|queue| queue.next()).min();
                let now = self.storm.time.now();
                let wait = next.map_or(60_000, |next| next.saturating_sub(now)).clamp(1, 60_000);
                tokio::select! {
                    biased;
                    () = self.ingest.came.notified() => {}
                    () = self.matching.came.notified() => {}
                    () = self.storm.time.wait(wait) => {}
                }
                continue;
            }
            let mut event = SqsEvent::default();
            for (id, body) in &got {
                let mut message = SqsMessage::default();
                message.message_id = Some(id.to_string());
                message.body = Some(body.clone());
                event.records.push(message);
            }
            let response =
                if is_ingest { fc_ingest::handle(ingest, event).await } else { matching.handle(event).await };
            let failed: Vec<String> =
                response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
            for (id, _) in got {
                if !failed.contains(&id.to_string()) {
                    self.queue(is_ingest).done(id);
                }
            }
        }
    }

    fn queue(&self, is_ingest: bool) -> &Messages {
        if is_ingest { &self.ingest } else { &self.matching }
    }

    /// A source's owner drops a file; S3 tells of it at least once.
    fn drop_file(&self, file: &File, dice: &mut Dice) {
        let key = format!("{}/{}", file.feed.folder(), file.name);
        let version = self.memory.bucket("extracts").keep(&key, file.text.clone().into_bytes());
        let at = Timestamp::from_second(START + file.minute * 60).unwrap_or(Timestamp::MAX);
        let body = serde_json::json!({"Records": [{
            "eventName": "ObjectCreated:Put",
            "eventTime": at.to_string(),
            "s3": {"bucket": {"name": "extracts"}, "object": {"key": key, "versionId": version}},
        }]});
        let now = self.storm.time.now();
        if self.storm.is_calm() {
            self.ingest.push(body.to_string(), now);
        } else {
            for _ in 0..1 + usize::from(dice.in_1000(200)) {
                let most = *dice.pick(&[1_000, 60_000, 1_800_000]).unwrap_or(&1_000);
                self.ingest.push(body.to_string(), now + dice.below(most) as u64);
            }
        }
        self.ingest.came.notify_waiters();
    }

    /// Whether every file of these nights has been dealt with, and nothing is under way. Held files are approved.
    async fn is_settled(&self, store: &Store, files: &[File]) -> Result<bool, fc_store::StoreError> {
        let mut is_settled = true;
        for feed in FEEDS {
            let Some(name) = name_of(feed) else { continue };
            let known = loads::latest(&store.loads, &name, 100).await?;
            let uploaded = files.iter().filter(|file| file.feed == feed).count();
            is_settled &= known.len() >= uploaded;
            for load in known {
                is_settled &= load.state.is_closed() && load.state != LoadState::Held;
                if load.state == LoadState::Held {
                    let queue: Queue = Arc::new(Calmly { to: Arc::clone(&self.ingest), time: self.storm.time.clone() });
                    // Somebody may have closed it meanwhile: then there is nothing to decide.
                    let _ = loads::approve(&store.loads, &queue, &name, &load.load, self.now(0)).await;
                }
            }
            let feed = loads::feed(&store.loads, &name).await?;
            is_settled &= feed.pending.is_none() && feed.waiting.is_empty();
        }
        Ok(is_settled)
    }

    fn left(&self) -> usize {
        let ((ingest, no_ingest), (matching, no_matching)) = (self.ingest.left(), self.matching.left());
        ingest + no_ingest + matching + no_matching
    }

    /// Tickets of workers that are at it, or died.
    fn tickets(&self) -> usize {
        self.memory.table("records").all().iter().filter(|item| item.key.pk == "WORK").count()
    }

    fn sweep(&self) {
        if let Ok(body) = (ToIngest::Sweep {}).body() {
            self.ingest.push(body, self.storm.time.now());
            self.ingest.came.notify_waiters();
        }
    }

    /// All nights, one after the other, and then the calm.
    async fn nights(&self, council: &Council, weather: Weather) -> Vec<String> {
        let mut complaints = Vec::new();
        let store = plain_store(&self.memory, &self.key);
        let mut dice = Dice::new(self.seed, 3);
        let mut dropped: Vec<File> = Vec::new();
        for (number, night) in council.nights.iter().enumerate() {
            let at = night.iter().map(|file| file.minute).min().unwrap_or(0);
            let at = u64::try_from(at * 60_000).unwrap_or(0);
            self.storm.time.wait(at.saturating_sub(self.storm.time.now())).await;
            for file in night {
                if weather == Weather::Calm {
                    // In their order, each when the one before has been dealt with.
                    self.drop_file(file, &mut dice);
                    dropped.push(file.clone());
                    self.settle(&store, &dropped, &mut complaints, number).await;
                } else {
                    self.drop_file(file, &mut dice);
                    dropped.push(file.clone());
                }
            }
            self.settle(&store, &dropped, &mut complaints, number).await;
        }
        self.storm.calm();
        // What is delayed still comes, and what is dead is sent again.
        for _ in 0..LONGEST {
            if self.left() == 0 && self.tickets() == 0 {
                break;
            }
            self.ingest.redrive();
            self.matching.redrive();
            self.sweep();
            self.storm.time.wait(SWEEP_EVERY).await;
        }
        self.settle(&store, &dropped, &mut complaints, council.nights.len()).await;
        if self.tickets() > 0 {
            complaints.push(format!("{} tickets are left: nobody finished what they name", self.tickets()));
        }
        if self.left() > 0 {
            complaints.push(format!("{} messages are left in the queues or among the dead letters", self.left()));
        }
        complaints
    }

    /// Waits until everything that was dropped has been dealt with, as an operator would: with a sweep now and then.
    async fn settle(&self, store: &Store, dropped: &[File], complaints: &mut Vec<String>, night: usize) {
        for sweep in 0..LONGEST {
            self.storm.time.wait(if sweep == 0 { 30_000 } else { SWEEP_EVERY }).await;
            match self.is_settled(store, dropped).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => complaints.push(format!("night {night}: {error}")),
            }
            if sweep == STORMY {
                self.storm.calm();
            }
            if sweep % REDRIVE_EVERY == REDRIVE_EVERY - 1 {
                self.ingest.redrive();
                self.matching.redrive();
            }
            if sweep > 0 {
                self.sweep();
            }
        }
        complaints.push(format!("night {night} did not end"));
    }
}

/// A feed by its name.
pub(crate) fn name_of(feed: Feed) -> Option<FeedName> {
    let (source, feed) = feed.folder().split_once('/')?;
    Some(FeedName::new(source.parse().ok()?, feed.parse().ok()?))
}

/// The council's sources.
///
/// # Errors
/// When they cannot be read.
pub fn definitions() -> Result<Definitions, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sources");
    Definitions::load_dir(&folder).map_err(|problems| format!("{problems:?}"))
}

/// The shipped model, with another limit to what a blocking key supports.
pub(crate) fn model(saturation: usize) -> Result<Model, String> {
    let text = include_str!("../../../shared/linkage/data/model.json");
    let mut model: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    model["saturation"] = saturation.into();
    Model::parse(&model.to_string()).map_err(|error| format!("{error:?}"))
}

/// Runs a seed.
///
/// # Errors
/// When the simulation itself cannot be set up.
pub fn run(seed: u64, weather: Weather, definitions: &Arc<Definitions>) -> Result<Run, String> {
    let council = Council::of(seed);
    let time = Time::default();
    let mut dice = Dice::new(seed, 2);
    let storm = Storm::new(&mut dice, time.clone(), council.records > 100);
    if weather == Weather::Calm {
        storm.calm();
    }
    let workers = if weather == Weather::Calm { 1 } else { 3 + dice.below(3) };
    let world = Arc::new(World {
        seed,
        memory: Memory::default(),
        storm: Arc::clone(&storm),
        key: HandleKey::new([7; 32]).map_err(|error| error.to_string())?,
        definitions: Arc::clone(definitions),
        model: model(council.saturation)?,
        part_lines: council.part_lines,
        ingest: Arc::new(Messages::new("ingest", INGEST_HIDDEN)),
        matching: Arc::new(Messages::new("matching", MATCHING_HIDDEN)),
        people: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let passing = time.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .on_thread_park(move || passing.pass())
        .build()
        .map_err(|error| error.to_string())?;
    let mut complaints = runtime.block_on(async {
        for number in 0..workers {
            tokio::spawn(Arc::clone(&world).work(number));
        }
        let complaints = world.nights(&council, weather).await;
        world.over.store(true, Ordering::SeqCst);
        complaints
    });
    let outcome = Outcome::of(&world.memory, world.now(0))?;
    complaints.extend(outcome.complaints.iter().cloned());
    Ok(Run {
        largest: outcome.largest,
        outcome,
        trace: storm.trace(),
        counts: storm.counts(),
        crashes: storm.crashes(),
        workers,
        complaints,
    })
}

//! A stage: workers to whom given things happen at given calls, for what storms meet too seldom, or what comes right later
//! anyway and should at once.

use crate::{
    memory::{Memory, Rows, key_of, op_of},
    outcome::Outcome,
    simulation::{START, model, store},
    storm::{Fault, unavailable},
};
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use fc_linkage::Model;
use fc_matching::{Failure, Matching, Report};
use fc_model::{Change, Content, Details, HandleKey, PersonId, RecordHandle, RecordId, Seq};
use fc_sources::Definitions;
use fc_store::{
    Deliver, Guard, Item, Key, Op, Page, Query, Store, StoreError,
    loads::ToMatching,
    queue::Sending,
    records::Errand,
    table::{Answer, Asked, Items, Write},
};
use jiff::{Timestamp, ToSpan};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// What becomes of a worker at a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cue {
    /// It goes on.
    Go,
    /// It dies before.
    DieBefore,
    /// It dies after.
    DieAfter,
}

/// Says what becomes of a worker at each of its writes: (table, operations). It may look at the tables, or write there as
/// another worker.
pub type Director = Arc<dyn Fn(&str, &[Op]) -> Cue + Send + Sync>;

/// A table as a worker on stage meets it.
#[derive(Clone)]
struct Directed {
    rows: Rows,
    director: Director,
    is_dead: Arc<AtomicBool>,
}

impl fmt::Debug for Directed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directed({})", self.rows.name())
    }
}

impl Directed {
    fn alive(&self) -> Result<(), StoreError> {
        let is_dead = self.is_dead.load(Ordering::SeqCst);
        if is_dead { Err(unavailable("any", self.rows.name(), Fault::CrashBefore)) } else { Ok(()) }
    }

    fn die(&self) -> Result<(), StoreError> {
        self.is_dead.store(true, Ordering::SeqCst);
        self.alive()
    }

    fn write(&self, ops: &[Op], write: impl Fn() -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.alive()?;
        match (self.director)(self.rows.name(), ops) {
            Cue::Go => write(),
            Cue::DieBefore => self.die(),
            Cue::DieAfter => write().and_then(|()| self.die()),
        }
    }

    fn ask<'a, T: Send + 'a>(&self, ask: impl FnOnce() -> Result<T, StoreError>) -> Asked<'a, Answer<T>> {
        let got = self.alive().and_then(|()| ask()).map(|got| Answer { got, units: 1.0 });
        Box::pin(std::future::ready(got))
    }

    fn at_once(&self, ops: &[Op]) -> Asked<'_, Answer<()>> {
        let done = self.write(ops, || self.rows.write(ops).map(drop));
        Box::pin(std::future::ready(done.map(|got| Answer { got, units: 1.0 })))
    }
}

impl Items for Directed {
    fn get<'a>(&'a self, key: &'a Key, _consistent: bool) -> Asked<'a, Answer<Option<Item>>> {
        self.ask(|| Ok(self.rows.find(key, false)))
    }

    fn batch_get(&self, keys: Vec<Key>, _consistent: bool) -> Asked<'_, Answer<(Vec<Item>, Vec<Key>)>> {
        self.ask(|| Ok((keys.iter().filter_map(|key| self.rows.find(key, false)).collect(), Vec::new())))
    }

    fn query<'a>(&'a self, query: &'a Query) -> Asked<'a, Answer<Page>> {
        self.ask(|| Ok(self.rows.page(query, usize::MAX).0))
    }

    fn put<'a>(&'a self, item: &'a Item, guard: Guard) -> Asked<'a, Answer<()>> {
        self.at_once(&[Op::Put(item.clone(), guard)])
    }

    fn delete<'a>(&'a self, key: &'a Key, guard: Guard) -> Asked<'a, Answer<()>> {
        self.at_once(&[Op::Delete(key.clone(), guard)])
    }

    fn batch_write(&self, writes: Vec<Write>) -> Asked<'_, Answer<Vec<Write>>> {
        let ops: Vec<Op> = writes.into_iter().map(op_of).collect();
        // One by one: a batch is not atomic.
        let each = || ops.iter().try_for_each(|op| self.rows.write(std::slice::from_ref(op)).map(drop));
        let done = self.write(&ops, each);
        Box::pin(std::future::ready(done.map(|()| Answer { got: Vec::new(), units: 1.0 })))
    }

    fn transact<'a>(&'a self, ops: &'a [Op]) -> Asked<'a, Answer<()>> {
        self.at_once(ops)
    }

    fn pause(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// Takes messages that nobody reads.
#[derive(Debug)]
pub struct Unheard;

impl Deliver for Unheard {
    fn send(&self, _bodies: Vec<String>) -> Sending<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What all workers of a scene share.
pub struct Stage {
    /// Tables and buckets.
    pub memory: Memory,
    /// The clock: seconds since the scene began.
    pub seconds: Arc<AtomicI64>,
    key: HandleKey,
    definitions: Arc<Definitions>,
    model: Model,
    people: Arc<AtomicU64>,
}

impl Stage {
    /// An empty stage. `saturation` is beyond how many records a blocking key supports no link.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub fn new(saturation: usize) -> Result<Self, String> {
        Ok(Self {
            memory: Memory::default(),
            seconds: Arc::default(),
            key: HandleKey::new([7; 32]).map_err(|error| error.to_string())?,
            definitions: Arc::new(crate::simulation::definitions()?),
            model: model(saturation)?,
            people: Arc::default(),
        })
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        time(self.seconds.load(Ordering::SeqCst))
    }

    /// Time passes.
    pub fn wait(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The handle of a record.
    ///
    /// # Errors
    /// When the source's name is none.
    pub fn handle(&self, source: &str, id: &str) -> Result<RecordHandle, String> {
        Ok(self.key.record(&record(source, id)?))
    }

    /// What a source says of a record on some day, the first being 1; `None` when the record has left.
    ///
    /// # Errors
    /// When the source's name is none.
    pub fn change(&self, day: u32, source: &str, id: &str, details: Option<Details>) -> Result<Change, String> {
        let record = record(source, id)?;
        Ok(Change {
            handle: self.key.record(&record),
            record,
            feed: "people".parse().map_err(|_| "a feed's name")?,
            seq: Seq { as_of: time(i64::from(day)), load: u64::from(day) },
            content: details.map(|details| Content::Person(Box::new(details))),
        })
    }

    /// The stores as they are.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store_of(&(Arc::new(|_: &str, _: &[Op]| Cue::Go) as Director))
    }

    fn store_of(&self, director: &Director) -> Store {
        let is_dead = Arc::new(AtomicBool::new(false));
        let items = |name| {
            let (director, is_dead) = (Arc::clone(director), Arc::clone(&is_dead));
            Arc::new(Directed { rows: self.memory.table(name), director, is_dead }) as Arc<dyn Items>
        };
        store(&self.key, items, |name| Arc::new(self.memory.bucket(name)))
    }

    /// A worker.
    pub fn worker(&self, director: impl Fn(&str, &[Op]) -> Cue + Send + Sync + 'static) -> Matching {
        let (seconds, people) = (Arc::clone(&self.seconds), Arc::clone(&self.people));
        Matching {
            store: self.store_of(&(Arc::new(director) as Director)),
            definitions: Arc::clone(&self.definitions),
            model: self.model.clone(),
            ingest: Arc::new(Unheard),
            now: Arc::new(move || time(seconds.load(Ordering::SeqCst))),
            new_person: Arc::new(move || {
                let number = people.fetch_add(1, Ordering::SeqCst);
                PersonId::parse(&format!("{number:032x}")).unwrap_or_else(|_| PersonId::random())
            }),
        }
    }

    /// A worker to whom nothing happens applies changes.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn apply(&self, changes: &[Change]) -> Result<Report, Failure> {
        self.worker(|_, _| Cue::Go).apply(changes.to_vec()).await
    }

    /// A worker hears that it is time to look for tickets; gives how many messages failed.
    ///
    /// # Errors
    /// When the message cannot be made.
    pub async fn sweep(&self, worker: &Matching) -> Result<usize, StoreError> {
        let mut message = SqsMessage::default();
        message.message_id = Some("sweep".to_owned());
        message.body = Some(ToMatching::Sweep {}.body()?);
        let mut event = SqsEvent::default();
        event.records.push(message);
        Ok(worker.handle(event).await.batch_item_failures.len())
    }

    /// Tickets that are open.
    #[must_use]
    pub fn tickets(&self) -> Vec<Errand> {
        tickets(&self.memory)
    }

    /// Blocking keys that are marked, each with its mark.
    #[must_use]
    pub fn marks(&self) -> Vec<Item> {
        let items = self.memory.table("records").all().into_iter();
        items.filter(|item| item.key.pk.starts_with("KEY#") && item.key.sk == "!").collect()
    }

    /// What is in the tables.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn outcome(&self) -> Result<Outcome, String> {
        Outcome::of(&self.memory, self.now())
    }
}

/// Tickets that are open.
#[must_use]
pub fn tickets(memory: &Memory) -> Vec<Errand> {
    let items = memory.table("records").all().into_iter().filter(|item| item.key.pk == "WORK");
    items.filter_map(|item| item.read().ok()).collect()
}

/// Whether an operation is on a key that begins and ends so.
#[must_use]
pub fn is_on(op: &Op, pk: &str, sk: &str) -> bool {
    let key = key_of(op);
    key.pk.starts_with(pk) && key.sk.starts_with(sk)
}

fn record(source: &str, id: &str) -> Result<RecordId, String> {
    Ok(RecordId { source: source.parse().map_err(|_| "a source's name")?, id: id.to_owned() })
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(START).unwrap_or(Timestamp::MIN).saturating_add(seconds.seconds()).unwrap_or(Timestamp::MAX)
}

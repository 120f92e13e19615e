//! The storm: which call of which worker goes wrong, and how. Every call waits its turn in the storm's time, so that any
//! other worker's may come between; a worker's dice, thrown for every call, say what becomes of it.

use crate::{dice::Dice, time::Time};
use fc_store::StoreError;
use std::{
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// What a worker asks of the stores and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A read of one item.
    GetItem,
    /// A read of many items.
    BatchGetItem,
    /// A page of neighbours.
    Query,
    /// A guarded or unguarded put.
    PutItem,
    /// A guarded or unguarded delete.
    DeleteItem,
    /// Unguarded writes.
    BatchWriteItem,
    /// Several guarded writes.
    TransactWriteItems,
    /// An object is read.
    GetObject,
    /// An object is written.
    PutObject,
    /// An object is deleted.
    DeleteObject,
    /// Messages are sent.
    SendMessage,
    /// A message is delivered.
    Deliver,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing.
    None,
    /// Refused for now; nothing happened.
    Throttled,
    /// Carried out, and nobody hears of it.
    TimedOut,
    /// Nobody hears of it, and it is carried out later.
    Late,
    /// Carried out, and repeated by the client's own retry: what is told is how the second one went.
    Repeated,
    /// A part of the batch is left undone, and said to be.
    Partial,
    /// Another transaction is in the way; nothing happened.
    Conflict,
    /// What is read is older than the last write. Only where the caller has not asked for better.
    Stale,
    /// The call takes longer than its worker may.
    Stalled,
    /// The worker dies before the call.
    CrashBefore,
    /// The worker dies after the call.
    CrashAfter,
    /// A message comes twice.
    Duplicate,
    /// A message comes late, behind others that were sent after it.
    Delayed,
}

/// Kinds, in the order of the table.
pub const KINDS: [Kind; 12] = [
    Kind::GetItem,
    Kind::BatchGetItem,
    Kind::Query,
    Kind::PutItem,
    Kind::DeleteItem,
    Kind::BatchWriteItem,
    Kind::TransactWriteItems,
    Kind::GetObject,
    Kind::PutObject,
    Kind::DeleteObject,
    Kind::SendMessage,
    Kind::Deliver,
];

/// Faults, in the order of the table.
pub const FAULTS: [Fault; 12] = [
    Fault::Throttled,
    Fault::TimedOut,
    Fault::Late,
    Fault::Repeated,
    Fault::Partial,
    Fault::Conflict,
    Fault::Stale,
    Fault::Stalled,
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::Duplicate,
    Fault::Delayed,
];

impl Kind {
    /// Whether a fault can happen to this kind of call. Nothing the protocols read may be stale: they never ask for that.
    #[must_use]
    pub fn may(self, fault: Fault) -> bool {
        let is_write = !matches!(self, Self::GetItem | Self::BatchGetItem | Self::Query | Self::GetObject);
        match fault {
            Fault::None => true,
            Fault::Stale => false,
            Fault::Duplicate | Fault::Delayed => self == Self::Deliver,
            _ if self == Self::Deliver => false,
            Fault::Throttled | Fault::CrashBefore | Fault::Stalled => true,
            Fault::TimedOut | Fault::CrashAfter => is_write,
            Fault::Late => is_write && self != Self::SendMessage,
            Fault::Repeated => matches!(self, Self::PutItem | Self::DeleteItem),
            Fault::Partial => matches!(self, Self::BatchGetItem | Self::BatchWriteItem | Self::SendMessage),
            Fault::Conflict => matches!(self, Self::PutItem | Self::TransactWriteItems),
        }
    }
}

/// How often each fault happened to each kind of call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// By kind, then by fault, in the order of [`KINDS`] and [`FAULTS`].
    pub faults: [[u64; FAULTS.len()]; KINDS.len()],
    /// Calls by kind.
    pub calls: [u64; KINDS.len()],
}

impl Counts {
    fn count(&mut self, kind: Kind, fault: Fault) {
        let Some(row) = KINDS.iter().position(|known| *known == kind) else { return };
        self.calls[row] += 1;
        if let Some(column) = FAULTS.iter().position(|known| *known == fault) {
            self.faults[row][column] += 1;
        }
    }

    /// All calls.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.calls.iter().sum()
    }

    /// Cells that can occur and did not.
    #[must_use]
    pub fn missing(&self) -> Vec<(Kind, Fault)> {
        let cells = KINDS.iter().enumerate().flat_map(|(row, kind)| {
            FAULTS.iter().enumerate().map(move |(column, fault)| ((row, column), (*kind, *fault)))
        });
        cells
            .filter(|((row, column), (kind, fault))| kind.may(*fault) && self.faults[*row][*column] == 0)
            .map(|(_, cell)| cell)
            .collect()
    }

    /// The table of fault by kind of call, for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{:<19}{:>11}", "", "calls");
        for fault in FAULTS.iter().filter(|fault| **fault != Fault::Stale) {
            let _ = write!(text, "{:>12}", format!("{fault:?}"));
        }
        for (row, kind) in KINDS.iter().enumerate() {
            let _ = write!(text, "\n{:<19}{:>11}", format!("{kind:?}"), self.calls[row]);
            for (column, fault) in FAULTS.iter().enumerate().filter(|(_, fault)| **fault != Fault::Stale) {
                let cell = if kind.may(*fault) { self.faults[row][column].to_string() } else { "-".to_owned() };
                let _ = write!(text, "{cell:>12}");
            }
        }
        text
    }
}

impl std::ops::AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, more: &Counts) {
        for (mine, theirs) in self.faults.iter_mut().flatten().zip(more.faults.iter().flatten()) {
            *mine += theirs;
        }
        for (mine, theirs) in self.calls.iter_mut().zip(&more.calls) {
            *mine += theirs;
        }
    }
}

/// One call, as a trace shows it: no key and no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: u64,
    /// Whose.
    pub worker: usize,
    /// What.
    pub kind: Kind,
    /// Of which table, bucket or queue.
    pub place: &'static str,
    /// What went wrong.
    pub fault: Fault,
}

/// What is shared by the workers of a seed.
#[derive(Debug)]
pub struct Storm {
    /// The time.
    pub time: Time,
    calm: AtomicBool,
    /// Calls in a thousand that go wrong.
    wildness: usize,
    /// The call at which a worker dies in any case.
    sure_crash: u64,
    calls: AtomicU64,
    crashes: AtomicU64,
    record: Mutex<(Vec<Step>, Counts)>,
}

impl Storm {
    /// The storm of a seed.
    #[must_use]
    pub fn new(dice: &mut Dice, time: Time, is_huge: bool) -> Arc<Self> {
        // The more calls a message takes, the fewer may fail, or nothing is ever done.
        let wildness = *dice.pick(if is_huge { &[1, 3] } else { &[3, 8, 20, 50] }).unwrap_or(&8);
        Arc::new(Self {
            time,
            calm: AtomicBool::new(false),
            wildness,
            sure_crash: 5 + dice.below(300) as u64,
            calls: AtomicU64::new(0),
            crashes: AtomicU64::new(0),
            record: Mutex::default(),
        })
    }

    fn record(&self) -> MutexGuard<'_, (Vec<Step>, Counts)> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    /// Whether nothing goes wrong any more.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// How many workers died.
    #[must_use]
    pub fn crashes(&self) -> u64 {
        self.crashes.load(Ordering::SeqCst)
    }

    /// Every call so far.
    #[must_use]
    pub fn trace(&self) -> Vec<Step> {
        self.record().0.clone()
    }

    /// What happened how often.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.record().1.clone()
    }

    /// Notes what happened.
    pub fn note(&self, worker: usize, kind: Kind, place: &'static str, fault: Fault) {
        let mut record = self.record();
        record.0.push(Step { at: self.time.now(), worker, kind, place, fault });
        record.1.count(kind, fault);
    }
}

/// A worker: it dies now and then, and another takes its number.
#[derive(Debug)]
pub struct Worker {
    /// The storm it is in.
    pub storm: Arc<Storm>,
    /// Its number.
    pub number: usize,
    /// Milliseconds its clock is ahead, or behind.
    pub skew: i64,
    dice: Mutex<Dice>,
    died: Notify,
}

/// What else can go wrong with a call, because of what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenTo {
    /// Nothing.
    Nothing,
    /// A read that need not be consistent.
    Stale,
    /// A write of an item that transactions write too.
    Conflict,
}

/// The faults that a worker's dice choose from.
const FOR_READS: [Fault; 4] = [Fault::Throttled, Fault::Throttled, Fault::Stale, Fault::CrashBefore];
const FOR_WRITES: [Fault; 8] = [
    Fault::Throttled,
    Fault::TimedOut,
    Fault::Late,
    Fault::Repeated,
    Fault::Partial,
    Fault::Conflict,
    Fault::CrashBefore,
    Fault::CrashAfter,
];

impl Worker {
    /// A worker of a storm.
    #[must_use]
    pub fn new(storm: Arc<Storm>, number: usize, mut dice: Dice) -> Arc<Self> {
        let skew = i64::try_from(dice.below(240_000)).unwrap_or(0) - 120_000;
        Arc::new(Self { storm, number, skew, dice: Mutex::new(dice), died: Notify::new() })
    }

    /// Throws the worker's dice.
    pub fn dice<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends when the worker dies.
    pub async fn dies(&self) {
        self.died.notified().await;
    }

    /// Waits for a call's turn, and says what goes wrong with it.
    pub async fn call(&self, kind: Kind, place: &'static str, open_to: OpenTo) -> Fault {
        let number = self.storm.calls.fetch_add(1, Ordering::SeqCst);
        if self.storm.is_calm() {
            self.storm.time.wait(1).await;
            self.storm.note(self.number, kind, place, Fault::None);
            return Fault::None;
        }
        let wildness = self.storm.wildness;
        let (wait, fault) = self.dice(|dice| {
            let mut wait = 1 + dice.below(20) as u64;
            if dice.in_1000(20) {
                wait += dice.below(20_000) as u64;
            }
            let mut fault = Fault::None;
            if dice.in_1000(wildness) {
                let is_read = matches!(kind, Kind::GetItem | Kind::BatchGetItem | Kind::Query | Kind::GetObject);
                let from: &[Fault] = if is_read { &FOR_READS } else { &FOR_WRITES };
                fault = dice.pick(from).copied().unwrap_or(Fault::None);
                if dice.in_1000(20) {
                    fault = Fault::Stalled;
                }
            }
            // Batches are left half done more often: nothing is lost by it.
            if fault == Fault::None && kind.may(Fault::Partial) && dice.in_1000(wildness) {
                fault = Fault::Partial;
            }
            if open_to == OpenTo::Stale && dice.in_1000(300) {
                fault = Fault::Stale;
            }
            let is_crash = matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
            // Whoever dies at every twentieth call gets nowhere.
            if is_crash && dice.in_1000(500) {
                fault = Fault::None;
            }
            if fault == Fault::Stalled {
                wait += 15 * 60_000 + dice.below(10 * 60_000) as u64;
            }
            (wait, fault)
        });
        let may = match fault {
            Fault::Stale => open_to == OpenTo::Stale,
            Fault::Conflict => open_to == OpenTo::Conflict,
            fault => kind.may(fault),
        };
        let fault = if may { fault } else { Fault::None };
        self.storm.time.wait(wait).await;
        let is_due = number >= self.storm.sure_crash && self.storm.crashes() == 0;
        let fault = if is_due { Fault::CrashBefore } else { fault };
        self.storm.note(self.number, kind, place, fault);
        if fault == Fault::CrashBefore {
            self.die().await;
        }
        fault
    }

    /// Dies here: nothing after this is done.
    pub async fn die(&self) {
        self.storm.crashes.fetch_add(1, Ordering::SeqCst);
        self.died.notify_one();
        std::future::pending::<()>().await;
    }
}

/// What a caller is told of a call that went wrong.
#[must_use]
pub fn unavailable(operation: &'static str, place: &str, fault: Fault) -> StoreError {
    let reason = if fault == Fault::Throttled { "ThrottlingException" } else { "time-out" };
    StoreError::Unavailable { operation, place: place.to_owned(), reason: reason.to_owned() }
}

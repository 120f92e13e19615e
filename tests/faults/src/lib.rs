//! Convergence under fire: the load protocol and the convergence protocol in a storm that a seed brews.
//!
//! The functions are the real ones, `fc_ingest::handle` and `fc_matching::Matching`. Around them everything is simulated,
//! on one thread and in a time of its own: tables and buckets in memory, queues, several workers. Calls are throttled,
//! time out after they were carried out, are carried out late, twice or in part; workers die between any two calls;
//! messages come twice, late and in another order; clocks differ. When the storm is over, everything must be as if one
//! worker had read the same files in their order.
//!
//! [`council`] makes what is dropped; [`storm`] says what goes wrong; [`simulation`] runs both; [`outcome`] compares. What
//! must hold between two given calls, and storms meet too seldom, is played on a [`stage`].

pub mod dice;

pub mod time;

pub mod memory;

pub mod council;

pub mod storm;

pub mod queue;

pub mod faulty;

pub mod simulation;

pub mod outcome;

pub mod stage;

use fc_sources::Definitions;
use simulation::{Run, Weather, run};
use std::{fmt::Write, sync::Arc};
use storm::{Counts, Step};

/// Calls for each row of the files, at most: what a storm may cost.
pub const CALLS_A_ROW: u64 = 400;

/// Workers and records of a seed, at least.
const FEWEST_WORKERS: usize = 3;
const FEWEST_RECORDS: usize = 40;

/// How a seed went.
#[derive(Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What was not as it should be.
    pub faults: Vec<String>,
    /// What went wrong how often.
    pub counts: Counts,
    /// Workers that died.
    pub crashes: u64,
    /// Records of the largest cluster in the end.
    pub largest: usize,
    /// Records of the council.
    pub records: usize,
    /// Rows of its files.
    pub rows: usize,
    /// Beyond how many records a blocking key supports no link.
    pub saturation: usize,
    /// Every call of the storm.
    pub trace: Vec<Step>,
    /// Rows that differ: of made-up people.
    pub rows_that_differ: Vec<String>,
}

/// Runs a seed, in a storm and in calm weather, and compares.
///
/// # Errors
/// When the simulation itself cannot be set up.
pub fn judge(seed: u64, definitions: &Arc<Definitions>) -> Result<Verdict, String> {
    let council = council::Council::of(seed);
    let calm = run(seed, Weather::Calm, definitions)?;
    let Run { outcome, trace, counts, crashes, workers, largest, complaints } = run(seed, Weather::Storm, definitions)?;
    let mut faults: Vec<String> = calm.complaints.iter().map(|what| format!("in calm weather: {what}")).collect();
    faults.extend(complaints);
    faults.extend(outcome.differences(&calm.outcome, council.is_doubtful));
    // What a seed promises, so that a run without differences says something.
    if crashes == 0 {
        faults.push("no worker died".to_owned());
    }
    if workers < FEWEST_WORKERS || council.records < FEWEST_RECORDS {
        faults.push(format!("only {workers} workers and {} records", council.records));
    }
    let calls = counts.all() / council.rows.max(1) as u64;
    if calls > CALLS_A_ROW {
        faults.push(format!("{calls} calls a row"));
    }
    let rows_that_differ = outcome.rows_that_differ(&calm.outcome);
    Ok(Verdict {
        seed,
        faults,
        counts,
        crashes,
        largest,
        records: council.records,
        rows: council.rows,
        saturation: council.saturation,
        trace,
        rows_that_differ,
    })
}

/// The last calls of a trace, for a terminal: kinds only.
#[must_use]
pub fn told(trace: &[Step], last: usize) -> String {
    let mut text = String::new();
    for step in &trace[trace.len().saturating_sub(last)..] {
        let Step { at, worker, kind, place, fault } = step;
        let fault = if *fault == storm::Fault::None { String::new() } else { format!("  {fault:?}") };
        let _ = writeln!(text, "{at:>12} ms  worker {worker}  {kind:?} {place}{fault}");
    }
    text
}

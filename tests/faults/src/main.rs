//! `faults`: runs seeds, and says what went wrong how often and what came out differently.
//!
//!   faults [--seeds N] [--from SEED]   runs seeds, on every core
//!   faults --first ...                  stops at the first that comes out differently
//!   faults --replay SEED [--last N] [--rows]   runs one, and prints its last calls, and the rows that differ

#![expect(clippy::print_stdout, reason = "a tool's output")]

use fc_faults::{Verdict, judge, simulation::definitions, storm::Counts, told};
use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Diverging seeds that are told in full.
const TOLD: usize = 3;
/// One seed in twenty has a component of more records than this.
const LARGE: usize = 100;
/// Seeds from which on every fault must have happened to every kind of call.
const ENOUGH: u64 = 200;

/// What it understands.
const OPTIONS: [&str; 6] = ["--seeds", "--from", "--first", "--replay", "--last", "--rows"];

fn option(name: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(words) => {
            println!("{words}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    if let Some(unknown) = std::env::args().find(|one| one.starts_with('-') && !OPTIONS.contains(&one.as_str())) {
        return Err(format!("{unknown} is none of its options: {}", OPTIONS.join(", ")));
    }
    let definitions = Arc::new(definitions()?);
    if let Some(seed) = option("--replay") {
        let verdict = judge(seed, &definitions)?;
        if std::env::args().any(|argument| argument == "--rows") {
            println!("{}", verdict.rows_that_differ.join("\n"));
        }
        tell(&verdict, usize::try_from(option("--last").unwrap_or(60)).unwrap_or(60));
        return Ok(verdict.faults.is_empty());
    }
    let only_first = std::env::args().any(|argument| argument == "--first");
    let (first, seeds) = (option("--from").unwrap_or(0), option("--seeds").unwrap_or(2_000));
    let (began, next) = (Instant::now(), AtomicU64::new(first));
    let sum = Mutex::new((Counts::default(), 0_u64, 0_u64, 0_u64, Vec::<Verdict>::new(), Vec::<String>::new(), 0_u64));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + seeds {
                        return;
                    }
                    let verdict = judge(seed, &definitions);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    match verdict {
                        Ok(verdict) => {
                            sum.0 += &verdict.counts;
                            sum.1 += verdict.records as u64;
                            sum.2 += verdict.rows as u64;
                            sum.3 += verdict.crashes;
                            sum.6 += u64::from(verdict.largest > LARGE);
                            if !verdict.faults.is_empty() {
                                if !only_first {
                                    println!("seed {seed}: {}", verdict.faults.join("; "));
                                }
                                if only_first {
                                    next.store(first + seeds, Ordering::SeqCst);
                                }
                                sum.4.push(verdict);
                            }
                        }
                        Err(words) => sum.5.push(format!("seed {seed}: {words}")),
                    }
                }
            });
        }
    });
    let (counts, records, rows, crashes, diverging, broken, large) =
        sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    if only_first {
        for words in &broken {
            println!("broken: {words}");
        }
        if let Some(Verdict { seed, faults, .. }) = diverging.iter().min_by_key(|verdict| verdict.seed) {
            println!("seed {seed}: {}", faults.join("; "));
        }
        return Ok(diverging.is_empty() && broken.is_empty());
    }
    for verdict in diverging.iter().take(TOLD) {
        tell(verdict, 40);
    }
    for words in &broken {
        println!("{words}");
    }
    println!("{}", counts.table());
    let missing = if seeds >= ENOUGH { counts.missing() } else { Vec::new() };
    let is_large_enough = large * 20 >= seeds || seeds < ENOUGH;
    if !is_large_enough {
        println!("only {large} of {seeds} seeds have a component of more than {LARGE} records");
    }
    for (kind, fault) in &missing {
        println!("{fault:?} never happened to {kind:?}");
    }
    println!(
        "{seeds} seeds from {first}: {records} records, {rows} rows, {large} with a component of more than {LARGE} records, {} \
         calls, {crashes} crashes, {} divergences, in {:.0} s",
        counts.all(),
        diverging.len() + broken.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(diverging.is_empty() && broken.is_empty() && missing.is_empty() && is_large_enough)
}

fn tell(verdict: &Verdict, last: usize) {
    println!(
        "seed {}: {} records, keys saturated beyond {}, {} crashes, {} calls",
        verdict.seed,
        verdict.records,
        verdict.saturation,
        verdict.crashes,
        verdict.trace.len()
    );
    for fault in &verdict.faults {
        println!("  {fault}");
    }
    print!("{}", told(&verdict.trace, last));
    println!("replay: tests/run faults --replay {}", verdict.seed);
}

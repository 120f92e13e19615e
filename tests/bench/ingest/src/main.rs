//! How what a load costs grows with the council: the real functions over tables and buckets in memory, which count
//! capacity units as DynamoDB does.
//!
//! ```text
//! growth 10000 100000        councils of so many people
//! ```
//!
//! Each council lives through the same days: its first files, the same files again, a night in which one row in a hundred has
//! changed, a day on which a source sends every name in capitals, and one on which a crowd moves in. Work is done by as many
//! workers as there are processors. Seconds and memory include the tables themselves, which lie in the same process.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod nights;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use fc_faults::{memory::Memory, simulation::plain_store};
use fc_ingest::{Ingest, Report};
use fc_linkage::Model;
use fc_matching::Matching;
use fc_model::{HandleKey, PersonId};
use fc_sources::Definitions;
use fc_store::{Deliver, Queue, loads::LoadState, queue::Sending, table::Reading};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use nights::{File, Night};
use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// The first day.
const FIRST: Date = jiff::civil::date(2026, 2, 2);
/// Messages that matching gets at once, as in infra/template.yaml.
const BATCH: usize = 5;
/// Clock ticks a second in `/proc`.
const TICKS: f64 = 100.0;

/// A queue in memory. What fails comes again at its end.
#[derive(Debug, Default)]
struct Messages(Mutex<VecDeque<String>>);

impl Messages {
    fn push(&self, bodies: Vec<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bodies);
    }

    fn take(&self, most: usize) -> Vec<String> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = most.min(waiting.len());
        waiting.drain(..most).collect()
    }
}

impl Deliver for Messages {
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        self.push(bodies);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The council's functions, and the two queues between them.
struct Stack {
    memory: Memory,
    ingest: Ingest,
    matching: Matching,
    to_ingest: Arc<Messages>,
    to_matching: Arc<Messages>,
    clock: Arc<AtomicI64>,
    busy: AtomicUsize,
    again: AtomicUsize,
}

/// What a day took.
#[derive(Debug, Clone, Copy)]
struct Day {
    records: u64,
    wall: f64,
    cpu: f64,
    ingest: [Reading; 3],
    matching: [Reading; 3],
    again: usize,
    resident: f64,
    peak: f64,
}

impl Stack {
    fn new(definitions: Definitions) -> Result<Self, String> {
        let memory = Memory::without_past();
        let key = HandleKey::new([7; 32]).map_err(|error| error.to_string())?;
        let definitions = Arc::new(definitions);
        let (to_ingest, to_matching) = (Arc::new(Messages::default()), Arc::new(Messages::default()));
        let clock = Arc::new(AtomicI64::new(0));
        let seconds = Arc::clone(&clock);
        let now = Arc::new(move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap_or_default());
        let ingest = Ingest {
            store: plain_store(&memory, &key),
            definitions: Arc::clone(&definitions),
            matching: Arc::clone(&to_matching) as Queue,
            own: Arc::clone(&to_ingest) as Queue,
            now: Arc::clone(&now) as fc_ingest::Clock,
            part_lines: fc_ingest::PART_LINES,
        };
        let matching = Matching {
            store: plain_store(&memory, &key),
            definitions,
            model: Model::shipped().clone(),
            ingest: Arc::clone(&to_ingest) as Queue,
            now,
            new_person: Arc::new(PersonId::random),
        };
        let (busy, again) = Default::default();
        Ok(Self { memory, ingest, matching, to_ingest, to_matching, clock, busy, again })
    }

    /// Deals with messages until there are none and nobody can send any.
    async fn work(&self) {
        loop {
            self.busy.fetch_add(1, Ordering::SeqCst);
            let mut bodies = self.to_ingest.take(1);
            let is_ingest = !bodies.is_empty();
            if !is_ingest {
                bodies = self.to_matching.take(BATCH);
            }
            if bodies.is_empty() {
                if self.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            let mut event = SqsEvent::default();
            for (number, body) in bodies.iter().enumerate() {
                let mut message = SqsMessage::default();
                (message.message_id, message.body) = (Some(number.to_string()), Some(body.clone()));
                event.records.push(message);
            }
            let (response, queue) = if is_ingest {
                (fc_ingest::handle(&self.ingest, event).await, &self.to_ingest)
            } else {
                (self.matching.handle(event).await, &self.to_matching)
            };
            for failed in response.batch_item_failures {
                let number = failed.item_identifier.parse::<usize>().unwrap_or(0);
                queue.push(bodies.get(number).cloned().into_iter().collect());
                self.again.fetch_add(1, Ordering::SeqCst);
            }
            self.busy.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Drops a day's files and sees to everything that comes of them.
    async fn day(self: &Arc<Self>, day: Date, files: &[File]) -> Result<Day, String> {
        let at = TimeZone::UTC.to_timestamp(day.at(1, 0, 0, 0)).map_err(|error| error.to_string())?;
        self.clock.store((at + SignedDuration::from_hours(1)).as_second(), Ordering::SeqCst);
        // The memory of a process is counted anew after this.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let before = (self.units(), cpu(), self.again.load(Ordering::SeqCst), Instant::now());
        for file in files {
            let key = format!("{}/{}", file.folder, file.name);
            let version = self.memory.bucket("extracts").keep(&key, file.bytes.clone());
            let notice = serde_json::json!({"Records": [{
                "eventName": "ObjectCreated:Put",
                "eventTime": at.to_string(),
                "s3": {"bucket": {"name": "extracts"}, "object": {"key": key, "versionId": version}},
            }]});
            self.to_ingest.push(vec![notice.to_string()]);
        }
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let working: Vec<_> = (0..workers)
            .map(|_| {
                let stack = Arc::clone(self);
                tokio::spawn(async move { stack.work().await })
            })
            .collect();
        for worker in working {
            worker.await.map_err(|error| error.to_string())?;
        }
        let mut records = 0;
        for file in files {
            let (latest, _) = self
                .memory
                .bucket("reports")
                .find(&format!("{}/latest.json", file.folder), None)
                .ok_or_else(|| format!("{}: no report", file.folder))?;
            let report: Report = serde_json::from_slice(&latest).map_err(|error| error.to_string())?;
            if !matches!(report.state, LoadState::Applied | LoadState::Duplicate) {
                return Err(format!("{}: {:?}: {}", file.folder, report.state, report.words.join(" ")));
            }
            records += report.records.added + report.records.changed + report.records.removed;
            self.memory.bucket("extracts").forget(&format!("{}/{}", file.folder, file.name));
        }
        let after = self.units();
        let since = |which: usize| [0, 1, 2].map(|table| after[which][table] - before.0[which][table]);
        Ok(Day {
            records,
            wall: before.3.elapsed().as_secs_f64(),
            cpu: cpu() - before.1,
            ingest: since(0),
            matching: since(1),
            again: self.again.load(Ordering::SeqCst) - before.2,
            resident: memory("VmRSS:"),
            peak: memory("VmHWM:"),
        })
    }

    fn units(&self) -> [[Reading; 3]; 2] {
        [&self.ingest.store, &self.matching.store]
            .map(|store| [&store.loads, &store.records, &store.people].map(|table| table.meter().reading()))
    }
}

/// Processor seconds of this process so far.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}

/// A line of `/proc/self/status`, in MiB.
fn memory(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    found.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// The shipped definitions, those too that a council has to switch on.
fn definitions(shipped: &Path, out: &Path) -> Result<Definitions, String> {
    let told = |error: std::io::Error| error.to_string();
    fs::create_dir_all(out).map_err(told)?;
    for entry in fs::read_dir(shipped).map_err(told)? {
        let path = entry.map_err(told)?.path();
        let text = fs::read_to_string(&path).map_err(told)?;
        let text = if path.ends_with("police.toml") { text.replace("enabled = false", "enabled = true") } else { text };
        fs::write(out.join(path.file_name().unwrap_or_default()), text).map_err(told)?;
    }
    Definitions::load_dir(out).map_err(|problems| format!("{problems:?}"))
}

fn tell(what: &str, day: &Day) {
    let records = day.records.max(1) as f64;
    let sum = |tables: &[Reading], of: fn(&Reading) -> f64| tables.iter().map(of).sum::<f64>();
    // Of records and people, in matching: what a change costs. Of loads, in both: what a load costs.
    let changes = &day.matching[1..];
    let loads = [day.ingest[0], day.matching[0]];
    let others = sum(&day.ingest[1..], |reading| reading.write_units);
    println!(
        "| {what} | {} | {:.1} | {:.1} | {:.0} | {:.1} | {:.1} | {:.1} | {:.3} | {:.0} | {:.0} | {:.0} | {} |",
        day.records,
        day.wall,
        day.cpu,
        records / day.wall,
        sum(changes, |reading| reading.calls as f64) / records,
        sum(changes, |reading| reading.read_units) / records,
        sum(changes, |reading| reading.write_units) / records,
        sum(&loads, |reading| reading.write_units) / records,
        sum(&loads, |reading| reading.write_units) + others,
        day.resident,
        day.peak - day.resident,
        day.again,
    );
}

async fn council(people: u64, shipped: &Path) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("fc-growth-{}-{people}", std::process::id()));
    let defined = definitions(shipped, &folder.join("sources"));
    let made = defined.and_then(|defined| {
        let is_wanted = |feed: &fc_synth::FeedSummary| {
            defined
                .enabled()
                .flat_map(|definition| &definition.feeds)
                .any(|known| known.source.as_str() == feed.source && known.feed.as_str() == feed.feed)
        };
        let files = nights::council(people, FIRST, &folder, is_wanted)?;
        Ok((defined, files))
    });
    let _ = fs::remove_dir_all(&folder);
    let (defined, mut files) = made?;
    let stack = Arc::new(Stack::new(defined)?);
    let days: [(&str, Night); 5] = [
        ("first files", Night::Same),
        ("the same again", Night::Same),
        ("one row in a hundred", Night::Changed(100)),
        ("names in capitals", Night::Capitals("housing")),
        ("a crowd", Night::Crowd),
    ];
    for (number, (what, night)) in days.into_iter().enumerate() {
        let today = FIRST + i64::try_from(number).unwrap_or(0).days();
        if number > 0 {
            nights::next(&mut files, today, night)?;
        }
        let day = stack.day(today, &files).await?;
        tell(&format!("{people} people: {what}"), &day);
    }
    Ok(())
}

fn main() -> ExitCode {
    let sizes: Result<Vec<u64>, _> = std::env::args().skip(1).map(|size| size.parse()).collect();
    let (Ok(sizes), Ok(runtime)) = (sizes, tokio::runtime::Builder::new_multi_thread().enable_all().build()) else {
        eprintln!("usage: growth PEOPLE...");
        return ExitCode::from(2);
    };
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../infra/sources");
    println!(
        "| what | records changed | wall s | CPU s | records/s | calls | reads | writes | writes for loads | in all | MiB | beside | again |"
    );
    println!("| --- {}|", "| ---: ".repeat(12));
    for people in sizes {
        if let Err(reason) = runtime.block_on(council(people, &shipped)) {
            eprintln!("{people} people: {reason}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

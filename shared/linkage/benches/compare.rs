//! What matching one record costs: time, and allocations counted by the benchmark's allocator.
//!
//! ```text
//! cargo bench -p fc-linkage --bench compare
//! ```
//!
//! Over the records of a made-up council of 50,000 people (seed 90, systems kept twice as badly as usual), in turn.

use divan::{AllocProfiler, Bencher, black_box};
use fc_linkage::{Model, Subject, blocking_keys, link::candidates};
use fc_model::{Content, Date, Details, RecordId, SourceId};
use fc_sources::{Definitions, Entry, FeedKind, Row};
use std::{collections::BTreeMap, fs::File, path::Path, sync::OnceLock};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    // Made before anything is timed.
    council();
    divan::main();
}

struct Council {
    records: Vec<(RecordId, Details)>,
    subjects: Vec<Subject>,
    pairs: Vec<(u32, u32)>,
    /// For each record, those it is compared with when it changes.
    candidates: Vec<Vec<u32>>,
}

fn council() -> &'static Council {
    static COUNCIL: OnceLock<Council> = OnceLock::new();
    COUNCIL.get_or_init(|| {
        let records = made_up();
        let subjects: Vec<Subject> = records.iter().map(|(record, said)| Subject::of(record.clone(), said)).collect();
        let (pairs, _) = candidates(Model::shipped(), &subjects);
        let mut candidates = vec![Vec::new(); subjects.len()];
        for (a, b) in &pairs {
            candidates[*a as usize].push(*b);
            candidates[*b as usize].push(*a);
        }
        Council { records, subjects, pairs, candidates }
    })
}

#[expect(clippy::expect_used, reason = "a benchmark may fail by panicking")]
fn made_up() -> Vec<(RecordId, Details)> {
    let folder = std::env::temp_dir().join(format!("fc-linkage-bench-{}", std::process::id()));
    let today = Date::constant(2026, 2, 1);
    let options = fc_synth::Options { people: 50_000, seed: 90, out: folder.clone(), today };
    fc_synth::write_council_with(&options, &fc_synth::Rates::default().kept_worse(2.0), &mut |_| ())
        .expect("the council is written");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/sources");
    let definitions = Definitions::load_dir(&sources).expect("the shipped definitions have no mistakes");
    let mut records: BTreeMap<(SourceId, String), Details> = BTreeMap::new();
    for name in ["children_social_care", "adult_social_care", "housing", "schools", "youth_justice", "police"] {
        let source = SourceId::parse(name).expect("a source's name");
        let definition = definitions.get(&source).expect("it is defined");
        let feed = definition.feeds.iter().find(|feed| feed.kind == FeedKind::People).expect("it has people");
        let file = match definition.feeds.len() {
            1 => format!("{name}.csv"),
            _ => format!("{name}-{}.csv", feed.feed.as_str()),
        };
        let file = File::open(folder.join(file)).expect("its extract was written");
        for row in feed.reader(file, today).expect("the extract has its columns") {
            let Row::Used { records: said, .. } = row.expect("the extract is readable") else { continue };
            for (id, entry) in said {
                if let Entry::Present(Content::Person(details)) = entry {
                    records.entry((source.clone(), id)).or_default().merge(*details);
                }
            }
        }
    }
    // Nobody minds what is left in the temporary folder.
    let _ = std::fs::remove_dir_all(folder);
    records.into_iter().map(|((source, id), details)| (RecordId::new(source, id), details)).collect()
}

#[divan::bench]
fn standardise_a_record(bencher: Bencher<'_, '_>) {
    let mut records = council().records.iter().cycle();
    bencher.with_inputs(|| records.next()).bench_local_values(|record| {
        let (record, details) = record?;
        Some(Subject::of(record.clone(), details))
    });
}

#[divan::bench]
fn blocking_keys_of_a_record(bencher: Bencher<'_, '_>) {
    let mut subjects = council().subjects.iter().cycle();
    bencher
        .with_inputs(|| subjects.next())
        .bench_local_values(|subject| subject.map(|subject| blocking_keys(&subject.standard)));
}

#[divan::bench(sample_count = 5000, sample_size = 20)]
fn compare_a_pair_that_shares_a_key(bencher: Bencher<'_, '_>) {
    let council = council();
    let mut pairs = council.pairs.iter().cycle();
    bencher.with_inputs(|| pairs.next()).bench_local_values(|pair| {
        let (a, b) = pair?;
        let (a, b) = (&council.subjects[*a as usize], &council.subjects[*b as usize]);
        Some(black_box(Model::shipped().compare(&a.standard, &b.standard)).weight)
    });
}

#[divan::bench(sample_count = 5000, sample_size = 20)]
fn compare_a_record_with_its_candidates(bencher: Bencher<'_, '_>) {
    let council = council();
    let mut records = (0..council.subjects.len()).cycle();
    bencher.with_inputs(|| records.next()).bench_local_values(|record| {
        let record = record?;
        let of = |other: &u32| &council.subjects[*other as usize].standard;
        let compare = |other| Model::shipped().compare(&council.subjects[record].standard, of(other)).weight;
        council.candidates[record].iter().map(compare).max()
    });
}

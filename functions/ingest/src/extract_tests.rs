use super::*;
use crate::{manifest, plan};
use fc_sources::Definitions;
use std::{io::BufReader, path::Path, thread};

fn definition() -> Definition {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/files/gallery.toml");
    let text = std::fs::read_to_string(file).unwrap();
    Definitions::from_files([("gallery.toml".to_owned(), text)]).unwrap().iter().next().unwrap().clone()
}

/// A file's bytes, arriving from another thread as an object's do.
fn arriving(mut file: impl Read + Send + 'static) -> Arriving {
    let (to, arriving) = Arriving::new();
    thread::spawn(move || {
        loop {
            let mut chunk = vec![0; 64 * 1024];
            let read = file.read(&mut chunk).unwrap();
            chunk.truncate(read);
            if read == 0 || to.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    arriving
}

/// Reads the changes to the end, in as many readings as it takes. Returns parts, changes and readings.
fn changes(extract: &Extract<'_>, file: impl Fn() -> Arriving, survey: &Survey) -> (u32, Vec<Change>, u32) {
    let seq = Seq { as_of: "2026-03-02T01:00:00Z".parse().unwrap(), load: 1 };
    let (mut begin, mut found, mut readings) = (Begin::default(), Vec::new(), 0);
    loop {
        let stage = |_, lines: Vec<u8>| {
            let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            found.extend(lines.map(|line| serde_json::from_slice::<Change>(line).unwrap()));
        };
        begin = extract.changes(file(), survey, &[], seq, begin, stage).unwrap().unwrap();
        readings += 1;
        if begin.from.is_none() {
            return (begin.part, found, readings);
        }
    }
}

const RULE: plan::Rule = plan::Rule { full: true, late: false, unreadable_ids: false };

#[test]
fn records_whose_rows_lie_far_apart_are_put_together_without_holding_them_all() {
    let definition = definition();
    let key = HandleKey::new([7; 32]).unwrap();
    let today = Date::constant(2026, 3, 1);
    let (feed, common) = (&definition.feeds[0], &Common::default());
    let extract = Extract { definition: &definition, feed, key: &key, today, part_lines: PART_LINES, common };
    let records = MOST_OPEN * 2 + MOST_OPEN / 2;
    let mut text = "Person ID,Surname,Address\n".to_owned();
    for home in ["7 Lantern Row FE1 2AB", "12 Old Road FE2 3CD"] {
        text.extend((0..records).map(|record| format!("P{record},Quill,{home}\n")));
    }
    let file = || arriving(io::Cursor::new(text.clone().into_bytes()));
    let mut survey = extract.survey(file(), &Guarded::default(), &[]);
    plan::plan(&[], &mut survey.said, RULE);
    let (_, found, readings) = changes(&extract, file, &survey);
    assert!(readings > 1, "they were all held");
    assert_eq!(found.len(), records);
    let both = |change: &Change| match &change.content {
        Some(Content::Person(person)) => person.addresses.len() == 2,
        _ => false,
    };
    assert!(found.iter().all(both), "a record was put together from a part of its rows");
    let names: std::collections::HashSet<_> = found.iter().map(|change| change.handle.clone()).collect();
    assert_eq!(names.len(), records, "each once");
}

/// An extract of so many rows and bytes, made as it is read. One row in a hundred is of another day on odd days.
struct Made {
    row: usize,
    rows: usize,
    day: usize,
    width: usize,
    line: io::Cursor<Vec<u8>>,
}

impl Made {
    fn new(rows: usize, bytes: usize, day: usize) -> Self {
        let heading = b"Person ID,Surname,Forename,Date of birth,Address,Notes\n".to_vec();
        Self { row: 0, rows, day, width: bytes / rows, line: io::Cursor::new(heading) }
    }
}

impl Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.line.read(buffer)?;
        if read > 0 || self.row == self.rows {
            return Ok(read);
        }
        let row = self.row;
        self.row += 1;
        let moved = if row.is_multiple_of(100) { self.day } else { 0 };
        let mut line =
            format!("P{row:07},Quill{row},Ada,14/02/1984,\"{} Lantern Row, Fenchester, FE1 2AB\",", row % 300 + moved);
        let noise = row.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        while line.len() < self.width - 1 {
            line.push_str(&format!("{:x} ", noise.rotate_left(line.len() as u32 % 64)));
        }
        line.truncate(self.width - 1);
        line.push('\n');
        self.line = io::Cursor::new(line.into_bytes());
        self.line.read(buffer)
    }
}

/// The most memory this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// What one night's load does in memory: survey, compare with the accepted manifest, write the new one, make the parts.
fn night(made: impl Fn() -> Arriving, accepted: Vec<u8>) -> Vec<u8> {
    let definition = definition();
    let key = HandleKey::new([7; 32]).unwrap();
    let extract = Extract {
        definition: &definition,
        feed: &definition.feeds[0],
        key: &key,
        today: Date::constant(2026, 3, 1),
        part_lines: PART_LINES,
        common: &Common::default(),
    };
    let mut survey = extract.survey(made(), &Guarded::default(), &[]);
    assert!(survey.fault.is_none() && !survey.too_many);
    let entries = manifest::read(&accepted).unwrap();
    drop(accepted);
    let plan = plan::plan(&entries, &mut survey.said, RULE);
    drop(entries);
    let manifest = manifest::write(&survey.common, &plan.candidate);
    let records = plan.records;
    let seq = Seq { as_of: "2026-03-02T01:00:00Z".parse().unwrap(), load: 1 };
    let (mut begin, mut bytes) = (Begin::default(), 0);
    loop {
        begin = extract
            .changes(made(), &survey, &plan.removed, seq, begin, |_, lines| bytes += lines.len())
            .unwrap()
            .unwrap();
        if begin.from.is_none() {
            break;
        }
    }
    println!(
        "{} added, {} changed, {} unchanged; {} parts, {} MiB of them; peak so far {} MiB",
        records.added,
        records.changed,
        records.unchanged,
        begin.part,
        bytes >> 20,
        peak()
    );
    manifest
}

#[test]
#[ignore = "takes minutes and measures memory: docs/benchmarks.md has the command"]
fn half_a_gigabyte_is_read_in_less_than_a_quarter_of_one() {
    const BYTES: usize = 500 << 20;
    let rows = std::env::var("INGEST_ROWS").map_or(MOST_RECORDS, |rows| rows.parse().unwrap());
    let manifest = night(|| arriving(Made::new(rows, BYTES, 0)), Vec::new());
    let manifest = night(|| arriving(Made::new(rows, BYTES, 1)), manifest);

    let packed = std::env::temp_dir().join(format!("fc-ingest-{}.csv.gz", std::process::id()));
    let file = std::fs::File::create(&packed).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    io::copy(&mut BufReader::with_capacity(1 << 20, Made::new(rows, BYTES, 2)), &mut gzip).unwrap();
    let size = gzip.finish().unwrap().metadata().unwrap().len();
    println!("{} MiB packed", size >> 20);
    night(|| arriving(std::fs::File::open(&packed).unwrap()), manifest);
    std::fs::remove_file(packed).unwrap();
    assert!(peak() <= 256, "{} MiB", peak());
}

//! `link`: the records of extracts joined into people, offline.

use crate::{
    definitions,
    operator::{OperatorError, feed_of, file_error},
};
use clap::Args;
use fc_linkage::Model;
use fc_model::{Content, Date, Details, RecordId};
use fc_sources::{Definition, Entry, Feed, FeedKind, Report, Row};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

/// `link`: joins the records of extracts into people, offline. Nothing is stored or sent.
#[derive(Debug, Args)]
pub struct Link {
    /// Extracts, each as SOURCE=FILE or SOURCE/FEED=FILE.
    #[arg(required = true, value_name = "SOURCE=FILE")]
    extracts: Vec<Extract>,
    /// The folder with the source definitions (*.toml). Without it, the ones that come with the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
    /// The file to write, with the columns record_id (source:record) and person_id.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// One extract on the command line.
#[derive(Debug, Clone)]
struct Extract {
    feed: String,
    file: PathBuf,
}

impl FromStr for Extract {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (feed, file) = text.split_once('=').ok_or("write SOURCE=FILE, such as housing=housing.csv")?;
        Ok(Self { feed: feed.to_owned(), file: file.into() })
    }
}

impl Link {
    /// Links, and says on `out` what came of each file and of all.
    ///
    /// # Errors
    /// When definitions or files cannot be used.
    pub fn run(&self, today: Date, out: &mut impl Write) -> Result<(), OperatorError> {
        let definitions = definitions::load(self.sources.as_deref())?;
        let stdout = file_error(Path::new("standard output"));
        let mut records = BTreeMap::new();
        for extract in &self.extracts {
            let (definition, feed) = feed_of(&definitions, &extract.feed)?;
            let report = read_people(definition, feed, &extract.file, today, &mut records)?;
            writeln!(
                out,
                "{}: {} rows, {} used, {} skipped, {} rejected",
                extract.feed,
                report.rows,
                report.used,
                report.skipped_rows(),
                report.rejected
            )
            .map_err(&stdout)?;
        }
        let records: Vec<(RecordId, Details)> = records
            .into_iter()
            .filter(|(_, (is_person, _))| *is_person)
            .map(|(id, (_, details))| (id, details))
            .collect();
        let linked = fc_linkage::link::link(Model::shipped(), &records, &[]);

        let failed = |error: csv::Error| file_error(&self.out)(error.into());
        let file = File::create(&self.out).map_err(file_error(&self.out))?;
        let mut rows = csv::Writer::from_writer(BufWriter::new(file));
        rows.write_record(["record_id", "person_id"]).map_err(failed)?;
        for ((record, _), person) in records.iter().zip(&linked.people) {
            rows.write_record([record.to_string(), format!("{person}")]).map_err(failed)?;
        }
        rows.flush().map_err(file_error(&self.out))?;
        let people = linked.people.iter().max().map_or(0, |last| last + 1);
        let possible = linked.possible.len();
        writeln!(out, "{} records are {people} people; {possible} more pairs are possible", records.len())
            .map_err(stdout)
    }
}

/// Reads one extract into `records`, where feeds of one source meet; whether a people feed named a record is kept with it.
fn read_people(
    definition: &Definition,
    feed: &Feed,
    file: &Path,
    today: Date,
    records: &mut BTreeMap<RecordId, (bool, Details)>,
) -> Result<Report, OperatorError> {
    let extract = |cause| OperatorError::Extract { path: file.to_owned(), cause };
    let input = File::open(file).map_err(file_error(file))?;
    let mut reader = feed.reader(input, today).map_err(extract)?;
    let mut report = Report::new(&reader);
    for row in reader.by_ref() {
        let row = row.map_err(extract)?;
        report.add(&row);
        let Row::Used { records: entries, .. } = row else { continue };
        for (id, entry) in entries {
            if let Entry::Present(Content::Person(details)) = entry {
                let record = records.entry(RecordId::new(definition.source.clone(), id)).or_default();
                record.0 |= feed.kind == FeedKind::People;
                record.1.merge(*details);
            }
        }
    }
    report.finish(&reader);
    Ok(report)
}

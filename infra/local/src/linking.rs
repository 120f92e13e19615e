//! `link`: the records of extracts joined into people, offline: how a council tries matching on its own data before it
//! deploys anything. Nothing is stored or sent.
//!
//! Sources are read side by side, one for each processor, and what they say is held while they are; of what was read, only
//! what is compared is kept.

use crate::{
    definitions,
    explaining::ExplainPage,
    operator::{OperatorError, feed_of, file_error},
    steps::Steps,
};
use clap::Args;
use fc_linkage::{
    Band, Edge, Kin, Linked, Model, ModelFile, NeverMerged, Quality, Reliability, Step, Subject, explain,
    link_step_by_step,
};
use fc_model::{Content, Date, Details, FeedId, HandleKey, RecordId, SourceId};
use fc_sources::{
    Definition, Definitions, Entry, Feed, Identities, Report, Row,
    common::{self, Counting},
};
use indicatif::ProgressBar;
use rayon::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

/// `link`: joins the records of extracts into people, offline. Nothing is stored or sent.
#[derive(Debug, Args)]
pub struct Link {
    /// Extracts, each as SOURCE=FILE or SOURCE/FEED=FILE. Their order does not matter.
    #[arg(required = true, value_name = "SOURCE=FILE")]
    extracts: Vec<Extract>,
    /// The folder with the source definitions (*.toml). Without it, the ones that come with the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
    /// The file to write, with the columns record_id (source:record) and person_id.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A file to write with the pairs that a steward should see: both records, the probability, why they are not linked, and in words what agrees.
    #[arg(long, value_name = "FILE")]
    possible: Option<PathBuf>,
    /// A file to write with the reason why each record is with its person: the record that holds it there most strongly, the probability, and what each field adds, in bits.
    #[arg(long, value_name = "FILE")]
    explain: Option<PathBuf>,
    #[command(flatten)]
    page: ExplainPage,
    /// A file with the columns source, source_record_id and person_id that says who is who, to measure by. With the columns family_id and born, merged twins are counted too.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Weights and frequencies other than those that come with the tool.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// One extract on the command line.
#[derive(Debug, Clone)]
pub(crate) struct Extract {
    pub(crate) feed: String,
    pub(crate) file: PathBuf,
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
        self.check_files()?;
        let mut steps = Steps::begin("preparing");
        let records = read(&definitions, &self.extracts, today, &mut steps, out)?;
        let model = self.model(&records)?;
        let linked = link_step_by_step(&model, &records, &[], |step| {
            steps.next(match step {
                Step::Block => "blocking",
                Step::Compare => "comparing",
                Step::Resolve => "resolving",
            });
        });
        steps.next("writing");
        self.write_people(&records, &linked)?;
        if let Some(file) = &self.possible {
            write_possible(&model, &records, &linked, file)?;
        }
        if let Some(file) = &self.explain {
            write_reasons(&model, &records, &linked, file)?;
        }
        self.page.write(&model, &records, &linked)?;
        let people = linked.people.iter().max().map_or(0, |last| last + 1);
        writeln!(
            out,
            "{} records are {people} people; {} more pairs are possible",
            records.len(),
            linked.possible.len()
        )
        .map_err(&stdout)?;
        if linked.saturated > 0 {
            writeln!(
                out,
                "Data quality: {} values (a name, a number, a home) are shared by so many records that they link nobody",
                linked.saturated
            )
            .map_err(&stdout)?;
        }
        if let Some(file) = &self.truth {
            steps.next("measuring");
            let truth = truth(file, &records)?;
            write!(out, "{}", truth.told(records.len())).map_err(&stdout)?;
            let compared = linked.compared;
            let Named { records, people, edges, truth, kin } = truth.named(records, linked);
            let quality = Quality::by_kind(&model, &records, &people, &truth);
            let never = NeverMerged::of(&records, &people, &truth, &kin);
            let reliability = Reliability::of(&edges, &truth);
            write!(out, "{quality}{never}{reliability}").map_err(&stdout)?;
            return writeln!(out, "{compared} pairs compared. {}", steps.end()).map_err(&stdout);
        }
        writeln!(out, "{} pairs compared. {}", linked.compared, steps.end()).map_err(&stdout)
    }

    /// Whether files can be read and written: asked before the work, and so that nothing that is read is written over.
    fn check_files(&self) -> Result<(), OperatorError> {
        let read = self.extracts.iter().map(|extract| &extract.file).chain(&self.truth).chain(&self.model);
        let mut known = BTreeSet::new();
        for file in read {
            if file.is_dir() {
                return Err(OperatorError::Folder(file.clone()));
            }
            known.insert(file.canonicalize().map_err(|cause| match cause.kind() {
                std::io::ErrorKind::NotFound => OperatorError::NoFile(file.clone()),
                _ => file_error(file)(cause),
            })?);
        }
        for file in
            [Some(&self.out), self.possible.as_ref(), self.explain.as_ref(), self.page.file()].into_iter().flatten()
        {
            let refused = |why: &str| Err(file_error(file)(std::io::Error::other(why.to_owned())));
            if file.is_dir() {
                return refused("is a folder; name a file to write");
            }
            if file.canonicalize().is_ok_and(|file| known.contains(&file)) {
                return refused("is to be read; name another file to write, for this one would be lost");
            }
        }
        Ok(())
    }

    /// The model, for these records.
    fn model(&self, records: &[Subject]) -> Result<Model, OperatorError> {
        let Some(file) = &self.model else { return Ok(Model::shipped().suited_to(records)) };
        let unusable = |error| file_error(file)(std::io::Error::other(error));
        let model = Model::of(&model_file(file)?).map_err(unusable)?;
        Ok(model.suited_to(records))
    }

    fn write_people(&self, records: &[Subject], linked: &Linked) -> Result<(), OperatorError> {
        let mut rows = Table::create(&self.out, &["record_id", "person_id"])?;
        for (subject, person) in records.iter().zip(&linked.people) {
            rows.row([subject.record.to_string(), person.to_string()])?;
        }
        rows.end()
    }
}

/// Reads a model file.
pub(crate) fn model_file(file: &Path) -> Result<ModelFile, OperatorError> {
    let text = std::fs::read_to_string(file).map_err(file_error(file))?;
    ModelFile::parse(&text).map_err(|error| file_error(file)(std::io::Error::other(error)))
}

/// A source and the extracts of its feeds.
type Files<'a> = (&'a Definition, Vec<(&'a Feed, &'a Extract)>);

/// What a feed says of a record: its id there, the feed, what is said.
type Said<'a> = (String, &'a FeedId, Content);

/// Reads extracts into records in the order of their ids.
pub(crate) fn read(
    definitions: &Definitions,
    extracts: &[Extract],
    today: Date,
    steps: &mut Steps,
    out: &mut impl Write,
) -> Result<Vec<Subject>, OperatorError> {
    let mut of_source: BTreeMap<&SourceId, Files<'_>> = BTreeMap::new();
    for extract in extracts {
        let (definition, feed) = feed_of(definitions, &extract.feed)?;
        of_source.entry(&definition.source).or_insert((definition, Vec::new())).1.push((feed, extract));
    }
    let size = |(_, extract): &(&Feed, &Extract)| std::fs::metadata(&extract.file).map_or(0, |file| file.len());
    let mut sources: Vec<(u64, Files<'_>)> =
        of_source.into_values().map(|files| (files.1.iter().map(size).sum(), files)).collect();
    let bar = steps.next_reading("reading", sources.iter().map(|(bytes, _)| bytes).sum());
    // The largest first, so that no processor is left with it at the end.
    sources.sort_by_key(|(bytes, (definition, _))| (std::cmp::Reverse(*bytes), &definition.source));
    let mut read: Vec<_> = sources
        .into_iter()
        .par_bridge()
        .map(|(_, (definition, extracts))| (&definition.source, read_source(definition, &extracts, today, &bar)))
        .collect();
    read.sort_by_key(|(source, _)| *source);
    let mut records = Vec::new();
    for (_, source) in read {
        let (counts, subjects) = source?;
        write!(out, "{counts}").map_err(file_error(Path::new("standard output")))?;
        records.extend(subjects);
    }
    Ok(records)
}

/// Reads the extracts of one source into records, and says what came of the rows of each.
fn read_source(
    definition: &Definition,
    extracts: &[(&Feed, &Extract)],
    today: Date,
    bar: &ProgressBar,
) -> Result<(String, Vec<Subject>), OperatorError> {
    let mut said: Vec<Said<'_>> = Vec::new();
    let mut counts = String::new();
    for (feed, extract) in extracts {
        let (report, found) = read_extract(feed, &extract.file, today, bar, &mut said)?;
        counts += &format!(
            "{}: {} rows, {} used, {} skipped, {} rejected\n",
            extract.feed,
            report.rows,
            report.used,
            report.skipped_rows(),
            report.rejected
        );
        for (kind, (values, on)) in found {
            counts += &format!(
                "{}: {values} {} stand on more people than can share them, {on} records in all: no evidence\n",
                extract.feed,
                kind.words()
            );
        }
    }
    // In each feed of a record, the rows stay in the order of the file.
    said.sort_by(|(id, feed, _), (other, of, _)| (id, feed).cmp(&(other, of)));
    let mut records = Vec::new();
    let mut said = said.into_iter().peekable();
    while let Some((id, mut feed, content)) = said.next() {
        let mut feeds: Vec<(&FeedId, Details)> = Vec::new();
        let mut rows = vec![content];
        let mut feed_ends = |feed, rows: &mut Vec<Content>| {
            if let Content::Person(details) = definition.rows_together(std::mem::take(rows), today) {
                feeds.push((feed, *details));
            }
        };
        while let Some((_, next, content)) = said.next_if(|(other, ..)| *other == id) {
            if next != feed {
                feed_ends(feed, &mut rows);
                feed = next;
            }
            rows.push(content);
        }
        feed_ends(feed, &mut rows);
        if let Some(details) = definition.feeds_together(feeds) {
            records.push(Subject::of(RecordId::new(definition.source.clone(), id), &details));
        }
    }
    Ok((counts, records))
}

/// Reads one extract, adding to what is said.
fn read_extract<'a>(
    feed: &'a Feed,
    file: &Path,
    today: Date,
    bar: &ProgressBar,
    said: &mut Vec<Said<'a>>,
) -> Result<(Report, common::Found), OperatorError> {
    let extract = |cause| OperatorError::Extract { path: file.to_owned(), cause };
    let input = bar.wrap_read(File::open(file).map_err(file_error(file))?);
    let mut reader = feed.reader(input, today).map_err(extract)?;
    let mut report = Report::new(&reader);
    let mut identities = Identities::default();
    let (own, mut counting) = (said.len(), Counting::default());
    // Nothing of it is kept, so any key will do.
    let Ok(key) = HandleKey::new([1; 32]) else { unreachable!("32 bytes are enough for a key") };
    for row in reader.by_ref() {
        let row = row.map_err(extract)?;
        report.add(&row);
        identities.add(feed.kind, &row);
        let Row::Used { records: entries, .. } = row else { continue };
        for (id, entry) in entries {
            if let Entry::Present(Content::Person(mut details)) = entry {
                forget_what_links_nobody(&mut details);
                counting.add(&key, &id, &details);
                said.push((id, &feed.feed, Content::Person(details)));
            }
        }
    }
    let (common, found) = counting.found();
    let shared = identities.shared();
    let mut rows = said.split_off(own);
    rows.retain(|(id, ..)| !shared.contains_key(id));
    for (_, _, content) in &mut rows {
        if let Content::Person(details) = content {
            common.take_out(&key, details);
        }
    }
    said.append(&mut rows);
    report.reject_shared(&reader, &shared);
    report.finish(&reader);
    Ok((report, found))
}

/// Most of a record says nothing of who it is, and would only take memory.
fn forget_what_links_nobody(details: &mut Details) {
    details.involvements = Vec::new();
    details.allocated = Vec::new();
}

fn write_possible(model: &Model, records: &[Subject], linked: &Linked, file: &Path) -> Result<(), OperatorError> {
    let columns = ["record_id", "other_record_id", "probability", "weight", "why_not_linked", "what_agrees"];
    let mut rows = Table::create(file, &columns)?;
    let mut pairs: Vec<_> = linked.possible.iter().collect();
    pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.weight), pair.a.min(pair.b), pair.a.max(pair.b)));
    for pair in pairs {
        let (a, b) = (&records[pair.a.min(pair.b)], &records[pair.a.max(pair.b)]);
        let comparison = model.compare(&a.standard, &b.standard);
        rows.row([
            a.record.to_string(),
            b.record.to_string(),
            // What counted: of somebody with two identities less than the comparison alone comes to.
            format!("{:.3}", pair.weight.probability()),
            format!("{:.1}", pair.weight.bits()),
            pair.why.to_string(),
            explain(&comparison),
        ])?;
    }
    rows.end()
}

/// Why each record that is not alone is where it is: its strongest link within its person.
fn write_reasons(model: &Model, records: &[Subject], linked: &Linked, file: &Path) -> Result<(), OperatorError> {
    let mut strongest: Vec<Option<&Edge>> = vec![None; records.len()];
    let within =
        |edge: &&Edge| linked.people[edge.a] == linked.people[edge.b] && model.band(edge.weight) == Band::Linked;
    for edge in linked.edges.iter().filter(within) {
        for end in [edge.a, edge.b] {
            let other = |edge: &Edge| if edge.a == end { edge.b } else { edge.a };
            let better = strongest[end].is_none_or(|best| (edge.weight, other(best)) > (best.weight, other(edge)));
            if better {
                strongest[end] = Some(edge);
            }
        }
    }
    let columns = [
        "record_id",
        "person_id",
        "held_by",
        "probability",
        "weight",
        "what_agrees",
        "prior",
        "forename",
        "surname",
        "birth",
        "address",
        "sex",
        "nhs_number",
        "upn",
        "contact",
        "family",
        "calibration",
    ];
    let mut rows = Table::create(file, &columns)?;
    for (at, edge) in strongest.iter().enumerate() {
        let Some(edge) = edge else { continue };
        let other = if edge.a == at { edge.b } else { edge.a };
        let comparison = model.compare(&records[at].standard, &records[other].standard);
        let bits = |weight: fc_linkage::Weight| format!("{:+.1}", weight.bits());
        let told = [
            records[at].record.to_string(),
            linked.people[at].to_string(),
            records[other].record.to_string(),
            format!("{:.3}", comparison.probability),
            format!("{:.1}", comparison.weight.bits()),
            explain(&comparison),
            bits(comparison.prior),
        ];
        let fields = comparison.fields.iter().map(|field| bits(field.weight));
        rows.row(told.into_iter().chain(fields).chain([bits(comparison.family), bits(comparison.calibration)]))?;
    }
    rows.end()
}

/// Who is who: for each record its person, if the file names it, and its family where the file says so.
pub(crate) struct Truth {
    pub(crate) people: Vec<Option<String>>,
    kin: Vec<Kin>,
}

/// The records that a file says something of, and what became of them.
struct Named {
    records: Vec<Subject>,
    people: Vec<usize>,
    edges: Vec<Edge>,
    truth: Vec<String>,
    kin: Vec<Kin>,
}

impl Truth {
    /// A line that says how many records the file names, unless it names all.
    pub(crate) fn told(&self, records: usize) -> String {
        match self.people.iter().flatten().count() {
            named if named == records => String::new(),
            named => format!("The truth names {named} of {records} records; nothing is said of the others.\n"),
        }
    }

    fn named(self, records: Vec<Subject>, linked: Linked) -> Named {
        let is_named: Vec<bool> = self.people.iter().map(Option::is_some).collect();
        let mut place = vec![0; is_named.len()];
        let mut next = 0;
        for (place, is_named) in place.iter_mut().zip(&is_named) {
            *place = next;
            next += usize::from(*is_named);
        }
        let within = linked.edges.into_iter().filter(|edge| is_named[edge.a] && is_named[edge.b]);
        let edges = within.map(|edge| Edge { a: place[edge.a], b: place[edge.b], ..edge }).collect();
        Named {
            edges,
            records: only(records, &is_named),
            people: only(linked.people, &is_named),
            kin: only(self.kin, &is_named),
            truth: self.people.into_iter().flatten().collect(),
        }
    }
}

fn only<T>(all: Vec<T>, wanted: &[bool]) -> Vec<T> {
    all.into_iter().zip(wanted).filter(|(_, wanted)| **wanted).map(|(one, _)| one).collect()
}

/// Reads who is who.
pub(crate) fn truth(file: &Path, records: &[Subject]) -> Result<Truth, OperatorError> {
    let failed = |error: csv::Error| file_error(file)(error.into());
    let mut reader = csv::Reader::from_path(file).map_err(failed)?;
    let header = reader.headers().map_err(failed)?.clone();
    let place = |name: &str| header.iter().position(|known| known == name);
    let column = |name: &str| {
        place(name).ok_or_else(|| {
            file_error(file)(std::io::Error::other(format!(
                "there is no column {name}; it needs source, source_record_id and person_id"
            )))
        })
    };
    let (source, id, person) = (column("source")?, column("source_record_id")?, column("person_id")?);
    let (family, born) = (place("family_id"), place("born"));
    let mut known: HashMap<String, (String, Kin)> = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(failed)?;
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let said = |at: Option<usize>| at.map(cell).filter(|text| !text.is_empty()).map(str::to_owned);
        let kin = Kin { family: said(family), born: said(born) };
        known.insert(format!("{}:{}", cell(source), cell(id)), (cell(person).to_owned(), kin));
    }
    let of = |subject: &Subject| known.remove(&subject.record.to_string()).unzip();
    let (people, kin): (Vec<Option<String>>, Vec<Option<Kin>>) = records.iter().map(of).unzip();
    if people.iter().all(Option::is_none) {
        return Err(file_error(file)(std::io::Error::other(
            "names none of the records; source and source_record_id must be as in the extracts",
        )));
    }
    Ok(Truth { people, kin: kin.into_iter().map(Option::unwrap_or_default).collect() })
}

/// A file being written, row by row.
struct Table<'a> {
    path: &'a Path,
    rows: csv::Writer<BufWriter<File>>,
}

impl<'a> Table<'a> {
    fn create(path: &'a Path, columns: &[&str]) -> Result<Self, OperatorError> {
        let file = File::create(path).map_err(file_error(path))?;
        let mut table = Self { path, rows: csv::Writer::from_writer(BufWriter::new(file)) };
        table.row(columns)?;
        Ok(table)
    }

    fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<(), OperatorError> {
        self.rows.write_record(cells).map_err(|error| file_error(self.path)(error.into()))
    }

    fn end(mut self) -> Result<(), OperatorError> {
        self.rows.flush().map_err(file_error(self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        link: Link,
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("fc-linking-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn council(folder: &Path) {
        let options =
            fc_synth::Options { people: 300, seed: 8, out: folder.to_owned(), today: Date::constant(2026, 2, 1) };
        fc_synth::write_council_with(&options, &fc_synth::Rates::default().kept_worse(2.0), &mut |_| ()).unwrap();
    }

    /// Runs `link` over these extracts; what it said, and the people, possible pairs and reasons it wrote.
    fn run(folder: &Path, extracts: &[&str]) -> (String, [String; 3]) {
        let file = |name: &str| folder.join(name).display().to_string();
        let mut words = vec!["link".to_owned()];
        words
            .extend(extracts.iter().map(|feed| format!("{feed}={}", file(&format!("{}.csv", feed.replace('/', "-"))))));
        let written = ["people.csv", "possible.csv", "reasons.csv"];
        for (option, name) in
            ["--out", "--possible", "--explain", "--truth"].iter().zip(written.iter().chain(&["truth.csv"]))
        {
            words.extend([(*option).to_owned(), file(name)]);
        }
        let mut said = Vec::new();
        Cli::parse_from(words).link.run(Date::constant(2026, 2, 1), &mut said).unwrap();
        (String::from_utf8(said).unwrap(), written.map(|name| fs::read_to_string(folder.join(name)).unwrap()))
    }

    const EXTRACTS: [&str; 6] = [
        "children_social_care/people",
        "housing",
        "schools",
        "standard_safeguarding_dataset/person",
        "standard_safeguarding_dataset/address",
        "police",
    ];

    #[test]
    fn the_same_files_in_another_order_are_the_same_people() {
        let folder = folder("order");
        council(&folder);
        let (_, one) = run(&folder, &EXTRACTS);
        let mut turned = EXTRACTS;
        turned.reverse();
        let (_, other) = run(&folder, &turned);
        assert!(one == other, "people, possible pairs and reasons, to the byte");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_page_shows_why_records_are_one_person() {
        let folder = folder("page");
        council(&folder);
        let (_, [people, ..]) = run(&folder, &EXTRACTS);
        let mut of_person: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (record, person) in people.lines().skip(1).filter_map(|line| line.rsplit_once(',')) {
            of_person.entry(person).or_default().push(record);
        }
        let records = of_person.values().find(|records| records.len() > 2).unwrap();
        let page = |about: &[&str]| {
            let file = |name: &str| folder.join(name).display().to_string();
            let mut words: Vec<String> = vec!["link".into(), "--out".into(), file("people.csv")];
            words.extend(["--explain-page".into(), file("page.html")]);
            words.extend(about.iter().flat_map(|record| ["--about".to_owned(), (*record).to_owned()]));
            words.extend(EXTRACTS.map(|feed| format!("{feed}={}", file(&format!("{}.csv", feed.replace('/', "-"))))));
            let done = Cli::parse_from(words).link.run(Date::constant(2026, 2, 1), &mut Vec::new());
            done.map(|()| fs::read_to_string(folder.join("page.html")).unwrap()).map_err(|error| error.to_string())
        };
        let person = page(&records[..1]).unwrap();
        assert!(
            records.iter().all(|record| person.contains(record)) && person.contains("The weakest link"),
            "{person}"
        );
        let two = page(&records[..2]).unwrap();
        assert!(two.contains("Why these two records are one person") && two.contains("<svg"), "{two}");
        assert!(page(&["housing:nobody"]).unwrap_err().contains("there is no record housing:nobody"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn measured_against_the_truth_it_says_how_good_it_is_and_where_it_fails() {
        let folder = folder("truth");
        council(&folder);
        let (said, [people, _, reasons]) = run(&folder, &EXTRACTS);
        for part in
            ["pairs: precision", "B-cubed F1", "kind of pair", "0 pairs of twins, 0 that a source forbids", ".9 to 1"]
        {
            assert!(said.contains(part), "{said}");
        }
        let together = people.lines().count() - 1;
        let reason = reasons.lines().nth(1).unwrap();
        assert!(reasons.lines().count() <= together && reason.contains("same"), "{reason}");
        fs::remove_dir_all(&folder).unwrap();
    }
}

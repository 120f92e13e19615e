//! Measures matching on extracts for which the truth is known: quality, blocking and calibration.
//!
//! ```text
//! cargo run -p fc-linkage --example measure -- --sources DIR --truth truth.csv housing=housing.csv education=education.csv
//! ```
//!
//! The truth has the columns `source,source_record_id,person_id`. `--model FILE` tries another model; `--show N` prints,
//! for made-up data, why N false and N missed links came out as they did.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use fc_linkage::{
    Band, Kin, Linked, Model, NeverMerged, Quality, Standard, Subject, blocking_keys, explain, is_name_alone, link,
    may_be_one_birth,
};
use fc_model::{Content, Date, Details, RecordId, SourceId};
use fc_sources::{Definitions, Entry, FeedKind, Row};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

type Pair = (usize, usize);

struct Arguments {
    sources: PathBuf,
    truth: PathBuf,
    model: Model,
    today: Date,
    show: usize,
    whole: bool,
    table: Option<PathBuf>,
    extracts: Vec<(SourceId, PathBuf)>,
}

fn main() -> ExitCode {
    match Arguments::read().and_then(|arguments| measure(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

impl Arguments {
    fn read() -> Result<Self, String> {
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        let mut extracts = Vec::new();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_prefix("--") {
                let value = words.next().ok_or(format!("--{name} needs a value"))?;
                given.insert(name.to_owned(), value);
            } else {
                let (source, file) = word.split_once('=').ok_or(format!("{word} is not source=FILE"))?;
                extracts.push((SourceId::parse(source).map_err(|e| format!("{source} {e}"))?, file.into()));
            }
        }
        let need = |name: &str| given.get(name).ok_or(format!("--{name} is missing"));
        let model = match given.get("model") {
            Some(file) => Model::parse(&read(Path::new(file))?).map_err(|e| format!("{file}: {e}"))?,
            None => Model::shipped().clone(),
        };
        Ok(Self {
            sources: need("sources")?.into(),
            truth: need("truth")?.into(),
            model,
            today: given
                .get("today")
                .map_or(Ok(Date::constant(2026, 2, 1)), |d| d.parse())
                .map_err(|e| e.to_string())?,
            show: given.get("show").map_or(Ok(0), |n| n.parse()).map_err(|_| "--show needs a number")?,
            whole: given.contains_key("whole"),
            table: given.get("table").map(PathBuf::from),
            extracts,
        })
    }
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}

fn records(arguments: &Arguments) -> Result<Vec<(RecordId, Details)>, String> {
    let definitions = Definitions::load_dir(&arguments.sources)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let mut records: BTreeMap<(SourceId, String), Details> = BTreeMap::new();
    for (source, file) in &arguments.extracts {
        let definition = definitions.get(source).ok_or(format!("no definition for {source}"))?;
        let people = |feed: &&fc_sources::Feed| feed.kind == FeedKind::People;
        let feed = definition.feeds.iter().find(people).ok_or(format!("{source} has no feed of people"))?;
        let opened = File::open(file).map_err(|e| format!("{}: {e}", file.display()))?;
        for row in feed.reader(opened, arguments.today).map_err(|e| format!("{}: {e}", file.display()))? {
            let Row::Used { records: said, .. } = row.map_err(|e| format!("{}: {e}", file.display()))? else {
                continue;
            };
            for (id, entry) in said {
                if let Entry::Present(Content::Person(details)) = entry {
                    records.entry((source.clone(), id)).or_default().merge(*details);
                }
            }
        }
    }
    Ok(records.into_iter().map(|((source, id), details)| (RecordId::new(source, id), details)).collect())
}

/// The true person of each record, and their kin where that is known; a record that the truth does not name is alone.
fn truth(arguments: &Arguments, records: &[(RecordId, Details)]) -> Result<(Vec<String>, Vec<Kin>), String> {
    let text = read(&arguments.truth)?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().trim().split(',').collect();
    let place = |name: &str| header.iter().position(|h| *h == name);
    let column = |name: &str| place(name).ok_or(format!("the truth has no column {name}"));
    let (family, born) = (place("family_id"), place("born"));
    let (source, id, person) = (column("source")?, column("source_record_id")?, column("person_id")?);
    let mut people = HashMap::new();
    for line in lines {
        let cells: Vec<&str> = line.trim().split(',').collect();
        if let (Some(source), Some(id), Some(person)) = (cells.get(source), cells.get(id), cells.get(person)) {
            let said = |at: Option<usize>| at.and_then(|at| cells.get(at)).map(|text| (*text).to_owned());
            let kin = Kin { family: said(family), born: said(born) };
            people.insert(format!("{source}:{id}"), ((*person).to_owned(), kin));
        }
    }
    let of = |(record, _): &(RecordId, Details)| {
        let name = record.to_string();
        people.get(&name).cloned().unwrap_or((name, Kin::default()))
    };
    Ok(records.iter().map(of).unzip())
}

fn measure(arguments: &Arguments) -> Result<(), String> {
    let records = records(arguments)?;
    let (truth, kin) = truth(arguments, &records)?;
    if let Some(file) = &arguments.table {
        table(file, &records, &truth).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    let started = Instant::now();
    let subjects: Vec<Subject> = records.iter().map(|(r, d)| Subject::of(r.clone(), d)).collect();
    let model = if arguments.whole { arguments.model.clone() } else { arguments.model.suited_to(&subjects) };
    let linked = link::link(&model, &subjects, &[]);
    let took = started.elapsed();
    let (candidates, saturated) = link::candidates(&model, &subjects);
    let standards: Vec<Standard> = subjects.iter().map(|subject| subject.standard.clone()).collect();
    let candidates: HashSet<Pair> = candidates.into_iter().map(|(a, b)| (a as usize, b as usize)).collect();

    let (is, ought) = (groups(&linked.people), groups(&truth));
    let (found, wanted) = (pairs(&is), pairs(&ought));
    println!("records {}, people {} (true {}), linked in {took:.1?}", records.len(), is.len(), ought.len());
    print!("{}", Quality::by_kind(&model, &subjects, &linked.people, &truth));
    print!("{}", NeverMerged::of(&subjects, &linked.people, &truth, &kin));
    let closed = closure(&model, &linked, records.len());
    print!("were every two records one person that a link holds together, {}", Quality::of(&closed, &truth));
    println!("possible pairs for a steward {}", linked.possible.len());
    let right = linked.possible.iter().filter(|p| truth[p.a] == truth[p.b]).count();
    println!("possible pairs that are one person: {right}");
    let blocked = wanted.intersection(&candidates).count();
    println!(
        "blocking    recall {:.4}  candidates {:.2} a record  keys {:.2} a record  saturated keys {saturated}",
        share(blocked, wanted.len()),
        2.0 * share(candidates.len(), records.len()),
        share(standards.iter().map(|s| blocking_keys(s).len()).sum(), records.len())
    );
    blocking_table(&model, &standards, &wanted);
    calibration(&model, &standards, &candidates, &wanted);
    let show = |title: &str, chosen: Vec<Pair>| {
        println!("\n{title} ({})", chosen.len());
        for (a, b) in chosen.into_iter().take(arguments.show) {
            let comparison = model.compare(&standards[a], &standards[b]);
            let met = if candidates.contains(&(a, b)) { "" } else { " (never met)" };
            println!(
                "{} {}: {:.1}{met} {} {}",
                records[a].0,
                records[b].0,
                comparison.weight.bits(),
                linked
                    .possible
                    .iter()
                    .find(|p| (p.a.min(p.b), p.a.max(p.b)) == (a, b))
                    .map_or(String::new(), |p| format!("[{:?}]", p.why)),
                explain(&comparison)
            );
        }
    };
    if arguments.show > 0 {
        let sorted = |pairs: Vec<&Pair>| {
            let mut pairs: Vec<Pair> = pairs.into_iter().copied().collect();
            pairs.sort_unstable();
            pairs
        };
        show("False links", sorted(found.difference(&wanted).collect()));
        show("Missed links", sorted(wanted.difference(&found).collect()));
    }
    Ok(())
}

/// People as links alone make them, if nobody judges whole clusters.
fn closure(model: &Model, linked: &Linked, records: usize) -> Vec<usize> {
    let mut people: Vec<usize> = (0..records).collect();
    fn first(people: &[usize], mut record: usize) -> usize {
        while people[record] != record {
            record = people[record];
        }
        record
    }
    for edge in linked.edges.iter().filter(|edge| model.band(edge.weight) == Band::Linked) {
        let (a, b) = (first(&people, edge.a), first(&people, edge.b));
        people[a.max(b)] = a.min(b);
    }
    (0..records).map(|record| first(&people, record)).collect()
}

/// The records as one plain table, for another tool to link.
fn table(file: &Path, records: &[(RecordId, Details)], truth: &[String]) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(File::create(file)?);
    writeln!(out, "record_id,person,forename,surname,birth,postcode,address,sex,nhs_number,upn")?;
    let plain = |text: &str| text.to_lowercase().replace(['"', ',', '\n'], " ");
    for ((record, details), person) in records.iter().zip(truth) {
        let name = details.names.first().cloned().unwrap_or_default();
        let birth = details.birth.and_then(|birth| birth.date.whole()).map(|d| d.to_string()).unwrap_or_default();
        let address = details.addresses.first().cloned().unwrap_or_default();
        let line = address.lines.first().map(|line| line.split(',').next().unwrap_or_default()).unwrap_or_default();
        writeln!(
            out,
            "{record},{person},{},{},{birth},{},{},{},{},{}",
            plain(name.forenames.first().map_or("", String::as_str)),
            plain(&name.surname),
            address.postcode.as_ref().map_or("", |p| p.as_str()),
            plain(line),
            details.sex.map(|sex| format!("{:?}", sex as u8)).unwrap_or_default(),
            details.nhs_number.as_ref().map_or("", |n| n.as_str()),
            details.upn.as_ref().map_or("", |n| n.as_str()),
        )?;
    }
    Ok(())
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn groups<T: std::hash::Hash + Eq>(labels: &[T]) -> HashMap<&T, Vec<usize>> {
    let mut groups: HashMap<&T, Vec<usize>> = HashMap::new();
    for (i, label) in labels.iter().enumerate() {
        groups.entry(label).or_default().push(i);
    }
    groups
}

fn pairs<T>(groups: &HashMap<&T, Vec<usize>>) -> HashSet<Pair> {
    groups.values().flat_map(|group| pairs_of(group)).collect()
}

fn pairs_of(group: &[usize]) -> Vec<Pair> {
    (0..group.len()).flat_map(|i| (0..i).map(move |j| (group[j].min(group[i]), group[j].max(group[i])))).collect()
}

/// What each kind of key adds: the true pairs and the candidates that no other kind brings.
fn blocking_table(model: &Model, standards: &[Standard], wanted: &HashSet<Pair>) {
    let mut filed: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, standard) in standards.iter().enumerate() {
        for key in blocking_keys(standard) {
            filed.entry(key).or_default().push(i);
        }
    }
    let mut kinds: BTreeMap<char, (usize, HashSet<Pair>)> = BTreeMap::new();
    for (key, members) in &filed {
        let kind = kinds.entry(key.chars().next().unwrap_or('?')).or_default();
        kind.0 += members.len();
        if members.len() <= model.saturation() {
            let name_alone = is_name_alone(key);
            let meet = |(a, b): &Pair| !name_alone || may_be_one_birth(&standards[*a], &standards[*b]);
            kind.1.extend(pairs_of(members).into_iter().filter(meet));
        }
    }
    println!("\nkey  keys a record  recall  recall it alone adds  candidates a record  candidates it alone adds");
    for (name, (written, brought)) in &kinds {
        let others: HashSet<&Pair> =
            kinds.iter().filter(|(other, _)| *other != name).flat_map(|(_, (_, pairs))| pairs).collect();
        let alone: Vec<&Pair> = brought.iter().filter(|pair| !others.contains(pair)).collect();
        let n = standards.len();
        println!(
            "{name}    {:13.2}  {:.3}   {:.4}                {:19.2}  {:.2}",
            share(*written, n),
            share(brought.intersection(wanted).count(), wanted.len()),
            share(alone.iter().filter(|pair| wanted.contains(**pair)).count(), wanted.len()),
            2.0 * share(brought.len(), n),
            2.0 * share(alone.len(), n)
        );
    }
}

/// Of the candidates given each probability, how many are one person.
fn calibration(model: &Model, standards: &[Standard], candidates: &HashSet<Pair>, wanted: &HashSet<Pair>) {
    let mut tenths = [(0, 0); 10];
    for pair in candidates {
        let probability = model.compare(&standards[pair.0], &standards[pair.1]).probability;
        let tenth = &mut tenths[((probability * 10.0) as usize).min(9)];
        tenth.0 += 1;
        tenth.1 += usize::from(wanted.contains(pair));
    }
    println!("\nprobability  pairs  one person");
    for (i, (all, right)) in tenths.into_iter().enumerate() {
        println!("{:.1} to {:.1}   {all:6}  {:.3}", i as f64 / 10.0, (i + 1) as f64 / 10.0, share(right, all));
    }
}

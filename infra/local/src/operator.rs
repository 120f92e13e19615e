//! The operator's commands that need no stack: check a definition or an extract, make a council. Linking is in
//! [`linking`](crate::linking).

use crate::{definitions, folder::without_ending};
use clap::Args;
use fc_model::{Date, SourceId};
use fc_sources::{Definition, Definitions, Feed, FeedKind, FileError, Mode, Report};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why a command did not do what it was asked. Each message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The definitions have mistakes.
    #[error(transparent)]
    Definitions(#[from] fc_sources::Unusable),
    /// No such source.
    #[error("There is no source \"{source_id}\". The sources are: {known}.")]
    UnknownSource {
        /// What was asked for.
        source_id: String,
        /// Those there are.
        known: String,
    },
    /// A source of several feeds, and none was named.
    #[error("\"{source_id}\" has several feeds. Write {source_id}/FEED with one of: {known}.")]
    WhichFeed {
        /// The source.
        source_id: String,
        /// Its feeds.
        known: String,
    },
    /// A file cannot be opened, read or written.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A file that is not there.
    #[error("There is no file {}. Check the name, and the folder you are in.", .0.display())]
    NoFile(PathBuf),
    /// A folder in a file's place.
    #[error("{} is a folder. Give one file; to load a folder of extracts: family-context local --extracts {}", .0.display(), .0.display())]
    Folder(PathBuf),
    /// A file as a whole cannot be used.
    #[error("{}: {cause}", .path.display())]
    Extract {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: FileError,
    },
    /// Nothing could be learnt.
    #[error("Nothing was trained: {0}")]
    Training(String),
    /// The extract has faults for which it would be held.
    #[error("This file would not be loaded as it is. {0}")]
    WouldBeHeld(String),
    /// The made-up council could not be written.
    #[error("{0}")]
    Council(String),
}

pub(crate) fn file_error(path: &Path) -> impl Fn(io::Error) -> OperatorError {
    let path = path.to_owned();
    move |cause| OperatorError::File { path: path.clone(), cause }
}

/// `check`: says every mistake in the source definitions, and what an extract would come to. Changes nothing.
#[derive(Debug, Args)]
pub struct Check {
    /// The extract to check. Without one, only the definitions are checked.
    file: Option<PathBuf>,
    /// The source the extract is from, as SOURCE or SOURCE/FEED.
    #[arg(long, value_name = "SOURCE", requires = "file")]
    source: Option<String>,
    /// The folder with the source definitions (*.toml). Without it, the ones that come with the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long, requires = "file")]
    json: bool,
}

impl Check {
    /// Checks, and writes the answer to `out`.
    ///
    /// # Errors
    /// When a definition has mistakes, or the extract cannot be used or would be held.
    pub fn run(&self, today: Date, out: &mut impl Write) -> Result<(), OperatorError> {
        let definitions = definitions::load(self.sources.as_deref())?;
        let stdout = file_error(Path::new("standard output"));
        let Some(file) = &self.file else {
            for definition in definitions.iter() {
                let feeds = list(definition.feeds.iter().map(|feed| feed.feed.as_str()));
                let state = if definition.enabled { "" } else { " (off)" };
                writeln!(out, "{}{state}: {feeds}", definition.source).map_err(&stdout)?;
            }
            return writeln!(out, "No mistakes found.").map_err(&stdout);
        };
        // Before anything is made of its name: a mistyped one names no source either.
        if file.is_dir() {
            return Err(OperatorError::Folder(file.clone()));
        }
        let input = File::open(file).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => OperatorError::NoFile(file.clone()),
            _ => file_error(file)(cause),
        })?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let stem = without_ending(&name).unwrap_or(&name);
        let (_, feed) = feed_of(&definitions, self.source.as_deref().unwrap_or(stem))?;
        let extract = |cause| OperatorError::Extract { path: file.clone(), cause };
        let report = Report::of(feed, input, today).map_err(extract)?;
        let why = why_held(feed, &report);
        if self.json {
            let checked = Checked { would_be_held_for: &why, report: &report };
            serde_json::to_writer_pretty(&mut *out, &checked).map_err(|error| stdout(error.into()))?;
            writeln!(out).map_err(&stdout)?;
        } else {
            for words in &why {
                writeln!(out, "Would be held: {words}").map_err(&stdout)?;
            }
            write!(out, "{report}").map_err(&stdout)?;
        }
        if why.is_empty() { Ok(()) } else { Err(OperatorError::WouldBeHeld(why.join(" "))) }
    }
}

/// What `check` says of a file as JSON: first why it would be held.
#[derive(Serialize)]
struct Checked<'a> {
    would_be_held_for: &'a [String],
    #[serde(flatten)]
    report: &'a Report,
}

/// Why ingest would hold a file, as far as the file alone tells; what protects somebody first.
fn why_held(feed: &Feed, report: &Report) -> Vec<String> {
    // A file alone does not tell which columns the feed has had: each that protects somebody is missed.
    let mut why = report.held_for(feed, &[], |_| true);
    if report.rejected_share() > feed.reject_limit {
        let share = |part: f64| format!("{:.1}%", part * 100.0);
        why.push(format!(
            "{} of its rows were rejected; the definition allows {}. Mend the rows listed above, or the definition.",
            share(report.rejected_share()),
            share(feed.reject_limit),
        ));
    }
    if feed.mode == Mode::Full && report.used + report.rejected == 0 {
        why.push(
            "It has no rows under its headings. A whole extract without rows is held, for everybody would go."
                .to_owned(),
        );
    }
    why
}

/// `synth`: makes up a council and writes its extracts.
#[derive(Debug, Args)]
pub struct Synth {
    /// How many people.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    people: u64,
    /// Which council: the same seed makes the same one.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How many times as badly as usual the systems are kept: misspelled, out of date, without numbers or birth dates.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    slips: f64,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The day the extracts are of. Without it, today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
}

impl Synth {
    /// Makes the council, with a progress bar where a person is looking.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn run(&self, today: Date, out: &mut impl Write) -> Result<(), OperatorError> {
        let today = self.today.unwrap_or(today);
        // A made-up council has its truth beside it, and may be made again.
        let holds_something = std::fs::read_dir(&self.out).is_ok_and(|mut files| files.next().is_some());
        if holds_something && !self.out.join("truth.csv").exists() {
            let why = "holds files that are no made-up council; name a new or empty folder";
            return Err(file_error(&self.out)(io::Error::other(why)));
        }
        let options = fc_synth::Options { people: self.people, seed: self.seed, out: self.out.clone(), today };
        let bar = progress_bar(self.people, "people");
        let rates = fc_synth::Rates::default().kept_worse(self.slips);
        let council = fc_synth::write_council_with(&options, &rates, &mut |done| bar.set_position(done))
            .map_err(|error| OperatorError::Council(error.to_string()))?;
        bar.finish_and_clear();
        writeln!(
            out,
            "{} people in {} families, {} records, in {}",
            council.people,
            council.families,
            council.records,
            self.out.display()
        )
        .map_err(file_error(Path::new("standard output")))
    }
}

/// A progress bar on standard error, hidden where that is no terminal.
#[must_use]
pub fn progress_bar(length: u64, of: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} {msg}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(of)
}

/// The feed that `SOURCE`, `SOURCE/FEED` or `SOURCE-FEED` names.
pub(crate) fn feed_of<'a>(
    definitions: &'a Definitions,
    name: &str,
) -> Result<(&'a Definition, &'a Feed), OperatorError> {
    let (source, feed) = match name.split_once(['/', '-']) {
        Some((source, feed)) => (source, Some(feed)),
        None => (name, None),
    };
    let definition = SourceId::parse(source).ok().and_then(|source| definitions.get(&source)).ok_or_else(|| {
        OperatorError::UnknownSource {
            source_id: source.to_owned(),
            known: list(definitions.iter().map(|d| d.source.as_str())),
        }
    })?;
    let chosen = match (feed, &definition.feeds[..]) {
        (None, [only]) => Some(only),
        (None, feeds) => feeds.iter().find(|feed| feed.kind == FeedKind::People),
        (Some(feed), feeds) => feeds.iter().find(|known| known.feed.as_str() == feed),
    };
    chosen.map(|feed| (definition, feed)).ok_or_else(|| OperatorError::WhichFeed {
        source_id: source.to_owned(),
        known: list(definition.feeds.iter().map(|feed| feed.feed.as_str())),
    })
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(rows: &str) -> String {
        let definitions = definitions::load(None).unwrap();
        let (_, feed) = feed_of(&definitions, "children_social_care/people").unwrap();
        let protecting = "Restriction,Address Confidential,Hide Former Names,Never Link";
        let file = format!("Person ID,Forename,Surname,Date Of Birth,{protecting}\n{rows}");
        why_held(feed, &Report::of(feed, file.as_bytes(), Date::constant(2026, 3, 1)).unwrap()).join(" ")
    }

    #[test]
    fn check_says_of_a_file_that_ingest_would_hold_that_it_would_and_why() {
        assert_eq!(why("P1,Ada,Quill,14/02/1984\n"), "");
        assert!(why("").contains("It has no rows under its headings."));
        assert!(why("P1,Ada,Quill,14/02/1984\nP2,Zoe,Thist").contains("was probably cut short"));
        assert!(why("P1,Ada,Quill,14/02/1984\n,Zoe,Thistlewood,\n").contains("50.0% of its rows were rejected"));
        let dates: String = (0..20).map(|row| format!("P{row},Ada,Quill,1984-02-14\n")).collect();
        assert!(why(&dates).contains("In the column Date Of Birth, 20 of 20 values cannot be read"));
    }
}

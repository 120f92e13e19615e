//! A made-up council: people, families, and the extract that each of its systems would send.
//!
//! ```text
//! seed, number ─► family ─► who knows them ─► what each system wrote down ─► <source>.csv, <source>-<feed>.csv
//!                                                                        └─► truth.csv
//! ```
//!
//! No real person is in it: names are put together by chance, postcodes are in areas that cannot exist, phone numbers
//! are from the ranges that Ofcom keeps for drama, e-mail addresses end in `.example`, NHS numbers are from the test
//! range. The same people, seed and day give the same bytes on every machine.
//!
//! Memory does not grow with the council: a family is made from the seed and its number, written, and forgotten.
//! Kinship never leaves the family, addresses and workers follow from their numbers.
//!
//! Every council contains the people of [`demo`], so that the README, tests and demonstrations can name them.

use crate::{family::Council, numbers::Numbers, places::City, records::Extracts};
use jiff::civil::Date;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

mod columns;
pub mod demo;
mod dice;
mod family;
mod names;
mod numbers;
mod places;
mod rates;
mod records;
mod sheet;
mod slips;
mod staff;

pub use rates::Rates;

/// Which council to make, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// People living in it, unborn children included; never fewer than the people of [`demo`].
    pub people: u64,
    /// Two councils with one seed and one day are the same.
    pub seed: u64,
    /// The folder for the files; made when missing. Files of the same names are replaced.
    pub out: PathBuf,
    /// The day the extracts are of. Ages and involvements count back from it.
    pub today: Date,
}

/// Why a council could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", .path.display())]
pub struct SynthError {
    path: PathBuf,
    source: io::Error,
}

impl SynthError {
    fn write(path: &Path, source: io::Error) -> Self {
        Self { path: path.to_owned(), source }
    }

    fn sheet(path: &Path, error: csv::Error) -> Self {
        Self::write(path, error.into())
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// People living in the council.
    pub people: u64,
    /// Families, shared houses and care homes.
    pub families: u64,
    /// Records of people, over all sources.
    pub records: u64,
    /// One entry for each file but `truth.csv`.
    pub feeds: Vec<FeedSummary>,
    /// What to search for first.
    pub try_first: Vec<Example>,
}

/// What one file holds, by what a reader should make of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSummary {
    /// The source system.
    pub source: &'static str,
    /// The feed of the source.
    pub feed: &'static str,
    /// The file's name.
    pub file: String,
    /// Where it was written.
    pub path: PathBuf,
    /// Rows that can be used.
    pub used: u64,
    /// Rows without a single value.
    pub blank: u64,
    /// Headers in the middle.
    pub repeated_headers: u64,
    /// Lines of totals.
    pub totals: u64,
    /// Rows with neither a name nor an identifier: to be rejected.
    pub unusable: u64,
    /// NHS numbers mistyped on purpose.
    pub wrong_nhs_numbers: u64,
}

impl FeedSummary {
    fn new(source: &'static str, feed: &'static str, file: String, path: PathBuf) -> Self {
        Self {
            source,
            feed,
            file,
            path,
            used: 0,
            blank: 0,
            repeated_headers: 0,
            totals: 0,
            unusable: 0,
            wrong_nhs_numbers: 0,
        }
    }
}

/// Somebody worth searching for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Forename to search for.
    pub forename: &'static str,
    /// Surname to search for.
    pub surname: &'static str,
    /// Their case ID.
    pub case_id: &'static str,
    /// What there is to see, as a sentence.
    pub why: &'static str,
}

/// Families between two reports of progress.
const REPORT_EVERY: u64 = 64;

/// Writes a council's extracts and `truth.csv` with the usual [`Rates`]. `progress` hears how many people are written.
///
/// # Errors
/// When the folder or a file in it cannot be written.
pub fn write_council(options: &Options, progress: &mut dyn FnMut(u64)) -> Result<Summary, SynthError> {
    write_council_with(options, &Rates::default(), progress)
}

/// Writes a council as [`write_council`] does, with other rates.
///
/// # Errors
/// When the folder or a file in it cannot be written.
pub fn write_council_with(
    options: &Options,
    rates: &Rates,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, SynthError> {
    fs::create_dir_all(&options.out).map_err(|error| SynthError::write(&options.out, error))?;
    let council = Council {
        city: City { seed: options.seed },
        today: options.today,
        people: options.people,
        rates: rates.clone(),
    };
    let mut numbers = Numbers::new(options.seed);
    let mut extracts = Extracts::start(&options.out)?;
    let (mut people, mut families) = (0, 0);
    while people < options.people || families < family::BY_HAND {
        let mut family = if families < family::BY_HAND {
            demo::family(&council, families)
        } else {
            let whole = family::family(&council, families);
            // The last places go to people who live alone, so that the number comes out exact.
            if people + whole.people.len() as u64 <= options.people {
                whole
            } else {
                family::single(&council, families)
            }
        };
        for person in &mut family.people {
            people += 1;
            person.number = people;
            if !person.unborn {
                person.nhs_number = numbers.nhs_number();
            }
            let school_year = person.born.year() + 4;
            if school_year <= council.today.year() && person.age(council.today) <= 21 {
                let temporary = families >= family::BY_HAND && people.is_multiple_of(60);
                person.upn = numbers.upn(school_year, temporary);
            }
        }
        extracts.write(&council, families, &family)?;
        families += 1;
        if families.is_multiple_of(REPORT_EVERY) {
            progress(people);
        }
    }
    progress(people);
    let (records, feeds) = extracts.finish(&council)?;
    Ok(Summary { people, families, records, feeds, try_first: examples() })
}

fn examples() -> Vec<Example> {
    vec![
        Example {
            forename: demo::CHILD_FORENAME,
            surname: demo::CHILD_SURNAME,
            case_id: demo::CASE_ID,
            why: "a child known to children's social care and a school; her family leads to a housing officer to ring",
        },
        Example {
            forename: demo::SIBLING_FORENAME,
            surname: demo::CHILD_SURNAME,
            case_id: demo::SIBLING_CASE_ID,
            why: "her brother, 17: open Housing to read the officer's phone number",
        },
        Example {
            forename: demo::GRANDMOTHER_FORENAME,
            surname: demo::CHILD_SURNAME,
            case_id: demo::GRANDMOTHER_CASE_ID,
            why: "adult social care sends no phone for the worker: the staff directory fills it",
        },
        Example {
            forename: demo::WITHHELD_FORENAME,
            surname: demo::WITHHELD_SURNAME,
            case_id: demo::WITHHELD_CASE_ID,
            why: "details are withheld",
        },
    ]
}

//! Reading an extract: one row at a time, every row accounted for, whatever the bytes.

use crate::{
    Feed, Field,
    cells::{cleaned, folded_header, is_totals_line},
    definition::Mapping,
    encoding::{Encoding, Input, LONGEST_RECORD},
};
use fc_model::{Content, Date};
use serde::Serialize;
use std::{
    collections::HashMap,
    io::{self, Read},
};

/// Delimiters that are tried when none is declared, or the declared one finds no column.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Bytes the CSV reader takes ahead of the record it is in.
const READ_AHEAD: usize = 8 * 1024;

/// Why a whole file cannot be used. Holds names of columns, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is nothing in it.
    #[error("The file is empty. Send it again; until then the last good extract stays in use.")]
    Empty,
    /// Mandatory columns are not there.
    #[error("The file lacks the column {}. It has: {}. Send the file with its column headings, or add the new heading to the definition.", .missing.join(" and the column "), .found.join(", "))]
    MissingColumns {
        /// Each as the definition names it, with its other names.
        missing: Vec<String>,
        /// The headings found, those that look like data left out.
        found: Vec<String>,
    },
    /// A heading that we read stands over two columns.
    #[error(
        "The heading {0} stands over two columns, and we cannot know which is meant. Send the file with each heading once."
    )]
    DuplicateColumn(String),
    /// A record without an end.
    #[error(
        "The record that begins in line {line} is longer than a megabyte. A quote mark was probably opened there and never closed."
    )]
    RecordTooLong {
        /// Line, from 1.
        line: u64,
    },
    /// The file could not be read to its end.
    #[error("The file could not be read to its end ({0}). Send it again.")]
    Unreadable(io::ErrorKind),
}

/// Why a value was blanked or a row rejected. Says nothing of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Rejected: the record id is missing.
    NoRecordId,
    /// Rejected: the record id is no usable text.
    UnusableRecordId,
    /// Rejected: a person with neither a name nor an identifier.
    NobodyToName,
    /// Rejected: a relationship without the other person, or with oneself.
    NobodyRelated,
    /// Not a date of the declared formats.
    NotADate,
    /// A date that systems put in when they have none.
    PlaceholderDate,
    /// A birth or death in the future, or a birth too long ago.
    ImpossibleDate,
    /// A spreadsheet turned the number into `4.86E+09`.
    LostDigits,
    /// A code the definition does not know.
    UnknownCode,
    /// Wrong number of characters.
    WrongLength,
    /// A character that does not belong.
    WrongCharacter,
    /// The check digit does not fit.
    CheckDigit,
    /// A value that systems put in when they have none.
    Placeholder,
    /// A letter was lost to a wrong encoding; the rest of the name is kept.
    LetterLost,
    /// The row has more cells than the header: values may have moved.
    TooManyCells,
    /// The file ends in the middle of this row; the last cell is not trusted.
    CutShort,
    /// An earlier address without any day by which it ended.
    UndatedAddress,
    /// The definition has no word for the other side of this relationship.
    NoInverse,
}

impl Reason {
    /// What happened, for the owner of the source.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoRecordId => "no record id",
            Self::UnusableRecordId => "record id is unusable",
            Self::NobodyToName => "neither a name nor an identifier",
            Self::NobodyRelated => "no other person",
            Self::NotADate => "is not a date of the declared formats",
            Self::PlaceholderDate => "is a placeholder date",
            Self::ImpossibleDate => "is a date that cannot be",
            Self::LostDigits => "lost its digits in a spreadsheet",
            Self::UnknownCode => "is a code the definition does not know",
            Self::WrongLength => "has the wrong length",
            Self::WrongCharacter => "has a character that does not belong",
            Self::CheckDigit => "fails its check digit",
            Self::Placeholder => "is a placeholder",
            Self::LetterLost => "lost a letter to a wrong encoding",
            Self::TooManyCells => "has more cells than the header",
            Self::CutShort => "is cut short by the end of the file",
            Self::UndatedAddress => "is an earlier address without a day by which it ended",
            Self::NoInverse => "has no word for the other side in the definition",
        }
    }
}

/// A value that was blanked, or doubted. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellProblem {
    /// Line of the file where the row begins, from 1.
    pub line: u64,
    /// The column's heading, or the field's or fact's name where there is none.
    pub column: String,
    /// The field, when it is one.
    pub field: Option<Field>,
    /// What was wrong.
    pub reason: Reason,
}

/// Why a row holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// All its cells are empty.
    Blank,
    /// The header again.
    RepeatedHeader,
    /// A line of totals.
    Totals,
}

/// What a row says of a record.
#[derive(Clone, PartialEq)]
pub enum Entry {
    /// This is what is known now.
    Present(Content),
    /// A delta says that the record has left.
    Gone,
}

/// What became of a row. Every row is exactly one of these.
pub enum Row {
    /// It gave records: (source record id, what is said).
    Used {
        /// Line, from 1.
        line: u64,
        /// Usually one; a relationship gives both sides.
        records: Vec<(String, Entry)>,
        /// Values that were blanked.
        problems: Vec<CellProblem>,
    },
    /// It held nothing.
    Skipped {
        /// Line, from 1.
        line: u64,
        /// Why.
        reason: Skip,
    },
    /// It could not be used.
    Rejected {
        /// Line, from 1.
        line: u64,
        /// The record id, when that much could be read: its last good version is kept.
        id: Option<String>,
        /// The column at fault.
        column: String,
        /// Why.
        reason: Reason,
        /// Values that were blanked.
        problems: Vec<CellProblem>,
    },
}

/// Where a mapping's columns are in this file.
pub(crate) type Places = Vec<Option<usize>>;

/// The header of a file, and where each field is.
pub(crate) struct Header {
    pub(crate) names: Vec<String>,
    folded: Vec<String>,
    pub(crate) fields: Vec<Places>,
    pub(crate) facts: Vec<FactPlaces>,
    pub(crate) deleted: Option<usize>,
}

/// Where the parts of a fact stand.
pub(crate) struct FactPlaces {
    pub(crate) value: Places,
    pub(crate) which: Places,
    pub(crate) date: Option<usize>,
}

impl FactPlaces {
    fn all(&self) -> impl Iterator<Item = usize> {
        self.value.iter().chain(&self.which).copied().flatten().chain(self.date)
    }
}

/// Streams the rows of an extract. Holds one record at a time (and, for feeds of families, the ids seen).
pub struct Reader<'f, R> {
    pub(crate) feed: &'f Feed,
    pub(crate) today: Date,
    pub(crate) encoding: Encoding,
    pub(crate) header: Header,
    pub(crate) families: HashMap<String, Vec<String>>,
    csv: csv::Reader<Input<R>>,
    record: csv::ByteRecord,
    next_record: csv::ByteRecord,
    ahead: Result<bool, FileError>,
    delimiter: u8,
    cut_short: bool,
}

impl Feed {
    /// Opens an extract of this feed. `today` decides what a two-digit year means and what is in the future.
    ///
    /// # Errors
    /// When the file is empty, cannot be read, or its header lacks a mandatory column or has one twice.
    pub fn reader<R: Read>(&self, file: R, today: Date) -> Result<Reader<'_, R>, FileError> {
        let unreadable = |error: io::Error| FileError::Unreadable(error.kind());
        let (input, encoding, start) = Input::open(file, self.encoding).map_err(unreadable)?;
        let delimiter = self.delimiter_of(&start, encoding);
        let csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(READ_AHEAD)
            .from_reader(input);
        let mut reader = Reader {
            feed: self,
            today,
            encoding,
            header: Header {
                names: Vec::new(),
                folded: Vec::new(),
                fields: Vec::new(),
                facts: Vec::new(),
                deleted: None,
            },
            families: HashMap::new(),
            csv,
            record: csv::ByteRecord::new(),
            next_record: csv::ByteRecord::new(),
            ahead: Ok(false),
            delimiter,
            cut_short: false,
        };
        loop {
            if !reader.read_ahead()? {
                return Err(FileError::Empty);
            }
            let names: Vec<String> =
                reader.next_record.iter().map(|cell| cleaned(&encoding.text(cell), false)).collect();
            if names.iter().any(|name| !name.is_empty()) {
                reader.header = self.header(names)?;
                reader.ahead = reader.read_ahead();
                return Ok(reader);
            }
        }
    }

    /// The declared delimiter, unless the header then has none of our columns and another gives some.
    fn delimiter_of(&self, start: &[u8], encoding: Encoding) -> u8 {
        let line = start
            .split(|b| matches!(b, b'\n' | b'\r'))
            .find(|line| line.iter().any(|b| !b.is_ascii_whitespace()))
            .unwrap_or_default();
        let line = encoding.text(line);
        let known: Vec<String> = self
            .columns
            .iter()
            .flat_map(|(_, mapping)| mapping.columns.iter().flatten())
            .map(|name| folded_header(name))
            .collect();
        let found = |delimiter: u8| {
            line.split(char::from(delimiter)).filter(|cell| known.contains(&folded_header(cell))).count()
        };
        let declared = self.delimiter.unwrap_or(b',');
        DELIMITERS
            .into_iter()
            .fold(declared, |best, delimiter| if found(delimiter) > found(best) { delimiter } else { best })
    }

    fn header(&self, names: Vec<String>) -> Result<Header, FileError> {
        let folded: Vec<String> = names.iter().map(|name| folded_header(name)).collect();
        let place = |candidates: &[String]| -> Result<Option<usize>, FileError> {
            for candidate in candidates {
                let wanted = folded_header(candidate);
                let mut at = folded
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| **name == wanted && !wanted.is_empty())
                    .map(|(i, _)| i);
                if let Some(first) = at.next() {
                    return if at.next().is_some() {
                        Err(FileError::DuplicateColumn(candidate.clone()))
                    } else {
                        Ok(Some(first))
                    };
                }
            }
            Ok(None)
        };
        let places = |mapping: &Mapping| {
            mapping.columns.iter().map(|candidates| place(candidates)).collect::<Result<Places, FileError>>()
        };
        let mut fields = Vec::new();
        let mut missing = Vec::new();
        for (field, mapping) in &self.columns {
            let found = places(mapping)?;
            if self.mandatory.contains(field) && mapping.always.is_none() && found.iter().all(Option::is_none) {
                missing.extend(mapping.columns.iter().map(|candidates| candidates.join(" or ")));
            }
            fields.push(found);
        }
        if !missing.is_empty() {
            // A file without its header would show a person's values here: what looks like data is not repeated.
            let looks_like_headings = fields.iter().flatten().any(Option::is_some);
            let found = if looks_like_headings {
                names.iter().filter(|name| !name.is_empty()).cloned().collect()
            } else {
                vec![format!("{} columns, none with a heading we know", names.len())]
            };
            return Err(FileError::MissingColumns { missing, found });
        }
        let facts = self
            .facts
            .iter()
            .map(|fact| {
                let date = fact.date.as_ref().map(places).transpose()?;
                Ok(FactPlaces {
                    value: places(&fact.value)?,
                    which: fact.which.as_ref().map(places).transpose()?.unwrap_or_default(),
                    date: date.and_then(|places| places.first().copied().flatten()),
                })
            })
            .collect::<Result<_, FileError>>()?;
        let deleted = match &self.mode {
            crate::Mode::Delta { deleted: Some((column, _)) } => match place(std::slice::from_ref(column))? {
                None => return Err(FileError::MissingColumns { missing: vec![column.clone()], found: names }),
                found => found,
            },
            _ => None,
        };
        Ok(Header { names, folded, fields, facts, deleted })
    }
}

impl<R: Read> Reader<'_, R> {
    /// Headings that nothing was agreed about: their cells are never read.
    #[must_use]
    pub fn columns_ignored(&self) -> Vec<String> {
        let used: Vec<usize> = self
            .header
            .fields
            .iter()
            .flatten()
            .flatten()
            .copied()
            .chain(self.header.facts.iter().flat_map(FactPlaces::all))
            .chain(self.header.deleted)
            .collect();
        self.header
            .names
            .iter()
            .enumerate()
            .filter(|(i, name)| !used.contains(i) && !name.is_empty())
            .map(|(_, name)| name.clone())
            .collect()
    }

    /// Columns of the definition that the file does not have, none of them mandatory.
    #[must_use]
    pub fn columns_missing(&self) -> Vec<String> {
        let of = |mapping: &Mapping, places: &Places| -> Vec<String> {
            mapping
                .columns
                .iter()
                .zip(places)
                .filter(|(_, place)| place.is_none())
                .filter_map(|(names, _)| names.first().cloned())
                .collect()
        };
        let fields =
            self.feed.columns.iter().zip(&self.header.fields).flat_map(|((_, mapping), places)| of(mapping, places));
        let facts =
            self.feed.facts.iter().zip(&self.header.facts).flat_map(|(fact, places)| of(&fact.value, &places.value));
        let which = self.feed.facts.iter().zip(&self.header.facts);
        let which = which.flat_map(|(fact, places)| fact.which.iter().flat_map(move |which| of(which, &places.which)));
        let mut missing: Vec<String> = fields.chain(facts).chain(which).collect();
        missing.dedup();
        missing
    }

    /// The encoding and the delimiter in words, as found.
    #[must_use]
    pub fn format(&self) -> String {
        let delimiter = match self.delimiter {
            b',' => "commas",
            b';' => "semicolons",
            b'\t' => "tabs",
            _ => "pipes",
        };
        format!("{}, {delimiter}", self.encoding.name())
    }

    /// Whether the file ended in the middle of its last row. Known once all rows are read.
    #[must_use]
    pub fn cut_short(&self) -> bool {
        self.cut_short
    }

    fn read_ahead(&mut self) -> Result<bool, FileError> {
        self.csv.get_mut().budget = LONGEST_RECORD + READ_AHEAD;
        let line = self.csv.position().line();
        self.csv.read_byte_record(&mut self.next_record).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                FileError::RecordTooLong { line }
            }
            csv::ErrorKind::Io(error) => FileError::Unreadable(error.kind()),
            _ => FileError::Unreadable(io::ErrorKind::InvalidData),
        })
    }

    fn row(&mut self, last: bool) -> Row {
        let line = self.record.position().map_or(0, csv::Position::line);
        let cells: Vec<String> = self.record.iter().map(|cell| cleaned(&self.encoding.text(cell), true)).collect();
        let filled: Vec<&str> = cells.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
        if filled.is_empty() {
            return Row::Skipped { line, reason: Skip::Blank };
        }
        if filled.len() > 1 || self.header.folded.len() == 1 {
            let again = cells.iter().map(|cell| folded_header(cell)).eq(self.header.folded.iter().cloned());
            if again {
                return Row::Skipped { line, reason: Skip::RepeatedHeader };
            }
        }
        if is_totals_line(&filled) {
            return Row::Skipped { line, reason: Skip::Totals };
        }
        let mut problems = Vec::new();
        let width = self.header.names.len();
        if cells.iter().skip(width).any(|cell| !cell.is_empty()) {
            problems.push(CellProblem { line, column: "(row)".into(), field: None, reason: Reason::TooManyCells });
        }
        let mut cells = cells;
        let unfinished = self.csv.get_ref().last_byte.is_none_or(|byte| byte != b'\n');
        if cells.len() < width && last && unfinished {
            self.cut_short = true;
            let column = self.header.names[cells.len() - 1].clone();
            if let Some(last) = cells.last_mut() {
                last.clear();
            }
            problems.push(CellProblem { line, column, field: None, reason: Reason::CutShort });
        }
        self.convert(line, &cells, problems)
    }
}

impl<R: Read> Iterator for Reader<'_, R> {
    type Item = Result<Row, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        // One record ahead, to know which is the last.
        match std::mem::replace(&mut self.ahead, Ok(false)) {
            Err(error) => return Some(Err(error)),
            Ok(false) => return None,
            Ok(true) => {}
        }
        std::mem::swap(&mut self.record, &mut self.next_record);
        self.ahead = self.read_ahead();
        let last = matches!(self.ahead, Ok(false));
        Some(Ok(self.row(last)))
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;

//! Reading an extract: one row at a time, every row accounted for, whatever the bytes.

use crate::{
    Feed, Field,
    cells::{cleaned, folded_header, is_footer, is_totals_line},
    dates::DateFormat,
    definition::Mapping,
    encoding::{Encoding, Input, Opened},
    packed::{Packed, Packing},
    records::{Next, Record, Records},
    report::Column,
};
use fc_model::{Content, Date};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    io::{self, Read},
};

/// Delimiters that are tried when none is declared, or the declared one finds no column.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A day whose parts cannot be taken for each other.
const EXAMPLE_DAY: Date = Date::constant(1984, 2, 14);

/// Headings told of one file.
const MOST_HEADINGS: usize = 50;

/// Longest heading that is told though the definition does not know it.
const LONGEST_HEADING: usize = 40;

/// Whether a text is short, without digits and of letters: a heading such as "Housing officer", and no cell of a file
/// whose headings are missing that could say much of anybody.
fn looks_like_a_heading(name: &str) -> bool {
    name.chars().count() <= LONGEST_HEADING
        && name.starts_with(char::is_alphabetic)
        && name.chars().all(|c| c.is_alphabetic() || " _-/()&.".contains(c))
}

/// What a line says that Excel writes and reads before the headings: the `;` of `sep=;`.
fn sep_line(line: &str) -> Option<&str> {
    let line = line.trim_matches(['\u{feff}', '"', ' ']);
    let (sep, said) = line.split_at_checked(4)?;
    (sep.eq_ignore_ascii_case("sep=") && said.chars().count() <= 1).then_some(said)
}

/// Whether a first record is such a line: read with its own delimiter, it is two cells.
fn says_the_delimiter(cells: &[String]) -> bool {
    cells.first().is_some_and(|cell| sep_line(cell).is_some()) && cells[1..].iter().all(String::is_empty)
}

/// Whether a text has digits and spaces as a record id has, to tell another id from half an address.
fn may_be_an_id_like(id: &str, text: &str) -> bool {
    let form = |text: &str| (text.contains(char::is_numeric), text.contains(char::is_whitespace));
    form(id) == form(text)
}

/// Why a whole file cannot be used. Holds names of columns, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is nothing in it.
    #[error("The file is empty. Send it again; until then the last good extract stays in use.")]
    Empty,
    /// It begins with something that is no line of headings.
    #[error("The file does not begin with a line of column headings. Send it with them.")]
    NoHeadings,
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
    /// It is packed, and cannot be unpacked.
    #[error(transparent)]
    Packed(#[from] Packed),
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
    /// Rejected: the record id is what the system writes when it has none.
    PlaceholderRecordId,
    /// Rejected: the same record id stands on rows of people who clearly differ.
    SharedRecordId,
    /// Rejected: the record id is no usable text.
    UnusableRecordId,
    /// Rejected: a person with neither a name nor an identifier.
    NobodyToName,
    /// Rejected: the name is that of nobody in particular, as "The Occupier". It is no sign of a bad file.
    NoPerson,
    /// Rejected: a record of more than a megabyte.
    TooLong,
    /// Rejected: a quotation mark is not closed, and other rows are inside this one.
    OpenQuote,
    /// Rejected: half a row, for a line break that nothing quotes goes through it.
    Broken,
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
    /// A spreadsheet's number of a day, where dates are declared otherwise.
    SerialDate,
    /// A formula, not a value.
    Formula,
    /// A spreadsheet's error, such as `#REF!`, where something protects somebody.
    ErrorValue,
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
    /// A name's cell names two people; the first is kept.
    SecondPerson,
    /// A name's cell holds a note, a system's word or a newborn's mother; the name is kept.
    NameNote,
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
            Self::PlaceholderRecordId => "record id is a placeholder that everybody without an id has",
            Self::SharedRecordId => {
                "stands on rows of people who clearly differ; give each person a record id of their own, or map the column that is one"
            }
            Self::NobodyToName => "neither a name nor an identifier",
            Self::NoPerson => "names nobody in particular",
            Self::TooLong => {
                "is longer than a megabyte, because a quote mark was opened and never closed; rows that follow it may be part of it"
            }
            Self::OpenQuote => {
                "a quotation mark is not closed: other rows are inside this one; close it or take it out in the source, and send the whole file again"
            }
            Self::Broken => {
                "half a row: a line break goes through it; put the cell with the line break in quotation marks, and send the whole file again"
            }
            Self::NobodyRelated => "no other person",
            Self::NotADate => "is not a date of the declared formats",
            Self::PlaceholderDate => "is a placeholder date",
            Self::ImpossibleDate => "is a date that cannot be",
            Self::LostDigits => "lost its digits in a spreadsheet",
            Self::SerialDate => {
                "is a spreadsheet's day number; format the column as a date, or add \"serial\" to the definition's dates"
            }
            Self::Formula => "is a formula, not a value",
            Self::ErrorValue => "is a spreadsheet's error, not a value",
            Self::UnknownCode => "is a code the definition does not know",
            Self::WrongLength => "has the wrong length",
            Self::WrongCharacter => "has a character that does not belong",
            Self::CheckDigit => "fails its check digit",
            Self::Placeholder => "is a placeholder",
            Self::SecondPerson => "names two people, of whom the first is kept",
            Self::NameNote => "holds a note, a system's word or somebody else's name, which is left out",
            Self::LetterLost => "lost a letter to a wrong encoding",
            Self::TooManyCells => "has more cells than the header",
            Self::CutShort => "is cut short by the end of the file",
            Self::UndatedAddress => "is an earlier address without a day by which it ended",
            Self::NoInverse => "has no word for the other side in the definition",
        }
    }

    /// Whether the value's form is not the one expected, which a whole column may have in common.
    pub(crate) fn is_unread(self) -> bool {
        matches!(
            self,
            Self::NotADate
                | Self::SerialDate
                | Self::LostDigits
                | Self::Formula
                | Self::ErrorValue
                | Self::UnknownCode
                | Self::WrongLength
                | Self::WrongCharacter
                | Self::CheckDigit
        )
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
    /// A line of totals, or another that ends a report.
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
        /// Its cells under the agreed columns ([`Reader::agreed_columns`]), for its owner to mend; none of a record that
        /// was given up, holds other rows or is half a row.
        cells: Vec<String>,
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
    /// The columns that are read, as they stand in the file.
    pub(crate) agreed: Vec<usize>,
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

/// How many cells of a column hold something, and in how many of them it could not be read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ColumnCount {
    pub(crate) filled: u64,
    pub(crate) unread: u64,
}

/// Streams the rows of an extract. Holds one record at a time (and, for feeds of families, the ids seen).
pub struct Reader<'f, R> {
    pub(crate) feed: &'f Feed,
    pub(crate) today: Date,
    pub(crate) encoding: Encoding,
    pub(crate) header: Header,
    pub(crate) families: HashMap<String, Vec<String>>,
    pub(crate) packing: Packing,
    /// Of the agreed columns, in their order.
    pub(crate) columns: Vec<ColumnCount>,
    records: Records<R>,
    record: Record,
    next_record: Record,
    ahead: Result<Next, FileError>,
    delimiter: u8,
    cut_short: bool,
    /// The next record is the second half of the one before it.
    second_half: bool,
}

impl Feed {
    /// Opens an extract of this feed. `today` decides what a two-digit year means and what is in the future.
    ///
    /// # Errors
    /// When the file is empty, cannot be read, or its header lacks a mandatory column or has one twice.
    pub fn reader<R: Read>(&self, file: R, today: Date) -> Result<Reader<'_, R>, FileError> {
        let opened = Input::open(file, self.encoding, self.sheet.as_deref()).map_err(|error| unreadable(&error))?;
        let Opened { input, encoding, packing, start } = opened;
        let delimiter = if packing == Packing::Workbook { b',' } else { self.delimiter_of(&start, encoding) };
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
                agreed: Vec::new(),
            },
            families: HashMap::new(),
            packing,
            columns: Vec::new(),
            records: Records::new(input, delimiter),
            record: Record::default(),
            next_record: Record::default(),
            ahead: Ok(Next::End),
            delimiter,
            cut_short: false,
            second_half: false,
        };
        let mut first = true;
        loop {
            match reader.read_ahead()? {
                Next::Record => {}
                Next::End => return Err(FileError::Empty),
                Next::TooLong => return Err(FileError::NoHeadings),
            }
            let names: Vec<String> =
                reader.next_record.iter().map(|cell| cleaned(&encoding.text(cell), false)).collect();
            if names.iter().any(|name| !name.is_empty()) {
                if std::mem::take(&mut first) && says_the_delimiter(&names) {
                    continue;
                }
                reader.header = self.header(names)?;
                reader.columns = vec![ColumnCount::default(); reader.header.agreed.len()];
                reader.ahead = reader.read_ahead();
                return Ok(reader);
            }
        }
    }

    /// The delimiter that a first line `sep=;` says, or the declared one, unless the header then has none of our columns and
    /// another gives some.
    fn delimiter_of(&self, start: &[u8], encoding: Encoding) -> u8 {
        let line = start
            .split(|b| matches!(b, b'\n' | b'\r'))
            .find(|line| line.iter().any(|b| !b.is_ascii_whitespace()))
            .unwrap_or_default();
        let line = encoding.text(line);
        if let Some([said]) = sep_line(&line).map(str::as_bytes)
            && DELIMITERS.contains(said)
        {
            return *said;
        }
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
                self.told_headings(&names, |_| true)
            } else {
                vec![format!("{} columns, none with a heading we know", names.len())]
            };
            return Err(FileError::MissingColumns { missing, found });
        }
        let facts: Vec<FactPlaces> = self
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
                None => {
                    let found = self.told_headings(&names, |_| true);
                    return Err(FileError::MissingColumns { missing: vec![column.clone()], found });
                }
                found => found,
            },
            _ => None,
        };
        let in_facts = facts.iter().flat_map(FactPlaces::all);
        let agreed = fields.iter().flatten().flatten().copied().chain(in_facts).chain(deleted);
        let agreed = agreed.collect::<BTreeSet<_>>().into_iter().collect();
        Ok(Header { names, folded, fields, facts, deleted, agreed })
    }

    /// Every heading that the definition reads, folded.
    fn known_headings(&self) -> HashSet<String> {
        let facts = self.facts.iter().flat_map(|fact| [Some(&fact.value), fact.which.as_ref(), fact.date.as_ref()]);
        let mappings = self.columns.iter().map(|(_, mapping)| mapping).chain(facts.flatten());
        let names = mappings.flat_map(|mapping| mapping.columns.iter().flatten());
        let deleted = match &self.mode {
            crate::Mode::Delta { deleted: Some((column, _)) } => Some(column),
            _ => None,
        };
        names.chain(deleted).map(|name| folded_header(name)).collect()
    }

    /// The headings at the places asked for, as they may be told: those of the definition, and others that can be nothing
    /// but headings. What may be somebody's name, number or address is told by its place alone.
    fn told_headings(&self, names: &[String], asked: impl Fn(usize) -> bool) -> Vec<String> {
        let known = self.known_headings();
        let mut places = names.iter().enumerate().filter(|(place, name)| !name.is_empty() && asked(*place));
        let told = places.by_ref().take(MOST_HEADINGS).map(|(place, name)| {
            if looks_like_a_heading(name) || known.contains(&folded_header(name)) {
                name.clone()
            } else {
                format!("column {}", place + 1)
            }
        });
        let mut told: Vec<String> = told.collect();
        let more = places.count();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        told
    }

    /// What a cell of the column at a place may look like, when one example says it.
    pub(crate) fn example(&self, header: &Header, place: usize) -> Option<String> {
        if let Some(format) = self.date_formats(header, place).and_then(<[_]>::first) {
            return Some(format.write(EXAMPLE_DAY));
        }
        let fields = self.columns.iter().zip(&header.fields);
        let fields = fields
            .filter(|(_, places)| places.contains(&Some(place)))
            .map(|((field, mapping), _)| (Some(*field), mapping));
        let facts = self.facts.iter().zip(&header.facts).flat_map(|(fact, places)| {
            let which = fact.which.as_ref().filter(|_| places.which.contains(&Some(place)));
            which.into_iter().chain(places.value.contains(&Some(place)).then_some(&fact.value))
        });
        let (field, mapping) = fields.chain(facts.map(|mapping| (None, mapping))).next()?;
        let code =
            || mapping.values.iter().flat_map(BTreeMap::keys).find(|code| !matches!(code.as_str(), "" | "*")).cloned();
        code().or_else(|| {
            let example = match field? {
                Field::Postcode => "FE1 2AB",
                Field::NhsNumber => "999 000 0018",
                Field::Phone | Field::WorkerPhone => "01632 960700",
                Field::Email | Field::WorkerEmail | Field::TeamInbox => "duty@fenshire.example",
                Field::Sex => "F",
                _ => return None,
            };
            Some(example.to_owned())
        })
    }

    /// The date formats of the column at a place, when it holds dates.
    pub(crate) fn date_formats(&self, header: &Header, place: usize) -> Option<&[DateFormat]> {
        let fields = self.columns.iter().zip(&header.fields).filter(|((field, _), _)| field.is_date());
        let mut fields = fields.filter(|(_, places)| places.contains(&Some(place))).map(|((_, mapping), _)| mapping);
        let facts = self.facts.iter().zip(&header.facts).filter(|(_, places)| places.date == Some(place));
        let mapping = fields.next().or_else(|| facts.filter_map(|(fact, _)| fact.date.as_ref()).next())?;
        Some(&mapping.dates)
    }
}

impl<R: Read> Reader<'_, R> {
    /// Headings that nothing was agreed about: their cells are never read.
    #[must_use]
    pub fn columns_ignored(&self) -> Vec<String> {
        self.feed.told_headings(&self.header.names, |place| self.header.agreed.binary_search(&place).is_err())
    }

    /// Headings of the agreed columns that the file has: what [`Row::Rejected`] gives the cells of.
    #[must_use]
    pub fn agreed_columns(&self) -> Vec<&str> {
        self.header.agreed.iter().map(|place| self.header.names[*place].as_str()).collect()
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

    /// Every column that the definition reads, each once, with how many of its cells held something so far.
    pub(crate) fn columns_read(&self) -> Vec<Column> {
        let mut out: Vec<Column> = Vec::new();
        let mut add = |mapping: &Mapping, places: &Places, protects: bool| {
            let must_protect = protects && mapping.protects == Some(true);
            for (names, place) in mapping.columns.iter().zip(places) {
                let Some(column) = names.first() else { continue };
                if let Some(known) = out.iter_mut().find(|known| known.column == *column) {
                    known.protects |= protects;
                    known.must_protect |= must_protect;
                    continue;
                }
                let counted = place.and_then(|place| self.header.agreed.binary_search(&place).ok());
                out.push(Column {
                    column: column.clone(),
                    heading: place.map(|place| self.header.names[place].clone()),
                    filled: counted.map_or(0, |at| self.columns[at].filled),
                    protects,
                    must_protect,
                });
            }
        };
        for ((field, mapping), places) in self.feed.columns.iter().zip(&self.header.fields) {
            add(mapping, places, mapping.protects(*field));
        }
        for (fact, places) in self.feed.facts.iter().zip(&self.header.facts) {
            add(&fact.value, &places.value, fact.value.protects == Some(true));
            if let Some(which) = &fact.which {
                add(which, &places.which, false);
            }
            if let Some(date) = &fact.date {
                add(date, &vec![places.date], false);
            }
        }
        out
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
        match self.packing {
            Packing::Workbook => "Excel workbook".to_owned(),
            packing => format!("{}{}, {delimiter}", packing.words(), self.encoding.name()),
        }
    }

    /// The same row, rejected because its record id is that of people who clearly differ ([`Identity`](crate::Identity)).
    #[must_use]
    pub fn shared(&self, id: String, line: u64) -> Row {
        let column = self.record_id_heading();
        Row::Rejected {
            line,
            id: Some(id),
            column,
            reason: Reason::SharedRecordId,
            cells: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The heading of the record id.
    pub(crate) fn record_id_heading(&self) -> String {
        let field = self.feed.columns.iter().position(|(field, _)| *field == Field::RecordId);
        let place = field.and_then(|at| self.header.fields[at].iter().flatten().next());
        place.map_or_else(|| Field::RecordId.name().to_owned(), |place| self.header.names[*place].clone())
    }

    /// Whether the file ended in the middle of its last row. Known once all rows are read.
    #[must_use]
    pub fn cut_short(&self) -> bool {
        self.cut_short
    }

    fn read_ahead(&mut self) -> Result<Next, FileError> {
        self.records.next(&mut self.next_record).map_err(|error| unreadable(&error))
    }

    /// A record that is no row, or not of one person alone. Its cells are not given back: they may be anybody's.
    fn rejected(&self, id: Option<String>, column: String, reason: Reason) -> Row {
        Row::Rejected { line: self.record.line, id, column, reason, cells: Vec::new(), problems: Vec::new() }
    }

    fn cells_of(&self, record: &Record) -> Vec<String> {
        record.iter().map(|cell| cleaned(&self.encoding.text(cell), true)).collect()
    }

    /// The heading at a place, as far as it may be told.
    fn told_heading(&self, place: usize) -> String {
        let told = self.feed.told_headings(&self.header.names, |asked| asked == place);
        told.into_iter().next().unwrap_or_else(|| "(row)".to_owned())
    }

    /// Whether this record and the next are one row through which a line break goes. Two rows without their last cells may
    /// have as many cells together, but then the second begins with a record id like the first's.
    fn is_broken(&self) -> bool {
        let (first, second, width) = (self.record.len(), self.next_record.len(), self.header.names.len());
        if first >= width || second >= width || first + second != width + 1 || self.packing == Packing::Workbook {
            return false;
        }
        let next = self.cells_of(&self.next_record);
        let filled: Vec<&str> = next.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
        if filled.is_empty() || is_totals_line(&filled) || is_footer(&filled, width) {
            return false;
        }
        let id = self.id_of(&self.cells_of(&self.record));
        id.is_some_and(|id| self.id_of(&next).is_none_or(|next| !may_be_an_id_like(&id, &next)))
    }

    fn row(&mut self, last: bool) -> Row {
        let line = self.record.line;
        let second_half = std::mem::take(&mut self.second_half);
        let swallowed = match self.packing {
            Packing::Workbook => None,
            _ => self.record.swallowed_rows(self.delimiter, self.header.names.len()),
        };
        if let Some(place) = swallowed {
            self.cut_short |= self.record.open;
            return self.rejected(None, self.told_heading(place), Reason::OpenQuote);
        }
        if second_half {
            return self.rejected(None, "(row)".to_owned(), Reason::Broken);
        }
        let cells = self.cells_of(&self.record);
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
        if is_totals_line(&filled) || is_footer(&filled, self.header.names.len()) {
            return Row::Skipped { line, reason: Skip::Totals };
        }
        if matches!(self.ahead, Ok(Next::Record)) && self.is_broken() {
            self.second_half = true;
            return self.rejected(self.id_of(&cells), "(row)".to_owned(), Reason::Broken);
        }
        let mut problems = Vec::new();
        let width = self.header.names.len();
        if cells.iter().skip(width).any(|cell| !cell.is_empty()) {
            problems.push(CellProblem { line, column: "(row)".into(), field: None, reason: Reason::TooManyCells });
        }
        let mut cells = cells;
        let unfinished = !self.records.ends_with_a_line();
        if self.record.open || (cells.len() < width && last && unfinished) {
            self.cut_short = true;
            let column = self.told_heading(cells.len() - 1);
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
        let read = match std::mem::replace(&mut self.ahead, Ok(Next::End)) {
            Err(error) => return Some(Err(error)),
            Ok(Next::End) => return None,
            Ok(read) => read,
        };
        std::mem::swap(&mut self.record, &mut self.next_record);
        self.ahead = self.read_ahead();
        let last = matches!(self.ahead, Ok(Next::End));
        Some(Ok(if read == Next::TooLong {
            self.second_half = false;
            self.rejected(None, "(row)".to_owned(), Reason::TooLong)
        } else {
            self.row(last)
        }))
    }
}

fn unreadable(error: &io::Error) -> FileError {
    Packed::of(error).map_or(FileError::Unreadable(error.kind()), FileError::Packed)
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;

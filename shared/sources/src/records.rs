//! Records of delimited text, each with the line it begins on. One that has no end is given up, and the next line read on:
//! a quote mark that nobody closed costs its own record and never the file.

use crate::encoding::Input;
use std::io::{self, Read};

/// Longest record we read: a megabyte. Longer ones come from a quote mark that is never closed, or are no CSV.
pub(crate) const LONGEST_RECORD: usize = 1024 * 1024;

/// Bytes taken from the file at a time.
const CHUNK: usize = 8 * 1024;

/// One record's cells, in one piece of memory that is used again for the next record.
#[derive(Default)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
    /// Line of the file where it begins, from 1.
    pub(crate) line: u64,
    /// The file ended within one of its quotation marks.
    pub(crate) open: bool,
}

/// Fewest columns by which a row within a cell is told from an address with commas in it.
const FEWEST_COLUMNS: usize = 4;

impl Record {
    /// How many cells it has.
    pub(crate) fn len(&self) -> usize {
        self.cells
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ends[..self.cells].iter().scan(0, |start, end| {
            let cell = &self.bytes[*start..*end];
            *start = *end;
            Some(cell)
        })
    }

    /// The place of a cell that holds other rows of the file, because a quotation mark was opened and not closed: one of
    /// its lines is as long as a row; or its last line is a row as far as the same cell, where that row's own quotation
    /// mark closed it and was left over further on.
    pub(crate) fn swallowed_rows(&self, delimiter: u8, columns: usize) -> Option<usize> {
        let end = self.ends[..self.cells].last().copied()?;
        if columns < FEWEST_COLUMNS || !self.bytes[..end].contains(&b'\n') {
            return None;
        }
        // A comma of somebody's notes has a space after it. So have all those of a file that pads its cells.
        let padded = self.iter().skip(1).any(|cell| cell.starts_with(b" "));
        let delimiters = |line: &[u8]| {
            let counts = |at: &usize| line[*at] == delimiter && (padded || line.get(at + 1) != Some(&b' '));
            (0..line.len()).filter(counts).count()
        };
        let is_row = |line: &[u8]| delimiters(line) >= columns - 1;
        self.iter().enumerate().position(|(place, cell)| {
            let mut lines = cell.split(|byte| *byte == b'\n');
            // The first line is this record's own, of which only the first cell has the whole.
            let (first, Some(last)) = (lines.next().unwrap_or_default(), lines.next_back()) else { return false };
            let left_over = || self.iter().skip(place).any(|cell| cell.contains(&b'"'));
            (place == 0 && is_row(first))
                || lines.any(is_row)
                || is_row(last)
                || (place > 0 && delimiters(last) >= place && left_over())
        })
    }
}

/// What came next in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Record,
    /// A record that was given up.
    TooLong,
    End,
}

/// Reads records, never holding more than one.
pub(crate) struct Records<R> {
    input: Input<R>,
    delimiter: u8,
    parser: csv_core::Reader,
    chunk: Vec<u8>,
    at: usize,
    filled: usize,
    line: u64,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: Input<R>, delimiter: u8) -> Self {
        let parser = parser(delimiter);
        Self { input, delimiter, parser, chunk: vec![0; CHUNK], at: 0, filled: 0, line: 1 }
    }

    /// Whether the file ends with a line end: known at its end.
    pub(crate) fn ends_with_a_line(&self) -> bool {
        self.input.last_byte == Some(b'\n')
    }

    pub(crate) fn next(&mut self, record: &mut Record) -> io::Result<Next> {
        // Empty lines are no records, as an editor shows them.
        while self.fill()? && self.chunk[self.at] == b'\n' {
            self.at += 1;
            self.line += 1;
        }
        record.line = self.line;
        (record.cells, record.bytes, record.ends) =
            (0, resized(&mut record.bytes, CHUNK), resized(&mut record.ends, 64));
        record.open = false;
        let (mut taken, mut written, mut ended) = (0, 0, false);
        loop {
            let more = self.fill()?;
            // Never more than the limit and one: then what is given up does not hang on how the bytes arrived.
            let end = self.filled.min(self.at + (LONGEST_RECORD + 1 - taken));
            if more && end == self.at {
                self.give_up()?;
                return Ok(Next::TooLong);
            }
            // A line end after the last byte ends the last record too, unless it is within a quotation mark.
            let ending = !more && taken > 0 && !ended;
            let input: &[u8] = if ending { b"\n" } else { &self.chunk[self.at..end] };
            let (state, read, wrote, ends) =
                self.parser.read_record(input, &mut record.bytes[written..], &mut record.ends[record.cells..]);
            if ending {
                ended = read > 0;
            } else {
                self.line += input[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
                self.at += read;
                taken += read;
            }
            written += wrote;
            record.cells += ends;
            match state {
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => record.bytes.resize(record.bytes.len() * 2, 0),
                csv_core::ReadRecordResult::OutputEndsFull => record.ends.resize(record.ends.len() * 2, 0),
                csv_core::ReadRecordResult::Record if taken > LONGEST_RECORD => return Ok(Next::TooLong),
                csv_core::ReadRecordResult::Record => {
                    record.open = ended && !ending;
                    return Ok(Next::Record);
                }
                csv_core::ReadRecordResult::End => return Ok(Next::End),
            }
        }
    }

    /// Passes over the rest of the line, and begins anew: as if the quote mark had never been opened.
    fn give_up(&mut self) -> io::Result<()> {
        self.parser = parser(self.delimiter);
        while self.fill()? {
            let rest = &self.chunk[self.at..self.filled];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                self.at += end + 1;
                self.line += 1;
                break;
            }
            self.at = self.filled;
        }
        Ok(())
    }

    /// Whether there is anything left.
    fn fill(&mut self) -> io::Result<bool> {
        while self.at == self.filled {
            self.filled = match self.input.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            self.at = 0;
            if self.filled == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn parser(delimiter: u8) -> csv_core::Reader {
    csv_core::ReaderBuilder::new().delimiter(delimiter).build()
}

/// The same memory, at least so large, and given back when one long record had made it larger than most need.
fn resized<T: Clone + Default>(memory: &mut Vec<T>, least: usize) -> Vec<T> {
    let mut memory = std::mem::take(memory);
    if memory.len() < least || memory.len() > 64 * least {
        memory = vec![T::default(); least];
    }
    memory
}

//! One extract file, in the encoding and with the habits of the system that writes it.

use crate::{FeedSummary, SynthError};
use jiff::civil::Date;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// How a system encodes its files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf8WithMark,
    Utf16,
    Windows1252,
}

/// How a system writes its files.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: u8,
    pub(crate) crlf: bool,
    /// Repeats its header after so many rows, as reports with pages do.
    pub(crate) page: Option<u64>,
}

/// Turns UTF-8 into the file's encoding, holding back the beginning of a letter that is not complete.
struct Transcoder {
    out: BufWriter<File>,
    encoding: Encoding,
    held: Vec<u8>,
}

impl Write for Transcoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.encoding, Encoding::Utf8 | Encoding::Utf8WithMark) {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        self.held.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.held) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8_lossy(&self.held[..whole]);
        if self.encoding == Encoding::Utf16 {
            for unit in text.encode_utf16() {
                self.out.write_all(&unit.to_le_bytes())?;
            }
        } else {
            let (encoded, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
            self.out.write_all(&encoded)?;
        }
        drop(text);
        self.held.drain(..whole);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file being written.
pub(crate) struct Sheet<const N: usize> {
    writer: csv::Writer<Transcoder>,
    header: [&'static str; N],
    page: Option<u64>,
    pub(crate) summary: FeedSummary,
}

impl<const N: usize> Sheet<N> {
    /// Starts the file of a feed; `feed` is left out of the file's name when the source has only one.
    pub(crate) fn start(
        folder: &Path,
        (source, feed, only): (&'static str, &'static str, bool),
        format: Format,
        header: [&'static str; N],
    ) -> Result<Self, SynthError> {
        let file = if only { format!("{source}.csv") } else { format!("{source}-{feed}.csv") };
        let path = folder.join(&file);
        let created = File::create(&path).map_err(|error| SynthError::write(&path, error))?;
        let mut out = BufWriter::with_capacity(1 << 18, created);
        match format.encoding {
            Encoding::Utf8WithMark => out.write_all(b"\xEF\xBB\xBF"),
            Encoding::Utf16 => out.write_all(b"\xFF\xFE"),
            Encoding::Utf8 | Encoding::Windows1252 => Ok(()),
        }
        .map_err(|error| SynthError::write(&path, error))?;
        let terminator = if format.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let transcoder = Transcoder { out, encoding: format.encoding, held: Vec::new() };
        let mut writer =
            csv::WriterBuilder::new().delimiter(format.delimiter).terminator(terminator).from_writer(transcoder);
        writer.write_record(header).map_err(|error| SynthError::sheet(&path, error))?;
        Ok(Self { writer, header, page: format.page, summary: FeedSummary::new(source, feed, file, path) })
    }

    /// Writes one record.
    pub(crate) fn row<T: AsRef<[u8]>>(&mut self, row: &[T; N]) -> Result<(), SynthError> {
        if self.page.is_some_and(|page| self.summary.used > 0 && self.summary.used.is_multiple_of(page)) {
            self.write(&self.header.map(str::as_bytes))?;
            self.summary.repeated_headers += 1;
        }
        self.write(row)?;
        self.summary.used += 1;
        Ok(())
    }

    /// Writes a row that no reader can use.
    pub(crate) fn unusable(&mut self, row: &[String; N]) -> Result<(), SynthError> {
        self.write(row)?;
        self.summary.unusable += 1;
        Ok(())
    }

    /// Writes the line of totals that reports end in: "Total" and the number of records.
    pub(crate) fn totals(&mut self) -> Result<(), SynthError> {
        let mut row = std::array::from_fn::<_, N, _>(|_| String::new());
        row[0] = "Total".into();
        row[1] = (self.summary.used + self.summary.unusable).to_string();
        self.write(&row)?;
        self.summary.totals += 1;
        Ok(())
    }

    /// Writes a row without a single value.
    pub(crate) fn blank(&mut self) -> Result<(), SynthError> {
        self.write(&std::array::from_fn::<_, N, _>(|_| ""))?;
        self.summary.blank += 1;
        Ok(())
    }

    fn write<T: AsRef<[u8]>>(&mut self, row: &[T; N]) -> Result<(), SynthError> {
        self.writer.write_record(row).map_err(|error| SynthError::sheet(&self.summary.path, error))
    }

    /// Closes the file.
    pub(crate) fn finish(mut self) -> Result<FeedSummary, SynthError> {
        self.writer.flush().map_err(|error| SynthError::write(&self.summary.path, error))?;
        Ok(self.summary)
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `dd/mm/yyyy`.
pub(crate) fn slashed(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

/// `yyyy-mm-dd`.
pub(crate) fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// `yyyymmdd`.
pub(crate) fn packed(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

/// `dd.mm.yyyy`.
pub(crate) fn dotted(date: Date) -> String {
    format!("{:02}.{:02}.{:04}", date.day(), date.month(), date.year())
}

/// `dd-Mon-yy`.
pub(crate) fn short(date: Date) -> String {
    let month = MONTHS[usize::try_from(date.month() - 1).unwrap_or(0)];
    format!("{:02}-{month}-{:02}", date.day(), date.year().rem_euclid(100))
}

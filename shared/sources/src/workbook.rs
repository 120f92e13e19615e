//! A sheet of a small Excel workbook, as the CSV that Excel would have saved, but for dates: those are written as such.
//!
//! The workbook is unpacked by our own bounded reader ([`Archive`]) and handed to the spreadsheet library without any
//! packing, so that the library never unpacks anything that could be a bomb.

use crate::packed::{Archive, Packed};
use calamine::{DataRef, Reader as _, Xlsx};
use flate2::Crc;
use std::{
    fmt::Write as _,
    io::{self, Cursor, Read},
};

/// Most bytes of a packed workbook.
const MOST_PACKED: u64 = 16 << 20;
/// Most bytes of the parts of a workbook that are read: about 40,000 rows of 20 columns.
const MOST_READ: u64 = 32 << 20;
/// Most bytes of the sheet as CSV: a text may stand in many cells and be packed once.
const MOST_CSV: usize = 32 << 20;
/// Columns of a sheet; Excel has no more.
const MOST_COLUMNS: u32 = 16_384;
/// Stands for a line break in a cell, so that a sheet's row is a line and line numbers are Excel's row numbers.
pub(crate) const LINE_BREAK: char = '\u{2028}';
/// From here on a number has more digits than Excel keeps.
const LOSES_DIGITS: f64 = 1e15;

/// Whether a file within an archive is a part that workbooks begin with.
pub(crate) fn is_part(name: &[u8]) -> bool {
    name == b"[Content_Types].xml" || [&b"_rels/"[..], b"xl/", b"docProps/"].iter().any(|part| name.starts_with(part))
}

/// Whether the library needs a part. Pictures, comments, pivots and the like are passed over.
fn is_read(name: &[u8]) -> bool {
    let parts = [
        "[content_types].xml",
        "_rels/.rels",
        "xl/workbook.xml",
        "xl/_rels/workbook.xml.rels",
        "xl/sharedstrings.xml",
        "xl/styles.xml",
    ];
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let sheet = name.strip_prefix("xl/worksheets/").is_some_and(|sheet| !sheet.contains('/'));
    sheet || parts.contains(&name.as_str())
}

/// Reads the rest of a workbook, whose first part has been come to, and gives a sheet of it as CSV.
pub(crate) fn as_csv<R: Read>(archive: &mut Archive<R>, sheet: Option<&str>) -> io::Result<Vec<u8>> {
    let mut parts = Plain::default();
    loop {
        let name = archive.name.clone();
        if is_read(&name) {
            let mut part = Vec::new();
            let left = MOST_READ.saturating_sub(parts.bytes.len() as u64);
            if archive.take(left + 1).read_to_end(&mut part)? as u64 > left {
                return Err(Packed::WorkbookTooLarge.into());
            }
            parts.add(&name, &part);
        }
        let more = archive.next_file()?;
        if archive.taken() > MOST_PACKED {
            return Err(Packed::WorkbookTooLarge.into());
        }
        if !more {
            break;
        }
    }
    let mut workbook = Xlsx::new(Cursor::new(parts.end())).map_err(|_| Packed::OtherSpreadsheet)?;
    let names = workbook.sheet_names();
    let chosen = match sheet {
        Some(wanted) => names.iter().find(|name| name.trim().eq_ignore_ascii_case(wanted.trim())),
        None => names.first(),
    };
    let chosen = chosen.ok_or(Packed::NoSheet)?.clone();
    Ok(sheet_as_csv(&mut workbook, &chosen)?.into_bytes())
}

fn sheet_as_csv(workbook: &mut Xlsx<Cursor<Vec<u8>>>, sheet: &str) -> Result<String, Packed> {
    let mut cells = workbook.worksheet_cells_reader(sheet).map_err(|_| Packed::Damaged)?;
    let mut csv = String::new();
    // Where the next cell would stand.
    let (mut row, mut column) = (0, 0);
    while let Some(cell) = cells.next_cell().map_err(|_| Packed::Damaged)? {
        let (at_row, at_column) = cell.get_position();
        if (at_row, at_column) < (row, column) || at_column >= MOST_COLUMNS {
            return Err(Packed::Damaged);
        }
        for _ in row..at_row {
            // An empty line would be no record: a sheet's empty row is one, and counted.
            csv.push_str(if column == 0 { "\"\"\n" } else { "\n" });
            column = 0;
            if csv.len() > MOST_CSV {
                return Err(Packed::WorkbookTooLarge);
            }
        }
        // One comma between two cells: the first of a row has none before it.
        for _ in column.max(1)..=at_column {
            csv.push(',');
        }
        write_value(&mut csv, cell.get_value());
        (row, column) = (at_row, at_column + 1);
        if csv.len() > MOST_CSV {
            return Err(Packed::WorkbookTooLarge);
        }
    }
    if column > 0 {
        csv.push('\n');
    }
    Ok(csv)
}

fn write_value(csv: &mut String, value: &DataRef<'_>) {
    // Writing to a string cannot fail.
    let _ = match value {
        DataRef::Empty => Ok(()),
        DataRef::Int(number) => write!(csv, "{number}"),
        // As the cell shows it: its digits are lost, and the reader says so.
        DataRef::Float(number) if number.abs() >= LOSES_DIGITS => {
            write!(csv, "{}", format!("{number:E}").replace('E', "E+"))
        }
        DataRef::Float(number) => write!(csv, "{number}"),
        DataRef::Bool(yes) => write!(csv, "{yes}"),
        DataRef::DateTime(time) if time.is_datetime() && (0.0..2_958_466.0).contains(&time.as_f64()) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => write!(csv, "{year:04}-{month:02}-{day:02}"),
                _ => write!(csv, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            }
        }
        DataRef::DateTime(time) => write!(csv, "{}", time.as_f64()),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            write_text(csv, text);
            Ok(())
        }
        DataRef::SharedString(text) => {
            write_text(csv, text);
            Ok(())
        }
        DataRef::Error(error) => write!(csv, "{error}"),
    };
}

fn write_text(csv: &mut String, text: &str) {
    csv.push('"');
    for c in text.trim_end_matches(['\r', '\n']).chars() {
        match c {
            '"' => csv.push_str("\"\""),
            '\r' => {}
            '\n' => csv.push(LINE_BREAK),
            c => csv.push(c),
        }
    }
    csv.push('"');
}

/// An archive of parts that are not packed.
#[derive(Default)]
struct Plain {
    bytes: Vec<u8>,
    contents: Vec<u8>,
    count: u16,
}

impl Plain {
    fn add(&mut self, name: &[u8], part: &[u8]) {
        let mut check = Crc::new();
        check.update(part);
        // Both were bounded when they were read.
        let (size, name_length) = ((part.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
        // Version 2.0, no flags, stored, no time; checksum; both sizes; the name's length, nothing extra.
        let mut header = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header.extend(check.sum().to_le_bytes());
        header.extend([size, size].concat());
        header.extend(name_length);
        header.extend([0, 0]);
        let place = (self.bytes.len() as u32).to_le_bytes();
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&header);
        self.bytes.extend(name);
        self.bytes.extend(part);
        self.contents.extend(b"PK\x01\x02\x14\0");
        self.contents.extend(&header);
        // No comment, first disk, no attributes.
        self.contents.extend([0; 10]);
        self.contents.extend(place);
        self.contents.extend(name);
        self.count += 1;
    }

    fn end(mut self) -> Vec<u8> {
        let (at, size) = ((self.bytes.len() as u32).to_le_bytes(), (self.contents.len() as u32).to_le_bytes());
        let count = self.count.to_le_bytes();
        self.bytes.append(&mut self.contents);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend([count, count].concat());
        self.bytes.extend(size);
        self.bytes.extend(at);
        self.bytes.extend([0, 0]);
        self.bytes
    }
}

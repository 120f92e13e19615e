//! What a council's systems send, night after night: the files of `synth`, some rows of them changed.

use fc_faults::dice::Dice;
use fc_synth::{FeedSummary, Options, SynthError};
use jiff::civil::Date;
use std::{fs, path::Path};

/// A file as it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Source and feed, as in the bucket.
    pub(crate) folder: String,
    /// Its name.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// What changes in a night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Night {
    /// The same rows in new files.
    Same,
    /// So many rows in ten thousand, in every file of people: by turns another phone number and another house.
    Changed(usize),
    /// Every name of this source in capitals: what a new release of its system might do.
    Capitals(&'static str),
    /// Three hundred tenants of one care home and two thousand of one name and birth date move in, all in one file.
    Crowd,
}

/// Where a file of people has what changes.
struct Columns {
    folder: &'static str,
    delimiter: u8,
    name: &'static str,
    phone: &'static str,
    house: &'static str,
}

const COLUMNS: [Columns; 6] = [
    Columns {
        folder: "adult_social_care/people",
        delimiter: b',',
        name: "last_name",
        phone: "phone",
        house: "house_no",
    },
    Columns {
        folder: "children_social_care/people",
        delimiter: b',',
        name: "Surname",
        phone: "Phone",
        house: "Address",
    },
    Columns { folder: "housing/people", delimiter: b';', name: "FULL_NAME", phone: "PHONE", house: "ADDRESS" },
    Columns { folder: "police/people", delimiter: b',', name: "surname", phone: "contact_phone", house: "address" },
    Columns {
        folder: "schools/people",
        delimiter: b'\t',
        name: "Legal Surname",
        phone: "School Phone",
        house: "Address 1",
    },
    Columns {
        folder: "youth_justice/people",
        delimiter: b'|',
        name: "Name",
        phone: "Case Manager Phone",
        house: "Address",
    },
];

/// A council's first files, of the sources that `is_wanted`.
///
/// # Errors
/// When they cannot be written or read.
pub(crate) fn council(
    people: u64,
    today: Date,
    out: &Path,
    is_wanted: impl Fn(&FeedSummary) -> bool,
) -> Result<Vec<File>, String> {
    let options = Options { people, seed: 11, out: out.to_owned(), today };
    let made = fc_synth::write_council(&options, &mut |_| {}).map_err(|error: SynthError| error.to_string())?;
    let files = made.feeds.iter().filter(|feed| is_wanted(feed)).map(|feed| {
        let bytes = fs::read(&feed.path).map_err(|error| format!("{}: {error}", feed.file))?;
        Ok(File { folder: format!("{}/{}", feed.source, feed.feed), name: format!("{today}.csv"), bytes })
    });
    files.collect()
}

/// The files of a later night, changed in place, and how many rows that changed.
///
/// # Errors
/// When a file is not what `synth` writes.
pub(crate) fn next(files: &mut [File], today: Date, night: Night) -> Result<usize, String> {
    let mut changed = 0;
    for file in files {
        file.name = format!("{today}.csv");
        let Some(columns) = COLUMNS.iter().find(|columns| columns.folder == file.folder) else { continue };
        if match night {
            Night::Same => false,
            Night::Changed(_) => true,
            Night::Capitals(source) => file.folder.starts_with(source),
            Night::Crowd => file.folder.starts_with("housing"),
        } {
            changed += rewrite(file, columns, night).map_err(|error| format!("{}: {error}", file.folder))?;
        }
    }
    Ok(changed)
}

fn rewrite(file: &mut File, columns: &Columns, night: Night) -> Result<usize, String> {
    let wide = encoding_rs::UTF_16LE;
    let (text, encoding, _) = encoding_rs::UTF_8.decode(&file.bytes);
    let mut reader = csv::ReaderBuilder::new().delimiter(columns.delimiter).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| headers.iter().position(|header| header == name).ok_or(format!("no column {name}"));
    let (name, phone, house) = (place(columns.name)?, place(columns.phone)?, place(columns.house)?);
    let mut writer = csv::WriterBuilder::new().delimiter(columns.delimiter).flexible(true).from_writer(Vec::new());
    writer.write_record(&headers).map_err(|error| error.to_string())?;
    let mut dice = Dice::new(file.bytes.len() as u64, 1);
    let mut changed = 0;
    for row in reader.records() {
        let mut row: Vec<String> = row.map_err(|error| error.to_string())?.iter().map(str::to_owned).collect();
        let cell = match night {
            Night::Same | Night::Crowd => None,
            Night::Changed(in_10_000) => {
                (dice.below(10_000) < in_10_000).then_some(if changed % 2 == 0 { phone } else { house })
            }
            Night::Capitals(_) => Some(name),
        };
        if let Some(cell) = cell.and_then(|cell| row.get_mut(cell)) {
            let other = match night {
                Night::Capitals(_) => cell.to_uppercase(),
                _ => next_number(cell),
            };
            changed += usize::from(other != *cell);
            *cell = other;
        }
        writer.write_record(&row).map_err(|error| error.to_string())?;
    }
    if night == Night::Crowd {
        let born = place("DOB")?;
        for number in 0..2_300 {
            let mut row = vec![String::new(); headers.len()];
            row[0] = format!("CROWD{number}");
            (row[name], row[born], row[house]) = if number < 300 {
                // No two of one name: its letters count.
                let letters: String = [number / 26 % 26, number % 26, number / 676].map(letter).into_iter().collect();
                let born = format!("{:02}-Mar-{}", 1 + number % 28, 30 + number % 20);
                (
                    format!("B{letters}ER, Ada{}", letters.to_lowercase()),
                    born,
                    "1 Home Close, Fenchester, QF1 9ZZ".to_owned(),
                )
            } else {
                ("SMITH, John".to_owned(), "01-Jan-90".to_owned(), format!("{number} Long Road, Fenchester, QF1 9ZX"))
            };
            writer.write_record(&row).map_err(|error| error.to_string())?;
            changed += 1;
        }
    }
    let written = writer.into_inner().map_err(|error| error.to_string())?;
    file.bytes = if encoding == wide {
        let text = String::from_utf8(written).map_err(|error| error.to_string())?;
        let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    } else {
        written
    };
    Ok(changed)
}

/// The last digit of the first number raised: the house next door, or somebody else's phone.
fn next_number(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let first = bytes.iter().position(u8::is_ascii_digit);
    let end = first.map(|first| first + bytes[first..].iter().take_while(|byte| byte.is_ascii_digit()).count());
    match end.and_then(|end| bytes.get_mut(end - 1)) {
        Some(digit) => *digit = if *digit == b'9' { b'1' } else { *digit + 1 },
        None => return text.to_owned(),
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn letter(number: usize) -> char {
    char::from(b'A' + u8::try_from(number % 26).unwrap_or(0))
}

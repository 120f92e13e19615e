//! Fuzzing of what reads other people's files and words. See `tests/fuzz/mutate.rs`.
#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

#[cfg(test)]
#[path = "../../../tests/fuzz/mutate.rs"]
mod mutate;

use fc_model::{CaseId, Date, Email, NhsNumber, Phone, Postcode, StaffId, Upn, Uprn};
use fc_sources::{Definition, Definitions, Feed, FileError, Mend, Report, Row, dates::DateFormat};
use jiff::civil::date;
use mutate::{fuzz, kept};
use std::{
    io::{self, Read},
    path::Path,
    sync::LazyLock,
};

const TODAY: Date = date(2026, 3, 1);

fn definitions() -> &'static Definitions {
    static SHIPPED: LazyLock<Definitions> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Definitions::load_dir(&root.join("infra/sources")).unwrap()
    });
    &SHIPPED
}

fn gallery() -> &'static Feed {
    static GALLERY: LazyLock<Definition> = LazyLock::new(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/files/gallery.toml");
        let text = std::fs::read_to_string(file).unwrap();
        Definitions::from_files([("gallery.toml".to_owned(), text)]).unwrap().iter().next().unwrap().clone()
    });
    &GALLERY.feeds[0]
}

/// Gives a few bytes at a time, never the same number twice running.
struct Unsteady<'a>(&'a [u8], usize);

impl Read for Unsteady<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 * 7 % 61 + 1;
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

/// What becomes of a file: the report, and the rows to mend.
fn read(feed: &Feed, file: impl Read) -> Result<(String, String), FileError> {
    let mut reader = feed.reader(file, TODAY)?;
    let (mut report, mut mend, mut cells) = (Report::new(&reader), Mend::new(&reader), String::new());
    for row in reader.by_ref() {
        let row = row?;
        report.add(&row);
        mend.add(&row);
        if let Row::Used { records, .. } = &row {
            let ids = records.iter().map(|(id, _)| id.as_str());
            cells.extend(ids);
        }
    }
    report.finish(&reader);
    assert!(report.every_row_is_accounted_for(), "{report}");
    Ok((report.to_string() + &cells, mend.csv().unwrap_or_default().to_owned()))
}

/// What kind of outcome it was, without its values.
fn kind(read: &Result<(String, String), FileError>) -> String {
    match read {
        Ok((report, _)) => report.chars().filter(|c| !c.is_ascii_digit()).collect(),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn no_file_makes_reading_panic_or_lose_a_row_and_its_pace_does_not_matter() {
    fuzz("extract", kept(&["tests/data/files", "tests/data/sources"]), |input| {
        let at_once = read(gallery(), input);
        assert_eq!(at_once, read(gallery(), Unsteady(input, 1)), "read in pieces");
        if let Ok((_, csv)) = &at_once
            && !csv.is_empty()
        {
            // What is given back is read as it was written, and says the same the second time.
            let again = read(gallery(), csv.as_bytes());
            assert!(!csv.contains(",\"=") && !csv.contains("\n\"="), "a formula: {csv}");
            assert!(again.is_ok(), "{again:?}\n{csv}");
        }
        kind(&at_once)
    });
}

#[test]
fn no_file_makes_any_shipped_feed_panic() {
    let feeds: Vec<&Feed> = definitions().iter().flat_map(|definition| &definition.feeds).collect();
    fuzz("feeds", kept(&["tests/data/council-dev", "tests/data/sources"]), |input| {
        let which = input.iter().fold(input.len(), |sum, byte| sum.wrapping_add(usize::from(*byte)));
        kind(&read(feeds[which % feeds.len()], input))
    });
}

#[test]
fn no_definition_makes_its_reader_panic() {
    let folders = ["infra/sources", "tests/data/sources", "tests/fuzz/corpus/definitions"];
    fuzz("definition", kept(&folders), |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        match Definitions::from_files([("housing.toml".to_owned(), text)]) {
            Ok(definitions) => {
                for feed in definitions.iter().flat_map(|definition| &definition.feeds) {
                    let _ = read(feed, &b"PERSON_REF,FULL_NAME,DOB\n1,Ada Quill,01-Mar-15\n"[..]);
                    let _ = feed.as_of_from_name("housing_2026-03-02.csv");
                }
                vec!["fine".to_owned()]
            }
            Err(problems) => problems.iter().map(|problem| problem.message.chars().take(24).collect()).collect(),
        }
    });
}

/// An identifier that is taken is taken again as it was written, and is the same.
fn steady<T: PartialEq, E>(text: &str, parse: fn(&str) -> Result<T, E>, written: impl Fn(&T) -> String) -> bool {
    let Ok(value) = parse(text) else { return false };
    let again = written(&value);
    assert!(parse(&again).is_ok_and(|same| same == value), "{again:?} of {text:?}");
    true
}

#[test]
fn no_value_makes_a_parser_panic_or_change_its_mind() {
    let formats = ["dd/mm/yyyy", "yyyy-mm-dd", "yyyymmdd", "dd-Mon-yy", "serial"];
    fuzz("values", kept(&["tests/fuzz/corpus/values"]), |input| {
        let text = String::from_utf8_lossy(input);
        let text = text.chars().take(200).collect::<String>();
        let taken = [
            steady(&text, NhsNumber::parse, |value| value.as_str().to_owned()),
            steady(&text, Upn::parse, |value| value.as_str().to_owned()),
            steady(&text, Uprn::parse, |value| u64::from(*value).to_string()),
            steady(&text, Postcode::parse, |value| value.as_str().to_owned()),
            steady(&text, Phone::parse, |value| value.as_str().to_owned()),
            steady(&text, Email::parse, |value| value.as_str().to_owned()),
            steady(&text, CaseId::parse, |value| value.as_str().to_owned()),
            steady(&text, StaffId::parse, |value| value.as_str().to_owned()),
        ];
        let format = DateFormat::parse(&text).is_ok();
        let cell = text.replace('"', "\"\"");
        let row = format!(
            "Person ID,Surname,Date of birth,NHS number,Address,Earlier addresses,Phone,Since\nP1,\"{cell}\",\"{cell}\",\"{cell}\",\"{cell}\",\"{cell}\",\"{cell}\",\"{cell}\"\n"
        );
        (taken, format, kind(&read(gallery(), row.as_bytes())), formats.iter().position(|format| text.contains(format)))
    });
}

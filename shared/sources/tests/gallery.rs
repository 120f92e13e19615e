//! The gallery: every form in which files really arrive, a sample of each, and the report that its owner reads.
//!
//! Samples are in `tests/data/files`, and what is expected of each lies in `expected` beside them: the report, the rows to
//! mend, and what was read. Files that are too large to keep are made here.
#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_model::{Content, Date};
use fc_sources::{Definition, Definitions, Entry, Feed, FileError, Mend, Packed, Reason, Report, Row};
use flate2::{Compression, Crc, write::DeflateEncoder, write::GzEncoder};
use jiff::civil::date;
use std::{
    fmt::Write as _,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    sync::LazyLock,
};

const TODAY: Date = date(2026, 3, 1);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/files")
}

fn feed() -> &'static Feed {
    static GALLERY: LazyLock<Definition> = LazyLock::new(|| {
        let text = std::fs::read_to_string(folder().join("gallery.toml")).unwrap();
        let read = Definitions::from_files([("gallery.toml".to_owned(), text)]).unwrap_or_else(|no| panic!("{no:#?}"));
        read.iter().next().unwrap().clone()
    });
    &GALLERY.feeds[0]
}

/// What a file came to: its report, what it says of whom, and the rows to mend.
type ReadFile = (Report, Vec<(u64, String, Entry)>, Mend);

/// Reads a file to its end.
fn read(file: impl Read) -> Result<ReadFile, FileError> {
    let mut reader = feed().reader(file, TODAY)?;
    let (mut report, mut mend, mut said) = (Report::new(&reader), Mend::new(&reader), Vec::new());
    for row in reader.by_ref() {
        let row = row?;
        report.add(&row);
        mend.add(&row);
        if let Row::Used { line, records, .. } = row {
            said.extend(records.into_iter().map(|(id, entry)| (line, id, entry)));
        }
    }
    report.finish(&reader);
    assert!(report.every_row_is_accounted_for(), "{report}");
    Ok((report, said, mend))
}

fn told(file: impl Read) -> String {
    let (report, said, mend) = match read(file) {
        Ok(read) => read,
        Err(error) => return format!("Not used: {error}\n"),
    };
    let mut text = report.to_string();
    if let Some(csv) = mend.csv() {
        write!(text, "\nRows to mend:\n{}", csv.trim_start_matches('\u{feff}').replace('\r', "")).unwrap();
    }
    if !said.is_empty() {
        text.push_str("\nWhat was read:\n");
    }
    for (line, id, entry) in said {
        let Entry::Present(Content::Person(person)) = entry else { panic!("no person") };
        let mut lines = vec![format!("line {line}: {id}")];
        lines.extend(person.names.iter().map(fc_model::Name::display));
        lines.extend(person.birth.map(|birth| format!("born {}", birth.date)));
        lines.extend(person.nhs_number.map(|number| format!("NHS {}", number.as_str())));
        lines.extend(person.phones.iter().map(|phone| phone.as_str().to_owned()));
        let stay = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        lines.extend(person.addresses.iter().map(|address| {
            let stay = format!(" ({}..{})", stay(address.from), stay(address.to));
            format!("{}{}", address.display(), if stay == " (..)" { String::new() } else { stay })
        }));
        lines.extend(person.involvements.iter().filter_map(|involvement| Some(format!("since {}", involvement.from?))));
        writeln!(text, "{}", lines.join(" | ")).unwrap();
    }
    text
}

macro_rules! gallery {
    ($($test:ident => $file:literal,)*) => {
        /// Every sample that has a test.
        const SAMPLES: &[&str] = &[$($file,)*];
        $(
            #[test]
            fn $test() {
                let told = told(std::fs::File::open(folder().join($file)).unwrap());
                insta::with_settings!({ snapshot_path => "../../../tests/data/files/expected", prepend_module_to_snapshot => false, omit_expression => true }, {
                    insta::assert_snapshot!($file, told);
                });
            }
        )*
    };
}

gallery! {
    a_file_in_utf_8_is_read => "utf-8.csv",
    a_mark_before_the_first_heading_does_no_harm => "utf-8-with-mark.csv",
    a_file_in_utf_16_is_read => "utf-16-le.csv",
    a_file_in_utf_16_the_other_way_round_is_read => "utf-16-be.csv",
    a_file_in_windows_1252_is_read => "windows-1252.csv",
    names_in_mixed_encodings_are_mended_one_by_one => "mixed-encodings.csv",
    semicolons_are_found_out => "semicolons.csv",
    tabs_are_found_out => "tabs.csv",
    pipes_are_found_out => "pipes.csv",
    an_address_over_several_lines_is_one_cell => "multi-line-cells.csv",
    headings_may_drift => "drifting-headings.csv",
    a_heading_twice_stops_the_file => "duplicate-heading.csv",
    a_heading_twice_that_nobody_reads_does_no_harm => "unread-duplicate-heading.csv",
    the_header_again_and_a_totals_line_are_skipped_and_counted => "header-again-and-totals.csv",
    what_a_spreadsheet_destroyed_is_told_and_what_it_only_bent_is_mended => "excel-damage.csv",
    several_addresses_in_a_cell_are_several => "several-addresses.csv",
    several_rows_may_tell_of_one_person => "several-rows.csv",
    an_empty_file_says_so => "empty.csv",
    headings_alone_have_no_rows => "headings-only.csv",
    a_file_that_was_cut_short_is_told => "cut-short.csv",
    a_row_that_swallowed_others_is_not_used => "stray-quote.csv",
    a_row_that_swallowed_the_beginning_of_the_next_is_not_used => "stray-quote-before-a-quoted-cell.csv",
    a_file_that_ends_within_quotes_was_cut_short => "cut-short-in-quotes.csv",
    a_row_that_a_line_break_goes_through_is_not_two_people => "broken-row.csv",
    a_first_line_that_says_the_delimiter_is_obeyed => "says-its-delimiter.csv",
    dates_of_another_form_are_told => "dates-of-another-form.csv",
    zero_bytes_go => "zero-bytes.csv",
    a_formula_is_no_value => "formulas.csv",
    a_heading_that_may_be_about_somebody_is_told_by_its_place => "headings-that-say-too-much.csv",
    a_file_without_headings_shows_nobody => "no-headings.csv",
    a_row_with_too_many_cells_is_doubted => "too-many-cells.csv",
    rejected_rows_come_back_with_agreed_columns_only => "rejected-rows.csv",
    a_gzipped_file_is_read => "people.csv.gz",
    a_gzip_of_two_parts_is_read_to_its_end => "two-members.csv.gz",
    a_damaged_gzip_is_not_used => "damaged.csv.gz",
    a_zip_with_one_file_is_read => "one-file.zip",
    a_zip_that_packs_nothing_is_read => "stored.zip",
    a_zip_that_was_written_as_a_stream_is_read => "streamed.zip",
    what_a_mac_adds_to_a_zip_is_passed_over => "mac.zip",
    a_path_within_a_zip_goes_nowhere => "path-name.zip",
    a_zip_with_two_files_is_not_used => "several-files.zip",
    a_zip_without_a_file_is_not_used => "no-file.zip",
    a_zip_of_a_folder_is_not_used => "folder-only.zip",
    a_zip_with_a_password_is_not_used => "password.zip",
    a_zip_of_an_unusual_kind_is_not_used => "unusual-method.zip",
    a_damaged_zip_is_not_used => "damaged.zip",
    a_zip_whose_content_was_changed_is_not_used => "changed.zip",
    a_small_workbook_is_read_and_its_dates_are_dates => "workbook.xlsx",
    the_sheet_that_the_definition_names_is_read => "named-sheet.xlsx",
    a_workbook_without_that_sheet_is_not_used => "workbook-without-the-sheet.xlsx",
    a_workbook_from_before_2007_is_not_used => "old-workbook.xls",
    a_letter_is_no_workbook => "letter.docx",
}

#[test]
fn every_sample_has_a_test() {
    let kept = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let kept = kept.filter(|entry| entry.file_type().unwrap().is_file());
    let mut kept: Vec<String> = kept.map(|entry| entry.file_name().into_string().unwrap()).collect();
    kept.retain(|name| name != "gallery.toml");
    kept.sort();
    let mut tested: Vec<&str> = SAMPLES.to_vec();
    tested.sort_unstable();
    assert_eq!(kept, tested);
}

const HEADINGS: &str = "Person ID,Surname,Forename\n";

fn refused(file: impl Read) -> FileError {
    read(file).map(|(report, ..)| panic!("{report}")).unwrap_err()
}

/// Where rejected rows are, and why.
fn rejected(report: &Report) -> Vec<(u64, Reason)> {
    report.rejected_rows.iter().map(|row| (row.line, row.reason)).collect()
}

#[test]
fn a_line_without_end_is_one_rejected_row() {
    let endless = io::repeat(b'x').take(64 << 20);
    let file =
        HEADINGS.as_bytes().chain(&b"P1,Quillfeather,Ada\n"[..]).chain(endless).chain(&b"\nP2,Thistlewood,Zoe\n"[..]);
    let (report, said, mend) = read(file).unwrap();
    assert_eq!(rejected(&report), [(3, Reason::TooLong)]);
    assert_eq!(said.iter().map(|(line, id, _)| (*line, id.as_str())).collect::<Vec<_>>(), [(2, "P1"), (4, "P2")]);
    assert_eq!((report.rejected_without_id, mend.left_out()), (1, 1), "removals wait: it may be anybody's");
}

#[test]
fn a_quote_mark_that_nobody_closed_costs_its_own_megabyte_and_not_the_file() {
    let rows: String = (0..80_000).map(|row| format!("P{row},Quillfeather,Ada\n")).collect();
    let file = format!("{HEADINGS}P1,\"Thistlewood,Zoe\n{rows}");
    let (report, said, _) = read(file.as_bytes()).unwrap();
    assert_eq!(rejected(&report), [(2, Reason::TooLong)]);
    let (line, id, _) = said.first().unwrap();
    assert_eq!(*id, format!("P{}", line - 3), "reading goes on at the beginning of a line");
    assert!(said.len() > 30_000 && report.used == said.len() as u64, "{report}");
}

#[test]
fn a_file_with_a_stray_quote_is_read_the_same_however_its_bytes_arrive() {
    for file in ["stray-quote.csv", "stray-quote-before-a-quoted-cell.csv", "cut-short-in-quotes.csv"] {
        let bytes = std::fs::read(folder().join(file)).unwrap();
        let (report, ..) = read(&bytes[..]).unwrap();
        for pace in [1, 7] {
            assert_eq!(read(Slowly(&bytes, pace)).unwrap().0.to_string(), report.to_string(), "{file} at {pace}");
        }
    }
}

/// Gives so many bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn a_record_of_just_a_megabyte_is_read_and_a_larger_one_is_not_however_its_bytes_arrive() {
    for (length, fine) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let name = "a".repeat(length - "P1,\"\"\n".len());
        let file = format!("{HEADINGS}P1,\"{name}\"\nP2,Thistlewood,Zoe\n");
        for pace in [7, 8192, usize::MAX] {
            let (report, said, _) = read(Slowly(file.as_bytes(), pace)).unwrap();
            assert_eq!((report.rejected, said.len()), if fine { (0, 2) } else { (1, 1) }, "{length} at {pace}");
        }
    }
}

#[test]
fn a_million_columns_are_counted_and_few_of_them_told() {
    let width = 500_000;
    let file = format!("Person ID,Surname{}\nP1,Quillfeather{}\n", ",x".repeat(width), ",1".repeat(width));
    let (report, said, _) = read(file.as_bytes()).unwrap();
    assert_eq!((report.used, said.len()), (1, 1));
    assert_eq!(report.columns_ignored.len(), 51);
    assert_eq!(report.columns_ignored[50], "and 499950 more");

    let file = format!("Person ID,Surname{}\nP1,Quillfeather\n", ",".repeat(1_000_000));
    assert_eq!(read(file.as_bytes()).unwrap().0.used, 1, "without any heading");
    let file = format!("Person ID,Surname{}\nP1,Quillfeather\n", ",heading".repeat(1_000_000));
    assert_eq!(refused(file.as_bytes()), FileError::NoHeadings, "a header of more than a megabyte");
}

/// What packs very well and is no extract.
fn nothing(bytes: u64) -> impl Read {
    HEADINGS.as_bytes().chain(io::repeat(b'\n').take(bytes))
}

/// A zip of one packed file, as its header would say.
fn zip(name: &str, mut content: impl Read) -> Vec<u8> {
    let (mut packed, mut check) = (DeflateEncoder::new(Vec::new(), Compression::best()), Crc::new());
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = content.read(&mut chunk).unwrap();
        if read == 0 {
            break;
        }
        check.update(&chunk[..read]);
        packed.write_all(&chunk[..read]).unwrap();
    }
    let packed = packed.finish().unwrap();
    let mut zip = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0".to_vec();
    zip.extend(check.sum().to_le_bytes());
    zip.extend((packed.len() as u32).to_le_bytes());
    zip.extend(check.amount().to_le_bytes());
    zip.extend((name.len() as u16).to_le_bytes());
    zip.extend([0, 0]);
    zip.extend(name.as_bytes());
    zip.extend(packed);
    zip
}

#[test]
fn a_packed_bomb_is_given_up() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    io::copy(&mut nothing(64 << 20), &mut gzip).unwrap();
    assert_eq!(refused(&gzip.finish().unwrap()[..]), FileError::Packed(Packed::TooMuch));
    assert_eq!(refused(&zip("people.csv", nothing(64 << 20))[..]), FileError::Packed(Packed::TooMuch));
}

#[test]
fn a_workbook_that_is_not_small_is_sent_back_with_what_to_do() {
    let start = std::fs::read(folder().join("workbook.xlsx")).unwrap();
    // A sheet of more than the limit, and a picture of more than a bomb: neither is kept.
    let sheet = zip("xl/worksheets/sheet9.xml", io::repeat(b' ').take(33 << 20));
    let mut noise = 1_u32;
    let picture: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    })
    .take(17 << 20)
    .collect();
    let contents = start.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    for part in [sheet, zip("xl/media/image1.png", &picture[..])] {
        let file = [&start[..contents], &part, &start[contents..]].concat();
        let error = refused(&file[..]);
        assert!(matches!(error, FileError::Packed(Packed::WorkbookTooLarge | Packed::TooMuch)), "{error}");
    }
}

#[test]
fn what_is_mended_can_be_dropped_again() {
    let (_, _, mend) = read(std::fs::File::open(folder().join("formulas.csv")).unwrap()).unwrap();
    let csv = mend.csv().unwrap().to_owned();
    assert!(!csv.contains(",\"=") && !csv.contains(",\"+"), "{csv}");
    let mended = csv.replace("\"'=1+1\"", "\"P2\"");
    assert_ne!(mended, csv);
    let (report, said, _) = read(mended.as_bytes()).unwrap();
    assert_eq!((report.rejected, said[0].1.as_str()), (0, "P2"));

    let (report, _, mend) = read(std::fs::File::open(folder().join("workbook.xlsx")).unwrap()).unwrap();
    assert_eq!(report.rejected, 1);
    let mended = mend.csv().unwrap().replace("\"P3\",\"\"", "\"P3\",\"Lanternwick\"");
    let (report, said, _) = read(mended.as_bytes()).unwrap();
    assert_eq!((report.used, report.rejected), (1, 0));
    let Entry::Present(Content::Person(person)) = &said[0].2 else { panic!("no person") };
    assert_eq!(
        person.birth.unwrap().date.to_string(),
        "2011-01-01",
        "a workbook's date, as the definition writes dates"
    );
}

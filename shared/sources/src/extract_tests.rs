use super::*;
use crate::{Definitions, Report};
use fc_model::{Details, HandleKey, NameKind, Protection};
use jiff::civil::date;
use proptest::prelude::*;
use std::{path::Path, sync::LazyLock};

const TODAY: Date = date(2026, 3, 1);

fn shipped() -> &'static Definitions {
    static SHIPPED: LazyLock<Definitions> = LazyLock::new(|| {
        Definitions::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/sources")).unwrap()
    });
    &SHIPPED
}

fn feed(source: &str, name: &str) -> Feed {
    shipped().get(&source.parse().unwrap()).unwrap().feed(&name.parse().unwrap()).unwrap().clone()
}

fn rows(feed: &Feed, bytes: &[u8]) -> Vec<Row> {
    feed.reader(bytes, TODAY).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What a file says of people, in its order.
fn people(feed: &Feed, bytes: &[u8]) -> Vec<(String, Details)> {
    rows(feed, bytes)
        .into_iter()
        .flat_map(|row| match row {
            Row::Used { records, .. } => records,
            _ => Vec::new(),
        })
        .filter_map(|(id, entry)| match entry {
            Entry::Present(Content::Person(details)) => Some((id, *details)),
            _ => None,
        })
        .collect()
}

fn report(feed: &Feed, bytes: &[u8]) -> Report {
    Report::of(feed, bytes, TODAY).unwrap()
}

fn failure(feed: &Feed, bytes: &[u8]) -> FileError {
    feed.reader(bytes, TODAY).err().or_else(|| feed.reader(bytes, TODAY).ok()?.find_map(Result::err)).unwrap()
}

/// A children's social care file with these columns and rows.
fn csc(columns: &str, row: &str) -> Vec<u8> {
    format!("Person ID,Person Type,Forename,Surname,Date Of Birth,{columns}\n{row}\n").into_bytes()
}

#[test]
fn a_tenant_is_read_from_a_windows_file_with_semicolons() {
    let file = b"PERSON_REF;FULL_NAME;DOB;SEX;ADDRESS;PHONE;TENANCY_START;TENANCY_END;LANDLORD;ARREARS;ARREARS_DATE;OFFICER;OFFICER_PHONE\r\nH1;QUILLFEATHER, Ms Sin\xE9ad (Shin);14-Feb-84;2;\"7 Lantern Row, Fenchester, FE1 2AB\";7700900123;01-Sep-19;;Fenchester Homes;1;03-Jan-26;Odette Marchbanks;01632 960701\r\n";
    let found = people(&feed("housing", "people"), file);
    let (id, person) = &found[0];
    assert_eq!(id, "H1");
    assert_eq!(person.names[0].forenames, ["Sinéad"]);
    assert_eq!(person.names[0].surname, "QUILLFEATHER");
    assert_eq!(person.names[1].kind, NameKind::Preferred);
    assert_eq!(person.birth.unwrap().date.to_string(), "1984-02-14");
    assert_eq!(person.addresses[0].display(), "7 Lantern Row, Fenchester, FE1 2AB");
    assert_eq!(person.phones[0].as_str(), "07700900123", "the zero a spreadsheet lost");
    let tenancy = &person.involvements[0];
    assert_eq!(tenancy.current, Some(true));
    assert_eq!(tenancy.contact.name.as_deref(), Some("Odette Marchbanks"));
    assert_eq!(
        (tenancy.facts[0].name.as_str(), tenancy.facts[0].value.as_str(), tenancy.facts[0].on),
        ("rent_arrears", "Open", Some(date(2026, 1, 3)))
    );
}

#[test]
fn the_same_file_reads_the_same_in_every_encoding() {
    let text = "Student Ref\tLegal Surname\tLegal Forename\tDOB\nE1\tThistlewood\tZoë\t20150302\n";
    let feed = feed("schools", "people");
    let utf16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let little = utf16(u16::to_le_bytes);
    let mut marked = vec![0xFF, 0xFE];
    marked.extend(&little);
    let mut with_mark = b"\xEF\xBB\xBF".to_vec();
    with_mark.extend(text.as_bytes());
    let windows: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for (name, bytes) in [
        ("UTF-16 LE", little),
        ("with mark", marked),
        ("UTF-16 BE", utf16(u16::to_be_bytes)),
        ("UTF-8", text.into()),
        ("UTF-8 with mark", with_mark),
        ("Windows-1252", windows),
    ] {
        let found = people(&feed, &bytes);
        assert_eq!(found[0].1.names[0].forenames, ["Zoë"], "{name}");
    }
}

#[test]
fn headings_may_drift_in_case_spacing_and_hyphens_and_the_delimiter_too() {
    let file = b"person_id;FORE-NAME;SUR NAME;DateOfBirth\nP1;Barnaby;Quillfeather;14/02/2015\n";
    let found = people(&feed("children_social_care", "people"), file);
    assert_eq!(found[0].1.names[0].surname, "Quillfeather");
}

#[test]
fn a_file_without_a_mandatory_column_is_told_which_and_what_it_has() {
    let error =
        failure(&feed("children_social_care", "people"), b"Person ID,Forename,Date Of Birth\nP1,Barnaby,14/02/2015\n");
    assert_eq!(
        error,
        FileError::MissingColumns {
            missing: vec!["Surname".into()],
            found: vec!["Person ID".into(), "Forename".into(), "Date Of Birth".into()]
        }
    );
    assert!(error.to_string().contains("lacks the column Surname"));
}

#[test]
fn a_file_without_its_header_does_not_show_a_person_in_the_error() {
    let error = failure(&feed("children_social_care", "people"), b"P1,Barnaby,Quillfeather,14/02/2015\n").to_string();
    assert!(!error.contains("Barnaby") && !error.contains("Quillfeather"), "{error}");
}

#[test]
fn an_empty_file_says_so_and_a_header_alone_has_no_rows() {
    let feed = feed("children_social_care", "people");
    for nothing in [&b""[..], b"\xEF\xBB\xBF", b"\n\n", b" , \n"] {
        assert_eq!(failure(&feed, nothing), FileError::Empty);
    }
    assert_eq!(report(&feed, b"Person ID,Forename,Surname,Date Of Birth\n").rows, 0);
}

#[test]
fn a_heading_over_two_columns_stops_the_file_only_if_we_read_it() {
    let feed = feed("children_social_care", "people");
    let twice = b"Person ID,Forename,Surname,Surname,Date Of Birth\n";
    assert_eq!(failure(&feed, twice), FileError::DuplicateColumn("Surname".into()));
    assert_eq!(
        report(&feed, b"Person ID,Forename,Surname,Date Of Birth,Notes,Notes\n").columns_ignored,
        ["Notes", "Notes"]
    );
}

#[test]
fn blank_rows_repeated_headers_and_totals_are_skipped_and_counted() {
    let file = b"Person ID,Forename,Surname,Date Of Birth\nP1,Barnaby,Quillfeather,14/02/2015\n,,,\nPerson ID,Forename,Surname,Date Of Birth\nP2,Rosalind,Thistlewood,30/11/2012\nTotal,2,,\n";
    let report = report(&feed("children_social_care", "people"), file);
    assert_eq!((report.rows, report.used, report.rejected), (5, 2, 0));
    assert_eq!(report.skipped.values().sum::<u64>(), 3);
    assert_eq!(report.skipped.len(), 3, "{:?}", report.skipped);
}

#[test]
fn only_a_row_without_id_or_without_anybody_is_rejected() {
    let file = b"Person ID,Forename,Surname,Date Of Birth,NHS Number\n,Barnaby,Quillfeather,14/02/2015,\n4.86E+09,Barnaby,Quillfeather,14/02/2015,\nP3,UNKNOWN,,30/11/2012,\nP4,,,99/99/9999,943 476 5919\n";
    let report = report(&feed("children_social_care", "people"), file);
    let told: Vec<(u64, &str, Reason)> =
        report.rejected_rows.iter().map(|row| (row.line, row.column.as_str(), row.reason)).collect();
    assert_eq!(
        told,
        [
            (2, "Person ID", Reason::NoRecordId),
            (3, "Person ID", Reason::UnusableRecordId),
            (4, "Surname", Reason::NobodyToName)
        ]
    );
    assert_eq!((report.used, report.rejected_without_id), (1, 2));
    assert!(
        report.blanked.iter().any(|blanked| blanked.column == "Date Of Birth" && blanked.reason == Reason::NotADate)
    );
}

#[test]
fn one_bad_cell_never_removes_a_child() {
    let file = csc(
        "NHS Number,UPN,Postcode,Phone,Gender,Date Of Death",
        "P1,Child,Barnaby,Quillfeather,31/02/2015,9434765918,A123,nowhere,ask gran,7,01/01/2099",
    );
    let feed = feed("children_social_care", "people");
    let found = people(&feed, &file);
    assert_eq!(found[0].1.names[0].display(), "Barnaby Quillfeather");
    assert!(found[0].1.birth.is_none() && found[0].1.nhs_number.is_none() && found[0].1.phones.is_empty());
    let report = report(&feed, &file);
    let columns: Vec<&str> = report.blanked.iter().map(|blanked| blanked.column.as_str()).collect();
    for column in ["Date Of Birth", "NHS Number", "UPN", "Postcode", "Phone", "Gender"] {
        assert!(columns.contains(&column), "{column} not in {columns:?}");
    }
}

#[test]
fn only_agreed_fields_leave_the_reader() {
    let file = csc("Ethnicity,Notes", "P1,Child,Barnaby,Quillfeather,14/02/2015,CANARY-ETHNICITY,CANARY-NOTES");
    let feed = feed("children_social_care", "people");
    let found = people(&feed, &file);
    assert!(!serde_json::to_string(&found[0].1).unwrap().contains("CANARY"));
    assert_eq!(report(&feed, &file).columns_ignored, ["Ethnicity", "Notes"]);
}

#[test]
fn a_report_never_repeats_a_value() {
    let file = csc(
        "NHS Number,UPN,Postcode,Gender",
        "P1,Child,Zephyrine,Canary?,1/1/1900,CANARY1,CANARY2,CANARY3,CANARY4\n,,Canary,Canary,,,,,",
    );
    let report = report(&feed("children_social_care", "people"), &file);
    let told = format!("{report} {}", serde_json::to_string(&report).unwrap());
    assert!(!told.to_lowercase().contains("canary") && !told.contains("Zephyrine"), "{told}");
}

#[test]
fn an_unborn_child_has_an_expected_date_and_a_newborn_keeps_the_name_baby() {
    let file = csc(
        "Expected Date",
        "P1,Unborn child,UNBORN,Quillfeather,,01/06/2026\nP2,Unborn child,Unborn,Thistlewood,20/05/2026,\nP3,Child,BABY,Okonjo,20/02/2026,\nP4,Child,Baby of Rosalind,Okonjo,20/02/2026,",
    );
    let found = people(&feed("children_social_care", "people"), &file);
    let births: Vec<(String, bool)> =
        found.iter().map(|(_, d)| d.birth.map(|b| (b.date.to_string(), b.expected)).unwrap()).collect();
    assert_eq!(
        births,
        [
            ("2026-06-01".into(), true),
            ("2026-05-20".into(), true),
            ("2026-02-20".into(), false),
            ("2026-02-20".into(), false)
        ]
    );
    assert_eq!(found[2].1.names[0].forenames, ["BABY"]);
    assert_eq!(found[3].1.names[0].forenames, ["Baby"], "the mother's name is not the child's");
}

#[test]
fn names_not_to_be_shown_protection_and_confidential_addresses_are_kept_with_the_record() {
    let file = csc(
        "Former Names,Hide Former Names,Address,Address Confidential,Restriction,Never Link",
        "P1,Child,Barnaby,Quillfeather,14/02/2015,Jack Smith; Jacky Smith,Y,\"1 Safe House\nFenchester FE1 2AB\",Y,Hidden,P9",
    );
    let (_, person) = people(&feed("children_social_care", "people"), &file).remove(0);
    let former: Vec<_> = person.names.iter().filter(|name| name.kind == NameKind::Former).collect();
    assert_eq!(former.len(), 2);
    assert!(former.iter().all(|name| name.not_to_be_shown) && !person.names[0].not_to_be_shown);
    assert!(person.addresses[0].confidential);
    assert_eq!(person.protection, Protection::Hidden);
    assert_eq!(person.never_link, ["P9"]);
}

#[test]
fn a_protection_code_that_nobody_explained_protects() {
    let file = csc("Restriction", "P1,Child,Barnaby,Quillfeather,14/02/2015,Category X");
    let (_, person) = people(&feed("children_social_care", "people"), &file).remove(0);
    assert_eq!(person.protection, Protection::Withheld);
}

#[test]
fn that_somebody_is_not_protected_is_something_else_than_saying_nothing() {
    for (cell, is_said) in [("None", true), ("", false), ("Restricted", false), ("Category X", false)] {
        let file = csc("Restriction", &format!("P1,Child,Barnaby,Quillfeather,14/02/2015,{cell}"));
        let (_, person) = people(&feed("children_social_care", "people"), &file).remove(0);
        assert_eq!(person.unprotected, is_said, "{cell}");
    }
}

#[test]
fn a_mother_has_her_child_and_the_child_has_the_mother() {
    let file = b"Person ID,Related Person ID,Relationship,Start Date\nP1,P2,Mother,14/02/2015\nP1,P1,Sibling,\nP1,P3,Godmother,\n";
    let feed = feed("children_social_care", "relationships");
    let found = people(&feed, file);
    let told: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|(id, d)| (id.as_str(), d.relationships[0].related.as_str(), d.relationships[0].words.as_str()))
        .collect();
    assert_eq!(told[..2], [("P1", "P2", "Mother"), ("P2", "P1", "Child")]);
    assert_eq!(told[2], ("P1", "P3", "Godmother"));
    let unlisted: Vec<bool> = found.iter().map(|(_, details)| details.relationships[0].unlisted).collect();
    assert_eq!(unlisted[..4], [false, false, true, true]);
    let report = report(&feed, file);
    assert_eq!(report.rejected_rows[0].reason, Reason::NobodyRelated);
    assert!(report.blanked.iter().any(|blanked| blanked.reason == Reason::NoInverse));
}

#[test]
fn the_standard_dataset_says_same_family_whatever_the_order_of_rows() {
    let feed = feed("standard_safeguarding_dataset", "family");
    let links = |text: &str| {
        let mut links: Vec<(String, String)> = people(&feed, text.as_bytes())
            .into_iter()
            .map(|(id, d)| (id, d.relationships[0].related.clone()))
            .collect();
        links.sort();
        links
    };
    let one = links("fami_table_id,fami_family_id,fami_person_id\n1,F1,A\n2,F1,B\n3,F2,C\n4,F1,D\n");
    let other = links("fami_table_id,fami_family_id,fami_person_id\n4,F1,D\n3,F2,C\n2,F1,B\n1,F1,A\n");
    assert_eq!(one, other);
    assert_eq!(one.len(), 6, "three people, both ways");
}

#[test]
fn the_standard_dataset_gives_nhs_numbers_their_place() {
    let feed = feed("standard_safeguarding_dataset", "linked_identifiers");
    let found = people(
        &feed,
        b"link_person_id,link_identifier_type,link_identifier_value\nA,NHS Number,9434765919\nA,Passport,x123\n",
    );
    assert_eq!(found[0].1.nhs_number.as_ref().unwrap().as_str(), "9434765919");
    assert_eq!(found[1].1.other_identifiers, [("passport".to_owned(), "X123".to_owned())]);
}

#[test]
fn at_most_three_offences_are_kept_the_latest() {
    let definitions = shipped();
    let police = definitions.get(&"police".parse().unwrap()).unwrap();
    let row = "N1,Quillfeather,Barnaby,1990-05-06 00:00:00,Robbery,C,2022-10-15 00:00:00,Robbery,S,2025-11-01 00:00:00,Homicide,C,2023-01-02 00:00:00,Y";
    let file = format!(
        "nominal_ref,surname,forename_1,date_of_birth,offence1_type,offence1_outcome,offence1_date,offence2_type,offence2_outcome,offence2_date,offence3_type,offence3_outcome,offence3_date,other_offences\n{row}\n{}\n",
        row.replace("Homicide", "Other sexual offences").replace("2023-01-02", "2024-04-05")
    );
    let found = people(&police.feeds[0], file.as_bytes());
    let mut person = found[0].1.clone();
    assert_eq!(person.involvements[0].facts[1].name, "safeguarding_suspicion");
    assert_eq!(person.involvements[0].current, None, "\"current\" meant nothing for police");
    person.merge(found[1].1.clone());
    police.keep_latest_facts(&mut person);
    let days: Vec<Date> = person
        .involvements
        .iter()
        .flat_map(|i| &i.facts)
        .filter(|f| f.name.starts_with("safeguarding_"))
        .filter_map(|f| f.on)
        .collect();
    assert_eq!(days.len(), 3);
    assert!(days.iter().all(|day| *day >= date(2024, 4, 5)), "{days:?}");
}

#[test]
fn several_addresses_in_one_cell_are_several_and_only_the_present_one_goes_on() {
    let file = b"client_id,first_name,last_name,flat,house_no,street,town,post_code,previous_addresses,worker_staff_id,updated_at\nA1,Rosalind,Thistlewood,Flat 3,9,Beech Drive,Fenchester,FE1 2AB,\"12 Old Road, Kelby, FE4 8AL (2015-03-01 to 2019-05-01) | 3 New Street, Northwick FE2 3HR\",W7,2026-01-30T00:00:00Z\n";
    let (_, person) = people(&feed("adult_social_care", "people"), file).remove(0);
    assert_eq!(person.addresses[0].lines, ["Flat 3", "9 Beech Drive", "Fenchester"]);
    assert_eq!((person.addresses[1].from, person.addresses[1].to), (Some(date(2015, 3, 1)), Some(date(2019, 5, 1))));
    assert_eq!(person.addresses[2].to, Some(date(2026, 1, 30)), "ended by the day the record was true");
    assert_eq!(person.involvements[0].contact.staff_id.as_ref().unwrap().as_str(), "W7");
}

#[test]
fn a_worker_who_left_is_known_to_have_left() {
    let feed = feed("staff_directory", "staff");
    let row =
        rows(&feed, b"Staff ID,Name,Work Phone,Leaving Date\nW7,\"PENHALLOW, Mr Idris\",01632 960702,28/02/2026\n")
            .remove(0);
    let Row::Used { records, .. } = row else { panic!("the row is used") };
    let Entry::Present(Content::Staff(staff)) = &records[0].1 else { panic!("a worker") };
    assert_eq!(staff.contact.name.as_deref(), Some("Idris Penhallow"));
    assert_eq!(staff.left, Some(date(2026, 2, 28)));
}

#[test]
fn a_delta_says_who_has_left() {
    let text = include_str!("../../../infra/sources/housing.toml")
        .replace("mode = \"full\"", "mode = \"delta\"\ndeletion = { column = \"ACTION\", values = [\"D\"] }");
    let definitions = Definitions::from_files([("housing.toml".to_owned(), text)]).unwrap();
    let feed = &definitions.iter().next().unwrap().feeds[0];
    let row = rows(feed, b"PERSON_REF;FULL_NAME;ACTION\nH1;;D\n").remove(0);
    let Row::Used { records, .. } = row else { panic!("the row is used") };
    assert!(records[0].1 == Entry::Gone);
}

#[test]
fn a_file_that_was_cut_off_is_told_and_its_last_cell_not_trusted() {
    let feed = feed("children_social_care", "people");
    let file = b"Person ID,Forename,Surname,Date Of Birth\nP1,Barnaby,Quillfeather,14/02/2015\nP2,Rosalind,Thist";
    let report = report(&feed, file);
    assert!(report.cut_short);
    assert_eq!(report.used, 2);
    assert_eq!(people(&feed, file)[1].1.names[0].surname, "");
    let whole = b"Person ID,Forename,Surname,Date Of Birth\nP1,Barnaby,Quillfeather,14/02/2015";
    assert!(!Report::of(&feed, &whole[..], TODAY).unwrap().cut_short, "a missing last line end is no fault");
}

/// Where rows were rejected, and why.
fn rejected(report: &Report) -> Vec<(u64, Reason)> {
    report.rejected_rows.iter().map(|row| (row.line, row.reason)).collect()
}

#[test]
fn a_row_with_other_rows_inside_it_is_rejected_whole_and_may_be_anybodys() {
    let feed = feed("children_social_care", "people");
    let file = csc(
        "Address,Postcode",
        "P1,Child,Barnaby,Quillfeather,14/02/2015,\"The Lodge,FE1 2AB\nP2,Child,Rosalind,Thistlewood,30/11/2012,2 Mill Lane,FE2 3CD\nP3,Child,Bea,Okonjo,01/02/2015,\"3 Mill Lane\",FE2 3CE\nP4,Child,Idris,Penhallow,03/04/2017,4 Mill Lane,FE2 3CG",
    );
    let report = report(&feed, &file);
    assert_eq!(rejected(&report), [(2, Reason::OpenQuote)]);
    assert_eq!((report.used, report.rejected_without_id), (1, 1));
    assert_eq!(people(&feed, &file)[0].0, "P4");
    let Row::Rejected { cells, .. } = rows(&feed, &file).remove(0) else { panic!("the row is rejected") };
    assert!(cells.is_empty(), "other people's values are not given back as this person's");
}

#[test]
fn an_address_or_a_note_of_several_lines_with_commas_is_no_row() {
    let feed = feed("children_social_care", "people");
    for (columns, cells) in [
        ("Address", "\"Flat 2, The Wharf\n7 Lantern Row, Northwick, Fenchester, Fenshire\nFE1 2AB\""),
        (
            "Notes",
            "\"Seen with mother, father, aunt, uncle, nan, cousin, and dog.\nSaid, \"\"well, fine, yes, no, ok, so, on\"\".\"",
        ),
        ("Address", "\"7 Lantern Row,Fenchester,Fenshire,,,,,\nFE1 2AB\""),
    ] {
        let report = report(&feed, &csc(columns, &format!("P1,Child,Barnaby,Quillfeather,14/02/2015,{cells}")));
        assert_eq!((report.used, report.rejected, report.cut_short), (1, 0, false), "{cells}");
    }
}

#[test]
fn a_file_that_ends_within_quotes_was_cut_short_whatever_its_last_byte() {
    let feed = feed("children_social_care", "people");
    for end in ["", "\n", "\r\n", ",", " and Co\n"] {
        let file = csc("Address", "P1,Child,Barnaby,Quillfeather,14/02/2015,\"7 Lantern Row");
        let file = [file.trim_ascii_end(), end.as_bytes()].concat();
        let report = report(&feed, &file);
        assert!(report.cut_short && report.used == 1, "{end:?}");
        assert!(report.held_for(&feed, &[], |_| true).iter().any(|words| words.contains("cut short")), "{end:?}");
        assert!(people(&feed, &file)[0].1.addresses.is_empty(), "{end:?}: the last cell is not trusted");
    }
    let whole = csc("Address", "P1,Child,Barnaby,Quillfeather,14/02/2015,\"7 Lantern Row\"");
    for whole in [&whole[..], whole.trim_ascii_end()] {
        assert!(!report(&feed, whole).cut_short, "a closed quotation mark is an end");
    }
}

#[test]
fn a_row_that_a_line_break_goes_through_is_rejected_in_both_halves() {
    let feed = feed("children_social_care", "people");
    let file = csc(
        "Address,Postcode",
        "P1,Child,Barnaby,Quillfeather,14/02/2015,7 Lantern Row\nFenchester,FE1 2AB\nP2,Child,Bea,Okonjo,01/02/2015,4 Mill Lane,FE2 3CG",
    );
    let report = report(&feed, &file);
    assert_eq!(rejected(&report), [(2, Reason::Broken), (3, Reason::Broken)]);
    assert_eq!((report.used, report.rejected_without_id), (1, 1), "the first half says whose row it is");
}

#[test]
fn rows_without_their_last_cells_are_rows() {
    let feed = feed("children_social_care", "people");
    let file = csc("Address,Postcode", "P1,Child,Barnaby,Quillfeather\nP2,Child,Bea,Okonjo\nTotal,2");
    let report = report(&feed, &file);
    assert_eq!((report.used, report.rejected, report.skipped_rows()), (2, 0, 1), "{report}");
}

#[test]
fn a_first_line_that_says_the_delimiter_is_obeyed_and_is_no_heading() {
    let feed = feed("children_social_care", "people");
    for (line, delimiter) in [("sep=,", ","), ("SEP=;", ";"), ("\"sep=|\"", "|"), ("sep=\t", "\t")] {
        let header = ["Person ID", "Forename", "Surname", "Date Of Birth"].join(delimiter);
        let row = ["P1", "Barnaby", "Quillfeather", "14/02/2015"].join(delimiter);
        let file = format!("{line}\r\n{header}\r\n{row}\r\n");
        assert_eq!(people(&feed, file.as_bytes())[0].1.names[0].surname, "Quillfeather", "{line}");
    }
}

#[test]
fn a_column_of_which_half_cannot_be_read_holds_the_file_and_names_the_form_expected() {
    let feed = feed("children_social_care", "people");
    let file = |rows: usize, wrong: usize| {
        let row = |row| {
            let born = if row < wrong { "2015-02-14" } else { "14/02/2015" };
            format!("P{row},Child,Barnaby,Quillfeather,{born},\n")
        };
        csc("Postcode", (0..rows).map(row).collect::<String>().trim_end())
    };
    let unread = |file: &[u8], known: &[String]| -> Vec<String> {
        let words = report(&feed, file).held_for(&feed, known, |_| true);
        words.into_iter().filter(|words| words.contains("cannot be read")).collect()
    };
    let words = unread(&file(40, 20), &[]);
    assert_eq!(words.len(), 1);
    assert!(words[0].contains("column Date Of Birth, 20 of 40 values") && words[0].contains("14/02/1984"), "{words:?}");
    for (rows, wrong) in [(40, 19), (19, 19)] {
        assert!(unread(&file(rows, wrong), &[]).is_empty(), "{wrong} of {rows}");
    }
    let known = ["Date Of Birth".to_owned()];
    assert!(unread(&file(40, 40), &known).is_empty(), "it could not be read before either");
}

#[test]
fn the_development_council_would_not_be_held() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/council-dev");
    let definitions = Definitions::load_dir(&folder.join("sources")).unwrap();
    for definition in definitions.iter() {
        let bytes = std::fs::read(folder.join(format!("{}.csv", definition.source))).unwrap();
        assert!(report(&definition.feeds[0], &bytes).held_for(&definition.feeds[0], &[], |_| true).is_empty());
    }
}

#[test]
fn lines_are_numbered_as_an_editor_shows_them_whatever_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let file = format!(
            "Person ID,Forename,Surname,Date Of Birth{end}P1,Barnaby,\"Quill{end}feather\",14/02/2015{end},x,y,{end}"
        );
        let report = report(&feed("children_social_care", "people"), file.as_bytes());
        assert_eq!(report.rejected_rows[0].line, 4, "{end:?}");
    }
}

#[test]
fn a_record_changed_only_in_volatile_fields_is_unchanged() {
    let feed = feed("children_social_care", "people");
    let key = HandleKey::new([7; 32]).unwrap();
    let hash = |row: &str| {
        let (_, person) = people(&feed, &csc("Last Seen,Last Updated,Phone", row)).remove(0);
        feed.content_hash(&key, &Content::Person(Box::new(person)))
    };
    let first = hash("P1,Child,Barnaby,Quillfeather,14/02/2015,01/02/2026,02/02/2026,01632 960701");
    assert_eq!(first, hash("P1,Child,Barnaby,Quillfeather,14/02/2015,01/02/2026,04/02/2026,01632 960701"));
    assert_ne!(first, hash("P1,Child,Barnaby,Quillfeather,14/02/2015,01/02/2026,02/02/2026,01632 960702"));
    let open = "Case Status,Last Seen,Last Updated";
    let seen = |row: &str| {
        let (_, person) = people(&feed, &csc(open, row)).remove(0);
        feed.content_hash(&key, &Content::Person(Box::new(person)))
    };
    assert_ne!(
        seen("P1,Child,Barnaby,Quillfeather,14/02/2015,Open,01/02/2026,02/02/2026"),
        seen("P1,Child,Barnaby,Quillfeather,14/02/2015,Open,27/02/2026,02/02/2026"),
        "the page shows the last contact, so a newer one is sent"
    );
}

#[test]
fn a_case_is_on_a_caseload_only_while_it_is_current() {
    let feed = feed("children_social_care", "people");
    let allocated = |status: &str, end: &str| {
        let row = format!("P1,Child,Barnaby,Quillfeather,14/02/2015,{status},W100000,01/02/2025,{end}");
        let (_, person) =
            people(&feed, &csc("Case Status,Worker ID,Involvement Start,Involvement End", &row)).remove(0);
        person.allocated.len()
    };
    assert_eq!(allocated("Open", ""), 1);
    assert_eq!(allocated("Open", "01/04/2026"), 1, "an end to come");
    assert_eq!(allocated("Closed", ""), 0);
    assert_eq!(allocated("Open", "28/02/2026"), 0, "handed over yesterday");
    let standard = self::feed("standard_safeguarding_dataset", "involvements");
    let header = "invo_person_id,invo_professional_id,invo_involvement_start_date,invo_involvement_end_date";
    let of =
        |end: &str| people(&standard, format!("{header}\n1,W1,2025-02-01,{end}\n").as_bytes()).remove(0).1.allocated;
    assert_eq!((of("").len(), of("2026-01-31").len()), (1, 0));
}

#[test]
fn a_linked_identifier_that_has_ended_is_not_the_persons_any_more() {
    let feed = feed("standard_safeguarding_dataset", "linked_identifiers");
    let header = "link_person_id,link_identifier_type,link_identifier_value,link_valid_from_date,link_valid_to_date";
    let of = |kind: &str, value: &str, to: &str| {
        people(&feed, format!("{header}\n1,{kind},{value},2020-01-01,{to}\n").as_bytes()).remove(0).1
    };
    assert!(of("NHS Number", "9990000018", "").nhs_number.is_some());
    assert!(of("NHS Number", "9990000018", "2030-01-01").nhs_number.is_some());
    assert!(of("NHS Number", "9990000018", "2025-12-31").nhs_number.is_none());
    let former = of("Former Unique Pupil Number", "M999000026001", "2025-12-31");
    assert_eq!(former.other_identifiers, [("former upn".to_owned(), "M999000026001".to_owned())]);
}

#[test]
fn police_offences_are_convictions_or_suspicions_of_the_agreed_types_and_others_only_that_there_are_some() {
    let feed = feed("police", "people");
    let header = "nominal_ref,surname,offence1_type,offence1_outcome,offence1_date,offence2_type,offence2_outcome,offence2_date,offence3_type,offence3_outcome,offence3_date,other_offences";
    let facts = |cells: &str| -> Vec<(String, String, Option<Date>)> {
        let (_, person) = people(&feed, format!("{header}\nN1,Quillfeather,{cells}\n").as_bytes()).remove(0);
        let facts = person.involvements.into_iter().flat_map(|involvement| involvement.facts);
        facts.map(|fact| (fact.name, fact.value, fact.on)).collect()
    };
    let day = date(2025, 12, 24);
    let fact = |name: &str, value: &str, on| (name.to_owned(), value.to_owned(), on);
    assert_eq!(
        facts("ROBBERY,C,2025-12-24,Violence  with injury,S,2025-12-24 00:00:00,,,,N"),
        [
            fact("safeguarding_conviction", "Robbery", Some(day)),
            fact("safeguarding_suspicion", "Violence with injury", Some(day)),
        ]
    );
    assert_eq!(
        facts("Theft from a shop,C,2025-12-24,Fraud,S,2025-12-24,Rape,Z,2025-12-24,Y"),
        [fact("other_offences", "Records found", None)],
        "neither what, nor when, nor how often; an outcome nobody explained is no conviction"
    );
    let unexplained = format!("{header}\nN1,Quillfeather,Rape,Z,2025-12-24,,,,,,,N\n");
    let report = report(&feed, unexplained.as_bytes());
    assert!(
        report.blanked.iter().any(|b| b.column == "offence1_outcome" && b.reason == Reason::UnknownCode),
        "{report}"
    );
    assert_eq!(facts(",,,,,,,,,N"), []);
}

#[test]
fn an_earlier_address_without_any_day_is_told_and_not_taken_for_a_home() {
    let file = b"client_id,first_name,last_name,street,previous_addresses\nA1,Rosalind,Thistlewood,9 Beech Drive,12 Old Road (above the shop)\n";
    let feed = feed("adult_social_care", "people");
    let (_, person) = people(&feed, file).remove(0);
    assert_eq!(person.addresses.len(), 1);
    assert!(report(&feed, file).blanked.iter().any(|blanked| blanked.reason == Reason::UndatedAddress));
}

#[test]
fn the_parts_of_the_documentation_put_together_are_a_definition_that_reads_every_row() {
    let page = include_str!("../../../docs/sources.md");
    let ten_minutes = page.split_once("## Ten minutes").unwrap().1.split_once("## Every setting").unwrap().0;
    let parts = ten_minutes.split("```toml\n").skip(1).map(|part| part.split_once("```").unwrap().0);
    let text = parts.collect::<Vec<_>>().join("\n");
    let definitions = Definitions::from_files([("probation.toml".to_owned(), text)]);
    let definitions = definitions.unwrap_or_else(|problems| panic!("{problems:#?}"));
    let report = report(
        &definitions.iter().next().unwrap().feeds[0],
        include_bytes!("../../../tests/data/sources/probation.csv"),
    );
    assert_eq!((report.rows, report.used, report.columns_ignored), (3, 3, vec!["Risk level".to_owned()]));
}

#[test]
fn the_probation_example_of_the_documentation_reads_every_row() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/sources");
    let definitions = Definitions::load_dir(&dir).unwrap();
    let feed = &definitions.get(&"probation".parse().unwrap()).unwrap().feeds[0];
    let report = report(feed, include_bytes!("../../../tests/data/sources/probation.csv"));
    assert_eq!((report.rows, report.used), (3, 3));
    assert_eq!(report.columns_ignored, ["Risk level"]);
    assert!(report.blanked.is_empty() && report.quality.iter().all(|measure| measure.count == measure.of), "{report}");
}

proptest! {
    #[test]
    fn every_row_is_used_skipped_or_rejected(cells in proptest::collection::vec(proptest::collection::vec("[ -~\u{a0}é\n\"]{0,12}|Total|UNKNOWN|14/02/2015|P[0-9]", 0..7), 0..12)) {
        let mut file = b"Person ID,Forename,Surname,Date Of Birth,NHS Number\n".to_vec();
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(&mut file);
        for row in &cells {
            if !row.is_empty() {
                writer.write_record(row).unwrap();
            }
        }
        drop(writer);
        let report = report(&feed("children_social_care", "people"), &file);
        prop_assert!(report.every_row_is_accounted_for());
        prop_assert_eq!(report.rows, cells.iter().filter(|row| !row.is_empty()).count() as u64);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), headed in any::<bool>(), which in 0..4_usize) {
        let (source, name, header) = [
            ("children_social_care", "people", "Person ID,Forename,Surname,Date Of Birth,Address,Phone,Former Names\n"),
            ("housing", "people", "PERSON_REF;FULL_NAME;DOB;ADDRESS;ARREARS;ARREARS_DATE\r\n"),
            ("schools", "people", "Student Ref\tLegal Surname\tLegal Forename\tDOB\n"),
            ("children_social_care", "relationships", "Person ID,Related Person ID,Relationship\n"),
        ][which];
        let feed = feed(source, name);
        let mut file = if headed { header.as_bytes().to_vec() } else { Vec::new() };
        file.extend(bytes);
        if let Ok(report) = Report::of(&feed, &file[..], TODAY) {
            prop_assert!(report.every_row_is_accounted_for());
        }
    }

    #[test]
    fn no_text_makes_a_definition_panic(at in 0..4000_usize, length in 0..40_usize, instead in "[ -~\n]{0,10}") {
        let text = include_str!("../../../infra/sources/housing.toml");
        let (at, length) = (at.min(text.len()), length);
        let end = (at + length).min(text.len());
        if text.is_char_boundary(at) && text.is_char_boundary(end) {
            let changed = format!("{}{instead}{}", &text[..at], &text[end..]);
            let _ = Definitions::from_files([("housing.toml".to_owned(), changed)]);
        }
    }
}

/// The headings of a children's social care file that protect somebody.
const PROTECTING: &str = "Restriction,Address Confidential,Hide Former Names,Never Link";

#[test]
fn a_file_without_a_column_that_protects_somebody_is_held_and_told_which() {
    let feed = feed("children_social_care", "people");
    let row = "P1,Child,Barnaby,Quillfeather,14/02/2015,,,,";
    assert!(report(&feed, &csc(PROTECTING, row)).unprotected(|_| false).is_empty());
    let renamed = "Restriction Level,Confidential Address?,Hide Names,Never Link";
    let words = report(&feed, &csc(renamed, row)).held_for(&feed, &[], |_| true);
    assert_eq!(words.len(), 3, "{words:?}");
    for column in ["Restriction", "Address Confidential", "Hide Former Names"] {
        assert!(words.iter().any(|words| words.contains(&format!("lacks the column {column}, which protects"))));
    }
    assert!(words[0].contains("also = ["), "how to mend it: {words:?}");
}

#[test]
fn a_column_that_no_file_had_is_told_and_one_that_the_last_file_had_is_missed() {
    let definition = |protects: &str| {
        let text = format!(
            "title = \"Register\"\nservice = \"register\"\ndatabase = \"Casework\"\norganisation = \"Fenshire\"\narea = \"Fenshire\"\n\
             agreed = [\"record_id\", \"surname\", \"protection\"]\n[duty]\nteam = \"Duty\"\nphone = \"01632 960700\"\n\
             [feeds.people]\nkind = \"people\"\nmode = \"full\"\nas_of = \"upload\"\nmandatory = [\"record_id\"]\n\
             [feeds.people.columns]\nrecord_id = \"Id\"\nsurname = \"Last\"\n\
             protection = {{ column = \"Restriction\", values = {{ None = \"none\", Hidden = \"hidden\" }}{protects} }}\n"
        );
        let files = vec![
            ("council.toml".to_owned(), "name = \"Fenshire\"\ncms = \"Casework\"\n".to_owned()),
            ("register.toml".to_owned(), text),
        ];
        crate::Definitions::from_files(files).unwrap_or_else(|found| panic!("{found:#?}"))
    };
    for (protects, had, is_held) in [("", false, false), ("", true, true), (", protects = true", false, true)] {
        let definitions = definition(protects);
        let report = report(&definitions.iter().next().unwrap().feeds[0], b"Id,Last\nR1,Okafor\n");
        assert_eq!(!report.unprotected(|_| had).is_empty(), is_held, "{protects} {had}");
        assert_eq!(report.never_protected(|_| had).is_empty(), is_held, "{protects} {had}");
    }
}

#[test]
fn an_error_or_an_unknown_code_where_somebody_is_protected_holds_the_file_and_protects() {
    let feed = feed("children_social_care", "people");
    for (cells, column) in [
        ("Very secret,,,", "Restriction"),
        ("#REF!,,,", "Restriction"),
        (",#N/A,,", "Address Confidential"),
        (",perhaps,,", "Address Confidential"),
        (",=A1,,", "Address Confidential"),
        (",,#NAME?,", "Hide Former Names"),
        (",,####,", "Hide Former Names"),
        (",,,4.86E+09", "Never Link"),
        (",,,#VALUE!", "Never Link"),
    ] {
        let columns = format!("Address,Former Names,{PROTECTING}");
        let row = format!("P1,Child,Barnaby,Quillfeather,14/02/2015,7 Lantern Row,Ada Moss,{cells}");
        let file = csc(&columns, &row);
        let words = report(&feed, &file).held_for(&feed, &[], |_| true);
        assert!(words.len() == 1 && words[0].contains(&format!("In the column {column}, which protects")), "{words:?}");
        let (_, person) = &people(&feed, &file)[0];
        match column {
            "Restriction" => assert_eq!(person.protection, Protection::Withheld, "{cells}"),
            "Address Confidential" => assert!(person.addresses[0].confidential, "{cells}"),
            "Hide Former Names" => assert!(person.names[1].not_to_be_shown, "{cells}"),
            _ => assert!(person.never_link.is_empty(), "{cells}"),
        }
    }
}

#[test]
fn every_shipped_definition_holds_a_file_without_what_protects() {
    let mut protecting = Vec::new();
    for feed in shipped().iter().flat_map(|definition| &definition.feeds) {
        let headings: BTreeSet<&str> = feed
            .columns
            .iter()
            .filter(|(field, mapping)| !mapping.protects(*field))
            .flat_map(|(_, mapping)| mapping.columns.iter().filter_map(|names| names.first()))
            .map(String::as_str)
            .collect();
        let deleted = match &feed.mode {
            crate::Mode::Delta { deleted: Some((column, _)) } => column.as_str(),
            _ => "Nothing",
        };
        let file = format!("{},{deleted}\n", headings.into_iter().collect::<Vec<_>>().join(","));
        let told = report(feed, file.as_bytes()).unprotected(|_| false);
        let columns = feed.columns.iter().filter(|(field, _)| field.protects());
        for (_, mapping) in columns {
            let name = &mapping.columns[0][0];
            assert!(told.iter().any(|words| words.contains(name)), "{}: {name}: {told:?}", feed.source);
            protecting.push(format!("{}: {name}", feed.source));
        }
    }
    assert_eq!(
        protecting,
        [
            "adult_social_care: protected",
            "children_social_care: Hide Former Names",
            "children_social_care: Address Confidential",
            "children_social_care: Restriction",
            "children_social_care: Never Link"
        ]
    );
}

#[test]
fn a_column_that_was_filled_and_has_gone_empty_is_told_with_what_it_had() {
    let feed = feed("housing", "people");
    let file = |officer: &str| {
        let row = |row| format!("H{row},\"QUILLFEATHER, Ms Ada\",14-Feb-84,{officer}\n");
        format!("PERSON_REF,FULL_NAME,DOB,OFFICER\n{}", (1..=30).map(row).collect::<String>())
    };
    let (full, empty) = (report(&feed, file("Odette Marchbanks").as_bytes()), report(&feed, file("").as_bytes()));
    let whole = |before: &Report| {
        let columns: Vec<_> = before.columns.iter().map(|c| (c.column.clone(), c.filled)).collect();
        move |name: &str| {
            let (_, filled) = columns.iter().find(|(column, _)| column == name)?;
            Some(crate::report::Before { filled: *filled, rows: 30, whole: true })
        }
    };
    let words = empty.emptied(&feed, whole(&full));
    assert!(words.len() == 1 && words[0].contains("OFFICER had 30 values in 30 rows"), "{words:?}");
    assert!(words[0].contains("has none in 30 rows"), "{words:?}");
    assert!(full.emptied(&feed, whole(&full)).is_empty() && full.emptied(&feed, whole(&empty)).is_empty());
    let errors = report(&feed, file("#REF!").as_bytes());
    assert_eq!(errors.emptied(&feed, whole(&full)).len(), 1, "an error is no value");
    let gone = report(&feed, file("x").replace("OFFICER", "CONTACT").as_bytes());
    assert!(gone.emptied(&feed, whole(&full))[0].contains("the file lacks it"));
    let lenient = Feed { emptied_limit: 1.0, ..feed.clone() };
    assert!(empty.emptied(&lenient, whole(&full)).is_empty(), "the definition may say how much may go");
}

#[test]
fn the_last_value_of_a_column_that_protects_is_missed() {
    let feed = feed("children_social_care", "people");
    let columns = PROTECTING.to_owned();
    let blank = report(&feed, &csc(&columns, "P1,Child,Barnaby,Quillfeather,14/02/2015,,,,"));
    let before = |name: &str| {
        let filled = u64::from(name == "Address Confidential");
        Some(crate::report::Before { filled, rows: 30, whole: true })
    };
    let words = blank.emptied(&feed, before);
    assert!(
        words.len() == 1 && words[0].contains("Address Confidential, which protects people, had 1 value "),
        "{words:?}"
    );
    let delta = |name: &str| before(name).map(|before| crate::report::Before { whole: false, ..before });
    assert!(blank.emptied(&feed, delta).is_empty(), "a delta of one row need not name everybody who is protected");
}

#[test]
fn a_record_id_that_is_a_placeholder_makes_no_record() {
    let feed = feed("children_social_care", "people");
    for id in [
        "0", "00000", "########", "UNKNOWN", "nan", "#NUM!", "TBC", "N/A", "None", "null", "-", "test", "XXXX",
        "9999999",
    ] {
        let file = csc("Address", &format!("{id},Child,Aldous,Pikeham,01/02/2011,1 Id Street"));
        let report = report(&feed, &file);
        assert_eq!((report.used, report.rejected, report.rejected_without_id), (0, 1, 1), "{id}");
        assert!(report.every_row_is_accounted_for());
    }
}

#[test]
fn one_record_id_on_two_people_is_told_and_gives_neither() {
    let feed = feed("children_social_care", "people");
    let file = csc(
        "Address",
        "T1,Parent,Gerald,Swinscoe,01/02/1971,5 Row\nT1,Child,Primrose,Swinscoe,09/08/2012,5 Row\nT2,Child,Ada,Moss,09/08/2012,\nT2,Child,Ada,Moss,09/08/2012,6 Row",
    );
    let report = report(&feed, &file);
    assert_eq!((report.rows, report.used, report.rejected), (4, 2, 2));
    assert!(report.every_row_is_accounted_for());
    let told: Vec<_> = report.rejected_rows.iter().map(|row| (row.line, row.column.as_str(), row.reason)).collect();
    assert_eq!(told, [(2, "Person ID", Reason::SharedRecordId), (3, "Person ID", Reason::SharedRecordId)]);
    assert!(report.rejected_share() > feed.reject_limit, "a file with many is held");
}

#[test]
fn what_the_standard_dataset_writes_for_nothing_is_no_value_anywhere() {
    let feed = feed("standard_safeguarding_dataset", "person");
    let file = b"pers_legacy_id,pers_person_id,pers_upn,pers_forename,pers_surname,pers_sex,pers_gender,pers_ethnicity,pers_dob,pers_single_unique_id,pers_upn_unknown,pers_expected_dob,pers_death_date\n,900008,SSD_PH,Jay,Ollerenshaw,M,,,2014-05-06 00:00:00.000,SSD_PH,UN1,,\n,900005,ssd_ph,SSD_PH,SSD_PH01,M,,,2013-02-03 00:00:00.000,SSD PH,UN1,,\n";
    let found = people(&feed, file);
    assert!(found[1].1.names.is_empty(), "nobody is called SSD_PH");
    assert!(found.iter().all(|(_, person)| person.upn.is_none()));
    assert_eq!(found[0].1.single_unique_identifier, None);
    let feed = self::feed("standard_safeguarding_dataset", "linked_identifiers");
    let file = b"link_table_id,link_person_id,link_identifier_type,link_identifier_value,link_valid_from_date,link_valid_to_date\n0,900001,Former Unique Pupil Number,SSD_PH,,\n";
    assert!(people(&feed, file).iter().all(|(_, person)| person.other_identifiers.is_empty()));
}

#[test]
fn numbers_and_addresses_that_are_nobodys_are_left_out_and_told() {
    let feed = feed("children_social_care", "people");
    let columns = "NHS Number,UPN,Phone,Email";
    let row = |nhs: &str, upn: &str, phone: &str, email: &str| {
        csc(columns, &format!("P1,Child,Barnaby,Quillfeather,14/02/2015,{nhs},{upn},{phone},{email}"))
    };
    for file in [
        row("9876543210", "", "", ""),
        row("0123456789", "", "", ""),
        row("", "", "07777777777", ""),
        row("", "", "01234567890", ""),
        row("", "", "", "noemail@noemail.com"),
        row("", "", "", "na@na.com"),
    ] {
        let (_, person) = &people(&feed, &file)[0];
        assert!(person.nhs_number.is_none() && person.phones.is_empty() && person.emails.is_empty());
        let report = report(&feed, &file);
        assert_eq!(report.blanked.iter().map(|b| b.reason).collect::<Vec<_>>(), [Reason::Placeholder]);
    }
    let (_, person) = &people(&feed, &row("999 000 0018", "", "07700 900123", "ada@mail.example"))[0];
    assert!(person.nhs_number.is_some() && person.phones.len() == 1 && person.emails.len() == 1);
    let unknown = row("", "UN1", "", "");
    assert!(
        people(&feed, &unknown)[0].1.upn.is_none() && report(&feed, &unknown).blanked.is_empty(),
        "a code for none"
    );
}

#[test]
fn the_first_of_january_1970_is_no_birth_date() {
    let feed = feed("children_social_care", "people");
    let born = |birth: &str| people(&feed, &csc("Address", &format!("P1,Child,Ada,Moss,{birth},")))[0].1.birth;
    assert!(born("01/01/1970").is_none() && born("02/01/1970").is_some());
    assert!(born("\u{200e}03/05/2015").is_some() && born("'03/05/2015").is_some());
}

/// The names of one child: kind, forenames, surname, whether hidden.
fn names_of(cells: &str) -> Vec<String> {
    let feed = feed("children_social_care", "people");
    let file = format!("Person ID,Surname,Forename,Date Of Birth,Hide Former Names\nP1,{cells}\n");
    let found = people(&feed, file.as_bytes());
    found.first().map_or_else(Vec::new, |(_, person)| {
        let name = |name: &fc_model::Name| {
            let hidden = if name.not_to_be_shown { " hidden" } else { "" };
            format!("{:?} {}/{}{hidden}", name.kind, name.forenames.join(" "), name.surname)
        };
        person.names.iter().map(name).collect()
    })
}

#[test]
fn notes_in_a_names_cell_give_the_names_they_say_and_no_other() {
    for (cells, want) in [
        (
            "Trewhella (née Polglaze),Mary (known as Molly),,",
            &["Current Mary/Trewhella", "Preferred Molly/Trewhella", "Former Mary/Polglaze"][..],
        ),
        ("Carvossa (deceased),John (DO NOT VISIT ALONE),,", &["Current John/Carvossa"]),
        ("Bosanko nee Chegwin,Kerensa,,", &["Current Kerensa/Bosanko", "Former Kerensa/Chegwin"]),
        ("Nankivell aka Rosewarne,Denzel,,", &["Current Denzel/Nankivell", "Alias Denzel/Rosewarne"]),
        (
            "Opie - formerly Hocking,Sam (Samantha),,",
            &["Current Sam/Opie", "Preferred Samantha/Opie", "Former Sam/Hocking"],
        ),
        ("Transby,Alex (was Joanna),,Y", &["Current Alex/Transby", "Former Joanna/Transby hidden"]),
        ("Adoptby (Birthmother),Poppy (Lily),,Y", &["Current Poppy/Adoptby", "Former Lily/Adoptby hidden"]),
        ("Transden,Robin formerly Susan,,Y", &["Current Robin/Transden", "Former Susan/Transden hidden"]),
        ("Nee,Born,,", &["Current Born/Nee"]),
        ("Chan,Mei Nee Ann,,", &["Current Mei Nee Ann/Chan"]),
    ] {
        assert_eq!(sorted(names_of(cells)), sorted(want.iter().map(ToString::to_string).collect()), "{cells}");
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn a_newborn_has_none_of_its_mothers_names() {
    for (cells, want) in [
        ("Jarroldson,Unborn baby (mother Emily Jarroldson),,", "Current Unborn baby/Jarroldson"),
        ("Vashisht,Baby girl - mother Priya Vashisht,,", "Current Baby girl/Vashisht"),
        ("Quaifeson,UB of Fiona,,", "Current Unborn/Quaifeson"),
        ("Vashisht,Baby (Priya),,", "Current Baby/Vashisht"),
        ("Oakenshaw,Unborn (Mum: Chloe),,", "Current Unborn/Oakenshaw"),
        ("Winfarthing (mother: Tara),Unborn baby,,", "Current Unborn baby/Winfarthing"),
        ("Ravel,Unborn child of Dawn Ravel,,", "Current Unborn child/Ravel"),
        ("Ravel,Baby of Priya Sharma,,", "Current Baby/Ravel"),
        ("Ravel,B/O Dawn,,", "Current Baby/Ravel"),
        ("Ravel,Dawn's baby,,", "Current baby/Ravel"),
        ("Ravel,Baby Oliver,,", "Current Baby Oliver/Ravel"),
    ] {
        assert_eq!(names_of(cells), [want], "{cells}");
    }
}

#[test]
fn systems_words_are_taken_out_of_names_or_told() {
    for (cells, want) in [
        ("DUPLICATE_Brownhillier,MIG_ERROR_Tobias,,", "Current Tobias/Brownhillier"),
        ("Gisburnham,NOT ENTERED,,", "Current /Gisburnham"),
        ("Hamkarzai,FNU,,", "Current /Hamkarzai"),
        ("LNU,Leyla,,", "Current Leyla/"),
        ("Pennistone,zzz Do Not Use,,", "Current /Pennistone"),
        ("XX Cottinghamer,Marta,,", "Current Marta/Cottinghamer"),
        ("Merged Sandsendby,Olga (dup),,", "Current Olga/Sandsendby"),
        ("Null,Christopher,,", "Current Christopher/Null"),
    ] {
        assert_eq!(names_of(cells), [want], "{cells}");
        let feed = feed("children_social_care", "people");
        let file = format!("Person ID,Surname,Forename,Date Of Birth,Hide Former Names\nP1,{cells}\n");
        assert!(cells.starts_with("Null") || !report(&feed, file.as_bytes()).blanked.is_empty(), "{cells} is told");
    }
}

#[test]
fn of_two_people_in_one_cell_the_first_is_kept_and_nothing_of_the_second() {
    let feed = feed("housing", "people");
    for (cell, want, told) in [
        ("Mr Alan & Mrs Beryl Osmotherley", "Alan/Osmotherley", Some(Reason::SecondPerson)),
        ("Mr & Mrs Dunnockshaw", "/Dunnockshaw", Some(Reason::SecondPerson)),
        ("HEPTONSTALL, Mr Colin and Mrs Gwen", "Colin/HEPTONSTALL", Some(Reason::SecondPerson)),
        ("J and B Smith", "J/Smith", Some(Reason::SecondPerson)),
        ("Mr Alan Smith & Mrs Beryl Jones", "Alan/Smith", Some(Reason::SecondPerson)),
        ("Mr T Wensley / Ms R Fell", "T/Wensley", Some(Reason::SecondPerson)),
        ("Exors of Mr Percy Slaidburn (dec'd)", "Percy/Slaidburn", Some(Reason::NameNote)),
        ("Baby of Priya Sharma", "Baby/Sharma", Some(Reason::NameNote)),
        ("ANDERSON, Mr Andy", "Andy/ANDERSON", None),
    ] {
        let file = format!("PERSON_REF,FULL_NAME,DOB\nH1,\"{cell}\",\n");
        let (_, person) = &people(&feed, file.as_bytes())[0];
        let names: Vec<_> = person.names.iter().map(|n| format!("{}/{}", n.forenames.join(" "), n.surname)).collect();
        assert_eq!(names, [want], "{cell}");
        let reasons: Vec<_> = report(&feed, file.as_bytes()).blanked.iter().map(|blanked| blanked.reason).collect();
        assert_eq!(reasons.first().copied(), told, "{cell}: {reasons:?}");
    }
    let occupier = b"PERSON_REF,FULL_NAME,DOB\nH1,The Occupier,\n";
    let report = report(&feed, occupier);
    assert_eq!(report.rejected_rows[0].reason, Reason::NoPerson);
    assert!(report.rejected_share() == 0.0 && report.every_row_is_accounted_for(), "no sign of a bad file");
}

#[test]
fn the_end_of_a_report_is_nobody() {
    let feed = feed("children_social_care", "people");
    let footers = [
        "Report run on 29/11/2026 06:00 by JDOE,,,,,",
        "Page 1 of 1,,,,,",
        "Printed by:,,J Doe,,29/11/2026,",
        "End of report,,,,,",
        "*** END ***,,,,,",
        "(1 row(s) affected),,,,,",
        "(200 rows affected),,,,,",
        "Copyright 2026,,Fenshire Council,,,",
        "Run date:,,29/11/2026,,,",
        "Total,7,,,,",
    ];
    let file = csc("Address", &format!("P1,Child,Ada,Moss,14/02/2015,\n{}", footers.join("\n")));
    let report = report(&feed, &file);
    assert_eq!((report.used, report.skipped_rows(), report.rejected), (1, footers.len() as u64, 0), "{report}");
    let file = csc("Address", "P1,Child,Page,Totals,14/02/2015,\nPage1,Child,Ada,Printed,14/02/2015,");
    assert_eq!(self::report(&feed, &file).used, 2, "names and ids that look like such words");
}

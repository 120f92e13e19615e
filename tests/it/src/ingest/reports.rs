//! What owners are told, and get back to mend.

use super::*;

/// The rows that an owner gets back of the latest file.
async fn given_back(council: &Council, report: &Report) -> String {
    let key = report.rejected_file.as_ref().unwrap();
    String::from_utf8(council.store.reports.get(key).await.unwrap()).unwrap()
}

#[tokio::test]
async fn rejected_rows_are_mended_and_sent_again_and_nobody_is_removed_by_it() {
    let council = Council::new().await;
    let file = "Ref,Forename,Surname,DOB,Religion\nH1,Amir,Akhtar,01/02/2015,x\nH2,Beth,Akhtar,03/04/2016,x\n\
                ,Carl,Akhtar,05/06/2017,x\nH4,,,07/08/2018,x\n";
    let held = council.load("housing/march.csv", file).await;
    assert_eq!(held.state, LoadState::Held);
    let file = format!("{file}H5,Dora,Akhtar,09/10/2019,x\n");
    let report = council.load("housing/april.csv", &file).await;
    assert_eq!((report.state, report.rows.rejected), (LoadState::Applied, 2));
    assert_eq!(council.people(), ["Amir", "Beth", "Dora"]);

    let rows = given_back(&council, &report).await;
    let expected = "\u{feff}\"Ref\",\"Forename\",\"Surname\",\"DOB\"\r\n\"\",\"Carl\",\"Akhtar\",\"05/06/2017\"\r\n\
                    \"H4\",\"\",\"\",\"07/08/2018\"\r\n";
    assert_eq!(rows, expected, "agreed columns, and no other");
    assert!(report.rejected_file.as_ref().unwrap().starts_with("rejected/housing/people/"));

    let mended =
        rows.replace("\"\",\"Carl\"", "\"H3\",\"Carl\"").replace("\"H4\",\"\",\"\"", "\"H4\",\"Ewan\",\"Akhtar\"");
    let report = council.load("housing/april.rejected.csv", &mended).await;
    assert_eq!((report.state, report.records.added, report.records.removed), (LoadState::Applied, 2, 0));
    assert_eq!(council.people(), ["Amir", "Beth", "Carl", "Dora", "Ewan"]);
    assert_eq!(report.rejected_file, None);

    let repaired = file.replace("\n,Carl", "\nH3,Carl").replace("H4,,", "H4,Ewan,Akhtar");
    let report = council.load("housing/may.csv", &repaired).await;
    assert_eq!((report.state, report.records.unchanged), (LoadState::Applied, 5), "the source says the same now");
}

#[tokio::test]
async fn mended_rows_are_refused_where_they_would_replace_other_rows_of_their_record() {
    let council = Council::new().await;
    let file = "Ref,Forename,Surname,DOB\nH1,Amir,Akhtar,01/02/2015\nH1,,,01/02/2015\nH2,Beth,Akhtar,03/04/2016\n";
    let report = council.load("housing/march.csv", file).await;
    assert_eq!((report.state, report.rows.rejected, report.mend_in_whole), (LoadState::Applied, 1, true));
    assert!(!report.words.iter().any(|words| words.contains("send that")), "{:?}", report.words);

    let mended = given_back(&council, &report).await.replace("\"H1\",\"\",\"\"", "\"H1\",\"Aamir\",\"Khan\"");
    let report = council.load("housing/march.rejected.csv", &mended).await;
    assert_eq!(report.state, LoadState::Refused);
    assert!(report.words[0].contains("Mend the rows in the whole extract and send that."), "{:?}", report.words);
    assert_eq!(council.people(), ["Amir", "Beth"]);
}

#[tokio::test]
async fn a_packed_file_is_loaded_as_it_would_be_unpacked() {
    let council = Council::new().await;
    let report = council.load("housing/march.csv.gz", gzipped(&extract(&AMIR_BETH_CARL))).await;
    assert_eq!((report.state, report.rows.used), (LoadState::Applied, 3));
    assert_eq!(report.format, "gzip, UTF-8, commas");
    let report = council.load("housing/april.csv", extract(&AMIR_BETH_CARL)).await;
    assert_eq!(report.records.unchanged, 3);
    let mut damaged = gzipped(&extract(&AMIR_BETH_CARL));
    damaged.truncate(damaged.len() - 6);
    let report = council.load("housing/may.csv.gz", damaged).await;
    assert_eq!(report.state, LoadState::Refused);
    assert!(report.words[0].contains("damaged or was cut short"), "{:?}", report.words);
    assert_eq!(council.people(), ["Amir", "Beth", "Carl"]);
}

/// A gzip file whose content is stored as it is.
fn gzipped(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn a_report_shows_how_quality_went_over_the_last_loads() {
    let council = Council::new().await;
    council.load("housing/march.csv", extract(&AMIR_BETH_CARL)).await;
    council.load("housing/empty.csv", "").await;
    let worse = extract(&AMIR_BETH_CARL).replace("Carl,Akhtar,01/02/2015", "Carl,Akhtar,");
    let report = council.load("housing/april.csv", &worse).await;
    assert_eq!(report.history.len(), 1, "a refused file has no measures");
    let page = council.store.reports.get("housing/people/latest.html").await.unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("aria-label=\"people with a date of birth: 100.0%, now 66.7%\""), "{page}");
}

#[tokio::test]
async fn a_heading_that_may_be_somebodys_name_and_number_is_not_repeated() {
    let council = Council::new().await;
    let file = "Ref,Forename,Surname,DOB,Zephyrine 07700 900123\nH1,Amir,Akhtar,01/02/2015,x\n";
    let report = council.load("housing/march.csv", file).await;
    assert_eq!(report.columns_ignored, ["column 5"]);
    let page = council.store.reports.get("housing/people/latest.html").await.unwrap();
    assert!(!String::from_utf8(page).unwrap().contains("Zephyrine"));
}

//! The operator's program: what a council engineer types, and what it answers.

use crate::end_to_end_harness::{Extracts, Town, bearer, csv_records, definitions, root, send};
use fc_local::DataFolder;
use fc_synth::demo;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// The development council's extracts, with the rows of each sample.
const SAMPLES: [(&str, usize); 5] = [
    ("adult_social_care", 60),
    ("children_social_care", 60),
    ("education", 60),
    ("housing", HOUSING),
    ("youth_justice", 17),
];
const HOUSING: usize = 63;

fn samples() -> PathBuf {
    root().join("tests/data/council-dev")
}

fn program(arguments: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("family-context");
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::null()).kill_on_drop(true);
    // The machine's own settings must not lead a test to somebody's stack.
    for name in ["TABLE_RECORDS", "TABLE_LOADS", "BUCKET_REPORTS", "QUEUE_INGEST"] {
        command.env_remove(name);
    }
    command
}

/// What a command that ends by itself answered: whether it succeeded, and what it wrote.
async fn run(arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = program(arguments).output().await.unwrap();
    let written = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.success(), written)
}

/// A running stack.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    written: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = program(&[&["local", "--port", "0"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, written: String::new() }
    }

    /// Reads on to the first line that starts so.
    async fn line(&mut self, start: &str) -> String {
        loop {
            let line = self.lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended before it said \"{start}\":\n{}", self.written));
            self.written.push_str(&line);
            self.written.push('\n');
            if line.starts_with(start) {
                return line;
            }
        }
    }

    async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The first cells of a file's rows.
fn record_ids(source: &str) -> Vec<String> {
    let bytes = std::fs::read(samples().join(format!("{source}.csv"))).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let rows = csv_records(&text);
    rows[1..].iter().map(|row| format!("{source}:{}", row.split(',').next().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_of_the_development_council_is_linked_to_a_person() {
    let folder = DataFolder::open(None).unwrap();
    let (sources, out) = (samples().join("sources"), folder.path().join("people.csv"));
    let extracts: Vec<String> = SAMPLES
        .iter()
        .map(|(source, _)| format!("{source}={}", samples().join(format!("{source}.csv")).display()))
        .collect();
    let mut arguments = vec!["link", "--sources", text(&sources), "--out", text(&out)];
    arguments.extend(extracts.iter().map(String::as_str));
    let (linked, said) = run(&arguments).await;
    assert!(linked, "{said}");
    for (source, rows) in SAMPLES {
        assert!(said.contains(&format!("{source}: {rows} rows, {rows} used, 0 skipped, 0 rejected\n")), "{said}");
    }

    let written = std::fs::read_to_string(&out).unwrap();
    let mut lines = written.lines();
    assert_eq!(lines.next(), Some("record_id,person_id"));
    let pairs: Vec<(&str, &str)> = lines.map(|line| line.split_once(',').unwrap()).collect();
    let found: BTreeSet<String> = pairs.iter().map(|(record, _)| (*record).to_owned()).collect();
    let expected: BTreeSet<String> = SAMPLES.iter().flat_map(|(source, _)| record_ids(source)).collect();
    assert_eq!(found, expected, "each record of each file, and no other");
    assert_eq!(pairs.len(), expected.len(), "once");
    let people: BTreeSet<&str> = pairs.iter().map(|(_, person)| *person).collect();
    assert!(!people.contains("") && people.len() < pairs.len(), "{} people", people.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_would_become_of_each_row_and_loads_nothing() {
    let sources = samples().join("sources");
    let (fine, said) = run(&["check", "--sources", text(&sources)]).await;
    assert!(fine && said.ends_with("No mistakes found.\n"), "{said}");
    for (source, rows) in SAMPLES {
        let file = samples().join(format!("{source}.csv"));
        let (fine, said) = run(&["check", "--sources", text(&sources), text(&file)]).await;
        assert!(fine && said.contains(&format!("\n{rows} rows: {rows} used, 0 skipped, 0 rejected\n")), "{said}");
        let (fine, said) = run(&["check", "--sources", text(&sources), "--json", text(&file)]).await;
        let report: Value = serde_json::from_str(&said).unwrap();
        assert!(fine && report["rows"] == rows && report["used"] == rows, "{report}");
    }

    let folder = DataFolder::open(None).unwrap();
    let anonymous = folder.path().join("october.csv");
    std::fs::write(&anonymous, "PersonID,Forename,Surname,DateOfBirth\n1,Ada,Quill,01/02/2015\n,,,03/04/2016\n")
        .unwrap();
    let check = ["check", "--sources", text(&sources), text(&anonymous)];
    let (fine, said) = run(&[&check[..], &["--source", "children_social_care"]].concat()).await;
    assert!(!fine && said.contains("2 rows: 1 used, 0 skipped, 1 rejected"), "{said}");
    assert!(said.contains("This file would not be loaded as it is. 50.0% of its rows were rejected"), "{said}");
    let (fine, said) = run(&check).await;
    assert!(!fine && said.contains("There is no source \"october\". The sources are: adult_social_care,"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_reads_packed_files_and_workbooks_as_they_will_be_read() {
    let gallery = root().join("tests/data/files");
    let sources = DataFolder::open(None).unwrap();
    std::fs::copy(gallery.join("gallery.toml"), sources.path().join("gallery.toml")).unwrap();
    for file in ["people.csv.gz", "one-file.zip", "utf-8.csv"] {
        let file = gallery.join(file);
        let check = ["check", "--sources", text(sources.path()), text(&file), "--source", "gallery"];
        let (fine, said) = run(&check).await;
        assert!(fine && said.contains("\n2 rows: 2 used, 0 skipped, 0 rejected\n"), "{said}");
    }
    let folder = DataFolder::open(None).unwrap();
    let named = folder.path().join("Gallery.csv.gz");
    std::fs::copy(gallery.join("people.csv.gz"), &named).unwrap();
    let (fine, said) = run(&["check", "--sources", text(sources.path()), text(&named)]).await;
    assert!(fine && said.starts_with("gallery, people (gzip, UTF-8, commas)\n"), "{said}");
    let (fine, said) = run(&["check", text(&gallery.join("several-files.zip")), "--source", "housing"]).await;
    assert!(!fine && said.contains("The .zip holds more than one file. Send each file by itself"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_file_or_folder_is_told_as_what_it_is() {
    let folder = DataFolder::open(None).unwrap();
    let gone = folder.path().join("hosing.csv");
    let (fine, said) = run(&["check", text(&gone)]).await;
    assert!(!fine && said.starts_with("There is no file ") && said.contains("Check the name"), "{said}");
    let (fine, said) = run(&["check", text(folder.path())]).await;
    assert!(!fine && said.contains(" is a folder. Give one file"), "{said}");
    let (fine, said) = run(&["check", "--sources", text(folder.path())]).await;
    assert!(!fine && said.contains("There is no source definition in this folder."), "{said}");
    let (fine, said) = run(&["reconcile"]).await;
    assert!(!fine && said.starts_with("Which stack? Give --data DIR"), "{said}");
    let (fine, said) = run(&["reconcile", "--data", text(&gone)]).await;
    assert!(!fine && said.starts_with("No stack is running with the data folder"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_is_one_stacks_and_a_crash_leaves_it_free() {
    let folder = DataFolder::open(None).unwrap();
    let kept = folder.path().join("kept");
    let mut first = Running::start(&["--people", "20", "--data", text(&kept)]);
    first.line("ready ").await;
    let (fine, said) = run(&["local", "--port", "0", "--people", "20", "--data", text(&kept)]).await;
    assert!(!fine && said.contains("Another stack is running with the data folder"), "{said}");
    let (fine, said) = run(&["reconcile", "--data", text(&kept)]).await;
    assert!(fine && said.ends_with("They agree.\n"), "{said}");
    // Killed, so that nothing is tidied up.
    first.stop().await;
    let mut second = Running::start(&["--people", "20", "--data", text(&kept)]);
    second.line("ready ").await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_tells_every_mistake_in_the_definitions_with_its_place() {
    let wrong = definitions(|name, text| match name {
        "housing.toml" => text.replace("database =", "databse ="),
        "schools.toml" => text.replace("01632 960400", "ring Jo"),
        _ => text,
    });
    let (fine, said) = run(&["check", "--sources", text(wrong.path())]).await;
    assert!(!fine);
    for mistake in ["housing.toml line 5:", "Did you mean \"database\"?", "schools.toml line", "not a phone number"] {
        assert!(said.contains(mistake), "{mistake} not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_extracts_is_loaded_and_every_row_and_file_is_accounted_for() {
    let folder = DataFolder::open(None).unwrap();
    for (source, _) in SAMPLES {
        let file = format!("{source}.csv");
        std::fs::copy(samples().join(&file), folder.path().join(&file)).unwrap();
    }
    std::fs::write(folder.path().join("truth.csv"), "source,record\n").unwrap();
    // A column that must be there is not.
    std::fs::write(folder.path().join("youth_justice.csv"), "YP Ref,D.O.B\n1,01.02.10\n").unwrap();
    let sources = samples().join("sources");
    let mut stack = Running::start(&["--sources", text(&sources), "--extracts", text(folder.path())]);
    stack.line("ready http://127.0.0.1:").await;
    let said = &stack.written;

    assert!(said.contains("not loaded: truth.csv (no source of that name is switched on)\n"), "{said}");
    for (source, rows) in SAMPLES.into_iter().filter(|(source, _)| *source != "youth_justice") {
        let line = format!("load report: {source}/people applied. {rows} rows: {rows} used, 0 skipped, 0 rejected. ");
        let report = said.split_once(&line).unwrap_or_else(|| panic!("no {line} in {said}")).1.lines().next().unwrap();
        assert!(std::fs::read_to_string(report).unwrap().starts_with("<!doctype html>"), "{report}");
    }
    assert!(said.contains("load report: youth_justice/people held. 0 rows:"), "{said}");
    assert!(said.contains("lacks the column Name"), "{said}");
    assert_eq!(said.matches("load report: ").count(), SAMPLES.len(), "a line a file:\n{said}");
    let (told, ready) = (said.find("1 of 5 files are not in use: see above.").unwrap(), said.find("\nready ").unwrap());
    assert!(told < ready, "{said}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_added_by_a_file_alone() {
    // What docs/sources.md tells its reader to do: a file in the folder, check, load.
    let sources = definitions(|_, text| text);
    let probation = root().join("tests/data/sources");
    std::fs::copy(probation.join("probation.toml"), sources.path().join("probation.toml")).unwrap();
    let (fine, said) = run(&["check", "--sources", text(sources.path())]).await;
    assert!(fine && said.contains("\nprobation: people\n"), "{said}");
    let file = probation.join("probation.csv");
    let (fine, said) = run(&["check", "--sources", text(sources.path()), text(&file)]).await;
    assert!(fine && said.contains("3 rows: 3 used, 0 skipped, 0 rejected"), "{said}");

    let extracts = DataFolder::open(None).unwrap();
    std::fs::copy(&file, extracts.path().join("probation.csv")).unwrap();
    let mut stack = Running::start(&["--sources", text(sources.path()), "--extracts", text(extracts.path())]);
    let page = stack.line("ready ").await.replace("ready ", "");
    assert!(stack.written.contains("load report: probation/people applied. 3 rows: 3 used"), "{}", stack.written);
    let issuer = stack.written.split_once("user=sam.social ").unwrap().1.split_once("/token").unwrap().0;
    let form = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let token = send(issuer, "POST", "/token", &form, b"grant_type=client_credentials&user=sam.social").await;
    let token = bearer(token.json()["access_token"].as_str().unwrap());
    let asked = json!({ "surname": "Quillfeather", "forename": "Barnaby" }).to_string();
    let headers = [token, ("content-type", "application/json".to_owned())];
    let found = send(&page, "POST", "/v1/people/search", &headers, asked.as_bytes()).await.json();
    let id = found["people"][0]["id"].as_str().unwrap_or_else(|| panic!("{found}"));
    let service = send(&page, "GET", &format!("/v1/people/{id}/services/probation"), &headers[..1], b"").await;
    assert!(service.status == 200 && service.body.contains("Odette Marchbanks"), "{}", service.body);
    stack.stop().await;
}

/// Lists loads until the list has `words` in it: a report is written a moment before its load is closed.
async fn listed(arguments: &[&str], words: &str) -> String {
    loop {
        let (fine, said) = run(arguments).await;
        assert!(fine, "{said}");
        if said.contains(words) {
            return said;
        }
    }
}

/// Tonight's housing extract with only its first rows: far fewer than were there.
fn shrunk(data: &Path, rows: usize) -> Vec<u8> {
    let last = std::fs::read(data.join("buckets/extracts/housing/people/housing.csv")).unwrap();
    let ends = last.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place);
    last[..=ends.take(rows + 1).last().unwrap()].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_file_is_listed_and_approved_or_rejected_while_the_stack_runs() {
    let folder = DataFolder::open(None).unwrap();
    let data = folder.path();
    let mut stack = Running::start(&["--people", "60", "--data", text(data)]);
    stack.line("ready ").await;
    let (fine, said) = run(&["loads", "--data", text(data), "--held"]).await;
    assert!(fine && said == "No file waits for a decision.\n", "{said}");
    let (fine, said) = run(&["loads", "--data", text(data)]).await;
    assert!(fine && said.contains("housing/people\n  applied ") && said.contains("housing.csv, uploaded "), "{said}");

    for (rows, verb) in [(2, "approve"), (1, "reject")] {
        std::fs::write(data.join("drop/housing.csv"), shrunk(data, rows)).unwrap();
        stack.line("load report: housing/people held. ").await;
        let held = listed(&["loads", "--held", "--data", text(data)], "housing/people\n  held ").await;
        assert!(held.contains(" records would go: "), "{held}");
        let rest = held.split_once("family-context loads approve|reject housing/people ").unwrap().1;
        let load = rest.split(' ').next().unwrap();

        let decide = ["loads", verb, "housing/people", load, "--data", text(data)];
        let (done, said) = run(&decide).await;
        assert!(!done && said.contains(&format!("To {verb}: ")) && said.contains("Nothing was changed."), "{said}");
        assert_eq!(run(&["loads", "--held", "--data", text(data)]).await.1, held, "nothing was changed");

        let (done, said) = run(&[&decide[..], &["--yes"]].concat()).await;
        assert!(done, "{said}");
        if verb == "approve" {
            stack.line("load report: housing/people applied. 2 rows: 2 used, 0 skipped, 0 rejected. ").await;
        }
        let now = if verb == "approve" { "applied" } else { "rejected" };
        let now = format!("housing/people\n  {now:<10} {load} ");
        listed(&["loads", "--data", text(data), "--limit", "1"], &now).await;
        let (again, said) = run(&[&decide[..], &["--yes"]].concat()).await;
        assert!(!again && said.contains("not held, so there is nothing to decide"), "{said}");
    }
    let (done, said) =
        run(&["loads", "approve", "housing/people", "20260101T000000000Z-0", "--data", text(data)]).await;
    assert!(!done && said.contains("There is no load 20260101T000000000Z-0 in this feed."), "{said}");

    stack.stop().await;
    let (fine, said) = run(&["loads"]).await;
    assert!(!fine && said.starts_with("Which stack? Give --data DIR"), "{said}");
    let elsewhere = folder.path().join("nothing-here");
    let (fine, said) = run(&["loads", "--data", text(&elsewhere)]).await;
    assert!(!fine && said.starts_with("No stack is running with the data folder"), "{said}");
}

/// The folder of a stack whose power went off as soon as the first file had arrived, and before all were loaded. Tried
/// again where this machine was so busy that the stack was faster than we.
async fn interrupted() -> DataFolder {
    for _ in 0..10 {
        let folder = DataFolder::open(None).unwrap();
        let stack = Running::start(&["--people", "300", "--data", text(folder.path())]);
        let arriving = folder.path().join("buckets/extracts");
        let some =
            || std::fs::read_dir(&arriving).is_ok_and(|mut files| files.any(|file| file.unwrap().path().is_dir()));
        while !some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stack.stop().await;
        if !folder.path().join("made-up-people").exists() {
            return folder;
        }
    }
    panic!("everything was loaded each time before the power could go off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_data_counts_as_loaded_only_when_every_feed_is_wholly_applied() {
    let folder = interrupted().await;
    let (data, marker) = (folder.path(), folder.path().join("made-up-people"));
    let mut stack = Running::start(&["--people", "300", "--data", text(data)]);
    stack.line("ready ").await;
    let (fine, said) = run(&["loads", "--data", text(data), "--limit", "1"]).await;
    assert!(fine, "{said}");
    let newest: Vec<&str> = said.lines().filter(|line| line.contains(", uploaded ")).collect();
    let whole = newest.iter().all(|line| line.starts_with("  applied ") || line.starts_with("  duplicate "));
    assert_eq!(marker.exists(), whole, "{said}");
    assert!(newest.len() >= 7, "{said}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sam_can_try_what_searching_ones_own_caseload_is_like() {
    let council = definitions(|name, text| match name {
        "council.toml" => text
            .replace("journey = \"open-search\"", "journey = \"child-first\"")
            .replace("own_caseload_only = false", "own_caseload_only = true"),
        _ => text,
    });
    let (town, extracts) = (Town::start(Some(council.path())).await, Extracts::of(60));
    for feed in extracts.enabled() {
        let bytes = std::fs::read(&feed.path).unwrap();
        town.upload(&format!("{}/{}/{}", feed.source, feed.feed, feed.file), bytes).await;
    }
    town.settled().await;
    let mine = town.found(demo::CHILD_SURNAME).await;
    assert!(mine.iter().any(|name| name.contains(demo::CHILD_FORENAME)), "{mine:?}");
    assert!(
        !mine.iter().any(|name| name.contains(demo::MOTHER_FORENAME)),
        "adults are found through a child: {mine:?}"
    );
    let mut others = 0;
    for view in town.people().await {
        let summary = &view["summary"];
        let allocated = summary["allocated"].as_array().map(Vec::as_slice).unwrap_or_default();
        if allocated.iter().all(|worker| worker != demo::SOCIAL_WORKER_ID) {
            others += 1;
            let by_case = json!({ "case_id": summary["case_ids"][0].as_str().unwrap_or("none") });
            let found = town.search(&by_case).await;
            assert_eq!(found.json()["people"], json!([]), "not on Sam's caseload: {summary}");
        }
    }
    assert!(others > 20, "{others} people are not Sam's");
}

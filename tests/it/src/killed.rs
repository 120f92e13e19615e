//! The program is killed, with no chance to tidy up, again and again, and goes on where it was.

use fc_local::{DataFolder, loads::running};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// People of the made-up council.
const PEOPLE: &str = "400";
/// How often it is killed.
const KILLS: u64 = 8;

/// A running stack over a kept folder.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(data: &Path) -> Self {
        let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("family-context");
        let mut child = Command::new(program)
            .args(["local", "--port", "0", "--people", PEOPLE, "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until everybody is loaded.
    async fn ready(&mut self) {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if line.starts_with("ready ") {
                return;
            }
        }
        panic!("it ended before it was ready");
    }

    /// SIGKILL.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A folder to keep everything in, with the same hashing secret each time, so that what is in two of them compares.
fn folder() -> DataFolder {
    let folder = DataFolder::open(None).unwrap();
    std::fs::write(folder.path().join("hashing-secret"), [7; 32]).unwrap();
    folder
}

/// Everybody, by their records: what is shown of them, but for ids and epochs.
async fn people(data: &Path) -> BTreeMap<BTreeSet<String>, String> {
    let (clients, _) = running(data).unwrap();
    let pages = clients.dynamodb.scan().table_name("people").into_paginator().items().send();
    let items: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
    let mut people = BTreeMap::new();
    for item in items {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        if text("sk") != "VIEW" {
            continue;
        }
        let mut view = serde_json::from_str::<Value>(&text("data")).unwrap()["here"].take();
        if view.is_null() {
            continue;
        }
        let records = view["records"].as_array().unwrap().iter();
        let records = records.map(|record| format!("{} {}", record["source"], record["id"])).collect();
        let id = view["id"].as_str().unwrap().to_owned();
        view["epoch"] = 0.into();
        people.insert(records, view.to_string().replace(&id, ""));
    }
    people
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_that_is_killed_again_and_again_ends_with_the_same_people() {
    let undisturbed = folder();
    let began = Instant::now();
    let mut running = Running::start(undisturbed.path());
    running.ready().await;
    let expected = people(undisturbed.path()).await;
    let lasted = u64::try_from(began.elapsed().as_millis()).unwrap();
    running.kill().await;
    assert!(expected.len() > 100, "{} people", expected.len());

    let disturbed = folder();
    // The same points of every run, told in thousandths of the time that an undisturbed one takes.
    let mut dice = 20_260_302_u64;
    let mut in_the_middle = 0;
    for _ in 0..KILLS {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let point = Duration::from_millis(lasted * (100 + (dice >> 33) % 800) / 1000);
        let mut running = Running::start(disturbed.path());
        in_the_middle += u64::from(tokio::time::timeout(point, running.ready()).await.is_err());
        running.kill().await;
    }
    assert!(in_the_middle > 0, "it was always ready before it was killed");
    let mut running = Running::start(disturbed.path());
    running.ready().await;
    let found = people(disturbed.path()).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert!(found == expected, "the same records make the same people, who look the same");
    running.kill().await;
}

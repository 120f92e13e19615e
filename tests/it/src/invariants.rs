//! What holds whatever happens: the order of files does not matter, and no table is ever read whole.

use crate::end_to_end_harness::{Extracts, Town, definitions, root, today};
use fc_store::loads::LoadState;
use jiff::civil::Date;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// A file to upload: its key and its bytes.
type File = (String, Vec<u8>);

/// The extracts of a council as they were on a day, which is their file name.
fn files_of(extracts: &Extracts, day: Date) -> Vec<File> {
    let file = |feed: &fc_synth::FeedSummary| {
        let key = format!("{}/{}/{}.csv", feed.source, feed.feed, day.strftime("%Y%m%d"));
        (key, std::fs::read(&feed.path).unwrap())
    };
    extracts.enabled().map(file).collect()
}

/// The people that come of files: which records are one person, and everything that is known of them.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    groups: BTreeSet<BTreeSet<String>>,
    known: BTreeSet<String>,
}

/// Uploads files, those of one step at once and each step after the one before, into a stack of its own.
async fn people_after(sources: &Path, steps: &[&[File]]) -> (Town, Outcome) {
    let town = Town::start(Some(sources)).await;
    for step in steps {
        for (key, bytes) in *step {
            town.upload(key, bytes.clone()).await;
        }
        town.settled().await;
    }
    let people = town.people().await;
    let record = |record: &Value| format!("{}:{}", record["source"].as_str().unwrap(), record["id"].as_str().unwrap());
    let groups = people.iter().map(|view| view["records"].as_array().unwrap().iter().map(record).collect()).collect();
    let known = people.into_iter().map(|view| stripped(view).to_string()).collect();
    (town, Outcome { groups, known })
}

/// A view without ids that are made at random and hashes made with this stack's secret, lists in an order of their own.
fn stripped(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for random in ["id", "epoch", "handle", "related", "households", "explanation", "confidence"] {
                fields.remove(random);
            }
            if let Some(summary) = fields.get_mut("summary").and_then(Value::as_object_mut) {
                summary.remove("records");
            }
            for field in fields.values_mut() {
                *field = stripped(field.take());
            }
        }
        Value::Array(values) => {
            for value in values.iter_mut() {
                *value = stripped(value.take());
            }
            values.sort_by_key(Value::to_string);
        }
        _ => {}
    }
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_in_any_order_repeated_and_late_give_the_same_people() {
    // Extracts that say in their names of which day they are, so that a late one can be told.
    let dated = definitions(|_, text| text.replace("as_of = \"upload\"", "as_of = \"file-name yyyymmdd\""));
    let sources = dated.path();
    let (today, yesterday) = (today(), today().yesterday().unwrap());
    let new = files_of(&Extracts::of(260), today);
    let old = files_of(&Extracts::of(240), yesterday);
    assert!(new.len() >= 7, "{} files", new.len());

    let one_by_one: Vec<&[File]> = new.chunks(1).collect();
    let (town, expected) = people_after(sources, &one_by_one).await;
    assert!(expected.groups.len() > 100, "{} people", expected.groups.len());
    assert!(expected.groups.iter().any(|records| records.len() >= 3), "nobody is in three sources");
    drop(town);

    let last_first: Vec<&[File]> = new.chunks(1).rev().collect();
    let mut turned = new.clone();
    turned.rotate_left(3);
    let at_once_and_again = [&turned[..], &new[2..3], &turned[1..2]];
    let yesterday_before: Vec<&[File]> = vec![&old, &new];
    let yesterday_between: Vec<&[File]> = vec![&old[1..4], &turned, &old];
    for (order, steps) in [
        ("last first", &last_first[..]),
        ("all at once, then two again", &at_once_and_again),
        ("yesterday's, then today's", &yesterday_before),
        ("yesterday's after today's", &yesterday_between),
    ] {
        let (town, outcome) = people_after(sources, steps).await;
        let differs: Vec<_> = expected.groups.symmetric_difference(&outcome.groups).collect();
        assert!(differs.is_empty(), "{order}: other people: {differs:?}");
        let differs: Vec<_> = expected.known.symmetric_difference(&outcome.known).collect();
        assert!(differs.is_empty(), "{order}: the same people, but something else is known of them: {differs:#?}");
        if order == "yesterday's after today's" {
            assert_eq!(town.report("schools/people").await.state, LoadState::Superseded);
        }
    }
}

/// Rust files under a folder.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn no_function_can_read_a_table_whole() {
    let mut files = Vec::new();
    for folder in ["functions", "shared"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 80, "{} files", files.len());
    let scans = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        // How the SDK spells it: the client's method, its module and its statements.
        [".scan()", ".scan(&", "operation::scan", "execute_statement", "batch_execute_statement"]
            .iter()
            .any(|call| text.contains(call))
    };
    let found: Vec<&PathBuf> = files.iter().filter(scans).collect();
    assert!(found.is_empty(), "{found:?}");
}

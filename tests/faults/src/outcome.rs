//! What is in the tables and buckets in the end, told so that two runs compare: people by their records instead of their
//! ids, and without versions and times.

use crate::{council::FEEDS, memory::Memory, simulation::name_of};
use fc_store::Item;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is served, and what holds it together.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Outcome {
    /// Everything in the people table that a reader can see: views, summaries, records, households, search entries.
    pub people: BTreeSet<(String, String, String)>,
    /// Whom nobody may be linked with, and who is restricted how far.
    pub facts: BTreeSet<(String, String, String)>,
    /// What each feed says of each record that is here.
    pub records: BTreeMap<String, String>,
    /// The accepted manifest of each feed: what each record said.
    pub manifests: BTreeMap<String, BTreeMap<String, String>>,
    /// Records of the largest cluster.
    pub largest: usize,
    /// What no run may leave behind.
    pub complaints: Vec<String>,
}

/// The hash of a record of which it is not known what was last applied.
const UNKNOWN: &str = "00000000000000000000000000000000";

fn json(item: &Item) -> Result<Value, String> {
    serde_json::from_str(&item.data).map_err(|error| format!("an item is not JSON: {error}"))
}

impl Outcome {
    /// What is there.
    ///
    /// # Errors
    /// When something cannot be read at all.
    pub fn of(memory: &Memory, now: Timestamp) -> Result<Self, String> {
        let mut outcome = Self::default();
        outcome.read_people(memory)?;
        outcome.read_records(memory, now)?;
        outcome.read_manifests(memory)?;
        Ok(outcome)
    }

    fn read_people(&mut self, memory: &Memory) -> Result<(), String> {
        let items = memory.table("people").all();
        let mut called: BTreeMap<String, String> = BTreeMap::new();
        for item in items.iter().filter(|item| item.key.sk == "VIEW") {
            let Some(id) = item.key.pk.strip_prefix("P#") else { continue };
            let view = json(item)?;
            let records = view["here"]["records"].as_array().cloned().unwrap_or_default();
            let lowest = records.iter().filter_map(|record| record["handle"].as_str()).min();
            called.extend(lowest.map(|handle| (id.to_owned(), format!("<{handle}>"))));
        }
        for item in items {
            if item.data.starts_with(r#"{"gone""#) || item.data.starts_with(r#"{"moved_to""#) {
                continue;
            }
            let data = match serde_json::from_str::<Value>(&item.data) {
                Ok(mut data) => {
                    if let Some(row) = data.as_object_mut() {
                        row.remove("stale");
                    }
                    if item.key.sk == "VIEW" {
                        data["here"]["epoch"] = 0.into();
                    }
                    data.to_string()
                }
                Err(_) => item.data,
            };
            let mut row = [item.key.pk, item.key.sk, data];
            for text in &mut row {
                for (id, name) in &called {
                    if text.contains(id) {
                        *text = text.replace(id, name);
                    }
                }
            }
            let [pk, sk, data] = row;
            self.people.insert((pk, sk, data));
        }
        Ok(())
    }

    fn read_records(&mut self, memory: &Memory, now: Timestamp) -> Result<(), String> {
        let mut filed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut listed: Vec<(String, String)> = Vec::new();
        let mut settling = 0;
        for item in memory.table("records").all() {
            let (kind, of) = item.key.pk.split_once('#').unwrap_or_default();
            match kind {
                "REC" => {
                    if item.expires.is_some_and(|expires| expires <= now.as_second()) {
                        continue;
                    }
                    let mut record = json(&item)?;
                    for key in record["keys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                        let (hash, birth) = key.split_once('@').unwrap_or((key, ""));
                        let sk = if birth.is_empty() { of.to_owned() } else { format!("{of}@{birth}") };
                        listed.push((hash.to_owned(), sk));
                    }
                    let mut fragments = std::mem::take(&mut record["fragments"]);
                    for fragment in fragments.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
                        // Which of the files that said the same was the first to be read is history.
                        fragment["seq"] = Value::Null;
                    }
                    fragments
                        .as_object_mut()
                        .into_iter()
                        .for_each(|fragments| fragments.retain(|_, said| said["details"].is_object()));
                    if fragments.as_object().is_some_and(|fragments| !fragments.is_empty()) {
                        let restricted = record["restricted"].as_str().unwrap_or("none").to_owned();
                        self.records.insert(of.to_owned(), format!("{fragments} {restricted}"));
                    }
                }
                // A mark is a hint: whoever reads the key looks whether it is right. But nobody settles it any more.
                "KEY" if item.key.sk == "!" => settling += usize::from(!item.data.is_empty()),
                "KEY" => drop(filed.entry(of.to_owned()).or_default().insert(item.key.sk.clone())),
                "HEAD" => {
                    let members = json(&item)?["root"]["m"].as_array().cloned().unwrap_or_default();
                    let here = members.iter().filter(|member| member[2].is_object()).count();
                    self.largest = self.largest.max(here);
                }
                "FACT" => {
                    let mut fact = json(&item)?;
                    for said in fact.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
                        *said = said["protection"].take();
                    }
                    // What was lifted, or never was, restricts nobody.
                    fact.as_object_mut().into_iter().for_each(|by| by.retain(|_, how| how != "none"));
                    if fact.as_object().is_none_or(|by| !by.is_empty()) {
                        self.facts.insert((of.to_owned(), item.key.sk, fact.to_string()));
                    }
                }
                _ => {}
            }
        }
        if settling > 0 {
            self.complaints.push(format!("{settling} blocking keys are marked as being settled, and nobody is at it"));
        }
        let missing = listed.iter().filter(|(hash, sk)| !filed.get(hash).is_some_and(|of| of.contains(sk)));
        let missing = missing.count();
        if missing > 0 {
            self.complaints.push(format!("{missing} blocking keys of records are not filed: nobody would meet them"));
        }
        Ok(())
    }

    fn read_manifests(&mut self, memory: &Memory) -> Result<(), String> {
        for feed in FEEDS {
            let Some(name) = name_of(feed) else { continue };
            let found = memory.table("loads").find(&fc_store::Key::new(format!("F#{name}"), "FEED"), false);
            let Some(item) = found else { continue };
            let state = json(&item)?;
            let mut manifest = BTreeMap::new();
            if let Some(key) = state["applied"]["manifest"].as_str() {
                match memory.bucket("manifests").find(key, None) {
                    None => self.complaints.push(format!("the accepted manifest of {name} is gone")),
                    Some((bytes, _)) => {
                        for line in String::from_utf8_lossy(&bytes).lines() {
                            let (handle, hash) = line.split_once(' ').unwrap_or((line, ""));
                            manifest.insert(handle.to_owned(), hash.to_owned());
                        }
                    }
                }
            }
            self.manifests.insert(name.to_string(), manifest);
        }
        Ok(())
    }

    /// Rows of the people table and facts that differ, for whoever looks for a bug: everything in them is made up.
    #[must_use]
    pub fn rows_that_differ(&self, right: &Self) -> Vec<String> {
        let mut rows: Vec<String> = Vec::new();
        for (mine, theirs, sign) in [(self, right, '+'), (right, self, '-')] {
            let people = mine.people.difference(&theirs.people).chain(mine.facts.difference(&theirs.facts));
            rows.extend(people.map(|(pk, sk, data)| format!("{sign} {pk} {sk} {data}")));
            let records = mine.records.iter().filter(|(handle, said)| theirs.records.get(*handle) != Some(said));
            rows.extend(records.map(|(handle, said)| format!("{sign} REC#{handle} {said}")));
        }
        rows
    }

    /// Whether a fact says that one record of a person restricts another of the same person: while workers disagree for a
    /// moment such a fact may be kept, and it counts for nothing as long as they are one.
    fn is_within_a_person(&self, (of, kind, by): &(String, String, String)) -> bool {
        let person = |handle: &str| {
            let row = self.people.iter().find(|(pk, sk, _)| sk == "R" && pk.strip_prefix("R#") == Some(handle))?;
            let located: Value = serde_json::from_str(&row.2).ok()?;
            located["here"]["person"].as_str().map(str::to_owned)
        };
        let by: Value = serde_json::from_str(by).unwrap_or_default();
        let mut by = by.as_object().into_iter().flat_map(serde_json::Map::keys);
        kind == "RESTRICT" && person(of).is_some_and(|own| by.all(|by| person(by).as_ref() == Some(&own)))
    }

    /// How this differs from what is right, in words without personal data. Where a delta came late, or was taken over, it
    /// may not be known what a record last said.
    #[must_use]
    pub fn differences(&self, right: &Self, is_doubtful: bool) -> Vec<String> {
        let mut differences = Vec::new();
        let mut say = |what: &str, missing: usize, extra: usize| {
            if missing + extra > 0 {
                differences.push(format!("{what}: {missing} missing, {extra} too many"));
            }
        };
        let of = |rows: &BTreeSet<(String, String, String)>, prefix: &str| -> BTreeSet<(String, String, String)> {
            rows.iter().filter(|row| row.0.starts_with(prefix)).cloned().collect()
        };
        for (prefix, what) in [
            ("P#", "views and summaries"),
            ("R#", "whose person a record is"),
            ("H#", "households"),
            ("C#", "case entries"),
            ("A#", "search entries A"),
            ("B#", "search entries B"),
            ("S#", "search entries S"),
            ("D#", "search entries D"),
        ] {
            let (mine, theirs) = (of(&self.people, prefix), of(&right.people, prefix));
            say(what, theirs.difference(&mine).count(), mine.difference(&theirs).count());
        }
        let extra = self.facts.difference(&right.facts).filter(|fact| !self.is_within_a_person(fact));
        say("facts", right.facts.difference(&self.facts).count(), extra.count());
        let wrong = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
            a.iter().filter(|(key, value)| b.get(*key) != Some(value)).count()
        };
        say("records", wrong(&right.records, &self.records), wrong(&self.records, &right.records));
        for (feed, right) in &right.manifests {
            let empty = BTreeMap::new();
            let mine = self.manifests.get(feed).unwrap_or(&empty);
            let is_unknown = |handle: &String| is_doubtful && mine.get(handle).is_some_and(|hash| hash == UNKNOWN);
            let missing = right.iter().filter(|(handle, hash)| mine.get(*handle) != Some(hash) && !is_unknown(handle));
            let extra = mine.iter().filter(|(handle, _)| !right.contains_key(*handle) && !is_unknown(handle));
            say(&format!("the manifest of {feed}"), missing.count(), extra.count());
        }
        differences
    }
}

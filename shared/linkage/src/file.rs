//! The model file: weights, frequencies and thresholds as they are written down, with where they came from.

use crate::{Curve, Field, Level, Proof};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// A model file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidModel {
    /// Not the JSON expected.
    #[error("the model file cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A level has no weights, or impossible ones.
    #[error("the model file gives no usable m, u and family for {0}")]
    Level(String),
    /// A calibration that would make more agreement weigh less.
    #[error("the model file's calibration of {0:?} does not rise")]
    Calibration(Proof),
}

/// A model file as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its version: records compared under another one must be linked again.
    pub version: String,
    /// What it is, for whoever opens it.
    #[serde(default)]
    pub about: String,
    /// Where its numbers came from, unless they were set by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// Log2 odds that two records of a council drawn at random are one person.
    pub prior: f64,
    /// Records of the same person that a record has, on average.
    pub matches_a_record: f64,
    /// How often two records drawn at random are of two people of one household.
    pub family_share: f64,
    /// Records of other people of its household that a record has, on average.
    pub family_a_record: f64,
    /// Log2 odds from which a pair is linked.
    pub linked: f64,
    /// Log2 odds from which a pair is shown to a steward.
    pub possible: f64,
    /// The most that evidence of a kind that cannot link alone comes to, in log2 odds.
    pub unproven: f64,
    /// How much better one of two people who exclude each other must fit, in bits, for a record to be theirs.
    pub margin: f64,
    /// What weights turned out to be worth, by what they rest on. Without a curve, what they say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calibration: BTreeMap<Proof, Curve>,
    /// A blocking key with more members than this brings no candidates.
    pub saturation: usize,
    /// The most records that may be one person without a steward's word.
    pub most_records: usize,
    /// The share of a surname that is not listed.
    pub rare_surname: f64,
    /// The share of a forename that is not listed.
    pub rare_forename: f64,
    /// For each level of each field, how often it is reached by one person, by strangers, and within a family.
    pub levels: BTreeMap<Field, BTreeMap<Level, [f64; 3]>>,
    /// The same for sex, where forenames agree.
    pub sex_when_forenames_agree: BTreeMap<Level, [f64; 3]>,
    /// Shares of surnames: each with the names that have it, separated by spaces.
    pub surnames: Vec<(f64, String)>,
    /// Shares of forenames, likewise.
    pub forenames: Vec<(f64, String)>,
}

/// Where a trained model's numbers came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of the model that training started from.
    pub started_from: String,
    /// What it was trained on, in words.
    pub data: String,
    /// The day of training.
    pub date: String,
    /// The command that repeats it.
    pub command: String,
    /// Records it was trained on.
    pub records: usize,
    /// Pairs drawn at random, and the seed they were drawn with.
    pub random_pairs: usize,
    /// See `random_pairs`.
    pub seed: u64,
    /// Rounds of expectation-maximisation until nothing changed.
    pub rounds: usize,
    /// Log-likelihood of what was seen, in natural logarithms, at the end.
    pub log_likelihood: f64,
    /// Pairs by blocked session, and what they were taken for.
    pub sessions: Vec<Session>,
}

/// One blocked session of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// What its pairs have in common.
    pub blocked_on: String,
    /// How many pairs.
    pub pairs: u64,
    /// The share taken for one person.
    pub one_person: f64,
    /// The share taken for relatives or people of one home.
    pub family: f64,
}

impl ModelFile {
    /// The file that comes with this version.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn shipped() -> Self {
        match Self::parse(include_str!("../data/model.json")) {
            Ok(file) => file,
            Err(error) => unreachable!("the shipped model is checked by a test: {error}"),
        }
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// When it is not the JSON expected. Whether the weights are usable is seen when a [`Model`](crate::Model) is made.
    pub fn parse(json: &str) -> Result<Self, InvalidModel> {
        Ok(serde_json::from_str(json)?)
    }
}

/// As JSON for people: an object's entries on lines of their own, lists of numbers and names on one.
impl fmt::Display for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        write_value(f, &value, 0)?;
        f.write_str("\n")
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, value: &Value, depth: usize) -> fmt::Result {
    let nested =
        |value: &Value| value.is_object() || value.as_array().is_some_and(|list| list.iter().any(Value::is_array));
    let indent = " ".repeat(depth + 1);
    match value {
        Value::Object(entries) => {
            f.write_str("{")?;
            for (at, (key, entry)) in entries.iter().enumerate() {
                write!(f, "{}\n{indent}\"{key}\": ", if at > 0 { "," } else { "" })?;
                write_value(f, entry, depth + 1)?;
            }
            write!(f, "\n{}}}", " ".repeat(depth))
        }
        Value::Array(list) if list.iter().any(|entry| nested(entry) || entry.is_array()) => {
            f.write_str("[")?;
            for (at, entry) in list.iter().enumerate() {
                write!(f, "{}\n{indent}{entry}", if at > 0 { "," } else { "" })?;
            }
            write!(f, "\n{}]", " ".repeat(depth))
        }
        other => write!(f, "{other}"),
    }
}

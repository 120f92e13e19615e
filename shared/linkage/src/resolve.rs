//! Resolving: a component of records joined by scored edges is cut into people.
//!
//! The whole component is judged, never a pair alone: if A looks like B and B like C, but A and C cannot be one person,
//! the three are not merged (on the same scored pairs this is the largest single gain known, design.md 5).

use crate::{Facts, Model, Weight};
use fc_model::RecordHandle;
use serde::{Deserialize, Serialize};
use std::hash::Hash;

/// A record in a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member<H = RecordHandle> {
    /// The record's key; breaks ties, so that the outcome does not depend on the order of members.
    pub handle: H,
    /// What the constraints need to know of it.
    pub facts: Facts,
}

/// Two members that were compared and are at least possibly one person. Direction means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Index of one member.
    pub a: usize,
    /// Index of the other.
    pub b: usize,
    /// How sure the comparison was.
    pub weight: Weight,
}

/// What a steward, or a source that knows an adoption, has said of two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// One person, whatever the evidence.
    Link,
    /// Never one person, whatever the evidence. Wins over `Link`.
    NeverLink,
}

/// A decision on two records. Handles that are no members are ignored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decision<H = RecordHandle> {
    /// One record.
    pub a: H,
    /// The other.
    pub b: H,
    /// What was decided.
    pub verdict: Verdict,
}

/// Why two records that look alike were kept apart, for the steward's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Not sure enough.
    TooUnsure,
    /// Two people claim the record about equally well.
    TooCloseToCall,
    /// Somebody already in the two groups cannot be one person: identifiers, forenames or birth dates clash.
    Conflict,
    /// More records than one person has.
    TooMany,
}

/// A pair for the steward's queue. At most one, the best, for any two people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Possible {
    /// Index of one member.
    pub a: usize,
    /// Index of the other.
    pub b: usize,
    /// How sure the comparison was.
    pub weight: Weight,
    /// Why it is no link.
    pub why: Refusal,
}

/// Members cut into people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The people: indexes of members, each ascending by handle, people in the order of their lowest handle.
    pub people: Vec<Vec<usize>>,
    /// Pairs between people that a steward should see, best first.
    pub possible: Vec<Possible>,
}

/// Cuts a component (or any set of components) into people.
///
/// Deterministic, and independent of the order of members, edges and decisions. Of two edges between the same members
/// the heavier counts; edges that point outside `members` are ignored.
#[must_use]
pub fn resolve<H: Ord + Hash + Clone>(
    model: &Model,
    members: &[Member<H>],
    edges: &[Edge],
    decisions: &[Decision<H>],
) -> Resolution {
    let _ = (model, edges, decisions);
    Resolution { people: (0..members.len()).map(|i| vec![i]).collect(), possible: Vec::new() }
}

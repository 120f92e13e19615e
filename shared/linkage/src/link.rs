//! Linking a whole council offline: the same steps as for one record, for all of them at once.

use crate::{Band, Decision, Edge, Member, Model, Possible, Standard, Verdict, blocking_keys, resolve};
use fc_model::{Details, RecordId};
use rayon::prelude::*;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// A record, in the little that linking needs of it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The record.
    pub record: RecordId,
    /// Its details, standardised.
    pub standard: Standard,
    /// Records that its source says are never the same person.
    pub never_link: Vec<RecordId>,
}

impl Subject {
    /// A record by its details.
    #[must_use]
    pub fn of(record: RecordId, details: &Details) -> Self {
        let never_link =
            details.never_link.iter().map(|id| RecordId::new(record.source.clone(), id.as_str())).collect();
        Self { standard: Standard::of(&record.source, details), record, never_link }
    }
}

/// Records linked into people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// For each record the number of its person: dense, from 0, in the order in which people first appear.
    pub people: Vec<usize>,
    /// Pairs for a steward, as indexes of records.
    pub possible: Vec<Possible>,
    /// Pairs that are linked or possible by themselves, as indexes of records: what the people were made from.
    pub edges: Vec<Edge>,
    /// Pairs that were compared.
    pub compared: usize,
    /// Blocking keys with too many members to support a link; worth a data-quality report.
    pub saturated: usize,
}

/// Links records into people. The answer holds, for each record, the number of its person: dense, from 0, in the order
/// in which people first appear. Records of one id must have been merged before.
#[must_use]
pub fn link_all(model: &Model, records: &[(RecordId, Details)]) -> Vec<usize> {
    let subjects: Vec<Subject> =
        records.par_iter().map(|(record, details)| Subject::of(record.clone(), details)).collect();
    link(model, &subjects, &[]).people
}

/// Links records into people, with stewards' decisions. Which records are together does not depend on their order.
#[must_use]
pub fn link(model: &Model, records: &[Subject], decisions: &[Decision<RecordId>]) -> Linked {
    let (candidates, saturated) = candidates(model, records);
    let edges: Vec<Edge> = candidates
        .par_iter()
        .filter_map(|&(a, b)| {
            let (a, b) = (a as usize, b as usize);
            let weight = model.compare(&records[a].standard, &records[b].standard).weight;
            (model.band(weight) != Band::No).then_some(Edge { a, b, weight })
        })
        .collect();
    let decisions = all_decisions(records, decisions);
    let components = components(records.len(), &edges, &decisions);
    let resolved: Vec<_> = components.par_iter().map(|part| part.resolve(model, records)).collect();

    let mut people = vec![usize::MAX; records.len()];
    let mut possible = Vec::new();
    for (groups, pairs) in resolved {
        for group in groups {
            // Named by its first record for now.
            let first = group.iter().copied().min().unwrap_or_default();
            for record in group {
                people[record] = first;
            }
        }
        possible.extend(pairs);
    }
    let mut number = vec![usize::MAX; records.len()];
    let mut next = 0;
    for person in &mut people {
        if number[*person] == usize::MAX {
            number[*person] = next;
            next += 1;
        }
        *person = number[*person];
    }
    Linked { people, possible, edges, compared: candidates.len(), saturated }
}

/// Pairs of records that share a blocking key which is not saturated, each once, and the number of saturated keys.
#[must_use]
pub fn candidates(model: &Model, records: &[Subject]) -> (Vec<(u32, u32)>, usize) {
    let mut filed: Vec<(u64, u32)> = records
        .par_iter()
        .enumerate()
        .flat_map_iter(|(at, subject)| {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            blocking_keys(&subject.standard).into_iter().map(move |key| (hashed(&key), at))
        })
        .collect();
    filed.par_sort_unstable();
    let groups: Vec<&[(u64, u32)]> = filed.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1).collect();
    let saturated = groups.iter().filter(|group| group.len() > model.saturation()).count();
    let mut pairs: Vec<(u32, u32)> = groups
        .par_iter()
        .filter(|group| group.len() <= model.saturation())
        .flat_map_iter(|group| {
            group.iter().enumerate().flat_map(|(i, a)| group[i + 1..].iter().map(move |b| (a.1, b.1)))
        })
        .collect();
    pairs.par_sort_unstable();
    pairs.dedup();
    (pairs, saturated)
}

/// Keys are held as hashes: two that collide only make two records meet that need not have.
fn hashed(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Decisions by index of record: the stewards', and the never-links that sources state.
fn all_decisions(records: &[Subject], decisions: &[Decision<RecordId>]) -> Vec<Decision<usize>> {
    let stated = records.iter().any(|subject| !subject.never_link.is_empty());
    if !stated && decisions.is_empty() {
        return Vec::new();
    }
    let index: HashMap<&RecordId, usize> =
        records.iter().enumerate().map(|(i, subject)| (&subject.record, i)).collect();
    let of_sources = records.iter().enumerate().flat_map(|(a, subject)| {
        let known = subject.never_link.iter().filter_map(|other| index.get(other));
        known.map(move |b| Decision { a, b: *b, verdict: Verdict::NeverLink })
    });
    let of_stewards = decisions.iter().filter_map(|decision| {
        let (a, b) = (*index.get(&decision.a)?, *index.get(&decision.b)?);
        Some(Decision { a, b, verdict: decision.verdict })
    });
    of_sources.chain(of_stewards).collect()
}

/// Records that edges or decisions hold together.
struct Component {
    records: Vec<usize>,
    edges: Vec<Edge>,
    decisions: Vec<Decision<usize>>,
}

fn components(records: usize, edges: &[Edge], decisions: &[Decision<usize>]) -> Vec<Component> {
    let mut parent: Vec<usize> = (0..records).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    let joined = edges.iter().map(|edge| (edge.a, edge.b));
    for (a, b) in joined.chain(decisions.iter().map(|decision| (decision.a, decision.b))) {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b)] = a.min(b);
    }
    let mut place = vec![usize::MAX; records];
    let mut parts: Vec<Component> = Vec::new();
    for record in 0..records {
        let root = root(&mut parent, record);
        if place[root] == usize::MAX {
            place[root] = parts.len();
            parts.push(Component { records: Vec::new(), edges: Vec::new(), decisions: Vec::new() });
        }
        place[record] = place[root];
        parts[place[root]].records.push(record);
    }
    for edge in edges {
        parts[place[edge.a]].edges.push(*edge);
    }
    for decision in decisions {
        parts[place[decision.a]].decisions.push(decision.clone());
    }
    parts
}

impl Component {
    fn resolve(&self, model: &Model, records: &[Subject]) -> (Vec<Vec<usize>>, Vec<Possible>) {
        if let [only] = self.records[..] {
            return (vec![vec![only]], Vec::new());
        }
        let local: HashMap<usize, usize> = self.records.iter().enumerate().map(|(i, record)| (*record, i)).collect();
        let members: Vec<Member<&RecordId>> = self
            .records
            .iter()
            .map(|record| Member { handle: &records[*record].record, facts: records[*record].standard.facts() })
            .collect();
        let edges: Vec<Edge> =
            self.edges.iter().map(|edge| Edge { a: local[&edge.a], b: local[&edge.b], ..*edge }).collect();
        let decisions: Vec<Decision<&RecordId>> = self
            .decisions
            .iter()
            .map(|d| Decision { a: &records[d.a].record, b: &records[d.b].record, verdict: d.verdict })
            .collect();
        let resolution = resolve(model, &members, &edges, &decisions);
        let global = |i: usize| self.records[i];
        let people = resolution.people.into_iter().map(|group| group.into_iter().map(global).collect()).collect();
        let possible =
            resolution.possible.into_iter().map(|p| Possible { a: global(p.a), b: global(p.b), ..p }).collect();
        (people, possible)
    }
}

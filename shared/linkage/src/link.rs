//! Linking a whole council offline: the same steps as for one record, for all of them at once.

use crate::{
    Band, Decision, Edge, Member, Model, Possible, Standard, Verdict,
    block::{blocking_keys, is_name_alone, may_be_one_birth, without_common_numbers},
    resolve,
};
use fc_model::{Details, RecordId};
use rayon::prelude::*;
use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
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
    /// Records that its source says are [relatives](Details::relatives).
    pub relatives: Vec<RecordId>,
}

impl Subject {
    /// A record by its details.
    #[must_use]
    pub fn of(record: RecordId, details: &Details) -> Self {
        let id = |id: &str| RecordId::new(record.source.clone(), id);
        let never_link = details.never_link.iter().map(|other| id(other)).collect();
        let mut relatives: Vec<RecordId> = details.relatives().map(id).filter(|other| *other != record).collect();
        relatives.sort();
        relatives.dedup();
        Self { standard: Standard::of(&record.source, details), record, never_link, relatives }
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

impl Linked {
    /// The links that hold a person's records together, the weakest first: the heaviest that reach them all, so that
    /// without any one of them the person would fall in two. Fewer than that where a decision holds records together.
    #[must_use]
    pub fn ties(&self, model: &Model, records: &[Subject], person: usize) -> Vec<Edge> {
        let within = |edge: &&Edge| self.people[edge.a] == person && self.people[edge.b] == person;
        let sure = |edge: &&Edge| model.band(edge.weight) == Band::Linked;
        let mut edges: Vec<Edge> = self.edges.iter().filter(within).filter(sure).copied().collect();
        let ids = |edge: &Edge| {
            let (a, b) = (&records[edge.a].record, &records[edge.b].record);
            (a.min(b), a.max(b))
        };
        edges.sort_by(|x, y| y.weight.cmp(&x.weight).then_with(|| ids(x).cmp(&ids(y))));
        // Few records are one person: each group's name is changed one by one.
        let mut group: HashMap<usize, usize> = HashMap::new();
        edges.retain(|edge| {
            let (a, b) = (*group.entry(edge.a).or_insert(edge.a), *group.entry(edge.b).or_insert(edge.b));
            group.values_mut().filter(|group| **group == b).for_each(|group| *group = a);
            a != b
        });
        edges.reverse();
        edges
    }
}

/// Links records into people. The answer holds, for each record, the number of its person: dense, from 0, in the order
/// in which people first appear. Records of one id must have been merged before.
#[must_use]
pub fn link_all(model: &Model, records: &[(RecordId, Details)]) -> Vec<usize> {
    let subjects: Vec<Subject> =
        records.par_iter().map(|(record, details)| Subject::of(record.clone(), details)).collect();
    link(model, &subjects, &[]).people
}

/// What linking is about to do, for whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// File the records under their blocking keys.
    Block,
    /// Compare those that share one.
    Compare,
    /// Cut what holds together into people.
    Resolve,
}

/// Links records into people, with stewards' decisions. Which records are together does not depend on their order.
#[must_use]
pub fn link(model: &Model, records: &[Subject], decisions: &[Decision<RecordId>]) -> Linked {
    link_step_by_step(model, records, decisions, |_| ())
}

/// As [`link`], saying before each step which one it is.
#[must_use]
pub fn link_step_by_step(
    model: &Model,
    records: &[Subject],
    decisions: &[Decision<RecordId>],
    mut about_to: impl FnMut(Step),
) -> Linked {
    about_to(Step::Block);
    let blocks = Blocks::of(model, records);
    about_to(Step::Compare);
    let (edges, compared) = edges(model, records, &blocks);
    let saturated = blocks.saturated.len();
    drop(blocks);
    about_to(Step::Resolve);
    let decisions = all_decisions(records, decisions);
    let components = components(records.len(), &edges, &decisions);
    let resolved: Vec<_> = components.par_iter().map(|part| part.resolve(model, records)).collect();

    // Everybody is alone, and named by the first record for now.
    let mut people: Vec<usize> = (0..records.len()).collect();
    let mut possible = Vec::new();
    for (groups, pairs) in resolved {
        for group in groups {
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
    Linked { people, possible, edges, compared, saturated }
}

/// Compares every two records that share a key, each two once; those that are at least possibly one person, in the order
/// of their records, and how many were compared.
///
/// Key by key, because the records of one key are then at hand: record by record, most of the time would go into fetching
/// the others from memory.
fn edges(model: &Model, records: &[Subject], blocks: &Blocks) -> (Vec<Edge>, usize) {
    let of_key = |key: u32| {
        let mut compared = 0;
        let mut found = Vec::new();
        blocks.pairs(key, records, |a, b| {
            let (a, b) = (a as usize, b as usize);
            compared += 1;
            let (one, other) = (&records[a].standard, &records[b].standard);
            let plain = without_common_numbers(one, other, |key| blocks.saturated.contains(&hashed(key)));
            let weight = model.compare(plain.as_ref().unwrap_or(one), other).weight;
            if model.band(weight) != Band::No {
                found.push(Edge { a, b, weight });
            }
        });
        (found, compared)
    };
    let together = |(mut edges, compared): (Vec<Edge>, usize), (more, others): (Vec<Edge>, usize)| {
        edges.extend(more);
        (edges, compared + others)
    };
    let (mut edges, compared) = (0..blocks.keys())
        .into_par_iter()
        .map(of_key)
        .fold(Default::default, together)
        .reduce(Default::default, together);
    edges.par_sort_unstable_by_key(|edge| (edge.a, edge.b));
    (edges, compared)
}

/// Pairs of records that meet under a blocking key which is not saturated, each once, and the number of saturated keys.
#[must_use]
pub fn candidates(model: &Model, records: &[Subject]) -> (Vec<(u32, u32)>, usize) {
    let blocks = Blocks::of(model, records);
    let mut pairs = Vec::new();
    (0..blocks.keys()).for_each(|key| blocks.pairs(key, records, |a, b| pairs.push((a, b))));
    pairs.par_sort_unstable();
    (pairs, blocks.saturated.len())
}

/// Who shares which blocking key, of those with more than one member that are not saturated. Keys are numbered, those that
/// are a name alone last.
struct Blocks {
    /// The first key that is a name alone.
    names_from: u32,
    /// Members of all keys, key by key, each key's in the order of records.
    members: Vec<u32>,
    /// Where each key's members begin, and where the last one's end.
    starts: Vec<u32>,
    /// Keys of all records, record by record, each record's in their order.
    keys_of: Vec<u32>,
    /// Where each record's keys begin, and where the last one's end.
    keys_start: Vec<u32>,
    /// Keys with too many members, hashed.
    saturated: HashSet<u64>,
}

impl Blocks {
    fn of(model: &Model, records: &[Subject]) -> Self {
        let mut filed: Vec<(u64, u32)> = records
            .par_iter()
            .enumerate()
            .flat_map_iter(|(at, subject)| {
                blocking_keys(&subject.standard).into_iter().map(move |key| (hashed(&key), at as u32))
            })
            .collect();
        filed.par_sort_unstable();
        filed.dedup();
        let mut blocks = Self {
            names_from: 0,
            members: Vec::with_capacity(filed.len()),
            starts: vec![0],
            keys_of: Vec::new(),
            keys_start: vec![0; records.len() + 1],
            saturated: HashSet::new(),
        };
        for group in filed.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            if group.len() > model.saturation() {
                blocks.saturated.insert(group[0].0);
                continue;
            }
            blocks.members.extend(group.iter().map(|(_, record)| *record));
            blocks.starts.push(blocks.members.len() as u32);
            if group[0].0 & NAME_ALONE == 0 {
                blocks.names_from = blocks.keys();
            }
        }
        drop(filed);
        // Each record's keys: how many, where they begin, which.
        for record in &blocks.members {
            blocks.keys_start[*record as usize + 1] += 1;
        }
        for at in 0..records.len() {
            blocks.keys_start[at + 1] += blocks.keys_start[at];
        }
        let mut next = blocks.keys_start.clone();
        let mut keys_of = vec![0; blocks.members.len()];
        for key in 0..blocks.keys() {
            for record in blocks.members_of(key) {
                let next = &mut next[*record as usize];
                keys_of[*next as usize] = key;
                *next += 1;
            }
        }
        Self { keys_of, ..blocks }
    }

    /// How many keys there are.
    fn keys(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    fn members_of(&self, key: u32) -> &[u32] {
        &self.members[self.starts[key as usize] as usize..self.starts[key as usize + 1] as usize]
    }

    fn keys_of(&self, record: u32) -> &[u32] {
        let at = record as usize;
        &self.keys_of[self.keys_start[at] as usize..self.keys_start[at + 1] as usize]
    }

    /// Every two members of a key that meet by it, the earlier record first, unless they share an earlier key.
    fn pairs(&self, key: u32, records: &[Subject], mut each: impl FnMut(u32, u32)) {
        let members = self.members_of(key);
        let meet = |a: u32, b: u32| {
            let standard = |record: u32| &records[record as usize].standard;
            key < self.names_from || may_be_one_birth(standard(a), standard(b))
        };
        for (at, a) in members.iter().enumerate() {
            let keys = self.keys_of(*a);
            for b in &members[at + 1..] {
                if meet(*a, *b) && first_in_both(keys, self.keys_of(*b)) == Some(key) {
                    each(*a, *b);
                }
            }
        }
    }
}

/// The first number that two ascending lists share.
fn first_in_both(a: &[u32], b: &[u32]) -> Option<u32> {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => return Some(*x),
        }
    }
    None
}

/// Marks the hash of a key that is a name alone, so that these come last.
const NAME_ALONE: u64 = 1 << 63;

/// Keys are held as hashes: two that collide only make two records meet that need not have.
fn hashed(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    if is_name_alone(key) { hasher.finish() | NAME_ALONE } else { hasher.finish() & !NAME_ALONE }
}

/// Decisions by index of record: the stewards', and whom sources know to be two people.
fn all_decisions(records: &[Subject], decisions: &[Decision<RecordId>]) -> Vec<Decision<usize>> {
    let stated = |subject: &Subject| {
        let never = subject.never_link.iter().map(|other| (other.clone(), Verdict::NeverLink));
        let relatives = subject.relatives.iter().map(|other| (other.clone(), Verdict::Relatives));
        never.chain(relatives).collect::<Vec<_>>()
    };
    if decisions.is_empty() && records.iter().all(|subject| stated(subject).is_empty()) {
        return Vec::new();
    }
    // Few records are named; only those are looked for.
    let named = records.iter().flat_map(|subject| subject.never_link.iter().chain(&subject.relatives));
    let named = named.chain(decisions.iter().flat_map(|decision| [&decision.a, &decision.b]));
    let mut index: HashMap<&RecordId, Option<usize>> = named.map(|record| (record, None)).collect();
    for (at, subject) in records.iter().enumerate() {
        if let Some(place) = index.get_mut(&subject.record) {
            *place = Some(at);
        }
    }
    let index = |record: &RecordId| index.get(record).copied().flatten();
    let of_sources = records.iter().enumerate().flat_map(|(a, subject)| {
        let known = |(other, verdict): (RecordId, Verdict)| Some(Decision { a, b: index(&other)?, verdict });
        stated(subject).into_iter().filter_map(known).collect::<Vec<_>>()
    });
    let of_stewards = decisions.iter().filter_map(|decision| {
        let (a, b) = (index(&decision.a)?, index(&decision.b)?);
        Some(Decision { a, b, verdict: decision.verdict })
    });
    of_sources.chain(of_stewards).collect()
}

/// Records that edges or decisions hold together: two at least.
struct Component {
    /// In their order.
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
    // Whoever nothing holds to another is nobody's part.
    let mut size = vec![0_u32; records];
    for record in 0..records {
        size[root(&mut parent, record)] += 1;
    }
    let mut place = vec![usize::MAX; records];
    let mut parts: Vec<Component> = Vec::new();
    for record in 0..records {
        let root = root(&mut parent, record);
        if size[root] == 1 {
            continue;
        }
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
        let local = |record: usize| self.records.partition_point(|known| *known < record);
        let members: Vec<Member<&RecordId>> = self
            .records
            .iter()
            .map(|record| Member { handle: &records[*record].record, facts: records[*record].standard.facts() })
            .collect();
        let edges: Vec<Edge> =
            self.edges.iter().map(|edge| Edge { a: local(edge.a), b: local(edge.b), ..*edge }).collect();
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

//! Resolving: a component of records joined by scored edges is cut into people.
//!
//! The whole component is judged, never a pair alone: if A looks like B and B like C, but A and C cannot be one person,
//! the three are not merged.

use crate::{Band, Facts, Model, Weight, facts::Clash};
use fc_model::RecordHandle;
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, hash_map::Entry},
    fmt,
    hash::Hash,
};

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

/// What a steward, or a source, has said of two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// One person, whatever the evidence.
    Link,
    /// Two people, as their source says: it relates them to each other. Wins over `Link`. A steward may see that they look
    /// alike.
    Relatives,
    /// Never one person, whatever the evidence: the two identities of an adopted child. Wins over `Link`. Nobody is shown
    /// the pair, and a record that could be of either is linked with neither.
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooUnsure => "not sure enough",
            Self::TooCloseToCall => "two people claim the record about equally well",
            Self::Conflict => "somebody with either record cannot be one person with somebody with the other",
            Self::TooMany => "more records than one person has",
        })
    }
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
    let mut by_handle: Vec<usize> = (0..members.len()).collect();
    by_handle.sort_by(|a, b| (&members[*a].handle, &members[*a].facts).cmp(&(&members[*b].handle, &members[*b].facts)));
    let mut rank = vec![0; members.len()];
    for (place, member) in by_handle.iter().enumerate() {
        rank[*member] = place;
    }
    let decided = Decided::of(members, decisions);
    let edges = Edges::of(edges, &rank, members.len());
    let mut too_close = edges.too_close_to_call(model, members, &decided);
    let (mut people, refused) = loop {
        let (mut people, refused) = joined(model, members, &decided, &edges, &rank, &too_close);
        let telltales = people.telltales();
        let mut is_new = false;
        for (edge, too_close) in edges.sorted.iter().zip(&mut too_close) {
            if !*too_close && (telltales.contains(&edge.a) || telltales.contains(&edge.b)) {
                *too_close = true;
                is_new = true;
            }
        }
        if !is_new {
            break (people, refused);
        }
    };
    let mut possible: Vec<Possible> = Vec::new();
    let mut shown = HashSet::new();
    for (edge, why) in edges.sorted.iter().zip(refused) {
        let (x, y) = (people.root(edge.a), people.root(edge.b));
        let enough = model.band(edge.weight) != Band::No;
        if enough && x != y && !people.decided_against(x, y, Decided::never) && shown.insert((x.min(y), x.max(y))) {
            possible.push(Possible { a: edge.a, b: edge.b, weight: edge.weight, why });
        }
    }
    Resolution { people: people.listed(&by_handle), possible }
}

/// Joins members by their edges, the heaviest first; says of each edge why it joined nobody.
fn joined<'a, H>(
    model: &'a Model,
    members: &'a [Member<H>],
    decided: &'a Decided,
    edges: &'a Edges,
    rank: &[usize],
    too_close: &[bool],
) -> (People<'a, H>, Vec<Refusal>) {
    let mut people = People::new(model, members, decided, edges);
    for (a, b) in decided.links(rank) {
        people.join_decided(a, b);
    }
    let mut refused = vec![Refusal::TooUnsure; edges.sorted.len()];
    for (at, edge) in edges.sorted.iter().enumerate() {
        if model.band(edge.weight) != Band::Linked {
            break;
        }
        refused[at] = if too_close[at] {
            Refusal::TooCloseToCall
        } else {
            match people.join(edge.a, edge.b) {
                Ok(()) => continue,
                Err(refusal) => refusal,
            }
        };
    }
    (people, refused)
}

/// Decisions, by member.
struct Decided {
    link: Vec<(usize, usize)>,
    never: HashMap<usize, Vec<usize>>,
    /// With whom each is not one person, for whatever reason.
    apart: HashMap<usize, Vec<usize>>,
}

impl Decided {
    fn of<H: Ord + Hash + Clone>(members: &[Member<H>], decisions: &[Decision<H>]) -> Self {
        let mut decided = Self { link: Vec::new(), never: HashMap::new(), apart: HashMap::new() };
        if decisions.is_empty() {
            return decided;
        }
        let index: HashMap<&H, usize> = members.iter().enumerate().map(|(i, member)| (&member.handle, i)).collect();
        for decision in decisions {
            let (Some(a), Some(b)) = (index.get(&decision.a), index.get(&decision.b)) else { continue };
            if decision.verdict == Verdict::Link {
                decided.link.push((*a, *b));
                continue;
            }
            for (one, other) in [(*a, *b), (*b, *a)] {
                decided.apart.entry(one).or_default().push(other);
                if decision.verdict == Verdict::NeverLink {
                    decided.never.entry(one).or_default().push(other);
                }
            }
        }
        decided
    }

    fn never(&self, a: usize) -> &[usize] {
        self.never.get(&a).map_or(&[], Vec::as_slice)
    }

    fn apart(&self, a: usize) -> &[usize] {
        self.apart.get(&a).map_or(&[], Vec::as_slice)
    }

    fn links(&self, rank: &[usize]) -> Vec<(usize, usize)> {
        let by_rank = |&(a, b): &(usize, usize)| if rank[a] <= rank[b] { (a, b) } else { (b, a) };
        let mut links: Vec<(usize, usize)> = self.link.iter().map(by_rank).collect();
        links.sort_by_key(|(a, b)| (rank[*a], rank[*b]));
        links
    }
}

/// Edges, heaviest first, ties by handle.
struct Edges {
    sorted: Vec<Edge>,
    weights: HashMap<(usize, usize), Weight>,
    /// For each member, places in `sorted` of its heaviest edges.
    of_member: Vec<Vec<usize>>,
}

/// Edges of one member that are looked at for a rival claim; more would make a hub costly.
const RIVALS: usize = 32;

impl Edges {
    fn of(edges: &[Edge], rank: &[usize], members: usize) -> Self {
        let mut sorted: Vec<Edge> = edges
            .iter()
            .filter(|edge| edge.a < members && edge.b < members && edge.a != edge.b)
            .map(|edge| if rank[edge.a] <= rank[edge.b] { *edge } else { Edge { a: edge.b, b: edge.a, ..*edge } })
            .collect();
        sorted.sort_by_key(|edge| (Reverse(edge.weight), rank[edge.a], rank[edge.b]));
        let mut weights = HashMap::with_capacity(sorted.len());
        sorted.retain(|edge| match weights.entry(pair(edge.a, edge.b)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(edge.weight);
                true
            }
        });
        let mut of_member: Vec<Vec<usize>> = vec![Vec::new(); members];
        for (at, edge) in sorted.iter().enumerate() {
            for end in [edge.a, edge.b] {
                if of_member[end].len() < RIVALS {
                    of_member[end].push(at);
                }
            }
        }
        Self { sorted, weights, of_member }
    }

    fn weight(&self, a: usize, b: usize) -> Option<Weight> {
        self.weights.get(&pair(a, b)).copied()
    }

    /// Marks links to a record that another person, who cannot be the same, claims about equally well: the baby of a
    /// mother of twins, an undated record of a father and son with one name. Two records that are both torn between such
    /// people are as likely one of each as twice the same, so they stay apart too, unless they share a number.
    fn too_close_to_call<H>(&self, model: &Model, members: &[Member<H>], decided: &Decided) -> Vec<bool> {
        let mut marked = vec![false; self.sorted.len()];
        let mut torn = vec![false; members.len()];
        for (member, places) in self.of_member.iter().enumerate() {
            let other = |at: &usize| if self.sorted[*at].a == member { self.sorted[*at].b } else { self.sorted[*at].a };
            let linked = |at: &&usize| model.band(self.sorted[**at].weight) == Band::Linked;
            for (place, x) in places.iter().enumerate().filter(|(_, x)| linked(x)) {
                for y in &places[place + 1..] {
                    let (first, second) = (&self.sorted[*x], &self.sorted[*y]);
                    let (a, b) = (other(x), other(y));
                    let close = linked(&y) && first.weight.bits() - second.weight.bits() <= model.margin().bits();
                    let [own, of_a, of_b] = [member, a, b].map(|member| &members[member].facts);
                    // The record has the very name of somebody else of the family, and only a form of this one's.
                    if !close && !own.named_after(of_b, of_a) {
                        continue;
                    }
                    let apart = decided.apart(a).contains(&b);
                    let clash = model.clash(of_a, of_b);
                    if apart || self.exclude(model, a, b, clash) {
                        marked[*x] = true;
                        marked[*y] = true;
                        torn[member] |= apart || clash != Clash::OneSource;
                    }
                }
            }
        }
        for (edge, marked) in self.sorted.iter().zip(&mut marked) {
            let facts = |member: usize| &members[member].facts;
            *marked |= torn[edge.a] && torn[edge.b] && !facts(edge.a).identified(facts(edge.b));
        }
        marked
    }

    /// Whether two members are two people who may both claim a third.
    fn exclude(&self, model: &Model, a: usize, b: usize, clash: Clash) -> bool {
        let band = self.weight(a, b).map_or(Band::No, |weight| model.band(weight));
        match clash {
            Clash::None => false,
            Clash::Person | Clash::OneSource => band != Band::Linked,
            // Alike in all but the number: one of the two numbers is likelier wrong than two people so alike, so nobody
            // is wronged by joining the heavier.
            Clash::Number => false,
            Clash::Identifier => true,
        }
    }
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// Members joined so far.
struct People<'a, H> {
    model: &'a Model,
    members: &'a [Member<H>],
    decided: &'a Decided,
    edges: &'a Edges,
    parent: Vec<usize>,
    records: Vec<Vec<usize>>,
}

impl<'a, H> People<'a, H> {
    fn new(model: &'a Model, members: &'a [Member<H>], decided: &'a Decided, edges: &'a Edges) -> Self {
        let alone = |i| vec![i];
        let n = members.len();
        Self { model, members, decided, edges, parent: (0..n).collect(), records: (0..n).map(alone).collect() }
    }

    fn root(&mut self, mut member: usize) -> usize {
        while self.parent[member] != member {
            self.parent[member] = self.parent[self.parent[member]];
            member = self.parent[member];
        }
        member
    }

    fn join_decided(&mut self, a: usize, b: usize) {
        let (x, y) = (self.root(a), self.root(b));
        if x != y && !self.decided_against(x, y, Decided::apart) {
            self.unite(x, y);
        }
    }

    fn join(&mut self, a: usize, b: usize) -> Result<(), Refusal> {
        let (x, y) = (self.root(a), self.root(b));
        if x == y {
            return Ok(());
        }
        if self.decided_against(x, y, Decided::apart) {
            return Err(Refusal::Conflict);
        }
        if self.records[x].len() + self.records[y].len() > self.model.most_records() {
            return Err(Refusal::TooMany);
        }
        if self.clash(x, y) {
            return Err(Refusal::Conflict);
        }
        self.unite(x, y);
        Ok(())
    }

    /// Records that could be of either of two people who must never be linked: they would give one identity of an adopted
    /// child away to whoever knows the other. A number in common with a record of one's own is proof of where one belongs.
    fn telltales(&mut self) -> HashSet<usize> {
        let (members, decided, edges) = (self.members, self.decided, self.edges);
        let mut telltales = HashSet::new();
        if decided.never.is_empty() {
            return telltales;
        }
        for edge in &edges.sorted {
            let (x, y) = (self.root(edge.a), self.root(edge.b));
            if x == y || !self.decided_against(x, y, Decided::never) {
                continue;
            }
            for (member, root) in [(edge.a, x), (edge.b, y)] {
                let facts = &members[member].facts;
                let mut others = self.records[root].iter().filter(|other| **other != member).peekable();
                let is_alone = others.peek().is_none();
                let belongs = others.any(|other| facts.identified(&members[*other].facts));
                if !is_alone && !belongs && decided.never(member).is_empty() {
                    telltales.insert(member);
                }
            }
        }
        telltales
    }

    fn decided_against(&mut self, x: usize, y: usize, how: fn(&Decided, usize) -> &[usize]) -> bool {
        let (few, many) = if self.records[x].len() <= self.records[y].len() { (x, y) } else { (y, x) };
        let decided = self.decided;
        let records = self.records[few].clone();
        records.iter().flat_map(|record| how(decided, *record)).any(|other| self.root(*other) == many)
    }

    /// Whether any record of one and any of the other exclude each other. Groups are bounded, so this is too.
    fn clash(&self, x: usize, y: usize) -> bool {
        let facts = |i: &usize| &self.members[*i].facts;
        self.records[x].iter().any(|a| {
            self.records[y].iter().any(|b| match self.model.clash(facts(a), facts(b)) {
                Clash::None => false,
                Clash::Person | Clash::OneSource => {
                    self.edges.weight(*a, *b).is_none_or(|w| self.model.band(w) != Band::Linked)
                }
                Clash::Number | Clash::Identifier => true,
            })
        })
    }

    fn unite(&mut self, x: usize, y: usize) {
        let (few, many) = if self.records[x].len() <= self.records[y].len() { (x, y) } else { (y, x) };
        let moved = std::mem::take(&mut self.records[few]);
        self.records[many].extend(moved);
        self.parent[few] = many;
    }

    fn listed(mut self, by_handle: &[usize]) -> Vec<Vec<usize>> {
        let mut place: HashMap<usize, usize> = HashMap::new();
        let mut people: Vec<Vec<usize>> = Vec::new();
        for member in by_handle {
            let root = self.root(*member);
            let at = *place.entry(root).or_insert(people.len());
            if at == people.len() {
                people.push(Vec::new());
            }
            people[at].push(*member);
        }
        people
    }
}

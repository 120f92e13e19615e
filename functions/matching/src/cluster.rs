//! Clusters: the pure core of the convergence protocol. No I/O, and no order of arrival.
//!
//! A cluster is what its head holds: members with their versions, edges that name the versions they compared, and which
//! parts of it are which people. [`join`] puts several clusters and what is new together and cuts the whole into people
//! again.

use fc_linkage::{Decision, Facts, Model, Verdict, Weight};
use fc_model::{PersonId, Protection, RecordHandle};
use fc_store::records::REMEMBERED_SECONDS;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a cluster knows of a record that takes part in matching.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Live {
    /// What resolving needs of it.
    #[serde(rename = "f")]
    pub(crate) facts: Facts,
    /// Records it must never be linked with.
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) never: Vec<RecordHandle>,
    /// Records that its source says are relatives.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) relatives: Vec<RecordHandle>,
    /// How far its own source restricts it.
    #[serde(rename = "p", default, skip_serializing_if = "is_open")]
    pub(crate) protection: Protection,
    /// How far other records restrict it: those that have its identifiers, and those that were one person with it when
    /// they left or parted. Each counts unless that record is here, in the same person, and speaks for itself.
    #[serde(rename = "r", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) told: BTreeMap<RecordHandle, Protection>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_open(protection: &Protection) -> bool {
    *protection == Protection::None
}

/// A record in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// The version of the record.
    pub(crate) rev: u64,
    /// What it is, or the second since 1970 in which it was removed. A removed member is remembered, so that a worker
    /// that comes late with an earlier version cannot bring it back.
    pub(crate) state: Result<Live, i64>,
}

/// Two records that were compared, each at a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Edge {
    /// The lower handle and its version.
    pub(crate) a: (RecordHandle, u64),
    /// The higher handle and its version.
    pub(crate) b: (RecordHandle, u64),
    /// How sure the comparison was.
    pub(crate) weight: Weight,
}

impl Edge {
    /// An edge; direction means nothing.
    pub(crate) fn new(x: (RecordHandle, u64), y: (RecordHandle, u64), weight: Weight) -> Self {
        let (a, b) = if x.0 <= y.0 { (x, y) } else { (y, x) };
        Self { a, b, weight }
    }
}

/// Records that are one person.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    /// The records.
    pub(crate) records: BTreeSet<RecordHandle>,
    /// The epoch at which anything about the person last changed.
    pub(crate) epoch: u64,
}

/// A person that is no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Former {
    /// Who took over; `None` when no record was left.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) moved_to: Option<PersonId>,
    /// The epoch at which that was decided.
    #[serde(rename = "e")]
    pub(crate) epoch: u64,
    /// The second since 1970 of that.
    #[serde(rename = "s")]
    pub(crate) at: i64,
}

/// What a head holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Cluster {
    pub(crate) members: BTreeMap<RecordHandle, Member>,
    pub(crate) edges: BTreeSet<Edge>,
    pub(crate) people: BTreeMap<PersonId, Person>,
    pub(crate) former: BTreeMap<PersonId, Former>,
    /// The people table has everything up to this epoch. Whoever commits sees to what is above it first.
    pub(crate) projected: u64,
}

/// A member at a version that is to be committed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct News {
    pub(crate) handle: RecordHandle,
    pub(crate) rev: u64,
    /// What it is; `None` when it takes no part in matching (any more).
    pub(crate) live: Option<Live>,
}

impl Cluster {
    /// Whether a record was committed at this version or a later one.
    pub(crate) fn knows(&self, handle: &RecordHandle, rev: u64) -> bool {
        self.members.get(handle).is_some_and(|member| member.rev >= rev)
    }

    /// The members that take part in matching.
    pub(crate) fn live(&self) -> impl Iterator<Item = (&RecordHandle, u64, &Live)> {
        self.members.iter().filter_map(|(handle, member)| Some((handle, member.rev, member.state.as_ref().ok()?)))
    }

    /// Edges between members as they are now.
    pub(crate) fn current_edges(&self) -> impl Iterator<Item = &Edge> {
        let is_now = |(handle, rev): &(RecordHandle, u64)| {
            self.members.get(handle).is_some_and(|member| member.rev == *rev && member.state.is_ok())
        };
        self.edges.iter().filter(move |edge| is_now(&edge.a) && is_now(&edge.b))
    }

    /// Records that members were compared with at versions that are not here yet.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = RecordHandle> {
        let ends = self.edges.iter().flat_map(|edge| [&edge.a, &edge.b]);
        ends.filter(|(handle, rev)| !self.knows(handle, *rev)).map(|(handle, _)| handle.clone())
    }

    /// Everything about a person that a page shows depends on this.
    fn portrait(&self, records: &BTreeSet<RecordHandle>) -> (Vec<(RecordHandle, u64)>, Vec<Edge>) {
        let version = |handle: &RecordHandle| self.members.get(handle).map_or(0, |member| member.rev);
        let edges = self.current_edges().filter(|edge| records.contains(&edge.a.0) && records.contains(&edge.b.0));
        (records.iter().map(|handle| (handle.clone(), version(handle))).collect(), edges.cloned().collect())
    }

    fn live_member(&self, handle: &RecordHandle) -> Option<&Live> {
        self.members.get(handle)?.state.as_ref().ok()
    }

    /// Who restricts the person that these records are, and how far.
    fn restrictions(&self, records: &BTreeSet<RecordHandle>) -> BTreeMap<RecordHandle, Protection> {
        let mut restrictions: BTreeMap<RecordHandle, Protection> = BTreeMap::new();
        for (handle, live) in records.iter().filter_map(|handle| Some((handle, self.live_member(handle)?))) {
            let told = live.told.iter().filter(|(by, _)| !records.contains(*by));
            for (by, protection) in told.chain([(handle, &live.protection)]).filter(|(_, p)| **p > Protection::None) {
                let known = restrictions.entry(by.clone()).or_default();
                *known = (*known).max(*protection);
            }
        }
        restrictions
    }

    /// The strictest restriction of the person that these records are.
    pub(crate) fn protection(&self, records: &BTreeSet<RecordHandle>) -> Protection {
        self.restrictions(records).into_values().max().unwrap_or_default()
    }

    /// Restrictions that members keep here and did not have before: (of, by, how far).
    pub(crate) fn newly_restricted(
        &self,
        before: &[&Cluster],
        news: &[News],
    ) -> Vec<(RecordHandle, RecordHandle, Protection)> {
        let mut newly = Vec::new();
        for (handle, _, live) in self.live() {
            let known = before.iter().filter_map(|cluster| cluster.live_member(handle));
            let news = news.iter().filter(|news| news.handle == *handle).filter_map(|news| news.live.as_ref());
            let known: Vec<&Live> = known.chain(news).collect();
            let is_known = |(by, protection): &(&RecordHandle, &Protection)| {
                known.iter().any(|live| live.told.get(*by) >= Some(*protection))
            };
            let new = live.told.iter().filter(|told| !is_known(told));
            newly.extend(new.map(|(by, protection)| (handle.clone(), by.clone(), *protection)));
        }
        newly
    }

    /// People, here or gone, that changed above an epoch, each with the epoch of that.
    pub(crate) fn above(&self, epoch: u64) -> impl Iterator<Item = (&PersonId, u64)> {
        let here = self.people.iter().map(|(id, person)| (id, person.epoch));
        let former = self.former.iter().map(|(id, former)| (id, former.epoch));
        here.chain(former).filter(move |(_, of)| *of > epoch)
    }
}

/// Puts clusters together with what is new, and cuts the whole into people. The same whatever the order of anything.
/// `epoch` is above the epochs of every cluster.
pub(crate) fn join(
    model: &Model,
    clusters: &[&Cluster],
    news: &[News],
    edges: &BTreeSet<Edge>,
    epoch: u64,
    now_seconds: i64,
    new_person: &dyn Fn() -> PersonId,
) -> Cluster {
    let mut whole = Cluster::default();
    for cluster in clusters {
        for (handle, member) in &cluster.members {
            keep_newest(&mut whole.members, handle, member.clone());
        }
        whole.edges.extend(cluster.edges.iter().cloned());
        whole.people.extend(cluster.people.clone());
        whole.former.extend(cluster.former.clone());
    }
    for news in news {
        let state = news.live.clone().ok_or(now_seconds);
        keep_newest(&mut whole.members, &news.handle, Member { rev: news.rev, state });
    }
    whole.edges.extend(edges.iter().cloned());

    let forgotten = now_seconds - REMEMBERED_SECONDS;
    whole.members.retain(|_, member| member.state.as_ref().err().is_none_or(|removed| *removed > forgotten));
    whole.former.retain(|_, former| former.at > forgotten);
    // An edge older than a member compared what is no longer so. One that is newer stays: its member is on the way.
    let members = &whole.members;
    let may_count = |(handle, rev): &(RecordHandle, u64)| match members.get(handle) {
        Some(Member { rev: now, state: Ok(_) }) => rev >= now,
        Some(Member { rev: now, state: Err(_) }) => rev > now,
        None => true,
    };
    whole.edges.retain(|edge| may_count(&edge.a) && may_count(&edge.b));

    let parts = resolve(model, &whole);
    keep_restrictions(&mut whole, clusters, &parts);
    assign(&mut whole, clusters, &parts, epoch, now_seconds, new_person);
    whole
}

fn keep_newest(members: &mut BTreeMap<RecordHandle, Member>, handle: &RecordHandle, member: Member) {
    match members.get(handle) {
        Some(known) if known.rev >= member.rev => {}
        _ => {
            members.insert(handle.clone(), member);
        }
    }
}

/// Cuts the members into people.
fn resolve(model: &Model, cluster: &Cluster) -> Vec<BTreeSet<RecordHandle>> {
    let members: Vec<fc_linkage::Member> = cluster
        .live()
        .map(|(handle, _, live)| fc_linkage::Member { handle: handle.clone(), facts: live.facts.clone() })
        .collect();
    let place: BTreeMap<&RecordHandle, usize> =
        members.iter().enumerate().map(|(i, member)| (&member.handle, i)).collect();
    let edges: Vec<fc_linkage::Edge> = cluster
        .current_edges()
        .filter_map(|edge| {
            Some(fc_linkage::Edge { a: *place.get(&edge.a.0)?, b: *place.get(&edge.b.0)?, weight: edge.weight })
        })
        .collect();
    let decisions: Vec<Decision> = cluster
        .live()
        .flat_map(|(handle, _, live)| {
            let decision =
                |verdict| move |other: &RecordHandle| Decision { a: handle.clone(), b: other.clone(), verdict };
            let never = live.never.iter().map(decision(Verdict::NeverLink));
            never.chain(live.relatives.iter().map(decision(Verdict::Relatives))).collect::<Vec<_>>()
        })
        .collect();
    let resolution = fc_linkage::resolve(model, &members, &edges, &decisions);
    resolution.people.into_iter().map(|part| part.into_iter().map(|i| members[i].handle.clone()).collect()).collect()
}

/// What restricted a person goes on restricting each of its records when the record that said so has left, or is another
/// person now. A record that is here speaks for itself.
fn keep_restrictions(whole: &mut Cluster, clusters: &[&Cluster], parts: &[BTreeSet<RecordHandle>]) {
    let people = clusters.iter().flat_map(|cluster| cluster.people.values().map(move |person| (cluster, person)));
    for (cluster, person) in people {
        for (by, protection) in cluster.restrictions(&person.records) {
            for part in parts.iter().filter(|part| !part.contains(&by)) {
                for handle in part.intersection(&person.records) {
                    if let Some(Member { state: Ok(live), .. }) = whole.members.get_mut(handle) {
                        let known = live.told.entry(by.clone()).or_default();
                        *known = (*known).max(protection);
                    }
                }
            }
        }
    }
    for part in parts {
        for handle in part {
            if let Some(Member { state: Ok(live), .. }) = whole.members.get_mut(handle) {
                live.told.retain(|by, _| !part.contains(by));
            }
        }
    }
}

/// Says which part is which person. The part with the largest overlap keeps a person's id, ties go to the lowest; ids
/// that are left over lead to the part that took over most of their records.
fn assign(
    whole: &mut Cluster,
    clusters: &[&Cluster],
    parts: &[BTreeSet<RecordHandle>],
    epoch: u64,
    now_seconds: i64,
    new_person: &dyn Fn() -> PersonId,
) {
    let before = std::mem::take(&mut whole.people);
    let overlap = |person: &Person, part: &BTreeSet<RecordHandle>| person.records.intersection(part).count();
    let mut claims: Vec<(usize, &PersonId, usize)> = Vec::new();
    for (id, person) in &before {
        claims.extend(parts.iter().enumerate().map(|(i, part)| (overlap(person, part), id, i)));
    }
    claims.retain(|(records, _, _)| *records > 0);
    // Parts come in the order of their lowest handle, so their place breaks the last ties.
    claims.sort_by(|x, y| y.0.cmp(&x.0).then_with(|| x.1.cmp(y.1)).then_with(|| x.2.cmp(&y.2)));
    let mut id_of: BTreeMap<usize, PersonId> = BTreeMap::new();
    let mut kept_ids: BTreeSet<&PersonId> = BTreeSet::new();
    for (_, id, part) in &claims {
        if !kept_ids.contains(id) && !id_of.contains_key(part) {
            id_of.insert(*part, (*id).clone());
            kept_ids.insert(id);
        }
    }

    // Where each person was.
    let home = |id: &PersonId| clusters.iter().find(|cluster| cluster.people.contains_key(id));
    for (i, part) in parts.iter().enumerate() {
        let id = id_of.get(&i).cloned().unwrap_or_else(new_person);
        let unchanged = before.get(&id).zip(home(&id)).filter(|(person, cluster)| {
            person.records == *part
                && cluster.portrait(part) == whole.portrait(part)
                && cluster.protection(part) == whole.protection(part)
        });
        let epoch = unchanged.map_or(epoch, |(person, _)| person.epoch);
        whole.people.insert(id, Person { records: part.clone(), epoch });
    }

    let heir = |id: &PersonId| claims.iter().find(|(_, claimant, _)| *claimant == id).map(|(_, _, part)| *part);
    let lost: BTreeSet<PersonId> = before.keys().filter(|id| !kept_ids.contains(id)).cloned().collect();
    let ids: Vec<PersonId> = parts
        .iter()
        .map(|part| {
            let holder = whole.people.iter().find(|(_, person)| person.records == *part);
            holder.map_or_else(new_person, |(id, _)| id.clone())
        })
        .collect();
    let mut left: BTreeMap<PersonId, Option<PersonId>> =
        lost.into_iter().map(|id| (id.clone(), heir(&id).map(|part| ids[part].clone()))).collect();
    // Who was sent to someone that is no more is sent on, so that a way is never longer than it must be.
    for (id, former) in &whole.former {
        if let Some(next) = former.moved_to.as_ref().and_then(|to| left.get(to)) {
            let next = next.clone();
            left.insert(id.clone(), next);
        }
    }
    whole.former.extend(left.into_iter().map(|(id, moved_to)| (id, Former { moved_to, epoch, at: now_seconds })));
}

/// How a cluster is written: members once, everything else by their place.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(rename = "m")]
    members: Vec<(RecordHandle, u64, Option<Live>, Option<i64>)>,
    /// Edges between members as they are now.
    #[serde(rename = "e", skip_serializing_if = "Vec::is_empty")]
    edges: Vec<(usize, usize, Weight)>,
    /// Edges to members on the way.
    #[serde(rename = "x", skip_serializing_if = "Vec::is_empty")]
    ahead: Vec<Edge>,
    #[serde(rename = "p", skip_serializing_if = "Vec::is_empty")]
    people: Vec<(PersonId, Vec<usize>, u64)>,
    #[serde(rename = "o", skip_serializing_if = "BTreeMap::is_empty")]
    former: BTreeMap<PersonId, Former>,
    #[serde(rename = "d")]
    projected: u64,
}

impl From<Cluster> for Written {
    fn from(cluster: Cluster) -> Self {
        let place: BTreeMap<&RecordHandle, usize> = cluster.members.keys().zip(0..).collect();
        let current: BTreeSet<&Edge> = cluster.current_edges().collect();
        let at = |handle: &RecordHandle| place.get(handle).copied().unwrap_or(usize::MAX);
        let edges = current.iter().map(|edge| (at(&edge.a.0), at(&edge.b.0), edge.weight)).collect();
        let ahead = cluster.edges.iter().filter(|edge| !current.contains(edge)).cloned().collect();
        let people = cluster
            .people
            .iter()
            .map(|(id, person)| (id.clone(), person.records.iter().map(at).collect(), person.epoch))
            .collect();
        let members = cluster
            .members
            .iter()
            .map(|(handle, member)| {
                let (live, removed) = match &member.state {
                    Ok(live) => (Some(live.clone()), None),
                    Err(removed) => (None, Some(*removed)),
                };
                (handle.clone(), member.rev, live, removed)
            })
            .collect();
        Self { members, edges, ahead, people, former: cluster.former, projected: cluster.projected }
    }
}

impl From<Written> for Cluster {
    fn from(written: Written) -> Self {
        let handles: Vec<(RecordHandle, u64)> =
            written.members.iter().map(|(handle, rev, _, _)| (handle.clone(), *rev)).collect();
        let edges = written
            .edges
            .iter()
            .filter_map(|(a, b, weight)| Some(Edge::new(handles.get(*a)?.clone(), handles.get(*b)?.clone(), *weight)));
        let people = written.people.into_iter().map(|(id, places, epoch)| {
            let records = places.iter().filter_map(|place| Some(handles.get(*place)?.0.clone())).collect();
            (id, Person { records, epoch })
        });
        Self {
            edges: edges.chain(written.ahead).collect(),
            people: people.collect(),
            former: written.former,
            projected: written.projected,
            members: written
                .members
                .into_iter()
                .map(|(handle, rev, live, removed)| {
                    (handle, Member { rev, state: live.ok_or(removed.unwrap_or_default()) })
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_452_800;

    fn handle(number: u8) -> RecordHandle {
        RecordHandle::parse(&format!("{number:032x}")).unwrap()
    }

    /// A record of Maya's, whatever its number.
    fn maya(number: u8, rev: u64) -> News {
        let facts = Facts {
            birth: "2014-03-09".parse().ok(),
            forenames: vec!["maya".into()],
            surnames: vec!["okafor".into()],
            ..Facts::default()
        };
        let live = Live {
            facts,
            never: Vec::new(),
            relatives: Vec::new(),
            protection: Protection::None,
            told: BTreeMap::new(),
        };
        News { handle: handle(number), rev, live: Some(live) }
    }

    fn removed(number: u8, rev: u64) -> News {
        News { handle: handle(number), rev, live: None }
    }

    /// An edge that nothing could make surer.
    fn edge(a: (u8, u64), b: (u8, u64)) -> BTreeSet<Edge> {
        BTreeSet::from([Edge::new((handle(a.0), a.1), (handle(b.0), b.1), Weight::from_bits(30.0))])
    }

    fn joined(clusters: &[&Cluster], news: &[News], edges: &BTreeSet<Edge>, epoch: u64) -> Cluster {
        join(Model::shipped(), clusters, news, edges, epoch, NOW, &PersonId::random)
    }

    fn groups(cluster: &Cluster) -> BTreeSet<Vec<RecordHandle>> {
        cluster.people.values().map(|person| person.records.iter().cloned().collect()).collect()
    }

    #[test]
    fn clusters_joined_in_either_order_are_the_same() {
        let one = joined(&[], &[maya(1, 1)], &BTreeSet::new(), 1);
        let two = joined(&[], &[maya(2, 1)], &BTreeSet::new(), 1);
        let forth = joined(&[&one, &two], &[], &edge((1, 1), (2, 1)), 2);
        let back = joined(&[&two, &one], &[], &edge((2, 1), (1, 1)), 2);
        assert!(forth == back);
        assert_eq!(groups(&forth), BTreeSet::from([vec![handle(1), handle(2)]]));
        assert_eq!(forth.former.len(), 1, "the other person's id leads on");
    }

    #[test]
    fn an_edge_to_what_a_record_was_before_links_nothing() {
        let both = joined(&[], &[maya(1, 1), maya(2, 1)], &edge((1, 1), (2, 1)), 1);
        assert_eq!(both.people.len(), 1);
        let apart = joined(&[&both], &[maya(2, 2)], &BTreeSet::new(), 2);
        assert_eq!(apart.people.len(), 2);
        let late = joined(&[&apart], &[], &edge((1, 1), (2, 1)), 3);
        assert!(late.edges.is_empty() && late.people.len() == 2, "a worker that comes late with the old edge");
    }

    #[test]
    fn an_edge_to_what_a_record_will_be_waits_for_it() {
        let early = joined(&[], &[maya(1, 1), maya(2, 1)], &edge((1, 1), (2, 2)), 1);
        assert_eq!(early.people.len(), 2);
        let then = joined(&[&early], &[maya(2, 2)], &BTreeSet::new(), 2);
        assert_eq!(then.people.len(), 1);
    }

    #[test]
    fn a_removed_record_is_not_brought_back_by_a_late_worker_until_it_is_forgotten() {
        let there = joined(&[], &[maya(1, 1), maya(2, 1)], &edge((1, 1), (2, 1)), 1);
        let gone = joined(&[&there], &[removed(2, 2)], &BTreeSet::new(), 2);
        assert_eq!(groups(&gone), BTreeSet::from([vec![handle(1)]]));
        let late = joined(&[&gone], &[maya(2, 1)], &edge((1, 1), (2, 1)), 3);
        assert!(groups(&late) == groups(&gone) && late.members == gone.members);
        let much_later = NOW + REMEMBERED_SECONDS + 1;
        let later = join(Model::shipped(), &[&gone], &[], &BTreeSet::new(), 3, much_later, &PersonId::random);
        assert!(!later.members.contains_key(&handle(2)));
    }

    #[test]
    fn who_did_not_change_keeps_epoch_and_id() {
        let before = joined(&[], &[maya(1, 1), maya(2, 1), maya(3, 1)], &edge((1, 1), (2, 1)), 1);
        let after = joined(&[&before], &[maya(3, 2)], &BTreeSet::new(), 2);
        let person = |cluster: &Cluster, number: u8| {
            let found = cluster.people.iter().find(|(_, person)| person.records.contains(&handle(number)));
            found.map(|(id, person)| (id.clone(), person.epoch)).unwrap()
        };
        assert_eq!(person(&before, 1), person(&after, 1));
        assert_eq!(person(&before, 3).0, person(&after, 3).0);
        assert_eq!(person(&after, 3).1, 2);
    }

    #[test]
    fn a_cluster_is_read_back_as_it_was_written() {
        let mut edges = edge((1, 1), (2, 1));
        edges.extend(edge((2, 7), (3, 1)));
        let mut cluster = joined(&[], &[maya(1, 1), maya(2, 1), removed(3, 1)], &edges, 1);
        cluster.former.insert(PersonId::random(), Former { moved_to: Some(PersonId::random()), epoch: 1, at: NOW });
        let text = serde_json::to_string(&cluster).unwrap();
        assert!(serde_json::from_str::<Cluster>(&text).unwrap() == cluster);
    }

    #[test]
    fn three_hundred_records_fit_in_one_item() {
        let news: Vec<News> = (0..150).map(|number| maya(number, 1_772_452_800)).collect();
        let edges: BTreeSet<Edge> =
            (1..150).flat_map(|number| edge((number - 1, 1_772_452_800), (number, 1_772_452_800))).collect();
        let cluster = joined(&[], &news, &edges, 1);
        let bytes = serde_json::to_string(&cluster).unwrap().len();
        assert!(bytes * 2 < 150 * 1024, "{bytes} bytes for 150 records");
    }
}

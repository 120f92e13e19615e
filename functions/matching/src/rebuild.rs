//! The bulk path: brings what is stored to what this model makes of the same records.
//!
//! A new model, a new table of nicknames, or another way to find candidates weighs pairs otherwise than when their records
//! came. All records are linked offline by the pure engine and laid beside the clusters. A record that is filed or weighed
//! otherwise is looked at again, exactly as if it had changed: by the protocol of [`converge`](crate::converge), so that
//! any number of workers may go on meanwhile, and a run that breaks off is simply run again. What is the same is not
//! written. Three read units at most for a record that stays as it is; one that does not costs what a change costs.

use crate::{
    Failure, Matching,
    converge::{Arrived, Work},
    record, tasks,
};
use fc_linkage::{Standard, Subject, Weight, link};
use fc_model::{RecordHandle, RecordId, SourceId};
use fc_store::records::{self, Stored};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Records read in one go: memory is for what linking needs of each, not for the records.
const READ_AT_ONCE: usize = 1000;
/// Records looked at again together, as in a part of a load.
const AGAIN_AT_ONCE: usize = 100;
/// Requests to a table at once.
const AT_ONCE: usize = 16;

/// How far a rebuild has come, and in the end what it came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records that were read.
    pub records: u64,
    /// Those among them that this model files or weighs otherwise than what is stored.
    pub otherwise: u64,
    /// Those that were looked at again.
    pub done: u64,
    /// People written.
    pub people: u64,
    /// People whose search entries were filed by an earlier scheme; with `write`, those filed anew.
    pub refiled: u64,
}

/// A record, in what the comparison needs of it.
struct Known {
    handle: RecordHandle,
    rev: u64,
    subject: Subject,
    is_filed_so: bool,
}

/// Pairs of records and how sure their comparison was; the lower place first.
type Pairs = BTreeMap<(usize, usize), Weight>;

impl Matching {
    /// Looks at every one of these records, and again at those that this model files or weighs otherwise; without
    /// `write`, only counts them. `handles` are those of the accepted manifests; one that is no record is passed over.
    ///
    /// # Errors
    /// When a table fails. What was written stays, and is right; running it again goes on from there.
    pub async fn rebuild(
        &self,
        handles: &BTreeSet<RecordHandle>,
        write: bool,
        mut progress: impl FnMut(Rebuilt),
    ) -> Result<Rebuilt, Failure> {
        let mut rebuilt = Rebuilt::default();
        let mut known = Vec::with_capacity(handles.len());
        let all: Vec<&RecordHandle> = handles.iter().collect();
        for some in all.chunks(READ_AT_ONCE) {
            let read = records::read(&self.store.records, some.iter().copied(), self.now()).await?;
            rebuilt.records += read.len() as u64;
            known.extend(read.into_iter().filter_map(|(handle, stored)| self.known(handle, stored)));
            progress(rebuilt);
        }
        known.sort_by(|x, y| x.handle.cmp(&y.handle));
        let again = self.otherwise(&known, write).await?;
        drop(known);
        rebuilt.otherwise = again.len() as u64;
        progress(rebuilt);
        if !write {
            rebuilt.refiled = self.refile_all(&all, false).await?;
            return Ok(rebuilt);
        }
        for some in again.chunks(AGAIN_AT_ONCE) {
            let read = records::read(&self.store.records, some, self.now()).await?;
            let bumps = read.into_iter().map(|(handle, stored)| self.look_again(handle, stored)).collect();
            let arrived: Vec<Arrived> = tasks::all(AT_ONCE, bumps).await?.into_iter().flatten().collect();
            rebuilt.people += self.converge(arrived, &Work::begun(self.now())).await?.projected;
            rebuilt.done += some.len() as u64;
            progress(rebuilt);
        }
        rebuilt.refiled = self.refile_all(&all, true).await?;
        Ok(rebuilt)
    }

    /// Files anew whoever was filed by an earlier scheme, or counts them.
    async fn refile_all(&self, all: &[&RecordHandle], write: bool) -> Result<u64, Failure> {
        let mut refiled = BTreeSet::new();
        for some in all.chunks(READ_AT_ONCE) {
            refiled.extend(self.refile_people(some.iter().copied().cloned().collect(), write).await?);
        }
        Ok(refiled.len() as u64)
    }

    /// What the comparison needs of a record; `None` when it takes no part in matching.
    fn known(&self, handle: RecordHandle, stored: Stored) -> Option<Known> {
        let record = stored.record?;
        let details = record::details(&self.definitions, &record)?;
        let standard = Standard::of(&record.id.source, &details);
        let is_filed_so = record.keys == self.filings(&standard);
        let relatives = record::relatives(&self.store.key, &record.id, &details);
        Some(Known {
            subject: Subject {
                record: by_handle(&handle)?,
                standard,
                never_link: record.never.iter().filter_map(by_handle).collect(),
                relatives: relatives.iter().filter_map(by_handle).collect(),
            },
            handle,
            rev: stored.rev,
            is_filed_so,
        })
    }

    /// Records that are filed, weighed or grouped otherwise, those of one person next to each other. With `write`, people
    /// are projected on the way whom a run that broke off committed and did not get to.
    async fn otherwise(&self, known: &[Known], write: bool) -> Result<Vec<RecordHandle>, Failure> {
        let place: HashMap<&RecordHandle, usize> = known.iter().enumerate().map(|(i, one)| (&one.handle, i)).collect();
        let subjects: Vec<Subject> = known.iter().map(|one| one.subject.clone()).collect();
        let linked = link(&self.model, &subjects, &[]);
        drop(subjects);
        let wanted: Pairs =
            linked.edges.iter().map(|edge| ((edge.a.min(edge.b), edge.a.max(edge.b)), edge.weight)).collect();

        let mut stored = Pairs::new();
        // The person of each record, named by the place of its first; none where the head does not know the record so.
        let mut person: Vec<Option<usize>> = vec![None; known.len()];
        for some in known.chunks(READ_AT_ONCE) {
            let clusters = self.clusters(some.iter().map(|one| one.handle.clone()).collect()).await?;
            if write {
                let behind = clusters.iter().map(|cluster| self.catch_up(cluster));
                tasks::all(AT_ONCE, behind.collect()).await?;
            }
            for cluster in &clusters {
                stored.extend(cluster.current_edges().filter_map(|edge| {
                    let (a, b) = (*place.get(&edge.a.0)?, *place.get(&edge.b.0)?);
                    Some(((a.min(b), a.max(b)), edge.weight))
                }));
                for records in cluster.people.values().map(|person| &person.records) {
                    let first = records.iter().filter_map(|handle| place.get(handle)).min().copied();
                    for at in records.iter().filter_map(|handle| place.get(handle)) {
                        let is_so = cluster.members.get(&known[*at].handle).is_some_and(|m| m.rev == known[*at].rev);
                        person[*at] = first.filter(|_| is_so);
                    }
                }
            }
        }

        let mut otherwise: BTreeSet<usize> = (0..known.len()).filter(|at| !known[*at].is_filed_so).collect();
        let only_here = |pairs: &Pairs, others: &Pairs| {
            let differ = pairs.iter().filter(|(pair, weight)| others.get(pair) != Some(weight));
            differ.flat_map(|((a, b), _)| [*a, *b]).collect::<Vec<_>>()
        };
        otherwise.extend(only_here(&wanted, &stored));
        otherwise.extend(only_here(&stored, &wanted));
        let mut first_of = HashMap::new();
        let named: Vec<usize> =
            linked.people.iter().enumerate().map(|(at, number)| *first_of.entry(*number).or_insert(at)).collect();
        otherwise.extend((0..known.len()).filter(|at| person[*at] != Some(named[*at])));
        let mut again: Vec<usize> = otherwise.into_iter().collect();
        again.sort_by_key(|at| (named[*at], *at));
        Ok(again.into_iter().map(|at| known[at].handle.clone()).collect())
    }
}

/// A record by its handle alone: ties are broken by what records are called, and clusters call them so.
fn by_handle(handle: &RecordHandle) -> Option<RecordId> {
    Some(RecordId::new(SourceId::parse("all").ok()?, handle.to_string()))
}

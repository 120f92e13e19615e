//! Converging: the protocol by which any number of workers, in any order, with crashes and repeats, agree on which
//! records are one person. Each guard is here because without it runs diverged.
//!
//! 1. A record is put only over the version it was made from; its version grows. What it must never be linked with and
//!    how far it is restricted are kept as facts before that, and outlive it.
//! 2. Its own keys are filed, *then* keys are read strongly, and then candidates with their versions: of two records
//!    that arrive at once, at least one sees the other.
//! 3. Pairs are scored; an edge names the versions it compared. Facts are read that restrict the record by its own id or
//!    by an identifier it shares.
//! 4. The clusters of the record and of every edge's end are read and joined.
//! 5. The whole is cut into people, purely.
//! 6. One cluster is put conditional on its epoch; several in one transaction that checks every epoch. On a conflict, 4.
//!    Before it, people are projected that an earlier commit left behind: the message of that one may never be heard
//!    again when a newer change has come.
//! 7. People are projected, survivors before those that moved; only then is the message acknowledged.
//! 8. Obsolete keys are deleted, unless the record has moved on; readers ignore, and delete, keys that a record does not
//!    list.

use crate::{
    Failure, Matching, Report,
    cluster::{Cluster, Edge, Live, News, Person, join},
    record::{self, Applied},
    tasks, view,
};
use fc_linkage::{Band, Standard, birth_parts, blocking_keys, is_name_alone, may_be_one_birth, without_common_numbers};
use fc_model::{Change, Details, PersonId, Protection, RecordHandle};
use fc_store::{
    StoreError,
    people::{self, Projection, Standing},
    records::{
        self, Commit, Errand, Filing, Head, Held, Mark, REMEMBERED_SECONDS, Record, Restrictable, Stored, Ticket,
        WORK_SECONDS, next_rev,
    },
};
use jiff::tz::TimeZone;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    pin::Pin,
    time::Duration,
};

/// Requests to a table at once, within one part.
const AT_ONCE: usize = 16;
/// Views read in one call.
const READ_AT_ONCE: usize = 100;
/// Clusters worked on at once, within one part.
const CLUSTERS_AT_ONCE: usize = 8;
/// How often a conflict is answered by reading again, before the message goes back to the queue.
const TRIES: u32 = 8;
/// First pause after a conflict; grows with each.
const PAUSE: Duration = Duration::from_millis(10);
/// Clusters joined, and marks checked, in one transaction: DynamoDB takes 100 writes.
const MOST_ROOTS: usize = 90;
/// Characters of a blocking key's hash: 64 bits, so that two of a region's 90 million keys meet with odds of 1 in 4,500.
const KEY_LENGTH: usize = 16;

/// A record that was written, or found as the message has it.
pub(crate) struct Arrived {
    pub(crate) handle: RecordHandle,
    /// The version before, when there was one.
    last: Option<u64>,
    rev: u64,
    record: Record,
    /// How it was filed before and still is.
    kept_keys: Vec<Filing>,
    is_repeat: bool,
}

impl Arrived {
    /// A record as it was found: it may have been committed so, or not.
    pub(crate) fn as_found(handle: RecordHandle, stored: Stored) -> Option<Self> {
        let Stored { rev, record } = stored;
        Some(Self { handle, last: None, rev, record: record?, kept_keys: Vec::new(), is_repeat: true })
    }
}

/// Work under way.
#[derive(Clone)]
pub(crate) struct Work {
    /// When it began, in seconds since 1970. Its [ticket](crate::tickets) is no older.
    since: i64,
    /// Whether a ticket is open that whoever finishes it begins from.
    is_on_ticket: bool,
    /// Blocking keys whose members are being looked at again, each with the version of its mark.
    in_hand: BTreeMap<String, u64>,
}

impl Work {
    pub(crate) fn begun(now_seconds: i64) -> Self {
        Self { since: now_seconds, is_on_ticket: false, in_hand: BTreeMap::new() }
    }

    /// The same, on a ticket.
    pub(crate) fn on_ticket(&self) -> Self {
        Self { is_on_ticket: true, ..self.clone() }
    }

    /// The same with one more key in hand, which has a ticket.
    fn with(&self, key: &str, rev: u64) -> Self {
        let mut work = self.on_ticket();
        work.in_hand.insert(key.to_owned(), rev);
        work
    }
}

/// Heads of clusters, and which of them each record belongs to.
#[derive(Default)]
struct Roots {
    of: HashMap<RecordHandle, RecordHandle>,
    heads: HashMap<RecordHandle, Root>,
}

/// The head of a cluster, or the place for one.
#[derive(Clone, Default)]
struct Root {
    epoch: Option<u64>,
    cluster: Option<Cluster>,
    chunked: bool,
}

/// What is kept for good of a record that is not here.
#[derive(Default, Clone, Copy)]
struct Kept<'a> {
    never: Option<&'a BTreeSet<RecordHandle>>,
    restricted: Protection,
}

/// Which people of a cluster to project.
enum Which<'a> {
    /// All, to finish what a crash left.
    All,
    /// Those changed above an epoch.
    Above(u64),
    /// Those changed at an epoch, and who was there before it.
    At(u64, &'a BTreeSet<PersonId>),
}

/// What is committed at once: records and edges whose clusters are one in the end.
#[derive(Default)]
struct Group {
    handles: BTreeSet<RecordHandle>,
    news: Vec<News>,
    edges: BTreeSet<Edge>,
}

impl Matching {
    /// Step 1: puts records, each over the version it was made from.
    pub(crate) async fn put_records(
        &self,
        changes: BTreeMap<RecordHandle, Vec<Change>>,
        report: &mut Report,
    ) -> Result<Vec<Arrived>, Failure> {
        let known = records::read(&self.store.records, changes.keys(), self.now()).await?;
        // A record that is here holds its facts; one that is not may have been here before.
        let is_here = |handle: &&RecordHandle| known.get(*handle).is_some_and(|stored| stored.record.is_some());
        let new = || changes.keys().filter(|handle| !is_here(handle));
        let own = new().map(Restrictable::record).collect();
        let (never, restricted) = tokio::try_join!(
            records::never_links(&self.store.records, new()),
            records::restrictions(&self.store.records, &own)
        )?;
        let kept = |handle: &RecordHandle| {
            let by_itself = restricted.get(&Restrictable::record(handle)).and_then(|by| by.get(handle));
            Kept { never: never.get(handle), restricted: by_itself.copied().unwrap_or_default() }
        };
        let writes =
            changes.iter().map(|(handle, changes)| self.put_record(handle, changes, known.get(handle), kept(handle)));
        let mut arrived = Vec::new();
        for (counts, record) in tasks::all(AT_ONCE, writes.collect()).await? {
            *report += counts;
            arrived.extend(record);
        }
        Ok(arrived)
    }

    async fn put_record(
        &self,
        handle: &RecordHandle,
        changes: &[Change],
        known: Option<&Stored>,
        kept: Kept<'_>,
    ) -> Result<(Report, Option<Arrived>), Failure> {
        let mut known = known.cloned();
        for attempt in 1..=TRIES {
            let mut counts = Report::default();
            let last = known.as_ref().map(|stored| stored.rev);
            let before = known.and_then(|stored| stored.record);
            let Some(first) = changes.first() else { return Ok((counts, None)) };
            let mut record = before.clone().unwrap_or_else(|| record::unknown(first));
            let applied: Vec<Applied> = changes.iter().map(|change| record::apply(&mut record, change)).collect();
            for applied in &applied {
                match applied {
                    Applied::Stopped => counts.older += 1,
                    Applied::Same => counts.repeated += 1,
                    Applied::Changed => counts.changed += 1,
                }
            }
            if !applied.contains(&Applied::Changed) {
                // It may be a message that comes again, also when something newer has come meanwhile: what it left undone
                // then is known to nobody else.
                let found = last.map(|rev| Stored { rev, record: before });
                return Ok((counts, found.and_then(|found| Arrived::as_found(handle.clone(), found))));
            }
            let details = record::details(&self.definitions, &record);
            counts.waiting += u64::from(details.is_none() && !record::has_left(&record));
            let mut kept_keys = record.keys.clone();
            let stated = record::never_links(&self.store.key, &record);
            if !stated.is_subset(&record.never) {
                // Before the record: a crash must not lose what the source may never say again.
                records::keep_apart(&self.store.records, handle, &stated).await?;
            }
            record.never.extend(stated.into_iter().chain(kept.never.into_iter().flatten().cloned()));
            self.keep_restricted(handle, &mut record, before.as_ref(), details.as_ref(), kept.restricted).await?;
            // What an earlier version should have deleted may still be there, or be deleted and not yet reconsidered.
            let filed = records::still_filed(&self.store.records, handle, &record.obsolete).await?;
            let marks = records::marks(&self.store.records, record.obsolete.iter().map(Filing::hash)).await?;
            record.obsolete.retain(|old| filed.contains(old) || marks.contains_key(old.hash()));
            let deleted: BTreeSet<Filing> =
                record.obsolete.iter().filter(|old| !filed.contains(old)).cloned().collect();
            self.refile(&mut record, details.as_ref());
            // A mark of a key that it is filed under is looked at with the key.
            let is_seen = |old: &Filing| record.keys.iter().any(|key| key.hash() == old.hash());
            let obsolete = std::mem::take(&mut record.obsolete);
            record.obsolete = obsolete.into_iter().filter(|old| !(deleted.contains(old) && is_seen(old))).collect();
            kept_keys.retain(|key| record.keys.contains(key));
            let rev = next_rev(last, self.now());
            match self.write_record(handle, last, rev, &record).await {
                Ok(()) => {
                    let arrived = Arrived { handle: handle.clone(), last, rev, record, kept_keys, is_repeat: false };
                    return Ok((counts, Some(arrived)));
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
            self.store.records.pause(PAUSE * attempt).await;
            known = records::read(&self.store.records, [handle], self.now()).await?.remove(handle);
        }
        Err(StoreError::Conflict.into())
    }

    /// Keeps how far its source restricts a record, and every record with its identifiers: before the record is written,
    /// and for good.
    async fn keep_restricted(
        &self,
        handle: &RecordHandle,
        record: &mut Record,
        before: Option<&Record>,
        details: Option<&Details>,
        kept: Protection,
    ) -> Result<(), Failure> {
        let was = before.map_or(kept, |before| before.restricted);
        let is_living = before.is_some_and(|before| record::details(&self.definitions, before).is_some());
        let now = record::restricted(was, is_living, details);
        record.restricted = now;
        if was.max(now) == Protection::None {
            return Ok(());
        }
        let mut under = record.restricted_under.clone();
        under.insert(Restrictable::record(handle));
        under.extend(details.iter().flat_map(|details| Restrictable::identifiers(&self.store.key, details)));
        if now != was || under != record.restricted_under {
            for what in &under {
                records::restrict(&self.store.records, what, handle, now, record::newest(record)).await?;
            }
        }
        record.restricted_under = under;
        Ok(())
    }

    async fn write_record(
        &self,
        handle: &RecordHandle,
        last: Option<u64>,
        rev: u64,
        record: &Record,
    ) -> Result<(), StoreError> {
        let expires = record::has_left(record).then(|| self.now() + REMEMBERED_SECONDS);
        records::write(&self.store.records, handle, last, rev, record, expires).await
    }

    /// What a blocking key is stored as.
    fn blocking_key(&self, key: &str) -> String {
        let mut hash = self.store.key.hash("block", key);
        hash.truncate(KEY_LENGTH);
        hash
    }

    /// How a record is to be filed, sorted.
    pub(crate) fn filings(&self, standard: &Standard) -> Vec<Filing> {
        let parts =
            birth_parts(standard).map(|parts| parts.map(|part| self.store.key.hash("birth", &part.to_string())));
        let filing = |key: &String| {
            let hash = self.blocking_key(key);
            match &parts {
                Some(parts) if is_name_alone(key) => Filing::with_birth(&hash, parts),
                _ => Filing::under(&hash),
            }
        };
        let mut filings: Vec<Filing> = blocking_keys(standard).iter().map(filing).collect();
        filings.sort();
        filings.dedup();
        filings
    }

    /// Says under which keys a record is filed from now on, and which of the old ones have to go.
    fn refile(&self, record: &mut Record, details: Option<&Details>) {
        let standard = details.map(|details| Standard::of(&record.id.source, details));
        let keys = standard.map(|standard| self.filings(&standard)).unwrap_or_default();
        let mut obsolete = std::mem::take(&mut record.keys);
        obsolete.append(&mut record.obsolete);
        obsolete.retain(|key| !keys.contains(key));
        obsolete.sort();
        obsolete.dedup();
        record.obsolete = obsolete;
        record.keys = keys;
        record.matched |= details.is_some();
    }

    /// Steps 2 to 8 for records that were put. What commits is on a ticket until it has been projected.
    pub(crate) fn converge<'a>(
        &'a self,
        arrived: Vec<Arrived>,
        work: &'a Work,
    ) -> Pin<Box<dyn Future<Output = Result<Report, Failure>> + Send + 'a>> {
        // Boxed, because looking again at the members of a saturated key comes back here.
        Box::pin(async move {
            let mut report = Report::default();
            let mut roots = Roots::default();
            self.load_roots(&mut roots, arrived.iter().map(|one| one.handle.clone()).collect()).await?;

            // A repeat that was committed needs no ticket, and no more than what a crash may have left undone behind the commit.
            let handles: Vec<RecordHandle> = arrived.iter().map(|one| one.handle.clone()).collect();
            let (settled, fresh): (Vec<Arrived>, Vec<Arrived>) =
                arrived.into_iter().partition(|one| one.is_repeat && roots.knows(&one.handle, one.rev));
            let ticket = if fresh.is_empty() || work.is_on_ticket {
                None
            } else {
                Some(self.open_ticket(&Errand::of_records(handles)).await?)
            };
            let on_ticket = work.on_ticket();
            let work = if ticket.is_some() { &on_ticket } else { work };
            let settled_roots: BTreeSet<&RecordHandle> =
                settled.iter().filter_map(|one| roots.of.get(&one.handle)).collect();
            let finish: Vec<&Cluster> =
                settled_roots.into_iter().filter_map(|root| roots.heads.get(root)?.cluster.as_ref()).collect();
            let mut awaited: BTreeSet<RecordHandle> = finish.iter().flat_map(|cluster| cluster.awaited()).collect();
            let finish = finish.into_iter().map(|cluster| self.project(cluster, &Which::All, HashMap::new()));
            report.projected += tasks::all(CLUSTERS_AT_ONCE, finish.collect()).await?.into_iter().sum::<u64>();

            let groups = self.score(&fresh, &mut roots, work).await?;
            awaited.extend(ahead(&groups, &fresh, &roots));
            let commits = groups.into_iter().map(|(group, known)| self.settle(group, &roots, known, work));
            // Transactions that check the same mark at once would be in each other's way.
            let at_once = if work.in_hand.is_empty() { CLUSTERS_AT_ONCE } else { 1 };
            report.projected += tasks::all(at_once, commits.collect()).await?.into_iter().sum::<u64>();
            report.projected += self.adopt(awaited, work).await?;

            self.delete_obsolete(settled.iter().chain(&fresh), work).await?;
            if let Some(ticket) = ticket {
                records::close_ticket(&self.store.records, &ticket).await?;
            }
            Ok(report)
        })
    }

    /// Whether work may go on: nobody commits when he has been at it for so long that others take him for dead.
    fn in_time(&self, work: &Work) -> Result<(), Failure> {
        if self.now() <= work.since + WORK_SECONDS { Ok(()) } else { Err(Failure::Late) }
    }

    /// Commits records that ours were compared with at versions nobody has committed. Most are on their way; but a worker
    /// that died while it looked again at a saturated key has left versions that no message speaks of, and a link to such a
    /// version would never count.
    async fn adopt(&self, ahead: BTreeSet<RecordHandle>, work: &Work) -> Result<u64, Failure> {
        if ahead.is_empty() {
            return Ok(0);
        }
        let mut roots = Roots::default();
        self.load_roots(&mut roots, ahead.clone()).await?;
        let known: BTreeMap<_, _> = records::read(&self.store.records, &ahead, self.now()).await?.into_iter().collect();
        let left = known.into_iter().filter(|(handle, stored)| !roots.knows(handle, stored.rev));
        let arrived: Vec<Arrived> = left.filter_map(|(handle, stored)| Arrived::as_found(handle, stored)).collect();
        if arrived.is_empty() {
            return Ok(0);
        }
        Ok(self.converge(arrived, work).await?.projected)
    }

    /// Steps 2 and 3: files the records' keys, reads who else is filed there, and scores the pairs. Gives what has to be
    /// committed together, with the records that were read for it.
    async fn score(
        &self,
        fresh: &[Arrived],
        roots: &mut Roots,
        work: &Work,
    ) -> Result<Vec<(Group, HashMap<RecordHandle, Stored>)>, Failure> {
        let mut entries = BTreeMap::new();
        for one in fresh {
            // Keys that were there before are filed, if the version before got as far as a commit.
            let is_filed = one.last.is_some_and(|last| roots.knows(&one.handle, last));
            let keys = one.record.keys.iter().filter(|key| !(is_filed && one.kept_keys.contains(key)));
            entries.extend(keys.map(|key| ((key.clone(), one.handle.clone()), one.rev)));
        }
        records::file(&self.store.records, &entries).await?;

        let keys: BTreeSet<&str> = fresh.iter().flat_map(|one| &one.record.keys).map(Filing::hash).collect();
        let most = self.model.saturation();
        let reads = keys.into_iter().map(|key| async move {
            Ok::<_, Failure>((key, records::block(&self.store.records, key, Some(most + 1)).await?))
        });
        let (blocks, told) = tokio::try_join!(tasks::all(AT_ONCE, reads.collect()), self.restrictions(fresh))?;
        let mut blocks: BTreeMap<&str, records::Block> = blocks.into_iter().collect();
        for (key, block) in &mut blocks {
            let is_in_hand = work.in_hand.contains_key(*key);
            if !is_in_hand && !is_settled(block, most) {
                let besides = fresh.iter().map(|one| &one.handle).collect();
                self.reconsider(key, &besides, work).await?;
            } else if !is_in_hand {
                continue;
            }
            // What it is now: others may have been at it.
            *block = self.members_that_list(key).await?;
        }

        // Who is filed as a record is, under a key that supports a link, and may be of its birth date.
        let met = |own: &Filing| {
            let block = blocks.get(own.hash()).filter(|block| block.members.len() <= most);
            let members = block.into_iter().flat_map(|block| &block.members);
            let own = own.clone();
            members.filter(move |(_, theirs)| own.may_be_one_birth(theirs))
        };
        let filings: BTreeSet<&Filing> = fresh.iter().flat_map(|one| &one.record.keys).collect();
        let candidates: BTreeSet<&RecordHandle> = filings.into_iter().flat_map(met).map(|(member, _)| member).collect();
        let known = records::read(&self.store.records, candidates.iter().copied(), self.now()).await?;
        self.repair(&blocks, &candidates, &known, most).await?;

        let standard = |record: &Record| {
            let details = record::details(&self.definitions, record)?;
            Some(Standard::of(&record.id.source, &details))
        };
        let standards: HashMap<&RecordHandle, (u64, Standard)> = known
            .iter()
            .filter_map(|(handle, stored)| Some((handle, (stored.rev, standard(stored.record.as_ref()?)?))))
            .collect();
        let mut found: Vec<(News, BTreeSet<Edge>)> = Vec::new();
        for one in fresh {
            let told = told.get(&one.handle).cloned().unwrap_or_default();
            let Some(live) = self.live(&one.record, told) else {
                // What never took part has nothing to undo.
                if one.record.matched {
                    found.push((News { handle: one.handle.clone(), rev: one.rev, live: None }, BTreeSet::new()));
                }
                continue;
            };
            let own = standard(&one.record).unwrap_or_default();
            let mut edges = BTreeSet::new();
            // By a name alone only those meet that may indeed be of one birth date: hashes of its parts may collide.
            let mut pairs: BTreeMap<&RecordHandle, bool> = BTreeMap::new();
            for filing in &one.record.keys {
                let others = met(filing).filter(|(other, theirs)| *other != one.handle && lists(&known, other, theirs));
                for (other, theirs) in others {
                    *pairs.entry(other).or_default() |= filing.birth().is_empty() || theirs.birth().is_empty();
                }
            }
            for (other, meets) in pairs {
                let Some((rev, standard)) = standards.get(other) else { continue };
                if !meets && !may_be_one_birth(&own, standard) {
                    continue;
                }
                // A number that is saturated is nobody's.
                let plain = without_common_numbers(&own, standard, |key| {
                    let key = self.blocking_key(key);
                    blocks.get(key.as_str()).is_some_and(|block| block.members.len() > most)
                });
                let weight = self.model.compare(plain.as_ref().unwrap_or(&own), standard).weight;
                if self.model.band(weight) != Band::No {
                    let (one, other) = ((one.handle.clone(), one.rev), (other.clone(), *rev));
                    edges.insert(Edge::new(one, other, weight));
                }
            }
            found.push((News { handle: one.handle.clone(), rev: one.rev, live: Some(live) }, edges));
        }

        let ends = found.iter().flat_map(|(_, edges)| edges).flat_map(|edge| [edge.a.0.clone(), edge.b.0.clone()]);
        self.load_roots(roots, ends.collect()).await?;
        let own = |handle: &RecordHandle| fresh.iter().find(|one| one.handle == *handle);
        let with_records = |group: Group| {
            let stored = |handle: &RecordHandle| {
                let own = own(handle).map(|one| Stored { rev: one.rev, record: Some(one.record.clone()) });
                Some((handle.clone(), own.or_else(|| known.get(handle).cloned())?))
            };
            let records = group.handles.iter().filter_map(stored).collect();
            (group, records)
        };
        Ok(roots.group(found).into_iter().map(with_records).collect())
    }

    /// What a cluster needs to know of a record; `None` when it takes no part in matching.
    fn live(&self, record: &Record, told: BTreeMap<RecordHandle, Protection>) -> Option<Live> {
        let details = record::details(&self.definitions, record)?;
        let source = &record.id.source;
        let facts = Standard::of(source, &details).facts();
        let protection = details.protection.max(record.restricted);
        let relatives = record::relatives(&self.store.key, &record.id, &details).into_iter().collect();
        Some(Live { facts, never: record.never.iter().cloned().collect(), relatives, protection, told })
    }

    /// Which other records restrict these, by their identifiers or by what they were once: one read for all.
    async fn restrictions(
        &self,
        fresh: &[Arrived],
    ) -> Result<HashMap<RecordHandle, BTreeMap<RecordHandle, Protection>>, Failure> {
        let mut under: HashMap<&RecordHandle, Vec<Restrictable>> = HashMap::new();
        for one in fresh {
            if let Some(details) = record::details(&self.definitions, &one.record) {
                let mut own = Restrictable::identifiers(&self.store.key, &details);
                own.push(Restrictable::record(&one.handle));
                under.insert(&one.handle, own);
            }
        }
        let found = records::restrictions(&self.store.records, &under.values().flatten().cloned().collect()).await?;
        let told = under.into_iter().map(|(handle, under)| {
            let mut told: BTreeMap<RecordHandle, Protection> = BTreeMap::new();
            for (by, protection) in under.iter().filter_map(|one| found.get(one)).flatten() {
                if by != handle {
                    let known = told.entry(by.clone()).or_default();
                    *known = (*known).max(*protection);
                }
            }
            (handle.clone(), told)
        });
        Ok(told.collect())
    }

    /// Deletes keys that their record, if it was read, does not list: left by workers that were overtaken.
    async fn repair(
        &self,
        blocks: &BTreeMap<&str, records::Block>,
        read: &BTreeSet<&RecordHandle>,
        known: &HashMap<RecordHandle, Stored>,
        most: usize,
    ) -> Result<(), Failure> {
        let open = blocks.iter().filter(|(_, block)| block.members.len() <= most);
        let entries = open.flat_map(|(_, block)| &block.members).filter(|(member, _)| read.contains(member));
        self.delete_stray(entries.filter(|(member, filing)| !lists(known, member, filing)), known).await
    }

    /// Deletes entries that their record, as it was read, does not list.
    async fn delete_stray(
        &self,
        entries: impl Iterator<Item = &(RecordHandle, Filing)>,
        known: &HashMap<RecordHandle, Stored>,
    ) -> Result<(), Failure> {
        let mut stray: BTreeMap<&RecordHandle, Vec<&Filing>> = BTreeMap::new();
        for (member, filing) in entries {
            stray.entry(member).or_default().push(filing);
        }
        let rev = |member| known.get(member).map(|stored| stored.rev);
        let deletes =
            stray.into_iter().map(|(member, keys)| records::unfile(&self.store.records, member, rev(member), keys));
        tasks::all(AT_ONCE, deletes.collect()).await?;
        Ok(())
    }

    /// The members of a key, at most one beyond the limit. When there are so many, each lists the key: entries that their
    /// record does not list were left by workers that were overtaken, and nobody may lose a link for their sake.
    async fn members_that_list(&self, key: &str) -> Result<records::Block, Failure> {
        let most = self.model.saturation();
        let (key, mut before) = (key.to_owned(), None);
        loop {
            let block = records::block(&self.store.records, &key, Some(most + 1)).await?;
            if block.members.len() <= most || before.as_ref() == Some(&block) {
                return Ok(block);
            }
            let members = block.members.iter().map(|(member, _)| member);
            let known = records::read(&self.store.records, members, self.now()).await?;
            let stray = block.members.iter().filter(|(member, filing)| !lists(&known, member, filing));
            self.delete_stray(stray, &known).await?;
            before = Some(block);
        }
    }

    async fn is_saturated(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.members_that_list(key).await?.members.len() > self.model.saturation())
    }

    /// Marks a key as being settled, under a ticket; gives the version of the mark, or `None` if it is settled by now.
    async fn take_in_hand(&self, key: &str, work: &Work, ticket: &mut Option<Ticket>) -> Result<Option<u64>, Failure> {
        let most = self.model.saturation();
        for _ in 0..TRIES {
            let block = records::block(&self.store.records, key, Some(most + 1)).await?;
            if is_settled(&block, most) {
                return Ok(None);
            }
            if ticket.is_none() {
                *ticket = Some(self.open_ticket(&Errand::of_key(key)).await?);
            }
            self.in_time(work)?;
            let rev = records::settle(&self.store.records, key, block.mark_rev, self.now()).await?;
            if rev.is_some() {
                return Ok(rev);
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// A key has become saturated, or is no more: everything filed under it is looked at again, so that what links
    /// hold does not depend on who came before the limit. The mark says so from before the first member is looked at until
    /// after the last: whoever files or unfiles a record meanwhile, or comes after a crash, does it all again.
    ///
    /// Ends when the key is settled, by whomever. Who has taken over may die, with a message that is dealt with already.
    pub(crate) async fn reconsider(
        &self,
        key: &str,
        besides: &BTreeSet<&RecordHandle>,
        work: &Work,
    ) -> Result<(), Failure> {
        let mut ticket = None;
        for attempt in 1..=TRIES {
            let is_settled = match self.take_in_hand(key, work, &mut ticket).await? {
                Some(rev) => self.look_at_members(key, rev, besides, work).await?,
                None => true,
            };
            if is_settled {
                if let Some(ticket) = &ticket {
                    records::close_ticket(&self.store.records, ticket).await?;
                }
                return Ok(());
            }
            self.store.records.pause(PAUSE * attempt).await;
        }
        Err(StoreError::Conflict.into())
    }

    /// Looks again at the members of a key under its mark of this version; `false` when somebody else has taken it in hand.
    async fn look_at_members(
        &self,
        key: &str,
        rev: u64,
        besides: &BTreeSet<&RecordHandle>,
        work: &Work,
    ) -> Result<bool, Failure> {
        let is_saturated = self.is_saturated(key).await?;
        let members = records::block(&self.store.records, key, None).await?.members;
        let state = if is_saturated { "saturated" } else { "open" };
        tracing::warn!(count = members.len(), state, "a blocking key crossed the saturation limit");
        let members = members.iter().map(|(member, _)| member);
        let known: BTreeMap<_, _> =
            records::read(&self.store.records, members, self.now()).await?.into_iter().collect();
        let again = known.into_iter().filter(|(handle, _)| !besides.contains(handle));
        let bumps = again.map(|(handle, stored)| self.look_again(handle, stored));
        let arrived = tasks::all(AT_ONCE, bumps.collect()).await?.into_iter().flatten().collect();
        self.converge(arrived, &work.with(key, rev)).await?;
        Ok(records::settled(&self.store.records, key, rev, is_saturated).await?)
    }

    /// Gives a record a new version without changing what it says, which voids every edge it has; and files it anew.
    pub(crate) async fn look_again(
        &self,
        handle: RecordHandle,
        mut stored: Stored,
    ) -> Result<Option<Arrived>, Failure> {
        for attempt in 1..=TRIES {
            let Some(mut record) = stored.record else { return Ok(None) };
            let mut kept_keys = record.keys.clone();
            let details = record::details(&self.definitions, &record);
            self.refile(&mut record, details.as_ref());
            kept_keys.retain(|key| record.keys.contains(key));
            let rev = next_rev(Some(stored.rev), self.now());
            match self.write_record(&handle, Some(stored.rev), rev, &record).await {
                Ok(()) => {
                    let last = Some(stored.rev);
                    return Ok(Some(Arrived { handle, last, rev, record, kept_keys, is_repeat: false }));
                }
                // Whoever changed it may not live to look at the key.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
            self.store.records.pause(PAUSE * attempt).await;
            let found = records::read(&self.store.records, [&handle], self.now()).await?.remove(&handle);
            let Some(found) = found else { return Ok(None) };
            stored = found;
        }
        Err(StoreError::Conflict.into())
    }

    /// Steps 4 to 7 for one group. Returns how many people were written.
    async fn settle(
        &self,
        group: Group,
        known_roots: &Roots,
        known: HashMap<RecordHandle, Stored>,
        work: &Work,
    ) -> Result<u64, Failure> {
        let mut roots = known_roots.only(&group.handles);
        let mut conflicts = 0;
        loop {
            match self.commit(&group, &roots, work).await {
                Ok(Committed::Done { cluster, epoch, before }) => {
                    let which = epoch.map_or(Which::All, |epoch| Which::At(epoch, &before));
                    return self.project(&cluster, &which, known).await;
                }
                Ok(Committed::Joined) => {}
                Err(Failure::Store(StoreError::Conflict)) => {
                    conflicts += 1;
                    if conflicts == TRIES {
                        return Err(StoreError::Conflict.into());
                    }
                    self.store.records.pause(PAUSE * conflicts).await;
                }
                Err(error) => return Err(error),
            }
            roots = Roots::default();
            self.load_roots(&mut roots, group.handles.clone()).await?;
        }
    }

    /// Steps 4 to 6, once.
    async fn commit(&self, group: &Group, roots: &Roots, work: &Work) -> Result<Committed, Failure> {
        let now = self.now();
        let mut with_cluster: Vec<(&RecordHandle, &Root, &Cluster)> =
            roots.heads.iter().filter_map(|(handle, root)| Some((handle, root, root.cluster.as_ref()?))).collect();
        // The largest stays where it is; ties go to the lowest handle.
        with_cluster.sort_by(|x, y| y.2.members.len().cmp(&x.2.members.len()).then_with(|| x.0.cmp(y.0)));
        let most = MOST_ROOTS.saturating_sub(work.in_hand.len()).max(2);
        let is_all = with_cluster.len() <= most;
        with_cluster.truncate(most);

        let absent: BTreeMap<&RecordHandle, Option<u64>> =
            roots.heads.iter().filter(|(_, root)| root.cluster.is_none()).map(|(h, root)| (h, root.epoch)).collect();
        let (home, home_epoch) = match with_cluster.first() {
            Some((handle, root, _)) => ((*handle).clone(), root.epoch),
            None => match absent.first_key_value() {
                Some((handle, epoch)) => ((*handle).clone(), *epoch),
                None => return Err(StoreError::Conflict.into()),
            },
        };
        // What has no cluster yet can be pointed here before the commit: nothing is in it that could be lost.
        let pointers = absent.iter().filter(|(handle, _)| ***handle != home);
        let pointers = pointers
            .map(|(handle, expired)| records::start_elsewhere(&self.store.records, handle, *expired, &home, now));
        tasks::all(AT_ONCE, pointers.collect()).await?;

        let highest = roots.heads.values().filter_map(|root| root.epoch).max();
        let epoch = next_rev(highest, now);
        let clusters: Vec<&Cluster> = with_cluster.iter().map(|(_, _, cluster)| *cluster).collect();
        let (news, edges) = if is_all { (&group.news[..], group.edges.clone()) } else { (&[][..], BTreeSet::new()) };
        let mut cluster = join(&self.model, &clusters, news, &edges, epoch, now, &*self.new_person);
        let before: BTreeSet<_> = clusters.iter().flat_map(|cluster| cluster.people.keys().cloned()).collect();
        if let [only] = &clusters[..] {
            cluster.projected = only.projected;
            if **only == cluster {
                return Ok(Committed::Done { cluster, epoch: None, before });
            }
        }
        // Facts before what is made of them: a restriction must not be lost with a head.
        for (of, by, protection) in cluster.newly_restricted(&clusters, news) {
            records::restrict(&self.store.records, &Restrictable::record(&of), &by, protection, None).await?;
        }
        let behind = clusters.iter().map(|cluster| self.catch_up(cluster));
        tasks::all(CLUSTERS_AT_ONCE, behind.collect()).await?;
        cluster.projected = highest.unwrap_or(0);
        let joined = with_cluster.iter().skip(1);
        let commit = Commit {
            root: (home, home_epoch),
            epoch,
            cluster: &cluster,
            expires: cluster.live().next().is_none().then_some(now + REMEMBERED_SECONDS),
            joined: joined.filter_map(|(handle, root, _)| Some(((*handle).clone(), root.epoch?))).collect(),
            // Whoever took a key over sees to everything that was committed before, and to nothing that comes after.
            settling: work.in_hand.clone(),
            chunked: with_cluster.iter().filter(|(_, root, _)| root.chunked).map(|(h, _, _)| (*h).clone()).collect(),
        };
        self.in_time(work)?;
        records::commit(&self.store.records, commit).await?;
        Ok(if is_all { Committed::Done { cluster, epoch: Some(epoch), before } } else { Committed::Joined })
    }

    /// Projects what earlier commits of a cluster did not get to.
    pub(crate) async fn catch_up(&self, cluster: &Cluster) -> Result<(), Failure> {
        let above: Vec<(&PersonId, u64)> = cluster.above(cluster.projected).collect();
        if !people::are_projected(&self.store.people, &above).await? {
            self.project(cluster, &Which::Above(cluster.projected), HashMap::new()).await?;
        }
        Ok(())
    }

    /// People of these records whose search entries were filed by an earlier scheme. With `write` they are projected anew
    /// under an epoch of their own, and nothing of the old entries is left.
    pub(crate) async fn refile_people(
        &self,
        handles: BTreeSet<RecordHandle>,
        write: bool,
    ) -> Result<BTreeSet<PersonId>, Failure> {
        let mut roots = Roots::default();
        self.load_roots(&mut roots, handles).await?;
        let refiled = roots.heads.into_iter().map(|(home, root)| self.refile_cluster(home, root, write));
        Ok(tasks::all(CLUSTERS_AT_ONCE, refiled.collect()).await?.into_iter().flatten().collect())
    }

    async fn refile_cluster(&self, home: RecordHandle, root: Root, write: bool) -> Result<Vec<PersonId>, Failure> {
        let Root { epoch, cluster: Some(mut cluster), chunked } = root else { return Ok(Vec::new()) };
        let ids: Vec<PersonId> = cluster.people.keys().cloned().collect();
        let mut former = Vec::new();
        for some in ids.chunks(READ_AT_ONCE) {
            former.extend(people::of_another_scheme(&self.store.people, &some.iter().collect::<Vec<_>>()).await?);
        }
        if former.is_empty() || !write {
            return Ok(former);
        }
        self.catch_up(&cluster).await?;
        let next = next_rev(epoch, self.now());
        for id in &former {
            if let Some(person) = cluster.people.get_mut(id) {
                person.epoch = next;
            }
        }
        cluster.projected = epoch.unwrap_or(0);
        let commit = Commit {
            root: (home.clone(), epoch),
            epoch: next,
            cluster: &cluster,
            expires: cluster.live().next().is_none().then_some(self.now() + REMEMBERED_SECONDS),
            joined: Vec::new(),
            settling: BTreeMap::new(),
            chunked: chunked.then_some(home).into_iter().collect(),
        };
        // Where another worker was first, what it projects is of this scheme, and the rest is there for the next run.
        match records::commit(&self.store.records, commit).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let before = ids.into_iter().collect();
        self.project(&cluster, &Which::At(next, &before), HashMap::new()).await?;
        Ok(former)
    }

    /// Step 7: projects people of a cluster. Returns how many were written.
    async fn project(
        &self,
        cluster: &Cluster,
        which: &Which<'_>,
        mut known: HashMap<RecordHandle, Stored>,
    ) -> Result<u64, Failure> {
        let is_changed = |epoch: u64| match which {
            Which::All => true,
            Which::Above(projected) => epoch > *projected,
            Which::At(at, _) => epoch == *at,
        };
        let people: Vec<_> = cluster.people.iter().filter(|(_, person)| is_changed(person.epoch)).collect();
        // A record is used as it was read if the cluster knows no later version of it.
        known.retain(|handle, stored| cluster.members.get(handle).is_some_and(|member| member.rev <= stored.rev));
        let missing: Vec<&RecordHandle> =
            people.iter().flat_map(|(_, person)| &person.records).filter(|h| !known.contains_key(*h)).collect();
        known.extend(records::read(&self.store.records, missing, self.now()).await?);

        let maker = view::Maker {
            definitions: &self.definitions,
            model: &self.model,
            key: &self.store.key,
            today: TimeZone::UTC.to_datetime((self.now)()).date(),
        };
        let here = people.into_iter().map(|(id, person)| {
            // Somebody whose records have all left is gone before the commit that will say so, which no longer knows whose
            // the records were.
            let standing = maker.view(id, person, cluster, &known).map_or(Standing::Gone, Standing::Here);
            let is_new = matches!(which, Which::At(_, before) if !before.contains(id));
            Projection { person: id.clone(), epoch: person.epoch, standing, is_new }
        });
        let former = cluster.former.iter().filter(|(_, former)| is_changed(former.epoch)).map(|(id, former)| {
            let standing = former.moved_to.clone().map_or(Standing::Gone, Standing::MovedTo);
            Projection { person: id.clone(), epoch: former.epoch, standing, is_new: false }
        });
        let of = |(id, person): (&PersonId, &Person)| {
            person.records.iter().map(|handle| (handle.clone(), id.clone())).collect::<Vec<_>>()
        };
        let whose: BTreeMap<RecordHandle, PersonId> = cluster.people.iter().flat_map(of).collect();
        let mut written = 0;
        // Survivors before those that moved: nobody is missing in between.
        for projections in [here.collect::<Vec<_>>(), former.collect()] {
            let writes = projections
                .iter()
                .map(|wanted| people::project(&self.store.people, &self.store.key, wanted, &whose, self.now()));
            written += tasks::all(AT_ONCE, writes.collect()).await?.into_iter().map(u64::from).sum::<u64>();
        }
        Ok(written)
    }

    /// Step 8.
    async fn delete_obsolete(&self, arrived: impl Iterator<Item = &Arrived>, work: &Work) -> Result<(), Failure> {
        let obsolete = arrived.filter(|one| !one.record.obsolete.is_empty()).collect::<Vec<_>>();
        let deletes = obsolete.iter().map(|one| {
            let obsolete = &one.record.obsolete;
            records::unfile(&self.store.records, &one.handle, Some(one.rev), obsolete)
        });
        tasks::all(AT_ONCE, deletes.collect()).await?;
        let keys = obsolete.iter().flat_map(|one| &one.record.obsolete).map(Filing::hash);
        for (key, mark) in records::marks(&self.store.records, keys).await? {
            if !work.in_hand.contains_key(&key) && (mark == Mark::Settling || !self.is_saturated(&key).await?) {
                self.reconsider(&key, &BTreeSet::new(), work).await?;
            }
        }
        Ok(())
    }

    /// The clusters that records are in, as they are stored.
    pub(crate) async fn clusters(&self, handles: BTreeSet<RecordHandle>) -> Result<Vec<Cluster>, Failure> {
        let mut roots = Roots::default();
        self.load_roots(&mut roots, handles).await?;
        Ok(roots.heads.into_values().filter_map(|root| root.cluster).collect())
    }

    /// Reads heads and follows stubs until every handle has its root.
    async fn load_roots(&self, roots: &mut Roots, handles: BTreeSet<RecordHandle>) -> Result<(), Failure> {
        // From where each handle's way has come so far.
        let mut ways: Vec<(RecordHandle, RecordHandle)> = handles
            .into_iter()
            .filter(|handle| !roots.of.contains_key(handle))
            .map(|handle| (handle.clone(), handle))
            .collect();
        while !ways.is_empty() {
            let wanted: BTreeSet<RecordHandle> =
                ways.iter().map(|(_, at)| at.clone()).filter(|at| !roots.heads.contains_key(at)).collect();
            let heads: HashMap<RecordHandle, Head<Cluster>> =
                records::heads(&self.store.records, &wanted, self.now()).await?;
            let mut stubs: HashMap<RecordHandle, RecordHandle> = HashMap::new();
            for (handle, head) in heads {
                let Head { epoch, content, chunked } = head;
                match content {
                    Some(Held::Stub(to)) => {
                        stubs.insert(handle, to);
                    }
                    Some(Held::Root(cluster)) => {
                        roots.heads.insert(handle, Root { epoch, cluster: Some(cluster), chunked });
                    }
                    None => {
                        roots.heads.insert(handle, Root { epoch, cluster: None, chunked });
                    }
                }
            }
            let mut on = Vec::new();
            for (handle, at) in ways {
                match stubs.get(&at) {
                    Some(to) => on.push((handle, to.clone())),
                    None => {
                        roots.of.insert(handle, at);
                    }
                }
            }
            ways = on;
        }
        Ok(())
    }
}

/// What a commit came to.
enum Committed {
    /// Everything is in one cluster. `epoch` is `None` when it was so before; `before` are the people there were.
    Done { cluster: Cluster, epoch: Option<u64>, before: BTreeSet<PersonId> },
    /// Many clusters were joined, but not all yet: go on.
    Joined,
}

/// Records that others were compared with at versions that were not committed when their heads were read.
fn ahead(
    groups: &[(Group, HashMap<RecordHandle, Stored>)],
    fresh: &[Arrived],
    roots: &Roots,
) -> BTreeSet<RecordHandle> {
    let own: BTreeSet<&RecordHandle> = fresh.iter().map(|one| &one.handle).collect();
    let ends = groups.iter().flat_map(|(group, _)| &group.edges).flat_map(|edge| [&edge.a, &edge.b]);
    let ahead = ends.filter(|(handle, rev)| !own.contains(handle) && !roots.knows(handle, *rev));
    ahead.map(|(handle, _)| handle.clone()).collect()
}

/// Whether the links of a key's members are known to be those that it supports.
fn is_settled(block: &records::Block, most: usize) -> bool {
    match block.mark {
        None => block.members.len() <= most,
        Some(Mark::Saturated) => block.members.len() > most,
        Some(Mark::Settling) => false,
    }
}

/// Whether a record, as it was read, is filed so.
fn lists(known: &HashMap<RecordHandle, Stored>, handle: &RecordHandle, filing: &Filing) -> bool {
    known.get(handle).and_then(|stored| stored.record.as_ref()).is_some_and(|record| record.keys.contains(filing))
}

impl Roots {
    /// Whether a record was committed at a version or a later one.
    fn knows(&self, handle: &RecordHandle, rev: u64) -> bool {
        let root = self.of.get(handle).and_then(|root| self.heads.get(root));
        root.and_then(|root| root.cluster.as_ref()).is_some_and(|cluster| cluster.knows(handle, rev))
    }

    /// The part that concerns some records.
    fn only(&self, handles: &BTreeSet<RecordHandle>) -> Self {
        let of: HashMap<_, _> =
            handles.iter().filter_map(|handle| Some((handle.clone(), self.of.get(handle)?.clone()))).collect();
        let heads = of.values().filter_map(|root| Some((root.clone(), self.heads.get(root)?.clone()))).collect();
        Self { of, heads }
    }

    /// Groups records whose clusters an edge, or a common head, makes one.
    fn group(&self, found: Vec<(News, BTreeSet<Edge>)>) -> Vec<Group> {
        let root = |handle: &RecordHandle| self.of.get(handle).cloned().unwrap_or_else(|| handle.clone());
        let mut groups: Vec<Group> = Vec::new();
        // Which group a root belongs to; groups that were joined lead on.
        let mut group_of: HashMap<RecordHandle, usize> = HashMap::new();
        for (news, edges) in found {
            let ends = edges.iter().flat_map(|edge| [edge.a.0.clone(), edge.b.0.clone()]);
            let handles: BTreeSet<RecordHandle> = ends.chain([news.handle.clone()]).collect();
            let touched: BTreeSet<RecordHandle> = handles.iter().map(root).collect();
            let met: BTreeSet<usize> = touched.iter().filter_map(|root| group_of.get(root).copied()).collect();
            let mut whole = Group { handles, news: vec![news], edges };
            for place in &met {
                let other = std::mem::take(&mut groups[*place]);
                whole.handles.extend(other.handles);
                whole.news.extend(other.news);
                whole.edges.extend(other.edges);
            }
            let place = groups.len();
            for at in group_of.values_mut().filter(|at| met.contains(at)) {
                *at = place;
            }
            group_of.extend(touched.into_iter().map(|root| (root, place)));
            groups.push(whole);
        }
        groups.retain(|group| !group.news.is_empty());
        groups
    }
}

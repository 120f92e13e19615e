//! `reconcile`: is what was accepted what is kept, and is what is kept what is shown?
//!
//! Three things are laid beside each other: the accepted manifests, the records, and the people. Each table is read
//! through once, page by page; of the manifests a handle a record is held (16 bytes), and of what does not agree at most
//! [`MOST`] of each kind. What looks wrong is read again, strongly, before it is told, for files may arrive meanwhile.
//!
//! Nothing is mended by hand here: a record that is not as its manifest says is marked *unknown* in it, so that the next
//! file sends it again or removes it; a record that nobody shows is given to matching once more; and a person without
//! records is taken out by the projection that takes people out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use fc_ingest::manifest::{self, Entry, Handle, UNKNOWN};
use fc_linkage::Model;
use fc_matching::Matching;
use fc_model::{Change, Content, PersonId, PersonView, RecordHandle};
use fc_sources::{Common, Definitions, FeedKind};
use fc_store::loads::{self, FeedName, LoadId};
use fc_store::people::{self, Located, Projection, Standing};
use fc_store::records::{self, Record, Stored};
use fc_store::settings::Clients;
use fc_store::{Guard, Item, Key, Names, Store, StoreError, Table};
use jiff::Timestamp;

use crate::loads::{LoadsError, NoMessageNeeded, running};
use crate::{StartError, definitions, stack};

/// Most findings of one kind that are kept, and repaired, in one run.
const MOST: usize = 100_000;
/// Handles shown of each kind of finding.
const SHOWN: usize = 5;
/// Keys read at once.
const BATCH: usize = 100;

/// `reconcile`: compares accepted manifests, records and people, and repairs what does not agree.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// The data folder of the stack that is running on this machine. Without it, the stack in AWS that the functions'
    /// environment variables name (TABLE_..., BUCKET_..., HANDLE_KEY), with the AWS credentials of the environment.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The folder with the source definitions (*.toml). Without it, those of the running stack or those that come with
    /// the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
    /// Repair what is found. Without it, nothing is changed.
    #[arg(long)]
    repair: bool,
}

/// Why nothing could be compared, or what was found.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The stack cannot be found.
    #[error(transparent)]
    Place(#[from] LoadsError),
    /// The stack's secret cannot be read.
    #[error(transparent)]
    Secret(#[from] StartError),
    /// The definitions have mistakes.
    #[error(transparent)]
    Definitions(#[from] fc_sources::Unusable),
    /// A table or bucket cannot be read or changed.
    #[error("The stack's tables cannot be read or changed: {0}. Is it running, and may you use it?")]
    Store(#[from] StoreError),
    /// A table cannot be read through.
    #[error("A table cannot be read through: {0}")]
    Scan(String),
    /// Matching could not repair something.
    #[error("A record could not be shown again: {0}")]
    Matching(#[from] fc_matching::Failure),
    /// Standard output is gone.
    #[error("Could not write the answer: {0}")]
    Output(#[from] io::Error),
    /// A load was under way on each feed.
    #[error("Nothing was compared, for a load is under way: {0}. Run it again later.")]
    UnderWay(String),
    /// There is drift.
    #[error("{0} do not agree. Nothing was changed; to repair them: family-context reconcile --repair")]
    Drift(usize),
}

/// The kinds of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// A manifest has a record that the table has not.
    Missing,
    /// The table has a record that the manifest of its feed has not.
    Unaccepted,
    /// No person shows a record.
    NotShown,
    /// A person shows nothing but records that are not there and in no accepted file.
    WithoutRecords,
    /// A person shows a record that is not there, but was accepted, or stands beside others that are.
    LacksRecord,
}

impl Drift {
    fn words(self) -> &'static str {
        match self {
            Self::Missing => "records that were accepted are not in the table",
            Self::Unaccepted => "records in the table are in no accepted file",
            Self::NotShown => "records are shown with no person",
            Self::WithoutRecords => "people have no record",
            Self::LacksRecord => "people show a record that is not there",
        }
    }

    fn mended(self) -> &'static str {
        match self {
            Self::Missing => "marked: the feed's next file sends them again",
            Self::Unaccepted => "marked: the feed's next whole file keeps or removes them",
            Self::NotShown => "given to matching again",
            Self::WithoutRecords => "taken out",
            Self::LacksRecord => "left: their feed's next file puts it right once the record is sent again",
        }
    }
}

/// What was compared, and what does not agree.
#[derive(Debug, Default)]
pub struct Findings {
    /// Records in the accepted manifests of the feeds that were compared.
    pub accepted: u64,
    /// Records in the table.
    pub records: u64,
    /// People.
    pub people: u64,
    /// Feeds that were compared.
    pub compared: usize,
    /// Feeds that were not compared, because a load is under way.
    pub under_way: Vec<FeedName>,
    /// Handles of records, or ids of people, by kind and feed.
    pub drift: BTreeMap<(Drift, String), BTreeSet<String>>,
    /// The person in whose view a record stands that is not shown.
    viewed: HashMap<RecordHandle, PersonId>,
}

impl Findings {
    fn note(&mut self, drift: Drift, of: &impl fmt::Display, what: String) {
        let found = self.drift.entry((drift, of.to_string())).or_default();
        if found.len() < MOST {
            found.insert(what);
        }
    }

    /// What is to be said where no drift was found.
    ///
    /// # Errors
    /// When nothing was compared, because loads are under way.
    pub fn agreement(&self) -> Result<String, ReconcileError> {
        if self.under_way.is_empty() {
            return Ok("They agree.".to_owned());
        }
        let feeds = self.under_way.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if self.compared == 0 {
            return Err(ReconcileError::UnderWay(feeds));
        }
        Ok(format!("What was compared agrees. Not compared: {feeds}. Run it again later."))
    }

    /// How many do not agree.
    #[must_use]
    pub fn count(&self) -> usize {
        self.drift.values().map(BTreeSet::len).sum()
    }
}

/// A feed as it was accepted.
struct Accepted {
    name: FeedName,
    kind: FeedKind,
    load: LoadId,
    /// Records, sorted; whether they were found; and whether they are known to be there.
    handles: Vec<Handle>,
    seen: Vec<bool>,
    certain: Vec<bool>,
}

impl Reconcile {
    /// Compares, says what was found on `out`, and repairs it when asked to.
    ///
    /// # Errors
    /// [`ReconcileError`]; also when there is drift and it was not repaired.
    pub fn run(&self, out: &mut impl Write) -> Result<(), ReconcileError> {
        let runtime = tokio::runtime::Runtime::new().map_err(LoadsError::Runtime)?;
        runtime.block_on(async {
            let (clients, store, sources) = place(self.data.as_deref()).await?;
            let definitions = Arc::new(definitions::load(self.sources.as_deref().or(sources.as_deref()))?);
            let found = compare(&clients, &store, &definitions).await?;
            writeln!(
                out,
                "{} accepted records, {} records in the table, {} people",
                found.accepted, found.records, found.people
            )?;
            for feed in &found.under_way {
                writeln!(out, "{feed}: not compared, a load is under way; run it again later")?;
            }
            for ((drift, of), which) in &found.drift {
                writeln!(out, "{of}: {} {}", which.len(), drift.words())?;
                for what in which.iter().take(SHOWN) {
                    writeln!(out, "  {what}")?;
                }
            }
            if found.drift.is_empty() {
                writeln!(out, "{}", found.agreement()?)?;
                return Ok(());
            }
            if !self.repair {
                return Err(ReconcileError::Drift(found.count()));
            }
            repair(&store, &definitions, &found).await?;
            for (drift, of) in found.drift.keys() {
                writeln!(out, "{of}: {}", drift.mended())?;
            }
            Ok(())
        })
    }
}

/// The stack that is meant: its clients, its store, and where its definitions are if it says so.
pub(crate) async fn place(data: Option<&Path>) -> Result<(Clients, Store, Option<PathBuf>), ReconcileError> {
    if let Some(data) = data {
        let (clients, sources) = running(data)?;
        let store = Store::new(&clients, &Names::with_prefix(""), stack::hashing_secret(data)?);
        return Ok((clients, store, sources));
    }
    if Names::from_environment().records.is_empty() {
        return Err(LoadsError::Where.into());
    }
    let clients = Clients::of_operator().await;
    let store = Store::from_environment(&clients)?;
    Ok((clients, store, None))
}

/// Lays everything beside each other. Changes nothing.
///
/// # Errors
/// When a table or bucket cannot be read.
pub async fn compare(clients: &Clients, store: &Store, definitions: &Definitions) -> Result<Findings, ReconcileError> {
    let mut found = Findings::default();
    let mut feeds = accepted(store, definitions, &mut found).await?;

    let mut after = None;
    loop {
        let page = scan(clients, &store.records, "begins_with(pk, :wanted)", "REC#", after).await?;
        for (key, data, expires) in &page.items {
            if is_expired(*expires) {
                continue;
            }
            let record: Record = Item { expires: *expires, ..item(key.clone(), data) }.read()?;
            if record.fragments.values().any(|fragment| fragment.details.is_some()) {
                found.records += 1;
                see(&mut feeds, &mut found, key, &record);
            }
        }
        find_not_shown(store, definitions, &page, &mut found).await?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    see_staff(store, &mut feeds).await?;
    for feed in &feeds {
        let lost = feed.handles.iter().zip(&feed.seen).zip(&feed.certain).filter(|((_, seen), sure)| !**seen && **sure);
        for ((handle, _), _) in lost {
            found.note(Drift::Missing, &feed.name, manifest::hex(*handle));
        }
    }

    let mut after = None;
    loop {
        let page = scan(clients, &store.people, "sk = :wanted", "VIEW", after).await?;
        let views = page.items.iter().map(|(key, data, _)| item(key.clone(), data));
        let views: Vec<Standing<PersonView>> = views.map(|view| people::standing(&view)).collect::<Result<_, _>>()?;
        for views in views.chunks(BATCH / 4) {
            look_at_views(store, &feeds, views, &mut found).await?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    confirm(store, definitions, &feeds, &mut found).await?;
    Ok(found)
}

/// The accepted manifests of feeds on which nobody works.
async fn accepted(
    store: &Store,
    definitions: &Definitions,
    found: &mut Findings,
) -> Result<Vec<Accepted>, ReconcileError> {
    let mut feeds = Vec::new();
    for definition in definitions.iter().flat_map(|definition| &definition.feeds) {
        let name = FeedName::new(definition.source.clone(), definition.feed.clone());
        let feed = loads::feed(&store.loads, &name).await?;
        if feed.pending.is_some() || feed.lease.is_some_and(|lease| lease.until > Timestamp::now()) {
            found.under_way.push(name);
            continue;
        }
        let Some(applied) = feed.applied else { continue };
        let entries = manifest_of(store, applied.manifest.as_deref()).await?;
        found.accepted += entries.len() as u64;
        feeds.push(Accepted {
            name,
            kind: definition.kind,
            load: applied.load,
            seen: vec![false; entries.len()],
            certain: entries.iter().map(|entry| entry.hash != UNKNOWN).collect(),
            handles: entries.into_iter().map(|entry| entry.handle).collect(),
        });
    }
    Ok(feeds)
}

pub(crate) async fn manifest_of(store: &Store, key: Option<&str>) -> Result<Vec<Entry>, ReconcileError> {
    Ok(whole_manifest_of(store, key).await?.entries)
}

/// An accepted manifest.
#[derive(Default)]
struct Manifest {
    common: Common,
    entries: Vec<Entry>,
}

async fn whole_manifest_of(store: &Store, key: Option<&str>) -> Result<Manifest, ReconcileError> {
    let Some(key) = key else { return Ok(Manifest::default()) };
    let bytes = store.manifests.get(key).await?;
    let unreadable = || StoreError::Corrupt { place: "manifests".into(), reason: "no manifest" };
    let common = manifest::read_common(&bytes).ok_or_else(unreadable)?;
    Ok(Manifest { common, entries: manifest::read(&bytes).ok_or_else(unreadable)? })
}

/// Marks in the manifests that a record is there, or notes that none has it.
fn see(feeds: &mut [Accepted], found: &mut Findings, key: &Key, record: &Record) {
    let text = key.pk.trim_start_matches("REC#");
    let Some(handle) = manifest::from_hex(text) else { return };
    let live = record.fragments.iter().filter(|(_, fragment)| fragment.details.is_some());
    for (feed, _) in live {
        let of = |accepted: &&mut Accepted| accepted.name.source == record.id.source && accepted.name.feed == *feed;
        let name = FeedName::new(record.id.source.clone(), feed.clone());
        match feeds.iter_mut().find(of) {
            Some(accepted) => match accepted.handles.binary_search(&handle) {
                Ok(place) => accepted.seen[place] = true,
                Err(_) => found.note(Drift::Unaccepted, &name, text.to_owned()),
            },
            None if found.under_way.contains(&name) => {}
            None => found.note(Drift::Unaccepted, &name, text.to_owned()),
        }
    }
}

/// Of the records of a page, those that no person shows.
async fn find_not_shown(
    store: &Store,
    definitions: &Definitions,
    page: &Page,
    found: &mut Findings,
) -> Result<(), ReconcileError> {
    let mut matched: Vec<(RecordHandle, FeedName)> = Vec::new();
    for (key, data, expires) in &page.items {
        if is_expired(*expires) {
            continue;
        }
        let record: Record = item(key.clone(), data).read()?;
        let of_people = people_feed(definitions, &record).map(|feed| FeedName::new(record.id.source.clone(), feed));
        let handle = RecordHandle::parse(key.pk.trim_start_matches("REC#")).ok();
        matched.extend(handle.zip(of_people));
    }
    for matched in matched.chunks(BATCH) {
        let shown = shown(store, matched.iter().map(|(handle, _)| handle)).await?;
        for (handle, feed) in matched.iter().filter(|(handle, _)| !shown.contains(handle)) {
            found.note(Drift::NotShown, feed, handle.to_string());
        }
    }
    Ok(())
}

/// The feed that says who a record is, when one does.
fn people_feed(definitions: &Definitions, record: &Record) -> Option<fc_model::FeedId> {
    let feeds = &definitions.get(&record.id.source)?.feeds;
    let live = |feed: &&fc_sources::Feed| record.fragments.get(&feed.feed).is_some_and(|said| said.details.is_some());
    feeds.iter().filter(|feed| feed.kind == FeedKind::People).find(live).map(|feed| feed.feed.clone())
}

/// Which of these records are in the view of the person that they are said to be.
async fn shown<'a>(
    store: &Store,
    handles: impl Iterator<Item = &'a RecordHandle>,
) -> Result<BTreeSet<RecordHandle>, ReconcileError> {
    let handles: Vec<&RecordHandle> = handles.collect();
    let located = located(store, &handles).await?;
    let people: BTreeSet<&PersonId> = located.values().collect();
    let keys: Vec<Key> = people.into_iter().map(people::view_key).collect();
    let mut in_views = BTreeSet::new();
    for keys in keys.chunks(BATCH) {
        for view in store.people.batch_get(keys, true).await? {
            if let Standing::Here(view) = people::standing::<PersonView>(&view)? {
                in_views.extend(view.records.into_iter().map(|record| (record.handle, view.id.clone())));
            }
        }
    }
    Ok(located.into_iter().filter(|shown| in_views.contains(shown)).map(|(handle, _)| handle).collect())
}

/// Who these records are said to be.
async fn located(store: &Store, handles: &[&RecordHandle]) -> Result<BTreeMap<RecordHandle, PersonId>, ReconcileError> {
    let by_key: HashMap<Key, &RecordHandle> =
        handles.iter().map(|handle| (people::record_key(handle), *handle)).collect();
    let keys: Vec<Key> = by_key.keys().cloned().collect();
    let mut located = BTreeMap::new();
    for item in store.people.batch_get(&keys, true).await? {
        if let Standing::Here(Located { person, .. }) = people::standing(&item)?
            && let Some(handle) = by_key.get(&item.key)
        {
            located.insert((*handle).clone(), person);
        }
    }
    Ok(located)
}

/// Workers of a staff directory are no records that are matched: they stand in the people table.
async fn see_staff(store: &Store, feeds: &mut [Accepted]) -> Result<(), ReconcileError> {
    for feed in feeds.iter_mut().filter(|feed| feed.kind == FeedKind::Staff) {
        let places: Vec<usize> = (0..feed.handles.len()).collect();
        for places in places.chunks(BATCH) {
            let key = |place: &usize| {
                let handle = RecordHandle::parse(&manifest::hex(feed.handles[*place])).ok()?;
                Some((people::staff_key_of(&handle, &feed.name.source), *place))
            };
            let by_key: HashMap<Key, usize> = places.iter().filter_map(key).collect();
            let keys: Vec<Key> = by_key.keys().cloned().collect();
            for item in store.people.batch_get(&keys, true).await? {
                if let Some(place) = by_key.get(&item.key).filter(|_| !people::is_gone(&item)) {
                    feed.seen[*place] = true;
                }
            }
        }
    }
    Ok(())
}

/// Are the records of these people there, and is each record said to be the person that shows it?
async fn look_at_views(
    store: &Store,
    feeds: &[Accepted],
    views: &[Standing<PersonView>],
    found: &mut Findings,
) -> Result<(), ReconcileError> {
    let is_accepted = |handle: &&&RecordHandle| {
        let bytes = manifest::from_hex(handle.as_str());
        bytes.is_some_and(|bytes| feeds.iter().any(|feed| feed.handles.binary_search(&bytes).is_ok()))
    };
    let views = views.iter().filter_map(|view| match view {
        Standing::Here(view) => Some(view),
        Standing::MovedTo(_) | Standing::Gone => None,
    });
    for view in views {
        found.people += 1;
        let handles: Vec<&RecordHandle> = view.records.iter().map(|record| &record.handle).collect();
        let (mut there, mut said) = (0, BTreeMap::new());
        for handles in handles.chunks(BATCH) {
            let known = records::read(&store.records, handles.iter().copied(), now()).await?;
            there += known.values().filter(|stored| is_living(stored)).count();
            said.extend(located(store, handles).await?);
        }
        let drift = match (there, handles.len()) {
            // A record that was accepted is sent again: then the person is right as it is.
            (0, _) if !handles.iter().any(|handle| is_accepted(&handle)) => Some(Drift::WithoutRecords),
            (there, all) if there < all => Some(Drift::LacksRecord),
            _ => None,
        };
        if let Some(drift) = drift {
            found.note(drift, &"people", view.id.to_string());
        }
        for handle in handles.into_iter().filter(|handle| said.get(*handle) != Some(&view.id)) {
            if found.viewed.len() < MOST {
                found.viewed.insert(handle.clone(), view.id.clone());
            }
        }
    }
    Ok(())
}

fn is_living(stored: &Stored) -> bool {
    let said = stored.record.iter().flat_map(|record| record.fragments.values());
    said.into_iter().any(|fragment| fragment.details.is_some())
}

/// Reads again what looked wrong: the tables were read while the stack went on working.
async fn confirm(
    store: &Store,
    definitions: &Definitions,
    feeds: &[Accepted],
    found: &mut Findings,
) -> Result<(), ReconcileError> {
    let mut changed = BTreeSet::new();
    for feed in feeds {
        let now = loads::feed(&store.loads, &feed.name).await?;
        if now.pending.is_some() || now.applied.is_none_or(|applied| applied.load != feed.load) {
            changed.insert(feed.name.to_string());
            found.under_way.push(feed.name.clone());
        }
    }
    found.compared = feeds.len() - changed.len();
    let mut drift = std::mem::take(&mut found.drift);
    drift.retain(|(_, of), _| !changed.contains(of));
    for ((kind, of), which) in &mut drift {
        let confirmed: BTreeSet<String> = match kind {
            Drift::NotShown => {
                let handles: Vec<RecordHandle> =
                    which.iter().filter_map(|text| RecordHandle::parse(text).ok()).collect();
                let mut still = BTreeSet::new();
                for handles in handles.chunks(BATCH) {
                    let known = records::read(&store.records, handles, now()).await?;
                    let shown = shown(store, handles.iter()).await?;
                    let living = handles.iter().filter(|handle| {
                        let record = known.get(*handle).and_then(|stored| stored.record.as_ref());
                        record.is_some_and(|record| people_feed(definitions, record).is_some())
                    });
                    still.extend(living.filter(|handle| !shown.contains(handle)).map(ToString::to_string));
                }
                still
            }
            Drift::Missing | Drift::Unaccepted => {
                let feed = feeds.iter().find(|feed| feed.name.to_string() == *of);
                if feed.is_some_and(|feed| feed.kind == FeedKind::Staff) {
                    continue;
                }
                let feed_id = of.split_once('/').map(|(_, feed)| feed.to_owned()).unwrap_or_default();
                let handles: Vec<RecordHandle> =
                    which.iter().filter_map(|text| RecordHandle::parse(text).ok()).collect();
                let mut still = BTreeSet::new();
                for handles in handles.chunks(BATCH) {
                    let known = records::read(&store.records, handles, now()).await?;
                    let is_there = |handle: &&RecordHandle| {
                        let record = known.get(*handle).and_then(|stored| stored.record.as_ref());
                        let mut said = record.into_iter().flat_map(|record| &record.fragments);
                        said.any(|(feed, fragment)| feed.as_str() == feed_id && fragment.details.is_some())
                    };
                    let wrong = handles.iter().filter(|handle| is_there(handle) == (*kind == Drift::Unaccepted));
                    still.extend(wrong.map(ToString::to_string));
                }
                still
            }
            // Their records were read strongly; a view lags behind them for moments, while a load is under way.
            Drift::WithoutRecords | Drift::LacksRecord => continue,
        };
        *which = confirmed;
    }
    drift.retain(|_, which| !which.is_empty());
    found.drift = drift;
    Ok(())
}

/// Repairs what was found.
///
/// # Errors
/// When a table or bucket cannot be changed. What was repaired stays so.
pub async fn repair(store: &Store, definitions: &Arc<Definitions>, found: &Findings) -> Result<(), ReconcileError> {
    doubt(store, definitions, found).await?;
    let matching = worker(store, definitions);
    let unaccepted = found.drift.iter().filter(|((drift, _), _)| *drift == Drift::Unaccepted);
    let unaccepted: BTreeSet<&String> = unaccepted.flat_map(|(_, which)| which).collect();
    for ((drift, _), which) in &found.drift {
        match drift {
            Drift::Missing | Drift::Unaccepted | Drift::LacksRecord => {}
            Drift::NotShown => {
                // What no file has is not shown for the sake of tidiness: the next file says whether it is to be there.
                let which = which.iter().filter(|handle| !unaccepted.contains(handle));
                let handles: Vec<RecordHandle> = which.filter_map(|text| RecordHandle::parse(text).ok()).collect();
                for handles in handles.chunks(BATCH) {
                    show_again(store, &matching, found, handles).await?;
                }
            }
            Drift::WithoutRecords => {
                for person in which.iter().filter_map(|text| PersonId::parse(text).ok()) {
                    take_out(store, person).await?;
                }
            }
        }
    }
    Ok(())
}

/// A worker of matching, for what an operator has it do.
pub(crate) fn worker(store: &Store, definitions: &Arc<Definitions>) -> Matching {
    Matching {
        store: store.clone(),
        definitions: Arc::clone(definitions),
        model: Model::shipped().clone(),
        ingest: Arc::new(NoMessageNeeded),
        now: Arc::new(Timestamp::now),
        new_person: Arc::new(PersonId::random),
    }
}

/// Marks records as unknown in the manifests of their feeds.
async fn doubt(store: &Store, definitions: &Definitions, found: &Findings) -> Result<(), ReconcileError> {
    for feed in definitions.iter().flat_map(|definition| &definition.feeds) {
        let name = FeedName::new(feed.source.clone(), feed.feed.clone());
        let of = |drift| found.drift.get(&(drift, name.to_string())).into_iter().flatten();
        let wrong: BTreeSet<Handle> =
            of(Drift::Missing).chain(of(Drift::Unaccepted)).filter_map(|text| manifest::from_hex(text)).collect();
        let Some(applied) = loads::feed(&store.loads, &name).await?.applied.filter(|_| !wrong.is_empty()) else {
            continue;
        };
        let Manifest { common, mut entries } = whole_manifest_of(store, applied.manifest.as_deref()).await?;
        for entry in entries.iter_mut().filter(|entry| wrong.contains(&entry.handle)) {
            entry.hash = UNKNOWN;
        }
        let known: BTreeSet<Handle> = entries.iter().map(|entry| entry.handle).filter(|h| wrong.contains(h)).collect();
        let new = wrong.difference(&known).map(|handle| Entry { handle: *handle, hash: UNKNOWN, stale: false });
        entries.extend(new);
        entries.sort_unstable();
        let key = format!("{name}/{}.reconciled.{}", applied.load, Timestamp::now().as_millisecond());
        store.manifests.put(&key, "text/plain", manifest::write(&common, &entries)).await?;
        let done = loads::doubt(&store.loads, &name, &applied.load, &key, Timestamp::now()).await?;
        // Whichever of the two is used by nobody now.
        let unused = if done { applied.manifest } else { Some(key) };
        if let Some(unused) = unused {
            store.manifests.delete(&unused).await?;
        }
    }
    Ok(())
}

/// Has matching project records as if their last change had come a second time. Taking the summary out first tells it that
/// the last projection did not come to its end.
async fn show_again(
    store: &Store,
    matching: &Matching,
    found: &Findings,
    handles: &[RecordHandle],
) -> Result<(), ReconcileError> {
    let said = located(store, &handles.iter().collect::<Vec<_>>()).await?;
    let people: BTreeSet<&PersonId> =
        handles.iter().flat_map(|handle| said.get(handle).into_iter().chain(found.viewed.get(handle))).collect();
    for person in people {
        store.people.delete(&people::summary_key(person), Guard::None).await?;
    }
    let mut changes = Vec::new();
    for (handle, stored) in records::read(&store.records, handles, now()).await? {
        let Some(record) = stored.record else { continue };
        for (feed, fragment) in record.fragments {
            let Some(details) = fragment.details else { continue };
            changes.push(Change {
                handle: handle.clone(),
                record: record.id.clone(),
                feed,
                seq: fragment.seq,
                content: Some(Content::Person(Box::new(details))),
            });
        }
    }
    matching.apply(changes).await?;
    Ok(())
}

/// Takes a person out who has no record: the view, and everything that was made from it.
async fn take_out(store: &Store, person: PersonId) -> Result<(), ReconcileError> {
    let Some(view) = store.people.get(&people::view_key(&person), true).await? else { return Ok(()) };
    let gone = Projection { person, epoch: view.rev + 1, standing: Standing::Gone, is_new: false };
    people::project(&store.people, &store.key, &gone, &BTreeMap::new(), now()).await?;
    Ok(())
}

/// Items of a table, as far as one call gives them.
struct Page {
    items: Vec<(Key, String, Option<i64>)>,
    next: Option<HashMap<String, AttributeValue>>,
}

/// One call of reading a table through. Only this tool does so, for an operator who asked; no function may.
async fn scan(
    clients: &Clients,
    table: &Table,
    condition: &str,
    wanted: &str,
    after: Option<HashMap<String, AttributeValue>>,
) -> Result<Page, ReconcileError> {
    let request = clients.dynamodb.scan().table_name(table.name()).consistent_read(true).filter_expression(condition);
    let request = request.expression_attribute_values(":wanted", AttributeValue::S(wanted.to_owned()));
    let output = request.set_exclusive_start_key(after).send().await;
    let output = output.map_err(|error| ReconcileError::Scan(DisplayErrorContext(error).to_string()))?;
    let items = output.items.unwrap_or_default().into_iter().filter_map(|mut item| {
        let mut text = |name: &str| match item.remove(name) {
            Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text),
            _ => None,
        };
        let expires = text("expires").and_then(|number| number.parse().ok());
        Some((Key::new(text("pk")?, text("sk")?), text("data").unwrap_or_default(), expires))
    });
    Ok(Page { items: items.collect(), next: output.last_evaluated_key.filter(|key| !key.is_empty()) })
}

fn item(key: Key, data: &str) -> Item {
    Item { data: data.to_owned(), ..Item::bare(key, 0) }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn is_expired(expires: Option<i64>) -> bool {
    expires.is_some_and(|expires| expires <= now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_all_agrees_is_said_only_where_all_was_compared() {
        let housing = || FeedName::new("housing".parse().unwrap(), "people".parse().unwrap());
        let said = |compared, under_way| Findings { compared, under_way, ..Findings::default() }.agreement();
        assert_eq!(said(3, Vec::new()).unwrap(), "They agree.");
        let some = said(2, vec![housing()]).unwrap();
        assert_eq!(some, "What was compared agrees. Not compared: housing/people. Run it again later.");
        let none = said(0, vec![housing()]).unwrap_err().to_string();
        assert_eq!(none, "Nothing was compared, for a load is under way: housing/people. Run it again later.");
        assert_eq!(said(0, Vec::new()).unwrap(), "They agree.", "where nothing was ever loaded");
    }
}

//! From an uploaded extract to the changes in it: the load protocol, which survives anything.
//!
//! A file is announced through a queue and [`handle`]d in the steps of [`Ingest::work`]: it is read once and laid beside
//! the manifest of what was last accepted; gates decide whether it may be applied; the changes are staged in parts; and
//! at the commit point the feed says that this load is *pending*. Before that point nothing has happened; after it the
//! load only goes forward: pointers to the parts are sent to matching, and when the last part is applied matching has
//! the load [`finish`](Ingest::finish)ed, which makes its manifest the accepted one.
//!
//! Nothing here holds a whole file: see [`extract`] for what memory it takes.

mod message;

mod extract;

mod guarding;

pub mod manifest;

mod plan;

mod chart;

pub mod report;

pub use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
pub use extract::PART_LINES;
pub use plan::Records;
pub use report::Report;

use extract::{Arriving, Begin, Extract, Survey, arrive};
use fc_model::{FeedId, Seq, SourceId};
use fc_sources::{
    AsOf, Common, Definition, Definitions, Feed as FeedDefinition, FeedKind, FileError, Freshness, Mode, report::Before,
};
use fc_store::{
    Queue, Store, StoreError,
    dead_letters::{self, Delivered},
    guard::Guarded,
    loads::{
        self, Feed, FeedName, Load, LoadId, LoadState, Pending, Staged, ToIngest, ToMatching, Turn, Upload, Version,
        Whole,
    },
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use manifest::Entry;
use message::Message;
use plan::{Plan, Rule};
use report::{Fill, Rows};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::{sync::mpsc, task::JoinSet};

/// Objects written or deleted at the same time.
const AT_ONCE: usize = 8;
/// Parts that one sweep sends again for a feed: a queue that is merely slow must not be flooded.
const MOST_RESENT: usize = 640;
/// Clocks differ, and evening files are dated the day after: a file may be this far ahead of its upload.
const AHEAD: SignedDuration = SignedDuration::from_hours(36);
/// Where files go that name no feed we know: as if they were a feed of this name.
const UNRECOGNISED: (&str, &str) = ("unrecognised", "files");

/// Tells the time; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// All that ingest works with, made once at start.
#[derive(Clone)]
pub struct Ingest {
    /// Tables and buckets.
    pub store: Store,
    /// What each source's files look like.
    pub definitions: Arc<Definitions>,
    /// Where pointers to parts go.
    pub matching: Queue,
    /// Our own queue.
    pub own: Queue,
    /// The time.
    pub now: Clock,
    /// Changes in a part: [`PART_LINES`], but for tests.
    pub part_lines: usize,
}

/// Why a message was not dealt with. It goes back to the queue, and after a few times to the dead letters.
#[derive(Debug, thiserror::Error)]
enum IngestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NotOurs(#[from] message::NotOurs),
    #[error("another worker is at this load")]
    Busy,
    #[error("the file changed while it was read")]
    FileChanged,
    #[error("an accepted manifest cannot be read")]
    Manifest,
    #[error("rows of the file are not all accounted for")]
    RowsLost,
    #[error("reading the file broke off")]
    Broken,
}

/// Deals with a batch of messages. Those that failed are named in the response, so that only they come again.
pub async fn handle(ingest: &Ingest, event: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        let message_id = message.message_id.unwrap_or_default();
        let body = message.body.as_deref().unwrap_or_default();
        let receives = message.attributes.get("ApproximateReceiveCount").map(String::as_str);
        let delivered = Delivered { queue: "ingest", id: &message_id, body, receives };
        let work = ingest.message(body);
        if let Err(error) = dead_letters::keeping(&ingest.store.staging, delivered, (ingest.now)(), work).await {
            tracing::error!(message_id, %error, "message not dealt with");
            response.add_failure(message_id);
        }
    }
    response
}

impl Ingest {
    async fn message(&self, body: &str) -> Result<(), IngestError> {
        match message::parse(body, self.store.extracts.name())? {
            Message::Files(uploads) => {
                for upload in uploads {
                    self.load_file(upload).await?;
                }
                Ok(())
            }
            Message::Ours(ToIngest::Finish(done)) => self.finish(&done.name, &done.load).await,
            Message::Ours(ToIngest::Resume(name)) => self.resume(&name).await,
            Message::Ours(ToIngest::Sweep {}) => self.sweep().await,
            Message::Nothing => Ok(()),
        }
    }

    /// Step 1: remember the load, unless this upload is known already. Its id follows from where the file lies.
    async fn load_file(&self, upload: Upload) -> Result<(), IngestError> {
        let name = self.target(&upload.key).ok().map(|target| target.name()).or_else(unrecognised);
        let name = name.ok_or(IngestError::Broken)?;
        let place = format!("{}\n{}\n{}", upload.bucket, upload.key, upload.version.as_deref().unwrap_or_default());
        let load = Load {
            load: LoadId::new(upload.at, &self.store.key.hash("load", &place)),
            since: (self.now)(),
            upload,
            state: LoadState::Received,
            as_of: None,
            approved: false,
            can_be_approved: false,
            report: None,
        };
        let load = loads::create(&self.store.loads, &name, &load).await?;
        self.advance(&name, load).await
    }

    /// Step 2: one load a feed at a time. Whoever has to wait is resumed by the load before it.
    async fn advance(&self, name: &FeedName, load: Load) -> Result<(), IngestError> {
        match loads::take_turn(&self.store.loads, name, &load.load, (self.now)()).await? {
            Turn::Yours(feed) => {
                let fence = feed.fence;
                let (feed, began) = (*feed, (self.now)());
                let work = Work {
                    ingest: self,
                    name,
                    load: &load,
                    feed,
                    whole: None,
                    before: None,
                    common: Common::default(),
                    one_row: false,
                    began,
                };
                let worked = work.run().await;
                if worked.is_err() {
                    // The next try need not wait for the lease to run out. If this fails too, it waits.
                    let _ = loads::give_back(&self.store.loads, name, fence).await;
                }
                worked
            }
            Turn::Committed(pending) => self.send_parts(name, &pending).await,
            Turn::Closed(_) => self.resume_if_free(name).await,
            Turn::Waits => Ok(()),
            Turn::Busy => Err(IngestError::Busy),
        }
    }

    /// Step 7: pointers to the parts, all of them again after a crash: applying a part twice changes nothing.
    async fn send_parts(&self, name: &FeedName, pending: &Pending) -> Result<(), IngestError> {
        let bodies = pending.parts(name).into_iter().map(|part| ToMatching::Part(part).body());
        self.matching.send(bodies.collect::<Result<_, _>>()?).await?;
        Ok(())
    }

    /// Step 9: when every part is applied, the pending load's manifest becomes the accepted one.
    async fn finish(&self, name: &FeedName, load: &LoadId) -> Result<(), IngestError> {
        let feed = loads::feed(&self.store.loads, name).await?;
        let Some(pending) = feed.pending.filter(|pending| pending.version.load == *load) else {
            return self.resume_if_free(name).await;
        };
        if !loads::all_parts_done(&self.store.loads, name, &pending).await? {
            tracing::warn!(source = %name.source, feed = %name.feed, load = %load, "asked to finish a load with parts left");
            return Ok(());
        }
        let folder = folder(name, load, pending.version.number);
        let staged_report = format!("{folder}report.json");
        match self.store.staging.get(&staged_report).await {
            Ok(report) => {
                if let Ok(mut report) = serde_json::from_slice::<Report>(&report) {
                    report.state = LoadState::Applied;
                    report.written = (self.now)();
                    self.write_report(&report).await?;
                }
            }
            Err(StoreError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(finished) = loads::finish(&self.store.loads, name, load, (self.now)()).await? else {
            return self.resume_if_free(name).await;
        };
        if finished.others_wait {
            self.send_resume(name).await?;
        }
        tracing::info!(source = %name.source, feed = %name.feed, load = %load, state = "applied", records = finished.pending.version.records, "load applied");
        let mut staged = vec![staged_report];
        staged.extend(finished.pending.parts(name).into_iter().map(|part| part.key));
        delete(&self.store.staging, staged).await;
        let replaced = finished.replaced.and_then(|replaced| replaced.manifest);
        let replaced = replaced.filter(|key| Some(key) != finished.pending.version.manifest.as_ref());
        delete(&self.store.manifests, replaced.into_iter().collect()).await;
        Ok(())
    }

    /// Lets the longest waiting load of a feed go ahead. When it ends it resumes the next.
    async fn resume(&self, name: &FeedName) -> Result<(), IngestError> {
        let feed = loads::feed(&self.store.loads, name).await?;
        let Some(first) = feed.waiting.first() else { return Ok(()) };
        let known = loads::load(&self.store.loads, name, first).await?;
        match known {
            Some(load) => self.advance(name, load).await,
            None => Err(IngestError::Store(StoreError::Missing { place: self.store.loads.name().to_owned() })),
        }
    }

    async fn resume_if_free(&self, name: &FeedName) -> Result<(), IngestError> {
        if loads::feed(&self.store.loads, name).await?.can_resume((self.now)()) {
            self.send_resume(name).await?;
        }
        Ok(())
    }

    async fn send_resume(&self, name: &FeedName) -> Result<(), IngestError> {
        self.own.send(vec![ToIngest::Resume(name.clone()).body()?]).await?;
        Ok(())
    }

    /// Finishes, sends again and resumes what was left behind when a message was lost to the dead letters; and has matching
    /// do the same.
    async fn sweep(&self) -> Result<(), IngestError> {
        self.matching.send(vec![(ToMatching::Sweep {}).body()?]).await?;
        let feeds = self.definitions.enabled().flat_map(|definition| &definition.feeds);
        let feeds = feeds.map(|feed| FeedName::new(feed.source.clone(), feed.feed.clone()));
        for name in feeds.chain(unrecognised()) {
            let feed = loads::feed(&self.store.loads, &name).await?;
            match &feed.pending {
                Some(pending) if loads::all_parts_done(&self.store.loads, &name, pending).await? => {
                    let load = pending.version.load.clone();
                    self.finish(&name, &load).await?;
                }
                _ if feed.can_resume((self.now)()) => self.send_resume(&name).await?,
                Some(pending) if feed.is_overdue((self.now)()) => {
                    let left = loads::parts_left(&self.store.loads, &name, pending, MOST_RESENT).await?;
                    let load = &pending.version.load;
                    tracing::warn!(source = %name.source, feed = %name.feed, load = %load, count = left.len(), "parts are overdue, and sent again");
                    let bodies = left.into_iter().map(|part| ToMatching::Part(part).body());
                    self.matching.send(bodies.collect::<Result<_, _>>()?).await?;
                }
                _ => {}
            }
            self.tell_if_stale(&name, &feed);
        }
        Ok(())
    }

    /// An alarm of each source looks for this line. What a source never sent is missed as much as what it sent long ago.
    fn tell_if_stale(&self, name: &FeedName, feed: &Feed) {
        let day = |at| TimeZone::UTC.to_datetime(at).date();
        let as_of = feed.applied.as_ref().map(|applied| day(applied.as_of));
        let Some(definition) = self.definitions.get(&name.source) else { return };
        if definition.freshness(as_of, day((self.now)())) != Freshness::Fresh {
            tracing::info!(source = %name.source, feed = %name.feed, "feed is stale");
        }
    }

    /// Which feed an object is a file of: `<source>/<feed>/<anything>`, or `<source>/<anything>` where there is one feed.
    fn target(&self, key: &str) -> Result<Target, Nowhere> {
        let mut parts = key.split('/');
        let (first, second, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next().is_some());
        let definition = SourceId::parse(first).ok().and_then(|source| self.definitions.get(&source));
        let (Some(definition), Some(second)) = (definition, second) else {
            return Err(Nowhere(
                "The file's place names no source we know. Put it at <source>/<feed>/<file name>, with the source and feed \
                 as its definition names them."
                    .to_owned(),
            ));
        };
        let named = FeedId::parse(second).ok().filter(|_| more).and_then(|feed| definition.feed(&feed));
        let only = || definition.feeds.first().filter(|_| definition.feeds.len() == 1 && !more);
        let Some(feed) = named.or_else(only) else {
            let feeds: Vec<&str> = definition.feeds.iter().map(|feed| feed.feed.as_str()).collect();
            return Err(Nowhere(format!(
                "The file's place names no feed of {first}. Put it at {first}/<feed>/<file name>, where the feed is one of: {}.",
                feeds.join(", ")
            )));
        };
        let mut feed = feed.clone();
        if fc_sources::mend::is_mended(key) {
            // Mended rows are some of a file's rows: what they do not name stays.
            feed.mode = match feed.mode {
                Mode::Full => Mode::Delta { deleted: None },
                delta => delta,
            };
        }
        Ok(Target { definition: definition.clone(), feed })
    }

    async fn write_report(&self, report: &Report) -> Result<(), StoreError> {
        let folder = format!("{}/{}/", report.source, report.feed);
        // Quality over time comes from the report before this one: one small read, however long the history.
        let before = match self.store.reports.get(&format!("{folder}latest.json")).await {
            Ok(latest) => serde_json::from_slice::<Report>(&latest).ok(),
            Err(StoreError::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        let report = &report.clone().after(before);
        for stem in [report.load.to_string(), "latest".to_owned()] {
            self.store.reports.put(&format!("{folder}{stem}.json"), "application/json", report.json()).await?;
            self.store.reports.put(&format!("{folder}{stem}.html"), "text/html; charset=utf-8", report.html()).await?;
        }
        Ok(())
    }
}

/// What a file is a file of.
#[derive(Clone)]
struct Target {
    definition: Definition,
    feed: FeedDefinition,
}

/// A file of nothing we know, and what its owner can do about it.
struct Nowhere(String);

impl Target {
    fn name(&self) -> FeedName {
        FeedName::new(self.definition.source.clone(), self.feed.feed.clone())
    }

    /// Changes with anything that changes how rows are read.
    fn digest(&self) -> String {
        let text = format!("{:?}\n{:?}", self.feed, self.definition.facts);
        extract::hex(&Sha256::digest(text.as_bytes()))
    }
}

fn unrecognised() -> Option<FeedName> {
    Some(FeedName::new(SourceId::parse(UNRECOGNISED.0).ok()?, FeedId::parse(UNRECOGNISED.1).ok()?))
}

/// Where a load's holder stages: the fence in the name keeps a holder that was given up for dead out.
fn folder(name: &FeedName, load: &LoadId, fence: u64) -> String {
    format!("{name}/{load}.{fence}/")
}

/// Deletes objects that nothing needs any more. What is left over by a failure, the bucket's lifecycle rule deletes.
async fn delete(bucket: &fc_store::Bucket, keys: Vec<String>) {
    let mut deleting = JoinSet::new();
    for key in keys {
        if deleting.len() >= AT_ONCE {
            deleting.join_next().await;
        }
        let bucket = bucket.clone();
        deleting.spawn(async move { bucket.delete(&key).await });
    }
    deleting.join_all().await;
}

/// Objects of a load that was taken over.
#[derive(Default)]
struct Leftovers {
    manifests: Vec<String>,
    staged: Vec<String>,
}

impl Leftovers {
    async fn delete(self, store: &Store) {
        delete(&store.manifests, self.manifests).await;
        delete(&store.staging, self.staged).await;
    }
}

/// One load in the hands of the feed's holder.
struct Work<'a> {
    ingest: &'a Ingest,
    name: &'a FeedName,
    load: &'a Load,
    feed: Feed,
    /// How new the file is, if it is a whole extract.
    whole: Option<Whole>,
    /// The report of the file that was last accepted.
    before: Option<Report>,
    /// What stood on more people than can share it in the feed's last whole extract.
    common: Common,
    /// Whether each record of the feed has one row, as far as is known.
    one_row: bool,
    began: Timestamp,
}

/// What stops a load before anything has changed.
enum Stop {
    /// Not usable, for this reason.
    Refused(String),
    /// As last applied.
    Duplicate(Timestamp),
    /// A newer full extract is in use.
    Superseded(String),
    /// A person must look at it; whether approving it can help.
    Held(Vec<String>, bool),
}

/// What a load starts from.
struct Base {
    entries: Vec<Entry>,
    manifest: Option<String>,
    /// A stuck load that this one takes over from.
    stuck: Option<Pending>,
    /// Parts of a stuck delta, which this load has applied along with its own.
    adopted: Vec<Staged>,
    /// As-of of the newest load that is applied or was under way.
    as_of: Option<Timestamp>,
}

impl Work<'_> {
    /// The steps, in order.
    async fn run(mut self) -> Result<(), IngestError> {
        let mut survey = Survey::default();
        let target = match self.ingest.target(&self.load.upload.key) {
            Ok(target) => target,
            Err(Nowhere(words)) => return self.stop(Stop::Refused(words), &survey, None).await,
        };
        if !target.definition.enabled {
            let words =
                "This source is switched off in its definition, so its files are not read. Nothing was kept of it.";
            return self.stop(Stop::Refused(words.to_owned()), &survey, None).await;
        }
        let is_mended = fc_sources::mend::is_mended(&self.load.upload.key);
        self.one_row = matches!(target.feed.kind, FeedKind::People | FeedKind::Staff) && !self.feed.several_rows;
        if is_mended && !self.one_row {
            let words = "A record of this feed may have several rows, and a file of some of them would replace the others. \
                         Mend the rows in the whole extract and send that.";
            return self.stop(Stop::Refused(words.to_owned()), &survey, None).await;
        }
        if target.feed.mode == Mode::Full {
            self.whole = Some(Whole { as_of: None, load: self.load.load.clone() });
        }
        let guarded = self.ingest.store.guard.all().await?;
        self.before = self.accepted_report().await?;
        self.common = self.common_before().await?;
        survey = match self.survey(&target, &guarded).await {
            Err(IngestError::Store(StoreError::Missing { .. })) => {
                let words = "The file was gone when we came to read it. Send it again.";
                return self.stop(Stop::Refused(words.to_owned()), &survey, None).await;
            }
            survey => survey?,
        };
        // What protects somebody binds before anything is decided about the file: also where it will be held.
        let protects = survey.guarding.protects();
        self.ingest.store.guard.bind(&guarded, &protects, (self.ingest.now)()).await?;
        if !survey.reading.as_ref().is_none_or(|reading| Rows::of(reading).add_up()) {
            return Err(IngestError::RowsLost);
        }
        if self.one_row && survey.said.iter().any(|named| named.said.has_several_rows()) {
            // Before anybody is told that rejected rows may be sent by themselves.
            loads::note_several_rows(&self.ingest.store.loads, self.name).await?;
            self.one_row = false;
        }
        self.give_back_rejected(&survey).await?;
        let as_of = match self.judge(&target, &survey) {
            Ok(as_of) => as_of,
            Err(stop) => return self.stop(stop, &survey, None).await,
        };
        if let Some(whole) = &mut self.whole {
            whole.as_of = Some(as_of);
        }
        let base = self.base(&target).await?;
        // Of two extracts of one day the one that was uploaded last is the newer.
        let late = base.as_of.is_some_and(|newest| as_of < newest)
            || self.whole.as_ref().is_some_and(|whole| self.feed.has_newer(whole));
        if late && target.feed.mode == Mode::Full {
            let words = "A newer extract is in use already, so this one was not needed.".to_owned();
            return self.stop(Stop::Superseded(words), &survey, None).await;
        }
        let rule = Rule { full: target.feed.mode == Mode::Full, late, unreadable_ids: unreadable_ids(&survey) > 0 };
        let plan = plan::plan(&base.entries, &mut survey.said, rule);
        let doubts = self.doubts(&target, &survey, &plan);
        if !doubts.is_empty() && !self.load.approved {
            let held = Stop::Held(held_words(&survey, doubts), true);
            return self.stop(held, &survey, Some(&plan)).await;
        }
        if !late {
            self.take_back(&survey).await?;
        }
        self.apply(target, survey, plan, base, as_of, doubts).await
    }

    /// What a source takes back in so many words counts once its file may be applied. It comes before the commit, so that
    /// whoever repeats the load repeats this.
    async fn take_back(&self, survey: &Survey) -> Result<(), IngestError> {
        let taken_back = survey.guarding.takes_back();
        if taken_back.is_empty() {
            return Ok(());
        }
        let guarded = self.ingest.store.guard.all().await?;
        self.ingest.store.guard.bind(&guarded, &taken_back, (self.ingest.now)()).await?;
        Ok(())
    }

    /// Rejected rows go to their owner before anything else, whatever becomes of the load.
    async fn give_back_rejected(&self, survey: &Survey) -> Result<(), IngestError> {
        if let Some(csv) = survey.mend.csv() {
            let csv = csv.as_bytes().to_vec();
            self.ingest.store.reports.put(&self.rejected_file(), "text/csv; charset=utf-8", csv).await?;
        }
        Ok(())
    }

    fn rejected_file(&self) -> String {
        // Under a prefix of its own, for unlike a report it is personal data and goes within days.
        format!("rejected/{}/{}{}", self.name, self.load.load, fc_sources::mend::ENDING)
    }

    /// What stood on more people than can share it in the feed's last whole extract, be it applied or under way.
    async fn common_before(&self) -> Result<Common, IngestError> {
        let pending = self.feed.pending.as_ref().map(|pending| &pending.version);
        let last = pending.or(self.feed.applied.as_ref()).and_then(|version| version.manifest.as_ref());
        match last {
            None => Ok(Common::default()),
            Some(key) => {
                manifest::read_common(&self.ingest.store.manifests.get(key).await?).ok_or(IngestError::Manifest)
            }
        }
    }

    /// The first reading, and a second where record ids turn out to be those of several people, or where other values are
    /// common than in the feed's last whole extract.
    async fn survey(&self, target: &Target, guarded: &Arc<Guarded>) -> Result<Survey, IngestError> {
        let first = self.survey_without(target, &self.common, guarded, Vec::new()).await?;
        let is_whole = first.fault.is_none() && !first.too_many;
        if !is_whole || first.shared.is_empty() && first.common == self.common {
            return Ok(first);
        }
        let again = self.survey_without(target, &first.common, guarded, first.shared).await?;
        if again.content != first.content {
            return Err(IngestError::FileChanged);
        }
        // What is common, and what protects somebody, is so by all rows, also by those that were rejected since.
        let Survey { guarding, common, common_found, .. } = first;
        Ok(Survey { guarding, common, common_found, ..again })
    }

    async fn survey_without(
        &self,
        target: &Target,
        common: &Common,
        guarded: &Arc<Guarded>,
        shared: Vec<manifest::Handle>,
    ) -> Result<Survey, IngestError> {
        let (target, key, today) = (target.clone(), self.ingest.store.key.clone(), self.today());
        let (part_lines, common, guarded) = (self.ingest.part_lines, common.clone(), guarded.clone());
        self.read(move |file| {
            let (definition, feed) = (&target.definition, &target.feed);
            let extract = Extract { definition, feed, key: &key, today, part_lines, common: &common };
            extract.survey(file, &guarded, &shared)
        })
        .await
    }

    /// Reads the file on a thread that may wait for its bytes.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(Arriving) -> T + Send + 'static,
    ) -> Result<T, IngestError> {
        let upload = &self.load.upload;
        let object = self.ingest.store.extracts.open(&upload.key, upload.version.as_deref()).await?;
        let (to, file) = Arriving::new();
        let reading = self.ingest.store.extracts.beside(move || read(file));
        let (arrived, read) = tokio::join!(arrive(object, to), reading);
        let read = read.ok_or(IngestError::Broken)?;
        arrived?;
        Ok(read)
    }

    /// The day the file is read as of: that of its upload, so that a retry reads the same.
    fn today(&self) -> Date {
        TimeZone::UTC.to_datetime(self.load.upload.at).date()
    }

    /// Step 1 and 3: is it usable, is it the same as last time, and when was it true?
    fn judge(&self, target: &Target, survey: &Survey) -> Result<Timestamp, Stop> {
        if survey.too_many {
            let words = "The file has more than 1,500,000 records, which is more than one feed can have. Split the source \
                         into several feeds, such as one for each area.";
            return Err(Stop::Refused(words.to_owned()));
        }
        if let Some(fault) = &survey.fault {
            let words = fault.to_string();
            return Err(match fault {
                FileError::MissingColumns { .. } => Stop::Held(vec![words], false),
                _ => Stop::Refused(words),
            });
        }
        let upload = &self.load.upload;
        let midnight = |day: Date| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok();
        let as_of = match &target.feed.as_of {
            AsOf::Upload => upload.at,
            AsOf::Column => survey.latest.and_then(midnight).unwrap_or(upload.at),
            AsOf::FileName(_) => {
                let file = upload.key.rsplit('/').next().unwrap_or_default();
                let day = target.feed.as_of_from_name(file).and_then(midnight);
                // Mended rows are as of their mending: nobody types a date into their file's name.
                day.or_else(|| fc_sources::mend::is_mended(file).then_some(upload.at)).ok_or_else(|| {
                    Stop::Refused("The file's name does not hold the date its definition expects. Send it again with the date in its name.".into())
                })?
            }
        };
        if as_of > upload.at + AHEAD {
            return Err(Stop::Refused(
                "The date in the file's name is in the future. Send it again with the day on which it was true.".into(),
            ));
        }
        let same = |applied: &&Version| applied.content == survey.content && applied.definition == target.digest();
        match self.feed.applied.as_ref().filter(|_| self.feed.pending.is_none()).filter(same) {
            Some(applied) => Err(Stop::Duplicate(applied.as_of.max(as_of))),
            None => Ok(as_of),
        }
    }

    /// What the file is laid beside. A load that is pending here is stuck (step 10): its keys are unknown to a full
    /// extract, which sends them again; a delta has the stuck load's parts applied along with its own.
    async fn base(&self, target: &Target) -> Result<Base, IngestError> {
        let accepted = self.feed.applied.as_ref();
        let mut base = Base {
            manifest: accepted.and_then(|applied| applied.manifest.clone()),
            entries: self.manifest(accepted).await?,
            as_of: accepted.map(|applied| applied.as_of),
            adopted: Vec::new(),
            stuck: self.feed.pending.clone(),
        };
        if let Some(stuck) = &base.stuck {
            let pending = self.manifest(Some(&stuck.version)).await?;
            base.as_of = base.as_of.max(Some(stuck.version.as_of));
            base.manifest = None;
            base.entries = if target.feed.mode == Mode::Full {
                manifest::doubt(&base.entries, &pending)
            } else {
                base.adopted.clone_from(&stuck.staged);
                pending
            };
        }
        Ok(base)
    }

    async fn manifest(&self, version: Option<&Version>) -> Result<Vec<Entry>, IngestError> {
        match version.and_then(|version| version.manifest.as_ref()) {
            None => Ok(Vec::new()),
            Some(key) => manifest::read(&self.ingest.store.manifests.get(key).await?).ok_or(IngestError::Manifest),
        }
    }

    /// The report of the file that was last accepted: what this one is laid beside.
    async fn accepted_report(&self) -> Result<Option<Report>, IngestError> {
        let Some(applied) = &self.feed.applied else { return Ok(None) };
        let key = format!("{}.json", loads::report_key(self.name, &applied.load));
        match self.ingest.store.reports.get(&key).await {
            Ok(report) => Ok(serde_json::from_slice(&report).ok()),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a column is missed: the last accepted file had it, and this one changes what was said with it. A file of
    /// changes that only adds records lifts no protection.
    fn misses(&self, plan: &Plan, column: &str) -> bool {
        let changes_known = self.whole.is_some() || plan.records.changed > 0;
        let had = |before: &Report| !before.columns_missing.iter().any(|missing| missing == column);
        changes_known && self.before.as_ref().is_some_and(had)
    }

    /// Columns that would protect people and are not missed, but told.
    fn never_protected(&self, survey: &Survey, plan: &Plan) -> Vec<String> {
        let reading = survey.reading.as_ref();
        reading.map(|reading| reading.never_protected(|column| self.misses(plan, column))).unwrap_or_default()
    }

    /// Step 5: what a person has to look at before it is applied, what protects somebody first.
    fn doubts(&self, target: &Target, survey: &Survey, plan: &Plan) -> Vec<String> {
        let (feed, Some(reading)) = (&target.feed, &survey.reading) else { return Vec::new() };
        let percent = |share: f64| format!("{:.1}%", share * 100.0);
        // Columns that could not be read in the accepted file either: nothing is lost by what is the same again.
        let unread_before = self.before.as_ref().map(|before| before.unread.as_slice()).unwrap_or_default();
        let mut words = reading.held_for(feed, unread_before, |column| self.misses(plan, column));
        let is_mended = fc_sources::mend::is_mended(&self.load.upload.key);
        if let Some(fill) = self.before.as_ref().and_then(|before| before.fill.as_ref()).filter(|_| !is_mended) {
            let whole = fill.whole && feed.mode == Mode::Full;
            let before = |column: &str| {
                let filled = *fill.columns.get(column)?;
                Some(Before { filled, rows: fill.rows, whole })
            };
            words.extend(reading.emptied(feed, before));
        }
        if feed.mode == Mode::Full && plan.shrink() > feed.shrink_limit {
            words.push(format!(
                "{} of {} records would go: {}, more than the agreed {}.",
                plan.records.removed + plan.records.removals_waiting,
                plan.records.before,
                percent(plan.shrink()),
                percent(feed.shrink_limit)
            ));
        }
        if reading.rejected_share() > feed.reject_limit {
            words.push(format!(
                "{} of {} rows cannot be used: {}, more than the agreed {}.",
                reading.rejected,
                reading.used + reading.rejected,
                percent(reading.rejected_share()),
                percent(feed.reject_limit)
            ));
        }
        words
    }

    /// Steps 4 and 6: stage, commit, send.
    async fn apply(
        self,
        target: Target,
        survey: Survey,
        plan: Plan,
        base: Base,
        as_of: Timestamp,
        doubts: Vec<String>,
    ) -> Result<(), IngestError> {
        let (store, load, number) = (&self.ingest.store, &self.load.load, self.feed.fence);
        let folder = folder(self.name, load, number);
        let leftovers = self.leftovers(&base);
        let manifest = if plan.candidate.is_empty() {
            None
        } else if base.manifest.is_some() && plan.candidate == base.entries && self.common == survey.common {
            base.manifest
        } else {
            drop(base.entries);
            let key = folder.trim_end_matches('/').to_owned();
            store.manifests.put(&key, "text/plain", manifest::write(&survey.common, &plan.candidate)).await?;
            Some(key)
        };
        let version = Version {
            load: load.clone(),
            number,
            as_of,
            at: (self.ingest.now)(),
            content: survey.content.clone(),
            definition: target.digest(),
            manifest,
            records: plan.records.after,
        };
        // A late delta that was applied does not make the feed older.
        let version = Version { as_of: base.as_of.max(Some(as_of)).unwrap_or(as_of), ..version };
        if plan.changes_nothing() && base.adopted.is_empty() {
            self.nothing_to_send(&survey, &plan, version, doubts).await?;
            leftovers.delete(store).await;
            return Ok(());
        }
        let mut report = self.report(LoadState::Applying, &survey, Some(&plan));
        report.as_of = Some(as_of);
        report.words = self.never_protected(&survey, &plan);
        report.words.extend(accepted_words(&survey, &plan, self.one_row, doubts));
        let prefix = format!("{folder}part-");
        let seq = Seq { as_of, load: number };
        let parts = if plan.changes_nothing() { 0 } else { self.stage(target, survey, &plan, seq, &prefix).await? };
        store.staging.put(&format!("{folder}report.json"), "application/json", report.json()).await?;
        let mut staged = vec![Staged { prefix, parts }];
        staged.extend(base.adopted);
        let pending = Pending { version, staged };
        loads::commit(&store.loads, self.name, number, &pending, self.whole.as_ref(), (self.ingest.now)()).await?;
        self.log("committed", &report);
        leftovers.delete(store).await;
        self.ingest.write_report(&report).await?;
        self.ingest.send_parts(self.name, &pending).await
    }

    /// What nothing refers to once this load has taken over from a stuck one.
    fn leftovers(&self, base: &Base) -> Leftovers {
        let Some(stuck) = &base.stuck else { return Leftovers::default() };
        let accepted = self.feed.applied.as_ref().and_then(|applied| applied.manifest.as_ref());
        let manifest = stuck.version.manifest.clone().filter(|key| Some(key) != accepted);
        let adopted = |key: &String| base.adopted.iter().any(|staged| key.starts_with(&staged.prefix));
        let parts = stuck.parts(self.name).into_iter().map(|part| part.key).filter(|key| !adopted(key));
        let report = format!("{}report.json", folder(self.name, &stuck.version.load, stuck.version.number));
        Leftovers { manifests: manifest.into_iter().collect(), staged: parts.chain([report]).collect() }
    }

    /// The second reading, and more where records' rows lie far apart: stages the changes in parts and returns how many.
    async fn stage(
        &self,
        target: Target,
        survey: Survey,
        plan: &Plan,
        seq: Seq,
        prefix: &str,
    ) -> Result<u32, IngestError> {
        let (to, mut parts) = mpsc::channel::<(u32, Vec<u8>)>(1);
        let staging = self.ingest.store.staging.clone();
        let prefix = prefix.to_owned();
        let writing = async move {
            let mut writing: JoinSet<Result<(), StoreError>> = JoinSet::new();
            while let Some((number, lines)) = parts.recv().await {
                if writing.len() >= AT_ONCE
                    && let Some(written) = writing.join_next().await
                {
                    written.map_err(|_| IngestError::Broken)??;
                }
                let (staging, key) = (staging.clone(), format!("{prefix}{number}"));
                writing.spawn(async move { staging.put(&key, "application/x-ndjson", lines).await });
            }
            while let Some(written) = writing.join_next().await {
                written.map_err(|_| IngestError::Broken)??;
            }
            Ok::<(), IngestError>(())
        };
        let (survey, removed) = (Arc::new(survey), Arc::new(plan.removed.clone()));
        let reading = async move {
            let mut begin = Begin::default();
            loop {
                let (target, survey, removed, to) = (target.clone(), survey.clone(), removed.clone(), to.clone());
                let (key, today) = (self.ingest.store.key.clone(), self.today());
                let part_lines = self.ingest.part_lines;
                let read = self.read(move |file| {
                    let (definition, feed, common) = (&target.definition, &target.feed, &survey.common);
                    let extract = Extract { definition, feed, key: &key, today, part_lines, common };
                    // When writing has failed nobody listens any more; the failure is told by the writer.
                    let stage = |number, lines| drop(to.blocking_send((number, lines)));
                    extract.changes(file, &survey, &removed, seq, begin, stage)
                });
                match read.await? {
                    Ok(Some(next)) if next.from.is_none() => return Ok(next.part),
                    Ok(Some(next)) => begin = next,
                    Ok(None) | Err(_) => return Err(IngestError::FileChanged),
                }
            }
        };
        let (read, written) = tokio::join!(reading, writing);
        written?;
        read
    }

    /// A file in which no record changed is applied at once: nothing is sent, no record or person is written.
    async fn nothing_to_send(
        self,
        survey: &Survey,
        plan: &Plan,
        version: Version,
        doubts: Vec<String>,
    ) -> Result<(), IngestError> {
        let mut report = self.report(LoadState::Applied, survey, Some(plan));
        report.as_of = Some(version.as_of);
        report.words = self.never_protected(survey, plan);
        report.words.extend(accepted_words(survey, plan, self.one_row, doubts));
        let replaced = self.feed.applied.as_ref().and_then(|applied| applied.manifest.clone());
        let manifest = version.manifest.clone();
        self.conclude(report, |feed, load| {
            load.as_of = Some(version.as_of);
            feed.pending = None;
            feed.applied = Some(version.clone());
            feed.note_whole(self.whole.clone());
        })
        .await?;
        let replaced = replaced.filter(|key| Some(key) != manifest.as_ref());
        delete(&self.ingest.store.manifests, replaced.into_iter().collect()).await;
        Ok(())
    }

    /// Ends a load that changes nothing, and tells its owner why.
    async fn stop(self, stop: Stop, survey: &Survey, plan: Option<&Plan>) -> Result<(), IngestError> {
        let (state, words) = match &stop {
            Stop::Refused(words) => (LoadState::Refused, vec![words.clone()]),
            Stop::Duplicate(_) => (
                LoadState::Duplicate,
                vec![
                    "The file says the same as the last one, so there was nothing to change. It counts as today's."
                        .to_owned(),
                ],
            ),
            Stop::Superseded(words) => (LoadState::Superseded, vec![words.clone()]),
            Stop::Held(words, _) => (LoadState::Held, words.clone()),
        };
        let mut report = self.report(state, survey, plan);
        report.words = words;
        let now = (self.ingest.now)();
        self.conclude(report, |feed, load| match &stop {
            Stop::Held(_, can_be_approved) => {
                load.can_be_approved = *can_be_approved;
                feed.held.extend(self.whole.clone());
            }
            Stop::Duplicate(as_of) => {
                feed.note_whole(self.whole.clone().map(|whole| Whole { as_of: Some(*as_of), ..whole }));
                load.as_of = Some(*as_of);
                if let Some(applied) = &mut feed.applied {
                    (applied.as_of, applied.at) = (*as_of, now);
                }
            }
            _ => {}
        })
        .await
    }

    /// The report first: a load is closed only when its owner can read why.
    async fn conclude(&self, report: Report, end: impl Fn(&mut Feed, &mut Load)) -> Result<(), IngestError> {
        self.ingest.write_report(&report).await?;
        let now = (self.ingest.now)();
        let report_key = loads::report_key(self.name, &self.load.load);
        let ended = loads::conclude(
            &self.ingest.store.loads,
            self.name,
            self.feed.fence,
            &self.load.load,
            now,
            |feed, load| {
                end(feed, load);
                load.state = report.state;
                load.report = Some(report_key.clone());
            },
        );
        let others_wait = ended.await?;
        self.log("closed", &report);
        if others_wait { self.ingest.send_resume(self.name).await } else { Ok(()) }
    }

    fn report(&self, state: LoadState, survey: &Survey, plan: Option<&Plan>) -> Report {
        let now = (self.ingest.now)();
        let mut report = Report {
            source: self.name.source.clone(),
            feed: self.name.feed.clone(),
            load: self.load.load.clone(),
            file: self.load.upload.key.clone(),
            uploaded: self.load.upload.at,
            written: now,
            state,
            as_of: None,
            words: Vec::new(),
            format: String::new(),
            rows: Rows::default(),
            records: plan.map(|plan| plan.records).unwrap_or_default(),
            rejected: survey.rejected.clone(),
            rejected_file: survey.mend.csv().map(|_| self.rejected_file()),
            mend_in_whole: !self.one_row,
            blanked: Vec::new(),
            unread: Vec::new(),
            fill: None,
            quality: Vec::new(),
            columns_ignored: Vec::new(),
            columns_missing: Vec::new(),
            history: Vec::new(),
            milliseconds: now.as_millisecond() - self.began.as_millisecond(),
        };
        if let Some(reading) = &survey.reading {
            report.add_reading(reading);
            let before = self.before.as_ref().and_then(|before| before.fill.as_ref());
            report.fill = Some(Fill::of(reading, self.whole.is_some()).or_before(before));
        }
        report
    }

    fn log(&self, what: &str, report: &Report) {
        let (Rows { read: rows, rejected, .. }, records) = (report.rows, report.records);
        tracing::info!(
            source = %self.name.source,
            feed = %self.name.feed,
            load = %self.load.load,
            state = ?report.state,
            rows,
            rejected,
            changes = records.added + records.changed + records.removed,
            milliseconds = report.milliseconds,
            "load {what}"
        );
    }
}

/// Rejected rows whose record id cannot be read, or that hold other rows: each may be anybody's.
fn unreadable_ids(survey: &Survey) -> u64 {
    survey.reading.as_ref().map_or(0, |reading| reading.rejected_without_id)
}

/// Why a file is held, and what can be done about it.
fn held_words(survey: &Survey, doubts: Vec<String>) -> Vec<String> {
    let mut words = doubts;
    words.push(
        "Send a whole file, which takes this one's place; or, if this one is right, have it approved by whoever runs this tool."
            .to_owned(),
    );
    if survey.reading.as_ref().is_some_and(|reading| reading.columns.iter().any(|column| column.protects)) {
        words.push(
            "To approve it is to load it as it is: nobody is protected by what a column no longer says. Who was withheld or \
             hidden before stays so; an address that is no longer marked as confidential, a former name that is no longer \
             marked as hidden, and two records that are no longer kept apart are treated like any other."
                .to_owned(),
        );
    }
    words
}

/// What the owner of an accepted file should know, what was lost first. Doubts are those of a file that a person approved.
fn accepted_words(survey: &Survey, plan: &Plan, one_row: bool, doubts: Vec<String>) -> Vec<String> {
    let records = &plan.records;
    let mut words = Vec::new();
    if !doubts.is_empty() {
        words.push("A person looked at this file and approved it, although:".to_owned());
        words.extend(doubts);
    }
    let (rejected, left_out) = survey
        .reading
        .as_ref()
        .map_or((0, 0), |reading| (reading.rejected, reading.blanked.iter().map(|blanked| blanked.count).sum::<u64>()));
    if rejected > 0 {
        let or = if one_row { "; or mend the file of rejected rows and send that" } else { "" };
        words.push(format!(
            "{rejected} rows could not be used: see below. Mend them in the source system, and they come with the next file{or}."
        ));
    }
    for (kind, (values, on)) in &survey.common_found {
        words.push(format!(
            "{values} {} stand on more people than can share them, {on} records in all. They say nothing of who somebody \
             is, so records are not joined by them. Look for what is typed where nothing is known.",
            kind.words()
        ));
    }
    if records.kept_stale > 0 {
        words.push(format!(
            "{} records are kept as they last were, because a row of theirs was rejected.",
            records.kept_stale
        ));
    }
    if records.removals_waiting > 0 {
        words.push(format!(
            "{} records seem to have left, but {} rejected rows may be theirs: their record id cannot be read, or \
             other rows are inside them. They are removed once there are none of these.",
            records.removals_waiting,
            unreadable_ids(survey)
        ));
    }
    if survey.reading.as_ref().is_some_and(|reading| reading.cut_short) {
        words.push("The file ends in the middle of its last row. Check that the upload was complete.".to_owned());
    }
    if left_out > 0 {
        words.push(format!("{left_out} values were left out or are doubted: see below for their columns and why."));
    }
    if plan.changes_nothing() {
        words.push("No record is different from last time.".to_owned());
    }
    words
}

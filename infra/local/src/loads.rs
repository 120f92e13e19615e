//! `loads`: how far each file has come, and the decision about a file that is held.
//!
//! It works on the tables alone, so it reaches a running stack on this machine (`--data`) and one in AWS (the same
//! environment variables as the functions) in the same way.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use fc_ingest::{Report, report::printable};
use fc_model::{FeedId, SourceId};
use fc_store::loads::{self, DecisionError, FeedName, Load, LoadId, LoadState};
use fc_store::queue::{Sending, Sqs};
use fc_store::settings::Clients;
use fc_store::{Bucket, Deliver, Names, Queue, StoreError, Table};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access_key::AccessKey;
use crate::stack::Stack;
use crate::{definitions, private_file, s3};

/// Where a running stack says how to reach it, in its data folder.
pub(crate) const RUNNING: &str = "running.json";
/// The same for a shell, so that no secret is printed or typed.
pub(crate) const AWS_ENV: &str = "aws.env";

/// Files that name no source we know are kept as loads of this feed.
const UNRECOGNISED: &str = "unrecognised/files";

/// How many loads of a feed are looked through for held ones: a month of nights.
const A_MONTH: u32 = 31;

/// `loads`: lists what came of each source's latest files, and decides about one that is held.
#[derive(Debug, Args)]
pub struct Loads {
    #[command(subcommand)]
    decision: Option<Decision>,

    /// The data folder of the stack that is running on this machine: what `local` was given as --data, or printed at
    /// its start. Without it, the stack in AWS that TABLE_LOADS, BUCKET_REPORTS and QUEUE_INGEST name, with the AWS
    /// credentials of the environment.
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,

    /// The folder with the source definitions (*.toml). Without it, those of the running stack or those that come with
    /// the tool.
    #[arg(long, value_name = "DIR", global = true)]
    sources: Option<PathBuf>,

    /// List only files that wait for a decision.
    #[arg(long)]
    held: bool,

    /// How many of each feed's latest files to list.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

#[derive(Debug, Subcommand)]
enum Decision {
    /// Apply a held file although it is over a limit: it is right, the source did change so much.
    Approve(Choice),
    /// Never apply a held file: what was loaded before is shown until the next one.
    Reject(Choice),
}

#[derive(Debug, Args)]
struct Choice {
    /// The feed, as `loads` lists it.
    #[arg(value_name = "SOURCE/FEED", value_parser = feed_name)]
    feed: FeedName,
    /// The load's id, as `loads` lists it.
    load: LoadId,
    /// Do it without asking. Needed where nobody can be asked: in a script.
    #[arg(long)]
    yes: bool,
}

fn feed_name(text: &str) -> Result<FeedName, &'static str> {
    let (source, feed) = text.split_once('/').ok_or("write SOURCE/FEED, such as housing/people")?;
    let read = |_| "write SOURCE/FEED, such as housing/people";
    Ok(FeedName::new(SourceId::parse(source).map_err(read)?, FeedId::parse(feed).map_err(read)?))
}

/// Why loads cannot be listed or decided about.
#[derive(Debug, thiserror::Error)]
pub enum LoadsError {
    /// The runtime could not be made.
    #[error("Could not start: {0}")]
    Runtime(#[source] io::Error),
    /// No stack is running with this folder.
    #[error("No stack is running with the data folder {folder}. Start one: family-context local --data {folder}", folder = .0.display())]
    NotRunning(PathBuf),
    /// Neither a data folder nor an environment says which stack is meant.
    #[error(
        "Which stack? Give --data DIR for one on this machine; for one in AWS set TABLE_LOADS, BUCKET_REPORTS and QUEUE_INGEST."
    )]
    Where,
    /// The definitions have mistakes.
    #[error(transparent)]
    Definitions(#[from] fc_sources::Unusable),
    /// The tables cannot be reached, or refuse.
    #[error("The stack's tables cannot be read or changed: {0}. Is it running, and may you use it?")]
    Store(#[from] StoreError),
    /// The load cannot be decided about.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// Nobody said yes.
    #[error("Nothing was changed. To do it, say yes, or add --yes.")]
    NotConfirmed,
    /// Standard output is gone.
    #[error("Could not write the answer: {0}")]
    Output(#[from] io::Error),
}

/// What a running stack says in its data folder, to its owner alone.
#[derive(Debug, Serialize, Deserialize)]
struct Addresses {
    dynamodb: String,
    s3: String,
    key: AccessKey,
    sources: Option<PathBuf>,
}

/// The note that a stack is running with a data folder; it goes when this is dropped.
#[derive(Debug)]
pub struct Running {
    addresses: PathBuf,
    environment: PathBuf,
}

impl Running {
    /// Leaves the note, once for the operator's commands and once for a shell that is to run AWS's own.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn note(stack: &Stack, sources: Option<&Path>) -> io::Result<Self> {
        let running = Self { addresses: stack.data.path().join(RUNNING), environment: stack.data.path().join(AWS_ENV) };
        let (dynamodb, s3, key) = (stack.dynamodb.clone(), stack.s3.clone(), stack.key.clone());
        let environment = format!(
            "export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_REGION={}\n\
             export AWS_ENDPOINT_URL_S3={s3} AWS_ENDPOINT_URL_DYNAMODB={dynamodb}\nunset AWS_SESSION_TOKEN AWS_PROFILE\n",
            key.id,
            key.secret,
            s3::REGION,
        );
        let sources = sources.map(std::path::absolute).transpose()?;
        let addresses = serde_json::to_vec_pretty(&Addresses { dynamodb, s3, key, sources })?;
        write_private(&running.environment, environment.as_bytes())?;
        write_private(&running.addresses, &addresses)?;
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Left behind it leads to a closed port, which is told when it is tried.
        let _ = std::fs::remove_file(&self.addresses);
        let _ = std::fs::remove_file(&self.environment);
    }
}

/// Writes a file anew: one that was left behind may have been made readable for others.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    private_file().create_new(true).open(path)?.write_all(content)
}

/// The running stack on this machine looks after approved loads by itself: see `run.rs`.
pub(crate) struct NoMessageNeeded;

impl Deliver for NoMessageNeeded {
    fn send(&self, _: Vec<String>) -> Sending<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The stack that is meant.
struct Place {
    loads: Table,
    /// Absent where the environment does not name it: then reasons cannot be told.
    reports: Option<Bucket>,
    clients: Clients,
    local: bool,
    sources: Option<PathBuf>,
}

/// Clients of the stack that is running with a data folder, and the folder of its definitions where it was given one.
///
/// # Errors
/// [`LoadsError::NotRunning`].
pub fn running(data: &Path) -> Result<(Clients, Option<PathBuf>), LoadsError> {
    let not_running = || LoadsError::NotRunning(data.to_owned());
    let note = std::fs::read(data.join(RUNNING)).map_err(|_| not_running())?;
    let addresses: Addresses = serde_json::from_slice(&note).map_err(|_| not_running())?;
    let clients = Clients::local(&addresses.key.endpoints(&addresses.dynamodb, &addresses.s3));
    Ok((clients, addresses.sources))
}

impl Place {
    async fn find(data: Option<&Path>) -> Result<Self, LoadsError> {
        let Some(data) = data else {
            let names = Names::from_environment();
            if names.loads.is_empty() {
                return Err(LoadsError::Where);
            }
            let clients = Clients::of_operator().await;
            return Ok(Self::of(clients, &names, false, None));
        };
        let (clients, sources) = running(data)?;
        Ok(Self::of(clients, &Names::with_prefix(""), true, sources))
    }

    fn of(clients: Clients, names: &Names, local: bool, sources: Option<PathBuf>) -> Self {
        let bucket = |name: &str| Bucket::new(clients.s3.clone(), name);
        Self {
            loads: Table::new(clients.dynamodb.clone(), &names.loads),
            reports: Some(&names.reports).filter(|name| !name.is_empty()).map(|name| bucket(name)),
            clients,
            local,
            sources,
        }
    }

    /// Where a decision is announced.
    fn ingest(&self) -> Result<Queue, StoreError> {
        if self.local {
            return Ok(Arc::new(NoMessageNeeded));
        }
        Ok(Arc::new(Sqs::from_environment(self.clients.sqs.clone(), "QUEUE_INGEST")?))
    }

    /// What the load's owner was told, when it has been told anything yet.
    async fn report(&self, feed: &FeedName, load: &LoadId) -> Result<Option<Report>, StoreError> {
        let Some(reports) = &self.reports else { return Ok(None) };
        match reports.get(&format!("{feed}/{load}.json")).await {
            Ok(report) => Ok(serde_json::from_slice(&report).ok()),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Loads {
    /// Lists or decides, and says so on `out`.
    ///
    /// # Errors
    /// [`LoadsError`].
    pub fn run(&self, out: &mut impl Write) -> Result<(), LoadsError> {
        tokio::runtime::Runtime::new().map_err(LoadsError::Runtime)?.block_on(async {
            let place = Place::find(self.data.as_deref()).await?;
            match &self.decision {
                None => self.list(&place, out).await,
                Some(Decision::Approve(choice)) => decide(&place, choice, true, out).await,
                Some(Decision::Reject(choice)) => decide(&place, choice, false, out).await,
            }
        })
    }

    async fn list(&self, place: &Place, out: &mut impl Write) -> Result<(), LoadsError> {
        let definitions = definitions::load(self.sources.as_deref().or(place.sources.as_deref()))?;
        let feeds = definitions.enabled().flat_map(|definition| &definition.feeds);
        let feeds = feeds.map(|feed| FeedName::new(feed.source.clone(), feed.feed.clone()));
        let mut listed = 0;
        for feed in feeds.chain(feed_name(UNRECOGNISED)) {
            let known = loads::latest(&place.loads, &feed, if self.held { A_MONTH } else { self.limit }).await?;
            let known = known.iter().filter(|load| !self.held || load.state == LoadState::Held);
            for (position, load) in known.take(self.limit as usize).enumerate() {
                if position == 0 {
                    writeln!(out, "{feed}")?;
                    self.tell_feed(place, &feed, out).await?;
                }
                listed += 1;
                let report = place.report(&feed, &load.load).await?;
                write!(out, "{}", Told { load, report: report.as_ref() })?;
                if load.state == LoadState::Held {
                    let verbs = if load.can_be_approved { "approve|reject" } else { "reject" };
                    let data = self.data.as_ref().map(|data| format!(" --data {}", data.display())).unwrap_or_default();
                    writeln!(out, "      to decide: family-context loads {verbs} {feed} {}{data}", load.load)?;
                }
            }
        }
        if listed == 0 {
            writeln!(out, "{}", if self.held { "No file waits for a decision." } else { "No file has arrived yet." })?;
        }
        Ok(())
    }
}

impl Loads {
    /// Where a feed is between two states: how many parts of the pending load are applied, who works on it, who waits.
    async fn tell_feed(&self, place: &Place, name: &FeedName, out: &mut impl Write) -> Result<(), LoadsError> {
        let (feed, now) = (loads::feed(&place.loads, name).await?, Timestamp::now());
        if self.held {
            return Ok(());
        }
        if let Some(pending) = &feed.pending {
            let of: u32 = pending.staged.iter().map(|staged| staged.parts).sum();
            let left = loads::parts_left(&place.loads, name, pending, of as usize).await?.len();
            let stuck = if feed.is_stuck(now) { "; stuck, so the next file takes over" } else { "" };
            writeln!(out, "  {} of {of} parts of {} are applied{stuck}", of as usize - left, pending.version.load)?;
        }
        if let Some(lease) = feed.lease.as_ref().filter(|lease| lease.until > now) {
            writeln!(out, "  {} is being worked on", lease.load)?;
        }
        if !feed.waiting.is_empty() {
            writeln!(out, "  {} more wait for their turn", feed.waiting.len())?;
        }
        Ok(())
    }
}

/// A load in the words of the list.
struct Told<'a> {
    load: &'a Load,
    report: Option<&'a Report>,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { load, report } = self;
        let file = printable(load.upload.key.rsplit('/').next().unwrap_or_default());
        let minute = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
        writeln!(f, "  {:<10} {}  {file}, uploaded {}", state(load.state), load.load, minute(load.upload.at))?;
        if !load.state.is_closed() {
            writeln!(f, "      {} since {}", state_words(load.state), minute(load.since))?;
        }
        if let Some(as_of) = load.as_of {
            writeln!(f, "      true in the source on {}", as_of.strftime("%Y-%m-%d"))?;
        }
        if let Some(report) = report {
            writeln!(f, "      {}", rows(report))?;
            if load.state == LoadState::Superseded && report.state == LoadState::Held {
                writeln!(f, "      A newer whole extract is in use, so there is nothing to decide about this one.")?;
            } else if load.state != LoadState::Applied {
                report.words.iter().try_for_each(|words| writeln!(f, "      {words}"))?;
            }
        }
        Ok(())
    }
}

/// What a load that has not ended is doing.
fn state_words(state: LoadState) -> &'static str {
    match state {
        LoadState::Received => "being read and compared,",
        LoadState::Waiting => "waiting for the file before it,",
        LoadState::Held => "waiting for a person to decide,",
        LoadState::Applying => "past its commit point: its changes are being applied,",
        _ => "ended,",
    }
}

/// The state as a word.
pub(crate) fn state(state: LoadState) -> &'static str {
    match state {
        LoadState::Received => "received",
        LoadState::Waiting => "waiting",
        LoadState::Refused => "refused",
        LoadState::Duplicate => "duplicate",
        LoadState::Superseded => "superseded",
        LoadState::Held => "held",
        LoadState::Rejected => "rejected",
        LoadState::Applying => "applying",
        LoadState::Applied => "applied",
    }
}

/// What became of the rows: the three add up.
pub(crate) fn rows(report: &Report) -> String {
    let rows = report.rows;
    let skipped = rows.blank + rows.repeated_header + rows.totals;
    format!("{} rows: {} used, {skipped} skipped, {} rejected", rows.read, rows.used, rows.rejected)
}

async fn decide(place: &Place, choice: &Choice, approve: bool, out: &mut impl Write) -> Result<(), LoadsError> {
    let Choice { feed, load: id, yes } = choice;
    let known = loads::load(&place.loads, feed, id).await?.ok_or_else(|| DecisionError::Unknown(id.clone()))?;
    if known.state != LoadState::Held {
        return Err(DecisionError::NotHeld { load: id.clone(), state: known.state }.into());
    }
    if approve && !known.can_be_approved {
        return Err(DecisionError::Incomplete(id.clone()).into());
    }
    let report = place.report(feed, id).await?;
    writeln!(out, "{feed}")?;
    write!(out, "{}", Told { load: &known, report: report.as_ref() })?;
    let (verb, what) = if approve {
        ("approve", "The file is read again and applied without the limits: records that are not in it disappear.")
    } else {
        ("reject", "The file is never applied. What was loaded before is shown until the next file.")
    };
    writeln!(out, "To {verb}: {what}")?;
    out.flush()?;
    if !yes && !said_yes(out)? {
        return Err(LoadsError::NotConfirmed);
    }
    let now = Timestamp::now();
    if approve {
        loads::approve(&place.loads, &place.ingest()?, feed, id, now).await?;
        writeln!(out, "Approved. It is loaded now; `family-context loads` says when it is applied.")?;
    } else {
        loads::reject(&place.loads, feed, id, now).await?;
        writeln!(out, "Rejected.")?;
    }
    Ok(())
}

/// Asks, where there is somebody to ask.
fn said_yes(out: &mut impl Write) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    write!(out, "Do it? Write yes: ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_store::loads::Upload;

    #[test]
    fn a_file_name_cannot_forge_a_line_of_the_list() {
        let at: Timestamp = "2026-03-02T01:00:00Z".parse().unwrap();
        let key = "housing/people/a\r\n  applied    fine\u{1b}[31m\u{1b}]0;title\u{7}.csv".to_owned();
        let load = Load {
            load: LoadId::new(at, "ff"),
            upload: Upload { bucket: "extracts".into(), key, version: None, at },
            state: LoadState::Applied,
            since: at,
            as_of: None,
            approved: false,
            can_be_approved: false,
            report: None,
        };
        let told = Told { load: &load, report: None }.to_string();
        assert!(told.contains("  a??  applied    fine?[31m?]0;title?.csv, uploaded 2026-03-02 01:00 UTC\n"), "{told}");
        assert_eq!(told.lines().count(), 1);
    }
}

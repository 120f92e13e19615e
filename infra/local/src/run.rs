//! The `local` command: starts the stack, loads a council, and says where everything is.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use clap::Args;
use fc_ingest::Report;
use fc_model::{FeedId, SourceId};
use fc_store::loads::{self, FeedName, LoadState, ToIngest};
use fc_store::{StoreError, Table};
use fc_synth::Example;
use indicatif::ProgressBar;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::task::JoinError;
use tracing_subscriber::EnvFilter;

use crate::folder::{DropFolder, Feeds};
use crate::issuer::USERS;
use crate::loads::{AWS_ENV, Running, rows, state};
use crate::operator::progress_bar;
use crate::queue::{Dead, LocalQueue};
use crate::stack::{Options, Stack};
use crate::{DataFolder, StartError};

/// The made-up council of every run, so that people can tell each other whom to search for.
const SEED: u64 = 1;

/// The folder for new extract files in a data folder.
pub(crate) const DROP: &str = "drop";
/// The note in a data folder that the made-up council has been loaded.
pub(crate) const MADE_UP_PEOPLE: &str = "made-up-people";

/// How often the progress bar moves.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// How often a running stack looks for loads that somebody has approved: a person waits for it.
const LOOK_FOR_APPROVED_EVERY: Duration = Duration::from_secs(2);

/// `local`: the whole tool on this machine.
#[derive(Clone, Debug, Args)]
pub struct Local {
    /// How many made-up people to load.
    #[arg(long, value_name = "N", default_value_t = 2000, conflicts_with = "extracts")]
    people: u64,

    /// The port of the page. The development sign-in, S3 and DynamoDB use the next three where they are free. 0 takes any
    /// free ports.
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// Keep everything in this folder, to find it again at the next start: people, the audit trail, and every extract
    /// file that was loaded, until you delete the folder. Without it, nothing is kept.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Load the extract files in this folder instead of made-up people, and say what became of every row. A file is
    /// called SOURCE.csv or SOURCE-FEED.csv.
    #[arg(long, value_name = "DIR")]
    extracts: Option<PathBuf>,

    /// Use the source definitions (*.toml) in this folder instead of the ones that come with the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,

    /// Watch this folder for new extract files. Without it, a folder is made and its place is printed.
    #[arg(long, value_name = "DIR")]
    drop: Option<PathBuf>,
}

/// Why the local stack did not come up, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The runtime could not be made.
    #[error("Could not start: {0}")]
    Runtime(#[source] io::Error),
    /// A service did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file or folder cannot be used.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No file in the folder is an extract.
    #[error("{} holds no extract. Files are called: {names}.", .folder.display())]
    NoExtracts {
        /// The folder.
        folder: PathBuf,
        /// The names files may have.
        names: String,
    },
    /// The made-up council could not be written.
    #[error(transparent)]
    Council(#[from] fc_synth::SynthError),
    /// The tables on this machine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The task that made the council broke off.
    #[error("Making the council broke off: {0}")]
    BrokeOff(#[from] JoinError),
    /// An extract could not be uploaded.
    #[error("{} could not be uploaded: {reason}", .path.display())]
    Upload {
        /// The extract.
        path: PathBuf,
        /// What the S3 server said.
        reason: String,
    },
}

impl Local {
    /// Starts everything, says where it is on `out`, and ends when asked to (Ctrl-C).
    ///
    /// # Errors
    ///
    /// [`RunError`], when it cannot start or load what it was given.
    pub fn run(&self, today: Date, out: &mut impl Write) -> Result<(), RunError> {
        start_logging();
        crate::keep_new_files_private();
        tokio::runtime::Runtime::new().map_err(RunError::Runtime)?.block_on(self.serve(today, out))
    }

    async fn serve(&self, today: Date, out: &mut impl Write) -> Result<(), RunError> {
        let options = Options { port: self.port, data: self.data.clone(), sources: self.sources.clone() };
        let mut stack = Stack::start(&options).await?;
        let running = Running::note(&stack, self.sources.as_deref());
        let _running = running.map_err(|source| RunError::File { path: stack.data.path().to_owned(), source })?;
        let feeds = feeds(&stack);
        let mut told = Told::default();
        let examples = match &self.extracts {
            Some(folder) => {
                let loaded = load_folder(&stack, &feeds, folder).await?;
                for name in &loaded.ignored {
                    // Somebody who has closed the terminal does not read any of this.
                    let _ = writeln!(out, "not loaded: {name} (no source of that name is switched on)");
                }
                while let Ok(key) = stack.reports.try_recv() {
                    told.tell(out, &stack, &key).await;
                }
                let _ = told.sum_up(out, &stack);
                Vec::new()
            }
            None => self.load_made_up_people(&stack, &feeds, today).await?,
        };
        warn_of(&stack.ingest.dead());
        warn_of(&stack.matching.dead());
        while stack.reports.try_recv().is_ok() {}

        let drop = self.drop.clone().unwrap_or_else(|| stack.data.path().join(DROP));
        let s3 = stack.clients.s3.clone();
        DropFolder::open(&drop, feeds, s3, stack.store.extracts.name())
            .map_err(|source| RunError::File { path: drop.clone(), source })?
            .watch();

        let _ = tell(out, &stack, &drop, &examples);
        let resuming = (Arc::clone(&stack.ingest), stack.store.loads.clone(), names(&stack));
        tokio::select! {
            () = stopped() => {}
            () = tell_reports(out, &mut stack, &mut told) => {}
            () = resume_approved(&resuming.0, &resuming.1, &resuming.2) => {}
        }
        // What was begun is finished, so that kept data is whole. Ctrl-C again ends at once.
        tokio::select! {
            () = stopped() => {}
            () = stack.settled() => {}
        }
        Ok(())
    }

    /// Makes up a council and loads it, unless the data folder holds one already.
    async fn load_made_up_people(&self, stack: &Stack, feeds: &Feeds, today: Date) -> Result<Vec<Example>, RunError> {
        let place = DataFolder::open(None)?;
        let loaded = stack.data.path().join(MADE_UP_PEOPLE);
        let options = fc_synth::Options { people: self.people, seed: SEED, out: place.path().to_owned(), today };
        let bar = progress_bar(self.people, "people made up");
        let council = tokio::task::spawn_blocking({
            let bar = bar.clone();
            move || fc_synth::write_council(&options, &mut |people| bar.set_position(people))
        })
        .await??;
        bar.finish_and_clear();
        if !loaded.exists() {
            let uploaded = load_folder(stack, feeds, place.path()).await?.feeds;
            // Anything that is not whole is loaded again at the next start.
            if all_applied(&stack.store.loads, &uploaded).await? {
                std::fs::write(&loaded, format!("{}\n", council.people))
                    .map_err(|source| RunError::File { path: loaded, source })?;
            } else {
                tracing::error!("not everybody was loaded; the next start tries again");
            }
        }
        Ok(council.try_first)
    }
}

fn feeds(stack: &Stack) -> Feeds {
    Feeds::new(stack.definitions.enabled().map(|definition| {
        let feeds = definition.feeds.iter().map(|feed| feed.feed.to_string()).collect();
        (definition.source.to_string(), feeds)
    }))
}

/// The feeds that files are taken for.
fn names(stack: &Stack) -> Vec<FeedName> {
    let feeds = stack.definitions.enabled().flat_map(|definition| &definition.feeds);
    feeds.map(|feed| FeedName::new(feed.source.clone(), feed.feed.clone())).collect()
}

/// What a folder came to.
struct Loaded {
    /// The feeds that had a file.
    feeds: Vec<FeedName>,
    /// Names of what is in the folder and is no extract of a source that is switched on.
    ignored: Vec<String>,
}

/// Uploads every extract in `folder`, and waits until all are loaded and matched.
async fn load_folder(stack: &Stack, feeds: &Feeds, folder: &Path) -> Result<Loaded, RunError> {
    let unreadable = |source| RunError::File { path: folder.to_owned(), source };
    let mut extracts = BTreeMap::new();
    let mut loaded = Loaded { feeds: Vec::new(), ignored: Vec::new() };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let known = feeds.named(&name).filter(|_| path.is_file());
        let named = known.and_then(|(source, feed)| Some((SourceId::parse(source).ok()?, FeedId::parse(feed).ok()?)));
        match named.map(|(source, feed)| FeedName::new(source, feed)) {
            Some(feed) => {
                extracts.insert(format!("{feed}/{name}"), path);
                loaded.feeds.push(feed);
            }
            None if name.starts_with('.') => {}
            None => loaded.ignored.push(name),
        }
    }
    loaded.ignored.sort();
    if extracts.is_empty() {
        return Err(RunError::NoExtracts { folder: folder.to_owned(), names: feeds.file_names().join(", ") });
    }
    for (key, path) in &extracts {
        let upload = |reason| RunError::Upload { path: path.clone(), reason };
        let body = ByteStream::from_path(path).await.map_err(|error| upload(error.to_string()))?;
        let request = stack.clients.s3.put_object().bucket(stack.store.extracts.name()).key(key).body(body);
        request.send().await.map_err(|error| upload(DisplayErrorContext(error).to_string()))?;
    }
    let bar = progress_bar(0, "parts of extracts loaded");
    tokio::select! {
        () = stack.settled() => {}
        () = show_progress(stack, &bar) => {}
    }
    bar.finish_and_clear();
    Ok(loaded)
}

/// Whether every one of these feeds is wholly applied, with nothing under way.
async fn all_applied(table: &Table, feeds: &[FeedName]) -> Result<bool, StoreError> {
    for name in feeds {
        let feed = loads::feed(table, name).await?;
        if feed.applied.is_none() || feed.pending.is_some() || !feed.waiting.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Lets loads go ahead that `family-context loads approve` has approved: it changes the table, and this process has the
/// queue.
async fn resume_approved(ingest: &LocalQueue, table: &Table, feeds: &[FeedName]) {
    loop {
        tokio::time::sleep(LOOK_FOR_APPROVED_EVERY).await;
        for name in feeds {
            match loads::feed(table, name).await {
                Ok(feed) if feed.can_resume(Timestamp::now()) => {
                    ingest.push(ToIngest::Resume(name.clone()).body().ok());
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "approved loads could not be looked for"),
            }
        }
    }
}

/// Moves the bar until it is dropped. How much there is to do is known only as files are read.
async fn show_progress(stack: &Stack, bar: &ProgressBar) {
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    loop {
        every.tick().await;
        let sent = stack.ingest.sent() + stack.matching.sent();
        let waiting = stack.ingest.waiting() + stack.matching.waiting();
        bar.set_length(sent);
        bar.set_position(sent.saturating_sub(waiting as u64));
    }
}

fn warn_of(dead: &[Dead]) {
    for message in dead {
        tracing::error!(receives = message.receives, reason = message.reason, "part of the data was not loaded");
    }
}

fn tell(out: &mut impl Write, stack: &Stack, drop: &Path, examples: &[Example]) -> io::Result<()> {
    writeln!(out, "\nWho can sign in:")?;
    for user in USERS {
        writeln!(out, "  {:<16} {}", user.name, user.job)?;
    }
    if !examples.is_empty() {
        writeln!(out, "\nWhat to search for first:")?;
        for person in examples {
            writeln!(out, "  {}, {} (case ID {}): {}", person.surname, person.forename, person.case_id, person.why)?;
        }
    }
    writeln!(out, "\nWhere to drop extract files:")?;
    writeln!(out, "  in the folder {}", drop.display())?;
    writeln!(
        out,
        "  or with the AWS command line: . {}\n    aws s3 cp FILE s3://{}/SOURCE/FEED/",
        stack.data.path().join(AWS_ENV).display(),
        stack.store.extracts.name(),
    )?;
    let tables = stack.store.tables().map(Table::name).join(", ");
    writeln!(out, "\nWhat is stored, for tools that speak DynamoDB: {} (tables {tables})", stack.dynamodb)?;
    writeln!(out, "\nHow far each file has come: family-context loads --data {}", stack.data.path().display())?;
    writeln!(
        out,
        "\nTokens for the API: curl -d grant_type=client_credentials -d user=sam.social {}/token",
        stack.issuer
    )?;
    writeln!(out, "\nready {}", stack.page)?;
    out.flush()
}

/// Says of each load report what it comes to, for as long as there are any.
async fn tell_reports(out: &mut impl Write, stack: &mut Stack, told: &mut Told) {
    while let Some(key) = stack.reports.recv().await {
        told.tell(out, stack, &key).await;
    }
}

/// The load reports that were told, each once in each state.
#[derive(Default)]
struct Told(HashMap<String, LoadState>);

impl Told {
    /// Says what came of a file and where its report is; of one that was not applied, also why and what to do.
    async fn tell(&mut self, out: &mut impl Write, stack: &Stack, key: &str) {
        // Each report is written under its load and again as its feed's latest, as data and then as a page.
        let Some(stem) = key.strip_suffix(".html").filter(|stem| !stem.ends_with("/latest")) else { return };
        let Ok(report) = stack.store.reports.get(&format!("{stem}.json")).await else { return };
        let Ok(report) = serde_json::from_slice::<Report>(&report) else { return };
        // A load past its commit point is told when it is applied.
        if report.state == LoadState::Applying || self.0.insert(stem.to_owned(), report.state) == Some(report.state) {
            return;
        }
        let page = stack.file_of(stack.store.reports.name(), key);
        let _ = writeln!(
            out,
            "load report: {}/{} {}. {}. {}",
            report.source,
            report.feed,
            state(report.state),
            rows(&report),
            page.display()
        );
        if report.state != LoadState::Applied {
            for words in &report.words {
                let _ = writeln!(out, "  {words}");
            }
        }
        let _ = out.flush();
    }

    /// Says how many files are not in use, before the stack is called ready.
    fn sum_up(&self, out: &mut impl Write, stack: &Stack) -> io::Result<()> {
        let unused = |state: &&LoadState| matches!(state, LoadState::Held | LoadState::Refused);
        let unused = self.0.values().filter(unused).count();
        if unused > 0 {
            writeln!(out, "\n{unused} of {} files are not in use: see above. To list or decide:", self.0.len())?;
            writeln!(out, "  family-context loads --data {}", stack.data.path().display())?;
        }
        Ok(())
    }
}

/// Libraries that print whole requests when they are allowed to, so that no name gets into a log that way. The
/// DynamoDB server also warns of every condition that fails, which is how the functions meet each other.
const TALKATIVE: [&str; 6] =
    ["aws_smithy_runtime=warn", "aws_sdk_s3=warn", "dynoxide=error", "hyper_util=warn", "s3s=warn", "s3s_fs=warn"];

/// Warnings and errors go to standard error in words; `LOG=info` shows every request and load.
fn start_logging() {
    let filter = EnvFilter::try_from_env("LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let filter = TALKATIVE.iter().filter_map(|library| library.parse().ok()).fold(filter, EnvFilter::add_directive);
    // Fails only when logging has been started already.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init();
}

/// Resolves on Ctrl-C, or when asked to end.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}

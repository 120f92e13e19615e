//! The `local` command: starts the stack, loads a council, and says where everything is.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use clap::Args;
use fc_store::Table;
use fc_synth::Example;
use indicatif::ProgressBar;
use jiff::civil::Date;
use tokio::task::JoinError;
use tracing_subscriber::EnvFilter;

use crate::folder::{DropFolder, Feeds};
use crate::issuer::USERS;
use crate::operator::progress_bar;
use crate::queue::Dead;
use crate::stack::{Options, Stack};
use crate::{DataFolder, StartError};

/// The made-up council of every run, so that people can tell each other whom to search for.
const SEED: u64 = 1;

/// How often the progress bar moves.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

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

    /// Keep everything in this folder, to find it again at the next start. Without it, nothing is kept.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Load the extract files in this folder instead of made-up people. A file is called SOURCE.csv or SOURCE-FEED.csv.
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
        tokio::runtime::Runtime::new().map_err(RunError::Runtime)?.block_on(self.serve(today, out))
    }

    async fn serve(&self, today: Date, out: &mut impl Write) -> Result<(), RunError> {
        let options = Options { port: self.port, data: self.data.clone(), sources: self.sources.clone() };
        let mut stack = Stack::start(&options).await?;
        let feeds = feeds(&stack);
        let examples = match &self.extracts {
            Some(folder) => {
                load_folder(&stack, &feeds, folder).await?;
                Vec::new()
            }
            None => self.load_made_up_people(&stack, &feeds, today).await?,
        };
        warn_of(&stack.ingest.dead());
        warn_of(&stack.matching.dead());
        while stack.reports.try_recv().is_ok() {}

        let drop = self.drop.clone().unwrap_or_else(|| stack.data.path().join("drop"));
        let s3 = stack.clients.s3.clone();
        DropFolder::open(&drop, feeds, s3, stack.store.extracts.name())
            .map_err(|source| RunError::File { path: drop.clone(), source })?
            .watch();

        // Somebody who has closed the terminal does not read any of this.
        let _ = tell(out, &stack, &drop, &examples);
        tokio::select! {
            () = stopped() => {}
            () = tell_reports(out, &mut stack) => {}
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
        let loaded = stack.data.path().join("made-up-people");
        let options = fc_synth::Options { people: self.people, seed: SEED, out: place.path().to_owned(), today };
        let bar = progress_bar(self.people, "people made up");
        let council = tokio::task::spawn_blocking({
            let bar = bar.clone();
            move || fc_synth::write_council(&options, &mut |people| bar.set_position(people))
        })
        .await??;
        bar.finish_and_clear();
        if !loaded.exists() {
            load_folder(stack, feeds, place.path()).await?;
            std::fs::write(&loaded, format!("{}\n", council.people))
                .map_err(|source| RunError::File { path: loaded, source })?;
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

/// Uploads every extract in `folder`, and waits until all are loaded and matched.
async fn load_folder(stack: &Stack, feeds: &Feeds, folder: &Path) -> Result<(), RunError> {
    let unreadable = |source| RunError::File { path: folder.to_owned(), source };
    let mut extracts = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((source, feed)) = feeds.named(&name) {
            extracts.insert(format!("{source}/{feed}/{name}"), path);
        }
    }
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
    Ok(())
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
        "  or with the AWS command line: AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_REGION={} \\\n    \
         aws --endpoint-url {} s3 cp FILE s3://{}/SOURCE/FEED/",
        crate::s3::ACCESS_KEY,
        crate::s3::SECRET_KEY,
        crate::s3::REGION,
        stack.s3,
        stack.store.extracts.name(),
    )?;
    let tables = stack.store.tables().map(Table::name).join(", ");
    writeln!(out, "\nWhat is stored, for tools that speak DynamoDB: {} (tables {tables})", stack.dynamodb)?;
    writeln!(
        out,
        "\nTokens for the API: curl -d grant_type=client_credentials -d user=sam.social {}/token",
        stack.issuer
    )?;
    writeln!(out, "\nready {}", stack.page)?;
    out.flush()
}

/// Says of each load report where it is.
async fn tell_reports(out: &mut impl Write, stack: &mut Stack) {
    while let Some(key) = stack.reports.recv().await {
        // Each report is written under its load and again as its feed's latest: one line is enough.
        if key.ends_with("/latest.html") {
            let file = stack.file_of(stack.store.reports.name(), &key);
            let _ = writeln!(out, "load report: {}", file.display());
        }
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

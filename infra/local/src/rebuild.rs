//! `rebuild`: brings the people who are stored to what this version's model makes of their records.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use fc_ingest::manifest;
use fc_linkage::Model;
use fc_model::RecordHandle;
use fc_sources::{Definitions, FeedKind};
use fc_store::Store;
use fc_store::loads::{self, FeedName};

use crate::definitions;
use crate::loads::LoadsError;
use crate::reconcile::{ReconcileError, manifest_of, place, worker};

/// `rebuild`: links every record again with this version's model, and mends each person that comes out otherwise.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The data folder of the stack that is running on this machine. Without it, the stack in AWS that the functions'
    /// environment variables name (TABLE_..., BUCKET_..., HANDLE_KEY), with the AWS credentials of the environment.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The folder with the source definitions (*.toml). Without it, those of the running stack or those that come with
    /// the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
    /// Do it. Without it, only say how many records would be looked at again.
    #[arg(long)]
    write: bool,
}

impl Rebuild {
    /// Does it, and says so on `out`.
    ///
    /// # Errors
    /// When the stack cannot be found, or a table or bucket fails; then it can be run again.
    pub fn run(&self, out: &mut impl Write) -> Result<(), ReconcileError> {
        let runtime = tokio::runtime::Runtime::new().map_err(LoadsError::Runtime)?;
        runtime.block_on(async {
            let (_, store, sources) = place(self.data.as_deref()).await?;
            let definitions = Arc::new(definitions::load(self.sources.as_deref().or(sources.as_deref()))?);
            let handles = accepted(&store, &definitions).await?;
            let shows = io::stderr().is_terminal();
            let rebuilt = worker(&store, &definitions)
                .rebuild(&handles, self.write, |so_far| {
                    if shows {
                        // Progress only: nothing is lost when nobody sees it.
                        let _ = write!(
                            io::stderr(),
                            "\r{} records read, {} of {} looked at again",
                            so_far.records,
                            so_far.done,
                            so_far.otherwise
                        );
                    }
                })
                .await?;
            if shows {
                let _ = writeln!(io::stderr());
            }
            let version = Model::shipped().version();
            writeln!(
                out,
                "{} records; model {version} files or weighs {} of them otherwise than what is stored.",
                rebuilt.records, rebuilt.otherwise
            )?;
            if rebuilt.refiled > 0 {
                let done = if self.write { "are filed anew" } else { "would be filed anew" };
                writeln!(out, "{} people have search entries of an earlier version; they {done}.", rebuilt.refiled)?;
            }
            match (self.write, rebuilt.otherwise + rebuilt.refiled) {
                (_, 0) => writeln!(out, "There is nothing to do.")?,
                (true, _) => {
                    writeln!(out, "{} looked at again, {} people written.", rebuilt.done, rebuilt.people)?;
                }
                (false, _) => {
                    writeln!(out, "Nothing was changed. To look at them again: family-context rebuild --write")?;
                }
            }
            Ok(())
        })
    }
}

/// The records of every accepted file, but for workers of staff directories, who are not matched.
async fn accepted(store: &Store, definitions: &Definitions) -> Result<BTreeSet<RecordHandle>, ReconcileError> {
    let mut handles = BTreeSet::new();
    let feeds = definitions.enabled().flat_map(|definition| &definition.feeds);
    for feed in feeds.filter(|feed| feed.kind != FeedKind::Staff) {
        let name = FeedName::new(feed.source.clone(), feed.feed.clone());
        let Some(applied) = loads::feed(&store.loads, &name).await?.applied else { continue };
        let entries = manifest_of(store, applied.manifest.as_deref()).await?;
        handles.extend(entries.iter().filter_map(|entry| RecordHandle::parse(&manifest::hex(entry.handle)).ok()));
    }
    Ok(handles)
}

//! `family-context`: the whole tool on one machine, and the operator's commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Family Context: which services are involved with a family, since when, and who to ring.
///
/// Without a command it starts the whole tool on this machine, with made-up people.
#[derive(Parser)]
#[command(name = "family-context", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    local: Local,
}

#[derive(Subcommand)]
enum Command {
    /// Start the whole tool on this machine: no AWS account needed, and nothing can be reached from outside.
    Local(Local),
}

#[derive(Args)]
struct Local {
    /// How many made-up people to load.
    #[arg(long, value_name = "N", default_value_t = 2000, conflicts_with = "extracts")]
    people: u32,

    /// The port of the page. The development sign-in, S3 and DynamoDB use the next three. 0 takes any free ports.
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// Keep everything in this folder, to find it again at the next start. Without it, nothing is kept.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Load the extract files in this folder instead of made-up people. A file is called <source>.csv or
    /// <source>-<feed>.csv.
    #[arg(long, value_name = "DIR")]
    extracts: Option<PathBuf>,

    /// Use the source definitions (*.toml) in this folder instead of the ones that come with the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,

    /// Watch this folder for new extract files. Without it, a folder is made and its place is printed.
    #[arg(long, value_name = "DIR")]
    drop: Option<PathBuf>,
}

//! `family-context`: the whole tool on one machine, and the operator's commands.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fc_local::cost::Cost;
use fc_local::facts::Facts;
use fc_local::linking::Link;
use fc_local::loads::Loads;
use fc_local::operator::{Check, Synth};
use fc_local::rebuild::Rebuild;
use fc_local::reconcile::Reconcile;
use fc_local::run::Local;
use fc_local::training::Train;
use jiff::Timestamp;

/// Reading a council's extracts makes and drops some hundred million short texts, on every processor at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// Say every mistake in the source definitions, and what an extract would come to. Changes nothing.
    Check(Check),
    /// Join the records of extract files into people, without storing or sending anything.
    Link(Link),
    /// Estimate from extracts how matching should weigh what records have in common, without being told who is who.
    Train(Train),
    /// List what came of each source's latest files, and approve or reject one that is held.
    Loads(Loads),
    /// Lay accepted manifests, records and people beside each other, and repair what does not agree.
    Reconcile(Reconcile),
    /// Carry never-links and restrictions into a records table that was restored, before it serves.
    Facts(Facts),
    /// After a new version: link every record again with its model, and mend each person that comes out otherwise.
    Rebuild(Rebuild),
    /// Make up a council and write its extract files.
    Synth(Synth),
    /// Say what a council pays AWS a month, line by line.
    Cost(Cost),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (today, mut out) = (fc_access::today(Timestamp::now()), io::stdout());
    let done = match cli.command.unwrap_or(Command::Local(cli.local)) {
        Command::Local(local) => local.run(today, &mut out).map_err(|error| error.to_string()),
        Command::Check(check) => check.run(today, &mut out).map_err(|error| error.to_string()),
        Command::Link(link) => link.run(today, &mut out).map_err(|error| error.to_string()),
        Command::Train(train) => train.run(today, &mut out).map_err(|error| error.to_string()),
        Command::Loads(loads) => loads.run(&mut out).map_err(|error| error.to_string()),
        Command::Reconcile(reconcile) => reconcile.run(&mut out).map_err(|error| error.to_string()),
        Command::Facts(facts) => facts.run(&mut out).map_err(|error| error.to_string()),
        Command::Rebuild(rebuild) => rebuild.run(&mut out).map_err(|error| error.to_string()),
        Command::Synth(synth) => synth.run(today, &mut out).map_err(|error| error.to_string()),
        Command::Cost(cost) => cost.run(&mut out).map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nothing can be done for somebody who has closed standard error.
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

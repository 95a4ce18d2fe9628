//! The command line: one verb per file, arguments in, exit code out.
//!
//! To add a verb: write `cli/<verb>.rs` with `Args` and `run`, add a variant to [`Verb`] and its
//! arm; the compiler asks for the arm.

mod check;
mod components;
mod demo;
mod dlq;
mod exit;
mod health;
mod partition;
mod replay;
mod run;
mod schema;
mod settings;
mod state;
mod terminal;
mod test;
mod version;

pub use exit::Exit;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "millstream", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a pipeline until it is told to stop.
    Run(run::Args),
    /// Runs a pipeline on bundled real data, with a broker inside the process.
    Demo(demo::Args),
    /// Checks a pipeline file and prints its plan; exit code 78 if it is invalid.
    Check(check::Args),
    /// Runs the test cases beside a pipeline.
    Test(test::Args),
    /// Runs a pipeline over a file of JSON lines, vectors to standard output.
    Replay(replay::Args),
    /// Counts dead letters, shows them, sends them to their input topic again.
    Dlq(dlq::Args),
    /// Lists what a pipeline file can be made of.
    Components(components::Args),
    /// Prints the schema of a pipeline's vectors.
    Schema(schema::Args),
    /// Looks at snapshots of state: lists, shows, verifies, removes them.
    State(state::Args),
    /// Looks at a partition that stopped: shows it, skips records, goes back.
    Partition(partition::Args),
    /// Asks a running process whether it is ready; for container checks.
    Health(health::Args),
    /// Prints the version.
    Version,
}

/// Runs the command line of this process.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(cli.verb) {
        Ok(exit) => exit,
        // The reader of a pipe may go whenever it has seen enough.
        Err(error) if terminal::is_broken_pipe(&error) => Exit::Ok,
        Err(error) => {
            terminal::complain(format_args!("millstream: {error:#}"));
            Exit::Failure
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<Exit> {
    match verb {
        Verb::Run(args) => run::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Dlq(args) => dlq::run(&args),
        Verb::Components(args) => components::run(&args),
        Verb::Schema(args) => schema::run(&args),
        Verb::State(args) => state::run(&args),
        Verb::Partition(args) => partition::run(&args),
        Verb::Health(args) => health::run(&args),
        Verb::Version => version::run(),
    }
}

/// Help and version are answers, everything else that clap says is a wrong call.
fn usage(error: &clap::Error) -> Exit {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
    match error.print() {
        Ok(()) => exit,
        Err(_) => Exit::Failure,
    }
}

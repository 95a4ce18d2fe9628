//! `millstream check`: says what a pipeline file does, or what is wrong with it.

use super::{Exit, settings::SettingsArgs, terminal};
use crate::pipeline::{
    Definition, Overrides,
    change::Change,
    connect::{self, Missing},
    supervisor,
};
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline file.
    file: PathBuf,
    /// The file that runs now: says which of its state is kept, rebuilt and lost.
    #[arg(long, value_name = "RUNNING")]
    against: Option<PathBuf>,
    /// Also ask the cluster: topics, partitions, message limits, cleanup policy, permissions.
    #[arg(long)]
    connect: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Prints the plan of a valid file and the problems of an invalid one.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let definition = match terminal::load(&args.file, Overrides::default()) {
        Ok(definition) => definition,
        Err(exit) => return Ok(exit),
    };
    terminal::answer(definition.plan())?;
    if let Some(running) = &args.against {
        let running = match terminal::load(running, Overrides::default()) {
            Ok(running) => running,
            Err(exit) => return Ok(exit),
        };
        let change = Change::between(&running, &definition);
        terminal::answer(format_args!("against {}\n{change}", running.spec().pipeline))?;
    }
    if args.connect { ask_cluster(args, &definition) } else { Ok(Exit::Ok) }
}

/// Prints what the cluster says; ends with 1 if the pipeline could not run on it.
fn ask_cluster(args: &Args, definition: &Definition) -> anyhow::Result<Exit> {
    let settings = match args.settings.load() {
        Ok(settings) => settings,
        Err(exit) => return Ok(exit),
    };
    let admin = supervisor::admin(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let missing = if settings.create_topics { Missing::Permit } else { Missing::Refuse };
    let mut cluster = runtime.block_on(connect::inspect(&admin, definition, missing));
    cluster.rehearse(&admin, definition);
    terminal::answer("\ncluster")?;
    for finding in &cluster.findings {
        terminal::answer(format_args!("  {finding}"))?;
    }
    for problem in &cluster.problems {
        terminal::complain(format_args!("{problem}"));
    }
    Ok(if cluster.problems.is_empty() { Exit::Ok } else { Exit::Failure })
}

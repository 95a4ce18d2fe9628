//! `millstream partition`: looks at a partition that stopped, and says how it goes on.

use super::{Exit, run::start_logs, settings::SettingsArgs, terminal};
use crate::pipeline::{
    Overrides,
    worker::operator::{Change, Operator, OperatorError},
};
use std::{io, path::PathBuf, sync::Arc};

/// Arguments of `partition`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Shows where a partition stands and what a start would decide.
    Show(Show),
    /// Leaves records out, now and in every replay. All instances must be stopped.
    Skip(Skip),
    /// Goes back to the newest snapshot at or before an offset, and publishes again what is behind
    /// it. All instances must be stopped.
    Rewind(Rewind),
    /// Goes on behind what an expectation has halted. All instances must be stopped.
    Resume(Resume),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The pipeline file.
    #[arg(value_name = "PIPELINE.yaml")]
    file: PathBuf,
    /// An input topic.
    #[arg(long)]
    topic: String,
    /// A partition of it.
    #[arg(long, value_name = "N")]
    partition: i32,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    which: Which,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Skip {
    #[command(flatten)]
    which: Which,
    /// The first offset to skip.
    #[arg(long, value_name = "OFFSET")]
    from: i64,
    /// The offset behind the last; one record is skipped without it.
    #[arg(long, value_name = "OFFSET")]
    to: Option<i64>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
struct Rewind {
    #[command(flatten)]
    which: Which,
    /// The first offset that is to be published again, at the latest.
    #[arg(long, value_name = "OFFSET")]
    to: i64,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
struct Resume {
    #[command(flatten)]
    which: Which,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Runs one of the four.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.verb {
        Verb::Show(args) => with(&args.which, |operator| {
            let shown = operator.show()?;
            if args.json {
                terminal::answer(serde_json::to_string(&shown)?)?;
            } else {
                terminal::answer(shown)?;
            }
            Ok(Exit::Ok)
        }),
        Verb::Skip(args) => with(&args.which, |operator| {
            let to = args.to.unwrap_or(args.from.saturating_add(1));
            change(operator, operator.plan_skip(args.from, to), args.yes)
        }),
        Verb::Resume(args) => {
            with(&args.which, |operator| change(operator, operator.plan_resume(), args.yes))
        }
        Verb::Rewind(args) => {
            with(&args.which, |operator| change(operator, operator.plan_rewind(args.to), args.yes))
        }
    }
}

fn with(
    which: &Which,
    verb: impl FnOnce(&Operator) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let loaded = terminal::load(&which.file, Overrides::default())
        .and_then(|definition| Ok((definition, which.settings.load()?)));
    let (definition, settings) = match loaded {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    start_logs(&settings)?;
    let definition = Arc::new(definition);
    verb(&Operator::open(definition, &settings, &which.topic, which.partition)?)
}

/// Says what was and what is to be, asks, commits.
fn change(
    operator: &Operator,
    planned: Result<Change, OperatorError>,
    yes: bool,
) -> anyhow::Result<Exit> {
    let change = planned?;
    if !yes {
        terminal::complain(format_args!("{change}\ncommit this? [y/N]"));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            terminal::complain(format_args!("nothing is changed"));
            return Ok(Exit::Failure);
        }
    }
    operator.apply(&change)?;
    terminal::answer(change)?;
    Ok(Exit::Ok)
}

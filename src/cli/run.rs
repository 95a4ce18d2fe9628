//! `millstream run`: the daemon.

use super::{Exit, settings::SettingsArgs, terminal};
use crate::{
    pipeline::{
        Definition, Totals,
        spec::{Delivery, Overrides},
        supervisor::{self, RunOptions},
    },
    settings::Settings,
    telemetry,
};
use anyhow::Context as _;
use std::{io::IsTerminal as _, path::PathBuf, sync::Arc};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pipeline file.
    pipeline: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Delivery guarantee instead of the file's: `exactly_once` or `at_least_once`.
    #[arg(long, value_parser = delivery)]
    delivery: Option<Delivery>,
    /// Rebuild the state of a group that ran with another definition.
    #[arg(long)]
    migrate: bool,
    /// Read the partitions that an input topic got later, from their beginning.
    #[arg(long)]
    accept_growth: bool,
    /// End once everything in the input topics is folded and committed. For one process alone.
    #[arg(long)]
    until_end: bool,
}

fn delivery(text: &str) -> Result<Delivery, String> {
    match text {
        "exactly_once" => Ok(Delivery::ExactlyOnce),
        "at_least_once" => Ok(Delivery::AtLeastOnce),
        _ => Err("expected exactly_once or at_least_once".to_owned()),
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let overrides = Overrides { delivery: args.delivery };
    let definition = match terminal::load(&args.pipeline, overrides) {
        Ok(definition) => Arc::new(definition),
        Err(exit) => return Ok(exit),
    };
    let settings = match args.settings.load() {
        Ok(settings) => settings,
        Err(exit) => return Ok(exit),
    };
    start_logs(&settings)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    announce(&definition);
    let options = RunOptions {
        migrate: args.migrate,
        accept_growth: args.accept_growth,
        until_end: args.until_end,
        ..RunOptions::default()
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let summary = match runtime.block_on(supervisor::run(definition, &settings, options)) {
        Err(error) if error.is_slot_used_twice() => {
            terminal::complain(format_args!("millstream: {error}"));
            return Ok(Exit::SlotUsedTwice);
        }
        result => result?,
    };
    conclude(&settings, &summary.totals);
    Ok(Exit::Ok)
}

/// Says what became of the records: as a log line where lines are JSON, so that they all are.
fn conclude(settings: &Settings, totals: &Totals) {
    if is_json(settings) && tracing::enabled!(tracing::Level::INFO) {
        tracing::info!(
            consumed = totals.consumed,
            published = totals.published,
            rejected = totals.rejected.sum(),
            dropped = totals.dropped.sum(),
            held = totals.held,
            "{totals}"
        );
    } else {
        terminal::complain(format_args!("{totals}"));
    }
}

/// Says in the log what runs.
fn announce(definition: &Definition) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pipeline = definition.spec().pipeline,
        definition = %definition.hash(),
        "starting"
    );
}

/// Starts the log as the settings say: text for a person at a terminal, JSON otherwise.
pub(super) fn start_logs(settings: &Settings) -> anyhow::Result<()> {
    telemetry::start_logs(&settings.log.level, is_json(settings)).context("the setting `log.level`")
}

fn is_json(settings: &Settings) -> bool {
    settings.log.format.is_json(std::io::stderr().is_terminal())
}

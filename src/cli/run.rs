//! `millstream run`: the daemon.

use super::{Exit, settings::SettingsArgs, terminal};
use crate::{
    pipeline::{
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
    let options =
        RunOptions { migrate: args.migrate, until_end: args.until_end, ..RunOptions::default() };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let summary = runtime.block_on(supervisor::run(definition, &settings, options))?;
    terminal::complain(format_args!("{}", summary.totals));
    Ok(Exit::Ok)
}

/// Starts the log as the settings say: text for a person at a terminal, JSON otherwise.
pub(super) fn start_logs(settings: &Settings) -> anyhow::Result<()> {
    let json = settings.log.format.is_json(std::io::stderr().is_terminal());
    telemetry::start_logs(&settings.log.level, json).context("the setting `log.level`")
}

//! `millstream check`: says what a pipeline file does, or what is wrong with it.

use super::{Exit, terminal};
use crate::pipeline::Overrides;
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline file.
    file: PathBuf,
}

/// Prints the plan of a valid file and the problems of an invalid one.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let definition = match terminal::load(&args.file, Overrides::default()) {
        Ok(definition) => definition,
        Err(exit) => return Ok(exit),
    };
    terminal::answer(definition.plan())?;
    Ok(Exit::Ok)
}

//! `millstream schema`: the shape of a pipeline's vectors, for whoever reads them.

use super::{Exit, terminal};
use crate::pipeline::Overrides;
use std::path::PathBuf;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline file.
    file: PathBuf,
    /// Print the Arrow schema instead of the JSON Schema.
    #[arg(long)]
    arrow: bool,
}

/// Prints the JSON Schema or the Arrow schema of the output.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let definition = match terminal::load(&args.file, Overrides::default()) {
        Ok(definition) => definition,
        Err(exit) => return Ok(exit),
    };
    let vector = definition.vector();
    if args.arrow {
        terminal::answer(vector.arrow_text())?;
    } else {
        terminal::answer(serde_json::to_string_pretty(&vector.json_schema())?)?;
    }
    Ok(Exit::Ok)
}

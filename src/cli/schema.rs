//! `millstream schema`: the shape of a pipeline's vectors, for whoever reads them.

use super::{Exit, terminal};
use crate::pipeline::Overrides;
use anyhow::Context;
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
        terminal::answer(vector.arrow_text().trim_end())?;
        return Ok(Exit::Ok);
    }
    let format = &definition.spec().output.format;
    let schema = vector
        .json_schema()
        .with_context(|| format!("vectors in {format} have no JSON Schema; ask for --arrow"))?;
    terminal::answer(schema.trim_end())?;
    Ok(Exit::Ok)
}

//! `millstream state show`: what one snapshot says of itself and how much it holds.

use super::super::{Exit, settings::SettingsArgs, terminal};
use super::{open, pick, size};
use crate::{
    pipeline::snapshots::{self, Inspected},
    store::Name,
};
use anyhow::Context as _;
use std::{fs, path::Path};

/// Arguments of `state show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of a snapshot, as `state ls` prints it, or the path of a file.
    snapshot: String,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Prints the header as JSON and the sections as a table.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let inspected = match Name::parse(&args.snapshot) {
        // The path of a file may look like a name, seen from the store's own directory.
        None if Path::new(&args.snapshot).is_file() => {
            let read = || format!("cannot read {}", args.snapshot);
            let bytes = fs::read(&args.snapshot).with_context(read)?;
            snapshots::inspect(&bytes).with_context(|| args.snapshot.clone())?
        }
        _ => {
            let store = match open(&args.settings)? {
                Ok(store) => store,
                Err(exit) => return Ok(exit),
            };
            let entry = pick::find(&store, &pick::name(&args.snapshot)?)?;
            snapshots::verify(&store, &entry, None).with_context(|| args.snapshot.clone())?
        }
    };
    print(&inspected)?;
    Ok(Exit::Ok)
}

fn print(inspected: &Inspected) -> anyhow::Result<()> {
    terminal::answer(serde_json::to_string_pretty(&inspected.header)?)?;
    terminal::answer(format_args!("{:<32} {:>12} {:>12}", "section", "rows", "in memory"))?;
    for section in inspected.sections.sizes() {
        let bytes = size(section.bytes);
        terminal::answer(format_args!("{:<32} {:>12} {bytes:>12}", section.name, section.rows))?;
    }
    Ok(())
}

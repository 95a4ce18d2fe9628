//! `millstream state verify`: whether snapshots could be used, every byte read.

use super::super::{Exit, settings::SettingsArgs, terminal};
use super::{open, pick::Picked};
use crate::{pipeline::snapshots, store::Name};

/// Arguments of `state verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pipeline file, whose fold must take its own snapshots over; names of snapshots, instead of
    /// all there are.
    #[arg(value_name = "PIPELINE.yaml | SNAPSHOT")]
    words: Vec<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Verifies the snapshots, one line each.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let picked = match Picked::read(&args.words)? {
        Ok(picked) => picked,
        Err(exit) => return Ok(exit),
    };
    let store = match open(&args.settings)? {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let mut empty = Vec::new();
    let entries = if picked.names.is_empty() {
        let listing = picked.list(&store)?;
        // What has the name of a snapshot and no bytes was to be one.
        empty.extend(listing.foreign.into_iter().filter_map(|f| Name::parse(&f.name)));
        listing.snapshots
    } else {
        picked.entries(&store)?
    };
    for name in &empty {
        terminal::answer(format_args!("BAD  {name}: the file is empty"))?;
    }
    let mut bad = empty.len();
    let count = entries.len() + bad;
    for entry in &entries {
        let current = picked.definition.as_ref().filter(|d| snapshots::is_current(&entry.name, d));
        match snapshots::verify(&store, entry, current) {
            Ok(_) => terminal::answer(format_args!("ok   {}", entry.name))?,
            Err(error) => {
                bad += 1;
                terminal::answer(format_args!("BAD  {}: {error}", entry.name))?;
            }
        }
    }
    terminal::answer(format_args!("{} ok, {bad} bad", count - bad))?;
    Ok(if bad == 0 { Exit::Ok } else { Exit::Failure })
}

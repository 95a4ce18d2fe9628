//! `millstream state rm`: removes snapshots that somebody named, or that are old, or that no
//! definition needs any more.

use super::super::{Exit, settings::SettingsArgs, terminal};
use super::{age, open, pick::Picked, size};
use crate::{
    pipeline::{Definition, clock, snapshots},
    registry::Span,
    store::{Entry, PartitionKey, SnapshotStore},
};
use std::{collections::BTreeSet, io};

/// Arguments of `state rm`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pipeline file, whose snapshots alone are looked at; names of the snapshots to remove.
    #[arg(value_name = "PIPELINE.yaml | SNAPSHOT", required = true)]
    words: Vec<String>,
    /// Remove those stored longer ago than this, such as 7d.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Option<Span>,
    /// Remove those of other definitions than the pipeline file's.
    #[arg(long)]
    other_definitions: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Remove even the newest valid snapshot of a partition: its state is then rebuilt from the
    /// log.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn duration(text: &str) -> Result<Span, String> {
    Span::parse(text).ok_or_else(|| "expected a duration such as 90s, 12h or 7d".to_owned())
}

/// Removes them, all or none unless the store fails, and says which.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let picked = match Picked::read(&args.words)? {
        Ok(picked) => picked,
        Err(exit) => return Ok(exit),
    };
    let filtered = args.older_than.is_some() || args.other_definitions;
    if filtered != picked.names.is_empty() || (filtered && picked.definition.is_none()) {
        terminal::complain(format_args!(
            "say which: names of snapshots, or a pipeline file with --older-than or \
             --other-definitions"
        ));
        return Ok(Exit::Usage);
    }
    let store = match open(&args.settings)? {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let chosen = if filtered { filter(args, &picked, &store)? } else { picked.entries(&store)? };
    if chosen.is_empty() {
        terminal::answer("nothing to remove")?;
        return Ok(Exit::Ok);
    }
    if !args.force && is_needed(&store, &chosen, picked.definition.as_ref())? {
        return Ok(Exit::Failure);
    }
    if !args.yes && !confirmed(&chosen)? {
        terminal::complain(format_args!("nothing is removed"));
        return Ok(Exit::Failure);
    }
    for entry in &chosen {
        store.remove(&entry.name)?;
        terminal::answer(format_args!("removed {}", entry.name))?;
    }
    Ok(Exit::Ok)
}

fn filter(args: &Args, picked: &Picked, store: &SnapshotStore) -> anyhow::Result<Vec<Entry>> {
    let now = clock::now_ms();
    let mut chosen = picked.list(store)?.snapshots;
    chosen.retain(|entry| {
        let stored = now.saturating_sub(entry.stored_ms);
        let is_old = args.older_than.is_none_or(|span| stored > span.us / 1000);
        let is_current =
            picked.definition.as_ref().is_some_and(|d| snapshots::is_current(&entry.name, d));
        is_old && !(args.other_definitions && is_current)
    });
    Ok(chosen)
}

/// Complains about each chosen snapshot that a restart would use: the newest valid one of its
/// partition, under the definition of the file, or under any where no file is named.
fn is_needed(
    store: &SnapshotStore,
    chosen: &[Entry],
    definition: Option<&Definition>,
) -> anyhow::Result<bool> {
    let of_file = |entry: &&Entry| definition.is_none_or(|d| snapshots::is_current(&entry.name, d));
    let partitions: BTreeSet<&PartitionKey> =
        chosen.iter().filter(of_file).map(|entry| &entry.name.partition).collect();
    let mut needed = false;
    for partition in partitions {
        let entries = store.list(partition)?;
        if let Some(newest) = snapshots::newest_valid(store, &entries)?
            && chosen.iter().any(|entry| entry.name == newest.name)
        {
            needed = true;
            terminal::complain(format_args!(
                "{} is the newest valid snapshot of its partition: without it the state is \
                 rebuilt from an older one or from the log; --force removes it",
                newest.name
            ));
        }
    }
    Ok(needed)
}

fn confirmed(chosen: &[Entry]) -> anyhow::Result<bool> {
    let now = clock::now_ms();
    for entry in chosen {
        let (bytes, stored) = (size(entry.bytes), age(now.saturating_sub(entry.stored_ms)));
        terminal::complain(format_args!("{} ({bytes}, {stored} old)", entry.name));
    }
    terminal::complain(format_args!("remove these {} snapshots? [y/N]", chosen.len()));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

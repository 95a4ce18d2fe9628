//! `millstream state ls`: one line a snapshot.

use super::super::{Exit, settings::SettingsArgs, terminal};
use super::{age, open, pick::Picked, size};
use crate::{
    pipeline::{clock, snapshots},
    store::{Entry, Foreign, SnapshotStore},
};
use serde::Serialize;

/// Arguments of `state ls`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pipeline file: only its snapshots, and which are of another definition.
    pipeline: Option<String>,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// One snapshot, as a line of JSON has it.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    pipeline: String,
    topic: String,
    topic_id: Option<String>,
    partition: i32,
    offset: i64,
    tick: u32,
    digest: String,
    bytes: u64,
    /// When it was taken; when it was stored, if its header cannot be read.
    taken_ms: i64,
    state_hash: String,
    /// Whether it is of the pipeline file's definition; null without a file.
    current: Option<bool>,
    keys: Option<u64>,
    platform: Option<String>,
    /// Why the header cannot be read.
    error: Option<String>,
}

/// Something else, as a line of JSON has it.
#[derive(Debug, Serialize)]
struct ForeignLine<'a> {
    name: &'a str,
    bytes: u64,
    not_a_snapshot: bool,
}

/// Lists the snapshots.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let words: Vec<String> = args.pipeline.iter().cloned().collect();
    let picked = match Picked::read(&words)? {
        Ok(picked) if picked.names.is_empty() => picked,
        Ok(_) => anyhow::bail!("`state ls` lists all snapshots of a pipeline file"),
        Err(exit) => return Ok(exit),
    };
    let store = match open(&args.settings)? {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let listing = picked.list(&store)?;
    let lines = listing.snapshots.iter().map(|entry| {
        let current = picked.definition.as_ref().map(|d| snapshots::is_current(&entry.name, d));
        line(&store, entry, current)
    });
    if args.json {
        for line in lines {
            terminal::answer(serde_json::to_string(&line)?)?;
        }
        for Foreign { name, bytes } in &listing.foreign {
            let line = ForeignLine { name, bytes: *bytes, not_a_snapshot: true };
            terminal::answer(serde_json::to_string(&line)?)?;
        }
        return Ok(Exit::Ok);
    }
    let lines: Vec<Line> = lines.collect();
    terminal::answer(format_args!("{}: {} snapshots", store.shown(), lines.len()))?;
    if !lines.is_empty() {
        terminal::answer(table(&lines))?;
    }
    for Foreign { name, bytes } in &listing.foreign {
        terminal::answer(format_args!("not a snapshot: {name} ({})", size(*bytes)))?;
    }
    Ok(Exit::Ok)
}

fn line(store: &SnapshotStore, entry: &Entry, current: Option<bool>) -> Line {
    let header = snapshots::header(store, entry);
    let partition = &entry.name.partition;
    Line {
        name: entry.name.to_string(),
        pipeline: partition.pipeline.clone(),
        topic: partition.topic.clone(),
        topic_id: partition.topic_id.clone(),
        partition: partition.partition,
        offset: entry.name.position.offset,
        tick: entry.name.position.tick,
        digest: entry.name.digest.clone(),
        bytes: entry.bytes,
        taken_ms: header.as_ref().map_or(entry.stored_ms, |header| header.taken_ms),
        state_hash: partition.state_hash.clone(),
        current,
        keys: header.as_ref().ok().map(|header| header.keys),
        platform: header.as_ref().ok().map(|header| header.platform.clone()),
        error: header.err().map(|error| error.to_string()),
    }
}

const TITLES: [&str; 9] =
    ["topic", "partition", "position", "age", "size", "keys", "state hash", "platform", "snapshot"];

/// The lines as a table. A `*` marks the hash of another definition than the file's.
fn table(lines: &[Line]) -> String {
    let now = clock::now_ms();
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(lines.iter().map(|line| cells(line, now)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..TITLES.len()).filter_map(width).collect();
    let rows = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    let mut text = rows.collect::<Vec<_>>().join("\n");
    if lines.iter().any(|line| line.current == Some(false)) {
        text.push_str("\n* of another definition than the pipeline file's");
    }
    text
}

fn cells(line: &Line, now: i64) -> [String; 9] {
    let position = match line.tick {
        0 => line.offset.to_string(),
        tick => format!("{}+{tick}", line.offset),
    };
    let mark = if line.current == Some(false) { "*" } else { "" };
    let unknown = || "?".to_owned();
    [
        line.topic.clone(),
        line.partition.to_string(),
        position,
        age(now.saturating_sub(line.taken_ms)),
        size(line.bytes),
        line.keys.map_or_else(unknown, |keys| keys.to_string()),
        format!("{}{mark}", line.state_hash),
        line.platform.clone().unwrap_or_else(|| "not readable".to_owned()),
        line.name.clone(),
    ]
}

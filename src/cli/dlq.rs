//! `millstream dlq`: counts dead letters, shows them, sends them again.

use super::{Exit, settings::SettingsArgs, terminal};
use crate::{
    batch::Reason,
    pipeline::{
        Definition, Delivery, Overrides,
        dead_letters::{self, Filter, Offsets, Place, Plan, Resend, Shown, Summary},
    },
    settings::Settings,
};
use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

/// Arguments of `dlq`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Counts dead letters by reason and input partition.
    Ls(Ls),
    /// Shows dead letters one by one.
    Show(Show),
    /// Sends dead letters to their input topic again, in one transaction.
    Replay(Replay),
}

/// Whose dead letters, and which.
#[derive(Debug, clap::Args)]
struct Which {
    /// The pipeline file.
    file: PathBuf,
    /// Only this reason; may be given again for another.
    #[arg(long = "reason", value_name = "REASON", value_parser = dead_letters::reason)]
    reasons: Vec<Reason>,
    /// Only records with this Kafka timestamp or a later one: RFC 3339, or a duration such as 2h
    /// for so long ago.
    #[arg(long, value_name = "TIME", value_parser = dead_letters::time)]
    since: Option<i64>,
    /// Only records with an earlier Kafka timestamp than this.
    #[arg(long, value_name = "TIME", value_parser = dead_letters::time)]
    until: Option<i64>,
    /// Only this partition of the dead-letter topic.
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Only these offsets of that partition, TO excluded; FROM.. and ..TO are ranges too.
    #[arg(long, value_name = "FROM..TO", requires = "partition", value_parser = dead_letters::offsets)]
    offsets: Option<Offsets>,
    /// Only the dead letter of this input record.
    #[arg(long, value_name = "TOPIC/PARTITION/OFFSET", value_parser = dead_letters::place)]
    source: Option<Place>,
    /// Not more than so many, the first ones.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, clap::Args)]
struct Ls {
    #[command(flatten)]
    which: Which,
    /// One JSON object per line of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    which: Which,
    /// Show key, value and header values themselves, not their sizes and hashes.
    #[arg(long)]
    payload: bool,
    /// One JSON object per dead letter.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Replay {
    #[command(flatten)]
    which: Which,
    /// Say what would be sent and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Records that were sent again so often already stay where they are.
    #[arg(long, value_name = "N", default_value_t = 3)]
    max_replays: u32,
    /// Let the key choose the partition, not the record's first one: after the input topic got
    /// another number of partitions.
    #[arg(long)]
    partition_by_key: bool,
}

/// Runs one of the three; ends with 1 if a dead letter was refused.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.verb {
        Verb::Ls(args) => with(&args.which, |definition, settings, filter| {
            ls(args.json, definition, settings, filter)
        }),
        Verb::Show(args) => with(&args.which, |definition, settings, filter| {
            show((args.payload, args.json), definition, settings, filter)
        }),
        Verb::Replay(args) => with(&args.which, |definition, settings, filter| {
            let order = Resend {
                filter: filter.clone(),
                max_replays: args.max_replays,
                partition_by_key: args.partition_by_key,
                dry_run: args.dry_run,
            };
            tell(&dead_letters::resend(definition, settings, &order)?, args.dry_run)
        }),
    }
}

fn with(
    which: &Which,
    verb: impl FnOnce(&Definition, &Settings, &Filter) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    // What a restart may do to the output says nothing of dead letters.
    let overrides = Overrides { delivery: Some(Delivery::AtLeastOnce) };
    let loaded = terminal::load(&which.file, overrides)
        .and_then(|definition| Ok((definition, which.settings.load()?)));
    let (definition, settings) = match loaded {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let filter = Filter {
        reasons: which.reasons.clone(),
        since_ms: which.since,
        until_ms: which.until,
        partition: which.partition,
        offsets: which.offsets.unwrap_or_default(),
        source: which.source.clone(),
        limit: which.limit,
    };
    verb(&definition, &settings, &filter)
}

fn ls(
    json: bool,
    definition: &Definition,
    settings: &Settings,
    filter: &Filter,
) -> anyhow::Result<Exit> {
    let mut summary = Summary::default();
    dead_letters::scan(definition, settings, filter, &mut |letter| {
        summary.add(letter);
        Ok(())
    })?;
    if json {
        summary.json().try_for_each(terminal::answer)?;
    } else {
        terminal::answer(&summary)?;
    }
    Ok(Exit::Ok)
}

fn show(
    (payload, json): (bool, bool),
    definition: &Definition,
    settings: &Settings,
    filter: &Filter,
) -> anyhow::Result<Exit> {
    let mut out = BufWriter::new(io::stdout().lock());
    let found = dead_letters::scan(definition, settings, filter, &mut |letter| {
        let shown = Shown { letter, payload };
        if json {
            writeln!(out, "{}", shown.json())?;
        } else {
            writeln!(out, "{shown}")?;
        }
        Ok(())
    })?;
    out.flush()?;
    let s = if found == 1 { "" } else { "s" };
    terminal::complain(format_args!("{found} dead letter{s}"));
    Ok(Exit::Ok)
}

/// Says what was sent and what was not; ends with 1 if something was refused.
fn tell(plan: &Plan, dry_run: bool) -> anyhow::Result<Exit> {
    let mut out = BufWriter::new(io::stdout().lock());
    for sent in plan.sent.iter().filter(|_| dry_run) {
        let (topic, partition) = (&sent.source.topic, sent.source.partition);
        let (place, source, times) = (&sent.place, &sent.source, sent.times);
        writeln!(out, "would send {place} (from {source}) to {topic}/{partition}, replay {times}")?;
    }
    for refused in &plan.refused {
        let from = refused.source.as_ref().map_or(String::new(), |s| format!(" (from {s})"));
        writeln!(out, "refused {}{from}: {}", refused.place, refused.refusal)?;
    }
    let verb = if dry_run { "would send" } else { "sent" };
    let (sent, refused) = (plan.sent.len(), plan.refused.len());
    let repeated = match plan.repeated {
        0 => String::new(),
        repeated => format!(", {repeated} that repeat one of these left out"),
    };
    writeln!(out, "{verb} {sent}, refused {refused}{repeated}")?;
    out.flush()?;
    Ok(if refused == 0 { Exit::Ok } else { Exit::Failure })
}

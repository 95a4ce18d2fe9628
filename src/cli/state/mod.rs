//! `millstream state`: looks at snapshots and removes them.

mod ls;
mod pick;
mod rm;
mod show;
mod verify;

use super::{Exit, settings::SettingsArgs};
use crate::store::SnapshotStore;
use clap::Subcommand;

/// Arguments of `state`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists snapshots, newest position first.
    Ls(ls::Args),
    /// Prints the header of a snapshot, and the rows and bytes of its sections.
    Show(show::Args),
    /// Reads snapshots to the end and checks every byte; exit code 1 if one is bad.
    Verify(verify::Args),
    /// Removes snapshots, after asking.
    Rm(rm::Args),
}

/// Runs the verb.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.verb {
        Verb::Ls(args) => ls::run(args),
        Verb::Show(args) => show::run(args),
        Verb::Verify(args) => verify::run(args),
        Verb::Rm(args) => rm::run(args),
    }
}

/// Opens the store of the settings; it is never made.
fn open(settings: &SettingsArgs) -> anyhow::Result<Result<SnapshotStore, Exit>> {
    match settings.load() {
        Ok(settings) => Ok(Ok(SnapshotStore::open_existing(&settings.snapshots)?)),
        Err(exit) => Ok(Err(exit)),
    }
}

/// A size for a person.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A length of time for a person: its two largest units.
fn age(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m{:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{minutes:02}m"),
        (days, hours, _) => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_short() {
        let sizes = [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB")];
        for (bytes, shown) in sizes {
            assert_eq!(size(bytes), shown);
        }
        let ages = [(-5, "0s"), (59_999, "59s"), (61_000, "1m01s"), (3_660_000, "1h01m")];
        for (milliseconds, shown) in ages {
            assert_eq!(age(milliseconds), shown);
        }
        assert_eq!(age(90_000_000), "1d01h");
    }
}

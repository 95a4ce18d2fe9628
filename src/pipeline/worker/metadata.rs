//! What is committed beside each offset: enough to rebuild and to check a partition's state.
//!
//! ASCII, under 4096 bytes, one line of `name=value` pairs behind a version:
//! `ms1 sh=<state hash> or=<origin> wm=<watermark us> dg=<digest> n=<consumed>,<published>,..`, and
//! where they are known `pf` the platform, `cl` the cluster, `ti` the topic id, `np` the topic's
//! partitions, `sn` the newest snapshot, `rb` the
//! offset that a state can be rebuilt from without what is before it, `tl` the newest record folded as
//! `offset:hash`, `sk` skipped offsets as ranges `from-to`. `dg` is missing where no state was folded
//! that it could be compared with. `ha` is the expectation that halted the partition there. Where records are held, `lh` is the lowest held offset, `ct` how
//! many ticks were made at the committed offset itself, `tk` lists the ticks as `offset+tick`, offsets
//! in base 36 and `+1` left out, those since the older kept snapshot; where there were others before,
//! `tf` is the position that they reach back to.

use super::{halted::Halted, tail::Tail};
use crate::{
    source::Committed,
    state::snapshot::{Ledger, LogPosition, OffsetRange, Skipped},
};
use std::fmt;

/// Everything committed with an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Hash of the definition's stateful part.
    pub(super) state_hash: u64,
    /// First offset ever folded into this state.
    pub(super) origin: i64,
    /// Watermark at the offset, microseconds; none before the first record.
    pub(super) watermark: Option<i64>,
    /// Rolling digest of the fold at the offset; none where what was folded is to be skipped.
    pub(super) digest: Option<u64>,
    /// Outcomes of all records before the offset.
    pub(super) ledger: Ledger,
    /// Hash of the platform the digest was made on.
    pub(super) platform: Option<u32>,
    /// Id of the cluster.
    pub(super) cluster: Option<String>,
    /// Id of the topic.
    pub(super) topic_id: Option<String>,
    /// Partitions the topic had.
    pub(super) partitions: Option<i32>,
    /// Position of the newest snapshot.
    pub(super) snapshot: Option<LogPosition>,
    /// Where the state can begin anew without what is before.
    pub(super) rebuild: Option<i64>,
    /// The newest record folded; none where there was none, or it is not to be asked for.
    pub(super) tail: Option<Tail>,
    /// Offsets that an operator skipped.
    pub(super) skipped: Skipped,
    /// Ticks made at the committed offset itself.
    pub(super) tick: u32,
    /// What halted the partition behind the newest record; it does not go on with it.
    pub(super) halted: Option<Halted>,
    /// Logged ticks since the older kept snapshot.
    pub(super) ticks: Vec<LogPosition>,
    /// Where the ticks begin, if there were others before: a state from before that position cannot
    /// be brought here any more.
    pub(super) ticks_from: Option<LogPosition>,
    /// Lowest offset of a held record.
    pub(super) lowest_held: Option<i64>,
}

const VERSION: &str = "ms1";

/// Most ranges of skipped offsets that one commit has room for.
pub(super) const SKIPPED_MAX: usize = 64;

/// Most ticks that one commit has room for.
pub(super) const TICKS_MAX: usize = 64;

impl Metadata {
    /// Metadata without what is known of some partitions only.
    pub(super) fn new(state_hash: u64, origin: i64, digest: u64, ledger: Ledger) -> Self {
        Self {
            state_hash,
            origin,
            watermark: None,
            digest: Some(digest),
            ledger,
            platform: None,
            cluster: None,
            topic_id: None,
            partitions: None,
            snapshot: None,
            rebuild: None,
            tail: None,
            skipped: Skipped::default(),
            tick: 0,
            halted: None,
            ticks: Vec::new(),
            ticks_from: None,
            lowest_held: None,
        }
    }

    /// The position of a commit, whose offset does not tell of ticks.
    pub(super) fn position_of(committed: &Committed) -> LogPosition {
        let tick = Self::parse(&committed.metadata).map_or(0, |metadata| metadata.tick);
        LogPosition { offset: committed.offset, tick }
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION} sh={:016x} or={}", self.state_hash, self.origin)?;
        optional(f, "wm", self.watermark)?;
        let Ledger { consumed, published, rejected, dropped, held } = self.ledger;
        if let Some(digest) = self.digest {
            write!(f, " dg={digest:016x}")?;
        }
        write!(f, " n={consumed},{published},{rejected},{dropped},{held}")?;
        optional(f, "pf", self.platform)?;
        optional(f, "cl", self.cluster.as_ref())?;
        optional(f, "ti", self.topic_id.as_ref())?;
        optional(f, "np", self.partitions)?;
        optional(f, "sn", self.snapshot)?;
        optional(f, "rb", self.rebuild)?;
        optional(f, "tl", self.tail)?;
        optional(f, "ha", self.halted)?;
        optional(f, "lh", self.lowest_held)?;
        debug_assert!(self.skipped.ranges().len() <= SKIPPED_MAX, "they have no room");
        list(f, "sk", self.skipped.ranges())?;
        optional(f, "ct", Some(self.tick).filter(|tick| *tick > 0))?;
        optional(f, "tf", self.ticks_from)?;
        debug_assert!(self.ticks.len() <= TICKS_MAX, "they have no room");
        list(f, "tk", &self.ticks.iter().copied().map(Tick).collect::<Vec<_>>())
    }
}

/// A tick in few characters.
struct Tick(LogPosition);

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogPosition { offset, tick } = self.0;
        let mut digits = Vec::new();
        let mut rest = offset.unsigned_abs();
        while rest > 0 || digits.is_empty() {
            let digit = u32::try_from(rest % u64::from(RADIX)).expect("it is below the radix");
            digits.push(char::from_digit(digit, RADIX).expect("it is below the radix"));
            rest /= u64::from(RADIX);
        }
        digits.iter().rev().try_for_each(|digit| write!(f, "{digit}"))?;
        if tick == 1 { Ok(()) } else { write!(f, "+{tick}") }
    }
}

/// Of the offsets of ticks.
const RADIX: u32 = 36;

fn optional(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: Option<impl fmt::Display>,
) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name}={value}"))
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, values: &[impl fmt::Display]) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        if index == 0 {
            write!(f, " {name}={value}")?;
        } else {
            write!(f, ",{value}")?;
        }
    }
    Ok(())
}

impl Metadata {
    /// Reads what `Display` wrote; none for anything else, such as another tool's commit.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut words = text.split(' ');
        if words.next()? != VERSION {
            return None;
        }
        let (mut state_hash, mut origin, mut ledger) = (None, None, None);
        let mut rest = Self { digest: None, ..Self::new(0, 0, 0, Ledger::default()) };
        for word in words {
            let (name, value) = word.split_once('=')?;
            match name {
                "sh" => state_hash = Some(u64::from_str_radix(value, 16).ok()?),
                "or" => origin = Some(value.parse().ok()?),
                "dg" => rest.digest = Some(u64::from_str_radix(value, 16).ok()?),
                "n" => ledger = Some(parse_ledger(value)?),
                "wm" => rest.watermark = Some(value.parse().ok()?),
                "pf" => rest.platform = Some(value.parse().ok()?),
                "cl" => rest.cluster = Some(value.to_owned()),
                "ti" => rest.topic_id = Some(value.to_owned()),
                "np" => rest.partitions = Some(value.parse().ok()?),
                "sn" => rest.snapshot = Some(parse_position(value)?),
                "rb" => rest.rebuild = Some(value.parse().ok()?),
                "tl" => rest.tail = Some(value.parse().ok()?),
                "ha" => rest.halted = Some(value.parse().ok()?),
                "lh" => rest.lowest_held = Some(value.parse().ok()?),
                "sk" => rest.skipped = each(value, parse_range)?.try_into().ok()?,
                "ct" => rest.tick = value.parse().ok()?,
                "tf" => rest.ticks_from = Some(parse_position(value)?),
                "tk" => rest.ticks = each(value, parse_tick)?,
                // A later version of the same format may say more.
                _ => {}
            }
        }
        let (state_hash, origin) = (state_hash?, origin?);
        Some(Self { state_hash, origin, ledger: ledger?, ..rest })
    }
}

fn each<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(parse).collect()
}

fn parse_position(text: &str) -> Option<LogPosition> {
    let (offset, tick) = text.split_once('+').unwrap_or((text, "0"));
    Some(LogPosition { offset: offset.parse().ok()?, tick: tick.parse().ok()? })
}

fn parse_tick(text: &str) -> Option<LogPosition> {
    let (offset, tick) = text.split_once('+').unwrap_or((text, "1"));
    let offset = i64::from_str_radix(offset, RADIX).ok()?;
    Some(LogPosition { offset, tick: tick.parse().ok()? })
}

fn parse_range(text: &str) -> Option<OffsetRange> {
    let (from, to) = text.split_once('-')?;
    Some(OffsetRange { from: from.parse().ok()?, to: to.parse().ok()? })
}

fn parse_ledger(text: &str) -> Option<Ledger> {
    let numbers = each(text, |number| number.parse::<u64>().ok())?;
    let [consumed, published, rejected, dropped, held, ..] = *numbers else { return None };
    Some(Ledger { consumed, published, rejected, dropped, held })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_metadata()(
            state_hash: u64, origin in 0..i64::MAX, watermark: Option<i64>, digest: Option<u64>,
            n in proptest::array::uniform5(any::<u64>()),
            (platform, partitions, lowest_held, rebuild, tick)
                in any::<(Option<u32>, Option<i32>, Option<i64>, Option<i64>, u32)>(),
            (snapshot, ticks_from) in any::<(Option<(i64, u32)>, Option<(i64, u32)>)>(),
            (cluster, topic_id) in (
                proptest::option::of("[A-Za-z0-9_-]{22}"), proptest::option::of("[A-Za-z0-9_-]{22}"),
            ),
            skipped in proptest::collection::btree_set(0..i64::MAX, 0..=2 * SKIPPED_MAX),
            ticks in proptest::collection::vec((0..i64::MAX, 1..9_u32), 0..=TICKS_MAX),
            tail: Option<(i64, u64)>,
            halted: Option<(u64, Option<(i64, i64)>)>,
        ) -> Metadata {
            let [consumed, published, rejected, dropped, held] = n;
            let ledger = Ledger { consumed, published, rejected, dropped, held };
            let ends: Vec<i64> = skipped.into_iter().collect();
            let ranges = ends.chunks_exact(2).map(|ends| OffsetRange { from: ends[0], to: ends[1] });
            let skipped = ranges.collect::<Vec<_>>().try_into().unwrap();
            let ticks =
                ticks.into_iter().map(|(offset, tick)| LogPosition { offset, tick }).collect();
            let position = |(offset, tick)| LogPosition { offset, tick };
            let (snapshot, ticks_from) = (snapshot.map(position), ticks_from.map(position));
            let tail = tail.map(|(offset, hash)| format!("{offset}:{hash:016x}").parse().unwrap());
            let halted = halted.map(|(name, window)| {
                let window = window.map_or(String::new(), |(from, to)| format!(":{from}:{to}"));
                format!("{name:016x}{window}").parse().unwrap()
            });
            Metadata {
                watermark, digest, platform, cluster, topic_id, partitions, snapshot, rebuild, tail,
                skipped, tick, halted, ticks, ticks_from, lowest_held, ..Metadata::new(state_hash, origin, 0, ledger)
            }
        }
    }

    proptest! {
        #[test]
        fn survives_a_commit(metadata in any_metadata()) {
            let text = metadata.to_string();
            prop_assert!(text.is_ascii() && text.len() < 4096);
            prop_assert_eq!(Metadata::parse(text.as_bytes()), Some(metadata));
        }

        #[test]
        fn anything_else_is_none(bytes: Vec<u8>) {
            prop_assert_eq!(Metadata::parse(&bytes), None);
        }
    }
}

//! Where a newly assigned partition begins: pure decisions over what the cluster and the store said.

mod stop;

#[cfg(test)]
mod tests;

pub use stop::Stop;

use super::{metadata::Metadata, tail::Tail};
use crate::{
    kafka::TopicPartition,
    pipeline::{
        protocol::usable_snapshots,
        spec::{OutOfRange, Start as StartAt},
    },
    source::Lookup,
    state::snapshot::{Ledger, LogPosition, Skipped},
};

/// Where a partition begins, before a snapshot was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) partition: TopicPartition,
    /// First offset ever folded: where a rebuild without a snapshot begins.
    pub(super) origin: i64,
    /// Next offset to emit for, and the ticks there.
    pub(super) committed: LogPosition,
    /// Offset behind the last record of the log.
    pub(super) end: i64,
    /// Digest that the state must have at `committed`, where it can be compared.
    pub(super) digest: Option<u64>,
    /// Outcomes before `committed`.
    pub(super) ledger: Ledger,
    /// The newest record folded before `committed`, if the log should still have it.
    pub(super) tail: Option<Tail>,
    /// Offsets that an operator skipped.
    pub(super) skipped: Skipped,
    /// Positions of snapshots to try, the newest first.
    pub(super) snapshots: Vec<LogPosition>,
    /// Ticks before `committed`, and where they begin if there were others before.
    pub(super) ticks: (Vec<LogPosition>, Option<LogPosition>),
    /// True if the log still has the origin, or what it lost of the records behind it is skipped, and
    /// all ticks since then are known.
    pub(super) has_origin: bool,
    /// Where the state can begin anew with what the log has, as good though not the same to the bit.
    pub(super) rebuild: Option<i64>,
    /// First offset in the log.
    pub(super) low: i64,
    /// True if the position is new and must be committed before the first record.
    pub(super) fresh: bool,
}

impl Start {
    /// Where a state can begin empty: at its origin, or where nothing before matters any more. None
    /// where only a snapshot helps.
    pub(super) fn empty_from(&self) -> Option<i64> {
        if self.has_origin { Some(self.origin) } else { self.rebuild }
    }

    /// Why it cannot begin where neither a snapshot nor an empty state helps.
    pub(super) fn gap(&self) -> Stop {
        match self.ticks.1 {
            Some(from) if self.origin >= self.low => Stop::TicksForgotten { from },
            _ => Stop::ReplayGap { origin: self.origin, low: self.low },
        }
    }

    /// Offsets of the ticks that a state at `from` has still to make.
    pub(super) fn ticks_behind(&self, from: LogPosition) -> Vec<i64> {
        let behind = self.ticks.0.iter().filter(|tick| **tick > from && **tick <= self.committed);
        behind.map(|tick| tick.offset).collect()
    }
}

/// What the pipeline file, the command line and the place say about beginning.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) start: StartAt,
    pub(super) out_of_range: OutOfRange,
    pub(super) state_hash: u64,
    pub(super) migrate: bool,
    pub(super) accept_growth: bool,
    pub(super) cluster: Option<String>,
    pub(super) platform: u32,
    /// Names of what the pipeline file expects.
    pub(super) expectations: Vec<String>,
}

/// What was found out about a partition.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub(super) lookup: &'a Lookup,
    /// Id of the topic now.
    pub(super) topic_id: Option<&'a str>,
    /// Partitions of the topic now.
    pub(super) partitions: i32,
    /// Partitions that the topic had when its other partitions were committed.
    pub(super) partitions_before: Option<i32>,
    /// Positions of this partition's snapshots under this definition.
    pub(super) snapshots: &'a [LogPosition],
    /// True if there are snapshots of this partition under another definition or topic id.
    pub(super) other_snapshots: bool,
    /// How far this process has seen the group in the partition.
    pub(super) seen: Option<i64>,
}

impl Facts<'_> {
    /// True if the group has no position, or one that is behind where it was before. A snapshot
    /// ahead of the position may be one that an operator went back behind.
    pub(super) fn is_doubtful(&self) -> bool {
        let Some(committed) = &self.lookup.committed else { return self.was_here() };
        let mut were = self.snapshots.iter().map(|at| at.offset).chain(self.seen);
        were.any(|was| self.is_ahead(was, committed.offset))
    }

    /// True if the group had a position before, as this process or the store know.
    fn was_here(&self) -> bool {
        self.seen.is_some() || self.other_snapshots || !self.snapshots.is_empty()
    }

    /// True if that offset is in the log and ahead of the committed one.
    fn is_ahead(&self, was: i64, committed: i64) -> bool {
        committed < was && was <= self.lookup.high
    }
}

/// Decides where a partition begins.
pub(super) fn decide(facts: &Facts<'_>, rules: &Rules) -> Result<Start, Stop> {
    let lookup = facts.lookup;
    let Some(committed) = &lookup.committed else { return first(facts, rules) };
    let Some(metadata) = Metadata::parse(&committed.metadata) else {
        let start = in_range(lookup, rules, || begin_empty(lookup, committed.offset))?;
        let is_theirs = start.committed.offset == committed.offset;
        return if rules.migrate || !is_theirs {
            Ok(start)
        } else {
            Err(Stop::Foreign { committed: committed.offset })
        };
    };
    if let Some(stop) = elsewhere(&metadata, facts, rules) {
        return match (&stop, rules.out_of_range) {
            (Stop::OtherCluster { .. }, _) if rules.migrate => {
                in_range(lookup, rules, || begin_empty(lookup, committed.offset))
            }
            (Stop::TopicRecreated { .. }, OutOfRange::Earliest) => {
                Ok(begin_empty(lookup, lookup.low))
            }
            (Stop::TopicRecreated { .. }, OutOfRange::Latest) => {
                Ok(begin_empty(lookup, lookup.high))
            }
            _ => Err(stop),
        };
    }
    if let Some(seen) = facts.seen.filter(|seen| facts.is_ahead(*seen, committed.offset)) {
        return Err(Stop::OffsetBack { committed: committed.offset, seen });
    }
    let same = metadata.state_hash == rules.state_hash;
    let start = in_range(lookup, rules, || resume(facts, &metadata, rules))?;
    if !start.fresh && !same && !rules.migrate {
        let (ours, theirs) = (rules.state_hash, metadata.state_hash);
        return Err(Stop::OtherDefinition { ours, theirs });
    }
    if let Some(halted) = metadata.halted.filter(|_| !start.fresh) {
        return Err(halted.stop(start.committed.offset, &rules.expectations));
    }
    if start.empty_from().is_none() && start.snapshots.is_empty() {
        return Err(start.gap());
    }
    Ok(start)
}

/// The group has no position of the partition.
fn first(facts: &Facts<'_>, rules: &Rules) -> Result<Start, Stop> {
    let lookup = facts.lookup;
    if facts.seen.is_some() || (facts.was_here() && !rules.migrate) {
        return Err(Stop::OffsetMissing);
    }
    let is_new = facts.partitions_before.is_some_and(|n| lookup.partition.partition >= n);
    if is_new && !rules.accept_growth {
        let before = facts.partitions_before.unwrap_or_default();
        return Err(Stop::PartitionsGrew { before, now: facts.partitions });
    }
    Ok(begin_empty(
        lookup,
        match rules.start {
            StartAt::Latest if !is_new => lookup.high,
            StartAt::Earliest | StartAt::Latest => lookup.low,
        },
    ))
}

/// Why the committed position is one of another log.
fn elsewhere(metadata: &Metadata, facts: &Facts<'_>, rules: &Rules) -> Option<Stop> {
    let differs = |ours: Option<&str>, theirs: &Option<String>| {
        let (ours, theirs) = (ours?, theirs.as_deref()?);
        (ours != theirs).then(|| (ours.to_owned(), theirs.to_owned()))
    };
    if let Some((ours, theirs)) = differs(rules.cluster.as_deref(), &metadata.cluster) {
        return Some(Stop::OtherCluster { ours, theirs });
    }
    let (ours, theirs) = differs(facts.topic_id, &metadata.topic_id)?;
    Some(Stop::TopicRecreated { ours, theirs })
}

/// What begins where the committed offset is in the log; where it is not, what the file says.
fn in_range(lookup: &Lookup, rules: &Rules, begin: impl FnOnce() -> Start) -> Result<Start, Stop> {
    let Lookup { low, high, .. } = *lookup;
    let committed = lookup.committed.as_ref().map_or(low, |committed| committed.offset);
    if low <= committed && committed <= high {
        return Ok(begin());
    }
    match rules.out_of_range {
        OutOfRange::Stop if committed > high => Err(Stop::LogTruncated { committed, high }),
        OutOfRange::Stop => Err(Stop::OutOfRange { committed, low, high }),
        OutOfRange::Earliest => Ok(begin_empty(lookup, low)),
        OutOfRange::Latest => Ok(begin_empty(lookup, high)),
    }
}

fn resume(facts: &Facts<'_>, metadata: &Metadata, rules: &Rules) -> Start {
    let lookup = facts.lookup;
    let committed = lookup.committed.as_ref().map_or(0, |committed| committed.offset);
    let same = metadata.state_hash == rules.state_hash;
    // Bits are promised on one platform; on another the state is as good, but not comparable.
    let comparable = same && metadata.platform.is_none_or(|platform| platform == rules.platform);
    let ours = facts.snapshots.iter().copied().filter(|_| same);
    // Records that are skipped are not missed: a position before them is as good as one behind.
    let begins = |at: i64| metadata.skipped.next_kept(at).min(committed);
    let position = LogPosition { offset: committed, tick: metadata.tick };
    // Without the ticks behind it a state cannot be brought to the committed position.
    let knows_ticks = |at: &LogPosition| metadata.ticks_from.is_none_or(|from| *at >= from);
    let lifted = |at: LogPosition| match begins(at.offset) {
        same if same == at.offset => at,
        offset => LogPosition { offset, tick: 0 },
    };
    let begins_at: Vec<(LogPosition, LogPosition)> =
        ours.filter(|at| *at <= position && knows_ticks(at)).map(|at| (lifted(at), at)).collect();
    let usable = usable_snapshots(begins_at.iter().map(|(at, _)| *at), position, lookup.low);
    let mut snapshots: Vec<LogPosition> =
        begins_at.into_iter().filter(|(at, _)| usable.contains(at)).map(|(_, at)| at).collect();
    snapshots.sort_unstable_by(|a, b| b.cmp(a));
    Start {
        partition: lookup.partition.clone(),
        origin: metadata.origin,
        committed: position,
        end: lookup.high,
        digest: metadata.digest.filter(|_| comparable),
        ledger: metadata.ledger,
        tail: metadata.tail.filter(|tail| tail.offset >= lookup.low),
        skipped: metadata.skipped.clone(),
        snapshots,
        ticks: (metadata.ticks.clone(), metadata.ticks_from),
        // Another definition begins from its records: old ticks are no part of what it promises.
        has_origin: begins(metadata.origin) >= lookup.low
            && (metadata.ticks_from.is_none() || !same),
        rebuild: rebuild(metadata).filter(|at| same && begins(*at) >= lookup.low),
        low: lookup.low,
        fresh: false,
    }
}

/// Where a state can begin anew: not before a tick, nor where nothing is known of it.
fn rebuild(metadata: &Metadata) -> Option<i64> {
    let newest = metadata.ticks.iter().chain(&metadata.ticks_from).map(|tick| tick.offset).max();
    let rebuild = metadata.rebuild.filter(|at| newest.is_none_or(|tick| tick <= *at));
    rebuild.filter(|_| metadata.digest.is_some())
}

/// An empty state at `at`, which becomes its origin.
fn begin_empty(lookup: &Lookup, at: i64) -> Start {
    Start {
        partition: lookup.partition.clone(),
        origin: at,
        committed: LogPosition { offset: at, tick: 0 },
        end: lookup.high,
        digest: None,
        ledger: Ledger::default(),
        tail: None,
        skipped: Skipped::default(),
        rebuild: None,
        snapshots: Vec::new(),
        ticks: (Vec::new(), None),
        has_origin: true,
        low: lookup.low,
        fresh: true,
    }
}

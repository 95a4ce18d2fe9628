//! New positions: behind skipped records, or back at a snapshot.

use super::{
    super::{
        metadata::{Metadata, SKIPPED_MAX},
        place::platform_hash,
        recovery::Looked,
    },
    Operator, OperatorError,
};
use crate::{
    pipeline::{protocol::at, snapshots, spec::Order},
    source::Position,
    state::snapshot::{Header, Ledger, LogPosition, OffsetRange},
};
use std::fmt;
use tracing::warn;

/// A position that would replace the committed one.
#[derive(Debug)]
pub struct Change {
    pub(super) before: i64,
    pub(super) after: Position,
    pub(super) decision: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.decision)?;
        writeln!(f, "committed offset was {}", self.before)?;
        write!(f, "committed offset is {}\n{}", self.after.offset, self.after.metadata)
    }
}

impl Operator {
    /// The position with the offsets `from` to before `to` skipped. Where they begin at or before
    /// it, it moves behind them.
    pub fn plan_skip(&self, from: i64, to: i64) -> Result<Change, OperatorError> {
        let (lookup, _, committed, metadata) = self.standing()?;
        let in_order = self.recovery.definition.spec().source.order == Order::EventTime;
        if in_order && from < committed && from.max(metadata.origin) < to.min(committed) {
            return Err(OperatorError::HeldOrReleased { from, committed });
        }
        if to > lookup.high {
            return Err(OperatorError::Range { from, to, high: lookup.high });
        }
        let (offset, metadata) =
            skip(committed, metadata, OffsetRange { from, to }).map_err(|error| {
                error.unwrap_or(OperatorError::Range { from, to, high: lookup.high })
            })?;
        let mut decision = format!("offsets {from} to before {to} are skipped");
        if metadata.digest.is_none() {
            decision.push_str(
                "; some were folded already: the state is rebuilt without them and cannot be \
                 compared with the committed one",
            );
        }
        Ok(self.change(committed, offset, &metadata, decision))
    }

    /// The position of the newest usable snapshot at or before `to`, else that of the origin.
    /// Skipped ranges are those that were known there.
    pub fn plan_rewind(&self, to: i64) -> Result<Change, OperatorError> {
        let (lookup, looked, committed, metadata) = self.standing()?;
        let to = to.min(committed);
        let found = self.newest(&looked, to, lookup.low);
        let (offset, metadata, what) = if let Some(header) = found {
            self.refuse_newer(&looked, header.position)?;
            let offset = header.position.offset;
            (offset, self.metadata_of(header, metadata), "the newest usable snapshot")
        } else if metadata.origin <= to && metadata.origin >= lookup.low {
            self.refuse_newer(&looked, at(metadata.origin))?;
            let fold = self.recovery.definition.fold(Some(looked.partitions));
            let Metadata { state_hash, origin, cluster, topic_id, partitions, .. } = metadata;
            let empty = Metadata {
                platform: Some(self.recovery.place.platform_hash()),
                cluster,
                topic_id,
                partitions,
                ..Metadata::new(state_hash, origin, fold.digest(), Ledger::default())
            };
            (origin, empty, "the origin, where the state is empty")
        } else {
            let begin = lookup.low.max(metadata.origin);
            return Err(OperatorError::NothingBefore { to, begin, committed });
        };
        let decision = format!(
            "back to offset {offset}, {what}: {} offsets are folded and published again; ranges \
             skipped since then are not skipped any more",
            committed - offset
        );
        Ok(self.change(committed, offset, &metadata, decision))
    }

    /// The position without what halted the partition there.
    pub fn plan_resume(&self) -> Result<Change, OperatorError> {
        let (_, _, committed, metadata) = self.standing()?;
        let Some(halted) = metadata.halted else { return Err(OperatorError::NotHalted) };
        let stop = halted.stop(committed, &self.recovery.rules.expectations);
        let decision = format!("goes on at offset {committed}, although {stop}");
        let metadata = Metadata { halted: None, ..metadata };
        Ok(self.change(committed, committed, &metadata, decision))
    }

    fn change(&self, before: i64, offset: i64, metadata: &Metadata, decision: String) -> Change {
        let metadata = metadata.to_string();
        assert!(metadata.len() < 4096, "the limit of ranges keeps metadata short");
        let after = Position { partition: self.id.clone(), offset, metadata };
        Change { before, after, decision }
    }

    /// The newest snapshot at or before `to` that can be used with a log that begins at `low`.
    fn newest(&self, looked: &Looked, to: i64, low: i64) -> Option<Header> {
        let store = self.recovery.store.as_ref()?;
        let entries = looked.entries.iter().filter(|e| e.name.position.offset <= to);
        for entry in entries {
            match snapshots::verify(store, entry, Some(&self.recovery.definition)) {
                Ok(snapshots::Inspected { header, .. }) => {
                    if header.skipped.next_kept(header.position.offset) >= low {
                        return Some(header);
                    }
                }
                Err(error) => warn!(snapshot = %entry.name, %error, "snapshot not used"),
            }
        }
        None
    }

    /// In order of event time what is folded again may tick elsewhere: snapshots behind would then
    /// hold another state than the one that comes to their positions.
    fn refuse_newer(&self, looked: &Looked, to: LogPosition) -> Result<(), OperatorError> {
        let newer = looked.entries.iter().filter(|entry| entry.name.position > to).count();
        if newer > 0 && self.recovery.definition.spec().source.idle_us().is_some() {
            return Err(OperatorError::NewerSnapshots { newer, to });
        }
        Ok(())
    }

    /// The metadata of a snapshot's position; ticks before it are those that `known` has.
    fn metadata_of(&self, header: Header, known: Metadata) -> Metadata {
        let at = header.position;
        Metadata {
            tick: at.tick,
            ticks: known.ticks.into_iter().filter(|tick| *tick <= at).collect(),
            ticks_from: known.ticks_from,
            watermark: header.watermark,
            digest: u64::from_str_radix(&header.digest, 16).ok(),
            platform: Some(platform_hash(&header.platform)),
            cluster: header.cluster_id,
            topic_id: header.topic_id,
            partitions: Some(header.partitions),
            snapshot: Some(at),
            skipped: header.skipped,
            ..Metadata::new(self.recovery.place.state_hash, header.origin, 0, header.ledger)
        }
    }
}

/// Position and metadata with a range skipped; an error without a reason is a wrong range.
fn skip(
    committed: i64,
    metadata: Metadata,
    range: OffsetRange,
) -> Result<(i64, Metadata), Option<OperatorError>> {
    let mut skipped = metadata.skipped.clone();
    skipped.add(range).map_err(|_| None)?;
    if skipped.ranges().len() > SKIPPED_MAX {
        return Err(Some(OperatorError::TooManyRanges));
    }
    // What was folded before and is skipped now is in the state that the digest is of.
    let digest = metadata.digest.filter(|_| {
        let origin = metadata.origin;
        let until = range.to.min(committed);
        until <= range.from.max(origin) || metadata.skipped.covers(range.from.max(origin), until)
    });
    let offset = skipped.next_kept(committed);
    let tick = if offset == committed { metadata.tick } else { 0 };
    // A record that cannot be read any more is not asked for.
    let tail = metadata.tail.filter(|tail| !range.contains(tail.offset));
    Ok((offset, Metadata { digest, tail, skipped, tick, ..metadata }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata::new(7, 10, 3, Ledger::default())
    }

    fn range(from: i64, to: i64) -> OffsetRange {
        OffsetRange { from, to }
    }

    #[test]
    fn a_skip_moves_the_position_only_where_it_stands() {
        let (offset, behind) = skip(50, metadata(), range(50, 52)).unwrap();
        assert_eq!((offset, behind.digest), (52, Some(3)));
        let (offset, ahead) = skip(52, behind, range(60, 61)).unwrap();
        assert_eq!(offset, 52);
        assert_eq!(ahead.skipped.ranges(), [range(50, 52), range(60, 61)]);
    }

    #[test]
    fn the_digest_goes_with_records_that_were_folded() {
        let digest = |from, to| skip(50, metadata(), range(from, to)).unwrap().1.digest;
        assert_eq!(digest(49, 50), None);
        assert_eq!(digest(3, 10), Some(3), "before the origin nothing was folded");
        assert_eq!(digest(3, 11), None);
        let (offset, again) = skip(50, metadata(), range(50, 53)).unwrap();
        assert_eq!(skip(offset, again, range(51, 54)).unwrap().1.digest, Some(3));
    }

    #[test]
    fn there_is_room_for_so_many_ranges() {
        let mut known = metadata();
        let last = 2 * i64::try_from(SKIPPED_MAX).unwrap();
        for from in (0..last).step_by(2) {
            (_, known) = skip(0, known, range(from, from + 1)).unwrap();
        }
        assert!(matches!(skip(0, known, range(900, 901)), Err(Some(OperatorError::TooManyRanges))));
        assert!(matches!(skip(0, metadata(), range(9, 9)), Err(None)));
    }
}

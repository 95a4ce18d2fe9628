//! Where a newly assigned partition begins: pure decisions over what the cluster said.

use super::metadata::{Ledger, Metadata};
use crate::{
    kafka::TopicPartition,
    pipeline::spec::{OutOfRange, Start as StartAt},
    source::Lookup,
};

/// How to begin a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) partition: TopicPartition,
    /// First offset to fold: the state's origin.
    pub(super) from: i64,
    /// Next offset to emit for.
    pub(super) committed: i64,
    /// Offset behind the last record of the log.
    pub(super) end: i64,
    /// Digest that the replay must reach, where it can be compared.
    pub(super) digest: Option<u64>,
    /// Outcomes before `committed`.
    pub(super) ledger: Ledger,
    /// True if the position is new and must be committed before the first record.
    pub(super) fresh: bool,
}

/// Why a partition cannot begin. A person decides; nothing is skipped or read twice by accident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The committed offset is not in the log.
    #[error(
        "committed offset {committed} is outside the log ({low} to {high}): records were deleted, \
         or the topic was made again; set `source.out_of_range` to earliest or latest to go on \
         there, or reset the group's offsets"
    )]
    OutOfRange {
        /// The group's position.
        committed: i64,
        /// First offset in the log.
        low: i64,
        /// End of the log.
        high: i64,
    },
    /// The records that made the state are gone.
    #[error(
        "the state cannot be rebuilt: it began at offset {origin}, the log now begins at {low}; \
         values would be wrong without the records between; reset the group's offsets to begin anew"
    )]
    ReplayGap {
        /// Where the state began.
        origin: i64,
        /// First offset in the log.
        low: i64,
    },
    /// The definition's stateful part is another than the one that was committed.
    #[error(
        "the group was run with another definition (state hash {theirs:016x}, this file has \
         {ours:016x}); run it with --migrate to rebuild the state with this file"
    )]
    OtherDefinition {
        /// This file's.
        ours: u64,
        /// The committed one.
        theirs: u64,
    },
    /// The committed position carries no metadata of ours.
    #[error(
        "the group has committed offset {committed} without millstream's metadata: another program \
         uses this group, or an operator reset it; with `run --migrate` the state begins empty there"
    )]
    Foreign {
        /// The group's position.
        committed: i64,
    },
}

impl Stop {
    /// A short stable code for logs and `/readyz`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "OFFSET_OUT_OF_RANGE",
            Self::ReplayGap { .. } => "REPLAY_GAP",
            Self::OtherDefinition { .. } => "OTHER_DEFINITION",
            Self::Foreign { .. } => "FOREIGN_OFFSET",
        }
    }
}

/// What the pipeline file and the command line say about beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) start: StartAt,
    pub(super) out_of_range: OutOfRange,
    pub(super) state_hash: u64,
    pub(super) migrate: bool,
}

/// Decides where a partition begins.
pub(super) fn decide(lookup: &Lookup, rules: Rules) -> Result<Start, Stop> {
    let Lookup { low, high, .. } = *lookup;
    let Some(committed) = &lookup.committed else {
        let at = match rules.start {
            StartAt::Earliest => low,
            StartAt::Latest => high,
        };
        return Ok(begin_empty(lookup, at));
    };
    if committed.offset < low || committed.offset > high {
        return match rules.out_of_range {
            OutOfRange::Stop => Err(Stop::OutOfRange { committed: committed.offset, low, high }),
            OutOfRange::Earliest => Ok(begin_empty(lookup, low)),
            OutOfRange::Latest => Ok(begin_empty(lookup, high)),
        };
    }
    let Some(metadata) = Metadata::parse(&committed.metadata) else {
        return if rules.migrate {
            Ok(begin_empty(lookup, committed.offset))
        } else {
            Err(Stop::Foreign { committed: committed.offset })
        };
    };
    let same = metadata.state_hash == rules.state_hash;
    if !same && !rules.migrate {
        let (ours, theirs) = (rules.state_hash, metadata.state_hash);
        return Err(Stop::OtherDefinition { ours, theirs });
    }
    if metadata.origin < low {
        return Err(Stop::ReplayGap { origin: metadata.origin, low });
    }
    Ok(Start {
        partition: lookup.partition.clone(),
        from: metadata.origin,
        committed: committed.offset,
        end: high,
        digest: same.then_some(metadata.digest),
        ledger: metadata.ledger,
        fresh: false,
    })
}

/// An empty state at `at`, which becomes its origin.
fn begin_empty(lookup: &Lookup, at: i64) -> Start {
    Start {
        partition: lookup.partition.clone(),
        from: at,
        committed: at,
        end: lookup.high,
        digest: None,
        ledger: Ledger::default(),
        fresh: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Committed;

    const RULES: Rules = Rules {
        start: StartAt::Earliest,
        out_of_range: OutOfRange::Stop,
        state_hash: 7,
        migrate: false,
    };

    fn lookup(committed: Option<(i64, &str)>) -> Lookup {
        Lookup {
            partition: TopicPartition { topic: "t".to_owned(), partition: 0 },
            committed: committed
                .map(|(offset, text)| Committed { offset, metadata: text.as_bytes().to_vec() }),
            low: 10,
            high: 90,
        }
    }

    fn metadata(state_hash: u64, origin: i64) -> String {
        let ledger = Ledger { consumed: 5, published: 5, ..Ledger::default() };
        Metadata { state_hash, origin, watermark: None, digest: 3, ledger }.to_string()
    }

    #[test]
    fn a_first_start_goes_where_the_file_says() {
        let start = decide(&lookup(None), RULES).unwrap();
        assert_eq!((start.from, start.committed, start.fresh), (10, 10, true));
        let latest = Rules { start: StartAt::Latest, ..RULES };
        assert_eq!(decide(&lookup(None), latest).unwrap().from, 90);
    }

    #[test]
    fn a_known_position_replays_from_its_origin() {
        let text = metadata(7, 20);
        let start = decide(&lookup(Some((50, &text))), RULES).unwrap();
        assert_eq!((start.from, start.committed, start.digest), (20, 50, Some(3)));
    }

    #[test]
    fn what_cannot_be_right_stops_with_a_code() {
        let stop = |at, text: &str, rules| decide(&lookup(Some((at, text))), rules).unwrap_err();
        assert_eq!(stop(5, &metadata(7, 3), RULES).code(), "OFFSET_OUT_OF_RANGE");
        assert_eq!(stop(91, &metadata(7, 20), RULES).code(), "OFFSET_OUT_OF_RANGE");
        assert_eq!(stop(50, &metadata(7, 3), RULES).code(), "REPLAY_GAP");
        assert_eq!(stop(50, &metadata(8, 20), RULES).code(), "OTHER_DEFINITION");
        assert_eq!(stop(50, "", RULES).code(), "FOREIGN_OFFSET");
    }

    #[test]
    fn only_what_was_asked_for_is_skipped() {
        let earliest = Rules { out_of_range: OutOfRange::Earliest, ..RULES };
        let start = decide(&lookup(Some((5, ""))), earliest).unwrap();
        assert_eq!((start.from, start.fresh), (10, true));
        let migrate = Rules { migrate: true, ..RULES };
        let start = decide(&lookup(Some((50, &metadata(8, 20)))), migrate).unwrap();
        assert_eq!((start.from, start.committed, start.digest), (20, 50, None));
    }
}

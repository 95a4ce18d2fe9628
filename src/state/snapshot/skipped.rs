//! Offsets of a partition that are never folded, because an operator said so.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The offsets from `from` to before `to`; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The first.
    pub from: i64,
    /// The one behind the last.
    pub to: i64,
}

impl OffsetRange {
    /// True if the offset is one of these.
    pub fn contains(&self, offset: i64) -> bool {
        self.from <= offset && offset < self.to
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}

/// Why ranges are not skipped offsets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a range of skipped offsets is empty or begins before offset 0")]
pub struct NoRange;

/// Skipped offsets: ranges in order, with offsets between them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<OffsetRange>", into = "Vec<OffsetRange>")]
pub struct Skipped(Vec<OffsetRange>);

impl Skipped {
    /// Adds the offsets of `range`, some of which may be skipped already.
    pub fn add(&mut self, range: OffsetRange) -> Result<(), NoRange> {
        if range.from < 0 || range.to <= range.from {
            return Err(NoRange);
        }
        let first = self.0.partition_point(|known| known.to < range.from);
        let behind = self.0.partition_point(|known| known.from <= range.to);
        let touched = self.0.get(first..behind).unwrap_or_default();
        let from = touched.first().map_or(range.from, |known| known.from.min(range.from));
        let to = touched.last().map_or(range.to, |known| known.to.max(range.to));
        self.0.splice(first..behind, [OffsetRange { from, to }]);
        Ok(())
    }

    /// The ranges in order.
    pub fn ranges(&self) -> &[OffsetRange] {
        &self.0
    }

    /// The range that the offset lies in.
    pub fn range_of(&self, offset: i64) -> Option<OffsetRange> {
        let index = self.0.partition_point(|range| range.to <= offset);
        self.0.get(index).copied().filter(|range| range.contains(offset))
    }

    /// The first offset at or behind `offset` that is not skipped.
    pub fn next_kept(&self, offset: i64) -> i64 {
        self.range_of(offset).map_or(offset, |range| range.to)
    }

    /// True if every offset from `from` to before `to` is skipped.
    pub fn covers(&self, from: i64, to: i64) -> bool {
        self.next_kept(from) >= to
    }

    /// The skipped offsets before `offset`.
    #[must_use]
    pub fn before(&self, offset: i64) -> Self {
        let cut = |range: &OffsetRange| OffsetRange { from: range.from, to: range.to.min(offset) };
        Self(self.0.iter().filter(|range| range.from < offset).map(cut).collect())
    }
}

impl TryFrom<Vec<OffsetRange>> for Skipped {
    type Error = NoRange;

    fn try_from(ranges: Vec<OffsetRange>) -> Result<Self, NoRange> {
        let mut skipped = Self::default();
        ranges.into_iter().try_for_each(|range| skipped.add(range))?;
        Ok(skipped)
    }
}

impl From<Skipped> for Vec<OffsetRange> {
    fn from(skipped: Skipped) -> Self {
        skipped.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// A set of single offsets says what ranges must say.
        #[test]
        fn ranges_are_a_set_of_offsets(
            ranges in proptest::collection::vec((0_i64..40, 1_i64..8), 0..8),
            from in 0_i64..50, to in 0_i64..50,
        ) {
            let (mut skipped, mut naive) = (Skipped::default(), BTreeSet::new());
            for (from, length) in ranges {
                skipped.add(OffsetRange { from, to: from + length }).unwrap();
                naive.extend(from..from + length);
            }
            let all: BTreeSet<i64> = skipped.ranges().iter().flat_map(|r| r.from..r.to).collect();
            prop_assert_eq!(&all, &naive);
            prop_assert!(skipped.ranges().windows(2).all(|pair| pair[0].to < pair[1].from));
            prop_assert_eq!(skipped.range_of(from).is_some(), naive.contains(&from));
            prop_assert_eq!(Some(skipped.next_kept(from)), (from..i64::MAX).find(|o| !naive.contains(o)));
            prop_assert_eq!(skipped.covers(from, to), (from..to).all(|o| naive.contains(&o)));
            let before: BTreeSet<i64> =
                skipped.before(to).ranges().iter().flat_map(|r| r.from..r.to).collect();
            prop_assert_eq!(before, naive.into_iter().filter(|o| *o < to).collect());
            let json = serde_json::to_string(&skipped).unwrap();
            prop_assert_eq!(serde_json::from_str::<Skipped>(&json).unwrap(), skipped);
        }
    }

    #[test]
    fn nothing_is_no_range() {
        for (from, to) in [(3, 3), (4, 3), (-1, 2)] {
            assert_eq!(Skipped::default().add(OffsetRange { from, to }), Err(NoRange));
        }
    }
}

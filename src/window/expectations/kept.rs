//! What is kept of a set of values in bounded memory: those of the least hashes.
//!
//! Up to the limit that is all of them. Beyond it, it is a sample that chance has drawn: which
//! hashes are the least depends on nothing but the values, not on their order. An entry that is
//! in at the end was in from its first occurrence on, for the bound only falls; so the numbers
//! that are kept with it are right. (Beyer et al., On synopses for distinct-value estimation under
//! multiset operations, 2007.)

use std::collections::BTreeMap;

/// Entries with a number each, by hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    entries: BTreeMap<u64, u64>,
    /// True once there was no room for one.
    is_cut: bool,
}

impl Kept {
    /// The number of that hash, `new` if it is new; none where it is not kept.
    pub(super) fn entry(&mut self, hash: u64, new: u64, limit: usize) -> Option<&mut u64> {
        if self.entries.len() >= limit && !self.entries.contains_key(&hash) {
            self.is_cut = true;
            if self.entries.last_key_value().is_some_and(|(last, _)| hash > *last) {
                return None;
            }
            self.entries.pop_last();
        }
        Some(self.entries.entry(hash).or_insert(new))
    }

    /// How many different hashes there were: exact until something was cut, then the estimate
    /// (k - 1) / u, where u is the greatest of the k kept hashes as a share of all.
    pub(super) fn distinct(&self) -> f64 {
        let count = self.entries.len() as f64;
        match self.entries.last_key_value() {
            Some((last, _)) if self.is_cut => (count - 1.0) / ((*last as f64 + 1.0) / HASHES),
            _ => count,
        }
    }

    /// The numbers, in the order of their hashes.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries.values().copied()
    }

    /// Hashes and numbers, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.entries.iter().map(|(hash, number)| (*hash, *number))
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// True once there was no room for one.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Puts an entry back, and whether something was cut. False if it was there.
    pub(super) fn restore(&mut self, hash: u64, number: u64) -> bool {
        self.entries.insert(hash, number).is_none()
    }

    /// Puts back whether something was cut.
    pub(super) fn restore_cut(&mut self, is_cut: bool) {
        self.is_cut = is_cut;
    }
}

/// How many hashes there can be.
const HASHES: f64 = 18_446_744_073_709_551_616.0;

/// A hash of an offset of its own: the finisher of `SplitMix64`, which maps no two to one.
pub(super) fn scattered(offset: i64) -> u64 {
    let mut x = offset.cast_unsigned().wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_counts_are_estimates_of_a_stated_error() {
        const LIMIT: usize = 1_000;
        let mut kept = Kept::default();
        for value in 0..1_000 {
            *kept.entry(scattered(value), 0, LIMIT).unwrap() += 1;
        }
        assert_eq!((kept.distinct(), kept.is_cut()), (1_000.0, false));
        for round in 0..3 {
            for value in 0..50_000 {
                if let Some(count) = kept.entry(scattered(value), 0, LIMIT) {
                    *count += 1;
                }
            }
            let off = kept.distinct() / 50_000.0 - 1.0;
            assert!(off.abs() < 4.0 / (LIMIT as f64).sqrt(), "{off}");
            assert_eq!(kept.len(), LIMIT);
            let first = |hash: u64| u64::from((0..1_000).any(|v| scattered(v) == hash));
            for (hash, count) in kept.entries() {
                assert_eq!(
                    count,
                    round + 1 + first(hash),
                    "what is kept was counted from the first"
                );
            }
        }
    }
}

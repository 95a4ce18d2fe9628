//! What is committed beside each offset: enough to rebuild and to check a partition's state.
//!
//! ASCII, under 4096 bytes, one line of `name=value` pairs behind a version:
//! `ms1 sh=<state hash> or=<origin> wm=<watermark us> dg=<digest> n=<consumed>,<published>,...`.

use crate::pipeline::Totals;
use std::{fmt, ops::AddAssign};

/// Everything committed with an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    /// Hash of the definition's stateful part.
    pub(super) state_hash: u64,
    /// First offset ever folded into this state.
    pub(super) origin: i64,
    /// Watermark at the offset, microseconds; none before the first record.
    pub(super) watermark: Option<i64>,
    /// Rolling digest of the fold at the offset.
    pub(super) digest: u64,
    /// Outcomes of all records before the offset.
    pub(super) ledger: Ledger,
}

/// Sums of outcomes: every record that was consumed is in exactly one of the other columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    /// Records taken from the log.
    pub(super) consumed: u64,
    /// Vectors written.
    pub(super) published: u64,
    /// Records written to the dead-letter topic.
    pub(super) rejected: u64,
    /// Records counted and let go.
    pub(super) dropped: u64,
    /// Records waiting for the watermark.
    pub(super) held: u64,
}

impl Ledger {
    /// The law of the partition: `consumed = published + rejected + dropped + held`.
    pub(super) fn balanced(&self) -> bool {
        self.consumed == self.published + self.rejected + self.dropped + self.held
    }
}

impl AddAssign<&Totals> for Ledger {
    fn add_assign(&mut self, totals: &Totals) {
        self.consumed += totals.consumed;
        self.published += totals.published;
        self.rejected += totals.rejected.sum();
        self.dropped += totals.dropped.sum();
        self.held += totals.held;
    }
}

const VERSION: &str = "ms1";

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION} sh={:016x} or={}", self.state_hash, self.origin)?;
        if let Some(watermark) = self.watermark {
            write!(f, " wm={watermark}")?;
        }
        let Ledger { consumed, published, rejected, dropped, held } = self.ledger;
        write!(f, " dg={:016x} n={consumed},{published},{rejected},{dropped},{held}", self.digest)
    }
}

impl Metadata {
    /// Reads what `Display` wrote; none for anything else, such as another tool's commit.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut words = text.split(' ');
        if words.next()? != VERSION {
            return None;
        }
        let (mut state_hash, mut origin, mut watermark, mut digest, mut ledger) =
            (None, None, None, None, None);
        for word in words {
            let (name, value) = word.split_once('=')?;
            match name {
                "sh" => state_hash = Some(u64::from_str_radix(value, 16).ok()?),
                "or" => origin = Some(value.parse().ok()?),
                "wm" => watermark = Some(value.parse().ok()?),
                "dg" => digest = Some(u64::from_str_radix(value, 16).ok()?),
                "n" => ledger = Some(parse_ledger(value)?),
                // A later version of the same format may say more.
                _ => {}
            }
        }
        Some(Self {
            state_hash: state_hash?,
            origin: origin?,
            watermark,
            digest: digest?,
            ledger: ledger?,
        })
    }
}

fn parse_ledger(text: &str) -> Option<Ledger> {
    let mut numbers = text.split(',').map(|n| n.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    Some(Ledger {
        consumed: next()?,
        published: next()?,
        rejected: next()?,
        dropped: next()?,
        held: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn survives_a_commit(
            state_hash: u64, origin in 0..i64::MAX, watermark: Option<i64>, digest: u64,
            n in proptest::array::uniform5(any::<u64>()),
        ) {
            let [consumed, published, rejected, dropped, held] = n;
            let ledger = Ledger { consumed, published, rejected, dropped, held };
            let metadata = Metadata { state_hash, origin, watermark, digest, ledger };
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

//! How long a component needs what it keeps about a key.

/// How long after a key's last row, in event time, a component still needs the key.
///
/// Ordered by length, so that `max` gives the horizon of several components together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Horizon {
    /// Keeps nothing about keys.
    Stateless,
    /// Needs a key until the watermark is more than this many microseconds after its last row.
    For(i64),
    /// Needs every key for ever.
    Forever,
}

impl Horizon {
    /// True if a key whose last row has event time `last` is not needed at `watermark`
    /// (microseconds): `watermark > last + horizon`.
    pub fn is_past(self, last: i64, watermark: i64) -> bool {
        match self {
            Self::Stateless => watermark > last,
            Self::For(us) => watermark > last.saturating_add(us),
            Self::Forever => false,
        }
    }

    /// Its length; none if it has no end.
    pub fn microseconds(self) -> Option<i64> {
        match self {
            Self::Stateless => Some(0),
            Self::For(us) => Some(us),
            Self::Forever => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wins_and_the_end_is_exclusive() {
        assert_eq!(Horizon::Stateless.max(Horizon::For(3)), Horizon::For(3));
        assert_eq!(Horizon::For(4).max(Horizon::For(3)), Horizon::For(4));
        assert_eq!(Horizon::Forever.max(Horizon::For(i64::MAX)), Horizon::Forever);
        assert!(!Horizon::For(3).is_past(10, 13));
        assert!(Horizon::For(3).is_past(10, 14));
        assert!(!Horizon::For(i64::MAX).is_past(10, i64::MAX));
        assert!(Horizon::Stateless.is_past(10, 11));
        let lengths = [Horizon::Stateless, Horizon::For(3), Horizon::Forever];
        assert_eq!(lengths.map(Horizon::microseconds), [Some(0), Some(3), None]);
    }
}

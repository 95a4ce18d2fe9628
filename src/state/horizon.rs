//! How long a component needs what it keeps of a key.

/// How long after a key's last row, by watermark, a component still needs the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Horizon {
    /// Nothing is kept.
    Stateless,
    /// Microseconds of event time.
    For(i64),
    /// For ever.
    Forever,
}

//! Keyed state: values by slot in copy-on-write pages, so that a snapshot costs one pointer per page.

mod paged;

pub use paged::Paged;

/// How long after a key's last row a component still needs the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Horizon {
    /// Not at all.
    Stateless,
    /// Microseconds.
    For(i64),
    /// For ever.
    Forever,
}

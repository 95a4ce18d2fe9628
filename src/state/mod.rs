//! Keyed state: entity keys as dense slots, values by slot in copy-on-write pages, so that a
//! snapshot costs one pointer per page.

mod horizon;
mod key_columns;
mod keys;
mod paged;
pub mod snapshot;

pub use horizon::Horizon;
pub use key_columns::{KeyColumns, is_key_type};
pub use keys::{BATCH_ROWS_MAX, Keys};
pub use paged::Paged;

/// Rows whose state is read ahead of its use.
///
/// State of many keys lies beyond the processor's caches, and a row's steps are too long for it to
/// look ahead to the next row's by itself. So the state of a few rows is read at once, in a loop as
/// short as can be: one wait instead of many. What is read then means nothing.
pub const READ_AHEAD_ROWS: usize = 16;

/// Bytes of a hash table of slots that has had so many, as it grows: the least power of two that
/// is at most seven eighths full, and a byte beside each slot. A restored table counts like the one
/// it replaces, whatever the allocator made of either.
pub fn table_bytes(slots: u32) -> usize {
    let entries = slots as usize;
    if entries == 0 {
        return 0;
    }
    (entries * 8 / 7 + 1).next_power_of_two() * (size_of::<u32>() + 1)
}

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

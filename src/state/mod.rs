//! Keyed state: values by slot in copy-on-write pages, so that a snapshot costs one pointer per page.

mod horizon;
mod paged;

pub use horizon::Horizon;
pub use paged::Paged;

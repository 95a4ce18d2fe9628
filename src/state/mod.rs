//! Keyed state: values by slot in copy-on-write pages, so that a snapshot costs one pointer per page.

mod paged;

pub use paged::Paged;

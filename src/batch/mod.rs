//! What flows between the steps: raw records in, rows between, encoded messages out.
//!
//! Each type is one stage of a record's way and holds the records of one (topic, partition) in
//! offset order, or in that of event time: [`RawBatch`] (bytes as consumed), [`Decoded`] (columns), [`Rows`] (columns with
//! event time, watermark and key slot), [`Outbox`] (encoded messages). Rows remember which raw
//! record they came from, so that a rejected one leaves with its bytes untouched.

mod outbox;
mod outcome;
mod raw;
mod rows;
mod verdict;

pub use outbox::{Message, MessageParts, Outbox, SharedText, Target};
pub use outcome::{Outcomes, Policy, REPLAYED, Reason, Rejected, Rejections};
pub use raw::{Header, Headers, RawBatch, RawRecord};
pub use rows::{Decoded, RowOrder, Rows, Slot};
pub use verdict::{Bounds, Expectation, Halt, Judgement, Severity, Verdict};

//! Validation: what the schema asks of the values, then the gates of time and key.
//!
//! [`Rules`] judge the columns of a batch, one keyword on one column at a time. What columns cannot
//! tell goes to the complete validator with the record's own bytes: keywords beyond the rules
//! ([`RecordSchema::needs_complete`](crate::schema::RecordSchema::needs_complete)), and numbers so
//! large that a float column no longer holds what was written. Both accept the same records, but
//! for what no column holds and the decoder refuses: an integer beyond 64 bits.
//!
//! [`gates`] then judge event time, entity key, partition and lateness.

pub mod gates;
mod complete;
mod judge;
pub mod rules;

pub use judge::Rules;

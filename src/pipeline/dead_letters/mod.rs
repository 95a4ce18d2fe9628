//! What an operator does with dead letters: count them, look at them, send them again.
//!
//! All three read the dead-letter topic of a pipeline from the place that the filter allows to the
//! end it has when they begin, outside of the pipeline's group.

mod filter;
mod letter;
mod resend;
mod scan;
mod show;
mod summary;

pub use filter::{Filter, Offsets, Place, offsets, place, reason, time};
pub use letter::{Context, Letter};
pub use resend::{Plan, Refusal, Refused, Resend, Sent, resend};
pub use scan::{DeadLettersError, scan};
pub use show::Shown;
pub use summary::Summary;

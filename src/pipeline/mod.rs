//! The assembly: the only module that knows all steps.
//!
//! ```text
//! pipeline file -> Spec -> Definition -> Fold      decode -> validate -> clean -> window: all state
//!                                     -> Emitter   feature -> encode, dead letters: no state
//! ```
//!
//! A [`supervisor`] runs workers; a [`worker`] is the thread that polls, folds, produces and
//! commits.
//!
//! A [`Fold`] takes the records of one partition in offset order and says of each what became of
//! it; an [`Emitter`] turns that into messages. Both are pure: the daemon, `replay`, `test` and the
//! golden tests run the same two calls.

pub mod cases;
pub mod change;
pub mod clock;
pub mod connect;
pub mod dead_letters;
pub mod demo;
pub mod replay;
pub mod snapshots;
pub mod spec;
pub mod supervisor;
pub mod tasks;
pub mod worker;

mod definition;
mod emitter;
mod failpoint;
mod fold;
mod hash;
mod plan;
mod protocol;
mod totals;
mod vector;

pub use definition::Definition;
pub use emitter::Emitter;
pub use fold::{Fold, FoldState, Folded, Halts, Part};
pub use hash::FOLD_VERSION;
pub use spec::{Delivery, Overrides, Spec};
pub use totals::{ByReason, Totals, Verdicts};
pub use vector::Vector;

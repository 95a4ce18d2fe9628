//! The assembly: the only module that knows all steps.
//!
//! ```text
//! pipeline file -> Spec -> Definition -> Fold     decode -> validate -> clean -> window   all state
//!                                     -> Emitter  feature -> encode, dead letters         no state
//! ```

pub mod spec;
mod totals;

pub use spec::{Delivery, Overrides, Spec};
pub use totals::{ByReason, Totals};

//! `millstream` turns Kafka topics into model-ready feature vectors.
//!
//! Data flows one way, one module per step, in this reading order:
//!
//! ```text
//! source -> decode -> validate -> clean -> window -> feature -> encode -> sink
//! ```
//!
//! [`pipeline`] is the only module that knows all steps. Modules are declared in layers, lowest
//! first; `tests/it/architecture.rs` holds the table of who may import whom.

// Vocabulary: imports nothing of the crate.
pub mod batch;
pub mod registry;
pub mod schema;

// Kit: what several steps are made of. Vocabulary only.
pub mod state;
pub mod aggregate;
pub mod expression;

// Steps: pure and synchronous, blind to each other.
pub mod decode;
pub mod validate;
pub mod clean;
pub mod window;
pub mod feature;
pub mod encode;

// Edges: the I/O. They know no step.
pub mod settings;
pub mod telemetry;
pub mod kafka;
pub mod store;
pub mod source;
pub mod sink;

// Assembly, then the shell.
pub mod pipeline;
pub mod cli;

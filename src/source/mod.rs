//! Where records come from: the consumer side of a worker, the embedded broker of the demo and its
//! generators.
//!
//! [`Source`] is used by one thread. It reports rebalances, hands out the records of each partition
//! in offset order, and commits positions; it knows nothing of what is done with the records.

pub mod cards;
pub mod embedded;
pub mod flights;
mod generator;
mod group;
mod lookup;
mod reader;
mod vacancy;

pub use generator::{Feed, FeedError, Generator, Pace, Record};
pub use group::{CommitError, Position, Source, SourceError, SourceEvent, offsets};
pub use lookup::{Asker, Committed, Lookup};
pub use reader::{ReadError, ReadFrom, TopicReader};
pub use vacancy::Caretaker;

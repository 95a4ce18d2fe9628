//! The `millstream` binary: its allocator, parse arguments, start, exit code.

use millstream::cli::{self, Exit};

/// Messages are allocated by one thread and freed by another, Kafka's client included: with the
/// system's allocator that costs a fifth of all CPU time (`docs/benchmark.md`).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Exit {
    cli::main()
}

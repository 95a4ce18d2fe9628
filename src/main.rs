//! The `millstream` binary: parse arguments, start, exit code.

use millstream::cli::{self, Exit};

fn main() -> Exit {
    cli::main()
}

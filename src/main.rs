//! The `millstream` binary: parse arguments, start, exit code.

fn main() {}

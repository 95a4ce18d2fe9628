//! What halted a partition, as it is committed with the position behind it.

use super::Stop;
use crate::batch::{Expectation, Halt};
use std::{fmt, str::FromStr};
use xxhash_rust::xxh3::xxh3_64;

/// An expectation that was not met. A partition with it in its position does not go on until an
/// operator has taken it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Halted {
    /// Hash of the expectation's name.
    expectation: u64,
    /// Begin and end of the window, microseconds; none where a record did not meet a condition.
    window: Option<(i64, i64)>,
}

impl Halted {
    /// What halts a partition of a pipeline with these expectations.
    pub(super) fn new(halt: &Halt, expectations: &[Expectation]) -> Self {
        let expectation = hash(&expectations[halt.expectation].name);
        Self { expectation, window: halt.window }
    }

    /// Why the partition does not go on at `offset`, in words. The expectation has no name any more
    /// where the file was changed.
    pub(super) fn stop(self, offset: i64, names: &[String]) -> Stop {
        let name = names.iter().find(|name| hash(name) == self.expectation);
        let expectation = name.map_or_else(|| "(no longer in the file)".to_owned(), Clone::clone);
        Stop::ExpectationNotMet { expectation, window: self.window.into(), offset }
    }
}

fn hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

impl fmt::Display for Halted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.expectation)?;
        self.window.map_or(Ok(()), |(begin, end)| write!(f, ":{begin}:{end}"))
    }
}

impl FromStr for Halted {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(':');
        let expectation =
            parts.next().and_then(|hex| u64::from_str_radix(hex, 16).ok()).ok_or(())?;
        let mut time = || parts.next().map(|part| part.parse().map_err(|_| ())).transpose();
        let window = match (time()?, time()?) {
            (None, None) => None,
            (Some(begin), Some(end)) => Some((begin, end)),
            _ => return Err(()),
        };
        Ok(Self { expectation, window })
    }
}

//! Schemas of every supported kind, and documents that fit, nearly fit, or are broken.

mod document;
mod schema;

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Texts that schemas list and documents hold.
const TEXTS: [&str; 12] =
    ["", "a", "ab", "abc", "EUR", "usd", "é", "😀é", "x\n\"y\\", "a1", "2024-01-01", "\u{7f}\u{1}"];
/// Numbers as written, most of them at an edge of something.
const NUMBERS: [&str; 40] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "4",
    "10",
    "-3",
    "2.0",
    "2.5",
    "1e0",
    "1E+1",
    "25e-1",
    "0.1",
    "0.2",
    "0.3",
    "0.30000000000000004",
    "-0",
    "-0.0",
    "12.34",
    "1.005",
    "0.01",
    "100",
    "1e2",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854778000",
    "18446744073709551615",
    "18446744073709551616",
    "1e19",
    "1e300",
    "1e-400",
    "5e-324",
    "123456789012345678901234567890",
    "0.1234567890123456789",
];

/// Everything follows from the seed.
pub(crate) struct Generator(ChaCha8Rng);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.choose(&mut self.0).unwrap()
    }

    fn number(&mut self, choices: &[&str]) -> Value {
        serde_json::from_str(self.pick(choices)).unwrap()
    }
}

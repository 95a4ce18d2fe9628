//! The reference workload: seeded card transactions.
//!
//! Event time advances 5 ms per record and jitters back by up to 2 s; cards, merchants and
//! categories are uniform, and 2 % of the amounts are null. A record has about 185 bytes.

use super::generator::{Generator, Record};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::Write;

/// Categories, in the order the one-hot feature lists them.
const CATEGORIES: [&str; 8] =
    ["grocery", "fuel", "travel", "online", "dining", "cash", "health", "other"];
const CHANNELS: [&str; 3] = ["web", "pos", "app"];
const MERCHANTS: u32 = 10_000;
/// 2026-01-01T00:00:00Z in milliseconds.
const START_MS: i64 = 1_767_225_600_000;

/// Card transactions: the same seed gives the same bytes on every machine.
pub struct Cards {
    random: ChaCha8Rng,
    card_count: u32,
    made: u64,
    total: u64,
}

impl Cards {
    /// `total` transactions of `cards` cards.
    pub fn new(seed: u64, cards: u32, total: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), card_count: cards, made: 0, total }
    }

    /// The same, begun `records` later in event time and in transaction numbers.
    #[must_use]
    pub fn later(mut self, records: u64) -> Self {
        self.made += records;
        self.total += records;
        self
    }
}

impl Generator for Cards {
    fn next(&mut self, record: &mut Record) -> bool {
        if self.made == self.total {
            return false;
        }
        self.made += 1;
        let random = &mut self.random;
        let card = random.random_range(0..self.card_count);
        let merchant = random.random_range(0..MERCHANTS);
        let category = CATEGORIES[random.random_range(0..CATEGORIES.len())];
        let channel = CHANNELS[random.random_range(0..CHANNELS.len())];
        // Cents of a skewed amount: most are small, few are large.
        let cents = (100.0 * (random.random_range(0.0..7.0_f64)).exp()).round();
        let amount_is_null = random.random_range(0..50) == 0;
        let lat = f64::from(random.random_range(4_700_000..4_800_000)) / 1e5;
        let lon = f64::from(random.random_range(800_000..900_000)) / 1e5;
        let jitter_ms = random.random_range(0..2_000_i64);
        let ts = START_MS + 5 * self.made.cast_signed() - jitter_ms;
        record.key.clear();
        record.value.clear();
        write!(record.key, "c{card:07}").expect("writing to memory");
        write!(
            record.value,
            r#"{{"tx_id":"t{:010}","card_id":"c{card:07}","merchant_id":"m{merchant:05}","category":"{category}","amount":"#,
            self.made
        )
        .expect("writing to memory");
        if amount_is_null {
            record.value.extend_from_slice(b"null");
        } else {
            write!(record.value, "{:.2}", cents / 100.0).expect("writing to memory");
        }
        write!(
            record.value,
            r#","currency":"EUR","lat":{lat:.5},"lon":{lon:.5},"channel":"{channel}","ts":{ts}}}"#
        )
        .expect("writing to memory");
        true
    }

    fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_records_of_about_185_bytes() {
        let all = |seed| {
            let (mut cards, mut record, mut bytes) =
                (Cards::new(seed, 20_000, 1_000), Record::default(), Vec::new());
            while cards.next(&mut record) {
                bytes.extend_from_slice(&record.value);
                bytes.push(b'\n');
            }
            bytes
        };
        let bytes = all(7);
        assert_eq!(bytes, all(7));
        assert_ne!(bytes, all(8));
        let mean = bytes.len() / 1_000;
        assert!((180..=190).contains(&mean), "{mean} bytes a record");
        let nulls = String::from_utf8(bytes).unwrap().matches("\"amount\":null").count();
        assert!((5..=40).contains(&nulls), "{nulls} nulls in a thousand");
    }
}

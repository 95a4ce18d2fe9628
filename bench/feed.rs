//! Seeded records of any shape, for showing how cost grows with keys, columns and time.
//!
//! `feed BOOTSTRAP TOPIC RECORDS KEYS STEP_US COLUMNS` writes records of a key, an event time and so
//! many numbers. Event time advances by the step and jitters back by up to 2 s; keys are uniform.
#![expect(clippy::print_stdout, reason = "a command line tool")]

use millstream::{
    kafka::ClientProperties,
    source::{Feed, Generator, Pace, Record},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{io::Write, sync::Arc, time::Duration};

/// 2026-01-01T00:00:00Z in milliseconds.
const START_MS: u64 = 1_767_225_600_000;

struct Table {
    random: ChaCha8Rng,
    keys: u64,
    step_us: u64,
    columns: u64,
    made: u64,
    total: u64,
}

impl Generator for Table {
    fn next(&mut self, record: &mut Record) -> bool {
        if self.made == self.total {
            return false;
        }
        self.made += 1;
        let key = self.random.random_range(0..self.keys);
        let ts = START_MS + self.step_us * self.made / 1_000 - self.random.random_range(0..2_000);
        record.key.clear();
        record.value.clear();
        write!(record.key, "k{key:07}").expect("writing to memory");
        write!(record.value, r#"{{"id":"r{:09}","key":"k{key:07}","ts":{ts}"#, self.made)
            .expect("writing to memory");
        for column in 0..self.columns {
            let value = self.random.random_range(-1_000.0..1_000.0_f64);
            write!(record.value, r#","c{column}":{value:.3}"#).expect("writing to memory");
        }
        record.value.push(b'}');
        true
    }

    fn total(&self) -> u64 {
        self.total
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [servers, topic, numbers @ ..] = arguments.as_slice() else {
        panic!("usage: feed BOOTSTRAP TOPIC RECORDS KEYS STEP_US COLUMNS");
    };
    let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().expect("a number")).collect();
    let [total, keys, step_us, columns] = numbers[..] else {
        panic!("usage: feed BOOTSTRAP TOPIC RECORDS KEYS STEP_US COLUMNS");
    };
    let random = ChaCha8Rng::seed_from_u64(1);
    let mut table = Table { random, keys, step_us, columns, made: 0, total };
    let properties = ClientProperties::new([("bootstrap.servers".to_owned(), servers.clone())]);
    let pace = Pace { rate: None, consumed: None, window: 0, clock: || Duration::ZERO };
    let feed = Feed::new(&properties, topic, pace, Arc::default()).expect("a producer");
    println!("{} records", feed.run(&mut table).expect("all records arrive"));
}

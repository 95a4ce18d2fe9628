//! The fold alone, from raw records to encoded messages, without Kafka: what `perf` and callgrind
//! look at.
//!
//! `fold PIPELINE [RECORDS] [CARDS] [BATCH]` makes seeded card transactions in memory, folds them in
//! batches and prints the time per record. Everything measured happens in `fold_all`, so that
//! `valgrind --tool=callgrind --toggle-collect='*fold_all*'` counts nothing else.
#![expect(clippy::print_stdout, reason = "a command line tool")]
#![expect(clippy::disallowed_methods, reason = "not the daemon")]

use millstream::{
    batch::{Outbox, RawBatch},
    pipeline::{Definition, Overrides},
    source::{Generator as _, Record, cards::Cards},
};
use std::{path::Path, time::Instant};

/// Where the event time of the transactions begins: the brokers got them then.
const START_MS: i64 = 1_767_225_600_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(file) = arguments.first() else {
        panic!("usage: fold PIPELINE [RECORDS] [CARDS] [BATCH]");
    };
    let number = |at: usize, default: usize| {
        arguments.get(at).map_or(default, |text| text.parse().expect("a number"))
    };
    let (records, cards, batch) = (number(1, 200_000), number(2, 20_000), number(3, 4_096));
    let definition = Definition::load(Path::new(file), Overrides::default())
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    let batches = fill(records, u32::try_from(cards).expect("fewer cards"), batch);
    let started = Instant::now();
    let vectors = fold_all(&definition, &batches);
    let each = started.elapsed().as_nanos() as f64 / records as f64;
    assert_eq!(vectors, records, "all records are good");
    println!("{records} records, {each:.0} ns per record");
}

/// The records of one partition, as they lie in a log.
fn fill(records: usize, cards: u32, batch: usize) -> Vec<RawBatch> {
    let mut made = Cards::new(1, cards, records as u64);
    let mut record = Record::default();
    let mut batches = Vec::new();
    let (mut next, end) = (0, i64::try_from(records).expect("fewer records"));
    while next < end {
        let mut raw = RawBatch::new("card.transactions".into(), 0);
        while raw.len() < batch && made.next(&mut record) {
            raw.push(next, Some(START_MS + 5 * next), Some(&record.key), Some(&record.value));
            next += 1;
        }
        batches.push(raw);
    }
    batches
}

#[inline(never)]
fn fold_all(definition: &Definition, batches: &[RawBatch]) -> usize {
    let (mut fold, mut emitter) = (definition.fold(None), definition.emitter(Some(4)));
    let mut out = Outbox::default();
    let mut vectors = 0;
    for raw in batches {
        let mut folded = fold.advance(raw);
        emitter.emit(raw, &mut folded, &mut out);
        vectors += folded.rows.len();
        out.clear();
    }
    vectors
}

//! The steps of the card-features pipeline, and the lookup of keys.
//!
//!     cargo bench -p millstream-micro --bench steps
//!
//! Times are per batch of 4,096 records; the throughput line has records per second.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

use arrow::array::{ArrayRef, StringArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millstream::{
    batch::{Outbox, RawBatch},
    pipeline::{Definition, Emitter, Fold, Halts, Part},
    state::{Horizon, Keys},
};
use millstream_micro::{BATCH, card_features, mixed, transactions};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

/// Batches that are folded in turn; then the fold begins anew with an empty state.
const ROUND: usize = 200;

/// The whole pipeline over the same batches again and again.
struct Pipeline {
    definition: Definition,
    batches: Vec<RawBatch>,
    at: usize,
    fold: Fold,
    emitter: Emitter,
    out: Outbox,
}

impl Pipeline {
    fn new() -> Self {
        let definition = card_features();
        let (fold, emitter) = (definition.fold(None), definition.emitter(Some(4)));
        let (batches, out) = (transactions(ROUND), Outbox::default());
        Self { definition, batches, at: 0, fold, emitter, out }
    }

    /// One batch through all of it; the time that the part took, or features and encoding for none.
    fn turn(&mut self, part: Option<Part>) -> Duration {
        if self.at == ROUND {
            (self.fold, self.at) = (self.definition.fold(None), 0);
        }
        let raw = &self.batches[self.at];
        self.at += 1;
        let (mut spent, mut before) = (Duration::ZERO, Instant::now());
        let mut folded = self.fold.advance_timed(raw, Halts::Heed, &mut |done| {
            let now = Instant::now();
            if Some(done) == part {
                spent += now - before;
            }
            before = now;
        });
        let before = Instant::now();
        self.emitter.emit(raw, &mut folded, &mut self.out);
        self.out.clear();
        if part.is_none() { before.elapsed() } else { spent }
    }
}

/// The parts, each timed inside the whole.
fn parts(c: &mut Criterion) {
    let mut pipeline = Pipeline::new();
    let mut group = c.benchmark_group("card-features");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, part) in [
        ("decode", Some(Part::Decode)),
        ("rules, gates, keys", Some(Part::Validate)),
        ("window", Some(Part::Window)),
        ("features, encode", None),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|times| (0..times).map(|_| pipeline.turn(part)).sum());
        });
    }
    group.finish();
}

/// Interning of keys that are known already.
fn keys(c: &mut Criterion) {
    let rows = i64::try_from(BATCH).expect("a small number");
    let mut group = c.benchmark_group("keys");
    group.throughput(Throughput::Elements(BATCH as u64));
    for count in [1_000, 100_000, 1_000_000] {
        let batch = |first: i64| -> [ArrayRef; 1] {
            let key = |i| format!("c{:07}", mixed(i) % count);
            [Arc::new(StringArray::from_iter_values((first..first + rows).map(key)))]
        };
        let times = vec![0; BATCH];
        let mut keys = Keys::new(Horizon::Forever);
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        for first in (0..4 * count).step_by(BATCH) {
            slots.clear();
            keys.advance(&batch(first), &times, &times, &mut slots, &mut expired);
        }
        let known: Vec<[ArrayRef; 1]> = (0..64).map(|n| batch(n * rows)).collect();
        let mut turn = known.iter().cycle();
        group.bench_function(format!("{count}"), |b| {
            b.iter(|| {
                slots.clear();
                let columns = turn.next().expect("it goes round");
                keys.advance(columns, &times, &times, &mut slots, &mut expired);
                black_box(slots.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parts, keys);
criterion_main!(benches);

//! One record through each cleaner and each feature alone, with the options of its example.
//!
//!     cargo bench -p millstream-micro --bench components
//!
//! Times are per batch of 1,000 records of 1,000 keys, in order. What a cleaner remembers is there before
//! it is timed. `bench/components.py` makes the table of docs/benchmark.md of them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use millstream::{
    batch::Rejections,
    clean::{self, OPERATORS},
    feature::{self, FEATURES},
    registry::Node,
};
use millstream_micro::{EVENTS, KEYS, ROWS, rows, schema};
use std::time::Duration;

fn cleaners(c: &mut Criterion) {
    let mut group = c.benchmark_group("clean");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    for cleaner in OPERATORS {
        let options = Node::parse(cleaner.example).expect("it is YAML");
        let schema = schema();
        let built = (cleaner.build)(&options, &clean::Input::of(&schema));
        let mut clean = built.unwrap_or_else(|problem| panic!("{}: {problem}", cleaner.name));
        let mut first = 0;
        let mut next = || {
            first += i64::from(ROWS);
            rows(first, 0)
        };
        for _ in 0..KEYS * EVENTS / i64::from(ROWS) {
            clean.advance(next(), &mut Rejections::default());
        }
        group.bench_function(cleaner.name, |b| {
            let through = |rows| clean.advance(rows, &mut Rejections::default());
            b.iter_batched(&mut next, through, BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn features(c: &mut Criterion) {
    let mut group = c.benchmark_group("features");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    let rows = rows(0, 0);
    let schema = schema();
    let event_time = Some(schema.index_of("ts").expect("a column of that name"));
    for component in FEATURES {
        let options = Node::parse(component.example).expect("it is YAML");
        let built = (component.build)(&options, &feature::Input { schema: &schema, event_time });
        let feature = built.unwrap_or_else(|problem| panic!("{}: {problem}", component.name));
        let (mut out, mut failed) = (Vec::new(), Vec::new());
        group.bench_function(component.name, |b| {
            b.iter(|| {
                out.clear();
                failed.clear();
                feature.advance(&rows.columns, &rows.event_times, &mut out, &mut failed);
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    targets = cleaners, features
}
criterion_main!(benches);

//! One record through each cleaner and each feature alone, with the options of its example.
//!
//!     cargo bench -p millstream-micro --bench components
//!
//! Times are per batch of 1,000 records of 1,000 keys, in order. What a cleaner remembers is there before
//! it is timed. `bench/components.py` makes the table of docs/benchmark.md of them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use millstream::{
    batch::{Rejections, Rows},
    clean::{self, OPERATORS},
    feature::{FEATURES, Features, requests},
    registry::Node,
    window::Windows,
};
use millstream_micro::{BEHIND_US, EVENTS, KEYS, ROWS, rows, schema};
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

/// A feature that asks `window` to remember is timed with what that remembers for it.
fn features(c: &mut Criterion) {
    let mut group = c.benchmark_group("features");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    let event_time = Some(schema().index_of("ts").expect("a column of that name"));
    for component in FEATURES {
        let list = format!("[{{ {}: {} }}]", component.name, component.example);
        let list = Node::parse(&list).expect("it is YAML");
        let list = list.as_list().expect("a list");
        let asked = requests(list);
        let windows = Windows::build(&[], &schema(), BEHIND_US).expect("no windows");
        let mut windows = windows.remember(&asked);
        let features = Features::build(list, &windows.schema(), event_time)
            .unwrap_or_else(|problems| panic!("{}: {problems:?}", component.name));
        let mut first = 0;
        let mut next = || {
            first += i64::from(ROWS);
            rows(first, 0)
        };
        group.bench_function(component.name, |b| {
            let through = |mut rows: Rows| {
                if !asked.is_empty() {
                    rows = windows.advance(rows, &mut Rejections::default());
                }
                features.advance(&rows.columns, &rows.event_times)
            };
            b.iter_batched(&mut next, through, BatchSize::LargeInput);
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

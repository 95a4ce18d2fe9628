//! One record through a window of an hour with a hundred events, for each aggregate alone.
//!
//!     cargo bench -p millstream-micro --bench windows
//!
//! Times are per batch of 1,000 records.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use millstream::{
    aggregate::{AGGREGATES, remembers},
    batch::Rejections,
    registry::Node,
    window::Windows,
};
use millstream_micro::{BEHIND_US, EVENTS, KEYS, ROWS, rows, schema};
use std::time::Duration;

fn aggregates(c: &mut Criterion) {
    for (order, late) in [("in order", 0), ("59 % out of order", 59)] {
        let mut group = c.benchmark_group(format!("windows, {order}"));
        group.throughput(Throughput::Elements(u64::from(ROWS)));
        for aggregate in AGGREGATES {
            let (name, example) = (aggregate.name, aggregate.example);
            let computed = format!("compute: {{ {name}: {example} }}");
            let over = if remembers(name) { "" } else { "over: 1h, closed: both, " };
            let spec = format!("[{{ {over}of: amount, {computed} }}]");
            let spec = Node::parse(&spec).expect("it is YAML");
            let windows = Windows::build(spec.as_list().expect("a list"), &schema(), BEHIND_US);
            let mut windows = windows.expect("it is a window");
            let mut first = 0;
            let mut next = || {
                first += i64::from(ROWS);
                rows(first, late)
            };
            for _ in 0..2 * KEYS * EVENTS / i64::from(ROWS) {
                windows.advance(next(), &mut Rejections::default());
            }
            group.bench_function(aggregate.name, |b| {
                let through = |rows| windows.advance(rows, &mut Rejections::default());
                b.iter_batched(&mut next, through, BatchSize::LargeInput);
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2));
    targets = aggregates
}
criterion_main!(benches);

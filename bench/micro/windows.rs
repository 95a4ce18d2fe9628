//! One record through a window of an hour with a hundred events, for each aggregate alone.
//!
//!     cargo bench -p millstream-micro --bench windows
//!
//! Times are per batch of 1,000 records.

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use millstream::{
    aggregate::AGGREGATES,
    batch::{Rejections, Rows},
    registry::Node,
    window::Windows,
};
use millstream_micro::mixed;
use std::sync::Arc;

const BATCH: u32 = 1_000;
const KEYS: i64 = 1_000;
const HOUR_US: i64 = 3_600_000_000;
const EVENTS: i64 = 100;
const STEP_US: i64 = HOUR_US / (KEYS * EVENTS);
/// How far back records are that are out of order.
const BEHIND_US: i64 = HOUR_US / 2;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Float64, true)]))
}

/// The batch that begins with record `first`; `late` of a hundred records are out of order.
fn rows(first: i64, late: i64) -> Rows {
    let range = first..first + i64::from(BATCH);
    let time = |i: i64| {
        let is_late = mixed(i) % 100 < late;
        i * STEP_US - if is_late { mixed(i + 1) % BEHIND_US } else { 0 }
    };
    let value = |i: i64| (mixed(i) % 1_000_003) as f64 / 97.0;
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values(range.clone().map(value)));
    Rows {
        columns: RecordBatch::try_new(schema(), vec![values]).expect("it fits"),
        records: (0..BATCH).collect(),
        offsets: range.clone().collect(),
        event_times: range.clone().map(time).collect(),
        watermarks: range.clone().map(|i| i * STEP_US - BEHIND_US).collect(),
        slots: range.map(|i| u32::try_from(mixed(i) % KEYS).expect("few keys")).collect(),
        late: vec![false; BATCH as usize],
    }
}

fn aggregates(c: &mut Criterion) {
    for (order, late) in [("in order", 0), ("59 % out of order", 59)] {
        let mut group = c.benchmark_group(format!("windows, {order}"));
        group.throughput(Throughput::Elements(u64::from(BATCH)));
        for aggregate in AGGREGATES {
            let (name, example) = (aggregate.name, aggregate.example);
            let computed = format!("compute: {{ {name}: {example} }}");
            let spec = format!("[{{ over: 1h, of: x, closed: both, {computed} }}]");
            let spec = Node::parse(&spec).expect("it is YAML");
            let windows = Windows::build(spec.as_list().expect("a list"), &schema(), BEHIND_US);
            let mut windows = windows.expect("it is a window");
            let mut first = 0;
            let mut next = || {
                first += i64::from(BATCH);
                rows(first, late)
            };
            for _ in 0..2 * KEYS * EVENTS / i64::from(BATCH) {
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

criterion_group!(benches, aggregates);
criterion_main!(benches);

//! What buffered events and keys take, by what is asked of the allocator and not by our own gauge.

use super::LIVE;
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, Schema},
};
use millstream::{
    batch::{Rejections, Rows},
    registry::Node,
    window::Windows,
};
use std::{fs, path::Path, sync::Arc};

const HOUR_US: i64 = 3_600_000_000;
/// Rows in a batch: few, as the summaries of a batch count too.
const BATCH: i64 = 20;

/// Bytes of the windows of card-features over a stream of keys in turn, that hold so many events
/// of each key: what the allocator gave, and our own gauge.
fn held(events: i64, keys: i64, late: bool) -> (isize, usize) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines/card-features.yaml");
    let specs = Node::parse(&fs::read_to_string(file).unwrap()).unwrap();
    let specs = specs.get("windows").unwrap().as_list().unwrap().to_vec();
    let schema = Arc::new(Schema::new(vec![Field::new("amount", DataType::Float64, true)]));
    let before = LIVE.get();
    let mut windows = Windows::build(&specs, &schema, 0).unwrap();
    let step = HOUR_US / (events * keys);
    // Half of the late ones as late as can be.
    let behind = |i: i64| if late && i % 5 < 3 { HOUR_US >> (i % 2 * (i % 7)) } else { 0 };
    let lateness = if late { HOUR_US } else { 0 };
    for batch in 0..3 * events.max(20) * keys / BATCH {
        let range = batch * BATCH..(batch + 1) * BATCH;
        let each = || range.clone();
        let values: ArrayRef = Arc::new(Float64Array::from_iter_values(each().map(|i| i as f64)));
        let rows = Rows {
            columns: RecordBatch::try_new(Arc::clone(&schema), vec![values]).unwrap(),
            records: each().zip(0..).map(|(_, record)| record).collect(),
            offsets: each().collect(),
            event_times: each().map(|i| i * step - behind(i)).collect(),
            watermarks: each().map(|i| i * step - lateness).collect(),
            slots: each().map(|i| u32::try_from(i % keys).unwrap()).collect(),
            late: each().map(|_| false).collect(),
        };
        windows.advance(rows, &mut Rejections::default());
    }
    (LIVE.get() - before, windows.state_bytes())
}

/// Events of a key that lie in one leaf. With more it has full leaves, each known by itself, and an
/// open one that may be nearly empty.
const LEAF: i64 = 56;

/// Bytes of empty leaves that lie ready, however many keys there are.
const SPARE: f64 = 256.0 * 1_104.0;

#[test]
fn an_event_takes_at_most_24_bytes_and_a_key_200_beside() {
    let few = [1, 5, 8, 17, 33, 36, 49].map(|events| (events, false));
    let more = [57, 70, 129, 260, 1_000].map(|events| (events, false));
    for (events, late) in few.into_iter().chain(more).chain([(36, true), (1_000, true)]) {
        // Enough that what there is once, whoever the keys are, is little of each.
        let keys = (20_000 / events).clamp(16, 480);
        let (bytes, gauge) = held(events, keys, late);
        // One event more lies on the end of the window, which is closed on both sides; with the
        // lateness two hours are kept.
        let buffered = (events + 1) * if late { 2 } else { 1 };
        let per_key = bytes as f64 / keys as f64;
        let beside = per_key - 24.0 * buffered as f64;
        let (each, share) = (per_key / buffered as f64, gauge as f64 / bytes as f64);
        println!(
            "{buffered} events, late: {late}: {each:.1} bytes each, {beside:.0} a key beside 24; gauge {share:.2}"
        );
        let limit = match buffered {
            ..=LEAF => 200.0,
            _ => 1_500.0 + SPARE / keys as f64,
        };
        assert!(beside <= limit, "{events} events, late: {late}: {beside:.0}");
    }
}

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
    for i in 0..3 * events.max(20) * keys {
        // Half of the late ones as late as can be.
        let behind = if late && i % 5 < 3 { HOUR_US >> (i % 2 * (i % 7)) } else { 0 };
        let values: ArrayRef = Arc::new(Float64Array::from_iter_values([i as f64]));
        let rows = Rows {
            columns: RecordBatch::try_new(Arc::clone(&schema), vec![values]).unwrap(),
            records: vec![0],
            offsets: vec![i],
            event_times: vec![i * step - behind],
            watermarks: vec![i * step - if late { HOUR_US } else { 0 }],
            slots: vec![u32::try_from(i % keys).unwrap()],
            late: vec![false],
        };
        windows.advance(rows, &mut Rejections::default());
    }
    (LIVE.get() - before, windows.state_bytes())
}

#[test]
fn an_event_takes_at_most_24_bytes_and_a_key_200_beside() {
    for events in [
        1, 3, 4, 5, 8, 9, 12, 17, 25, 33, 36, 41, 49, 57, 62, 65, 70, 90, 100, 129, 150, 200, 260,
        300, 500, 1000, 10_000,
    ] {
        let keys = (100_000 / events).clamp(4, 2_000);
        let (bytes, gauge) = held(events, keys, false);
        // One more event lies on the end of the window, which is closed on both sides.
        let buffered = (events + 1) * keys;
        let beside = (bytes as f64 - 24.0 * buffered as f64) / keys as f64;
        println!(
            "{events}: {:.1} bytes an event, {beside:.0} a key beside 24 an event; gauge {:.2}",
            bytes as f64 / buffered as f64,
            gauge as f64 / bytes as f64
        );
    }
}

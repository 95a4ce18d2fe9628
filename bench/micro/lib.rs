//! What the microbenchmarks share: seeded records as a partition's log has them.

use millstream::{
    batch::RawBatch,
    pipeline::{Definition, Overrides},
    source::{Generator as _, Record, cards::Cards},
};
use std::path::Path;

/// Records in a batch.
pub const BATCH: usize = 4_096;

/// Where the event time of the transactions begins: the brokers got them then.
const START_MS: i64 = 1_767_225_600_000;

/// The card-features pipeline as it is shipped.
pub fn card_features() -> Definition {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/pipelines/card-features.yaml");
    Definition::load(&file, Overrides::default()).expect("the pipeline file is right")
}

/// Seeded card transactions of 20,000 cards, in batches.
pub fn transactions(batches: usize) -> Vec<RawBatch> {
    let mut made = Cards::new(1, 20_000, (batches * BATCH) as u64);
    let mut record = Record::default();
    let mut next = 0;
    let batch = |_| {
        let mut raw = RawBatch::new("card.transactions".into(), 0);
        while raw.len() < BATCH && made.next(&mut record) {
            raw.push(next, Some(START_MS + 5 * next), Some(&record.key), Some(&record.value));
            next += 1;
        }
        raw
    };
    (0..batches).map(batch).collect()
}

/// Numbers that look random and are the same in every run.
pub fn mixed(i: i64) -> i64 {
    let mut x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    x ^= (x >> 29) & 0x7_FFFF_FFFF;
    x.wrapping_mul(0x1656_67B1_9E37_79F9) >> 1 & i64::MAX
}

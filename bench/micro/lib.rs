//! What the microbenchmarks share: seeded records as a partition's log has them.

use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use millstream::{
    batch::{RawBatch, Rows},
    pipeline::{Definition, Overrides},
    source::{Generator as _, Record, cards::Cards},
};
use std::{path::Path, sync::Arc};

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

/// Rows in a batch of [`rows`].
pub const ROWS: u32 = 1_000;
/// Keys of [`rows`].
pub const KEYS: i64 = 1_000;
/// Rows of a key in an hour.
pub const EVENTS: i64 = 100;
/// The lateness of [`rows`].
pub const BEHIND_US: i64 = HOUR_US / 2;

const HOUR_US: i64 = 3_600_000_000;
const STEP_US: i64 = HOUR_US / (KEYS * EVENTS);
const DAY_US: i64 = 24 * HOUR_US;
const CATEGORIES: [&str; 8] =
    ["grocery", "fuel", "travel-air", "online", "dining", "cash", "health", " Other_1 "];

/// The columns that the examples of components are written for.
pub fn schema() -> SchemaRef {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        ("amount", DataType::Float64),
        ("count", DataType::Int64),
        ("items", DataType::Int64),
        ("quantity", DataType::Int64),
        ("duration", DataType::Float64),
        ("lat", DataType::Float64),
        ("lon", DataType::Float64),
        ("category", DataType::Utf8),
        ("merchant", DataType::Utf8),
        ("channel", DataType::Utf8),
        ("tx_id", DataType::Utf8),
        ("ok", DataType::Boolean),
        ("refunded", DataType::Boolean),
        ("ts", DataType::Int64),
        ("at", utc),
        ("day", DataType::Date32),
    ];
    Arc::new(Schema::new(columns.map(|(name, of)| Field::new(name, of, true)).to_vec()))
}

/// The rows from number `first` on; `late` of a hundred are out of order, and one in sixteen amounts
/// is missing.
pub fn rows(first: i64, late: i64) -> Rows {
    let range = first..first + i64::from(ROWS);
    let time = |i: i64| {
        let is_late = mixed(i) % 100 < late;
        i * STEP_US - if is_late { mixed(i + 1) % BEHIND_US } else { 0 }
    };
    Rows {
        columns: columns(
            &range.clone().collect::<Vec<_>>(),
            &range.clone().map(time).collect::<Vec<_>>(),
        ),
        records: (0..ROWS).collect(),
        offsets: range.clone().collect(),
        event_times: range.clone().map(time).collect(),
        watermarks: range.clone().map(|i| i * STEP_US - BEHIND_US).collect(),
        slots: range.map(|i| u32::try_from(mixed(i) % KEYS).expect("few keys")).collect(),
        late: vec![false; ROWS as usize],
    }
}

fn columns(numbers: &[i64], times: &[i64]) -> RecordBatch {
    let floats = |of: fn(i64) -> Option<f64>| -> ArrayRef {
        Arc::new(numbers.iter().map(|i| of(mixed(*i))).collect::<Float64Array>())
    };
    let integers = |modulus: i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(numbers.iter().map(|i| mixed(*i) % modulus)))
    };
    let flags = || -> ArrayRef {
        Arc::new(numbers.iter().map(|i| Some(mixed(*i) % 3 == 0)).collect::<BooleanArray>())
    };
    let category = |i: &i64| CATEGORIES[usize::try_from(mixed(*i) % 8).expect("one of eight")];
    let days = times.iter().map(|us| i32::try_from(us.div_euclid(DAY_US)).expect("near 1970"));
    let columns: Vec<ArrayRef> = vec![
        floats(|x| (x % 16 != 0).then_some((x % 1_000_003) as f64 / 97.0)),
        integers(50),
        integers(9),
        integers(7),
        floats(|x| Some((x % 3_600) as f64 / 7.0)),
        floats(|x| Some((x % 180_000) as f64 / 1e3 - 90.0)),
        floats(|x| Some((x % 360_000) as f64 / 1e3 - 180.0)),
        Arc::new(StringArray::from_iter_values(numbers.iter().map(category))),
        Arc::new(StringArray::from_iter_values(
            numbers.iter().map(|i| format!("m{}", mixed(*i) % 500)),
        )),
        Arc::new(StringArray::from_iter_values(
            numbers.iter().map(|i| if i % 3 == 0 { "web" } else { "app" }),
        )),
        Arc::new(StringArray::from_iter_values(numbers.iter().map(|i| format!("tx{i:08}")))),
        flags(),
        flags(),
        Arc::new(Int64Array::from_iter_values(times.iter().map(|us| us / 1_000))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(times.iter().copied()).with_timezone("UTC"),
        ),
        Arc::new(Date32Array::from_iter_values(days)),
    ];
    RecordBatch::try_new(schema(), columns).expect("a column for each field")
}

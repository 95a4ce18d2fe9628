//! Windows as a whole, against a computation that knows nothing of buffers.

mod asked;
mod naive;
mod errors;
mod by;
mod peers;
mod events;
mod pairs;
mod memories;
mod precision;
mod recursions;
mod tiles;

use super::*;
use crate::registry::Node;
use arrow::array::{Array, AsArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use proptest::prelude::*;

/// A record as the tests write it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) slot: Slot,
    pub(super) time: i64,
    pub(super) value: Option<f64>,
    pub(super) flag: Option<bool>,
    pub(super) text: Option<&'static str>,
}

impl Record {
    pub(super) fn new(slot: Slot, time: i64, value: impl Into<Option<f64>>) -> Self {
        Self { slot, time, value: value.into(), flag: Some(true), text: None }
    }
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("x", DataType::Float64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("text", DataType::Utf8, true),
    ]))
}

pub(super) fn build(yaml: &str) -> Windows {
    let specs = Node::parse(yaml).unwrap();
    Windows::build(specs.as_list().unwrap(), &schema(), 1).unwrap_or_else(|p| panic!("{p}"))
}

/// Rows of the records, with the watermarks that `lateness` gives; `highest` goes from batch to
/// batch.
pub(super) fn rows(records: &[Record], first: usize, highest: &mut i64, lateness: i64) -> Rows {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(records.iter().map(|r| r.value).collect::<Float64Array>()),
        Arc::new(records.iter().map(|r| r.flag).collect::<BooleanArray>()),
        Arc::new(records.iter().map(|r| r.text).collect::<StringArray>()),
    ];
    let mut watermarks = Vec::new();
    let mut late = Vec::new();
    for record in records {
        late.push(record.time < highest.saturating_sub(lateness));
        *highest = record.time.max(*highest);
        watermarks.push(*highest - lateness);
    }
    Rows {
        columns: RecordBatch::try_new(schema(), columns).unwrap(),
        records: (0..records.len()).map(|i| u32::try_from(i).unwrap()).collect(),
        offsets: (first..first + records.len()).map(|i| i64::try_from(i).unwrap()).collect(),
        event_times: records.iter().map(|r| r.time).collect(),
        watermarks,
        slots: records.iter().map(|r| r.slot).collect(),
        late,
    }
}

/// Runs all records in batches of the given sizes, the last one taking the rest.
pub(super) fn run(
    windows: &mut Windows,
    records: &[Record],
    lateness: i64,
    sizes: &[usize],
) -> Vec<RecordBatch> {
    let mut out = Vec::new();
    let (mut at, mut highest) = (0, i64::MIN);
    for size in sizes.iter().copied().chain([records.len()]) {
        let end = (at + size).min(records.len());
        let mut rejected = Rejections::default();
        let batch = rows(&records[at..end], at, &mut highest, lateness);
        out.push(windows.advance(batch, &mut rejected).columns);
        assert!(rejected.0.is_empty());
        at = end;
    }
    out
}

pub(super) fn float(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
    column.is_valid(row).then(|| column.value(row))
}

pub(super) fn count(batch: &RecordBatch, name: &str, row: usize) -> i64 {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(row)
}

/// Streams with ties, disorder within the lateness, nulls, odd and extreme values.
pub(super) fn streams(len: usize, lateness: i64) -> impl Strategy<Value = Vec<Record>> {
    let value = prop_oneof![
        1 => Just(None),
        6 => (-1e3..1e3).prop_map(Some),
        1 => Just(Some(7.25)),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)].prop_map(Some),
        1 => prop_oneof![Just(1e200), Just(-3e-200), Just(-0.0), Just(1e15)].prop_map(Some),
    ];
    let text = prop_oneof![Just(None), Just(Some("a")), Just(Some("bb")), Just(Some(""))];
    let flag = prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
    let record = (0..3_u32, 0..4_i64, 0..=lateness, any::<bool>(), (value, flag, text));
    proptest::collection::vec(record, 1..len).prop_map(move |records| {
        let mut highest = 1_000;
        let each = records.into_iter().map(|(slot, ahead, behind, late, rest)| {
            highest += ahead;
            let time = if late { highest - behind } else { highest };
            let (value, flag, text) = rest;
            Record { slot: slot / 2, time, value, flag, text }
        });
        each.collect()
    })
}

/// A column with every NaN told apart by its bits.
fn bits(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<Float64Type>() {
        Some(floats) => Arc::new(floats.unary::<_, Int64Type>(|v| v.to_bits().cast_signed())),
        None => Arc::clone(column),
    }
}

#[test]
fn below_min_count_there_is_only_the_count() {
    let mut windows = build(
        "[{ over: 10us, of: x, min_count: 2, compute: [count, sum, min, distinct, median] }]",
    );
    let records = [1, 2, 50].map(|time| Record::new(0, time, 4.0));
    let out = run(&mut windows, &records, 0, &[]).remove(0);
    assert_eq!([0, 1, 2].map(|row| count(&out, "x_count_10us", row)), [1, 2, 1]);
    for name in ["sum", "min", "distinct", "median"] {
        let column = out.column_by_name(&format!("x_{name}_10us")).unwrap();
        assert_eq!([0, 1, 2].map(|row| column.is_null(row)), [true, false, true], "{name}");
    }
}

/// Where JSON would show a null for both.
#[test]
fn what_equal_values_have_not_is_null_and_no_nan() {
    let mut windows = build("[{ over: 10us, of: x, compute: [std, skew, kurt, zscore, slope] }]");
    let records = [1, 2, 3, 4, 5].map(|time| Record::new(0, time, 0.1));
    let out = run(&mut windows, &records, 0, &[]).remove(0);
    for name in ["skew", "kurt", "zscore"] {
        assert_eq!(float(&out, &format!("x_{name}_10us"), 4), None, "{name}");
    }
    for name in ["std", "slope"] {
        assert_eq!(float(&out, &format!("x_{name}_10us"), 4), Some(0.0), "{name}");
    }
}

/// Names of columns tell the windows apart.
#[test]
fn every_shape_has_a_name_of_its_own() {
    let windows = build(
        "[{ over: 1h, compute: [count] }, { over: 1h, delay: 7d, compute: [count] },
          { tumbling: 1h, compute: [count] }, { tumbling: 1h, part: previous, compute: [count] },
          { session: 1h, within: 1d, compute: [count] },
          { session: 1h, within: 1d, part: previous, compute: [count] }]",
    );
    let schema = windows.schema();
    let names: Vec<&str> = schema.fields().iter().skip(3).map(|f| f.name().as_str()).collect();
    let expected = [
        "count_1h",
        "count_1h_delay_7d",
        "count_1h_tumbling",
        "count_1h_tumbling_previous",
        "count_1h_session",
        "count_1h_session_previous",
    ];
    assert_eq!(names, expected);
    assert_eq!(windows.horizon(), Horizon::For(7 * 86_400_000_000 + 3_600_000_000));
    let shapes: Vec<String> = windows.describe().into_iter().map(|plan| plan.shape).collect();
    assert_eq!(shapes[1], "(t - 169h, t - 1w]");
    assert_eq!(shapes[3], "the previous 1h of UTC");
}

const SPECS: &str = r"
- { over: 9us, of: x, compute: [count, sum, mean, std, min, max, first, last, time_since_last] }
- { over: 400us, of: x, closed: both, compute: [count, sum, mean, std, max] }
- { over: 11 rows, of: x, compute: [count, sum, std, min, last, time_since_last] }
- { over: 150 rows, of: x, closed: left, where: flag, compute: { mean: rows_mean, first: rows_first } }
- { over: 50us, of: text, compute: [count, first, last] }
- { over: 50us, compute: [count, time_since_last, time_since_first, gap_mean, gap_std] }
- { over: 70us, of: x, closed: both, compute: [median, mad, skew, slope, lag, rank, distinct, mode, list: { max: 3 }] }
- { tumbling: 90us, offset: 3us, of: x, compute: [count, std, { quantile: { q: 0.2 } }] }
- { tumbling: 90us, part: previous, of: x, compute: [count, std, mode] }
- { session: 2us, within: 200us, of: x, min_count: 3, compute: [count, mean, entropy] }
- { session: 2us, within: 200us, part: previous, of: text, compute: [count, last] }
- { over: 60us, delay: 20us, of: x, compute: [count, std, rank] }
- { over: 60us, of: x, compute: { corr: { with: flag }, argmin: { value: text }, count_null: nulls, share: { where: text > 'a' } } }
- { over: 50us, of: x, by: { column: text, values: [a, bb] }, compute: [count, { corr: { with: flag } }] }
- { over: 50us, of: x, where: flag, by: { column: text, max: 2 }, compute: [sum, lag, last] }
- { over: 12 rows, of: x, where: flag, compute: { weighted_mean: { weights: x }, argmax: { value: text } } }
- { of: x, compute: [ewma: { half_life: 40us }, ewm_std: { half_life: 3 rows, adjust: true }] }
- { of: x, where: flag, per: partition, compute: [decayed_sum: { half_life: 25us }] }
- { forget_after: 20us, min_count: 2, exclude_current: true, compute: [decayed_count: { half_life: 60us }] }
- { over: 30 rows, of: text, where: flag, compute: { nth: { n: -2 }, mode: {}, entropy: {}, top_k: { k: 2 } } }
";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn batches_do_not_show(
        records in streams(400, 30),
        sizes in proptest::collection::vec(0..90_usize, 0..12),
    ) {
        let (mut whole, mut cut) = (build(SPECS), build(SPECS));
        let expected = run(&mut whole, &records, 30, &[]);
        let got = run(&mut cut, &records, 30, &sizes);
        let join = |parts: &[RecordBatch]| {
            arrow::compute::concat_batches(&whole.schema(), parts).unwrap()
        };
        let (expected, got) = (join(&expected), join(&got));
        for (a, b) in expected.columns().iter().zip(got.columns()) {
            assert_eq!(bits(a).to_data(), bits(b).to_data());
        }
        let state = |windows: &Windows| {
            let lanes = windows.lanes.iter().map(|lane| format!("{:?}", lane.state()));
            let memories = windows.memories.iter().map(|memory| format!("{:?}", memory.state()));
            lanes.chain(memories).collect::<Vec<_>>()
        };
        prop_assert_eq!(state(&whole), state(&cut));
        prop_assert_eq!(whole.state_bytes(), cut.state_bytes());
    }
}

#[test]
fn three_records_of_one_key_in_one_batch_give_three_vectors() {
    let mut windows = build("[{ over: 10us, of: x, compute: [count, sum, std, time_since_last] }]");
    let records = [Record::new(4, 100, 1.0), Record::new(4, 105, 2.0), Record::new(4, 102, 4.0)];
    let out = &run(&mut windows, &records, 10, &[])[0];
    let sums: Vec<_> = (0..3).map(|row| float(out, "x_sum_10us", row)).collect();
    assert_eq!(sums, [Some(1.0), Some(3.0), Some(5.0)], "the late one is as of its own time");
    assert_eq!(float(out, "x_std_10us", 0), None);
    assert_eq!(float(out, "x_time_since_last_10us", 2), Some(2e-6));
}

#[test]
fn a_late_record_that_is_kept_sees_what_is_retained() {
    let mut windows = build("[{ over: 10us, of: x, compute: [count, sum] }]");
    let records = [
        Record::new(0, 80, 1.0),
        Record::new(0, 100, 2.0),
        Record::new(0, 85, 4.0), // Within 10 us of the watermark 90: from now on part of its key.
        Record::new(0, 79, 8.0), // Outside: the vector is its own, later ones do not see it.
        Record::new(0, 88, 16.0),
    ];
    let out = &run(&mut windows, &records, 10, &[])[0];
    let sums: Vec<_> = (0..5).map(|row| float(out, "x_sum_10us", row).unwrap()).collect();
    assert_eq!(sums, [1.0, 2.0, 5.0, 8.0, 21.0]);
}

#[test]
fn forgetting_gives_all_memory_back_but_spare_leaves() {
    let mut windows = build(SPECS);
    let records: Vec<_> = (0..5_000_i64)
        .map(|i| Record { text: Some("t"), ..Record::new(0, i / 20, i as f64) })
        .collect();
    run(&mut windows, &records, 1_000, &[]);
    let full = windows.state_bytes();
    windows.forget(0);
    let spare = 4 * 256 * 64 * 16;
    assert!(windows.state_bytes() < full.min(spare), "{} of {full}", windows.state_bytes());
    let again = run(&mut windows, &records[..1], 1_000, &[]);
    assert_eq!(count(&again[0], "x_count_9us", 0), 1);
}

#[test]
fn forgetting_a_key_whose_events_have_expired_gives_its_memory_back() {
    let mut windows = build("[{ over: 10us, of: x, where: flag, compute: [mean] }]");
    let mut records: Vec<_> = (0..20).map(|i| Record::new(0, i, 1.0)).collect();
    records.push(Record { flag: Some(false), ..Record::new(0, 1_000, 1.0) });
    run(&mut windows, &records, 1, &[]);
    windows.forget(0);
    assert_eq!(windows.state_bytes(), size_of::<crate::aggregate::EventBuffer>());
}

#[test]
fn a_row_that_a_condition_fails_on_is_rejected_and_enters_no_window() {
    let condition = "cast(text as bigint) > 1";
    let mut windows = build(&format!(
        "- {{ over: 1s, of: x, compute: [sum] }}\n\
         - {{ over: 1s, where: \"{condition}\", compute: [count] }}"
    ));
    let texts = [Some("1"), Some("7"), Some("no number"), None, Some("9")];
    let records: Vec<Record> =
        texts.into_iter().map(|text| Record { text, ..Record::new(0, 5, 1.0) }).collect();
    let mut rejected = Rejections::default();
    let out = windows.advance(rows(&records, 0, &mut 0, 0), &mut rejected);
    let [failed] = &rejected.0[..] else { panic!("{rejected:?}") };
    assert_eq!((failed.record, failed.reason), (2, Reason::Expression));
    assert!(failed.detail.contains(condition) && !failed.detail.contains("no number"));
    assert_eq!(out.records, [0, 1, 3, 4]);
    let counts: Vec<_> = (0..4).map(|row| count(&out.columns, "count_1s", row)).collect();
    assert_eq!(counts, [0, 1, 1, 2]);
    assert_eq!(float(&out.columns, "x_sum_1s", 3), Some(4.0));
}

#[test]
fn what_no_later_record_can_see_is_dropped() {
    for over in ["20 rows", "20us"] {
        let mut windows = build(&format!("[{{ over: {over}, of: x, compute: [mean] }}]"));
        let records: Vec<_> = (0..3_000).map(|i| Record::new(0, i, 1.0)).collect();
        run(&mut windows, &records, 10, &[]);
        assert!(windows.state_bytes() < 2_000, "{over}: {}", windows.state_bytes());
    }
}

use super::*;
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use proptest::prelude::*;
use std::sync::Arc;

/// A record in milliseconds: event time, entity key, Kafka timestamp.
type Record = (Option<i64>, Option<&'static str>, Option<i64>);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("ts", DataType::Int64, true),
        Field::new("card", DataType::Utf8, true),
    ]))
}

fn options() -> GateOptions {
    GateOptions {
        event_time: EventTime::Column { index: 0, unit: TimeUnitSpec::Milliseconds },
        lateness_us: 10_000,
        max_ahead_us: Some(50_000),
        max_jump_us: None,
        key: vec![1],
        own_key: false,
        partitioner: None,
        partitions: None,
        late: Policy::Reject,
        late_replayed: Policy::Reject,
        future: Policy::Reject,
        max_held: None,
    }
}

fn gates(options: &GateOptions) -> Gates {
    Gates::build(options.clone(), &schema()).unwrap()
}

fn batch(first_offset: usize, records: &[Record]) -> (RawBatch, Decoded) {
    let mut raw = RawBatch::new("t".into(), 0);
    for (i, (_, key, ms)) in records.iter().enumerate() {
        let offset = i64::try_from(first_offset + i).unwrap();
        raw.push(offset, *ms, key.map(str::as_bytes), Some(b"{}"));
    }
    let times: ArrayRef = Arc::new(records.iter().map(|r| r.0).collect::<Int64Array>());
    let keys: ArrayRef = Arc::new(records.iter().map(|r| r.1).collect::<StringArray>());
    let columns = RecordBatch::try_new(schema(), vec![times, keys]).unwrap();
    (raw, Decoded { columns, records: (0..u32::try_from(records.len()).unwrap()).collect() })
}

/// What became of a record: event time, watermark behind it and lateness, or the reason.
type Verdict = Result<(i64, i64, bool), Reason>;

fn judge(gates: &mut Gates, records: &[Record], cut: usize) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for piece in records.chunks(cut) {
        let (raw, decoded) = batch(verdicts.len(), piece);
        let mut rejected = Rejections::default();
        let rows = gates.advance(&raw, decoded, &mut rejected);
        assert_eq!(rows.columns.num_rows(), rows.len());
        let mut found: Vec<Option<Verdict>> = vec![None; piece.len()];
        for row in 0..rows.len() {
            let record = rows.records[row] as usize;
            assert_eq!(rows.offsets[row], raw.record(record).offset);
            found[record] = Some(Ok((rows.event_times[row], rows.watermarks[row], rows.late[row])));
        }
        for one in rejected.0 {
            assert_eq!(found[one.record as usize].replace(Err(one.reason)), None);
        }
        verdicts.extend(found.into_iter().map(|v| v.expect("each record has one verdict")));
    }
    verdicts
}

/// The rules read off the design, over the whole history for each record.
fn expected(options: &GateOptions, records: &[Record]) -> Vec<Verdict> {
    let mut moved: Vec<i64> = Vec::new();
    let mut jumped: Vec<bool> = Vec::new();
    let mut verdicts = Vec::new();
    for (ms, key, timestamp) in records {
        let watermark = |moved: &[i64]| moved.iter().max().map(|highest| highest - 10_000);
        let before = watermark(&moved);
        verdicts.push((|| {
            let time = ms.ok_or(Reason::NoEventTime)? * 1_000;
            key.ok_or(Reason::NullKey)?;
            let ahead = timestamp.is_some_and(|t| time > t * 1_000 + 50_000);
            let jump = match (options.max_jump_us, before) {
                (Some(limit), Some(watermark)) if !ahead => {
                    jumped.push(time > watermark + limit);
                    let run = jumped.iter().rev().take_while(|j| **j).count();
                    run % 20 != 0
                }
                _ => false,
            };
            if !ahead && !jump {
                moved.push(time);
            } else if options.future != Policy::Keep {
                return Err(Reason::Future);
            }
            let late = before.is_some_and(|watermark| time < watermark);
            if late && options.late != Policy::Keep {
                return Err(Reason::Late);
            }
            Ok((time, watermark(&moved).unwrap_or(i64::MIN), late))
        })());
    }
    verdicts
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let key = prop_oneof![1 => Just(None), 20 => Just(Some("a"))];
    let record = (prop::option::weighted(0.95, -20i64..20), key, prop::option::of(-60i64..60));
    prop::collection::vec((record, 0i64..6), 1..150).prop_map(|steps| {
        let mut now = 1_000;
        let record = |((time, key, ahead), step): ((Option<i64>, _, Option<i64>), i64)| {
            now += step;
            (time.map(|t| t + now), key, ahead.map(|a| a + now))
        };
        steps.into_iter().map(record).collect()
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    prop::sample::select(vec![Policy::Reject, Policy::Drop, Policy::Keep])
}

proptest! {
    #[test]
    fn verdicts_are_the_rules_and_cuts_do_not_show(
        records in records(), late in policy(), future in policy(),
        max_jump_us in prop::option::of(8_000i64..20_000), cut in 1usize..40,
    ) {
        let options = GateOptions { max_jump_us, late, late_replayed: late, future, ..options() };
        let (mut whole, mut pieces) = (gates(&options), gates(&options));
        let verdicts = judge(&mut whole, &records, records.len());
        prop_assert_eq!(&verdicts, &expected(&options, &records));
        prop_assert_eq!(verdicts, judge(&mut pieces, &records, cut));
        prop_assert_eq!(whole.progress, pieces.progress);
    }
}

fn reasons(options: &GateOptions, records: &[Record]) -> Vec<Option<Reason>> {
    judge(&mut gates(options), records, 1).into_iter().map(Result::err).collect()
}

#[test]
fn late_is_before_the_watermark_as_it_stood() {
    let records = [100, 90, 89, 120, 109].map(|ms| (Some(ms), Some("a"), None));
    let late = Some(Reason::Late);
    assert_eq!(reasons(&options(), &records), [None, None, late, None, late]);
}

#[test]
fn a_record_of_the_future_does_not_poison_the_watermark() {
    let records = [
        (Some(100), Some("a"), Some(100)),
        (Some(151), Some("a"), Some(100)),
        (Some(101), Some("a"), Some(101)),
    ];
    assert_eq!(reasons(&options(), &records), [None, Some(Reason::Future), None]);
    let keep = GateOptions { future: Policy::Keep, ..options() };
    assert_eq!(reasons(&keep, &records), [None; 3]);
    let mut gates = gates(&keep);
    assert_eq!(gates.watermark(), None);
    judge(&mut gates, &records, 2);
    assert_eq!(gates.watermark(), Some(91_000));
}

#[test]
fn twenty_jumps_in_a_row_are_no_mistake() {
    let options = GateOptions { max_jump_us: Some(1_000_000), ..options() };
    let mut records = vec![(Some(100), Some("a"), None)];
    records.extend([(Some(5_000), Some("a"), None); 19]);
    records.push((Some(200), Some("a"), None));
    records.extend([(Some(5_000), Some("a"), None); 22]);
    let future: Vec<usize> = reasons(&options, &records)
        .iter()
        .enumerate()
        .filter_map(|(i, reason)| (*reason == Some(Reason::Future)).then_some(i))
        .collect();
    let expected: Vec<usize> = (1..20).chain(21..40).collect();
    assert_eq!(future, expected);
}

#[test]
fn a_key_in_the_wrong_partition_is_misplaced() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    let records = keys.map(|key| (Some(100), Some(key), None));
    for partitioner in Partitioner::ALL {
        let options =
            GateOptions { partitioner: Some(partitioner), partitions: Some(2), ..options() };
        let expected = keys.map(|key| {
            let here = partitioner.partition(Some(key.as_bytes()), 2) == Some(0);
            (!here).then_some(Reason::Misplaced)
        });
        assert!(expected.contains(&None) && expected.contains(&Some(Reason::Misplaced)));
        assert_eq!(reasons(&options, &records), expected);
        let unknown = GateOptions { partitions: None, ..options };
        assert_eq!(reasons(&unknown, &records), [None; 6]);
    }
}

#[test]
fn a_record_under_a_foreign_key_is_misplaced_unless_an_earlier_gate_refuses_it() {
    let options = GateOptions { own_key: true, ..options() };
    let mut raw = RawBatch::new("t".into(), 0);
    for (offset, key) in (0..).zip([Some("a"), Some("z"), None, Some("z"), Some("z"), Some("z")]) {
        raw.push(offset, None, key.map(str::as_bytes), Some(b"{}"));
    }
    let ms = [Some(100), Some(100), Some(100), None, Some(100), Some(1)];
    let cards = [Some("a"), Some("a"), Some("a"), Some("a"), None, Some("a")];
    let times: ArrayRef = Arc::new(Int64Array::from(ms.to_vec()));
    let keys: ArrayRef = Arc::new(StringArray::from(cards.to_vec()));
    let columns = RecordBatch::try_new(schema(), vec![times, keys]).unwrap();
    let decoded = Decoded { columns, records: (0..6).collect() };
    let mut rejected = Rejections::default();
    let rows = gates(&options).advance(&raw, decoded, &mut rejected);
    assert_eq!(rows.records, [0]);
    let reasons: Vec<Reason> = rejected.0.iter().map(|r| r.reason).collect();
    let misplaced = Reason::Misplaced;
    let earlier = [Reason::NoEventTime, Reason::NullKey];
    assert_eq!(reasons, [misplaced, misplaced, earlier[0], earlier[1], misplaced]);
    assert_eq!(rejected.0[0].detail, "the record key is not the text of `card`");
}

#[test]
fn details_name_the_field_and_not_the_value() {
    let mut gates = gates(&options());
    let records =
        [(None, Some("a"), None), (Some(100), None, None), (Some(100), Some("a"), Some(0))];
    let (raw, decoded) = batch(0, &records);
    let mut rejected = Rejections::default();
    gates.advance(&raw, decoded, &mut rejected);
    let details: Vec<&str> = rejected.0.iter().map(|r| r.detail.as_str()).collect();
    assert_eq!(
        details,
        [
            "event time column `ts` is not a time in ms since the epoch in the years 0001 to 9999",
            "key column `card` is null",
            "the event time is over 50ms after the Kafka timestamp",
        ]
    );
}

#[test]
fn a_late_record_that_was_sent_again_has_a_policy_of_its_own() {
    let options = GateOptions { late_replayed: Policy::Keep, ..options() };
    let mut raw = RawBatch::new("t".into(), 0);
    for offset in 0..4 {
        raw.push(offset, None, Some(b"a"), Some(b"{}"));
        match offset {
            2 => raw.header(REPLAYED, Some(b"1")),
            3 => raw.header(b"millstream-replayed-from", Some(b"t.dlq/0/7")),
            _ => {}
        }
    }
    let times: ArrayRef = Arc::new(Int64Array::from(vec![100, 89, 89, 89]));
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a"; 4]));
    let columns = RecordBatch::try_new(schema(), vec![times, keys]).unwrap();
    let decoded = Decoded { columns, records: (0..4).collect() };
    let judged = |options: &GateOptions| {
        let mut rejected = Rejections::default();
        let rows = gates(options).advance(&raw, decoded.clone(), &mut rejected);
        (rows.records, rows.late)
    };
    assert_eq!(judged(&options), (vec![0, 2], vec![false, true]));
    let drop = GateOptions { late: Policy::Drop, late_replayed: Policy::Drop, ..options };
    assert_eq!(judged(&drop), (vec![0], vec![false]));
}

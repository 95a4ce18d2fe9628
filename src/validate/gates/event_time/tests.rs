use super::*;
use arrow::{
    array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{Field, Schema},
};
use std::sync::Arc;

fn read(values: ArrayRef, unit: TimeUnitSpec) -> Vec<Option<i64>> {
    let field = Field::new("ts", values.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let records = (0..u32::try_from(values.len()).unwrap()).collect();
    let columns = RecordBatch::try_new(Arc::clone(&schema), vec![values]).unwrap();
    let reader = Reader::build(EventTime::Column { index: 0, unit }, &schema).unwrap();
    let mut times = vec![Some(99)];
    reader.read(&RawBatch::new("t".into(), 0), &Decoded { columns, records }, &mut times);
    times
}

#[test]
fn epoch_times_of_every_unit() {
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1_500), None, Some(-1)]));
    assert_eq!(
        read(Arc::clone(&integers), TimeUnitSpec::Seconds),
        [Some(1_500_000_000), None, Some(-1_000_000)]
    );
    assert_eq!(
        read(Arc::clone(&integers), TimeUnitSpec::Milliseconds),
        [Some(1_500_000), None, Some(-1_000)]
    );
    assert_eq!(
        read(Arc::clone(&integers), TimeUnitSpec::Microseconds),
        [Some(1_500), None, Some(-1)]
    );
    assert_eq!(read(integers, TimeUnitSpec::Nanoseconds), [Some(1), None, Some(-1)]);
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.25, f64::NAN, f64::INFINITY]));
    assert_eq!(read(floats, TimeUnitSpec::Seconds), [Some(1_250_000), None, None]);
}

#[test]
fn what_is_out_of_range_was_read_in_the_wrong_unit() {
    let nanoseconds: ArrayRef =
        Arc::new(Int64Array::from(vec![1_767_225_600_000_000_000, i64::MAX, i64::MIN]));
    assert_eq!(read(Arc::clone(&nanoseconds), TimeUnitSpec::Milliseconds), [None; 3]);
    assert_eq!(read(nanoseconds, TimeUnitSpec::Nanoseconds)[0], Some(1_767_225_600_000_000));
}

#[test]
fn texts_dates_and_timestamps() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![
        Some("2013-01-01T05:17:00-05:00"),
        Some("2013-01-01T10:17:00.000001Z"),
        Some("2013-01-01"),
        None,
    ]));
    let expected = 1_357_035_420_000_000;
    assert_eq!(read(text, TimeUnitSpec::Rfc3339), [Some(expected), Some(expected + 1), None, None]);
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None]));
    assert_eq!(read(dates, TimeUnitSpec::Timestamp), [Some(DAY_US), None]);
    let seconds = Int64Array::from(vec![2]).reinterpret_cast::<TimestampSecondType>();
    assert_eq!(read(Arc::new(seconds), TimeUnitSpec::Timestamp), [Some(2_000_000)]);
}

#[test]
fn a_column_of_another_type_is_a_problem() {
    let schema = Arc::new(Schema::new(vec![Field::new("ts", DataType::Utf8, true)]));
    let event_time = EventTime::Column { index: 0, unit: TimeUnitSpec::Milliseconds };
    assert_eq!(
        Reader::build(event_time, &schema).unwrap_err().to_string(),
        "event time column `ts` is Utf8 and cannot be read as time since the epoch; \
         expected an integer or number column"
    );
    assert!(TimeUnitSpec::parse("sec").is_err());
    assert!(TimeUnitSpec::parse("%Y-%q").is_err());
    assert_eq!(TimeUnitSpec::parse("ms").unwrap(), TimeUnitSpec::Milliseconds);
}

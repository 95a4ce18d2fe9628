//! Windows over values that no JSON record can hold: NaN and the infinities, and zeros with a sign.
//!
//! Reads lines of JSON: first `{ "windows": [..], "lateness_us": 0, "batch": 7 }`, the windows as in a
//! pipeline file, then a record `[slot, event time in us, value]` each. A value is a number, null or
//! one of the texts `NaN`, `inf`, `-inf`. For each record it prints the list of the windows' columns, written
//! the same way. `tests/oracle/not_finite.py` compares them with libraries.
#![expect(clippy::print_stdout, reason = "a command line tool")]

use arrow::{
    array::{ArrayRef, AsArray, Float64Array, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, Float64Type, Schema, SchemaRef},
};
use millstream::{
    batch::{Rejections, Rows},
    registry::Node,
    window::Windows,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{io::stdin, sync::Arc};

/// The first line.
#[derive(Deserialize)]
struct Asked {
    windows: Value,
    lateness_us: i64,
    batch: usize,
}

/// A record: slot, event time, value.
type Record = (u32, i64, Value);

fn main() {
    let mut lines = stdin().lines().map(|line| line.expect("lines of text"));
    let asked: Asked =
        serde_json::from_str(&lines.next().expect("a first line")).expect("what to compute");
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("x", DataType::Float64, true)]));
    let specs = Node::parse(&asked.windows.to_string()).expect("JSON is YAML");
    let specs = specs.as_list().expect("a list of windows");
    let mut windows = Windows::build(specs, &schema, asked.lateness_us).expect("windows");
    let records: Vec<Record> =
        lines.map(|line| serde_json::from_str(&line).expect("a record")).collect();
    let (mut highest, mut offset) = (i64::MIN, 0);
    for batch in records.chunks(asked.batch) {
        let mut watermarks = Vec::new();
        for (_, time, _) in batch {
            highest = highest.max(*time);
            watermarks.push(highest - asked.lateness_us);
        }
        let next = offset + i64::try_from(batch.len()).expect("few records");
        let values: ArrayRef =
            Arc::new(batch.iter().map(|(_, _, x)| number(x)).collect::<Float64Array>());
        let rows = Rows {
            columns: RecordBatch::try_new(Arc::clone(&schema), vec![values]).expect("one column"),
            records: (0..).take(batch.len()).collect(),
            offsets: (offset..next).collect(),
            event_times: batch.iter().map(|(_, time, _)| *time).collect(),
            watermarks,
            slots: batch.iter().map(|(slot, _, _)| *slot).collect(),
            late: vec![false; batch.len()],
        };
        offset = next;
        print(&windows.advance(rows, &mut Rejections::default()).columns);
    }
}

/// A value as it was read.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().map(|text| text.parse().expect("NaN, inf or -inf")))
}

/// Prints every column but the first, record by record.
fn print(columns: &RecordBatch) {
    let computed: Vec<Vec<Value>> = columns.columns()[1..].iter().map(written).collect();
    for row in 0..columns.num_rows() {
        let values: Value = computed.iter().map(|column| column[row].clone()).collect();
        println!("{values}");
    }
}

/// The values of a column of numbers or of lists of numbers.
fn written(column: &ArrayRef) -> Vec<Value> {
    if let Some(lists) = column.as_list_opt::<i32>() {
        let list = |list: Option<ArrayRef>| list.map_or(Value::Null, |list| written(&list).into());
        return lists.iter().map(list).collect();
    }
    let numbers = cast(column, &DataType::Float64).expect("numbers");
    let value = |x: Option<f64>| match x {
        Some(x) if x.is_finite() => json!(x),
        Some(x) => json!(x.to_string()),
        None => Value::Null,
    };
    numbers.as_primitive::<Float64Type>().iter().map(value).collect()
}

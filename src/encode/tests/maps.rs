//! Columns of maps in every format.

use super::*;
use arrow::{
    array::{Array, AsArray, Float64Builder, MapBuilder, MapFieldNames, StringBuilder},
    datatypes::Float64Type,
    ipc::reader::StreamReader,
};
use std::collections::BTreeMap;

type Entries = BTreeMap<String, Option<f64>>;

fn maps(rows: &[Option<Entries>]) -> RecordBatch {
    let [entry, key, value] = ["entries", "key", "value"].map(str::to_owned);
    let names = MapFieldNames { entry, key, value };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), Float64Builder::new());
    for row in rows {
        for (key, value) in row.iter().flatten() {
            builder.keys().append_value(key);
            builder.values().append_option(*value);
        }
        builder.append(row.is_some()).unwrap();
    }
    let map: ArrayRef = Arc::new(builder.finish());
    let after: ArrayRef = Arc::new(Int64Array::from_iter_values(vec![7; rows.len()]));
    RecordBatch::try_from_iter([("map", map), ("after", after)]).unwrap()
}

fn any_maps() -> impl Strategy<Value = Vec<Option<Entries>>> {
    let value = prop_oneof![
        Just(None),
        any::<f64>().prop_filter("a number", |x| x.is_finite()).prop_map(Some)
    ];
    let entries = proptest::collection::btree_map(any::<String>(), value, 0..6);
    proptest::collection::vec(proptest::option::of(entries), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn maps_read_back_as_they_were(rows in any_maps(), size in 1_usize..9) {
        let batch = maps(&rows);
        let schema = batch.schema();
        let (out, _) = encode("json", &input(&schema), &batch, (size, 1));
        for (message, row) in out.iter().zip(&rows) {
            #[derive(Deserialize)]
            struct Read { map: Option<Entries>, after: i64 }
            let read: Read = serde_json::from_slice(message.value.unwrap()).unwrap();
            prop_assert_eq!((&read.map, read.after), (row, 7));
        }
        let (out, _) = encode("json_array", &input(&schema), &batch, (size, 1));
        for (message, row) in out.iter().zip(&rows) {
            let read: (Option<Entries>, i64) =
                serde_json::from_slice(message.value.unwrap()).unwrap();
            prop_assert_eq!(&read.0, row);
        }
    }

    #[test]
    fn arrow_messages_of_maps_are_within_the_limit(
        rows in any_maps(),
        size in 1_usize..9,
        bytes in 1_500_u64..5_000,
    ) {
        let batch = maps(&rows);
        let schema = batch.schema();
        let small = EncodeInput { vector_bytes: bytes, ..input(&schema) };
        let (out, rejected) = encode("arrow_ipc", &small, &batch, (size, 3));
        let mut read: Vec<Option<Entries>> = Vec::new();
        for message in out.iter() {
            let headers: usize =
                message.headers().map(|h| h.name.len() + h.value.unwrap().len()).sum();
            prop_assert!((message.value.unwrap().len() + headers) as u64 <= bytes);
            for part in StreamReader::try_new(message.value.unwrap(), None).unwrap() {
                let part = part.unwrap();
                let maps = part.column(0).as_map();
                read.extend((0..maps.len()).map(|row| {
                    let entries = maps.is_valid(row).then(|| maps.value(row))?;
                    let keys = entries.column(0).as_string::<i32>();
                    let values = entries.column(1).as_primitive::<Float64Type>();
                    Some(keys.iter().flatten().map(str::to_owned).zip(values).collect())
                }));
            }
        }
        let rejected: Vec<u32> = rejected.0.iter().map(|r| r.record).collect();
        let kept = rows.into_iter().zip(0..).filter(|(_, row)| !rejected.contains(row));
        prop_assert_eq!(read, kept.map(|(row, _)| row).collect::<Vec<_>>());
    }
}

#[test]
fn the_schema_of_a_map_says_what_its_values_are() {
    let batch = maps(&[]);
    let schema = batch.schema();
    let json = json_schema("json", &schema).unwrap();
    let expected =
        r#""map": { "type": "object", "additionalProperties": { "type": ["number", "null"] } }"#;
    assert!(json.contains(expected), "{json}");
    let arrow = arrow_schema(&schema);
    assert!(arrow.starts_with("map: Map(") && arrow.contains("Float64"), "{arrow}");
}

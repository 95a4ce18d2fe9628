//! The Arrow format: cuts, partitions, limits, rows.

use super::*;
use arrow::{compute::concat_batches, ipc::reader::StreamReader};

#[test]
fn an_arrow_message_holds_512_vectors_of_one_partition() {
    let schema = schema();
    let rows: Vec<Vector> = (0..1100).map(|id| sample(id, "abc")).collect();
    let (out, _) = encode("arrow_ipc", &input(&schema), &vectors(&rows), (100, 100));
    let described: Vec<_> = out
        .iter()
        .map(|m| {
            assert_eq!((m.parts.partition, m.parts.key), (Some(1), None), "5 mod 4");
            [
                header(&m, "millstream-source").unwrap(),
                header(&m, "millstream-first-offset").unwrap(),
                header(&m, "millstream-last-offset").unwrap(),
                header(&m, "millstream-vectors").unwrap(),
                header(&m, "millstream-late").unwrap(),
            ]
            .join(" ")
        })
        .collect();
    assert_eq!(
        described,
        ["in/5/1000 1000 2022 512 170", "in/5/2024 2024 3046 512 171", "in/5/3048 3048 3198 76 25",]
    );
}

#[test]
fn arrow_messages_of_several_partitions_do_not_mix() {
    let schema = schema();
    let batch = vectors(&[sample(0, "a"), sample(1, "b")]);
    let source = Source::new(2);
    let mut other = RawBatch::new("in".into(), 6);
    for record in source.raw.iter() {
        other.push(record.offset, record.timestamp_ms, record.key, record.value);
    }
    let mut encoder = build("arrow_ipc", &input(&schema));
    let (mut out, mut rejected) = (Outbox::default(), Rejections::default());
    for raw in [&source.raw, &other, &source.raw, &other] {
        let envelope = Envelope { raw, rows: &source.rows, pipeline: "p", definition: "d" };
        encoder.encode(&envelope, &batch, &mut out, &mut rejected);
    }
    assert!(out.is_empty(), "nothing before the commit");
    encoder.flush(&mut out);
    let vectors: Vec<_> = out
        .iter()
        .map(|m| (m.parts.partition, header(&m, "millstream-vectors").unwrap().to_owned()))
        .collect();
    assert_eq!(vectors.len(), 2);
    assert!(vectors.contains(&(Some(1), "4".to_owned())));
    assert!(vectors.contains(&(Some(2), "4".to_owned())));
}

fn decoded(out: &Outbox) -> RecordBatch {
    let batches: Vec<RecordBatch> = out
        .iter()
        .flat_map(|m| StreamReader::try_new(m.value.unwrap(), None).unwrap().map(Result::unwrap))
        .collect();
    concat_batches(&schema(), &batches).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn decoded_arrow_rows_do_not_depend_on_cuts(
        rows in proptest::collection::vec(any_vector(), 1..40),
        size in 1_usize..9, commit in 1_usize..5, bytes in 2_000_u64..6_000,
    ) {
        let batch = vectors(&rows);
        let schema = schema();
        let small = EncodeInput { vector_bytes: bytes, ..input(&schema) };
        let (out, rejected) = encode("arrow_ipc", &small, &batch, (size, commit));
        for message in out.iter() {
            let headers: usize =
                message.headers().map(|h| h.name.len() + h.value.unwrap().len()).sum();
            let size = message.value.unwrap().len() + headers;
            prop_assert!(size as u64 <= bytes, "{size} > {bytes}");
        }
        let (_, alone) = encode("arrow_ipc", &small, &batch, (rows.len(), 1));
        prop_assert_eq!(&rejected.0, &alone.0);
        let gone: Vec<u32> = rejected.0.iter().map(|r| r.record).collect();
        let keep: BooleanArray =
            (0..).take(rows.len()).map(|i: u32| Some(!gone.contains(&i))).collect();
        let expected = arrow::compute::filter_record_batch(&batch, &keep).unwrap();
        // As text: NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", decoded(&out)), format!("{:?}", expected));
    }
}

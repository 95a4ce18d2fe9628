//! The JSON formats, and what every message of one vector carries.

use super::*;

#[test]
fn json_stands_in_declared_order() {
    let batch = vectors(&[sample(7, "a\"b")]);
    let text = |format| {
        let (out, _) = encode(format, &input(&schema()), &batch, (1, 1));
        String::from_utf8(out.message(0).value.unwrap().to_vec()).unwrap()
    };
    assert_eq!(
        text("json"),
        r#"{"flag":true,"small":null,"id":7,"a\"\n.x":0.5,"text":"a\"b","day":"2026-01-31","at":"2026-01-31T23:59:59.999Z","list":[1,null],"single":0.1,"fixed":[-0.5,null,10000000000.0]}"#
    );
    assert_eq!(
        text("json_array"),
        r#"[true,null,7,0.5,"a\"b","2026-01-31","2026-01-31T23:59:59.999Z",[1,null],0.1,[-0.5,null,10000000000.0]]"#
    );
}

#[test]
fn key_timestamp_and_headers() {
    let schema = schema();
    let batch = vectors(&[sample(0, ""), sample(1, ""), sample(2, "")]);
    let (out, _) = encode("json", &input(&schema), &batch, (3, 1));
    let message = out.message(0);
    assert_eq!(message.parts.key, Some(&b"key 0"[..]));
    assert_eq!((message.parts.timestamp_ms, message.parts.partition), (Some(0), None));
    assert_eq!(message.parts.target, Target::Output);
    let names: Vec<_> = message.headers().map(|h| h.name).collect();
    let own = [&b"millstream-pipeline"[..], b"millstream-definition", b"millstream-source"];
    assert_eq!(names, [&[&b"traceparent"[..]][..], &own].concat());
    assert_eq!(header(&message, "millstream-pipeline"), Some("p"));
    assert_eq!(header(&message, "millstream-definition"), Some("d00d"));
    assert_eq!(header(&message, "millstream-source"), Some("in/5/1000"));
    assert_eq!(out.message(1).parts.key, Some(&b"e1|1970-01-01T00:00:00.000001Z"[..]));
    assert_eq!(header(&out.message(2), "millstream-late"), Some("1"));

    let all = EncodeInput { pass_through: PassThrough::All, ..input(&schema) };
    let (out, _) = encode("json", &all, &batch, (3, 1));
    let second = out.message(0).headers().nth(1).unwrap();
    assert_eq!((second.name, second.value), (&b"b\xff"[..], None));

    let other = PassThrough::Named(vec!["other".to_owned()]);
    let no_key = EncodeInput { pass_through: other, entity: &[], ..input(&schema) };
    let (out, _) = encode("json", &no_key, &batch, (3, 1));
    assert_eq!(out.message(1).parts.key, None);
    assert_eq!(out.message(1).headers().len(), 4, "traceparent and the three of its own");
}

fn same_bits(a: Option<f64>, b: Option<f64>) -> bool {
    a.map(f64::to_bits) == b.map(f64::to_bits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn json_reads_back_as_it_was(rows in proptest::collection::vec(any_vector(), 1..6)) {
        let (out, rejected) = encode("json", &input(&schema()), &vectors(&rows), (rows.len(), 1));
        prop_assert!(rejected.0.is_empty());
        for (message, expected) in out.iter().zip(&rows) {
            let mut read: Vector = serde_json::from_slice(message.value.unwrap()).unwrap();
            let finite = expected.number.filter(|x| x.is_finite());
            prop_assert!(same_bits(read.number, finite), "{:?} {:?}", read.number, finite);
            read.number = expected.number;
            let singles = |vector: &Vector| [&[vector.single][..], &vector.fixed].concat();
            for (read, expected) in singles(&read).into_iter().zip(singles(expected)) {
                let finite = expected.filter(|x| x.is_finite());
                prop_assert_eq!(read.map(f32::to_bits), finite.map(f32::to_bits));
            }
            (read.single, read.fixed) = (expected.single, expected.fixed);
            // NaN is not equal to itself.
            prop_assert_eq!(format!("{:?}", read), format!("{:?}", expected));
        }
    }

    #[test]
    fn batches_do_not_show_in_json(
        rows in proptest::collection::vec(any_vector(), 1..12), size in 1_usize..5
    ) {
        let batch = vectors(&rows);
        let messages = |format, size| {
            let (out, _) = encode(format, &input(&schema()), &batch, (size, 2));
            let show = |m: Message<'_>| {
                (format!("{:?}", m.parts), m.value.map(<[u8]>::to_vec), m.headers().len())
            };
            out.iter().map(show).collect::<Vec<_>>()
        };
        for format in ["json", "json_array"] {
            prop_assert_eq!(messages(format, size), messages(format, rows.len()), "{}", format);
        }
    }
}

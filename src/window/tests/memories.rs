//! What remembers without a window: when it forgets, how it is saved, what it is called.

use super::*;
use crate::state::{Keys, snapshot};

/// Streams with values that squares of can be taken of.
pub(super) fn tame(len: usize, lateness: i64) -> impl Strategy<Value = Vec<Record>> {
    let great = |value: &mut f64| *value = if value.abs() > 1e6 { 0.5 } else { *value };
    let spread = prop_oneof![Just(1_i64), Just(30)];
    (streams(len, lateness), spread, any::<bool>()).prop_map(move |(mut records, spread, odd)| {
        for record in &mut records {
            record.time *= spread;
            if let Some(value) = record.value.as_mut().filter(|value| value.is_finite() || !odd) {
                great(value);
            }
        }
        records
    })
}

pub(super) fn watermarks(records: &[Record], lateness: i64) -> Vec<i64> {
    rows(records, 0, &mut i64::MIN.clone(), lateness).watermarks
}

const SPECS: &str = r"
- { of: x, compute: [ewma: { half_life: 6us }, ewma: { span: 5, adjust: true }] }
- { of: x, compute: [ewm_var: { half_life: 6us }, ewm_std: { alpha: 0.2, bias: true }] }
- { of: x, forget_after: 12us, compute: [decayed_sum: { half_life: 6us }, ewma: { com: 4 }] }
- { of: text, where: flag, compute: [decayed_count: { half_life: 1us }] }
";

/// The rows with the slots that keys of that horizon have, expired ones forgotten after each batch.
fn with_keys(records: &[Record], cut: usize, mut keys: Keys) -> RecordBatch {
    let mut windows = build(SPECS);
    let (mut highest, mut out) = (i64::MIN, Vec::new());
    for (number, records) in records.chunks(cut).enumerate() {
        let mut rows = rows(records, number * cut, &mut highest, 5);
        let names = records.iter().map(|r| Some(format!("key {}", r.slot)));
        let key: ArrayRef = Arc::new(names.collect::<StringArray>());
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        keys.advance(&[key], &rows.event_times, &rows.watermarks, &mut slots, &mut expired);
        rows.slots = slots;
        out.push(windows.advance(rows, &mut Rejections::default()).columns);
        for slot in expired {
            windows.forget(slot);
        }
    }
    arrow::compute::concat_batches(&windows.schema(), &out).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whoever else needs a key for longer, a recursion begins anew where its own horizon is past.
    #[test]
    fn a_key_that_expires_takes_nothing_with_it(records in tame(120, 5), cut in 1..9_usize) {
        for own in ["- { of: x, compute: [ewma: { half_life: 6us }] }", SPECS] {
            let horizon = build(own).horizon();
            let expiring = with_keys(&records, cut, Keys::for_batches_of(8, horizon));
            let kept = with_keys(&records, 1, Keys::new(Horizon::Forever));
            // Of the first specification, the first column alone is bound to the horizon.
            let columns = if own == SPECS { kept.num_columns() } else { 4 };
            for (a, b) in kept.columns().iter().zip(expiring.columns()).take(columns) {
                prop_assert_eq!(bits(a).to_data(), bits(b).to_data());
            }
        }
    }
}

/// Records of several keys, with all that is remembered of them.
fn remembered(from: i64) -> Vec<Record> {
    let record = |i: i64| Record {
        flag: Some(i % 3 > 0),
        text: (i % 4 > 0).then_some("t"),
        ..Record::new(
            Slot::try_from(i % 7).unwrap(),
            from + i * 3 / 7 - i % 5,
            (i % 6 > 0).then_some((i * 37 % 101) as f64 / 8.0),
        )
    };
    (0..200).map(record).collect()
}

fn restored(bytes: &[u8]) -> Result<Windows, SnapshotError> {
    let (_, sections) = snapshot::read(bytes)?;
    let mut windows = build(ONE_EACH);
    windows.restore(0, &sections.component(snapshot::testing::PART), 7)?;
    Ok(windows)
}

/// One of these alone, so that there is one part.
const ONE_EACH: &str = "[{ of: x, compute: [ewm_var: { half_life: 6us, adjust: true }] }]";

fn written(windows: &Windows) -> Vec<u8> {
    snapshot::testing::written(windows.capture().remove(0))
}

#[test]
fn restored_states_go_on_as_if_they_had_never_stopped() {
    let mut windows = build(ONE_EACH);
    run(&mut windows, &remembered(100), 9, &[]);
    let bytes = written(&windows);
    let mut twin = restored(&bytes).unwrap();
    assert!(written(&twin) == bytes && windows.state_bytes() > 0);
    for from in [190, 2_000] {
        assert_eq!(twin.state_bytes(), windows.state_bytes());
        let [a, b] = [&mut windows, &mut twin].map(|windows| {
            let out = run(windows, &remembered(from), 9, &[]).remove(0);
            windows.forget(3);
            (format!("{out:?}"), written(windows))
        });
        assert!(a == b);
    }
    (0..7).for_each(|slot| windows.forget(slot));
    assert_eq!(windows.state_bytes(), 0);
}

#[test]
fn states_that_no_records_lead_to_are_an_error_and_no_panic() {
    let mut windows = build(ONE_EACH);
    run(&mut windows, &remembered(100), 9, &[]);
    let (mut refused, mut taken) = (0, 0);
    for forged in snapshot::testing::forgeries(&written(&windows)) {
        match restored(&forged) {
            Ok(mut twin) => {
                run(&mut twin, &remembered(190), 9, &[]);
                (0..7).for_each(|slot| twin.forget(slot));
                assert_eq!(twin.state_bytes(), 0);
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20 && taken > 5, "{refused} {taken}");
}

/// A tie and a step back: none of the weight without `adjust`, what it would have had with it.
#[test]
fn a_record_that_is_behind_weighs_what_it_would_have_weighed() {
    let yaml = "[{ of: x, compute: [ewma: { half_life: 10us }, \
                 ewma: { half_life: 10us, adjust: true, as: adjusted }] }]";
    let of = |records: &[Record], name: &str| {
        let out = run(&mut build(yaml), records, 100, &[]).remove(0);
        float(&out, name, records.len() - 1).unwrap()
    };
    let late = [(100, 1.0), (120, 2.0), (110, 5.0)].map(|(t, x)| Record::new(0, t, x));
    let in_time = [(100, 1.0), (110, 5.0), (120, 2.0)].map(|(t, x)| Record::new(0, t, x));
    assert!((of(&late, "adjusted") - of(&in_time, "adjusted")).abs() < 1e-15);
    assert!((of(&late, "x_ewma_10us") - 1.75).abs() < 1e-15, "a quarter of the first is left");
    assert!((of(&in_time, "x_ewma_10us") - 2.5).abs() < 1e-15);
}

#[test]
fn what_would_make_a_state_infinite_is_not_learned() {
    let yaml = "[{ of: x, compute: [ewma: { span: 3 }, ewm_var: { span: 3 }, \
                 decayed_sum: { half_life: 1000 rows }, decayed_count: { half_life: 1000 rows }] }]";
    let values = [1.0, f64::INFINITY, f64::NAN, f64::MAX, f64::MAX, f64::MIN, 3.0];
    let records = values.map(|x| Record::new(0, 5, x));
    let out = run(&mut build(yaml), &records, 0, &[]).remove(0);
    for row in 0..records.len() {
        for name in ["x_ewma_span_3", "x_decayed_sum_1000r", "x_decayed_count_1000r"] {
            assert!(float(&out, name, row).unwrap().is_finite(), "{name} {row}");
        }
    }
    let count = float(&out, "x_decayed_count_1000r", 6).unwrap();
    assert!((count - 7.0).abs() < 0.02, "a count is one of all values");
    assert_eq!(float(&out, "x_ewm_var_span_3", 5), None, "none but the first was learned");
    assert!(float(&out, "x_ewm_var_span_3", 6).unwrap() > 0.0);
}

/// Two million values around a mean far from zero, against two passes over what still counts.
#[test]
fn long_streams_do_not_drift() {
    let yaml = "[{ of: x, compute: [ewma: { half_life: 300 rows, adjust: true }, \
                 ewm_std: { half_life: 300 rows, adjust: true, bias: true }] }]";
    let mut windows = build(yaml);
    let x = |i: i64| 1e6 + (i.wrapping_mul(0x9E37_79B9) >> 7).rem_euclid(1_009) as f64 / 1_009.0;
    let (batch, batches) = (50_000_i64, 40_i64);
    let mut highest = i64::MIN;
    let mut last = None;
    for number in 0..batches {
        let records: Vec<Record> =
            (number * batch..(number + 1) * batch).map(|i| Record::new(0, i, x(i))).collect();
        let rows = rows(&records, 0, &mut highest, 0);
        last = Some(windows.advance(rows, &mut Rejections::default()).columns);
    }
    let (out, n) = (last.unwrap(), batch * batches);
    let weights = || (0..20_000_i64).map(|age| (0.5_f64.powf(age as f64 / 300.0), x(n - 1 - age)));
    let w: f64 = weights().map(|(w, _)| w).sum();
    let mean = 1e6 + weights().map(|(w, x)| w * (x - 1e6)).sum::<f64>() / w;
    let var = weights().map(|(w, x)| w * (x - mean) * (x - mean)).sum::<f64>() / w;
    let row = usize::try_from(batch - 1).unwrap();
    let got = [float(&out, "x_ewma_300r", row), float(&out, "x_ewm_std_300r", row)];
    let [got_mean, got_std] = got.map(Option::unwrap);
    assert!((got_mean / mean - 1.0).abs() < 1e-9, "{got_mean} {mean}");
    assert!((got_std / var.sqrt() - 1.0).abs() < 1e-9, "{got_std} {}", var.sqrt());
}

#[test]
fn names_and_plans_say_what_is_remembered_and_how_long() {
    let windows = build(
        "- { of: x, compute: [ewma: { half_life: 1 h }, ewm_var: { half_life: 10 rows }] }\n\
         - { of: x, per: partition, min_count: 3, compute: [ewm_std: { alpha: 0.25 }] }\n\
         - { of: x, forget_after: 2d, compute: [ewma: { com: 9 }] }\n\
         - { exclude_current: true, compute: [decayed_count: { half_life: 1d }] }",
    );
    let schema = windows.schema();
    let names: Vec<_> = schema.fields().iter().skip(3).map(|f| f.name().as_str()).collect();
    let expected = [
        "x_ewma_1h",
        "x_ewm_var_10r",
        "x_ewm_std_alpha_0_25_partition",
        "x_ewma_com_9",
        "decayed_count_1d",
    ];
    assert_eq!(names, expected);
    assert!(!schema.field_with_name("decayed_count_1d").unwrap().is_nullable());
    let plans = windows.describe();
    assert_eq!(plans[0].shape, "all so far, weights halved in 1h");
    assert_eq!(plans[0].retained, "a state of a key until 64h after the last value");
    assert_eq!(plans[2].retained, "a state of the partition for ever");
    assert_eq!(plans[4].shape, "all so far before the record, weights halved in 1d");
    assert!(plans.iter().all(WindowPlan::order_sensitive));
}

#[test]
fn horizon_and_reach_are_as_long_as_what_is_remembered() {
    let of = |yaml: &str| {
        let windows = build(yaml);
        (windows.horizon(), windows.reach())
    };
    let by_time = "of: x, compute: [ewma: { half_life: 2us }]";
    let forever = Horizon::Forever;
    for (yaml, horizon, reach) in [
        (format!("- {{ {by_time} }}"), Horizon::For(128), Horizon::For(256)),
        (format!("- {{ forget_after: 9us, {by_time} }}"), Horizon::For(9), Horizon::For(137)),
        (format!("- {{ min_count: 1, {by_time} }}"), Horizon::For(128), forever),
        (format!("- {{ per: partition, {by_time} }}"), Horizon::Stateless, forever),
        ("- { of: x, compute: [ewma: { span: 2 }] }".to_owned(), forever, forever),
        (
            "- { of: x, forget_after: 9us, compute: [ewma: { span: 2 }] }".to_owned(),
            Horizon::For(9),
            forever,
        ),
    ] {
        assert_eq!(of(&yaml), (horizon, reach), "{yaml}");
    }
}

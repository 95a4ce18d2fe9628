use super::{
    testing::{Row, rows},
    *,
};
use crate::state::{Keys, snapshot};
use arrow::compute::concat_batches;
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::Arc};

#[test]
fn every_operator_has_a_name_a_sentence_and_an_example_that_builds() {
    let schema = testing::schema();
    let mut names = BTreeSet::new();
    for operator in OPERATORS {
        let name = operator.name;
        assert!(names.insert(name), "{name} stands twice");
        assert!(operator.summary.ends_with('.'), "{name}: {}", operator.summary);
        assert!(operator.summary.starts_with(char::is_uppercase), "{name}");
        assert!(operator.summary.len() < 120, "{name}: one sentence");
        let node = Node::parse(operator.example).unwrap();
        let built = (operator.build)(&node, &Input::of(&schema));
        let clean = built.unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let takes_away = name == "drop";
        assert_eq!(clean.schema().fields().len() < schema.fields().len(), takes_away, "{name}");
        let options = (operator.schema)();
        let told = ["properties", "anyOf"].iter().any(|key| options.get(*key).is_some());
        assert!(told, "{name}: editors complete its options");
    }
    assert!(OPERATORS.is_sorted_by_key(|operator| operator.name));
}

#[test]
fn every_operator_refuses_unknown_keys_and_columns() {
    let schema = testing::schema();
    for operator in OPERATORS.iter().filter(|operator| operator.example.starts_with('{')) {
        let refusal = |text: &str| {
            let node = Node::parse(text).unwrap();
            (operator.build)(&node, &Input::of(&schema)).unwrap_err()
        };
        let problem = refusal(&operator.example.replacen('{', "{ colour: red, ", 1));
        assert_eq!(problem.what, "unknown key `colour`", "{}", operator.name);
        let misspelt = ["amount", "category", "tx_id"]
            .into_iter()
            .fold(operator.example.to_owned(), |text, name| {
                text.replace(name, &format!("{name}x"))
            });
        if misspelt == operator.example {
            continue;
        }
        let problem = refusal(&misspelt);
        assert!(problem.nearest.is_some(), "{}: {problem}", operator.name);
        assert!(problem.at.is_some_and(|at| at.column > 1), "{}: {problem}", operator.name);
    }
}

/// What an operator gives for rows that come in batches of `cut`, key slots and expiry included.
fn with_keys(options: (&str, &str), history: &[Row<'_>], cut: usize, mut keys: Keys) -> String {
    let mut clean = testing::build(options.0, options.1).unwrap();
    let mut results = Vec::new();
    for batch in history.chunks(cut) {
        let mut batch = rows(batch);
        let (mut slots, mut expired) = (Vec::new(), Vec::new());
        let key = Arc::clone(&batch.columns["category"]);
        keys.advance(&[key], &batch.event_times, &batch.watermarks, &mut slots, &mut expired);
        batch.slots = slots;
        results.push(clean.advance(batch, &mut Rejections::default()).columns);
        for slot in expired {
            clean.forget(slot);
        }
    }
    format!("{:?}", concat_batches(&clean.schema(), &results).unwrap())
}

proptest! {
    #[test]
    fn a_key_that_expires_takes_nothing_with_it(
        steps in prop::collection::vec(
            (-20i64..20, 0usize..5, prop::option::of(0u8..9), 0i64..9), 1..100,
        ),
        cut in 1usize..6,
    ) {
        let mut watermark = 0;
        let row = |(ahead, key, amount, step): (i64, usize, Option<u8>, i64)| {
            watermark += step;
            Row {
                time: watermark + ahead,
                watermark,
                category: Some(["a", "b", "c", "d", "e"][key]),
                amount: amount.map(f64::from),
                ..Row::default()
            }
        };
        let history: Vec<Row<'_>> = steps.into_iter().map(row).collect();
        for options in [
            ("fill", "{ column: amount, with: last, within: 12us }"),
            ("fill", "{ column: amount, with: last }"),
            ("fill", "{ column: amount, with: median, over: 12us }"),
            (
                "outlier",
                "{ column: amount, method: zscore, over: 25us, threshold: 1, min_count: 2 }",
            ),
            ("outlier", "{ column: amount, method: iqr, over: 25us, k: 0.2, min_count: 2 }"),
            (
                "outlier",
                "{ column: amount, method: rate_of_change, max_per_second: 2e5, within: 12us }",
            ),
            ("outlier", "{ column: amount, method: stuck, count: 2, within: 12us }"),
            ("smooth", "{ column: amount, method: median, over: 25us }"),
            ("smooth", "{ column: amount, method: mean, over: 3 rows, within: 12us }"),
            ("smooth", "{ column: amount, method: exponential, half_life: 9us, within: 12us }"),
            (
                "smooth",
                "{ column: amount, method: kalman, process_noise: 1, measurement_noise: 4, within: 12us }",
            ),
            ("throttle", "{ every: 12us }"),
        ] {
            let horizon = testing::build(options.0, options.1).unwrap().horizon();
            let kept = with_keys(options, &history, 1, Keys::new(Horizon::Forever));
            let expiring = Keys::for_batches_of(5, horizon);
            prop_assert_eq!(&kept, &with_keys(options, &history, cut, expiring), "{:?}", options);
        }
    }
}

/// Rows with all that operators remember: same ids, outliers, missing values, several slots.
fn remembered(watermark: i64) -> Rows {
    let names: Vec<String> = (0..300).map(|i| format!("t{}", i % 40 + i / 60 * 60)).collect();
    let history: Vec<Row<'_>> = (0..300_u32)
        .zip(&names)
        .map(|(i, name)| Row {
            time: watermark + i64::from(i * 7 % 13),
            watermark: watermark + i64::from(i) / 30,
            slot: i % 5,
            tx_id: Some(name),
            amount: (i % 4 > 0).then(|| f64::from(i % 17)),
            items: (i % 3 > 0).then(|| i64::from(i)),
            category: (i % 6 > 0).then_some("fuel"),
            refunded: Some(i % 2 == 0),
        })
        .collect();
    rows(&history)
}

/// What keeps something and is no example.
const MORE: [(&str, &str); 14] = [
    ("fill", "{ column: amount, with: mean, over: 1s }"),
    ("fill", "{ column: items, with: mode, over: 9us }"),
    ("fill", "{ column: category, with: mode, over: 1s }"),
    ("drop_duplicates", "{ by: [tx_id], within: 1s, approximate: { records: 90 } }"),
    ("fill", "{ column: category, with: last, within: 10us }"),
    ("outlier", "{ column: items, method: zscore, over: 1s, threshold: 4, per: partition }"),
    ("outlier", "{ column: amount, method: modified_zscore, over: 1s, min_count: 5 }"),
    ("outlier", "{ column: amount, method: rate_of_change, max_per_second: 3e5 }"),
    ("outlier", "{ column: items, method: stuck, count: 2, within: 1s }"),
    ("smooth", "{ column: amount, method: mean, over: 7us }"),
    ("smooth", "{ column: items, method: median, over: 4 rows, within: 1h }"),
    ("smooth", "{ column: amount, method: exponential, alpha: 0.3, adjust: true, within: 9us }"),
    (
        "smooth",
        "{ column: amount, method: kalman, process_noise: 1, measurement_noise: 4, per: partition }",
    ),
    ("throttle", "{ every: 3us }"),
];

/// Every operator that keeps something, with that kept.
fn stateful() -> Vec<(&'static str, String, Box<dyn Clean>)> {
    let mut found = Vec::new();
    let examples = OPERATORS.iter().map(|operator| (operator.name, operator.example.to_owned()));
    let more = MORE.map(|(name, options)| (name, options.to_owned()));
    for (name, options) in examples.chain(more) {
        let mut clean = testing::build(name, &options).unwrap();
        clean.advance(remembered(0), &mut Rejections::default());
        let (has_bytes, is_captured) = (clean.state_bytes() > 0, clean.capture().is_some());
        assert_eq!(has_bytes, is_captured, "{name}: what is kept is saved");
        if is_captured {
            found.push((name, options, clean));
        }
    }
    assert!(found.len() >= 5);
    found
}

fn restored(name: &str, options: &str, bytes: &[u8]) -> Result<Box<dyn Clean>, SnapshotError> {
    let (_, sections) = snapshot::read(bytes)?;
    let mut clean = testing::build(name, options).unwrap();
    clean.restore(&sections.component(snapshot::testing::PART), 5)?;
    Ok(clean)
}

#[test]
fn a_restored_operator_goes_on_as_if_it_had_never_stopped() {
    for (name, options, mut clean) in stateful() {
        let bytes = snapshot::testing::written(clean.capture().unwrap());
        let mut twin = restored(name, &options, &bytes).unwrap();
        for watermark in [12, 40] {
            assert_eq!(twin.state_bytes(), clean.state_bytes(), "{name}");
            let [a, b] = [&mut clean, &mut twin].map(|clean| {
                let mut left = Rejections::default();
                let rows = clean.advance(remembered(watermark), &mut left);
                clean.forget(3);
                (format!("{rows:?} {left:?}"), snapshot::testing::written(clean.capture().unwrap()))
            });
            assert_eq!(a.0, b.0, "{name}");
            assert!(a.1 == b.1, "{name}");
        }
    }
}

#[test]
fn tables_that_do_not_agree_are_an_error_and_no_panic() {
    for (name, options, clean) in stateful() {
        let (mut refused, mut taken) = (0, 0);
        let bytes = snapshot::testing::written(clean.capture().unwrap());
        for forged in snapshot::testing::forgeries(&bytes) {
            match restored(name, &options, &forged) {
                Ok(mut twin) => {
                    twin.advance(remembered(12), &mut Rejections::default());
                    twin.forget(3);
                    taken += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 5 && taken > 0, "{name}: {refused} {taken}");
    }
}

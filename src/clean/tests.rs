use super::{
    testing::{Row, rows},
    *,
};
use crate::state::Keys;
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
        assert!(clean.schema().fields().len() >= schema.fields().len(), "{name}");
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
            (
                "outlier",
                "{ column: amount, method: zscore, over: 25us, threshold: 1, min_count: 2 }",
            ),
        ] {
            let horizon = testing::build(options.0, options.1).unwrap().horizon();
            let kept = with_keys(options, &history, 1, Keys::new(Horizon::Forever));
            let expiring = Keys::for_batches_of(5, horizon);
            prop_assert_eq!(&kept, &with_keys(options, &history, cut, expiring), "{:?}", options);
        }
    }
}

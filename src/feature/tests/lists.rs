//! Features of features, hidden ones, element types, vectors.

use super::{TS, build, compute, error, numbers, rows, schema};
use crate::{
    feature::{Elements, Features, Nulls},
    registry::{Node, Position},
};
use arrow::{
    array::AsArray,
    datatypes::{DataType, Float32Type, Float64Type},
};
use proptest::prelude::*;

#[test]
fn a_feature_sees_the_columns_and_the_features_before_it() {
    let times = [0; 4];
    let vectors = compute(
        "[impute: { column: amount, value: 1.5, as: filled }, standardize: { column: filled, mean: 1, std: 2, \
         as: z }, y: z + count, amount: amount * 100, b: amount + 1, one_hot: { column: category, values: \
         [fuel] }, both: category_fuel + filled]",
        &times,
    );
    assert_eq!(numbers(&vectors, "filled"), [0.0, 2.5, 5.0, 1.5].map(Some));
    assert_eq!(numbers(&vectors, "z"), [-0.5, 0.75, 2.0, 0.25].map(Some));
    assert_eq!(numbers(&vectors, "y"), [Some(-0.5), Some(1.75), Some(4.0), None]);
    // The column, not the feature of its name.
    assert_eq!(numbers(&vectors, "b"), [Some(1.0), Some(3.5), Some(6.0), None]);
    assert_eq!(numbers(&vectors, "both"), [1.0, 2.5, 5.0, 1.5].map(Some));
    let error = error("[z: amount + 1, y: zz + 1]");
    assert!(
        error.contains("unknown column `zz`") && error.ends_with("did you mean `z`?"),
        "{error}"
    );
}

#[test]
fn each_item_that_is_wrong_is_told_and_what_follows_from_it_is_not() {
    let list = Node::parse(
        "[a: amuont + 1, b: a + 1, one_hot: { column: category, values: [] }, c: category_fuel + 1, \
         d: contu + 1, e: count + 1, f: e + 1]",
    );
    let list = list.unwrap();
    let problems = Features::build(list.as_list().unwrap(), &schema(), TS).unwrap_err();
    let whats: Vec<&str> = problems.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(whats.len(), 3, "{whats:?}");
    assert!(whats[0].starts_with("unknown column `amuont`"));
    assert_eq!(whats[1], "no values");
    assert!(whats[2].starts_with("unknown column `contu`"));
}

#[test]
fn hidden_features_do_not_leave_and_reject_nothing() {
    let hide = |text: &str| {
        let node = Node::parse(text).unwrap();
        let names = node.as_list().unwrap();
        let hidden: Vec<_> = names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        let features = build("[a: amount + 1, b: 'coalesce(a, 0)', c: b * 2]").unwrap();
        features.without(&hidden, names).map_err(|problems| problems[0].to_string())
    };
    let features = hide("[a, b]").unwrap().with_nulls(Nulls::Reject, Position::default()).unwrap();
    let vectors = features.advance(&rows(&[0; 4]), &[0; 4]);
    assert_eq!(vectors.columns.num_columns(), 1);
    assert_eq!(numbers(&vectors, "c"), [2.0, 7.0, 12.0, 0.0].map(Some));
    assert!(vectors.failed.is_empty());
    let unknown = "1:5: unknown feature `d`; expected one of `a`, `b`, `c`";
    assert_eq!(hide("[a, d]").unwrap_err(), unknown);
    let none = "1:2: no feature is left; expected one that is not hidden";
    assert_eq!(hide("[a, b, c]").unwrap_err(), none);
}

#[test]
fn floats_leave_in_the_declared_type_after_nulls_are_replaced() {
    let features = build("[amount, count, third: amount / 3]").unwrap();
    let features = features.with_nulls(Nulls::Constant(-1.0), Position::default()).unwrap();
    let features = features.with_elements(Elements::Float32);
    let vectors = features.advance(&rows(&[0; 4]), &[0; 4]);
    let types: Vec<_> =
        features.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types, [DataType::Float32, DataType::Int64, DataType::Float32]);
    let third = vectors.columns.column(2).as_primitive::<Float32Type>();
    assert_eq!(third.values().as_ref(), [0.0, 2.5 / 3.0, 5.0 / 3.0, -1.0_f32]);
}

#[test]
fn vectors_hold_what_stands_for_nulls() {
    let vector = |nulls: &str| {
        let text = format!(
            "[half: amount / 2, vector: {{ columns: [half, ok, id], type: float32, nulls: {nulls}, as: v }}]"
        );
        let vectors = compute(&text, &[0; 4]);
        let list = vectors.columns.column_by_name("v").unwrap().as_fixed_size_list().clone();
        let items = list.value(3);
        let items: Vec<_> = items.as_primitive::<Float32Type>().iter().collect();
        let first = list.value(1).as_primitive::<Float32Type>().values().to_vec();
        assert_eq!(first, [1.25, 0.0, 1.0]);
        (items, vectors.failed.len(), list.value_type())
    };
    let three = Some(3.0);
    assert_eq!(vector("null").0, [None, None, three]);
    assert_eq!(vector("0.5").0, [Some(0.5), Some(0.5), three]);
    let (items, failed, data_type) = vector("nan");
    assert!(items[0].unwrap().is_nan() && items[1].unwrap().is_nan());
    assert_eq!((failed, data_type), (0, DataType::Float32));
    assert_eq!(vector("reject").1, 1);
    let refused = "1:30: column `category` is of type Utf8; expected numbers or booleans";
    assert_eq!(error("[vector: { columns: [amount, category] }]"), refused);
    let refused = "1:38: unknown value `zero`; expected one of `null`, `nan`, `reject`, `a number`";
    assert_eq!(error("[vector: { columns: [amount], nulls: zero }]"), refused);
}

proptest! {
    #[test]
    fn batches_do_not_show_in_vectors_of_features(count in 1..20_usize, size in 1..6_usize) {
        let text = "[a: amount / 2, spline: { column: a, knots: [0, 5, 20] }, text_hashing: { column: \
            category, outputs: 3 }, vector: { columns: [a, a_spline_0, a_spline_3, category_hash_1], nulls: \
            reject }]";
        let features = build(text).unwrap();
        let times = vec![0; count];
        let rows = rows(&times);
        let whole = features.advance(&rows, &times);
        for first in (0..count).step_by(size) {
            let size = size.min(count - first);
            let part = features.advance(&rows.slice(first, size), &times[..size]);
            prop_assert_eq!(&part.columns, &whole.columns.slice(first, size));
        }
        let list = whole.columns.column_by_name("features").unwrap().as_fixed_size_list();
        let halves = numbers(&whole, "a");
        for (row, half) in halves.iter().enumerate().filter(|(_, half)| half.is_some()) {
            let found = list.value(row).as_primitive::<Float64Type>().value(0);
            prop_assert_eq!(found.to_bits(), half.unwrap().to_bits());
        }
    }
}

//! Listed values, levels, places and moments: what encoders make of them and what they refuse.

use super::{compute, error, numbers};
use arrow::{array::AsArray, datatypes::DataType};

#[test]
fn encoders_know_listed_values_unlisted_ones_and_nulls() {
    let times: Vec<i64> = (0..8).collect();
    let vectors = compute(
        "[ordinal: { column: category, values: [food, fuel], unknown: 9 }, ordinal: { column: category, \
         values: [food], missing: -2, as: code }, binary: { column: count, values: [0, 1, 2, 4, 5] }, \
         target: { column: category, values: { food: 0.5, fuel: 0.25 }, unknown: 0.1, missing: 0.2 }, \
         frequency: { column: ok, values: { true: 7 } }, thermometer: { column: amount, levels: [0.5, 5] }]",
        &times,
    );
    let expect = |name: &str, expected: [Option<f64>; 8]| {
        assert_eq!(numbers(&vectors, name), expected, "{name}");
    };
    // fuel, food, "", null, food, "", fuel, null
    let [no, zero, one] = [None, Some(0.0), Some(1.0)];
    let nine = Some(9.0);
    expect("category_code", [one, zero, nine, no, zero, nine, one, no]);
    let [other, null] = [Some(-1.0), Some(-2.0)];
    expect("code", [other, zero, other, null, zero, other, other, null]);
    // 0, 1, 2, null, 4, 5, 6, null: codes 1, 2, 3, 0, 4, 5, 0, 0
    expect("count_0", [zero, zero, zero, zero, one, one, zero, zero]);
    expect("count_1", [zero, one, one, zero, zero, zero, zero, zero]);
    expect("count_2", [one, zero, one, zero, zero, one, zero, zero]);
    let [food, fuel, unknown, missing] = [0.5, 0.25, 0.1, 0.2].map(Some);
    expect("category_target", [fuel, food, unknown, missing, food, unknown, fuel, missing]);
    let seven = Some(7.0);
    expect("ok_frequency", [seven, zero, seven, no, seven, zero, seven, no]);
    // 0, 2.5, 5, null, 10, 12.5, 15, null
    expect("amount_from_0.5", [zero, one, one, no, one, one, one, no]);
    expect("amount_from_5", [zero, zero, one, no, one, one, one, no]);
    assert!(vectors.failed.is_empty());
    let rejected =
        compute("[ordinal: { column: category, values: [food, fuel], unknown: reject }]", &times);
    let rows: Vec<usize> = rejected.failed.iter().map(|failed| failed.row).collect();
    assert_eq!(rows, [2, 5], "a null is not unknown");
}

#[test]
fn one_hot_groups_drops_and_marks_nulls_as_it_is_told() {
    let times: Vec<i64> = (0..4).collect();
    let hot = |options: &str| {
        let vectors = compute(
            &format!("[one_hot: {{ column: category, values: [fuel], as: c{options} }}]"),
            &times,
        );
        let schema = vectors.columns.schema();
        let of = |name: &String| {
            let digits = numbers(&vectors, name).into_iter().map(|x| x.unwrap().to_string());
            format!("{name} {}", digits.collect::<String>())
        };
        schema.fields().iter().map(|field| of(field.name())).collect::<Vec<_>>().join(", ")
    };
    // fuel, food, "", null
    assert_eq!(hot(""), "c_fuel 1000");
    assert_eq!(hot(", missing: column"), "c_fuel 1000, c_null 0001");
    assert_eq!(hot(", infrequent: [food]"), "c_fuel 1000, c_infrequent 0100");
    let all = ", infrequent: [food], unknown: infrequent, missing: column";
    assert_eq!(hot(all), "c_fuel 1000, c_null 0001, c_infrequent 0110");
    assert_eq!(hot(&format!("{all}, drop: first")), "c_null 0001, c_infrequent 0110");
    assert_eq!(hot(&format!("{all}, drop: if_binary")), hot(all));
    assert_eq!(hot(", infrequent: [food], drop: if_binary"), "c_infrequent 0100");
    assert_eq!(hot(", unknown: infrequent"), "c_fuel 1000");
    let code =
        "[ordinal: { column: category, values: [fuel], infrequent: [food, ''], unknown: 2 }]";
    let expected = [Some(0.0), Some(1.0), Some(1.0), None];
    assert_eq!(numbers(&compute(code, &times), "category_code"), expected);
}

#[test]
fn what_is_missing_is_imputed_and_marked() {
    let times: Vec<i64> = (0..4).collect();
    let vectors = compute(
        "[impute: { column: amount, value: -1 }, impute: { column: count, value: 7 }, impute: { column: \
         count, value: 0.5, as: half }, impute: { column: ok, value: true }, impute: { column: category, \
         value: none }, is_missing: { column: amount }, is_missing: { column: category }]",
        &times,
    );
    let expect = |name: &str, expected: [f64; 4]| {
        assert_eq!(numbers(&vectors, name), expected.map(Some), "{name}");
    };
    expect("amount_imputed", [0.0, 2.5, 5.0, -1.0]);
    expect("count_imputed", [0.0, 1.0, 2.0, 7.0]);
    expect("half", [0.0, 1.0, 2.0, 0.5]);
    expect("ok_imputed", [1.0, 0.0, 1.0, 1.0]);
    expect("amount_is_missing", [0.0, 0.0, 0.0, 1.0]);
    expect("category_is_missing", [0.0, 0.0, 0.0, 1.0]);
    let texts = vectors.columns.column_by_name("category_imputed").unwrap();
    assert_eq!(texts.as_string::<i32>().value(3), "none");
    assert_eq!(vectors.columns.schema().field(1).data_type(), &DataType::Int64);
}

#[test]
fn long_lists_find_what_short_ones_do() {
    let times: Vec<i64> = (0..60).collect();
    let list = |n: i64| (0..n).map(|i| (i * 7 % n).to_string()).collect::<Vec<_>>().join(", ");
    let vectors = compute(
        &format!(
            "[ordinal: {{ column: id, values: [{}], as: short }}, ordinal: {{ column: id, values: [{}], \
             as: long }}]",
            list(16),
            list(50)
        ),
        &times,
    );
    let place = |n: i64, id: i64| (0..n).find(|i| i * 7 % n == id).unwrap_or(-1) as f64;
    for (name, n) in [("short", 16), ("long", 50)] {
        let expected: Vec<_> = (0..60).map(|id| Some(place(n, id))).collect();
        assert_eq!(numbers(&vectors, name), expected);
    }
}

#[test]
fn what_encoders_refuse() {
    let refused = [
        (
            "[ordinal: { column: category, values: [a, b], unknown: 1 }]",
            "1:56: 1 is the code of a listed value; expected a code below 0 or from 2 on",
        ),
        (
            "[target: { column: count, values: { 1: 0.5, x: 1 }, unknown: 0 }]",
            "1:45: string `x`; expected an integer, as the column is",
        ),
        (
            "[thermometer: { column: amount, levels: [2, 1] }]",
            "1:41: levels that do not ascend; expected one number or more, each greater than the one before",
        ),
        (
            "[haversine: { lat: lat, lon: lon, to: [91, 0] }]",
            "1:40: 91 degrees; expected degrees from -90 to 90",
        ),
        (
            "[one_hot: { column: category, values: [a], infrequent: [b, a] }]",
            "1:60: string `a` stands twice",
        ),
        (
            "[one_hot: { column: category, values: [a], drop: first }]",
            "1:50: the one output would be left out; expected two outputs or more",
        ),
        (
            "[impute: { column: count, value: none }]",
            "1:34: string `none` for column `count`, which is of type Int64; expected a number, text or \
             boolean, as the column is",
        ),
        (
            "[minmax: { column: amount, min: 0, max: 1, feature_range: [1, 1] }]",
            "1:59: a range from 1 to 1; expected two finite numbers, the second above the first",
        ),
        (
            "[polynomial: { columns: [amount], degree: 3, min_degree: 4 }]",
            "1:58: `min_degree` is 4; expected 2 to 3, the degree",
        ),
        (
            "[calendar: { column: day, parts: [day], zone: Europe/Zurich }]",
            "1:47: column `day` has dates; expected no zone: a date is the same everywhere",
        ),
        (
            "[calendar: { column: at, parts: [dya] }]",
            "1:34: unknown value `dya`; expected one of `year`, `quarter`, `month`, `week`, `day`, \
          `day_of_year`, `day_of_week`, `hour`, `minute`, `second`, `days_in_month`, `is_weekend`, \
          `is_month_start`, `is_month_end`, `is_quarter_start`, `is_quarter_end`, `is_year_start`, \
          `is_year_end`, `is_leap_year`, `is_business_day`, `is_business_hour`, `is_holiday`, `holiday`, \
          `days_to_holiday`, `days_since_holiday`; did you mean `day`?",
        ),
        ("[polynomial: { columns: [amount], degree: 5 }]", "1:43: degree 5; expected 2 to 4"),
        (
            "[hashing: { columns: [day], outputs: 4 }]",
            "1:23: column `day` is of type Date32; expected text, numbers or booleans",
        ),
    ];
    for (text, expected) in refused {
        assert_eq!(error(text), expected);
    }
}

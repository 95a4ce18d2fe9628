//! Listed values, levels, places and moments: what encoders make of them and what they refuse.

use super::{compute, error, numbers};

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
            "[calendar: { column: day, parts: [day], zone: Europe/Zurich }]",
            "1:47: column `day` has dates; expected no zone: a date is the same everywhere",
        ),
        (
            "[calendar: { column: at, parts: [dya] }]",
            "1:34: unknown value `dya`; expected one of `year`, `quarter`, `month`, `week`, `day`, \
          `day_of_year`, `day_of_week`, `hour`, `minute`, `second`, `is_weekend`, `is_month_start`, \
          `is_month_end`; did you mean `day`?",
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

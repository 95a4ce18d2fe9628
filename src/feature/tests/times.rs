//! Calendars with business hours and holidays, and the clocks of zones.

use super::{compute, error, numbers};
use arrow::array::{Array, AsArray};
use chrono::DateTime;

fn us(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

#[test]
fn business_hours_and_holidays_are_those_of_the_zone() {
    // A Thursday; Christmas; a Saturday; a Monday.
    let times = [
        "2026-12-24T07:59:59Z",
        "2026-12-24T08:00:00Z",
        "2026-12-24T15:59:59.999Z",
        "2026-12-24T16:00:00Z",
        "2026-12-24T23:00:00Z",
        "2026-12-25T12:00:00Z",
        "2026-12-26T12:00:00Z",
        "2026-12-28T12:00:00Z",
    ]
    .map(us);
    let calendar = |options: &str| {
        let text = format!(
            "[calendar: {{ column: ts, zone: Europe/Zurich, holidays: {{ 2026-12-25: Christmas, \
             2026-01-01: New Year }}, {options}, parts: [is_business_day, is_business_hour, is_holiday, \
             holiday, days_to_holiday, days_since_holiday] }}]"
        );
        compute(&text, &times)
    };
    let vectors = calendar("as: c");
    let expect = |name: &str, expected: [i32; 8]| {
        let expected = expected.map(|x| (x >= 0).then_some(f64::from(x)));
        assert_eq!(numbers(&vectors, name), expected, "{name}");
    };
    expect("c_is_business_day", [1, 1, 1, 1, 0, 0, 0, 1]);
    expect("c_is_business_hour", [0, 1, 1, 0, 0, 0, 0, 1]);
    expect("c_is_holiday", [0, 0, 0, 0, 1, 1, 0, 0]);
    expect("c_days_to_holiday", [1, 1, 1, 1, 0, 0, -1, -1]);
    expect("c_days_since_holiday", [357, 357, 357, 357, 0, 0, 1, 3]);
    let names = vectors.columns.column_by_name("c_holiday").unwrap().as_string::<i32>();
    assert_eq!((names.is_null(3), names.value(4)), (true, "Christmas"));
    let vectors = calendar("as: c, business_days: [saturday], business_hours: ['13:00', '24:00']");
    let expected = [0, 0, 0, 0, 0, 0, 1, 0].map(|x| Some(f64::from(x)));
    assert_eq!(numbers(&vectors, "c_is_business_hour"), expected);
}

#[test]
fn a_cycle_follows_the_clocks_through_their_changes() {
    // In Zurich the clock goes from 2 to 3 and from 3 back to 2.
    let times = [
        "2026-03-29T00:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
    ];
    let vectors =
        compute("[cyclic: { column: ts, period: day, zone: Europe/Zurich }]", &times.map(us));
    for (found, hour) in numbers(&vectors, "ts_day_sin").into_iter().zip([1.5, 3.0, 2.5, 2.5_f64]) {
        let expected = (std::f64::consts::TAU * hour / 24.0).sin();
        assert!((found.unwrap() - expected).abs() < 1e-12);
    }
}

#[test]
fn what_calendars_refuse() {
    let refused = [
        (
            "[calendar: { column: ts, parts: [is_holiday] }]",
            "1:33: `is_holiday` without holidays; expected their dates or a file of them under `holidays`",
        ),
        (
            "[calendar: { column: ts, parts: [is_holiday], holidays: { 25.12.2026: x } }]",
            "1:59: `25.12.2026` is no date; expected dates such as `2026-12-25`",
        ),
        (
            "[calendar: { column: ts, parts: [hour], business_hours: ['09:00', '17:00'] }]",
            "1:57: no part that asks for `business_hours`; expected one such as `is_business_day`, \
             `is_business_hour` or `is_holiday`",
        ),
        (
            "[calendar: { column: ts, parts: [is_business_hour], business_hours: ['22:00', '06:00'] }]",
            "1:69: hours that end before they begin; expected the beginning and the end on one day: \
             `[\"09:00\", \"17:00\"]`",
        ),
        (
            "[calendar: { column: ts, parts: [is_business_hour], business_hours: ['9', '17:00'] }]",
            "1:69: `9` is no time of a day; expected hours and minutes such as `09:00`, up to `24:00`",
        ),
        (
            "[cyclic: { column: count, period: 4, zone: Europe/Zurich }]",
            "1:44: column `count` has numbers; expected no zone",
        ),
        (
            "[cyclic: { column: day, period: week, zone: Europe/Zurich }]",
            "1:45: column `day` has dates; expected no zone: a date is the same everywhere",
        ),
    ];
    for (text, expected) in refused {
        assert_eq!(error(text), expected);
    }
}

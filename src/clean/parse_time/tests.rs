use crate::{
    batch::Reason,
    clean::testing::{self, Row, advance_both_ways},
};
use arrow::{
    array::AsArray, datatypes::TimestampMicrosecondType, util::display::array_value_to_string,
};

/// What the texts are read as, `-` where they fail.
fn read(options: &str, texts: &[&str]) -> Vec<String> {
    let rows: Vec<Row<'_>> =
        texts.iter().map(|text| Row { category: Some(text), ..Row::default() }).collect();
    let options = format!("{{ column: category, {options}, on_failure: null }}");
    let (rows, _) = advance_both_ways("parse_time", &options, &testing::rows(&rows), &[2]);
    let column = &rows.columns["category"];
    (0..texts.len())
        .map(|row| match array_value_to_string(column, row).unwrap() {
            text if text.is_empty() => "-".to_owned(),
            text => text,
        })
        .collect()
}

#[test]
fn clocks_of_a_zone_and_offsets() {
    let berlin = "format: '%d.%m.%Y %H:%M', zone: Europe/Berlin";
    assert_eq!(
        read(berlin, &["01.07.2024 12:00", "01.01.2024 12:00", "31.03.2024 02:30", "12:00", ""]),
        ["2024-07-01T10:00:00Z", "2024-01-01T11:00:00Z", "-", "-", "-"],
    );
    let twice = |rest: &str| read(&format!("{berlin}{rest}"), &["27.10.2024 02:30"]);
    assert_eq!(twice(""), ["-"]);
    assert_eq!(twice(", ambiguous: earlier"), ["2024-10-27T00:30:00Z"]);
    assert_eq!(twice(", ambiguous: later"), ["2024-10-27T01:30:00Z"]);
    assert_eq!(
        read(
            "format: '%Y-%m-%d %H:%M:%S%.f %z', zone: Europe/Berlin",
            &["2024-05-31 12:00:00.25 +0530", "2024-05-31 12:00:00 -0100"]
        ),
        ["2024-05-31T06:30:00.250Z", "2024-05-31T13:00:00Z"],
        "an offset wins",
    );
    assert_eq!(
        read("format: '%Y%m%d'", &["20240531", "20240230", "99990101"]),
        ["2024-05-31T00:00:00Z", "-", "9999-01-01T00:00:00Z"],
    );
    assert_eq!(read("format: '%s'", &["1717156800"]), ["2024-05-31T12:00:00Z"]);
    assert_eq!(
        read("format: '%b %e, %Y %I:%M %p'", &["May  3, 2024 12:05 AM", "Mai 3, 2024 1:00 PM"]),
        ["2024-05-03T00:05:00Z", "-"],
    );
    assert_eq!(
        read("format: rfc3339", &["2024-05-31T12:00:00.5+02:00", "2024-05-31"]),
        ["2024-05-31T10:00:00.500Z", "-"],
    );
}

#[test]
fn numbers_are_counted_in_their_unit_and_failures_leave() {
    let values = [Some(1_717_156_800_123), None, Some(i64::MAX), Some(-1)];
    let rows = values.map(|items| Row { items, ..Row::default() });
    let options = "{ column: items, unit: ms, as: at }";
    let (out, rejected) = advance_both_ways("parse_time", options, &testing::rows(&rows), &[3]);
    let times: Vec<_> =
        out.columns["at"].as_primitive::<TimestampMicrosecondType>().iter().collect();
    assert_eq!(times, [Some(1_717_156_800_123_000), None, Some(-1_000)]);
    let left: Vec<_> = rejected.iter().map(|gone| (gone.record, gone.reason)).collect();
    assert_eq!(left, [(2, Reason::Cast)]);
    assert_eq!(rejected[0].detail, "column `items` is not a time in the years 1 to 9999");
}

#[test]
fn mistakes_say_where_and_what() {
    let problem = |options: &str| testing::build("parse_time", options).unwrap_err().to_string();
    assert_eq!(
        problem("{ column: category, format: '%H:%M' }"),
        "1:29: `%H:%M` does not tell a date; expected year, month and day, such as `%Y-%m-%d`"
    );
    assert_eq!(
        problem("{ column: category, format: '%Y-%Q' }"),
        "1:29: `%Y-%Q` is no format of times; expected one of strptime, such as \
         `%Y-%m-%d %H:%M:%S`"
    );
    assert_eq!(
        problem("{ column: items, format: '%Y-%m-%d' }"),
        "1:11: column `items` is an integer; expected a string column"
    );
    assert_eq!(
        problem("{ column: category, unit: ms }"),
        "1:11: column `category` is a string; expected an integer column"
    );
    assert_eq!(
        problem("{ column: category }"),
        "1:1: nothing to read times by; expected `format` for texts or `unit` for integers"
    );
    let zone = problem("{ column: category, format: '%Y-%m-%d', zone: Europe/Berlni }");
    assert!(zone.starts_with("1:47: unknown time zone `Europe/Berlni`"), "{zone}");
}

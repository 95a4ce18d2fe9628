//! What `check` says about windows that cannot be built, and about those that can.

use super::*;

fn error(yaml: &str) -> String {
    let specs = Node::parse(yaml).unwrap();
    Windows::build(specs.as_list().unwrap(), &schema(), 0).unwrap_err().to_string()
}

fn assert_told(cases: &[(&str, &str)]) {
    let wrong = |(yaml, expected): &(&str, &str)| {
        let got = error(yaml);
        let said = format!("{yaml}\n  got      {got}\n  expected {expected}\n");
        (!got.contains(expected)).then_some(said)
    };
    let wrong: String = cases.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

/// Of tiles that cannot be, or that are asked for what they do not know.
#[test]
fn a_wrong_window_of_tiles_is_told_what_instead() {
    assert_told(&[
        (
            "- { over: 5 rows, resolution: 1h, compute: [count] }",
            "`resolution` beside a number of rows; expected `resolution` with `over: 30d`",
        ),
        (
            "- { session: 1h, within: 1d, resolution: 1m, compute: [count] }",
            "`resolution` beside `session`",
        ),
        (
            "- { over: 1h, resolution: 1h, compute: [count] }",
            "1:27: tiles of 1h; expected less than",
        ),
        (
            "- { over: 1d, resolution: 5m, closed: both, compute: [count] }",
            "`closed` beside `resolution`",
        ),
        (
            "- { over: 1d, resolution: 5m, delay: 7d, compute: [count] }",
            "`delay` beside `resolution`",
        ),
        (
            "- { tumbling: 1d, resolution: 7h, compute: [count] }",
            "tiles of 7h; expected tiles that fill the spans",
        ),
        (
            "- { over: 1d, resolution: 5m, of: x, compute: [median] }",
            "`median` looks at events, which tiles do not keep; expected an aggregate that tiles",
        ),
        (
            "- { over: 1d, resolution: 5m, compute: [time_since_last] }",
            "`time_since_last` looks at the event before",
        ),
        (
            "- { over: 1d, resolution: 5m, of: text, compute: [last] }",
            "`last` of texts, which tiles do not keep",
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a line or two for each mistake")]
fn a_wrong_window_is_told_where_what_and_what_instead() {
    let cases = [
        ("- { over: 1h, compute: [cuont] }", "unknown aggregate `cuont`; expected one of"),
        ("- { over: 1h, compute: [cuont] }", "did you mean `count`?"),
        (
            "- { over: 1h, of: y, compute: [sum] }",
            "1:19: no column `y`; expected one of `x`, `flag`, `text`",
        ),
        (
            "- { over: 1h, of: text, compute: [sum] }",
            "`sum` does not take column `text` of type Utf8; expected a numeric or boolean column",
        ),
        (
            "- { over: 1h, of: text, compute: [min] }",
            "expected a numeric, boolean, date or timestamp column",
        ),
        ("- { over: 1h, compute: [mean] }", "`mean` needs a column, named by `of`"),
        (
            "- { over: 1 hour, of: x, compute: [sum] }",
            "1:11: `1 hour` is no length of a window; expected a duration",
        ),
        ("- { over: 0 rows, of: x, compute: [sum] }", "`0 rows` is no length"),
        ("- { over: 1h, of: x, compute: [] }", "wrong value under `compute`"),
        ("- { over: 1h, of: x, close: left, compute: [sum] }", "1:22: unknown key `close`"),
        ("- { over: 1h, of: x, closed: lef, compute: [sum] }", "did you mean `left`?"),
        ("- { over: 1h, of: x, compute: { std: { ddof: one } } }", "wrong type"),
        ("- { over: 1h, of: x, compute: [{ std: { dof: 0 } }] }", "did you mean `ddof`?"),
        ("- { hopping: 1h, compute: [count] }", "1:5: unknown key `hopping`"),
        ("- { compute: [count] }", "a window without a length; expected one of `over: 1h`"),
        ("- { over: 1h, session: 1h, compute: [count] }", "a window of two shapes"),
        ("- { tumbling: 0h, compute: [count] }", "1:15: `0h` is no duration"),
        (
            "- { tumbling: 1h, zone: UTC, compute: [count] }",
            "`1h` in a time zone; expected whole days",
        ),
        (
            "- { tumbling: 1d, zone: Europe/Brelin, compute: [count] }",
            "did you mean `Europe/Berlin`?",
        ),
        ("- { tumbling: 1d, closed: left, compute: [count] }", "`closed` beside `tumbling`"),
        ("- { session: 1h, compute: [count] }", "a session without a bound; expected `within: 1d`"),
        ("- { session: 1h, within: 1h, compute: [count] }", "within 1h, less than a pause"),
        ("- { session: 1h, within: 1d, zone: UTC, compute: [count] }", "`zone` beside `session`"),
        ("- { over: 1h, part: previous, compute: [count] }", "`part` beside a duration"),
        ("- { over: 5 rows, delay: 1h, compute: [count] }", "`delay` beside a number of rows"),
        (
            "- { over: 1h, delay: 1h, exclude_current: true, compute: [count] }",
            "a window that does not hold the record anyhow",
        ),
        (
            "- { tumbling: 1h, part: previous, exclude_current: true, compute: [count] }",
            "a window that does not hold the record anyhow",
        ),
        ("- { over: 1h, where: 3, compute: [count] }", "1:22: wrong type: integer `3`"),
        (
            "- { over: 1h, where: x, compute: [count] }",
            "1:22: the expression is of type Float64; expected a condition",
        ),
        ("- { over: 1h, compute: { count: flag } }", "`flag` is a column already"),
        (
            "- { over: 1h, compute: [count] }\n- { over: 1h, where: flag, compute: [count] }",
            "2:38: two windows compute `count_1h`, the first in line 1",
        ),
        ("- 1h", "wrong type: string `1h`; expected a window such as"),
        (
            "- { over: 1h, of: x, compute: [ewma: { half_life: 1h }] }",
            "1:32: `ewma` in a window; expected an entry of its own without `over`",
        ),
        ("- { of: x, compute: [mean, ewma: { span: 3 }] }", "a window without a length"),
        ("- { of: text, compute: [ewma: { span: 3 }] }", "`ewma` does not take column `text`"),
        ("- { compute: [decayed_sum: { half_life: 1h }] }", "`decayed_sum` needs a column"),
        ("- { of: x, compute: [ewma] }", "no decay is given; expected one of `half_life: 1h`"),
        ("- { of: x, compute: [ewma: { span: 3, com: 1 }] }", "a decay that is given twice"),
        ("- { of: x, compute: [ewma: { alpha: 0 }] }", "1:37: `alpha` is 0; expected above 0"),
        ("- { of: x, compute: [ewma: { alpha: 1.5 }] }", "`alpha` is 1.5"),
        ("- { of: x, compute: [ewma: { span: 0.5 }] }", "`span` is 0.5; expected a number of at"),
        ("- { of: x, compute: [ewma: { com: -1 }] }", "`com` is -1; expected a number of at"),
        ("- { of: x, compute: [ewma: { half_life: 0 rows }] }", "`0 rows` is no half-life"),
        ("- { of: x, compute: [ewma: { half_life: soon }] }", "`soon` is no half-life; expected"),
        (
            "- { of: x, compute: [ewma: { half_life: 1h, ignore_na: true }] }",
            "`ignore_na` beside a time; expected a decay by rows",
        ),
        (
            "- { of: x, closed: left, compute: [ewma: { span: 3 }] }",
            "1:20: `closed` beside what has no window",
        ),
        ("- { over: 1h, per: key, compute: [count] }", "`per` beside a duration"),
        ("- { over: 1h, forget_after: 1d, compute: [count] }", "`forget_after` beside a duration"),
        (
            "- { of: x, per: partition, forget_after: 1d, compute: [ewma: { span: 3 }] }",
            "1:42: `forget_after` beside `per: partition`; expected one of them",
        ),
    ];
    assert_told(&cases);
}

#[test]
fn a_wrong_second_column_or_category_is_told_where_what_and_what_instead() {
    assert_told(&[
        ("- { over: 1h, of: x, compute: [corr] }", "missing key `with`"),
        (
            "- { over: 1h, of: x, compute: [{ corr: { with: z } }] }",
            "1:48: no column `z`; expected one of `x`, `flag`, `text`",
        ),
        (
            "- { over: 1h, of: x, compute: [{ corr: { with: text } }] }",
            "`corr` does not take column `x` of type Float64 with column `text` of type Utf8; \
             expected two numeric or boolean columns",
        ),
        (
            "- { over: 1h, compute: [{ argmax: { value: text } }] }",
            "`argmax` needs a column, named by `of`",
        ),
        (
            "- { over: 1h, of: text, compute: [{ argmin: { value: x } }] }",
            "expected a numeric, boolean, date or timestamp column",
        ),
        ("- { over: 1h, compute: [count_null] }", "expected the column whose nulls are counted"),
        (
            "- { over: 1h, compute: [{ share: { where: x } }] }",
            "1:43: the expression is of type Float64; expected a condition",
        ),
        (
            "- { over: 1h, by: { column: text }, compute: [count] }",
            "1:19: categories without a bound; expected `values: [..]`",
        ),
        (
            "- { over: 1h, by: { column: text, values: [a], max: 3 }, compute: [count] }",
            "1:53: `max` beside `values`",
        ),
        ("- { over: 1h, by: { column: x, max: 3 }, compute: [count] }", "expected a string column"),
        ("- { over: 1h, by: { column: text, max: 0 }, compute: [count] }", "`0` categories"),
        ("- { over: 1h, by: { column: text, values: [] }, compute: [count] }", "no list of values"),
        (
            "- { over: 1h, by: { column: text, values: [a, 3] }, compute: [count] }",
            "1:47: integer `3`; expected text in quotes, as column `text` is",
        ),
        (
            "- { over: 1h, by: { column: x, values: [1] }, compute: [count] }",
            "column `x` is of type Float64; expected text, integers or booleans",
        ),
        (
            "- { over: 1h, by: { column: text, values: [a, a] }, compute: [count] }",
            "string `a` stands twice",
        ),
        (
            "- { over: 1h, of: x, by: { column: text, max: 3 }, \
             compute: [{ corr: { with: flag } }] }",
            "a map of `corr`, of two columns; expected `values` under `by`",
        ),
    ]);
}

#[test]
fn a_limit_of_no_values_is_told() {
    assert_told(&[(
        "- { over: 1h, of: x, compute: [{ distinct: { limit: 0 } }] }",
        "a limit of 0 values; expected how many are counted exactly, such as 1000",
    )]);
}

#[test]
fn the_longest_windows_can_be_described() {
    let yaml = "[{ over: 18446744073709551615 rows, closed: both, of: x, compute: [sum] }, \
                 { over: 9223372036854775807us, closed: both, of: x, compute: [mean] }]";
    let specs = Node::parse(yaml).unwrap();
    let windows = Windows::build(specs.as_list().unwrap(), &schema(), i64::MAX).unwrap();
    let shapes: Vec<String> = windows.describe().into_iter().map(|plan| plan.shape).collect();
    assert_eq!(shapes[0], "last 18446744073709551615 rows, with the record itself");
}

#[test]
fn columns_are_named_after_column_aggregate_and_length_as_written() {
    let windows = build(
        "- { over: 24h, of: x, compute: [sum, { std: { ddof: 0, as: spread } }] }\n\
         - { over: 20 rows, of: x, compute: { mean: {}, max: top } }\n\
         - { over: 1h, where: flag, compute: [count] }",
    );
    let schema = windows.schema();
    let names: Vec<_> = schema.fields().iter().skip(3).map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["x_sum_24h", "spread", "x_mean_20r", "top", "count_1h"]);
    let plans = windows.describe();
    assert_eq!(plans[0].lane, plans[1].lane, "one column, one buffer");
    assert_ne!(plans[0].lane, plans[2].lane);
    assert_eq!(plans[0].shape, "(t - 1d, t]");
    assert_eq!(plans[1].shape, "last 20 rows, with the record itself");
    assert!(plans[0].event_bytes <= 24 && plans[0].key_bytes <= 200, "{plans:?}");
    assert_eq!(windows.horizon(), Horizon::Forever);
    assert_eq!(build("[{ over: 2us, compute: [count] }]").horizon(), Horizon::For(2));
    assert_eq!(build("[]").horizon(), Horizon::Stateless);
}

#[test]
fn the_schema_for_editors_names_every_aggregate() {
    let schema = spec_schema().to_value().to_string();
    for aggregate in crate::aggregate::AGGREGATES {
        assert!(schema.contains(aggregate.name), "{}", aggregate.name);
    }
}

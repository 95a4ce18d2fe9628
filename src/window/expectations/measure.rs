//! What can be expected: the table of measures.
//!
//! Two kinds. A statistic of a window's values has to lie between `min` and `max`. A question to each
//! record has to be answered yes by a share of them, all unless `share` says otherwise.

use super::value;
use crate::{
    batch::{Bounds, Severity},
    expression::Expression,
    registry::{self, Component, Node, Position, Problem, Span, schema_of},
    state::is_key_type,
};
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

/// All measures, in the order in which people think of them.
pub const MEASURES: &[Component<Build>] =
    &[RECORDS, NULL_RATE, DISTINCT, UNIQUE, MEAN, QUANTILE, ALLOWED, FRESHNESS, MONOTONIC, ROW];

/// Builds a measure from what stands behind its name.
pub type Build = fn(&Node, &Input<'_>) -> Result<Built, Problem>;

/// What a measure is built against.
#[derive(Debug)]
pub struct Input<'a> {
    /// The columns behind the last cleaning step.
    pub schema: &'a SchemaRef,
    /// The expectation as a whole.
    pub node: &'a Node,
}

/// A measure as it was asked for.
#[derive(Debug)]
pub struct Built {
    pub(super) kind: Kind,
    pub(super) threshold: Threshold,
    /// What it is called unless the file says otherwise.
    pub(super) name: String,
    /// Values without which it cannot be judged, unless the file says otherwise.
    pub(super) min_count: u64,
}

/// Where the threshold comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Threshold {
    /// The measure itself.
    Bounds(Bounds),
    /// `share`, 1 at least by default.
    Share,
}

/// What is measured.
#[derive(Debug)]
pub(super) enum Kind {
    Records,
    NullRate { column: usize },
    Distinct { column: usize },
    Unique { column: usize },
    Mean { column: usize },
    Quantile { column: usize, q: f64 },
    Allowed { column: usize, values: BTreeSet<Vec<u8>> },
    Freshness { column: usize, max_us: i64 },
    Monotonic,
    Row { condition: Expression, severity: Severity },
}

const RECORDS: Component<Build> = Component {
    name: "records",
    summary: "The number of records in the window.",
    example: "{ min: 100 }",
    details: "Counts the records that no condition has rejected. A window without any record has \
              no verdict: a partition that stands still shows in its lag and its watermark.",
    state: "8 bytes a window",
    schema: schema_of::<Between>,
    build: |node, _| statistic(node, Kind::Records, "records".to_owned(), 0),
};

const NULL_RATE: Component<Build> = Component {
    name: "null_rate",
    summary: "The share of records whose column is null.",
    example: "{ max: 0.01 }",
    details: "nulls / records, after `clean`. NaN is no null.",
    state: "16 bytes a window",
    schema: schema_of::<Between>,
    build: |node, input| {
        let (column, name) = column(input)?;
        statistic(node, Kind::NullRate { column }, format!("{name}_null_rate"), 0)
    },
};

const DISTINCT: Component<Build> = Component {
    name: "distinct",
    summary: "The number of different values of the column.",
    example: "{ min: 2, max: 500 }",
    details: "Nulls are no values; without any value it is 0. Exact, by 64-bit hashes, up to `exact` \
              values, then the estimate (k - 1) / u of the k = `exact` least hashes, u the greatest \
              of them as a share of all hashes (Beyer et al. 2007): its standard error is \
              1 / sqrt(k - 2) of the number, 1 % for 10,000.",
    state: "16 bytes a window and different value, up to `exact`",
    schema: schema_of::<Between>,
    build: |node, input| {
        let (column, name) = comparable(input)?;
        statistic(node, Kind::Distinct { column }, format!("{name}_distinct"), 0)
    },
};

const UNIQUE: Component<Build> = Component {
    name: "unique",
    summary: "No value of the column comes twice in the window.",
    example: "true",
    details: "Measures different values / values, 1 where none comes twice; `unique: { min: 0.999 }` \
              lets some. Nulls are no values. Exact up to `exact` different values of a window, then \
              of a sample of so many that no order of arrival changes: it is 1 as long as none of \
              them comes twice. To remove repeated records use `drop_duplicates`.",
    state: "16 bytes a window and different value, up to `exact`",
    schema: schema_of::<UniqueWritten>,
    build: |node, input| {
        let (column, name) = comparable(input)?;
        let name = format!("{name}_unique");
        if node.as_map().is_some() {
            return statistic(node, Kind::Unique { column }, name, 1);
        }
        yes(node)?;
        let bounds = Bounds { min: Some(1.0), max: None };
        let threshold = Threshold::Bounds(bounds);
        Ok(Built { kind: Kind::Unique { column }, threshold, name, min_count: 1 })
    },
};

const MEAN: Component<Build> = Component {
    name: "mean",
    summary: "The arithmetic mean of the column.",
    example: "{ min: 5, max: 500 }",
    details: "A compensated sum over the number of values; nulls are no values. With NaN among the \
              values it is NaN and never as expected.",
    state: "24 bytes a window",
    schema: schema_of::<Between>,
    build: |node, input| {
        let (column, name) = numeric(input)?;
        statistic(node, Kind::Mean { column }, format!("{name}_mean"), 1)
    },
};

const QUANTILE: Component<Build> = Component {
    name: "quantile",
    summary: "A quantile of the column.",
    example: "{ q: 0.99, max: 5000 }",
    details: "Linear interpolation between the closest ranks, as numpy's default. Exact up to \
              `exact` values of a window, then of a sample of so many, drawn by a hash of the offset: \
              its rank has a standard error of sqrt(q (1 - q) / `exact`), 1 / `exact` at the ends: 0.1 % \
              for q = 0.99 and 10,000. Nulls are no values; with NaN it is NaN and never as expected.",
    state: "16 bytes a window and value, up to `exact`",
    schema: schema_of::<Quantile>,
    build: |node, input| {
        let (column, name) = numeric(input)?;
        let Quantile { q, min, max } = registry::options(node)?;
        if !(0.0..=1.0).contains(&q) {
            let what = format!("there is no quantile {q}");
            return Err(Problem::new(node.at("q"), what).expected("a share from 0 to 1"));
        }
        // Nine digits are what a person writes; more would show how floats are stored.
        let percent = (q * 1e11).round() / 1e9;
        let threshold = Threshold::Bounds(bounds(Between { min, max }, node)?);
        let name = format!("{name}_p{percent}");
        Ok(Built { kind: Kind::Quantile { column, q }, threshold, name, min_count: 1 })
    },
};

const ALLOWED: Component<Build> = Component {
    name: "allowed",
    summary: "The column holds only listed values, or a share of the records does.",
    example: "[web, pos]",
    details: "Measures the share of values that are listed; nulls are no values. `share: { min: 0.99 }` \
              lets some be others. To remove the others use `row` with `severity: reject`.",
    state: "16 bytes a window",
    schema: schema_of::<Vec<value::Written>>,
    build: |node, input| {
        let (column, name) = column(input)?;
        let field = input.schema.field(column);
        let values = value::listed(node, field)?;
        share(Kind::Allowed { column, values }, format!("{name}_allowed"))
    },
};

const FRESHNESS: Component<Build> = Component {
    name: "freshness",
    summary: "Records come soon after they happened.",
    example: "{ max: 5m }",
    details: "Measures the share of records whose Kafka timestamp is at most `max` behind their event \
              time; records without a timestamp are not looked at. The state knows no other clock.",
    state: "16 bytes a window",
    schema: schema_of::<Freshness>,
    build: |node, input| {
        no_column(input, "freshness")?;
        let Freshness { max } = registry::options(node)?;
        let column = input.schema.index_of("kafka_timestamp").ok().filter(|index| {
            let data_type = input.schema.field(*index).data_type();
            matches!(data_type, DataType::Timestamp(TimeUnit::Millisecond, _))
        });
        let Some(column) = column else {
            let what = "no column `kafka_timestamp` is left";
            return Err(Problem::new(node.at, what).expected("no step that takes it away"));
        };
        share(Kind::Freshness { column, max_us: max.us }, "freshness".to_owned())
    },
};

const MONOTONIC: Component<Build> = Component {
    name: "monotonic_event_time",
    summary: "No record has an earlier event time than the record before it.",
    example: "true",
    details: "Measures the share of records, in the order of their offsets, whose event time is not \
              before that of the record before them; the first one of a partition is in order.",
    state: "16 bytes a window, 8 in all",
    schema: schema_of::<bool>,
    build: |node, input| {
        no_column(input, "monotonic_event_time")?;
        yes(node)?;
        share(Kind::Monotonic, "monotonic_event_time".to_owned())
    },
};

const ROW: Component<Build> = Component {
    name: "row",
    summary: "An SQL condition holds for each record.",
    example: "amount >= 0",
    details: "Measures the share of records for which the condition is true; where it is null or \
              cannot be computed it is not. With `severity: reject` the others leave as `expectation` \
              and enter no window; with `severity: halt` and no `share` the first one leaves so and \
              the partition stops behind it.",
    state: "16 bytes a window",
    schema: schema_of::<String>,
    build: |node, input| {
        no_column(input, "row")?;
        let sql: String = registry::options(node)?;
        let condition = Expression::condition(&sql, input.schema)
            .map_err(|error| error.into_problem(node.at))?;
        let severity = Severity::Warn;
        share(Kind::Row { condition, severity }, sql)
    },
};

/// Where a statistic has to lie.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    /// The least that is expected.
    min: Option<f64>,
    /// The most that is expected.
    max: Option<f64>,
}

/// Options of `quantile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Quantile {
    /// Which quantile, from 0 to 1: 0.5 is the median.
    q: f64,
    /// The least that is expected.
    min: Option<f64>,
    /// The most that is expected.
    max: Option<f64>,
}

/// Options of `unique`: true, or the least share of different values.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the JSON Schema of the options")]
enum UniqueWritten {
    Always(bool),
    Mostly(Between),
}

/// Options of `freshness`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Freshness {
    /// Longest time from the event to the Kafka timestamp of its record.
    max: Span,
}

/// Reads `min` and `max`.
pub(super) fn bounds(Between { min, max }: Between, node: &Node) -> Result<Bounds, Problem> {
    if min.is_none() && max.is_none() {
        return Err(Problem::new(node.at, "no threshold").expected("`min`, `max` or both"));
    }
    if min.is_some_and(f64::is_nan) || max.is_some_and(f64::is_nan) {
        return Err(Problem::new(node.at, "a threshold is no number").expected("a number"));
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let what = format!("no value lies between {min} and {max}");
        return Err(Problem::new(node.at("min"), what).expected("`min` at most `max`"));
    }
    Ok(Bounds { min, max })
}

fn statistic(node: &Node, kind: Kind, name: String, min_count: u64) -> Result<Built, Problem> {
    let threshold = Threshold::Bounds(bounds(registry::options(node)?, node)?);
    Ok(Built { kind, threshold, name, min_count })
}

#[expect(clippy::unnecessary_wraps, reason = "the end of functions that can fail")]
fn share(kind: Kind, name: String) -> Result<Built, Problem> {
    Ok(Built { kind, threshold: Threshold::Share, name, min_count: 1 })
}

fn yes(node: &Node) -> Result<(), Problem> {
    if registry::options::<bool>(node)? {
        return Ok(());
    }
    Err(Problem::new(node.at, "nothing is expected").expected("`true`, or no such expectation"))
}

/// The column that the expectation names.
fn column(input: &Input<'_>) -> Result<(usize, String), Problem> {
    let Some(node) = input.node.get("column") else {
        return Err(Problem::new(input.node.at, "missing key `column`"));
    };
    let name: String = registry::options(node)?;
    let index = find(input.schema, &name, node.at)?;
    Ok((index, name))
}

fn find(schema: &Schema, name: &str, at: Position) -> Result<usize, Problem> {
    schema.index_of(name).map_err(|_| {
        Problem::new(at, format!("unknown column `{name}`"))
            .expected_one_of(name, schema.fields().iter().map(|field| field.name()))
    })
}

fn numeric(input: &Input<'_>) -> Result<(usize, String), Problem> {
    let (index, name) = column(input)?;
    match input.schema.field(index).data_type() {
        DataType::Int64 | DataType::Float64 => Ok((index, name)),
        other => Err(wrong_type(input, &name, other, "a column of numbers")),
    }
}

fn comparable(input: &Input<'_>) -> Result<(usize, String), Problem> {
    let (index, name) = column(input)?;
    match input.schema.field(index).data_type() {
        data_type if is_key_type(data_type) => Ok((index, name)),
        other => Err(wrong_type(input, &name, other, "a column of single values")),
    }
}

fn wrong_type(input: &Input<'_>, name: &str, is: &DataType, expected: &str) -> Problem {
    let what = format!("column `{name}` is {is}");
    Problem::new(input.node.at("column"), what).expected(expected)
}

fn no_column(input: &Input<'_>, measure: &str) -> Result<(), Problem> {
    match input.node.get("column") {
        None => Ok(()),
        Some(node) => Err(Problem::new(node.at, format!("`{measure}` is about no column"))
            .expected("no `column`")),
    }
}

//! One expectation as the pipeline file writes it.

use super::measure::{Between, Built, Input, Kind, MEASURES, Threshold, bounds};
use crate::{
    batch::{Bounds, Expectation, Severity},
    registry::{self, Node, Problem, Value, schema_of},
};
use arrow::datatypes::SchemaRef;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, de::Error};

/// What an expectation may say beside its measure.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Common {
    /// What it is called in verdicts and metrics; made of the column and the measure by default.
    name: Option<String>,
    /// The column that it is about.
    column: Option<String>,
    /// Which share of the records has to be as asked, from 0 to 1, for a measure that asks each
    /// record; `{ min: 1 }` by default.
    share: Option<Between>,
    /// Fewer values than these in a window are not judged; 1 by default, 0 for `records`,
    /// `null_rate` and `distinct`.
    min_count: Option<u64>,
    /// What happens where it is not met: `warn` (default) tells it, `reject` takes the record out
    /// (only `row`), `halt` stops the partition.
    #[serde(default, deserialize_with = "severity")]
    #[schemars(with = "Option<String>", extend("enum" = ["warn", "reject", "halt"]))]
    severity: Severity,
}

/// Keys of an expectation beside its measure.
const COMMON: [&str; 5] = ["name", "column", "share", "min_count", "severity"];

/// Longest name: it is a label of metrics.
const NAME_CHARS_MAX: usize = 200;

fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    let name = String::deserialize(deserializer)?;
    Severity::ALL.into_iter().find(|severity| severity.name() == name).ok_or_else(|| {
        D::Error::custom(format!("unknown severity `{name}`; expected warn, reject or halt"))
    })
}

/// An expectation, ready to measure.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) kind: Kind,
    pub(super) told: Expectation,
    pub(super) min_count: u64,
}

impl Expected {
    /// Reads an expectation of columns of `schema`.
    pub(super) fn parse(node: &Node, schema: &SchemaRef) -> Result<Self, Problem> {
        let (measure, options, rest) = split(node)?;
        let common: Common = registry::options(&rest)?;
        let component = registry::find(MEASURES, "measure", measure, node.at)?;
        let built = (component.build)(options, &Input { schema, node })
            .map_err(|problem| problem.or_at(options.at))?;
        let Built { mut kind, threshold, name, min_count } = built;
        let at_once = common.share.is_none();
        let threshold = match threshold {
            Threshold::Bounds(_) if common.share.is_some() => {
                let what = format!("`{measure}` asks no record by itself");
                return Err(Problem::new(node.at("share"), what)
                    .expected(format!("no `share`: the threshold stands under `{measure}`")));
            }
            Threshold::Bounds(bounds) => bounds,
            Threshold::Share => share(common.share, node)?,
        };
        if let Kind::Row { severity, .. } = &mut kind {
            if common.severity == Severity::Reject && !at_once {
                return Err(Problem::new(node.at("share"), "`reject` takes every such record out")
                    .expected("no `share`, or the severity warn or halt"));
            }
            // With a share it is the window that is judged, not the record.
            *severity = if at_once { common.severity } else { Severity::Warn };
        } else if common.severity == Severity::Reject {
            let what =
                format!("`{measure}` is known once its window is over: nothing is left to reject");
            return Err(Problem::new(node.at("severity"), what)
                .expected("warn or halt; a condition under `row` can reject records"));
        }
        let name = common.name.unwrap_or(name);
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            let at = node.get("name").map_or(options.at, |name| name.at);
            return Err(Problem::new(at, "no name for an expectation")
                .expected(format!("`name:` with 1 to {NAME_CHARS_MAX} characters")));
        }
        let told = Expectation {
            name,
            column: common.column,
            measure: component.name,
            severity: common.severity,
            threshold,
        };
        Ok(Self { kind, told, min_count: common.min_count.unwrap_or(min_count) })
    }

    /// True if a record that does not meet it leaves.
    pub(super) fn takes_out(&self) -> bool {
        matches!(&self.kind, Kind::Row { severity: Severity::Reject | Severity::Halt, .. })
    }

    /// True if a window that does not meet it stops the partition.
    pub(super) fn halts_windows(&self) -> bool {
        self.told.severity == Severity::Halt && !self.takes_out()
    }
}

fn share(share: Option<Between>, node: &Node) -> Result<Bounds, Problem> {
    let Some(share) = share else { return Ok(Bounds { min: Some(1.0), max: None }) };
    let place = node.get("share").unwrap_or(node);
    let bounds = bounds(share, place)?;
    let is_share = |end: Option<f64>| end.is_none_or(|end| (0.0..=1.0).contains(&end));
    if is_share(bounds.min) && is_share(bounds.max) {
        return Ok(bounds);
    }
    Err(Problem::new(place.at, "a share lies from 0 to 1").expected("such as `{ min: 0.99 }`"))
}

/// The measure, what stands behind it, and the rest of the expectation.
fn split(node: &Node) -> Result<(&str, &Node, Node), Problem> {
    let Some(entries) = node.as_map() else {
        let expected =
            "a measure with its options, such as `{ column: amount, null_rate: { max: 0.01 } }`";
        return Err(Problem::new(node.at, node.kind()).expected(expected));
    };
    let measures = || MEASURES.iter().map(|measure| measure.name);
    let is_measure = |key: &str| measures().any(|measure| measure == key);
    for (key, at, _) in entries {
        if !COMMON.contains(&key.as_str()) && !is_measure(key) {
            let problem = Problem::new(*at, format!("unknown key `{key}`"));
            return Err(problem.expected_one_of(key, measures().chain(COMMON)));
        }
    }
    let mut found = entries.iter().filter(|(key, _, _)| is_measure(key));
    let Some((measure, _, options)) = found.next() else {
        let names: Vec<&str> = measures().collect();
        return Err(Problem::new(node.at, "nothing is measured")
            .expected(format!("one of {}", names.join(", "))));
    };
    if let Some((other, at, _)) = found.next() {
        return Err(Problem::new(*at, format!("`{measure}` and `{other}` in one expectation"))
            .expected("an expectation for each"));
    }
    let rest = entries.iter().filter(|(key, _, _)| !is_measure(key)).cloned().collect();
    Ok((measure, options, Node { value: Value::Map(rest), at: node.at }))
}

/// True if records that do not meet the expectation leave, as far as its text tells.
pub fn takes_out(node: &Node) -> bool {
    let severity = node.get("severity").and_then(Node::as_str);
    let is_row = node.get("row").is_some();
    is_row
        && (severity == Some("reject") || (severity == Some("halt") && node.get("share").is_none()))
}

/// What of an expectation decides the state: what is measured of what, and whether records leave.
/// Thresholds, names and the rest of its severity only say what is told of it.
pub fn state_text(node: &Node) -> String {
    let leaves = takes_out(node);
    let entries = node.as_map().unwrap_or_default();
    let kept = entries.iter().filter_map(|(key, at, value)| {
        let value = match key.as_str() {
            "name" | "share" | "min_count" | "severity" => return None,
            "column" | "row" | "allowed" | "freshness" | "monotonic_event_time" => value.clone(),
            _ => without_bounds(value),
        };
        Some((key.clone(), *at, value))
    });
    let value = Value::Map(kept.collect());
    let text = Node { value, at: node.at }.canonical();
    if leaves { format!("{text} leaves") } else { text }
}

fn without_bounds(node: &Node) -> Node {
    let kept = node.as_map().unwrap_or_default().iter();
    let kept = kept.filter(|(key, _, _)| key != "min" && key != "max").cloned().collect();
    Node { value: Value::Map(kept), at: node.at }
}

/// The JSON Schema of one entry under `expectations.expect`, for editors.
pub fn schema() -> Schema {
    let mut schema = schema_of::<Common>();
    schema.remove("$schema");
    schema.remove("title");
    schema.insert("description".to_owned(), "A measure and what is expected of it.".into());
    let properties = schema.pointer_mut("/properties").and_then(|p| p.as_object_mut());
    if let Some(properties) = properties {
        for measure in MEASURES {
            let mut options = (measure.schema)();
            options.remove("$schema");
            options.remove("title");
            options.insert("description".to_owned(), measure.summary.into());
            properties.insert(measure.name.to_owned(), options.to_value());
        }
    }
    schema
}

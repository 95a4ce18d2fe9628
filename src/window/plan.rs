//! What `check` and editors are told about windows.

use super::{
    by::Options,
    condition::Condition,
    extent::Extent,
    input::{Input, Values},
    lane::Lane,
    spec::Spec,
};
use crate::{
    aggregate::{AGGREGATES, Kept, Per, Recursive, Request},
    registry::{Span, schema_of},
    state::Horizon,
};
use arrow::datatypes::Schema as Columns;
use schemars::{Schema, json_schema};
use std::collections::BTreeMap;

/// A window as it will be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowPlan {
    /// Names of the columns it computes, each with its aggregate.
    pub computed: Vec<(String, &'static str)>,
    /// What it holds of a key, such as `(t - 1h, t]`.
    pub shape: String,
    /// The aggregated column, or the two that are.
    pub column: Option<String>,
    /// Which records count: the SQL text under `where`, and what an aggregate asks beside.
    pub condition: Option<String>,
    /// Windows of one lane share their buffers; what remembers without a window has none.
    pub lane: Option<usize>,
    /// What of a key is kept: by a lane, for all of its windows.
    pub retained: String,
    /// Bytes of a buffered event, or of a tile.
    pub event_bytes: usize,
    /// Bytes of a key without its events or tiles.
    pub key_bytes: usize,
    /// The most bytes that a key can take, where there are tiles.
    pub key_bytes_max: Option<usize>,
}

impl WindowPlan {
    /// A window of a lane of that number and input.
    pub(super) fn new(
        lane: usize,
        extent: Extent,
        input: &Input,
        conditions: &[Condition],
        schema: &Columns,
    ) -> Self {
        let name = |index: usize| schema.field(index).name().clone();
        let values = match &input.values {
            Values::None => None,
            Values::Column(index, _) => Some(name(*index)),
            Values::Holds(index) => Some(format!("whether {}", conditions[*index].test)),
        };
        let beside = input.beside.as_ref().map(|(index, _)| name(*index));
        let column = match (values, beside) {
            (Some(values), Some(beside)) => Some(format!("{values} with {beside}")),
            (values, beside) => values.or(beside),
        };
        let held: Vec<String> =
            input.conditions.iter().map(|index| conditions[*index].test.to_string()).collect();
        Self {
            computed: Vec::new(),
            shape: extent.to_string(),
            column,
            condition: (!held.is_empty()).then(|| held.join(" and ")),
            lane: Some(lane),
            retained: String::new(),
            event_bytes: 0,
            key_bytes: 0,
            key_bytes_max: None,
        }
    }

    pub(super) fn of_memory(
        spec: &Spec,
        computed: (String, &'static str),
        aggregate: &dyn Recursive,
        kept: Kept,
    ) -> Self {
        Self {
            computed: vec![computed],
            column: spec.column.as_ref().map(|(_, name, _)| name.clone()),
            condition: spec.condition.as_ref().and_then(|n| n.as_str()).map(str::to_owned),
            ..Self::kept(aggregate, kept)
        }
    }

    pub(super) fn of_request(request: &Request) -> Self {
        Self {
            computed: vec![(format!("feature {}", request.feature), request.feature)],
            column: Some(request.columns.join(", ")).filter(|columns| !columns.is_empty()),
            ..Self::kept(&*request.aggregate, request.kept)
        }
    }

    /// What is remembered, and how long.
    fn kept(aggregate: &dyn Recursive, kept: Kept) -> Self {
        let own = if kept.exclude_current { " before the record" } else { "" };
        let until = match kept.horizon(aggregate) {
            Horizon::For(us) => format!("until {} after the last value", Span { us }),
            Horizon::Stateless | Horizon::Forever => "for ever".to_owned(),
        };
        let whose = match kept.per {
            Per::Key => "a key",
            Per::Partition => "the partition",
        };
        Self {
            computed: Vec::new(),
            shape: format!("all so far{own}, {}", aggregate.describe()),
            column: None,
            condition: None,
            lane: None,
            retained: format!("a state of {whose} {until}"),
            event_bytes: 0,
            key_bytes: aggregate.state_bytes(),
            key_bytes_max: None,
        }
    }

    /// True if the order of arrival counts, where windows go by that of event time.
    pub fn order_sensitive(&self) -> bool {
        self.lane.is_none()
    }

    /// Adds what is known once all windows of the lane are.
    pub(super) fn complete(&mut self, lane: &Lane, lateness_us: i64) {
        let time = lane.retention.time_us.map(|us| {
            let us = us.saturating_add(lateness_us);
            format!("{} of event time", Span { us })
        });
        let rows = lane
            .retention
            .rows
            .map(|rows| format!("{rows} rows and {} of event time", Span { us: lateness_us }));
        self.retained = [time, rows].into_iter().flatten().collect::<Vec<_>>().join(", ");
        self.key_bytes = lane.slot_bytes();
        self.event_bytes = lane.event_bytes();
        let reach_us = lane.retention.time_us.unwrap_or_default().saturating_add(lateness_us);
        self.key_bytes_max = lane.tiled.as_ref().map(|tiled| tiled.key_bytes_max(reach_us));
    }
}

const RESOLUTION: &str = "Of long windows by time and of tumbling ones: the length of the tiles that \
                          are kept instead of events, such as 5m. Ends are rounded outwards to \
                          tiles.";

fn text(description: &str) -> Schema {
    json_schema!({ "type": "string", "description": description })
}

/// What stands under `compute`.
fn compute_schema() -> Schema {
    let options = |table: &crate::registry::Component<crate::aggregate::Build>| {
        let mut options = (table.schema)();
        let properties = options.pointer_mut("/properties").and_then(|p| p.as_object_mut());
        if let Some(properties) = properties {
            properties.insert("as".to_owned(), json_schema!({ "type": "string" }).into());
        }
        (table.name, json_schema!({ "anyOf": [{ "type": "string" }, options] }))
    };
    let by_name: BTreeMap<&str, Schema> = AGGREGATES.iter().map(options).collect();
    let names: Vec<&str> = AGGREGATES.iter().map(|a| a.name).collect();
    let map =
        json_schema!({ "type": "object", "properties": by_name, "additionalProperties": false });
    let item = json_schema!({ "anyOf": [{ "enum": names }, map] });
    json_schema!({
        "description": "Aggregates: names, each alone or with its options or its column's name.",
        "anyOf": [{ "type": "array", "items": item }, map]
    })
}

/// The JSON Schema of one entry under `windows`, for editors.
pub fn spec_schema() -> Schema {
    let mut by = schema_of::<Options>();
    by.insert("description".to_owned(), "One value per category.".into());
    json_schema!({
        "type": "object",
        "description": "A window per key and what is computed over it.",
        "properties": {
            "over": {
                "type": "string",
                "description": "A duration such as 1h, or a number of rows such as 20 rows."
            },
            "tumbling": {
                "type": "string",
                "description": "The length of spans that follow each other, such as 1d."
            },
            "session": {
                "type": "string",
                "description": "The longest pause between two events of a session, such as 30m."
            },
            "part": {
                "enum": ["so_far", "previous"], "default": "so_far",
                "description": "Of tumbling windows and sessions: up to the record, or the one before."
            },
            "offset": {
                "type": "string",
                "description": "Where tumbling windows begin, from 1970-01-01T00:00 on."
            },
            "zone": {
                "type": "string",
                "description": "The time zone whose days tumbling windows are, such as Europe/Berlin."
            },
            "within": text("How far back events of a session are looked for."),
            "of": { "type": "string", "description": "The column; without one, records count." },
            "where": { "type": "string", "description": "SQL: which records count." },
            "by": by,
            "closed": {
                "enum": ["right", "both", "left", "none"], "default": "right",
                "description": "Which ends of the time from t - over to t belong to it."
            },
            "delay": {
                "type": "string",
                "description": "How long before the record's event time the window ends."
            },
            "exclude_current": {
                "type": "boolean", "default": false,
                "description": "Leaves the record itself out of its window."
            },
            "resolution": text(RESOLUTION),
            "per": {
                "enum": ["key", "partition"], "default": "key",
                "description": "Without a window, as for ewma: whose values go together."
            },
            "forget_after": {
                "type": "string",
                "description": "Without a window, as for ewma: after which time without a value a key \
                                is begun anew, such as 30d."
            },
            "min_count": {
                "type": "integer", "minimum": 0, "default": 0,
                "description": "Values below which there is nothing but the count."
            },
            "compute": compute_schema()
        },
        "required": ["compute"],
        "additionalProperties": false
    })
}

//! `one_hot`: one column of 0 and 1 per listed value.

use super::{
    Build, Failed, Feature, Input,
    categories::{Categories, Listed, UNLISTED, not_listed},
};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{Array, ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{ops::Range, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "one_hot",
    summary: "Writes one column per listed value, 1 where the column holds it and 0 elsewhere.",
    example: "{ column: category, values: [grocery, fuel, travel], unknown: zeros }",
    details: "scikit-learn's `OneHotEncoder`. Outputs stand in the order of `values`, then that of nulls \
              (`missing: column`), then the one that all `infrequent` values share; `drop` leaves out the \
              first of them. A value that is not listed is all zeros, counts as infrequent or rejects the \
              record; a null is all zeros unless it has an output of its own.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `one_hot`, as scikit-learn's `OneHotEncoder` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text, integers or booleans.
    column: String,
    /// The values, one output each: `{column}_{value}`.
    #[serde(default)]
    values: Vec<Listed>,
    /// Values that share one output behind the others, `{column}_infrequent`: those below
    /// scikit-learn's `min_frequency` or beyond its `max_categories`. None if not given.
    #[serde(default)]
    infrequent: Vec<Listed>,
    /// What a value that is not listed becomes: `zeros` (the default), `infrequent` or `reject`.
    #[serde(default)]
    #[schemars(extend("default" = "zeros"))]
    unknown: Unknown,
    /// What a null becomes: `zeros` (the default), `column` for an output `{column}_null`, or
    /// `infrequent`, which there has to be.
    #[serde(default)]
    missing: Missing,
    /// Leaves out the first output, `first`, or does so where there are two, `if_binary`; none is left
    /// out if not given.
    drop: Option<Drop>,
    /// What the outputs' names begin with instead of the column: `{as}_{value}`.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unknown {
    /// All zeros, like scikit-learn's `handle_unknown="ignore"`.
    #[default]
    Zeros,
    /// The output of infrequent values if there is one, else all zeros, like `infrequent_if_exist`.
    Infrequent,
    /// The record is rejected as `expression`.
    Reject,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Missing {
    /// All zeros.
    #[default]
    Zeros,
    /// An output of its own, where scikit-learn has seen missing values.
    Column,
    /// The output of infrequent values, where they were few.
    Infrequent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Drop {
    /// The first output.
    First,
    /// The first one of two.
    IfBinary,
}

/// The outputs are Int64: counts and indicators of a vector then have one integer type, the one
/// that `case .. then 1 else 0 end` has.
fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, values, infrequent, unknown, missing, drop, prefix } =
        registry::options(node)?;
    let lists = [("values", values.as_slice()), ("infrequent", &infrequent)];
    let categories = Categories::of_lists(node, input, &column, &lists)?;
    let prefix = prefix.as_ref().unwrap_or(&column);
    let mut names = categories.names(prefix);
    names.truncate(values.len());
    let mut next = |name: String| {
        names.push(name);
        u32::try_from(names.len() - 1).expect("outputs fit memory")
    };
    let own = (missing == Missing::Column).then(|| next(format!("{prefix}_null")));
    let infrequent = (!infrequent.is_empty()).then(|| next(format!("{prefix}_infrequent")));
    if missing == Missing::Infrequent && infrequent.is_none() {
        return Err(Problem::new(node.at("missing"), "no infrequent values")
            .expected("the list `infrequent`, `zeros` or `column`"));
    }
    let null = own.or(infrequent.filter(|_| missing == Missing::Infrequent));
    let is_dropped = match drop {
        None => false,
        Some(Drop::First) => true,
        Some(Drop::IfBinary) => names.len() == 2,
    };
    if is_dropped && names.len() == 1 {
        return Err(Problem::new(node.at("drop"), "the one output would be left out")
            .expected("two outputs or more"));
    }
    let all = u32::try_from(names.len()).expect("outputs fit memory");
    let outputs = u32::from(is_dropped)..all;
    let field = |name| Arc::new(Field::new(name, DataType::Int64, false));
    let fields = names.into_iter().skip(usize::from(is_dropped)).map(field).collect();
    let listed = u32::try_from(values.len()).expect("values fit memory");
    Ok(Box::new(OneHot {
        name: column,
        categories,
        listed,
        null,
        infrequent,
        unknown,
        outputs,
        fields,
    }))
}

#[derive(Debug)]
struct OneHot {
    name: String,
    /// Listed values, then infrequent ones.
    categories: Categories,
    listed: u32,
    /// The output of nulls.
    null: Option<u32>,
    /// The output of infrequent values.
    infrequent: Option<u32>,
    unknown: Unknown,
    /// Those that are written.
    outputs: Range<u32>,
    fields: Vec<FieldRef>,
}

impl OneHot {
    /// Puts the output of each row in the place of the place of its value.
    fn to_outputs(&self, rows: &RecordBatch, places: &mut [u32]) {
        if self.null.is_none() && self.infrequent.is_none() {
            return;
        }
        let column = self.categories.column(rows);
        let of_unknown = self.infrequent.filter(|_| self.unknown == Unknown::Infrequent);
        for (row, place) in places.iter_mut().enumerate() {
            let output = match *place {
                UNLISTED if column.is_null(row) => self.null,
                UNLISTED => of_unknown,
                place if place >= self.listed => self.infrequent,
                place => Some(place),
            };
            *place = output.unwrap_or(UNLISTED);
        }
    }
}

impl Feature for OneHot {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        failed: &mut Vec<Failed>,
    ) {
        let mut places = self.categories.places(rows);
        if self.unknown == Unknown::Reject {
            let unknown = self.categories.unknown(rows, &places).into_iter();
            failed.extend(unknown.map(|row| not_listed("one_hot", &self.name, row)));
        }
        self.to_outputs(rows, &mut places);
        for output in self.outputs.clone() {
            let hot = places.iter().map(|place| i64::from(*place == output));
            out.push(Arc::new(Int64Array::from_iter_values(hot)));
        }
    }
}

//! `ordinal`: the place of a value in a list, as one column.

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
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "ordinal",
    summary: "Writes the place of the column's value in a list, counted from 0.",
    example: "{ column: category, values: [grocery, fuel, travel], unknown: -1, missing: -2 }",
    details: "scikit-learn's `OrdinalEncoder`. All `infrequent` values share the code behind that of the last \
              listed one. A value that is not listed has the code `unknown` or rejects the record; a null \
              has the code `missing`, and is null without it.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `ordinal`, as scikit-learn's `OrdinalEncoder` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text, integers or booleans.
    column: String,
    /// The values in the order of their codes.
    values: Vec<Listed>,
    /// Values that share the code behind the last listed one: those below scikit-learn's
    /// `min_frequency` or beyond its `max_categories`. None if not given.
    #[serde(default)]
    infrequent: Vec<Listed>,
    /// The code of a value that is not listed, or `reject`: -1 if not given.
    #[serde(default = "Unknown::default")]
    #[schemars(extend("default" = -1))]
    unknown: Unknown,
    /// The code of a null: null if not given.
    missing: Option<i64>,
    /// Name of the output; `{column}_code` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected an integer or `reject`")]
enum Unknown {
    Code(i64),
    Word(Reject),
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reject {
    Reject,
}

impl Default for Unknown {
    fn default() -> Self {
        Self::Code(-1)
    }
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, values: listed, infrequent, unknown, missing, name } =
        registry::options(node)?;
    let lists = [("values", listed.as_slice()), ("infrequent", &infrequent)];
    let values = Categories::of_lists(node, input, &column, &lists)?;
    let listed = u32::try_from(listed.len()).expect("values fit memory");
    let codes = 0..i64::from(listed) + i64::from(!infrequent.is_empty());
    let is_taken = |code: i64| codes.contains(&code);
    let taken = |key: &str, code: i64| {
        Problem::new(node.at(key), format!("{code} is the code of a listed value"))
            .expected(format!("a code below 0 or from {} on", codes.end))
    };
    match (unknown, missing) {
        (Unknown::Code(code), _) if is_taken(code) => return Err(taken("unknown", code)),
        (_, Some(code)) if is_taken(code) => return Err(taken("missing", code)),
        _ => {}
    }
    let nullable = values.field(input).is_nullable() && missing.is_none();
    let name_of_output = name.unwrap_or_else(|| format!("{column}_code"));
    let field = Arc::new(Field::new(name_of_output, DataType::Int64, nullable));
    Ok(Box::new(Ordinal { name: column, values, listed, unknown, missing, field }))
}

#[derive(Debug)]
struct Ordinal {
    name: String,
    /// Listed values, then infrequent ones.
    values: Categories,
    listed: u32,
    unknown: Unknown,
    missing: Option<i64>,
    field: FieldRef,
}

impl Feature for Ordinal {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        failed: &mut Vec<Failed>,
    ) {
        let places = self.values.places(rows);
        let column = self.values.column(rows);
        let unlisted = match self.unknown {
            Unknown::Code(code) => Some(code),
            Unknown::Word(Reject::Reject) => {
                let unknown = self.values.unknown(rows, &places).into_iter();
                failed.extend(unknown.map(|row| not_listed("ordinal", &self.name, row)));
                // The row leaves, whatever stands here.
                Some(-1)
            }
        };
        let code = |(row, place): (usize, &u32)| match *place {
            UNLISTED if column.is_null(row) => self.missing,
            UNLISTED => unlisted,
            place => Some(i64::from(place.min(self.listed))),
        };
        out.push(Arc::new(places.iter().enumerate().map(code).collect::<Int64Array>()));
    }
}

//! `hashing`: columns of any cardinality in a fixed number of outputs.

use super::{Build, Failed, Feature, Input, find_column, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, AsArray, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{io, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "hashing",
    summary: "Adds columns up in as many outputs as are asked for, by the hash of name and value.",
    example: "{ columns: [category, amount], outputs: 16 }",
    details: "A text counts 1 under the name `column=text`, a number or boolean itself under \
              `column`, in output `|h| mod outputs` with the sign of `h`: MurmurHash3 x86, 32 \
              bits, seed 0, of the name in UTF-8 (Weinberger and others 2009). Null counts \
              nothing, outputs are never null; NaN makes its output NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `hashing`. The outputs are those of scikit-learn's `FeatureHasher` for dictionaries:
/// a text counts 1 under `column=text`, a number counts itself under `column`, by `MurmurHash3` (x86,
/// 32 bits, seed 0): Weinberger et al., "Feature hashing for large scale multitask learning" (2009).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns of text, numbers or booleans. A null counts nothing.
    columns: Vec<String>,
    /// Number of outputs, 1 to 4096: `{as}_0` and so on.
    outputs: u32,
    /// False to add where the hash says to subtract.
    #[serde(default = "yes")]
    alternate_sign: bool,
    /// What the outputs' names begin with: `hash` if not given.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

fn yes() -> bool {
    true
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { columns, outputs, alternate_sign, prefix } = registry::options(node)?;
    if columns.is_empty() {
        return Err(Problem::new(node.at("columns"), "no columns").expected("at least one"));
    }
    let place = Hash::build(node, outputs, alternate_sign)?;
    let places = node.get("columns").and_then(Node::as_list).unwrap_or_default();
    let source = |(name, at): (String, &Node)| {
        let index = find_column(&name, input.schema, at.at)?;
        match input.schema.field(index).data_type() {
            DataType::Utf8 => Ok(Source::Text { index, name }),
            DataType::Boolean => Ok(Source::Number { index, at: place.of(&name) }),
            t if t.is_numeric() => Ok(Source::Number { index, at: place.of(&name) }),
            other => Err(Problem::new(at.at, format!("column `{name}` is of type {other}"))
                .expected("text, numbers or booleans")),
        }
    };
    let sources = columns.into_iter().zip(places).map(source).collect::<Result<_, _>>()?;
    let prefix = prefix.unwrap_or_else(|| "hash".to_owned());
    let field = |output| Field::new(format!("{prefix}_{output}"), DataType::Float64, false);
    let fields = (0..outputs).map(|output| Arc::new(field(output))).collect();
    Ok(Box::new(Hashing { sources, hash: place, fields }))
}

/// Which output a name counts in, and how much of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hash {
    outputs: u32,
    alternate_sign: bool,
}

/// An output and the sign of what is added to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) output: usize,
    pub(super) sign: f64,
}

impl Hash {
    /// As many outputs as stand under `outputs` of the options.
    pub(super) fn build(node: &Node, outputs: u32, alternate_sign: bool) -> Result<Self, Problem> {
        if (1..=4_096).contains(&outputs) {
            return Ok(Self { outputs, alternate_sign });
        }
        Err(Problem::new(node.at("outputs"), format!("{outputs} outputs")).expected("1 to 4096"))
    }

    pub(super) fn of(self, name: &str) -> Place {
        let mut bytes = io::Cursor::new(name.as_bytes());
        let hash = murmur3::murmur3_32(&mut bytes, 0).expect("memory can be read").cast_signed();
        let subtracts = self.alternate_sign && hash < 0;
        Place {
            output: (hash.unsigned_abs() % self.outputs) as usize,
            sign: if subtracts { -1.0 } else { 1.0 },
        }
    }
}

#[derive(Debug)]
enum Source {
    Text { index: usize, name: String },
    Number { index: usize, at: Place },
}

#[derive(Debug)]
struct Hashing {
    sources: Vec<Source>,
    hash: Hash,
    fields: Vec<FieldRef>,
}

impl Feature for Hashing {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let mut sums = vec![vec![0.0; rows.num_rows()]; self.fields.len()];
        let mut add = |row: usize, at: Place, value: f64| sums[at.output][row] += at.sign * value;
        let mut text_of_value = String::new();
        for source in &self.sources {
            match source {
                Source::Text { index, name } => {
                    let texts = rows.column(*index).as_string::<i32>().iter().enumerate();
                    for (row, text) in texts.filter_map(|(row, text)| Some((row, text?))) {
                        text_of_value.clear();
                        text_of_value.extend([name.as_str(), "=", text]);
                        add(row, self.hash.of(&text_of_value), 1.0);
                    }
                }
                Source::Number { index, at } => {
                    for (row, number) in floats(rows, *index).iter().enumerate() {
                        add(row, *at, number.unwrap_or_default());
                    }
                }
            }
        }
        out.extend(sums.into_iter().map(|sums| Arc::new(Float64Array::from(sums)) as ArrayRef));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// mmh3's `hash("foo")` is -156908512, `hash("test")` -1167338989.
    #[test]
    fn outputs_and_signs_are_those_of_the_hash() {
        let of = |name: &str, alternate_sign: bool| {
            let Place { output, sign } = Hash { outputs: 1_000, alternate_sign }.of(name);
            (output, sign > 0.0)
        };
        assert_eq!(of("foo", true), (512, false));
        assert_eq!(of("test", true), (989, false));
        assert_eq!(of("test", false), (989, true));
        assert_eq!(of("", true), (0, true));
    }
}

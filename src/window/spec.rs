//! One window as the pipeline file says it.
//!
//! ```yaml
//! { over: 1h, of: amount, where: "channel = 'web'", closed: right, compute: [count, sum] }
//! ```
//!
//! `compute` is a list of aggregates, each a name or one key with options (`std: { ddof: 0 }`), or
//! a map from aggregate to the name of its column or to options. Among the options, `as` names the
//! column; the default is `{of}_{aggregate}_{window}`: `1h`, `20r`, `1d_tumbling`, `30m_session`.
//! What the other keys say is told by [`Keys`].

use super::{extent::Extent, keys::Keys};
use crate::{
    aggregate::{AGGREGATES, Aggregate, Kind, Output},
    registry::{self, Node, Position, Problem, Value},
};
use arrow::datatypes::{DataType, SchemaRef};

/// A window and what is computed over it.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) extent: Extent,
    /// Index, name and type of the column.
    pub(super) column: Option<(usize, String, DataType)>,
    /// The text under `where`.
    pub(super) condition: Option<Node>,
    /// Values below which there is nothing to compute.
    pub(super) min_count: u64,
    pub(super) computed: Vec<Computed>,
}

/// One aggregate of a window.
#[derive(Debug)]
pub(super) struct Computed {
    /// Name of the column it makes, and where that is said.
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) aggregate_name: &'static str,
    pub(super) aggregate: Aggregate,
    pub(super) output: Output,
    /// Values below which it is null.
    pub(super) min_count: u64,
}

impl Spec {
    /// Reads one window.
    pub(super) fn parse(node: &Node, schema: &SchemaRef) -> Result<Self, Problem> {
        let keys = Keys::read(node)?;
        let (extent, suffix) = keys.extent(node)?;
        let column = match keys.of {
            Some(name) => Some(find_column(name, node.at("of"), schema)?),
            None => None,
        };
        let mut spec = Self {
            extent,
            column,
            condition: node.get("where").cloned(),
            min_count: keys.min_count,
            computed: Vec::new(),
        };
        let compute = node.get("compute").expect("its presence was checked");
        for asked in Asked::all(compute)? {
            let computed = spec.compute(asked, &suffix)?;
            spec.computed.push(computed);
        }
        Ok(spec)
    }

    fn compute(&self, asked: Asked<'_>, suffix: &str) -> Result<Computed, Problem> {
        let Asked { aggregate, at, name, options } = asked;
        let component = registry::find(AGGREGATES, "aggregate", aggregate, at)?;
        let aggregate = (component.build)(&options)?;
        let of = self.column.as_ref();
        let output = aggregate.output(of.map(|(_, _, t)| t)).map_err(|takes| {
            let what = match of {
                Some((_, column, t)) => {
                    format!("`{}` does not take column `{column}` of type {t}", component.name)
                }
                None => format!("`{}` needs a column, named by `of`", component.name),
            };
            Problem::new(at, what).expected(takes)
        })?;
        // Below `min_count` there is only the count.
        let min_count = if component.name == "count" { 0 } else { self.min_count };
        let output = Output { nullable: output.nullable || min_count > 0, ..output };
        let (name, at) = name.unwrap_or_else(|| {
            let of = of.map(|(_, column, _)| format!("{column}_")).unwrap_or_default();
            (format!("{of}{}_{suffix}", component.name), at)
        });
        let aggregate_name = component.name;
        Ok(Computed { name, at, aggregate_name, aggregate, output, min_count })
    }
}

fn find_column(
    name: String,
    at: Position,
    schema: &SchemaRef,
) -> Result<(usize, String, DataType), Problem> {
    let Some((index, field)) = schema.column_with_name(&name) else {
        let names = schema.fields().iter().map(|f| f.name());
        return Err(Problem::new(at, format!("no column `{name}`")).expected_one_of(&name, names));
    };
    let data_type = field.data_type().clone();
    if Kind::of(&data_type).is_none() {
        let what = format!("column `{name}` of type {data_type} cannot be aggregated");
        return Err(
            Problem::new(at, what).expected("a numeric, boolean, date, timestamp or string column")
        );
    }
    Ok((index, name, data_type))
}

/// An aggregate as asked for.
struct Asked<'n> {
    aggregate: &'n str,
    at: Position,
    /// The column's name, if one is given, and where.
    name: Option<(String, Position)>,
    options: Node,
}

impl<'n> Asked<'n> {
    fn all(compute: &'n Node) -> Result<Vec<Self>, Problem> {
        let wrong = |node: &Node| {
            Problem::new(node.at, format!("wrong value under `compute`: {}", node.kind()))
                .expected("aggregates, such as [count, mean] or { mean: my_name }")
        };
        let asked: Result<Vec<Self>, Problem> = match &compute.value {
            Value::List(items) => items
                .iter()
                .map(|item| match &item.value {
                    Value::String(name) => Ok(Self::plain(name, item.at)),
                    Value::Map(entries) if entries.len() == 1 => Self::with(&entries[0]),
                    _ => Err(wrong(item)),
                })
                .collect(),
            Value::Map(entries) => entries.iter().map(Self::with).collect(),
            _ => Err(wrong(compute)),
        };
        asked.and_then(|asked| if asked.is_empty() { Err(wrong(compute)) } else { Ok(asked) })
    }

    fn plain(aggregate: &'n str, at: Position) -> Self {
        Self { aggregate, at, name: None, options: Node { value: Value::Map(Vec::new()), at } }
    }

    /// `aggregate: name` or `aggregate: { as: name, options }`.
    fn with((aggregate, at, value): &'n (String, Position, Node)) -> Result<Self, Problem> {
        let mut asked = Self::plain(aggregate, *at);
        match &value.value {
            Value::String(name) => asked.name = Some((name.clone(), value.at)),
            Value::Map(entries) => {
                let mut options = entries.clone();
                if let Some(index) = options.iter().position(|(key, _, _)| key == "as") {
                    let (_, _, name) = options.remove(index);
                    let text = name.as_str().ok_or_else(|| {
                        Problem::new(name.at, format!("wrong type: {}", name.kind()))
                            .expected("the name of a column")
                    })?;
                    asked.name = Some((text.to_owned(), name.at));
                }
                asked.options = Node { value: Value::Map(options), at: value.at };
            }
            _ => {
                return Err(Problem::new(value.at, format!("wrong type: {}", value.kind()))
                    .expected("the name of a column, or a map of options"));
            }
        }
        Ok(asked)
    }
}

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
//!
//! What remembers without a window has an entry without a length, and its own end of the name:
//! `{ of: amount, compute: [{ ewma: { half_life: 1h } }] }` computes `amount_ewma_1h`.

use super::{by::By, condition::Condition, extent::Extent, keys::Keys};
use crate::{
    aggregate::{self, AGGREGATES, Aggregate, Build, Categories, Kept, Kind, Output, Per, map_of},
    registry::{self, Component, Node, Position, Problem, Value},
};
use arrow::datatypes::{DataType, SchemaRef};

/// A window and what is computed over it.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) shape: Shape,
    pub(super) column: Option<FoundColumn>,
    /// The text under `where`.
    pub(super) condition: Option<Node>,
    /// The categories that are told apart.
    by: Option<By>,
    /// Values below which there is nothing to compute.
    pub(super) min_count: u64,
    pub(super) computed: Vec<Computed>,
}

/// Which records are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Those of a window.
    Window(Extent),
    /// All so far, by what is remembered of them.
    Memory(Kept),
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
    /// The second column: that of an aggregate of pairs, or the categories of a map.
    pub(super) beside: Option<FoundColumn>,
    /// The category that it is of.
    pub(super) only: Option<Condition>,
    /// The categories that it makes a map of.
    pub(super) map: Option<Categories>,
    /// Values below which it is null.
    pub(super) min_count: u64,
}

/// Index, name and type of a column.
pub(super) type FoundColumn = (usize, String, DataType);

impl Spec {
    /// Reads one window.
    pub(super) fn parse(node: &Node, schema: &SchemaRef) -> Result<Self, Problem> {
        let keys = Keys::read(node)?;
        let compute = node.get("compute").expect("its presence was checked");
        let asked = Asked::all(compute)?;
        let (shape, suffix) = if !keys.have_shape() && all_remember(&asked) {
            (Shape::Memory(keys.kept(node)?), None)
        } else {
            let (extent, suffix) = keys.extent(node)?;
            (Shape::Window(extent), Some(suffix))
        };
        let column = match keys.of {
            Some(name) => Some(find_column(name, node.at("of"), schema)?),
            None => None,
        };
        let mut spec = Self {
            shape,
            column,
            condition: node.get("where").cloned(),
            by: node.get("by").map(|by| By::read(by, schema)).transpose()?,
            min_count: keys.min_count,
            computed: Vec::new(),
        };
        for asked in asked {
            let computed = spec.compute(&asked, suffix.as_deref(), schema)?;
            spec.computed.extend(computed);
        }
        Ok(spec)
    }

    /// The columns that an aggregate makes: one, or one of each category.
    fn compute(
        &self,
        asked: &Asked<'_>,
        suffix: Option<&str>,
        schema: &SchemaRef,
    ) -> Result<Vec<Computed>, Problem> {
        let component = registry::find(AGGREGATES, "aggregate", asked.aggregate, asked.at)?;
        let plain = self.column(component, asked, suffix, schema)?;
        match &self.by {
            None => Ok(vec![plain]),
            Some(By::Found(column, max)) => Ok(vec![plain.mapped(column, *max, asked)?]),
            Some(by) => {
                let conditions = by.conditions().into_iter();
                let each = conditions.map(|(category, condition)| {
                    let column = self.column(component, asked, suffix, schema)?;
                    let name = format!("{}_{category}", column.name);
                    Ok(Computed { name, only: Some(condition), ..column })
                });
                each.collect()
            }
        }
    }

    /// Refuses what a window of tiles does not know.
    fn of_tiles(&self, aggregate: &Aggregate, name: &str, at: Position) -> Result<(), Problem> {
        if !matches!(self.shape, Shape::Window(Extent { resolution_us: Some(_), .. })) {
            return Ok(());
        }
        let needs = aggregate.needs();
        let is_text = self.column.as_ref().is_some_and(|(_, _, t)| *t == DataType::Utf8);
        let what = match aggregate {
            _ if matches!(self.by, Some(By::Found(..))) => {
                format!("a map of `{name}` looks at events, which tiles do not keep")
            }
            Aggregate::Events(_) | Aggregate::Pairs(..) => {
                format!("`{name}` looks at events, which tiles do not keep")
            }
            _ if needs.previous => {
                format!("`{name}` looks at the event before, which tiles do not keep")
            }
            Aggregate::Summary(_) if is_text && needs.values() => {
                format!("`{name}` of texts, which tiles do not keep")
            }
            _ => return Ok(()),
        };
        Err(Problem::new(at, what).expected(OF_TILES))
    }

    /// The column that an aggregate makes of all categories.
    fn column(
        &self,
        component: &Component<Build>,
        asked: &Asked<'_>,
        suffix: Option<&str>,
        schema: &SchemaRef,
    ) -> Result<Computed, Problem> {
        let at = asked.at;
        let aggregate = (component.build)(&asked.options)?;
        self.of_tiles(&aggregate, component.name, at)?;
        let suffix = match (&aggregate, suffix) {
            (Aggregate::Recursive(recursive), None) => self.suffix_of_memory(recursive.suffix()),
            (Aggregate::Recursive(_), Some(_)) => {
                let what = format!("`{}` in a window", component.name);
                return Err(Problem::new(at, what).expected(
                    "an entry of its own without `over`: it remembers all records so far",
                ));
            }
            (_, suffix) => suffix.expect("other aggregates have a window").to_owned(),
        };
        let of = self.column.as_ref();
        let beside = match &aggregate {
            Aggregate::Pairs(column, _) => Some(find_named(column, schema)?),
            _ => None,
        };
        let types = [of, beside.as_ref()].map(|column| column.map(|(_, _, t)| t));
        let output = aggregate.output(types[0], types[1]).map_err(|takes| {
            let column = |(_, name, t): &FoundColumn| format!("column `{name}` of type {t}");
            let what = match (of, &beside) {
                (Some(of), None) => column(of),
                (Some(of), Some(beside)) => format!("{} with {}", column(of), column(beside)),
                (None, _) => {
                    let what = format!("`{}` needs a column, named by `of`", component.name);
                    return Problem::new(at, what).expected(takes);
                }
            };
            Problem::new(at, format!("`{}` does not take {what}", component.name)).expected(takes)
        })?;
        // Below `min_count` there are only the counts.
        let is_count = matches!(component.name, "count" | "count_null");
        let min_count = if is_count { 0 } else { self.min_count };
        let output = Output { nullable: output.nullable || min_count > 0, ..output };
        let (name, at) = asked.name.clone().unwrap_or_else(|| {
            let of = of.map(|(_, column, _)| format!("{column}_")).unwrap_or_default();
            (format!("{of}{}_{suffix}", component.name), at)
        });
        let aggregate_name = component.name;
        let (only, map) = (None, None);
        Ok(Computed { name, at, aggregate_name, aggregate, output, beside, only, map, min_count })
    }

    fn suffix_of_memory(&self, suffix: String) -> String {
        match self.shape {
            Shape::Memory(Kept { per: Per::Partition, .. }) => format!("{suffix}_partition"),
            _ => suffix,
        }
    }
}

/// True if each is an aggregate that remembers without a window; its options are read later.
fn all_remember(asked: &[Asked<'_>]) -> bool {
    asked.iter().all(|asked| aggregate::remembers(asked.aggregate))
}

impl Computed {
    /// The same as a map of the categories in `column`.
    fn mapped(self, column: &FoundColumn, max: usize, asked: &Asked<'_>) -> Result<Self, Problem> {
        let aggregate = self.aggregate_name;
        if self.beside.is_some() {
            return Err(Problem::new(asked.at, format!("a map of `{aggregate}`, of two columns"))
                .expected("`values` under `by`, which make a column of each category"));
        }
        let name = match asked.name {
            Some(_) => self.name,
            None => format!("{}_by_{}", self.name, column.1),
        };
        let map = Some(Categories { max, min_count: self.min_count });
        let (output, beside) = (map_of(&self.output), Some(column.clone()));
        Ok(Self { name, output, beside, map, min_count: 0, ..self })
    }
}

/// What tiles know.
const OF_TILES: &str = "an aggregate that tiles suffice for (count, sum, mean, var, std, sem, zscore, \
                        min, max, range, first, last, delta, rate, time_since_first, gap_mean), or a \
                        window without `resolution`";

/// The column that a node of an aggregate's options names.
fn find_named(node: &Node, schema: &SchemaRef) -> Result<FoundColumn, Problem> {
    let name = node.as_str().expect("its type was checked");
    find_column(name.to_owned(), node.at, schema)
}

pub(super) fn find_column(
    name: String,
    at: Position,
    schema: &SchemaRef,
) -> Result<FoundColumn, Problem> {
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

//! `polynomial`: products of columns.

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{Array, ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{ops::RangeInclusive, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "polynomial",
    summary: "Writes the products of columns up to a degree, without the columns themselves.",
    example: "{ columns: [amount, count], degree: 2 }",
    details: "scikit-learn's `PolynomialFeatures`: all products of `min_degree` to `degree` factors, in its \
              order. Null where a factor is.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `polynomial`. The order is that of scikit-learn's `PolynomialFeatures`, from its first
/// product on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns of numbers. Outputs are called by their factors: `amount_x_count`, `amount_x_amount`.
    columns: Vec<String>,
    /// The most factors that a product has: 2 to 4, 2 if not given.
    #[serde(default = "two")]
    degree: usize,
    /// The fewest factors that a product has: 2 if not given.
    #[serde(default = "two")]
    min_degree: usize,
    /// True to have each column in a product at most once.
    #[serde(default)]
    interaction_only: bool,
}

fn two() -> usize {
    2
}

/// Outputs, at most: a list of columns that gives more is surely not meant.
const OUTPUTS_MAX: usize = 1_000;

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { columns, degree, min_degree, interaction_only } = registry::options(node)?;
    if columns.is_empty() {
        return Err(Problem::new(node.at("columns"), "no columns").expected("at least one"));
    }
    if !(2..=4).contains(&degree) {
        return Err(Problem::new(node.at("degree"), format!("degree {degree}")).expected("2 to 4"));
    }
    if !(2..=degree).contains(&min_degree) {
        return Err(Problem::new(node.at("min_degree"), format!("`min_degree` is {min_degree}"))
            .expected(format!("2 to {degree}, the degree")));
    }
    let places = node.get("columns").and_then(Node::as_list).unwrap_or_default();
    let find = |(name, place): (&String, &Node)| find_number(name, input.schema, place.at);
    let indices = columns.iter().zip(places).map(find).collect::<Result<Vec<_>, _>>()?;
    let products = products(columns.len(), min_degree..=degree, interaction_only);
    if products.is_empty() || products.len() > OUTPUTS_MAX {
        return Err(Problem::new(node.at("columns"), format!("{} products", products.len()))
            .expected(format!("1 to {OUTPUTS_MAX}: another degree or other columns")));
    }
    let field = |factors: &Vec<usize>| {
        let names: Vec<&str> = factors.iter().map(|factor| columns[*factor].as_str()).collect();
        let nullable = |factor: &usize| input.schema.field(indices[*factor]).is_nullable();
        let nullable = factors.iter().any(nullable);
        Arc::new(Field::new(names.join("_x_"), DataType::Float64, nullable))
    };
    let fields = products.iter().map(field).collect();
    Ok(Box::new(Polynomial { columns: indices, products, fields }))
}

/// The factors of each product: by number of factors, then in the order of
/// the columns.
fn products(
    columns: usize,
    degrees: RangeInclusive<usize>,
    interaction_only: bool,
) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let mut of_degree: Vec<Vec<usize>> = (0..columns).map(|column| vec![column]).collect();
    for degree in 2..=*degrees.end() {
        let longer = of_degree.iter().flat_map(|factors| {
            let last = factors[factors.len() - 1];
            let next = if interaction_only { last + 1 } else { last };
            (next..columns).map(|column| [factors.as_slice(), &[column]].concat())
        });
        of_degree = longer.take(OUTPUTS_MAX + 1).collect();
        all.extend(of_degree.iter().filter(|_| degrees.contains(&degree)).cloned());
    }
    all
}

/// Null where any factor is.
#[derive(Debug)]
struct Polynomial {
    columns: Vec<usize>,
    /// Places in `columns`.
    products: Vec<Vec<usize>>,
    fields: Vec<FieldRef>,
}

impl Feature for Polynomial {
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
        let columns: Vec<Float64Array> =
            self.columns.iter().map(|index| floats(rows, *index)).collect();
        for factors in &self.products {
            let product = |row: usize| {
                let whole = factors.iter().all(|factor| columns[*factor].is_valid(row));
                whole.then(|| {
                    factors.iter().map(|factor| columns[*factor].value(row)).product::<f64>()
                })
            };
            out.push(Arc::new((0..rows.num_rows()).map(product).collect::<Float64Array>()));
        }
    }
}

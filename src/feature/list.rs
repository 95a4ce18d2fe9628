//! The list of features of a pipeline: each item sees the columns and the features before it.

use super::{
    Elements, EventTimeColumn, Feature, Input, Vectors, build_item,
    nulls::{self, Nulls},
};
use crate::{
    aggregate::visible,
    registry::{Node, Position, Problem, Value},
};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{FieldRef, Schema, SchemaRef},
};
use std::sync::Arc;

/// The list of features of a pipeline.
#[derive(Debug)]
pub struct Features {
    items: Vec<Item>,
    /// Columns of the rows that everybody may name; those behind them are hidden.
    columns: usize,
    /// What each item gives, in order.
    fields: Vec<FieldRef>,
    /// Of `fields`, those that later items may ask for: a name that is a column's means the column.
    is_named: Vec<bool>,
    /// Of `fields`, those that leave.
    shown: Vec<usize>,
    nulls: nulls::Policy,
    elements: Elements,
    /// Of what leaves.
    schema: SchemaRef,
}

#[derive(Debug)]
struct Item {
    feature: Box<dyn Feature>,
    /// The columns of the rows and the features before it, if it asks for one of these.
    sees: Option<SchemaRef>,
}

impl Features {
    /// Builds the list for rows with columns `rows`, or says what is wrong with each item. Nulls stay
    /// nulls.
    pub fn build(
        specs: &[Node],
        rows: &SchemaRef,
        event_time: EventTimeColumn,
    ) -> Result<Self, Vec<Problem>> {
        let schema = visible(rows);
        let columns = schema.fields().len();
        let mut list = Building {
            rows: Arc::clone(rows),
            known: Arc::clone(&schema),
            schema,
            event_time,
            items: Vec::with_capacity(specs.len()),
            fields: Vec::new(),
            is_named: Vec::new(),
        };
        let (mut problems, mut missed) = (Vec::new(), Vec::<Missed>::new());
        for spec in specs {
            if let Err(problem) = list.push(spec) {
                if !missed.iter().any(|missed| missed.explains(&problem)) {
                    problems.push(problem);
                }
                missed.extend(Missed::of(spec));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let Building { items, fields, is_named, .. } = list;
        let schema = Arc::new(Schema::new(fields.clone()));
        let shown = (0..fields.len()).collect();
        let (nulls, elements) = (nulls::Policy::default(), Elements::default());
        Ok(Self { items, columns, fields, is_named, shown, nulls, elements, schema })
    }

    /// Leaves out features that only others ask for; `nodes` are where their names stand.
    pub fn without(mut self, hidden: &[String], nodes: &[Node]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for (name, node) in hidden.iter().zip(nodes) {
            if let Some(place) = self.fields.iter().position(|field| field.name() == name) {
                self.shown.retain(|shown| *shown != place);
            } else {
                let problem = Problem::new(node.at, format!("unknown feature `{name}`"));
                let names = self.fields.iter().map(|field| field.name());
                problems.push(problem.expected_one_of(name, names));
            }
        }
        if let (true, true, Some(node)) =
            (problems.is_empty(), self.shown.is_empty(), nodes.first())
        {
            let problem = Problem::new(node.at, "no feature is left");
            problems.push(problem.expected("one that is not hidden"));
        }
        let left = self.shown.iter().map(|place| Arc::clone(&self.fields[*place]));
        self.schema = Arc::new(Schema::new(left.collect::<Vec<_>>()));
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }

    /// Sets what becomes of nulls. A policy that a column's type cannot hold is a problem at `at`.
    pub fn with_nulls(mut self, nulls: Nulls, at: Position) -> Result<Self, Problem> {
        self.nulls = nulls::Policy::build(nulls, &self.schema).map_err(|p| p.or_at(at))?;
        self.schema = self.nulls.schema(&self.schema);
        Ok(self)
    }

    /// Sets the type of floats that leave; nulls are replaced before.
    #[must_use]
    pub fn with_elements(mut self, elements: Elements) -> Self {
        self.elements = elements;
        self.schema = elements.schema(&self.schema);
        self
    }

    /// Names and types of the vector's feature columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The features of each row. `event_times` are microseconds, one per row.
    pub fn advance(&self, rows: &RecordBatch, event_times: &[i64]) -> Vectors {
        assert_eq!(rows.num_rows(), event_times.len(), "one event time per row");
        let mut columns = Vec::with_capacity(self.fields.len());
        let mut failed = Vec::new();
        for item in &self.items {
            let extended = item.sees.as_ref().map(|schema| self.extended(rows, &columns, schema));
            let rows = extended.as_ref().unwrap_or(rows);
            item.feature.advance(rows, event_times, &mut columns, &mut failed);
        }
        if self.shown.len() < columns.len() {
            columns = self.shown.iter().map(|place| Arc::clone(&columns[*place])).collect();
        }
        self.nulls.apply(&self.schema, &mut columns, &mut failed);
        self.elements.apply(&mut columns);
        // Stable: of several complaints about a row the first in the order of the list stays.
        failed.sort_by_key(|f| f.row);
        failed.dedup_by_key(|f| f.row);
        let columns = batch(self.schema(), columns, rows.num_rows());
        Vectors { columns, failed }
    }

    /// The rows with the features that have been computed.
    fn extended(&self, rows: &RecordBatch, made: &[ArrayRef], schema: &SchemaRef) -> RecordBatch {
        let named = made.iter().zip(&self.is_named).filter(|(_, is_named)| **is_named);
        let columns =
            rows.columns().iter().take(self.columns).chain(named.map(|(column, _)| column));
        batch(Arc::clone(schema), columns.map(Arc::clone).collect(), rows.num_rows())
    }
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .expect("items give what their fields declare")
}

/// A list that is being built.
struct Building {
    /// All columns of the rows.
    rows: SchemaRef,
    /// Those that everybody may name.
    schema: SchemaRef,
    event_time: EventTimeColumn,
    /// The columns, and the features so far.
    known: SchemaRef,
    items: Vec<Item>,
    fields: Vec<FieldRef>,
    is_named: Vec<bool>,
}

impl Building {
    fn push(&mut self, spec: &Node) -> Result<(), Problem> {
        let (rows, event_time) = (&self.rows, self.event_time);
        let of = |schema| build_item(spec, &Input { schema, rows, event_time });
        // What can be made of the columns alone never sees a feature.
        let (feature, sees) = match of(&self.schema) {
            Ok(feature) => (feature, None),
            Err(problem) if self.known.fields().len() == self.schema.fields().len() => {
                return Err(problem);
            }
            Err(_) => (of(&self.known)?, Some(Arc::clone(&self.known))),
        };
        let fields = feature.fields();
        for (place, field) in fields.iter().enumerate() {
            let before = self.fields.iter().chain(&fields[..place]);
            if before.into_iter().any(|other| other.name() == field.name()) {
                let what = format!("two features of the name `{}`", field.name());
                return Err(Problem::new(spec.at, what).expected("a name of its own for each"));
            }
        }
        let mut known = self.known.fields().to_vec();
        for field in fields {
            let is_named = self.schema.index_of(field.name()).is_err();
            if is_named {
                known.push(Arc::clone(&field));
            }
            self.is_named.push(is_named);
            self.fields.push(field);
        }
        self.known = Arc::new(Schema::new(known));
        self.items.push(Item { feature, sees });
        Ok(())
    }
}

/// The outputs of an item that is wrong, as far as they are known.
enum Missed {
    /// The one of this name.
    Named(String),
    /// Those whose names begin so.
    Beginning(String),
}

impl Missed {
    fn of(spec: &Node) -> Option<Self> {
        let (name, _, options) = spec.as_map()?.first()?;
        let text = |key| options.get(key).and_then(Node::as_str).map(str::to_owned);
        match &options.value {
            Value::Map(_) => text("as").or_else(|| text("column")).map(Self::Beginning),
            _ => Some(Self::Named(name.clone())),
        }
    }

    /// True if a problem is that this output could not be made.
    fn explains(&self, problem: &Problem) -> bool {
        let rest = problem.what.strip_prefix("unknown column `");
        rest.and_then(|rest| rest.split('`').next()).is_some_and(|unknown| match self {
            Self::Named(name) => unknown == name,
            Self::Beginning(name) => unknown.starts_with(name.as_str()),
        })
    }
}

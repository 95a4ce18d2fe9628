//! The rules of one schema, applied to batches.

use super::{
    complete::Complete,
    rules::{self, Rule, Verdicts},
};
use crate::{
    batch::{Decoded, RawBatch, Reason, Rejections},
    registry::Problem,
    schema::{Constraint, Field, Kind, RecordSchema},
};
use arrow::{
    array::{AsArray, BooleanArray},
    compute::filter_record_batch,
    datatypes::{DataType, SchemaRef},
};

/// Characters of a rejection's detail.
const DETAIL_MAX: usize = 200;

/// Everything a schema asks of decoded values.
#[derive(Debug)]
pub struct Rules {
    /// In the order of the schema: a row is rejected for the first that it breaks.
    bound: Vec<Bound>,
    complete: Complete,
    /// True if the rules do not cover the schema.
    every_record: bool,
    slow_path_records: u64,
    /// Per row of the batch; kept for its memory.
    verdicts: Verdicts,
}

/// A rule on its column.
#[derive(Debug)]
struct Bound {
    rule: Box<dyn Rule>,
    column: usize,
    /// True if it judges the items of a list.
    items: bool,
    field: String,
}

impl Rules {
    /// Binds the constraints of `schema` to the columns of `arrow`. A schema that JSON Schema does
    /// not allow is a problem here, whoever would judge it.
    pub fn build(schema: &RecordSchema, arrow: &SchemaRef) -> Result<Self, Problem> {
        let mut rules = Self {
            bound: Vec::new(),
            complete: Complete::build(schema)?,
            every_record: schema.needs_complete(),
            slow_path_records: 0,
            verdicts: Verdicts::default(),
        };
        for field in schema.columns() {
            let column = arrow.index_of(&field.name).map_err(|_| {
                Problem::nowhere(format!("the decoder has no column `{}`", field.name))
            })?;
            let data_type = arrow.field(column).data_type();
            rules.bind_all(field, column, data_type)?;
        }
        Ok(rules)
    }

    fn bind_all(
        &mut self,
        field: &Field,
        column: usize,
        data_type: &DataType,
    ) -> Result<(), Problem> {
        for constraint in &field.shape.constraints {
            self.bind(constraint, data_type, Target { field, column, items: false })?;
        }
        if let (Kind::List(item), DataType::List(inner)) = (&field.shape.kind, data_type) {
            for constraint in &item.constraints {
                let target = Target { field, column, items: true };
                self.bind(constraint, inner.data_type(), target)?;
            }
        }
        Ok(())
    }

    fn bind(
        &mut self,
        constraint: &Constraint,
        data_type: &DataType,
        target: Target<'_>,
    ) -> Result<(), Problem> {
        let Constraint { keyword, value } = constraint;
        let component = rules::find(keyword, value.at)?;
        match (component.build)(value, data_type) {
            Some(rule) => self.bound.push(Bound {
                rule,
                column: target.column,
                items: target.items,
                field: target.field.name.clone(),
            }),
            None => self.every_record = true,
        }
        Ok(())
    }

    /// Keeps the rows that the schema allows; the others are in `rejected` as `invalid`.
    pub fn apply(
        &mut self,
        raw: &RawBatch,
        decoded: Decoded,
        rejected: &mut Rejections,
    ) -> Decoded {
        self.verdicts.begin(decoded.records.len());
        for (index, bound) in (0..).zip(&self.bound) {
            let column = decoded.columns.column(bound.column);
            if bound.items {
                let list = column.as_list::<i32>();
                self.verdicts.rule(index, Some(list.offsets().clone()));
                bound.rule.judge(list.values(), &mut self.verdicts);
            } else {
                self.verdicts.rule(index, None);
                bound.rule.judge(column, &mut self.verdicts);
            }
        }
        if self.verdicts.all_pass() && !self.every_record {
            return decoded;
        }
        let before = rejected.0.len();
        let mut keep = vec![true; decoded.records.len()];
        for (row, (record, keep)) in decoded.records.iter().zip(&mut keep).enumerate() {
            if let Err(mut detail) = self.row(raw, row, *record) {
                if let Some((end, _)) = detail.char_indices().nth(DETAIL_MAX) {
                    detail.truncate(end);
                }
                rejected.push(*record, Reason::Invalid, detail);
                *keep = false;
            }
        }
        if rejected.0.len() == before { decoded } else { filter(&decoded, keep) }
    }

    /// True if every record meets the complete validator: the schema says more than the rules can.
    pub fn needs_complete(&self) -> bool {
        self.every_record
    }

    /// Records that met the complete validator so far.
    pub fn slow_path_records(&self) -> u64 {
        self.slow_path_records
    }

    fn row(&mut self, raw: &RawBatch, row: usize, record: u32) -> Result<(), String> {
        if let Some(index) = self.verdicts.broken(row) {
            let Bound { rule, field, items, .. } = &self.bound[index];
            let whose = if *items { "items of " } else { "" };
            return Err(format!("{whose}`{field}`: expected {}", rule.expected()));
        }
        if !self.every_record && !self.verdicts.doubtful(row) {
            return Ok(());
        }
        self.slow_path_records += 1;
        let value = raw.record(record as usize).value;
        self.complete.judge(value.expect("a decoded record has a value"))
    }
}

/// What a constraint is bound to.
#[derive(Clone, Copy)]
struct Target<'a> {
    field: &'a Field,
    column: usize,
    items: bool,
}

fn filter(decoded: &Decoded, keep: Vec<bool>) -> Decoded {
    let mut flags = keep.iter();
    let mut records = decoded.records.clone();
    records.retain(|_| *flags.next().expect("one flag per row"));
    let mask = BooleanArray::from(keep);
    let columns =
        filter_record_batch(&decoded.columns, &mask).expect("the mask has a flag per row");
    Decoded { columns, records }
}

#[cfg(test)]
mod tests;

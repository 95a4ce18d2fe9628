//! `outlier`: finds values that cannot or hardly be right, and says so in `{column}_is_outlier`.
//!
//! Null is not judged, nor is NaN; infinity is. A value that is not judged is no outlier.

mod history;
mod options;
mod zscore;

use super::{Build, Clean, Input, clip::Range, column};
use crate::{
    batch::{Policy, Reason, Rejected, Rejections, Rows, Slot},
    registry::{Component, Node, Problem, schema_of},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array},
    datatypes::{DataType, FieldRef, Float64Type, Int64Type, SchemaRef},
};
use options::{Action, Judge, Options};
use std::sync::Arc;
use zscore::Place;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "outlier",
    summary: "Flags, nulls, clips, drops or rejects values outside a range or far from the mean.",
    example: "{ column: amount, method: zscore, over: 24h, threshold: 4, min_count: 20, \
              action: flag }",
    details: "`range`: below `min` or above `max`. `zscore`: `|x - mean| > threshold std` over \
              the raw values in `(t - over, t]` that came before the record, with ddof 1; they \
              enter the statistics whether or not they were outliers. A value is not judged below \
              `min_count` values, without a spread, and while NaN or an infinity is among them. \
              Null and NaN are not judged; infinity is.",
    state: "`zscore`: per value of the last `over` and the lateness 20 bytes, per key 72; \
              `range`: none",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Outlier::build(options, input)?)),
};

#[derive(Debug)]
struct Outlier {
    schema: SchemaRef,
    column: usize,
    flag: FieldRef,
    action: Action,
    judge: Judge,
    /// What a record that leaves is told.
    detail: String,
}

impl Outlier {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options = Options::read(node)?;
        let at = node.at("column");
        let column = column::named(input.schema, &options.column, at)?;
        column::numeric(input.schema.field(column), at)?;
        let (judge, detail) = options.judge(node)?;
        let name = options.name.unwrap_or_else(|| format!("{}_is_outlier", options.column));
        // An outlier that would leave and is kept is one that is flagged.
        let action = match options.action {
            Action::Reject if input.keeps_outliers => Action::Flag,
            action => action,
        };
        let field = input.schema.field(column).clone();
        let nullable = field.is_nullable() || action == Action::Null;
        let nulled = column::with_field(input.schema, column, field.with_nullable(nullable).into());
        let (schema, flag) = column::with_flag(&nulled, &name, node.at("name"))?;
        Ok(Self { schema, column, flag, action, judge, detail })
    }

    /// For each row, the range that its value would have had to lie in if it is an outlier.
    fn judge(&mut self, rows: &Rows) -> Vec<Option<Range>> {
        let column = rows.columns.column(self.column);
        let integers = column.as_primitive_opt::<Int64Type>();
        let numbers = column.as_primitive_opt::<Float64Type>();
        let value = |row| {
            let integer = integers.map(|values| values.value(row) as f64);
            integer.or_else(|| numbers.map(|values| values.value(row))).expect("numeric")
        };
        let mut judge = |row: usize| {
            if column.is_null(row) {
                return None;
            }
            let value = value(row);
            match &mut self.judge {
                Judge::Range(range) => (value < range.min || value > range.max).then_some(*range),
                Judge::ZScore(zscore) => {
                    let (slot, time) = (rows.slots[row], rows.event_times[row]);
                    zscore.judge(Place { slot, time, watermark: rows.watermarks[row] }, value)
                }
            }
        };
        (0..rows.len()).map(&mut judge).collect()
    }

    /// The column with each outlier replaced.
    fn replaced(&self, column: &ArrayRef, outliers: &[Option<Range>]) -> ArrayRef {
        let clips = self.action == Action::Clip;
        if column.data_type() == &DataType::Int64 {
            let values = column.as_primitive::<Int64Type>().iter().zip(outliers);
            let replace = |(value, outlier): (Option<i64>, &Option<Range>)| match outlier {
                Some(range) => value.map(|x| range.clip_integer(x)).filter(|_| clips),
                None => value,
            };
            Arc::new(values.map(replace).collect::<Int64Array>())
        } else {
            let values = column.as_primitive::<Float64Type>().iter().zip(outliers);
            let replace = |(value, outlier): (Option<f64>, &Option<Range>)| match outlier {
                Some(range) => value.map(|x| range.clip(x)).filter(|_| clips),
                None => value,
            };
            Arc::new(values.map(replace).collect::<Float64Array>())
        }
    }
}

impl Clean for Outlier {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let outliers = self.judge(&rows);
        let flags: BooleanArray = outliers.iter().map(|o| Some(o.is_some())).collect();
        let flags = Arc::new(flags) as ArrayRef;
        match self.action {
            Action::Flag => rows.with_column(Arc::clone(&self.flag), flags),
            Action::Null | Action::Clip => {
                let values = self.replaced(rows.columns.column(self.column), &outliers);
                let field = Arc::clone(&self.schema.fields()[self.column]);
                rows.replace_column(self.column, field, values)
                    .with_column(Arc::clone(&self.flag), flags)
            }
            Action::Drop | Action::Reject => {
                // What a rejection becomes is the pipeline's to say, a drop is this step's.
                let policy = (self.action == Action::Drop).then_some(Policy::Drop);
                let leaving = rows.records.iter().zip(&outliers).filter(|(_, o)| o.is_some());
                rejected.0.extend(leaving.map(|(record, _)| Rejected {
                    record: *record,
                    reason: Reason::Outlier,
                    stage: Reason::Outlier.stage(),
                    detail: self.detail.clone(),
                    policy,
                }));
                let keep: Vec<bool> = outliers.iter().map(Option::is_none).collect();
                rows.with_column(Arc::clone(&self.flag), flags).filter(&keep)
            }
        }
    }

    fn horizon(&self) -> Horizon {
        match &self.judge {
            Judge::Range(_) => Horizon::Stateless,
            Judge::ZScore(zscore) => zscore.horizon(),
        }
    }

    fn reach(&self) -> Horizon {
        match &self.judge {
            Judge::Range(_) => Horizon::Stateless,
            Judge::ZScore(zscore) => Horizon::For(zscore.over_us),
        }
    }

    fn forget(&mut self, slot: Slot) {
        if let Judge::ZScore(zscore) = &mut self.judge {
            zscore.histories.forget(slot);
        }
    }

    fn state_bytes(&self) -> usize {
        match &self.judge {
            Judge::Range(_) => 0,
            Judge::ZScore(zscore) => zscore.histories.bytes(),
        }
    }

    fn key_bytes(&self, keys: usize) -> usize {
        match &self.judge {
            Judge::Range(_) => 0,
            Judge::ZScore(zscore) => zscore.histories.key_bytes(keys),
        }
    }

    fn capture(&self) -> Option<Box<dyn Saved>> {
        match &self.judge {
            Judge::Range(_) => None,
            Judge::ZScore(zscore) => Some(Box::new(zscore.histories.capture())),
        }
    }

    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        match &mut self.judge {
            Judge::Range(_) => Err(section.malformed("a range keeps no state")),
            Judge::ZScore(zscore) => zscore.histories.restore(section, slots),
        }
    }
}

#[cfg(test)]
mod tests;

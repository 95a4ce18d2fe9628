//! `outlier`: finds values that cannot or hardly be right, and says so in `{column}_is_outlier`.
//!
//! Null is not judged, nor is NaN; infinity is. A value that is not judged is no outlier.

mod judge;
mod options;
mod previous;
mod ranks;
mod rolling;

use super::{Build, Clean, Input, clip::Range, column};
use crate::{
    aggregate::{Kind, float_key},
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
use judge::{Judge, Place, Value};
use options::{Action, Options};
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "outlier",
    summary: "Flags, nulls, clips, drops or rejects values that lie outside a range or far from the others.",
    example: "{ column: amount, method: zscore, over: 24h, threshold: 4, min_count: 20, \
              action: flag }",
    details: "`range` compares with fixed limits. Five methods compare with statistics of the raw values \
              in `(t - over, t]` that came before, of the key or of the partition:\n\n\
              * `zscore`: `|x - mean| / std > threshold`, ddof 1;\n\
              * `modified_zscore`: `|0.6745 (x - median) / mad| > threshold` (Iglewicz and Hoaglin, \
              1993; with `include_self` a trailing Hampel filter), `threshold` 3.5;\n\
              * `iqr`: outside `[q1 - k (q3 - q1), q3 + k (q3 - q1)]` (Tukey), `k` 1.5;\n\
              * `quantile`: below the quantile `lower` or above `upper`; quantiles are linear \
              (Hyndman and Fan 7, as numpy).\n\n\
              Two compare with the value before in offset order, at most `within` away: \
              `rate_of_change` judges `|x - x0| / |t - t0| > max_per_second` (not where both have one \
              event time), `stuck` the `count`th equal value in a row and those after it.\n\n\
              Every raw value enters the statistics after it was judged, outlier or not. Null and NaN \
              are not judged; nor is anything below `min_count` values, or where they have no spread. \
              NaN and infinity in the window leave `zscore` without a judgement; the order statistics \
              leave NaN out. `clip` moves an outlier to the limit that it has passed.",
    state: "16 bytes a value in `over`, of a key or of the partition; of `rate_of_change` and `stuck` 24 \
            bytes a key. `modified_zscore`, `iqr` and `quantile` look at each value in the window",
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
            let integer = integers.map(|values| Value::from(values.value(row)));
            integer.or_else(|| numbers.map(|values| values.value(row).into())).expect("numeric")
        };
        let mut judge = |row: usize| {
            let (slot, time) = (rows.slots[row], rows.event_times[row]);
            let place = Place { slot, time, watermark: rows.watermarks[row] };
            column.is_valid(row).then(|| self.judge.judge(place, value(row))).flatten()
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
        self.judge.horizon()
    }

    fn reach(&self) -> Horizon {
        self.judge.reach()
    }

    fn forget(&mut self, slot: Slot) {
        self.judge.forget(slot);
    }

    fn state_bytes(&self) -> usize {
        self.judge.bytes()
    }

    fn order_sensitive(&self) -> bool {
        self.judge.order_sensitive()
    }

    fn key_bytes(&self, keys: usize) -> usize {
        self.judge.key_bytes(keys)
    }

    fn capture(&self) -> Option<Box<dyn Saved>> {
        self.judge.capture()
    }

    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        self.judge.restore(section, slots)
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self { number: integer as f64, kind: Kind::Integer, key: integer }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        // There is one zero.
        Self { number, kind: Kind::Float, key: float_key(number + 0.0) }
    }
}

#[cfg(test)]
mod tests;

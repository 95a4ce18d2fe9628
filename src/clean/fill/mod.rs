//! `fill`: puts a value where there is none, and says so in a column `{column}_was_missing`.
//!
//! `with: last` takes the newest value of the same entity key at or before the record's own event
//! time, ties by offset, at most `within` older; `with: mean`, `median` or `mode` what the key's
//! values in a window before give; `with: linear` the line between its values before and behind, with
//! `order: event_time`; `by` a constant for each value of another column. Where there is
//! none they take `else`, or the value stays null. They take what was sent, never what was filled.
//! Any other `with` is a constant; `value` is one too, even if it is the text `last`. NaN is a value.

mod categories;
mod knots;
mod last;
mod linear;
mod options;
mod rolling;
mod trail;

use super::{Build, Clean, Input, LookAhead, column};
use crate::{
    batch::{Rejections, Rows, Slot},
    registry::{self, Component, Node, Problem, schema_of},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Array, ArrayRef, BooleanArray, Scalar},
    compute::{is_not_null, is_null, kernels::zip::zip},
    datatypes::{FieldRef, SchemaRef},
};
use categories::Categories;
use last::Last;
use linear::Linear;
use options::Options;
use rolling::Rolling;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "fill",
    summary: "Fills missing values with a constant, or with what the key's values before give.",
    example: "{ column: amount, with: last, within: 1h, else: 0 }",
    details: "* `last`: the newest value of the key at or before the record's event time, ties by offset, \
              at most `within` older;\n\
              * `mean`, `median`, `mode`: of the key's values in `(t - over, t]` that came before, if \
              there are `min_count`; of an even number the median is the mean of both in the middle, of \
              equally frequent values the mode is the least. Means and medians leave NaN and infinity \
              out, modes NaN. Means and medians are of float columns;\n\
              * `linear`: the line between the key's nearest values at or before the record and behind \
              it, by event time and offset, both at most `within` away: numpy's `interp`. Only with \
              `order: event_time` and first in `clean`: what was sent counts, finite values alone, and \
              all records of the partition wait `within` longer for the watermark. A record that was \
              released earlier, by a tick or by `hold`, knows what had come by then; a late one that \
              is kept gets `else`;\n\
              * `by`, `values`: a constant for each text of another column;\n\
              * any other `with`, and `value`: a constant.\n\n\
              Where there is none, `else`; without it the value stays null. Filled values never enter. \
              NaN is a value and is not filled.",
    state: "`last`: 16 bytes a key, and as much for each value behind the watermark; of texts their bytes \
            too. `mean`, `median`, `mode`: 16 bytes a value in `over`. `linear`: 96 bytes a value that waits or \
            is at most `within` old, as much and its text for a key. Others none. Medians and modes look \
            at each value in the window",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Fill::build(options, input)?)),
};

/// Where values come from before the constant does.
#[derive(Debug)]
enum Source {
    Last(Last),
    Linear(Box<Linear>),
    Rolling(Box<Rolling>),
    Categories(Categories),
}

#[derive(Debug)]
struct Fill {
    schema: SchemaRef,
    column: usize,
    flag: FieldRef,
    source: Option<Source>,
    /// One value, for what is still missing.
    constant: Option<Scalar<ArrayRef>>,
}

impl Fill {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let column = column::named(input.schema, &options.column, node.at("column"))?;
        let (source, constant) = options.sources(node, input, column)?;
        let name = options.name.unwrap_or_else(|| format!("{}_was_missing", options.column));
        let (schema, flag) = column::with_flag(input.schema, &name, node.at("name"))?;
        Ok(Self { schema, column, flag, source, constant: constant.map(Scalar::new) })
    }
}

impl Clean for Fill {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, _rejected: &mut Rejections) -> Rows {
        let column = Arc::clone(rows.columns.column(self.column));
        let missing = is_null(&column).expect("any array can be asked");
        let mut filled = match &mut self.source {
            Some(Source::Last(last)) => last.advance(&column, &rows),
            Some(Source::Linear(linear)) => linear.advance(&column, &rows),
            Some(Source::Rolling(rolling)) => rolling.advance(&column, &rows),
            Some(Source::Categories(categories)) => categories.advance(&column, &rows),
            None => column,
        };
        if let Some(constant) = &self.constant
            && filled.null_count() > 0
        {
            let present: BooleanArray = is_not_null(&filled).expect("any array can be asked");
            filled = zip(&present, &filled, constant).expect("the constant has the column's type");
        }
        let field = Arc::clone(&self.schema.fields()[self.column]);
        rows.replace_column(self.column, field, filled)
            .with_column(Arc::clone(&self.flag), Arc::new(missing))
    }

    fn horizon(&self) -> Horizon {
        match &self.source {
            Some(Source::Last(last)) => last.horizon(),
            Some(Source::Rolling(rolling)) => rolling.horizon(),
            Some(Source::Linear(_) | Source::Categories(_)) | None => Horizon::Stateless,
        }
    }

    fn reach(&self) -> Horizon {
        match &self.source {
            Some(Source::Linear(linear)) => linear.reach(),
            _ => self.horizon(),
        }
    }

    fn look_ahead(&mut self) -> Option<&mut dyn LookAhead> {
        match &mut self.source {
            Some(Source::Linear(linear)) => Some(&mut **linear),
            _ => None,
        }
    }

    fn forget(&mut self, slot: Slot) {
        match &mut self.source {
            Some(Source::Last(last)) => last.forget(slot),
            Some(Source::Rolling(rolling)) => rolling.forget(slot),
            Some(Source::Linear(_) | Source::Categories(_)) | None => {}
        }
    }

    fn state_bytes(&self) -> usize {
        match &self.source {
            Some(Source::Last(last)) => last.bytes(),
            Some(Source::Linear(linear)) => linear.bytes(),
            Some(Source::Rolling(rolling)) => rolling.bytes(),
            Some(Source::Categories(_)) | None => 0,
        }
    }

    fn key_bytes(&self, keys: usize) -> usize {
        match &self.source {
            Some(Source::Rolling(rolling)) => rolling.key_bytes(keys),
            // It knows nothing of slots.
            Some(Source::Linear(_)) => 0,
            _ => self.state_bytes(),
        }
    }

    fn capture(&self) -> Option<Box<dyn Saved>> {
        match &self.source {
            Some(Source::Last(last)) => Some(last.capture()),
            Some(Source::Linear(linear)) => Some(linear.capture()),
            Some(Source::Rolling(rolling)) => Some(rolling.capture()),
            Some(Source::Categories(_)) | None => None,
        }
    }

    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        match &mut self.source {
            Some(Source::Last(last)) => last.restore(section, slots),
            Some(Source::Linear(linear)) => linear.restore(section),
            Some(Source::Rolling(rolling)) => rolling.restore(section, slots),
            Some(Source::Categories(_)) | None => {
                Err(section.malformed("a constant keeps no state"))
            }
        }
    }
}

#[cfg(test)]
mod tests;

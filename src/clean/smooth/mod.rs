//! `smooth`: a numeric column made smoother by the values before.
//!
//! Values are folded in offset order, those of windows by time lie at their event times. Null, NaN
//! and infinity stay what they are and are not folded.

mod level;
mod moving;
mod options;

use super::{Build, Clean, Input, column, column::Output};
use crate::{
    batch::{Rejections, Rows, Slot},
    registry::{self, Component, Node, Problem, schema_of},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, Float64Builder},
    datatypes::{DataType, Float64Type, Int64Type, SchemaRef},
};
use level::Levels;
use moving::Moving;
use options::Options;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "smooth",
    summary: "Smooths a column by a moving mean or median, exponentially, or by a Kalman filter.",
    example: "{ column: amount, method: exponential, half_life: 10m, as: amount_smooth }",
    details: "Of the finite values of the key or the partition up to the record, itself included:\n\n\
              * `mean`, `median`: of the last so many by offset (`over: 5 rows`), or of those in \
              `(t - over, t]`; of an even number the median is the mean of both in the middle;\n\
              * `exponential`: `y = y + alpha (x - y)`, begun with the first value, `alpha` given, or \
              `2 / (span + 1)`, or `1 - 0.5 ^ (1 / half_life)`; with `adjust: true` the weights are \
              `(1 - alpha) ^ i`, divided by their sum, as in pandas. With a duration for `half_life` \
              weights are `0.5 ^ (age / half_life)`, divided by their sum, ages by event time: \
              `ewm(halflife=.., times=..)` of pandas;\n\
              * `kalman`: a level that walks at random, seen through noise: \
              `p = p + process_noise; k = p / (p + measurement_noise); y = y + k (x - y); p = (1 - k) p`, \
              begun with the first value and `p = measurement_noise` (Kalman, 1960). Both are \
              variances, of a record.\n\n\
              After a pause of more than `within` it begins anew. Null, NaN and infinity stay what they \
              are. The column becomes a float.",
    state: "`exponential`, `kalman`: 24 bytes a key; `mean`, `median`: 16 bytes a value in the window, by \
            rows 16 bytes a key more. `median` looks at each value in the window",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Smooth::build(options, input)?)),
};

/// Where in time a row stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    slot: Slot,
    time: i64,
    watermark: i64,
}

/// What remembers.
#[derive(Debug)]
enum Smoother {
    Moving(Box<Moving>),
    Levels(Levels),
}

#[derive(Debug)]
struct Smooth {
    column: usize,
    output: Output,
    smoother: Smoother,
}

impl Smooth {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let at = node.at("column");
        let column = column::named(input.schema, &options.column, at)?;
        let field = input.schema.field(column);
        column::numeric(field, at)?;
        let smoother = options.smoother(node)?;
        let name = options.name.as_deref().map(|name| (name, node.at("as")));
        let values = (DataType::Float64, field.is_nullable());
        let output = Output::build(input.schema, column, values, name)?;
        Ok(Self { column, output, smoother })
    }
}

impl Clean for Smooth {
    fn schema(&self) -> SchemaRef {
        self.output.schema()
    }

    fn advance(&mut self, rows: Rows, _rejected: &mut Rejections) -> Rows {
        let values = floats(rows.columns.column(self.column));
        let mut smoothed = Float64Builder::with_capacity(rows.len());
        for row in 0..rows.len() {
            let own = values.is_valid(row).then(|| values.value(row));
            let (slot, time, watermark) =
                (rows.slots[row], rows.event_times[row], rows.watermarks[row]);
            let place = Place { slot, time, watermark };
            let fold = |x: f64| if x.is_finite() { self.smoother.fold(place, x) } else { x };
            smoothed.append_option(own.map(fold));
        }
        self.output.put(rows, Arc::new(smoothed.finish()))
    }

    fn horizon(&self) -> Horizon {
        match &self.smoother {
            Smoother::Moving(moving) => moving.horizon(),
            Smoother::Levels(levels) => levels.horizon(),
        }
    }

    fn reach(&self) -> Horizon {
        match &self.smoother {
            Smoother::Moving(moving) => moving.reach(),
            // Every value before counts, however little.
            Smoother::Levels(_) => Horizon::Forever,
        }
    }

    fn forget(&mut self, slot: Slot) {
        match &mut self.smoother {
            Smoother::Moving(moving) => moving.forget(slot),
            Smoother::Levels(levels) => levels.forget(slot),
        }
    }

    fn state_bytes(&self) -> usize {
        match &self.smoother {
            Smoother::Moving(moving) => moving.bytes(),
            Smoother::Levels(levels) => levels.bytes(),
        }
    }

    fn key_bytes(&self, keys: usize) -> usize {
        match &self.smoother {
            Smoother::Moving(moving) => moving.key_bytes(keys),
            Smoother::Levels(levels) => levels.key_bytes(),
        }
    }

    fn order_sensitive(&self) -> bool {
        match &self.smoother {
            Smoother::Moving(moving) => moving.order_sensitive(),
            Smoother::Levels(_) => true,
        }
    }

    fn capture(&self) -> Option<Box<dyn Saved>> {
        Some(match &self.smoother {
            Smoother::Moving(moving) => Box::new(moving.capture()),
            Smoother::Levels(levels) => Box::new(levels.capture()),
        })
    }

    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        match &mut self.smoother {
            Smoother::Moving(moving) => moving.restore(section, slots),
            Smoother::Levels(levels) => levels.restore(section, slots),
        }
    }
}

impl Smoother {
    /// Takes a finite value in, and gives what it is smoothed to.
    fn fold(&mut self, place: Place, x: f64) -> f64 {
        match self {
            Self::Moving(moving) => moving.fold(place, x),
            Self::Levels(levels) => levels.fold(place, x),
        }
    }
}

/// The values of a numeric column as floats.
fn floats(column: &ArrayRef) -> Float64Array {
    match column.as_primitive_opt::<Int64Type>() {
        Some(integers) => integers.unary(|x| x as f64),
        None => column.as_primitive::<Float64Type>().clone(),
    }
}

#[cfg(test)]
mod tests;

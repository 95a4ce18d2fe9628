//! Moments that a feature looks at: the event time, or a column of times or dates.

use super::{Input, find_column};
use crate::registry::{Node, Position, Problem, time_zone};
use arrow::{
    array::{AsArray, RecordBatch, TimestampMicrosecondArray},
    compute::cast,
    datatypes::{DataType, TimeUnit, TimestampMicrosecondType},
};
use chrono::{DateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;

/// Where moments come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Times {
    /// The rows' event times.
    Event,
    /// A column of timestamps or dates.
    Column(usize),
}

impl Times {
    /// The moments of the column `index`, if it holds any.
    pub(super) fn of(index: usize, input: &Input<'_>) -> Option<Self> {
        if input.event_time == Some(index) {
            return Some(Self::Event);
        }
        let data_type = input.schema.field(index).data_type();
        let is_time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32);
        is_time.then_some(Self::Column(index))
    }

    /// The moments of the column `name`, or a problem at `at`.
    pub(super) fn find(name: &str, input: &Input<'_>, at: Position) -> Result<Self, Problem> {
        let index = find_column(name, input.schema, at)?;
        Self::of(index, input).ok_or_else(|| {
            let data_type = input.schema.field(index).data_type();
            Problem::new(at, format!("column `{name}` is of type {data_type}"))
                .expected("a timestamp or date column, or the column of the event time")
        })
    }

    /// True if a row may have none: a time beyond the range of microseconds becomes null.
    pub(super) fn nullable(self) -> bool {
        matches!(self, Self::Column(_))
    }

    /// True if they are whole days.
    pub(super) fn are_dates(self, input: &Input<'_>) -> bool {
        match self {
            Self::Event => false,
            Self::Column(index) => *input.schema.field(index).data_type() == DataType::Date32,
        }
    }

    /// The zone under `zone` of the options, UTC where there is none; dates have none.
    pub(super) fn zone(
        self,
        name: Option<&str>,
        column: &str,
        input: &Input<'_>,
        node: &Node,
    ) -> Result<Tz, Problem> {
        match name {
            Some(_) if self.are_dates(input) => {
                Err(Problem::new(node.at("zone"), format!("column `{column}` has dates"))
                    .expected("no zone: a date is the same everywhere"))
            }
            Some(name) => time_zone(name, node.at("zone")),
            None => Ok(Tz::UTC),
        }
    }

    /// Microseconds since the epoch, one per row.
    pub(super) fn read(self, rows: &RecordBatch, event_times: &[i64]) -> TimestampMicrosecondArray {
        match self {
            Self::Event => TimestampMicrosecondArray::from(event_times.to_vec()),
            Self::Column(index) => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
                let times = cast(rows.column(index), &micros).expect("checked when it was built");
                times.as_primitive::<TimestampMicrosecondType>().clone()
            }
        }
    }
}

/// What the clocks of a zone show at `us` microseconds since the epoch, as such microseconds; `us`
/// itself where no calendar has them.
pub(super) fn clock_us(us: i64, zone: Tz) -> i64 {
    if zone == Tz::UTC {
        return us;
    }
    let Some(moment) = DateTime::from_timestamp_micros(us) else { return us };
    let ahead = zone.offset_from_utc_datetime(&moment.naive_utc()).fix().local_minus_utc();
    us.saturating_add(1_000_000 * i64::from(ahead))
}

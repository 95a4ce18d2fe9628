//! The mean, median or mode of the key's values in a window before each record.
//!
//! What enters is what was sent, never what was filled: the raw values in `(t - over, t]` that came
//! before. Means and medians leave NaN and infinity out, modes NaN.

use crate::{
    aggregate::{Interpolation, Kind, Needs, Per, float_key, quantile, read_keys, write_keys},
    batch::{Rows, Slot},
    clean::{
        column::wrong_type,
        history::{Histories, MOMENTS},
    },
    registry::{Position, Problem},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Array, ArrayRef, AsArray, StringBuilder},
    compute::{is_not_null, kernels::zip::zip},
    datatypes::{DataType, Field},
};
use std::sync::Arc;

/// What is made of the values in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Center {
    /// The arithmetic mean.
    Mean,
    /// The value in the middle, of an even number the mean of both.
    Median,
    /// The most frequent value, of several the least.
    Mode,
}

/// A rolling mean, median or mode.
#[derive(Debug)]
pub(super) struct Rolling {
    center: Center,
    over_us: i64,
    min_count: usize,
    data_type: DataType,
    values: Histories,
    /// Ordering keys of the current batch.
    read: Vec<i64>,
    /// Those in the window of the current record.
    keys: Vec<i64>,
}

impl Rolling {
    pub(super) fn build(
        center: Center,
        (over_us, min_count): (i64, usize),
        field: &Field,
        at: Position,
    ) -> Result<Self, Problem> {
        let data_type = field.data_type();
        if center != Center::Mode && *data_type != DataType::Float64 {
            let expected = "a number column: `cast` integers to float first, or fill with `mode`";
            return Err(wrong_type(field, at, expected));
        }
        if Kind::of(data_type).is_none() {
            return Err(wrong_type(field, at, "a column of single values"));
        }
        let needs = if center == Center::Mean { MOMENTS } else { Needs::NONE };
        Ok(Self {
            center,
            over_us,
            min_count,
            data_type: data_type.clone(),
            values: Histories::new(Per::Key, over_us, data_type, needs),
            read: Vec::new(),
            keys: Vec::new(),
        })
    }

    /// The column with each null replaced by what the window gives, if it has enough values.
    pub(super) fn advance(&mut self, column: &ArrayRef, rows: &Rows) -> ArrayRef {
        let fills = if self.data_type == DataType::Utf8 {
            self.texts(column, rows)
        } else {
            self.numbers(column, rows)
        };
        let present = is_not_null(column).expect("any array can be asked");
        zip(&present, column, &fills).expect("both have the column's type")
    }

    fn numbers(&mut self, column: &ArrayRef, rows: &Rows) -> ArrayRef {
        let mut read = std::mem::take(&mut self.read);
        read_keys(column, &mut read);
        let is_float = self.data_type == DataType::Float64;
        let fills: Vec<Option<i64>> = (0..rows.len())
            .map(|row| {
                self.values.expire(rows.slots[row], rows.watermarks[row]);
                if column.is_null(row) {
                    return self.fill(rows.slots[row], rows.event_times[row]);
                }
                let number = Kind::Float.number(read[row]);
                let counts = !is_float
                    || number.is_finite()
                    || (self.center == Center::Mode && !number.is_nan());
                if counts {
                    // There is one zero.
                    let key = if is_float { float_key(number + 0.0) } else { read[row] };
                    self.values.insert(rows.slots[row], rows.event_times[row], key);
                }
                None
            })
            .collect();
        read.clear();
        self.read = read;
        write_keys(&self.data_type, fills.into_iter())
    }

    fn texts(&mut self, column: &ArrayRef, rows: &Rows) -> ArrayRef {
        let texts = column.as_string::<i32>();
        let mut fills = StringBuilder::new();
        for row in 0..rows.len() {
            let (slot, time) = (rows.slots[row], rows.event_times[row]);
            self.values.expire(slot, rows.watermarks[row]);
            if texts.is_valid(row) {
                let key = self.values.intern(texts.value(row));
                self.values.insert(slot, time, key);
                fills.append_null();
            } else {
                let key = self.fill(slot, time);
                fills.append_option(key.map(|key| self.values.text(key)));
            }
        }
        Arc::new(fills.finish())
    }

    /// The key of what the window of a record gives.
    fn fill(&mut self, slot: Slot, time: i64) -> Option<i64> {
        let after = time.saturating_sub(self.over_us);
        if self.center == Center::Mean {
            let statistics = self.values.statistics(slot, after, time);
            let is_enough = statistics.count >= self.min_count.max(1);
            return is_enough.then(|| float_key(statistics.mean));
        }
        self.values.keys_in(slot, after, time, &mut self.keys);
        if self.keys.len() < self.min_count {
            return None;
        }
        if self.center == Center::Median {
            let median = quantile(&mut self.keys, Kind::Float, 0.5, Interpolation::Midpoint);
            return median.map(float_key);
        }
        self.keys.sort_unstable();
        let order = |a: i64, b: i64| match self.data_type {
            DataType::Utf8 => self.values.text(a).cmp(self.values.text(b)),
            _ => a.cmp(&b),
        };
        let runs = self.keys.chunk_by(|a, b| a == b);
        let mode = runs.min_by(|a, b| b.len().cmp(&a.len()).then_with(|| order(a[0], b[0])));
        mode.map(|run| run[0])
    }

    pub(super) fn horizon(&self) -> Horizon {
        Horizon::For(self.over_us)
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        self.values.forget(slot);
    }

    pub(super) fn bytes(&self) -> usize {
        self.values.bytes()
    }

    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        self.values.key_bytes(keys)
    }

    pub(super) fn capture(&self) -> Box<dyn Saved> {
        Box::new(self.values.capture())
    }

    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        self.values.restore(section, slots)
    }
}

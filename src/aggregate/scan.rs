//! Aggregates of the events themselves.
//!
//! What cannot be joined from parts (a median, a slope, the number of distinct values) looks at
//! every event of its window: a [`Scan`] takes the [`Content`] of one window after the other and
//! hands out a column per batch. That costs as many steps per record as the window has events, for
//! all scans of a window one copy of them.

use super::{Kind, Pair, Pairs, Symbols, value::write_keys};
use arrow::{
    array::{ArrayRef, Float64Builder, StringBuilder},
    datatypes::DataType,
};
use std::{
    fmt::{self, Debug},
    sync::Arc,
};

/// An event of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Event time, microseconds.
    pub time: i64,
    /// Ordering key of the value, see [`Kind`].
    pub key: i64,
}

/// The valid events of one window at one record.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// In (event time, offset) order.
    pub events: &'a [Held],
    /// How keys are to be read.
    pub kind: Kind,
    /// What the keys of texts stand for.
    pub symbols: &'a Symbols,
    /// What the keys of pairs stand for.
    pub pairs: &'a Pairs,
    /// Key of the record's own value, if it has one that counts.
    pub own: Option<i64>,
    /// Event time of the record.
    pub time: i64,
    /// True if one of the events is the record itself: the last, but for its peers.
    pub has_own: bool,
    /// Events behind the record itself, of the same event time: its peers, where it sees them.
    pub behind: usize,
}

/// One aggregate of all events, for one window.
pub trait Scan: Send + Debug {
    /// Takes in what the window holds at the next record.
    fn take(&mut self, content: &Content<'_>);
    /// What came of the windows taken in since the last call, one value each.
    fn finish(&mut self) -> ArrayRef;
}

impl Content<'_> {
    /// The values in order.
    pub(super) fn numbers(&self) -> impl ExactSizeIterator<Item = f64> + Clone + '_ {
        self.events.iter().map(|event| self.kind.number(event.key))
    }

    /// How far the values lie from the first one, in order.
    pub(super) fn distances(&self) -> impl ExactSizeIterator<Item = f64> + Clone + '_ {
        let first = self.events.first().map_or(0, |event| event.key);
        self.events.iter().map(move |event| self.kind.difference(event.key, first))
    }

    /// The keys of both columns, in order.
    pub(super) fn pairs(&self) -> impl ExactSizeIterator<Item = Pair> + Clone + '_ {
        self.events.iter().map(|event| self.pairs.get(event.key))
    }

    /// Replaces `keys` by those of the values, of which the equal ones have one: a zero with a sign
    /// becomes the other one.
    pub(super) fn keys_into(&self, keys: &mut Vec<i64>) {
        keys.clear();
        keys.extend(self.events.iter().map(|event| self.comparable(event.key)));
    }

    /// The key that all values equal to that of `key` have.
    pub(super) fn comparable(&self, key: i64) -> i64 {
        self.kind.comparable(key)
    }

    /// The events before the record itself, by event time and offset.
    pub(super) fn before(&self) -> &[Held] {
        &self.events[..self.events.len() - usize::from(self.has_own) - self.behind]
    }
}

/// Lengths of the runs of equal keys in sorted ones, each with its key.
pub(super) fn runs(sorted: &[i64]) -> impl Iterator<Item = (i64, usize)> + '_ {
    sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()))
}

/// A scan that makes a float of each window.
pub(super) fn float_each(
    of: impl FnMut(&Content<'_>) -> Option<f64> + Send + 'static,
) -> Box<dyn Scan> {
    Box::new(FloatEach { of, column: Float64Builder::new() })
}

struct FloatEach<F> {
    of: F,
    column: Float64Builder,
}

impl<F> Debug for FloatEach<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FloatEach").finish_non_exhaustive()
    }
}

impl<F: FnMut(&Content<'_>) -> Option<f64> + Send> Scan for FloatEach<F> {
    fn take(&mut self, content: &Content<'_>) {
        let value = (self.of)(content);
        self.column.append_option(value);
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.column.finish())
    }
}

/// A scan that picks a value of each window, in the type of the column.
pub(super) fn pick_each(
    input: &DataType,
    pick: impl FnMut(&Content<'_>) -> Option<i64> + Send + 'static,
) -> Box<dyn Scan> {
    let (keys, texts) = (Vec::new(), StringBuilder::new());
    Box::new(PickEach { pick, input: input.clone(), keys, texts })
}

struct PickEach<F> {
    pick: F,
    input: DataType,
    keys: Vec<Option<i64>>,
    /// Texts are copied at once: their symbols may be gone by the end of the batch.
    texts: StringBuilder,
}

impl<F> Debug for PickEach<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PickEach").field("input", &self.input).finish_non_exhaustive()
    }
}

impl<F: FnMut(&Content<'_>) -> Option<i64> + Send> Scan for PickEach<F> {
    fn take(&mut self, content: &Content<'_>) {
        let key = (self.pick)(content);
        if self.input == DataType::Utf8 {
            self.texts.append_option(key.map(|key| content.symbols.text(key)));
        } else {
            self.keys.push(key);
        }
    }

    fn finish(&mut self) -> ArrayRef {
        if self.input == DataType::Utf8 {
            return Arc::new(self.texts.finish());
        }
        write_keys(&self.input, self.keys.drain(..))
    }
}

//! Aggregates with a state of their own, folded record by record in offset order.
//!
//! What a window computes is a function of the events that it holds. A recursive aggregate has no
//! window: a record changes the state of its key, what came before is known by the state alone,
//! and the order of arrival is the order that counts. How far back a value is felt is up to its
//! [`Formula`]; a key is begun anew once its horizon is past, whoever else still needs the key.
//!
//! A state is a number of values, the newest event time of one, and some finite numbers. What is
//! not finite is not learned: it would never leave again.

mod saved;

use super::Output;
use crate::{
    batch::Slot,
    registry::{Node, Problem, Span},
    state::{
        Horizon, Paged, READ_AHEAD_ROWS,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Float64Array, Float64Builder},
    datatypes::DataType,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt::Debug, hint::black_box};

/// An aggregate that is folded instead of looked up.
pub trait Recursive: Send + Debug {
    /// As [`Aggregate::output`](super::Aggregate::output); always of floats.
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str>;

    /// True if it looks at values, not only at how many there are.
    fn reads_values(&self) -> bool {
        true
    }

    /// How the name of its column ends, such as `1h`.
    fn suffix(&self) -> String;

    /// How it forgets, for `check`.
    fn describe(&self) -> String;

    /// How long after the last value of a key what is known of it means anything, if nothing else
    /// is asked for: as long as it counts.
    fn horizon(&self) -> Horizon {
        self.depth()
    }

    /// How far back from the last value of a key others lie that still count.
    fn depth(&self) -> Horizon;

    /// Bytes of the state of a key.
    fn state_bytes(&self) -> usize;

    /// The states of all keys: none yet.
    fn states(&self, asked: Asked) -> Box<dyn States>;
}

/// What a window entry says about how a recursive aggregate is kept and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// How long after its last value a key is begun anew: when the watermark is past that.
    pub horizon: Horizon,
    /// True if each record is told what there was before it.
    pub exclude_current: bool,
    /// Values below which there is nothing to tell.
    pub min_count: u64,
}

/// Whose values go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Those of the entity key.
    #[default]
    Key,
    /// Those of all keys of the partition.
    Partition,
}

impl Per {
    /// Where what belongs to a key is kept.
    pub fn home(self, slot: Slot) -> Slot {
        match self {
            Self::Key => slot,
            Self::Partition => 0,
        }
    }

    /// The slots that it can lie in, of a fold with so many.
    pub fn homes(self, slots: Slot) -> Slot {
        match self {
            Self::Key => slots,
            Self::Partition => 1,
        }
    }

    /// How long after its last row a key is needed for what is needed so long itself: what the
    /// partition has goes with no key.
    pub fn horizon(self, kept: Horizon) -> Horizon {
        match self {
            Self::Key => kept,
            Self::Partition => Horizon::Stateless,
        }
    }
}

/// How a recursive aggregate is kept, as the pipeline file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Whose values go together.
    pub per: Per,
    /// After which time without a value a key is begun anew; else what the aggregate says.
    pub forget_after: Option<Span>,
    /// True if each record is told what there was before it.
    pub exclude_current: bool,
    /// Values below which there is nothing to tell.
    pub min_count: u64,
}

impl Kept {
    /// A problem if its parts do not go together; `node` holds them.
    pub fn check(&self, node: &Node) -> Result<(), Problem> {
        let Some(forget_after) = self.forget_after else { return Ok(()) };
        let at = node.at("forget_after");
        if self.per == Per::Partition {
            return Err(Problem::new(at, "`forget_after` beside `per: partition`")
                .expected("one of them: what the partition has is kept as long as the partition"));
        }
        if forget_after.us <= 0 {
            return Err(Problem::new(at, "no time at all").expected("a duration such as 30d"));
        }
        Ok(())
    }

    /// How long after its last value a key is begun anew.
    pub fn horizon(&self, aggregate: &dyn Recursive) -> Horizon {
        match (self.per, self.forget_after) {
            // One state, which no key takes with it.
            (Per::Partition, _) => Horizon::Forever,
            (Per::Key, Some(span)) => Horizon::For(span.us),
            (Per::Key, None) => aggregate.horizon(),
        }
    }

    /// How far back rows lie that a state depends on.
    pub fn reach(&self, aggregate: &dyn Recursive) -> Horizon {
        // The number of values is one of all of them.
        let is_counted = self.min_count > 0;
        let [last, depth] = [self.horizon(aggregate), aggregate.depth()].map(Horizon::microseconds);
        match last.zip(depth) {
            Some((last, depth)) if !is_counted => Horizon::For(last.saturating_add(depth)),
            _ => Horizon::Forever,
        }
    }
}

/// Rows for a recursive aggregate: one entry per row everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    /// Where the state of each row lies.
    pub slots: &'a [Slot],
    /// Event times, microseconds.
    pub times: &'a [i64],
    /// Watermarks, microseconds.
    pub watermarks: &'a [i64],
    /// True where a row counts and has all values.
    pub counts: &'a [bool],
    /// The columns it reads.
    pub values: &'a [Vec<f64>],
}

/// The states of a recursive aggregate, by slot.
pub trait States: Send + Debug {
    /// Takes the rows in, in order, and gives each what there is as of that row.
    fn advance(&mut self, steps: &Steps<'_>) -> Float64Array;
    /// Drops what is kept under `slot`.
    fn forget(&mut self, slot: Slot);
    /// Bytes of all states.
    fn bytes(&self) -> usize;
    /// Holds on to the states as they are.
    fn capture(&self) -> Box<dyn Saved>;
    /// Takes over the states that a snapshot holds, of slots below `slots`. After an error, what
    /// is there is of no use.
    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError>;
}

/// What is known of a key, in `N` numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State<const N: usize> {
    /// Values learned; without any, nothing else means anything.
    pub(super) n: u64,
    /// The newest event time of a value.
    pub(super) time: i64,
    pub(super) numbers: [f64; N],
}

impl<const N: usize> Default for State<N> {
    fn default() -> Self {
        Self { n: 0, time: 0, numbers: [0.0; N] }
    }
}

/// A record that passes: its event time, and its values if it has all of them and counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passing<const M: usize> {
    pub(super) time: i64,
    pub(super) own: Option<[f64; M]>,
}

/// A recursion over records of `M` values.
pub(super) trait Formula<const N: usize, const M: usize>: Debug + Send {
    /// A record passes a state that has learned something, before it is learned itself.
    fn pass(&self, _state: &mut State<N>, _record: &Passing<M>) {}

    /// Learns values, all finite, at an event time. `state` still has the number of values and the
    /// newest time from before; what is learned first finds 0 everywhere.
    fn learn(&self, state: &mut State<N>, time: i64, values: [f64; M]);

    /// What a record is told of a state, which may have learned nothing.
    fn value(&self, state: &State<N>, record: &Passing<M>) -> Option<f64>;

    /// False for finite numbers that no records lead to; of states that have learned something.
    fn is_sound(&self, state: &State<N>) -> bool;
}

/// States by slot; a page has few KiB.
type BySlot<const N: usize> = Paged<State<N>, 64>;

/// The states that a formula leads to.
#[derive(Debug)]
pub(super) struct Folded<F, const N: usize, const M: usize> {
    formula: F,
    asked: Asked,
    states: BySlot<N>,
    /// States that have learned something.
    held: usize,
}

impl<F: Formula<N, M>, const N: usize, const M: usize> Folded<F, N, M> {
    pub(super) fn new(formula: F, asked: Asked) -> Self {
        Self { formula, asked, states: Paged::default(), held: 0 }
    }

    /// Reads the states of the next rows, see [`READ_AHEAD_ROWS`].
    #[inline]
    fn read_ahead(&self, slots: &[Slot]) {
        let ahead = slots.iter().take(READ_AHEAD_ROWS);
        let states = ahead.filter_map(|slot| self.states.get(*slot));
        black_box(states.fold(0, |read, state| read ^ state.time));
    }

    /// Takes one record in.
    fn take(&mut self, slot: Slot, watermark: i64, record: &Passing<M>) -> Option<f64> {
        let old = self.states.get(slot).copied().unwrap_or_default();
        let mut state = old;
        if state.n > 0 && self.asked.horizon.is_past(state.time, watermark) {
            state = State::default();
        }
        if state.n > 0 {
            self.formula.pass(&mut state, record);
        }
        let before = state;
        if let Some(values) = record.own {
            state = self.learned(state, record.time, values);
        }
        if state != old {
            self.held = self.held + usize::from(state.n > 0) - usize::from(old.n > 0);
            *self.states.get_mut(slot) = state;
        }
        let told = if self.asked.exclude_current { &before } else { &state };
        (told.n >= self.asked.min_count).then(|| self.formula.value(told, record)).flatten()
    }

    /// The state after some values; the same where any of them or the new state is not sound.
    fn learned(&self, state: State<N>, time: i64, values: [f64; M]) -> State<N> {
        if !values.iter().all(|value| value.is_finite()) {
            return state;
        }
        let mut next = state;
        self.formula.learn(&mut next, time, values);
        next.time = if state.n == 0 { time } else { time.max(state.time) };
        next.n = next.n.saturating_add(1);
        let is_sound =
            next.numbers.iter().all(|number| number.is_finite()) && self.formula.is_sound(&next);
        if is_sound { next } else { state }
    }
}

impl<F: Formula<N, M>, const N: usize, const M: usize> States for Folded<F, N, M> {
    fn advance(&mut self, steps: &Steps<'_>) -> Float64Array {
        let mut told = Float64Builder::with_capacity(steps.slots.len());
        for row in 0..steps.slots.len() {
            if row % READ_AHEAD_ROWS == 0 {
                self.read_ahead(&steps.slots[row..]);
            }
            let own = || std::array::from_fn(|column| steps.values[column][row]);
            let record = Passing { time: steps.times[row], own: steps.counts[row].then(own) };
            told.append_option(self.take(steps.slots[row], steps.watermarks[row], &record));
        }
        told.finish()
    }

    fn forget(&mut self, slot: Slot) {
        if self.states.get(slot).is_some_and(|state| state.n > 0) {
            *self.states.get_mut(slot) = State::default();
            self.held -= 1;
        }
    }

    fn bytes(&self) -> usize {
        self.held * size_of::<State<N>>()
    }

    fn capture(&self) -> Box<dyn Saved> {
        Box::new(saved::SavedStates(self.states.clone()))
    }

    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        (self.states, self.held) = saved::restore(section, slots, &self.formula)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;

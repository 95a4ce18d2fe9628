//! What is known of a key's record before: what `haversine`, `speed` and `elapsed` ask for.
//!
//! The record before is the one of the newest event time so far, of equal times the last to come. One
//! that is behind it has none that is kept, and is told nothing; nor is it what later ones are told of.

use super::{
    Asked, Output, Recursive, States,
    earth::great_circle_km,
    float_of_numbers,
    recursive::{Folded, Formula, Kept, Passing, Per, State},
    request::Request,
};
use crate::{
    registry::{Node, Problem, Span},
    state::Horizon,
};
use arrow::datatypes::DataType;

/// Microseconds of a second and of an hour.
const SECOND_US: f64 = 1e6;
const HOUR_US: f64 = 3.6e9;

/// What a record is told of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previous {
    /// How far away it was, km.
    Distance,
    /// How fast the way from it to here was made, km/h.
    Speed,
    /// How long ago it was, seconds.
    Elapsed,
}

impl Previous {
    /// What is to be remembered of each key's record before, of places in columns of latitude and
    /// longitude, or of no columns; `node` holds the options.
    pub fn request(
        self,
        columns: &[&str],
        forget_after: Option<Span>,
        node: &Node,
    ) -> Result<Request, Problem> {
        let feature = match self {
            Self::Distance => "haversine",
            Self::Speed => "speed",
            Self::Elapsed => "elapsed",
        };
        let kept = Kept { per: Per::Key, forget_after, exclude_current: true, min_count: 0 };
        kept.check(node)?;
        Ok(Request::new(feature, columns, self, kept))
    }
}

impl Recursive for Previous {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        match self {
            Self::Elapsed => Ok(Output { data_type: DataType::Float64, nullable: true }),
            Self::Distance | Self::Speed => float_of_numbers(input, true),
        }
    }

    fn reads_values(&self) -> bool {
        *self != Self::Elapsed
    }

    fn suffix(&self) -> String {
        "previous".to_owned()
    }

    fn describe(&self) -> String {
        "the newest one".to_owned()
    }

    fn horizon(&self) -> Horizon {
        Horizon::Forever
    }

    /// Nothing before the record before.
    fn depth(&self) -> Horizon {
        Horizon::Stateless
    }

    fn state_bytes(&self) -> usize {
        match self {
            Self::Elapsed => size_of::<State<0>>(),
            Self::Distance | Self::Speed => size_of::<State<2>>(),
        }
    }

    fn states(&self, asked: Asked) -> Box<dyn States> {
        match self {
            Self::Elapsed => Box::new(Folded::<_, 0, 0>::new(Time, asked)),
            Self::Distance => Box::new(Folded::new(Place { speed: false }, asked)),
            Self::Speed => Box::new(Folded::new(Place { speed: true }, asked)),
        }
    }
}

/// Microseconds from the record before to one at `time`; none if there is none.
fn since<const N: usize>(state: &State<N>, time: i64) -> Option<i64> {
    (state.n > 0 && time >= state.time).then(|| time.saturating_sub(state.time))
}

/// The time alone.
#[derive(Debug)]
struct Time;

impl Formula<0, 0> for Time {
    fn learn(&self, _state: &mut State<0>, _time: i64, _values: [f64; 0]) {}

    fn value(&self, state: &State<0>, record: &Passing<0>) -> Option<f64> {
        since(state, record.time).map(|us| us as f64 / SECOND_US)
    }

    fn is_sound(&self, _state: &State<0>) -> bool {
        true
    }
}

/// Numbers: latitude and longitude, degrees.
#[derive(Debug)]
struct Place {
    /// True for how fast, else how far.
    speed: bool,
}

impl Formula<2, 2> for Place {
    fn learn(&self, state: &mut State<2>, time: i64, place: [f64; 2]) {
        if state.n == 0 || time >= state.time {
            state.numbers = place;
        }
    }

    fn value(&self, state: &State<2>, record: &Passing<2>) -> Option<f64> {
        let us = since(state, record.time)?;
        let km = great_circle_km(state.numbers, record.own?);
        let told = if self.speed { km / (us as f64 / HOUR_US) } else { km };
        // Of no place there is no distance, in no time no speed.
        told.is_finite().then_some(told)
    }

    fn is_sound(&self, _state: &State<2>) -> bool {
        true
    }
}

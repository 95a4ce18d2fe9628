//! `slope`: the trend of the values over time.

use super::{
    Aggregate, Build, Content, NoOptions, OF_WINDOW, OfEvents, Output, Scan, float_of_numbers,
    no_options, scan::float_each,
};
use crate::registry::{Component, schema_of};
use arrow::datatypes::DataType;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "slope",
    summary: "Change per second by least squares over event time, null if all have one time.",
    example: "{}",
    details: "`sum (t - mean t) (x - mean x) / sum (t - mean t)^2`, t in seconds: SQL's \
              `regr_slope(x, t)`. Null unless values have two times; NaN if a value is NaN or \
              infinite.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::events(Slope)),
};

/// sum((t - mean t) (x - mean x)) / sum((t - mean t)^2), t in seconds: SQL's `regr_slope(x, t)`.
#[derive(Debug)]
struct Slope;

impl OfEvents for Slope {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        float_each(slope)
    }
}

/// In two passes, from the first event on: times are large and the values may be.
fn slope(content: &Content<'_>) -> Option<f64> {
    let first = content.events.first()?;
    let seconds = |time: i64| (time - first.time) as f64 / 1e6;
    let points = content.events.iter().zip(content.distances());
    let points = points.map(|(event, value)| (seconds(event.time), value));
    let n = content.events.len() as f64;
    let (sum_t, sum_x) = points.clone().fold((0.0, 0.0), |(t, x), p| (t + p.0, x + p.1));
    let (mean_t, mean_x) = (sum_t / n, sum_x / n);
    let (mut squares, mut products) = (0.0, 0.0);
    for (t, x) in points {
        squares += (t - mean_t) * (t - mean_t);
        products += (t - mean_t) * (x - mean_x);
    }
    (squares > 0.0).then(|| products / squares)
}

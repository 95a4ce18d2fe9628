//! What a record costs in its windows: time whatever the window holds, memory per event and key.

#![expect(clippy::disallowed_methods, reason = "measures real time")]

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use millstream::{
    batch::{Rejections, Rows},
    clean::{self, Clean},
    registry::Node,
    window::Windows,
};
use std::{sync::Arc, time::Instant};

/// Records in a batch.
const BATCH: u32 = 1_000;
const HOUR_US: i64 = 3_600_000_000;
const REFERENCE: &str =
    "[{ over: 1h, of: x, closed: both, compute: [count, sum, mean, std, max] }]";

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Float64, true)]))
}

/// Numbers that look random and are the same in every run.
fn mixed(i: i64) -> i64 {
    let mut x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    x ^= (x >> 29) & 0x7_FFFF_FFFF;
    x.wrapping_mul(0x1656_67B1_9E37_79F9) >> 1 & i64::MAX
}

/// What the records go through.
enum Step {
    Windows(Windows),
    Clean(Box<dyn Clean>),
}

impl Step {
    fn advance(&mut self, rows: Rows) -> Rows {
        match self {
            Self::Windows(windows) => windows.advance(rows, &mut Rejections::default()),
            Self::Clean(clean) => clean.advance(rows, &mut Rejections::default()),
        }
    }

    fn state_bytes(&self) -> usize {
        match self {
            Self::Windows(windows) => windows.state_bytes(),
            Self::Clean(clean) => clean.state_bytes(),
        }
    }
}

/// A stream whose window holds `events` records of each key.
struct Stream {
    step: Step,
    keys: i64,
    step_us: i64,
    disorder: Disorder,
    /// How far back at most: the lateness.
    disorder_us: i64,
    next: i64,
}

/// Which records are behind, and how far.
#[derive(Debug, Clone, Copy)]
enum Disorder {
    /// Some per cent of them, by anything up to the lateness.
    Random(i64),
    /// Every second one by all of the lateness, as far as can be.
    AtLimit,
    /// Each is before the one before it, until the lateness is used up and the next one leads.
    Backwards,
}

impl Stream {
    /// Through the windows of an hour.
    fn new(events: i64, keys: i64) -> Self {
        Self::of_windows(REFERENCE, HOUR_US / (events * keys), keys)
    }

    fn of_windows(specs: &str, step_us: i64, keys: i64) -> Self {
        let specs = Node::parse(specs).expect("it is YAML");
        let specs = specs.as_list().expect("it is a list");
        let windows = Windows::build(specs, &schema(), 0).expect("it is a window");
        Self::through(Step::Windows(windows), step_us, keys)
    }

    /// Through a history of a day that all keys share.
    fn of_history(events: i64) -> Self {
        let options = "{ column: x, method: zscore, over: 24h, threshold: 4, per: partition }";
        let operator = clean::OPERATORS.iter().find(|o| o.name == "outlier").expect("it is there");
        let schema = schema();
        let input = clean::Input::of(&schema);
        let options = Node::parse(options).expect("it is YAML");
        let outlier = (operator.build)(&options, &input).expect("it is an outlier");
        Self::through(Step::Clean(outlier), 24 * HOUR_US / events, 1)
    }

    fn through(step: Step, step_us: i64, keys: i64) -> Self {
        Self { step, keys, step_us, disorder: Disorder::Random(0), disorder_us: 0, next: 0 }
    }

    fn out_of_order(self, percent: i64, disorder_us: i64) -> Self {
        self.disordered(Disorder::Random(percent), disorder_us)
    }

    fn disordered(mut self, disorder: Disorder, disorder_us: i64) -> Self {
        (self.disorder, self.disorder_us) = (disorder, disorder_us);
        self
    }

    /// Event time of a record, and the highest so far.
    fn times(&self, i: i64) -> (i64, i64) {
        let on_time = i * self.step_us;
        match self.disorder {
            Disorder::Random(percent) => {
                let late = mixed(i) % 100 < percent;
                let behind = if late { mixed(i + 1) % self.disorder_us } else { 0 };
                (on_time - behind, on_time)
            }
            Disorder::AtLimit => (on_time - i % 2 * self.disorder_us, on_time),
            Disorder::Backwards => {
                let run = self.disorder_us / self.step_us;
                let highest = (i / run + 1) * run * self.step_us;
                (highest - i % run * self.step_us, highest)
            }
        }
    }

    fn batch(&mut self) -> Rows {
        let range = self.next..self.next + i64::from(BATCH);
        self.next = range.end;
        let values: ArrayRef = Arc::new(Float64Array::from_iter_values(
            range.clone().map(|i| (mixed(i) % 1_000_003) as f64 / 97.0),
        ));
        Rows {
            columns: RecordBatch::try_new(schema(), vec![values]).expect("it fits"),
            records: (0..BATCH).collect(),
            offsets: range.clone().collect(),
            event_times: range.clone().map(|i| self.times(i).0).collect(),
            watermarks: range.clone().map(|i| self.times(i).1 - self.disorder_us).collect(),
            slots: range.map(|i| u32::try_from(mixed(i) % self.keys).expect("few keys")).collect(),
            late: vec![false; BATCH as usize],
        }
    }

    /// Runs that many records and gives nanoseconds per record.
    fn run(&mut self, records: i64) -> f64 {
        let batches: Vec<Rows> = (0..records / i64::from(BATCH)).map(|_| self.batch()).collect();
        let start = Instant::now();
        for rows in batches {
            let rows = self.step.advance(rows);
            assert_eq!(rows.len(), BATCH as usize);
        }
        start.elapsed().as_nanos() as f64 / records as f64
    }
}

/// The ratio of two costs: of the medians of many short runs in turn, so that whatever else the
/// machine does hits both, and few of the runs at all. The least of three: who else wants the cache
/// takes it from the larger one.
fn ratio(mut large: Stream, mut small: Stream) -> f64 {
    large.run(40_000);
    small.run(40_000);
    let mut once = || {
        let runs = (0..51).map(|_| (large.run(2_000), small.run(2_000)));
        let (large, small): (Vec<f64>, Vec<f64>) = runs.unzip();
        median(large) / median(small)
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn median(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

#[test]
fn ten_thousand_events_in_the_window_cost_at_most_twice_what_ten_do() {
    let ratio = ratio(Stream::new(10_000, 1), Stream::new(10, 1));
    println!("in order: 10,000 events in the window cost {ratio:.2} times what 10 do");
    assert!(ratio <= 2.0, "{ratio:.2}");
}

#[test]
fn a_million_events_in_the_window_cost_little_more_than_ten_thousand() {
    let mut large = Stream::new(1_000_000, 1);
    large.run(1_100_000);
    let ratio = ratio(large, Stream::new(10_000, 1));
    println!("in order: a million events in the window cost {ratio:.2} times what 10,000 do");
    assert!(ratio <= 4.0, "{ratio:.2}");
}

#[test]
fn a_record_of_a_long_session_costs_little_more_than_one_of_a_short_session() {
    // A step is a microsecond, a session the whole stream, as far as it is looked back.
    let stream = |events: i64| {
        let specs =
            format!("[{{ session: 5us, within: {events}us, of: x, compute: [count, mean, max] }}]");
        let mut stream = Stream::of_windows(&specs, 1, 1);
        stream.run(2 * events.max(1_000));
        stream
    };
    for (large, limit) in [(20_000, 3.0), (500_000, 6.0)] {
        let ratio = ratio(stream(large), stream(100));
        println!("in a session of {large} events a record costs {ratio:.2} times one of 100");
        assert!(ratio <= limit, "{large}: {ratio:.2}");
    }
}

#[test]
fn rows_that_do_not_count_are_not_looked_at_one_by_one() {
    let stream = |rows: i64| {
        let window = "of: x, where: x < 0, compute: [mean, last, time_since_last]";
        let mut stream = Stream::of_windows(&format!("[{{ over: {rows} rows, {window} }}]"), 1, 1);
        stream.run(rows + 10_000);
        stream
    };
    let ratio = ratio(stream(100_000), stream(100));
    println!("none of 100,000 rows counts: {ratio:.2} times the cost of 100");
    assert!(ratio <= 4.0, "{ratio:.2}");
}

#[test]
fn a_late_insertion_does_not_rebuild_the_key() {
    let stream = |events| Stream::new(events, 1).out_of_order(59, HOUR_US);
    let ratio = ratio(stream(20_000), stream(2_000));
    println!("59 % out of order: ten times the events cost {ratio:.2} times as much");
    assert!(ratio <= 2.0, "{ratio:.2}");
}

/// As much disorder as the lateness of an hour lets through, and the buffer holds two hours.
#[test]
fn records_at_the_lateness_limit_cost_at_most_five_times_what_those_in_order_do() {
    for disorder in [Disorder::AtLimit, Disorder::Backwards] {
        for events in [36, 1_000, 10_000] {
            let warm = |mut stream: Stream| {
                stream.run(4 * events / 1_000 * 1_000);
                stream
            };
            let late = warm(Stream::new(events, 1).disordered(disorder, HOUR_US));
            let ratio = ratio(late, warm(Stream::new(events, 1)));
            println!("{disorder:?}, {events} events: {ratio:.2} times the cost in order");
            assert!(ratio <= 5.0, "{disorder:?}, {events} events: {ratio:.2}");
        }
    }
}

#[test]
fn a_long_history_costs_at_most_twice_what_a_short_one_does() {
    // Late values go to places all over the memory: a search and misses of the cache.
    for (percent, disorder_us, limit) in [(0, 0, 2.0), (59, HOUR_US, 4.0)] {
        let stream = |events| {
            let mut stream = Stream::of_history(events).out_of_order(percent, disorder_us);
            stream.run(events + events / 10);
            stream
        };
        let ratio = ratio(stream(100_000), stream(1_000));
        println!("{percent} % out of order: 100,000 values cost {ratio:.2} times what 1,000 do");
        assert!(ratio <= limit, "{percent}: {ratio:.2}");
    }
}

#[test]
fn memory_per_event_and_key_is_as_promised() {
    // Events of a key in an hour, bytes of a key beside them, whether 59 % are up to an hour late:
    // then two hours are buffered.
    for (events, key_bytes, late) in [
        (1, 200, false),
        (36, 200, false),
        (100, 500, false),
        (200, 500, false),
        (400, 200, false),
        (20_000, 8_192, false),
        (10_000, 8_192, true),
    ] {
        let keys = (200_000 / events).min(5_000);
        let disorder = if late { (59, HOUR_US) } else { (0, 0) };
        let mut stream = Stream::new(events, keys).out_of_order(disorder.0, disorder.1);
        stream.run(3 * events.max(20) * keys);
        let held = keys * events * if late { 2 } else { 1 };
        let bytes = i64::try_from(stream.step.state_bytes()).expect("it fits memory");
        let each = bytes as f64 / held as f64;
        println!("{events} events of {keys} keys, late: {late}: {each:.1} bytes per event");
        assert!(bytes <= keys * key_bytes + 24 * held, "{events} {late}: {bytes}");
    }
}

/// Prints what a record costs; asserts nothing, the figures are the machine's.
#[test]
fn cost_by_events_in_the_window() {
    for (percent, disorder_us) in [(0, 0), (59, HOUR_US)] {
        for events in [10, 36, 1_000, 10_000] {
            let mut stream = Stream::new(events, 1).out_of_order(percent, disorder_us);
            stream.run(40_000);
            // The least of several: what others do on the machine only adds.
            let cost = (0..15).map(|_| stream.run(10_000)).fold(f64::INFINITY, f64::min);
            println!("{percent} % out of order, {events} events: {cost:.0} ns per record");
        }
    }
}

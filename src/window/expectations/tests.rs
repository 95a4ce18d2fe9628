//! Verdicts against their definition, however rows are cut into batches and whenever they stop.

use super::*;
use crate::{
    batch::Rejected,
    state::snapshot::{self, SnapshotError, testing},
};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use proptest::{collection::vec, prelude::*};

const EVERY: i64 = 10;
const LATENESS: i64 = 25;
const EXACT: usize = 6;

const EXPECT: &str = "
- { records: { min: 3 } }
- { column: x, null_rate: { max: 0.3 } }
- { column: name, distinct: { max: 3 } }
- { column: name, unique: { min: 0.5 } }
- { column: x, mean: { min: 2, max: 6 }, min_count: 2 }
- { column: x, quantile: { q: 0.75, max: 7 } }
- { column: name, allowed: [a, b, c], share: { min: 0.7 } }
- { freshness: { max: 8us }, share: { min: 0.5 } }
- { monotonic_event_time: true, share: { min: 0.6 } }
- { row: x <> 3 }
- { row: x <> 8 or x is null, severity: reject }
";

fn schema() -> SchemaRef {
    let stamp = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("x", DataType::Float64, true),
        Field::new("kafka_timestamp", stamp, true),
    ]))
}

#[derive(Debug, Clone)]
struct Row {
    /// Behind the highest event time before, or ahead of it.
    step: i64,
    name: Option<u8>,
    x: Option<u8>,
    stamped: bool,
    /// True if cleaning lets it fall: it moves the watermark, and that is all.
    falls: bool,
}

fn any_row() -> impl Strategy<Value = Row> {
    let step = prop_oneof![4 => -LATENESS..8, 1 => 0..4i64, 1 => 20..60i64];
    let rest = (prop::option::of(0..6u8), prop::option::weighted(0.8, 0..10u8));
    (step, rest, prop::bool::weighted(0.9), prop::bool::weighted(0.1))
        .prop_map(|(step, (name, x), stamped, falls)| Row { step, name, x, stamped, falls })
}

/// Rows as they pass the gates, and which of them cleaning leaves.
fn rows(history: &[Row]) -> (Rows, Vec<bool>) {
    let mut highest = 1_000_i64;
    let (mut times, mut watermarks) = (Vec::new(), Vec::new());
    for row in history {
        let time = (highest + row.step).max(highest - LATENESS);
        highest = highest.max(time);
        times.push(time);
        watermarks.push(highest - LATENESS);
    }
    let names = history.iter().map(|r| r.name.map(|n| ["a", "b", "c", "d", "e", "f"][n as usize]));
    // Event times here are microseconds, stamps milliseconds: zero or one of them, times a thousand.
    let stamps = history.iter().zip(&times).map(|(r, t)| r.stamped.then_some((t + 7) / 1_000));
    let stamps: TimestampMillisecondArray = stamps.collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(names.collect::<StringArray>()),
        Arc::new(history.iter().map(|r| r.x.map(f64::from)).collect::<Float64Array>()),
        Arc::new(stamps.with_timezone("UTC")),
    ];
    let count = u32::try_from(history.len()).unwrap();
    let rows = Rows {
        columns: RecordBatch::try_new(schema(), columns).unwrap(),
        records: (0..count).collect(),
        offsets: (0..i64::from(count)).map(|offset| offset * 3).collect(),
        event_times: times,
        watermarks,
        slots: vec![0; history.len()],
        late: vec![false; history.len()],
    };
    (rows, history.iter().map(|row| !row.falls).collect())
}

fn slice(rows: &Rows, from: usize, until: usize) -> Rows {
    Rows {
        columns: rows.columns.slice(from, until - from),
        records: rows.records[from..until].to_vec(),
        offsets: rows.offsets[from..until].to_vec(),
        event_times: rows.event_times[from..until].to_vec(),
        watermarks: rows.watermarks[from..until].to_vec(),
        slots: rows.slots[from..until].to_vec(),
        late: rows.late[from..until].to_vec(),
    }
}

fn build(expect: &str) -> Result<Expectations, Problem> {
    let node = Node::parse(expect)?;
    let frame = Frame { every_us: EVERY, exact: EXACT, lateness_us: LATENESS, may_halt: true };
    Expectations::build(node.as_list().unwrap(), &schema(), frame, Position::default())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
fn whole(place: f64) -> usize {
    place as usize
}

/// Everything that a run shows.
#[derive(Debug, Default, Clone)]
struct Run {
    verdicts: Vec<Verdict>,
    rejected: Vec<Rejected>,
    kept: Vec<u32>,
    halt: Option<Halt>,
}

impl Run {
    /// Takes in rows in batches of these sizes, over and over, until something halts.
    fn advance(&mut self, part: &mut Expectations, rows: &Rows, stays: &[bool], cuts: &[usize]) {
        let mut from = 0;
        for cut in cuts.iter().cycle() {
            if from == rows.len() || self.halt.is_some() {
                break;
            }
            let until = rows.len().min(from + cut);
            let passed = slice(rows, from, until);
            let closings = part.closings(&passed);
            let cleaned = passed.filter(&stays[from..until]);
            let mut rejected = Rejections::default();
            let (left, judged) = part.advance(cleaned, &closings, true, &mut rejected);
            self.verdicts.extend(judged.verdicts);
            self.rejected.extend(rejected.0);
            self.kept.extend(left.records);
            self.halt = judged.halt;
            from = until;
        }
    }

    /// As text, in which NaN equals NaN.
    fn text(&self) -> String {
        format!("{self:?}")
    }
}

/// The same by the definition: a window at a time, over all rows that belong to it.
fn naive(history: &[Row], rows: &Rows, stays: &[bool]) -> Vec<(u32, i64, usize, u64, Option<f64>)> {
    let begin = |time: i64| time.div_euclid(EVERY) * EVERY;
    let mut windows: Vec<i64> =
        (0..rows.len()).filter(|i| stays[*i]).map(|i| begin(rows.event_times[i])).collect();
    windows.sort_unstable();
    windows.dedup();
    let seen: Vec<usize> = (0..rows.len()).filter(|i| stays[*i]).collect();
    let left: Vec<usize> = seen.iter().copied().filter(|i| history[*i].x != Some(8)).collect();
    let share = |met: Vec<bool>| {
        let count = met.len() as u64;
        let yes = met.iter().filter(|met| **met).count() as f64;
        (count, (count > 0).then(|| yes / count as f64))
    };
    let mut verdicts = Vec::new();
    for window in windows {
        let closes = rows.watermarks.iter().position(|w| *w >= window + EVERY);
        let Some(closes) = closes else { continue };
        let inside = |i: &&usize| begin(rows.event_times[**i]) == window;
        let own: Vec<usize> = left.iter().filter(inside).copied().collect();
        let all: Vec<usize> = seen.iter().filter(inside).copied().collect();
        let names: Vec<u8> = own.iter().filter_map(|i| history[*i].name).collect();
        let mut xs: Vec<f64> = own.iter().filter_map(|i| history[*i].x.map(f64::from)).collect();
        let different = names.iter().collect::<std::collections::BTreeSet<_>>().len() as f64;
        let some = |count: usize, value: f64| (count as u64, (count > 0).then_some(value));
        let mean = some(xs.len(), xs.iter().sum::<f64>() / xs.len() as f64);
        xs.sort_unstable_by(f64::total_cmp);
        let rank = 0.75 * (xs.len().max(1) - 1) as f64;
        let below = whole(rank);
        let low = xs.get(below).copied().unwrap_or_default();
        let high = xs.get(below + 1).copied().unwrap_or(low);
        let quantile = some(xs.len(), low + (high - low) * rank.fract());
        let stamped = own.iter().filter(|i| history[**i].stamped);
        let fresh = stamped.map(|i| {
            let time = rows.event_times[*i];
            (time + 7) / 1_000 * 1_000 - time <= 8
        });
        let before = |i: usize| left.iter().rfind(|other| **other < i).copied();
        let ordered = own.iter().map(|i| {
            before(*i).is_none_or(|other| rows.event_times[other] <= rows.event_times[*i])
        });
        let observed = [
            (own.len() as u64, Some(own.len() as f64)),
            share(own.iter().map(|i| history[*i].x.is_none()).collect()),
            (names.len() as u64, Some(different)),
            some(names.len(), different / names.len() as f64),
            mean,
            quantile,
            share(names.iter().map(|name| *name < 3).collect()),
            share(fresh.collect()),
            share(ordered.collect()),
            share(all.iter().map(|i| history[*i].x.is_some_and(|x| x != 3)).collect()),
            share(all.iter().map(|i| history[*i].x != Some(8)).collect()),
        ];
        let record = u32::try_from(closes).unwrap();
        let of = |(index, (count, value))| (record, window, index, count, value);
        verdicts.extend(observed.into_iter().enumerate().map(of));
    }
    verdicts
}

proptest! {
    #[test]
    fn verdicts_are_their_definition(history in vec(any_row(), 1..120), cuts in vec(1..9usize, 1..5)) {
        let (rows, stays) = rows(&history);
        let (mut part, mut run) = (build(EXPECT).unwrap(), Run::default());
        // More is kept than there are values: all is exact.
        part.frame.exact = 1_000;
        run.advance(&mut part, &rows, &stays, &cuts);
        let expected = naive(&history, &rows, &stays);
        prop_assert_eq!(run.verdicts.len(), expected.len());
        for (verdict, (record, window, index, count, value)) in run.verdicts.iter().zip(expected) {
            let place = (verdict.record, verdict.window.start, verdict.expectation, verdict.count);
            prop_assert_eq!(place, (record, window, index, count));
            let close = match (verdict.observed, value) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-12,
                (a, b) => a == b,
            };
            prop_assert!(close, "{verdict:?} {value:?}");
            let told = &part.expected[verdict.expectation];
            let passes = value.filter(|_| count >= told.min_count).map(|v| told.told.threshold.hold(v));
            let judgement = match passes {
                Some(true) => Judgement::Passed,
                Some(false) => Judgement::Failed,
                None => Judgement::Skipped,
            };
            prop_assert_eq!(verdict.judgement, judgement);
        }
        let gone: Vec<u32> = run.rejected.iter().map(|gone| gone.record).collect();
        let eight = |record: &u32| {
            let row = *record as usize;
            stays[row] && history[row].x == Some(8)
        };
        prop_assert_eq!(gone, rows.records.iter().copied().filter(eight).collect::<Vec<_>>());
    }

    #[test]
    fn cuts_stops_and_snapshots_do_not_show(
        history in vec(any_row(), 1..150),
        (cuts, other_cuts) in (vec(1..40usize, 1..5), vec(1..9usize, 1..5)),
        at in 0.0..1.0f64,
        severity in prop_oneof![Just("warn"), Just("halt")],
    ) {
        let (rows, stays) = rows(&history);
        let expect = EXPECT
            .replace("distinct: { max: 3 }", &format!("distinct: {{ max: 5 }}, severity: {severity}"))
            .replace("x <> 3 }", &format!("x <> 3 or x is null, severity: {severity} }}"));
        let (mut entire, mut one) = (build(&expect).unwrap(), Run::default());
        one.advance(&mut entire, &rows, &stays, &cuts);

        let (mut part, mut many) = (build(&expect).unwrap(), Run::default());
        let middle = whole(at * rows.len() as f64);
        let (before, behind) = (slice(&rows, 0, middle), slice(&rows, middle, rows.len()));
        many.advance(&mut part, &before, &stays[..middle], &other_cuts);
        let bytes = testing::written(part.capture());
        let mut twin = restored(&expect, &bytes).unwrap();
        prop_assert!(testing::written(twin.capture()) == bytes);
        prop_assert_eq!(twin.state_bytes(), part.state_bytes());
        many.advance(&mut twin, &behind, &stays[middle..], &other_cuts);

        prop_assert_eq!(one.text(), many.text());
        prop_assert_eq!(entire.digest, twin.digest);
        prop_assert!(testing::written(entire.capture()) == testing::written(twin.capture()));
        if let Some(halt) = one.halt {
            let behind = |record: u32| record > halt.record;
            prop_assert!(!one.kept.iter().copied().any(behind));
            prop_assert!(!one.rejected.iter().any(|gone| behind(gone.record)));
            prop_assert!(one.verdicts.iter().all(|verdict| verdict.record <= halt.record));
        }
    }
}

fn restored(expect: &str, bytes: &[u8]) -> Result<Expectations, SnapshotError> {
    let (_, sections) = snapshot::read(bytes)?;
    let mut part = build(expect).unwrap();
    part.restore(&sections.component(testing::PART))?;
    Ok(part)
}

fn history(rows: usize) -> Vec<Row> {
    let row = |i: usize| Row {
        step: [1, -3, 4, -20, 2][i % 5],
        name: (!i.is_multiple_of(7)).then_some(u8::try_from(i % 6).unwrap()),
        x: (!i.is_multiple_of(4)).then_some(u8::try_from(i % 9).unwrap()),
        stamped: !i.is_multiple_of(6),
        falls: i.is_multiple_of(11),
    };
    (0..rows).map(row).collect()
}

#[test]
fn tables_that_do_not_agree_are_an_error_and_no_panic() {
    let (rows, stays) = rows(&history(200));
    let (mut part, mut run) = (build(EXPECT).unwrap(), Run::default());
    run.advance(&mut part, &rows, &stays, &[50]);
    assert!(part.windows.len() > 2 && run.verdicts.len() > 50);
    let (mut refused, mut taken) = (0, 0);
    for forged in testing::forgeries(&testing::written(part.capture())) {
        match restored(EXPECT, &forged) {
            Ok(mut twin) => {
                Run::default().advance(&mut twin, &rows, &stays, &[50]);
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50 && taken > 0, "{refused} {taken}");
}

#[test]
fn memory_is_that_of_the_windows_that_are_open() {
    let mut part = build(EXPECT).unwrap();
    let (rows, stays) = rows(&history(20_000));
    Run::default().advance(&mut part, &rows, &stays, &[1_000]);
    assert!(part.windows.len() <= 5, "{}", part.windows.len());
    let most = part.windows.len() * part.expected.len() * (size_of::<Tally>() + EXACT * 16);
    assert!(part.state_bytes() <= most);
}

#[test]
fn a_late_row_that_is_kept_counts_in_no_window_that_has_closed() {
    let history: Vec<Row> = history(60);
    let (mut rows, stays) = rows(&history);
    rows.event_times[59] = rows.watermarks[59] - 2 * EVERY;
    rows.late[59] = true;
    let (mut part, mut run) = (build(EXPECT).unwrap(), Run::default());
    let first = slice(&rows, 0, 59);
    run.advance(&mut part, &first, &stays[..59], &[7]);
    let open = format!("{:?}", part.windows);
    run.advance(&mut part, &slice(&rows, 59, 60), &[true], &[1]);
    assert_eq!(format!("{:?}", part.windows), open);
    assert_eq!(run.kept.last(), Some(&59));
}

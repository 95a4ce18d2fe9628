//! `order: event_time` against a model that holds records in a list and sorts it.

use crate::{pipelines::line, snapshots::written};
use millstream::{
    batch::{Outbox, RawBatch, Reason, Target},
    pipeline::{Definition, Fold, Overrides, Totals},
    state::snapshot,
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use std::{cell::Cell, fs, path::Path};

/// One record: what happens, the card, how far time goes on, how far it is behind, a value.
type Step = (u8, u8, i64, i64, u16);

struct Record {
    /// None is no JSON.
    value: Option<String>,
    /// Milliseconds.
    time: i64,
    card: String,
}

const LATENESS_MS: i64 = 2_000;

fn records(steps: &[Step]) -> Vec<Record> {
    let mut now = 1_767_225_600_000_i64;
    let record = |(index, (what, card, ahead, behind, value)): (usize, &Step)| {
        // Few different times: most have peers.
        now += ahead * 100;
        let time = match what {
            0..80 => now - behind * 100,
            // Of the future, where there is a `max_jump`.
            250..252 => now + 86_400_000,
            _ => now,
        };
        let card = format!("card {}", card % 3);
        let amount = if what % 7 == 0 { "null".to_owned() } else { format!("{}", value / 64) };
        let value = (*what < 253).then(|| {
            format!(
                r#"{{"tx_id":"t{index}","card_id":"{card}","merchant_id":"m{}","category":"c","amount":{amount},"currency":"EUR","lat":{},"lon":2,"channel":"web","ts":{time}}}"#,
                value % 40,
                f64::from(*value) / 7.0,
            )
        });
        Record { value, time, card }
    };
    steps.iter().enumerate().map(record).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec((any::<u8>(), any::<u8>(), 0..4_i64, 0..26_i64, any::<u16>()), 1..300)
}

/// A pipeline with `source` lines of its own, and what else it says.
fn definition(source: &str, more: &str) -> Definition {
    load(&format!("{}{more}", pipeline(source, "")))
}

/// One that draws lines before everything else.
fn with_lines(source: &str, more: &str) -> Definition {
    let first = "  - fill: { column: amount, with: linear, within: 3s, name: was_gap }\n";
    load(&format!("{}{more}", pipeline(source, first)))
}

fn load(text: &str) -> Definition {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines");
    let other = tempfile::tempdir().unwrap();
    let schema = "card-transaction.schema.json";
    fs::copy(folder.join(schema), other.path().join(schema)).unwrap();
    let file = other.path().join("order.yaml");
    fs::write(&file, text).unwrap();
    Definition::load(&file, Overrides::default()).unwrap_or_else(|p| panic!("{p:#?}"))
}

fn pipeline(source: &str, first: &str) -> String {
    format!(
        "pipeline: order
source:
  topics: [order.in]
  format: json
  schema: card-transaction.schema.json
  key: card_id
  event_time: {{ column: ts, unit: ms }}
  max_ahead: off
  start: earliest
{source}
clean:
{first}  - drop_duplicates: {{ by: [merchant_id], within: 1s }}
  - fill: {{ column: amount, with: last, within: 3s }}
expectations:
  every: 2s
  quality_topic: order.quality
  expect:
    - {{ records: {{ min: 3 }} }}
    - {{ column: amount, mean: {{ max: 300 }} }}
    - {{ row: amount < 900 or amount is null, severity: reject }}
windows:
  - {{ over: 3s, of: amount, closed: both, compute: [count, sum, mean, std, last] }}
  - {{ over: 5 rows, of: lat, compute: [mean] }}
features: [amount, amount_count_3s, amount_sum_3s, amount_mean_3s, amount_std_3s, amount_last_3s,
  lat_mean_5r, amount_was_missing]
output: {{ topic: order.out, format: json, carry: [tx_id, ts] }}
dead_letter: {{ topic: order.dlq }}
"
    )
}

/// A fold with what it has given so far.
struct Run<'a> {
    definition: &'a Definition,
    fold: Fold,
    /// Vectors, dead letters and verdicts: between them there is no order.
    messages: [String; 3],
    /// Of vectors and of verdicts.
    values: [Vec<String>; 2],
    totals: Totals,
    /// Event time, watermark and lateness of each row.
    rows: Vec<(i64, i64, bool)>,
}

impl<'a> Run<'a> {
    fn new(definition: &'a Definition) -> Self {
        let (messages, totals) = Default::default();
        let (values, rows) = Default::default();
        Self { definition, fold: definition.fold(None), messages, values, totals, rows }
    }

    /// Folds records, each with its offset, in batches of these sizes, over and over; none is a tick.
    fn advance(&mut self, log: &[Option<(i64, &Record)>], cuts: &[usize]) {
        let mut cuts = cuts.iter().cycle();
        for (index, part) in log.split(Option::is_none).enumerate() {
            if index > 0 {
                self.fold(&[]);
            }
            let mut part = part;
            while !part.is_empty() {
                let (now, rest) = part.split_at((*cuts.next().unwrap()).min(part.len()));
                self.fold(now);
                part = rest;
            }
        }
    }

    fn fold(&mut self, log: &[Option<(i64, &Record)>]) {
        let mut raw = RawBatch::new("order.in".into(), 0);
        for (offset, record) in log.iter().flatten() {
            let value = record.value.as_deref().unwrap_or("{ no JSON");
            raw.push(
                *offset,
                Some(record.time),
                Some(record.card.as_bytes()),
                Some(value.as_bytes()),
            );
            raw.header(b"trace", Some(&offset.to_le_bytes()));
        }
        let fold = &mut self.fold;
        let mut folded = if log.is_empty() { fold.tick(&raw) } else { fold.advance(&raw) };
        let mut emitter = self.definition.emitter(None);
        let mut outbox = Outbox::default();
        emitter.emit(&raw, &mut folded, &mut outbox);
        for message in outbox.iter() {
            let (to, values) = match message.parts.target {
                Target::Output => (0, Some(0)),
                Target::DeadLetter => (1, None),
                Target::Quality => (2, Some(1)),
            };
            self.messages[to] += &line(&message);
            if let Some(values) = values {
                let value = String::from_utf8_lossy(message.value.unwrap_or_default());
                self.values[values].push(value.into_owned());
            }
        }
        self.totals += &folded.totals;
        let rows = &folded.rows;
        let times = rows.event_times.iter().zip(&rows.watermarks).zip(&rows.late);
        self.rows.extend(times.map(|((time, watermark), late)| (*time, *watermark, *late)));
        assert!(self.totals.balance(), "{}", self.totals);
        assert_eq!(usize::try_from(self.totals.held).unwrap(), self.fold.held());
    }

    fn snapshot(&self) -> Vec<u8> {
        written(&self.fold.capture())
    }

    fn restored(definition: &'a Definition, bytes: &[u8]) -> Self {
        let (_, sections) = snapshot::read(bytes).unwrap();
        let mut run = Self::new(definition);
        run.fold.restore(&sections).unwrap();
        run
    }
}

/// A record that leaves: its offset, the record, and the highest offset that had come by then.
type Left<'r> = (i64, &'r Record, i64);

/// What leaves, in order, as the design says it: `held` is a list that is sorted. Records wait until
/// the watermark is `wait_ms` past them.
fn model<'r>(
    log: &[Option<(i64, &'r Record)>],
    max_held: usize,
    wait_ms: i64,
) -> (Vec<Left<'r>>, Vec<Reason>) {
    let (mut highest, mut raised) = (i64::MIN / 2, i64::MIN);
    let (mut held, mut out, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    // In microseconds.
    let time = |record: &Record| record.time * 1_000;
    let mut seen = -1;
    for entry in log {
        seen = entry.map_or(seen, |(offset, _)| offset);
        match entry {
            None if held.is_empty() => {}
            None => raised = raised.max(highest + 1),
            Some((_, record)) if record.value.is_none() => rejected.push(Reason::Undecodable),
            Some((_, record)) if time(record) < raised.max(highest - LATENESS_MS * 1_000) => {
                rejected.push(Reason::Late);
            }
            Some((offset, record)) => {
                highest = highest.max(time(record));
                held.push((time(record), *offset, *record));
            }
        }
        held.sort_by_key(|(time, offset, _)| (*time, *offset));
        loop {
            let frontier = raised.max(highest - (LATENESS_MS + wait_ms) * 1_000);
            let gone = held.partition_point(|(time, _, _)| *time < frontier);
            out.extend(held.drain(..gone).map(|(_, offset, record)| (offset, record, seen)));
            if held.len() <= max_held {
                break;
            }
            raised = raised.max(held[0].0 + 1);
        }
    }
    (out, rejected)
}

/// The log with offsets, and ticks behind some records and at the end.
fn log<'r>(records: &'r [Record], ticks: &[prop::sample::Index]) -> Vec<Option<(i64, &'r Record)>> {
    let behind: Vec<usize> = ticks.iter().map(|tick| tick.index(records.len())).collect();
    let mut log = Vec::new();
    for (index, record) in records.iter().enumerate() {
        log.push(Some((i64::try_from(index * 2).unwrap(), record)));
        if behind.contains(&index) {
            log.push(None);
        }
    }
    if log.last().is_some_and(Option::is_some) {
        log.push(None);
    }
    log
}

fn ticks() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..3)
}

const SOURCE: &str = "  lateness: 2s\n  order: event_time\n";

#[test]
fn held_records_leave_as_if_they_had_come_in_order() {
    let sorted = definition("  lateness: 0s", "");
    let no_limit = definition(SOURCE, "");
    let few = definition(&format!("{SOURCE}  hold: {{ max_records: 5 }}"), "");
    let (late, forced, judged) = (Cell::new(0), Cell::new(0), Cell::new(0));
    for (held, max_held) in [(&no_limit, 1_000_000), (&few, 5)] {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(80));
        let cuts = vec(1..40_usize, 1..6);
        let result = runner.run(&(steps(), ticks(), cuts), |(steps, ticks, cuts)| {
            let records = records(&steps);
            let log = log(&records, &ticks);
            let (out, rejected) = model(&log, max_held, 0);
            let mut run = Run::new(held);
            run.advance(&log, &cuts);
            let mut expected = Run::new(&sorted);
            // Offsets have to grow there.
            let in_order: Vec<_> =
                (0..).zip(&out).map(|(offset, (_, record, _))| Some((offset, *record))).collect();
            expected.advance(&in_order, &[1_000]);
            prop_assert_eq!(&run.values, &expected.values);
            prop_assert_eq!(run.totals.dropped.sum(), expected.totals.dropped.sum());
            prop_assert_eq!(run.totals.held, 0);
            let rejected_rows = |run: &Run<'_>| run.totals.rejected.get(Reason::Expectation);
            prop_assert_eq!(rejected_rows(&run), rejected_rows(&expected));
            for reason in [Reason::Undecodable, Reason::Late] {
                let count = rejected.iter().filter(|r| **r == reason).count() as u64;
                prop_assert_eq!(run.totals.rejected.get(reason), count);
            }
            judged.set(judged.get() + run.values[1].len());
            late.set(late.get() + run.totals.rejected.get(Reason::Late));
            let late_without = model(&log, 1_000_000, 0).1.len();
            forced.set(forced.get() + rejected.len() - late_without.min(rejected.len()));
            Ok(())
        });
        assert!(result.is_ok(), "{}", result.unwrap_err());
    }
    assert!(late.get() > 100, "hardly any record was late");
    assert!(forced.get() > 100, "the limit hardly ever showed");
    assert!(judged.get() > 1_000, "hardly any window closed");
}

/// Pipelines of all that `source` can say about records that are held.
fn definitions() -> Vec<Definition> {
    let source = |more: &str| format!("{SOURCE}{more}");
    vec![
        definition(&source("  peers: true"), ""),
        definition(&source("  hold: { max_records: 5 }"), ""),
        definition(
            &source("  max_jump: 1h\n  hold: { max_records: 20 }"),
            "outcomes: { late: keep, future: keep }",
        ),
        definition(
            &source("  max_jump: 1h\n  peers: true"),
            "outcomes: { late: keep, future: keep }",
        ),
        with_lines(&source("  peers: true"), ""),
        with_lines(
            &source("  max_jump: 1h\n  hold: { max_records: 20 }"),
            "outcomes: { late: keep, future: keep }",
        ),
    ]
}

/// The number that a record has.
fn amount(record: &Record) -> Option<f64> {
    let value: serde_json::Value = serde_json::from_str(record.value.as_ref()?).unwrap();
    value["amount"].as_f64()
}

/// What a record without a number gets: the line between the nearest numbers of its card, of those
/// that had come.
fn on_the_line(log: &[Option<(i64, &Record)>], late: &[i64], left: &Left<'_>) -> Option<f64> {
    let (offset, own, seen) = *left;
    let place = |offset: i64, record: &Record| (record.time, offset);
    let knots = log.iter().flatten().filter(|(offset, record)| {
        *offset <= seen
            && !late.contains(offset)
            && record.card == own.card
            && (record.time - own.time).abs() <= 3_000
    });
    let knots: Vec<_> = knots
        .filter_map(|(offset, record)| Some((place(*offset, record), amount(record)?)))
        .collect();
    let own = place(offset, own);
    let before = knots.iter().filter(|(at, _)| *at < own).max_by_key(|(at, _)| *at)?;
    let behind = knots.iter().filter(|(at, _)| *at > own).min_by_key(|(at, _)| *at)?;
    let (from, to) = (before.0.0 as f64, behind.0.0 as f64);
    let share = if from < to { (own.0 as f64 - from) / (to - from) } else { 0.0 };
    Some(before.1 * (1.0 - share) + behind.1 * share)
}

#[test]
fn a_gap_is_filled_by_the_line_between_what_had_come() {
    let source = |held: &str| {
        let text = pipeline(&format!("{SOURCE}{held}"), "");
        let (head, rest) = text.split_once("clean:").unwrap();
        let output = rest.split_once("output:").unwrap().1;
        load(&format!(
            "{head}clean:\n  - fill: {{ column: amount, with: linear, within: 3s }}\n\
             features: [amount, amount_was_missing]\noutput:{output}"
        ))
    };
    let (filled, left_empty) = (Cell::new(0), Cell::new(0));
    for (held, max_held) in [("", 1_000_000), ("  hold: { max_records: 12 }", 12)] {
        let definition = source(held);
        let mut runner = TestRunner::new(ProptestConfig::with_cases(80));
        let cuts = vec(1..40_usize, 1..6);
        let result = runner.run(&(steps(), ticks(), cuts), |(steps, ticks, cuts)| {
            let records = records(&steps);
            let log = log(&records, &ticks);
            let (out, _) = model(&log, max_held, 3_000);
            let left: Vec<i64> = out.iter().map(|(offset, ..)| *offset).collect();
            let late: Vec<i64> = log.iter().flatten().map(|(offset, _)| *offset).collect();
            let late: Vec<i64> = late.into_iter().filter(|o| !left.contains(o)).collect();
            let mut run = Run::new(&definition);
            run.advance(&log, &cuts);
            prop_assert_eq!(run.values[0].len(), out.len());
            for (vector, left) in run.values[0].iter().zip(&out) {
                let vector: serde_json::Value = serde_json::from_str(vector).unwrap();
                let got = vector["amount"].as_f64();
                let sent = amount(left.1);
                prop_assert_eq!(vector["amount_was_missing"].as_bool(), Some(sent.is_none()));
                let expected = sent.or_else(|| on_the_line(&log, &late, left));
                let near = match (got, expected) {
                    (Some(got), Some(expected)) => {
                        (got - expected).abs() <= 1e-9 * expected.abs().max(1.0)
                    }
                    (got, expected) => got == expected,
                };
                prop_assert!(near, "{got:?} instead of {expected:?}: {vector}");
                filled.set(filled.get() + u32::from(sent.is_none() && got.is_some()));
                left_empty.set(left_empty.get() + u32::from(got.is_none()));
            }
            Ok(())
        });
        assert!(result.is_ok(), "{}", result.unwrap_err());
    }
    assert!(filled.get() > 500 && left_empty.get() > 50, "{filled:?} {left_empty:?}");
}

#[test]
fn cuts_and_restarts_do_not_show_in_what_was_held() {
    for definition in definitions() {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(40));
        let cuts = vec(1..40_usize, 1..6);
        let inputs = (steps(), ticks(), cuts, any::<prop::sample::Index>());
        let result = runner.run(&inputs, |(steps, ticks, cuts, at)| {
            let records = records(&steps);
            let log = log(&records, &ticks);
            let mut whole = Run::new(&definition);
            whole.advance(&log, &[1_000]);
            for cuts in [&[1], &[7], cuts.as_slice()] {
                let mut run = Run::new(&definition);
                run.advance(&log, cuts);
                prop_assert_eq!(&run.messages, &whole.messages);
                prop_assert_eq!(&run.totals, &whole.totals);
                prop_assert_eq!(run.fold.digest(), whole.fold.digest());
                prop_assert!(run.snapshot() == whole.snapshot(), "cuts show in a snapshot");
            }
            let (before, after) = log.split_at(at.index(log.len()));
            let mut first = Run::new(&definition);
            first.advance(before, &cuts);
            let bytes = first.snapshot();
            let mut second = Run::restored(&definition, &bytes);
            prop_assert!(second.snapshot() == bytes, "what is written again is the same");
            let (a, b) = (&first.fold, &second.fold);
            prop_assert_eq!(a.watermark(), b.watermark());
            prop_assert_eq!(a.lowest_held(), b.lowest_held());
            prop_assert_eq!(a.state_bytes(), b.state_bytes());
            // A part may begin or end with a tick: the totals of the part alone may be negative.
            second.totals.held = first.totals.held;
            second.totals.consumed = first.totals.held.cast_unsigned();
            second.advance(after, &[3]);
            let all = [0, 1, 2].map(|to| first.messages[to].clone() + &second.messages[to]);
            prop_assert_eq!(&all, &whole.messages);
            prop_assert_eq!(second.fold.digest(), whole.fold.digest());
            prop_assert!(second.snapshot() == whole.snapshot(), "the state is the same to the bit");
            Ok(())
        });
        assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

/// What `clean` and `window` forget by: no row behind one that is not late is before its watermark.
#[test]
fn a_row_promises_what_comes_behind_it() {
    let mut early = 0;
    for definition in definitions() {
        let mut runner = TestRunner::deterministic();
        for _ in 0..40 {
            let (steps, ticks) = (steps(), ticks()).new_tree(&mut runner).unwrap().current();
            let records = records(&steps);
            let mut run = Run::new(&definition);
            run.advance(&log(&records, &ticks), &[50]);
            let mut watermark = i64::MIN;
            for (time, own, late) in &run.rows {
                assert!(*late || *time >= watermark, "{time} behind {watermark}");
                assert!(*own >= watermark && (*late || own <= time), "{own} at {time}");
                early += u32::from(!late && own < time);
                watermark = *own;
            }
        }
    }
    assert!(early > 10, "no record of the future went before its time");
}

#[test]
fn a_tick_where_nothing_waits_changes_nothing() {
    let definition = definition(SOURCE, "");
    let records = records(&[(90, 0, 1, 0, 7)]);
    let log = log(&records, &[]);
    let mut run = Run::new(&definition);
    run.advance(&log, &[1]);
    let before = (run.snapshot(), run.fold.digest(), run.fold.watermark());
    run.advance(&[None], &[1]);
    assert!((run.snapshot(), run.fold.digest(), run.fold.watermark()) == before);
    assert_eq!((run.values[0].len(), run.fold.held()), (1, 0));
}

/// Held records that a fold could not have held are an error of restoring, and no panic later.
#[test]
fn records_that_cannot_have_been_held_are_refused() {
    let held = definition(SOURCE, "");
    let records = records(&[(90, 0, 1, 0, 7), (90, 1, 5, 0, 9)]);
    let log: Vec<_> = (0..).zip(&records).map(Some).collect();
    let mut run = Run::new(&held);
    run.advance(&log, &[5]);
    assert_eq!(run.fold.held(), 2);
    let bytes = run.snapshot();
    let refused = |to: &Definition| {
        let (_, sections) = snapshot::read(&bytes).unwrap();
        to.fold(None).restore(&sections).unwrap_err().to_string()
    };
    let by_arrival = refused(&definition("  lateness: 2s", ""));
    assert!(by_arrival.contains("held/") && by_arrival.contains("no part"), "{by_arrival}");
    let text = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines/card-transaction.schema.json"),
    )
    .unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("s.json"), text.replace("\"lon\"", "\"other\"")).unwrap();
    let yaml = "pipeline: other
source:
  topics: [order.in]
  format: json
  schema: s.json
  key: card_id
  event_time: { column: ts, unit: s }
  lateness: 2s
  order: event_time
  start: earliest
features: [amount]
output: { topic: order.out, format: json }
dead_letter: { topic: order.dlq }
";
    fs::write(other.path().join("p.yaml"), yaml).unwrap();
    let other = Definition::load(&other.path().join("p.yaml"), Overrides::default()).unwrap();
    let error = refused(&other);
    assert!(error.contains("held/records") && error.contains("cannot have been held"), "{error}");
}

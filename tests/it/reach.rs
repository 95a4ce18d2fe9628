//! A state that time bounds is made again without the beginning of its log.

use millstream::{
    batch::{Outbox, RawBatch, Target},
    pipeline::{Definition, Fold, Overrides},
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use serde_json::Value;
use std::{cell::Cell, fs, path::Path};

const LATENESS: &str = "lateness: 5s\n  max_ahead: 2s";

/// Every kind of state that has an end in time, one behind the other.
const STEPS: &str = "
outcomes: { late: reject, null_key: drop }
clean:
  - fill: { column: amount, with: last, within: 20s }
  - outlier: { column: amount, method: zscore, over: 30s, threshold: 2, min_count: 3, action: flag }
windows:
  - { over: 10s, of: amount, compute: [count, sum, mean, std, max] }
  - { over: 40s, of: lat, where: \"channel = 'web'\", compute: { count: web_count, mean: web_lat } }
  - { of: amount, forget_after: 7s, compute: { ewma: { half_life: 500ms, as: ewma } } }
  - { of: amount, forget_after: 7s, compute: { ewm_var: { half_life: 500ms, adjust: true, as: var } } }
  - { compute: { decayed_count: { half_life: 300ms, as: count } } }
features: [amount, amount_is_outlier, amount_count_10s, amount_sum_10s, amount_mean_10s,
  amount_std_10s, amount_max_10s, web_count, web_lat, ewma, var, count]
";

/// One record: the card, how far time goes on, how far the event is behind, how much later it is
/// written than it happened, its amount.
type Step = (u8, u16, u16, u16, Option<u16>);

struct Record {
    card: String,
    value: String,
    timestamp_ms: i64,
}

fn records(steps: &[Step]) -> Vec<Record> {
    let mut now = 1_767_225_600_000_i64;
    let record = |(index, (card, ahead, behind, written, amount)): (usize, &Step)| {
        now += i64::from(*ahead);
        let (card, ts) = (format!("card {card}"), now - i64::from(*behind));
        let amount = amount.map_or("null".to_owned(), |a| format!("{}", f64::from(a) / 128.0));
        let channel = if index % 3 == 0 { "pos" } else { "web" };
        let value = format!(
            r#"{{"tx_id":"t{index}","card_id":"{card}","merchant_id":"m","category":"c","amount":{amount},"currency":"EUR","lat":{},"lon":2,"channel":"{channel}","ts":{ts}}}"#,
            f64::from(*ahead) / 7.0,
        );
        // An event may be up to two seconds after the time at which it was written.
        Record { card, value, timestamp_ms: now - 1_500 + i64::from(*written) }
    };
    steps.iter().enumerate().map(record).collect()
}

fn definition(order: &str) -> Definition {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines");
    let other = tempfile::tempdir().unwrap();
    let schema = "card-transaction.schema.json";
    fs::copy(folder.join(schema), other.path().join(schema)).unwrap();
    let text = format!(
        "pipeline: reach
source:
  topics: [reach.in]
  format: json
  schema: {schema}
  key: card_id
  event_time: {{ column: ts, unit: ms }}
  order: {order}
  start: earliest
  {LATENESS}
output: {{ topic: reach.out, format: json, carry: [tx_id] }}
dead_letter: {{ topic: reach.dlq }}
{STEPS}"
    );
    let file = other.path().join("reach.yaml");
    fs::write(&file, text).unwrap();
    Definition::load(&file, Overrides::default()).unwrap_or_else(|p| panic!("{p:#?}"))
}

/// Folds the records from `from` to before `to`; gives the vectors.
fn advance(
    definition: &Definition,
    fold: &mut Fold,
    records: &[Record],
    from: usize,
) -> Vec<Value> {
    let mut emitter = definition.emitter(None);
    let mut vectors = Vec::new();
    for (chunk, offset) in records[from..].chunks(50).zip((from..).step_by(50)) {
        let mut raw = RawBatch::new("reach.in".into(), 0);
        for (offset, record) in (offset..).zip(chunk) {
            let (key, value) = (record.card.as_bytes(), record.value.as_bytes());
            let offset = i64::try_from(offset).unwrap();
            raw.push(offset, Some(record.timestamp_ms), Some(key), Some(value));
        }
        let mut outbox = Outbox::default();
        let mut folded = fold.advance(&raw);
        emitter.emit(&raw, &mut folded, &mut outbox);
        emitter.flush(&mut outbox);
        let of_output = outbox.iter().filter(|m| m.parts.target == Target::Output);
        vectors
            .extend(of_output.map(|m| serde_json::from_slice::<Value>(m.value.unwrap()).unwrap()));
    }
    vectors
}

/// True if both are the same, numbers to 1e-9 of their size.
fn agree(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| agree(a, b)))
        }
        (a, b) => a == b,
    }
}

#[test]
fn a_state_that_time_bounds_needs_no_more_of_the_log_than_its_reach() {
    for order in ["arrival", "event_time"] {
        needs_no_more_than_its_reach(&definition(order));
    }
}

fn needs_no_more_than_its_reach(definition: &Definition) {
    let reach = definition.fold(None).reach().expect("everything in it has an end");
    assert_eq!(reach, (20 + 30 + 40 + 5) * 1_000_000);
    let step =
        (0..4_u8, 0..900_u16, 0..7_000_u16, 0..3_000_u16, proptest::option::of(any::<u16>()));
    let inputs = (vec(step, 200..900), 0.5..0.95_f64);
    let (begun_later, differed) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
    let result = runner.run(&inputs, |(steps, share)| {
        let records = records(&steps);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
        let at = (records.len() as f64 * share) as usize;
        let mut whole = definition.fold(None);
        // The watermark before each record.
        let mut watermarks = Vec::with_capacity(at);
        for offset in 0..at {
            watermarks.push(whole.watermark().unwrap_or(i64::MIN));
            advance(definition, &mut whole, &records[..=offset], offset);
        }
        let watermark = whole.watermark().unwrap();
        let expected = advance(definition, &mut whole, &records, at);
        // The newest offset at which the watermark was before.
        let first_at = |us: i64| watermarks.iter().rposition(|then| *then < us).unwrap_or(0);
        let again_from = |first: usize| {
            let mut fold = definition.fold(None);
            advance(definition, &mut fold, &records[..at], first);
            let found = advance(definition, &mut fold, &records, at);
            found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| agree(a, b))
        };
        let first = first_at(watermark - reach);
        begun_later.set(begun_later.get() + u32::from(first > 0));
        prop_assert!(again_from(first), "from record {} of {}", first, at);
        differed.set(differed.get() + u32::from(!again_from(first_at(watermark - reach / 4))));
        Ok(())
    });
    assert!(result.is_ok(), "{}", result.unwrap_err());
    assert!(begun_later.get() > 30, "the log was mostly needed from its beginning");
    assert!(differed.get() > 30, "less of the log does as well: this shows nothing");
}

/// What has no end in time, or lets records pass whatever their time is, needs the whole log.
#[test]
fn a_state_without_an_end_has_no_reach() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines");
    let text = fs::read_to_string(folder.join("card-features.yaml")).unwrap();
    let other = tempfile::tempdir().unwrap();
    let schema = "card-transaction.schema.json";
    fs::copy(folder.join(schema), other.path().join(schema)).unwrap();
    let reach = |text: &str| {
        let file = other.path().join("reach.yaml");
        fs::write(&file, text).unwrap();
        let loaded = Definition::load(&file, Overrides::default());
        loaded.unwrap_or_else(|p| panic!("{p:#?}")).fold(None).reach()
    };
    let bounded = format!("{text}outcomes: {{ late: reject }}\n");
    assert!(reach(&bounded).is_some());
    assert_eq!(reach(&text), None, "late records that come again are kept");
    assert_eq!(reach(&format!("{text}outcomes: {{ late: keep }}\n")), None);
    assert_eq!(reach(&format!("{text}outcomes: {{ late: reject, future: keep }}\n")), None);
    let source = |line: &str| bounded.replace("source:\n", &format!("source:\n  {line}\n"));
    assert!(reach(&source("max_ahead: off")).is_some());
    assert_eq!(reach(&source("max_jump: 1h")), None);
    let clean = |step: &str| format!("{bounded}clean:\n  - {step}\n");
    assert_eq!(reach(&clean("drop_duplicates: { by: [tx_id], within: 10m }")), None);
    assert_eq!(reach(&clean("fill: { column: amount, with: last }")), None);
}

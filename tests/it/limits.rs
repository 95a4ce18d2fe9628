//! `limits.state_keys` and `limits.state_bytes`: what is kept stays within them, the same way
//! however records are cut and wherever a fold goes on from a snapshot.

use crate::snapshots::written;
use millstream::{
    batch::RawBatch,
    pipeline::{Definition, Fold, Overrides},
    state::snapshot,
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::{fmt::Write as _, fs};

const PIPELINE: &str = "\
pipeline: card-features
source:
  topics: [card.transactions]
  format: json
  schema: card.schema.json
  key: card_id
  event_time: { column: ts, unit: ms }
  lateness: 5s
  start: earliest
clean:
  - drop_duplicates: { by: [tx_id], within: 10s }
  - fill: { column: amount, with: last, within: 1h, else: 0 }
  - outlier: { column: amount, method: zscore, over: 1h, threshold: 4, min_count: 3, action: flag }
windows:
  - { over: 1h, of: amount, compute: [count, mean, max] }
  - { over: 8 rows, of: channel, compute: [last, distinct] }
features: [amount_mean_1h]
output: { topic: card.features, format: json }
outcomes: { tombstone: forget, late: reject }
dead_letter: { topic: card.dlq }
delivery: at_least_once
";

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "tx_id": { "type": "string" },
    "card_id": { "type": "string" },
    "amount": { "type": ["number", "null"] },
    "channel": { "type": "string" },
    "ts": { "type": "integer" }
  },
  "required": ["tx_id", "card_id", "amount", "channel", "ts"]
}"#;

fn definition(limits: &str) -> Definition {
    load(&format!("{PIPELINE}{limits}"))
}

/// Without what keeps something for ever.
fn bounded(limits: &str) -> Definition {
    let text = PIPELINE.replace("  - drop_duplicates: { by: [tx_id], within: 10s }\n", "");
    let rows = "  - { over: 8 rows, of: channel, compute: [last, distinct] }\n";
    load(&format!("{}{limits}", text.replace(rows, "")))
}

fn load(pipeline: &str) -> Definition {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("card.schema.json"), SCHEMA).unwrap();
    let file = folder.path().join("card.yaml");
    fs::write(&file, pipeline).unwrap();
    Definition::load(&file, Overrides::default()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The records of that many numbers: of a thousand cards that come again and of others that do
/// not, some late, some without amount, a few tombstones and duplicates.
fn records(raw: &mut RawBatch, numbers: std::ops::Range<u64>) {
    raw.clear();
    let mut value = String::new();
    for n in numbers {
        let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        let card = if n % 3 == 0 { n } else { mixed % 1_000 };
        let card = format!("card {card}{}", if card % 7 == 0 { " of a longer name" } else { "" });
        let behind = if n % 5 == 0 { mixed % 5_000 } else { 0 };
        let ts = 1_767_225_600_000 + n * 50 - behind.min(n * 50);
        value.clear();
        let amount = if n % 11 == 0 { "null".to_owned() } else { (mixed % 9_973).to_string() };
        let tx = if n % 101 == 0 { n / 2 } else { n };
        write!(
            value,
            r#"{{"tx_id":"t{tx}","card_id":"{card}","amount":{amount},"channel":"c{}","ts":{ts}}}"#,
            mixed % 17,
        )
        .unwrap();
        let body = (n % 97 != 5).then_some(value.as_bytes());
        let timestamp = i64::try_from(ts).unwrap();
        raw.push(i64::try_from(n).unwrap(), Some(timestamp), Some(card.as_bytes()), body);
    }
}

/// What a fold shows of itself.
fn shown(fold: &Fold) -> (u64, usize, u64, usize, Vec<u8>) {
    (fold.digest(), fold.state_keys(), fold.evicted_keys(), fold.state_bytes(), snapshot_of(fold))
}

fn snapshot_of(fold: &Fold) -> Vec<u8> {
    written(&fold.capture())
}

/// Folds records from `from` to before `to` in batches of these sizes, over and over.
fn run(fold: &mut Fold, from: u64, to: u64, sizes: &[usize]) {
    let mut raw = RawBatch::new("card.transactions".into(), 0);
    let mut next = from;
    for size in sizes.iter().cycle() {
        if next == to {
            return;
        }
        let end = to.min(next + *size as u64);
        records(&mut raw, next..end);
        fold.advance(&raw);
        next = end;
    }
}

const BOTH: [&str; 3] = [
    "limits: { state_keys: 700 }\n",
    "limits: { state_bytes: 1MiB }\n",
    "limits: { state_keys: 2500, state_bytes: 1MiB }\n",
];

#[test]
fn limits_hold_and_are_made_use_of() {
    let mut bytes = Vec::new();
    for limits in ["", BOTH[0], BOTH[1]] {
        let definition = definition(limits);
        let mut fold = definition.fold(None);
        run(&mut fold, 0, 40_000, &[1_000]);
        bytes.push((fold.state_keys(), fold.key_bytes(), fold.evicted_keys()));
    }
    let [(all, all_bytes, none), (few, _, evicted), (fewer, fewer_bytes, _)] = bytes[..] else {
        panic!("three runs")
    };
    assert!(all > 10_000 && none == 0 && all_bytes > 5 << 20, "{bytes:?}");
    assert!(few == 700 && evicted > 10_000, "{bytes:?}");
    // Since the last look came at most 4,096 records.
    assert!(fewer > 300 && fewer_bytes < (1 << 20) + 4_096 * 700, "{bytes:?}");
}

#[test]
fn who_gives_way_depends_neither_on_cuts_nor_on_a_restore() {
    for limits in BOTH {
        let definition = definition(limits);
        let mut whole = definition.fold(None);
        run(&mut whole, 0, 20_000, &[20_000]);
        assert!(whole.evicted_keys() > 1_000, "{limits}: {}", whole.evicted_keys());
        let expected = shown(&whole);
        let mut runner = TestRunner::new(ProptestConfig::with_cases(2));
        let cuts = (vec(1..3_000_usize, 1..20), 0..20_000_u64);
        let result = runner.run(&cuts, |(sizes, at)| {
            let mut first = definition.fold(None);
            run(&mut first, 0, at, &sizes);
            let (_, sections) = snapshot::read(&snapshot_of(&first)).unwrap();
            let mut second = definition.fold(None);
            second.restore(&sections).unwrap();
            prop_assert_eq!(second.state_bytes(), first.state_bytes());
            run(&mut second, at, 20_000, &sizes);
            // The count is of a process, the rest of the partition.
            let mut got = shown(&second);
            got.2 += first.evicted_keys();
            prop_assert!(got == expected, "{:?}", (got.0, got.1, got.2, got.3));
            Ok(())
        });
        assert!(result.is_ok(), "{limits}: {}", result.unwrap_err());
    }
}

/// A fold that begins in the middle cannot know who had to give way to whom.
#[test]
fn limits_need_the_log_from_its_beginning() {
    for (limits, reaches) in [("", true), (BOTH[0], false), (BOTH[1], false)] {
        assert_eq!(bounded(limits).fold(None).reach().is_some(), reaches, "{limits}");
    }
}

/// Without any limit: what a fold kept of keys that have fallen silent is gone to the last byte.
#[test]
fn keys_without_events_in_their_longest_window_are_forgotten() {
    let definition = bounded("");
    let (mut fold, mut fresh) = (definition.fold(None), definition.fold(None));
    run(&mut fold, 0, 20_000, &[1_000]);
    let before = fold.state_keys();
    // Nearly three hours later.
    for fold in [&mut fold, &mut fresh] {
        run(fold, 200_000, 206_000, &[1_000]);
    }
    assert!(before > 6_000 && fresh.state_keys() < 4_000, "{before} {}", fresh.state_keys());
    assert_eq!(fold.state_keys(), fresh.state_keys());
    assert_eq!(fold.key_bytes(), fresh.key_bytes());
}

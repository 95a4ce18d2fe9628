//! The hot path allocates per batch, not per record: counted by the process's own allocator.
//!
//! A binary of its own, since a process has one allocator and other tests would be counted too.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use millstream::{
    batch::RawBatch,
    pipeline::{Definition, Fold, Overrides},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator unchanged; counting touches one atomic.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
windows:
  - { over: 1h, of: amount, closed: both, compute: [count, sum, mean, std, max] }
features: [amount_mean_1h]
output: { topic: card.features, format: json }
dead_letter: { topic: card.dlq }
delivery: at_least_once
";

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "tx_id": { "type": "string" },
    "card_id": { "type": "string" },
    "category": { "type": "string" },
    "amount": { "type": ["number", "null"] },
    "lat": { "type": "number" },
    "channel": { "type": "string", "enum": ["web", "pos"] },
    "ts": { "type": "integer" }
  },
  "required": ["tx_id", "card_id", "category", "amount", "lat", "channel", "ts"]
}"#;

/// Records per batch, and batches before and during the count.
const BATCH: usize = 10_000;
const WARM_UP: usize = 12;
const COUNTED: usize = 6;
const CARDS: usize = 500;

#[test]
fn decode_to_window_allocates_less_than_once_in_a_hundred_records() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("card.schema.json"), SCHEMA).unwrap();
    let file = folder.path().join("card.yaml");
    fs::write(&file, PIPELINE).unwrap();
    let definition = Definition::load(&file, Overrides::default()).unwrap();
    let mut fold = definition.fold(None);
    let mut raw = RawBatch::new("card.transactions".into(), 0);
    let mut records = Records { count: 0, value: Vec::new() };

    for _ in 0..WARM_UP {
        records.fill(&mut raw);
        advance(&mut fold, &raw);
    }
    let mut allocations = 0;
    for _ in 0..COUNTED {
        records.fill(&mut raw);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        advance(&mut fold, &raw);
        allocations += ALLOCATIONS.load(Ordering::Relaxed) - before;
    }
    let per_record = allocations as f64 / (COUNTED * BATCH) as f64;
    assert!(per_record < 0.01, "{per_record} allocations per record");
    assert_eq!(fold.slow_path_records(), 0, "all records took the fast path");
}

fn advance(fold: &mut Fold, raw: &RawBatch) {
    let folded = fold.advance(raw);
    assert_eq!(folded.rows.len(), BATCH, "{:?}", folded.rejected.first());
}

/// Transactions in the order of a log: a second apart, up to 2 s out of order, cards in turn.
struct Records {
    count: usize,
    value: Vec<u8>,
}

impl Records {
    fn fill(&mut self, raw: &mut RawBatch) {
        raw.clear();
        for _ in 0..BATCH {
            let n = self.count;
            self.count += 1;
            let ts = 1_767_225_600_000 + n * 1000 - n * 7919 % 2000;
            let card = format!("c{:07}", n * 7 % CARDS);
            self.value.clear();
            write!(
                self.value,
                r#"{{"tx_id":"t{n:010}","card_id":"{card}","category":"fuel","amount":{}.25,"lat":47.1,"channel":"web","ts":{ts}}}"#,
                n * 31 % 97,
            )
            .unwrap();
            let (offset, timestamp) = (i64::try_from(n).unwrap(), i64::try_from(ts).unwrap());
            raw.push(offset, Some(timestamp), Some(card.as_bytes()), Some(&self.value));
        }
    }
}

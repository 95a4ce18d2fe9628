//! The hot path allocates per batch, not per record: counted by the process's own allocator.
//!
//! A binary of its own, since a process has one allocator and other tests would be counted too.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod memory;

use millstream::{
    batch::RawBatch,
    pipeline::{Definition, Fold, Overrides},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    io::Write,
};

struct Counting;

thread_local! {
    /// Those of this thread: tests run side by side.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes that this thread has asked for and not given back.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(before: usize, after: usize) {
    if after > 0 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    }
    LIVE.set(LIVE.get() + after.cast_signed() - before.cast_signed());
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator unchanged; counting touches two cells of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), size);
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

/// What a stream of transactions, a second apart, is like.
struct Stream {
    cards: usize,
    /// Share of the transactions that are behind, in percent, and by how much at most.
    late_percent: usize,
    late_ms: usize,
    lateness: &'static str,
}

const NEARLY_IN_ORDER: Stream =
    Stream { cards: 500, late_percent: 100, late_ms: 2_000, lateness: "5s" };

#[test]
fn decode_to_window_allocates_less_than_once_in_a_hundred_records() {
    let per_record = allocations_per_record(&NEARLY_IN_ORDER);
    assert!(per_record < 0.01, "{per_record} allocations per record");
}

/// Few cards: each has events in many leaves, where the late ones go.
#[test]
fn late_records_allocate_hardly_more() {
    let in_order = allocations_per_record(&NEARLY_IN_ORDER);
    for cards in [500, 2] {
        let stream = Stream { cards, late_percent: 59, late_ms: 3_600_000, lateness: "1h" };
        let more = allocations_per_record(&stream) - in_order;
        assert!(more < 0.005, "{cards} cards: {more} allocations more per record");
    }
}

fn allocations_per_record(stream: &Stream) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("card.schema.json"), SCHEMA).unwrap();
    let file = folder.path().join("card.yaml");
    let lateness = format!("lateness: {}", stream.lateness);
    fs::write(&file, PIPELINE.replace("lateness: 5s", &lateness)).unwrap();
    let definition = Definition::load(&file, Overrides::default()).unwrap();
    let mut fold = definition.fold(None);
    let mut raw = RawBatch::new("card.transactions".into(), 0);
    let mut records = Records { stream, count: 0, value: Vec::new() };

    for _ in 0..WARM_UP {
        records.fill(&mut raw);
        advance(&mut fold, &raw);
    }
    let mut allocations = 0;
    for _ in 0..COUNTED {
        records.fill(&mut raw);
        let before = ALLOCATIONS.get();
        advance(&mut fold, &raw);
        allocations += ALLOCATIONS.get() - before;
    }
    let per_record = allocations as f64 / (COUNTED * BATCH) as f64;
    assert_eq!(fold.slow_path_records(), 0, "all records took the fast path");
    per_record
}

fn advance(fold: &mut Fold, raw: &RawBatch) {
    let folded = fold.advance(raw);
    assert_eq!(folded.rows.len(), BATCH, "{:?}", folded.rejected.first());
}

/// Transactions in the order of a log, cards in turn.
struct Records<'a> {
    stream: &'a Stream,
    count: usize,
    value: Vec<u8>,
}

impl Records<'_> {
    fn fill(&mut self, raw: &mut RawBatch) {
        raw.clear();
        for _ in 0..BATCH {
            let n = self.count;
            self.count += 1;
            let late = n * 37 % 100 < self.stream.late_percent;
            let behind = if late { n * 7919 % self.stream.late_ms } else { 0 };
            let ts = 1_767_225_600_000 + n * 1000 - behind;
            let card = format!("c{:07}", n * 7 % self.stream.cards);
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

mod eviction;

use super::*;
use crate::state::snapshot::{self, testing};
use arrow::array::StringArray;
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

const HORIZON_US: i64 = 20;
const QUARANTINE: usize = 5;

/// Key number, event time and watermark of a row; watermarks only grow.
type Row = (u8, i64, i64);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0u8..6, -15i64..15, 0i64..12), 1..120).prop_map(|steps| {
        let mut watermark = 0;
        let row = |(key, ahead, step): (u8, i64, i64)| {
            watermark += step;
            (key, watermark + ahead, watermark)
        };
        steps.into_iter().map(row).collect()
    })
}

fn keys() -> Keys {
    Keys::for_batches_of(QUARANTINE as u64, Horizon::For(HORIZON_US))
}

/// Slots by row, and the slots reported as expired by batch.
fn advance(keys: &mut Keys, rows: &[Row], cut: usize) -> (Vec<Slot>, Vec<(usize, Vec<Slot>)>) {
    let (mut slots, mut reports) = (Vec::new(), Vec::new());
    for batch in rows.chunks(cut) {
        let names: ArrayRef =
            Arc::new(batch.iter().map(|r| Some(format!("key {}", r.0))).collect::<StringArray>());
        let times: Vec<i64> = batch.iter().map(|r| r.1).collect();
        let watermarks: Vec<i64> = batch.iter().map(|r| r.2).collect();
        let mut expired = Vec::new();
        keys.advance(&[names], &times, &watermarks, &mut slots, &mut expired);
        reports.push((slots.len(), expired));
    }
    (slots, reports)
}

/// Which life of its key each row belongs to, from the rule alone.
fn lives(rows: &[Row]) -> Vec<usize> {
    let mut known: BTreeMap<u8, (usize, i64)> = BTreeMap::new();
    let mut born = 0;
    let mut life_of = |(key, time, watermark): &Row| {
        let life = match known.get(key) {
            Some((life, last)) if *watermark <= last + HORIZON_US => (*life, *time.max(last)),
            _ => {
                born += 1;
                (born, *time)
            }
        };
        known.insert(*key, life);
        life.0
    };
    rows.iter().map(&mut life_of).collect()
}

proptest! {
    #[test]
    fn a_slot_is_one_life_of_one_key(rows in rows(), cut in 1..=QUARANTINE) {
        let (slots, reports) = advance(&mut keys(), &rows, cut);
        let lives = lives(&rows);
        let mut owner: BTreeMap<Slot, usize> = BTreeMap::new();
        let mut slot_of: BTreeMap<usize, Slot> = BTreeMap::new();
        let mut row = 0;
        for (end, expired) in reports {
            while row < end {
                let (slot, life) = (slots[row], lives[row]);
                prop_assert_eq!(*owner.entry(slot).or_insert(life), life);
                prop_assert_eq!(*slot_of.entry(life).or_insert(slot), slot);
                row += 1;
            }
            for slot in expired {
                prop_assert!(owner.remove(&slot).is_some(), "{} expired unused", slot);
            }
        }
    }

    #[test]
    fn cuts_do_not_show(rows in rows(), cut in 1..=QUARANTINE) {
        let (mut whole, mut pieces) = (keys(), keys());
        let expired = |reports: Vec<(usize, Vec<Slot>)>| -> Vec<Slot> {
            reports.into_iter().flat_map(|r| r.1).collect()
        };
        let (slots, reports) = advance(&mut whole, &rows, 1);
        let (slots_cut, reports_cut) = advance(&mut pieces, &rows, cut);
        prop_assert_eq!(slots, slots_cut);
        prop_assert_eq!(expired(reports), expired(reports_cut));
        prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
    }

    #[test]
    fn restored_keys_go_on_as_if_they_had_never_stopped(rows in rows(), at in 0..120_usize) {
        let (before, after) = rows.split_at(at.min(rows.len()));
        let mut whole = keys();
        advance(&mut whole, before, 1);
        let bytes = testing::written(Box::new(whole.capture()));
        let mut twin = restored(&bytes).unwrap();
        prop_assert_eq!(twin.bytes(), whole.bytes());
        prop_assert_eq!(advance(&mut twin, after, 1), advance(&mut whole, after, 1));
        prop_assert!(testing::written(Box::new(twin.capture())) == testing::written(Box::new(whole.capture())));
        prop_assert_eq!((twin.bytes(), twin.len()), (whole.bytes(), whole.len()));
        prop_assert!(restored(&bytes).is_ok());
    }
}

fn restored(bytes: &[u8]) -> Result<Keys, snapshot::SnapshotError> {
    restored_into(keys(), bytes)
}

fn restored_into(mut keys: Keys, bytes: &[u8]) -> Result<Keys, snapshot::SnapshotError> {
    let (_, sections) = snapshot::read(bytes)?;
    keys.restore(&sections.component(testing::PART))?;
    Ok(keys)
}

#[test]
fn tables_that_do_not_agree_are_an_error_and_no_panic() {
    let mut keys = keys();
    let rows: Vec<Row> =
        (0..200_u8).map(|i| (i % 11, i64::from(i - i % 3), i64::from(i) - 10)).collect();
    advance(&mut keys, &rows, 1);
    let (mut refused, mut taken) = (0, 0);
    for forged in testing::forgeries(&testing::written(Box::new(keys.capture()))) {
        match restored(&forged) {
            Ok(mut twin) => {
                advance(&mut twin, &rows, 1);
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20 && taken > 5, "{refused} {taken}");
}

#[test]
fn keys_that_never_come_again_are_swept_and_their_memory_is_reused() {
    let mut keys = keys();
    let rows: Vec<Row> = (0..1000).map(|i| (0, i, i)).collect();
    let (mut slots, mut expired) = (Vec::new(), Vec::new());
    for (number, (_, time, watermark)) in rows.iter().enumerate() {
        let name: ArrayRef = Arc::new(StringArray::from(vec![format!("visitor {number}")]));
        keys.advance(&[name], &[*time], &[*watermark], &mut slots, &mut expired);
    }
    assert!(keys.len() < 50, "{} keys of a horizon of 20 rows", keys.len());
    assert!(keys.kept.slots < 60, "{} slots", keys.kept.slots);
    assert_eq!(expired.len() + keys.len(), 1000);
}

#[test]
fn for_ever_keeps_every_key_until_it_is_forgotten() {
    let mut keys = Keys::new(Horizon::Forever);
    let name = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let (mut slots, mut expired) = (Vec::new(), Vec::new());
    for (text, time) in [("a", 0), ("b", i64::MAX), ("a", i64::MAX)] {
        keys.advance(&[name(text)], &[time], &[time], &mut slots, &mut expired);
    }
    assert_eq!(slots, [0, 1, 0]);
    assert!(expired.is_empty());
    assert_eq!(keys.forget(b"a"), Some(0));
    assert_eq!(keys.forget(b"a"), None);
    keys.advance(&[name("a")], &[9], &[9], &mut slots, &mut expired);
    assert_eq!(slots[3], 2, "a freed slot waits before it is reused");
    assert_eq!(keys.len(), 2);
}

#[test]
fn a_key_costs_at_most_sixty_bytes_and_its_text_if_it_is_long() {
    // Just past a doubling the table is emptiest: a million keys cost less each.
    const KEYS: usize = 460_000;
    for (length, beside) in [(8, 0), (16, 0), (17, 17)] {
        let mut keys = Keys::new(Horizon::Forever);
        for number in 0..KEYS {
            let text = format!("c{number:0width$}", width = length - 1);
            let key = Hashed { bytes: text.as_bytes(), hash: hash(text.as_bytes()) };
            keys.intern(key, 0, 0, &mut Vec::new());
        }
        let in_slots = keys.bytes() - keys.name_bytes;
        assert!(in_slots <= 60 * KEYS, "{} bytes", in_slots / KEYS);
        assert_eq!(keys.name_bytes, beside * KEYS, "texts of {length} bytes");
    }
}

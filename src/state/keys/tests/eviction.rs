//! Keys that give way: against the rule alone, and however rows are cut or keys restored.

use super::*;
use std::collections::BTreeSet;

const MOST: usize = 3;

/// Keys of a time without end, so that nothing but the limit takes any away.
fn few() -> Keys {
    Keys::for_batches_of(QUARANTINE as u64, Horizon::Forever).evicting(Some(MOST))
}

/// Keys that expire too.
fn few_and_short() -> Keys {
    keys().evicting(Some(MOST))
}

/// A key's life, its last time and its slot.
type Known = (usize, i64, Slot);

/// Which life of its key each row belongs to, and the slots that gave way, from the rule alone;
/// which slot a life has got is taken from `slots`.
fn lives_of_few(rows: &[Row], slots: &[Slot]) -> (Vec<usize>, Vec<Slot>) {
    let mut known: BTreeMap<u8, Known> = BTreeMap::new();
    let (mut lives, mut gone, mut born) = (Vec::new(), Vec::new(), 0);
    for ((key, time, _), slot) in rows.iter().zip(slots) {
        if !known.contains_key(key) {
            if known.len() == MOST {
                let oldest = known.iter().min_by_key(|(_, (_, last, slot))| (*last, *slot));
                let (oldest, (_, _, slot)) = oldest.map(|(key, known)| (*key, *known)).unwrap();
                known.remove(&oldest);
                gone.push(slot);
            }
            born += 1;
            known.insert(*key, (born, i64::MIN, *slot));
        }
        let (life, last, _) = known.get_mut(key).unwrap();
        *last = (*last).max(*time);
        lives.push(*life);
    }
    (lives, gone)
}

fn evicted(reports: Vec<(usize, Vec<Slot>)>) -> Vec<Slot> {
    reports.into_iter().flat_map(|report| report.1).collect()
}

proptest! {
    #[test]
    fn the_oldest_key_gives_way(rows in rows(), cut in 1..=QUARANTINE) {
        let mut keys = few();
        let (slots, reports) = advance(&mut keys, &rows, cut);
        let (lives, gone) = lives_of_few(&rows, &slots);
        prop_assert_eq!(keys.evicted(), gone.len() as u64);
        prop_assert_eq!(evicted(reports), gone);
        let mut slot_of: BTreeMap<usize, Slot> = BTreeMap::new();
        for (life, slot) in lives.iter().zip(&slots) {
            prop_assert_eq!(slot_of.entry(*life).or_insert(*slot), slot);
        }
        // A life begins in a slot that nobody had for some rows.
        for (row, life) in lives.iter().enumerate() {
            let recent = &slots[row.saturating_sub(QUARANTINE - 1)..row];
            let is_new = !lives[..row].contains(life);
            prop_assert!(!is_new || !recent.contains(&slots[row]));
        }
    }

    #[test]
    fn neither_cuts_nor_a_restore_show_in_who_gives_way(
        rows in rows(), cut in 1..=QUARANTINE, at in 0..120_usize,
    ) {
        let (before, after) = rows.split_at(at.min(rows.len()));
        let (mut whole, mut pieces) = (few_and_short(), few_and_short());
        let (slots, reports) = advance(&mut whole, before, 1);
        let (slots_cut, reports_cut) = advance(&mut pieces, before, cut);
        prop_assert_eq!((slots, evicted(reports)), (slots_cut, evicted(reports_cut)));
        let bytes = testing::written(Box::new(whole.capture()));
        prop_assert!(testing::written(Box::new(pieces.capture())) == bytes);
        let mut twin = restored_into(few_and_short(), &bytes).unwrap();
        prop_assert_eq!(twin.bytes(), whole.bytes());
        prop_assert_eq!(twin.live_bytes(), whole.live_bytes());
        prop_assert_eq!(advance(&mut twin, after, 1), advance(&mut whole, after, 1));
        let (of_twin, of_whole) = (twin.capture(), whole.capture());
        prop_assert!(testing::written(Box::new(of_twin)) == testing::written(Box::new(of_whole)));
    }

    #[test]
    fn the_order_is_that_of_a_sorted_set(
        steps in prop::collection::vec((0..40_u32, 0..30_i64, 0..4_u8), 1..600),
    ) {
        let mut oldest = Oldest::default();
        let mut last: BTreeMap<Slot, i64> = BTreeMap::new();
        let mut most = 0;
        for (slot, time, step) in steps {
            match (last.get(&slot).copied(), step) {
                (None, _) => {
                    oldest.add(slot, time);
                    last.insert(slot, time);
                }
                (Some(_), 0) => {
                    oldest.remove(slot);
                    last.remove(&slot);
                }
                (Some(before), _) => {
                    last.insert(slot, before.max(time));
                }
            }
            let sorted: BTreeSet<(i64, Slot)> = last.iter().map(|(s, t)| (*t, *s)).collect();
            if step == 3 {
                prop_assert_eq!(oldest.first(|s| last[&s]), sorted.first().map(|first| first.1));
            }
            most = most.max(last.len());
            prop_assert!(oldest.entries() <= 2 * most + 65, "{}", oldest.entries());
        }
    }
}

#[test]
fn expired_keys_go_first_and_do_not_count_as_evicted() {
    let mut keys = few_and_short();
    // The sweep has not come round when the fourth key comes.
    let rows = [(0, 0, 0), (1, 1, 0), (2, 40, 0), (3, 41, 21), (4, 42, 22)];
    let (slots, reports) = advance(&mut keys, &rows, 1);
    assert_eq!(slots, [0, 1, 2, 3, 4]);
    assert_eq!((evicted(reports), keys.evicted()), (vec![0, 1], 0));
    advance(&mut keys, &[(5, 43, 22)], 1);
    assert_eq!((keys.len(), keys.evicted()), (3, 1));
}

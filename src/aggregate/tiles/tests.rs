use super::{super::value::Kind, *};
use crate::state::{
    Paged,
    snapshot::{self, SnapshotError, testing},
};
use proptest::prelude::*;

const NEEDS: Needs = Needs { scan: false, previous: false, ..Needs::ALL };
const RESOLUTION: i64 = 10;

fn pool() -> Pool {
    Pool::new(Kind::Integer, NEEDS)
}

fn event(time: i64, key: i64) -> Event {
    Event { time, key, valid: true }
}

fn insert(tiles: &mut Tiles, event: Event, pool: &mut Pool) {
    tiles.insert(event.time.div_euclid(RESOLUTION), event, pool);
}

/// What a range amounts to, and the same of a list of events by the definition.
type Amounts = (u64, [i64; 6], f64, f64);

fn asked(tiles: &Tiles, range: [i64; 2], pool: &Pool) -> Option<Amounts> {
    let s = tiles.summary(range, NEEDS, pool);
    #[expect(clippy::cast_possible_truncation, reason = "sums of small integers")]
    let sum = s.sum as i64;
    let exact = [sum, s.min, s.max, s.first, s.last, s.last_time - s.first_time];
    (s.n > 0).then_some((s.n, exact, s.mean, s.m2))
}

fn listed(events: &[Event]) -> Option<Amounts> {
    // A stable sort: of several at one time the earlier one stays before the later one.
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.time);
    let (first, last) = (events.first()?, events.last()?);
    let keys = || events.iter().map(|event| event.key);
    let (n, sum) = (events.len() as f64, keys().sum::<i64>());
    let mean = sum as f64 / n;
    let m2 = keys().map(|key| (key as f64 - mean).powi(2)).sum();
    let span = last.time - first.time;
    let exact = [sum, keys().min()?, keys().max()?, first.key, last.key, span];
    Some((events.len() as u64, exact, mean, m2))
}

fn near(got: Option<Amounts>, expected: Option<Amounts>) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-11 * b.abs().max(1.0);
    match (got, expected) {
        (Some(a), Some(b)) => (a.0, a.1) == (b.0, b.1) && close(a.2, b.2) && close(a.3, b.3),
        (None, None) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn two_tiles_together_are_the_whole(
        events in prop::collection::vec((0..2 * RESOLUTION, -1_000..1_000_i64), 1..300),
    ) {
        let (mut two, mut one) = (Tiles::default(), Tiles::default());
        let mut pool = pool();
        for (time, key) in &events {
            insert(&mut two, event(*time, *key), &mut pool);
            one.insert(0, event(*time, *key), &mut pool);
        }
        let whole = asked(&one, [0, 0], &pool);
        prop_assert!(near(asked(&two, [0, 1], &pool), whole), "{whole:?}");
    }

    /// Over many blocks and runs, with tiles that come to be between others.
    #[test]
    fn every_range_of_tiles_is_the_events_in_them(
        steps in prop::collection::vec((0..60_i64, 0..9_000_i64, -1_000..1_000_i64), 1..700),
        ranges in prop::collection::vec((-20..2_500_i64, 0..2_500_i64), 20),
        reach in 1..20_000_i64,
    ) {
        let (mut tiles, mut pool, mut list) = (Tiles::default(), pool(), Vec::new());
        let mut highest = -7_000;
        for (ahead, behind, key) in steps {
            highest += ahead;
            let event = event(highest - if key % 2 == 0 { behind } else { 0 }, key);
            let first = (highest - 9_000 - reach).div_euclid(RESOLUTION);
            tiles.expire(first, &mut pool);
            list.retain(|event: &Event| event.time.div_euclid(RESOLUTION) >= first);
            insert(&mut tiles, event, &mut pool);
            list.push(event);
        }
        prop_assert_eq!(pool.events(), list.len());
        let newest = highest.div_euclid(RESOLUTION);
        for (behind, length) in ranges {
            let (from, to) = (newest - behind - length, newest - behind);
            let inside = |event: &&Event| {
                (from..=to).contains(&event.time.div_euclid(RESOLUTION))
            };
            let held: Vec<Event> = list.iter().filter(inside).copied().collect();
            let (got, expected) = (asked(&tiles, [from, to], &pool), listed(&held));
            prop_assert!(near(got, expected), "{from}..={to}: {got:?} {expected:?}");
        }
        let count = tiles.blocks().iter().map(|block| block.tiles.len()).sum::<usize>();
        prop_assert!(pool.bytes() <= tiles_bytes(count) + count * BLOCK_BYTES);
        tiles.clear(&mut pool);
        prop_assert_eq!((pool.bytes(), pool.events()), (0, 0));
    }

    #[test]
    fn restored_tiles_go_on_as_if_they_had_never_stopped(
        steps in prop::collection::vec((0..60_i64, 0..3_000_i64, -9..9_i64), 1..300),
        at in 0..300_usize,
    ) {
        let mut whole = (Paged::<Tiles>::default(), pool());
        let mut twin = None;
        let mut highest = 0;
        for (i, (ahead, behind, key)) in steps.into_iter().enumerate() {
            if i == at {
                let bytes = written(&whole.0);
                twin = Some(restored(&bytes).unwrap());
            }
            highest += ahead;
            let slot = u32::try_from(key.rem_euclid(3)).unwrap();
            let event = event(highest - behind * (key % 2).abs(), key);
            for (tiles, pool) in [Some(&mut whole), twin.as_mut()].into_iter().flatten() {
                let tiles = tiles.get_mut(slot);
                tiles.expire((highest - 9_000).div_euclid(RESOLUTION), pool);
                insert(tiles, event, pool);
            }
        }
        if let Some(twin) = twin {
            prop_assert!(written(&twin.0) == written(&whole.0));
            prop_assert_eq!((twin.1.bytes(), twin.1.events()), (whole.1.bytes(), whole.1.events()));
            for slot in 0..3 {
                let derived = |tiles: &Paged<Tiles>| format!("{:?}", tiles.get(slot));
                prop_assert_eq!(derived(&twin.0), derived(&whole.0));
            }
        }
    }
}

fn written(tiles: &Paged<Tiles>) -> Vec<u8> {
    testing::written(Box::new(SavedTiles::capture(tiles)))
}

fn restored(bytes: &[u8]) -> Result<(Paged<Tiles>, Pool), SnapshotError> {
    let (_, sections) = snapshot::read(bytes)?;
    let (mut pool, range) = (pool(), -1_000..=1_000);
    let section = sections.component(testing::PART);
    let tiles = restore_tiles(&section, 3, RESOLUTION, &range, &mut pool)?;
    Ok((tiles, pool))
}

#[test]
fn tiles_that_do_not_agree_are_an_error_and_no_panic() {
    let (mut tiles, mut pool) = (Paged::<Tiles>::default(), pool());
    for i in 0..400_i64 {
        let slot = u32::try_from(i % 3).unwrap();
        insert(tiles.get_mut(slot), event(i * 7 - i % 5 * 90, i % 11), &mut pool);
    }
    let (mut refused, mut taken) = (0, 0);
    for forged in testing::forgeries(&written(&tiles)) {
        match restored(&forged) {
            Ok((mut tiles, mut pool)) => {
                for slot in 0..3 {
                    tiles.get_mut(slot).expire(100, &mut pool);
                    insert(tiles.get_mut(slot), event(1_500, 3), &mut pool);
                    tiles.get(slot).unwrap().summary([0, 999], NEEDS, &pool);
                    tiles.get_mut(slot).clear(&mut pool);
                }
                assert_eq!((pool.bytes(), pool.events()), (0, 0));
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20 && taken > 5, "{refused} {taken}");
}

/// Many values far off zero in one tile, behind one that is further off.
#[test]
fn a_full_tile_keeps_its_precision() {
    let (mut tiles, mut pool) = (Tiles::default(), Pool::new(Kind::Float, NEEDS));
    let value = |i: i64| if i == 0 { 1e12 } else { 1e8 + (i * 7_919 % 1_000) as f64 };
    for i in 0..1_000_000_i64 {
        let key = super::super::value::float_key(value(i));
        tiles.insert(i64::from(i > 0), event(i, key), &mut pool);
    }
    let s = tiles.summary([1, 1], NEEDS, &pool);
    let n = s.n as f64;
    let mean = (1..1_000_000).map(|i| value(i) - 1e8).sum::<f64>() / n;
    let m2 = (1..1_000_000).map(|i| (value(i) - 1e8 - mean).powi(2)).sum::<f64>();
    assert!((s.mean / (1e8 + mean) - 1.0).abs() < 1e-12, "{}", s.mean);
    assert!(((s.m2 / m2).sqrt() - 1.0).abs() < 1e-9, "{} {m2}", s.m2);
    let mut constant = Tiles::default();
    for i in 0..1_000 {
        let key = super::super::value::float_key(0.1);
        constant.insert(i / 100, event(i, key), &mut pool);
    }
    let s = constant.summary([0, 9], NEEDS, &pool);
    assert_eq!((s.n, s.mean.to_bits(), s.m2.to_bits()), (1_000, 0.1_f64.to_bits(), 0));
}

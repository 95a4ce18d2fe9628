use super::*;
use crate::{
    aggregate::{Event, Needs, Retention, Summary, node::Branch},
    batch::Slot,
    state::snapshot,
};
use proptest::prelude::*;
use std::{fmt::Write, ops::RangeInclusive, sync::Arc};

const NEEDS: Needs = Needs::ALL;
const TEXT_NEEDS: Needs = Needs { moments: false, extremes: false, ..NEEDS };
const SLOTS: Slot = 40;

/// A lane as windows keep it.
struct Lane {
    buffers: Paged<EventBuffer>,
    pool: Pool,
    interned: Interned,
    retention: Retention,
    needs: Needs,
}

/// Slot, steps ahead, steps behind, value, what else happens.
type Step = (Slot, i64, i64, u8, u8);

impl Lane {
    fn new(kind: Kind, span: i64) -> Self {
        let needs = match kind {
            Kind::Nothing => Needs::NONE,
            Kind::Text | Kind::Pair => TEXT_NEEDS,
            _ => NEEDS,
        };
        Self {
            buffers: Paged::default(),
            pool: Pool::new(kind, needs),
            interned: Interned::new([Kind::Float, Kind::Text]),
            retention: Retention { time_us: Some(span), rows: None },
            needs,
        }
    }

    /// Takes a record in and says what it finds, to the bit.
    fn take(&mut self, highest: i64, step: Step) -> String {
        let (slot, _, behind, value, chance) = step;
        let valid = chance > 30;
        let key = match self.pool.kind() {
            Kind::Text if valid => self.interned.text(&format!("text {value}")),
            Kind::Pair if valid => {
                let second = self.interned.text(&format!("text {}", value % 9));
                self.interned.pair(Pair { first: float(value), second })
            }
            Kind::Text | Kind::Pair | Kind::Nothing => 0,
            _ => float(value),
        };
        let time = highest - behind;
        let buffer = self.buffers.get_mut(slot);
        buffer.expire(highest - 60, self.retention, &mut self.pool);
        let place = buffer.insert(Event { time, key, valid }, &mut self.pool);
        let from = buffer.seek(time - 45);
        let mut summary = buffer.summary([from, place.after()], place, self.needs, &self.pool);
        let mut found = String::new();
        if self.pool.kind().is_interned() {
            for key in [summary.first, summary.last].into_iter().filter(|_| summary.n > 0) {
                found += &self.written_key(key);
            }
            // Numbers of a text mean nothing, and no aggregate asks for them.
            summary = Summary {
                n: summary.n,
                previous_time: summary.previous_time,
                ..Summary::default()
            };
        }
        if chance == 255 {
            self.buffers.get_mut(slot).clear(&mut self.pool);
        }
        let kind = self.pool.kind();
        self.pool.released().for_each(|key| self.interned.release(kind, key));
        format!("{found} {summary:?} {} {}", summary.mean.to_bits(), summary.m2.to_bits())
    }

    fn written_key(&self, key: i64) -> String {
        if self.pool.kind() == Kind::Text {
            return self.interned.symbols().text(key).to_owned();
        }
        let Pair { first, second } = self.interned.pairs().get(key);
        format!("{first} {}", self.interned.symbols().text(second))
    }

    fn written(&self) -> Vec<u8> {
        let saved = SavedBuffers::capture(&self.buffers, &self.pool, &self.interned);
        snapshot::testing::written(Box::new(saved))
    }

    fn restored(&self, bytes: &[u8]) -> Self {
        let (_, sections) = snapshot::read(bytes).unwrap();
        let mut lane = Self::new(self.pool.kind(), self.retention.time_us.unwrap());
        let section = sections.component(snapshot::testing::PART);
        let (pool, interned) = (&mut lane.pool, &mut lane.interned);
        lane.buffers = restore_buffers(&section, SLOTS, ranges(), pool, interned).unwrap();
        lane
    }

    /// Sizes that are kept by counting.
    fn sizes(&self) -> (usize, usize, usize) {
        (self.pool.bytes(), self.pool.events(), self.interned.bytes())
    }

    /// All that is known of events and not written, but for what is never read: what the first
    /// node knows of events that have expired.
    fn known(&self) -> String {
        let mut known = String::new();
        for (number, buffer) in self.buffers.iter().enumerate() {
            for (at, node) in buffer.nodes().iter().enumerate() {
                if at > 0 {
                    write!(known, "{number} {at}: {} {}", node.len, node.rest_len).unwrap();
                }
                if self.pool.kind().is_interned() {
                    continue;
                }
                write!(known, " {:?} {:?}", node.all, node.rest).unwrap();
                for branch in node.branches.iter() {
                    let Branch { moments, rest, rest_len, .. } = branch;
                    write!(known, " {moments:?} {rest:?} {rest_len}").unwrap();
                }
            }
        }
        known
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Float), Just(Kind::Text), Just(Kind::Pair), Just(Kind::Nothing)]
}

fn float(value: u8) -> i64 {
    crate::aggregate::float_key(f64::from(value) / 7.0 + 1e3)
}

fn ranges() -> [RangeInclusive<i64>; 2] {
    [i64::MIN..=i64::MAX, i64::MIN..=i64::MAX]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_restored_buffer_goes_on_as_if_it_had_never_stopped(
        kind in kinds(),
        span in 1..3_000_i64,
        spread in 1..SLOTS,
        steps in proptest::collection::vec(
            (0..SLOTS, 0..3_i64, 0..900_i64, any::<u8>(), any::<u8>()), 10..5_000,
        ),
        cut in 0.0..1.0_f64,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
        let cut = (steps.len() as f64 * cut) as usize;
        let mut lane = Lane::new(kind, span);
        let mut restored = None;
        let mut highest = 0;
        for (index, mut step) in steps.into_iter().enumerate() {
            if index == cut {
                let bytes = lane.written();
                let twin = lane.restored(&bytes);
                prop_assert_eq!(twin.sizes(), lane.sizes());
                prop_assert_eq!(twin.known(), lane.known());
                prop_assert!(twin.written() == bytes);
                restored = Some((twin, bytes));
            }
            highest += step.1;
            step.0 %= spread;
            let found = lane.take(highest, step);
            if let Some((twin, _)) = &mut restored {
                prop_assert_eq!(twin.take(highest, step), found, "record {}", index);
            }
        }
        if let Some((twin, bytes)) = restored {
            prop_assert_eq!(twin.sizes(), lane.sizes());
            prop_assert!(twin.written() == lane.written());
            // What was captured is as it was, whatever happened since.
            prop_assert_eq!(lane.restored(&bytes).written(), bytes);
        }
    }
}

/// A lane of enough events that there are nodes.
fn full_lane(kind: Kind, events: i64) -> Lane {
    let mut lane = Lane::new(kind, events - events / 6);
    for i in 0..events {
        let value = u8::try_from(i % 251).unwrap();
        let chance = (value | 32).min(254);
        lane.take(i, (Slot::try_from(i % 3).unwrap(), 1, i * 7 % 90, value, chance));
    }
    lane
}

/// Every number of every table changed in turn: an error, or a lane that can go on.
#[test]
fn a_table_that_does_not_agree_is_an_error_and_no_panic() {
    for kind in [Kind::Float, Kind::Text, Kind::Pair] {
        let lane = full_lane(kind, 6_000);
        let bytes = lane.written();
        let (mut refused, mut taken) = (0, 0);
        for forged in snapshot::testing::forgeries(&bytes) {
            let (_, sections) = snapshot::read(&forged).unwrap();
            let section = sections.component(snapshot::testing::PART);
            let mut twin = Lane::new(kind, 5_000);
            let (pool, interned) = (&mut twin.pool, &mut twin.interned);
            match restore_buffers(&section, SLOTS, ranges(), pool, interned) {
                Ok(buffers) => {
                    twin.buffers = buffers;
                    for i in 6_000..6_200 {
                        twin.take(i, (Slot::try_from(i % 3).unwrap(), 1, i * 7 % 90, 1, 200));
                    }
                    for slot in 0..SLOTS {
                        twin.buffers.get_mut(slot).clear(&mut twin.pool);
                    }
                    assert_eq!(twin.pool.bytes(), 0);
                    taken += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 50 && taken > 10, "{refused} {taken}");
    }
}

/// While a snapshot is held, a write copies its own page, list of nodes, node and leaf.
#[test]
fn a_snapshot_shares_what_is_not_written_to() {
    let mut lane = full_lane(Kind::Float, 30_000);
    let snapshot = lane.buffers.clone();
    lane.take(30_001, (0, 1, 0, 1, 200));
    let shared = |slot: Slot| {
        let [a, b] = [&lane.buffers, &snapshot].map(|b| b.get(slot).unwrap().nodes());
        let same = a.iter().zip(b).filter(|(a, b)| Arc::ptr_eq(&a.branches, &b.branches)).count();
        (same, a.len())
    };
    assert_eq!(shared(1), (shared(1).1, shared(1).1));
    let (same, all) = shared(0);
    assert!(same + 2 >= all && all > 3, "{same} of {all} nodes");
}

//! What holds for the states of every recursive aggregate of the table.

use super::*;
use crate::{
    aggregate::{AGGREGATES, Aggregate},
    registry::Node,
    state::snapshot,
};

const SLOTS: Slot = 9;

fn all() -> Vec<(&'static str, Box<dyn Recursive>)> {
    let recursive = AGGREGATES.iter().filter_map(|component| {
        let example = Node::parse(component.example).unwrap();
        match (component.build)(&example).unwrap() {
            Aggregate::Recursive(aggregate) => Some((component.name, aggregate)),
            _ => None,
        }
    });
    recursive.collect()
}

fn asked(aggregate: &dyn Recursive) -> Asked {
    Asked { horizon: aggregate.horizon(), exclude_current: false, min_count: 1 }
}

/// Rows of all slots from a time on, some without value, some behind.
fn advance(aggregate: &dyn Recursive, states: &mut dyn States, from: i64) -> String {
    let rows = 0..150_i64;
    let slots: Vec<Slot> = rows.clone().map(|i| Slot::try_from(i * i % 11 % 9).unwrap()).collect();
    let times: Vec<i64> = rows.clone().map(|i| from + i * 5_000_000 - i % 4 * 9_000_000).collect();
    let watermarks: Vec<i64> = rows.clone().map(|i| from + i * 5_000_000 - 30_000_000).collect();
    let counts: Vec<bool> = rows.clone().map(|i| i % 7 != 3).collect();
    let values = [rows.map(|i| (i * 37 % 101) as f64 / 7.0).collect()];
    let values = if aggregate.reads_values() { &values[..] } else { &[] };
    let steps =
        Steps { slots: &slots, times: &times, watermarks: &watermarks, counts: &counts, values };
    format!("{:?}", states.advance(&steps))
}

fn restored(aggregate: &dyn Recursive, bytes: &[u8]) -> Result<Box<dyn States>, SnapshotError> {
    let (_, sections) = snapshot::read(bytes)?;
    let mut states = aggregate.states(asked(aggregate));
    states.restore(&sections.component(snapshot::testing::PART), SLOTS)?;
    Ok(states)
}

#[test]
fn restored_states_go_on_as_if_they_had_never_stopped() {
    let all = all();
    assert!(all.len() >= 5, "{all:?}");
    for (name, aggregate) in all {
        let mut states = aggregate.states(asked(&*aggregate));
        advance(&*aggregate, &mut *states, 0);
        assert_eq!(states.bytes() % aggregate.state_bytes(), 0, "{name}");
        let bytes = snapshot::testing::written(states.capture());
        let mut twin = restored(&*aggregate, &bytes).unwrap();
        for from in [700_000_000, 900_000_000_000_000] {
            assert!(twin.bytes() == states.bytes() && states.bytes() > 0, "{name}");
            let [a, b] = [&mut states, &mut twin].map(|states| {
                let told = advance(&*aggregate, &mut **states, from);
                states.forget(3);
                (told, snapshot::testing::written(states.capture()))
            });
            assert!(a == b, "{name}");
        }
        (0..SLOTS).for_each(|slot| states.forget(slot));
        assert_eq!(states.bytes(), 0, "{name}");
    }
}

#[test]
fn tables_that_do_not_agree_are_an_error_and_no_panic() {
    for (name, aggregate) in all() {
        let mut states = aggregate.states(asked(&*aggregate));
        advance(&*aggregate, &mut *states, 0);
        let (mut refused, mut taken) = (0, 0);
        for forged in snapshot::testing::forgeries(&snapshot::testing::written(states.capture())) {
            match restored(&*aggregate, &forged) {
                Ok(mut twin) => {
                    advance(&*aggregate, &mut *twin, 700_000_000);
                    (0..SLOTS).for_each(|slot| twin.forget(slot));
                    assert_eq!(twin.bytes(), 0, "{name}");
                    taken += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 20 && taken > 5, "{name}: {refused} {taken}");
    }
}

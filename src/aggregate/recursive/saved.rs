//! The states of a recursive aggregate in a snapshot: one row for each that has learned something.

use super::{BySlot, Formula, State};
use crate::{
    batch::Slot,
    state::snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
};
use std::io;

/// Columns of states with as many numbers as any formula has; the others have a part of them.
const COLUMNS: &[Column] = &[
    ("slot", Type::Word),
    ("n", Type::Word),
    ("time", Type::Int),
    ("a", Type::Float),
    ("b", Type::Float),
    ("c", Type::Float),
    ("d", Type::Float),
];

/// Columns before the numbers.
const NUMBERS: usize = 3;

/// The columns of states with `N` numbers.
fn columns<const N: usize>() -> &'static [Column] {
    &COLUMNS[..NUMBERS + N]
}

/// States by slot, as they were.
pub(super) struct SavedStates<const N: usize>(pub(super) BySlot<N>);

impl<const N: usize> Saved for SavedStates<N> {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("states", columns::<N>());
        let mut cells = vec![Cell::Null; NUMBERS + N];
        for (slot, state) in (0..).zip(self.0.iter()).filter(|(_, state)| state.n > 0) {
            cells[..NUMBERS].copy_from_slice(&[
                Cell::Word(slot),
                Cell::Word(state.n),
                Cell::Int(state.time),
            ]);
            for (cell, number) in cells[NUMBERS..].iter_mut().zip(state.numbers) {
                *cell = Cell::Float(number);
            }
            rows.row(&cells)?;
        }
        rows.finish()
    }
}

/// The states that a snapshot holds, and how many they are.
pub(super) fn restore<const N: usize, const M: usize>(
    section: &Section<'_>,
    slots: Slot,
    formula: &impl Formula<N, M>,
) -> Result<(BySlot<N>, usize), SnapshotError> {
    let mut states = BySlot::default();
    let mut held = 0;
    let mut next: Slot = 0;
    let mut rows = section.table("states", columns::<N>())?;
    while rows.next_row() {
        let slot: Slot = rows.word(0)?;
        rows.check(next <= slot && slot < slots, "states out of order or without a key")?;
        let mut numbers = [0.0; N];
        for (column, number) in numbers.iter_mut().enumerate() {
            *number = rows.float(NUMBERS + column)?;
        }
        let state = State { n: rows.word(1)?, time: rows.int(2)?, numbers };
        let finite = numbers.iter().all(|number| number.is_finite());
        let sound = state.n > 0 && finite && formula.is_sound(&state);
        rows.check(sound, "a state that no records lead to")?;
        *states.get_mut(slot) = state;
        (next, held) = (slot + 1, held + 1);
    }
    Ok((states, held))
}

//! All state of a fold, to be written while the fold goes on, and to be taken over by another one.
//!
//! What gains state is captured here under a name of its own, and restored here.

use super::Fold;
use crate::{
    state::snapshot::{Cell, Column, HELD, Saved, Saver, Section, Sections, SnapshotError, Type},
    validate::gates::Progress,
};
use std::{fmt, io};

const DIGEST: &str = "digest";
const EXPECTATIONS: &str = "expectations";
const GATES: &str = "gates";
const KEYS: &str = "keys";

/// The state of a fold between two batches. Holds shared pages: costs nothing but what the fold
/// writes to from now on, and can be sent to another thread.
pub struct FoldState(Vec<(String, Box<dyn Saved>)>);

impl Saved for FoldState {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        self.0.iter().try_for_each(|(name, saved)| out.component(name, &**saved))
    }
}

/// State holds keys and values of records: none of them is shown.
impl fmt::Debug for FoldState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Fold {
    /// Holds on to all state as it is after the last batch. Costs a reference per some hundred
    /// slots, not a copy; as long as it is held, the fold copies each page the first time it
    /// writes to it.
    pub fn capture(&self) -> FoldState {
        assert!(self.halted.is_none(), "a fold that has halted has the state of no position");
        let mut parts: Vec<(String, Box<dyn Saved>)> = vec![
            (DIGEST.to_owned(), Box::new(SavedDigest(self.digest.value()))),
            (GATES.to_owned(), Box::new(SavedProgress(self.gates.progress()))),
            (KEYS.to_owned(), Box::new(self.keys.capture())),
        ];
        if let Some(hold) = self.capture_hold() {
            parts.push((HELD.to_owned(), Box::new(hold)));
        }
        let clean = self.clean.iter().enumerate();
        parts.extend(clean.filter_map(|(i, step)| Some((clean_name(i), step.capture()?))));
        let expectations = self.expectations.iter();
        parts.extend(expectations.map(|part| (EXPECTATIONS.to_owned(), part.capture())));
        let windows = self.windows.capture().into_iter().enumerate();
        parts.extend(windows.map(|(i, part)| (self.windows.part_name(i), part)));
        FoldState(parts)
    }

    /// Takes over the state of another fold of the same definition: from now on this one gives
    /// what that one would have given. To be called on a new fold; after an error, what is there
    /// is of no use.
    pub fn restore(&mut self, sections: &Sections) -> Result<(), SnapshotError> {
        self.digest.resume(SavedDigest::load(&sections.component(DIGEST))?);
        self.gates.resume(SavedProgress::load(&sections.component(GATES))?);
        self.keys.restore(&sections.component(KEYS))?;
        let slots = self.keys.slots();
        let mut known = vec![DIGEST.to_owned(), GATES.to_owned(), KEYS.to_owned()];
        if self.hold.is_some() {
            known.push(HELD.to_owned());
            self.restore_hold(&sections.component(HELD))?;
        }
        for (index, step) in self.clean.iter_mut().enumerate() {
            if step.capture().is_some() {
                known.push(clean_name(index));
                step.restore(&sections.component(&clean_name(index)), slots)?;
            }
        }
        if let Some(expectations) = &mut self.expectations {
            known.push(EXPECTATIONS.to_owned());
            expectations.restore(&sections.component(EXPECTATIONS))?;
        }
        for part in 0..self.windows.capture().len() {
            let name = self.windows.part_name(part);
            self.windows.restore(part, &sections.component(&name), slots)?;
            known.push(name);
        }
        let is_known = |name: &&str| {
            let component = name.rsplit_once('/').map(|(component, _)| component);
            component.is_some_and(|name| known.iter().any(|known| known == name))
        };
        match sections.names().find(|name| !is_known(name)) {
            Some(name) => Err(SnapshotError::malformed(name, "no part of the pipeline has it")),
            None => Ok(()),
        }
    }
}

/// Cleaning steps by their place in the pipeline file, those without state counted too.
fn clean_name(index: usize) -> String {
    format!("clean/{index}")
}

struct SavedDigest(u64);

impl SavedDigest {
    const COLUMNS: &[Column] = &[("value", Type::Word)];

    fn load(section: &Section<'_>) -> Result<u64, SnapshotError> {
        section.single("value", Self::COLUMNS)?.word(0)
    }
}

impl Saved for SavedDigest {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut table = out.table("value", Self::COLUMNS);
        table.row(&[Cell::Word(self.0)])?;
        table.finish()
    }
}

struct SavedProgress(Progress);

impl SavedProgress {
    const COLUMNS: &[Column] = &[("highest", Type::Int), ("jumps", Type::Word)];

    fn load(section: &Section<'_>) -> Result<Progress, SnapshotError> {
        let table = section.single("progress", Self::COLUMNS)?;
        let (highest, jumps) = (table.optional_int(0), table.word(1)?);
        // What is raised stands with the records that wait.
        Ok(Progress { highest, jumps, raised: None })
    }
}

impl Saved for SavedProgress {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut table = out.table("progress", Self::COLUMNS);
        let highest = self.0.highest.map_or(Cell::Null, Cell::Int);
        table.row(&[highest, Cell::Word(self.0.jumps.into())])?;
        table.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_can_be_written_by_another_thread() {
        fn sent<T: Send>() {}
        sent::<FoldState>();
    }
}

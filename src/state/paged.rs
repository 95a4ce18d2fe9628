//! A vector by slot in copy-on-write pages.
//!
//! A snapshot clones the list of pages; the fold copies a page the first time it writes to it
//! afterwards. State of a gigabyte is thus handed to the snapshot writer within microseconds.

use std::sync::Arc;

/// Slots in a page: with about 1 KiB a slot a page is about 256 KiB.
const PAGE_SLOTS: usize = 256;

/// Values by dense slot. Slots that were never written read as `T::default()`.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    pages: Vec<Arc<[T]>>,
}

impl<T: Clone + Default> Default for Paged<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T: Clone + Default> Paged<T> {
    /// The value at `slot`, if its page exists.
    pub fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        Some(&self.pages.get(slot / PAGE_SLOTS)?[slot % PAGE_SLOTS])
    }

    /// The value at `slot`, for writing. Grows as needed; copies the page if a snapshot holds it.
    pub fn get_mut(&mut self, slot: u32) -> &mut T {
        let slot = slot as usize;
        let page = slot / PAGE_SLOTS;
        while self.pages.len() <= page {
            self.pages.push(vec![T::default(); PAGE_SLOTS].into());
        }
        &mut Arc::make_mut(&mut self.pages[page])[slot % PAGE_SLOTS]
    }

    /// All values with their slots, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_keeps_what_the_fold_overwrites() {
        let mut state = Paged::<u64>::default();
        *state.get_mut(700) = 1;
        let snapshot = state.clone();
        *state.get_mut(700) = 2;
        assert_eq!(snapshot.get(700), Some(&1));
        assert_eq!(state.get(700), Some(&2));
        assert_eq!(state.get(5), Some(&0));
        assert_eq!(state.get(5000), None);
    }
}

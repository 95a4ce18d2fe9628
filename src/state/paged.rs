//! A vector by slot in copy-on-write pages.
//!
//! A snapshot clones the list of chunks; the fold copies a page the first time it writes to it
//! afterwards, and the list of pages in its chunk. State of a gigabyte is thus handed to the
//! snapshot writer within a millisecond, and no write afterwards copies more than a few KiB: pages
//! are small so that a batch that touches a thousand of them is not held up, and lie in chunks so
//! that taking a snapshot counts few references.

use std::sync::Arc;

/// Pages in a chunk.
const CHUNK_PAGES: usize = 32;

/// Values by dense slot in pages of `PAGE_SLOTS`, to be chosen so that a page has few KiB with all
/// that a copy of it copies. Slots that were never written read as `T::default()`.
#[derive(Debug, Clone)]
pub struct Paged<T, const PAGE_SLOTS: usize = 8> {
    chunks: Vec<Chunk<T>>,
}

type Chunk<T> = Arc<[Arc<[T]>]>;

impl<T, const PAGE_SLOTS: usize> Default for Paged<T, PAGE_SLOTS> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T: Clone + Default, const PAGE_SLOTS: usize> Paged<T, PAGE_SLOTS> {
    /// Slots in a chunk.
    const CHUNK_SLOTS: usize = PAGE_SLOTS * CHUNK_PAGES;

    /// The value at `slot`, if its chunk exists.
    #[inline]
    pub fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        let chunk = self.chunks.get(slot / Self::CHUNK_SLOTS)?;
        Some(&chunk[slot % Self::CHUNK_SLOTS / PAGE_SLOTS][slot % PAGE_SLOTS])
    }

    /// The values from `slot` to the end of its page; none if its chunk does not exist.
    #[inline]
    pub fn page_from(&self, slot: u32) -> &[T] {
        let slot = slot as usize;
        let Some(chunk) = self.chunks.get(slot / Self::CHUNK_SLOTS) else { return &[] };
        &chunk[slot % Self::CHUNK_SLOTS / PAGE_SLOTS][slot % PAGE_SLOTS..]
    }

    /// The value at `slot`, for writing. Grows as needed; copies the page if a snapshot holds it.
    #[inline]
    pub fn get_mut(&mut self, slot: u32) -> &mut T {
        let slot = slot as usize;
        let chunk = slot / Self::CHUNK_SLOTS;
        while self.chunks.len() <= chunk {
            self.grow();
        }
        let pages = Arc::make_mut(&mut self.chunks[chunk]);
        let page = Arc::make_mut(&mut pages[slot % Self::CHUNK_SLOTS / PAGE_SLOTS]);
        &mut page[slot % PAGE_SLOTS]
    }

    /// Adds a chunk. All its pages are one until they are written to.
    fn grow(&mut self) {
        let page: Arc<[T]> = vec![T::default(); PAGE_SLOTS].into();
        self.chunks.push(vec![page; CHUNK_PAGES].into());
    }

    /// All values, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|pages| pages.iter()).flat_map(|page| page.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_snapshot_keeps_what_the_fold_overwrites(
            writes in prop::collection::vec((0..900_u32, any::<u64>(), prop::bool::ANY), 0..200),
        ) {
            let mut state = Paged::<u64, 4>::default();
            let mut plain = vec![0; 900];
            let mut snapshots = Vec::new();
            for (slot, value, snapshot) in writes {
                if snapshot {
                    snapshots.push((state.clone(), plain.clone()));
                }
                *state.get_mut(slot) = value;
                plain[slot as usize] = value;
            }
            snapshots.push((state, plain));
            for (state, plain) in snapshots {
                for (slot, value) in (0..).zip(&plain) {
                    prop_assert_eq!(state.get(slot).copied().unwrap_or_default(), *value);
                    let next = state.page_from(slot).first();
                    prop_assert_eq!(next, state.get(slot));
                }
                let mut listed: Vec<u64> = state.iter().copied().collect();
                listed.resize(1_024, 0);
                prop_assert_eq!(&listed[..900], &plain[..]);
            }
        }
    }

    #[test]
    fn a_page_that_nobody_holds_is_not_copied() {
        let mut state = Paged::<u64>::default();
        let before = std::ptr::from_mut(state.get_mut(3));
        drop(state.clone());
        assert_eq!(std::ptr::from_mut(state.get_mut(3)), before);
        let snapshot = state.clone();
        assert_ne!(std::ptr::from_mut(state.get_mut(3)), before);
        assert_eq!(snapshot.get(3).map(std::ptr::from_ref), Some(before.cast_const()));
    }
}

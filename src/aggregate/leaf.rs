//! Up to 64 events in time order: the unit in which buffered events are kept, moved and dropped.

use super::{Needs, moments::Moments, scan::Held, value::Kind};
use std::ops::Range;

/// Events in a full leaf; one bit of a word says of each whether it is valid.
pub(super) const LEAF_EVENTS: usize = 64;

/// Capacities a small leaf grows through: a key with few events pays for few. An allocator has blocks
/// of each of these sizes.
const STEPS: [usize; 12] = [4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, LEAF_EVENTS];

/// An event as it enters a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Event time, microseconds.
    pub time: i64,
    /// Ordering key of the value, see [`Kind`].
    pub key: i64,
    /// False for an event that counts as a row but has no value.
    pub valid: bool,
}

/// Events in (time, arrival) order. Those before `start` have expired.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    times: Vec<i64>,
    /// Empty in a buffer without values.
    keys: Vec<i64>,
    valid: u64,
    start: usize,
}

impl Clone for Leaf {
    fn clone(&self) -> Self {
        Self { times: same_size(&self.times), keys: same_size(&self.keys), ..*self }
    }
}

/// A copy with the capacity of the original: the page that a write copies while a snapshot holds
/// it takes the place of the one whose bytes are accounted for.
pub(super) fn same_size<T: Clone>(original: &Vec<T>) -> Vec<T> {
    let mut copy = Vec::with_capacity(original.capacity());
    copy.extend_from_slice(original);
    copy
}

impl Leaf {
    /// An empty leaf with room for `capacity` events, if leaves come in that size.
    pub(super) fn of_size(capacity: usize, values: bool) -> Option<Self> {
        let mut leaf = Self::default();
        STEPS.contains(&capacity).then(|| leaf.reserve(capacity, values))?;
        Some(leaf)
    }

    /// True if a leaf with these events can be one whose first `start` events have expired.
    pub(super) fn can_start_at(&self, start: usize) -> bool {
        let is_live = start < self.end() || (start == 0 && self.end() == 0);
        is_live && self.times[start..].is_sorted()
    }

    /// Lets the first `start` events be expired.
    pub(super) fn start_at(&mut self, start: usize) {
        assert!(start <= self.end(), "only events expire");
        self.start = start;
    }

    /// An empty leaf with room for [`LEAF_EVENTS`].
    pub(super) fn full_size(values: bool) -> Self {
        let keys = if values { Vec::with_capacity(LEAF_EVENTS) } else { Vec::new() };
        Self { times: Vec::with_capacity(LEAF_EVENTS), keys, valid: 0, start: 0 }
    }

    pub(super) fn capacity(&self) -> usize {
        self.times.capacity()
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// One past the last event.
    pub(super) fn end(&self) -> usize {
        self.times.len()
    }

    /// Number of live events.
    pub(super) fn len(&self) -> usize {
        self.times.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes.
    pub(super) fn bytes(&self) -> usize {
        (self.times.capacity() + self.keys.capacity()) * size_of::<i64>()
    }

    pub(super) fn first_time(&self) -> Option<i64> {
        self.times.get(self.start).copied()
    }

    pub(super) fn last_time(&self) -> Option<i64> {
        if self.is_empty() { None } else { self.times.last().copied() }
    }

    /// Reads its first events and its last.
    #[inline]
    pub(super) fn touch(&self) -> i64 {
        let read = |of: &[i64]| of.get(self.start).zip(of.last()).map_or(0, |(a, b)| a ^ b);
        read(&self.times) ^ read(&self.keys)
    }

    /// One bit per event.
    pub(super) fn valid(&self) -> u64 {
        self.valid
    }

    pub(super) fn time(&self, index: usize) -> i64 {
        self.times[index]
    }

    pub(super) fn key(&self, index: usize) -> i64 {
        self.keys.get(index).copied().unwrap_or_default()
    }

    /// Index of the first live event at or after `time`.
    pub(super) fn seek(&self, time: i64) -> usize {
        let live = &self.times[self.start..];
        match live.first() {
            Some(first) if *first < time => self.start + live.partition_point(|t| *t < time),
            _ => self.start,
        }
    }

    /// The valid events of `range`, one bit each.
    pub(super) fn valid_in(&self, range: &Range<usize>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let width = range.len();
        let ones = if width >= LEAF_EVENTS { u64::MAX } else { (1 << width) - 1 };
        self.valid & (ones << range.start)
    }

    /// Makes room for one more event if the leaf is below its full size.
    pub(super) fn grow(&mut self, values: bool) {
        let capacity = self.times.capacity();
        if self.times.len() < capacity {
            return;
        }
        let step = STEPS.iter().copied().find(|s| *s > capacity).unwrap_or(LEAF_EVENTS);
        self.reserve(step, values);
    }

    /// Makes room for `events` in all.
    pub(super) fn reserve(&mut self, events: usize, values: bool) {
        let more = events - self.times.len();
        self.times.reserve_exact(more);
        if values {
            self.keys.reserve_exact(more);
        }
    }

    /// Appends an event at or after all others.
    #[inline]
    pub(super) fn push(&mut self, event: Event, values: bool) {
        self.valid |= u64::from(event.valid) << self.times.len();
        self.times.push(event.time);
        if values {
            self.keys.push(event.key);
        }
    }

    /// Puts an event in at `index`.
    pub(super) fn insert(&mut self, index: usize, event: Event, values: bool) {
        let below = (1_u64 << index) - 1;
        let above = (self.valid & !below) << 1;
        self.valid = (self.valid & below) | above | (u64::from(event.valid) << index);
        self.times.insert(index, event.time);
        if values {
            self.keys.insert(index, event.key);
        }
    }

    /// Lets the events before `index` expire.
    pub(super) fn expire(&mut self, index: usize) {
        debug_assert!(self.start <= index && index <= self.end());
        self.start = index;
        if self.start == self.end() {
            self.clear();
        }
    }

    /// Moves the live events to the front.
    pub(super) fn compact(&mut self) {
        if self.start > 0 {
            self.times.drain(..self.start);
            self.keys.drain(..self.start.min(self.keys.len()));
            self.valid = if self.start < LEAF_EVENTS { self.valid >> self.start } else { 0 };
            self.start = 0;
        }
    }

    /// Moves the last `count` events of a compact leaf before those of another one.
    pub(super) fn move_last(&mut self, count: usize, other: &mut Self) {
        debug_assert!(self.start == 0 && other.start == 0 && count < LEAF_EVENTS);
        let rest = self.times.len() - count;
        other.times.extend(self.times.drain(rest..));
        other.times.rotate_right(count);
        if !self.keys.is_empty() {
            other.keys.extend(self.keys.drain(rest..));
            other.keys.rotate_right(count);
        }
        other.valid = (other.valid << count) | (self.valid >> rest);
        self.valid &= (1 << rest) - 1;
    }

    /// Moves the first `count` events of a compact leaf behind those of another one.
    pub(super) fn move_first(&mut self, count: usize, other: &mut Self) {
        debug_assert!(self.start == 0 && other.start == 0 && count < LEAF_EVENTS);
        other.valid |= (self.valid & ((1 << count) - 1)) << other.times.len();
        self.valid >>= count;
        other.times.extend(self.times.drain(..count));
        other.keys.extend(self.keys.drain(..count.min(self.keys.len())));
    }

    /// Empties the leaf and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.keys.clear();
        self.valid = 0;
        self.start = 0;
    }

    /// Where the valid events of `range` lie.
    fn valid_places(&self, range: &Range<usize>) -> impl Iterator<Item = usize> + use<> {
        let mut rest = self.valid_in(range);
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let index = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            Some(index)
        })
    }

    /// The keys of the valid events in `range`.
    pub(super) fn valid_keys(&self, range: &Range<usize>) -> impl Iterator<Item = i64> + '_ {
        self.valid_places(range).map(|index| self.key(index))
    }

    /// The valid events in `range`.
    pub(super) fn valid_events(&self, range: &Range<usize>) -> impl Iterator<Item = Held> + '_ {
        self.valid_places(range).map(|index| Held { time: self.time(index), key: self.key(index) })
    }

    /// Adds the valid events of `range` to `moments`, as far as `needs` asks.
    #[inline]
    pub(super) fn fold(
        &self,
        range: &Range<usize>,
        kind: Kind,
        needs: Needs,
        moments: &mut Moments,
    ) {
        let valid = self.valid_in(range);
        let n = valid.count_ones();
        moments.n += u64::from(n);
        if !needs.moments && !needs.extremes || n == 0 {
            return;
        }
        if n as usize == range.len() {
            let keys = self.keys[range.clone()].iter().copied();
            fold_keys(keys, kind, needs, moments);
        } else {
            fold_keys(self.valid_keys(range), kind, needs, moments);
        }
    }
}

/// The loop over values, one copy per kind and need.
#[inline]
fn fold_keys(keys: impl Iterator<Item = i64>, kind: Kind, needs: Needs, moments: &mut Moments) {
    match (kind, needs.moments, needs.extremes) {
        (_, false, _) => keys.for_each(|key| moments.widen(key)),
        (Kind::Float, true, false) => keys.for_each(|key| moments.add(Kind::Float.number(key))),
        (kind, true, false) => keys.for_each(|key| moments.add(kind.number(key))),
        (Kind::Float, true, true) => keys.for_each(|key| {
            moments.add(Kind::Float.number(key));
            moments.widen(key);
        }),
        (kind, true, true) => keys.for_each(|key| {
            moments.add(kind.number(key));
            moments.widen(key);
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_follows_its_event_through_insert_expire_compact_and_split() {
        let mut leaf = Leaf::default();
        for i in 0..63 {
            leaf.grow(true);
            leaf.push(Event { time: i, key: i, valid: i % 3 != 0 }, true);
        }
        leaf.grow(true);
        leaf.insert(10, Event { time: 9, key: -1, valid: true }, true);
        let expected = |from: i64| -> Vec<i64> {
            (0..10)
                .chain([-1])
                .chain(10..63)
                .filter(|k| *k == -1 || k % 3 != 0)
                .filter(|k| {
                    if *k == -1 { from <= 10 } else { *k >= from || (*k > 9 && *k + 1 >= from) }
                })
                .collect()
        };
        let keys = |leaf: &Leaf| leaf.valid_keys(&(leaf.start()..leaf.end())).collect::<Vec<_>>();
        assert_eq!(keys(&leaf), expected(0));
        leaf.expire(4);
        leaf.compact();
        assert_eq!(keys(&leaf), expected(4));
        let mut upper = Leaf::default();
        leaf.move_last(30, &mut upper);
        assert_eq!([keys(&leaf), keys(&upper)].concat(), expected(4));
        leaf.move_last(5, &mut upper);
        assert_eq!([keys(&leaf), keys(&upper)].concat(), expected(4));
        upper.move_first(11, &mut leaf);
        assert_eq!([keys(&leaf), keys(&upper)].concat(), expected(4));
        assert_eq!((leaf.end(), upper.end()), (60 - 24, 24));
    }
}

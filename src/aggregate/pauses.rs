//! How long the pauses between events are, so that a session is found without a look at each of
//! its events: leaves and nodes without a long pause are passed as a whole.

use super::{buffer::EventBuffer, leaf::Leaf, place::Place};
use std::ops::Range;

/// The valid events of a leaf or node: when the first and the last are, and the longest pause
/// between two that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    first: i64,
    last: i64,
    longest: i64,
}

impl Pauses {
    /// Of no events.
    pub(super) const NONE: Self = Self { first: i64::MAX, last: i64::MIN, longest: 0 };

    /// Of the live events of a leaf.
    pub(super) fn of(leaf: &Leaf) -> Self {
        let events = leaf.valid_events(&(leaf.start()..leaf.end()));
        events.fold(Self::NONE, |before, event| before.joined(Self::at(event.time)))
    }

    fn at(time: i64) -> Self {
        Self { first: time, last: time, longest: 0 }
    }

    fn is_none(self) -> bool {
        self.first > self.last
    }

    /// Of these events and those behind.
    #[must_use]
    pub(super) fn joined(self, behind: Self) -> Self {
        if self.is_none() {
            return behind;
        }
        if behind.is_none() {
            return self;
        }
        let between = behind.first.saturating_sub(self.last);
        let longest = self.longest.max(behind.longest).max(between);
        Self { first: self.first, last: behind.last, longest }
    }
}

/// A way back over valid events.
struct Walk {
    gap_us: i64,
    /// The event passed last, or the beginning of the leaf or node passed last, and its time.
    start: Place,
    time: i64,
}

impl Walk {
    fn is_pause(&self, before: i64) -> bool {
        self.time.saturating_sub(before) > self.gap_us
    }

    /// Passes a whole leaf or node, unless there is a pause before it or in it.
    fn passes(&mut self, pauses: Pauses, beginning: Place) -> bool {
        if pauses.is_none() {
            return true;
        }
        if self.is_pause(pauses.last) || pauses.longest > self.gap_us {
            return false;
        }
        (self.start, self.time) = (beginning, pauses.first);
        true
    }

    /// Passes the events of a part of the leaf at `place`, up to a pause; true if there is none.
    fn passes_events(&mut self, leaf: &Leaf, place: Place, part: &Range<usize>) -> bool {
        let mut rest = leaf.valid_in(part);
        while rest != 0 {
            let index = rest.ilog2();
            let before = leaf.time(index as usize);
            if self.is_pause(before) {
                return false;
            }
            self.start = Place::new(place.node(), place.leaf(), index as usize);
            self.time = before;
            rest ^= 1 << index;
        }
        true
    }
}

impl EventBuffer {
    /// Goes back from `end`, of time `time`, over valid events as long as each lies at most `gap_us`
    /// before what follows it, and no further than `oldest`. The place of the last one passed.
    /// Only of buffers whose pool knows that pauses are asked for.
    pub fn back_to_pause(&self, oldest: Place, end: Place, time: i64, gap_us: i64) -> Place {
        let mut walk = Walk { gap_us, start: end, time };
        let mut at = Some(end);
        while let Some(place) = at {
            let is_oldest = place.same_leaf(oldest);
            let from = if is_oldest { oldest.index() } else { self.start_of(place) };
            let part = from..place.index();
            if !walk.passes_events(self.leaf_at(place), place, &part) || is_oldest {
                break;
            }
            at = self.back_over_leaves(place, oldest, &mut walk);
        }
        self.first_valid(walk.start, end).unwrap_or(end)
    }

    /// Goes back from the beginning of the leaf of `place` over whole nodes and leaves. The end of
    /// the leaf before them, whose events have to be looked at.
    fn back_over_leaves(&self, place: Place, oldest: Place, walk: &mut Walk) -> Option<Place> {
        let nodes = self.nodes();
        let mut at = place;
        loop {
            if at.leaf() == 0 {
                let mut node = at.node();
                while node > oldest.node() + 1
                    && walk.passes(nodes[node - 1].pauses, Place::new(node - 1, 0, 0))
                {
                    node -= 1;
                }
                at = Place::new(node, 0, 0);
            }
            at = self.previous_leaf(at)?;
            let branch = &nodes[at.node()].branches[at.leaf()];
            let beginning = Place::new(at.node(), at.leaf(), 0);
            // What of the oldest leaf has expired, its branch still counts.
            if at.same_leaf(oldest) || !walk.passes(branch.pauses, beginning) {
                return Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{buffer::Retention, leaf::Event, pool::Pool, summary::Needs, value::Kind},
        *,
    };

    /// When the session begins that goes on at `time`, by a walk over all events before it.
    fn plainly(list: &[Event], [time, gap, within]: [i64; 3]) -> i64 {
        let mut start = time;
        let before = list.iter().rev().filter(|e| e.valid && e.time < time);
        for event in before.take_while(|e| e.time >= time - within) {
            if start - event.time > gap {
                break;
            }
            start = event.time;
        }
        start
    }

    /// Enough events for several nodes, some late, some without value; pauses of all lengths.
    #[test]
    fn sessions_in_long_buffers_begin_where_a_plain_walk_says() {
        const SPAN: i64 = 60_000;
        let mut pool = Pool::new(Kind::Integer, Needs { pauses: true, ..Needs::ALL });
        let mut buffer = EventBuffer::default();
        let retention = Retention { time_us: Some(SPAN), rows: None };
        let mut list: Vec<Event> = Vec::new();
        let (mut now, mut lengths) = (0, Vec::new());
        for i in 0..40_000_i64 {
            let mixed = (i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()) >> 20) & 0xF_FFFF;
            now += match mixed % 3_001 {
                0 => 40 + mixed % 900,
                _ => mixed % 6,
            };
            let time = if i % 7 == 0 { now - mixed % 3_000 } else { now };
            let event = Event { time, key: 1, valid: mixed % 11 > 0 && (i / 300) % 40 > 0 };
            buffer.expire(now - 3_000, retention, &mut pool);
            buffer.insert(event, &mut pool);
            list.push(event);
            if i % 1_301 != 0 {
                continue;
            }
            list.retain(|event| event.time >= now - 3_000 - SPAN);
            list.sort_by_key(|event| event.time);
            for ask in 0..42_i64 {
                let time = if ask < 4 { now } else { now - mixed * ask % 60_000 };
                let gap = [3, 5, 9, 30, 200, 700, 2_000][usize::try_from(ask % 7).unwrap()];
                let within = [500, 9_000, SPAN][usize::try_from(ask % 3).unwrap()];
                let start = plainly(&list, [time, gap, within]);
                let (oldest, end) = (buffer.seek(time - within), buffer.seek(time));
                let place = buffer.back_to_pause(oldest, end, time, gap);
                // The first of those at that time.
                let expected = buffer.first_valid(buffer.seek(start).max(oldest), end);
                assert_eq!(place, expected.unwrap_or(end), "{time} {gap} {within} at {i}");
                lengths.push(list.iter().filter(|e| start <= e.time && e.time < time).count());
            }
        }
        let long = lengths.iter().filter(|length| **length > 3_000).count();
        let short = lengths.iter().filter(|length| **length < 50).count();
        assert!(long.min(short) > lengths.len() / 40, "{long} {short} of {}", lengths.len());
    }
}

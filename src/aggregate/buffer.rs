//! The events of one key in (event time, arrival) order.

use super::{
    Needs,
    leaf::{Event, LEAF_EVENTS, Leaf},
    moments::Moments,
    node::Node,
    place::Place,
    pool::Pool,
    scan::Held,
    summary::Summary,
    trunk::{RUN_NODES, TRUNK_BYTES, Trunk},
};

/// How much of the past a buffer keeps; whatever either limit asks for is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Microseconds of event time before the watermark.
    pub time_us: Option<i64>,
    /// Events before the watermark.
    pub rows: Option<usize>,
}

/// Buffered events of one key.
///
/// New events go to the open leaf, which lies in the buffer itself: a key with few events is
/// nothing but that leaf, in as much memory as it needs. A full open leaf goes to the trunk, and the
/// next one begins small until there are so many that its room hardly counts. An
/// event that comes late goes to its place: one leaf is moved, that leaf and its node are
/// summed up anew, nothing else is touched. What expires leaves from the front, whole leaves at a
/// time; a leaf that is partly expired is read by events, never by its moments.
#[derive(Debug, Clone, Default)]
pub struct EventBuffer {
    pub(super) open: Leaf,
    pub(super) trunk: Option<Box<Trunk>>,
}

impl EventBuffer {
    pub(super) fn nodes(&self) -> &[Node] {
        self.trunk.as_deref().map_or(&[], |trunk| &trunk.nodes)
    }

    /// Number of expired events at the beginning of the leaf of `place`.
    pub(super) fn start_of(&self, place: Place) -> usize {
        match &self.trunk {
            Some(trunk) if place.node() < trunk.nodes.len() => {
                if (place.node(), place.leaf()) == (0, 0) { trunk.start() } else { 0 }
            }
            _ => self.open.start(),
        }
    }

    pub(super) fn trunk_leaf_before(&self, time: i64) -> (usize, usize) {
        self.trunk.as_ref().expect("asked for where there are nodes").leaf_before(time)
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.open.len() + self.trunk.as_ref().map_or(0, |trunk| trunk.len())
    }

    /// True without events.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.nodes().is_empty()
    }

    /// True if it holds no memory: neither events nor room for some.
    pub fn is_vacant(&self) -> bool {
        self.open.capacity() == 0 && self.trunk.is_none()
    }

    /// Time of the first event.
    pub fn first_time(&self) -> Option<i64> {
        self.trunk.as_ref().and_then(|t| t.first_time()).or_else(|| self.open.first_time())
    }

    /// Reads where the next record of the key will; what is read means nothing.
    #[inline]
    pub fn touch(&self) -> i64 {
        self.open.touch()
    }

    /// Inserts an event behind all that are not after it, and says where it lies.
    pub fn insert(&mut self, event: Event, pool: &mut Pool) -> Place {
        self.make_room(pool);
        pool.count_in();
        let nodes = self.nodes().len();
        let last = self.open.last_time();
        if last.is_some_and(|last| last <= event.time) {
            return self.append(event, nodes, pool);
        }
        // Between trunk and open leaf both would do; the open leaf never has to be split.
        let sealed = self.trunk.as_mut().filter(|t| t.last_time().is_some_and(|l| event.time < l));
        if let Some(trunk) = sealed {
            return trunk.insert(event, pool);
        }
        if last.is_none() {
            return self.append(event, nodes, pool);
        }
        let index = self.open.seek(event.time.saturating_add(1));
        self.open.insert(index, event, pool.values());
        if nodes > 0 {
            self.trunk.as_mut().expect("it has nodes").open = pool.summarise(&self.open);
        }
        Place::new(nodes, 0, index)
    }

    #[inline]
    fn append(&mut self, event: Event, nodes: usize, pool: &Pool) -> Place {
        let place = Place::new(nodes, 0, self.open.end());
        self.open.push(event, pool.values());
        if nodes > 0 {
            let trunk = self.trunk.as_mut().expect("it has nodes");
            pool.note(event, &mut trunk.open);
        }
        place
    }

    /// Makes room for one more event in the open leaf: moves its events to the front if an eighth
    /// has expired, else lets it grow, else puts it into the trunk.
    fn make_room(&mut self, pool: &mut Pool) {
        if self.open.end() < self.open.capacity() {
            return;
        }
        if self.open.start() * 8 > self.open.capacity() {
            self.open.compact();
        } else if self.open.end() < LEAF_EVENTS {
            pool.grow(&mut self.open);
        } else {
            self.open.compact();
            let is_short = self.trunk.as_ref().is_none_or(|trunk| trunk.is_short());
            let full = if is_short {
                pool.replace_by_small(&mut self.open)
            } else {
                pool.replace(&mut self.open)
            };
            let trunk = self.trunk.get_or_insert_with(|| {
                pool.account(0, TRUNK_BYTES);
                Box::default()
            });
            trunk.push(full, pool);
        }
    }

    /// Drops what no window of a record at or after `watermark` can see.
    pub fn expire(&mut self, watermark: i64, retention: Retention, pool: &mut Pool) {
        let Some(first) = self.first_time().filter(|first| *first < watermark) else { return };
        let by_time = retention.time_us.map(|span| watermark.saturating_sub(span));
        if by_time.is_some_and(|bound| bound <= first) {
            return;
        }
        let by_time = by_time.map(|bound| self.seek(bound));
        let by_rows = retention.rows.map(|rows| self.back(self.seek(watermark), rows));
        let Some(place) = [by_time, by_rows].into_iter().flatten().min() else { return };
        let nodes = self.nodes().len();
        if let Some(trunk) = self.trunk.as_mut().filter(|_| nodes > 0) {
            trunk.expire(place, pool);
        }
        if place.node() == nodes {
            pool.expire(&mut self.open, place.index());
        }
    }

    /// Drops all events and gives all memory back.
    pub fn clear(&mut self, pool: &mut Pool) {
        let Self { open, trunk } = std::mem::take(self);
        pool.recycle_open(open);
        if let Some(trunk) = trunk {
            trunk.dissolve(pool);
        }
    }

    /// What the valid events from `from` to before `to` amount to, as far as `needs` asks; `own`
    /// is the place of the record that asks.
    pub fn summary(&self, range: [Place; 2], own: Place, needs: Needs, pool: &Pool) -> Summary {
        let [from, to] = range;
        let Some(first) = self.first_valid(from, to) else { return Summary::default() };
        let first_key = self.key_at(first);
        let first_time = self.time_at(first);
        let mut summary = Summary { first: first_key, first_time, ..Summary::default() };
        if needs.last || needs.span {
            let last = self.last_valid(from, to).expect("there is a first one");
            (summary.last, summary.last_time) = (self.key_at(last), self.time_at(last));
        }
        if needs.previous {
            summary.previous_time =
                self.last_valid(from, to.min(own)).map(|place| self.time_at(place));
        }
        let centre = if needs.moments { pool.kind().number(first_key) } else { 0.0 };
        let mut moments = self.fold(range, centre, needs, pool);
        if needs.moments && moments.off_centre() && moments.mean().is_finite() {
            moments = self.fold(range, moments.mean(), needs, pool);
        }
        summary.set_moments(&moments);
        summary
    }

    /// The longest part before the node of `to` that is known from the beginning of a leaf on, and
    /// where it ends.
    pub(super) fn part(&self, from: Place, to: Place) -> (&Moments, Place) {
        let nodes = self.nodes();
        let node = &nodes[from.node()];
        let run_end = nodes.len().min((from.node() / RUN_NODES + 1) * RUN_NODES);
        if from.leaf() == 0 && run_end <= to.node() {
            return (&node.rest, Place::new(run_end, 0, 0));
        }
        (&node.branches[from.leaf()].rest, Place::new(from.node() + 1, 0, 0))
    }

    /// Replaces `events` by the valid ones from `from` to before `to`, in order.
    pub fn collect(&self, [from, to]: [Place; 2], events: &mut Vec<Held>) {
        events.clear();
        let mut at = from;
        while at < to {
            events.extend(self.leaf_at(at).valid_events(&self.within_leaf(at, to)));
            if at.same_leaf(to) {
                break;
            }
            at = self.next_leaf(at);
        }
    }

    pub(super) fn time_at(&self, place: Place) -> i64 {
        self.leaf_at(place).time(place.index())
    }

    fn key_at(&self, place: Place) -> i64 {
        self.leaf_at(place).key(place.index())
    }

    /// Adds up a range: whole nodes and leaves by their moments, the rest by events.
    fn fold(&self, range: [Place; 2], centre: f64, needs: Needs, pool: &Pool) -> Moments {
        let [from, to] = range;
        let mut moments = Moments::around(centre);
        let nodes = self.nodes();
        let mut at = from;
        while !at.same_leaf(to) {
            let branch = &nodes[at.node()].branches[at.leaf()];
            if at.index() > 0 {
                let part = at.index()..branch.leaf.end();
                branch.leaf.fold(&part, pool.kind(), needs, &mut moments);
                at = self.next_leaf(at);
            } else if at.node() < to.node() {
                let (part, end) = self.part(at, to);
                moments.merge(part);
                at = end;
            } else {
                moments.merge(&branch.moments);
                at = self.next_leaf(at);
            }
        }
        let open = self.trunk.as_ref().filter(|_| to.node() == nodes.len() && !nodes.is_empty());
        match open {
            Some(trunk) if at.index() == 0 && to.index() == self.open.end() => {
                moments.merge(&trunk.open);
            }
            _ => {
                let leaf = self.leaf_at(to);
                leaf.fold(&(at.index()..to.index()), pool.kind(), needs, &mut moments);
            }
        }
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::{super::value::Kind, *};
    use proptest::prelude::*;

    const NEEDS: Needs = Needs::ALL;

    /// Heap bytes, counted by looking at everything.
    fn counted(buffer: &EventBuffer) -> usize {
        let nodes = buffer.nodes().iter().map(Node::counted_bytes).sum::<usize>();
        buffer.open.bytes() + nodes + buffer.trunk.as_ref().map_or(0, |_| TRUNK_BYTES)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn bytes_are_known_without_counting(
            steps in proptest::collection::vec((0..3_i64, 0..900_i64), 10..4_000),
            span in 1..4_000_i64,
        ) {
            let mut pool = Pool::new(Kind::Float, NEEDS);
            let mut buffers = [EventBuffer::default(), EventBuffer::default()];
            let retention = Retention { time_us: Some(span), rows: None };
            let mut highest = 0;
            for (i, (ahead, behind)) in steps.into_iter().enumerate() {
                highest += ahead;
                let event = Event { time: highest - behind, key: 7, valid: true };
                let buffer = &mut buffers[i % 2];
                buffer.expire(highest - 900, retention, &mut pool);
                let place = buffer.insert(event, &mut pool);
                prop_assert_eq!(buffer.leaf_at(place).time(place.index()), event.time);
            }
            let held = buffers.iter().map(counted).sum::<usize>();
            prop_assert_eq!(pool.bytes(), held);
            for buffer in &mut buffers {
                buffer.clear(&mut pool);
            }
            prop_assert_eq!((pool.bytes(), pool.events()), (0, 0));
        }
    }

    /// What a write does while a snapshot holds the page.
    #[test]
    fn a_copy_is_as_large_as_the_original() {
        let mut pool = Pool::new(Kind::Float, NEEDS);
        let mut buffer = EventBuffer::default();
        let retention = Retention { time_us: Some(3_000), rows: None };
        for i in 0..30_000_i64 {
            let time = if i % 5 < 3 { i - i * 7_919 % 1_000 } else { i };
            buffer.expire(i - 1_000, retention, &mut pool);
            buffer.insert(Event { time, key: 7, valid: true }, &mut pool);
            if i % 97 == 0 {
                buffer = buffer.clone();
            }
            if i % 1_009 == 0 {
                assert_eq!(pool.bytes(), counted(&buffer), "at {i}");
                assert_eq!(pool.events(), buffer.len(), "at {i}");
            }
        }
        buffer.clear(&mut pool);
        assert_eq!((pool.bytes(), pool.events()), (0, 0));
    }

    /// What is asked of a range, and the same of a list of events in order.
    fn asked(buffer: &EventBuffer, pool: &Pool, range: [Place; 2]) -> [i64; 5] {
        let summary = buffer.summary(range, range[1], NEEDS, pool);
        if summary.n == 0 {
            return [0; 5];
        }
        #[expect(clippy::cast_possible_truncation, reason = "sums of small integers")]
        let sum = summary.sum as i64;
        [summary.n.cast_signed(), sum, summary.max, summary.first, summary.last]
    }

    fn listed(events: &[Event]) -> [i64; 5] {
        let keys: Vec<i64> = events.iter().filter(|e| e.valid).map(|e| e.key).collect();
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return [0; 5] };
        let n = i64::try_from(keys.len()).unwrap();
        [n, keys.iter().sum(), *keys.iter().max().unwrap(), *first, *last]
    }

    /// Enough events for several runs of nodes, half of them late, some stretches without value.
    #[test]
    fn ranges_over_many_runs_equal_a_plain_list() {
        const SPAN: i64 = 120_000;
        let mut pool = Pool::new(Kind::Integer, NEEDS);
        let mut buffer = EventBuffer::default();
        let retention = Retention { time_us: Some(SPAN), rows: None };
        let mut list: Vec<Event> = Vec::new();
        for i in 0..200_000_i64 {
            let mixed = (i.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()) >> 20) & 0xF_FFFF;
            let time = if i % 2 == 0 { i - mixed % 60_000 } else { i };
            let valid = (time / 37_000) % 2 == 0 && mixed % 3 > 0 || mixed % 30_000 == 0;
            let event = Event { time, key: mixed % 1_000, valid };
            buffer.expire(i - 60_000, retention, &mut pool);
            buffer.insert(event, &mut pool);
            list.push(event);
            if i % 9_973 > 0 && i % 11_003 > 0 {
                continue;
            }
            list.retain(|event| event.time >= i - 60_000 - SPAN);
            list.sort_by_key(|event| event.time);
            assert_eq!(buffer.len(), list.len());
            let index = |time: i64| list.partition_point(|event| event.time < time);
            for ask in 0..200_i64 {
                let from = i - mixed * (ask + 1) % (SPAN + 61_000);
                let to = if ask % 3 == 0 { i + 1 } else { from + mixed * (ask + 7) % SPAN };
                let places = [buffer.seek(from), buffer.seek(to)];
                let expected = listed(&list[index(from)..index(to)]);
                assert_eq!(asked(&buffer, &pool, places), expected, "{from}..{to} at {i}");
                let rows = usize::try_from(mixed * (ask + 3) % 130_000).unwrap();
                let back = index(to).saturating_sub(rows);
                let places = [buffer.back(places[1], rows), places[1]];
                let expected = listed(&list[back..index(to)]);
                assert_eq!(asked(&buffer, &pool, places), expected, "{rows} rows to {to} at {i}");
            }
        }
        assert!(buffer.nodes().len() > 5 * RUN_NODES, "{}", buffer.nodes().len());
    }
}

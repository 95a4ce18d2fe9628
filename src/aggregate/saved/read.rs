//! Event buffers read back from a snapshot, and checked for whatever a later use relies on.

use super::{LEAVES, TEXTS, TRUNKS, columns};
use crate::{
    aggregate::{
        buffer::EventBuffer,
        leaf::{Event, LEAF_EVENTS, Leaf},
        moments::Moments,
        node::NODE_LEAVES,
        pairs::{Interned, Pair},
        pool::Pool,
        trunk::Trunk,
        value::Kind,
    },
    batch::Slot,
    state::{
        Paged,
        snapshot::{Section, SnapshotError, Table},
    },
};
use std::ops::RangeInclusive;

/// Differences of event times fit 64 bits.
const EVENT_TIMES: RangeInclusive<i64> = i64::MIN / 4..=i64::MAX / 4;

/// Reads what `SavedBuffers` has written into an empty lane. Slots are below `slots`, keys of
/// values, and of those beside them, in `ranges`. After an error, what is there is of no use.
pub fn restore_buffers(
    section: &Section<'_>,
    slots: Slot,
    ranges: [RangeInclusive<i64>; 2],
    pool: &mut Pool,
    interned: &mut Interned,
) -> Result<Paged<EventBuffer>, SnapshotError> {
    if interned.has_texts(pool.kind()) {
        let mut texts = section.table("texts", TEXTS)?;
        while texts.next_row() {
            let is_new = interned.symbols_mut().restore(texts.text(0)?);
            texts.check(is_new, "a text comes twice")?;
        }
    }
    let mut reader = Reader {
        leaves: section.table("leaves", LEAVES)?,
        events: section.table("events", columns(pool.kind()))?,
        trunks: section.table("trunks", TRUNKS)?,
        slots,
        ranges,
        pool,
        interned,
    };
    let buffers = reader.buffers()?;
    let is_read = !reader.events.next_row();
    reader.events.check(is_read, "there are more events than in leaves")?;
    reader
        .events
        .check(reader.interned.symbols().are_all_held(), "no event holds one of the texts")?;
    Ok(buffers)
}

/// Reads the tables of a lane side by side.
struct Reader<'a, 'b> {
    leaves: Table<'a>,
    events: Table<'a>,
    trunks: Table<'a>,
    slots: Slot,
    ranges: [RangeInclusive<i64>; 2],
    pool: &'b mut Pool,
    interned: &'b mut Interned,
}

/// The leaves of one buffer.
#[derive(Default)]
struct Parts {
    /// Full leaves by node, each with the number of its events that have expired.
    nodes: Vec<Vec<(Leaf, usize)>>,
    open: Option<Leaf>,
    /// Time of the last event so far.
    last: Option<i64>,
}

impl Reader<'_, '_> {
    fn buffers(&mut self) -> Result<Paged<EventBuffer>, SnapshotError> {
        let mut buffers = Paged::<EventBuffer>::default();
        let mut previous = None;
        let mut has_leaf = self.leaves.next_row();
        let mut has_trunk = self.trunks.next_row();
        while has_leaf {
            let slot: Slot = self.leaves.word(0)?;
            let follows = slot < self.slots && previous.is_none_or(|before| before < slot);
            self.leaves.check(follows, "slots out of order or without a key")?;
            previous = Some(slot);
            let mut parts = Parts::default();
            while has_leaf && self.leaves.word::<Slot>(0)? == slot {
                self.leaf(&mut parts)?;
                has_leaf = self.leaves.next_row();
            }
            let trunk = if has_trunk && self.trunks.word::<Slot>(0)? == slot {
                Some(self.open_moments()?)
            } else {
                None
            };
            *buffers.get_mut(slot) = self.buffer(parts, trunk)?;
            has_trunk = if trunk.is_some() { self.trunks.next_row() } else { has_trunk };
        }
        self.trunks.check(!has_trunk, "full leaves of a buffer that is not there")?;
        Ok(buffers)
    }

    /// Reads a leaf and its events.
    fn leaf(&mut self, parts: &mut Parts) -> Result<(), SnapshotError> {
        let (start, capacity) = (self.leaves.word::<usize>(2)?, self.leaves.word::<usize>(3)?);
        let (valid, count) = (self.leaves.word::<u64>(4)?, self.leaves.word::<usize>(5)?);
        let leaf = Leaf::of_size(capacity, self.pool.values());
        let is_known = |count| valid.checked_shr(count).unwrap_or(0) == 0;
        let fits = count <= capacity && u32::try_from(count).is_ok_and(is_known);
        let (Some(mut leaf), true) = (leaf, fits) else {
            return Err(self.leaves.malformed("there is no leaf of that size"));
        };
        for index in 0..count {
            let event = self.event(valid >> index & 1 == 1, index >= start)?;
            leaf.push(event, self.pool.values());
        }
        self.leaves.check(leaf.can_start_at(start), "events of a leaf are out of order")?;
        self.pool.count_in_restored(count - start, leaf.bytes());
        if start < count {
            let follows = parts.last.is_none_or(|last| last <= leaf.time(start));
            self.leaves.check(follows, "leaves are out of order")?;
            parts.last = leaf.last_time();
        }
        self.leaves.check(parts.open.is_none(), "a leaf behind the open one")?;
        match self.leaves.optional_int(1) {
            None => {
                leaf.start_at(start);
                parts.open = Some(leaf);
                Ok(())
            }
            Some(node) => self.full_leaf((leaf, start), node, parts),
        }
    }

    fn full_leaf(
        &self,
        leaf: (Leaf, usize),
        node: i64,
        parts: &mut Parts,
    ) -> Result<(), SnapshotError> {
        let nodes = &mut parts.nodes;
        if usize::try_from(node).is_ok_and(|node| node == nodes.len()) {
            nodes.push(Vec::new());
        }
        let is_last = usize::try_from(node).is_ok_and(|node| node + 1 == nodes.len());
        let is_first = nodes.len() == 1 && nodes[0].is_empty();
        let room = nodes.last_mut().filter(|node| is_last && node.len() < NODE_LEAVES);
        let (size, live) = (leaf.0.capacity(), leaf.0.end());
        let is_full_size = size == LEAF_EVENTS && live > 0 && (leaf.1 == 0 || is_first);
        let Some(node) = room.filter(|_| is_full_size) else {
            return Err(self.leaves.malformed("a leaf that cannot be in that node"));
        };
        node.push(leaf);
        Ok(())
    }

    fn event(&mut self, valid: bool, is_live: bool) -> Result<Event, SnapshotError> {
        let is_there = self.events.next_row();
        self.leaves.check(is_there, "there are fewer events than in leaves")?;
        let key = match self.pool.kind() {
            Kind::Pair if valid && is_live => {
                let [kind, beside] = self.interned.kinds();
                let first = self.value(1, kind)?;
                let second = self.value(2, beside)?;
                self.interned.pair(Pair { first, second })
            }
            Kind::Nothing | Kind::Pair => 0,
            kind if valid && (is_live || kind != Kind::Text) => self.value(1, kind)?,
            _ => self.events.int(1)?,
        };
        let time = self.events.int(0)?;
        self.events.check(EVENT_TIMES.contains(&time), "a time that no record has")?;
        Ok(Event { time, key, valid })
    }

    /// The key of a value of such a kind, in column 1 or in column 2, beside it.
    fn value(&mut self, column: usize, kind: Kind) -> Result<i64, SnapshotError> {
        let key = self.events.int(column)?;
        let fits = match kind {
            Kind::Text => self.interned.symbols_mut().hold(key),
            _ => self.ranges[column - 1].contains(&key),
        };
        self.events.check(fits, "a value that the column cannot have")?;
        Ok(key)
    }

    fn open_moments(&self) -> Result<Moments, SnapshotError> {
        Ok(Moments {
            n: self.trunks.word(1)?,
            centre: self.trunks.float(2)?,
            d1: self.trunks.float(3)?,
            d2: self.trunks.float(4)?,
            sum: self.trunks.float(5)?,
            min: self.trunks.int(6)?,
            max: self.trunks.int(7)?,
        })
    }

    fn buffer(
        &mut self,
        parts: Parts,
        trunk: Option<Moments>,
    ) -> Result<EventBuffer, SnapshotError> {
        let open = parts.open.ok_or_else(|| self.leaves.malformed("no leaf is open"))?;
        let Some(moments) = trunk else {
            self.leaves
                .check(parts.nodes.is_empty(), "what is known of the open leaf is missing")?;
            return Ok(EventBuffer { open, trunk: None });
        };
        let valid = u64::from(open.valid_in(&(open.start()..open.end())).count_ones());
        let agrees = parts.nodes.is_empty() || moments.n == valid;
        self.trunks.check(agrees, "it does not agree with the open leaf")?;
        let trunk = Trunk::restored(parts.nodes, moments, self.pool);
        Ok(EventBuffer { open, trunk: Some(Box::new(trunk)) })
    }
}

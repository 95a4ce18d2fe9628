//! The event buffers of a lane in a snapshot.
//!
//! Results depend to the last bit on how events lie in leaves and nodes, so that is written down;
//! what leaves and nodes know of their events is computed again by the same functions. Only the
//! moments of an open leaf behind full ones follow from the order in which events came, and are
//! written. What is never read again is written as zero: keys of events without value, and of texts
//! that have expired. Texts are numbered in the order in which events hold them.

use super::{
    buffer::EventBuffer,
    leaf::{Event, LEAF_EVENTS, Leaf},
    moments::Moments,
    pool::Pool,
    text::{Symbol, Symbols, entry},
    trunk::{NODE_LEAVES, Trunk},
    value::Kind,
};
use crate::{
    batch::Slot,
    state::{
        Paged,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Table, TableWriter, Type},
    },
};
use std::{io, ops::RangeInclusive, sync::Arc};

/// Leaves in the order of their events; without a node it is the open leaf.
const LEAVES: &[Column] = &[
    ("slot", Type::Word),
    ("node", Type::Int),
    ("start", Type::Word),
    ("capacity", Type::Word),
    ("valid", Type::Word),
    ("events", Type::Word),
];

/// Events of the leaves, one after the other.
const EVENTS: &[Column] = &[("time", Type::Int), ("key", Type::Int)];

/// The same where there are no values.
const TIMES: &[Column] = &[("time", Type::Int)];

/// Buffers with full leaves, and what is known of their open one.
const TRUNKS: &[Column] = &[
    ("slot", Type::Word),
    ("n", Type::Word),
    ("centre", Type::Float),
    ("d1", Type::Float),
    ("d2", Type::Float),
    ("sum", Type::Float),
    ("min", Type::Int),
    ("max", Type::Int),
];

/// Differences of event times fit 64 bits.
const EVENT_TIMES: RangeInclusive<i64> = i64::MIN / 4..=i64::MAX / 4;

const TEXTS: &[Column] = &[("text", Type::Text)];

/// Event buffers by slot, as they were.
#[derive(Debug)]
pub struct SavedBuffers {
    buffers: Paged<EventBuffer>,
    texts: Paged<Symbol>,
    kind: Kind,
}

impl SavedBuffers {
    /// Holds on to the buffers; `symbols` are the texts in them.
    pub fn capture(buffers: &Paged<EventBuffer>, pool: &Pool, symbols: &Symbols) -> Self {
        Self { buffers: buffers.clone(), texts: symbols.capture(), kind: pool.kind() }
    }

    fn by_slot(&self) -> impl Iterator<Item = (u64, &EventBuffer)> {
        (0..).zip(self.buffers.iter()).filter(|(_, buffer)| !buffer.is_vacant())
    }

    fn save_events(&self, out: &mut Saver<'_>) -> io::Result<Vec<u32>> {
        let mut numbers = Numbers::default();
        let columns = if self.kind == Kind::Nothing { TIMES } else { EVENTS };
        let mut events = out.table("events", columns);
        for (_, buffer) in self.by_slot() {
            for (_, leaf) in leaves(buffer) {
                for index in 0..leaf.end() {
                    let time = Cell::Int(leaf.time(index));
                    if self.kind == Kind::Nothing {
                        events.row(&[time])?;
                        continue;
                    }
                    let is_valid = leaf.valid() >> index & 1 == 1;
                    let key = match self.kind {
                        _ if !is_valid => 0,
                        Kind::Text if index < leaf.start() => 0,
                        Kind::Text => numbers.of(leaf.key(index)),
                        _ => leaf.key(index),
                    };
                    events.row(&[time, Cell::Int(key)])?;
                }
            }
        }
        events.finish()?;
        Ok(numbers.seen)
    }
}

impl Saved for SavedBuffers {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("leaves", LEAVES);
        for (slot, buffer) in self.by_slot() {
            for (node, leaf) in leaves(buffer) {
                save_leaf(&mut rows, slot, node, leaf)?;
            }
        }
        rows.finish()?;
        let texts = self.save_events(out)?;
        let mut rows = out.table("trunks", TRUNKS);
        for (slot, buffer) in self.by_slot() {
            if let Some(trunk) = &buffer.trunk {
                save_trunk(&mut rows, slot, trunk, self.kind)?;
            }
        }
        rows.finish()?;
        if self.kind == Kind::Text {
            let mut rows = out.table("texts", TEXTS);
            for number in texts {
                rows.row(&[Cell::Text(&entry(&self.texts, number).text)])?;
            }
            rows.finish()?;
        }
        Ok(())
    }
}

/// All leaves in the order of their events, the open one last, each with the number of its node.
fn leaves(buffer: &EventBuffer) -> impl Iterator<Item = (Option<i64>, &Leaf)> {
    let full = (0..).zip(buffer.nodes()).flat_map(|(number, node)| {
        node.branches.iter().map(move |branch| (Some(number), &*branch.leaf))
    });
    full.chain((buffer.open.capacity() > 0).then_some((None, &buffer.open)))
}

fn save_leaf(
    rows: &mut TableWriter<'_, '_>,
    slot: u64,
    node: Option<i64>,
    leaf: &Leaf,
) -> io::Result<()> {
    rows.row(&[
        Cell::Word(slot),
        node.map_or(Cell::Null, Cell::Int),
        Cell::Word(leaf.start() as u64),
        Cell::Word(leaf.capacity() as u64),
        Cell::Word(leaf.valid()),
        Cell::Word(leaf.end() as u64),
    ])
}

fn save_trunk(
    rows: &mut TableWriter<'_, '_>,
    slot: u64,
    trunk: &Trunk,
    kind: Kind,
) -> io::Result<()> {
    let open = match kind {
        // Left over from leaves that have expired.
        _ if trunk.nodes.is_empty() => Moments::default(),
        // The centre is a number that a text happens to have, and nobody asks for it.
        Kind::Text => Moments { n: trunk.open.n, ..Moments::default() },
        _ => trunk.open,
    };
    rows.row(&[
        Cell::Word(slot),
        Cell::Word(open.n),
        Cell::Float(open.centre),
        Cell::Float(open.d1),
        Cell::Float(open.d2),
        Cell::Float(open.sum),
        Cell::Int(open.min),
        Cell::Int(open.max),
    ])
}

/// Numbers of texts in the order in which events hold them.
#[derive(Default)]
struct Numbers {
    /// New number by old one, once it has one.
    by_old: Vec<Option<u32>>,
    /// Old number by new one.
    seen: Vec<u32>,
}

impl Numbers {
    fn of(&mut self, old: i64) -> i64 {
        let old = u32::try_from(old).expect("texts have 32-bit numbers");
        let index = old as usize;
        if self.by_old.len() <= index {
            self.by_old.resize(index + 1, None);
        }
        let next = u32::try_from(self.seen.len()).expect("texts have 32-bit numbers");
        let number = *self.by_old[index].get_or_insert(next);
        if number == next {
            self.seen.push(old);
        }
        i64::from(number)
    }
}

/// Reads what [`SavedBuffers`] has written into an empty lane. Slots are below `slots`, keys of
/// values in `range`. After an error, what is there is of no use.
pub fn restore_buffers(
    section: &Section<'_>,
    slots: Slot,
    range: RangeInclusive<i64>,
    pool: &mut Pool,
    symbols: &mut Symbols,
) -> Result<Paged<EventBuffer>, SnapshotError> {
    let columns = if pool.values() { EVENTS } else { TIMES };
    if pool.kind() == Kind::Text {
        let mut texts = section.table("texts", TEXTS)?;
        while texts.next_row() {
            texts.check(symbols.restore(texts.text(0)?), "a text comes twice")?;
        }
    }
    let mut reader = Reader {
        leaves: section.table("leaves", LEAVES)?,
        events: section.table("events", columns)?,
        trunks: section.table("trunks", TRUNKS)?,
        slots,
        range,
        pool,
        symbols,
    };
    let buffers = reader.buffers()?;
    let is_read = !reader.events.next_row();
    reader.events.check(is_read, "there are more events than in leaves")?;
    reader.events.check(reader.symbols.are_all_held(), "no event holds one of the texts")?;
    Ok(buffers)
}

/// Reads the tables of a lane side by side.
struct Reader<'a, 'b> {
    leaves: Table<'a>,
    events: Table<'a>,
    trunks: Table<'a>,
    slots: Slot,
    range: RangeInclusive<i64>,
    pool: &'b mut Pool,
    symbols: &'b mut Symbols,
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
        let fits = count <= capacity && valid.checked_shr(count as u32).unwrap_or(0) == 0;
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
        let key = if self.pool.values() { self.events.int(1)? } else { 0 };
        let fits = match self.pool.kind() {
            Kind::Text => !(valid && is_live) || self.symbols.hold(key),
            _ => !valid || self.range.contains(&key),
        };
        self.events.check(fits, "a value that the column cannot have")?;
        let time = self.events.int(0)?;
        self.events.check(EVENT_TIMES.contains(&time), "a time that no record has")?;
        Ok(Event { time, key, valid })
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
        Ok(EventBuffer { open, trunk: Some(Arc::new(trunk)) })
    }
}

#[cfg(test)]
mod tests;

//! The event buffers of a lane in a snapshot.
//!
//! Results depend to the last bit on how events lie in leaves and nodes, so that is written down;
//! what leaves and nodes know of their events is computed again by the same functions. Only the
//! moments of an open leaf behind full ones follow from the order in which events came, and are
//! written. What is never read again is written as zero: keys of events without value, and of texts
//! that have expired. Texts are numbered in the order in which events hold them, pairs have no
//! numbers: their values stand with their events.

mod read;

pub use read::restore_buffers;

use super::{
    Pair,
    buffer::EventBuffer,
    leaf::Leaf,
    moments::Moments,
    pairs::{Interned, PagedPairs, has_texts, pair},
    place::Place,
    pool::Pool,
    text::{Symbol, entry},
    trunk::Trunk,
    value::Kind,
};
use crate::state::{
    Paged,
    snapshot::{Cell, Column, Saved, Saver, TableWriter, Type},
};
use std::io;

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

/// The same where events have values of two columns.
const PAIRS: &[Column] = &[("time", Type::Int), ("key", Type::Int), ("beside", Type::Int)];

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

const TEXTS: &[Column] = &[("text", Type::Text)];

/// Event buffers by slot, as they were.
#[derive(Debug)]
pub struct SavedBuffers {
    buffers: Paged<EventBuffer>,
    texts: Paged<Symbol>,
    pairs: PagedPairs,
    kind: Kind,
    kinds: [Kind; 2],
}

impl SavedBuffers {
    /// Holds on to the buffers; `interned` is what their keys stand for.
    pub fn capture(buffers: &Paged<EventBuffer>, pool: &Pool, interned: &Interned) -> Self {
        Self {
            buffers: buffers.clone(),
            texts: interned.symbols().capture(),
            pairs: interned.capture_pairs(),
            kind: pool.kind(),
            kinds: interned.kinds(),
        }
    }

    fn by_slot(&self) -> impl Iterator<Item = (u64, &EventBuffer)> {
        (0..).zip(self.buffers.iter()).filter(|(_, buffer)| !buffer.is_vacant())
    }

    /// Writes the events of all leaves, and gives the numbers of the texts in them.
    fn save_events(&self, out: &mut Saver<'_>) -> io::Result<Vec<u32>> {
        let mut numbers = Numbers::default();
        let mut events = out.table("events", columns(self.kind));
        for placed in self.by_slot().flat_map(|(_, buffer)| leaves(buffer)) {
            for index in 0..placed.leaf.end() {
                let time = Cell::Int(placed.leaf.time(index));
                match self.kind {
                    Kind::Nothing => events.row(&[time])?,
                    Kind::Pair => {
                        let [key, beside] = self.pair(&placed, index, &mut numbers);
                        events.row(&[time, Cell::Int(key), Cell::Int(beside)])?;
                    }
                    _ => {
                        let key = self.key(&placed, index, &mut numbers);
                        events.row(&[time, Cell::Int(key)])?;
                    }
                }
            }
        }
        events.finish()?;
        Ok(numbers.seen)
    }

    /// The key of an event, as it is written.
    fn key(&self, placed: &Placed<'_>, index: usize, numbers: &mut Numbers) -> i64 {
        let is_valid = placed.leaf.valid() >> index & 1 == 1;
        match self.kind {
            _ if !is_valid => 0,
            Kind::Text if index < placed.start => 0,
            Kind::Text => numbers.of(placed.leaf.key(index)),
            _ => placed.leaf.key(index),
        }
    }
}

impl SavedBuffers {
    /// The keys of an event with two values, as they are written.
    fn pair(&self, placed: &Placed<'_>, index: usize, numbers: &mut Numbers) -> [i64; 2] {
        let is_valid = placed.leaf.valid() >> index & 1 == 1;
        if !is_valid || index < placed.start {
            return [0; 2];
        }
        let Pair { first, second } = pair(&self.pairs, placed.leaf.key(index));
        let mut written = |kind, key| if kind == Kind::Text { numbers.of(key) } else { key };
        [written(self.kinds[0], first), written(self.kinds[1], second)]
    }
}

/// What is written of each event.
fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Nothing => TIMES,
        Kind::Pair => PAIRS,
        _ => EVENTS,
    }
}

impl Saved for SavedBuffers {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("leaves", LEAVES);
        for (slot, buffer) in self.by_slot() {
            for placed in leaves(buffer) {
                save_leaf(&mut rows, slot, &placed)?;
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
        if has_texts(self.kind, self.kinds) {
            let mut rows = out.table("texts", TEXTS);
            for number in texts {
                rows.row(&[Cell::Text(&entry(&self.texts, number).text)])?;
            }
            rows.finish()?;
        }
        Ok(())
    }
}

/// A leaf and where it lies.
struct Placed<'a> {
    /// Number of its node; the open leaf has none.
    node: Option<i64>,
    /// How many of its events have expired.
    start: usize,
    leaf: &'a Leaf,
}

/// All leaves in the order of their events, the open one last.
fn leaves(buffer: &EventBuffer) -> impl Iterator<Item = Placed<'_>> {
    let full = (0..).zip(buffer.nodes()).flat_map(move |(number, node)| {
        node.branches.iter().enumerate().map(move |(at, branch)| {
            let is_first = number == 0 && at == 0;
            let start = if is_first { buffer.start_of(Place::new(0, 0, 0)) } else { 0 };
            Placed { node: Some(number), start, leaf: &branch.leaf }
        })
    });
    let open = Placed { node: None, start: buffer.open.start(), leaf: &buffer.open };
    full.chain((buffer.open.capacity() > 0).then_some(open))
}

fn save_leaf(rows: &mut TableWriter<'_, '_>, slot: u64, placed: &Placed<'_>) -> io::Result<()> {
    rows.row(&[
        Cell::Word(slot),
        placed.node.map_or(Cell::Null, Cell::Int),
        Cell::Word(placed.start as u64),
        Cell::Word(placed.leaf.capacity() as u64),
        Cell::Word(placed.leaf.valid()),
        Cell::Word(placed.leaf.end() as u64),
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
        // The centre is a number that a text or pair happens to have, and nobody asks for it.
        Kind::Text | Kind::Pair => Moments { n: trunk.open.n, ..Moments::default() },
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

#[cfg(test)]
mod tests;

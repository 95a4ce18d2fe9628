//! One record, once through: syntax, declared fields into columns, everything else passed over.

use super::{
    column::Column,
    cursor::{Cursor, Parsed},
    skip::{Keys, duplicate},
    tree::{Branch, Member, Target, Tree},
    usual::Run,
};

/// What the walk reuses from record to record.
#[derive(Debug)]
pub(super) struct Scratch {
    keys: Keys,
    /// Text of a value with escapes.
    pub(super) text: Vec<u8>,
    /// The record in which each member was last seen.
    pub(super) seen: Vec<u64>,
    pub(super) record: u64,
}

impl Scratch {
    pub(super) fn new(tree: &Tree) -> Self {
        let seen = vec![0; tree.members];
        Self { keys: Keys::default(), text: Vec::new(), seen, record: 0 }
    }
}

/// A document that does not fit the schema: the first field, in the order of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mismatch {
    /// Rank of the member; members come before the objects' undeclared keys.
    pub(super) rank: usize,
    pub(super) what: What,
}

/// In what it does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The value is this instead.
    Got(&'static str),
    /// There is none.
    Missing,
    /// The object of that index has a key that is not declared.
    Undeclared(usize),
    /// The document is no object but this.
    NoObject(&'static str),
}

/// The walk through one record.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) tree: &'a Tree,
    pub(super) columns: &'a mut [Column],
    pub(super) scratch: &'a mut Scratch,
    pub(super) mismatch: Option<Mismatch>,
}

impl Walk<'_> {
    /// Reads the whole document. Columns hold one more entry where it fits; a caller that finds a
    /// fault or a mismatch takes it back.
    pub(super) fn document(&mut self) -> Parsed<()> {
        self.scratch.record += 1;
        self.scratch.keys.clear();
        self.cursor.space();
        if self.cursor.peek() == b'{' {
            self.object(0, 0)?;
        } else {
            let what = What::NoObject(self.kind_of_next());
            self.cursor.skip(&mut self.scratch.keys, 0)?;
            self.note(usize::MAX, what);
        }
        self.cursor.space();
        if self.cursor.at == self.cursor.bytes.len() {
            Ok(())
        } else {
            Err(self.cursor.fault("the end of the document"))
        }
    }

    fn object(&mut self, index: usize, depth: u8) -> Parsed<()> {
        let depth = self.cursor.deeper(depth)?;
        let tree = self.tree;
        let branch = &tree.objects[index];
        let mark = self.scratch.keys.mark();
        let mut next = 0;
        let mut found = 0;
        self.cursor.at += 1;
        self.cursor.space();
        let mut more = !self.cursor.take(b'}');
        while more {
            let (count, run) = self.usual_members(branch, next);
            (next, found) = (next + count, found + count);
            match run {
                Run::Key => self.cursor.space(),
                Run::Value => {
                    more = self.cursor.more(b'}', "`,` or `}`")?;
                    continue;
                }
                Run::Object => break,
            }
            self.cursor.expect(b'"', "a key")?;
            let at = self.cursor.at;
            if let Some(place) = self.key(branch)? {
                let member = &branch.members[place];
                if std::mem::replace(&mut self.scratch.seen[member.rank], self.scratch.record)
                    == self.scratch.record
                {
                    return Err(duplicate(at));
                }
                next = place + 1;
                found += 1;
                self.cursor.colon()?;
                self.member(member, depth)?;
            } else {
                if branch.closed {
                    self.note(usize::MAX, What::Undeclared(index));
                }
                self.cursor.colon()?;
                self.cursor.skip(&mut self.scratch.keys, depth)?;
            }
            more = self.cursor.more(b'}', "`,` or `}`")?;
        }
        self.scratch.keys.distinct(mark, self.cursor.bytes)?;
        if found < branch.members.len() {
            self.missing(branch);
        }
        Ok(())
    }

    /// Reads a key: the index of the member it names.
    fn key(&mut self, branch: &Branch) -> Parsed<Option<usize>> {
        let at = self.cursor.at;
        let key = self.cursor.text()?;
        let keys = &mut self.scratch.keys;
        if !key.escaped {
            let found = branch.find(&self.cursor.bytes[key.inside.clone()]);
            if found.is_none() {
                keys.push(at, key.inside, false);
            }
            return Ok(found);
        }
        let range = keys.resolve(&self.cursor.bytes[key.inside]);
        let found = branch.find(keys.resolved(range.clone()));
        if found.is_none() {
            keys.push(at, range, true);
        }
        Ok(found)
    }

    fn member(&mut self, member: &Member, depth: u8) -> Parsed<()> {
        if self.cursor.peek() == b'n' {
            self.cursor.literal("null")?;
            match member.target {
                _ if !member.nullable => self.note(member.rank, What::Got("null")),
                Target::Column(column) => self.columns[column].push_null(),
                // Its columns are filled up with nulls, as if it were missing.
                Target::Object(_) => {}
            }
            return Ok(());
        }
        let got = match member.target {
            Target::Object(index) if self.cursor.peek() == b'{' => {
                return self.object(index, depth);
            }
            Target::Object(_) => {
                let got = self.kind_of_next();
                self.cursor.skip(&mut self.scratch.keys, depth)?;
                Some(got)
            }
            Target::Column(column) => self.value(column, depth)?,
        };
        if let Some(got) = got {
            self.note(member.rank, What::Got(got));
        }
        Ok(())
    }

    fn missing(&mut self, branch: &Branch) {
        let unseen = |m: &&Member| m.required && self.scratch.seen[m.rank] != self.scratch.record;
        if let Some(rank) = branch.members.iter().find(unseen).map(|m| m.rank) {
            self.note(rank, What::Missing);
        }
    }

    /// Keeps the complaint that comes first in the schema.
    #[cold]
    fn note(&mut self, rank: usize, what: What) {
        let mismatch = Mismatch { rank, what };
        self.mismatch = Some(self.mismatch.map_or(mismatch, |first| first.min(mismatch)));
    }

    /// Passes over a value of another kind, and says which.
    #[cold]
    pub(super) fn other(&mut self, depth: u8) -> Parsed<Option<&'static str>> {
        let got = self.kind_of_next();
        self.cursor.skip(&mut self.scratch.keys, depth)?;
        Ok(Some(got))
    }

    /// Passes over a value of any kind.
    pub(super) fn skip(&mut self, depth: u8) -> Parsed<()> {
        self.cursor.skip(&mut self.scratch.keys, depth)
    }

    fn kind_of_next(&self) -> &'static str {
        match self.cursor.peek() {
            b'"' => "string",
            b'{' => "object",
            b'[' => "array",
            b't' | b'f' => "boolean",
            b'n' => "null",
            _ => "number",
        }
    }
}

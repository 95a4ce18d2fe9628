//! The declared record as the parser walks it.

use super::column::Column;
use crate::schema::{Kind, Object, RecordSchema};

/// A declared record: its objects, the record itself first.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) objects: Vec<Branch>,
    /// Members of all objects.
    pub(super) members: usize,
}

/// One object.
#[derive(Debug)]
pub(super) struct Branch {
    /// Its name for messages; empty for the record.
    pub(super) name: String,
    /// In the order of the schema, which is the order in which records usually come.
    pub(super) members: Vec<Member>,
    /// Indexes of the members, sorted by key.
    sorted: Vec<usize>,
    /// True if no other key may stand in it.
    pub(super) closed: bool,
}

/// A declared key.
#[derive(Debug)]
pub(super) struct Member {
    /// Place among all members, parents before their own: the order of complaints.
    pub(super) rank: usize,
    /// Dotted name, for messages.
    pub(super) name: String,
    key: String,
    /// The key as it usually stands. None if it needs escapes.
    pub(super) usual: Option<Usual>,
    pub(super) required: bool,
    /// True if null is a value.
    pub(super) nullable: bool,
    /// What the value may be, for messages.
    pub(super) expected: String,
    pub(super) target: Target,
}

/// A key as it usually stands, quotes and colon included: `"key":`. What may be up to 16 bytes is
/// compared as two words, which may overlap.
#[derive(Debug)]
pub(super) struct Usual {
    text: Box<[u8]>,
    /// The first bytes, up to eight, and which bits of a word they are.
    head: u64,
    mask: u64,
    /// The last eight bytes of more than eight.
    tail: [u8; 8],
}

impl Usual {
    fn new(key: &str) -> Self {
        let text = format!("\"{key}\":").into_bytes().into_boxed_slice();
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, b| word << 8 | u64::from(*b));
        let head = &text[..text.len().min(8)];
        let (head, mask) = (word(head), word(&[0xff; 8][..head.len()]));
        let tail = text.last_chunk().copied().unwrap_or_default();
        Self { text, head, mask, tail }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// True if it stands at `at`.
    #[inline]
    pub(super) fn begins(&self, document: &[u8], at: usize) -> bool {
        let Some(rest) = document.get(at..) else { return false };
        let Some(first) = rest.first_chunk().filter(|_| self.len() <= 16) else {
            return rest.starts_with(&self.text);
        };
        u64::from_le_bytes(*first) & self.mask == self.head
            && (self.len() <= 8
                || rest.get(self.len() - 8..).and_then(<[u8]>::first_chunk) == Some(&self.tail))
    }
}

/// Where a value goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// Into the column of that index.
    Column(usize),
    /// Into the columns of the object of that index.
    Object(usize),
}

impl Tree {
    /// The tree of a schema and its empty columns.
    pub(super) fn new(schema: &RecordSchema) -> (Self, Vec<Column>) {
        let mut tree = Self { objects: Vec::new(), members: 0 };
        let mut columns = Vec::new();
        tree.add(schema.root(), String::new(), &mut columns);
        (tree, columns)
    }

    fn add(&mut self, object: &Object, name: String, columns: &mut Vec<Column>) -> usize {
        let index = self.objects.len();
        let mut sorted: Vec<usize> = (0..object.fields.len()).collect();
        sorted.sort_by(|a, b| object.fields[*a].key.cmp(&object.fields[*b].key));
        self.objects.push(Branch { name, members: Vec::new(), sorted, closed: object.closed });
        for field in &object.fields {
            let rank = self.members;
            self.members += 1;
            let target = if let Kind::Object(inner) = &field.shape.kind {
                Target::Object(self.add(inner, field.name.clone(), columns))
            } else {
                columns.push(Column::new(&field.shape));
                Target::Column(columns.len() - 1)
            };
            let needs_escape = |c: char| matches!(c, '"' | '\\' | '\0'..='\x1f');
            self.objects[index].members.push(Member {
                rank,
                name: field.name.clone(),
                key: field.key.clone(),
                usual: (!field.key.contains(needs_escape)).then(|| Usual::new(&field.key)),
                required: field.required,
                nullable: field.shape.nullable,
                expected: field.shape.describe(),
                target,
            });
        }
        index
    }
}

impl Branch {
    /// Index of the member of that key.
    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        let of = |index: &usize| self.members[*index].key.as_bytes();
        self.sorted.binary_search_by(|index| of(index).cmp(key)).ok().map(|at| self.sorted[at])
    }
}

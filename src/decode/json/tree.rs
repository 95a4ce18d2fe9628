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
    /// The key as it usually stands behind its opening quote: `key"`. None if it needs escapes.
    pub(super) quoted: Option<Box<[u8]>>,
    pub(super) required: bool,
    /// True if null is a value.
    pub(super) nullable: bool,
    /// What the value may be, for messages.
    pub(super) expected: String,
    pub(super) target: Target,
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
            let quoted = format!("{}\"", field.key).into_bytes().into_boxed_slice();
            self.objects[index].members.push(Member {
                rank,
                name: field.name.clone(),
                key: field.key.clone(),
                quoted: (!field.key.contains(needs_escape)).then_some(quoted),
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

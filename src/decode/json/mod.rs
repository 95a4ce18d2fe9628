//! JSON (RFC 8259): one pass over the bytes, straight into the columns that the schema declares.
//!
//! The parser accepts what `serde_json` accepts and refuses what it refuses, so that the complete
//! validator sees the same documents: depth below 128, no lone surrogates, no number beyond a
//! float, no byte order mark, nothing behind the document. Beyond that a key that stands twice in
//! one object, declared or not, makes the document undecodable.
//!
//! `cursor`, `text`, `number` and `skip` are the grammar; `tree` is the declared record; `walk`
//! and `value` bring the two together, and `usual` before them for the members that come as most
//! do; `column` is where values land.

mod column;
mod cursor;
mod number;
mod skip;
mod text;
mod tree;
mod usual;
mod value;
mod walk;

use super::{Build, Decode, DecodeInput, kafka::Metadata};
use crate::{
    batch::{Decoded, Policy, RawBatch, RawRecord, Reason, Rejected, Rejections},
    registry::{self, Component, Problem},
};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{Schema, SchemaRef},
};
use column::Column;
use cursor::{Cursor, Fault};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use tree::Tree;
use walk::{Mismatch, Scratch, Walk, What};

/// Characters of a rejection's detail.
const DETAIL_MAX: usize = 200;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "json",
    summary: "One JSON object per record, read by its JSON Schema.",
    example: "{}",
    details: "RFC 8259, as strictly as `serde_json`: depth below 128, no lone surrogate, no number \
              beyond a float, a key at most once in an object. A field that is absent is null \
              where the schema allows it; JSON has neither NaN nor infinities.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build: |input| Ok(Box::new(Json::new(input)?)),
};

/// Options of `json`: none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {}

/// The JSON decoder.
#[derive(Debug)]
struct Json {
    schema: SchemaRef,
    tree: Tree,
    columns: Vec<Column>,
    scratch: Scratch,
    metadata: Metadata,
    record_bytes: u64,
    tombstone: Policy,
}

/// Why a record has no row.
#[derive(Debug)]
enum Refusal {
    Oversize(usize),
    Tombstone,
    Undecodable(Fault),
    Invalid(Mismatch),
}

impl Json {
    fn new(input: &DecodeInput<'_>) -> Result<Self, Problem> {
        let (tree, columns) = Tree::new(input.schema);
        let metadata = Metadata::new(input.headers);
        let fields = metadata.fields(&input.schema.arrow())?;
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            scratch: Scratch::new(&tree),
            tree,
            columns,
            metadata,
            record_bytes: input.record_bytes,
            tombstone: input.tombstone,
        })
    }

    /// Reads one record into row `row`.
    fn record(&mut self, record: &RawRecord<'_>, row: usize) -> Result<(), Refusal> {
        let size = record.size();
        if size as u64 > self.record_bytes {
            return Err(Refusal::Oversize(size));
        }
        let value = record.value.ok_or(Refusal::Tombstone)?;
        let mut walk = Walk {
            cursor: Cursor::new(value),
            tree: &self.tree,
            columns: &mut self.columns,
            scratch: &mut self.scratch,
            mismatch: None,
        };
        let read = walk.document();
        // Nothing but ASCII was read unless a text was, or the reading ended early.
        if (read.is_err() || walk.cursor.has_text)
            && let Err(error) = simdutf8::compat::from_utf8(value)
        {
            let fault = Fault { at: error.valid_up_to(), expected: "UTF-8" };
            return Err(Refusal::Undecodable(fault));
        }
        read.map_err(Refusal::Undecodable)?;
        if let Some(mismatch) = walk.mismatch {
            return Err(Refusal::Invalid(mismatch));
        }
        for column in &mut self.columns {
            if column.len() == row {
                column.push_null();
            }
            debug_assert_eq!(column.len(), row + 1, "one entry per column and record");
        }
        Ok(())
    }

    fn rejected(&self, record: u32, refusal: &Refusal) -> Rejected {
        let (reason, mut detail, policy) = match refusal {
            Refusal::Oversize(size) => {
                let limit = self.record_bytes;
                let detail = format!("{size} bytes, expected at most {limit}");
                (Reason::Oversize, detail, None)
            }
            Refusal::Tombstone => {
                (Reason::Tombstone, "the value is null".to_owned(), Some(self.tombstone))
            }
            Refusal::Undecodable(Fault { at, expected }) => {
                (Reason::Undecodable, format!("byte {at}: expected {expected}"), None)
            }
            Refusal::Invalid(mismatch) => (Reason::Invalid, self.explain(mismatch), None),
        };
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_MAX) {
            detail.truncate(end);
        }
        Rejected { record, reason, stage: reason.stage(), detail, policy }
    }

    fn explain(&self, mismatch: &Mismatch) -> String {
        let mut members = self.tree.objects.iter().flat_map(|object| &object.members);
        let member = members.find(|m| m.rank == mismatch.rank);
        let name = member.map_or("", |m| &m.name);
        let expected = member.map_or("", |m| &m.expected);
        match mismatch.what {
            What::Got(got) => format!("`{name}`: expected {expected}, got {got}"),
            What::Missing => format!("`{name}`: required, but missing"),
            What::NoObject(got) => format!("expected an object, got {got}"),
            What::Undeclared(0) => "expected only declared keys, got another".to_owned(),
            What::Undeclared(object) => {
                let name = &self.tree.objects[object].name;
                format!("`{name}`: expected only declared keys, got another")
            }
        }
    }
}

impl Decode for Json {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn decode(&mut self, raw: &RawBatch, rejected: &mut Rejections) -> Decoded {
        let mut records: Vec<u32> = Vec::with_capacity(raw.len());
        self.columns.iter_mut().for_each(|column| column.reserve(raw.len()));
        for (index, record) in (0..).zip(raw.iter()) {
            match self.record(&record, records.len()) {
                Ok(()) => records.push(index),
                Err(refusal) => {
                    // Its neighbours never see what it left.
                    self.columns.iter_mut().for_each(|column| column.truncate(records.len()));
                    rejected.0.push(self.rejected(index, &refusal));
                }
            }
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        columns.extend(self.columns.iter_mut().map(Column::finish));
        self.metadata.append(raw, &records, &mut columns);
        let columns = RecordBatch::try_new(self.schema(), columns)
            .expect("a column per field, an entry per record");
        Decoded { columns, records }
    }

    fn slow_path_records(&self) -> u64 {
        // The one pass takes every record.
        0
    }
}

#[cfg(test)]
mod tests;

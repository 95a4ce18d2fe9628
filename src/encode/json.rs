//! `json`: an object per vector, its fields in declared order.

use super::{
    Build, Encode, EncodeInput, Envelope, check_schema, column::Column, message::Messages,
};
use crate::{
    batch::{Outbox, Rejections},
    registry::{Component, Problem},
};
use arrow::array::RecordBatch;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "json",
    summary: "Writes each vector as a JSON object with the fields in the declared order.",
    example: "{}",
    schema: super::no_options,
    build: |input| Ok(Box::new(Json::build(input, true)?)),
};

/// Writes JSON straight into the outbox.
#[derive(Debug)]
pub(super) struct Json {
    brackets: [u8; 2],
    /// What stands before each value: the comma, and in an object the quoted name and colon.
    leads: Vec<Vec<u8>>,
    messages: Messages,
}

impl Json {
    /// An encoder that writes objects, or arrays of the values alone.
    pub(super) fn build(input: &EncodeInput<'_>, named: bool) -> Result<Self, Problem> {
        check_schema(input.schema)?;
        let lead = |(index, field): (usize, &arrow::datatypes::FieldRef)| {
            let comma = if index > 0 { "," } else { "" };
            let mut lead = comma.as_bytes().to_vec();
            if named {
                serde_json::to_writer(&mut lead, field.name()).expect("text is JSON");
                lead.push(b':');
            }
            lead
        };
        Ok(Self {
            brackets: if named { *b"{}" } else { *b"[]" },
            leads: input.schema.fields().iter().enumerate().map(lead).collect(),
            messages: Messages::new(input),
        })
    }
}

impl Encode for Json {
    fn encode(
        &mut self,
        envelope: &Envelope<'_>,
        vectors: &RecordBatch,
        out: &mut Outbox,
        rejected: &mut Rejections,
    ) {
        assert_eq!(vectors.num_rows(), envelope.rows.len(), "one row per vector");
        assert_eq!(vectors.num_columns(), self.leads.len(), "one column per field");
        let columns: Vec<Column<'_>> = vectors.columns().iter().map(Column::new).collect();
        let Self { brackets: [open, close], leads, messages } = self;
        messages.push_all(envelope, out, rejected, |row, arena| {
            arena.push(*open);
            for (lead, column) in leads.iter().zip(&columns) {
                arena.extend_from_slice(lead);
                column.write_json(row, arena);
            }
            arena.push(*close);
        });
    }

    fn flush(&mut self, _out: &mut Outbox) {}
}

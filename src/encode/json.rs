//! `json`: an object per vector, its fields in declared order.

use super::{
    Build, Encode, EncodeInput, Envelope, check_schema, column::Column, line::Line,
    message::Messages, text::Constant,
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
    details: "Floats are written with the fewest digits that give them back. Null, NaN and \
              infinities are written `null`.",
    state: "none",
    schema: super::no_options,
    build: |input| Ok(Box::new(Json::build(input, true)?)),
};

/// Writes a line of JSON per vector.
#[derive(Debug)]
pub(super) struct Json {
    brackets: [u8; 2],
    /// What stands before each value: the comma, and in an object the quoted name and colon.
    leads: Vec<Constant>,
    /// Room for a vector's text.
    room: Vec<u8>,
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
            Constant::new(lead)
        };
        Ok(Self {
            brackets: if named { *b"{}" } else { *b"[]" },
            leads: input.schema.fields().iter().enumerate().map(lead).collect(),
            room: Vec::new(),
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
        let Self { brackets: [open, close], leads, room, messages } = self;
        let columns = vectors.columns().iter().map(Column::new);
        let fields: Vec<(&Constant, Column<'_>)> = leads.iter().zip(columns).collect();
        messages.push_all(envelope, out, rejected, |row, arena| {
            arena.extend_from_slice(Line::write(room, |line| {
                line.push(*open);
                for (lead, column) in &fields {
                    lead.write(line);
                    column.write_json(row, line);
                }
                line.push(*close);
            }));
        });
    }

    fn flush(&mut self, _out: &mut Outbox) {}
}

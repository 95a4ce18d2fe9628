//! The Arrow IPC stream of a frame: checked before it is decoded.
//!
//! Arrow's decoder takes lengths on trust: a buffer that is said to lie beyond the message is a
//! panic, an absurd length an allocation. A checksum says that bytes are those that were written,
//! not that whoever wrote them meant well. So every length is compared with what is there first.

use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    datatypes::{DataType, Schema},
    ipc::{self, MessageHeader, MetadataVersion, reader::StreamDecoder},
};

/// Everything in a stream begins at a multiple of so many bytes; arrow panics on what does not.
const ALIGNMENT: usize = 8;

/// What a stream is not.
type Refusal = String;

/// The one record batch of a stream. Its columns are of the types that tables have.
pub(super) fn decode(payload: &[u8]) -> Result<RecordBatch, Refusal> {
    let (schema, rest) = message(payload)?;
    let (batch, rest) = message(rest)?;
    let columns = columns(&schema)?;
    check_batch(&batch, &columns)?;
    // A marker and a length of 0: the stream is complete.
    if rest != [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0] {
        return Err("the stream has no end".to_owned());
    }
    let mut bytes = Buffer::from(payload);
    StreamDecoder::new()
        .decode(&mut bytes)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "the stream has no record batch".to_owned())
}

/// A message of a stream.
struct Message<'a> {
    head: ipc::Message<'a>,
    body_bytes: usize,
}

/// The first message, and what follows its body.
fn message(bytes: &[u8]) -> Result<(Message<'_>, &[u8]), Refusal> {
    let short = || "the stream is shorter than it says".to_owned();
    let (marker, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    if *marker != [0xFF; 4] {
        return Err("a message begins otherwise".to_owned());
    }
    let length = u32::from_le_bytes(*length) as usize;
    if !length.is_multiple_of(ALIGNMENT) {
        return Err("a message is not aligned".to_owned());
    }
    let (head, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    let head = ipc::root_as_message(head).map_err(|error| format!("a message: {error}"))?;
    if head.version() != MetadataVersion::V5 {
        return Err("another version of Arrow IPC".to_owned());
    }
    let body_bytes = usize::try_from(head.bodyLength()).map_err(|_| short())?;
    let (_, rest) = rest.split_at_checked(body_bytes).ok_or_else(short)?;
    Ok((Message { head, body_bytes }, rest))
}

/// The types of the columns, if tables have such.
fn columns(message: &Message<'_>) -> Result<Vec<DataType>, Refusal> {
    let schema = message.head.header_as_schema().filter(|_| message.body_bytes == 0);
    let schema = schema.ok_or("the stream does not begin with a schema")?;
    // Arrow's conversion trusts what it finds; of plain types there is nothing to trust.
    let plain = |field: ipc::Field<'_>| {
        let bits = |int: ipc::Int<'_>| (int.bitWidth() == 64).then_some(int.is_signed());
        let nested = field.children().is_some_and(|children| !children.is_empty());
        if nested || field.dictionary().is_some() || field.name().is_none() {
            return None;
        }
        match field.type_type() {
            ipc::Type::Int => field
                .type_as_int()
                .and_then(bits)
                .map(|signed| if signed { DataType::Int64 } else { DataType::UInt64 }),
            ipc::Type::FloatingPoint => field
                .type_as_floating_point()
                .filter(|float| float.precision() == ipc::Precision::DOUBLE)
                .map(|_| DataType::Float64),
            ipc::Type::Binary => Some(DataType::Binary),
            ipc::Type::Utf8 => Some(DataType::Utf8),
            _ => None,
        }
    };
    let fields = schema.fields().ok_or("a schema without fields")?;
    let types: Option<Vec<DataType>> = fields.iter().map(plain).collect();
    types.ok_or_else(|| "a column of a type that snapshots do not have".to_owned())
}

/// Checks that every buffer lies in the body and is as long as the rows ask.
fn check_batch(message: &Message<'_>, columns: &[DataType]) -> Result<(), Refusal> {
    let is_batch = message.head.header_type() == MessageHeader::RecordBatch;
    let batch = message.head.header_as_record_batch().filter(|_| is_batch);
    let batch = batch.ok_or("a schema is not followed by a record batch")?;
    if batch.compression().is_some() {
        return Err("snapshots are not compressed".to_owned());
    }
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else {
        return Err("a record batch without columns".to_owned());
    };
    let rows = usize::try_from(batch.length()).unwrap_or(usize::MAX);
    // Every value takes a bit at least.
    if rows > message.body_bytes.saturating_mul(8) && rows > 0 {
        return Err("more rows than bytes for them".to_owned());
    }
    let is_variable = |t: &&DataType| matches!(t, DataType::Binary | DataType::Utf8);
    let variable = columns.iter().filter(is_variable).count();
    if nodes.len() != columns.len() || buffers.len() != 2 * columns.len() + variable {
        return Err("as many columns as the schema says".to_owned());
    }
    for node in nodes {
        let nulls = usize::try_from(node.null_count()).unwrap_or(usize::MAX);
        if usize::try_from(node.length()).ok() != Some(rows) || nulls > rows {
            return Err("a column is not as long as the batch".to_owned());
        }
    }
    let mut buffers = buffers.iter();
    for (node, column) in nodes.iter().zip(columns) {
        let widths = match column {
            DataType::Binary | DataType::Utf8 => &[1, size_of::<i32>(), 1][..],
            _ => &[1, size_of::<i64>()][..],
        };
        let lengths = widths.iter().zip(&mut buffers);
        let lengths = lengths.map(|(width, buffer)| length(buffer, *width, message.body_bytes));
        let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
        // The first one tells which values are null.
        if node.null_count() > 0 && lengths[0] < rows.div_ceil(8) {
            return Err("a column has nulls and does not say where".to_owned());
        }
    }
    Ok(())
}

/// The bytes of a buffer of values of a width, if it lies in a body of so many.
fn length(buffer: &ipc::Buffer, width: usize, body_bytes: usize) -> Result<usize, Refusal> {
    let (offset, length) = (buffer.offset().cast_unsigned(), buffer.length().cast_unsigned());
    if !offset.is_multiple_of(ALIGNMENT as u64) || !length.is_multiple_of(width as u64) {
        return Err("a column is not aligned".to_owned());
    }
    let end = buffer.offset().checked_add(buffer.length()).filter(|_| buffer.length() >= 0);
    let end = end.filter(|_| buffer.offset() >= 0).and_then(|end| usize::try_from(end).ok());
    if end.is_none_or(|end| end > body_bytes) {
        return Err("a column lies outside of its message".to_owned());
    }
    usize::try_from(length).map_err(|error| error.to_string())
}

/// True if the batch has these columns, by name and type.
pub(super) fn has_columns(schema: &Schema, columns: &[super::Column]) -> bool {
    let same = |(field, (name, kind)): (&arrow::datatypes::FieldRef, &super::Column)| {
        field.name() == name && *field.data_type() == kind.data_type()
    };
    schema.fields().len() == columns.len() && schema.fields().iter().zip(columns).all(same)
}

//! The usual member of a record: the declared key that comes next, its value as the column takes it,
//! and no white space.
//!
//! Everything here either reads a whole member that the grammar and the schema allow, or nothing:
//! then the member is read again, in the one place that knows every form and what is wrong with it.

use super::{
    column::{Column, Strings, Values},
    number::decimal,
    text::unusual,
    tree::{Branch, Target},
    walk::Walk,
};

/// Where a run of usual members ended.
pub(super) enum Run {
    /// Before a key.
    Key,
    /// Behind a value; what follows is neither a comma nor the end of the object.
    Value,
    /// Behind the object.
    Object,
}

impl Walk<'_> {
    /// Reads the members from `next` on that stand there in their usual form, and says how many
    /// and where that ended.
    #[inline]
    pub(super) fn usual_members(&mut self, branch: &Branch, next: usize) -> (usize, Run) {
        let document = self.cursor.bytes;
        let record = self.scratch.record;
        let mut at = self.cursor.at;
        let mut run = Run::Key;
        let mut count = 0;
        for member in &branch.members[next..] {
            let (Some(usual), Target::Column(column)) = (&member.usual, member.target) else {
                break;
            };
            let seen = &mut self.scratch.seen[member.rank];
            if !usual.begins(document, at) || *seen == record {
                break;
            }
            let Some(end) = self.columns[column].take_usual(document, at + usual.len()) else {
                break;
            };
            *seen = record;
            count += 1;
            match document.get(end) {
                Some(b',') => at = end + 1,
                Some(b'}') => (at, run) = (end + 1, Run::Object),
                _ => (at, run) = (end, Run::Value),
            }
            if !matches!(run, Run::Key) {
                break;
            }
        }
        self.cursor.at = at;
        (count, run)
    }
}

impl Column {
    /// Takes the value that stands at `at`, if it is one of the column in its usual form, and says
    /// where it ends.
    #[inline]
    fn take_usual(&mut self, document: &[u8], at: usize) -> Option<usize> {
        let end = match &mut self.values {
            Values::String(strings) => strings.take_usual(document, at)?,
            Values::Number(values) => {
                let (number, end) = decimal(document, at)?;
                values.push(number.float()?);
                end
            }
            Values::Integer(values) => {
                let (number, end) = decimal(document, at)?;
                values.push(number.integer()?);
                end
            }
            _ => return None,
        };
        self.accept();
        Some(end)
    }
}

impl Strings {
    /// Takes a string in ASCII without escapes that is followed by some bytes of the document.
    #[inline]
    fn take_usual(&mut self, document: &[u8], at: usize) -> Option<usize> {
        let inside = document.get(at..)?.strip_prefix(b"\"")?;
        let mut length = 0;
        let last = loop {
            let word = u64::from_le_bytes(*inside.get(length..)?.first_chunk()?);
            let found = unusual(word);
            if found != 0 {
                let bits = found.trailing_zeros() & !7;
                length += bits as usize / 8;
                break (word >> bits) & 0xff;
            }
            length += size_of::<u64>();
        };
        if last != u64::from(b'"') {
            return None;
        }
        append(inside, length, &mut self.bytes);
        self.end();
        Some(at + length + 2)
    }
}

/// Appends the first `length` bytes. A few are copied with what follows them, which is then cut
/// off: a copy of fixed length costs a few instructions, one of any other length a call.
#[inline]
fn append(bytes: &[u8], length: usize, out: &mut Vec<u8>) {
    match bytes.first_chunk::<16>() {
        Some(chunk) if length <= chunk.len() => {
            let end = out.len() + length;
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&bytes[..length]),
    }
}

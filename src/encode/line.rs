//! The text of one vector while it is written, in room of a fixed size.
//!
//! Nothing grows while values are written, so that a short text costs a comparison and a move or
//! two. Where the room turns out too small the line says so, and is written again in more.

use std::io;

/// Room that a first line gets.
const ROOM_BYTES: usize = 1 << 10;

/// A line being written.
#[derive(Debug)]
pub(super) struct Line<'a> {
    room: &'a mut [u8],
    end: usize,
    is_full: bool,
}

impl Line<'_> {
    /// Writes a line into `room`, which grows until it fits, and gives its text.
    #[inline]
    pub(super) fn write(room: &mut Vec<u8>, write: impl Fn(&mut Line<'_>)) -> &[u8] {
        loop {
            let mut line = Line { room, end: 0, is_full: false };
            write(&mut line);
            let Line { end, is_full, .. } = line;
            if !is_full {
                return &room[..end];
            }
            room.resize(ROOM_BYTES.max(2 * room.len()), 0);
        }
    }

    /// Appends a byte.
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.push_first(&[byte], 1);
    }

    /// Appends the first `length` bytes; there is room only if there is for all of them.
    #[inline]
    pub(super) fn push_first<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        match self.room.get_mut(self.end..).and_then(<[u8]>::first_chunk_mut) {
            Some(place) => {
                *place = *bytes;
                self.end += length;
            }
            None => self.is_full = true,
        }
    }

    /// Appends bytes, of which there are few.
    #[inline]
    pub(super) fn push_all(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        match self.room.get_mut(self.end..end) {
            Some(place) => {
                copy(bytes, place);
                self.end = end;
            }
            None => self.is_full = true,
        }
    }
}

impl io::Write for Line<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push_all(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.push_all(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies up to 32 bytes as their beginning and their end, which may overlap.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        16..=32 => ends::<16>(from, to),
        8..16 => ends::<8>(from, to),
        4..8 => ends::<4>(from, to),
        0..4 => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        _ => to.copy_from_slice(from),
    }
}

#[inline]
fn ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        to.first_chunk_mut::<N>().into_iter().for_each(|to| *to = *first);
        to.last_chunk_mut::<N>().into_iter().for_each(|to| *to = *last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_line_is_its_parts_however_often_its_room_grew(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..60),
            room in 0..100_usize,
        ) {
            let mut room = vec![7; room];
            let text = Line::write(&mut room, |line| {
                for part in &parts {
                    line.push_all(part);
                    line.push_first(b",|", 1);
                }
            });
            let mut expected: Vec<u8> = Vec::new();
            for part in &parts {
                expected.extend_from_slice(part);
                expected.push(b',');
            }
            prop_assert_eq!(text, &expected);
        }
    }
}

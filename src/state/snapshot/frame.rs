//! The bytes of a snapshot file around its contents.
//!
//! ```text
//! magic      8 bytes
//! version    u32
//! header     u32 length, u32 CRC32 of all bytes so far and of the JSON, JSON
//! section    'S', u16 length of the name, u32 length of the payload, name, payload, u32 CRC32
//! ..         a section may come in several frames, one after the other
//! end        'E', u64 number of frames, u32 CRC32 of the CRC32s of header and frames in order
//! ```
//!
//! Numbers are little-endian. A frame's CRC32 covers all its bytes before it, so that a changed
//! length or name is noticed; the end covers which frames there are and in which order. Nothing
//! follows the end.

use super::SnapshotError;
use crc32fast::Hasher;
use std::io::{self, Write};

/// How a snapshot begins. The first byte is no text, the line break notices a transfer as text.
pub(super) const MAGIC: &[u8; 8] = b"\x89MSSNAP\n";

/// Version of this format; raised when an older program could not read what is written.
pub(super) const VERSION: u32 = 1;

/// As many bytes of the beginning of a file hold the whole header.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;

const HEADER: &str = "the header";
const END: &str = "the end";
const SECTION_TAG: u8 = b'S';
const END_TAG: u8 = b'E';

/// Bytes before the JSON of the header.
const PREAMBLE: usize = MAGIC.len() + 12;

/// Writes frames and keeps account of them.
pub(super) struct FrameWriter<'a> {
    out: &'a mut dyn Write,
    frames: u64,
    checksums: Hasher,
}

impl<'a> FrameWriter<'a> {
    /// Writes the beginning of the file.
    pub(super) fn begin(out: &'a mut dyn Write, header: &[u8]) -> io::Result<Self> {
        if PREAMBLE + header.len() > HEADER_BYTES_MAX {
            let what = format!("a header of {} bytes, at most {HEADER_BYTES_MAX}", header.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let length = u32::try_from(header.len()).expect("at most HEADER_BYTES_MAX");
        let start = [&MAGIC[..], &VERSION.to_le_bytes(), &length.to_le_bytes()].concat();
        let checksum = checksum(&[&start, header]);
        out.write_all(&start)?;
        out.write_all(&checksum.to_le_bytes())?;
        out.write_all(header)?;
        let mut checksums = Hasher::new();
        checksums.update(&checksum.to_le_bytes());
        Ok(Self { out, frames: 0, checksums })
    }

    /// Writes one frame of the section of that name.
    pub(super) fn frame(&mut self, name: &str, payload: &[u8]) -> io::Result<()> {
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let name_length = u16::try_from(name.len()).map_err(invalid)?;
        let length = u32::try_from(payload.len()).map_err(invalid)?;
        let mut start = vec![SECTION_TAG];
        start.extend_from_slice(&name_length.to_le_bytes());
        start.extend_from_slice(&length.to_le_bytes());
        start.extend_from_slice(name.as_bytes());
        let checksum = checksum(&[&start, payload]).to_le_bytes();
        self.out.write_all(&start)?;
        self.out.write_all(payload)?;
        self.out.write_all(&checksum)?;
        self.frames += 1;
        self.checksums.update(&checksum);
        Ok(())
    }

    /// Writes the end, without which the file is not a snapshot.
    pub(super) fn end(self) -> io::Result<()> {
        self.out.write_all(&[END_TAG])?;
        self.out.write_all(&self.frames.to_le_bytes())?;
        self.out.write_all(&self.checksums.finalize().to_le_bytes())
    }
}

/// The JSON of the header and what follows it.
pub(super) fn split_header(bytes: &[u8]) -> Result<(&[u8], Frames<'_>), SnapshotError> {
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Err(SnapshotError::NotASnapshot);
    }
    let mut rest = Cursor { bytes, at: MAGIC.len(), what: HEADER.to_owned() };
    let version = rest.u32()?;
    if version > VERSION {
        return Err(SnapshotError::NewerVersion { found: version, known: VERSION });
    }
    let length = rest.u32()? as usize;
    let covered = rest.at;
    let stated = rest.u32()?;
    if length > HEADER_BYTES_MAX {
        return Err(SnapshotError::Checksum { section: HEADER.to_owned() });
    }
    let json = rest.take(length)?;
    if version == 0 || checksum(&[&bytes[..covered], json]) != stated {
        return Err(SnapshotError::Checksum { section: HEADER.to_owned() });
    }
    let mut checksums = Hasher::new();
    checksums.update(&stated.to_le_bytes());
    Ok((json, Frames { rest, count: 0, checksums }))
}

/// The frames of a file, each checked as it is read.
pub(super) struct Frames<'a> {
    rest: Cursor<'a>,
    count: u64,
    checksums: Hasher,
}

impl<'a> Frames<'a> {
    /// Name and payload of the next frame; none behind the last, if the end is as it should be.
    pub(super) fn next(&mut self) -> Result<Option<(&'a str, &'a [u8])>, SnapshotError> {
        self.rest.what = format!("frame {}", self.count + 1);
        let start = self.rest.at;
        match self.rest.take(1)?[0] {
            SECTION_TAG => {}
            END_TAG => return self.end().map(|()| None),
            _ => return Err(SnapshotError::Checksum { section: self.rest.what.clone() }),
        }
        let name_length = usize::from(self.rest.u16()?);
        let length = self.rest.u32()? as usize;
        let name = std::str::from_utf8(self.rest.take(name_length)?)
            .map_err(|_| SnapshotError::Checksum { section: self.rest.what.clone() })?;
        self.rest.what = format!("section `{name}`");
        let payload = self.rest.take(length)?;
        let found = checksum(&[&self.rest.bytes[start..self.rest.at]]);
        let stated = self.rest.u32()?;
        if found != stated {
            return Err(SnapshotError::Checksum { section: self.rest.what.clone() });
        }
        self.count += 1;
        self.checksums.update(&stated.to_le_bytes());
        Ok(Some((name, payload)))
    }

    fn end(&mut self) -> Result<(), SnapshotError> {
        END.clone_into(&mut self.rest.what);
        let frames = self.rest.u64()?;
        let stated = self.rest.u32()?;
        let found = self.checksums.clone().finalize();
        if frames != self.count || stated != found || self.rest.at != self.rest.bytes.len() {
            return Err(SnapshotError::Checksum { section: END.to_owned() });
        }
        Ok(())
    }
}

/// Reads forward and never beyond what is there.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What is being read, for errors.
    what: String,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], SnapshotError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| SnapshotError::truncated(self.what.as_str()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        Ok(self.take(N)?.try_into().expect("as many as were taken"))
    }

    fn u16(&mut self) -> Result<u16, SnapshotError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, SnapshotError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, SnapshotError> {
        self.array().map(u64::from_le_bytes)
    }
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

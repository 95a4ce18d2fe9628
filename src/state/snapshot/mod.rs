//! The state of one partition as bytes: what a snapshot file holds.
//!
//! A file is a header that says of what it is the state, then named tables, each cut into frames
//! of about half a MiB, each frame an Arrow IPC stream with its checksum, then an end that says
//! that all is there. Whoever writes keeps one frame in memory, whoever reads compares every length
//! with the bytes that are there. `frame.rs` has the layout.
//!
//! A component writes its tables under its own name: `digest`, `gates`, `keys`, `clean/0` and
//! `windows/0` count as the pipeline file does, `held` are the records that wait for the
//! watermark. To make a component's state part of snapshots, capture it as something [`Saved`] and
//! read it back from its [`Section`], checking whatever a later use relies on: a wrong table is an
//! error of restoring, never a panic afterwards.

mod error;
mod frame;
mod header;
mod sections;
mod skipped;
mod stream;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use error::SnapshotError;
pub use frame::HEADER_BYTES_MAX;
pub use header::{Header, Ledger, LogPosition};
pub use sections::{Section, Sections, Table, TableSize};
pub use skipped::{NoRange, OffsetRange, Skipped};
pub use table::{Cell, Column, Saved, Saver, TableWriter, Type};

use frame::FrameWriter;
use std::io::{self, Write};

/// Name of the section of records that wait for the watermark.
pub const HELD: &str = "held";

/// Writes a snapshot: `state` is all that a fold keeps. `out` gets frames of about half a MiB in
/// few calls each. The bytes are a function of header and state.
pub fn write(header: &Header, state: &dyn Saved, out: &mut impl Write) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let mut saver = Saver::new(FrameWriter::begin(out, &header)?);
    state.save(&mut saver)?;
    saver.end()
}

/// Reads the header alone. The first [`HEADER_BYTES_MAX`] bytes of a file are always enough;
/// [`SnapshotError::Truncated`] means that the header goes on behind `bytes`.
pub fn read_header(bytes: &[u8]) -> Result<Header, SnapshotError> {
    frame::split_header(bytes).and_then(|(json, _)| parse(json))
}

/// Reads a whole file, and checks that every byte of it is as it was written.
pub fn read(bytes: &[u8]) -> Result<(Header, Sections), SnapshotError> {
    let (json, frames) = frame::split_header(bytes)?;
    Ok((parse(json)?, Sections::read(frames)?))
}

fn parse(json: &[u8]) -> Result<Header, SnapshotError> {
    serde_json::from_slice(json).map_err(|error| {
        // The error's own text may quote what it found.
        let what = format!("not what this version knows, at byte {}", error.column());
        SnapshotError::malformed("header", what)
    })
}

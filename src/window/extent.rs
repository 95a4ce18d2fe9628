//! How far a window reaches: by event time or by rows, with or without its ends.

use crate::{
    aggregate::{EventBuffer, Place, Retention},
    registry::Span,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// Which ends belong to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Closed {
    /// (t - w, t]: the default.
    #[default]
    Right,
    /// [t - w, t]: what SQL's `RANGE BETWEEN w PRECEDING AND CURRENT ROW` is.
    Both,
    /// [t - w, t).
    Left,
    /// (t - w, t).
    None,
}

impl Closed {
    fn left(self) -> bool {
        matches!(self, Self::Both | Self::Left)
    }

    fn right(self) -> bool {
        matches!(self, Self::Right | Self::Both)
    }
}

/// The closed set of window shapes. One more is a design change, so this is an enum, not a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// So many microseconds of event time.
    Time {
        /// Microseconds.
        span_us: i64,
    },
    /// So many records of the key in (event time, offset) order, with or without a value.
    Rows {
        /// Records.
        rows: usize,
    },
}

/// The place of a record in its key's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    /// Where the record lies, or would.
    pub(super) place: Place,
    /// True if the record is in the buffer.
    pub(super) stored: bool,
    /// Event time.
    pub(super) time: i64,
}

impl Own {
    fn end(self) -> Place {
        if self.stored { self.place.after() } else { self.place }
    }
}

/// A shape and its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) shape: Shape,
    pub(super) closed: Closed,
}

impl Extent {
    /// Reads `1h` or `20 rows`.
    pub(super) fn parse(over: &str) -> Option<Shape> {
        if let Some(number) = over.strip_suffix("rows").or_else(|| over.strip_suffix("row")) {
            let rows = number.trim().parse().ok().filter(|rows| *rows > 0)?;
            return Some(Shape::Rows { rows });
        }
        let span_us = Span::parse(over)?.us;
        (span_us > 0).then_some(Shape::Time { span_us })
    }

    /// What of the past a later record can still see.
    pub(super) fn retention(self) -> Retention {
        match self.shape {
            Shape::Time { span_us } => Retention { time_us: Some(span_us), rows: None },
            Shape::Rows { rows } => Retention { time_us: None, rows: Some(rows) },
        }
    }

    /// The events that the window of the record at `own` holds.
    ///
    /// In order of time `own` is the last of its time, since later offsets have not been inserted
    /// yet: the end of a window that holds its record is right behind it. A window by time that
    /// is open on the right holds no event of the record's own time.
    pub(super) fn range(self, buffer: &EventBuffer, own: Own) -> [Place; 2] {
        let Self { shape, closed } = self;
        match shape {
            Shape::Time { span_us } => {
                let past = own.time.saturating_sub(span_us);
                let first = if closed.left() { past } else { past.saturating_add(1) };
                let end = if closed.right() { own.end() } else { buffer.seek(own.time) };
                [buffer.seek(first), end]
            }
            Shape::Rows { rows } => {
                let end = if closed.right() { own.end() } else { own.place };
                let before = match closed {
                    Closed::Right | Closed::Left => rows,
                    Closed::Both => rows.saturating_add(1),
                    Closed::None => rows - 1,
                };
                [buffer.back(end, before), end]
            }
        }
    }
}

/// As `check` prints it.
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::Time { span_us } => {
                let open = if self.closed.left() { '[' } else { '(' };
                let close = if self.closed.right() { ']' } else { ')' };
                write!(f, "{open}t - {}, t{close}", Span { us: span_us })
            }
            Shape::Rows { rows } => {
                let rows = if self.closed == Closed::Both { rows.saturating_add(1) } else { rows };
                let rows = if self.closed == Closed::None { rows - 1 } else { rows };
                let own = if self.closed.right() { "with" } else { "without" };
                write!(f, "last {rows} rows, {own} the record itself")
            }
        }
    }
}

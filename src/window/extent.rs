//! How far a window reaches: by event time, by rows, on a grid, or until a pause.

use super::calendar::Grid;
use crate::{
    aggregate::{EventBuffer, Place, Retention},
    registry::Span,
};
use chrono_tz::Tz;
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

    pub(super) fn right(self) -> bool {
        matches!(self, Self::Right | Self::Both)
    }
}

/// Which of the windows that do not slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// What there is up to the record of the one that the record lies in: the default.
    #[default]
    SoFar,
    /// The one before.
    Previous,
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
    /// A span of a grid, its beginning included.
    Tumbling(Grid, Part),
    /// Events that follow each other with no pause longer than the gap.
    Session {
        /// Microseconds.
        gap_us: i64,
        /// How far back events are looked at, microseconds.
        within_us: i64,
        /// This one or the one before.
        part: Part,
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
    /// Behind the records of its event time that it sees as peers, itself included; none where only
    /// those before it count.
    pub(super) peers_end: Option<Place>,
}

impl Own {
    fn end(self) -> Place {
        if self.stored { self.place.after() } else { self.place }
    }
}

/// A shape, its ends, and what of it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) shape: Shape,
    /// Of windows that slide.
    pub(super) closed: Closed,
    /// How long before the record's event time the window ends, microseconds; of windows by time.
    pub(super) delay_us: i64,
    /// True if the record itself is left out; others of its time are not. Only of windows that would
    /// hold it.
    pub(super) exclude_current: bool,
    /// Length of the tiles it is made of, microseconds; without it, of events. Only of windows by
    /// time, and of tumbling ones that begin and end with a tile.
    pub(super) resolution_us: Option<i64>,
}

impl Extent {
    /// What of the past a later record can still see.
    pub(super) fn retention(self) -> Retention {
        let time_us = match self.shape {
            Shape::Rows { rows } => return Retention { time_us: None, rows: Some(rows) },
            Shape::Time { span_us } => span_us.saturating_add(self.delay_us),
            Shape::Tumbling(grid, Part::SoFar) => grid.reach_us(1),
            Shape::Tumbling(grid, Part::Previous) => grid.reach_us(2),
            Shape::Session { within_us, .. } => within_us,
        };
        Retention { time_us: Some(time_us), rows: None }
    }

    /// The events that the window of the record at `own` holds.
    ///
    /// Without peers `own` is the last of its time, since later offsets have not been inserted yet:
    /// the end of a window that holds its record is right behind it. With peers it is behind the last
    /// of them, but for a window by rows, which is by place as SQL's ROWS. A window by time that is
    /// open on the right holds no event of the record's own time.
    pub(super) fn range(self, buffer: &EventBuffer, own: Own) -> [Place; 2] {
        match self.shape {
            Shape::Time { span_us } => self.range_of_time(span_us, buffer, own),
            Shape::Rows { rows } => self.range_of_rows(rows, buffer, own),
            Shape::Tumbling(grid, Part::SoFar) => {
                [buffer.seek(grid.start(own.time)), self.end(own)]
            }
            Shape::Tumbling(grid, Part::Previous) => {
                let start = grid.start(own.time);
                [buffer.seek(grid.before(start)), buffer.seek(start)]
            }
            Shape::Session { gap_us, within_us, part } => {
                let oldest = buffer.seek(own.time.saturating_sub(within_us));
                let end = self.end(own);
                let start = buffer.back_to_pause(oldest, end, own.time, gap_us);
                match part {
                    Part::SoFar => [start, end],
                    Part::Previous => {
                        let last = buffer.last_time_before(oldest, start);
                        let before = last.map_or(start, |last| {
                            buffer.back_to_pause(oldest, start, last, gap_us)
                        });
                        [before, start]
                    }
                }
            }
        }
    }

    /// The tiles, by number, that the window of a record of that time is made of.
    ///
    /// Ends are rounded outwards: the tile in which the window begins belongs to it as a whole, and
    /// so does the record's own, of which a record in order has seen all that is there.
    pub(super) fn tiles(self, time: i64) -> [i64; 2] {
        let resolution = self.resolution_us.expect("only asked of windows of tiles");
        let [first, last] = match self.shape {
            Shape::Time { span_us } => [time.saturating_sub(span_us).saturating_add(1), time],
            Shape::Tumbling(grid, Part::SoFar) => [grid.start(time), time],
            Shape::Tumbling(grid, Part::Previous) => {
                let start = grid.start(time);
                [grid.before(start), start.saturating_sub(1)]
            }
            Shape::Rows { .. } | Shape::Session { .. } => unreachable!("they have no tiles"),
        };
        [first.div_euclid(resolution), last.div_euclid(resolution)]
    }

    fn end(self, own: Own) -> Place {
        if self.exclude_current { own.place } else { own.peers_end.unwrap_or(own.end()) }
    }

    fn range_of_time(self, span_us: i64, buffer: &EventBuffer, own: Own) -> [Place; 2] {
        let last = own.time.saturating_sub(self.delay_us);
        let past = last.saturating_sub(span_us);
        let first = if self.closed.left() { past } else { past.saturating_add(1) };
        let end = if !self.closed.right() {
            buffer.seek(last)
        } else if self.delay_us > 0 {
            buffer.seek(last.saturating_add(1))
        } else {
            self.end(own)
        };
        [buffer.seek(first), end]
    }

    fn range_of_rows(self, rows: usize, buffer: &EventBuffer, own: Own) -> [Place; 2] {
        let end = if self.closed.right() { own.end() } else { own.place };
        let before = match self.closed {
            Closed::Right | Closed::Left => rows,
            Closed::Both => rows.saturating_add(1),
            Closed::None => rows - 1,
        };
        [buffer.back(end, before), end]
    }
}

/// As `check` prints it.
impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::Time { span_us } => {
                let open = if self.closed.left() { '[' } else { '(' };
                let close = if self.closed.right() { ']' } else { ')' };
                let reach = Span { us: span_us.saturating_add(self.delay_us) };
                write!(f, "{open}t - {reach}, t")?;
                if self.delay_us > 0 {
                    write!(f, " - {}", Span { us: self.delay_us })?;
                }
                write!(f, "{close}")?;
            }
            Shape::Rows { rows } => {
                let rows = if self.closed == Closed::Both { rows.saturating_add(1) } else { rows };
                let rows = if self.closed == Closed::None { rows - 1 } else { rows };
                let own = if self.closed.right() { "with" } else { "without" };
                write!(f, "last {rows} rows, {own} the record itself")?;
            }
            Shape::Tumbling(grid, part) => {
                let which = if part == Part::SoFar { "this" } else { "the previous" };
                let zone = grid.zone.map_or("UTC", Tz::name);
                write!(f, "{which} {} of {zone}", Span { us: grid.span_us })?;
                if grid.offset_us > 0 {
                    write!(f, ", begun {} later", Span { us: grid.offset_us })?;
                }
            }
            Shape::Session { gap_us, within_us, part } => {
                let which = if part == Part::SoFar { "this" } else { "the previous" };
                let (gap, within) = (Span { us: gap_us }, Span { us: within_us });
                write!(f, "{which} session, pauses up to {gap}, of the last {within}")?;
            }
        }
        if self.exclude_current {
            write!(f, " without the record itself")?;
        }
        match self.resolution_us {
            Some(us) => write!(f, ", in tiles of {}", Span { us }),
            None => Ok(()),
        }
    }
}

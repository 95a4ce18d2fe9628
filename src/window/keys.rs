//! The keys of a window that say which records it holds.

use super::{
    calendar::{DAY_US, Grid},
    extent::{Closed, Extent, Part, Shape},
};
use crate::{
    aggregate::{Kept, Per},
    registry::{self, Node, Problem, Span, time_zone},
};
use serde::{Deserialize, de::IgnoredAny};

/// One of `over`, `tumbling` and `session` says the shape; the rest belongs to some of them.
///
/// * `over: 1h` or `over: 20 rows` slides: with `closed` ends; by time with a `delay`, for labels and
///   facts that become known later, and with `exclude_current`, which leaves the record itself out;
/// * `tumbling: 1d`, with an `offset` and days of a `zone`, and `session: 30m`, looked for `within`
///   so much time, stand still: `part: so_far` is up to the record, `previous` the one before;
/// * `resolution: 5m` makes a long one of time, or one that stands still, of tiles instead of events;
/// * `by` tells categories apart, see [`By`](super::by::By);
/// * none of them is for what remembers without a window (ewma): `per` key or partition, a key begun
///   anew after `forget_after` without a value, `exclude_current` for what there was before;
/// * `where` and `min_count` belong to all: below so many values there is nothing but the count.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    over: Option<String>,
    tumbling: Option<String>,
    session: Option<String>,
    pub(super) of: Option<String>,
    #[serde(rename = "by")]
    _by: Option<IgnoredAny>,
    #[serde(rename = "where")]
    _condition: Option<IgnoredAny>,
    #[serde(default)]
    closed: Closed,
    delay: Option<Span>,
    #[serde(default)]
    exclude_current: bool,
    #[serde(default)]
    part: Part,
    offset: Option<Span>,
    zone: Option<String>,
    within: Option<Span>,
    resolution: Option<Span>,
    per: Option<Per>,
    forget_after: Option<Span>,
    #[serde(default)]
    pub(super) min_count: u64,
    #[serde(rename = "compute")]
    _compute: IgnoredAny,
}

/// A time or a number of rows, in words.
const OVER: &str = "a duration such as 1h, or a number of rows such as 20 rows";
const SHAPES: &str = "one of `over: 1h`, `over: 20 rows`, `tumbling: 1d`, `session: 30m`";

impl Keys {
    /// Reads them, and no others.
    pub(super) fn read(node: &Node) -> Result<Self, Problem> {
        if node.as_map().is_none() {
            return Err(Problem::new(node.at, format!("wrong type: {}", node.kind()))
                .expected("a window such as { over: 1h, of: amount, compute: [mean] }"));
        }
        registry::options(node)
    }

    /// True if a shape is given.
    pub(super) fn have_shape(&self) -> bool {
        self.over.is_some() || self.tumbling.is_some() || self.session.is_some()
    }

    /// How an aggregate without a window is kept.
    pub(super) fn kept(&self, node: &Node) -> Result<Kept, Problem> {
        let takes = &["exclude_current", "per", "forget_after"];
        refuse_what_does_not_belong(node, "what has no window", takes)?;
        if node.get("by").is_some() {
            return Err(Problem::new(node.at("by"), "`by` beside what has no window")
                .expected("`where`, in an entry for each category"));
        }
        let kept = Kept {
            per: self.per.unwrap_or_default(),
            forget_after: self.forget_after,
            exclude_current: self.exclude_current,
            min_count: self.min_count,
        };
        kept.check(node).map(|()| kept)
    }

    /// The window, and how the names of its columns end.
    pub(super) fn extent(&self, node: &Node) -> Result<(Extent, String), Problem> {
        let (shape, mut suffix) = match (&self.over, &self.tumbling, &self.session) {
            (Some(over), None, None) => sliding(over.trim(), node)?,
            (None, Some(span), None) => self.tumbling(span, node)?,
            (None, None, Some(gap)) => self.session(gap, node)?,
            (None, None, None) => {
                return Err(Problem::new(node.at, "a window without a length").expected(SHAPES));
            }
            _ => return Err(Problem::new(node.at, "a window of two shapes").expected(SHAPES)),
        };
        refuse_what_other_shapes_have(shape, node)?;
        if let Some(delay) = node.get("delay").and_then(Node::as_str) {
            let delay: String = delay.split_whitespace().collect();
            suffix = format!("{suffix}_delay_{delay}");
        }
        let delay_us = self.delay.map_or(0, |delay| delay.us);
        let (closed, exclude_current) = (self.closed, self.exclude_current);
        let ends_before = !closed.right() || delay_us > 0 || self.part == Part::Previous;
        if exclude_current && ends_before {
            let what = "a window that does not hold the record anyhow";
            return Err(Problem::new(node.at("exclude_current"), what)
                .expected("`exclude_current`, or what lets the window end before the record"));
        }
        let resolution_us = self.resolution(shape, node)?;
        Ok((Extent { shape, closed, delay_us, exclude_current, resolution_us }, suffix))
    }

    /// The length of tiles, of a window whose ends can be theirs.
    fn resolution(&self, shape: Shape, node: &Node) -> Result<Option<i64>, Problem> {
        let Some(resolution) = self.resolution else { return Ok(None) };
        for key in ["closed", "delay"] {
            if node.get(key).is_some() {
                let what = format!("`{key}` beside `resolution`");
                return Err(Problem::new(node.at(key), what).expected(
                    "one of them: a window of tiles ends at the record, its ends are rounded to tiles",
                ));
            }
        }
        let at = node.at("resolution");
        let fits = |span_us: i64| 0 < resolution.us && resolution.us < span_us;
        match shape {
            Shape::Time { span_us } if !fits(span_us) => {
                Err(Problem::new(at, format!("tiles of {resolution}"))
                    .expected("less than the window, such as a hundredth of it"))
            }
            Shape::Tumbling(grid, _) if !fits(grid.span_us) || !grid.has_tiles(resolution.us) => {
                Err(Problem::new(at, format!("tiles of {resolution}")).expected(
                    "tiles that fill the spans: a part of `tumbling` and of `offset`, without `zone`",
                ))
            }
            _ => Ok(Some(resolution.us)),
        }
    }

    fn tumbling(&self, span: &str, node: &Node) -> Result<(Shape, String), Problem> {
        let span_us = duration(span, "tumbling", node)?;
        let zone = self.zone.as_deref().map(|name| time_zone(name, node.at("zone"))).transpose()?;
        if zone.is_some() && span_us % DAY_US != 0 {
            return Err(Problem::new(node.at("tumbling"), format!("`{span}` in a time zone"))
                .expected("whole days; shorter spans are those of UTC, without `zone`"));
        }
        let grid = Grid { span_us, offset_us: self.offset.map_or(0, |offset| offset.us), zone };
        Ok((Shape::Tumbling(grid, self.part), self.standing(span, "tumbling")))
    }

    fn session(&self, gap: &str, node: &Node) -> Result<(Shape, String), Problem> {
        let gap_us = duration(gap, "session", node)?;
        let Some(within) = self.within else {
            return Err(Problem::new(node.at("session"), "a session without a bound").expected(
                "`within: 1d` beside it, how far back its events are looked for and kept",
            ));
        };
        if within.us <= gap_us {
            return Err(Problem::new(
                node.at("within"),
                format!("within {within}, less than a pause"),
            )
            .expected("how long sessions may be, or more, such as 1d"));
        }
        let shape = Shape::Session { gap_us, within_us: within.us, part: self.part };
        Ok((shape, self.standing(gap, "session")))
    }

    /// How the columns of a window that does not slide are named.
    fn standing(&self, length: &str, shape: &str) -> String {
        let length: String = length.split_whitespace().collect();
        match self.part {
            Part::SoFar => format!("{length}_{shape}"),
            Part::Previous => format!("{length}_{shape}_previous"),
        }
    }
}

/// `1h` or `20 rows`.
fn sliding(over: &str, node: &Node) -> Result<(Shape, String), Problem> {
    let wrong = || {
        Problem::new(node.at("over"), format!("`{over}` is no length of a window")).expected(OVER)
    };
    if let Some(number) = over.strip_suffix("rows").or_else(|| over.strip_suffix("row")) {
        let rows = number.trim().parse().ok().filter(|rows| *rows > 0).ok_or_else(wrong)?;
        return Ok((Shape::Rows { rows }, format!("{rows}r")));
    }
    let span = Span::parse(over).filter(|span| span.us > 0).ok_or_else(wrong)?;
    Ok((Shape::Time { span_us: span.us }, over.split_whitespace().collect()))
}

fn duration(text: &str, key: &str, node: &Node) -> Result<i64, Problem> {
    let span = Span::parse(text).filter(|span| span.us > 0).ok_or_else(|| {
        Problem::new(node.at(key), format!("`{text}` is no duration"))
            .expected("a number with a unit, such as 30m, 1h or 1d")
    })?;
    Ok(span.us)
}

/// Keys that say something about some shapes, and what to write instead where they do not.
const OF_SOME_SHAPES: [(&str, &str); 10] = [
    ("closed", "`closed` with `over`; spans of a grid and sessions have their ends"),
    ("delay", "`delay` with `over: 1h`, or `part: previous`"),
    ("exclude_current", "`closed: left`, the rows before the record"),
    ("part", "`part` with `tumbling` or `session`"),
    ("offset", "`offset` with `tumbling`"),
    ("zone", "`zone` with `tumbling`"),
    ("within", "`within` with `session`"),
    ("resolution", "`resolution` with `over: 30d` or `tumbling`"),
    ("per", "`per` with what has no window, such as ewma"),
    ("forget_after", "`forget_after` with what has no window, such as ewma"),
];

fn refuse_what_other_shapes_have(shape: Shape, node: &Node) -> Result<(), Problem> {
    let (name, takes): (_, &[&str]) = match shape {
        Shape::Time { .. } => ("a duration", &["closed", "delay", "exclude_current", "resolution"]),
        Shape::Rows { .. } => ("a number of rows", &["closed"]),
        Shape::Tumbling(..) => {
            ("`tumbling`", &["part", "offset", "zone", "exclude_current", "resolution"])
        }
        Shape::Session { .. } => ("`session`", &["part", "within", "exclude_current"]),
    };
    refuse_what_does_not_belong(node, name, takes)
}

fn refuse_what_does_not_belong(node: &Node, name: &str, takes: &[&str]) -> Result<(), Problem> {
    let does_not_belong =
        |(key, _): &&(&str, &str)| !takes.contains(key) && node.get(key).is_some();
    let Some((key, instead)) = OF_SOME_SHAPES.iter().find(does_not_belong) else { return Ok(()) };
    Err(Problem::new(node.at(key), format!("`{key}` beside {name}")).expected(*instead))
}

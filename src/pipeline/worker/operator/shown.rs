//! Where a partition stands, for people and as JSON.

use super::super::{metadata::Metadata, place::Place, recovery::Looked};
use crate::{
    source::Lookup,
    state::snapshot::{Ledger, OffsetRange},
};
use serde::Serialize;
use std::fmt;

/// What is committed of a partition, what is stored, and what a start would decide.
#[derive(Debug, Serialize)]
pub struct Shown {
    topic: String,
    partition: i32,
    /// First offset in the log, and the one behind the last.
    log: OffsetRange,
    committed: Option<i64>,
    /// None where the position is not millstream's.
    metadata: Option<ShownMetadata>,
    /// Positions of snapshots of this definition, newest first.
    snapshots: Vec<i64>,
    /// `STARTS`, or the code of the stop.
    code: &'static str,
    decision: String,
}

#[derive(Debug, Serialize)]
struct ShownMetadata {
    state_hash: String,
    /// True if it is the pipeline file's.
    current: bool,
    origin: i64,
    digest: Option<String>,
    watermark: Option<i64>,
    totals: Ledger,
    snapshot: Option<i64>,
    /// Ticks at the committed offset, and the lowest offset of a held record.
    tick: u32,
    lowest_held: Option<i64>,
    skipped: Vec<OffsetRange>,
}

impl Shown {
    pub(super) fn new(lookup: &Lookup, looked: &Looked, place: &Place) -> Self {
        let committed = lookup.committed.as_ref();
        let metadata =
            committed.and_then(|c| Metadata::parse(&c.metadata)).map(|m| ShownMetadata {
                state_hash: format!("{:016x}", m.state_hash),
                current: m.state_hash == place.state_hash,
                origin: m.origin,
                digest: m.digest.map(|digest| format!("{digest:016x}")),
                watermark: m.watermark,
                totals: m.ledger,
                snapshot: m.snapshot.map(|at| at.offset),
                tick: m.tick,
                lowest_held: m.lowest_held,
                skipped: m.skipped.into(),
            });
        let (code, decision) = match &looked.decision {
            Ok(start) if start.fresh => {
                ("STARTS", format!("begins empty at offset {}", start.committed.offset))
            }
            Ok(start) => {
                let from = match (start.snapshots.first(), start.empty_from()) {
                    (Some(at), _) => format!("the snapshot at offset {at}"),
                    (None, Some(at)) if !start.has_origin => {
                        format!("offset {at}, nothing before it matters any more")
                    }
                    (None, _) => format!("the origin, offset {}", start.origin),
                };
                let committed = start.committed;
                ("STARTS", format!("rebuilds from {from}, publishes from offset {committed} on"))
            }
            Err(stop) => (stop.code(), stop.to_string()),
        };
        Self {
            topic: looked.key.topic.clone(),
            partition: looked.key.partition,
            log: OffsetRange { from: lookup.low, to: lookup.high },
            committed: committed.map(|committed| committed.offset),
            metadata,
            snapshots: looked.entries.iter().map(|e| e.name.position.offset).collect(),
            code,
            decision,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, log: OffsetRange { from, to }, .. } = self;
        writeln!(f, "{topic}/{partition}")?;
        writeln!(f, "log         {from} to {to}")?;
        match self.committed {
            Some(committed) => writeln!(f, "committed   {committed}")?,
            None => writeln!(f, "committed   nothing")?,
        }
        if let Some(metadata) = &self.metadata {
            write!(f, "{metadata}")?;
        } else if self.committed.is_some() {
            writeln!(f, "metadata    not millstream's")?;
        }
        writeln!(f, "stored      {}", listed(&self.snapshots))?;
        write!(f, "a start     {}: {}", self.code, self.decision)
    }
}

impl fmt::Display for ShownMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = if self.current { "" } else { ", another definition's" };
        writeln!(f, "state       {}{other}, origin {}", self.state_hash, self.origin)?;
        let digest = self.digest.as_deref().unwrap_or("not comparable");
        writeln!(f, "digest      {digest}")?;
        let Ledger { consumed, published, rejected, dropped, held } = self.totals;
        writeln!(
            f,
            "totals      consumed {consumed} = published {published} + rejected {rejected} + \
             dropped {dropped} + held {held}"
        )?;
        if let Some(watermark) = self.watermark {
            writeln!(f, "watermark   {watermark} us")?;
        }
        if let Some(snapshot) = self.snapshot {
            writeln!(f, "snapshot    {snapshot}")?;
        }
        if let Some(lowest) = self.lowest_held {
            writeln!(f, "held        from offset {lowest} on")?;
        }
        if self.tick > 0 {
            writeln!(f, "ticks       {} at the committed offset", self.tick)?;
        }
        writeln!(f, "skipped     {}", listed(&self.skipped))
    }
}

fn listed(values: &[impl fmt::Display]) -> String {
    if values.is_empty() {
        return "none".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

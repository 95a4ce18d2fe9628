//! Ticks: a partition that gets no records lets go what it holds.
//!
//! A tick is decided once, by this worker's clock, and from then on it is part of the log: its place
//! is committed with what it released, and every replay makes it again at that place. One that was not
//! committed was not made.

use super::{
    Worker,
    metadata::TICKS_MAX,
    partition::{Beginning, Partition},
    suspects::Event,
};
use crate::{
    batch::{Outbox, RawBatch},
    kafka::TopicPartition,
    pipeline::{Fold, protocol::Limit},
    state::snapshot::{LogPosition, OffsetRange},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tracing::{debug, warn};

impl Worker {
    /// Makes a tick where the partition stands, if it is live, holds records, has got none for the
    /// pipeline's `idle_timeout`, and none waits to be read as far as the client knows.
    pub(super) fn tick_if_idle(
        &mut self,
        id: &TopicPartition,
        events: &mut Vec<(TopicPartition, Event)>,
    ) {
        let Some(idle_us) = self.definition.spec().source.idle_us() else { return };
        if self.protocol.limit(id) != Some(Limit::Emit) {
            return;
        }
        let (Some(partition), Some(at)) = (self.partitions.get_mut(id), self.protocol.position(id))
        else {
            return;
        };
        if !partition.is_idle(idle_us) || partition.astray {
            return;
        }
        let is_at_end =
            self.source.standing(id, at.offset).is_some_and(|(_, end)| at.offset >= end);
        // Who is not sure to be in the group may hold what others have released already.
        if !is_at_end || self.source.is_unsure() {
            return;
        }
        if !partition.has_room_for_tick() {
            self.make_room_for_ticks(id);
            return;
        }
        let tick = LogPosition { tick: at.tick + 1, ..at };
        let held = partition.fold().held();
        match partition.tick(tick, &mut self.outbox) {
            Ok(()) => {
                self.protocol.ticked(id);
                let TopicPartition { topic, partition } = id;
                debug!(topic, partition, position = %tick, held, "idle: what was held is released");
            }
            Err(range) => events.push((id.clone(), Event::TickPanicked(range))),
        }
    }

    /// Makes the tick that a replay has come to.
    pub(super) fn tick_again(
        &mut self,
        id: &TopicPartition,
        events: &mut Vec<(TopicPartition, Event)>,
    ) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        match partition.tick_silently() {
            Ok(()) => {
                if self.protocol.ticked(id) {
                    let next = self.protocol.next(id).unwrap_or_default();
                    self.report.replay_ended(partition, next);
                }
            }
            Err(range) => events.push((id.clone(), Event::TickPanicked(range))),
        }
    }

    /// The commit metadata has room for so many ticks: those before the older of two snapshots leave
    /// it, so that one is hurried for. Until then what is held waits.
    fn make_room_for_ticks(&mut self, id: &TopicPartition) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        if !std::mem::replace(&mut partition.ticks_full, true) {
            let (topic, number) = (&id.topic, id.partition);
            let stored = self.snapshots.are_kept();
            warn!(
                topic,
                partition = number,
                stored,
                "no room for another tick: held records wait for the next two snapshots, or for records"
            );
        }
        self.snapshots.hurry(partition);
    }
}

impl Partition {
    /// Lets go what waits for the watermark, where the partition stands; a replay emits nothing.
    /// A panic gives the offsets that the state then lacks.
    pub(super) fn tick_silently(&mut self) -> Result<(), OffsetRange> {
        let Self { begun, id, .. } = self;
        let log = RawBatch::new(Arc::from(id.topic.as_str()), id.partition);
        ticking(&mut begun.fold, |fold| drop(fold.tick(&log)))
    }

    /// The same, and emits what it gives. `position` is the tick's own.
    pub(super) fn tick(
        &mut self,
        position: LogPosition,
        outbox: &mut Outbox,
    ) -> Result<(), OffsetRange> {
        outbox.set_owner(self.epoch.number());
        let Self { begun: Beginning { fold, emitter, .. }, id, .. } = self;
        let log = RawBatch::new(Arc::from(id.topic.as_str()), id.partition);
        let totals = ticking(fold, |fold| {
            let mut folded = fold.tick(&log);
            emitter.emit(&log, &mut folded, outbox);
            folded.totals
        })?;
        self.pending += &totals;
        self.ticks.0.push(position);
        Ok(())
    }

    /// True if records wait for the watermark and none has come for `idle_us` microseconds.
    pub(super) fn is_idle(&self, idle_us: i64) -> bool {
        let idle = Duration::from_micros(idle_us.unsigned_abs());
        self.batch.is_empty() && self.fold().held() > 0 && self.idle_since.elapsed() >= idle
    }

    /// True if a commit has room for another tick.
    pub(super) fn has_room_for_tick(&self) -> bool {
        self.ticks.0.len() < TICKS_MAX
    }

    /// A snapshot stands in the store: ticks before the one before it need not be known any more.
    pub(super) fn stored(&mut self, position: LogPosition) {
        if self.snapshot.is_some_and(|newest| newest >= position) {
            return;
        }
        let Some(older) = self.snapshot.replace(position) else { return };
        let (ticks, from) = &mut self.ticks;
        let before = ticks.len();
        ticks.retain(|tick| *tick > older);
        if ticks.len() < before {
            *from = Some(older);
            self.ticks_full = false;
        }
    }

    /// The state is that of the committed position. Where it holds other records than the totals say,
    /// which only another definition or a state that began anew does, the totals go on from those: it
    /// gives them an outcome, not the ones that were counted before.
    pub(super) fn reconcile(&mut self) {
        let (held, ledger) = (self.begun.fold.held() as u64, &mut self.begun.ledger);
        if ledger.held == held {
            return;
        }
        let TopicPartition { topic, partition } = &self.id;
        let counted = ledger.held;
        warn!(topic, partition, held, counted, "the state holds other records than were counted");
        ledger.consumed = ledger.consumed - counted + held;
        ledger.held = held;
    }
}

/// Runs a tick, and turns a panic into the first of the offsets that were held.
fn ticking<T>(fold: &mut Fold, tick: impl FnOnce(&mut Fold) -> T) -> Result<T, OffsetRange> {
    let from = fold.lowest_held().unwrap_or_default();
    let result = catch_unwind(AssertUnwindSafe(|| tick(fold)));
    result.map_err(|_| OffsetRange { from, to: from + 1 })
}

//! The thread that has an eye on partitions without a member, where members are static.

use crate::{
    kafka::TopicPartition,
    pipeline::{clock, tasks},
    source::{Caretaker, SourceError},
    telemetry::Metrics,
};
use rand::Rng as _;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tracing::{info, warn};

/// Between two looks. A partition without a member in two of them is helped.
const INTERVAL: Duration = Duration::from_secs(5);
/// Each process waits for so long at most before it acts: one is enough.
const JITTER: Duration = Duration::from_secs(3);
/// Longest wait for the part of who knocks in the rebalance.
const KNOCK: Duration = Duration::from_secs(30);

/// Starts the thread.
pub(super) fn watch(
    mut caretaker: Caretaker,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
) -> io::Result<()> {
    let work = move || {
        let mut before = Vec::new();
        while sleep(INTERVAL, &stop) {
            before = look(&mut caretaker, &metrics, &stop, &before).unwrap_or_else(|error| {
                warn!(%error, "not known which partitions are without a member, trying again");
                Vec::new()
            });
        }
    };
    // Not waited for at the end: it may just be asking.
    tasks::thread("vacancies".to_owned(), work).map(drop)
}

/// Looks once and acts on what was vacant the last time too. Returns what to remember.
fn look(
    caretaker: &mut Caretaker,
    metrics: &Metrics,
    stop: &AtomicBool,
    before: &[TopicPartition],
) -> Result<Vec<TopicPartition>, SourceError> {
    let still = |now: &[TopicPartition]| now.iter().any(|id| before.contains(id));
    let now = caretaker.vacant()?;
    metrics.partitions_vacant.set(i64::try_from(now.len()).unwrap_or(i64::MAX));
    if !still(&now) || !sleep(rand::rng().random_range(Duration::ZERO..JITTER), stop) {
        return Ok(now);
    }
    if !still(&caretaker.vacant()?) {
        return Ok(Vec::new());
    }
    warn!(partitions = now.len(), "no member has these partitions, asking the group to deal anew");
    let began = clock::instant();
    match caretaker.knock(|| began.elapsed() > KNOCK || stop.load(Ordering::Relaxed)) {
        Ok(()) => info!("the group deals its partitions out anew"),
        Err(error) => warn!(%error, "the group was not asked, trying again"),
    }
    Ok(Vec::new())
}

/// False if the process ends.
fn sleep(time: Duration, stop: &AtomicBool) -> bool {
    let began = clock::instant();
    while began.elapsed() < time && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(50));
    }
    !stop.load(Ordering::Relaxed)
}

//! Partitions that the brokers have told this worker to take, in an answer that did not arrive.
//!
//! Where the brokers assign (KIP-848) they tell a member its partitions once. Kafka's own client asks
//! for the whole again after a heartbeat without an answer; librdkafka (2.12.1) does so only where
//! the connection broke, and may go on as before where the answer took longer than the heartbeat's
//! interval. The partition is nobody's then, for good.
//!
//! So after such a heartbeat the worker is suspicious until the brokers have told it partitions anew:
//! it looks now and then at those that it does not have. One that has records and was committed
//! nowhere further in between may be its own, and the worker joins anew to be told. What still stands
//! where it stood then is somebody else's, stopped or slow, and no reason for a while. While it brings
//! states back it does not, or they might never be there.

use super::{Worker, WorkerError, partition::Partition};
use crate::{
    kafka::TopicPartition,
    pipeline::{clock, tasks},
    source::Lookup,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{self, TryRecvError},
    time::{Duration, Instant},
};
use tracing::warn;

/// When is looked first after a missed answer, and then again; the pauses grow from there.
const FIRST: Duration = Duration::from_secs(5);
/// How often is looked at most rarely.
const LAST: Duration = Duration::from_mins(1);
/// For how long a partition that stands still after the worker joined anew is no reason to again.
const NO_REASON_FOR: Duration = Duration::from_mins(5);
/// At least so long passes between two times that the worker joins anew: a member that does moves
/// partitions, which makes others suspicious that miss answers too.
const AT_REST: Duration = Duration::from_secs(30);

/// Committed positions of partitions that have records behind them.
type Waiting = BTreeMap<TopicPartition, Option<i64>>;

/// Whether an answer was missed, and what stood still since.
#[derive(Debug, Default)]
pub(super) struct Overlooked {
    /// When was looked last, or the suspicion arose.
    since: Option<Instant>,
    answer: Option<mpsc::Receiver<Vec<Lookup>>>,
    waiting: Waiting,
    /// Looks since the answer was missed.
    looks: u32,
    /// Where partitions stood when the worker joined anew because of them, and when that was.
    tried: BTreeMap<TopicPartition, (Option<i64>, Instant)>,
    last_tried: Option<Instant>,
}

impl Overlooked {
    /// A heartbeat had no answer.
    fn suspect(&mut self) {
        self.told();
        self.since = Some(clock::instant());
    }

    /// The brokers have told partitions, and with them everything that is the worker's.
    pub(super) fn told(&mut self) {
        let (tried, last_tried) = (std::mem::take(&mut self.tried), self.last_tried);
        *self = Self { tried, last_tried, ..Self::default() };
    }

    /// The pause before the next look: two commits of whoever has the others must fit in.
    fn pause(&self, commit_interval: Duration) -> Duration {
        let grown = FIRST * 2_u32.saturating_pow(self.looks.saturating_sub(1).min(10));
        grown.min(LAST).max(commit_interval * 2)
    }

    /// What waits now and stood where it stands the last time. What is not among the answers is no
    /// news.
    fn stood_still(&mut self, looked: Vec<Lookup>) -> BTreeSet<TopicPartition> {
        self.looks += u32::from(!looked.is_empty());
        let told: BTreeSet<TopicPartition> = looked.iter().map(|l| l.partition.clone()).collect();
        let waiting = waiting(looked);
        self.tried.retain(|id, (at, since)| {
            let is_there = !told.contains(id) || waiting.get(id) == Some(at);
            is_there && since.elapsed() < NO_REASON_FOR
        });
        let still = |(id, at): (&TopicPartition, &Option<i64>)| {
            let is_still = self.waiting.get(id) == Some(at) && !self.tried.contains_key(id);
            is_still.then(|| id.clone())
        };
        let still = waiting.iter().filter_map(still).collect();
        self.waiting.retain(|id, _| !told.contains(id));
        self.waiting.extend(waiting);
        still
    }

    /// True if the worker may join anew again.
    fn is_at_rest(&self) -> bool {
        self.last_tried.is_none_or(|last| last.elapsed() >= AT_REST)
    }

    /// The worker joins anew because of these.
    fn tries(&mut self, still: &BTreeSet<TopicPartition>) {
        let now = clock::instant();
        for id in still {
            self.tried.insert(id.clone(), (self.waiting[id], now));
        }
        self.last_tried = Some(now);
        self.told();
    }
}

/// Those that have records behind their committed position.
fn waiting(lookups: Vec<Lookup>) -> Waiting {
    let position = |lookup: &Lookup| lookup.committed.as_ref().map(|committed| committed.offset);
    lookups
        .into_iter()
        .map(|lookup| (position(&lookup), lookup))
        .filter(|(at, lookup)| at.unwrap_or(lookup.low) < lookup.high)
        .map(|(at, lookup)| (lookup.partition, at))
        .collect()
}

impl Worker {
    /// Looks when it is time to, and joins anew where a partition may have been overlooked.
    pub(super) fn watch_assignment(&mut self) -> Result<(), WorkerError> {
        if self.source.missed_answer() {
            self.overlooked.suspect();
        }
        let Some(since) = self.overlooked.since else { return Ok(()) };
        let Some(answer) = &self.overlooked.answer else {
            if since.elapsed() >= self.overlooked.pause(self.options.commit_interval) {
                self.look_at_others();
            }
            return Ok(());
        };
        let looked = match answer.try_recv() {
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Disconnected) => Vec::new(),
            Ok(looked) => looked,
        };
        (self.overlooked.since, self.overlooked.answer) = (Some(clock::instant()), None);
        let still = self.overlooked.stood_still(looked);
        let is_ready = self.member.has_client() && !self.source.is_unsure() && !self.restores();
        if still.is_empty() || !is_ready || !self.overlooked.is_at_rest() {
            return Ok(());
        }
        let (worker, partitions) = (self.report.worker(), still.len());
        warn!(
            worker,
            partitions,
            "the group may have told us partitions in an answer that was lost, joining anew"
        );
        self.overlooked.tries(&still);
        // Nobody else has them yet: what is done stands, and who takes them next repeats nothing.
        let deadline = clock::instant() + self.options.settle;
        self.settle()?;
        let ours: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        self.last_snapshots(&ours, deadline)?;
        self.join_anew();
        Ok(())
    }

    /// True while states are brought back, from snapshots or the log.
    fn restores(&self) -> bool {
        let replays = |partition: &Partition| partition.replaying.is_some();
        !self.questions.is_empty() || self.partitions.values().any(replays)
    }

    /// Asks, off this thread, where the partitions stand that are not ours.
    fn look_at_others(&mut self) {
        let held: BTreeSet<&TopicPartition> =
            self.protocol.all().chain(self.stopped.keys()).collect();
        let all = self.options.inputs.iter().flat_map(|(topic, count)| {
            (0..*count).map(|partition| TopicPartition { topic: topic.clone(), partition })
        });
        let others: Vec<TopicPartition> = all.filter(|id| !held.contains(id)).collect();
        if others.is_empty() {
            return self.overlooked.told();
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let asker = self.source.asker();
        let work = move || {
            let looked = asker.look_up_as_told(&others);
            drop(asker);
            drop(sender.send(looked));
        };
        tasks::thread("others".to_owned(), work).expect("a thread can be started");
        self.overlooked.answer = Some(receiver);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Committed;

    fn id(partition: i32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition }
    }

    fn lookup(partition: i32, committed: Option<i64>, low: i64, high: i64) -> Lookup {
        let committed = committed.map(|offset| Committed { offset, metadata: Vec::new() });
        Lookup { partition: id(partition), committed, low, high }
    }

    /// Partitions that stand there, with records behind.
    fn seen(positions: &[(i32, i64)]) -> Vec<Lookup> {
        let ahead = |(partition, at): &(i32, i64)| lookup(*partition, Some(*at), 0, at + 1);
        positions.iter().map(ahead).collect()
    }

    #[test]
    fn what_has_records_and_stands_still_may_be_ours() {
        let mut overlooked = Overlooked::default();
        assert!(overlooked.stood_still(seen(&[(1, 10), (2, 20)])).is_empty());
        let still = overlooked.stood_still(seen(&[(1, 10), (2, 25), (3, 0)]));
        assert_eq!(still, [id(1)].into());
    }

    #[test]
    fn no_answer_is_no_news() {
        let mut overlooked = Overlooked::default();
        overlooked.stood_still(seen(&[(1, 10)]));
        assert!(overlooked.stood_still(Vec::new()).is_empty());
        assert!(overlooked.stood_still(seen(&[(2, 20)])).is_empty(), "the other one is not told");
        assert_eq!(overlooked.stood_still(seen(&[(1, 10)])), [id(1)].into());
    }

    #[test]
    fn what_waits_has_records_behind_its_position() {
        let lookups = vec![
            lookup(0, Some(7), 0, 8),
            lookup(1, Some(8), 0, 8),
            lookup(2, None, 3, 4),
            lookup(3, None, 4, 4),
        ];
        assert_eq!(waiting(lookups), [(id(0), Some(7)), (id(2), None)].into());
    }

    #[test]
    fn what_stands_still_after_that_is_somebody_elses() {
        let mut overlooked = Overlooked::default();
        overlooked.stood_still(seen(&[(1, 10), (2, 20)]));
        let still = overlooked.stood_still(seen(&[(1, 10), (2, 25)]));
        assert!(overlooked.is_at_rest());
        overlooked.tries(&still);
        assert!(!overlooked.is_at_rest());
        for _ in 0..3 {
            assert!(overlooked.stood_still(seen(&[(1, 10)])).is_empty());
        }
        // It moved, so that its standing still is news again.
        overlooked.stood_still(seen(&[(1, 11)]));
        assert_eq!(overlooked.stood_still(seen(&[(1, 11)])), [id(1)].into());
    }

    #[test]
    fn looks_get_rarer_and_leave_room_for_commits() {
        let commits = Duration::from_millis(100);
        let mut overlooked = Overlooked::default();
        let pauses: Vec<u64> = (0..8)
            .map(|_| {
                let pause = overlooked.pause(commits).as_secs();
                overlooked.stood_still(vec![lookup(1, Some(8), 0, 8)]);
                pause
            })
            .collect();
        assert_eq!(pauses, [5, 5, 10, 20, 40, 60, 60, 60]);
        assert_eq!(Overlooked::default().pause(Duration::from_secs(10)).as_secs(), 20);
    }

    #[test]
    fn a_heartbeat_without_an_answer_begins_anew_and_partitions_that_are_told_end_it() {
        let mut overlooked = Overlooked::default();
        overlooked.suspect();
        overlooked.stood_still(seen(&[(1, 10)]));
        overlooked.suspect();
        assert!(overlooked.since.is_some() && overlooked.waiting.is_empty());
        overlooked.told();
        assert!(overlooked.since.is_none());
    }
}

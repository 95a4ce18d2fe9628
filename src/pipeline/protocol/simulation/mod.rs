//! A deterministic simulation: seeded schedules of folds, ticks, commits, snapshots, rebalances,
//! crashes, stalls and lost answers over a simulated cluster, with the protocol that the daemon runs.
//!
//! At the end of a schedule every record that does not wait must have exactly one vector, in order,
//! with the value that a fold of the whole log gives, with the ticks that stand at their places. Planted faults must be noticed, and every kind of action
//! must have happened.

mod cluster;
mod fold;
mod worker;

use super::super::failpoint::Mutant;
use cluster::{Cluster, Network, PARTITIONS};
use fold::Fold;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use worker::{Store, Worker};

/// What happened in schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Assigned,
    Revoked,
    Lost,
    Rejoined,
    Unstable,
    Replayed,
    Ticked,
    TickReplayed,
    TickAlone,
    Marker,
    Guarded,
    Committed,
    Fenced,
    Rebalanced,
    Uncertain,
    Stood,
    SentAgain,
    Restored,
    Crashed,
    Restarted,
    Left,
    SessionOver,
    TimedOut,
    SnapshotTaken,
    SnapshotLost,
}

impl Action {
    const ALL: [Self; 25] = [
        Self::Assigned,
        Self::Revoked,
        Self::Lost,
        Self::Rejoined,
        Self::Unstable,
        Self::Replayed,
        Self::Ticked,
        Self::TickReplayed,
        Self::TickAlone,
        Self::Marker,
        Self::Guarded,
        Self::Committed,
        Self::Fenced,
        Self::Rebalanced,
        Self::Uncertain,
        Self::Stood,
        Self::SentAgain,
        Self::Restored,
        Self::Crashed,
        Self::Restarted,
        Self::Left,
        Self::SessionOver,
        Self::TimedOut,
        Self::SnapshotTaken,
        Self::SnapshotLost,
    ];
}

/// How often each action happened.
#[derive(Debug, Default)]
struct Seen(BTreeMap<Action, u64>);

impl Seen {
    fn note(&mut self, action: Action) {
        *self.0.entry(action).or_default() += 1;
    }
}

/// Transactional ids, each of a process that may be up or down.
const WORKERS: usize = 3;

/// Random actions of one schedule, before everything heals.
const ACTIONS: usize = 300;

/// Rounds in which a healed group must have caught up.
const ROUNDS: usize = 400;

struct Simulation {
    random: ChaCha8Rng,
    mutant: Option<Mutant>,
    cluster: Cluster,
    store: Store,
    workers: Vec<Option<Worker>>,
    aborted_divergences: usize,
}

impl Simulation {
    fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            mutant,
            cluster: Cluster::default(),
            store: Store::new(),
            workers: (0..WORKERS).map(|_| None).collect(),
            aborted_divergences: 0,
        }
    }

    /// One schedule. Errors: what is wrong with the output.
    fn run(&mut self, seen: &mut Seen) -> Result<(), String> {
        for _ in 0..ACTIONS {
            let id = self.random.random_range(0..WORKERS);
            match self.random.random_range(0..100) {
                0..12 => self.append(),
                12..15 => self.disturb(id, seen),
                15..16 => self.forget_a_snapshot(seen),
                _ => self.work(id, seen),
            }
        }
        self.heal(seen);
        self.judge()
    }

    fn append(&mut self) {
        let partition = self.random.random_range(0..PARTITIONS);
        let entry = self.random.random_bool(0.9).then(|| self.random.random());
        self.cluster.log[partition].push(entry);
    }

    fn disturb(&mut self, id: usize, seen: &mut Seen) {
        let salt = self.random.random();
        match (self.workers[id].take(), self.random.random_range(0..5)) {
            (None, _) => {
                seen.note(Action::Restarted);
                self.workers[id] = Some(Worker::start(id, &mut self.cluster, self.mutant));
            }
            (Some(gone), 0) => {
                seen.note(Action::Crashed);
                self.aborted_divergences += gone.divergences;
                // Often the session outlives the process, and its transaction too.
                self.cluster.remove(gone.member(), salt);
            }
            (Some(mut gone), 1) => {
                seen.note(Action::Left);
                gone.settle(&mut self.cluster, seen);
                for partition in 0..PARTITIONS {
                    gone.snapshot(partition, &mut self.store);
                }
                self.aborted_divergences += gone.divergences;
                self.cluster.remove(gone.member(), salt);
            }
            (Some(worker), 2 | 3) => {
                seen.note(Action::SessionOver);
                self.cluster.remove(worker.member(), salt);
                self.workers[id] = Some(worker);
            }
            (Some(worker), _) => {
                if self.cluster.time_out(id) {
                    seen.note(Action::TimedOut);
                }
                self.workers[id] = Some(worker);
            }
        }
    }

    fn forget_a_snapshot(&mut self, seen: &mut Seen) {
        if !self.store.is_empty() {
            seen.note(Action::SnapshotLost);
            let index = self.random.random_range(0..self.store.len());
            let key = *self.store.keys().nth(index).expect("in range");
            self.store.remove(&key);
        }
    }

    /// One thing that a worker does in a turn.
    fn work(&mut self, id: usize, seen: &mut Seen) {
        let turn = self.random.random_range(0..PARTITIONS);
        let network = match self.random.random_range(0..20) {
            0 => Network::LosesRequest,
            1 => Network::LosesAnswer,
            _ => Network::Delivers,
        };
        let Self { cluster, store, workers, random, .. } = self;
        let Some(worker) = &mut workers[id] else { return };
        let partition = worker.owned(turn);
        match random.random_range(0..13) {
            12 => worker.tick(partition, seen),
            0 => worker.serve(cluster, store, seen),
            1 => worker.look_up(cluster, store, seen),
            2..5 => worker.fold(partition, cluster, seen),
            5 => worker.send(cluster),
            6 => worker.begin_commit(),
            7 => {
                worker.notice(cluster);
            }
            8 if worker.snapshot(partition, store) => seen.note(Action::SnapshotTaken),
            _ => worker.step(cluster, network, seen),
        }
    }

    /// Everything works again: all processes are up and nothing gets lost.
    fn heal(&mut self, seen: &mut Seen) {
        for id in 0..WORKERS {
            if self.workers[id].is_none() {
                self.workers[id] = Some(Worker::start(id, &mut self.cluster, self.mutant));
            }
        }
        let Self { cluster, store, workers, .. } = self;
        for _ in 0..ROUNDS {
            for worker in workers.iter_mut().flatten() {
                worker.notice(cluster);
                worker.serve(cluster, store, seen);
                worker.look_up(cluster, store, seen);
                for partition in 0..PARTITIONS {
                    worker.fold(partition, cluster, seen);
                }
                worker.send(cluster);
                worker.begin_commit();
                worker.step(cluster, Network::Delivers, seen);
            }
            let caught_up = (0..PARTITIONS).all(|partition| {
                let end = i64::try_from(cluster.log[partition].len()).unwrap();
                cluster
                    .committed(partition)
                    .is_ok_and(|c| c.map_or(0, |c| c.position.offset) == end)
            });
            if caught_up {
                return;
            }
        }
    }

    /// Compares the output with a fold of the whole log.
    fn judge(&self) -> Result<(), String> {
        let divergences: usize = self.workers.iter().flatten().map(|w| w.divergences).sum();
        if divergences + self.aborted_divergences > 0 {
            return Err("a replay arrived at another state".to_owned());
        }
        for partition in 0..PARTITIONS {
            let mut fold = Fold::default();
            let log = &self.cluster.log[partition];
            let committed = self.cluster.committed(partition).ok().flatten();
            let mut ticks = committed.map(|c| c.made).unwrap_or_default().into_iter().peekable();
            let mut expected: Vec<(i64, u64)> = Vec::new();
            for (offset, entry) in (0..).zip(log.iter().map(Some).chain([None])) {
                while ticks.next_if(|tick| tick.offset == offset).is_some() {
                    expected.extend(fold.tick());
                }
                if let Some(entry) = entry {
                    expected.extend(fold.advance(*entry));
                }
            }
            let of_partition = self.cluster.output.iter().filter(|v| v.partition == partition);
            let found: Vec<(i64, u64)> = of_partition.map(|v| (v.offset, v.value)).collect();
            if found != expected {
                return Err(format!("partition {partition}: {found:?}, expected {expected:?}"));
            }
        }
        Ok(())
    }
}

/// Schedules in which nothing may go wrong.
const SCHEDULES: u64 = 100_000;

#[test]
fn no_schedule_loses_repeats_or_changes_a_vector() {
    let (mut seen, mut vectors, mut aborted) = (Seen::default(), 0, 0);
    for seed in 0..SCHEDULES {
        let mut simulation = Simulation::new(seed, None);
        let result = simulation.run(&mut seen);
        assert_eq!(result, Ok(()), "seed {seed}");
        vectors += simulation.cluster.output.len();
        aborted += simulation.cluster.aborted;
    }
    println!("{SCHEDULES} schedules, {vectors} vectors, {aborted} of aborted transactions");
    for action in Action::ALL {
        let count = seen.0.get(&action).copied().unwrap_or_default();
        println!("  {action:?}: {count}");
        assert!(count > 0, "{action:?} never happened: the schedules do not reach it");
    }
}

#[test]
fn every_planted_fault_is_noticed() {
    for mutant in [
        Mutant::NoReplay,
        Mutant::NoEpochCheck,
        Mutant::UnfencedMetadata,
        Mutant::CommitBeforeFlush,
        Mutant::SnapshotUncommitted,
        Mutant::WrongPosition,
        Mutant::ResetToEarliest,
        Mutant::TickForgotten,
    ] {
        let noticed = (0..20_000).find(|seed| {
            let run = || Simulation::new(*seed, Some(mutant)).run(&mut Seen::default());
            std::panic::catch_unwind(run).map_or(true, |result| result.is_err())
        });
        assert!(noticed.is_some(), "{mutant:?} survives");
    }
}

//! A Kafka cluster reduced to what the protocol depends on, with its known weaknesses.
//!
//! A log per partition, a consumer group, a transaction coordinator. The group checks that offsets
//! come from a member of the current generation, never that it owns the partition, and it takes
//! them from somebody without member id. Requests and answers may get lost.

use crate::state::snapshot::LogPosition;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) const PARTITIONS: usize = 3;

/// A vector in the output topic: which record it is of, and the state it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vector {
    pub(super) partition: usize,
    pub(super) offset: i64,
    pub(super) value: u64,
}

/// A committed position, and what is said beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) position: LogPosition,
    pub(super) digest: u64,
    pub(super) ticks: Vec<LogPosition>,
    /// The ticks that were made, for the judge alone.
    pub(super) made: Vec<LogPosition>,
}

/// What a member is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Assigned(usize),
    Revoked(usize),
    Lost(usize),
}

/// How a request ends for the one who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Fenced,
    Rebalanced,
    /// Nobody knows whether it was carried out.
    Uncertain,
}

/// What happens to a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Delivers,
    LosesRequest,
    LosesAnswer,
}

/// Who asks: member id and generation as the client has them, none for who is no member.
pub(super) type Member = Option<(u64, u64)>;

#[derive(Debug, Default)]
struct Open {
    vectors: Vec<Vector>,
    offsets: BTreeMap<usize, Committed>,
}

/// One transactional id at the coordinator.
#[derive(Debug, Default)]
struct Transactional {
    epoch: u64,
    open: Option<Open>,
}

#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// None is the marker of a transaction: it takes an offset and is no record.
    pub(super) log: [Vec<Option<u64>>; PARTITIONS],
    pub(super) output: Vec<Vector>,
    pub(super) aborted: usize,
    committed: [Option<Committed>; PARTITIONS],
    generation: u64,
    members: BTreeSet<u64>,
    owner: [Option<u64>; PARTITIONS],
    target: [Option<u64>; PARTITIONS],
    events: BTreeMap<u64, VecDeque<Event>>,
    asked_back: [bool; PARTITIONS],
    producers: BTreeMap<usize, Transactional>,
    joined: u64,
}

impl Cluster {
    /// A new member joins; everybody has a new generation.
    pub(super) fn join(&mut self) -> u64 {
        self.joined += 1;
        self.members.insert(self.joined);
        self.events.insert(self.joined, VecDeque::new());
        self.rebalance(self.joined);
        self.joined
    }

    /// A member is out: it left, or its session is over, of which it hears later if it still lives.
    pub(super) fn remove(&mut self, member: u64, salt: u64) {
        if !self.members.remove(&member) {
            return;
        }
        let events = self.events.entry(member).or_default();
        events.clear();
        for partition in 0..PARTITIONS {
            if self.owner[partition] == Some(member) {
                events.push_back(Event::Lost(partition));
                self.owner[partition] = None;
                self.asked_back[partition] = false;
            }
        }
        self.rebalance(salt);
    }

    pub(super) fn is_member(&self, member: u64) -> bool {
        self.members.contains(&member)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn next_event(&mut self, member: u64) -> Option<Event> {
        self.events.get_mut(&member)?.pop_front()
    }

    /// The owner grants what it was asked to give back.
    pub(super) fn unassign(&mut self, member: u64, partition: usize) {
        if self.owner[partition] == Some(member) {
            self.owner[partition] = None;
            self.asked_back[partition] = false;
        }
        self.hand_out();
    }

    fn rebalance(&mut self, salt: u64) {
        self.generation += 1;
        let members: Vec<u64> = self.members.iter().copied().collect();
        for partition in 0..PARTITIONS {
            self.target[partition] = (!members.is_empty()).then(|| {
                let turn = partition as u64 + salt;
                members[usize::try_from(turn % members.len() as u64).unwrap()]
            });
        }
        for partition in 0..PARTITIONS {
            if let Some(owner) = self.owner[partition]
                && self.target[partition] != Some(owner)
                && !self.asked_back[partition]
            {
                self.asked_back[partition] = true;
                self.events.entry(owner).or_default().push_back(Event::Revoked(partition));
            }
        }
        self.hand_out();
    }

    /// Partitions without owner go to whom they are meant for.
    fn hand_out(&mut self) {
        for partition in 0..PARTITIONS {
            if let (None, Some(target)) = (self.owner[partition], self.target[partition]) {
                self.owner[partition] = Some(target);
                self.events.entry(target).or_default().push_back(Event::Assigned(partition));
            }
        }
    }

    /// The committed position; an error while a transaction that would move it is open.
    pub(super) fn committed(&self, partition: usize) -> Result<Option<Committed>, Failure> {
        let open = self.producers.values().filter_map(|producer| producer.open.as_ref());
        if open.into_iter().any(|open| open.offsets.contains_key(&partition)) {
            return Err(Failure::Uncertain);
        }
        Ok(self.committed[partition].clone())
    }

    /// A new producer of that id: what the one before had open is over.
    pub(super) fn initialise(&mut self, id: usize) -> u64 {
        self.abort(id);
        let producer = self.producers.entry(id).or_default();
        producer.epoch += 1;
        producer.epoch
    }

    /// The transaction of that id has been open for too long.
    pub(super) fn time_out(&mut self, id: usize) -> bool {
        let open = self.producers.get(&id).is_some_and(|producer| producer.open.is_some());
        if open {
            self.initialise(id);
        }
        open
    }

    fn abort(&mut self, id: usize) {
        let open = self.producers.entry(id).or_default().open.take();
        self.aborted += open.map_or(0, |open| open.vectors.len());
    }

    pub(super) fn produce(&mut self, id: usize, epoch: u64, vector: Vector) -> Result<(), Failure> {
        self.transaction(id, epoch)?.vectors.push(vector);
        Ok(())
    }

    pub(super) fn send_offsets(
        &mut self,
        (id, epoch): (usize, u64),
        member: Member,
        offsets: &[(usize, Committed)],
        network: Network,
    ) -> Result<(), Failure> {
        let fenced = match member {
            // Taken for a client from before members were checked.
            None => false,
            Some((member, generation)) => !self.is_member(member) || generation != self.generation,
        };
        over(network, || {
            if fenced {
                return Err(Failure::Rebalanced);
            }
            self.transaction(id, epoch)?.offsets.extend(offsets.iter().cloned());
            Ok(())
        })
    }

    /// Offsets by themselves, outside of any transaction.
    pub(super) fn commit_offsets(&mut self, offsets: &[(usize, Committed)]) {
        for (partition, committed) in offsets {
            self.committed[*partition] = Some(committed.clone());
        }
    }

    pub(super) fn end(&mut self, id: usize, epoch: u64, network: Network) -> Result<(), Failure> {
        over(network, || {
            self.transaction(id, epoch)?;
            let open = self.producers.get_mut(&id).and_then(|producer| producer.open.take());
            let open = open.expect("it was just there");
            self.output.extend(open.vectors);
            for (partition, committed) in open.offsets {
                self.committed[partition] = Some(committed);
            }
            Ok(())
        })
    }

    fn transaction(&mut self, id: usize, epoch: u64) -> Result<&mut Open, Failure> {
        let producer = self.producers.entry(id).or_default();
        if producer.epoch != epoch {
            return Err(Failure::Fenced);
        }
        Ok(producer.open.get_or_insert_default())
    }
}

/// Carries a request out as the network lets it.
fn over(network: Network, request: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    match network {
        Network::Delivers => request(),
        Network::LosesRequest => Err(Failure::Uncertain),
        Network::LosesAnswer => request().and(Err(Failure::Uncertain)),
    }
}

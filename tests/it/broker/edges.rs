//! The source and the sink by themselves: splitting, metadata, hand-over between two members.

use super::cluster;
use millstream::{
    batch::{MessageParts, Outbox, RawBatch, Target},
    kafka::{self, ClientProperties, ConsumerGroup, TopicPartition},
    sink::{Handed, Sink, Topics},
    source::{Position, Source, SourceEvent},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

fn properties() -> ClientProperties {
    ClientProperties::new([("bootstrap.servers".to_owned(), cluster::bootstrap())])
}

fn join(group: &str, topic: &str) -> Source {
    let group = ConsumerGroup { id: group.to_owned(), instance: None };
    Source::join(&kafka::consumer_config(&properties(), &group), &[topic.to_owned()]).unwrap()
}

fn fill(topic: &str, messages: usize) {
    spread(topic, messages, 2);
}

fn spread(topic: &str, messages: usize, partitions: usize) {
    let topics = Topics { output: topic.to_owned(), dead_letter: None, quality: None };
    let mut sink = Sink::open(&kafka::producer_config(&properties(), 1_000_000), &topics).unwrap();
    let outbox = outbox(messages, partitions);
    assert_eq!(sink.send(&outbox, 0).unwrap().next, messages);
    while sink.poll(Duration::from_millis(1)).unwrap() > 0 {}
}

fn outbox(messages: usize, partitions: usize) -> Outbox {
    let mut outbox = Outbox::default();
    for i in 0..messages {
        let parts = MessageParts {
            target: Target::Output,
            partition: Some(i32::try_from(i % partitions).unwrap()),
            key: Some(b"k"),
            timestamp_ms: Some(1_000 + i64::try_from(i).unwrap()),
        };
        outbox.push(parts, |out| {
            out.extend_from_slice(i.to_string().as_bytes());
            true
        });
    }
    outbox
}

/// The client's thread spins while messages wait behind others that are under way, here for good:
/// nobody listens at the broker's address.
#[test]
fn nothing_is_handed_over_while_something_is_under_way() {
    let nobody =
        ClientProperties::new([("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())]);
    let topics = Topics { output: "t".to_owned(), dead_letter: None, quality: None };
    let mut sink = Sink::open(&kafka::producer_config(&nobody, 1_000_000), &topics).unwrap();
    let outbox = outbox(20, 1);
    // A notice that just comes in counts too.
    until("all taken", || sink.send(&outbox, 5).unwrap() == Handed { next: 20, is_full: false });
    // Notices of the client that nobody has read yet count too.
    assert!(sink.poll(Duration::ZERO).unwrap() >= 15);
    assert_eq!(sink.send(&outbox, 0).unwrap(), Handed { next: 0, is_full: false });
}

/// A member that takes what it is given from the committed position, or the start.
struct Member {
    source: Source,
    next: BTreeMap<TopicPartition, i64>,
    read: usize,
}

impl Member {
    fn new(source: Source) -> Self {
        Self { source, next: BTreeMap::new(), read: 0 }
    }

    fn turn(&mut self) {
        match self.source.serve() {
            Some(SourceEvent::Assigned(partitions)) => {
                let answer = self.source.asker().look_up(&partitions).unwrap();
                let starts: Vec<(TopicPartition, i64)> = answer
                    .into_iter()
                    .map(|l| (l.partition, l.committed.map_or(l.low, |c| c.offset)))
                    .collect();
                self.source.assign(&starts).unwrap();
                self.next.extend(starts);
            }
            Some(SourceEvent::Revoked { partitions, lost }) => {
                assert!(!lost);
                self.commit();
                self.source.unassign(&partitions).unwrap();
                self.next.retain(|p, _| !partitions.contains(p));
            }
            Some(SourceEvent::Failed(error)) => panic!("{error}"),
            None => {}
        }
        for (partition, next) in &mut self.next {
            let mut batch = RawBatch::new(Arc::from(partition.topic.as_str()), partition.partition);
            self.source.consume(partition, (100, *next - 1), &mut batch, |_| {});
            if let Some((first, last)) = batch.offsets() {
                assert_eq!(first, *next, "no gap, no repeat");
                *next = last + 1;
                self.read += batch.len();
            }
        }
        self.source.wait(Duration::from_millis(10)).unwrap();
    }

    fn commit(&self) {
        let positions: Vec<Position> = self
            .next
            .iter()
            .map(|(partition, offset)| Position {
                partition: partition.clone(),
                offset: *offset,
                metadata: format!("at {offset}"),
            })
            .collect();
        self.source.commit(&positions).unwrap();
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
    }
}

/// A new topic, and the one member of its group that has all partitions.
fn alone(partitions: usize) -> (String, Member) {
    let topic = cluster::unique("edges");
    cluster::create(&topic, i32::try_from(partitions).unwrap(), &[]);
    let mut member = Member::new(join(&topic, &topic));
    until("all assigned", || {
        member.turn();
        member.next.len() == partitions
    });
    (topic, member)
}

/// Batch consume once moved the position behind an end-of-partition notice, so that the partition
/// that stays with the first member went on one record too late (librdkafka#4844).
#[test]
fn two_members_hand_partitions_over_without_gap_or_repeat() {
    let topic = cluster::unique("edges");
    cluster::create(&topic, 2, &[]);
    fill(&topic, 1_000);
    let mut first = Member::new(join(&topic, &topic));
    until("all read", || {
        first.turn();
        first.read == 1_000
    });
    let mut second = Member::new(join(&topic, &topic));
    until("one partition each", || {
        first.turn();
        second.turn();
        first.next.len() == 1 && second.next.len() == 1
    });
    fill(&topic, 500);
    until("the rest read", || {
        first.turn();
        second.turn();
        first.read + second.read == 1_500
    });
    assert!(second.read >= 250);
    second.commit();
    let partition = second.next.keys().next().unwrap().clone();
    let answer = second.source.asker().look_up(&[partition]).unwrap();
    let committed = answer[0].committed.clone().unwrap();
    assert_eq!((committed.offset, answer[0].low, answer[0].high), (750, 0, 750));
    assert_eq!(committed.metadata, b"at 750");
}

/// A member that ends while it looks where its partitions stand has told the group that they are its
/// own, and its client nothing. The question may go on for a while: the member must not.
#[test]
fn a_member_that_still_asks_where_its_partitions_stand_leaves_at_once() {
    for (protocol, asks) in
        [("classic", false), ("classic", true), ("consumer", false), ("consumer", true)]
    {
        let topic = cluster::unique("edges");
        cluster::create(&topic, 3, &[]);
        let group = ConsumerGroup { id: topic.clone(), instance: None };
        let properties = ClientProperties::new([
            ("bootstrap.servers".to_owned(), cluster::bootstrap()),
            ("group.protocol".to_owned(), protocol.to_owned()),
        ]);
        let config = kafka::consumer_config(&properties, &group);
        let mut source = Source::join(&config, std::slice::from_ref(&topic)).unwrap();
        until("assigned", || {
            source.wait(Duration::from_millis(10)).unwrap();
            matches!(source.serve(), Some(SourceEvent::Assigned(_)))
        });
        source.assign(&[]).unwrap();
        source.assign(&[(TopicPartition { topic: topic.clone(), partition: 1 }, 0)]).unwrap();
        let asker = asks.then(|| source.asker());
        let (sender, receiver) = mpsc::channel();
        let done = sender.clone();
        thread::spawn(move || {
            drop(source);
            done.send(()).unwrap();
        });
        let ended = receiver.recv_timeout(Duration::from_secs(10));
        assert!(ended.is_ok(), "{protocol}, {asks}: it has not left");
        let mut next = Member::new(Source::join(&config, &[topic]).unwrap());
        until("the next one has all", || {
            next.turn();
            next.next.len() == 3
        });
        thread::spawn(move || {
            drop(asker);
            sender.send(()).unwrap();
        });
        let ended = receiver.recv_timeout(Duration::from_secs(10));
        assert!(ended.is_ok(), "{protocol}, {asks}: the client has not ended");
    }
}

/// The client keeps a pause beyond the assignment.
#[test]
fn a_partition_that_was_stopped_is_fetched_when_it_comes_back() {
    let (topic, mut member) = alone(1);
    let partition = member.next.keys().next().unwrap().clone();
    let one = std::slice::from_ref(&partition);
    member.source.stop_fetching(&partition).unwrap();
    member.source.unassign(one).unwrap();
    assert!(member.source.incremental());
    member.source.assign(&[(partition, 0)]).unwrap();
    spread(&topic, 10, 1);
    until("read", || {
        member.turn();
        member.read == 10
    });
}

/// A revocation that waits to be served is answered when a partition is left between two
/// rebalances: the client then goes on as if everything had been given back.
#[test]
fn a_revocation_that_was_answered_unseen_counts_as_lost() {
    let (topic, mut first) = alone(2);
    let mut second = Member::new(join(&topic, &topic));
    let began = Instant::now();
    until("the first is asked for a partition", || {
        second.turn();
        began.elapsed() > Duration::from_secs(5)
    });
    assert!(second.next.is_empty(), "the first has not given it back");
    let any = first.next.keys().next().unwrap().clone();
    first.source.withdraw(&[any]).unwrap();
    assert!(first.source.is_unsure());
    match first.source.serve() {
        Some(SourceEvent::Revoked { partitions, lost: true }) => {
            assert!(first.source.is_unsure());
            first.source.unassign(&partitions).unwrap();
            first.next.clear();
        }
        other => panic!("{other:?}"),
    }
    // What the first took a moment ago may hide a loss too, until the next turn.
    until("the second has one, and the first is sure", || {
        first.turn();
        second.turn();
        second.next.len() == 1 && !first.source.is_unsure()
    });
}

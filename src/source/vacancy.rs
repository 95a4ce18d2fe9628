//! Partitions that no member of a settled group has, and how the group is made to deal them out.
//!
//! A cooperative rebalance has two halves: partitions are given back, then whoever gave some joins
//! again, so that they are dealt out. A static member that dies in between and comes back under its
//! name is let in as if nothing had happened (KIP-345). There is no second half then, and what it
//! gave back is nobody's until the group rebalances for another reason. A member that comes and
//! goes is one.

use super::{
    group::{Source, SourceError, SourceEvent},
    lookup::describe,
};
use crate::kafka::{Consumer, ConsumerEvents, TopicPartition};
use rdkafka::{ClientConfig, groups::GroupInfo};
use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

/// The state of a group in which every partition should have a member.
const SETTLED: &str = "Stable";

/// Looks after the partitions that a group of static members leaves to nobody.
pub struct Caretaker {
    /// It never joins.
    consumer: Consumer,
    /// Of a member that is forgotten when it leaves.
    config: ClientConfig,
    group: String,
    inputs: BTreeMap<String, i32>,
}

impl Caretaker {
    /// For the group of that name and the partitions of its topics; `config` is that of a member
    /// without a name of its own.
    pub fn new(
        config: ClientConfig,
        group: String,
        inputs: BTreeMap<String, i32>,
    ) -> Result<Self, SourceError> {
        Ok(Self { consumer: apart(&config)?, config, group, inputs })
    }

    /// Partitions that nobody has. None is told of a group that rebalances or has no members, and
    /// none where the brokers do not answer; another client asks then the next time, since this one
    /// may never be answered any more (librdkafka#5301).
    pub fn vacant(&mut self) -> Result<Vec<TopicPartition>, SourceError> {
        let missing = |group: &GroupInfo| {
            let assignments = group.members().iter().map(|member| member.assignment());
            (group.state() == SETTLED).then(|| missing(&self.inputs, assignments))?
        };
        let Ok(found) = describe(&self.consumer, &self.group, missing) else {
            let before = std::mem::replace(&mut self.consumer, apart(&self.config)?);
            // To end it may block.
            thread::spawn(move || drop(before));
            return Ok(Vec::new());
        };
        Ok(found.flatten().unwrap_or_default())
    }

    /// Joins the group for a moment, unless `is_over` before it is in. The members deal everything
    /// out anew; what they have they keep.
    pub fn knock(&self, is_over: impl Fn() -> bool) -> Result<(), SourceError> {
        let topics: Vec<String> = self.inputs.keys().cloned().collect();
        let mut source = Source::join(&self.config, &topics)?;
        while !is_over() {
            match source.serve() {
                // What it was given goes on to the others when it leaves.
                Some(SourceEvent::Assigned(_)) => return source.assign(&[]),
                Some(SourceEvent::Revoked { partitions, .. }) => source.unassign(&partitions)?,
                Some(SourceEvent::Failed(error)) => return Err(SourceError::Fatal(error)),
                None => source.wait(Duration::from_millis(100))?,
            }
        }
        Ok(())
    }
}

/// A client that joins nothing.
fn apart(config: &ClientConfig) -> Result<Consumer, SourceError> {
    config.create_with_context(ConsumerEvents::default()).map_err(SourceError::Create)
}

/// What is in none of the assignments; none if one of them cannot be read.
fn missing<'a>(
    inputs: &BTreeMap<String, i32>,
    assignments: impl Iterator<Item = Option<&'a [u8]>>,
) -> Option<Vec<TopicPartition>> {
    let mut members = 0;
    let mut held = BTreeSet::new();
    for assignment in assignments {
        members += 1;
        held.extend(Assignment(assignment.unwrap_or_default()).read()?);
    }
    let all = inputs.iter().flat_map(|(topic, &count)| {
        (0..count).map(|partition| TopicPartition { topic: topic.clone(), partition })
    });
    (members > 0).then(|| all.filter(|id| !held.contains(id)).collect())
}

/// A member's assignment as it lies in the group: version (i16), then topics, each a string and its
/// partitions (i32), in the encoding of the Kafka protocol; user data follows.
struct Assignment<'a>(&'a [u8]);

impl<'a> Assignment<'a> {
    fn read(mut self) -> Option<Vec<TopicPartition>> {
        // A member that was given nothing.
        if self.0.is_empty() {
            return Some(Vec::new());
        }
        self.take::<2>()?;
        let mut held = Vec::new();
        for _ in 0..self.number()? {
            let length = usize::try_from(i16::from_be_bytes(self.take()?)).ok()?;
            let topic = std::str::from_utf8(self.slice(length)?).ok()?;
            for _ in 0..self.number()? {
                let partition = self.number()?;
                held.push(TopicPartition { topic: topic.to_owned(), partition });
            }
        }
        Some(held)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (slice, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(slice)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `t` with partitions 0 and 2, then user data of length -1.
    const TWO: &[u8] = b"\0\x01\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x02\xff\xff\xff\xff";

    fn vacant(assignments: &[&[u8]]) -> Option<Vec<i32>> {
        let inputs = BTreeMap::from([("t".to_owned(), 4)]);
        let vacant = missing(&inputs, assignments.iter().map(|bytes| Some(*bytes)))?;
        Some(vacant.into_iter().map(|id| id.partition).collect())
    }

    #[test]
    fn what_is_in_no_assignment_is_vacant() {
        assert_eq!(vacant(&[TWO]), Some(vec![1, 3]));
        let other = b"\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x01";
        assert_eq!(vacant(&[TWO, other, b""]), Some(vec![3]));
        assert_eq!(vacant(&[b"\0\0\0\0\0\0"]), Some(vec![0, 1, 2, 3]));
        assert_eq!(vacant(&[]), None, "a group without members is nobody's business");
    }

    #[test]
    fn what_cannot_be_read_is_no_reason_to_act() {
        for length in 1..TWO.len() - 4 {
            assert_eq!(vacant(&[&TWO[..length]]), None, "{length} bytes");
        }
        assert_eq!(vacant(&[b"\0\0\0\0\0\x01\xff\xfft"]), None, "a negative length");
        assert_eq!(vacant(&[b"\0\0\0\0\0\x01\0\x01\xff\0\0\0\0"]), None, "no UTF-8");
    }
}

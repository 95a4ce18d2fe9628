//! Names of snapshots: a pure function of what a snapshot holds, so that two instances that wrote
//! the same state wrote the same object.
//!
//! `{pipeline}/{state_hash}/{topic}/{topic_id or -}/{partition}/{offset}-{tick}-{digest}.snap`

use crate::state::snapshot::{Header, LogPosition};
use object_store::path::Path;
use std::fmt;

const SUFFIX: &str = ".snap";
/// Digits of an offset in a name: names sort as positions do.
const OFFSET_DIGITS: usize = 20;
const TICK_DIGITS: usize = 10;
/// Stands for a topic id that nobody knows; no id is that short.
const NO_TOPIC_ID: &str = "-";

/// A partition under one definition: whose snapshots can stand for each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Hash of what decides the state.
    pub state_hash: String,
    /// Topic.
    pub topic: String,
    /// Id of the topic, where the cluster tells it.
    pub topic_id: Option<String>,
    /// Partition, from 0.
    pub partition: i32,
}

impl PartitionKey {
    /// The partition that a snapshot with this header belongs to.
    pub fn of(header: &Header) -> Self {
        Self {
            pipeline: header.pipeline.clone(),
            state_hash: header.state_hash.clone(),
            topic: header.topic.clone(),
            topic_id: header.topic_id.clone(),
            partition: header.partition,
        }
    }

    /// True for the same partition of the same topic name, whatever definition and topic id.
    pub(super) fn is_same_partition(&self, other: &Self) -> bool {
        (&self.pipeline, &self.topic, self.partition)
            == (&other.pipeline, &other.topic, other.partition)
    }

    fn topic_id_part(&self) -> &str {
        self.topic_id.as_deref().unwrap_or(NO_TOPIC_ID)
    }

    /// Where the snapshots of the partition stand.
    pub(super) fn folder(&self) -> Path {
        let partition = self.partition.to_string();
        path(&[&self.pipeline, &self.state_hash, &self.topic, self.topic_id_part(), &partition])
    }
}

/// The whole name of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Whose state.
    pub partition: PartitionKey,
    /// Where the fold stood.
    pub position: LogPosition,
    /// Rolling digest of the fold there, hexadecimal.
    pub digest: String,
}

impl Name {
    /// The name of the snapshot with this header.
    pub fn of(header: &Header) -> Self {
        Self {
            partition: PartitionKey::of(header),
            position: header.position,
            digest: header.digest.clone(),
        }
    }

    /// Reads a name; none if the object is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [pipeline, state_hash, topic, topic_id, partition, file] = parts[..] else {
            return None;
        };
        let partition: i32 = partition.parse().ok().filter(|partition| *partition >= 0)?;
        let mut fields = file.strip_suffix(SUFFIX)?.splitn(3, '-');
        let offset: i64 = digits(fields.next()?, OFFSET_DIGITS)?.parse().ok()?;
        let tick: u32 = digits(fields.next()?, TICK_DIGITS)?.parse().ok()?;
        let name = Self {
            partition: PartitionKey {
                pipeline: pipeline.to_owned(),
                state_hash: state_hash.to_owned(),
                topic: topic.to_owned(),
                topic_id: (topic_id != NO_TOPIC_ID).then(|| topic_id.to_owned()),
                partition,
            },
            position: LogPosition { offset, tick },
            digest: fields.next()?.to_owned(),
        };
        // One snapshot has one name: `7` and `07` are not both partition 7.
        let fits = parts[..5].iter().all(|part| is_part(part)) && is_digest(&name.digest);
        (fits && name.to_string() == text).then_some(name)
    }

    pub(super) fn location(&self) -> Path {
        let file = self.file();
        assert!(
            self.position.offset >= 0 && is_digest(&self.digest),
            "a snapshot has an offset and a hexadecimal digest: {file}"
        );
        self.partition.folder().join(file)
    }

    fn file(&self) -> String {
        let LogPosition { offset, tick } = self.position;
        format!("{offset:0OFFSET_DIGITS$}-{tick:0TICK_DIGITS$}-{}{SUFFIX}", self.digest)
    }
}

/// The name in the store.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PartitionKey { pipeline, state_hash, topic, partition, .. } = &self.partition;
        let topic_id = self.partition.topic_id_part();
        write!(f, "{pipeline}/{state_hash}/{topic}/{topic_id}/{partition}/{}", self.file())
    }
}

/// The letters of pipelines, hashes, topics and topic ids; they need no escaping anywhere.
fn is_part(part: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !part.is_empty() && part.chars().all(legal) && !part.chars().all(|c| c == '.')
}

fn is_digest(digest: &str) -> bool {
    !digest.is_empty() && digest.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

fn digits(text: &str, count: usize) -> Option<&str> {
    (text.len() == count && text.chars().all(|c| c.is_ascii_digit())).then_some(text)
}

/// A name of another folder would be another partition's: better none.
fn path(parts: &[&str]) -> Path {
    for part in parts {
        assert!(is_part(part), "`{part}` is no part of a snapshot's name");
    }
    parts.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in super::super) fn names() -> impl Strategy<Value = Name> {
        let part = "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}";
        let topic_id = proptest::option::of("[a-zA-Z0-9_][a-zA-Z0-9_-]{21}");
        let partition = (part, "[0-9a-f]{16}", part, topic_id, 0..i32::MAX);
        let position = (0..=i64::MAX, any::<u32>());
        (partition, position, "[0-9a-f]{1,32}").prop_map(|(p, (offset, tick), digest)| Name {
            partition: PartitionKey {
                pipeline: p.0,
                state_hash: p.1,
                topic: p.2,
                topic_id: p.3,
                partition: p.4,
            },
            position: LogPosition { offset, tick },
            digest,
        })
    }

    proptest! {
        #[test]
        fn a_name_says_what_the_snapshot_is(name in names()) {
            prop_assert_eq!(Name::parse(&name.to_string()), Some(name.clone()));
            // The store changes nothing of it.
            let location = name.location();
            prop_assert_eq!(location.as_ref(), name.to_string());
        }

        #[test]
        fn names_sort_as_positions_do(one in names(), other in names()) {
            let other = Name { partition: one.partition.clone(), ..other };
            let by_name = one.to_string().cmp(&other.to_string());
            let by_position =
                (one.position, &one.digest).cmp(&(other.position, &other.digest));
            // A digest that begins another one meets the suffix; positions never do.
            if one.position != other.position {
                prop_assert_eq!(by_name, by_position);
            }
        }

        #[test]
        fn anything_else_is_foreign(text in "[a-z0-9/.-]{0,80}") {
            if let Some(name) = Name::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }

    #[test]
    fn near_misses_are_foreign() {
        let good = "p/ab/t/-/7/00000000000000000012-0000000003-ff.snap";
        assert_eq!(Name::parse(good).unwrap().position, LogPosition { offset: 12, tick: 3 });
        for (from, to) in [
            ("/7/", "/07/"),
            ("/7/", "/-7/"),
            ("/7/", "/+7/"),
            ("-ff", "-FF"),
            ("-ff", "-"),
            ("-ff", ""),
            ("0000000003", "000000003"),
            ("00000000000000000012", "99999999999999999999"),
            ("0000000003", "9999999999"),
            (".snap", ".snap.1.staged"),
            (".snap", ".snap#1"),
            ("p/", "../"),
            ("p/", "/"),
            ("p/", "a/p/"),
            ("t/", "t%2F/"),
        ] {
            let near = good.replacen(from, to, 1);
            assert_ne!(near, good);
            assert_eq!(Name::parse(&near), None, "{near}");
        }
    }
}

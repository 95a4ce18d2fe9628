//! How far the group was in each partition, as far as this process has seen.
//!
//! A position that is missing means a first start, where a group begins at `source.start`. It does
//! not where the group was here before: offsets expire and are deleted, and a broker that comes
//! back after a crash was seen to answer, while it read its log again, that there are none, and then
//! with those of minutes before. Who begins there publishes everything since twice.

use crate::kafka::TopicPartition;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Shared by the workers of a process. Locked for each partition of a commit and of an assignment.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Mutex<BTreeMap<TopicPartition, Seen>>>);

/// A position of the group.
#[derive(Debug, Clone)]
struct Seen {
    /// Id of the topic, where it is known.
    topic_id: Option<String>,
    offset: i64,
}

impl Seen {
    /// A topic that was made again has another id; one that is not known is no other one.
    fn is_of(&self, topic_id: Option<&str>) -> bool {
        self.topic_id.as_deref().zip(topic_id).is_none_or(|(seen, now)| seen == now)
    }
}

impl Known {
    /// The brokers told a position of the partition, in the topic of this id, where that is known.
    pub(super) fn saw(&self, id: &TopicPartition, topic_id: Option<&str>, offset: i64) {
        self.note(id, topic_id, |seen| offset.max(seen.unwrap_or(offset)));
    }

    /// This process has committed the position: whatever was before, the group is there now.
    pub(super) fn committed(&self, id: &TopicPartition, topic_id: Option<&str>, offset: i64) {
        self.note(id, topic_id, |_| offset);
    }

    fn note(
        &self,
        id: &TopicPartition,
        topic_id: Option<&str>,
        now: impl FnOnce(Option<i64>) -> i64,
    ) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(id) {
            Some(seen) if seen.is_of(topic_id) => {
                seen.offset = now(Some(seen.offset));
                if seen.topic_id.is_none() {
                    seen.topic_id = topic_id.map(str::to_owned);
                }
            }
            _ => {
                let seen = Seen { topic_id: topic_id.map(str::to_owned), offset: now(None) };
                known.insert(id.clone(), seen);
            }
        }
    }

    /// How far the group was in the partition; none where it was not seen to be in that topic.
    pub(super) fn position(&self, id: &TopicPartition, topic_id: Option<&str>) -> Option<i64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).filter(|seen| seen.is_of(topic_id)).map(|seen| seen.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TopicPartition {
        TopicPartition { topic: "t".into(), partition: 3 }
    }

    #[test]
    fn a_topic_made_again_is_another_one() {
        let (known, id) = (Known::default(), id());
        assert_eq!(known.position(&id, Some("first")), None);
        known.saw(&id, Some("first"), 7);
        assert_eq!(known.position(&id, Some("first")), Some(7));
        assert_eq!(known.position(&id, Some("second")), None);
        known.saw(&id, Some("second"), 2);
        assert_eq!(known.position(&id, Some("second")), Some(2));
        assert_eq!(known.position(&id, Some("first")), None);
        // The cluster did not tell.
        known.saw(&id, None, 3);
        assert_eq!(known.position(&id, None), Some(3));
        assert_eq!(known.position(&id, Some("first")), None);
    }

    #[test]
    fn what_is_told_goes_on_only_and_what_is_committed_stands() {
        let (known, id) = (Known::default(), id());
        known.saw(&id, None, 7);
        known.saw(&id, Some("t"), 5);
        assert_eq!(known.position(&id, Some("t")), Some(7));
        known.committed(&id, Some("t"), 4);
        assert_eq!(known.position(&id, Some("t")), Some(4), "as where the log was cut");
    }
}

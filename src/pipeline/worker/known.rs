//! How far the group was in each partition, as far as this process has seen.
//!
//! A position that is missing means a first start, where a group begins at `source.start`. It does
//! not where the group was here before: offsets expire and are deleted, and a broker that comes
//! back after a crash was seen to answer, while it read its log again, that there are none, and then
//! with those of minutes before. Who begins there publishes everything since twice.

use super::metadata::Metadata;
use crate::{kafka::TopicPartition, source::Committed};
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
    /// Where the state began, where that is known.
    origin: Option<i64>,
    offset: i64,
}

impl Seen {
    /// A topic that was made again has another id, and a state that began anew another origin; one
    /// that is not known is no other one.
    fn is_of(&self, topic_id: Option<&str>, origin: Option<i64>) -> bool {
        let same_topic = self.topic_id.as_deref().zip(topic_id).is_none_or(|(a, b)| a == b);
        same_topic && self.origin.zip(origin).is_none_or(|(a, b)| a == b)
    }
}

impl Known {
    /// The brokers told a position of the partition, in the topic of this id, where that is known.
    pub(super) fn saw(&self, id: &TopicPartition, topic_id: Option<&str>, told: &Committed) {
        let offset = told.offset;
        self.note(id, topic_id, origin(told), |seen| offset.max(seen.unwrap_or(offset)));
    }

    /// This process has committed the position of a state with that origin: whatever was before, the
    /// group is there now.
    pub(super) fn committed(
        &self,
        id: &TopicPartition,
        (topic_id, origin): (Option<&str>, i64),
        offset: i64,
    ) {
        self.note(id, topic_id, Some(origin), |_| offset);
    }

    fn note(
        &self,
        id: &TopicPartition,
        topic_id: Option<&str>,
        origin: Option<i64>,
        now: impl FnOnce(Option<i64>) -> i64,
    ) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(id) {
            Some(seen) if seen.is_of(topic_id, origin) => {
                seen.offset = now(Some(seen.offset));
                seen.origin = seen.origin.or(origin);
                if seen.topic_id.is_none() {
                    seen.topic_id = topic_id.map(str::to_owned);
                }
            }
            _ => {
                let topic_id = topic_id.map(str::to_owned);
                known.insert(id.clone(), Seen { topic_id, origin, offset: now(None) });
            }
        }
    }

    /// How far the group was in the partition, with the state whose position is told now; none where
    /// it was not seen to be in that topic, or with that state.
    pub(super) fn position(
        &self,
        id: &TopicPartition,
        topic_id: Option<&str>,
        told: Option<&Committed>,
    ) -> Option<i64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = known.get(id)?;
        seen.is_of(topic_id, told.and_then(origin)).then_some(seen.offset)
    }
}

fn origin(told: &Committed) -> Option<i64> {
    Metadata::parse(&told.metadata).map(|metadata| metadata.origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::snapshot::Ledger;

    fn id() -> TopicPartition {
        TopicPartition { topic: "t".into(), partition: 3 }
    }

    fn told(offset: i64, origin: i64) -> Committed {
        let metadata = Metadata::new(7, origin, 3, Ledger::default()).to_string().into_bytes();
        Committed { offset, metadata }
    }

    fn foreign(offset: i64) -> Committed {
        Committed { offset, metadata: Vec::new() }
    }

    #[test]
    fn a_topic_made_again_is_another_one() {
        let (known, id) = (Known::default(), id());
        let position = |topic: Option<&str>| known.position(&id, topic, None);
        assert_eq!(position(Some("first")), None);
        known.saw(&id, Some("first"), &told(7, 0));
        assert_eq!(position(Some("first")), Some(7));
        assert_eq!(position(Some("second")), None);
        known.saw(&id, Some("second"), &told(2, 0));
        assert_eq!(position(Some("second")), Some(2));
        assert_eq!(position(Some("first")), None);
        // The cluster did not tell.
        known.saw(&id, None, &told(3, 0));
        assert_eq!(position(None), Some(3));
        assert_eq!(position(Some("first")), None);
    }

    #[test]
    fn a_state_that_began_anew_is_not_behind() {
        let (known, id) = (Known::default(), id());
        known.saw(&id, None, &told(500, 0));
        let position = |told: &Committed| known.position(&id, None, Some(told));
        assert_eq!(position(&told(400, 0)), Some(500));
        assert_eq!(position(&told(400, 300)), None, "another process began anew");
        assert_eq!(position(&foreign(400)), Some(500));
        known.saw(&id, None, &told(450, 300));
        assert_eq!(position(&told(440, 300)), Some(450));
    }

    #[test]
    fn what_is_told_goes_on_only_and_what_is_committed_stands() {
        let (known, id) = (Known::default(), id());
        let position = || known.position(&id, Some("t"), None);
        known.saw(&id, None, &foreign(7));
        known.saw(&id, Some("t"), &told(5, 1));
        assert_eq!(position(), Some(7));
        known.committed(&id, (Some("t"), 1), 4);
        assert_eq!(position(), Some(4), "as where the log was cut");
    }
}

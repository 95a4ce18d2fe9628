//! A record of a dead-letter topic, and what its context headers say.

use super::filter::Place;
use crate::{
    batch::{Header, REPLAYED, RawBatch, RawRecord},
    encode::{DEAD_LETTER_CONTEXT, OVERSIZE_CONTEXT},
};
use std::ops::Range;

/// The header that says which dead letter a record is a copy of: topic/partition/offset.
pub(super) const REPLAYED_FROM: &[u8] = b"millstream-replayed-from";

/// A record of a dead-letter topic.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    /// Where it lies: topic, partition and offset of the dead-letter topic.
    pub place: Place,
    /// The record itself.
    pub record: RawRecord<'a>,
    /// What the pipeline wrote beside it; none if somebody else put the record there.
    pub context: Option<Context>,
}

/// What the context headers of a dead letter say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Where the record came from.
    pub source: Place,
    /// The step that rejected it.
    pub stage: String,
    /// Name of the reason.
    pub reason: String,
    /// Which field and what was expected.
    pub message: String,
    /// True if the value was left out for its size.
    pub oversize: bool,
    /// Which of the record's headers these are.
    headers: Range<usize>,
}

impl<'a> Letter<'a> {
    /// Reads the record at `index`; its context headers begin with `prefix`.
    pub fn read(raw: &'a RawBatch, index: usize, prefix: &str) -> Self {
        let record = raw.record(index);
        let place = Place {
            topic: raw.topic().to_string(),
            partition: raw.partition(),
            offset: record.offset,
        };
        Self { place, record, context: Context::read(&record, prefix) }
    }

    /// How often the record was sent again before it came here; none if its header says no number.
    pub fn replayed(&self) -> Option<u32> {
        match self.record.headers.last(REPLAYED) {
            None => Some(0),
            Some(header) => str::from_utf8(header.value?).ok()?.parse().ok(),
        }
    }

    /// The headers that the record had when it came to the pipeline, in their order.
    pub fn original_headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let ours = self.context.as_ref().map_or(0..0, |context| context.headers.clone());
        let headers = self.record.headers.iter().enumerate();
        headers.filter(move |(index, _)| !ours.contains(index)).map(|(_, header)| header)
    }

    /// The headers that its producer gave it: without those of an earlier `dlq replay`.
    pub fn own_headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        self.original_headers().filter(|h| h.name != REPLAYED && h.name != REPLAYED_FROM)
    }
}

impl Context {
    /// The last run of all context headers in their order: a record that was a dead letter of some
    /// other system when it came has its own further ahead, and they stay with it.
    fn read(record: &RawRecord<'_>, prefix: &str) -> Option<Self> {
        let headers: Vec<Header<'_>> = record.headers.iter().collect();
        let is = |header: &Header<'_>, name: &str| {
            header.name.strip_prefix(prefix.as_bytes()) == Some(name.as_bytes())
        };
        let run = |names: &[&str], from: usize| {
            let headers = headers.get(from..from + names.len());
            headers.is_some_and(|h| h.iter().zip(names).all(|(header, name)| is(header, name)))
        };
        let last = headers.len().checked_sub(DEAD_LETTER_CONTEXT.len())?;
        let start = (0..=last).rev().find(|from| run(&DEAD_LETTER_CONTEXT, *from))?;
        let text = |at: usize| {
            let value = headers[start + at].value.unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        let mut end = start + DEAD_LETTER_CONTEXT.len();
        let oversize = run(&OVERSIZE_CONTEXT, end);
        if oversize {
            end += OVERSIZE_CONTEXT.len();
        }
        let (partition, offset) = (text(1).parse().ok()?, text(2).parse().ok()?);
        Some(Self {
            source: Place { topic: text(0), partition, offset },
            stage: text(3),
            reason: text(4),
            message: text(5),
            oversize,
            headers: start..end,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::{Outbox, Reason, Rejected},
        encode::dead_letter,
    };
    use proptest::prelude::*;

    type Headers = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    /// The dead letter of a record with these headers, as it is read from the topic.
    fn written(headers: &Headers, reason: Reason, prefix: &str, trailing: &Headers) -> RawBatch {
        let mut raw = RawBatch::new("in".into(), 3);
        raw.push(41, Some(9), Some(b"k\xff"), Some(b"not json"));
        for (name, value) in headers {
            raw.header(name, value.as_deref());
        }
        let (stage, detail) = (reason.stage(), "expected an object".to_owned());
        let rejected = Rejected { record: 0, reason, stage, detail, policy: None };
        let mut out = Outbox::default();
        dead_letter(&raw, &rejected, prefix, &mut out);
        let message = out.message(0);
        let mut letters = RawBatch::new("in.dlq".into(), 1);
        letters.push(7, message.parts.timestamp_ms, message.parts.key, message.value);
        for header in message.headers() {
            letters.header(header.name, header.value);
        }
        for (name, value) in trailing {
            letters.header(name, value.as_deref());
        }
        letters
    }

    fn owned<'h>(headers: impl Iterator<Item = Header<'h>>) -> Headers {
        headers.map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec))).collect()
    }

    /// Any names, among them those of Kafka Connect and ours.
    fn headers() -> impl Strategy<Value = Headers> {
        let context = prop::sample::select(DEAD_LETTER_CONTEXT.to_vec())
            .prop_map(|name| format!("__connect.errors.{name}").into_bytes());
        let name = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            context,
            Just(REPLAYED_FROM.to_vec())
        ];
        prop::collection::vec(
            (name, prop::option::of(prop::collection::vec(any::<u8>(), 0..5))),
            0..9,
        )
    }

    proptest! {
        /// Whatever headers a record has, those are left when ours are taken away.
        #[test]
        fn what_was_added_is_what_is_taken_away(
            headers in headers(),
            oversize in any::<bool>(),
            trailing in prop::collection::vec(Just((b"hop".to_vec(), None)), 0..2),
        ) {
            let reason = if oversize { Reason::Oversize } else { Reason::Invalid };
            let raw = written(&headers, reason, "__connect.errors.", &trailing);
            let letter = Letter::read(&raw, 0, "__connect.errors.");
            let context = letter.context.as_ref().expect("written as a dead letter");
            let source = Place { topic: "in".to_owned(), partition: 3, offset: 41 };
            prop_assert_eq!(&context.source, &source);
            prop_assert_eq!(&context.reason, reason.name());
            prop_assert_eq!(context.oversize, oversize);
            let expected: Headers = headers.iter().chain(&trailing).cloned().collect();
            prop_assert_eq!(owned(letter.original_headers()), expected);
        }
    }

    #[test]
    fn a_record_that_was_a_dead_letter_of_another_system_keeps_its_headers() {
        let connect: Headers = DEAD_LETTER_CONTEXT
            .iter()
            .map(|name| (format!("__connect.errors.{name}").into_bytes(), Some(b"1".to_vec())))
            .collect();
        let raw = written(&connect, Reason::Undecodable, "__connect.errors.", &vec![]);
        let letter = Letter::read(&raw, 0, "__connect.errors.");
        assert_eq!(owned(letter.original_headers()), connect);
        assert_eq!(letter.context.unwrap().source.topic, "in");
    }

    #[test]
    fn a_record_without_our_headers_is_nobodys_dead_letter() {
        let mut raw = RawBatch::new("in.dlq".into(), 0);
        raw.push(0, None, None, Some(b"x"));
        raw.header(b"__connect.errors.topic", Some(b"in"));
        assert_eq!(Letter::read(&raw, 0, "__connect.errors.").context, None);
        let raw = written(&vec![], Reason::Undecodable, "ours.", &vec![]);
        assert_eq!(Letter::read(&raw, 0, "__connect.errors.").context, None);
        assert!(Letter::read(&raw, 0, "ours.").context.is_some());
    }

    #[test]
    fn the_count_of_replays_is_the_last_of_its_header() {
        let count = |values: &[Option<&[u8]>]| {
            let headers = values.iter().map(|v| (REPLAYED.to_vec(), v.map(<[u8]>::to_vec)));
            let raw = written(&headers.collect(), Reason::Late, "x.", &vec![]);
            let letter = Letter::read(&raw, 0, "x.");
            assert_eq!(letter.own_headers().count(), 0);
            letter.replayed()
        };
        assert_eq!(count(&[]), Some(0));
        assert_eq!(count(&[Some(b"1"), Some(b"2")]), Some(2));
        assert_eq!(count(&[Some(b"-1")]), None);
        assert_eq!(count(&[None]), None);
    }
}

//! Sends dead letters again: to the topic, and as a rule the partition, that they came from.

use super::{
    DeadLettersError, Filter, Letter,
    filter::Place,
    letter::{Context, REPLAYED_FROM},
    scan::{self, scan},
};
use crate::{
    batch::{Message, MessageParts, Outbox, REPLAYED, Target},
    kafka::{self, Operation},
    pipeline::{Definition, supervisor},
    settings::Settings,
    sink,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::CString,
    fmt,
};

/// What is sent again, and how.
#[derive(Debug, Clone)]
pub struct Resend {
    /// Which dead letters.
    pub filter: Filter,
    /// A record that was sent again so often already is not sent once more.
    pub max_replays: u32,
    /// The key decides the partition; otherwise it is the one that the record came from.
    pub partition_by_key: bool,
    /// Nothing is sent.
    pub dry_run: bool,
}

/// Why a dead letter is not sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It has no context headers of this pipeline.
    NotOurs,
    /// It came from a topic that this pipeline does not read.
    ForeignTopic,
    /// Its value was left out when it was rejected.
    Oversize,
    /// It was sent again as often as is allowed.
    Loop(u32),
    /// The header that counts how often is no number.
    Uncounted,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it has no context headers of this pipeline"),
            Self::ForeignTopic => f.write_str("this pipeline does not read the topic it came from"),
            Self::Oversize => f.write_str("oversize: its value was not kept"),
            Self::Loop(times) => {
                write!(f, "it was sent again {times} times already; --max-replays allows no more")
            }
            Self::Uncounted => f.write_str("its header millstream-replayed is no number"),
        }
    }
}

/// A dead letter that is not sent again.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Where it lies.
    pub place: Place,
    /// The record that it was.
    pub source: Option<Place>,
    /// Why.
    pub refusal: Refusal,
}

/// A dead letter that is sent again.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Where it lies.
    pub place: Place,
    /// The record that it was, whose topic and partition it goes to.
    pub source: Place,
    /// How often it was sent again, this time included.
    pub times: u32,
    /// Index of the message.
    message: usize,
}

/// What becomes of the chosen dead letters.
#[derive(Debug, Default)]
pub struct Plan {
    /// Those that are sent, in the order of their records.
    pub sent: Vec<Sent>,
    /// Those that are not.
    pub refused: Vec<Refused>,
    /// Those that repeat another one byte for byte, as a restart may leave them; sent once.
    pub repeated: u64,
    outbox: Outbox,
}

/// Bytes kept for one transaction.
const BYTES_MAX: usize = 256 << 20;
/// Room for headers beside the largest record.
const MESSAGE_ROOM: u64 = 128 << 10;

/// Reads the chosen dead letters and sends them again, all in one transaction: when it fails,
/// nothing was sent.
pub fn resend(
    definition: &Definition,
    settings: &Settings,
    order: &Resend,
) -> Result<Plan, DeadLettersError> {
    let topics = &definition.spec().source.topics;
    let mut plan = Plan::default();
    scan(definition, settings, &order.filter, &mut |letter| {
        plan.add(letter, topics, order);
        if plan.outbox.bytes_len() > BYTES_MAX {
            return Err(DeadLettersError::TooMuch { bytes_max: BYTES_MAX });
        }
        Ok(())
    })?;
    plan.sort();
    if !order.dry_run && !plan.sent.is_empty() {
        plan.send(definition, settings)?;
    }
    Ok(plan)
}

impl Plan {
    fn add(&mut self, letter: &Letter<'_>, topics: &[String], order: &Resend) {
        match judge(letter, topics, order.max_replays) {
            Ok((context, times)) => {
                let message = self.outbox.len();
                write(letter, context, times, order.partition_by_key, &mut self.outbox);
                let (place, source) = (letter.place.clone(), context.source.clone());
                self.sent.push(Sent { place, source, times, message });
            }
            Err(refusal) => self.refused.push(Refused {
                place: letter.place.clone(),
                source: letter.context.as_ref().map(|context| context.source.clone()),
                refusal,
            }),
        }
    }

    /// Puts the messages in the order of their records, and leaves out those that say the same of
    /// the same record once more.
    fn sort(&mut self) {
        self.sent.sort_by(|a, b| (&a.source, &a.place).cmp(&(&b.source, &b.place)));
        let before = self.sent.len();
        let outbox = &self.outbox;
        self.sent.dedup_by(|later, kept| {
            let [later_message, kept_message] =
                [&later.message, &kept.message].map(|index| outbox.message(*index));
            later.source == kept.source && same(&later_message, &kept_message)
        });
        self.repeated = (before - self.sent.len()) as u64;
    }

    fn send(&self, definition: &Definition, settings: &Settings) -> Result<(), DeadLettersError> {
        let spec = definition.spec();
        let admin = supervisor::admin(settings)?;
        let topics: BTreeSet<&str> = self.sent.iter().map(|s| s.source.topic.as_str()).collect();
        for topic in topics {
            scan::permitted(&admin, topic, Operation::Write)?;
        }
        let properties = supervisor::producer_properties(settings, None);
        let largest = spec.limits.record_bytes.0 + MESSAGE_ROOM;
        let config = kafka::producer_config(&properties, largest);
        let names: BTreeMap<&str, CString> = spec
            .source
            .topics
            .iter()
            .map(|topic| (topic.as_str(), CString::new(topic.as_str()).expect("checked by load")))
            .collect();
        let messages = self.sent.iter().map(|sent| {
            let topic = &names[sent.source.topic.as_str()];
            (topic.as_c_str(), self.outbox.message(sent.message))
        });
        Ok(sink::write_once(&config, &format!("{}-dlq-replay", spec.pipeline), messages)?)
    }
}

fn judge<'l>(
    letter: &'l Letter<'_>,
    topics: &[String],
    max_replays: u32,
) -> Result<(&'l Context, u32), Refusal> {
    let context = letter.context.as_ref().ok_or(Refusal::NotOurs)?;
    // Whoever may write to the dead-letter topic must not be able to write anywhere else by this.
    if !topics.contains(&context.source.topic) || context.source.partition < 0 {
        return Err(Refusal::ForeignTopic);
    }
    if context.oversize {
        return Err(Refusal::Oversize);
    }
    let times = letter.replayed().ok_or(Refusal::Uncounted)?;
    if times >= max_replays { Err(Refusal::Loop(times)) } else { Ok((context, times + 1)) }
}

/// Appends the record as it was, with the two headers that say that it comes again.
fn write(letter: &Letter<'_>, context: &Context, times: u32, by_key: bool, out: &mut Outbox) {
    let parts = MessageParts {
        target: Target::Output,
        partition: (!by_key).then_some(context.source.partition),
        key: letter.record.key,
        timestamp_ms: letter.record.timestamp_ms,
    };
    out.push(parts, |arena| {
        arena.extend_from_slice(letter.record.value.unwrap_or_default());
        letter.record.value.is_some()
    });
    for header in letter.own_headers() {
        out.header(header.name, header.value);
    }
    out.header(REPLAYED, Some(times.to_string().as_bytes()));
    out.header(REPLAYED_FROM, Some(letter.place.to_string().as_bytes()));
}

/// True if both are the same record; the header that tells the dead letter's own place aside.
fn same(a: &Message<'_>, b: &Message<'_>) -> bool {
    let parts = |m: &Message<'_>| m.headers().len();
    let headers = a.headers().zip(b.headers());
    (a.parts.key, a.value, a.parts.timestamp_ms) == (b.parts.key, b.value, b.parts.timestamp_ms)
        && parts(a) == parts(b)
        && headers.into_iter().all(|(a, b)| a == b || a.name == REPLAYED_FROM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::{RawBatch, Reason, Rejected},
        encode::dead_letter,
    };

    type Headers<'h> = [(&'h [u8], Option<&'h [u8]>)];

    /// Appends the dead letter of in/`partition`/`offset`.
    fn push(letters: &mut RawBatch, at: (&str, i32, i64), reason: Reason, headers: &Headers<'_>) {
        let (topic, partition, offset) = at;
        let mut raw = RawBatch::new(topic.into(), partition);
        raw.push(offset, Some(9), Some(b"k"), Some(b"\xffv"));
        for (name, value) in headers {
            raw.header(name, *value);
        }
        let (stage, detail) = (reason.stage(), "expected".to_owned());
        let rejected = Rejected { record: 0, reason, stage, detail, policy: None };
        let mut out = Outbox::default();
        dead_letter(&raw, &rejected, "x.", &mut out);
        let message = out.message(0);
        let next = letters.offsets().map_or(0, |(_, last)| last + 1);
        letters.push(next, message.parts.timestamp_ms, message.parts.key, message.value);
        for header in message.headers() {
            letters.header(header.name, header.value);
        }
    }

    fn plan(letters: &RawBatch, max_replays: u32, partition_by_key: bool) -> Plan {
        let filter = Filter::default();
        let order = Resend { filter, max_replays, partition_by_key, dry_run: true };
        let mut plan = Plan::default();
        for index in 0..letters.len() {
            plan.add(&Letter::read(letters, index, "x."), &["in".to_owned()], &order);
        }
        plan.sort();
        plan
    }

    #[test]
    fn a_record_leaves_as_it_came_with_two_headers_more() {
        let mut letters = RawBatch::new("dlq".into(), 4);
        let own: &Headers<'_> = &[(b"caf\xe9", Some(b"\x00")), (b"caf\xe9", None)];
        push(&mut letters, ("in", 2, 41), Reason::Invalid, own);
        let made = plan(&letters, 3, false);
        let message = made.outbox.message(made.sent[0].message);
        assert_eq!((message.parts.partition, message.parts.timestamp_ms), (Some(2), Some(9)));
        assert_eq!((message.parts.key, message.value), (Some(&b"k"[..]), Some(&b"\xffv"[..])));
        let headers: Vec<_> = message.headers().map(|h| (h.name, h.value)).collect();
        let ours: &Headers<'_> = &[(REPLAYED, Some(b"1")), (REPLAYED_FROM, Some(b"dlq/4/0"))];
        assert_eq!(headers, [own, ours].concat());
        assert_eq!(plan(&letters, 3, true).outbox.message(0).parts.partition, None);
    }

    #[test]
    fn a_record_that_comes_again_and_again_is_counted_and_stopped() {
        let mut letters = RawBatch::new("dlq".into(), 0);
        let ago: &Headers<'_> = &[(REPLAYED, Some(b"2")), (REPLAYED_FROM, Some(b"dlq/0/1"))];
        push(&mut letters, ("in", 0, 5), Reason::Invalid, ago);
        let plan = |max| plan(&letters, max, false);
        let made = plan(3);
        let headers: Vec<_> = made.outbox.message(0).headers().map(|h| h.value).collect();
        assert_eq!(headers, [Some(&b"3"[..]), Some(b"dlq/0/0")]);
        assert_eq!(plan(2).refused[0].refusal, Refusal::Loop(2));
        assert!(plan(2).sent.is_empty() && plan(2).outbox.is_empty());
    }

    #[test]
    fn what_cannot_or_must_not_be_sent_is_refused() {
        let mut letters = RawBatch::new("dlq".into(), 0);
        letters.push(0, None, None, Some(b"somebody else's"));
        push(&mut letters, ("elsewhere", 0, 5), Reason::Invalid, &[]);
        push(&mut letters, ("in", 0, 6), Reason::Oversize, &[]);
        push(&mut letters, ("in", 0, 7), Reason::Late, &[(REPLAYED, Some(b"many"))]);
        let plan = plan(&letters, 3, false);
        let refusals: Vec<Refusal> = plan.refused.into_iter().map(|r| r.refusal).collect();
        assert_eq!(
            refusals,
            [Refusal::NotOurs, Refusal::ForeignTopic, Refusal::Oversize, Refusal::Uncounted]
        );
        assert!(plan.sent.is_empty());
    }

    #[test]
    fn records_go_in_their_own_order_and_a_repeated_one_goes_once() {
        let mut letters = RawBatch::new("dlq".into(), 0);
        for offset in [7, 5, 6, 5] {
            push(&mut letters, ("in", 0, offset), Reason::Late, &[]);
        }
        push(&mut letters, ("in", 0, 6), Reason::Late, &[(b"other", None)]);
        let plan = plan(&letters, 3, false);
        let sent: Vec<_> = plan.sent.iter().map(|s| (s.source.offset, s.place.offset)).collect();
        assert_eq!(sent, [(5, 1), (6, 2), (6, 4), (7, 0)]);
        assert_eq!(plan.repeated, 1);
    }
}

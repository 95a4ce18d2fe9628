//! A look at the cluster now and then, off the polling thread, for what no read and no error tells.
//!
//! * A topic that is deleted and made again keeps its name, and its offsets are those of other
//!   records. A position behind its new end is noticed by the read; one before it is not.
//! * librdkafka (2.12.1) gives up every broker for good that an answer to a metadata request does not
//!   list (librdkafka#5301, open), and a broker that stood still for longer than its controller bears
//!   lists none at first. The client has no broker then and says nothing of it. So where it gets no
//!   answer another client asks: one that is answered while ours still is not tells that ours will
//!   never be.
//! * A member of a classic group whose request to join is not answered waits for as long as
//!   `max.poll.interval.ms` allows. The group goes on without it meanwhile; it keeps what it had, and
//!   every commit is refused. So a group that refuses is asked whether it has the member, and now and
//!   then one that has given it nothing: the question goes to all brokers.

use super::{Stop, Worker, WorkerError};
use crate::{
    kafka::{Membership, TopicIdentity, TopicPartition},
    pipeline::{clock, tasks},
    source::Asker,
};
use std::{
    ffi::CString,
    sync::mpsc::{self, TryRecvError},
    time::{Duration, Instant},
};
use tracing::{debug, warn};

/// How often is looked.
const EVERY: Duration = Duration::from_secs(15);
/// For how long an answer is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a member without partitions asks whether it is one.
const IDLE_EVERY: Duration = Duration::from_mins(1);

/// When was looked, and what is known since.
#[derive(Debug)]
pub(super) struct Checkup {
    asked: Instant,
    answer: Option<mpsc::Receiver<Answer>>,
    /// True while the group refuses what the worker commits.
    is_refused: bool,
    /// When was asked last whether the group has the member.
    asked_group: Instant,
    /// The member that the group did not have then.
    stranger: Option<CString>,
}

impl Default for Checkup {
    fn default() -> Self {
        let now = clock::instant();
        Self { asked: now, answer: None, is_refused: false, asked_group: now, stranger: None }
    }
}

impl Checkup {
    /// The group has refused a commit.
    pub(super) fn refused(&mut self) {
        self.is_refused = true;
    }

    /// A commit stands: the group has the member.
    pub(super) fn stands(&mut self) {
        (self.is_refused, self.stranger) = (false, None);
    }

    /// True if the group is to be asked about the member, which has partitions or has not.
    fn is_doubtful(&self, has_nothing: bool) -> bool {
        let is_due = self.asked_group.elapsed() >= IDLE_EVERY || self.stranger.is_some();
        self.is_refused || (has_nothing && is_due)
    }
}

/// What became of the questions.
#[derive(Debug)]
enum Answer {
    /// The topics as they are now, and the member if the group does not have it.
    Found { topics: Vec<TopicIdentity>, stranger: Option<CString> },
    /// Nobody is answered just now.
    None,
    /// Other clients are answered, this one is not.
    CutOff,
}

/// What is asked.
struct Questions {
    asker: Asker,
    topics: Vec<String>,
    group: String,
    /// Whom the group is asked about, if it is a classic one.
    member: Option<CString>,
}

impl Questions {
    fn ask(self) -> Answer {
        let topics = match self.asker.identities(&self.topics) {
            Ok(topics) => topics,
            Err(error) => {
                debug!(error, "topics are not described, asking as another client");
                return if self.is_cut_off() { Answer::CutOff } else { Answer::None };
            }
        };
        let is_had = |member: &CString| {
            let listed = self.asker.lists_member(&self.group, &member.to_string_lossy());
            listed.unwrap_or(true)
        };
        let stranger = self.member.as_ref().filter(|member| !is_had(member)).cloned();
        Answer::Found { topics, stranger }
    }

    fn is_cut_off(&self) -> bool {
        let Ok(other) = self.asker.apart() else { return false };
        let others_are_answered = other.identities(&self.topics).is_ok();
        tasks::drop_elsewhere(other);
        others_are_answered && self.asker.identities(&self.topics).is_err()
    }
}

impl Worker {
    /// Looks when it is time to. Stops the partitions of a topic that is another one now; joins anew
    /// where the client is of no use any more.
    pub(super) fn check_up(&mut self) -> Result<(), WorkerError> {
        let asked = self.checkup.asked.elapsed();
        let Some(answer) = &self.checkup.answer else {
            if asked >= EVERY && self.place.cluster.is_some() && self.member.has_client() {
                self.ask_cluster();
            }
            return Ok(());
        };
        let answer = match answer.try_recv() {
            Err(TryRecvError::Empty) if asked < PATIENCE => return Ok(()),
            Err(_) => Answer::None,
            Ok(answer) => answer,
        };
        (self.checkup.asked, self.checkup.answer) = (clock::instant(), None);
        let before = self.checkup.stranger.take();
        let why = match answer {
            Answer::Found { topics, stranger } => {
                for (id, stop) in self.made_again(&topics) {
                    self.begin_again(&id, stop)?;
                }
                let is_again = stranger.is_some() && stranger == before;
                self.checkup.stranger = stranger;
                is_again.then_some("the group does not have this member")
            }
            Answer::None => None,
            Answer::CutOff => Some("the client has no brokers any more, others have"),
        };
        if let Some(why) = why.filter(|_| self.member.has_client()) {
            warn!(worker = self.report.worker(), why, "joining anew");
            self.join_anew();
        }
        Ok(())
    }

    fn ask_cluster(&mut self) {
        let (sender, receiver) = mpsc::sync_channel(1);
        let spec = self.definition.spec();
        let is_asked =
            self.source.session().is_some() && self.checkup.is_doubtful(self.has_nothing());
        let membership = is_asked.then(|| self.source.membership()).flatten();
        let questions = Questions {
            asker: self.source.asker(),
            topics: spec.source.topics.clone(),
            group: spec.pipeline.clone(),
            member: membership.as_ref().and_then(Membership::member_id).map(Into::into),
        };
        let now = clock::instant();
        if questions.member.is_some() {
            self.checkup.asked_group = now;
        }
        let work = move || drop(sender.send(questions.ask()));
        tasks::thread("checkup".to_owned(), work).expect("a thread can be started");
        (self.checkup.asked, self.checkup.answer) = (now, Some(receiver));
    }

    /// Partitions that began with another topic of the same name. One that is gone is not known to
    /// be another.
    fn made_again(&self, found: &[TopicIdentity]) -> Vec<(TopicPartition, Stop)> {
        let made_again = |id: &TopicPartition| {
            let theirs = self.partitions.get(id)?.topic_id()?;
            let ours = &found.iter().find(|identity| identity.name == id.topic)?.id;
            let stop = || Stop::TopicRecreated { ours: ours.clone(), theirs: theirs.to_owned() };
            (ours != theirs).then(|| (id.clone(), stop()))
        };
        self.partitions.keys().filter_map(made_again).collect()
    }
}

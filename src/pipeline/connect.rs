//! What the cluster must offer before a pipeline starts, asked once.

use super::{Definition, Delivery};
use crate::{
    encode::VERDICT_BYTES_MAX,
    kafka::{
        Operation, Resource,
        admin::{Admin, AdminError, TopicFacts},
    },
};
use rdkafka::error::RDKafkaErrorCode;
use std::{collections::BTreeMap, time::Duration};

/// What was found out about the cluster.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// One line per topic or permission looked at, for people.
    pub findings: Vec<String>,
    /// What would go wrong, each with what to do.
    pub problems: Vec<String>,
    /// True if no broker answered: asking on would only repeat it.
    pub(super) unreachable: bool,
    /// Its id, where it is known.
    pub id: Option<String>,
    /// Partitions of each input topic.
    pub inputs: BTreeMap<String, i32>,
    /// Partitions of the output topic.
    pub output_partitions: i32,
    /// Most bytes that every topic written to takes at once, where they may be read.
    pub(super) batch_bytes: Option<u64>,
}

/// Room for the headers that a dead letter gets beside the record itself.
const HEADER_ROOM: u64 = 64 * 1024;

/// Until when every broker has heard of a topic.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
const CREATED_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// What becomes of an output topic that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is a problem.
    Refuse,
    /// It is created.
    Create,
    /// It is asked whether it could be created.
    Permit,
}

/// Looks at the topics of a pipeline and at what may be done to them; makes missing output topics
/// if `missing` says so.
pub async fn inspect(admin: &Admin, definition: &Definition, missing: Missing) -> Cluster {
    let mut cluster = Cluster::default();
    let spec = definition.spec();
    for topic in &spec.source.topics {
        if let Some(facts) = cluster.look(admin, (topic, Operation::Read), None).await {
            cluster.inputs.insert(topic.clone(), facts.partitions);
            cluster.check_input(&facts);
            cluster.check_elections(&facts, spec.delivery);
            cluster.permitted(admin, Resource::Topic(topic), Operation::Read);
        }
    }
    let create = Some((missing, cluster.input_partitions().max(1)));
    if let Some(facts) = cluster.look(admin, (&spec.output.topic, Operation::Write), create).await {
        cluster.permitted(admin, Resource::Topic(&facts.name), Operation::Write);
        cluster.output_partitions = facts.partitions;
        cluster.check_elections(&facts, spec.delivery);
        cluster.check_limit(&facts, spec.limits.vector_bytes.0, "limits.vector_bytes");
    }
    if let Some(dead_letter) = &spec.dead_letter
        && let Some(facts) =
            cluster.look(admin, (&dead_letter.topic, Operation::Write), create).await
    {
        cluster.check_elections(&facts, spec.delivery);
        let bytes = spec.limits.record_bytes.0 + HEADER_ROOM;
        cluster.check_limit(&facts, bytes, "limits.record_bytes + 64 KiB");
        cluster.permitted(admin, Resource::Topic(&facts.name), Operation::Write);
    }
    if let Some(topic) = spec.quality_topic()
        && let Some(facts) = cluster.look(admin, (topic, Operation::Write), create).await
    {
        cluster.check_elections(&facts, spec.delivery);
        cluster.check_limit(&facts, VERDICT_BYTES_MAX, "a verdict");
        cluster.permitted(admin, Resource::Topic(&facts.name), Operation::Write);
    }
    cluster.permitted(admin, Resource::Group(&spec.pipeline), Operation::Read);
    cluster
}

impl Cluster {
    /// Tries what no description tells: whether transactions are permitted. Their ids begin with the
    /// pipeline's name and a hyphen; no instance has the one that is used here.
    pub fn rehearse(&mut self, admin: &Admin, definition: &Definition) {
        let spec = definition.spec();
        if self.unreachable || spec.delivery != Delivery::ExactlyOnce {
            return;
        }
        let pipeline = &spec.pipeline;
        match admin.may_transact(&format!("{pipeline}-check")) {
            Ok(()) => self.findings.push(format!("transactional ids `{pipeline}-*`: permitted")),
            Err(error) => self.problems.push(format!(
                "transactional ids `{pipeline}-*`: {error}; Write must be permitted for ids that \
                 begin so, deploy/kafka/acls.sh grants it"
            )),
        }
    }

    /// Partitions of all input topics together.
    pub fn input_partitions(&self) -> i32 {
        self.inputs.values().sum()
    }

    /// Describes a topic that this is to be done with. If it is missing, `create` says what is done
    /// about it and how many partitions it gets.
    async fn look(
        &mut self,
        admin: &Admin,
        (topic, operation): (&str, Operation),
        create: Option<(Missing, i32)>,
    ) -> Option<TopicFacts> {
        if self.unreachable {
            return None;
        }
        // A broker that has just come up, or has not heard of a new topic, calls it missing too.
        let patience = match create {
            None | Some((Missing::Refuse, _)) => HEARD_WITHIN,
            Some((Missing::Create | Missing::Permit, _)) => Duration::ZERO,
        };
        let mut answer = described_within(admin, topic, patience).await;
        let cannot = |error| format!("cannot create topic `{topic}`: {error}");
        match (&answer, create) {
            (Err(AdminError::Missing(_)), Some((Missing::Create, partitions))) => {
                match admin.create(topic, partitions, &[]).await {
                    Ok(()) => self.findings.push(format!("topic `{topic}` created")),
                    Err(error) => self.problems.push(cannot(error)),
                }
                answer = described_within(admin, topic, CREATED_WITHIN).await;
            }
            (Err(AdminError::Missing(_)), Some((Missing::Permit, partitions))) => {
                match admin.may_create(topic, partitions).await {
                    Ok(()) => self.findings.push(format!(
                        "topic `{topic}`: missing, `run` creates it with {partitions} partitions"
                    )),
                    Err(error) => self.problems.push(cannot(error)),
                }
                return None;
            }
            _ => {}
        }
        match answer {
            Ok(facts) => {
                self.findings.push(describe(&facts));
                Some(facts)
            }
            Err(error @ AdminError::Missing(_)) => {
                let hint = "create it, or set `create_topics: true` for output topics";
                self.problems.push(format!("{error}; {hint}"));
                None
            }
            Err(AdminError::Forbidden(..)) => {
                // Whoever may read or write may also describe: this tells more than the answer.
                self.problems.push(not_permitted(Resource::Topic(topic), operation));
                None
            }
            Err(error) => {
                self.unreachable |= matches!(error, AdminError::Unreachable(..));
                self.problems.push(error.to_string());
                None
            }
        }
    }

    /// Notes that this is not permitted, or for topics that their settings may not be seen.
    fn permitted(&mut self, admin: &Admin, resource: Resource<'_>, operation: Operation) {
        if self.unreachable {
            return;
        }
        let needed: &[Operation] = match resource {
            Resource::Topic(_) => &[operation, Operation::DescribeConfigs],
            Resource::Group(_) => &[operation],
        };
        self.problems.extend(forbidden(admin, resource, needed));
    }

    fn check_input(&mut self, facts: &TopicFacts) {
        if facts.cleanup_policy.as_deref().is_some_and(|policy| policy.contains("compact")) {
            self.problems.push(format!(
                "topic `{}` has cleanup.policy=compact: records that the state was made of would \
                 vanish; use a topic with cleanup.policy=delete",
                facts.name
            ));
        }
    }

    /// A leader that lacks records makes what was committed go away: once is then no promise.
    fn check_elections(&mut self, facts: &TopicFacts, delivery: Delivery) {
        if facts.unclean_election && delivery == Delivery::ExactlyOnce {
            self.problems.push(format!(
                "topic `{}` has unclean.leader.election.enable=true: a replica that lacks records \
                 may become the leader, and records that were committed are gone; set it to false, \
                 or choose `delivery: at_least_once`",
                facts.name
            ));
        }
    }

    fn check_limit(&mut self, facts: &TopicFacts, needed: u64, limit: &str) {
        let Some(bytes) = facts.max_message_bytes else { return };
        self.batch_bytes = Some(self.batch_bytes.map_or(bytes, |least| least.min(bytes)));
        if bytes < needed {
            self.problems.push(format!(
                "topic `{}` takes messages of at most {bytes} bytes, {limit} needs {needed}; raise \
                 max.message.bytes of the topic or lower the limit",
                facts.name
            ));
        }
    }
}

/// A sentence for each of the needed operations that the principal may not do. Brokers without an
/// authorizer permit all; where they do not say, the first request tells.
pub(super) fn forbidden(
    admin: &Admin,
    resource: Resource<'_>,
    needed: &[Operation],
) -> Vec<String> {
    let permitted = match admin.operations(resource) {
        Ok(Some(permitted)) => permitted,
        Err(
            RDKafkaErrorCode::GroupAuthorizationFailed | RDKafkaErrorCode::TopicAuthorizationFailed,
        ) => Vec::new(),
        // A group that never was has no description.
        Ok(None) | Err(_) => return Vec::new(),
    };
    let missing = needed.iter().filter(|operation| !permitted.contains(operation));
    missing.map(|operation| not_permitted(resource, *operation)).collect()
}

fn not_permitted(resource: Resource<'_>, operation: Operation) -> String {
    let (kind, name) = match resource {
        Resource::Topic(name) => ("topic", name),
        Resource::Group(name) => ("group", name),
    };
    let operation = operation.name();
    format!(
        "{kind} `{name}`: {operation} is not permitted; deploy/kafka/acls.sh grants what is needed"
    )
}

/// Describes a topic; one that is missing is asked for again until the time is over.
async fn described_within(
    admin: &Admin,
    topic: &str,
    longest: Duration,
) -> Result<TopicFacts, AdminError> {
    let mut left = longest.as_millis() / PAUSE.as_millis();
    loop {
        let answer = admin.describe(topic).await;
        if left == 0 || !matches!(answer, Err(AdminError::Missing(_))) {
            return answer;
        }
        left -= 1;
        tokio::time::sleep(PAUSE).await;
    }
}

fn describe(facts: &TopicFacts) -> String {
    let TopicFacts { name, partitions, max_message_bytes, cleanup_policy, .. } = facts;
    let bytes = max_message_bytes.map_or("not readable".to_owned(), |b| b.to_string());
    let policy = cleanup_policy.as_deref().unwrap_or("not readable");
    format!(
        "topic `{name}`: {partitions} partitions, max.message.bytes {bytes}, cleanup.policy {policy}"
    )
}

//! Questions to the cluster that are asked before a pipeline starts.

use super::ffi::{Operation, Resource, authorized_operations};
use rdkafka::{
    ClientConfig, ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseProducer, Producer as _, ProducerContext},
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tracing::debug;

/// What the cluster says of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFacts {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// `max.message.bytes`, if it may be read.
    pub max_message_bytes: Option<u64>,
    /// `cleanup.policy`, if it may be read.
    pub cleanup_policy: Option<String>,
    /// True if `unclean.leader.election.enable` is known to be.
    pub unclean_election: bool,
}

/// Settings of a topic, none where they may not be read.
#[derive(Default)]
struct TopicSettings {
    max_message_bytes: Option<u64>,
    cleanup_policy: Option<String>,
    unclean_election: bool,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The client could not be made: a property is wrong.
    #[error("the admin client cannot be created: {0}")]
    Create(KafkaError),
    /// No broker answered.
    #[error("no broker answered within {0:?}: {1}")]
    Unreachable(Duration, String),
    /// The topic does not exist.
    #[error("topic `{0}` does not exist")]
    Missing(String),
    /// The principal may not see or change the topic.
    #[error("not authorised for topic `{0}`: {1}")]
    Forbidden(String, RDKafkaErrorCode),
    /// Another answer.
    #[error("topic `{0}`: {1}")]
    Topic(String, RDKafkaErrorCode),
}

/// Context of the admin client: keeps the newest complaint, such as a failed authentication.
#[derive(Debug, Default)]
struct Complaints(Mutex<Option<String>>);

impl Complaints {
    fn newest(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters of it is in the answer to the question.
        debug!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, _: KafkaError, reason: &str) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // That no broker is up says less than why one was left.
        if newest.is_none() || !reason.contains("brokers are down") {
            *newest = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Complaints {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// A client for questions.
pub struct Admin {
    config: ClientConfig,
    client: AdminClient<Complaints>,
    /// Asks for metadata: an admin client tells nobody why it cannot connect.
    probe: BaseProducer<Complaints>,
    timeout: Duration,
}

impl Admin {
    /// Makes the client; every question waits at most `timeout`.
    pub fn connect(config: &ClientConfig, timeout: Duration) -> Result<Self, AdminError> {
        let create = AdminError::Create;
        let client = config.create_with_context(Complaints::default()).map_err(create)?;
        let probe = config.create_with_context(Complaints::default()).map_err(create)?;
        Ok(Self { config: config.clone(), client, probe, timeout })
    }

    /// What the client itself said of the connection says more than the request's error.
    fn unreachable(&self, error: &KafkaError) -> AdminError {
        // The reason lies in the client's queue of events.
        self.probe.poll(Duration::from_millis(50));
        let said = self.probe.context().newest().unwrap_or_else(|| error.to_string());
        AdminError::Unreachable(self.timeout, said)
    }

    /// The cluster's id, which also tells that a broker answers.
    pub fn cluster_id(&self) -> Option<String> {
        self.client.inner().fetch_cluster_id(self.timeout)
    }

    /// What the cluster says of a topic.
    pub async fn describe(&self, topic: &str) -> Result<TopicFacts, AdminError> {
        let partitions = self.partitions(topic)?;
        let TopicSettings { max_message_bytes, cleanup_policy, unclean_election } =
            self.settings(topic).await?;
        let name = topic.to_owned();
        Ok(TopicFacts { name, partitions, max_message_bytes, cleanup_policy, unclean_election })
    }

    fn partitions(&self, topic: &str) -> Result<i32, AdminError> {
        let metadata = self
            .probe
            .client()
            .fetch_metadata(Some(topic), self.timeout)
            .map_err(|e| self.unreachable(&e))?;
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        let Some(found) = found else { return Err(AdminError::Missing(topic.to_owned())) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => i32::try_from(found.partitions().len())
                .map_err(|_| AdminError::Missing(topic.to_owned())),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(AdminError::Missing(topic.to_owned()))
            }
            Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(AdminError::Forbidden(topic.to_owned(), code))
            }
            Some(code) => Err(AdminError::Topic(topic.to_owned(), code)),
        }
    }

    /// Its settings, as far as they may be read: `DescribeConfigs` is a permission of its own.
    async fn settings(&self, topic: &str) -> Result<TopicSettings, AdminError> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let asked = [ResourceSpecifier::Topic(topic)];
        let answer = self
            .client
            .describe_configs(&asked, &options)
            .await
            .map_err(|e| self.unreachable(&e))?;
        match answer.into_iter().next() {
            Some(Ok(resource)) => {
                let value = |name: &str| resource.get(name).and_then(|e| e.value.clone());
                let unclean = value("unclean.leader.election.enable");
                Ok(TopicSettings {
                    max_message_bytes: value("max.message.bytes").and_then(|v| v.parse().ok()),
                    cleanup_policy: value("cleanup.policy"),
                    unclean_election: unclean.is_some_and(|value| value == "true"),
                })
            }
            Some(Err(RDKafkaErrorCode::TopicAuthorizationFailed)) | None => {
                Ok(TopicSettings::default())
            }
            Some(Err(code)) => Err(AdminError::Topic(topic.to_owned(), code)),
        }
    }

    /// Creates a topic; one that exists already is fine.
    pub async fn create(
        &self,
        topic: &str,
        partitions: i32,
        config: &[(&str, &str)],
    ) -> Result<(), AdminError> {
        self.create_or_ask(topic, partitions, config, false).await
    }

    /// Asks whether a topic could be created, without creating it.
    pub async fn may_create(&self, topic: &str, partitions: i32) -> Result<(), AdminError> {
        self.create_or_ask(topic, partitions, &[], true).await
    }

    async fn create_or_ask(
        &self,
        topic: &str,
        partitions: i32,
        config: &[(&str, &str)],
        validate_only: bool,
    ) -> Result<(), AdminError> {
        let options =
            AdminOptions::new().operation_timeout(Some(self.timeout)).validate_only(validate_only);
        // Replication -1 asks for the broker's default.
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        for (name, value) in config {
            new = new.set(name, value);
        }
        let answers =
            self.client.create_topics([&new], &options).await.map_err(|e| self.unreachable(&e))?;
        match answers.into_iter().next() {
            Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | None => Ok(()),
            Some(Err((
                _,
                code @ (RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed),
            ))) => Err(AdminError::Forbidden(topic.to_owned(), code)),
            Some(Err((_, code))) => Err(AdminError::Topic(topic.to_owned(), code)),
        }
    }

    /// What this client's principal may do; none where the brokers do not say.
    pub fn operations(
        &self,
        resource: Resource<'_>,
    ) -> Result<Option<Vec<Operation>>, RDKafkaErrorCode> {
        authorized_operations(self.probe.client(), resource, self.timeout)
    }

    /// Asks whether transactions under this id are permitted. The broker remembers the id; nobody
    /// may use it for anything else, as a producer that does is fenced.
    pub fn may_transact(&self, transactional_id: &str) -> Result<(), KafkaError> {
        let mut config = self.config.clone();
        config.set("transactional.id", transactional_id);
        let producer: BaseProducer<Complaints> =
            config.create_with_context(Complaints::default())?;
        producer.init_transactions(self.timeout)
    }
}

//! Questions to the cluster that are asked before a pipeline starts.

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::time::Duration;

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
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The client could not be made: a property is wrong.
    #[error("the admin client cannot be created: {0}")]
    Create(KafkaError),
    /// No broker answered.
    #[error("no broker answered within {0:?}: {1}")]
    Unreachable(Duration, KafkaError),
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

/// A client for questions.
pub struct Admin {
    client: AdminClient<DefaultClientContext>,
    timeout: Duration,
}

impl Admin {
    /// Makes the client; every question waits at most `timeout`.
    pub fn connect(config: &ClientConfig, timeout: Duration) -> Result<Self, AdminError> {
        Ok(Self { client: config.create().map_err(AdminError::Create)?, timeout })
    }

    /// The cluster's id, which also tells that a broker answers.
    pub fn cluster_id(&self) -> Option<String> {
        self.client.inner().fetch_cluster_id(self.timeout)
    }

    /// What the cluster says of a topic.
    pub async fn describe(&self, topic: &str) -> Result<TopicFacts, AdminError> {
        let partitions = self.partitions(topic)?;
        let (max_message_bytes, cleanup_policy) = self.limits(topic).await?;
        Ok(TopicFacts { name: topic.to_owned(), partitions, max_message_bytes, cleanup_policy })
    }

    fn partitions(&self, topic: &str) -> Result<i32, AdminError> {
        let metadata = self
            .client
            .inner()
            .fetch_metadata(Some(topic), self.timeout)
            .map_err(|e| AdminError::Unreachable(self.timeout, e))?;
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

    /// Limits, or none where they may not be read: `DescribeConfigs` is a permission of its own.
    async fn limits(&self, topic: &str) -> Result<(Option<u64>, Option<String>), AdminError> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let asked = [ResourceSpecifier::Topic(topic)];
        let answer = self
            .client
            .describe_configs(&asked, &options)
            .await
            .map_err(|e| AdminError::Unreachable(self.timeout, e))?;
        match answer.into_iter().next() {
            Some(Ok(resource)) => {
                let value = |name: &str| resource.get(name).and_then(|e| e.value.clone());
                let bytes = value("max.message.bytes").and_then(|v| v.parse().ok());
                Ok((bytes, value("cleanup.policy")))
            }
            Some(Err(RDKafkaErrorCode::TopicAuthorizationFailed)) | None => Ok((None, None)),
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
        let options = AdminOptions::new().operation_timeout(Some(self.timeout));
        // Replication -1 asks for the broker's default.
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        for (name, value) in config {
            new = new.set(name, value);
        }
        let answers = self
            .client
            .create_topics([&new], &options)
            .await
            .map_err(|e| AdminError::Unreachable(self.timeout, e))?;
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
}

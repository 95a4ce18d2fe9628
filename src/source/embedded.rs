//! A broker inside the process: librdkafka's mock cluster.
//!
//! It serves the demo and tests of error paths. It keeps 5 MiB per partition, stores no
//! transactional offsets and has no admin API, so it proves nothing about exactly-once.

use rdkafka::{
    ClientConfig, error::KafkaError, mocking::MockCluster, producer::DefaultProducerContext,
};

/// An embedded broker; it ends when dropped.
pub struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Embedded {
    /// Starts one broker on a free port of the loopback interface.
    pub fn start(topics: &[(&str, i32)]) -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1)?;
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1)?;
        }
        Ok(Self { cluster })
    }

    /// `HOST:PORT` of the broker.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// What a client of this broker needs.
    pub fn apply(&self, config: &mut ClientConfig) {
        config.set("bootstrap.servers", self.bootstrap_servers());
    }
}

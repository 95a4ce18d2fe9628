//! A call of the client that does not keep to its time limit, kept to it.

use super::{Membership, Producer, TransactionError, ffi};
use rdkafka::TopicPartitionList;
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// How much longer than its own limit the call is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Puts offsets into the open transaction, or fails in time.
///
/// The client asks for the group's coordinator without a look at its time limit
/// (librdkafka#5456), and where the coordinator that it remembers is gone, waits until some other
/// broker comes or goes (librdkafka#5511): for as long as a broker is away, or for good. So the
/// call has a thread of its own. One that does not come back in time is left to itself and keeps
/// the producer alive; replace that, and what the call still sends belongs to a transaction that is
/// over.
pub fn send_offsets_in_time(
    producer: &Arc<Producer>,
    offsets: TopicPartitionList,
    membership: Membership,
    timeout: Duration,
) -> Result<(), TransactionError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let producer = Arc::clone(producer);
    let call = move || {
        let result = ffi::send_offsets(&producer, &offsets, &membership, timeout);
        // Before the answer, so that a call that was waited for keeps nothing alive.
        drop(producer);
        drop(sender.send(result));
    };
    thread::Builder::new()
        .name("send-offsets".to_owned())
        .spawn(call)
        .map_err(|error| TransactionError::Uncertain(format!("no thread: {error}")))?;
    receiver.recv_timeout(timeout + GRACE).unwrap_or_else(|_| {
        Err(TransactionError::Uncertain("the group's coordinator is not found".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::{self, ClientProperties, Deliveries};
    use rdkafka::{
        Offset,
        mocking::{MockCluster, MockCoordinator},
        producer::Producer as _,
    };
    use std::time::Instant;

    const LIMIT: Duration = Duration::from_secs(1);

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test times the call")]
    fn a_coordinator_that_is_away_is_not_waited_for() {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic("in", 1, 1).unwrap();
        cluster.coordinator(MockCoordinator::Transaction("t".to_owned()), 1).unwrap();
        cluster.coordinator(MockCoordinator::Group("g".to_owned()), 2).unwrap();
        let servers = ("bootstrap.servers".to_owned(), cluster.bootstrap_servers());
        let properties = ClientProperties::new([servers]);
        let mut config = kafka::producer_config(&properties, 1);
        kafka::make_transactional(&mut config, &properties, "t");
        let producer: Arc<Producer> =
            Arc::new(config.create_with_context(Deliveries::default()).unwrap());
        producer.init_transactions(Duration::from_secs(10)).unwrap();
        producer.begin_transaction().unwrap();
        cluster.broker_down(2).unwrap();

        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset("in", 0, Offset::Offset(1)).unwrap();
        let membership = Membership::outsider("g").unwrap();
        let began = Instant::now();
        let sent = send_offsets_in_time(&producer, offsets, membership, LIMIT);
        let took = began.elapsed();
        assert!(matches!(sent, Err(TransactionError::Uncertain(_))), "{sent:?}");
        assert!(took < LIMIT + GRACE + Duration::from_secs(1), "{took:?}");
        // The call under way ends once the broker is back.
        cluster.broker_up(2).unwrap();
    }
}

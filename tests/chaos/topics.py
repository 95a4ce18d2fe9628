"""Topics as they lie in the broker: made, written down, read back whole."""

import dataclasses
import time

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

COMMITTED, UNCOMMITTED = "read_committed", "read_uncommitted"

Headers = tuple[tuple[str, bytes | None], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic, byte for byte; `timestamp` in ms, -1 where absent."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> str | None:
        """The last header of that name as text."""
        found = [value for key, value in self.headers if key == name and value is not None]
        return found[-1].decode("utf-8", "replace") if found else None


def admin(bootstrap: str) -> AdminClient:
    """A client that only asks; it is quiet about brokers that the suite itself stops."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 1000})


def create(client: AdminClient, names: list[str], partitions: int, replicas: int = 1) -> None:
    """Creates topics and waits until each has a leader for every partition."""
    settings = {"max.message.bytes": "2000000"}
    new = [NewTopic(name, partitions, replicas, config=settings) for name in names]
    for answer in client.create_topics(new, operation_timeout=20).values():
        answer.result(timeout=30)
    deadline = time.monotonic() + 30
    for name in names:
        while True:
            found = client.list_topics(name, timeout=10).topics[name].partitions
            if len(found) == partitions and all(p.leader >= 0 for p in found.values()):
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} has no leaders after 30 s")
            time.sleep(0.1)


def delete(client: AdminClient, names: list[str]) -> None:
    """Removes topics that nobody needs any more; the disk of a long run is thankful."""
    for answer in client.delete_topics(names, operation_timeout=20).values():
        answer.result(timeout=30)


def partition_ids(client: AdminClient, topic: str) -> list[int]:
    return sorted(client.list_topics(topic, timeout=20).topics[topic].partitions)


def ends(client: AdminClient, topic: str, isolation: str) -> dict[int, int]:
    """End offset of each partition: the last stable one, or the high watermark."""
    level = IsolationLevel.READ_COMMITTED if isolation == COMMITTED else IsolationLevel.READ_UNCOMMITTED
    asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in partition_ids(client, topic)}
    answers = client.list_offsets(asked, isolation_level=level, request_timeout=20)
    return {place.partition: answer.result(timeout=30).offset for place, answer in answers.items()}


def wait_until_settled(client: AdminClient, topic: str, seconds: float) -> None:
    """Waits until no transaction is open in the topic; only then is the committed end the end."""
    deadline = time.monotonic() + seconds
    while ends(client, topic, COMMITTED) != ends(client, topic, UNCOMMITTED):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{topic}: a transaction is still open after {seconds:.0f} s")
        time.sleep(0.2)


def read(bootstrap: str, topic: str, isolation: str) -> list[Record]:
    """Every record of a settled topic, partition by partition in offset order.

    The end is where the client says so, after the last record: markers of transactions take
    offsets too, so that no record stands at the end offset.
    """
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "chaos-reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": isolation,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 50,
        "log_level": 0,
    })
    try:
        metadata = consumer.list_topics(topic, timeout=20).topics[topic]
        open_partitions = set(metadata.partitions)
        consumer.assign([TopicPartition(topic, p, 0) for p in sorted(open_partitions)])
        records: dict[int, list[Record]] = {p: [] for p in open_partitions}
        heard = time.monotonic()
        while open_partitions:
            for message in consumer.consume(num_messages=10_000, timeout=0.2):
                heard = time.monotonic()
                error = message.error()
                if error is None:
                    records[message.partition()].append(_record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition())
                elif error.fatal() or not error.retriable():
                    raise KafkaException(error)
            if time.monotonic() - heard > 30:
                raise TimeoutError(f"{topic}: the end of {sorted(open_partitions)} was not reached")
        return [record for p in sorted(records) for record in records[p]]
    finally:
        consumer.close()


def _record(message) -> Record:
    _, timestamp = message.timestamp()
    headers = tuple((name, value) for name, value in message.headers() or ())
    return Record(
        message.partition(), message.offset(), timestamp, message.key(), message.value(), headers
    )

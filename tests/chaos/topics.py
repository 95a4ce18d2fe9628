"""Topics as they lie in the broker: made, written down, read back whole."""

import dataclasses
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from . import commits

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
    """A client that makes topics; it is quiet about brokers that the suite itself stops."""
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


class Positions:
    """What a group has committed, and where a topic ends.

    Asked with plain consumers that never join. The admin client's futures are not used for this: a
    broker that is killed while one is under way can leave it unanswered, or end the process.
    """

    def __init__(self, bootstrap: str, group: str, topic: str, partitions: int, with_ticks: bool = False):
        self.topic = topic
        self._with_ticks = with_ticks
        # Ticks that were committed, by partition, and the partitions that hold records just now.
        self.ticks: dict[int, set[tuple[int, int]]] = {}
        self.holding: set[int] = set()
        self.places = [TopicPartition(topic, p) for p in range(partitions)]
        self._settings = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 0,
        }
        # Not one of those that are replaced: others ask it meanwhile.
        self._asked = self._client(UNCOMMITTED)
        self._clients = {isolation: self._client(isolation) for isolation in (COMMITTED, UNCOMMITTED)}

    def _client(self, isolation: str) -> Consumer:
        """A reader of uncommitted asks for the offset as it stands, whatever is pending."""
        return Consumer(self._settings | {"isolation.level": isolation})

    def committed(self, seconds: float) -> dict[int, int]:
        """Offset of each partition that has one; raises where the broker does not answer."""
        if self._with_ticks:
            told = commits.committed(self._settings["bootstrap.servers"], self._settings["group.id"],
                                     self.topic, len(self.places), seconds)
            for partition, (_, metadata) in told.items():
                self._note(partition, metadata)
            return {partition: offset for partition, (offset, _) in told.items()}
        found = self._asked.committed(self.places, timeout=seconds)
        return {place.partition: place.offset for place in found if place.offset >= 0 and not place.error}

    def _note(self, partition: int, metadata: str) -> None:
        """What a commit says of held records: ticks leave it once two snapshots are behind them."""
        words = dict(word.split("=", 1) for word in metadata.split(" ") if "=" in word)
        for text in filter(None, words.get("tk", "").split(",")):
            offset, _, tick = text.partition("+")
            self.ticks.setdefault(partition, set()).add((int(offset, 36), int(tick or 1)))
        (self.holding.add if "lh" in words else self.holding.discard)(partition)

    def ends(self, isolation: str, topic: str | None = None) -> dict[int, int]:
        """End offset of each partition: the last stable one, or the high watermark."""
        deadline = time.monotonic() + 60
        found: dict[int, int] = {}
        while len(found) < len(self.places):
            partition = len(found)
            try:
                place = TopicPartition(topic or self.topic, partition)
                found[partition] = self._clients[isolation].get_watermark_offsets(place, timeout=5)[1]
            except KafkaException as error:
                # A broker that has just come back does not lead yet.
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.topic}: no end offset of {partition}: {error}") from error
                time.sleep(0.5)
                # One that was told that there is no such topic believes it for minutes.
                self._clients[isolation].close()
                self._clients[isolation] = self._client(isolation)
        return found

    def wait_until_settled(self, topic: str, seconds: float) -> None:
        """Waits until no transaction is open in the topic; only then is the committed end the end."""
        deadline = time.monotonic() + seconds
        while self.ends(COMMITTED, topic) != self.ends(UNCOMMITTED, topic):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic}: a transaction is still open after {seconds:.0f} s")
            time.sleep(0.2)

    def close(self) -> None:
        for client in (self._asked, *self._clients.values()):
            client.close()


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

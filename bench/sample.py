"""Whether a peer produces the same values: by transaction, on the first records of each partition."""

import json
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict

from confluent_kafka import Consumer, KafkaError, TopicPartition

# Of each partition.
RECORDS = 20_000
RELATIVE, ABSOLUTE = 1e-9, 1e-9
HOUR_MS = 3_600_000


def first(bootstrap: str, topic: str, count: int) -> list[dict]:
    """The first values of each partition, parsed."""
    return [json.loads(value) for value in first_bytes(bootstrap, topic, count)]


def first_bytes(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """The first values of each partition; nothing that was not committed."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "sample", "enable.auto.commit": False,
        "isolation.level": "read_committed", "auto.offset.reset": "earliest", "enable.partition.eof": True,
    })
    try:
        partitions = list(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        left = dict.fromkeys(partitions, count)
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        found = []
        while left:
            for message in consumer.consume(10_000, timeout=0.5):
                partition, error = message.partition(), message.error()
                if partition not in left:
                    continue
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        del left[partition]
                    continue
                found.append(message.value())
                left[partition] -= 1
                if not left[partition]:
                    del left[partition]
        return found
    finally:
        consumer.close()


def by_event_time(transactions: list[dict]) -> dict[str, dict]:
    """The windowed values when records are taken in event time and those of one time see each other."""
    cards = defaultdict(list)
    for transaction in transactions:
        cards[transaction["card_id"]].append(transaction)
    expected = {}
    for held in cards.values():
        held.sort(key=lambda transaction: transaction["ts"])
        times = [transaction["ts"] for transaction in held]
        for transaction in held:
            begin = bisect_left(times, transaction["ts"] - HOUR_MS)
            window = held[begin:bisect_right(times, transaction["ts"])]
            amounts = [t["amount"] for t in window if t["amount"] is not None]
            expected[transaction["tx_id"]] = statistics_of(amounts)
    return expected


def statistics_of(amounts: list[float]) -> dict:
    """Two passes, correctly rounded sums."""
    count = len(amounts)
    total = math.fsum(amounts) if count else None
    mean = total / count if count else None
    std = math.sqrt(math.fsum((a - mean) ** 2 for a in amounts) / (count - 1)) if count > 1 else None
    return {"amount_count_1h": count, "amount_sum_1h": total, "amount_mean_1h": mean,
            "amount_std_1h": std, "amount_max_1h": max(amounts, default=None)}


def differs(expected: object, actual: object) -> bool:
    if expected is None or actual is None or isinstance(expected, str):
        return expected != actual
    return abs(expected - actual) > ABSOLUTE + RELATIVE * abs(expected)


def compare(expected: dict[str, dict], found: list[dict]) -> tuple[int, list[str]]:
    """How many vectors were compared, and what differs."""
    compared, wrong = 0, []
    for vector in found:
        wanted = expected.get(vector["tx_id"])
        if wanted is None:
            continue
        compared += 1
        wrong += [f"{vector['tx_id']}: {name} is {vector.get(name)!r}, expected {value!r}"
                  for name, value in wanted.items() if differs(value, vector.get(name))]
    return compared, wrong


def expectations(order: str, vectors: list[dict], transactions: list[dict]) -> dict[str, dict]:
    """What a program must give: millstream's own vectors, or those in the order of event time."""
    if order == "arrival":
        return {vector["tx_id"]: vector for vector in vectors}
    return by_event_time(transactions)

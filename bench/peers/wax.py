"""The card-features job in Bytewax: a stateful map per card.

    wax.py BOOTSTRAP INPUT OUTPUT WORKERS

It reads by assignment, not by a consumer group, and commits nothing to Kafka; recovery, which is at least once, is off.
"""

import json
import sys

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from card import vector


def keyed(message) -> tuple[str, dict]:
    return message.key.decode(), json.loads(message.value)


def features(held: list | None, transaction: dict) -> tuple[list, dict]:
    held = [] if held is None else held
    return held, vector(transaction, held)


def encoded(pair: tuple[str, dict]) -> KafkaSinkMessage:
    key, made = pair
    return KafkaSinkMessage(key.encode(), json.dumps(made, separators=(",", ":")).encode())


def flow(bootstrap: str, source: str, target: str) -> Dataflow:
    made = Dataflow("card_features")
    records = op.input("input", made, KafkaSource([bootstrap], [source], batch_size=10_000))
    transactions = op.map("decode", records, keyed)
    vectors = op.stateful_map("features", transactions, features)
    kop.output("output", op.map("encode", vectors, encoded), brokers=[bootstrap], topic=target,
               add_config={"compression.type": "lz4", "linger.ms": "20"})
    return made


if __name__ == "__main__":
    from bytewax.testing import cluster_main

    bootstrap, source, target, workers = sys.argv[1:]
    cluster_main(flow(bootstrap, source, target), [], 0, worker_count_per_proc=int(workers))

"""From the Kafka timestamp of a record to its vector in the hands of a reader, at steady rates.

Producer, daemon, broker and reader share the machine. The reader is Python: at high rates it reads one
partition of four, so that it takes little away from the others.
"""

import dataclasses
import json
import pathlib
import subprocess
import time

from chaos import topics
from chaos.bounds import latencies
from chaos.monitor import quantile

from . import measure
from .card import PARTITIONS, say
from .programs import WIDTH, Job, Setting, pipeline, settings_of

RATES = (1_000, 10_000, 50_000, 100_000)
DELIVERIES = ("at_least_once", "exactly_once")
SECONDS, START_S = 30.0, 8.0
# Rates that the reader follows whole.
WHOLE_MAX = 10_000
QUANTILES = (0.5, 0.99, 0.999)


@dataclasses.dataclass(frozen=True)
class Latency:
    """One rate, asked for and reached, in records/s; quantiles in milliseconds."""

    delivery: str
    rate: int
    reached: float
    quantiles: tuple[float, ...]


def producer(setting: Setting, rate: int) -> list[str]:
    records = int(rate * (SECONDS + 3 * START_S))
    return [str(setting.millstream), "demo", "--workload", "card", "--kafka", setting.bootstrap, "--rate", str(rate),
            "--records", str(records), "--produce-only", "--set", "kafka.producer_properties.linger.ms=1"]


def daemon(setting: Setting, job: Job, delivery: str) -> list[str]:
    """Begins at the end of the topic; settings as they are shipped."""
    path = pipeline(job, setting.source)
    path.write_text(path.read_text().replace("start: earliest", "start: latest"))
    return [str(setting.millstream), "run", str(path), "--delivery", delivery,
            *settings_of(setting, job.name, job.work, WIDTH)]


def run(setting: Setting, delivery: str, rate: int, job: Job) -> Latency:
    """One rate under one delivery."""
    admin = topics.admin(setting.bootstrap)
    topics.create(admin, [job.output, job.dead_letter], PARTITIONS)
    job.work.mkdir()
    read = PARTITIONS if rate <= WHOLE_MAX else 1
    running = measure.Running([daemon(setting, job, delivery)], job.work / "log", job.work)
    feed = None
    try:
        time.sleep(START_S)
        feed = subprocess.Popen(producer(setting, rate), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(START_S)
        found = latencies(setting.bootstrap, job.output, read, SECONDS)
        if (code := running.ended()) is not None or not found:
            raise RuntimeError(f"no vectors (exit code {code}):\n{running.tail()}")
    finally:
        if feed:
            feed.kill()
            feed.wait()
        running.stop()
        topics.delete(admin, [job.output, job.dead_letter])
    return Latency(delivery, rate, len(found) / SECONDS * PARTITIONS / read,
                   tuple(quantile(found, q) or 0.0 for q in QUANTILES))


def measure_all(setting: Setting, work: pathlib.Path) -> list[Latency]:
    """Every rate under both deliveries."""
    made = []
    for delivery in DELIVERIES:
        for rate in RATES:
            name = f"latency-{delivery.replace('_', '-')}-{rate}"
            made.append(run(setting, delivery, rate, Job(name, f"{name}.out", f"{name}.dlq", work / name)))
            shown = ", ".join(f"p{q * 100:g} {value:.1f} ms" for q, value in zip(QUANTILES, made[-1].quantiles))
            say(f"{delivery} at {rate:,}/s: {shown}; {made[-1].reached:,.0f} vectors/s")
            (work / "latency.json").write_text(json.dumps([dataclasses.asdict(one) for one in made], indent=1))
    return made

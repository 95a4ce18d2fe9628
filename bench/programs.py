"""The programs that are compared: how each is started on a topic, and its version."""

import dataclasses
import pathlib
import re
import sys
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench/peers"
FILES = ROOT / "config/pipelines"
PIPELINE = FILES / "card-features.yaml"
# Threads, or processes where threads do not help: one per core of the machine that is described.
WIDTH = 2


@dataclasses.dataclass(frozen=True)
class Setting:
    """Where a program finds what it needs."""

    bootstrap: str
    source: str
    # Release build of millstream and of the floor.
    millstream: pathlib.Path
    floor: pathlib.Path
    # Jars by the name of their pom.
    jars: dict[str, pathlib.Path]
    # What `tests/oracle/flights_input.py --keys` writes.
    flights: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Job:
    """One run: its name is fresh, and with it group and topics."""

    name: str
    output: str
    dead_letter: str
    work: pathlib.Path


Commands = list[list[str]]


@dataclasses.dataclass(frozen=True)
class Program:
    """A program of the table."""

    name: str
    version: Callable[[Setting], str]
    commands: Callable[[Setting, Job], Commands]
    # Whose values it must produce: millstream's by arrival, or by event time with peers.
    order: str = "arrival"
    is_peer: bool = True


def jar_version(setting: Setting, pom: str, artifact: str) -> str:
    """The version in the name of a jar."""
    found = [re.fullmatch(rf"{artifact}-(\d[\w.\-]*)\.jar", jar.name) for jar in setting.jars[pom].iterdir()]
    return next(match[1] for match in found if match)


def python_version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def renamed(text: str, names: dict[str, str]) -> str:
    """The text with each of these, which it has once, replaced."""
    for old, new in names.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def pipeline(job: Job, source: str, order: str = "arrival") -> pathlib.Path:
    """The pipeline file under names of its own, its schema beside it. In event time with peers it does what
    Flink's OVER does: its windows are closed on both sides anyhow, and SQL's sum of nothing is null."""
    orders = {"arrival": "order: arrival", "event_time": "order: event_time\n  peers: true"}
    sums = {"arrival": "count, sum, mean", "event_time": "count, { sum: { null_when_empty: true } }, mean"}
    text = renamed(PIPELINE.read_text("utf-8"), {
        "pipeline: card-features": f"pipeline: {job.name}", "topics: [card.transactions]": f"topics: [{source}]",
        "topic: card.features": f"topic: {job.output}", "topic: card.transactions.dlq": f"topic: {job.dead_letter}",
        orders["arrival"]: orders[order], sums["arrival"]: sums[order]})
    schema = PIPELINE.with_name("card-transaction.schema.json")
    (job.work / schema.name).write_bytes(schema.read_bytes())
    path = job.work / "pipeline.yaml"
    path.write_text(text, "utf-8")
    return path


def settings_of(setting: Setting, name: str, work: pathlib.Path, workers: int) -> list[str]:
    """Of a daemon of its own."""
    values = (f"kafka.bootstrap_servers={setting.bootstrap}", f"workers={workers}", "listen=127.0.0.1:0",
              f"instance={name}", f"snapshots.store={work / 'snapshots'}")
    return [word for value in values for word in ("--set", value)]


def millstream(delivery: str, workers: int, order: str = "arrival") -> Callable[[Setting, Job], Commands]:
    def commands(setting: Setting, job: Job) -> Commands:
        return [[str(setting.millstream), "run", str(pipeline(job, setting.source, order)), "--delivery", delivery,
                 *settings_of(setting, job.name, job.work, workers)]]

    return commands


def floor(setting: Setting, job: Job) -> Commands:
    return [[str(setting.floor), setting.bootstrap, setting.source, job.output]]


def streams(guarantee: str) -> Callable[[Setting, Job], Commands]:
    def commands(setting: Setting, job: Job) -> Commands:
        return [["java", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", f"{setting.jars['kafka-streams']}/*", str(PEERS / "KafkaStreamsCard.java"),
                 setting.bootstrap, job.name, setting.source, job.output, guarantee, str(WIDTH),
                 str(job.work / "state")]]

    return commands


def flink(guarantee: str) -> Callable[[Setting, Job], Commands]:
    def commands(setting: Setting, job: Job) -> Commands:
        # Flink 2.2 asks for these on Java 17.
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.lang", "java.util")]
        return [["java", "-Xmx3g", *opened, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", f"{setting.jars['flink']}/*", str(PEERS / "FlinkCard.java"),
                 setting.bootstrap, job.name, setting.source, job.output, guarantee, str(WIDTH),
                 (job.work / "checkpoints").resolve().as_uri()]]

    return commands


def quix(setting: Setting, job: Job) -> Commands:
    return [[sys.executable, str(PEERS / "quix.py"), setting.bootstrap, job.name, setting.source, job.output,
             "at_least_once", str(job.work / f"state-{number}")] for number in range(WIDTH)]


def wax(setting: Setting, job: Job) -> Commands:
    flow = f"{PEERS / 'wax.py'}:flow({setting.bootstrap!r}, {setting.source!r}, {job.output!r})"
    return [[sys.executable, "-m", "bytewax.testing", "-p", str(WIDTH), flow]]


OURS = [
    Program("librdkafka, copying bytes (floor)", lambda _: "2.12.1", floor, is_peer=False),
    Program("millstream, at_least_once, 1 worker", lambda _: "", millstream("at_least_once", 1), is_peer=False),
    Program("millstream, at_least_once", lambda _: "", millstream("at_least_once", WIDTH), is_peer=False),
    Program("millstream, exactly_once, 1 worker", lambda _: "", millstream("exactly_once", 1), is_peer=False),
    Program("millstream, exactly_once", lambda _: "", millstream("exactly_once", WIDTH), is_peer=False),
    Program("millstream in event time, at_least_once", lambda _: "", millstream("at_least_once", WIDTH, "event_time"),
            order="event_time", is_peer=False),
    Program("millstream in event time, exactly_once", lambda _: "", millstream("exactly_once", WIDTH, "event_time"),
            order="event_time", is_peer=False),
]
STREAMS = [
    Program(f"Kafka Streams, {guarantee}", lambda s: jar_version(s, "kafka-streams", "kafka-streams"),
            streams(guarantee))
    for guarantee in ("at_least_once", "exactly_once_v2")
]
FLINK = [
    Program(f"Flink SQL, {guarantee}", lambda s: jar_version(s, "flink", "flink-table-runtime"), flink(guarantee),
            order="event_time")
    for guarantee in ("at-least-once", "exactly-once")
]
PYTHON = [
    Program("Quix Streams, at_least_once", lambda _: python_version("quixstreams"), quix),
    Program("Bytewax", lambda _: python_version("bytewax"), wax),
]
PROGRAMS = [*OURS, *STREAMS, *FLINK, *PYTHON]

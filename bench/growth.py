"""How cost grows: keys, windows, their lengths, columns, partitions, vector widths, state.

Each case is one run of millstream at_least_once with one worker over an input of its own shape, made
by `bench/feed.rs`; what is not named by the case is as in `Case`.
"""

import dataclasses
import json
import pathlib
import shutil
import statistics
import subprocess
from collections.abc import Iterator

from chaos import topics
from confluent_kafka import Producer

from . import measure, sample
from .card import say
from .programs import FILES, Setting, renamed, settings_of

AGGREGATES = ("count", "sum", "mean", "std", "max")


@dataclasses.dataclass(frozen=True)
class Case:
    """A shape of input and pipeline."""

    family: str
    label: str
    records: int = 1_000_000
    keys: int = 20_000
    # Event time from record to record.
    step_us: int = 5_000
    columns: int = 3
    partitions: int = 4
    windows: tuple[str, ...] = ("1h",)
    # Fields of a vector from the windows, at most; all are computed.
    published: int | None = None
    # Fields of a vector beside those of the windows.
    more_features: int = 0
    # Until the last record instead of half a minute: what matters is the state at the end.
    whole: bool = False

    def pipeline(self, name: str) -> str:
        """The pipeline file."""
        windows = "".join(
            f"  - {{ over: {over}, of: c0, closed: both, compute: [{', '.join(AGGREGATES)}] }}\n"
            for over in self.windows)
        features = [f"c0_{aggregate}_{over}" for over in self.windows for aggregate in AGGREGATES][:self.published]
        features += [f"f{n}: c{n % self.columns} * {n + 1}" for n in range(self.more_features)]
        return (
            f"pipeline: {name}\nsource:\n  topics: [{name}.in]\n  format: json\n  schema: record.schema.json\n"
            "  key: key\n  event_time: { column: ts, unit: ms }\n  lateness: 5s\n  order: arrival\n  start: earliest\n"
            + (f"windows:\n{windows}" if windows else "")
            + "features:\n" + "".join(f"  - {feature}\n" for feature in features)
            + f"output: {{ topic: {name}.out, format: json, carry: [id, key, ts] }}\n"
            f"dead_letter: {{ topic: {name}.dlq }}\n")

    def fill(self, setting: Setting, topic: str) -> None:
        """Writes the input."""
        numbers = (self.records, self.keys, self.step_us, self.columns)
        subprocess.run([setting.floor.with_name("feed"), setting.bootstrap, topic, *map(str, numbers)],
                       check=True, stdout=subprocess.DEVNULL)

    def schema(self) -> str:
        """What a record is like."""
        properties = {"id": {"type": "string"}, "key": {"type": "string"}, "ts": {"type": "integer"}}
        properties |= {f"c{n}": {"type": "number"} for n in range(self.columns)}
        return json.dumps({"type": "object", "required": list(properties), "properties": properties})


@dataclasses.dataclass(frozen=True)
class Flights(Case):
    """The real flights of a year, in the order in which they left, through the pipeline that is shipped."""

    def fill(self, setting: Setting, topic: str) -> None:
        producer = Producer({"bootstrap.servers": setting.bootstrap, "linger.ms": 20, "compression.type": "lz4",
                             "queue.buffering.max.messages": 1_000_000, "partitioner": "murmur2_random"})
        with setting.flights.open(encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.rstrip("\n").partition("\t")
                producer.produce(topic, value, key)
        assert producer.flush(60) == 0, "not all flights were written"

    def pipeline(self, name: str) -> str:
        return renamed((FILES / "flights.yaml").read_text("utf-8"), {
            "pipeline: flights": f"pipeline: {name}", "topics: [flights]": f"topics: [{name}.in]",
            "topic: flights.features": f"topic: {name}.out", "topic: flights.dlq": f"topic: {name}.dlq",
            "schema: flights.schema.json": "schema: record.schema.json"})

    def schema(self) -> str:
        return (FILES / "flights.schema.json").read_text("utf-8")


def minutes(*lengths: int) -> tuple[str, ...]:
    return tuple(f"{length}m" for length in lengths)


def cases() -> Iterator[Case]:
    """All of them; the first of a family is what the others are compared with."""
    for keys in (1_000, 100_000, 1_000_000, 5_000_000):
        yield Case("keys", f"{keys:,}", records=max(1_000_000, 2 * keys), keys=keys, whole=True)
    for lengths in ((30,), (10, 20, 30, 40, 50), range(5, 55, 5), range(1, 51)):
        yield Case("windows", f"{len(lengths)}", windows=minutes(*lengths))
    # What is computed alone, without what a longer vector costs to write, compress and send.
    for lengths in ((10, 20, 30, 40, 50), range(1, 51)):
        yield Case("windows, 25 fields published", f"{len(lengths)}", windows=minutes(*lengths), published=25)
    # A hundred events of a key are in the window, whatever its length.
    for over, seconds in (("1m", 60), ("1h", 3_600), ("1d", 86_400), ("30d", 2_592_000)):
        yield Case("window length", over, windows=(over,), step_us=seconds * 1_000_000 // 100_000, keys=1_000)
    # What a window holds: a few, or thousands of events of a key.
    for keys in (200_000, 20_000, 2_000, 200):
        yield Case("events in a window", f"{720_000 // keys:,}", keys=keys, records=1_500_000)
    for columns in (10, 100, 400):
        yield Case("columns", f"{columns}", columns=columns, records=4_000_000 // columns)
    for partitions in (1, 4, 16, 64):
        yield Case("partitions", f"{partitions}", partitions=partitions)
    for width in (10, 100, 1_000):
        yield Case("vector width", f"{width}", more_features=width - 5, records=2_000_000 // width)
    yield Case("stateless", "5 expressions", windows=(), more_features=5)
    # Nine windows, cleaning, and more than half of the records behind the highest event time.
    yield Flights("flights", "the year 2013", records=336_776)
    for each in (12, 36):
        yield Case("state", f"1,000,000 keys, {each} events each", records=each * 1_000_000, keys=1_000_000,
                   step_us=1_000, windows=("30d",), whole=True)


@dataclasses.dataclass(frozen=True)
class Point:
    """A case and what it took."""

    case: Case
    cost: measure.Cost
    # Bytes of JSON of a record, on average.
    record_bytes: float


def run(setting: Setting, case: Case, name: str, work: pathlib.Path) -> Point:
    """One case; its topics are gone afterwards."""
    names = [f"{name}.in", f"{name}.out", f"{name}.dlq"]
    admin = topics.admin(setting.bootstrap)
    topics.create(admin, names, case.partitions)
    work.mkdir()
    ends = topics.Positions(setting.bootstrap, "bench", f"{name}.out", case.partitions)
    try:
        case.fill(setting, f"{name}.in")
        (work / "record.schema.json").write_text(case.schema())
        (work / "pipeline.yaml").write_text(case.pipeline(name))
        command = [str(setting.millstream), "run", str(work / "pipeline.yaml"), "--delivery", "at_least_once",
                   *settings_of(setting, name, work, workers=1)]
        cost = measure.follow(
            [command], work, lambda: sum(ends.ends(topics.UNCOMMITTED).values()), case.records, case.whole)
        sizes = [len(value) for value in sample.first_bytes(setting.bootstrap, f"{name}.in", 1_000)]
        return Point(case, cost, statistics.mean(sizes))
    finally:
        ends.close()
        topics.delete(admin, names)
        shutil.rmtree(work / "snapshots", ignore_errors=True)


def measure_all(setting: Setting, work: pathlib.Path, words: list[str]) -> list[Point]:
    """Every case whose family or label contains one of the words."""
    points = []
    for number, case in enumerate(cases()):
        if words and not any(word in f"{case.family} {case.label}" for word in words):
            continue
        point = run(setting, case, f"growth-{number}", work / f"growth-{number}")
        points.append(point)
        cost = point.cost
        say(f"{case.family}, {case.label}: {cost.rate:,.0f}/s, {cost.cpu_us:.2f} us, {cost.rss_mb:.0f} MB")
        (work / "growth.json").write_text(json.dumps([dataclasses.asdict(p) for p in points], indent=1))
    return points

"""One group of daemons over topics of its own, with a feed and somebody who watches."""

import dataclasses
import pathlib
import re
import shutil
import time
from collections.abc import Mapping

from . import ROOT, topics
from .broker import Broker
from .cards import Cards, Mix
from .daemon import Binary, Daemon
from .feed import Feed
from .monitor import Monitor
from .proxy import Link, free_port

SESSION_S = 6.0
TRANSACTION_S = 10.0
CLEANUP_S = 1.0
PROTOCOLS = ("cooperative", "static", "kip848", "kip848-static")
FILES = {
    "card": ROOT / "config/pipelines/card-features.yaml",
    "state": ROOT / "tests/chaos/all-state.yaml",
    "order": ROOT / "tests/chaos/in-order.yaml",
}
# Pipelines that hold records until the watermark, and let go what is left after so long without one.
IDLE_S = {"order": 2.0}


# Entities and mix of the events by pipeline: hours of a card, or minutes with every null there is.
NULLS = Mix(null_channel=100, null_amount=100)
EVENTS = {"card": (300, Mix()), "state": (60, NULLS), "order": (60, NULLS)}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a scene is made of; with the seed of its feed it is reproducible."""

    name: str
    seed: int
    pipeline: str = "card"
    protocol: str = "cooperative"
    partitions: int = 9
    slots: int = 3
    workers: int = 1
    rate: float = 400
    linger_ms: int = 10
    # None: what fills the windows of the pipeline.
    cards: int | None = None
    replicas: int = 1
    mix: Mix | None = None
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def group_settings(protocol: str, instance: str) -> dict[str, str]:
    """How a daemon is a member of its group."""
    consumer = "kafka.consumer_properties."
    if protocol.startswith("kip848"):
        settings = {f"{consumer}group.protocol": "consumer"}
        return settings | ({"group_instance_id": instance} if protocol.endswith("static") else {})
    settings = {
        f"{consumer}session.timeout.ms": str(int(SESSION_S * 1000)),
        f"{consumer}heartbeat.interval.ms": "1000",
    }
    if protocol == "static":
        settings["group_instance_id"] = instance
    return settings


def pipeline_text(source: str, name: str) -> str:
    """The pipeline file under a name and topics of its own."""
    for pattern, replacement in (
        (r"(?m)^pipeline:.*$", f"pipeline: {name}"),
        (r"topics: *\[[^\]]*\]", f"topics: [{name}.in]"),
        (r"(?m)^(output: *\{ *topic: *)[^,} ]+", rf"\g<1>{name}.out"),
        (r"(?m)^(dead_letter: *\{ *topic: *)[^,} ]+", rf"\g<1>{name}.dlq"),
    ):
        source, count = re.subn(pattern, replacement, source)
        assert count == 1, f"{pattern} stands {count} times in the pipeline file"
    return re.sub(r"(?m)^(\s*quality_topic: *)\S+", rf"\g<1>{name}.quality", source)


class Scene:
    """Topics, pipeline file, snapshots, daemons by slot, feed and monitor of one plan."""

    def __init__(self, plan: Plan, broker: Broker, binary: Binary, home: pathlib.Path,
                 links: list[Link] | None = None):
        self.plan, self.broker, self.binary = plan, broker, binary
        self.home = home / plan.name
        self.links = links or []
        self.input, self.output, self.dead_letter, self.quality = (
            f"{plan.name}.{topic}" for topic in ("in", "out", "dlq", "quality"))
        self.snapshots = self.home / "snapshots"
        self.daemons: dict[str, Daemon] = {}
        self.ended: list[str] = []
        self.client = topics.admin(broker.bootstrap)
        cards, mix = EVENTS[plan.pipeline]
        self.events = Cards(plan.seed, plan.cards or cards, mix=plan.mix or mix)
        self.feed = Feed(broker.bootstrap, self.input, iter(self.events), plan.rate, plan.linger_ms)
        self.positions = topics.Positions(broker.bootstrap, plan.name, self.input, plan.partitions,
                                          with_ticks=plan.pipeline in IDLE_S)
        self.monitor = Monitor(self.positions, lambda: list(self.daemons.values()))

    @property
    def slots(self) -> list[str]:
        return [f"s{index}" for index in range(self.plan.slots)]

    def prepare(self) -> None:
        """Directory, pipeline file with its schemas, topics."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.snapshots.mkdir(parents=True)
        source = FILES[self.plan.pipeline]
        for schema in source.parent.glob("*.schema.json"):
            shutil.copy(schema, self.home)
        self.file.write_text(pipeline_text(source.read_text(), self.plan.name))
        names = [self.input, self.output, self.dead_letter, self.quality]
        topics.create(self.client, names, self.plan.partitions, self.plan.replicas)

    @property
    def file(self) -> pathlib.Path:
        return self.home / "pipeline.yaml"

    def settings(self, slot: str) -> dict[str, str]:
        """Everything a daemon of this slot is told."""
        link = self._link(slot)
        bootstrap = f"127.0.0.1:{link.port}" if link else self.broker.bootstrap
        settings = {
            "kafka.bootstrap_servers": bootstrap,
            "instance": slot,
            "workers": str(self.plan.workers),
            "listen": f"127.0.0.1:{free_port()}",
            "commit_interval": "100ms",
            **group_settings(self.plan.protocol, slot),
        }
        stored = {
            "snapshots.store": str(self.snapshots),
            "snapshots.interval": "2s",
            "snapshots.records": "2000",
        }
        told = settings | stored | dict(self.plan.settings)
        has_snapshots = self.binary.snapshots
        return {k: v for k, v in told.items() if has_snapshots or not k.startswith("snapshots.")}

    def _link(self, slot: str) -> Link | None:
        """The link of a slot; daemons beyond the slots use the last one's."""
        index = int(slot[1:]) if slot[1:].isdigit() else 0
        return self.links[min(index, len(self.links) - 1)] if self.links else None

    def link(self, slot: str) -> Link:
        link = self._link(slot)
        assert link is not None, "this scene has no links"
        return link

    def start(self, slot: str, environment: Mapping[str, str] | None = None,
              more: Mapping[str, str] | None = None) -> Daemon:
        """A new life for the slot."""
        held = self.daemons.get(slot)
        assert held is None or not held.alive, f"{slot} runs already"
        settings = self.settings(slot) | dict(more or {})
        daemon = Daemon(
            self.binary, self.file, settings, self.home / f"{slot}.log",
            {**self.plan.environment, **(environment or {})},
        )
        self.daemons[slot] = daemon
        return daemon

    def open(self, slots: list[str] | None = None, seconds: float = 60) -> None:
        """Starts feed, monitor and daemons; returns when every partition publishes."""
        self.prepare()
        for slot in slots if slots is not None else self.slots:
            self.start(slot)
        self.feed.start()
        self.monitor.start()
        self.wait("the first vectors of every partition", seconds, lambda: (
            all(position > 0 for position in self.monitor.positions().values())
        ))

    def ends(self) -> dict[int, int]:
        """The end of the input, partition by partition: it has no transactions, so its last record
        is just before."""
        return self.positions.ends(topics.COMMITTED)

    def wait(self, what: str, seconds: float, done) -> float:
        """Waits until `done()`; returns how long it took, raises when too long."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{self.plan.name}: {what} not within {seconds:.0f} s\n{self.tails()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def running(self) -> list[str]:
        return [slot for slot, daemon in self.daemons.items() if daemon.alive]

    def revive(self) -> list[str]:
        """Starts again what ended by itself, and says so; what was killed is the fault's to start."""
        ended = []
        for slot in self.slots:
            daemon = self.daemons.get(slot)
            if daemon is not None and not daemon.alive:
                ended.append(f"{slot} ended with {daemon.process.returncode}: {daemon.tail(3)}")
                self.start(slot)
        self.ended += ended
        return ended

    def tails(self) -> str:
        return "\n".join(f"-- {slot}\n{daemon.tail()}" for slot, daemon in self.daemons.items())

    def terminate(self, slots: list[str]) -> list[str]:
        """SIGTERM to all of them at once; says which did not end well."""
        wrong = []
        for slot in slots:
            self.monitor.note(self.daemons[slot])
        for slot in slots:
            self.daemons[slot].terminate()
        for slot in slots:
            try:
                code = self.daemons[slot].wait()
            except TimeoutError as error:
                wrong.append(f"{slot}: {error}")
                continue
            if code != 0:
                wrong.append(f"{slot} ended with {code}:\n{self.daemons[slot].tail()}")
        return wrong

    def close(self) -> None:
        """Ends whatever still runs, without asking."""
        self.monitor.stop()
        self.feed.close()
        self.positions.close()
        for daemon in self.daemons.values():
            if daemon.alive:
                daemon.kill()

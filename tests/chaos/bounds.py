"""python -m chaos bounds: what is promised in figures, measured.

Rates, CPU and latency are honest only with a release build (`--release`); the times of recovery
need none. Each measurement is a row: what, measured, bound, whether it holds.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial

from confluent_kafka import Consumer, TopicPartition

from . import topics
from .broker import Broker
from .cards import Mix
from .daemon import Binary, Daemon
from .monitor import quantile
from .scene import CLEANUP_S, SESSION_S, TRANSACTION_S, Plan, Scene
from .units import say
from .verdict import RSS_BYTES_MAX

KEYS = 10_000
GOOD = Mix(poison=0, late=0, future=0, repeated=0, null_amount=20, tombstone=0, no_key=0, wrong_type=0)
LATENCY_RATE = 10_000
RSS_GROWTH_MB_MAX = 400
SLOW_BYTES_S = 1e6


@dataclasses.dataclass(frozen=True)
class Row:
    """A bound and what was measured."""

    what: str
    measured: str
    bound: str
    holds: bool


def scene_of(name: str, broker: Broker, binary: Binary, home: pathlib.Path, **more) -> Scene:
    plan = {"rate": 1000, "cards": KEYS, "mix": GOOD, **more}
    return Scene(Plan(name=name, seed=7, **plan), broker, binary, home)


def recovery(broker: Broker, binary: Binary, home: pathlib.Path) -> list[Row]:
    """SIGKILL of one of three: its peers take over, or the same instance comes back."""
    rows = []
    for what, comes_back, bound in (
        ("SIGKILL of one of three, peers take over", False, max(SESSION_S, TRANSACTION_S + CLEANUP_S) + 5),
        ("SIGKILL of one of three, the instance restarts", True, 3.0),
    ):
        # Only a static member takes its partitions back before the session of the dead one ends.
        protocol = "static" if comes_back else "cooperative"
        scene = scene_of(f"recovery-{protocol}", broker, binary, home, protocol=protocol)
        times, replays = [], []
        try:
            scene.open()
            for slot in scene.slots:
                time.sleep(5)
                scene.daemons[slot].kill()
                began, target = time.monotonic(), scene.ends()
                if comes_back:
                    scene.start(slot)
                scene.wait("publishing again", 60, partial(scene.monitor.reached, target))
                times.append(time.monotonic() - began)
                page = scene.daemons[slot].metrics() if comes_back else None
                replays.append(page.sum("millstream_replay_records_total") if page else 0)
                if not comes_back:
                    scene.start(slot)
        finally:
            scene.close()
        measured = f"{max(times):.1f} s at worst of {len(times)}, {KEYS:,} keys"
        if comes_back:
            measured += f", {max(replays):,.0f} records replayed"
        plus = " plus replay" if comes_back else ""
        rows.append(Row(what, measured, f"{bound:.0f} s{plus}", max(times) <= bound))
    return rows


def clean_restart(broker: Broker, binary: Binary, home: pathlib.Path) -> list[Row]:
    """SIGTERM of all, start of all: nothing is replayed."""
    scene = scene_of("clean-restart", broker, binary, home)
    try:
        scene.open()
        time.sleep(5)
        wrong = scene.terminate(scene.slots)
        for slot in scene.slots:
            scene.start(slot)
        target = scene.ends()
        scene.wait("publishing again", 60, lambda: scene.monitor.reached(target))
        pages = [scene.daemons[slot].metrics() for slot in scene.slots]
        replayed = sum(page.sum("millstream_replay_records_total") for page in pages if page)
    finally:
        scene.close()
    return [Row("records replayed by a clean restart of three", f"{replayed:,.0f}", "0", not replayed and not wrong)]


def producing(binary: Binary, broker: Broker, records: int, rate: int = 0) -> subprocess.Popen:
    """The workload of the benchmark into card.transactions; the engine's generator is only load."""
    command = [str(binary.path), "demo", "--workload", "card", "--kafka", broker.bootstrap,
               "--rate", str(rate), "--records", str(records), "--produce-only",
               "--set", "kafka.producer_properties.linger.ms=1"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def card_scene(name: str, broker: Broker, binary: Binary, home: pathlib.Path, start: str, **settings) -> Scene:
    """One daemon on card.transactions instead of a topic of its own; not started yet."""
    scene = scene_of(name, broker, binary, home, partitions=4, slots=1, settings=settings)
    scene.prepare()
    text = scene.file.read_text().replace(f"[{scene.input}]", "[card.transactions]")
    scene.file.write_text(text.replace("start: earliest", f"start: {start}"))
    return scene


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a run over a full topic took, start-up left out of the rate."""

    cpu_us: float
    rate: float


def saturate(name: str, broker: Broker, binary: Binary, home: pathlib.Path, records: int) -> tuple[Cost, float]:
    """Folds the whole topic as fast as it goes; then again as a replay. Returns cost, replay rate."""
    never = {"snapshots.interval": "1h", "snapshots.records": "1000000000"}
    scene = card_scene(name, broker, binary, home, "earliest", **never)
    try:
        daemon = scene.start("s0")
        rate = _slope(daemon, "millstream_records_consumed_total", records)
        cost = Cost(_cpu_seconds(daemon) / records * 1e6, rate)
        # Killed without a snapshot: the next life replays everything.
        daemon.kill()
        daemon = scene.start("s0")
        replay = _slope(daemon, "millstream_replay_records_total", records) if binary.snapshots else 0.0
    finally:
        scene.close()
    return cost, replay


def _slope(daemon: Daemon, metric: str, total: int) -> float:
    """Records per second between a tenth and nine tenths of all."""
    marks: dict[float, tuple[float, float]] = {}
    deadline = time.monotonic() + 300
    while True:
        page = daemon.metrics()
        now, value = time.monotonic(), page.sum(metric) if page else 0.0
        for share in (0.1, 0.9):
            if value >= share * total:
                marks.setdefault(share, (now, value))
        if value >= total:
            break
        if now > deadline:
            raise TimeoutError(f"{metric} stands at {value:.0f} of {total}\n{daemon.tail()}")
        time.sleep(0.02)
    (began, low), (ended, high) = marks[0.1], marks[0.9]
    return (high - low) / max(ended - began, 1e-3)


def _cpu_seconds(daemon: Daemon) -> float:
    fields = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def throughput(broker: Broker, binary: Binary, home: pathlib.Path, records: int, rounds: int) -> list[Row]:
    """Exactly once against at least once on the same topic, alternating; medians."""
    if producing(binary, broker, records).wait():
        raise RuntimeError("card.transactions was not filled")
    once: list[Cost] = []
    least: list[Cost] = []
    replays: list[float] = []
    for number in range(rounds):
        for word, costs in (("exactly_once", once), ("at_least_once", least)):
            mode = dataclasses.replace(binary, delivery=word)
            cost, replay = saturate(f"full-{word.replace('_', '-')}-{number}", broker, mode, home, records)
            costs.append(cost)
            if word == "exactly_once":
                replays.append(replay)
            say(f"{word}: {cost.cpu_us:.2f} us, {cost.rate:,.0f}/s, replay {replay:,.0f}/s")
    cpu = [statistics.median(c.cpu_us for c in costs) for costs in (once, least)]
    rate, replay = statistics.median(c.rate for c in once), statistics.median(replays)
    return [
        Row("CPU per record at saturation, exactly_once to at_least_once",
            f"{cpu[0]:.2f} us to {cpu[1]:.2f} us, {cpu[0] / cpu[1]:.2f}", "1.15", cpu[0] <= 1.15 * cpu[1]),
        Row("replay rate to saturated exactly_once rate",
            f"{replay:,.0f}/s to {rate:,.0f}/s, {replay / rate:.2f}", "at least 1.2", replay >= 1.2 * rate),
    ]


def latencies(bootstrap: str, topic: str, partitions: int, seconds: float) -> list[float]:
    """Milliseconds from the Kafka timestamp of the input record, which its vector keeps, to now."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "latency", "enable.auto.commit": False,
        "isolation.level": "read_committed", "auto.offset.reset": "latest", "fetch.wait.max.ms": 5,
    })
    consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
    found: list[float] = []
    # What is there before it is known where the log ends does not count.
    begin, end = time.monotonic() + 5, time.monotonic() + 5 + seconds
    while (moment := time.monotonic()) < end:
        batch = consumer.consume(2_000, timeout=0.005)
        now = time.time() * 1000
        if moment >= begin:
            found += [now - message.timestamp()[1] for message in batch if message.error() is None]
    consumer.close()
    return found


def latency(broker: Broker, binary: Binary, home: pathlib.Path, seconds: float) -> list[Row]:
    """End-to-end latency at a steady rate; producer, daemon and reader are processes of their own."""
    rows = []
    for word, bound in (("exactly_once", 250.0), ("at_least_once", 25.0)):
        mode = dataclasses.replace(binary, delivery=word)
        scene = card_scene(f"latency-{word.replace('_', '-')}", broker, mode, home, "latest")
        feed = None
        try:
            daemon = scene.start("s0")
            scene.wait("a start", 30, lambda: daemon.get("/readyz") is not None)
            time.sleep(3)
            feed = producing(binary, broker, int((seconds + 20) * LATENCY_RATE), LATENCY_RATE)
            time.sleep(5)
            found = latencies(broker.bootstrap, scene.output, 4, seconds)
        finally:
            if feed:
                feed.kill()
                feed.wait()
            scene.close()
        p99, median = quantile(found, 0.99) or math.inf, quantile(found, 0.5) or math.inf
        rows.append(Row(f"latency p99, {word}",
                        f"{p99:.0f} ms (p50 {median:.0f} ms) at {len(found) / seconds:,.0f} vectors/s",
                        f"{bound:.0f} ms", p99 < bound))
    return rows


def memory(broker: Broker, binary: Binary, home: pathlib.Path, seconds: float) -> list[Row]:
    """Resident memory while the broker is away and after it came back to a full topic."""
    scene = scene_of("memory", broker, binary, home, rate=2000)
    try:
        scene.open()
        time.sleep(5)
        before = scene.monitor.watched.rss_bytes_max
        broker.kill()
        time.sleep(seconds)
        broker.again()
        target = scene.ends()
        ended = scene.revive()
        scene.wait("publishing again", 120, lambda: scene.monitor.reached(target))
        grown = (scene.monitor.watched.rss_bytes_max - before) / 1e6
    finally:
        scene.close()
    measured = f"{before / 1e6:.0f} MB before, {grown:.0f} MB more at most"
    return [Row(f"resident memory over a broker outage of {seconds:.0f} s", measured,
                f"{RSS_GROWTH_MB_MAX} MB more", grown <= RSS_GROWTH_MB_MAX and not ended)]


def slow_output(broker: Broker, binary: Binary, home: pathlib.Path, seconds: float) -> list[Row]:
    """Resident memory while a full topic waits and vectors leave at a crawl; what leaves, stands."""
    if producing(binary, broker, 500_000).wait():
        raise RuntimeError("card.transactions was not filled")
    scene = card_scene("slow-output", broker, binary, home, "earliest")
    scene.links = broker.links
    rss: list[float] = []

    def watch(seconds: float) -> float:
        """Samples memory; returns how many records were published by then."""
        deadline, published = time.monotonic() + seconds, 0.0
        while time.monotonic() < deadline:
            if (page := daemon.metrics()) is not None:
                rss.append(page.sum("process_resident_memory_bytes"))
                published = page.sum("millstream_records_published_total")
            time.sleep(0.2)
        return published

    try:
        scene.link("s0").narrow(SLOW_BYTES_S)
        daemon = scene.start("s0")
        scene.wait("a start", 60, lambda: daemon.metrics() is not None)
        first, last = watch(seconds / 2), watch(seconds / 2)
        alive = daemon.alive
    finally:
        scene.close()
    rate = (last - first) / seconds * 2
    measured = f"{max(rss) / 1e6:.0f} MB at most, {rate:,.0f} vectors/s all the while"
    return [Row(f"resident memory with an output of {SLOW_BYTES_S / 1e6:.0f} MB/s, {seconds:.0f} s", measured,
                f"{RSS_BYTES_MAX >> 20} MiB, and it goes on", alive and rate > 0 and max(rss) < RSS_BYTES_MAX)]


def keep(path: pathlib.Path, rows: list[Row]) -> None:
    """Writes the rows beside those of other measurements, in the place of older ones."""
    held = {row["what"]: row for row in (json.loads(path.read_text()) if path.exists() else [])}
    held |= {row.what: dataclasses.asdict(row) for row in rows}
    path.write_text(json.dumps(list(held.values()), indent=1))


def main(argv: list[str]) -> int:
    parsed = argparse.ArgumentParser(prog="python -m chaos bounds", description=__doc__)
    parsed.add_argument("--binary", type=pathlib.Path, required=True)
    parsed.add_argument("--release", action="store_true", help="the binary is a release build: measure speed too")
    parsed.add_argument("--no-snapshots", action="store_true", help="the binary has no snapshot settings")
    parsed.add_argument("--delivery", default="exactly_once", choices=["exactly_once", "at_least_once"])
    parsed.add_argument("--out", type=pathlib.Path, help="bounds.json goes here")
    parsed.add_argument("--records", type=int, default=2_000_000)
    parsed.add_argument("--rounds", type=int, default=3)
    parsed.add_argument("--seconds", type=float, default=30, help="of each latency measurement")
    parsed.add_argument("--outage", type=float, default=60, help="seconds without the broker")
    parsed.add_argument("--only", help="measurements whose name contains this")
    options = parsed.parse_args(argv)
    binary = Binary(options.binary.resolve(), options.delivery, not options.no_snapshots)
    out = options.out or pathlib.Path(tempfile.mkdtemp(prefix="millstream-bounds-"))
    out.mkdir(parents=True, exist_ok=True)
    home = out / "bounds"
    shutil.rmtree(home, ignore_errors=True)
    measurements: dict[str, Callable[[Broker], list[Row]]] = {
        "recovery": lambda b: recovery(b, binary, home),
        "clean_restart": lambda b: clean_restart(b, binary, home),
        "memory": lambda b: memory(b, binary, home, options.outage),
        "slow_output": lambda b: slow_output(b, binary, home, 2 * options.seconds),
    }
    if options.release:
        measurements["throughput"] = lambda b: throughput(b, binary, home, options.records, options.rounds)
        measurements["latency"] = lambda b: latency(b, binary, home, options.seconds)
    rows = []
    with Broker(home / "broker", links=1) as broker:
        topics.create(topics.admin(broker.bootstrap), ["card.transactions"], 4)
        for name, measure in measurements.items():
            if not options.only or options.only in name:
                found = measure(broker)
                rows += found
                for row in found:
                    say(f"{row.what}: {row.measured} (bound {row.bound})")
                keep(out / "bounds.json", found)
    held = sum(row.holds for row in rows)
    print(f"{held} passed, {len(rows) - held} failed")
    return 0 if held == len(rows) else 1

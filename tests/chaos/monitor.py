"""Watches one group from outside: what is committed, and how its daemons answer."""

import dataclasses
import statistics
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaException

from .daemon import Daemon
from .topics import Positions

POSITIONS_EVERY_S = 0.25
PROBE_EVERY_S = 1.0
# A page that takes longer than this breaks the promise that it always answers.
PROBE_SECONDS_MAX = 1.0
# A process that has just been started has no port yet.
PROBE_AGE_S = 5.0

KEPT = {
    "divergence": ("millstream_fold_divergence_total", ""),
    "replayed": ("millstream_replay_records_total", ""),
    "consumed": ("millstream_records_consumed_total", ""),
    "fenced": ("millstream_zombie_fenced_total", ""),
    "transactions_committed": ("millstream_transactions_total", 'result="committed"'),
    "transactions_aborted": ("millstream_transactions_total", 'result="aborted"'),
    "snapshots_written": ("millstream_snapshots_total", 'result="written"'),
    "snapshots_failed": ("millstream_snapshots_total", 'result="failed"'),
}


@dataclasses.dataclass
class Watched:
    """What was seen of the daemons, over all their lives."""

    counters: dict[str, float] = dataclasses.field(default_factory=lambda: dict.fromkeys(KEPT, 0.0))
    probes: int = 0
    slow_probes: list[str] = dataclasses.field(default_factory=list)
    rss_bytes_max: float = 0


class Monitor:
    """Polls the committed positions of a group and the metrics pages of its daemons.

    In transactions, committed is published: the position moves with the vectors behind it.
    """

    def __init__(self, asked: Positions, daemons: Callable[[], list[Daemon]]):
        self._asked = asked
        self._daemons = daemons
        partitions = len(asked.places)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._positions: dict[int, int] = dict.fromkeys(range(partitions), 0)
        self._moves: dict[int, list[float]] = {p: [time.monotonic()] for p in range(partitions)}
        self._lives: dict[int, dict[str, float]] = {}
        self.watched = Watched()
        self._threads = [
            threading.Thread(target=self._every, args=(POSITIONS_EVERY_S, self._ask), daemon=True),
            threading.Thread(target=self._every, args=(PROBE_EVERY_S, self._probe), daemon=True),
        ]

    def start(self) -> "Monitor":
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(30)

    def positions(self) -> dict[int, int]:
        """Committed offset of each partition, 0 before the first commit."""
        with self._lock:
            return dict(self._positions)

    def reached(self, ends: dict[int, int]) -> bool:
        """Whether everything below `ends` is published."""
        held = self.positions()
        return all(held[p] >= end for p, end in ends.items())

    def lag(self, ends: dict[int, int]) -> int:
        held = self.positions()
        return sum(max(0, end - held[p]) for p, end in ends.items())

    def longest_pause(self, since: float) -> float:
        """The longest time in which some partition published nothing, from `since` until now."""
        now, longest = time.monotonic(), 0.0
        with self._lock:
            for moves in self._moves.values():
                inside = [since, *(m for m in moves if m > since), now]
                pauses = (b - a for a, b in zip(inside, inside[1:], strict=False))
                longest = max(longest, *pauses)
        return longest

    def last_move(self) -> float:
        """When anything was last published."""
        with self._lock:
            return max(moves[-1] for moves in self._moves.values())

    def counters(self) -> dict[str, float]:
        """Sums over all lives, as last seen of each."""
        with self._lock:
            lives = list(self._lives.values())
        return {name: sum(life[name] for life in lives) for name in KEPT}

    def note(self, daemon: Daemon) -> None:
        """Reads a page now, such as before a daemon is terminated."""
        page = daemon.metrics(2)
        if page is None:
            return
        life = {name: page.sum(metric, labels) for name, (metric, labels) in KEPT.items()}
        with self._lock:
            self._lives[id(daemon)] = life
            rss = page.sum("process_resident_memory_bytes")
            self.watched.rss_bytes_max = max(self.watched.rss_bytes_max, rss)

    def _every(self, seconds: float, work: Callable[[], None]) -> None:
        while not self._stop.wait(seconds):
            work()

    def _ask(self) -> None:
        try:
            found = self._asked.committed(3)
        except KafkaException:
            return
        now = time.monotonic()
        with self._lock:
            for partition, offset in found.items():
                if offset > self._positions[partition]:
                    self._positions[partition] = offset
                    self._moves[partition].append(now)

    def _probe(self) -> None:
        for daemon in self._daemons():
            if daemon.state in "TZX" or daemon.is_stopped or daemon.age() < PROBE_AGE_S:
                continue
            began = time.monotonic()
            self.note(daemon)
            took = time.monotonic() - began
            self.watched.probes += 1
            # One that ended or was stopped meanwhile owes no answer.
            if took > PROBE_SECONDS_MAX and daemon.state not in "TZX" and not daemon.is_stopped:
                self.watched.slow_probes.append(f"{daemon.log.name}: {took:.2f} s")


def quantile(values: list[float], share: float) -> float | None:
    """The value at that share of the sorted values (the nearest above); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None

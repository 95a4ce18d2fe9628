"""Every vector of tests/chaos/in-order.yaml, from the definition of the order of event time.

What is held is a list that is sorted at each record. When a partition was idle only its daemon knows:
where it made ticks is read from what it committed, and what follows from them is computed here.
"""

import json
from collections.abc import Iterator
from typing import Any

import stream

from . import ROOT, state
from .gates import Gates, Passed, Source
from .topics import Record

SECOND, MINUTE = stream.UNITS_US["s"], stream.UNITS_US["m"]
MAX_HELD = 60

# Offset, and number among those at that offset.
Tick = tuple[int, int]


def source() -> Source:
    schema = json.loads((ROOT / "tests/chaos/card-transaction.schema.json").read_text())
    return Source(schema, key="card_id", event_time="ts", lateness=2 * MINUTE, max_ahead=None,
                  max_jump=10 * MINUTE, keep_late=True, forget=True)


class RaisedGates(Gates):
    """Gates whose watermark may be raised beside the highest event time."""

    raised = -(1 << 60)

    @property
    def watermark(self) -> int | None:
        usual = super().watermark
        return None if usual is None else max(usual, self.raised)

    def raise_behind(self, time: int) -> None:
        """Right behind that event time, no further than right behind the highest."""
        self.raised = max(self.raised, min(time, self.watch.highest) + 1)


class Ordered:
    """One partition."""

    def __init__(self) -> None:
        self.gates, self.partition = RaisedGates(source()), state.Partition()
        self.held: list[tuple[int, int, Record, dict[str, Any]]] = []
        self.before = -(1 << 60)

    def take(self, record: Record) -> Iterator[tuple[Record, dict[str, Any] | str, bool]]:
        """A record comes: what leaves with it, in order."""
        watermark = self.gates.watermark
        judged = self.gates.judge(record)
        if not isinstance(judged, Passed):
            if judged == "tombstone" and record.key is not None:
                self.partition.forget(record.key.decode())
            yield record, judged, False
        elif judged.late or (watermark is not None and judged.time < watermark):
            yield record, "late", False
        else:
            self.held.append((judged.time, record.offset, record, judged.value))
            self.held.sort(key=lambda held: held[:2])
            yield from self.release(self.gates.watermark)
            if len(self.held) > MAX_HELD:
                oldest = self.held[0][0]
                self.gates.raise_behind(oldest)
                yield from self.release(oldest + 1)

    def tick(self) -> Iterator[tuple[Record, dict[str, Any] | str, bool]]:
        """The partition was idle: everything leaves."""
        if self.held:
            self.gates.raise_behind(1 << 60)
            yield from self.release(1 << 60)

    def release(self, before: int) -> Iterator[tuple[Record, dict[str, Any] | str, bool]]:
        while self.held and self.held[0][0] < before:
            time, _, record, value = self.held.pop(0)
            yield record, self.partition.vector(value, time, self.before), False
            self.before = time


def endings(records: list[Record],
            ticks: list[Tick]) -> Iterator[tuple[Record, dict[str, Any] | str, bool]]:
    """Each record of a partition that is not held at the end, with its vector or reason, in the order
    in which they leave."""
    ordered, left = Ordered(), sorted(ticks)
    for record in records:
        while left and left[0][0] <= record.offset:
            left.pop(0)
            yield from ordered.tick()
        yield from ordered.take(record)
    for _ in left:
        yield from ordered.tick()

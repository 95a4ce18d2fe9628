"""Every verdict on the expectations of tests/chaos/all-state.yaml, from their definitions, and the
judgement of the topic that they lie in: each once, in order, of the record that closed the window.

A window holds more values now and then than are kept of it (`exact`); what a sample says of these is
held against nothing here but being a number: `tests/oracle/expectations.py` has its bounds.
"""

import dataclasses
import datetime
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import state
from .gates import Passed
from .topics import Record

EVERY = 15 * state.SECOND
EXACT = 100
# Of a number's size; means and shares are sums of few numbers.
TOLERANCE = 1e-9
# Stands for what a sample says.
SAMPLED = object()


@dataclasses.dataclass(frozen=True)
class Told:
    """A verdict: of which window and expectation, behind which offset, and what it says."""

    begin: int
    expectation: str
    offset: int
    count: int
    observed: Any
    verdict: str


@dataclasses.dataclass
class Row:
    """A record as cleaning leaves it."""

    time: int
    in_order: bool
    amount: float
    category: str
    tx_id: str
    lat: float | None
    channel: str | None


def share(flags: list[bool], low: float) -> tuple[int, Any, str]:
    return told(len(flags), sum(flags) / len(flags) if flags else None, low=low)


def told(count: int, observed: Any, low: float = -np.inf, high: float = np.inf, least: int = 1) -> tuple[int, Any, str]:
    if observed is SAMPLED:
        return count, observed, ""
    if observed is None or count < least:
        return count, observed, "skipped"
    return count, observed, "passed" if low <= observed <= high else "failed"


def ninth(values: list[float]) -> Any:
    if len(values) > EXACT:
        return SAMPLED
    return float(np.quantile(values, 0.9)) if values else None


def window(rows: list[Row]) -> Iterator[tuple[str, tuple[int, Any, str]]]:
    """Each expectation of the file, in its order, over the rows of a window."""
    amounts, categories = [row.amount for row in rows], [row.category for row in rows]
    names, lats = [row.tx_id for row in rows], [row.lat for row in rows if row.lat is not None]
    channels = [row.channel for row in rows if row.channel is not None]
    yield "amount_null_rate", told(len(rows), 0.0, high=0.2, least=0)
    yield "category_distinct", told(len(categories), len(set(categories)), high=3, least=0)
    yield "tx_id_unique", told(len(names), SAMPLED if len(set(names)) > EXACT else len(set(names)) / len(names), low=1)
    yield "amount_mean", told(len(amounts), sum(amounts) / len(amounts), high=300)
    yield "lat_p90", told(len(lats), ninth(lats), high=60)
    yield "channel_allowed", share([channel == "web" for channel in channels], 0.4)
    yield "monotonic_event_time", share([row.in_order for row in rows], 0.5)
    yield "amount > 0", share([amount > 0 for amount in amounts], 1)


class Verdicts:
    """The verdicts on the windows of a partition, in order; what passes is shown to it."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.windows: dict[int, list[Row]] = defaultdict(list)
        self.open_from, self.newest = -(1 << 62), -(1 << 62)

    def observe(self, passed: Passed, watermark: int, ending: dict[str, Any] | str) -> None:
        """Closes what this record closes, and takes it in if cleaning leaves it."""
        edge = min(watermark, passed.time) // EVERY * EVERY
        if edge > self.open_from:
            self.open_from = edge
            for begin in sorted(begin for begin in self.windows if begin < edge):
                for name, (count, observed, verdict) in window(self.windows.pop(begin)):
                    self.told.append(Told(begin, name, passed.record.offset, count, observed, verdict))
        if isinstance(ending, str):
            return
        value = passed.value
        row = Row(passed.time, passed.time >= self.newest, ending["amount"], value["category"].lower(),
                  value["tx_id"], value["lat"], ending["channel"])
        self.newest = passed.time
        if passed.time // EVERY * EVERY >= self.open_from:
            self.windows[passed.time // EVERY * EVERY].append(row)


def place(record: Record) -> tuple[str, Told]:
    """The partition that a message speaks of, and what it says."""
    value = json.loads(record.value or b"")
    source, _, offset = (record.header("millstream-source") or "//-1").rpartition("/")
    start = datetime.datetime.fromisoformat(value["window"]["start"])
    begin = round(start.timestamp() * 1_000_000)
    verdict = Told(begin, value["expectation"], int(offset), value["count"], value["observed"], value["verdict"])
    return source, verdict


def difference(wanted: Told, found: Told) -> str | None:
    """What is wrong with a verdict, or None."""
    numbers = wanted.observed, found.observed
    if wanted.observed is SAMPLED:
        is_right = isinstance(found.observed, (int, float)) and found.verdict in ("passed", "failed")
    elif None in numbers:
        is_right = numbers[0] is numbers[1] and wanted.verdict == found.verdict
    else:
        is_right = abs(numbers[0] - numbers[1]) <= TOLERANCE * max(1.0, abs(numbers[0])) and wanted.verdict == found.verdict
    rest = dataclasses.replace(found, observed=wanted.observed, verdict=wanted.verdict)
    return None if is_right and rest == wanted else f"{found} instead of {wanted}"


def compare(findings: Any, topic: str, wanted: dict[int, list[Told]], found: list[Record]) -> None:
    """Judges the topic of verdicts; `found` is in offset order within each partition."""
    lines: dict[str, list[Told]] = defaultdict(list)
    for record in found:
        try:
            source, verdict = place(record)
        except (ValueError, LookupError) as error:
            findings.add("extra", f"no verdict: {error!r} of {record.value!r}")
            continue
        lines[source].append(verdict)
    for number, expected in wanted.items():
        name = f"{topic}/{number}"
        told_here, seen = lines.pop(name, []), set()
        by_name = {(verdict.begin, verdict.expectation): at for at, verdict in enumerate(expected)}
        last = -1
        for verdict in told_here:
            at = by_name.get((verdict.begin, verdict.expectation))
            if at is None:
                findings.add("extra", f"verdict of {name}: {verdict}")
            elif at in seen:
                findings.add("duplicate", f"verdict of {name}: {verdict}")
            else:
                if mistake := difference(expected[at], verdict):
                    findings.add("wrong", f"verdict of {name}: {mistake}")
                if at < last:
                    findings.add("misordered", f"verdict of {name}: {verdict}")
                seen.add(at)
                last = max(last, at)
        for at, verdict in enumerate(expected):
            if at not in seen:
                findings.add("missing", f"verdict of {name}: {verdict}")
    for source, others in lines.items():
        findings.add("extra", f"{len(others)} verdicts of {source}")

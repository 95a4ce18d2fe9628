"""Holds what lies in the output and dead-letter topics against what must lie there.

missing     must be there and is not
duplicate   is there more than once
wrong       is there with another value, key, timestamp or reason
misordered  stands behind a later one of its input partition in the same output partition
extra       answers to no input record, or to one that is dropped or ends in the other topic
"""

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from .expected import Expected, Outcome, Place
from .topics import Record

KINDS = ("missing", "duplicate", "wrong", "misordered", "extra")
# Of a number's size; and absolute, for values that cancel to nothing.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
SHOWN_MAX = 5
ERRORS = "__connect.errors."


@dataclasses.dataclass
class Findings:
    """Mistakes by kind with the first few of each, and how much was compared."""

    counts: Counter = dataclasses.field(default_factory=Counter)
    examples: dict[str, list[str]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    records: int = 0
    vectors: int = 0
    dead_letters: int = 0
    verdicts: int = 0
    dropped: int = 0
    aborted: int = 0

    def add(self, kind: str, text: str) -> None:
        self.counts[kind] += 1
        if len(self.examples[kind]) < SHOWN_MAX:
            self.examples[kind].append(text)

    @property
    def clean(self) -> bool:
        return not self.counts

    @property
    def written_right(self) -> bool:
        """Whether all that was written is right, be it all or not."""
        return not any(self.counts[kind] for kind in KINDS if kind != "missing")

    def summary(self) -> str:
        counted = ", ".join(f"{self.counts[kind]} {kind}" for kind in KINDS)
        compared = f"{self.records} records: {self.vectors} vectors, {self.dead_letters} dead letters, {self.verdicts} verdicts"
        return f"{compared}, {self.dropped} dropped; {counted}; {self.aborted} aborted"

    def as_json(self) -> dict[str, Any]:
        counts = {kind: self.counts[kind] for kind in KINDS}
        return {**vars(self), "counts": counts, "examples": dict(self.examples)}

    @classmethod
    def from_json(cls, held: dict[str, Any]) -> "Findings":
        counts = Counter({kind: n for kind, n in held["counts"].items() if n})
        return cls(**{**held, "counts": counts, "examples": defaultdict(list, held["examples"])})


def equal(expected: Any, actual: Any) -> bool:
    """Floating-point numbers within the tolerance, everything else exactly; a flag is 0 or 1."""
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(equal, expected, actual))
    numbers = (int, float)
    if not (isinstance(expected, numbers) and isinstance(actual, numbers)):
        return type(expected) is type(actual) and expected == actual
    if isinstance(expected, int) and isinstance(actual, int):
        return expected == actual
    return abs(expected - actual) <= ABSOLUTE + RELATIVE * max(abs(expected), abs(actual))


def judge_vector(outcome: Outcome, record: Record) -> str | None:
    """What is wrong with a vector, or None."""
    try:
        actual = json.loads(record.value or b"")
    except ValueError:
        return "the value is no JSON"
    wanted = outcome.vector or {}
    if list(actual) != list(wanted):
        return f"fields are {list(actual)}, expected {list(wanted)}"
    wrong = [
        f"{name} is {actual[name]!r}, expected {value!r}"
        for name, value in wanted.items()
        if not equal(value, actual[name])
    ]
    if outcome.record.key is not None and record.key != outcome.record.key:
        wrong.append(f"the key is {record.key!r}, expected {outcome.record.key!r}")
    if (record.header("millstream-late") == "1") != outcome.late:
        wrong.append(f"the vector is {'' if outcome.late else 'not '}late, its header says otherwise")
    if record.timestamp != outcome.record.timestamp:
        wrong.append(f"the timestamp is {record.timestamp}, expected {outcome.record.timestamp}")
    return "; ".join(wrong) or None


def judge_dead_letter(outcome: Outcome, record: Record) -> str | None:
    """What is wrong with a dead letter, or None: it is the record itself, and says why."""
    said = record.header(f"{ERRORS}exception.class.name")
    wrong = [] if said == outcome.reason else [f"the reason is {said}, expected {outcome.reason}"]
    original = outcome.record
    if record.key != original.key:
        wrong.append("the key differs")
    if record.value != (b"" if outcome.reason == "oversize" else original.value):
        wrong.append("the value differs")
    if record.timestamp != original.timestamp:
        wrong.append("the timestamp differs")
    kept = tuple(pair for pair in record.headers if not pair[0].startswith(ERRORS))
    if kept != original.headers:
        wrong.append("the headers differ")
    return "; ".join(wrong) or None


def vector_source(record: Record) -> tuple[str, Place] | None:
    """Topic and place of the record that a vector says it is of."""
    topic, _, place = (record.header("millstream-source") or "").partition("/")
    partition, _, offset = place.partition("/")
    return (topic, (int(partition), int(offset))) if partition.isdigit() and offset.isdigit() else None


def dead_letter_source(record: Record) -> tuple[str, Place] | None:
    """Topic and place of the record that a dead letter is."""
    topic = record.header(f"{ERRORS}topic") or ""
    partition, offset = (record.header(f"{ERRORS}{name}") or "" for name in ("partition", "offset"))
    return (topic, (int(partition), int(offset))) if partition.isdigit() and offset.isdigit() else None


def compare(
    findings: Findings,
    topic: str,
    wanted: dict[Place, Outcome],
    found: list[Record],
    source_of: Callable[[Record], tuple[str, Place] | None],
    judge: Callable[[Outcome, Record], str | None],
) -> None:
    """Judges one topic. `found` is in offset order within each partition."""
    seen: dict[Place, str] = {}
    newest: dict[tuple[int, int], int] = {}
    for record in found:
        at = f"{record.partition}@{record.offset}"
        source = source_of(record)
        outcome = wanted.get(source[1]) if source and source[0] == topic else None
        if outcome is None:
            findings.add("extra", f"{at} answers to {source}")
            continue
        name = f"{at} of {outcome.place[0]}/{outcome.place[1]}"
        mistake = judge(outcome, record)
        if mistake:
            findings.add("wrong", f"{name}: {mistake}")
        if outcome.place in seen:
            findings.add("duplicate", f"{name}, first {seen[outcome.place]}")
            continue
        seen[outcome.place] = at
        lane = record.partition, outcome.place[0]
        if outcome.order < newest.get(lane, -1):
            findings.add("misordered", f"{name} stands behind message {newest[lane]} of its partition")
        newest[lane] = max(outcome.order, newest.get(lane, -1))
    for place, outcome in wanted.items():
        if place not in seen:
            findings.add("missing", f"{place[0]}/{place[1]} ({outcome.reason or 'vector'})")


def check(topic: str, wanted: Expected, vectors: list[Record], dead_letters: list[Record]) -> Findings:
    """Judges both topics of a run over the input topic of that name."""
    findings = Findings(records=wanted.records, vectors=len(vectors), dead_letters=len(dead_letters))
    findings.dropped = len(wanted.dropped)
    compare(findings, topic, wanted.vectors, vectors, vector_source, judge_vector)
    compare(findings, topic, wanted.rejected, dead_letters, dead_letter_source, judge_dead_letter)
    return findings

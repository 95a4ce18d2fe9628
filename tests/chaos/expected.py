"""What must have been published, computed from the input log alone.

A pipeline is a function from the records of one partition, in offset order, to their outcomes in
the order in which the engine must publish them.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import card
import stream

from . import ROOT, order, quality, state
from .gates import DROPPED, Gates, Passed, Source
from .topics import Record

Place = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What must become of the record at `place`.

    A vector, or a reason; `order` counts the messages of its partition in publishing order.
    """

    record: Record
    order: int
    vector: dict[str, Any] | None = None
    reason: str | None = None
    late: bool = False

    @property
    def place(self) -> Place:
        return self.record.partition, self.record.offset


@dataclasses.dataclass
class Expected:
    """All outcomes of a topic: vectors and dead letters by place, and what is only counted."""

    vectors: dict[Place, Outcome] = dataclasses.field(default_factory=dict)
    rejected: dict[Place, Outcome] = dataclasses.field(default_factory=dict)
    dropped: dict[Place, str] = dataclasses.field(default_factory=dict)
    # By partition, in order; of pipelines that have a topic for them.
    verdicts: dict[int, list[quality.Told]] = dataclasses.field(default_factory=dict)
    records: int = 0


# A record, its vector or the reason why it has none, whether it is late and kept.
Ending = tuple[Record, dict[str, Any] | str, bool]


def card_source() -> Source:
    schema = json.loads((ROOT / "config/pipelines/card-transaction.schema.json").read_text())
    return Source(schema, key="card_id", event_time="ts", lateness=stream.span("5s"))


def card_features(records: list[Record]) -> Iterator[Ending]:
    """config/pipelines/card-features.yaml: the window oracle behind the gates."""
    gates, endings, passed = Gates(card_source()), {}, []
    by_offset = {record.offset: record for record in records}
    for record in records:
        judged = gates.judge(record)
        if isinstance(judged, Passed):
            passed.append(stream.Record(record.offset, judged.time, judged.value))
        else:
            endings[record.offset] = judged
    endings.update(card.vectors(passed))
    for offset, record in by_offset.items():
        yield record, endings[offset], False


PIPELINES: dict[str, Callable[[list[Record], list[order.Tick], quality.Verdicts], Iterator[Ending]]] = {
    "card": lambda records, *_: card_features(records),
    "state": lambda records, _, verdicts: state.endings(records, verdicts.observe),
    "order": lambda records, ticks, _: order.endings(records, ticks),
}


def expected(pipeline: str, records: Iterable[Record],
             ticks: dict[int, list[order.Tick]] | None = None) -> Expected:
    """Every outcome of `records`, which are those of a whole topic; ticks by partition."""
    partitions: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        partitions[record.partition].append(record)
    found = Expected(records=sum(map(len, partitions.values())))
    for number, held in sorted(partitions.items()):
        verdicts = quality.Verdicts()
        endings = PIPELINES[pipeline](held, (ticks or {}).get(number, []), verdicts)
        for place_in_order, (record, ending, late) in enumerate(endings):
            place = record.partition, record.offset
            if not isinstance(ending, str):
                found.vectors[place] = Outcome(record, place_in_order, vector=ending, late=late)
            elif ending in DROPPED:
                found.dropped[place] = ending
            else:
                found.rejected[place] = Outcome(record, place_in_order, reason=ending)
        if pipeline == "state":
            found.verdicts[number] = verdicts.told
    return found

"""What becomes of a raw record before any state sees it: the gates, from their definition.

Order: oversize, tombstone, undecodable, invalid, no_event_time, null_key, misplaced, future, late.
Only a record that passes `future` moves the watermark. Everything is judged from the bytes and the
timestamps in the log.
"""

import collections
import dataclasses
import json
from typing import Any

import stream

from .topics import Record

DROPPED = {"tombstone", "duplicate", "filtered", "sampled"}

Passed = collections.namedtuple("Passed", "record time value late")


class Undecodable(ValueError):
    """The bytes are no JSON document that every reader would read alike."""


def decode(raw: bytes) -> Any:
    """The document in `raw`; duplicate keys, NaN and whatever is not UTF-8 are refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise Undecodable("a key twice")
        return members

    def refuse(word: str) -> None:
        raise Undecodable(word)

    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Undecodable(str(error)) from error


TYPES = {
    "string": lambda v: isinstance(v, str),
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
}
NOTES = {"$schema", "$id", "title", "description"}


def valid(value: Any, schema: dict[str, Any]) -> bool:
    """The keywords of JSON Schema that our schemas use; any other stops the oracle."""
    for keyword, wanted in schema.items():
        if keyword == "type":
            names = [wanted] if isinstance(wanted, str) else wanted
            holds = any(TYPES[name](value) for name in names)
        elif keyword == "required":
            holds = not isinstance(value, dict) or all(name in value for name in wanted)
        elif keyword == "properties":
            holds = not isinstance(value, dict) or all(
                valid(value[name], inner) for name, inner in wanted.items() if name in value
            )
        elif keyword == "enum":
            holds = value in wanted
        elif keyword in ("minimum", "maximum"):
            number = TYPES["number"](value)
            holds = not number or (value >= wanted if keyword == "minimum" else value <= wanted)
        elif keyword in NOTES:
            holds = True
        else:
            raise NotImplementedError(f"the oracle does not know the keyword {keyword}")
        if not holds:
            return False
    return True


@dataclasses.dataclass(frozen=True)
class Source:
    """What of a pipeline's `source` section decides outcomes; times in microseconds."""

    schema: dict[str, Any]
    key: str
    event_time: str
    unit: int = stream.UNITS_US["ms"]
    lateness: int = 0
    max_ahead: int | None = stream.HOUR
    max_jump: int | None = None
    record_bytes: int = 900 * 1024
    keep_late: bool = False
    forget: bool = False


# So many records beyond `max_jump` in a row are no mistake.
JUMPS_IN_A_ROW = 20


class Gates:
    """The gates of one partition; `judge` takes its records in offset order."""

    def __init__(self, source: Source):
        self.source = source
        ahead = source.max_ahead if source.max_ahead is not None else 1 << 62
        self.watch = stream.Partition(source.lateness, ahead)
        self.jumps = 0

    @property
    def watermark(self) -> int | None:
        """Highest event time less the lateness, or None before the first."""
        return None if self.watch.highest is None else self.watch.highest - self.source.lateness

    def judge(self, record: Record) -> Passed | str:
        """The record with its event time and value, or the reason why it ends here."""
        source, value = self.source, record.value
        size = len(record.key or b"") + len(value or b"")
        size += sum(len(name.encode()) + len(held or b"") for name, held in record.headers)
        if size > source.record_bytes:
            return "oversize"
        if value is None:
            return "tombstone"
        try:
            document = decode(value)
        except Undecodable:
            return "undecodable"
        if not valid(document, source.schema):
            return "invalid"
        if document.get(source.event_time) is None:
            return "no_event_time"
        if document.get(source.key) is None:
            return "null_key"
        if source.forget and record.key != document[source.key].encode():
            return "misplaced"
        time = document[source.event_time] * source.unit
        if self.is_jump(time):
            return "future"
        reason = self.watch.judge(time, record.timestamp)
        if reason == "late" and source.keep_late:
            return Passed(record, time, document, True)
        return reason or Passed(record, time, document, False)

    def is_jump(self, time: int) -> bool:
        """Whether the time is so far beyond the watermark that it may be a mistake."""
        limit, watermark = self.source.max_jump, self.watermark
        if limit is None or watermark is None:
            return False
        self.jumps = self.jumps + 1 if time > watermark + limit else 0
        if self.jumps == JUMPS_IN_A_ROW:
            self.jumps = 0
        return self.jumps > 0

"""Every vector of tests/chaos/all-state.yaml, from the definitions.

Each key is a list of events in (event time, offset) order that is cut afresh for every window; what
the watermark has left behind is found by its definition, not by forgetting on time. That matters
to late records alone, which this pipeline keeps: they see what a record at the watermark could.
"""

import bisect
import dataclasses
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import stream

from . import ROOT
from .gates import Gates, Passed, Source
from .topics import Record

SECOND, MINUTE = stream.UNITS_US["s"], stream.UNITS_US["m"]
CARRIED = ("tx_id", "card_id", "ts", "channel")


def source() -> Source:
    schema = json.loads((ROOT / "tests/chaos/card-transaction.schema.json").read_text())
    return Source(schema, key="card_id", event_time="ts", lateness=10 * SECOND, max_ahead=None,
                  max_jump=10 * MINUTE, keep_late=True, forget=True)


class Trail:
    """Values by (event time, order of arrival), those of one time in order of arrival."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.values: list[Any] = []

    def insert(self, time: int, value: Any) -> int:
        """Puts it behind all of its time; returns its place."""
        place = bisect.bisect_right(self.times, time)
        self.times.insert(place, time)
        self.values.insert(place, value)
        return place

    def seek(self, time: int) -> int:
        """The place of the first at or after that time."""
        return bisect.bisect_left(self.times, time)


class Lane:
    """The windows over one column under one condition, of one key.

    `keep_time` and `keep_rows` are the longest windows of the lane: what a record at the watermark
    can see through them is what a late record finds.
    """

    def __init__(self, keep_time: int | None = None, keep_rows: int | None = None):
        self.keep_time, self.keep_rows = keep_time, keep_rows
        self.trail = Trail()

    def take(self, time: int, watermark: int, value: Any) -> None:
        """A record arrives. None is no value: it has a place by rows, and none by time."""
        self.time, trail = time, self.trail
        begins = []
        if self.keep_time is not None:
            begins.append(trail.seek(watermark - self.keep_time))
        if self.keep_rows is not None:
            begins.append(max(0, trail.seek(watermark) - self.keep_rows))
        begin = min(begins)
        if value is None and self.keep_rows is None:
            self.own, self.end = None, bisect.bisect_right(trail.times, time)
        else:
            self.own = trail.insert(time, value)
            self.end = self.own + 1
        self.begin = min(begin, self.end if self.own is None else self.own)

    def span(self, over: int, closed: str = "right") -> list[Any]:
        """The values of the window of that length."""
        first = self.trail.seek(self.time - over + (closed == "right"))
        return self.trail.values[max(first, self.begin) : self.end]

    def rows(self, count: int) -> list[Any]:
        """The values of the last so many records, those without one left out."""
        held = self.trail.values[max(self.begin, self.end - count) : self.end]
        return [value for value in held if value is not None]

    def since_last(self, over: int) -> float | None:
        """Seconds since the event before in the window of that length."""
        before = self.end - 1 if self.own is None else self.own - 1
        first = max(self.trail.seek(self.time - over + 1), self.begin)
        return (self.time - self.trail.times[before]) / 1e6 if before >= first else None


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def deviation(values: list[float]) -> float | None:
    """With ddof 1."""
    if len(values) < 2:
        return None
    middle = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1))


class Duplicates:
    """First wins; remembered until the watermark is beyond its time and the span."""

    def __init__(self, within: int):
        self.within = within
        self.firsts: dict[Any, list[int]] = defaultdict(list)

    def is_first(self, name: Any, time: int, watermark: int) -> bool:
        firsts = self.firsts[name]
        found = any(abs(time - f) <= self.within and watermark <= f + self.within for f in firsts)
        if not found:
            firsts.append(time)
        return not found


@dataclasses.dataclass(frozen=True)
class Judge:
    """An outlier step: z-score over the raw values of a span before the record."""

    over: int
    threshold: float
    min_count: int

    def range(self, trail: Trail, time: int, watermark: int, value: float | None) -> tuple[float, float] | None:
        """The range that the value misses, if it is an outlier; then it joins the history."""
        if value is None:
            return None
        after = max(time, watermark) - self.over
        held = trail.values[trail.seek(after + 1) : bisect.bisect_right(trail.times, time)]
        trail.insert(time, value)
        spread = deviation(held)
        if len(held) < self.min_count or not spread:
            return None
        middle, reach = math.fsum(held) / len(held), self.threshold * spread
        return (middle - reach, middle + reach) if abs(value - middle) / spread > self.threshold else None


def last_of(trail: Trail, time: int, watermark: int, within: int) -> Any:
    """The newest value at or before the time, as the watermark leaves the trail."""
    newest = bisect.bisect_right(trail.times, watermark) - 1
    place = bisect.bisect_right(trail.times, time) - 1
    if place < max(newest, 0) or place < 0:
        return None
    held = trail.times[place]
    if held < time - within or (place == newest and held < watermark - within):
        return None
    return trail.values[place]


class Key:
    """What is known of one entity until a tombstone clears it."""

    def __init__(self) -> None:
        self.raw_amounts, self.amounts, self.channels = Trail(), Trail(), Trail()
        self.amount = Lane(keep_time=5 * MINUTE)
        self.web_lat = Lane(keep_time=5 * MINUTE)
        self.merchant = Lane(keep_time=2 * MINUTE)
        self.records = Lane(keep_time=MINUTE)
        self.lon = Lane(keep_rows=5)
        self.channel = Lane(keep_rows=100)


OUTLIER = Judge(2 * MINUTE, 3, 5)
EXTREME = Judge(MINUTE, 5, 20)


def fill(trail: Trail, own: Any, time: int, watermark: int, within: int, otherwise: Any) -> Any:
    """The own value, which is remembered, or the last one, or what stands for none."""
    if own is not None:
        trail.insert(time, own)
        return own
    last = last_of(trail, time, watermark, within)
    return otherwise if last is None else last


class Partition:
    """The fold of one partition."""

    def __init__(self) -> None:
        self.duplicates = Duplicates(30 * SECOND)
        self.raw_amounts = Trail()
        self.keys: dict[str, Key] = defaultdict(Key)

    def forget(self, key: str) -> None:
        self.keys.pop(key, None)

    def vector(self, value: dict[str, Any], time: int, watermark: int) -> dict[str, Any] | str:
        """The vector of a record, or the reason why it has none."""
        if not self.duplicates.is_first(value["tx_id"], time, watermark):
            return "duplicate"
        key, raw = self.keys[value["card_id"]], value["amount"]
        is_outlier = OUTLIER.range(key.raw_amounts, time, watermark, raw) is not None
        extreme = EXTREME.range(self.raw_amounts, time, watermark, raw)
        clipped = raw if extreme is None else min(max(raw, extreme[0]), extreme[1])
        amount = fill(key.amounts, clipped, time, watermark, MINUTE, 0)
        channel = fill(key.channels, value["channel"], time, watermark, 2 * MINUTE, None)

        key.amount.take(time, watermark, amount)
        key.web_lat.take(time, watermark, value["lat"] if channel == "web" else None)
        key.merchant.take(time, watermark, value["merchant_id"])
        key.records.take(time, watermark, 1)
        key.lon.take(time, watermark, value["lon"])
        key.channel.take(time, watermark, channel)
        minute, five = key.amount.span(MINUTE), key.amount.span(5 * MINUTE, "both")
        web, merchants = key.web_lat.span(5 * MINUTE), key.merchant.span(2 * MINUTE)
        lons, channels = key.lon.rows(5), key.channel.rows(100)
        return {
            **{name: value[name] for name in CARRIED}, "channel": channel,
            "amount": amount,
            "amount_count_1m": len(minute), "amount_sum_1m": math.fsum(minute), "amount_mean_1m": mean(minute),
            "amount_std_1m": deviation(minute), "amount_min_1m": min(minute), "amount_max_1m": max(minute),
            "amount_first_1m": minute[0], "amount_last_1m": minute[-1],
            "amount_time_since_last_1m": key.amount.since_last(MINUTE),
            "amount_count_5m": len(five), "amount_sum_5m": math.fsum(five), "amount_mean_5m": mean(five),
            "amount_std_5m": deviation(five), "amount_max_5m": max(five),
            "web_lat_5m": mean(web), "web_count_5m": len(web),
            "merchant_id_count_2m": len(merchants), "merchant_id_first_2m": merchants[0],
            "merchant_id_last_2m": merchants[-1],
            "count_1m": len(key.records.span(MINUTE)), "time_since_last_1m": key.records.since_last(MINUTE),
            "lon_mean_5r": mean(lons), "lon_std_5r": deviation(lons), "lon_last_5r": lons[-1],
            "channel_first_100r": channels[0] if channels else None,
            "channel_last_100r": channels[-1] if channels else None,
            "amount_is_outlier": is_outlier, "amount_is_extreme": extreme is not None,
            "amount_was_missing": raw is None,
        }


def endings(records: list[Record],
            observe: Callable[[Passed, int, dict[str, Any] | str], None] = lambda *_: None,
            ) -> Iterator[tuple[Record, dict[str, Any] | str, bool]]:
    """Each record of a partition with its vector or reason, and whether it is late. What passed is shown to
    `observe`, with the watermark after it and its ending."""
    gates, partition = Gates(source()), Partition()
    for record in records:
        watermark = gates.watermark
        judged = gates.judge(record)
        if isinstance(judged, Passed):
            before = -(1 << 60) if watermark is None else watermark
            ending = partition.vector(judged.value, judged.time, before)
            observe(judged, gates.watermark, ending)
            yield record, ending, judged.late
            continue
        if judged == "tombstone" and record.key is not None:
            partition.forget(record.key.decode())
        yield record, judged, False

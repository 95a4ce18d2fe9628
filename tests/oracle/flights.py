"""Every vector of config/pipelines/flights.yaml, computed independently of the engine.

    python flights.py --input in.jsonl --output out.jsonl --rejected dlq.jsonl [--lateness 1h]

The forms of the files are those of stream.py.
"""

import math
from datetime import UTC, datetime

import numpy as np
import stream
import windows
from stream import HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 24 * HOUR
WEEK = 7 * DAY

CARRIED = ["origin", "carrier", "flight", "dest", "tailnum", "sched_dep"]

# The options of the cleaning steps.
OUTLIER_THRESHOLD, OUTLIER_MIN_COUNT = 3, 20
FILL_WITHIN = 6 * HOUR
CLIP = (-30.0, 240.0)


def event_time(flight):
    """Microseconds of the scheduled departure."""
    since = datetime.fromisoformat(flight["sched_dep"]) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def unrepeated(records):
    """Yields (record, reason to drop it or None): the first of equal flights wins.

    The scheduled departure is among the columns, so equal flights have one event time, and one
    that comes after the first is forgotten would be late.
    """
    seen = set()
    for record in records:
        flight = record.value
        name = (flight["origin"], flight["carrier"], flight["flight"], flight["sched_dep"])
        yield record, "duplicate" if name in seen else None
        seen.add(name)


def outliers(raw, before):
    """Whether each raw delay lies beyond the threshold of the raw delays of its 24 h before it."""
    flags = []
    for place, places in enumerate(before):
        values = windows.present(raw[places[places != place]])
        spread = windows.std(values)
        if math.isnan(raw[place]) or len(values) < OUTLIER_MIN_COUNT or not spread:
            flags.append(False)
            continue
        score = (float(raw[place]) - windows.mean(values)) / spread
        flags.append(abs(score) > OUTLIER_THRESHOLD)
    return flags


def filled(raw, before):
    """The delays with nulls replaced by the last raw one of their window, else by 0."""
    values = raw.copy()
    for place, places in enumerate(before):
        if math.isnan(raw[place]):
            values[place] = windows.last(windows.present(raw[places])) or 0.0
    return values


def cycle(time, period):
    angle = 2 * math.pi * (time % period) / period
    return math.sin(angle), math.cos(angle)


def vector(flight, time, columns):
    """The vector of a flight: carried columns, then the features in their order."""
    # The epoch was a Thursday, and a week begins on Monday.
    day, week = cycle(time, DAY), cycle(time + 3 * DAY, WEEK)
    spread = columns["std_24h"]
    score = (columns["dep_delay"] - columns["dep_delay_mean_24h"]) / spread if spread else None
    return {
        **{name: flight[name] for name in CARRIED},
        "dep_delay": columns["dep_delay"],
        "dep_delay_was_missing": flight["dep_delay"] is None,
        "dep_delay_is_outlier": columns["is_outlier"],
        **{name: columns[name] for name in WINDOWED},
        "delay_score": score,
        "flights_24h": columns["flights_24h"],
        "cancelled_share_24h": columns["cancellations_24h"] / columns["flights_24h"],
        "sched_dep_day_sin": day[0],
        "sched_dep_day_cos": day[1],
        "sched_dep_week_sin": week[0],
        "sched_dep_week_cos": week[1],
        "distance_standardized": (flight["distance"] - 1039.912604) / 733.233033,
        **{f"origin_{name}": int(flight["origin"] == name) for name in ("EWR", "JFK", "LGA")},
    }


WINDOWED = [
    "dep_delay_count_1h",
    "dep_delay_mean_1h",
    "dep_delay_max_1h",
    "dep_delay_count_3h",
    "dep_delay_mean_3h",
    "dep_delay_std_3h",
    "dep_delay_min_3h",
    "dep_delay_max_3h",
    "dep_delay_mean_24h",
    "dep_delay_mean_20r",
    "dep_delay_first_20r",
    "previous_delay",
    "since_departure_s",
]


def columns_of(group):
    """Yields (index into the group, columns) of each flight of one origin and carrier."""
    events = windows.Events([r.time for r in group], [r.offset for r in group])
    raw = events.column([r.value["dep_delay"] for r in group])
    left = ~events.mask([r.value["cancelled"] for r in group])
    is_outlier = outliers(raw, events.windows(DAY))
    delay = np.clip(filled(raw, events.windows(FILL_WITHIN, closed="both")), *CLIP)

    shapes = zip(
        events.order.tolist(),
        events.windows(HOUR, among=left),
        events.windows(3 * HOUR, among=left),
        events.windows(DAY, among=left),
        events.windows(DAY, closed="left", among=left),
        events.rows(20),
        events.windows(DAY),
        strict=True,
    )
    for place, (index, hour, three, day, before, rows, flights) in enumerate(shapes):
        hourly, three_hourly, daily = delay[hour], delay[three], delay[day]
        twenty = delay[rows[left[rows]]]
        others = day[day != place]
        since = int(events.times[place] - events.times[others[-1]]) / 1e6 if len(others) else None
        yield index, {
            "dep_delay": float(delay[place]),
            "is_outlier": is_outlier[place],
            "dep_delay_count_1h": windows.count(hourly),
            "dep_delay_mean_1h": windows.mean(hourly),
            "dep_delay_max_1h": windows.greatest(hourly),
            "dep_delay_count_3h": windows.count(three_hourly),
            "dep_delay_mean_3h": windows.mean(three_hourly),
            "dep_delay_std_3h": windows.std(three_hourly),
            "dep_delay_min_3h": windows.least(three_hourly),
            "dep_delay_max_3h": windows.greatest(three_hourly),
            "dep_delay_mean_24h": windows.mean(daily),
            "std_24h": windows.std(daily),
            "dep_delay_mean_20r": windows.mean(twenty),
            "dep_delay_first_20r": windows.first(twenty),
            "previous_delay": windows.last(delay[before]),
            "since_departure_s": since,
            "flights_24h": len(flights),
            "cancellations_24h": len(flights) - len(day),
        }


def vectors(records):
    """Yields (offset, vector or reason to drop) of the records of one partition."""
    kept = []
    for record, reason in unrepeated(records):
        if reason:
            yield record.offset, reason
        else:
            kept.append(record)
    for group in stream.by_key(kept, lambda flight: (flight["origin"], flight["carrier"])).values():
        for index, columns in columns_of(group):
            record = group[index]
            yield record.offset, vector(record.value, record.time, columns)


if __name__ == "__main__":
    stream.main(__doc__, "24h", event_time, vectors)

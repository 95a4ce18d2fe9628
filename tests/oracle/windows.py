"""What a record can see, straight from the definition, and aggregates in two passes.

The window `over: w` at a record with event time t holds the events of its key that precede it in
offset order (itself included) and whose event time lies in (t - w, t]. Nothing is kept up to
date here: all events of a key are sorted once by (event time, offset), and each record's window
is a slice of that with a mask on the offset.
"""

import datetime
import math

import numpy as np

# Which ends of (t - w, t] belong to the window: (the older end, the record's own time).
CLOSED = {
    "right": (False, True),
    "both": (True, True),
    "left": (True, False),
    "none": (False, False),
}


class Events:
    """The events of one key of one partition, addressed by place: their (time, offset) order."""

    def __init__(self, times, offsets):
        times = np.asarray(times, dtype=np.int64)
        offsets = np.asarray(offsets, dtype=np.int64)
        self.order = np.lexsort((offsets, times))
        self.times = times[self.order]
        self.offsets = offsets[self.order]

    def __len__(self):
        return len(self.times)

    def column(self, values):
        """Values in arrival order, None where absent, as an array by place with NaN there."""
        return np.array([math.nan if v is None else v for v in values], dtype=float)[self.order]

    def mask(self, flags):
        """Flags in arrival order as an array by place."""
        return np.asarray(flags, dtype=bool)[self.order]

    def windows(self, over, closed="right", among=None, delay=0, without_own=False):
        """For each place in turn, the places in its window, in order; of those flagged by
        `among`, if given. The window ends `delay` before the place's time; `without_own` leaves
        the place itself out."""
        older, own = CLOSED[closed]
        last = self.times - delay
        begins = np.searchsorted(self.times, last - over, "left" if older else "right")
        ends = np.searchsorted(self.times, last, "right" if own else "left")
        for place, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist())):
            seen = self.offsets[begin:end] <= self.offsets[place]
            if without_own:
                seen &= np.arange(begin, end) != place
            if among is not None:
                seen &= among[begin:end]
            yield seen.nonzero()[0] + begin

    def tumbling(self, span, offset=0, zone=None, previous=False):
        """For each place in turn, the places in the span of a grid that it lies in, up to itself;
        or in the span before. With a zone, spans are of its days."""
        for place, time in enumerate(self.times.tolist()):
            start = grid_start(time, span, offset, zone)
            begin, end = start, time + 1
            if previous:
                begin, end = grid_before(start, span, offset, zone), start
            seen = (self.times >= begin) & (self.times < end) & (self.offsets <= self.offsets[place])
            yield seen.nonzero()[0]

    def session(self, gap, within, among, previous=False):
        """For each place in turn, the flagged places of its session up to itself; or of the session
        before. Two that follow each other with a pause of more than `gap` are not of one session."""
        for place, time in enumerate(self.times.tolist()):
            seen = (self.times >= time - within) & (self.times <= time) & among
            seen &= self.offsets <= self.offsets[place]
            left = seen.nonzero()[0].tolist()
            sessions = []
            for _ in range(2):
                session = []
                while left and time - self.times[left[-1]] <= gap:
                    session.append(left.pop())
                    time = self.times[session[-1]]
                sessions.append(session[::-1])
                time = self.times[left[-1]] if left else time
            yield np.array(sessions[previous], dtype=int)

    def rows(self, count):
        """For each place in turn, the last `count` places up to it, in order. As with SQL's ROWS,
        a row counts whether or not a FILTER takes its value."""
        for place in range(len(self)):
            back = 2 * count
            while True:
                begin = max(0, place + 1 - back)
                seen = self.offsets[begin : place + 1] <= self.offsets[place]
                places = seen.nonzero()[0] + begin
                if len(places) >= count or begin == 0:
                    yield places[-count:]
                    break
                back *= 2


DAY = 86_400_000_000
EPOCH = datetime.datetime(1970, 1, 1)
UTC = datetime.timezone.utc


def shown_first(local, zone):
    """When clocks of the zone show that time first, or are moved over it, in microseconds."""
    shown = EPOCH + datetime.timedelta(microseconds=local)
    before, after = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if before.astimezone(zone).replace(tzinfo=None) == shown:
        return round(before.timestamp() * 1e6)
    # Not shown at all: clocks are moved somewhere between the two readings of it.
    early, late = after, before
    while late - early > datetime.timedelta(microseconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < shown:
            early = middle
        else:
            late = middle
    return round(late.timestamp() * 1e6)


def boundaries(time, span, offset, zone):
    """Where spans begin near a time, in order."""
    if zone is None:
        place = (time - offset) // span
        return [(place + step) * span + offset for step in (-1, 0)]
    shown = datetime.datetime.fromtimestamp(time / 1e6, zone).replace(tzinfo=None)
    place = ((shown - EPOCH) // datetime.timedelta(microseconds=1) - offset) // span
    return [shown_first((place + step) * span + offset, zone) for step in (-3, -2, -1, 0, 1, 2)]


def grid_start(time, span, offset, zone):
    return max(boundary for boundary in boundaries(time, span, offset, zone) if boundary <= time)


def grid_before(start, span, offset, zone):
    return max(boundary for boundary in boundaries(start, span, offset, zone) if boundary < start)


def present(values):
    """The values without nulls."""
    return values[~np.isnan(values)]


def count(values):
    return len(values)


def total(values):
    return float(np.add.reduce(values))


def mean(values):
    return total(values) / len(values) if len(values) else None


def std(values):
    """With ddof 1."""
    if len(values) < 2:
        return None
    apart = values - total(values) / len(values)
    return math.sqrt(total(apart * apart) / (len(values) - 1))


def least(values):
    return float(np.minimum.reduce(values)) if len(values) else None


def greatest(values):
    return float(np.maximum.reduce(values)) if len(values) else None


def first(values):
    return float(values[0]) if len(values) else None


def last(values):
    return float(values[-1]) if len(values) else None

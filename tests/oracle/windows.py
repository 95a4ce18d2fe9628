"""What a record can see, straight from the definition, and aggregates in two passes.

The window `over: w` at a record with event time t holds the events of its key that precede it in
offset order (itself included) and whose event time lies in (t - w, t]. Nothing is kept up to
date here: all events of a key are sorted once by (event time, offset), and each record's window
is a slice of that with a mask on the offset.
"""

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

    def windows(self, over, closed="right", among=None):
        """For each place in turn, the places in its window, in order; of those flagged by
        `among`, if given."""
        older, own = CLOSED[closed]
        begins = np.searchsorted(self.times, self.times - over, "left" if older else "right")
        ends = np.searchsorted(self.times, self.times, "right" if own else "left")
        for place, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist())):
            seen = self.offsets[begin:end] <= self.offsets[place]
            if among is not None:
                seen &= among[begin:end]
            yield seen.nonzero()[0] + begin

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

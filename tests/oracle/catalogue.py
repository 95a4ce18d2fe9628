"""Every aggregate of the catalogue against pandas, numpy, scipy and DuckDB, through the real program.

    python catalogue.py --binary MILLSTREAM [--write docs/catalogue.md | --check docs/catalogue.md]

Seeded streams (ties, exact boundaries, disorder inside the lateness, nulls, constants, keys of one
record) go through `millstream replay` with every aggregate over windows of each shape. What a window
holds is what windows.py says; what is made of it is computed by a library. On streams in order pandas'
own rolling windows are asked as well. What has no window is asked about in recursions.py. An entry of the
program that has no oracle here is a failure.
"""

import argparse
import collections
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import zoneinfo

import bulk
import duckdb
import not_finite
import numpy as np
import pandas as pd
import recursions
import scipy.stats
import tables
import windows

# Both of a value's size and absolute.
TOLERANCE = 1e-9
START_MS = 1_767_225_600_000
LATENESS_MS = 20_000
# Mistakes printed per entry.
SHOWN_MAX = 3


class Window:
    """The values that one record's window holds, in order, and the record's own."""

    def __init__(self, places, events, column, own):
        held = [place for place in places if column[place] is not None]
        self.has_own = own in held
        self.values = [column[place] for place in held]
        self.array = np.array(self.values) if self.values and isinstance(self.values[0], float) else None
        # Seconds since the first event: those since 1970 leave no digits for parts of them.
        seconds = (events.times - events.times[0]) / 1e6
        self.times = [float(seconds[place]) for place in held]
        self.own = column[own]
        self.time = float(seconds[own])
        self.before = [column[place] for place in held if place < own]
        self.times_before = [float(seconds[place]) for place in held if place < own]
        self.n = len(held)

    def key(self):
        """Windows of one key are one and the same to every entry."""
        return tuple(self.values), tuple(self.times), self.own, self.time, self.has_own

    def apart(self):
        """The values less the first one: far from zero the libraries lose digits that are there."""
        return self.array - self.array[0]


def numbers(least, of):
    """An entry of at least so many values, null below."""
    return lambda w: float(of(w)) if w.n >= least else None


def spread(least, of):
    """The same, null also where all values are equal."""
    return lambda w: float(of(w)) if w.n >= least and len(set(w.values)) > 1 else None


def at(values, index):
    return values[index] if -len(values) <= index < len(values) else None


def zscore(w, ddof):
    if w.own is None or w.n <= ddof or len(set(w.values)) < 2:
        return None
    return float((w.own - w.values[0] - np.mean(w.apart())) / np.std(w.apart(), ddof=ddof))


def rank(w, method, pct):
    if w.own is None:
        return None
    # The own value is the last one, in the window or added to it.
    ranks = scipy.stats.rankdata(w.values if w.has_own else [*w.values, w.own], method=method)
    return float(ranks[-1] / len(ranks) if pct else ranks[-1])


def regression(w):
    if len(set(w.times)) < 2:
        return None
    return statistics.linear_regression(w.times, w.apart().tolist()).slope


def gaps(w):
    return np.diff(np.array(w.times))


def entropy(w, base=None):
    counts = list(collections.Counter(w.values).values())
    return float(scipy.stats.entropy(counts, base=base)) if counts else None


def top(w, k):
    counted = collections.Counter(w.values).items()
    return [value for value, _ in sorted(counted, key=lambda pair: (-pair[1], pair[0]))[:k]] or None


def both(w):
    """The values of two columns, each less its first one."""
    points = np.array(w.values)
    return (points - points[0]).T


def corr(w):
    if any(len(set(column)) < 2 for column in zip(*w.values)) or not w.n:
        return None
    return float(np.corrcoef(*both(w))[0, 1])


def weighted_mean(w):
    if not sum(weight for _, weight in w.values):
        return None
    values, weights = zip(*w.values)
    return values[0] + float(np.average(both(w)[0], weights=weights))


def beside(w, of):
    """The second value at the place that pandas finds among the first ones."""
    values, others = zip(*w.values)
    return others[of(pd.Series(values))]


def share(w):
    found = pd.Series([y for _, y in w.values], dtype="Float64")
    return float((found > 1).fillna(False).mean())


def rate(w):
    seconds = w.times[-1] - w.times[0] if w.n else 0
    return (w.values[-1] - w.values[0]) / seconds if seconds > 0 else None


Entry = collections.namedtuple("Entry", "name options oracle of")

QUANTILES = [
    Entry("quantile", {"q": q, "interpolation": how}, f"numpy.quantile, method={how}",
          numbers(1, lambda w, q=q, how=how: np.quantile(w.array, q, method=how)))
    for q, how in [(0.9, "linear"), (0.1, "lower"), (0.3, "higher"), (0.75, "midpoint"), (0.5, "nearest")]
]
RANKS = [
    Entry("rank", {"method": method, "pct": pct}, "scipy.stats.rankdata",
          lambda w, method=method, pct=pct: rank(w, method, pct))
    for method, pct in [("average", False), ("min", True), ("max", False)]
]

OF_NUMBERS = [
    Entry("count", {}, "len", lambda w: w.n),
    Entry("sum", {}, "math.fsum", lambda w: math.fsum(w.values)),
    Entry("sum", {"null_when_empty": True}, "math.fsum", numbers(1, lambda w: math.fsum(w.values))),
    Entry("mean", {}, "statistics.fmean", numbers(1, lambda w: statistics.fmean(w.values))),
    Entry("var", {}, "numpy.var, ddof=1", numbers(2, lambda w: np.var(w.array, ddof=1))),
    Entry("var", {"ddof": 0}, "numpy.var", numbers(1, lambda w: np.var(w.array))),
    Entry("std", {}, "numpy.std, ddof=1", numbers(2, lambda w: np.std(w.array, ddof=1))),
    Entry("std", {"ddof": 0}, "numpy.std", numbers(1, lambda w: np.std(w.array))),
    Entry("sem", {}, "scipy.stats.sem", numbers(2, lambda w: scipy.stats.sem(w.array))),
    Entry("skew", {}, "scipy.stats.skew, bias=False",
          spread(3, lambda w: scipy.stats.skew(w.apart(), bias=False))),
    Entry("skew", {"bias": True}, "scipy.stats.skew", spread(1, lambda w: scipy.stats.skew(w.apart()))),
    Entry("kurt", {}, "scipy.stats.kurtosis, bias=False",
          spread(4, lambda w: scipy.stats.kurtosis(w.apart(), bias=False))),
    Entry("kurt", {"bias": True}, "scipy.stats.kurtosis",
          spread(1, lambda w: scipy.stats.kurtosis(w.apart()))),
    Entry("zscore", {}, "numpy.mean and std, ddof=1", lambda w: zscore(w, 1)),
    Entry("zscore", {"ddof": 0}, "numpy.mean and std", lambda w: zscore(w, 0)),
    Entry("min", {}, "min", numbers(1, lambda w: min(w.values))),
    Entry("max", {}, "max", numbers(1, lambda w: max(w.values))),
    Entry("range", {}, "numpy.ptp", numbers(1, lambda w: np.ptp(w.array))),
    Entry("median", {}, "statistics.median", numbers(1, lambda w: statistics.median(w.values))),
    *QUANTILES,
    Entry("mad", {}, "scipy.stats.median_abs_deviation",
          numbers(1, lambda w: scipy.stats.median_abs_deviation(w.array))),
    Entry("mad", {"normal": True}, "scipy.stats.median_abs_deviation, scale='normal'",
          numbers(1, lambda w: scipy.stats.median_abs_deviation(w.array, scale="normal"))),
    *RANKS,
    Entry("first", {}, "list", lambda w: at(w.values, 0)),
    Entry("last", {}, "list", lambda w: at(w.values, -1)),
    Entry("nth", {"n": 1}, "list", lambda w: at(w.values, 1)),
    Entry("nth", {"n": -2}, "list", lambda w: at(w.values, -2)),
    Entry("lag", {}, "list", lambda w: at(w.before, -1)),
    Entry("lag", {"n": 3}, "list", lambda w: at(w.before, -3)),
    Entry("delta", {}, "list", lambda w: w.values[-1] - w.values[0] if w.n else None),
    Entry("rate", {}, "list", rate),
    Entry("slope", {}, "statistics.linear_regression", regression),
    Entry("time_since_last", {}, "list", lambda w: w.time - w.times_before[-1] if w.before else None),
    Entry("time_since_first", {}, "list", lambda w: w.time - w.times[0] if w.n else None),
    Entry("gap_mean", {}, "numpy.diff, mean", numbers(2, lambda w: np.mean(gaps(w)))),
    Entry("gap_std", {}, "numpy.diff, std, ddof=1", numbers(3, lambda w: np.std(gaps(w), ddof=1))),
    Entry("gap_std", {"ddof": 0}, "numpy.diff, std", numbers(2, lambda w: np.std(gaps(w)))),
    Entry("distinct", {}, "set", lambda w: len(set(w.values))),
    Entry("distinct", {"limit": 500}, "set", lambda w: len(set(w.values))),
    Entry("mode", {}, "statistics.multimode", numbers(1, lambda w: min(statistics.multimode(w.values)))),
    Entry("entropy", {}, "scipy.stats.entropy", entropy),
    Entry("entropy", {"base": 2}, "scipy.stats.entropy, base=2", lambda w: entropy(w, 2)),
    Entry("top_k", {"k": 3}, "collections.Counter", lambda w: top(w, 3)),
    Entry("list", {"max": 5}, "list", lambda w: w.values[-5:] or None),
    Entry("histogram", {"edges": [-1.5, 0, 2, 40, 60]}, "numpy.histogram",
          lambda w: np.histogram(w.values, [-1.5, 0, 2, 40, 60])[0].tolist()),
]

OF_TEXTS = [
    Entry("count", {}, "len", lambda w: w.n),
    Entry("first", {}, "list", lambda w: at(w.values, 0)),
    Entry("last", {}, "list", lambda w: at(w.values, -1)),
    Entry("nth", {"n": 2}, "list", lambda w: at(w.values, 2)),
    Entry("lag", {}, "list", lambda w: at(w.before, -1)),
    Entry("distinct", {}, "set", lambda w: len(set(w.values))),
    Entry("mode", {}, "statistics.multimode",
          lambda w: min(statistics.multimode(w.values)) if w.n else None),
    Entry("entropy", {}, "scipy.stats.entropy", entropy),
    Entry("top_k", {"k": 2}, "collections.Counter", lambda w: top(w, 2)),
    Entry("list", {"max": 4}, "list", lambda w: w.values[-4:] or None),
    Entry("gap_mean", {}, "numpy.diff, mean", numbers(2, lambda w: np.mean(gaps(w)))),
]

# Of events with values of two columns.
OF_PAIRS = [
    Entry("corr", {"with": "y"}, "numpy.corrcoef", corr),
    Entry("cov", {"with": "y"}, "numpy.cov", numbers(2, lambda w: np.cov(*both(w))[0, 1])),
    Entry("cov", {"with": "y", "ddof": 0}, "numpy.cov, ddof=0",
          numbers(1, lambda w: np.cov(*both(w), ddof=0)[0, 1])),
    Entry("weighted_mean", {"weights": "y"}, "numpy.average", weighted_mean),
    Entry("argmin", {"value": "y"}, "pandas idxmin", numbers(1, lambda w: beside(w, pd.Series.idxmin))),
]
OF_PAIRS_WITH_TEXTS = [
    Entry("argmax", {"value": "text"}, "pandas idxmax",
          lambda w: beside(w, pd.Series.idxmax) if w.n else None),
    Entry("argmin", {"value": "text"}, "pandas idxmin",
          lambda w: beside(w, pd.Series.idxmin) if w.n else None),
]
# Of all records, with a value or without.
OF_RECORDS = [
    Entry("count_null", {}, "pandas isna, sum", lambda w: int(pd.Series([x for x, in w.values]).isna().sum())),
]
OF_CONDITIONS = [
    Entry("share", {"where": "y > 1"}, "pandas fillna(False), mean", numbers(1, share)),
]

# Where a value stands for the window's column; what a record must have for it to count.
VALUES = {
    "x": lambda r: r["x"],
    "text": lambda r: r["text"],
    "x with y": lambda r: None if r["x"] is None or r["y"] is None else (r["x"], r["y"]),
    "x with text": lambda r: None if r["x"] is None or r["text"] is None else (r["x"], r["text"]),
    "x of all": lambda r: (r["x"],),
    "x beside y": lambda r: None if r["x"] is None else (r["x"], r["y"]),
}
# By what their windows hold.
ENTRIES = {
    "x": OF_NUMBERS,
    "text": OF_TEXTS,
    "x with y": OF_PAIRS,
    "x with text": OF_PAIRS_WITH_TEXTS,
    "x of all": OF_RECORDS,
    "x beside y": OF_CONDITIONS,
}

# What pandas computes over its own windows: on streams in order, where both mean the same records.
PANDAS = {
    "count": lambda r: r.count(),
    "sum": lambda r: r.sum(),
    "mean": lambda r: r.mean(),
    "var": lambda r: r.var(),
    "std": lambda r: r.std(),
    "sem": lambda r: r.sem(),
    "skew": lambda r: r.skew(),
    "kurt": lambda r: r.kurt(),
    "min": lambda r: r.min(),
    "max": lambda r: r.max(),
    "median": lambda r: r.median(),
    "first": lambda r: r.first(),
    "last": lambda r: r.last(),
}
PANDAS_PAIRS = {
    "corr": lambda r, y: r.corr(y),
    "cov": lambda r, y: r.cov(y),
}
# And DuckDB, in SQL's frames: `closed: both`, of streams without ties.
DUCKDB = {
    "count": "count(x)",
    "mean": "avg(x)",
    "var": "var_samp(x)",
    "std": "stddev_samp(x)",
    "skew": "skewness(x)",
    "kurt": "kurtosis(x)",
    "median": "median(x)",
    "mad": "mad(x)",
    "quantile": "quantile_cont(x, 0.9)",
    "min": "min(x)",
    "max": "max(x)",
    "slope": f"regr_slope(x, (epoch_ms(t) - {START_MS}) / 1000.0)",
    "distinct": "count(distinct x)",
    "entropy": "entropy(x)",
    "corr": "corr(x, y)",
    "cov": "covar_samp(x, y)",
    "argmin": "arg_min(text, x)",
    "argmax": "arg_max(text, x)",
    "count_null": "count(*) filter (where x is null)",
    "share": "avg(case when x is not null then coalesce(y > 1, false)::int end)",
}
DUCKDB_OPTIONS = {
    "quantile": {"q": 0.9, "interpolation": "linear"}, "entropy": {"base": 2}, "share": {"where": "y > 1"},
    "corr": {"with": "y"}, "cov": {"with": "y"}, "argmin": {"value": "text"}, "argmax": {"value": "text"},
}

Shape = collections.namedtuple(
    "Shape", "over closed delay exclude_current min_count tumbling session part offset zone within",
    defaults=(None, None, None, False, 0, None, None, None, None, None, None))
SHAPES = [Shape(over, closed) for over in ("5s", "1m") for closed in windows.CLOSED] + [
    Shape("1m", "right", delay="7s"),
    Shape("5s", "both", delay="1m"),
    Shape("1m", "both", exclude_current=True),
    Shape("1m", "right", min_count=4),
    Shape("4 rows", "right"),
    Shape("23 rows", "right"),
    Shape(tumbling="1m"),
    Shape(tumbling="1m", part="previous", offset="7s"),
    Shape(tumbling="1d", zone="Europe/Berlin"),
    Shape(tumbling="1d", zone="Europe/Berlin", part="previous", offset="130m"),
    Shape(tumbling="2d", zone="America/Sao_Paulo", exclude_current=True),
    Shape(session="3s", within="1m"),
    Shape(session="3s", within="10m", part="previous"),
]
SECONDS = {None: 0, "3s": 3, "5s": 5, "7s": 7, "1m": 60, "10m": 600, "130m": 7_800, "1d": 86_400, "2d": 172_800}


def stream(seed, records, *, ties, disorder, nulls, keys, values, begin=START_MS, step_ms=1_000):
    """Records in arrival order."""
    random, beside = np.random.default_rng(seed), np.random.default_rng(seed + 1_000)
    time_ms, found = begin, []
    for _ in range(records):
        if not (ties and random.random() < 0.2):
            # Whole seconds: windows of whole seconds then have events right on their ends.
            time_ms += int(random.integers(1, 4)) * step_ms
        behind = int(random.integers(0, LATENESS_MS)) if disorder and random.random() < 0.3 else 0
        missing = random.random() < nulls
        found.append({
            "key": f"k{random.integers(keys)}",
            "time_ms": time_ms - behind,
            "x": None if missing else float(values(random)),
            "y": None if beside.random() < nulls else float(beside.choice([0, 0.5, 1, 2.25, 7])),
            "text": None if random.random() < nulls else str(random.choice(["a", "bb", "", "c"])),
        })
    return found


STREAMS = {
    "in order": stream(1, 200, ties=False, disorder=False, nulls=0.1, keys=2,
                       values=lambda r: r.normal(50, 20)),
    "ties and disorder": stream(2, 250, ties=True, disorder=True, nulls=0.15, keys=3,
                                values=lambda r: r.normal(-3, 1e3)),
    "few values": stream(3, 200, ties=True, disorder=True, nulls=0.05, keys=2,
                         values=lambda r: r.choice([-1.5, 0.0, 2.0, 2.25])),
    "constant": stream(4, 150, ties=True, disorder=True, nulls=0.1, keys=1, values=lambda r: 0.1),
    "far from zero": stream(5, 150, ties=False, disorder=True, nulls=0.0, keys=1,
                            values=lambda r: 1e6 + r.normal()),
    # Over the days on which clocks are changed in Berlin, some right when a day begins there.
    "to summer time": stream(7, 160, ties=True, disorder=True, nulls=0.1, keys=1,
                             values=lambda r: r.normal(), begin=1_774_566_000_000, step_ms=600_000),
    "to winter time": stream(8, 160, ties=True, disorder=True, nulls=0.1, keys=1,
                             values=lambda r: r.normal(), begin=1_792_706_400_000, step_ms=600_000),
    "keys of one record": stream(6, 60, ties=False, disorder=False, nulls=0.3, keys=10_000,
                                 values=lambda r: r.normal()),
}

NOT_FINITE = stream(9, 300, ties=True, disorder=True, nulls=0.1, keys=2, values=not_finite.values)


def pipeline():
    """A pipeline with every entry over every shape; columns are `c0`, `c1`.."""
    specs, columns = [], {}
    for of, entries in ENTRIES.items():
        for shape in SHAPES:
            computed = []
            for entry in entries:
                name = f"c{len(columns)}"
                columns[name] = (of, shape, entry)
                computed.append({entry.name: {**entry.options, "as": name}})
            asked = {name: value for name, value in shape._asdict().items() if value}
            # A condition of its own, true of every record: windows that share one keep what others
            # need, and nothing would show that one keeps too little.
            own = f"n > -{len(specs) + 1}"
            specs.append({**asked, "of": of.split()[0], "where": own, "compute": computed})
    for entry in recursions.RECURSIONS:
        name = f"r{len(columns)}"
        columns[name] = ("x", None, entry)
        specs.append({**entry.keys, "of": "x", "compute": [{entry.name: {**entry.options, "as": name}}]})
    return {
        "pipeline": "catalogue",
        "source": {
            "topics": ["values"], "format": "json", "schema": "schema.json", "key": "key",
            "event_time": "kafka", "lateness": f"{LATENESS_MS}ms", "start": "earliest",
        },
        "windows": specs,
        "features": list(columns),
        "output": {"topic": "values.features", "format": "json", "carry": ["n"]},
        "dead_letter": {"topic": "values.dlq"},
    }, columns


SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "key": {"type": "string"},
        "x": {"type": ["number", "null"]},
        "y": {"type": ["number", "null"]},
        "text": {"type": ["string", "null"]},
    },
    "required": ["n", "key"],
}


def fold(binary, folder, records):
    """What the program makes of the records, one vector each."""
    lines = [
        json.dumps({"value": {"n": n, **{name: r[name] for name in ("key", "x", "y", "text")}},
                    "key": r["key"], "timestamp": r["time_ms"]})
        for n, r in enumerate(records)
    ]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    answer = subprocess.run(
        [binary, "replay", folder / "pipeline.yaml", "--input", folder / "in.jsonl", "--envelope"],
        capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"replay failed: {answer.stderr}")
    vectors = [json.loads(line) for line in answer.stdout.splitlines()]
    if len(vectors) != len(records):
        sys.exit(f"{len(vectors)} vectors of {len(records)} records: {answer.stderr}")
    return sorted(vectors, key=lambda vector: vector["n"])


def places_of(shape, events, counts):
    """What the window of a shape holds, by place; `counts` flags what has a value."""
    micros = {name: SECONDS[value] * 1_000_000 for name, value in shape._asdict().items() if value in SECONDS}
    previous = shape.part == "previous"
    if shape.session:
        return events.session(micros["session"], micros["within"], counts, previous)
    if shape.tumbling:
        zone = zoneinfo.ZoneInfo(shape.zone) if shape.zone else None
        found = events.tumbling(micros["tumbling"], micros["offset"], zone, previous)
        if shape.exclude_current:
            found = (places[places != place] for place, places in enumerate(found))
        return found
    if shape.over.endswith("rows"):
        return events.rows(int(shape.over.split()[0]))
    return events.windows(
        micros["over"], closed=shape.closed, delay=micros["delay"], without_own=shape.exclude_current)


def contents(records, of, shape):
    """The windows of a shape, by record."""
    groups = collections.defaultdict(list)
    for index, record in enumerate(records):
        groups[record["key"]].append(index)
    found = {}
    for indices in groups.values():
        events = windows.Events([records[i]["time_ms"] * 1_000 for i in indices], indices)
        column = [VALUES[of](records[indices[i]]) for i in events.order]
        held = places_of(shape, events, np.array([value is not None for value in column]))
        for place, places in enumerate(held):
            found[indices[events.order[place]]] = Window(places, events, column, place)
    return [found[index] for index in range(len(records))]


class Differences:
    """How far the program was off, by entry, or by entry and oracle; what was wrong is printed."""

    def __init__(self):
        self.largest = collections.defaultdict(float)
        self.compared = collections.Counter()
        self.wrong = collections.Counter()

    def compare(self, entry, expected, actual, where, nan=None):
        """`nan` stands for NaN: JSON has none."""
        self.compared[entry] += 1
        if isinstance(expected, float) and math.isnan(expected):
            expected = nan
        off = tables.difference(expected, actual)
        if off < math.inf:
            self.largest[entry] = max(self.largest[entry], off)
        if off > TOLERANCE:
            self.wrong[entry] += 1
            if self.wrong[entry] <= SHOWN_MAX:
                print(f"wrong: {entry}, {where}: {actual!r}, expected {expected!r}")

    def add(self, entry, off, where, tolerance=TOLERANCE):
        """Many at once; `where` says what is wrong at a place, `tolerance` is one or one of each."""
        self.compared[entry] += len(off)
        self.largest[entry] = max(self.largest[entry], float(np.max(off, where=np.isfinite(off), initial=0.0)))
        for place in np.flatnonzero(off > tolerance):
            self.wrong[entry] += 1
            if self.wrong[entry] <= SHOWN_MAX:
                print(f"wrong: {entry}, {where(place)}")


def title(of, entry):
    written = tables.title(entry.name, entry.options)
    return f"{written} of texts" if of == "text" else written


def is_plain(shape, over=("5s", "1m")):
    return shape == Shape(shape.over, shape.closed) and shape.over in over


def windowed(columns):
    return [(column, asked) for column, asked in columns.items() if asked[1] is not None]


def compare_recursions(name, records, columns, vectors, differences):
    for column, (of, shape, entry) in columns.items():
        if shape is None:
            told = recursions.expected(records, entry, LATENESS_MS)
            for index, value in enumerate(told):
                where = (name, entry.keys, index)
                differences.compare(title(of, entry), value, vectors[index][column], where)


def compare_with_pandas(records, columns, vectors, differences):
    """Rolling windows by time of pandas, key by key."""
    few = {"skew": 3, "kurt": 4, "corr": 3, "cov": 2}
    frame = pd.DataFrame(records)
    frame.index = pd.to_datetime(frame["time_ms"], unit="ms")
    for column, (of, shape, entry) in windowed(columns):
        pairs = of == "x with y" and entry.options == {"with": "y"}
        of_values = of == "x" and not entry.options and entry.name in PANDAS
        if not is_plain(shape) or not pairs and not of_values:
            continue
        for _, group in frame.groupby("key"):
            closed = {"none": "neither"}.get(shape.closed, shape.closed)
            # Where one of two is missing, pandas passes over both.
            held = group["x"].where(group["y"].notna()) if pairs else group["x"]
            rolling = held.rolling(f"{SECONDS[shape.over]}s", closed=closed, min_periods=0)
            computed = PANDAS_PAIRS[entry.name](rolling, group["y"]) if pairs else PANDAS[entry.name](rolling)
            order = np.flatnonzero(frame["key"] == group["key"].iloc[0])
            for index, n, expected in zip(order, rolling.count(), computed):
                # Shapes of too few values are NaN there or 0, an empty sum is NaN.
                if n < few.get(entry.name, 1):
                    continue
                differences.compare(f"pandas rolling {entry.name}", float(expected), vectors[index][column],
                                    f"{shape.over} {shape.closed}, record {index}")


def compare_with_duckdb(records, columns, vectors, differences):
    """SQL's frames of DuckDB."""
    table = pd.DataFrame({
        "n": range(len(records)), "key": [r["key"] for r in records],
        "t": pd.to_datetime([r["time_ms"] for r in records], unit="ms"),
        "text": [r["text"] for r in records],
        **{name: pd.array([pd.NA if r[name] is None else r[name] for r in records], dtype="Float64")
           for name in ("x", "y")},
    })
    for column, (of, shape, entry) in windowed(columns):
        plain = entry.options == DUCKDB_OPTIONS.get(entry.name, {})
        if of == "text" or not plain or entry.name not in DUCKDB or shape != Shape(shape.over, "both"):
            continue
        query = (f"select n, count(x) over frame, {DUCKDB[entry.name]} over frame from records "
                 "window frame as (partition by key order by t range between "
                 f"interval {SECONDS[shape.over]} seconds preceding and current row) order by n")
        for n, held, expected in duckdb.query_df(table, "records", query).fetchall():
            # Shapes and trends of too few values are NaN there, the entropy of none is 0.
            if held < {"skew": 3, "kurt": 4, "slope": 2, "entropy": 1}.get(entry.name, 0):
                continue
            differences.compare(f"DuckDB {entry.name}", expected, vectors[n][column],
                                f"{shape.over}, record {n}")


def run(binary):
    written, columns = pipeline()
    differences = Differences()
    with tempfile.TemporaryDirectory() as held:
        folder = pathlib.Path(held)
        (folder / "pipeline.yaml").write_text(json.dumps(written))
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        for name, records in STREAMS.items():
            vectors = fold(binary, folder, records)
            held_by, computed = {}, collections.defaultdict(lambda: collections.defaultdict(dict))
            for column, (of, shape, entry) in windowed(columns):
                if (of, shape) not in held_by:
                    held_by[of, shape] = [(w, w.key()) for w in contents(records, of, shape)]
                for index, (window, key) in enumerate(held_by[of, shape]):
                    known = computed[of][title(of, entry)]
                    if key not in known:
                        known[key] = entry.of(window)
                    expected = known[key]
                    if window.n < shape.min_count and not entry.name.startswith("count"):
                        expected = None
                    where = (of, shape, name, index, window.values)
                    differences.compare(title(of, entry), expected, vectors[index][column], where)
            compare_recursions(name, records, columns, vectors, differences)
            if name == "in order":
                compare_with_pandas(records, columns, vectors, differences)
                compare_with_duckdb(records, columns, vectors, differences)
    program = pathlib.Path(binary).parent / "examples" / "windows"
    not_finite.compare(program, SHAPES, OF_NUMBERS, contents, NOT_FINITE, LATENESS_MS, differences)
    bulk.compare_flights(binary, differences)
    bulk.compare_one_key(binary, differences)
    bulk.compare_sketch(binary, differences)
    return differences


def known(binary):
    """Names of the program's aggregates, from the schema it gives to editors."""
    answer = subprocess.run([binary, "components", "--schema"], capture_output=True, text=True, check=True)
    window = json.loads(answer.stdout)["properties"]["windows"]["items"]
    return window["properties"]["compute"]["anyOf"][0]["items"]["anyOf"][0]["enum"]


def page(differences):
    """The rows of the table of docs/catalogue.md."""
    oracles = {title(of, entry): entry.oracle for of, entries in ENTRIES.items() for entry in entries}
    oracles |= {title("x", entry): entry.oracle for entry in recursions.RECURSIONS}
    rows = {}
    for entry, compared in differences.compared.items():
        rows[asked_of(entry, oracles)] = compared, differences.largest[entry]
    return rows


def asked_of(entry, oracles):
    """Component and oracle of what was compared."""
    if isinstance(entry, tuple):
        return entry
    for asked in ("pandas rolling", "DuckDB"):
        if entry.startswith(f"{asked} "):
            return f"`{entry.removeprefix(asked).strip()}`", f"{asked}, its own windows"
    return entry, oracles[entry]


def main():
    arguments = tables.arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0])).parse_args()
    differences = run(arguments.binary)
    asked = [f"pandas rolling {name}" for name in [*PANDAS, *PANDAS_PAIRS]] + [f"DuckDB {name}" for name in DUCKDB]
    for name in asked:
        if not differences.compared[name]:
            differences.wrong[name] += 1
            print(f"wrong: {name} was asked about nothing")
    covered = {entry.name for entries in ENTRIES.values() for entry in entries}
    covered |= {entry.name for entry in recursions.RECURSIONS}
    missing = [name for name in known(arguments.binary) if name not in covered]
    for name in missing:
        print(f"wrong: {name} has no oracle in {pathlib.Path(__file__).name}")
    stale = tables.settle(arguments, "aggregates", page(differences), "windows")
    entries = differences.compared.keys() | differences.wrong.keys()
    failed = len(differences.wrong) + len(missing) + stale
    print(f"{len(entries) - len(differences.wrong)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

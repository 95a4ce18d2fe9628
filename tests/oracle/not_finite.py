"""Windows that hold NaN, infinities and zeros with a sign: what JSON cannot bring, a column can.

tests/oracle/windows.rs computes them in the program's own windows. What a sum, a mean or a spread is comes from numpy,
which lets NaN through. Where values are put in order NaN is the greatest of them, as for DuckDB, Arrow and SQL: numpy
and scipy have none then, pandas leaves NaN out of everything. Windows that they have left must hold no trace of them,
and are compared as if they had never been there.
"""

import json
import math
import subprocess
import warnings

import numpy as np
import scipy.stats
import tables

NAN, INFINITY = math.nan, math.inf
WAYS = "NaN and infinities"


def values(random):
    """Mostly numbers; every NaN is the same object, which sets and counters then take for one."""
    chosen = random.random()
    if chosen < 0.08:
        return random.choice(np.array([NAN, INFINITY, -INFINITY, NAN], dtype=object))
    return float(random.choice([0.0, -0.0, 1.5, -2.25])) if chosen < 0.3 else float(random.normal(20, 30))


def ascending(window):
    """The values in order, NaN last."""
    return sorted(window, key=lambda value: (math.isnan(value), 0.0 if math.isnan(value) else value))


def quantile(window, q, method):
    """numpy says at which place, counted from 0, or between which two."""
    place = float(np.quantile(np.arange(len(window)), q, method=method))
    low, high = (ascending(window)[int(at)] for at in (math.floor(place), math.ceil(place)))
    part = place - math.floor(place)
    return low if part == 0.0 or low == high else low * (1.0 - part) + high * part


def median(window):
    return quantile(window, 0.5, "linear")


def counted(window):
    """Different values in order and how many of each: numpy takes NaN for equal to itself."""
    return np.unique(np.array(window), return_counts=True)


def frequent(window, k):
    found, counts = counted(window)
    order = sorted(range(len(found)), key=lambda place: (-counts[place], place))
    return [float(found[place]) for place in order[:k]]


def rank(w, method, pct):
    held = w.values if w.has_own else [*w.values, w.own]
    _, codes = np.unique(np.array(held), return_inverse=True)
    ranks = scipy.stats.rankdata(codes, method=method)
    return float(ranks[-1] / len(ranks) if pct else ranks[-1])


def zscore(w, ddof):
    return (w.own - np.mean(w.array)) / np.std(w.array, ddof=ddof)


def slope(w):
    times = np.array(w.times) - np.mean(w.times)
    return np.sum(times * (w.array - np.mean(w.array))) / np.sum(times * times) if len(set(w.times)) > 1 else None


def entropy(w, base=None):
    return scipy.stats.entropy(counted(w.values)[1], base=base)


# By name: the least number of values (from the options), who says, what.
NOT_FINITE = {
    "sum": (lambda o: int(o.get("null_when_empty", False)), "numpy.sum", lambda w, o: np.sum(w.array) if w.n else 0.0),
    "mean": (lambda o: 1, "numpy.mean", lambda w, o: np.mean(w.array)),
    "var": (lambda o: o.get("ddof", 1) + 1, "numpy.var", lambda w, o: np.var(w.array, ddof=o.get("ddof", 1))),
    "std": (lambda o: o.get("ddof", 1) + 1, "numpy.std", lambda w, o: np.std(w.array, ddof=o.get("ddof", 1))),
    "sem": (lambda o: 2, "scipy.stats.sem", lambda w, o: scipy.stats.sem(w.array)),
    "skew": (lambda o: 1 if o.get("bias") else 3, "scipy.stats.skew",
             lambda w, o: scipy.stats.skew(w.array, bias=o.get("bias", False))),
    "kurt": (lambda o: 1 if o.get("bias") else 4, "scipy.stats.kurtosis",
             lambda w, o: scipy.stats.kurtosis(w.array, bias=o.get("bias", False))),
    "zscore": (lambda o: o.get("ddof", 1) + 1, "numpy.mean and std",
               lambda w, o: None if w.own is None else zscore(w, o.get("ddof", 1))),
    "min": (lambda o: 1, "sorted, NaN last", lambda w, o: ascending(w.values)[0]),
    "max": (lambda o: 1, "sorted, NaN last", lambda w, o: ascending(w.values)[-1]),
    "range": (lambda o: 1, "sorted, NaN last", lambda w, o: ascending(w.values)[-1] - ascending(w.values)[0]),
    "median": (lambda o: 1, "sorted, NaN last", lambda w, o: median(w.values)),
    "quantile": (lambda o: 1, "numpy.quantile of places, NaN last",
                 lambda w, o: quantile(w.values, o["q"], o["interpolation"])),
    "mad": (lambda o: 1, "sorted, NaN last", lambda w, o: median([abs(x - median(w.values)) for x in w.values])
            / (scipy.stats.norm.ppf(0.75) if o.get("normal") else 1.0)),
    "rank": (lambda o: 0, "scipy.stats.rankdata, NaN last",
             lambda w, o: None if w.own is None else rank(w, o["method"], o["pct"])),
    "slope": (lambda o: 2, "numpy sums", lambda w, o: slope(w)),
    "distinct": (lambda o: 0, "numpy.unique", lambda w, o: len(counted(w.values)[0])),
    "mode": (lambda o: 1, "numpy.unique", lambda w, o: frequent(w.values, 1)[0]),
    "top_k": (lambda o: 1, "numpy.unique", lambda w, o: frequent(w.values, o["k"])),
    "entropy": (lambda o: 1, "numpy.unique, scipy.stats.entropy", lambda w, o: entropy(w, o.get("base"))),
}


def expected(entry, window):
    """What the window gives, and who says so."""
    if entry.name not in NOT_FINITE:
        return entry.of(window)
    least, _, of = NOT_FINITE[entry.name]
    if entry.name != "rank" and all(map(math.isfinite, window.values)):
        with np.errstate(all="ignore"):
            return entry.of(window)
    if window.n < least(entry.options):
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return of(window, entry.options)


def plain(value):
    """Lists by text, so that NaN is NaN in them too; numbers as floats."""
    if isinstance(value, list):
        return str([None if item is None else float(item) + 0.0 for item in value])
    return None if value is None else float(value)


def computed(program, specs, records, lateness_ms):
    """What the program's windows hold, one list of columns per record."""
    asked = {"windows": specs, "lateness_us": lateness_ms * 1_000, "batch": 7}
    written = {INFINITY: "inf", -INFINITY: "-inf"}
    lines = [json.dumps(asked)] + [
        json.dumps([int(r["key"][1:]), r["time_ms"] * 1_000,
                    "NaN" if r["x"] is NAN else written.get(r["x"], r["x"])]) for r in records]
    answer = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def compare(program, shapes, entries, contents, records, lateness_ms, differences):
    """Every entry over every shape; `contents` gives the windows of a shape by record."""
    specs, columns = [], []
    for shape in shapes:
        asked = {name: value for name, value in shape._asdict().items() if value}
        compute = []
        for entry in entries:
            compute.append({entry.name: {**entry.options, "as": f"c{len(columns)}"}})
            columns.append((shape, entry))
        specs.append({**asked, "of": "x", "compute": compute})
    made = computed(program, specs, records, lateness_ms)
    assert len(made) == len(records), f"{len(made)} of {len(records)} records"
    held = {shape: contents(records, "x", shape) for shape in shapes}
    for column, (shape, entry) in enumerate(columns):
        name = tables.title(entry.name, entry.options)
        oracle = NOT_FINITE[entry.name][1] if entry.name in NOT_FINITE else entry.oracle
        for index, window in enumerate(held[shape]):
            wanted = expected(entry, window)
            if window.n < shape.min_count and entry.name != "count":
                wanted = None
            where = (shape, "not finite", index, window.values)
            differences.compare((name, f"{oracle}, {WAYS}"), plain(wanted), plain(made[index][column]), where, nan=NAN)

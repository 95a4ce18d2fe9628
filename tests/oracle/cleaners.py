"""Every cleaning operator against pandas, numpy, scipy and Python, through the real program.

    python cleaners.py --binary MILLSTREAM [--write docs/catalogue.md | --check docs/catalogue.md]

Seeded streams (ties, nulls, NaN, infinities, disorder inside the lateness) go through `millstream replay`
with one operator each; values, flags and the records that are left are compared with what a library makes
of the same rows. What looks at the records before is asked of a library for each record by itself, and
where pandas has the same window, of pandas' own. An operator without an entry is a failure.
"""

import argparse
import collections
import itertools
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import unicodedata

import numpy as np
import pandas as pd
import tables
from scipy import constants, stats

TOLERANCE = 1e-9
SHOWN_MAX = 5
ROWS = 1_000
SECOND = 1_000_000
LATENESS_MS = 20_000
START_MS = 1_767_225_600_000
SECRET = 0x1CAD21F72C81017C, 0xDB979083E96DD4DE

TEXTS = ["Fuel oil", " grocery ", "caf\u00e9", "cafe\u0301", "TRAVEL-12", "\ufb01ve-7", "\uff21\uff22-x1", "", "a_b c"]
CATEGORIES = ["grocery", "fuel", "travel", "rent"]


def arrivals():
    """Records in order of arrival: five keys, times with ties and disorder, values with all that can be."""
    random = np.random.default_rng(11)
    at = START_MS + np.cumsum(random.integers(0, 4, ROWS) * 500)
    ts = at - np.where(random.random(ROWS) < 0.3, random.integers(0, LATENESS_MS, ROWS), 0)
    # Quarters, so that values tie and sums of them are exact.
    x = np.round(random.normal(20, 6, ROWS) * 4) / 4
    x[random.random(ROWS) < 0.04] *= 40
    x[random.random(ROWS) < 0.015] = np.nan
    x[random.random(ROWS) < 0.01] = np.inf
    x[random.random(ROWS) < 0.01] = -np.inf
    x[200:230] = 3.0
    x = [None if random.random() < 0.12 else float(value) for value in x]
    text = random.choice(np.array(TEXTS, dtype=object), ROWS)
    local = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 400 * 86_400, ROWS), unit="s")
    # What clocks in Berlin skip, and what they show twice.
    local = local.where(random.random(ROWS) > 0.1, pd.Timestamp("2026-03-29 02:30:00"))
    local = local.where(random.random(ROWS) > 0.1, pd.Timestamp("2026-10-25 02:30:00"))
    return pd.DataFrame({
        "n": range(ROWS), "key": random.choice(["a", "b", "c", "d", "e"], ROWS), "ts": ts, "x": pd.Series(x, dtype=object),
        "i": random.integers(-50, 50, ROWS), "id": [f"tx{value:04}" for value in random.integers(0, 400, ROWS)],
        "category": [None if random.random() < 0.05 else c for c in random.choice(CATEGORIES, ROWS)],
        "text": [None if random.random() < 0.05 else value for value in text],
        "local": local.strftime("%d.%m.%Y %H:%M:%S"),
        "number": random.choice(["12", " 7 ", "-3.5", "1e2", "x", "true", "No", "9007199254740993", ""], ROWS),
    })


def in_order():
    """One after the other, times apart, all values finite: where pandas' own windows are the same."""
    random = np.random.default_rng(12)
    frame = arrivals()
    # Odd steps: no two records lie a whole second apart.
    frame["ts"] = START_MS + np.cumsum(random.integers(200, 900, ROWS)) * 1_000 // 997
    x = np.round(random.normal(20, 6, ROWS) * 4) / 4
    x[random.random(ROWS) < 0.05] *= 25
    frame["x"] = pd.Series([None if random.random() < 0.1 else float(value) for value in x], dtype=object)
    return frame


def out_of_order():
    """The same, arriving up to the lateness behind, with gaps of numbers that JSON can hold."""
    random = np.random.default_rng(13)
    frame = in_order()
    frame["y"] = pd.Series([None if random.random() < 0.3 else float(v) for v in random.normal(5, 3, ROWS)], dtype=object)
    frame = frame.iloc[np.argsort(frame["ts"] + random.integers(0, LATENESS_MS, ROWS), kind="stable")]
    return frame.assign(n=range(ROWS)).reset_index(drop=True)


MIXED, ORDERED, DISORDERED = arrivals(), in_order(), out_of_order()

Entry = collections.namedtuple("Entry", "name options oracle frame steps outputs kept source", defaults=({},))


def entry(name, options, oracle, outputs, kept=None, frame=None, before=()):
    """One operator: what SQL over its columns gives, by output, of the rows that are kept."""
    frame = MIXED if frame is None else frame
    kept = np.ones(len(frame), bool) if kept is None else np.asarray(kept, bool)
    steps = [{"cast": {"column": "x", "to": "float", "mode": "lenient"}}, *before, {name: options}]
    return Entry(name, options, oracle, frame, steps, outputs, kept)


def by_event_time(name, options, oracle, outputs):
    """One operator that sees records in the order of their event times, and is the first."""
    kept = np.ones(ROWS, bool)
    return Entry(name, options, oracle, DISORDERED, [{name: options}], outputs, kept, {"order": "event_time"})


def floats(frame):
    """The column x: NaN where it is NaN or null; and where it is null."""
    null = frame["x"].isna().to_numpy() & np.array([value is None for value in frame["x"]])
    return np.array([math.nan if value is None else value for value in frame["x"]], float), null


def windows(frame, over_s, per="key", own=False):
    """Of each record: the values of x in (t - over, t] that came before, NaN and infinity among them."""
    x, null = floats(frame)
    ts, keys = frame["ts"].to_numpy(), frame["key"].to_numpy()
    for at in range(len(frame)):
        end = at + 1 if own else at
        inside = (ts[:end] > ts[at] - over_s * 1_000) & (ts[:end] <= ts[at]) & ~null[:end]
        if per == "key":
            inside &= keys[:end] == keys[at]
        yield x[:end][inside]


def quantile(values, q):
    """numpy's, that has no answer beside an infinite value that it does not need."""
    low, high = (np.quantile(values, q, method=method) for method in ("lower", "higher"))
    if low == high:
        return low
    return np.quantile(values, q) if np.isfinite([low, high]).all() and np.isfinite(values).all() else lerp(values, q, low, high)


def lerp(values, q, low, high):
    part = q * (len(values) - 1) % 1
    return low * (1 - part) + high * part


def fences(method, values, minimum, **options):
    """Where outliers begin, if the values judge."""
    if method == "zscore":
        if len(values) < minimum or not np.isfinite(values).all():
            return None
        mean, std = np.mean(values), np.std(values, ddof=1)
        # numpy's spread of equal values can be a rounding error.
        reach = options["threshold"] * std if np.ptp(values) > 0 else 0.0
        return (mean - reach, mean + reach) if reach > 0 else None
    values = values[~np.isnan(values)]
    if len(values) < minimum:
        return None
    with np.errstate(invalid="ignore"):
        if method == "modified_zscore":
            spread = stats.median_abs_deviation(values)
            reach = options.get("threshold", 3.5) * spread / 0.6745
            ends = np.median(values) - reach, np.median(values) + reach
        elif method == "iqr":
            spread = stats.iqr(values)
            low, high = quantile(values, 0.25), quantile(values, 0.75)
            spread = high - low if np.isinf(values).any() else spread
            ends = low - options.get("k", 1.5) * spread, high + options.get("k", 1.5) * spread
        else:
            low, high = quantile(values, options.get("lower", 0)), quantile(values, options.get("upper", 1))
            spread = 1.0 if low < high else 0.0
            ends = low if "lower" in options else -math.inf, high if "upper" in options else math.inf
    return ends if 0 < spread < math.inf else None


def judged(frame, ends):
    """Flags of x and its values clipped to the ends, where there are some."""
    x, _ = floats(frame)
    flags = np.array([e is not None and not math.isnan(v) and (v < e[0] or v > e[1]) for v, e in zip(x, ends)])
    clipped = np.array([np.clip(v, *e) if flag else v for v, e, flag in zip(x, ends, flags)])
    return flags, clipped


def outliers():
    flag, value = "x_is_outlier", "x"
    for frame, ordered in ((MIXED, False), (ORDERED, True)):
        for method, chosen, oracle in (
            ("zscore", {"threshold": 2.5}, "numpy.mean and std, ddof=1"),
            ("modified_zscore", {}, "scipy.stats.median_abs_deviation"),
            ("iqr", {}, "scipy.stats.iqr, numpy.quantile"),
            ("iqr", {"k": 0.5}, "scipy.stats.iqr, numpy.quantile"),
            ("quantile", {"lower": 0.1, "upper": 0.95}, "numpy.quantile"),
            ("quantile", {"upper": 0.9}, "numpy.quantile"),
        ):
            for per, own in [("key", False)] if ordered else [("key", False), ("partition", False), ("key", True)]:
                ends = [fences(method, values, 6, **chosen) for values in windows(frame, 120, per, own)]
                flags, clipped = judged(frame, ends)
                options = {"column": "x", "method": method, "over": "120s", "min_count": 6, "per": per,
                           "include_self": own, **chosen}
                yield entry("outlier", options | {"action": "clip"}, f"{oracle}, numpy.clip",
                            {"x": (value, clipped), "flag": (flag, flags)}, frame=frame)
                if per == "key" and not own and not ordered:
                    yield entry("outlier", options | {"action": "null"}, oracle,
                                {"x": (value, np.where(flags, np.nan, clipped)), "flag": (flag, flags)})
                    for action in ("drop", "reject"):
                        yield entry("outlier", options | {"action": action}, oracle, {"flag": (flag, flags)}, kept=~flags)
    yield from pandas_outliers()
    x, null = floats(MIXED)
    with np.errstate(invalid="ignore"):
        flags = ~pd.Series(x).between(5, 30).to_numpy() & ~np.isnan(x)
    options = {"column": "x", "method": "range", "min": 5, "max": 30, "action": "clip"}
    yield entry("outlier", options, "pandas between, clip",
                {"x": ("x", pd.Series(x).clip(5, 30)), "flag": ("x_is_outlier", flags)})
    given = MIXED.assign(x=x)[~null]
    for grouped, per in ((given.groupby("key"), "key"), (given, "partition")):
        rate = grouped["x"].diff().abs() / (grouped["ts"].diff().abs() / 1_000)
        before = grouped["x"].shift()
        seconds = grouped["ts"].diff().abs() / 1_000
        fast = (rate > 4) & np.isfinite(before) & (seconds > 0)
        limited = given["x"].where(~fast, np.clip(given["x"], before - 4 * seconds, before + 4 * seconds))
        yield entry("outlier", {"column": "x", "method": "rate_of_change", "max_per_second": 4, "per": per, "action": "clip"},
                    "pandas diff", {"x": ("x", limited.reindex(MIXED.index)),
                                    "flag": ("x_is_outlier", fast.reindex(MIXED.index, fill_value=False))})
        changed = grouped["x"].shift().ne(given["x"])
        runs = changed.groupby(given["key"]).cumsum() if per == "key" else changed.cumsum()
        keys = [given["key"], runs] if per == "key" else [runs]
        stuck = given["x"].groupby(keys).cumcount() + 1 >= 3
        yield entry("outlier", {"column": "x", "method": "stuck", "count": 3, "per": per}, "pandas shift, cumcount",
                    {"flag": ("x_is_outlier", stuck.reindex(MIXED.index, fill_value=False))})


def rolled(frame, over, closed):
    """pandas' windows of each key by time."""
    x, _ = floats(frame)
    timed = frame.assign(x=x, at=pd.to_datetime(frame["ts"], unit="ms")).set_index("at")
    return timed.groupby("key")["x"].rolling(over, closed=closed)


def of_rows(frame, grouped):
    """What pandas gives by key, in the order of the records."""
    by_place = grouped.reset_index()
    by_place["ts"] = by_place["at"].astype("datetime64[ms]").astype("int64")
    found = frame.merge(by_place.drop(columns=["at"]), on=["key", "ts"], how="left", suffixes=("", "_rolled"))
    return found["x_rolled"].to_numpy()


def pandas_outliers():
    x, _ = floats(ORDERED)
    window = rolled(ORDERED, "90s", "left")
    enough = of_rows(ORDERED, window.count()) >= 6
    mean, std = of_rows(ORDERED, window.mean()), of_rows(ORDERED, window.std())
    with np.errstate(invalid="ignore"):
        flags = enough & (std > 1e-9) & (np.abs(x - mean) / std > 2.5)
    options = {"column": "x", "method": "zscore", "over": "90s", "min_count": 6, "threshold": 2.5}
    yield entry("outlier", options, "pandas rolling, closed=left", {"flag": ("x_is_outlier", flags)}, frame=ORDERED)
    low, high = of_rows(ORDERED, window.quantile(0.05)), of_rows(ORDERED, window.quantile(0.9))
    with np.errstate(invalid="ignore"):
        flags = enough & (low < high) & ((x < low) | (x > high))
    options = {"column": "x", "method": "quantile", "over": "90s", "min_count": 6, "lower": 0.05, "upper": 0.9}
    yield entry("outlier", options, "pandas rolling, closed=left", {"flag": ("x_is_outlier", flags)}, frame=ORDERED)


def smoothers():
    x, null = floats(MIXED)
    finite = np.isfinite(x)
    given = MIXED.assign(x=x)[finite]

    def smoothed(options, oracle, values):
        """Values of the finite ones; the others stay."""
        out = np.where(finite, np.nan, x)
        out[finite] = values
        return entry("smooth", {"column": "x", **options}, oracle, {"x": ("x", out)})

    by_key = given.groupby("key")["x"]
    for rows in (1, 4):
        for name in ("mean", "median"):
            values = getattr(by_key.rolling(rows, min_periods=1), name)().droplevel(0).sort_index()
            yield smoothed({"method": name, "over": f"{rows} rows"}, "pandas rolling", values)
    values = given["x"].rolling(7, min_periods=1).mean()
    yield smoothed({"method": "mean", "over": "7 rows", "per": "partition"}, "pandas rolling", values)
    for name in ("mean", "median"):
        made = [getattr(np, name)(v[np.isfinite(v)]) if ok else np.nan for v, ok in zip(windows(MIXED, 30, own=True), finite)]
        yield smoothed({"method": name, "over": "30s"}, f"numpy.{name}", np.array(made)[finite])
    for how in ({"alpha": 0.3}, {"span": 5}, {"half_life": 2.5}):
        for adjust in (False, True):
            names = {"half_life": "halflife"}
            ewm = given.groupby("key")["x"].ewm(**{names.get(k, k): v for k, v in how.items()}, adjust=adjust)
            values = ewm.mean().droplevel(0).sort_index()
            yield smoothed({"method": "exponential", **how, "adjust": adjust}, "pandas ewm", values)
    ordered, gone = floats(ORDERED)
    timed = ORDERED.assign(x=ordered, at=pd.to_datetime(ORDERED["ts"], unit="ms"))[~gone]
    values = pd.concat([part["x"].ewm(halflife="20s", times=part["at"]).mean() for _, part in timed.groupby("key")])
    yield entry("smooth", {"column": "x", "method": "exponential", "half_life": "20s"}, "pandas ewm, times",
                {"x": ("x", values.reindex(ORDERED.index))}, frame=ORDERED)
    for name in ("mean", "median"):
        values = np.where(gone, np.nan, of_rows(ORDERED, getattr(rolled(ORDERED, "40s", "right"), name)()))
        yield entry("smooth", {"column": "x", "method": name, "over": "40s"}, "pandas rolling, closed=right",
                    {"x": ("x", values)}, frame=ORDERED)
    filtered = pd.concat([pd.Series(kalman(part["x"], 0.5, 9.0), part.index) for _, part in given.groupby("key")])
    yield smoothed({"method": "kalman", "process_noise": 0.5, "measurement_noise": 9}, "the filter in matrices, numpy",
                   filtered.sort_index())


def kalman(values, process, measurement):
    """The Kalman filter as textbooks write it, with matrices of one state."""
    f, h, q, r, one = np.eye(1), np.eye(1), process * np.eye(1), measurement * np.eye(1), np.eye(1)
    state, covariance, out = None, r, []
    for z in values:
        if state is None:
            state = np.array([[z]])
        else:
            state, covariance = f @ state, f @ covariance @ f.T + q
            gain = covariance @ h.T @ np.linalg.inv(h @ covariance @ h.T + r)
            state, covariance = state + gain @ (np.array([[z]]) - h @ state), (one - gain @ h) @ covariance
        out.append(state[0, 0])
    return out


def fills():
    x, null = floats(MIXED)
    yield entry("fill", {"column": "x", "with": 7.5}, "pandas fillna",
                {"x": ("x", np.where(null, 7.5, x)), "flag": ("x_was_missing", null)})
    ordered, gone = floats(ORDERED)
    yield entry("fill", {"column": "x", "with": "last", "else": 0}, "pandas ffill",
                {"x": ("x", ORDERED.assign(x=ordered).groupby("key")["x"].ffill().fillna(0)),
                 "flag": ("x_was_missing", gone)}, frame=ORDERED)
    window = rolled(ORDERED, "45s", "left")
    for name, least in (("mean", 1), ("median", 3)):
        found = of_rows(ORDERED, getattr(window, name)())
        found = np.where(of_rows(ORDERED, window.count()) >= least, found, np.nan)
        yield entry("fill", {"column": "x", "with": name, "over": "45s", "min_count": least}, "pandas rolling, closed=left",
                    {"x": ("x", np.where(gone, found, ordered))}, frame=ORDERED)
    for name, oracle, made in (
        ("mean", "numpy.mean", np.mean), ("median", "statistics.median", statistics.median),
        ("mode", "statistics.multimode", lambda values: min(statistics.multimode(values))),
    ):
        usable = (lambda v: v[~np.isnan(v)]) if name == "mode" else (lambda v: v[np.isfinite(v)])
        given = [usable(values) for values in windows(MIXED, 60)]
        found = np.array([made(values) if len(values) >= 2 else np.nan for values in given])
        yield entry("fill", {"column": "x", "with": name, "over": "60s", "min_count": 2}, oracle,
                    {"x": ("x", np.where(null, found, x))})
    most = [statistics.multimode(values) for values in category_windows(60)]
    found = [own if isinstance(own, str) else min(many) if many else "none" for own, many in zip(MIXED["category"], most)]
    yield entry("fill", {"column": "category", "with": "mode", "over": "60s", "else": "none"}, "statistics.multimode",
                {"category": ("category", found)})
    values = {"grocery": 10, "fuel": 40.5}
    named = MIXED["category"].map(values).fillna(-1)
    yield entry("fill", {"column": "x", "by": "category", "values": values, "else": -1}, "pandas map, fillna",
                {"x": ("x", np.where(null, named, x)), "flag": ("x_was_missing", null)})
    timed = ORDERED.assign(x=ordered, at=pd.to_datetime(ORDERED["ts"], unit="ms"))
    asof = pd.merge_asof(timed, timed[~gone], on="at", by="key", tolerance=pd.Timedelta("15s"), suffixes=("", "_last"))
    yield entry("fill", {"column": "x", "with": "last", "within": "15s"}, "pandas merge_asof",
                {"x": ("x", asof["x_last"])}, frame=ORDERED)
    y = DISORDERED["y"].astype(float)
    lines = pd.Series(np.nan, DISORDERED.index)
    for _, rows in DISORDERED.assign(y=y).sort_values("ts").groupby("key"):
        at = pd.to_datetime(rows["ts"], unit="ms")
        line = pd.Series(rows["y"].to_numpy(), at).interpolate("time", limit_area="inside")
        known = at.where(rows["y"].notna())
        near = (at - known.ffill() <= pd.Timedelta("6s")) & (known.bfill() - at <= pd.Timedelta("6s"))
        lines[rows.index] = np.where(near, line, -1)
    assert 0.02 < (lines == -1).mean() < 0.2, "values are hardly ever, or nearly always, near enough"
    yield by_event_time("fill", {"column": "y", "with": "linear", "within": "6s", "else": -1}, "pandas interpolate, time",
                        {"y": ("y", lines), "flag": ("y_was_missing", y.isna())})


def category_windows(over_s):
    """Of each record: the categories of its key in (t - over, t] that came before."""
    known = MIXED["category"].notna().to_numpy()
    ts, keys, category = MIXED["ts"].to_numpy(), MIXED["key"].to_numpy(), MIXED["category"].to_numpy()
    for at in range(len(MIXED)):
        inside = (ts[:at] > ts[at] - over_s * 1_000) & (ts[:at] <= ts[at]) & (keys[:at] == keys[at]) & known[:at]
        yield list(category[:at][inside])


def texts():
    text = MIXED["text"].astype("str")

    def each(name, options, oracle, made, **kept):
        return entry(name, options, oracle, {"text": ("text", made)}, **kept)

    yield each("trim", {"columns": ["text"]}, "pandas .str.strip", text.str.strip())
    yield each("lower", {"columns": ["text"]}, "pandas .str.lower", text.str.lower())
    yield each("upper", {"columns": ["text"]}, "pandas .str.upper", text.str.upper())
    yield each("replace", {"columns": ["text"], "pattern": "([a-z])[\\s_-]", "with": "<$1>"}, "pandas .str.replace",
               text.str.replace(r"([a-z])[\s_-]", r"<\1>", regex=True))
    for form in ("nfc", "nfd", "nfkc", "nfkd"):
        yield each("normalize_text", {"columns": ["text"], "form": form}, "unicodedata.normalize",
                   [unicodedata.normalize(form.upper(), value) if isinstance(value, str) else None for value in text])
    yield entry("extract", {"column": "text", "pattern": "-(\\w?)(\\d+)", "group": 2, "as": "digits"}, "pandas .str.extract",
                {"digits": ("digits", text.str.extract(r"-(\w?)(\d+)")[1])})
    named = {"grocery": "food", "rent": None}
    mapped = [named.get(value, value) for value in MIXED["category"].astype(object).where(MIXED["category"].notna(), None)]
    yield entry("map_values", {"column": "category", "values": named}, "pandas map", {"category": ("category", mapped)})
    kept = MIXED["category"].isin(named).to_numpy() | MIXED["category"].isna().to_numpy()
    yield entry("map_values", {"column": "category", "values": named, "unlisted": "reject"}, "pandas isin",
                {"category": ("category", MIXED["category"].map(named))}, kept=kept)


def conversions():
    x, null = floats(MIXED)
    for source, to in itertools.permutations("CFKR", 2):
        names = {"C": "Celsius", "F": "Fahrenheit", "K": "Kelvin", "R": "Rankine"}
        yield entry("convert", {"column": "x", "from": source, "to": to}, "scipy convert_temperature",
                    {"x": ("x", constants.convert_temperature(x, names[source], names[to]))})
    for source, to, factor in (
        ("mi", "km", constants.mile / 1e3), ("ft", "in", constants.foot / constants.inch), ("yd", "nmi", constants.yard / constants.nautical_mile),
        ("acre", "ha", constants.acre / constants.hectare), ("gal_us", "l", constants.gallon / constants.liter),
        ("gal_uk", "m3", constants.gallon_imp), ("lb", "kg", constants.pound), ("oz", "g", constants.oz * 1e3),
        ("mph", "km/h", constants.mph / constants.kmh), ("kn", "m/s", constants.knot), ("psi", "bar", constants.psi / constants.bar),
        ("atm", "torr", constants.atm / constants.torr), ("d", "min", constants.day / constants.minute), ("w", "h", constants.week / constants.hour),
        ("kcal", "kJ", constants.calorie), ("kWh", "J", constants.hour * 1e3), ("deg", "rad", constants.degree),
        ("GiB", "MB", constants.gibi / constants.mega), ("ft3", "m3", constants.foot**3), ("ft2", "m2", constants.foot**2),
    ):
        yield entry("convert", {"column": "x", "from": source, "to": to}, "scipy.constants", {"x": ("x", x * factor)})
    yield entry("convert", {"column": "i", "factor": 2.5, "offset": -3, "as": "line"}, "numpy",
                {"line": ("line", MIXED["i"] * 2.5 - 3)})
    yield entry("clip", {"column": "x", "min": 4, "max": 30.5}, "numpy.clip", {"x": ("x", np.clip(x, 4, 30.5))})
    yield from casts()
    yield from times()


def casts():
    for mode in ("strict", "lenient"):
        for to in ("int", "float", "bool"):
            made = [cast(value, to, mode) for value in MIXED["number"]]
            failed = np.array([value is None for value in made])
            options = {"column": "number", "to": to, "mode": mode}
            yield entry("cast", options | {"on_failure": None}, f"Python's {to}",
                        {"number": ("number", [math.nan if value is None else float(value) for value in made])})
            yield entry("cast", options, f"Python's {to}", {"n": ("n", MIXED["n"])}, kept=~failed)
    x, _ = floats(MIXED)
    yield entry("cast", {"column": "x", "to": "int", "mode": "lenient", "on_failure": None}, "numpy.trunc",
                {"x": ("x", np.trunc(np.where(np.isfinite(x), x, np.nan)))})
    whole = np.where(np.isfinite(x) & (np.trunc(x) == x), x, np.nan)
    yield entry("cast", {"column": "x", "to": "int", "on_failure": None}, "numpy.trunc", {"x": ("x", whole)})


def cast(text, to, mode):
    """What Python makes of a text; None where it fails."""
    if mode == "strict" and text != text.strip():
        return None
    try:
        if to == "bool":
            known = {"true": True, "false": False} if mode == "strict" else {
                "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            return known[text if mode == "strict" else text.strip().lower()]
        if to == "float":
            return float(text)
        return int(text) if mode == "strict" or text.strip().lstrip("-").isdigit() else math.trunc(float(text))
    except (ValueError, KeyError):
        return None


def times():
    local = pd.to_datetime(MIXED["local"], format="%d.%m.%Y %H:%M:%S")
    options = {"column": "local", "format": "%d.%m.%Y %H:%M:%S"}
    micros = "arrow_cast(local, 'Int64')"

    def us(moments):
        return [math.nan if pd.isna(m) else m.value // 1_000 for m in pd.DatetimeIndex(moments).as_unit("ns")]

    yield entry("parse_time", options, "pandas to_datetime", {"local": (micros, us(local))})
    for ambiguous, asked in (("fail", "NaT"), ("earlier", True), ("later", False)):
        asked = asked if asked == "NaT" else np.full(ROWS, asked)
        found = local.dt.tz_localize("Europe/Berlin", ambiguous=asked, nonexistent="NaT").dt.tz_convert("UTC")
        chosen = options | {"zone": "Europe/Berlin", "ambiguous": ambiguous}
        yield entry("parse_time", chosen | {"on_failure": None}, "pandas tz_localize", {"local": (micros, us(found))})
        yield entry("parse_time", chosen | {"as": "moment"}, "pandas tz_localize",
                    {"moment": ("arrow_cast(moment, 'Int64')", us(found))}, kept=found.notna())
    yield entry("parse_time", {"column": "i", "unit": "ms", "as": "moment"}, "pandas to_datetime, unit",
                {"moment": ("arrow_cast(moment, 'Int64')", us(pd.to_datetime(MIXED["i"], unit="ms")))})


def records():
    """What keeps or drops whole records, and what changes columns."""
    x, _ = floats(MIXED)
    yield entry("filter", {"where": "i > 3 and category <> 'fuel'"}, "pandas query", {"n": ("n", MIXED["n"])},
                kept=(MIXED["i"] > 3) & MIXED["category"].notna() & (MIXED["category"] != "fuel"))
    for share, seed in ((0.1, 0), (0.6, 0), (0.6, 9)):
        kept = [(xxh3_of_six(value.encode(), seed) >> 11) / 2**53 < share for value in MIXED["id"]]
        yield entry("sample", {"by": ["id"], "keep": share, "seed": seed}, "XXH3 by its specification", {"n": ("n", MIXED["n"])}, kept=kept)
    whole = "3650d"
    yield entry("drop_duplicates", {"by": ["id"], "within": whole}, "pandas drop_duplicates", {"n": ("n", MIXED["n"])},
                kept=~MIXED.duplicated("id"))
    by = ["category", "i"]
    yield entry("drop_duplicates", {"by": by, "within": whole}, "pandas drop_duplicates", {"n": ("n", MIXED["n"])},
                kept=~MIXED.duplicated(by) | MIXED["category"].isna())
    for how in ({}, {"approximate": {"records": 500}}):
        options = {"by": ["id"], "within": "60s"} | how
        yield entry("drop_duplicates", options, "a dictionary", {"n": ("n", MIXED["n"])}, kept=firsts(60))
    for every in (5, 60):
        interval = MIXED["ts"] // (every * 1_000)
        kept = ~MIXED.assign(interval=interval).duplicated(["key", "interval"])
        yield entry("throttle", {"every": f"{every}s"}, "pandas duplicated", {"n": ("n", MIXED["n"])}, kept=kept)
    at = pd.to_datetime(ORDERED["ts"], unit="ms")
    first = ORDERED.set_index(at).groupby("key").resample("30s")["n"].first().dropna()
    yield entry("throttle", {"every": "30s"}, "pandas resample", {"n": ("n", ORDERED["n"])}, frame=ORDERED,
                kept=ORDERED["n"].isin(first))
    yield entry("rename", {"columns": {"i": "x", "x": "i", "category": "kind"}}, "pandas rename",
                {"x": ("x", MIXED["i"]), "i": ("i", x), "kind": ("kind", MIXED["category"])})
    yield entry("drop", {"columns": ["category", "i"]}, "pandas drop", {"x": ("x", x), "id": ("id", MIXED["id"])})


def firsts(within_s):
    """Records with no first one of the same id within the time."""
    seen, kept = collections.defaultdict(list), []
    for row in MIXED.itertuples():
        kept.append(all(abs(row.ts - first) > within_s * 1_000 for first in seen[row.id]))
        if kept[-1]:
            seen[row.id].append(row.ts)
    return kept


def xxh3_of_six(data, seed):
    """XXH3, 64 bits, of four to eight bytes: github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md."""
    bits = (1 << 64) - 1
    rotated = lambda value, by: (value << by | value >> (64 - by)) & bits
    seed ^= int.from_bytes((seed & 0xFFFF_FFFF).to_bytes(4, "little"), "big") << 32
    keyed = ((SECRET[0] ^ SECRET[1]) - seed) & bits
    low, high = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
    value = keyed ^ (high + (low << 32))
    value ^= rotated(value, 49) ^ rotated(value, 24)
    value = value * 0x9FB2_1C65_1E98_DF25 & bits
    value ^= (value >> 35) + len(data)
    value = value * 0x9FB2_1C65_1E98_DF25 & bits
    return value ^ value >> 28


SCHEMA = {
    "type": "object",
    "properties": {
        **{name: {"type": "integer"} for name in ("n", "ts", "i")},
        **{name: {"type": "string"} for name in ("key", "id", "local", "number")},
        **{name: {"type": ["string", "null"]} for name in ("x", "category", "text")},
        "y": {"type": ["number", "null"]},
    },
    "required": ["n", "ts", "i", "key", "id", "local", "number"],
}


def vectors(binary, checked):
    """What the program makes of the stream, by record."""
    pipeline = {
        "pipeline": "cleaners",
        "source": {"topics": ["values"], "format": "json", "schema": "schema.json", "key": "key",
                   "event_time": {"column": "ts", "unit": "ms"}, "lateness": f"{LATENESS_MS}ms", "max_ahead": "off",
                   "start": "earliest", **checked.source},
        "clean": checked.steps,
        "features": [{f"out_{name}": sql} for name, (sql, _) in checked.outputs.items()],
        "output": {"topic": "values.features", "format": "json", "carry": ["n"]},
        "dead_letter": {"topic": "values.dlq"},
    }
    with tempfile.TemporaryDirectory() as held:
        folder = pathlib.Path(held)
        (folder / "pipeline.yaml").write_text(json.dumps(pipeline))
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        rows = checked.frame.to_dict(orient="records")
        for row in rows:
            # JSON has no NaN and no infinity; the first step reads them.
            row |= {"x": None if row["x"] is None else repr(float(row["x"]))}
            row |= {name: None for name in ("category", "text") if not isinstance(row[name], str)}
        (folder / "in.jsonl").write_text("".join(
            json.dumps({"value": row, "key": "k", "timestamp": START_MS}) + "\n" for row in rows))
        answer = subprocess.run(
            [binary, "replay", folder / "pipeline.yaml", "--input", folder / "in.jsonl", "--envelope"],
            capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"replay of {checked.steps} failed: {answer.stderr}")
    return {vector["n"]: vector for vector in map(json.loads, answer.stdout.splitlines())}


def plain(value):
    """A text, a number, or None for null and what JSON writes as null."""
    if isinstance(value, str):
        return value
    return None if value is None or pd.isna(value) or math.isinf(value) else float(value)


def check(binary, checked):
    """Compares one entry: values compared, largest difference, values that are wrong."""
    made = vectors(binary, checked)
    compared, largest, wrong = 0, 0.0, 0
    columns = {name: list(values) for name, (_, values) in checked.outputs.items()}
    for row, kept in enumerate(checked.kept):
        found = made.get(row)
        pairs = [("the record", float(kept), float(found is not None))]
        if kept and found is not None:
            pairs += [(name, plain(values[row]), plain(found[f"out_{name}"])) for name, values in columns.items()]
        for name, expected, actual in pairs:
            off = tables.difference(expected, actual)
            compared, largest = compared + 1, max(largest, off)
            if off > TOLERANCE:
                wrong += 1
                if wrong <= SHOWN_MAX:
                    print(f"wrong: {checked.name} {checked.options}, {name}, row {row}: {actual!r}, expected {expected!r}")
    return compared, largest, wrong


def title(checked):
    """The operator and the options that make a difference of method."""
    said = ("method", "mode", "to", "form", "with", "adjust", "ambiguous", "unit", "by", "approximate")
    chosen = {name: value for name, value in checked.options.items() if name in said}
    if checked.name in ("convert", "sample", "drop_duplicates"):
        chosen = {name: value for name, value in chosen.items() if name == "approximate"}
    return tables.title(checked.name, chosen)


def known(binary):
    """Names of the program's cleaning operators."""
    answer = subprocess.run([binary, "components"], capture_output=True, text=True, check=True)
    # A table begins at the margin, its rows are indented by two, what belongs to a row by more.
    of_clean = f"\n{answer.stdout}".split("\nclean\n")[1]
    rows = itertools.takewhile(lambda line: line.startswith("  "), of_clean.splitlines())
    return [row.split()[0] for row in rows if row[2] != " "]


ENTRIES = [*outliers(), *fills(), *smoothers(), *texts(), *conversions(), *records()]


def main():
    arguments = tables.arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0])).parse_args()
    rows, failed = {}, 0
    for checked in sorted(ENTRIES, key=lambda checked: checked.name):
        compared, largest, wrong = check(arguments.binary, checked)
        failed += wrong > 0
        before, off = rows.get((title(checked), checked.oracle), (0, 0.0))
        rows[title(checked), checked.oracle] = (before + compared, max(off, largest))
    covered = {checked.name for checked in ENTRIES}
    missing = [name for name in known(arguments.binary) if name not in covered]
    for name in missing:
        print(f"wrong: {name} has no oracle in {pathlib.Path(__file__).name}")
    stale = tables.settle(arguments, "cleaners", rows, "values") if not failed else 0
    print(f"{len(ENTRIES) - failed} passed, {failed + len(missing) + stale} failed")
    return 1 if failed + len(missing) + stale else 0


if __name__ == "__main__":
    sys.exit(main())

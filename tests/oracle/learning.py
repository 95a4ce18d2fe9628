"""Features that remember: scalers that learn, and what is told of a key's record before.

The stream has several keys, ties, disorder inside the lateness and nulls. river learns record by record;
what it does not have is computed from the definition.
"""

import collections
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
from river import preprocessing
from sklearn import metrics

START_MS = 1_767_225_600_000
LATENESS_MS = 60_000
ROWS = 2_000
EARTH_KM = 6_371.0088
DAY_MS = 86_400_000

Entry = collections.namedtuple("Entry", "name options oracle outputs")


def stream():
    """Rows in arrival order."""
    random = np.random.default_rng(11)
    steps = np.where(random.random(ROWS) < 0.2, 0, random.integers(1, 20_000, ROWS))
    behind = np.where(random.random(ROWS) < 0.2, random.integers(0, LATENESS_MS, ROWS), 0)
    # One pause, behind which some keys are begun anew.
    steps[ROWS // 2] = DAY_MS
    times = START_MS + np.cumsum(steps) - behind
    x = np.round(random.lognormal(1.5, 1.2, ROWS), 2) + 1_000
    return pd.DataFrame({
        "n": range(ROWS),
        "key": [f"k{key}" for key in random.integers(0, 4, ROWS)],
        "time_ms": times,
        "x": np.where(random.random(ROWS) < 0.1, np.nan, x),
        "same": 0.1,
        "lat": np.where(random.random(ROWS) < 0.05, np.nan, np.round(random.uniform(-90, 90, ROWS), 5)),
        "lon": np.round(random.uniform(-180, 180, ROWS), 5),
        "opened": pd.to_datetime(START_MS + random.integers(-10 * DAY_MS, DAY_MS, ROWS), unit="ms", utc=True),
    })


ALL = stream()


def by_group(options, of, per="key"):
    """What `of` says of each group of rows, in order, put back into the order of the stream."""
    told = pd.Series(math.nan, index=ALL.index)
    groups = [ALL] if options.get("per") == "partition" else [rows for _, rows in ALL.groupby(per)]
    for rows in groups:
        told[rows.index] = of(rows)
    return told.to_numpy()


def with_river(scaler, rows, column, options):
    """Each record learned, then scaled, or the other way round."""
    made, n, told = scaler(), 0, []
    for x in rows[column]:
        if math.isnan(x):
            told.append(math.nan)
            continue
        if not options.get("exclude_current"):
            made.learn_one({"x": x})
            n += 1
        enough = n >= max(1, options.get("min_count", 0))
        told.append(made.transform_one({"x": x})["x"] if enough else math.nan)
        if options.get("exclude_current"):
            made.learn_one({"x": x})
            n += 1
    return told


def spread_of_one(rows, column, told, options):
    """river scales by 0 where there is no spread, scikit-learn by 1."""
    if not options.get("exclude_current"):
        return told
    x, known, fixed = rows[column].to_numpy(), [], []
    for value, scaled in zip(x, told):
        alone = len(set(known)) == 1 and not math.isnan(value) and not math.isnan(scaled)
        fixed.append(value - known[0] if alone else scaled)
        if not math.isnan(value):
            known.append(value)
    return fixed


def standardized(rows, column, options):
    told = with_river(preprocessing.StandardScaler, rows, column, options)
    return spread_of_one(rows, column, told, options)


def ranged(rows, column, options):
    told = with_river(preprocessing.MinMaxScaler, rows, column, options)
    return spread_of_one(rows, column, told, options)


def decayed(rows, column, options):
    """Weighted mean and spread of all values so far, at every record."""
    told, half_life = [], options["half_life"]
    x, times = rows[column].to_numpy(), rows["time_ms"].to_numpy() / 1e3
    for place in range(len(rows)):
        held = ~np.isnan(x[: place + 1])
        if not held[place]:
            told.append(math.nan)
            continue
        if half_life.endswith("rows"):
            ages = place - np.flatnonzero(held)
            weights = 0.5 ** (ages / float(half_life.split()[0]))
        else:
            seconds = pd.Timedelta(half_life).total_seconds()
            of_values = times[: place + 1][held]
            weights = 0.5 ** ((of_values.max() - of_values) / seconds)
        values = x[: place + 1][held]
        mean = np.average(values, weights=weights)
        std = math.sqrt(np.average((values - mean) ** 2, weights=weights))
        told.append((x[place] - mean) / (std if std > 0 else 1))
    return told


def previous(rows, of, valid):
    """`of` the record before and each record: the newest one so far, those behind it left out."""
    told, before = [], None
    for index in rows.index:
        row = ALL.loc[index]
        comes = before is None or row["time_ms"] >= before["time_ms"]
        told.append(of(before, row) if valid(row) and comes and before is not None else math.nan)
        if valid(row) and comes:
            before = row
    return told


def km(a, b):
    places = np.radians([[a["lat"], a["lon"]], [b["lat"], b["lon"]]])
    return metrics.pairwise.haversine_distances(places)[0, 1] * EARTH_KM


def speed(a, b):
    hours = (b["time_ms"] - a["time_ms"]) / 3.6e6
    return km(a, b) / hours if hours > 0 else math.nan


def has_place(row):
    return not math.isnan(row["lat"])


def entries():
    for name, of, oracle in (("standardize", standardized, "river StandardScaler"),
                             ("minmax", ranged, "river MinMaxScaler")):
        for online in ({}, {"per": "partition"}, {"min_count": 20}, {"exclude_current": True, "min_count": 2}):
            yield Entry(name, {"column": "x", "online": online}, oracle,
                        by_group(online, lambda rows, of=of, online=online: of(rows, "x", online)))
    yield Entry("standardize", {"column": "same", "online": {}}, "river StandardScaler", np.zeros(ROWS))
    yield Entry("minmax", {"column": "x", "online": {"exclude_current": True, "min_count": 2}, "clip": True},
                "river MinMaxScaler",
                np.clip(by_group({}, lambda rows: ranged(rows, "x", {"exclude_current": True, "min_count": 2})), 0, 1))
    yield Entry("maxabs", {"column": "x", "online": {}}, "river MaxAbsScaler",
                by_group({}, lambda rows: with_river(preprocessing.MaxAbsScaler, rows, "x", {})))
    for half_life in ("1h", "10 rows"):
        online = {"half_life": half_life}
        if half_life == "1h":
            # Else a pause of a day would not be one for a key.
            online["forget_after"] = "30d"
        yield Entry("standardize", {"column": "x", "online": online}, "numpy.average",
                    by_group(online, lambda rows, online=online: decayed(rows, "x", online)))
    yield Entry("haversine", {"lat": "lat", "lon": "lon", "to": "previous"}, "haversine_distances",
                by_group({}, lambda rows: previous(rows, km, has_place)))
    yield Entry("speed", {"lat": "lat", "lon": "lon"}, "haversine_distances",
                by_group({}, lambda rows: previous(rows, speed, has_place)))
    yield Entry("elapsed", {"since": "previous"}, "pandas",
                by_group({}, lambda rows: previous(
                    rows, lambda a, b: (b["time_ms"] - a["time_ms"]) / 1e3, lambda row: True)))
    since = pd.to_datetime(ALL["time_ms"], unit="ms", utc=True) - ALL["opened"]
    yield Entry("elapsed", {"column": "opened"}, "pandas", since.dt.total_seconds().to_numpy())


ENTRIES = list(entries())

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"}, "key": {"type": "string"}, "same": {"type": "number"}, "lon": {"type": "number"},
        "x": {"type": ["number", "null"]}, "lat": {"type": ["number", "null"]},
        "opened": {"type": "string", "format": "date-time"},
    },
    "required": ["n", "key", "same", "lon", "opened"],
}


def pipeline():
    """A pipeline with every entry; columns are `e0`, `e1`.."""
    features = [{entry.name: {**entry.options, "as": f"e{i}"}} for i, entry in enumerate(ENTRIES)]
    return {
        "pipeline": "learning",
        "source": {"topics": ["values"], "format": "json", "schema": "schema.json", "key": "key",
                   "event_time": "kafka", "lateness": f"{LATENESS_MS}ms", "max_ahead": "off", "start": "earliest"},
        "features": features,
        "output": {"topic": "values.features", "format": "json", "carry": ["n"]},
        "dead_letter": {"topic": "values.dlq"},
    }


def replay(binary):
    """The vectors of all rows, in their order."""
    rows = json.loads(ALL.drop(columns="time_ms").to_json(
        orient="records", date_format="iso", date_unit="ms", double_precision=15))
    lines = [json.dumps({"value": row, "key": row["key"], "timestamp": int(time)}) + "\n"
             for row, time in zip(rows, ALL["time_ms"], strict=True)]
    with tempfile.TemporaryDirectory() as held:
        folder = pathlib.Path(held)
        (folder / "pipeline.yaml").write_text(json.dumps(pipeline()))
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        (folder / "in.jsonl").write_text("".join(lines))
        answer = subprocess.run(
            [binary, "replay", folder / "pipeline.yaml", "--input", folder / "in.jsonl", "--envelope"],
            capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"replay of features that remember failed: {answer.stderr}")
    return sorted((json.loads(line) for line in answer.stdout.splitlines()), key=lambda vector: vector["n"])

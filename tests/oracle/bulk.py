"""Large streams against SQL and pandas: real flights in departure order, and one key with a million records.

The flights are 59 % behind the highest event time before them, by up to 21 h 40: DuckDB looks at all flights of the same
airport and carrier that came before each one. The million records come in order, so that pandas' rolling windows mean
the same; a window of them holds up to 43,200.
"""

import io
import json
import pathlib
import subprocess
import tempfile

import duckdb
import numpy as np
import pandas as pd
import tables
from flights_input import departures

SEED = 2013
FLIGHTS_COMPARED = 100_000
KEY_RECORDS = 1_000_000
START_MS = 1_767_225_600_000
HOUR_US = 3_600_000_000


def vectors(binary, schema, source, specs, columns, lines):
    """The vectors of all records as a table in the order of arrival; `n` is the first column."""
    pipeline = {
        "pipeline": "bulk",
        "source": {"topics": ["values"], "format": "json", "schema": "schema.json", "start": "earliest", **source},
        "windows": specs,
        "features": columns,
        "output": {"topic": "values.features", "format": "json_array", "carry": ["n"]},
        "dead_letter": {"topic": "values.dlq"},
    }
    required = {"type": "object", "properties": schema, "required": list(schema)}
    with tempfile.TemporaryDirectory() as held:
        folder = pathlib.Path(held)
        (folder / "pipeline.yaml").write_text(json.dumps(pipeline))
        (folder / "schema.json").write_text(json.dumps(required))
        (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
        command = [binary, "replay", folder / "pipeline.yaml", "--input", folder / "in.jsonl"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    text = answer.stdout.translate({ord("["): None, ord("]"): None})
    made = pd.read_csv(io.StringIO(text), header=None, names=["n", *columns], na_values="null")
    assert len(made) == len(lines), f"{len(made)} vectors of {len(lines)} records: {answer.stderr}"
    return made.sort_values("n", ignore_index=True)


def compare(differences, entry, oracle, expected, actual, where, **tolerance):
    """Two columns, null as NaN."""
    def wrong(i):
        return f"{where}, record {i}: {actual[i]!r}, expected {expected[i]!r}"
    actual, expected = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    differences.add((tables.title(*entry), oracle), tables.differences(expected, actual), wrong, **tolerance)


# SQL over the flights in the window of each, and what it is here: name, options, which of it is null.
FLIGHTS = {
    ("count", ()): "count(e.x)",
    ("sum", ()): "coalesce(sum(e.x), 0)",
    ("mean", ()): "avg(e.x)",
    ("var", ()): "var_samp(e.x)",
    ("std", (("ddof", 0),)): "stddev_pop(e.x)",
    ("sem", ()): "stddev_samp(e.x) / sqrt(count(e.x))",
    ("min", ()): "min(e.x)",
    ("max", ()): "max(e.x)",
    ("range", ()): "max(e.x) - min(e.x)",
    ("median", ()): "median(e.x)",
    ("quantile", (("q", 0.9),)): "quantile_cont(e.x, 0.9)",
    ("mad", ()): "mad(e.x)",
    ("skew", ()): "case when count(e.x) > 2 and var_pop(e.x) > 0 then skewness(e.x) end",
    ("kurt", ()): "case when count(e.x) > 3 and var_pop(e.x) > 0 then kurtosis(e.x) end",
    ("first", ()): "arg_min(e.x, (e.t, e.n)) filter (e.x is not null)",
    ("last", ()): "arg_max(e.x, (e.t, e.n)) filter (e.x is not null)",
    ("delta", ()): "arg_max(e.x, (e.t, e.n)) filter (e.x is not null) - arg_min(e.x, (e.t, e.n)) filter (e.x is not null)",
    ("slope", ()): "case when max(e.t) filter (e.x is not null) > min(e.t) filter (e.x is not null) "
                   "then regr_slope(e.x, (e.t - r.t) / 1e6) end",
    ("distinct", ()): "count(distinct e.x)",
    ("entropy", (("base", 2),)): "case when count(e.x) > 0 then entropy(e.x) end",
    ("time_since_first", ()): "(r.t - min(e.t) filter (e.x is not null)) / 1e6",
    ("gap_mean", ()): "case when count(e.x) > 1 then (max(e.t) filter (e.x is not null) "
                      "- min(e.t) filter (e.x is not null)) / 1e6 / (count(e.x) - 1) end",
}
# Hours, the ends that belong to the window, and what says so in SQL.
WINDOWS = [(1, "right", ">", "<="), (3, "both", ">=", "<="), (6, "left", ">=", "<"), (24, "none", ">", "<")]


def flights():
    """The flights in departure order: offset, key, scheduled departure in us, delay in minutes."""
    rows = departures()[:FLIGHTS_COMPARED]
    frame = pd.DataFrame({
        "n": range(len(rows)),
        "key": [f"{row['origin']}{row['carrier']}" for row in rows],
        "at": [row["sched_dep"] for row in rows],
        "x": pd.array([int(row["dep_delay"]) if row["dep_delay"] else None for row in rows], dtype="Int64"),
    })
    frame["t"] = pd.to_datetime(frame["at"]).astype("datetime64[us, UTC]").astype("int64")
    return frame


def in_window(frame, hours, older, newer):
    """Each expression of `FLIGHTS` over the flights in the window of each one."""
    span = hours * HOUR_US
    asked = ", ".join(f"{sql} as c{i}" for i, sql in enumerate(FLIGHTS.values()))
    # A span lies in two of the grid: the join is by equal ones.
    query = f"""
        with buckets as (select *, t // {span} as bucket from flights),
        twice as (select *, bucket as seen_in from buckets union all select *, bucket + 1 from buckets)
        select r.n, {asked} from buckets r left join twice e
        on e.key = r.key and e.seen_in = r.bucket and e.n <= r.n and e.t {older} r.t - {span} and e.t {newer} r.t
        group by r.n, r.t order by r.n"""
    return duckdb.query_df(frame, "flights", query).df()


def compare_flights(binary, differences):
    frame = flights()
    specs, columns = [], []
    for hours, closed, _, _ in WINDOWS:
        names = [f"c{len(columns) + i}" for i in range(len(FLIGHTS))]
        compute = [{name: {**dict(options), "as": column}} for (name, options), column in zip(FLIGHTS, names)]
        specs.append({"over": f"{hours}h", "closed": closed, "of": "x", "compute": compute})
        columns += names
    schema = {"n": {"type": "integer"}, "key": {"type": "string"}, "at": {"type": "string", "format": "date-time"},
              "x": {"type": ["integer", "null"]}}
    source = {"key": "key", "event_time": {"column": "at"}, "lateness": "24h"}
    delays = ["null" if pd.isna(x) else str(x) for x in frame["x"]]
    lines = [f'{{"n":{n},"key":"{key}","at":"{at}","x":{x}}}'
             for n, key, at, x in zip(frame["n"], frame["key"], frame["at"], delays)]
    made = vectors(binary, schema, source, specs, columns, lines)
    for place, (hours, closed, older, newer) in enumerate(WINDOWS):
        expected = in_window(frame, hours, older, newer)
        for i, (name, options) in enumerate(FLIGHTS):
            compare(differences, (name, dict(options)), f"DuckDB, {FLIGHTS_COMPARED:,} flights in departure order",
                    expected[f"c{i}"], made[columns[place * len(FLIGHTS) + i]], f"{hours}h {closed}")


ROLLING = {
    "count": lambda r: r.count(), "sum": lambda r: r.sum(), "mean": lambda r: r.mean(), "var": lambda r: r.var(),
    "std": lambda r: r.std(), "min": lambda r: r.min(), "max": lambda r: r.max(),
}
ROLLED = [("10m", "right", 600), ("1d", "both", 86_400)]


def compare_one_key(binary, differences):
    random = np.random.default_rng(SEED)
    time_ms = START_MS + np.cumsum(random.integers(0, 5, KEY_RECORDS)) * 1_000
    values = np.round(random.normal(200, 30, KEY_RECORDS), 3)
    specs = [{"over": over, "closed": closed, "of": "x",
              "compute": [{name: {"as": f"{name}_{over}"}} for name in ROLLING]} for over, closed, _ in ROLLED]
    columns = [f"{name}_{over}" for over, _, _ in ROLLED for name in ROLLING]
    lines = [f'{{"n":{n},"key":"k","t":{t},"x":{x}}}' for n, (t, x) in enumerate(zip(time_ms.tolist(), values.tolist()))]
    schema = {"n": {"type": "integer"}, "key": {"type": "string"}, "t": {"type": "integer"}, "x": {"type": "number"}}
    source = {"key": "key", "event_time": {"column": "t", "unit": "ms"}, "lateness": "1s"}
    made = vectors(binary, schema, source, specs, columns, lines)
    series = pd.Series(values, index=pd.to_datetime(time_ms, unit="ms"))
    for over, closed, seconds in ROLLED:
        rolling = series.rolling(f"{seconds}s", closed=closed, min_periods=1)
        for name, of in ROLLING.items():
            compare(differences, (name, {}), "pandas rolling, a key of 1,000,000 records", of(rolling),
                    made[f"{name}_{over}"], over)


SKETCHED_RECORDS, SKETCHED_WINDOW, LIMIT = 8_000, 3_000, 500
# Five standard errors of 4,096 registers.
SKETCH_BOUND = 5 * 1.04 / 64


def compare_sketch(binary, differences):
    """`distinct` beyond its limit is an estimate: within its bound, and exact up to the limit."""
    random = np.random.default_rng(SEED)
    # Few different values to begin with, then more and more of them.
    values = (random.random(SKETCHED_RECORDS) * np.arange(1, SKETCHED_RECORDS + 1)).astype(int)
    entry = ("distinct", {"limit": LIMIT})
    specs = [{"over": f"{SKETCHED_WINDOW} rows", "closed": "right", "of": "x",
              "compute": [{entry[0]: {**entry[1], "as": "some"}}]}]
    lines = [f'{{"n":{n},"key":"k","t":{START_MS + n},"x":{x}}}' for n, x in enumerate(values.tolist())]
    schema = {name: {"type": kind} for name, kind in (("n", "integer"), ("key", "string"), ("t", "integer"), ("x", "integer"))}
    source = {"key": "key", "event_time": {"column": "t", "unit": "ms"}, "lateness": "1s"}
    made = vectors(binary, schema, source, specs, ["some"], lines)
    rolling = pd.Series(values, dtype=float).rolling(SKETCHED_WINDOW, min_periods=1)
    expected = rolling.apply(lambda window: len(np.unique(window)), raw=True).to_numpy()
    assert expected.max() > 3 * LIMIT, "no window is beyond the limit"
    tolerance = np.where(expected <= LIMIT, 1e-9, SKETCH_BOUND)
    compare(differences, entry, f"pandas rolling, {SKETCHED_WINDOW:,} values, a limit of {LIMIT}",
            expected, made["some"], f"{SKETCHED_WINDOW} rows", tolerance=tolerance)

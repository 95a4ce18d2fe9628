"""Windows by event time, peers included, against Flink SQL's OVER window: the same 200,000 records.

    python flink.py --binary MILLSTREAM --jars DIRECTORY [--write docs/catalogue.md | --check docs/catalogue.md]

`.ci/jars bench/peers/flink.pom.xml` prints the directory. Records are out of order within the lateness and beyond it,
and several of a key have one event time. For Flink a record is late if its event time is at the watermark or behind it,
for millstream if it is behind: Flink's watermark is one millisecond further behind, so that both mean the same records,
and both must leave out just those. Values are multiples of 1/8 around 0, of which Flink's sums of squares lose no digit:
its STDDEV and VAR are then as exact as their last subtraction, and are compared like all others.
"""

import argparse
import collections
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
import tables

SEED = 22
RECORDS = 200_000
KEYS = 50
START_MS = 1_767_225_600_000
LATENESS_MS = 5_000
# Frames of SQL, and the windows that are the same.
FRAMES = [
    ("RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW", {"over": "10s", "closed": "both"}),
    ("RANGE BETWEEN INTERVAL '60' SECOND PRECEDING AND CURRENT ROW", {"over": "1m", "closed": "both"}),
]
# Aggregates of millstream, and of SQL.
COMPUTED = [
    ("count", {}, "COUNT(x)"),
    ("sum", {"null_when_empty": True}, "SUM(x)"),
    ("mean", {}, "AVG(x)"),
    ("min", {}, "MIN(x)"),
    ("max", {}, "MAX(x)"),
    ("var", {}, "VAR_SAMP(x)"),
    ("var", {"ddof": 0}, "VAR_POP(x)"),
    ("std", {}, "STDDEV_SAMP(x)"),
    ("std", {"ddof": 0}, "STDDEV_POP(x)"),
    ("first", {}, "FIRST_VALUE(x)"),
    ("last", {}, "LAST_VALUE(x)"),
    ("distinct", {}, "COUNT(DISTINCT x)"),
]
MARK = "flink"


def stream():
    """Records in the order of arrival; `n` is the offset."""
    random = np.random.default_rng(SEED)
    # Steps of 10 ms: several records of a key have one event time.
    time_ms = START_MS + np.cumsum(random.integers(0, 5, RECORDS)) * 10
    chosen = random.random(RECORDS)
    within = random.integers(0, LATENESS_MS // 10, RECORDS) * 10
    # Around the lateness, right at it too, and far beyond it.
    around = LATENESS_MS + random.integers(-20, 21, RECORDS) * 10
    beyond = random.integers(LATENESS_MS // 10, 3 * LATENESS_MS // 10, RECORDS) * 10
    behind = np.select([chosen < 0.3, chosen < 0.34, chosen < 0.37], [within, around, beyond], 0)
    # Without -0, which Flink counts as another value than 0.
    values = np.round(random.normal(0, 100, RECORDS) * 8) / 8 + 0.0
    return pd.DataFrame({
        "n": range(RECORDS), "k": [f"k{key}" for key in random.integers(KEYS, size=RECORDS)], "ms": time_ms - behind,
        "x": np.where(random.random(RECORDS) < 0.1, np.nan, values),
    })


def on_time(records):
    """Those not behind the watermark as it stood before them."""
    highest = records["ms"].cummax().shift(fill_value=0)
    return records["n"][records["ms"] >= highest - LATENESS_MS]


def of_flink(jars, folder, records):
    """The values of all frames: frame, n, and what `COMPUTED` says."""
    records.to_csv(folder / "in.csv", header=False, index=False)
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.lang", "java.util")]
    computed = ", ".join(f"{sql} OVER w" for _, _, sql in COMPUTED)
    answer = subprocess.run(
        ["java", "-Xmx2g", *opened, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*",
         pathlib.Path(__file__).with_name("FlinkOver.java"), folder / "in.csv", str(LATENESS_MS + 1), computed,
         *(frame for frame, _ in FRAMES)], capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"Flink failed: {answer.stderr[-3_000:]}")
    names = ["frame", "n", *range(len(COMPUTED))]
    found = pd.read_csv(io.StringIO(answer.stdout), sep="|", header=None, names=names)
    return [of.drop(columns="frame").sort_values("n", ignore_index=True) for _, of in found.groupby("frame")]


def of_millstream(binary, folder, records):
    specs, columns = [], []
    for _, window in FRAMES:
        names = [f"c{len(columns) + i}" for i in range(len(COMPUTED))]
        compute = [{name: {**options, "as": column}} for (name, options, _), column in zip(COMPUTED, names)]
        specs.append({**window, "of": "x", "compute": compute})
        columns += names
    pipeline = {
        "pipeline": "flink",
        "source": {
            "topics": ["values"], "format": "json", "schema": "schema.json", "key": "k", "start": "earliest",
            "event_time": {"column": "ms", "unit": "ms"}, "lateness": f"{LATENESS_MS}ms", "order": "event_time",
            "peers": True,
        },
        "windows": specs,
        "features": columns,
        "output": {"topic": "values.features", "format": "json_array", "carry": ["n"]},
        "outcomes": {"late": "drop"},
        "dead_letter": {"topic": "values.dlq"},
    }
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "k": {"type": "string"}, "ms": {"type": "integer"},
                       "x": {"type": ["number", "null"]}},
        "required": ["n", "k", "ms", "x"],
    }
    (folder / "pipeline.yaml").write_text(json.dumps(pipeline))
    (folder / "schema.json").write_text(json.dumps(schema))
    records.to_json(folder / "in.jsonl", orient="records", lines=True, double_precision=15)
    answer = subprocess.run([binary, "replay", folder / "pipeline.yaml", "--input", folder / "in.jsonl"],
                            capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"replay failed: {answer.stderr}")
    text = answer.stdout.translate({ord("["): None, ord("]"): None})
    found = pd.read_csv(io.StringIO(text), header=None, names=["n", *columns], na_values="null")
    found = found.sort_values("n", ignore_index=True)
    width = len(COMPUTED)
    return [found[["n", *columns[i * width : (i + 1) * width]]].set_axis(["n", *range(width)], axis=1)
            for i in range(len(FRAMES))]


def main():
    parser = tables.arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument("--jars", required=True, help="the directory of Flink's jars")
    options = parser.parse_args()
    records = stream()
    expected_n = on_time(records)
    print(f"{RECORDS - len(expected_n):,} of {RECORDS:,} records are late")
    with tempfile.TemporaryDirectory() as held:
        flink = of_flink(options.jars, pathlib.Path(held), records)
        ours = of_millstream(options.binary, pathlib.Path(held), records)
    rows, failed = collections.defaultdict(lambda: (0, 0.0)), 0
    for (frame, window), theirs, found in zip(FRAMES, flink, ours, strict=True):
        for who, made in (("Flink", theirs), ("millstream", found)):
            if made["n"].tolist() != expected_n.tolist():
                other = set(made["n"]) ^ set(expected_n)
                print(f"wrong: {who}, {frame}: {len(made):,} records, {len(expected_n):,} are on time; see {sorted(other)[:5]}")
                return 1
        for place, (name, chosen, sql) in enumerate(COMPUTED):
            entry = tables.title(name, chosen), f"Flink SQL, {sql.replace('(x)', '').replace('(DISTINCT x)', ' DISTINCT')}"
            off = tables.differences(theirs[place], found[place])
            compared, largest = rows[entry]
            rows[entry] = compared + len(off), max(largest, float(off.max()))
            wrong = np.flatnonzero(off > 1e-9)
            failed += len(wrong) > 0
            for at in wrong[:3]:
                print(f"wrong: {name} {chosen} over {window}, record {found['n'][at]}: {found[place][at]!r}, "
                      f"Flink has {theirs[place][at]!r}")
    stale = tables.settle(options, MARK, rows, "values")
    print(f"{len(FRAMES) * len(COMPUTED) - failed} passed, {failed + stale} failed")
    return 1 if failed + stale else 0


if __name__ == "__main__":
    sys.exit(main())

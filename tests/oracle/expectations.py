"""Every measure under `expectations` against pandas, window by window, through the real program.

    python expectations.py --binary MILLSTREAM [--write docs/catalogue.md | --check docs/catalogue.md]

Seeded streams of several partitions (disorder, late records, nulls, repeated values, silence, records
that cleaning lets fall) go through `millstream replay --quality`, in the order of arrival and in that of
event time. pandas groups what is left by window and measures it; which windows have closed, and by which
record, follows from the watermark. Verdict, number of values and measured value must be the same: to
1e-9, and beyond `exact` within the error that is stated for a sample. A measure of the program that is
not asked here is a failure. So is a partition that stops behind another record than the first that
closes a window which is not as expected.
"""

import argparse
import collections
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
import tables as written

TOLERANCE = 1e-9
START_S = 1_767_225_600
EVERY_S = 60
LATENESS_S = 150
PARTITIONS = 3
# Values that are kept of a window: more than any has.
EXACT = 10_000
SHOWN_MAX = 5
# Standard errors that a sample may be off.
SIGMAS = 5

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "key": {"type": "string"},
        "at": {"type": "integer"},
        "x": {"type": ["number", "null"]},
        "n": {"type": ["integer", "null"]},
        "name": {"type": ["string", "null"]},
    },
    "required": ["id", "key", "at"],
}

# What an expectation is about, and what pandas measures: of the rows that are left, of all that were
# seen. The number of values is that of `of`.
Entry = collections.namedtuple("Entry", "name text of value low high min_count")


def share(name, text, flags, low=1.0):
    return Entry(name, text, flags, lambda window: flags(window).mean(), low, None, 1)


def entries():
    x = lambda window: window.left["x"].dropna()  # noqa: E731
    n = lambda window: window.left["n"].dropna()  # noqa: E731
    name = lambda window: window.left["name"].dropna()  # noqa: E731
    left = lambda window: window.left["id"]  # noqa: E731
    yield Entry("records", "records: { min: 40, max: 1000 }", left, lambda w: len(w.left), 40, 1000, 0)
    yield Entry("x_null_rate", "column: x, null_rate: { max: 0.2 }", left, lambda w: w.left["x"].isna().mean(), None, 0.2, 0)
    yield Entry("name_distinct", "column: name, distinct: { min: 4, max: 9 }", name, lambda w: name(w).nunique(), 4, 9, 0)
    yield Entry("n_distinct", "column: n, distinct: { min: 30 }", n, lambda w: n(w).nunique(), 30, None, 0)
    yield Entry("id_unique", "column: id, unique: true", left, lambda w: left(w).nunique() / len(w.left), 1, None, 1)
    yield Entry("n_unique", "column: n, unique: { min: 0.97 }", n, lambda w: n(w).nunique() / n(w).size, 0.97, None, 1)
    yield Entry("x_mean", "column: x, mean: { min: -1e6, max: 20 }, min_count: 10", x, lambda w: x(w).mean(), -1e6, 20, 10)
    yield Entry("n_mean", "column: n, mean: { max: 500 }", n, lambda w: n(w).mean(), None, 500, 1)
    for q, high in ((0, -0.2), (0.25, 2), (0.5, 4.3), (0.99, 50), (1, 80)):
        yield Entry(f"x_p{q * 100:g}", f"column: x, quantile: {{ q: {q}, max: {high} }}", x,
                    lambda w, q=q: np.quantile(x(w), q), None, high, 1)
    allowed = lambda window: name(window).isin(["a", "b", "c", "é"])  # noqa: E731
    yield share("name_allowed", "column: name, allowed: [a, b, c, é], share: { min: 0.5 }", allowed, 0.5)
    yield share("freshness", "freshness: { max: 30s }, share: { min: 0.9 }", lambda w: w.left["behind"].dropna() <= 30_000, 0.9)
    yield share("monotonic_event_time", "monotonic_event_time: true, share: { min: 0.55 }", lambda w: w.left["ordered"], 0.55)
    yield share("positive", "row: x > 0 or x is null, name: positive", lambda w: ~(w.seen["x"] <= 0))
    yield share("divides", "row: 100 / n > 2, name: divides, share: { min: 0.1 }",
                lambda w: (w.seen["n"].abs() > 0) & ((100 / w.seen["n"].where(w.seen["n"] != 0)).apply(np.trunc) > 2), 0.1)
    yield share("plausible", "row: n < 990 or n is null, name: plausible, severity: reject", lambda w: ~(w.seen["n"] >= 990))


ENTRIES = list(entries())
Window = collections.namedtuple("Window", "left seen")


def stream(seed, count):
    """Records of one partition in offset order, with what the gates make of them."""
    random = np.random.default_rng(seed)
    step = random.exponential(0.9, count)
    step[random.random(count) < 0.003] += 400
    behind = np.where(random.random(count) < 0.5, random.integers(0, 170, count), 0)
    at = START_S + np.floor(np.cumsum(step)).astype(int) - behind
    # Event times at both ends of windows.
    at = np.where(random.random(count) < 0.05, at // EVERY_S * EVERY_S - random.integers(0, 2, count), at)
    x = np.round(random.lognormal(1.5, 1.2, count) - 0.3, 2)
    table = pd.DataFrame({
        "offset": np.cumsum(random.integers(1, 4, count)),
        "id": [f"t{i if random.random() > 0.002 else max(i - 3, 0)}" for i in range(count)],
        "key": random.choice(["k1", "k2", "k3", "test"], count, p=[0.4, 0.3, 0.25, 0.05]),
        "at": at,
        "x": np.where(random.random(count) < 0.18, np.nan, x),
        "n": pd.array(np.where(random.random(count) < 0.1, None, random.integers(0, 1_000, count)), dtype="Float64"),
        "name": [None if random.random() < 0.1 else str(v) for v in random.choice([*"abcdef", "é", ""], count)],
        "stamp": np.where(random.random(count) < 0.05, -1, (at + random.integers(0, 34, count)) * 1_000),
    })
    table["n"] = table["n"].astype(float)
    highest = -math.inf
    late, watermark = [], []
    for time in table["at"]:
        late.append(time < highest - LATENESS_S)
        highest = max(highest, time)
        watermark.append(highest - LATENESS_S)
    table["late"], table["watermark"] = late, watermark
    return table


def lines(partition, table):
    for row in table.itertuples():
        whole = lambda v: None if pd.isna(v) else v  # noqa: E731
        value = {"id": row.id, "key": row.key, "at": row.at, "x": whole(row.x),
                 "n": None if pd.isna(row.n) else int(row.n), "name": whole(row.name)}
        yield json.dumps({"partition": partition, "offset": row.offset, "timestamp": None if row.stamp < 0 else row.stamp,
                          "key": row.key, "value": value})


def expected(table):
    """The windows that have closed, in order: begin, the offset that closed it, the rows."""
    seen = table[~table["late"]]
    passed = seen[["offset", "watermark"]]
    seen = seen[seen["key"] != "test"].copy()
    left = seen[~(seen["n"] >= 990)].copy()
    left["ordered"] = left["at"].diff().fillna(0) >= 0
    left["behind"] = np.where(left["stamp"] < 0, np.nan, left["stamp"] - left["at"] * 1_000)
    for begin, rows in seen.groupby(seen["at"] // EVERY_S * EVERY_S):
        closes = passed[passed["watermark"] >= begin + EVERY_S]
        if len(closes):
            own = left[left["at"] // EVERY_S * EVERY_S == begin]
            yield begin, closes["offset"].iloc[0], Window(own, rows)


def released(table):
    """The records as they go on with `order: event_time`: each brings the watermark to its own event time."""
    table = table[~table["late"]].sort_values(["at", "offset"])
    return table.assign(watermark=table["at"])


def pipeline(exact, halting=None, order="arrival"):
    expect = "".join(
        f"    - {{ {entry.text}{', severity: halt' if entry.name == halting else ''} }}\n" for entry in ENTRIES)
    return f"""
pipeline: oracle
source:
  topics: [in]
  format: json
  schema: schema.json
  key: key
  event_time: {{ column: at, unit: s }}
  lateness: {LATENESS_S}s
  order: {order}
  max_ahead: off
  start: earliest
clean:
  - filter: key <> 'test'
expectations:
  every: {EVERY_S}s
  exact: {exact}
  expect:
{expect}features: [x]
output: {{ topic: out, format: json, carry: [kafka_partition, kafka_offset] }}
dead_letter: {{ topic: dlq }}
"""


def replay(binary, folder, exact, halting=None, order="arrival"):
    """Verdicts by partition, vectors, and where partitions stopped."""
    (folder / "pipeline.yaml").write_text(pipeline(exact, halting, order))
    answer = subprocess.run(
        [binary, "replay", folder / "pipeline.yaml", "--input", folder / "in.jsonl", "--envelope",
         "--quality", folder / "quality.jsonl"], capture_output=True, text=True, check=False)
    stops = {int(p): int(o) for p, o in re.findall(r"partition (\d+) stops behind offset (\d+)", answer.stderr)}
    if answer.returncode != (1 if stops else 0):
        sys.exit(f"replay failed: {answer.stderr}")
    verdicts = collections.defaultdict(list)
    for line in (folder / "quality.jsonl").read_text().splitlines():
        verdict = json.loads(line)
        verdicts[verdict["partition"]].append(verdict)
    return verdicts, [json.loads(line) for line in answer.stdout.splitlines()], stops


def judged(entry, count, value):
    if value is None or count < entry.min_count:
        return "skipped"
    low = -math.inf if entry.low is None else entry.low
    high = math.inf if entry.high is None else entry.high
    return "passed" if low <= value <= high else "failed"


def close(entry, window, value, observed, exact):
    """Whether what was observed is what pandas says, or a sample as good as is stated."""
    if value is None or observed is None:
        return value is observed
    values = entry.of(window)
    if values.size <= exact or entry.name not in {"name_distinct", "n_distinct", "id_unique", "n_unique", *QUANTILES}:
        return abs(observed - value) <= TOLERANCE * max(1.0, abs(value))
    different = values.nunique()
    if entry.name.endswith("_distinct"):
        bound = 0 if different <= exact else SIGMAS / math.sqrt(exact - 2)
        return abs(observed / value - 1) <= max(bound, TOLERANCE)
    if entry.name.endswith("_unique"):
        return abs(observed - value) <= (TOLERANCE if different <= exact else SIGMAS * 0.5 / math.sqrt(exact))
    q = QUANTILES[entry.name]
    # The ends of a sample are about 1 / exact of the ranks off, exponentially distributed.
    off = SIGMAS * math.sqrt(q * (1 - q) / exact) + 2 * SIGMAS / exact
    ranks = np.sort(values.to_numpy())
    low, high = np.searchsorted(ranks, observed, "left") / ranks.size, np.searchsorted(ranks, observed, "right") / ranks.size
    return low - off <= q <= high + off


QUANTILES = {f"x_p{q * 100:g}": q for q in (0, 0.25, 0.5, 0.99, 1)}


def measured(entry, window):
    """The number of values and what pandas measures of them."""
    count = int(entry.of(window).size)
    counts = entry.name == "records" or entry.name.endswith("_distinct")
    return count, float(entry.value(window)) if count or counts else None


# The program's, once it was asked.
MEASURES = []
ROWS = collections.defaultdict(lambda: (0, 0.0))


def note(entry, value, observed):
    """A line of the table: how far a measured value was off."""
    row = f"`{re.findall(r'(?:^|, )(' + '|'.join(MEASURES) + r'):', entry.text)[0]}`", "pandas"
    compared, largest = ROWS[row]
    ROWS[row] = compared + 1, max(largest, written.difference(value, observed))


def compare(tables, verdicts, exact):
    """What differs, and how many verdicts of each kind there were."""
    wrong, kinds = [], collections.Counter()
    for partition, table in enumerate(tables):
        told = iter(verdicts[partition])
        for begin, _, window in expected(table):
            for entry in ENTRIES:
                verdict = next(told, None)
                count, value = measured(entry, window)
                place = (partition, begin, entry.name)
                if verdict is None:
                    wrong.append((place, "is missing"))
                    continue
                start = pd.Timestamp(verdict["window"]["start"]).timestamp()
                if (verdict["partition"], start, verdict["expectation"]) != place:
                    wrong.append((place, f"expected, not {verdict}"))
                    continue
                same = close(entry, window, value, verdict["observed"], exact)
                if same and exact == EXACT:
                    note(entry, value, verdict["observed"])
                # Of a sample the verdict is that on what was observed.
                judgement = judged(entry, count, value if values_agree(value, verdict["observed"]) else verdict["observed"])
                if not same or verdict["count"] != count or verdict["verdict"] != judgement:
                    wrong.append((place, f"{value} of {count}, {judgement}, not {verdict}"))
                kinds[entry.name, judgement] += 1
        wrong.extend(((partition,), f"nobody expects {more}") for more in told)
    return wrong, kinds


def values_agree(value, observed):
    return value is not None and observed is not None and abs(value - observed) <= TOLERANCE * max(1.0, abs(value))


def compare_halt(tables, name, vectors, stops):
    """A partition stops behind the first record that closes a window which is not as expected."""
    entry = next(entry for entry in ENTRIES if entry.name == name)
    wrong = []
    for partition, table in enumerate(tables):
        failing = (offset for _, offset, window in expected(table)
                   if judged(entry, *measured(entry, window)) == "failed")
        stop = next(failing, None)
        if stops.get(partition) != stop:
            wrong.append(((partition, name), f"stops behind {stop}, not {stops.get(partition)}"))
        seen = table[~table["late"] & (table["key"] != "test") & ~(table["n"] >= 990)]
        offsets = [o for o in seen["offset"] if stop is None or o <= stop]
        told = [v["kafka_offset"] for v in vectors if v["kafka_partition"] == partition]
        if offsets != told:
            wrong.append(((partition, name), f"{len(offsets)} vectors, not {len(told)}"))
    return wrong


def measures(binary):
    """The measures of the program, as its schema lists them."""
    answer = subprocess.run([binary, "components", "--schema"], capture_output=True, text=True, check=True)
    keys = json.loads(answer.stdout)["properties"]["expectations"]["properties"]["expect"]["items"]["properties"]
    return set(keys) - {"name", "column", "share", "min_count", "severity"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options = written.arguments(parser).parse_args()
    binary = pathlib.Path(options.binary).resolve()
    asked = {word for entry in ENTRIES for word in re.findall(r"(\w+):", entry.text)}
    MEASURES.extend(sorted(measures(binary)))
    lacking = set(MEASURES) - asked
    wrong = [((name,), "has no oracle") for name in sorted(lacking)]
    tables = [stream(100 + partition, 4_000) for partition in range(PARTITIONS)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        logs = [list(lines(partition, table)) for partition, table in enumerate(tables)]
        (folder / "in.jsonl").write_text("".join(f"{line}\n" for group in zip(*logs) for line in group))
        verdicts, _, _ = replay(binary, folder, EXACT)
        found, kinds = compare(tables, verdicts, EXACT)
        wrong += found
        verdicts, _, _ = replay(binary, folder, EXACT, order="event_time")
        found, by_event_time = compare([released(table) for table in tables], verdicts, EXACT)
        wrong += found
        assert sum(by_event_time.values()) > 4_000, "hardly any verdict in the order of event time"
        for halting in ("records", "x_mean", "n_unique"):
            _, vectors, stops = replay(binary, folder, EXACT, halting)
            wrong += compare_halt(tables, halting, vectors, stops)
        # A silent hour is rare in this one, and windows hold thousands.
        tables = [stream(200, 30_000).assign(at=lambda t: START_S + (t["at"] - START_S) // 40, stamp=-1)]
        tables[0]["late"] = False
        tables[0]["watermark"] = tables[0]["at"].cummax() - LATENESS_S
        (folder / "in.jsonl").write_text("".join(f"{line}\n" for line in lines(0, tables[0])))
        verdicts, _, _ = replay(binary, folder, 100)
        found, _ = compare(tables, verdicts, 100)
        wrong += found
    for place, what in wrong[:SHOWN_MAX]:
        print(*place, what)
    stale = written.settle(options, "expectations", ROWS, "verdicts") if not wrong else 0
    each = collections.defaultdict(set)
    for (entry, kind), count in kinds.items():
        each[entry].add(kind)
    print("only passed or only failed:", ", ".join(e for e, k in each.items() if not {"passed", "failed"} <= k) or "none")
    print(f"{sum(kinds.values())} passed, {len(wrong) + stale} failed")
    sys.exit(bool(wrong or stale))


if __name__ == "__main__":
    main()

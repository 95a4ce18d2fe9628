"""Every feature component against scikit-learn, pandas and numpy, through the real program.

    python features.py --binary MILLSTREAM [--write docs/catalogue.md | --check docs/catalogue.md]

Parameters are fitted by the library on one half of a seeded table, written into a pipeline file, and
the program's vectors of all of it are compared with what the library makes of them: nulls, values that
the fit has not seen and the ends of intervals among them. A component without an oracle is a failure.
"""

import argparse
import collections
import itertools
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
import tables
from sklearn import compose, feature_extraction, metrics, preprocessing

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import sklearn_params

TOLERANCE = 1e-9
ROWS = 2_000
SHOWN_MAX = 3
CATEGORIES = ["grocery", "fuel", "travel", "online", "dining", "cash", "health", "é/ß", ""]
EARTH_KM = 6_371.0088
ZONE = "America/New_York"
# Around both changes of the clocks, a leap day and the end of a year.
START = pd.Timestamp("2024-02-27T21:00:00Z")


def table():
    """The rows: numbers of several shapes, categories, places, moments."""
    random = np.random.default_rng(7)
    x = np.round(random.lognormal(1.5, 1.2, ROWS), 2)
    # What edges and levels are made of below.
    x[::50] = random.choice([0.0, 1.0, 10.0, 100.0], ROWS // 50)
    z = random.normal(-3.0, 40.0, ROWS)
    moments = START + pd.to_timedelta(np.sort(random.integers(0, 400 * 86_400_000, ROWS)), unit="ms")
    return pd.DataFrame({
        "n": range(ROWS),
        "x": np.where(random.random(ROWS) < 0.1, np.nan, x),
        "y": x + 0.01,
        "z": z,
        "k": random.integers(-3, 8, ROWS),
        "category": [None if random.random() < 0.05 else str(c) for c in random.choice(CATEGORIES, ROWS)],
        "ok": random.random(ROWS) < 0.5,
        "lat": np.round(random.uniform(-90, 90, ROWS), 5),
        "lon": np.round(random.uniform(-180, 180, ROWS), 5),
        "at": moments,
    })


ALL = table()
# What is fitted; the rest has categories and numbers that it has not seen.
FITTED = ALL[: ROWS // 2][ALL["category"][: ROWS // 2] != "health"]
TARGET = (FITTED["z"] > 0).astype(int)
KNOWN = FITTED["category"].dropna()
LISTED = sorted(KNOWN.unique())

Entry = collections.namedtuple("Entry", "name options oracle outputs")


def fitted(transformer, column):
    """The transformer fitted to a column, and what it makes of all of it."""
    made = transformer.fit(FITTED[[column]].to_numpy())
    return made, made.transform(ALL[[column]].to_numpy())


def single(name, options, oracle, values):
    return Entry(name, options, oracle, {"out": values})


def scalers():
    for column in ("x", "z"):
        made, out = fitted(preprocessing.StandardScaler(), column)
        yield single("standardize", {"column": column, "mean": made.mean_[0], "std": made.scale_[0]}, "StandardScaler", out)
        for clip in (False, True):
            made, out = fitted(preprocessing.MinMaxScaler(clip=clip), column)
            yield single("minmax", {"column": column, "min": made.data_min_[0], "max": made.data_max_[0], "clip": clip},
                         "MinMaxScaler", out)
        made, out = fitted(preprocessing.MaxAbsScaler(), column)
        yield single("maxabs", {"column": column, "max_abs": made.max_abs_[0]}, "MaxAbsScaler", out)
        for unit in (False, True):
            made, out = fitted(preprocessing.RobustScaler(unit_variance=unit), column)
            yield single("robust", {"column": column, "median": made.center_[0], "range": made.scale_[0]}, "RobustScaler", out)
    for column, method in (("x", "yeo-johnson"), ("z", "yeo-johnson"), ("y", "box-cox")):
        for standardize in (False, True):
            made, out = fitted(preprocessing.PowerTransformer(method, standardize=standardize), column)
            options = {"column": column, "method": method.replace("-", "_"), "lambda": made.lambdas_[0]}
            if standardize:
                options |= {"mean": made._scaler.mean_[0], "std": made._scaler.scale_[0]}
            yield single("power", options, "PowerTransformer", out)
    for distribution in ("uniform", "normal"):
        for column, count in (("x", 40), ("z", 500)):
            made, out = fitted(preprocessing.QuantileTransformer(
                n_quantiles=count, output_distribution=distribution, subsample=None), column)
            yield single("quantile_transform", {"column": column, "quantiles": made.quantiles_[:, 0].tolist(),
                                                "output": distribution}, "QuantileTransformer", out)
    yield single("log1p", {"column": "x"}, "numpy.log1p", np.log1p(ALL["x"]))
    yield single("clip", {"column": "z", "min": -20, "max": 30.5}, "numpy.clip", np.clip(ALL["z"], -20, 30.5))
    for norm in ("l1", "l2", "max"):
        out = preprocessing.normalize(ALL[["y", "z", "k"]].to_numpy(float), norm=norm)
        yield Entry("normalize", {"columns": ["y", "z", "k"], "norm": norm}, "sklearn normalize",
                    {f"{name}_normalized": out[:, i] for i, name in enumerate(["y", "z", "k"])})


def encoders():
    column = ALL[["category"]].to_numpy(object)
    seen = KNOWN.to_frame().to_numpy(object)
    made = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False, categories=[LISTED]).fit(seen)
    yield Entry("one_hot", {"column": "category", "values": LISTED}, "OneHotEncoder",
                {f"category_{value}": made.transform(column)[:, i] for i, value in enumerate(LISTED)})
    with_null = FITTED[["category"]].to_numpy(object)
    made = preprocessing.OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2).fit(with_null)
    listed = [value for value in made.categories_[0] if value is not None]
    yield single("ordinal", {"column": "category", "values": listed, "unknown": -1, "missing": -2}, "OrdinalEncoder",
                 made.transform(column))
    made = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan).fit(seen)
    of_known = made.transform(np.where(ALL[["category"]].isna(), LISTED[0], column))
    codes = np.where(np.isnan(of_known), -1, of_known)
    yield single("ordinal", {"column": "category", "values": LISTED}, "OrdinalEncoder",
                 np.where(ALL[["category"]].isna(), np.nan, codes))
    codes = [LISTED.index(value) + 1 if value in LISTED else 0 for value in ALL["category"]]
    digits = len(LISTED).bit_length()
    yield Entry("binary", {"column": "category", "values": LISTED}, "Python's format",
                {f"category_{i}": [int(format(code, f"0{digits}b")[i]) for code in codes] for i in range(digits)})
    for smooth in ("auto", 10.0):
        made = preprocessing.TargetEncoder(smooth=smooth, target_type="binary").fit(seen, TARGET[KNOWN.index])
        values = dict(zip(made.categories_[0].tolist(), made.encodings_[0].tolist()))
        out = made.transform(column)
        yield single("target", {"column": "category", "values": values, "unknown": made.target_mean_,
                                "missing": made.target_mean_}, "TargetEncoder", out)
    shares = KNOWN.value_counts(normalize=True)
    yield single("frequency", {"column": "category", "values": shares.to_dict()}, "pandas value_counts",
                 np.where(ALL["category"].isna(), np.nan, ALL["category"].map(shares).fillna(0.0)))
    for signed, outputs in ((True, 16), (False, 7)):
        rows = [
            {name: value for name, value in
             (("category", row.category), ("x", row.x), ("k", row.k), ("ok", row.ok)) if not pd.isna(value)}
            for row in ALL.itertuples()
        ]
        made = feature_extraction.FeatureHasher(outputs, alternate_sign=signed).transform(rows).toarray()
        yield Entry("hashing", {"columns": ["category", "x", "k", "ok"], "outputs": outputs, "alternate_sign": signed},
                    "FeatureHasher", {f"hash_{i}": made[:, i] for i in range(outputs)})
    levels = [1.0, 10.0, 100.0]
    reached = np.where(ALL[["x"]].isna(), np.nan, ALL[["x"]].to_numpy() >= np.array([levels]))
    yield Entry("thermometer", {"column": "x", "levels": levels}, "numpy",
                {f"x_from_{level:g}": reached[:, i] for i, level in enumerate(levels)})
    for strategy in ("uniform", "quantile", "kmeans"):
        options = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
        made = preprocessing.KBinsDiscretizer(5, encode="ordinal", strategy=strategy, subsample=None, random_state=0,
                                              **options).fit(FITTED[["y"]].to_numpy())
        yield single("bins", {"column": "y", "edges": made.bin_edges_[0].tolist()}, f"KBinsDiscretizer, {strategy}",
                     made.transform(ALL[["y"]].to_numpy()))
    made = preprocessing.KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform", subsample=None)
    out = made.fit(FITTED[["z"]].to_numpy()).transform(ALL[["z"]].to_numpy())
    yield Entry("bins", {"column": "z", "edges": made.bin_edges_[0].tolist(), "encode": "one_hot"}, "KBinsDiscretizer",
                {f"z_bin_{i}": out[:, i] for i in range(4)})


def times():
    for zone in ("UTC", ZONE):
        local = ALL["at"].dt.tz_convert(zone).dt
        parts = {
            "year": local.year, "quarter": local.quarter, "month": local.month, "week": local.isocalendar().week,
            "day": local.day, "day_of_year": local.day_of_year, "day_of_week": local.day_of_week, "hour": local.hour,
            "minute": local.minute, "second": local.second, "is_weekend": local.day_of_week >= 5,
            "is_month_start": local.is_month_start, "is_month_end": local.is_month_end,
        }
        options = {"column": "at", "parts": list(parts)} | ({} if zone == "UTC" else {"zone": zone})
        yield Entry("calendar", options, "pandas .dt", {f"at_{part}": values for part, values in parts.items()})
    day = (ALL["at"] - ALL["at"].dt.floor("D")) / pd.Timedelta("1D")
    yield Entry("cyclic", {"column": "at", "period": "day"}, "numpy of pandas .dt",
                {"at_day_sin": np.sin(2 * np.pi * day), "at_day_cos": np.cos(2 * np.pi * day)})
    passed = (ALL["at"].dt.day_of_year - 1 + day) / np.where(ALL["at"].dt.is_leap_year, 366, 365)
    yield Entry("cyclic", {"column": "at", "period": "year"}, "numpy of pandas .dt",
                {"at_year_sin": np.sin(2 * np.pi * passed), "at_year_cos": np.cos(2 * np.pi * passed)})


def crosses():
    for degree, only in ((2, False), (3, True), (3, False)):
        made = preprocessing.PolynomialFeatures(degree, interaction_only=only, include_bias=False)
        out = made.fit_transform(ALL[["y", "z", "k"]].to_numpy(float))
        names = ["_x_".join(np.repeat(["y", "z", "k"], powers)) for powers in made.powers_]
        yield Entry("polynomial", {"columns": ["y", "z", "k"], "degree": degree, "interaction_only": only},
                    "PolynomialFeatures", {name: out[:, i] for i, name in enumerate(names) if made.powers_[i].sum() > 1})
    divided = ALL["z"] / ALL["k"].where(ALL["k"] != 0)
    yield single("ratio", {"of": "z", "by": "k"}, "pandas", divided)
    yield single("ratio", {"of": "z", "by": "k", "near": 1, "otherwise": -1}, "pandas",
                 divided.where(ALL["k"].abs() > 1, -1))
    radians = np.radians(ALL[["lat", "lon"]])
    zurich = np.radians([[47.3769, 8.5417]])
    yield single("haversine", {"lat": "lat", "lon": "lon", "to": [47.3769, 8.5417]}, "haversine_distances",
                 metrics.pairwise.haversine_distances(radians, zurich)[:, 0] * EARTH_KM)
    to = np.radians(ALL[["lat", "y"]])
    far = [metrics.pairwise.haversine_distances([a], [b])[0, 0] for a, b in zip(radians.to_numpy(), to.to_numpy())]
    yield single("haversine", {"lat": "lat", "lon": "lon", "to": ["lat", "y"]}, "haversine_distances",
                 np.array(far) * EARTH_KM)


ENTRIES = [*scalers(), *encoders(), *times(), *crosses()]

SCHEMA = {
    "type": "object",
    "properties": {
        **{name: {"type": "integer"} for name in ("n", "k")},
        **{name: {"type": "number"} for name in ("y", "z", "lat", "lon")},
        "x": {"type": ["number", "null"]}, "category": {"type": ["string", "null"]}, "ok": {"type": "boolean"},
        "at": {"type": "string", "format": "date-time"},
    },
    "required": ["n", "k", "y", "z", "lat", "lon", "ok", "at"],
}


def vectors(binary, features, parameters=None):
    """What the program makes of all rows."""
    pipeline = {
        "pipeline": "features",
        "source": {"topics": ["values"], "format": "json", "schema": "schema.json", "key": "n",
                   "event_time": "kafka", "lateness": "1s", "start": "earliest"},
        "features": features,
        "output": {"topic": "values.features", "format": "json", "carry": ["n"]},
        "dead_letter": {"topic": "values.dlq"},
    }
    with tempfile.TemporaryDirectory() as held:
        folder = pathlib.Path(held)
        (folder / "pipeline.yaml").write_text(json.dumps(pipeline))
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        (folder / "parameters.json").write_text(json.dumps(parameters))
        rows = json.loads(ALL.to_json(orient="records", date_format="iso", date_unit="ms", double_precision=15))
        (folder / "in.jsonl").write_text("".join(
            json.dumps({"value": row, "key": "k", "timestamp": 1_767_225_600_000}) + "\n" for row in rows))
        answer = subprocess.run(
            [binary, "replay", folder / "pipeline.yaml", "--input", folder / "in.jsonl", "--envelope"],
            capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"replay of {features} failed: {answer.stderr}")
    return sorted((json.loads(line) for line in answer.stdout.splitlines()), key=lambda vector: vector["n"])


def plain(value):
    """A number, or None for null and NaN."""
    return None if value is None or pd.isna(value) else float(value)


def title(entry):
    chosen = {name: value for name, value in entry.options.items() if isinstance(value, (bool, str)) or name == "degree"}
    chosen = {name: value for name, value in chosen.items() if name not in ("column", "of", "by", "lat", "lon")}
    return tables.title(entry.name, chosen)


def check(binary, entry):
    """Compares one entry: values compared, largest difference, values that are wrong."""
    # Alone, so that names cannot clash.
    options = entry.options | ({"as": "out"} if "out" in entry.outputs else {})
    return compare(entry, vectors(binary, [{entry.name: options}]))


def compare(entry, made):
    if len(made) != ROWS or set(made[0]) != {"n", *entry.outputs}:
        print(f"wrong: {entry.name}: {len(made)} vectors with {sorted(made[0])}, expected {sorted(entry.outputs)}")
        return 0, math.inf, 1
    compared, largest, wrong = 0, 0.0, 0
    for name, values in entry.outputs.items():
        for row, expected in enumerate(np.ravel(values)):
            expected, actual = plain(expected), made[row][name]
            off = tables.difference(expected, actual)
            compared, largest = compared + 1, max(largest, off)
            if off > TOLERANCE:
                wrong += 1
                if wrong <= SHOWN_MAX:
                    print(f"wrong: {entry.name} {entry.options}, {name}, row {row}: {actual!r}, expected {expected!r}")
    return compared, largest, wrong


def check_export(binary):
    """A fitted ColumnTransformer through tools/sklearn_params.py, its parameters in a file of their own."""
    made = compose.ColumnTransformer([
        ("standardize", preprocessing.StandardScaler(), ["x", "z"]), ("minmax", preprocessing.MinMaxScaler(), ["y"]),
        ("maxabs", preprocessing.MaxAbsScaler(), ["z"]), ("robust", preprocessing.RobustScaler(), ["z", "y"]),
        ("power", preprocessing.PowerTransformer(), ["y"]),
        ("hot", preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["ok", "k"]),
        ("ordinal", preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1,
                                                 encoded_missing_value=-2), ["category"]),
        ("target", preprocessing.TargetEncoder(target_type="binary"), ["category"]),
        ("bins", preprocessing.KBinsDiscretizer(4, encode="ordinal", subsample=None,
                                                quantile_method="averaged_inverted_cdf"), ["y"]),
        ("levels", preprocessing.KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform", subsample=None), ["z"]),
        ("quantile", preprocessing.QuantileTransformer(n_quantiles=30, output_distribution="normal"), ["x"]),
        ("as it is", "passthrough", ["k"]), ("gone", "drop", ["lat"]),
    ])
    made.fit(FITTED, TARGET)
    parameters, features = sklearn_params.export(made)
    out = made.transform(ALL)
    found = vectors(binary, features, parameters)
    names = [name for name in found[0] if name != "n"]
    entry = Entry("sklearn_params.py", {}, "ColumnTransformer", {name: out[:, i] for i, name in enumerate(names)})
    if len(names) != out.shape[1]:
        print(f"wrong: {len(names)} outputs, ColumnTransformer has {out.shape[1]}: {names}")
        return entry, (0, math.inf, 1)
    return entry, compare(entry, found)


def known(binary):
    """Names of the program's feature components."""
    answer = subprocess.run([binary, "components"], capture_output=True, text=True, check=True)
    # A table begins at the margin, its rows are indented by two, what belongs to a row by more.
    of_features = answer.stdout.split("\nfeatures\n")[1]
    rows = itertools.takewhile(lambda line: line.startswith("  "), of_features.splitlines())
    return [row.split()[0] for row in rows if row[2] != " "]


def main():
    arguments = tables.arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0])).parse_args()
    rows, failed = {}, 0
    checked = [(entry, check(arguments.binary, entry)) for entry in ENTRIES]
    for entry, (compared, largest, wrong) in [*checked, check_export(arguments.binary)]:
        failed += wrong > 0
        before, off = rows.get((title(entry), entry.oracle), (0, 0.0))
        rows[title(entry), entry.oracle] = (before + compared, max(off, largest))
    covered = {entry.name for entry in ENTRIES}
    missing = [name for name in known(arguments.binary) if name not in covered]
    for name in missing:
        print(f"wrong: {name} has no oracle in {pathlib.Path(__file__).name}")
    stale = tables.settle(arguments, "features", rows, "values")
    print(f"{len(ENTRIES) + 1 - failed} passed, {failed + len(missing) + stale} failed")
    return 1 if failed + len(missing) + stale else 0


if __name__ == "__main__":
    sys.exit(main())

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

import h3
import jsonschema
import learning
import numpy as np
import pandas as pd
import pygeohash
import tables
from sklearn import (compose, decomposition, feature_extraction, feature_selection, impute, linear_model, metrics,
                     pipeline, preprocessing)
from sklearn.feature_extraction import text as texts

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
        "text": [sentence(random) for _ in range(ROWS)],
    })


WORDS = ["Fuel", "fresh", "food", "at", "the", "station", "FOOD", "ÉTÉ", "naïve", "x²", "a", "2b", "e\u0301te", "ΟΔΟΣ",
         "the_end", "I", "\u0130zmir", "日本語", "3.14", "don't", "-"]
SPACES = [" ", " ", " ", ", ", "\n", "  ", " \t ", "\u00a0", "\u2003\u2003", "\x1c"]


def sentence(random):
    """A text of a few words; sometimes none."""
    if random.random() < 0.05:
        return None
    count = random.integers(0, 9)
    return "".join(str(random.choice(WORDS)) + str(random.choice(SPACES)) for _ in range(count))


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
            made, out = fitted(preprocessing.MinMaxScaler((-1, 3), clip=clip), column)
            yield single("minmax", {"column": column, "min": made.data_min_[0], "max": made.data_max_[0], "clip": clip,
                                    "feature_range": [-1, 3]}, "MinMaxScaler((-1, 3))", out)
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
    for drop in (None, "first"):
        made = preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False, min_frequency=0.12,
                                           drop=drop).fit(seen)
        rare = made.infrequent_categories_[0].tolist()
        often = [value for value in LISTED if value not in rare]
        options = {"column": "category", "values": often, "infrequent": rare, "unknown": "infrequent"}
        known = ALL["category"].notna()
        out = np.zeros((ROWS, made.transform(column[known]).shape[1]))
        out[known] = made.transform(column[known])
        names = [f"category_{value}" for value in often] + ["category_infrequent"]
        names = names[1:] if drop else names
        yield Entry("one_hot", options | ({"drop": drop} if drop else {}), "OneHotEncoder, min_frequency",
                    {name: out[:, i] for i, name in enumerate(names)})
    with_null = FITTED[["category"]].to_numpy(object)
    made = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(with_null)
    yield Entry("one_hot", {"column": "category", "values": LISTED, "missing": "column"}, "OneHotEncoder",
                {f"category_{value}": made.transform(column)[:, i] for i, value in enumerate([*LISTED, "null"])})
    made = preprocessing.OneHotEncoder(drop="if_binary", sparse_output=False).fit(FITTED[["ok"]].to_numpy())
    yield Entry("one_hot", {"column": "ok", "values": [False, True], "drop": "if_binary"}, "OneHotEncoder",
                {"ok_true": made.transform(ALL[["ok"]].to_numpy())[:, 0]})
    made = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=4).fit(seen)
    rare = made.infrequent_categories_[0].tolist()
    out = made.transform(np.where(ALL[["category"]].isna(), LISTED[0], column))
    yield single("ordinal", {"column": "category", "values": [value for value in LISTED if value not in rare],
                             "infrequent": rare, "missing": -2}, "OrdinalEncoder, max_categories",
                 np.where(ALL[["category"]].isna(), -2, out))
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


def imputed():
    for strategy in ("mean", "median", "most_frequent"):
        made, out = fitted(impute.SimpleImputer(strategy=strategy), "x")
        yield single("impute", {"column": "x", "value": made.statistics_[0]}, "SimpleImputer", out)
    made = impute.SimpleImputer(strategy="most_frequent").fit(FITTED[["category"]].to_numpy(object))
    out = made.transform(ALL[["category"]].to_numpy(object))[:, 0]
    yield Entry("impute", {"column": "category", "value": made.statistics_[0]}, "SimpleImputer of text",
                {"category_imputed": [TextOf(value) for value in out]})
    for column in ("x", "category"):
        made = impute.MissingIndicator(features="all").fit(FITTED[[column]].to_numpy(object))
        yield single("is_missing", {"column": column}, "MissingIndicator", made.transform(ALL[[column]].to_numpy(object)))


def splines():
    for column, degree, knots, extrapolation in (
            ("y", 3, "uniform", "constant"), ("z", 3, "quantile", "linear"), ("y", 1, "quantile", "linear"),
            ("z", 2, "uniform", "continue"), ("z", 4, "quantile", "continue"), ("z", 3, "uniform", "periodic"),
            ("y", 2, "quantile", "periodic"), ("z", 2, "quantile", "constant"), ("y", 5, "uniform", "linear")):
        for bias in (True, False):
            made, out = fitted(preprocessing.SplineTransformer(
                6, degree=degree, knots=knots, extrapolation=extrapolation, include_bias=bias), column)
            base = made.bsplines_[0].t[degree:-degree].tolist()
            yield Entry("spline", {"column": column, "knots": base, "degree": degree, "extrapolation": extrapolation,
                                   "include_bias": bias}, "SplineTransformer",
                        {f"{column}_spline_{i}": out[:, i] for i in range(out.shape[1])})
    made, out = fitted(preprocessing.SplineTransformer(5, handle_missing="zeros"), "x")
    yield Entry("spline", {"column": "x", "knots": made.bsplines_[0].t[3:-3].tolist(), "missing": "zeros"},
                "SplineTransformer", {f"x_spline_{i}": out[:, i] for i in range(out.shape[1])})


def of_texts():
    column = ALL["text"]
    for unit, lengths in (("characters", column.str.len()), ("bytes", column.str.encode("utf-8").str.len()),
                          ("words", column.str.split().str.len())):
        yield single("text_length", {"column": "text", "unit": unit}, "pandas .str", lengths)
    tokens = texts.CountVectorizer(lowercase=False).build_analyzer()
    yield single("token_count", {"column": "text"}, "CountVectorizer's tokens",
                 [None if pd.isna(text) else len(tokens(text)) for text in column])
    yield single("token_count", {"column": "text", "pattern": "[a-z]+"}, "pandas .str.count", column.str.count("[a-z]+"))
    given = column.fillna("")
    for options in ({}, {"analyzer": "char", "ngram_range": [1, 3], "norm": "l1"},
                    {"analyzer": "char_wb", "ngram_range": [2, 5], "alternate_sign": False},
                    {"ngram_range": [1, 2], "binary": True, "lowercase": False},
                    {"ngram_range": [2, 3], "norm": "none", "stop_words": ["the", "at"]}):
        named = {**options, "ngram_range": tuple(options.get("ngram_range", (1, 1)))}
        named["norm"] = None if options.get("norm") == "none" else options.get("norm", "l2")
        out = texts.HashingVectorizer(n_features=24, **named).transform(given).toarray()
        yield Entry("text_hashing", {"column": "text", "outputs": 24, **options}, "HashingVectorizer",
                    {f"text_hash_{i}": out[:, i] for i in range(24)})
    for options in ({}, {"ngram_range": [1, 2], "sublinear_tf": True}, {"analyzer": "char_wb", "ngram_range": [3, 3]},
                    {"norm": "l1", "binary": True}, {"lowercase": False, "norm": "none"}):
        named = {**options, "ngram_range": tuple(options.get("ngram_range", (1, 1)))}
        named["norm"] = None if options.get("norm") == "none" else options.get("norm", "l2")
        made = texts.TfidfVectorizer(max_features=30, **named).fit(given[: ROWS // 2])
        terms, out = made.get_feature_names_out(), made.transform(given).toarray()
        yield Entry("tfidf", {"column": "text", "vocabulary": dict(zip(terms.tolist(), made.idf_.tolist())), **options},
                    "TfidfVectorizer", {f"text_{term}": out[:, i] for i, term in enumerate(terms)})


def times():
    for zone in ("UTC", ZONE):
        local = ALL["at"].dt.tz_convert(zone).dt
        parts = {
            "year": local.year, "quarter": local.quarter, "month": local.month, "week": local.isocalendar().week,
            "day": local.day, "day_of_year": local.day_of_year, "day_of_week": local.day_of_week, "hour": local.hour,
            "minute": local.minute, "second": local.second, "is_weekend": local.day_of_week >= 5,
            "is_month_start": local.is_month_start, "is_month_end": local.is_month_end,
            "is_quarter_start": local.is_quarter_start, "is_quarter_end": local.is_quarter_end,
            "is_year_start": local.is_year_start, "is_year_end": local.is_year_end, "is_leap_year": local.is_leap_year,
            "days_in_month": local.days_in_month,
        }
        options = {"column": "at", "parts": list(parts)} | ({} if zone == "UTC" else {"zone": zone})
        yield Entry("calendar", options, "pandas .dt", {f"at_{part}": values for part, values in parts.items()})
    yield business()
    clock = ALL["at"].dt.tz_convert(ZONE).dt.tz_localize(None)
    of_day = (clock - clock.dt.floor("D")) / pd.Timedelta("1D")
    for period, share in {
        "minute": (clock - clock.dt.floor("min")) / pd.Timedelta("1min"),
        "hour": (clock - clock.dt.floor("h")) / pd.Timedelta("1h"), "day": of_day,
        "week": (clock.dt.day_of_week + of_day) / 7, "month": (clock.dt.day - 1 + of_day) / clock.dt.days_in_month,
        "year": (clock.dt.day_of_year - 1 + of_day) / np.where(clock.dt.is_leap_year, 366, 365),
    }.items():
        yield Entry("cyclic", {"column": "at", "period": period, "zone": ZONE}, "numpy of pandas .dt",
                    {f"at_{period}_sin": np.sin(2 * np.pi * share), f"at_{period}_cos": np.cos(2 * np.pi * share)})
    day = (ALL["at"] - ALL["at"].dt.floor("D")) / pd.Timedelta("1D")
    yield Entry("cyclic", {"column": "at", "period": "day"}, "numpy of pandas .dt",
                {"at_day_sin": np.sin(2 * np.pi * day), "at_day_cos": np.cos(2 * np.pi * day)})
    passed = (ALL["at"].dt.day_of_year - 1 + day) / np.where(ALL["at"].dt.is_leap_year, 366, 365)
    yield Entry("cyclic", {"column": "at", "period": "year"}, "numpy of pandas .dt",
                {"at_year_sin": np.sin(2 * np.pi * passed), "at_year_cos": np.cos(2 * np.pi * passed)})


HOLIDAYS = {"2024-03-29": "Good Friday", "2024-07-04": "Independence Day", "2024-12-25": "Christmas",
            "2025-01-01": "New Year"}


def business():
    """Hours and days of business and holidays, as pandas and numpy know them; from a file."""
    local = ALL["at"].dt.tz_convert(ZONE)
    days = local.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    holidays = np.array(list(HOLIDAYS), "datetime64[D]")
    is_business_day = np.is_busday(days, weekmask="Tue Wed Thu Fri Sat", holidays=holidays)
    within = np.zeros(ROWS, bool)
    within[pd.DatetimeIndex(local).indexer_between_time("08:30", "18:00", include_end=False)] = True
    ahead, behind = np.searchsorted(holidays, days), np.searchsorted(holidays, days, side="right") - 1
    none = np.array([np.nan])
    until = np.where(ahead < 4, np.append(holidays, holidays[-1])[ahead] - days, np.timedelta64(0, "D")).astype(float)
    since = (days - holidays[np.maximum(behind, 0)]).astype(float)
    outputs = {
        "is_business_day": is_business_day, "is_business_hour": is_business_day & within,
        "is_holiday": np.isin(days, holidays), "days_to_holiday": np.where(ahead < 4, until, none),
        "days_since_holiday": np.where(behind >= 0, since, none),
        "holiday": [TextOf(HOLIDAYS.get(str(day))) for day in days],
    }
    options = {"column": "at", "parts": list(outputs), "zone": ZONE, "holidays": "holidays.csv",
               "business_hours": ["08:30", "18:00"], "business_days": ["tuesday", "wednesday", "thursday", "friday", "saturday"]}
    return Entry("calendar", options, "numpy.is_busday, pandas", {f"at_{part}": values for part, values in outputs.items()})


def crosses():
    for degree, only in ((2, False), (3, True), (3, False)):
        made = preprocessing.PolynomialFeatures(degree, interaction_only=only, include_bias=False)
        out = made.fit_transform(ALL[["y", "z", "k"]].to_numpy(float))
        names = ["_x_".join(np.repeat(["y", "z", "k"], powers)) for powers in made.powers_]
        yield Entry("polynomial", {"columns": ["y", "z", "k"], "degree": degree, "interaction_only": only},
                    "PolynomialFeatures", {name: out[:, i] for i, name in enumerate(names) if made.powers_[i].sum() > 1})
    made = preprocessing.PolynomialFeatures((3, 4), include_bias=False)
    out = made.fit_transform(ALL[["y", "k"]].to_numpy(float))
    yield Entry("polynomial", {"columns": ["y", "k"], "degree": 4, "min_degree": 3}, "PolynomialFeatures",
                {"_x_".join(np.repeat(["y", "k"], powers)): out[:, i] for i, powers in enumerate(made.powers_)})
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


    for precision in (1, 6, 12):
        cells = [TextOf(pygeohash.encode(lat, lon, precision)) for lat, lon in zip(ALL["lat"], ALL["lon"])]
        yield single("geohash", {"lat": "lat", "lon": "lon", "precision": precision}, "pygeohash", cells)
    for resolution in (0, 8, 15):
        cells = [TextOf(h3.latlng_to_cell(lat, lon, resolution)) for lat, lon in zip(ALL["lat"], ALL["lon"])]
        yield single("h3", {"lat": "lat", "lon": "lon", "resolution": resolution}, "h3", cells)


class TextOf:
    """A text that is expected, or none."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return repr(self.text)


ENTRIES = [*scalers(), *imputed(), *encoders(), *splines(), *times(), *of_texts(), *crosses()]

SCHEMA = {
    "type": "object",
    "properties": {
        **{name: {"type": "integer"} for name in ("n", "k")},
        **{name: {"type": "number"} for name in ("y", "z", "lat", "lon")},
        "x": {"type": ["number", "null"]}, "category": {"type": ["string", "null"]}, "ok": {"type": "boolean"},
        "at": {"type": "string", "format": "date-time"}, "text": {"type": ["string", "null"]},
    },
    "required": ["n", "k", "y", "z", "lat", "lon", "ok", "at"],
}


def vectors(binary, features, parameters=None, **output):
    """What the program makes of all rows."""
    definition = {
        "pipeline": "features",
        "source": {"topics": ["values"], "format": "json", "schema": "schema.json", "key": "n",
                   "event_time": "kafka", "lateness": "1s", "start": "earliest"},
        "features": features,
        "output": {"topic": "values.features", "format": "json", "carry": ["n"], **output},
        "dead_letter": {"topic": "values.dlq"},
    }
    with tempfile.TemporaryDirectory() as held:
        folder = pathlib.Path(held)
        (folder / "pipeline.yaml").write_text(json.dumps(definition))
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        (folder / "parameters.json").write_text(json.dumps(parameters))
        (folder / "holidays.csv").write_text("date,name\n" + "".join(f"{day},{name}\n" for day, name in HOLIDAYS.items()))
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
    if isinstance(value, TextOf):
        return value
    return None if value is None or pd.isna(value) else float(value)


def difference(expected, actual):
    if isinstance(expected, TextOf):
        return 0.0 if expected.text == actual else math.inf
    return tables.difference(expected, actual)


def title(entry):
    chosen = {name: value for name, value in entry.options.items() if isinstance(value, (bool, str)) or name == "degree"}
    chosen = {name: value for name, value in chosen.items() if name not in ("column", "of", "by", "lat", "lon")}
    if "online" in entry.options:
        chosen["online"] = entry.options["online"]
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
        for row, expected in enumerate(values if isinstance(values, list) else np.ravel(values)):
            expected, actual = plain(expected), made[row][name]
            off = difference(expected, actual)
            compared, largest = compared + 1, max(largest, off)
            if off > TOLERANCE:
                wrong += 1
                if wrong <= SHOWN_MAX:
                    print(f"wrong: {entry.name} {entry.options}, {name}, row {row}: {actual!r}, expected {expected!r}")
    return compared, largest, wrong


def export_entries():
    """Fitted models of every transformer that tools/sklearn_params.py knows, and their names."""
    numbers = pipeline.Pipeline([("fill", impute.SimpleImputer(strategy="median", add_indicator=True)),
                                 ("scale", preprocessing.StandardScaler())])
    often = {"handle_unknown": "infrequent_if_exist", "min_frequency": 0.12, "sparse_output": False}
    words = pipeline.Pipeline([
        ("fill", impute.SimpleImputer(strategy="constant", fill_value="none")),
        ("hot", preprocessing.OneHotEncoder(drop="first", **often)),
    ])
    squares = pipeline.Pipeline([
        ("fill", impute.SimpleImputer()), ("products", preprocessing.PolynomialFeatures(2)),
        ("scale", preprocessing.StandardScaler(with_mean=False)), ("length", preprocessing.Normalizer("l1")),
    ])
    curves = pipeline.Pipeline([("curve", preprocessing.SplineTransformer(4, extrapolation="linear")),
                                ("scale", preprocessing.MaxAbsScaler())])
    classes = np.array(["low", "mid", "high"])[np.digitize(FITTED["y"], [3, 10])]
    yield "ColumnTransformer", TARGET, compose.ColumnTransformer([
        ("standardize", preprocessing.StandardScaler(), ["x", "z"]), ("minmax", preprocessing.MinMaxScaler(), ["y"]),
        ("range", preprocessing.MinMaxScaler((-1, 1), clip=True), ["y", "z"]),
        ("maxabs", preprocessing.MaxAbsScaler(), ["z"]), ("robust", preprocessing.RobustScaler(), ["z", "y"]),
        ("plain", preprocessing.RobustScaler(with_centering=False, unit_variance=True), ["y"]),
        ("power", preprocessing.PowerTransformer(), ["y"]),
        ("hot", preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["ok", "k"]),
        ("one less", preprocessing.OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False), ["ok", "k"]),
        ("not fuel", preprocessing.OneHotEncoder(drop=["fuel"], handle_unknown="ignore", sparse_output=False), ["category"]),
        ("often", preprocessing.OneHotEncoder(**often), ["category"]),
        ("ordinal", preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1,
                                                 encoded_missing_value=-2), ["category"]),
        ("few", preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=4,
                                             encoded_missing_value=-2), ["category"]),
        ("target", preprocessing.TargetEncoder(target_type="binary"), ["category", "ok"]),
        ("bins", preprocessing.KBinsDiscretizer(4, encode="ordinal", subsample=None,
                                                quantile_method="averaged_inverted_cdf"), ["y"]),
        ("levels", preprocessing.KBinsDiscretizer(3, encode="onehot", strategy="uniform", subsample=None), ["z"]),
        ("quantile", preprocessing.QuantileTransformer(n_quantiles=30, output_distribution="normal"), ["x"]),
        ("numbers", numbers, ["x", "k"]), ("words", words, ["category"]), ("squares", squares, ["y", "z"]),
        ("curves", curves, ["z", "y"]), ("missing", impute.MissingIndicator(), ["x", "category"]),
        ("above", preprocessing.Binarizer(threshold=2.5), ["z", "k"]),
        ("logs", preprocessing.FunctionTransformer(np.log1p), ["y"]),
        ("roots", preprocessing.FunctionTransformer(np.square), ["z", "k"]),
        ("as it is", "passthrough", ["k"]), ("again", "passthrough", ["k", "z"]), ("gone", "drop", ["lat"]),
    ])
    yield "TargetEncoder of classes", classes, compose.ColumnTransformer(
        [("target", preprocessing.TargetEncoder(), ["category", "ok"])])
    yield "ColumnTransformer of texts", TARGET, compose.ColumnTransformer([
        ("hash", texts.HashingVectorizer(n_features=16, analyzer="char_wb", ngram_range=(2, 4)), "text"),
        ("tfidf", texts.TfidfVectorizer(max_features=20, ngram_range=(1, 2), sublinear_tf=True, stop_words=["the"]), "text"),
        ("plain", texts.TfidfVectorizer(max_features=9, use_idf=False, norm="l1", token_pattern=r"\S+"), "text"),
        ("count", texts.CountVectorizer(max_features=10, binary=True), "text"),
    ])
    # Steps behind the columns, a selection and an estimator.
    yield "Pipeline", TARGET, pipeline.Pipeline([
        ("columns", compose.ColumnTransformer([
            ("fill", impute.SimpleImputer(), ["x"]), ("hot", preprocessing.OneHotEncoder(sparse_output=False), ["ok"]),
        ], remainder="passthrough")),
        ("both", pipeline.FeatureUnion([("scale", preprocessing.StandardScaler()),
                                        ("curve", preprocessing.SplineTransformer(3, include_bias=False))])),
        ("varied", feature_selection.VarianceThreshold(0.05)),
        ("model", linear_model.LogisticRegression()),
    ])


def check_exports(binary):
    """Fitted models through tools/sklearn_params.py, their parameters in a file of their own."""
    for name, target, made in export_entries():
        given, fitted = (ALL, FITTED) if name != "Pipeline" else (ALL[["x", "ok", "y", "k"]], FITTED[["x", "ok", "y", "k"]])
        given, fitted = given.assign(text=ALL["text"].fillna("")), fitted.assign(text=FITTED["text"].fillna(""))
        if name == "Pipeline":
            given, fitted = given.drop(columns="text"), fitted.drop(columns="text")
        made.fit(fitted, target)
        parameters, features, hidden = sklearn_params.export(made)
        jsonschema.validate(parameters, parameters_schema(binary))
        out = (made[:-1] if name == "Pipeline" else made).transform(given)
        out = np.asarray(out.todense() if hasattr(out, "todense") else out)
        found = vectors(binary, features, parameters, hide=hidden)
        names = [output for output in found[0] if output != "n"]
        entry = Entry("sklearn_params.py", {}, name, {output: out[:, i] for i, output in enumerate(names)})
        if len(names) != out.shape[1]:
            print(f"wrong: {len(names)} outputs, {name} has {out.shape[1]}: {names}")
            yield entry, (0, math.inf, 1)
        else:
            yield entry, compare(entry, found)
    yield check_hasher(binary)


def check_hasher(binary):
    """A FeatureHasher, which knows no columns."""
    made = feature_extraction.FeatureHasher(12)
    features = sklearn_params.export(made, ["ok", "k", "z"])[1]
    out = made.transform(ALL[["ok", "k", "z"]].to_dict("records")).toarray()
    entry = Entry("sklearn_params.py", {}, "FeatureHasher", {f"hash_{i}": out[:, i] for i in range(12)})
    return entry, compare(entry, vectors(binary, features))


def check_refusals():
    """What cannot be exported is said, and nothing else is made of it."""
    refused = [
        (decomposition.PCA(1), ["y"]), (impute.KNNImputer(), ["x"]), (preprocessing.FunctionTransformer(abs), ["y"]),
        (preprocessing.SplineTransformer(degree=0), ["y"]),
        (preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), ["ok"]),
        (texts.CountVectorizer(strip_accents="unicode"), "text"), (texts.CountVectorizer(token_pattern=r"\d+"), "text"),
    ]
    wrong = 0
    for transformer, columns in refused:
        made = compose.ColumnTransformer([("it", transformer, columns)]).fit(FITTED.assign(text=FITTED["text"].fillna("")))
        try:
            sklearn_params.export(made)
        except sklearn_params.Unsupported:
            continue
        print(f"wrong: {transformer} was exported")
        wrong += 1
    entry = Entry("sklearn_params.py", {"refuses": True}, "what millstream does not have", {})
    return entry, (len(refused), 0.0, wrong)


def check_vector(binary):
    """One list of all, and single floats: bit by bit those of numpy, digits the fewest that read back so."""
    features = [{"third": "z / 3"}, {"vector": {"columns": ["third", "x", "ok", "k"], "type": "float32", "nulls": 0.0}}]
    found = vectors(binary, features, type="float32", hide=["third"])
    expected = np.column_stack([ALL["z"] / 3, ALL["x"].fillna(0.0), ALL["ok"], ALL["k"]]).astype(np.float32)
    wrong = sum(set(made) != {"n", "features"} for made in found)
    for made, row in zip(found, expected):
        wrong += [np.float32(value) for value in made["features"]] != list(row)
        wrong += any(float(str(value)) != actual for value, actual in zip(row, made["features"]))
    singles = vectors(binary, [features[0], "x"], type="float32", nulls=-1)
    for made, third, x in zip(singles, expected[:, 0], ALL["x"].fillna(-1).astype(np.float32)):
        wrong += (np.float32(made["third"]), np.float32(made["x"])) != (third, x)
    return Entry("vector", {"type": "float32"}, "numpy.float32", {}), (expected.size + 2 * ROWS, 0.0, wrong)


def parameters_schema(binary):
    answer = subprocess.run([binary, "components", "--parameters"], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def check_learning(binary):
    """Features that remember, all in one pipeline over a stream of several keys."""
    made = learning.replay(binary)
    for place, entry in enumerate(learning.ENTRIES):
        single = [{"n": vector["n"], "out": vector[f"e{place}"]} for vector in made]
        yield entry, compare(Entry(entry.name, entry.options, entry.oracle, {"out": entry.outputs}), single)


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
    checked += [check_vector(arguments.binary), *check_learning(arguments.binary), *check_exports(arguments.binary), check_refusals()]
    for entry, (compared, largest, wrong) in checked:
        failed += wrong > 0
        before, off = rows.get((title(entry), entry.oracle), (0, 0.0))
        rows[title(entry), entry.oracle] = (before + compared, max(off, largest))
    covered = {entry.name for entry, _ in checked}
    missing = [name for name in known(arguments.binary) if name not in covered]
    for name in missing:
        print(f"wrong: {name} has no oracle in {pathlib.Path(__file__).name}")
    stale = tables.settle(arguments, "features", rows, "values")
    print(f"{len(checked) - failed} passed, {failed + len(missing) + stale} failed")
    return 1 if failed + len(missing) + stale else 0


if __name__ == "__main__":
    sys.exit(main())

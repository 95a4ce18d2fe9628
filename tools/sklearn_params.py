#!/usr/bin/env python3
"""Writes what scikit-learn has fitted as a parameter file of millstream.

    python tools/sklearn_params.py model.joblib > parameters.json
    python tools/sklearn_params.py model.joblib --features        # the lists for the pipeline file, too
    python tools/sklearn_params.py hasher.joblib --columns category amount

The model is a fitted ColumnTransformer, FeatureUnion, transformer or Pipeline of these over named columns,
saved by joblib or pickle; an estimator at the end of a Pipeline is left out. A transformer that was never
fitted to a data frame needs --columns. Loading a model runs code: only load what you have made. What
millstream has no feature for is an error that says so, and nothing is written.
"""

import argparse
import json
import re
import sys

VERSION = "2"
FILE = "parameters.json"


class Unsupported(Exception):
    """Something that millstream cannot do as scikit-learn does."""


def number(value):
    return float(value)


def only(transformer, **defaults):
    """Refuses options other than these."""
    for name, default in defaults.items():
        value = getattr(transformer, name)
        if value is not default and value != default:
            raise Unsupported(f"{type(transformer).__name__}({name}={value!r}): only {default!r} is supported")


def is_missing(value):
    return value is None or value != value


def shown(value):
    """A category as it stands in the name of an output."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(categories):
    """Categories as a pipeline file lists them, without the missing one."""
    values = [value.item() if hasattr(value, "item") else value for value in categories]
    values = [value for value in values if not is_missing(value)]
    values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    if not all(isinstance(value, (str, bool, int)) for value in values):
        raise Unsupported("categories that are neither text nor integers nor booleans")
    return values


class Export:
    """Features in the order in which they are made of columns and of each other."""

    def __init__(self, columns):
        self.columns = list(columns)
        self.names = set(columns)
        self.items = []

    def add(self, component, default, options, outputs=lambda name: [name], learned=None, of=(), prefix=True):
        """Makes a feature under a name that is free, and gives its outputs."""
        for count in range(1, 1_000):
            name = default if count == 1 else f"{default}_{count}"
            made = outputs(name)
            if len(set(made)) < len(made) or not prefix and not self.names.isdisjoint(made):
                raise Unsupported(f"{component} of {', '.join(of)}: outputs of one name")
            if self.names.isdisjoint(made):
                break
        self.names |= set(made)
        if component is not None and name != default:
            options = options | {"as": name}
        self.items.append({"component": component, "options": options, "name": name, "learned": learned,
                           "of": list(of), "outputs": made})
        return list(made)

    def of_column(self, component, column, default, learned, outputs=lambda name: [name]):
        return self.add(component, default, {"column": column}, outputs, learned, [column])

    def sql(self, default, text, of=()):
        return self.add(None, default, text, of=of)


def quoted(column):
    return '"' + column.replace('"', '""') + '"'


def each(component, suffix, options_of):
    """A handler: one output for each column."""
    def handle(export, made, columns):
        return [name for index, column in enumerate(columns)
                for name in export.of_column(component, column, f"{column}_{suffix}", options_of(made, index))]
    return handle


def standardize(made, index):
    mean = made.mean_[index] if made.with_mean else 0.0
    return {"mean": number(mean), "std": number(made.scale_[index] if made.with_std else 1.0)}


def minmax(made, index):
    low, high = made.feature_range
    options = {"min": number(made.data_min_[index]), "max": number(made.data_max_[index]), "clip": bool(made.clip)}
    return options | ({} if (low, high) == (0, 1) else {"feature_range": [number(low), number(high)]})


def maxabs(made, index):
    return {"max_abs": number(made.max_abs_[index])}


def robust(made, index):
    median = made.center_[index] if made.with_centering else 0.0
    return {"median": number(median), "range": number(made.scale_[index] if made.with_scaling else 1.0)}


def power(made, index):
    options = {"method": made.method.replace("-", "_"), "lambda": number(made.lambdas_[index])}
    if made.standardize:
        options |= {"mean": number(made._scaler.mean_[index]), "std": number(made._scaler.scale_[index])}
    return options


def quantile(made, index):
    return {"quantiles": [number(q) for q in made.quantiles_[:, index]], "output": made.output_distribution}


def infrequent(made, index):
    """The infrequent categories of a column, and whether missing values are among them."""
    enabled = made.min_frequency is not None or made.max_categories is not None
    rare = made.infrequent_categories_[index] if enabled else None
    rare = [] if rare is None else list(rare)
    return listed(rare), any(is_missing(value) for value in rare)


UNKNOWN = {"error": "reject", "ignore": "zeros", "infrequent_if_exist": "infrequent", "warn": "infrequent"}


def one_hot(export, made, columns):
    outputs = []
    for index, column in enumerate(columns):
        categories = made.categories_[index]
        rare, rare_missing = infrequent(made, index)
        often = [value for value in listed(categories) if value not in rare]
        options = {"values": often, "unknown": UNKNOWN[made.handle_unknown]}
        options |= {"infrequent": rare} if rare else {}
        missing = any(is_missing(value) for value in categories)
        if missing:
            options["missing"] = "infrequent" if rare_missing else "column"
        suffixes = [shown(value) for value in often]
        suffixes += ["null"] * (missing and not rare_missing) + ["infrequent"] * bool(rare)
        dropped = made.drop_idx_[index] if made.drop_idx_ is not None else None
        if dropped is not None:
            value = categories[dropped]
            if not is_missing(value) and listed([value])[0] in often:
                # The first output is the one that is dropped.
                value = listed([value])[0]
                often.remove(value)
                often.insert(0, value)
                suffixes.remove(shown(value))
                suffixes.insert(0, shown(value))
            elif len(often) > 0:
                raise Unsupported(f"OneHotEncoder that drops {value!r} of column `{column}`")
            options["drop"], suffixes = "first", suffixes[1:]
        outputs += export.of_column("one_hot", column, column, options,
                                    lambda name, suffixes=suffixes: [f"{name}_{suffix}" for suffix in suffixes])
    return outputs


def ordinal(made, index):
    rare, _ = infrequent(made, index)
    options = {"values": [value for value in listed(made.categories_[index]) if value not in rare]}
    options |= {"infrequent": rare} if rare else {}
    if made.handle_unknown == "error":
        options["unknown"] = "reject"
    elif not is_missing(made.unknown_value):
        options["unknown"] = int(made.unknown_value)
    else:
        raise Unsupported("OrdinalEncoder(unknown_value=nan): give it a number")
    missing = made.encoded_missing_value
    return options | ({} if is_missing(missing) else {"missing": int(missing)})


def target(export, made, columns):
    classes = len(made.classes_) if made.target_type_ == "multiclass" else 1
    means = made.target_mean_ if classes > 1 else [made.target_mean_]
    outputs = []
    for index, column in enumerate(columns):
        for place in range(classes):
            categories, codes = made.categories_[index], made.encodings_[place + index * classes]
            pairs = [(value, number(code)) for value, code in zip(categories, codes)]
            values = {shown(listed([value])[0]): code for value, code in pairs if not is_missing(value)}
            unknown = number(means[place])
            missing = [code for value, code in pairs if is_missing(value)]
            learned = {"values": values, "unknown": unknown, "missing": missing[0] if missing else unknown}
            suffix = f"target_{made.classes_[place]}" if classes > 1 else "target"
            outputs += export.add("target", f"{column}_{suffix}",
                                  {"column": column} | ({"as": f"{column}_{suffix}"} if classes > 1 else {}),
                                  learned=learned, of=[column])
    return outputs


def bins(export, made, columns):
    outputs = []
    for index, column in enumerate(columns):
        learned = {"edges": [number(edge) for edge in made.bin_edges_[index]]}
        count = len(learned["edges"]) - 1
        if made.encode == "ordinal":
            outputs += export.of_column("bins", column, f"{column}_bin", learned)
        else:
            outputs += export.of_column("bins", column, f"{column}_bin", learned | {"encode": "one_hot"},
                                        lambda name, count=count: [f"{name}_{bin}" for bin in range(count)])
    return outputs


EXTRAPOLATION = {"error": "reject"}


def spline(export, made, columns):
    if made.degree == 0:
        raise Unsupported("SplineTransformer(degree=0): take KBinsDiscretizer")
    outputs = []
    for index, column in enumerate(columns):
        knots = [number(knot) for knot in made.bsplines_[index].t]
        knots = knots[made.degree:len(knots) - made.degree]
        if any(before >= after for before, after in zip(knots, knots[1:])):
            raise Unsupported(f"SplineTransformer with equal knots of column `{column}`: give it knots that ascend")
        learned = {"knots": knots, "degree": int(made.degree), "include_bias": bool(made.include_bias),
                   "extrapolation": EXTRAPOLATION.get(made.extrapolation, made.extrapolation)}
        learned |= {"missing": "zeros"} if made.handle_missing == "zeros" else {}
        count = len(knots) - 1 + (0 if made.extrapolation == "periodic" else made.degree) - (not made.include_bias)
        outputs += export.of_column("spline", column, f"{column}_spline", learned,
                                    lambda name, count=count: [f"{name}_{place}" for place in range(count)])
    return outputs


def normalizer(export, made, columns):
    names = [f"{column}_normalized" for column in columns]
    if export.names.isdisjoint(names):
        return export.add("normalize", "normalized", {"columns": list(columns), "norm": made.norm}, lambda _: names, of=columns)
    return export.add("normalize", "normalized", {"columns": list(columns), "norm": made.norm, "as": "normalized"},
                      lambda name: [f"{name}_{column}" for column in columns], of=columns)


def polynomial(export, made, columns):
    least, most = made.degree if isinstance(made.degree, tuple) else (0, made.degree)
    outputs = export.sql("bias", "1.0") if made.include_bias else []
    if least <= 1 <= most:
        outputs += columns
    if most >= 2:
        if most > 4:
            raise Unsupported(f"PolynomialFeatures of degree {most}: at most 4")
        options = {"columns": list(columns), "degree": int(most), "interaction_only": bool(made.interaction_only)}
        options |= {"min_degree": int(least)} if least > 2 else {}
        factors = [[column for column, power in zip(columns, powers) for _ in range(power)]
                   for powers in made.powers_ if sum(powers) >= 2]
        if factors:
            outputs += export.add("polynomial", "polynomial", options, lambda _: ["_x_".join(names) for names in factors],
                                  of=columns, prefix=False)
    return outputs


# Of the usual patterns of tokens, what Rust writes for them.
PATTERNS = {
    r"(?u)\b\w\w+\b": None, r"\b\w\w+\b": None, r"(?u)\b\w+\b": r"[\p{L}\p{N}_]+", r"\b\w+\b": r"[\p{L}\p{N}_]+",
    r"(?u)\w+": r"[\p{L}\p{N}_]+", r"\w+": r"[\p{L}\p{N}_]+", r"\S+": r"[^\s\x1c-\x1f]+",
}


def analysis(made):
    """How a vectorizer takes texts apart."""
    only(made, input="content", strip_accents=None, preprocessor=None, tokenizer=None)
    if callable(made.analyzer):
        raise Unsupported(f"{type(made).__name__} with an analyzer of its own")
    options = {} if made.lowercase else {"lowercase": False}
    options |= {"analyzer": made.analyzer} if made.analyzer != "word" else {}
    options |= {"ngram_range": list(made.ngram_range)} if tuple(made.ngram_range) != (1, 1) else {}
    if made.analyzer == "word":
        pattern = made.token_pattern
        if pattern in PATTERNS:
            pattern = PATTERNS[pattern]
        elif not re.fullmatch(r"(\[[A-Za-z0-9_-]+\]\+?)+", pattern):
            raise Unsupported(f"token_pattern {pattern!r}: classes of letters such as [a-z]+, or the usual ones")
        options |= {"pattern": pattern} if pattern else {}
        words = made.get_stop_words()
        options |= {"stop_words": sorted(words)} if words else {}
    return options | ({"binary": True} if made.binary else {})


def the_text(made, columns):
    if len(columns) != 1:
        raise Unsupported(f"{type(made).__name__} of {len(columns)} columns: give it one by its name, not in a list")
    return columns[0]


def text_hashing(export, made, columns):
    column = the_text(made, columns)
    learned = {"outputs": int(made.n_features), **analysis(made), "norm": made.norm or "none"}
    learned |= {} if made.alternate_sign else {"alternate_sign": False}
    if made.n_features > 4_096:
        raise Unsupported(f"HashingVectorizer of {made.n_features} features: at most 4096")
    return export.of_column("text_hashing", column, f"{column}_hash", learned,
                            lambda name: [f"{name}_{place}" for place in range(made.n_features)])


def tfidf(export, made, columns):
    column = the_text(made, columns)
    terms = made.get_feature_names_out().tolist()
    if len(terms) > 4_096:
        raise Unsupported(f"{type(made).__name__} of {len(terms)} terms: at most 4096")
    if type(made).__name__ == "CountVectorizer":
        weights, more = [1.0] * len(terms), {"norm": "none"}
    else:
        weights = made.idf_.tolist() if made.use_idf else [1.0] * len(terms)
        more = {"norm": made.norm or "none"} | ({"sublinear_tf": True} if made.sublinear_tf else {})
    learned = {"vocabulary": dict(zip(terms, weights)), **analysis(made), **more}
    return export.of_column("tfidf", column, column, learned, lambda name: [f"{name}_{term}" for term in terms])


def hasher(export, made, columns):
    only(made, input_type="dict")
    options = {"columns": list(columns), "outputs": int(made.n_features), "alternate_sign": bool(made.alternate_sign)}
    return export.add("hashing", "hash", options, lambda name: [f"{name}_{place}" for place in range(made.n_features)],
                      of=columns)


def imputer(export, made, columns):
    if not is_missing(made.missing_values) and repr(made.missing_values) != "<NA>":
        raise Unsupported(f"SimpleImputer(missing_values={made.missing_values!r}): only nan and None")
    outputs = []
    for column, value in zip(columns, made.statistics_):
        value = value.item() if hasattr(value, "item") else value
        if is_missing(value):
            if not made.keep_empty_features:
                continue
            value = 0.0
        outputs += export.of_column("impute", column, f"{column}_imputed", {"value": value})
    return outputs + (indicator(export, made.indicator_, columns) if made.add_indicator else [])


def indicator(export, made, columns):
    return [name for place in made.features_
            for name in export.add("is_missing", f"{columns[place]}_is_missing", {"column": columns[place]}, of=[columns[place]])]


def binarizer(export, made, columns):
    return [name for column in columns for name in export.sql(
        f"{column}_above", f"case when {quoted(column)} > {number(made.threshold)!r} then 1 else 0 end", [column])]


# Functions by numpy's name.
FUNCTIONS = {"sqrt": "sqrt({})", "absolute": "abs({})", "square": "({0}) * ({0})"}


def function(export, made, columns):
    if made.func is None:
        return list(columns)
    name = getattr(made.func, "__name__", repr(made.func))
    is_numpy = type(made.func).__name__ == "ufunc"
    only(made, kw_args=None)
    if is_numpy and name == "log1p":
        return [out for column in columns
                for out in export.add("log1p", f"{column}_log1p", {"column": column}, of=[column])]
    if is_numpy and name in FUNCTIONS:
        return [out for column in columns for out in export.sql(
            f"{column}_{name}", FUNCTIONS[name].format(f"cast({quoted(column)} as double)"), [column])]
    raise Unsupported(f"FunctionTransformer of {name}: numpy's log1p, {', '.join(FUNCTIONS)}, or an SQL expression by hand")


def column_transformer(export, made, columns):
    outputs = []
    for name, transformer, of in made.transformers_:
        if transformer == "drop":
            continue
        outputs += handle(export, transformer, [columns[place] for place in made._transformer_to_input_indices[name]])
    return outputs


def pipeline(export, made, columns):
    for place, (name, step) in enumerate(made.steps):
        is_last = place == len(made.steps) - 1
        if is_last and place > 0 and step != "passthrough" and step is not None and not hasattr(step, "transform"):
            break
        columns = handle(export, step, columns)
    return columns


def union(export, made, columns):
    return [name for _, transformer in made.transformer_list for name in handle(export, transformer, columns)]


KNOWN = {
    "StandardScaler": each("standardize", "standardized", standardize), "MinMaxScaler": each("minmax", "minmax", minmax),
    "MaxAbsScaler": each("maxabs", "maxabs", maxabs), "RobustScaler": each("robust", "robust", robust),
    "PowerTransformer": each("power", "power", power),
    "QuantileTransformer": each("quantile_transform", "quantile", quantile),
    "OrdinalEncoder": each("ordinal", "code", ordinal), "OneHotEncoder": one_hot, "TargetEncoder": target,
    "KBinsDiscretizer": bins, "SplineTransformer": spline, "Normalizer": normalizer, "PolynomialFeatures": polynomial,
    "Binarizer": binarizer, "FunctionTransformer": function, "SimpleImputer": imputer, "MissingIndicator": indicator,
    "HashingVectorizer": text_hashing, "TfidfVectorizer": tfidf, "CountVectorizer": tfidf, "FeatureHasher": hasher,
    "ColumnTransformer": column_transformer, "Pipeline": pipeline, "FeatureUnion": union,
}


def handle(export, made, columns):
    """The outputs that a transformer makes of columns."""
    if made is None or isinstance(made, str) and made == "passthrough":
        return list(columns)
    if isinstance(made, str) and made == "drop":
        return []
    known = KNOWN.get(type(made).__name__)
    if known is not None:
        return known(export, made, columns)
    if hasattr(made, "get_support"):
        return [column for column, stays in zip(columns, made.get_support()) if stays]
    raise Unsupported(f"{type(made).__name__}: millstream has no such feature; it knows {', '.join(KNOWN)} and selections")


def columns_of(model):
    """The names of the columns that a model was fitted to."""
    names = getattr(model, "feature_names_in_", None)
    if names is None and getattr(model, "steps", None):
        return columns_of(model.steps[0][1])
    if names is None and getattr(model, "transformer_list", None):
        return columns_of(model.transformer_list[0][1])
    if names is None or any(not isinstance(name, str) for name in names):
        raise Unsupported(f"{type(model).__name__} of columns without names: fit it to a data frame, or name them by --columns")
    return list(names)


def placed(export, outputs):
    """The items in an order that gives the outputs in theirs, and the outputs that are to be hidden."""
    by_output = {name: item for item in export.items for name in item["outputs"]}
    order, leave = [], []

    def place(item):
        if not any(item is other for other in order):
            for column in item["of"]:
                if column in by_output:
                    place(by_output[column])
            order.append(item)

    def again(name):
        made = export.sql(f"{name}_again", quoted(name), [name])
        place(export.items[-1])
        return made[0]

    for name in outputs:
        if name in leave:
            name = again(name)
        elif name in by_output:
            place(by_output[name])
        else:
            order.append({"component": None, "options": None, "outputs": [name], "of": []})
        leave.append(name)
    made = [name for item in order for name in item["outputs"]]
    if [name for name in made if name in leave] != leave:
        # One stands before what it is made of: all under other names, in their order.
        leave = [again(name) for name in leave]
        order = [item for item in order if item["options"] is not None]
        made = [name for item in order for name in item["outputs"]]
    return order, [name for name in made if name not in leave]


def export(model, columns=None):
    """The parameter file, the list of features and those to be hidden, of a fitted model."""
    import sklearn

    made = Export(columns or columns_of(model))
    outputs = handle(made, model, made.columns)
    items, hidden = placed(made, outputs)
    parameters, features = {}, []
    for item in items:
        component, options = item["component"], item["options"]
        if options is None:
            features.append(item["outputs"][0])
        elif component is None:
            features.append({item["outputs"][0]: options})
        elif item["learned"] is None:
            features.append({component: options})
        else:
            of_component = parameters.setdefault(component, {})
            entry = item["name"] if "as" in options else options["column"]
            of_component[entry] = item["learned"]
            named = {} if entry == options["column"] else {"entry": entry}
            features.append({component: {**options, "from": FILE, **named}})
    tool = {"name": "sklearn_params.py", "version": VERSION, "of": f"scikit-learn {sklearn.__version__}"}
    return {"millstream_parameters": 1, "tool": tool, "features": parameters}, features, hidden


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a fitted model, saved by joblib or pickle")
    parser.add_argument("--columns", nargs="+", help="the columns that it was fitted to, if it does not know")
    parser.add_argument("--features", action="store_true",
                        help="print the `features` and `output.hide` of the pipeline file to standard error")
    arguments = parser.parse_args()
    import joblib

    try:
        parameters, features, hidden = export(joblib.load(arguments.model), arguments.columns)
    except Unsupported as error:
        sys.exit(f"not exported: {error}")
    print(json.dumps(parameters, indent=2, allow_nan=False))
    if arguments.features:
        print("features:", *(f"  - {json.dumps(feature)}" for feature in features), sep="\n", file=sys.stderr)
        if hidden:
            print(f"output:\n  hide: {json.dumps(hidden)}", file=sys.stderr)


if __name__ == "__main__":
    main()

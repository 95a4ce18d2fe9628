#!/usr/bin/env python3
"""Writes what scikit-learn has fitted as a parameter file of millstream.

    python tools/sklearn_params.py model.joblib > parameters.json
    python tools/sklearn_params.py model.joblib --features        # the list for the pipeline file, too

The model is a fitted ColumnTransformer over named columns, or a Pipeline whose one step with columns is
such a transformer, saved by joblib or pickle. Loading one runs code: only load what you have made.
What millstream has no feature for is an error that says so, and nothing is written.
"""

import argparse
import json
import sys

VERSION = "1"


class Unsupported(Exception):
    """Something that millstream cannot do as scikit-learn does."""


def number(value):
    return float(value)


def only(transformer, **defaults):
    """Refuses options other than these."""
    for name, default in defaults.items():
        value = getattr(transformer, name)
        if value != default:
            raise Unsupported(f"{type(transformer).__name__}({name}={value!r}): only {default!r} is supported")


def standardize(made, index):
    mean = made.mean_[index] if made.with_mean else 0.0
    return {"mean": number(mean), "std": number(made.scale_[index] if made.with_std else 1.0)}


def minmax(made, index):
    only(made, feature_range=(0, 1))
    return {"min": number(made.data_min_[index]), "max": number(made.data_max_[index]), "clip": bool(made.clip)}


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


def listed(categories):
    """Categories as a pipeline file lists them, without the missing one."""
    values = [value.item() if hasattr(value, "item") else value for value in categories]
    values = [value for value in values if value is not None and value == value]
    if not all(isinstance(value, (str, bool, int)) for value in values):
        raise Unsupported("categories that are neither text nor integers nor booleans")
    return values


def one_hot(made, index):
    only(made, drop=None, min_frequency=None, max_categories=None)
    values = listed(made.categories_[index])
    if len(values) < len(made.categories_[index]):
        raise Unsupported("OneHotEncoder with a column for missing values")
    return {"values": values, "unknown": "reject" if made.handle_unknown == "error" else "zeros"}


def ordinal(made, index):
    only(made, min_frequency=None, max_categories=None)
    options = {"values": listed(made.categories_[index])}
    if made.handle_unknown == "error":
        options["unknown"] = "reject"
    elif made.unknown_value == made.unknown_value:
        options["unknown"] = int(made.unknown_value)
    else:
        raise Unsupported("OrdinalEncoder(unknown_value=nan): give it a number")
    missing = made.encoded_missing_value
    return options | ({"missing": int(missing)} if missing == missing else {})


def target(made, index):
    if made.target_type_ == "multiclass":
        raise Unsupported("TargetEncoder of several classes")
    values = {str(value): number(code) for value, code in
              zip(made.categories_[index], made.encodings_[index]) if value is not None and value == value}
    codes = [number(code) for value, code in zip(made.categories_[index], made.encodings_[index])
             if value is None or value != value]
    unknown = number(made.target_mean_)
    return {"values": values, "unknown": unknown, "missing": codes[0] if codes else unknown}


def bins(made, index):
    if made.encode == "onehot":
        raise Unsupported('KBinsDiscretizer(encode="onehot"): take "onehot-dense" or "ordinal"')
    options = {"edges": [number(edge) for edge in made.bin_edges_[index]]}
    return options | ({"encode": "one_hot"} if made.encode == "onehot-dense" else {})


def quantile(made, index):
    return {"quantiles": [number(q) for q in made.quantiles_[:, index]], "output": made.output_distribution}


# The feature by the transformer's name, and the options of one column.
KNOWN = {
    "StandardScaler": ("standardize", standardize),
    "MinMaxScaler": ("minmax", minmax),
    "MaxAbsScaler": ("maxabs", maxabs),
    "RobustScaler": ("robust", robust),
    "PowerTransformer": ("power", power),
    "OneHotEncoder": ("one_hot", one_hot),
    "OrdinalEncoder": ("ordinal", ordinal),
    "TargetEncoder": ("target", target),
    "KBinsDiscretizer": ("bins", bins),
    "QuantileTransformer": ("quantile_transform", quantile),
}


def columns_of(model):
    """The transformers of a fitted model with their columns."""
    steps = getattr(model, "steps", None)
    if steps is not None:
        with_columns = [step for _, step in steps if hasattr(step, "transformers_")]
        if len(with_columns) != 1 or steps[0][1] is not with_columns[0]:
            raise Unsupported("a Pipeline that does not begin with its one ColumnTransformer")
        model = with_columns[0]
    if not hasattr(model, "transformers_"):
        raise Unsupported(f"{type(model).__name__}: expected a fitted ColumnTransformer")
    for name, transformer, columns in model.transformers_:
        if transformer == "drop" or len(columns) == 0:
            continue
        if any(not isinstance(column, str) for column in columns):
            raise Unsupported(f"`{name}` has columns without names: fit it to a data frame")
        yield name, transformer, list(columns)


def export(model):
    """The parameter file and the list of features of a fitted model."""
    import sklearn

    features, listed_features = {}, []
    for name, transformer, columns in columns_of(model):
        if transformer == "passthrough" or type(transformer).__name__ == "FunctionTransformer" and transformer.func is None:
            listed_features += columns
            continue
        if type(transformer).__name__ not in KNOWN:
            raise Unsupported(f"`{name}`, {type(transformer).__name__}: expected one of {', '.join(KNOWN)}")
        component, options_of = KNOWN[type(transformer).__name__]
        for index, column in enumerate(columns):
            of_component = features.setdefault(component, {})
            if column in of_component:
                raise Unsupported(f"`{name}`: two transformers of that kind over column `{column}`")
            of_component[column] = options_of(transformer, index)
            listed_features.append({component: {"column": column, "from": "parameters.json"}})
    tool = {"name": "sklearn_params.py", "version": VERSION, "of": f"scikit-learn {sklearn.__version__}"}
    return {"millstream_parameters": 1, "tool": tool, "features": features}, listed_features


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a fitted model, saved by joblib or pickle")
    parser.add_argument("--features", action="store_true",
                        help="print the `features` of the pipeline file to standard error")
    arguments = parser.parse_args()
    import joblib

    try:
        parameters, features = export(joblib.load(arguments.model))
    except Unsupported as error:
        sys.exit(f"not exported: {error}")
    print(json.dumps(parameters, indent=2, allow_nan=False))
    if arguments.features:
        print("features:", *(f"  - {json.dumps(feature)}" for feature in features), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()

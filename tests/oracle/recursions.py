"""What remembers without a window: what pandas' ewm and the definition say, key by key.

Records come in arrival order. A key is begun anew where the watermark is past its last value by more than
the horizon, so that each life of a key is asked about by itself.
"""

import collections
import math

import numpy as np
import pandas as pd

# Half-lives after which a key is begun anew.
HALF_LIVES = 64
SECONDS = {"30s": 30, "10m": 600}

Recursion = collections.namedtuple("Recursion", "name options keys oracle of")


class Life:
    """The records of one life of a key, in the order they came."""

    def __init__(self, records):
        self.x = pd.Series([math.nan if r["x"] is None else r["x"] for r in records])
        # Seconds since the first record: those since 1970 leave no digits for parts of them.
        self.times = np.array([(r["time_ms"] - records[0]["time_ms"]) / 1e3 for r in records])
        self.held = self.x.notna().to_numpy()

    def filled(self, values):
        """Values of the records that have one, told to those after them too."""
        told = pd.Series(math.nan, index=self.x.index)
        told[self.held] = np.asarray(values, dtype=float)
        return told.ffill()

    def newest(self):
        """Event times of values, none before an earlier one."""
        return np.maximum.accumulate(self.times[self.held])


def ewm(life, options, **more):
    """By rows: pandas itself."""
    named = {name: value for name, value in options.items() if name in ("alpha", "span", "com")}
    if "half_life" in options:
        named["halflife"] = float(options["half_life"].split()[0])
    return life.x.ewm(**named, adjust=options.get("adjust", False),
                      ignore_na=options.get("ignore_na", False), **more)


def mean_by_rows(life, options):
    return ewm(life, options).mean()


def spread_by_rows(life, options, root):
    of = ewm(life, options)
    bias = options.get("bias", False)
    spread = of.std(bias=bias) if root else of.var(bias=bias)
    # Of one value and nulls it is 0 / 0 there, up to rounding.
    return spread if bias else spread.where(pd.Series(life.held).cumsum() > 1)


def mean_by_time(life, options):
    """pandas by time. What is behind has the weight 0 without `adjust`, else that of its own time."""
    halflife = pd.Timedelta(options["half_life"])
    x = life.x[life.held].reset_index(drop=True)
    if not options.get("adjust", False):
        times = pd.to_datetime(life.newest(), unit="s")
        return life.filled(x.ewm(halflife=halflife, times=times, adjust=False).mean())
    told = []
    for n in range(1, len(x) + 1):
        order = np.argsort(life.times[life.held][:n], kind="stable")
        times = pd.to_datetime(life.times[life.held][order], unit="s")
        told.append(x[order].ewm(halflife=halflife, times=times, adjust=True).mean().iloc[-1])
    return life.filled(told)


def spread_by_time(life, options, root):
    """Sums over weights: pandas has no spread by time."""
    x, times = life.x[life.held].to_numpy(), life.times[life.held]
    half_life, told = SECONDS[options["half_life"]], []
    for n in range(1, len(x) + 1):
        if options.get("adjust", False):
            weights = 0.5 ** ((times[:n].max() - times[:n]) / half_life)
        else:
            steps = 0.5 ** (np.diff(life.newest()[:n]) / half_life)
            own = np.concatenate([[1.0], 1 - steps])
            left = np.concatenate([np.cumprod(steps[::-1])[::-1], [1.0]])
            weights = own * left
        apart = x[:n] - x[n - 1]
        biased = np.cov(apart, aweights=weights, bias=True) if n > 1 else 0.0
        if not options.get("bias", False):
            # The same as the squared sum less the sum of squares, of which little may be left.
            pairs = 2 * (weights[1:] * np.cumsum(weights)[:-1]).sum()
            alone = pairs <= 2.0**-60 * weights.sum() ** 2
            biased = math.nan if alone else biased * weights.sum() ** 2 / pairs
        told.append(math.sqrt(biased) if root else float(biased))
    return life.filled(told)


def decayed(life, options, of_values):
    """The definition, at every record."""
    told = []
    for n in range(1, len(life.x) + 1):
        held = life.held[:n]
        values = life.x[:n][held].to_numpy() if of_values else np.ones(held.sum())
        if options["half_life"].endswith("rows"):
            counted = held if options.get("ignore_na", False) else np.ones(n, bool)
            # Records from each value on to this one, those that are steps.
            ages = counted.sum() - np.cumsum(counted)[held]
            weights = 0.5 ** (ages / float(options["half_life"].split()[0]))
        else:
            times = life.times[:n][held]
            at = max(life.times[n - 1], times.max(initial=-math.inf))
            weights = 0.5 ** ((at - times) / SECONDS[options["half_life"]])
        told.append(math.fsum(values * weights))
    return pd.Series(told)


BY_ROWS = [{"alpha": 0.3}, {"span": 9.0}, {"com": 2.5}, {"half_life": "4 rows"}]
FLAGS = [{}, {"adjust": True}, {"ignore_na": True}, {"adjust": True, "ignore_na": True}]


def recursions():
    for options in BY_ROWS:
        for flags in FLAGS if "alpha" in options else FLAGS[:2]:
            yield Recursion("ewma", options | flags, {}, "pandas ewm", mean_by_rows)
    for flags in FLAGS[:2]:
        for half_life in SECONDS:
            yield Recursion("ewma", {"half_life": half_life} | flags, {}, "pandas ewm, times", mean_by_time)
    # Kept in other ways: the same arithmetic.
    yield Recursion("ewma", {"half_life": "30s"}, {"per": "partition"}, "pandas ewm, times", mean_by_time)
    yield Recursion("ewma", {"half_life": "30s", "adjust": True}, {"forget_after": "45s"}, "pandas ewm, times", mean_by_time)
    yield Recursion("ewma", {"span": 9.0}, {"exclude_current": True}, "pandas ewm", mean_by_rows)
    for name, root in (("ewm_var", False), ("ewm_std", True)):
        for flags in FLAGS:
            for bias in ({}, {"bias": True}):
                yield Recursion(name, {"alpha": 0.3} | flags | bias, {}, "pandas ewm",
                                lambda life, options, root=root: spread_by_rows(life, options, root))
        for flags in FLAGS[:2]:
            for bias in ({}, {"bias": True}):
                yield Recursion(name, {"half_life": "30s"} | flags | bias, {}, "numpy.cov, aweights",
                                lambda life, options, root=root: spread_by_time(life, options, root))
    for name, of_values in (("decayed_count", False), ("decayed_sum", True)):
        for options in ({"half_life": "30s"}, {"half_life": "10m"}, {"half_life": "4 rows"},
                        {"half_life": "4 rows", "ignore_na": True}):
            yield Recursion(name, options, {}, "math.fsum",
                            lambda life, options, of_values=of_values: decayed(life, options, of_values))


RECURSIONS = list(recursions())


def lives(records, entry, lateness_ms):
    """The places of the records of each life."""
    horizon = None
    if "forget_after" in entry.keys:
        horizon = pd.Timedelta(entry.keys["forget_after"]).total_seconds()
    elif entry.options.get("half_life") in SECONDS and "per" not in entry.keys:
        horizon = HALF_LIVES * SECONDS[entry.options["half_life"]]
    known, last, highest = collections.defaultdict(lambda: [[]]), {}, -math.inf
    for place, record in enumerate(records):
        key = None if "per" in entry.keys else record["key"]
        highest = max(highest, record["time_ms"])
        is_past = horizon is not None and key in last and highest - lateness_ms > last[key] + horizon * 1e3
        if is_past:
            known[key].append([])
            del last[key]
        known[key][-1].append(place)
        if record["x"] is not None:
            last[key] = max(record["time_ms"], last.get(key, -math.inf))
    return [life for of_key in known.values() for life in of_key if life]


def expected(records, entry, lateness_ms):
    """What each record is told."""
    told = [None] * len(records)
    for places in lives(records, entry, lateness_ms):
        values = entry.of(Life([records[place] for place in places]), entry.options)
        if "exclude_current" in entry.keys:
            values = values.shift(1)
        for place, value in zip(places, values, strict=True):
            told[place] = None if math.isnan(value) else float(value)
    return told

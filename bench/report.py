"""The tables and plots of docs/benchmark.md."""

import pathlib

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

from .card import Result
from .growth import Point
from .latency import Latency

HEAD = ("program", "records/s", "CPU us/record", "peak RSS MB", "first vector s", "records/s / floor", "CPU / floor")
# What the floor was elsewhere on such a machine (records/s, us); a slower one would flatter the ratios.
FLOOR_SLOWEST, FLOOR_COSTLIEST = 620_000, 1.8


def table(results: list[Result]) -> str:
    """Medians by program, beside the floor of the same run."""
    floor = results[0]
    lines = ["| " + " | ".join(HEAD) + " |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    for result in results:
        rate, cpu = result.median(lambda c: c.rate), result.median(lambda c: c.cpu_us)
        cells = [
            f"{result.name} {result.version}".strip(),
            f"{rate:,.0f}", f"{cpu:,.2f}",
            f"{result.median(lambda c: c.rss_mb):,.0f}", f"{result.median(lambda c: c.first_s):.1f}",
            f"{rate / floor.median(lambda c: c.rate):.3f}", f"{cpu / floor.median(lambda c: c.cpu_us):.1f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def remarks(results: list[Result]) -> str:
    """Whether the floor was slow, and whether the peers did the same work."""
    floor = results[0]
    rate, cpu = floor.median(lambda c: c.rate), floor.median(lambda c: c.cpu_us)
    slow = rate < FLOOR_SLOWEST or cpu > FLOOR_COSTLIEST
    lines = [f"* The floor is {'**slower than' if slow else 'within'} what is known of such a machine"
             f"{'**: the ratios flatter' if slow else ''} (620,000 to 917,000 records/s, 1.4 to 1.8 us)."]
    for result in results:
        if result.compared:
            lines.append(f"* {result.name}: {result.compared:,} vectors compared, {result.wrong:,} values differ.")
    spread = max(max(c.cpu_us for c in r.costs) / min(c.cpu_us for c in r.costs) for r in results) - 1
    lines.append(f"* Rounds: {len(floor.costs)}; the CPU of a row differed between its rounds by at most {spread:.0%}.")
    return "\n".join(lines)


def plot(results: list[Result], path: pathlib.Path) -> None:
    """Records per second and CPU per record, both logarithmic."""
    names = [result.name for result in results][::-1]
    figure, axes = plt.subplots(1, 2, figsize=(11, 0.42 * len(names) + 1), sharey=True)
    for axis, title, figure_of in ((axes[0], "records/s", lambda c: c.rate), (axes[1], "CPU us/record", lambda c: c.cpu_us)):
        values = [result.median(figure_of) for result in results][::-1]
        colours = ["#888888" if r.name.startswith("librdkafka") else "#b8c4d6" if r.is_peer else "#1f5fa8"
                   for r in results][::-1]
        bars = axis.barh(names, values, color=colours)
        axis.bar_label(bars, [f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in values], padding=3, fontsize=8)
        axis.set_xscale("log")
        axis.set_title(title)
        axis.margins(x=0.18)
        axis.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def latency(rows: list[Latency]) -> str:
    """Quantiles by delivery and rate."""
    lines = ["| delivery | records/s asked | reached | p50 ms | p99 ms | p99.9 ms |", "|---|---:|---:|---:|---:|---:|"]
    for row in rows:
        cells = [row.delivery, f"{row.rate:,}", f"{row.reached:,.0f}", *(f"{value:.1f}" for value in row.quantiles)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def growth(points: list[Point]) -> str:
    """Each case beside the first of its family."""
    lines = ["| what grows | | records/s | CPU us/record | to the first | MB/s of JSON per core | peak RSS MB | at rest |",
             "|---|---|---:|---:|---:|---:|---:|---:|"]
    firsts: dict[str, float] = {}
    for point in points:
        cost = point.cost
        first = firsts.setdefault(point.case.family, cost.cpu_us)
        cells = [point.case.family, point.case.label, f"{cost.rate:,.0f}", f"{cost.cpu_us:,.2f}",
                 f"{cost.cpu_us / first:.2f}", f"{point.record_bytes / cost.cpu_us:,.0f}", f"{cost.rss_mb:,.0f}",
                 f"{cost.rest_mb:,.0f}" if cost.rest_mb else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines + state(points))


def state(points: list[Point]) -> list[str]:
    """Bytes of memory per buffered event: two runs over the same keys, one with more events."""
    held = [point for point in points if point.case.family == "state"]
    if len(held) < 2:
        return []
    less, more = held[0], held[-1]
    events = more.case.records - less.case.records
    each = (more.cost.rest_mb - less.cost.rest_mb) * 2**20 / events
    return ["", f"A buffered event takes {each:.1f} bytes of resident memory (the two runs of `state`, their difference at "
                "rest: all is read, and the allocator has given back what it does not need)."]


def growth_plot(points: list[Point], path: pathlib.Path) -> None:
    """CPU per record of each family, to its first case."""
    families = list(dict.fromkeys(point.case.family for point in points))
    columns = min(4, len(families))
    rows = -(-len(families) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(3.2 * columns, 2.3 * rows), squeeze=False)
    for axis in grid.flat[len(families):]:
        axis.set_visible(False)
    for axis, family in zip(grid.flat, families):
        of = [point for point in points if point.case.family == family]
        axis.plot([point.case.label for point in of], [point.cost.cpu_us for point in of], marker="o", color="#1f5fa8")
        axis.set_title(family, fontsize=9)
        axis.set_ylabel("CPU us/record", fontsize=7)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=6)
        axis.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _save(figure, path: pathlib.Path) -> None:
    figure.tight_layout()
    # The same figures give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "millstream"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

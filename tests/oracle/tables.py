"""The tables of docs/catalogue.md: each run of an oracle writes its own, and CI compares it with what is written.

A table stands between `<!-- name -->` and `<!-- /name -->`. Its rows are (entry, oracle), each with how many values
were compared and the largest difference; an entry begins with the component's name in backticks.
"""

import json
import math
import pathlib

import numpy as np

# How far the order of a difference may be above the one written: rounding differs from one processor to the next.
ORDERS = 1
LEAST_ORDER = -16


def title(name, options):
    """An entry as the pipeline file has it: `name: { option: value }`."""
    written = ", ".join(f"{option}: {json.dumps(value)}" for option, value in options.items())
    return f"`{name}: {{ {written} }}`" if written else f"`{name}`"


def difference(expected, actual):
    """Of a value's size and absolute; infinite where one is a number and the other not."""
    is_number = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in (expected, actual)]
    if not all(is_number):
        return 0.0 if expected == actual and is_number[0] == is_number[1] else math.inf
    if math.isnan(expected) or math.isnan(actual):
        return 0.0 if math.isnan(expected) and math.isnan(actual) else math.inf
    if math.isinf(expected) or math.isinf(actual):
        return 0.0 if expected == actual else math.inf
    return abs(expected - actual) / max(1.0, abs(expected), abs(actual))


def differences(expected, actual):
    """The same of two columns of finite numbers, null as NaN."""
    expected, actual = (np.asarray(column, dtype=float) for column in (expected, actual))
    off = np.abs(expected - actual) / np.maximum(1.0, np.maximum(np.abs(expected), np.abs(actual)))
    return np.where(np.isnan(expected) & np.isnan(actual), 0.0, np.where(np.isnan(off), np.inf, off))


def shown(largest):
    """The digits differ from one processor to the next, the order hardly."""
    return "0" if largest == 0 else f"< 1e{math.ceil(math.log10(largest))}"


def order(written):
    return LEAST_ORDER if written == "0" else int(written.removeprefix("< 1e"))


def table(rows, counted):
    """`rows`: values compared and largest difference by (entry, oracle)."""
    lines = [f"| entry | oracle | {counted} compared | largest difference |", "|---|---|---:|---:|"]
    for (entry, oracle), (compared, largest) in rows.items():
        lines.append(f"| {entry} | {oracle} | {compared:,} | {shown(largest)} |")
    return "\n".join(lines)


def parts(page, mark):
    head, rest = page.split(f"<!-- {mark} -->")
    written, tail = rest.split(f"<!-- /{mark} -->")
    return head, written.strip(), tail


def write(path, mark, rows, counted):
    path = pathlib.Path(path)
    head, _, tail = parts(path.read_text(), mark)
    path.write_text(f"{head}<!-- {mark} -->\n\n{table(rows, counted)}\n\n<!-- /{mark} -->{tail}")


def stale(path, mark, rows):
    """What the table on the page says that the run did not find, one sentence each."""
    _, written, _ = parts(pathlib.Path(path).read_text(), mark)
    cells = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in written.splitlines()[2:]]
    on_page = {(entry, oracle): (compared, largest) for entry, oracle, compared, largest in cells}
    found = [f"{entry}, {oracle}, is not in the table" for entry, oracle in rows if (entry, oracle) not in on_page]
    found += [f"{entry}, {oracle}, is in the table only" for entry, oracle in on_page if (entry, oracle) not in rows]
    for key in rows.keys() & on_page.keys():
        compared, largest = rows[key]
        compared_then, largest_then = on_page[key]
        if f"{compared:,}" != compared_then:
            found.append(f"{' , '.join(key)}: {compared:,} compared, {compared_then} in the table")
        if order(shown(largest)) > max(order(largest_then), LEAST_ORDER) + ORDERS:
            found.append(f"{', '.join(key)}: off by {shown(largest)}, {largest_then} in the table")
    return found


def arguments(parser):
    parser.add_argument("--binary", required=True)
    parser.add_argument("--write", type=pathlib.Path, metavar="PAGE", help="puts the table on this page")
    parser.add_argument("--check", type=pathlib.Path, metavar="PAGE", help="fails where the table there is another")
    return parser


def settle(options, mark, rows, counted):
    """Writes or checks the table as asked; the number of complaints, each printed."""
    if options.write:
        write(options.write, mark, rows, counted)
    found = stale(options.check, mark, rows) if options.check else []
    for sentence in found:
        print(f"wrong: {options.check}: {sentence}; `--write {options.check}` makes it anew")
    return len(found)

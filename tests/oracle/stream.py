"""The log as the oracles read it: gates, and the comparison with what was published.

Input, one line per record of the source topic, in offset order within each partition:

    {"partition": 0, "offset": 17, "timestamp": 1700000000000, "key": "EWR|UA", "raw": "{..}"}

That is what `millstream replay --envelope` reads. `timestamp` is the Kafka timestamp in ms, -1 or
null where absent; `raw` is the record's text; `value`, as text or as JSON, may stand instead.
Output and rejected, one line per record of the output and the dead-letter topic:

    {"source": "flights/0/17", "value": {..}}          {"source": "flights/0/17", "reason": "late"}

`source` is topic/partition/offset of the record it came from, `value` the vector, as JSON or as
its text. An oracle is asked about well-formed records only: it stops at one that is not JSON.
"""

import argparse
import collections
import json
import re
import sys

# Both of a value's size and absolute.
TOLERANCE = 1e-9
# Mistakes printed per kind.
SHOWN_MAX = 5

UNITS_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
HOUR = UNITS_US["h"]


def span(text):
    """`90s` or `1h30m` in microseconds."""
    parts = re.findall(r"(\d+)\s*(us|ms|s|m|h|d|w)", text)
    if not parts:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 90s or 1h")
    return sum(int(number) * UNITS_US[unit] for number, unit in parts)


Record = collections.namedtuple("Record", "offset time value")


class Partition:
    """Passes the records of one partition through the gates, in offset order."""

    def __init__(self, lateness, max_ahead=HOUR):
        self.lateness = lateness
        self.max_ahead = max_ahead
        self.highest = None

    def judge(self, time, timestamp_ms):
        """The reason to reject a record with that event time, or None."""
        if timestamp_ms is not None and timestamp_ms >= 0:
            if time > timestamp_ms * 1_000 + self.max_ahead:
                return "future"
        if self.highest is not None and time < self.highest - self.lateness:
            return "late"
        self.highest = time if self.highest is None else max(self.highest, time)
        return None


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def document(written):
    """A JSON document that may be written as text."""
    return json.loads(written) if isinstance(written, str) else written


def read_input(path, event_time, lateness):
    """Returns (accepted records by partition, reason by (partition, offset) of the others)."""
    gates, accepted, rejected = {}, collections.defaultdict(list), {}
    for line in read_lines(path):
        partition, offset = line["partition"], line["offset"]
        records = accepted[partition]
        if records and offset <= records[-1].offset:
            raise SystemExit(f"{path}: partition {partition} is not in offset order at {offset}")
        value = document(line["raw"] if "raw" in line else line["value"])
        time = event_time(value)
        gate = gates.setdefault(partition, Partition(lateness))
        reason = gate.judge(time, line.get("timestamp"))
        if reason:
            rejected[partition, offset] = reason
        else:
            records.append(Record(offset, time, value))
    return accepted, rejected


def by_key(records, key):
    """Records of one partition grouped by entity, each group in offset order."""
    groups = collections.defaultdict(list)
    for record in records:
        groups[key(record.value)].append(record)
    return groups


def equal(expected, actual):
    """Numbers within the tolerance, everything else exactly; a flag is a number, 0 or 1."""
    numbers = (int, float)
    if isinstance(expected, numbers) and isinstance(actual, numbers):
        return abs(expected - actual) <= TOLERANCE * max(1.0, abs(expected), abs(actual))
    return type(expected) is type(actual) and expected == actual


def difference(expected, actual):
    """What is wrong with a vector, or None."""
    if list(expected) != list(actual):
        return f"fields are {list(actual)}, expected {list(expected)}"
    wrong = [
        f"{name} is {actual[name]!r}, expected {value!r}"
        for name, value in expected.items()
        if not equal(value, actual[name])
    ]
    return "; ".join(wrong) or None


class Report:
    """Mistakes by kind; prints the first of each kind and all counts."""

    def __init__(self):
        self.counts = collections.Counter()

    def add(self, kind, text):
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN_MAX:
            print(f"{kind}: {text}")

    def finish(self, right):
        kinds = ["missing", "duplicate", "wrong", "extra"]
        counted = ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds)
        print(f"{right} right, {counted}")
        return 1 if self.counts else 0


def place(source):
    """`topic/partition/offset` as (partition, offset)."""
    _, partition, offset = source.rsplit("/", 2)
    return int(partition), int(offset)


def compare(expected, lines, judge, allow_duplicates, report):
    """Holds lines of a topic against the expected, by source. Returns how many are right."""
    seen, right = set(), 0
    for line in lines:
        source = place(line["source"])
        if source not in expected:
            report.add("extra", line["source"])
            continue
        if source in seen and not allow_duplicates:
            report.add("duplicate", line["source"])
        seen.add(source)
        mistake = judge(expected[source], line)
        if mistake:
            report.add("wrong", f"{line['source']}: {mistake}")
        else:
            right += 1
    for source in expected:
        if source not in seen:
            report.add("missing", "{}/{}".format(*source))
    return right


def judge_vector(expected, line):
    return difference(expected, document(line["value"]))


def judge_reject(expected, line):
    return None if line["reason"] == expected else f"{line['reason']}, expected {expected}"


def main(description, lateness, event_time, vectors):
    """The command line of an oracle. `vectors(records)` yields (offset, vector or reason)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--input", required=True, help="the source topic, in offset order")
    parser.add_argument("--output", help="the vectors that were published")
    parser.add_argument("--rejected", help="the dead letters that were published")
    parser.add_argument("--lateness", type=span, default=span(lateness), metavar="DURATION")
    parser.add_argument("--allow-duplicates", action="store_true", help="at least once is enough")
    parser.add_argument("--expected", help="write the expected vectors here, as JSON lines")
    options = parser.parse_args()

    accepted, rejected = read_input(options.input, event_time, options.lateness)
    expected, dropped = {}, collections.Counter()
    for partition, records in sorted(accepted.items()):
        for offset, outcome in vectors(records):
            if isinstance(outcome, str):
                dropped[outcome] += 1
            else:
                expected[partition, offset] = outcome

    if options.expected:
        with open(options.expected, "w", encoding="utf-8") as file:
            for (partition, offset), vector in sorted(expected.items()):
                line = {"source": f"expected/{partition}/{offset}", "value": vector}
                file.write(json.dumps(line) + "\n")
    reasons = ", ".join(f"{n} {reason}" for reason, n in collections.Counter(rejected.values()).items())
    drops = ", ".join(f"{n} {reason}" for reason, n in dropped.items())
    print(f"expected: {len(expected)} vectors, rejected {reasons or 0}, dropped {drops or 0}")

    report, right = Report(), 0
    if options.output:
        lines = read_lines(options.output)
        right += compare(expected, lines, judge_vector, options.allow_duplicates, report)
    if options.rejected:
        lines = read_lines(options.rejected)
        right += compare(rejected, lines, judge_reject, options.allow_duplicates, report)
    sys.exit(report.finish(right))

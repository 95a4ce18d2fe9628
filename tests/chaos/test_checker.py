"""The checker finds each planted defect, and nothing where there is none."""

import dataclasses
import datetime
import json
import unittest
import zlib

from chaos import quality
from chaos.checker import ERRORS, KINDS, Findings, check, equal
from chaos.expected import Expected, expected
from chaos.test_oracle import log
from chaos.topics import Record

TOPIC = "run.in"
OUTPUTS = 4


def publish(wanted: Expected) -> tuple[list[Record], list[Record]]:
    """The output topics of an engine without fault."""
    ends = [0] * OUTPUTS
    vectors, letters = [], []
    for (partition, offset), outcome in wanted.vectors.items():
        source = f"{TOPIC}/{partition}/{offset}".encode()
        lane = zlib.crc32(outcome.record.key or b"") % OUTPUTS
        vectors.append(Record(lane, ends[lane], outcome.record.timestamp, outcome.record.key,
                              json.dumps(outcome.vector).encode(), (("millstream-source", source),)))
        # A marker of a transaction takes an offset now and then.
        ends[lane] += 1 + (offset % 5 == 0)
    for index, ((partition, offset), outcome) in enumerate(wanted.rejected.items()):
        said = {"topic": TOPIC, "partition": partition, "offset": offset,
                "exception.class.name": outcome.reason}
        headers = tuple((ERRORS + name, str(value).encode()) for name, value in said.items())
        record = outcome.record
        letters.append(Record(0, index, record.timestamp, record.key, record.value, record.headers + headers))
    return sorted(vectors, key=lambda r: (r.partition, r.offset)), letters


def moved(records: list[Record], first: int, second: int) -> list[Record]:
    """The records with two of them in each other's place."""
    held = records[:]
    a, b = held[first], held[second]
    held[first] = dataclasses.replace(b, partition=a.partition, offset=a.offset)
    held[second] = dataclasses.replace(a, partition=b.partition, offset=b.offset)
    return held


class Checker(unittest.TestCase):
    def setUp(self):
        self.wanted = expected("card", log(11, 2_000))
        self.vectors, self.letters = publish(self.wanted)

    def found(self, vectors=None, letters=None) -> dict[str, int]:
        findings = check(TOPIC, self.wanted, self.vectors if vectors is None else vectors,
                         self.letters if letters is None else letters)
        counts = {kind: n for kind, n in findings.counts.items() if n}
        self.assertEqual(findings.clean, not counts)
        self.assertEqual(set(findings.examples), set(counts))
        return counts

    def changed(self, **fields) -> list[Record]:
        return [dataclasses.replace(self.vectors[5], **fields) if i == 5 else r for i, r in enumerate(self.vectors)]

    def with_field(self, change) -> list[Record]:
        value = json.loads(self.vectors[5].value)
        change(value)
        return self.changed(value=json.dumps(value).encode())

    def test_a_run_without_fault_is_clean(self):
        self.assertGreater(len(self.letters), 20)
        self.assertEqual(self.found(), {})

    def test_missing(self):
        self.assertEqual(self.found(self.vectors[1:]), {"missing": 1})
        self.assertEqual(self.found(letters=self.letters[:-2]), {"missing": 2})

    def test_duplicate(self):
        last = self.vectors[-1]
        again = dataclasses.replace(last, offset=last.offset + 1)
        self.assertEqual(self.found([*self.vectors, again]), {"duplicate": 1})
        self.assertEqual(self.found(letters=[*self.letters, self.letters[0]]), {"duplicate": 1})

    def test_wrong(self):
        def add(name, amount):
            def change(value):
                value[name] += amount
            return change

        self.assertEqual(self.found(self.with_field(add("amount_count_1h", 1))), {"wrong": 1})
        self.assertEqual(self.found(self.with_field(add("lon", 1e-7))), {"wrong": 1})
        self.assertEqual(self.found(self.with_field(add("lon", 1e-10))), {})
        self.assertEqual(self.found(self.with_field(lambda v: v.pop("lon"))), {"wrong": 1})
        self.assertEqual(self.found(self.with_field(lambda v: v.update(card_id="c9"))), {"wrong": 1})
        self.assertEqual(self.found(self.changed(value=b"{")), {"wrong": 1})
        self.assertEqual(self.found(self.changed(timestamp=1)), {"wrong": 1})

    def test_wrong_dead_letters(self):
        def letter(**fields):
            return [dataclasses.replace(self.letters[0], **fields), *self.letters[1:]]

        headers = self.letters[0].headers
        reason = tuple((n, b"late2" if n.endswith("name") else v) for n, v in headers)
        for fields in ({"value": b"other"}, {"key": b"other"}, {"timestamp": 5}, {"headers": reason},
                       {"headers": (("more", b"1"), *headers)}):
            self.assertEqual(self.found(letters=letter(**fields)), {"wrong": 1}, fields)

    def test_misordered(self):
        for first in range(len(self.vectors)):
            lane = [i for i in range(first + 1, len(self.vectors))
                    if self.vectors[i].partition == self.vectors[first].partition
                    and self.source(i) == self.source(first)]
            if lane:
                break
        self.assertEqual(self.found(moved(self.vectors, first, lane[0])), {"misordered": 1})

    def source(self, index: int) -> str:
        """The input partition of a vector."""
        return self.vectors[index].header("millstream-source").split("/")[1]

    def test_the_order_of_different_partitions_is_free(self):
        for index in range(len(self.vectors) - 1):
            neighbours = self.vectors[index].partition == self.vectors[index + 1].partition
            if neighbours and self.source(index) != self.source(index + 1):
                self.assertEqual(self.found(moved(self.vectors, index, index + 1)), {})
                return
        self.fail("no such neighbours")

    def test_extra(self):
        def said(source: str) -> tuple[tuple[str, bytes]]:
            return (("millstream-source", source.encode()),)

        stranger = dataclasses.replace(self.vectors[0], offset=10**6, headers=said("run.in/0/999999"))
        self.assertEqual(self.found([*self.vectors, stranger]), {"extra": 1})
        unnamed = dataclasses.replace(stranger, headers=())
        self.assertEqual(self.found([*self.vectors, unnamed]), {"extra": 1})
        place = next(iter(self.wanted.dropped))
        dropped = dataclasses.replace(stranger, headers=said(f"run.in/{place[0]}/{place[1]}"))
        self.assertEqual(self.found([*self.vectors, dropped]), {"extra": 1})
        other = dataclasses.replace(stranger, headers=said("other.in/0/0"))
        self.assertEqual(self.found([*self.vectors, other]), {"extra": 1})

    def test_findings_survive_json(self):
        findings = check(TOPIC, self.wanted, self.vectors[3:], self.letters)
        again = Findings.from_json(json.loads(json.dumps(findings.as_json())))
        self.assertEqual(again.summary(), findings.summary())
        self.assertEqual(tuple(findings.as_json()["counts"]), KINDS)


class Verdicts(unittest.TestCase):
    """Each planted defect in the topic of verdicts is found, and nothing where there is none."""

    def setUp(self):
        self.wanted = expected("state", log(12, 3_000)).verdicts
        self.told = [self.message(number, at, verdict) for number, held in self.wanted.items()
                     for at, verdict in enumerate(held)]

    def message(self, number: int, at: int, told: quality.Told, **changed) -> Record:
        start = datetime.datetime.fromtimestamp(told.begin / 1_000_000, datetime.UTC).isoformat()
        is_sampled = told.observed is quality.SAMPLED
        value = {"window": {"start": start}, "expectation": told.expectation, "count": told.count,
                 "observed": 0.5 if is_sampled else told.observed, "verdict": "passed" if is_sampled else told.verdict}
        source = f"{TOPIC}/{number}/{told.offset}".encode()
        return Record(0, at, 0, None, json.dumps(value | changed).encode(), (("millstream-source", source),))

    def found(self, told: list[Record]) -> dict[str, int]:
        findings = Findings()
        quality.compare(findings, TOPIC, self.wanted, told)
        return {kind: n for kind, n in findings.counts.items() if n}

    def test_each_defect(self):
        number, told = next((number, held[8]) for number, held in self.wanted.items())
        self.assertGreater(len(self.told), 200)
        self.assertEqual({told.verdict for held in self.wanted.values() for told in held} - {""}, {"passed", "failed"})
        self.assertEqual(self.found(self.told), {})
        self.assertEqual(self.found(self.told[:-3]), {"missing": 3})
        self.assertEqual(self.found([*self.told, self.told[0]]), {"duplicate": 1})
        self.assertEqual(self.found([self.told[1], self.told[0], *self.told[2:]]), {"misordered": 1})
        for changed in ({"count": told.count + 1}, {"observed": 17}, {"observed": None}, {"verdict": "skipped"}):
            other = [*self.told[:8], self.message(number, 8, told, **changed), *self.told[9:]]
            self.assertEqual(self.found(other), {"wrong": 1}, changed)
        moved = dataclasses.replace(told, offset=told.offset + 1)
        self.assertEqual(self.found([*self.told[:8], self.message(number, 8, moved), *self.told[9:]]), {"wrong": 1})
        self.assertEqual(self.found([*self.told, self.message(number, 8, told, expectation="other")]), {"extra": 1})
        self.assertEqual(self.found([*self.told, Record(0, 0, 0, None, b"{", ())]), {"extra": 1})


class Equality(unittest.TestCase):
    def test_integers_and_texts_are_exact_and_floats_nearly(self):
        self.assertTrue(equal(1.0, 1))
        self.assertTrue(equal(1, True))
        self.assertFalse(equal(10**12, 10**12 + 1))
        self.assertFalse(equal("1", 1))
        self.assertFalse(equal(None, 0))
        self.assertTrue(equal(1e6, 1e6 * (1 + 5e-10)))
        self.assertFalse(equal(1e6, 1e6 * (1 + 5e-9)))
        self.assertTrue(equal([1, 2.0], [1, 2]))
        self.assertFalse(equal([1], [1, 2]))


if __name__ == "__main__":
    unittest.main()

"""The oracle against brute force, the gates against cases written by hand."""

import json
import random
import unittest

from chaos import order
from chaos.cards import POISON, START_MS, Cards, Mix
from chaos.expected import card_features, card_source, expected
from chaos.gates import Gates, Passed, Undecodable, decode, valid
from chaos.state import Lane, Trail, fill
from chaos.topics import Record

NOW_MS = START_MS + 10_000_000_000


def log(seed: int, count: int, partitions: int = 3, mix: Mix = Mix(), step_ms: int = 20_000) -> list[Record]:
    """A topic as the feed would make it."""
    rnd, offsets, records = random.Random(seed), [0] * partitions, []
    for _, event in zip(range(count), Cards(seed, cards=7, step_ms=step_ms, mix=mix), strict=False):
        partition = rnd.randrange(partitions)
        offset = offsets[partition]
        offsets[partition] += rnd.choice((1, 1, 1, 2))
        records.append(Record(partition, offset, NOW_MS, event.key, event.value, event.headers))
    return sorted(records, key=lambda r: (r.partition, r.offset))


def brute_force(records: list[Record]) -> dict[int, tuple[int, float, float | None]]:
    """Count, sum and maximum of each passed record's hour, by looking at all before it."""
    gates, passed, found = Gates(card_source()), [], {}
    for record in records:
        judged = gates.judge(record)
        if not isinstance(judged, Passed):
            continue
        passed.append(judged)
        card, now = judged.value["card_id"], judged.value["ts"]
        amounts = [
            p.value["amount"] for p in passed
            if p.value["card_id"] == card and now - 3_600_000 <= p.value["ts"] <= now
            and p.value["amount"] is not None
        ]
        found[record.offset] = len(amounts), sum(amounts), max(amounts, default=None)
    return found


class Oracle(unittest.TestCase):
    def test_windows_are_those_of_brute_force(self):
        for seed in range(5):
            records = [r for r in log(seed, 600) if r.partition == 0]
            wanted = brute_force(records)
            self.assertGreater(len(wanted), 100)
            for record, ending, _ in card_features(records):
                if isinstance(ending, str):
                    self.assertNotIn(record.offset, wanted)
                    continue
                count, total, greatest = wanted[record.offset]
                self.assertEqual(ending["amount_count_1h"], count)
                self.assertAlmostEqual(ending["amount_sum_1h"], total, places=6)
                self.assertEqual(ending["amount_max_1h"], greatest)

    def test_every_record_has_one_outcome(self):
        records = log(3, 5_000, mix=Mix(poison=80, late=80, future=20, tombstone=20))
        found = expected("card", records)
        places = [*found.vectors, *found.rejected, *found.dropped]
        self.assertEqual(len(places), len(set(places)))
        self.assertEqual(len(places), found.records)
        reasons = {outcome.reason for outcome in found.rejected.values()}
        self.assertEqual(reasons, {"undecodable", "invalid", "future", "late"})
        self.assertEqual(set(found.dropped.values()), {"tombstone"})


class EveryKindOfState(unittest.TestCase):
    """The pieces of the state oracle against their definitions over the whole history."""

    def history(self, seed: int, count: int = 300):
        """(time, watermark, value or None) in arrival order, some of it late."""
        rnd, highest = random.Random(seed), 0
        for _ in range(count):
            time = max(0, highest - 10 + rnd.randrange(-30, 25))
            yield time, highest - 10, rnd.choice((None, float(rnd.randrange(9))))
            highest = max(highest, time)

    def test_windows_by_time(self):
        for seed in range(20):
            lane, before = Lane(keep_time=50), []
            for time, watermark, value in self.history(seed):
                lane.take(time, watermark, value)
                for over, closed in ((20, "right"), (50, "both")):
                    after = max(time - over + (closed == "right"), watermark - 50)
                    held = sorted((t, i, v) for i, (t, v) in enumerate(before) if after <= t <= time)
                    wanted = [v for _, _, v in held if v is not None] + [value] * (value is not None)
                    self.assertEqual(lane.span(over, closed), wanted)
                earlier = [t for t, v in before if v is not None and max(time - 19, watermark - 50) <= t <= time]
                self.assertEqual(lane.since_last(20), (time - max(earlier)) / 1e6 if earlier else None)
                before.append((time, value))

    def test_windows_by_rows(self):
        for seed in range(20):
            lane, before = Lane(keep_rows=4), []
            for time, watermark, value in self.history(seed):
                lane.take(time, watermark, value)
                ordered = sorted((t, i, v) for i, (t, v) in enumerate(before))
                older = [row for row in ordered if row[0] < watermark]
                visible = [row for row in ordered if row not in older[: max(0, len(older) - 4)]]
                window = [v for t, _, v in visible if t <= time][-3:] + [value]
                self.assertEqual(lane.rows(4), [v for v in window if v is not None])
                before.append((time, value))

    def test_the_last_value(self):
        for seed in range(20):
            trail, before = Trail(), []
            for time, watermark, value in self.history(seed):
                found = fill(trail, value, time, watermark, 25, "none")
                if value is None:
                    ordered = sorted((t, i) for i, (t, _) in enumerate(before))
                    passed = [row for row in ordered if row[0] <= watermark]
                    left = [row for row in ordered if row not in passed[:-1] and row[0] >= watermark - 25]
                    seen = [row for row in left if time - 25 <= row[0] <= time]
                    self.assertEqual(found, before[seen[-1][1]][1] if seen else "none")
                else:
                    self.assertEqual(found, value)
                    before.append((time, value))

    def test_every_outcome_happens(self):
        mix = Mix(late=100, tombstone=20, repeated=100, null_amount=200, null_channel=200, no_key=10)
        found = expected("state", log(5, 6_000, partitions=1, mix=mix, step_ms=1_500))
        vectors = [outcome.vector for outcome in found.vectors.values()]
        self.assertGreater(sum(outcome.late for outcome in found.vectors.values()), 100)
        for flag in ("amount_is_outlier", "amount_is_extreme", "amount_was_missing"):
            self.assertIn(True, {vector[flag] for vector in vectors}, flag)
        reasons = {outcome.reason for outcome in found.rejected.values()}
        self.assertEqual(reasons, {"undecodable", "invalid", "misplaced", "future"})
        self.assertEqual(set(found.dropped.values()), {"tombstone", "duplicate"})


class OrderOfEventTime(unittest.TestCase):
    def test_what_leaves_is_in_order_between_ticks_and_nothing_is_lost(self):
        records = log(7, 3_000, partitions=1, mix=Mix(late=60, null_channel=100), step_ms=1_500)
        ticks = [(records[900].offset, 1), (records[2_000].offset, 1)]
        found = list(order.endings(records, ticks + [(records[-1].offset + 1, 1)]))
        self.assertEqual(len(found), len(records))
        self.assertEqual({record.offset for record, _, _ in found}, {record.offset for record in records})
        times = [ending["ts"] for _, ending, _ in found if not isinstance(ending, str)]
        self.assertEqual(times, sorted(times))
        late = sum(ending == "late" for _, ending, _ in found)
        without = sum(ending == "late" for _, ending, _ in order.endings(records, []))
        self.assertGreater(late, without)
        self.assertGreater(without, 10)
        held = {record.offset for record in records}
        held -= {record.offset for record, _, _ in order.endings(records, ticks)}
        self.assertTrue(0 < len(held) <= order.MAX_HELD)


class GatesOfAPartition(unittest.TestCase):
    def record(self, value: bytes | None, offset: int = 0, **fields) -> Record:
        if value is None and fields:
            held = {"tx_id": "t", "card_id": "c", "merchant_id": "m", "category": "fuel", "amount": 1,
                    "currency": "EUR", "lat": 1, "lon": 2, "channel": "web", "ts": START_MS, **fields}
            value = json.dumps(held).encode()
        return Record(0, offset, NOW_MS, b"c", value)

    def test_poison_ends_before_any_state(self):
        gates = Gates(card_source())
        for poison in POISON:
            self.assertIn(gates.judge(self.record(poison)), ("undecodable", "invalid"), poison)
        self.assertEqual(gates.judge(self.record(None)), "tombstone")
        self.assertEqual(gates.judge(self.record(b"x" * 2_000_000)), "oversize")
        self.assertIsNone(gates.watermark)

    def test_late_is_judged_before_the_watermark_moves_and_future_never_moves_it(self):
        gates = Gates(card_source())

        def judge(ts: int) -> str:
            judged = gates.judge(self.record(None, ts=ts))
            return judged if isinstance(judged, str) else "passed"

        self.assertEqual(judge(START_MS), "passed")
        self.assertEqual(judge(START_MS - 5_000), "passed")
        self.assertEqual(judge(START_MS - 5_001), "late")
        self.assertEqual(judge(NOW_MS + 3_600_001), "future")
        self.assertEqual(judge(START_MS - 5_000), "passed")
        self.assertEqual(judge(NOW_MS + 3_600_000), "passed")
        self.assertEqual(judge(START_MS), "late")

    def test_decoding_refuses_what_readers_read_differently(self):
        for raw in (b"", b"{", b'{"a":1,"a":2}', b'{"b":{"a":1,"a":1}}', b"NaN", b'{"a":\xff}', b"[1,]"):
            with self.assertRaises(Undecodable):
                decode(raw)
        self.assertEqual(decode(b' {"a": [1, 2.5, null]} '), {"a": [1, 2.5, None]})

    def test_an_unknown_keyword_stops_the_oracle(self):
        with self.assertRaises(NotImplementedError):
            valid("x", {"pattern": "x"})
        self.assertFalse(valid(True, {"type": "integer"}))
        self.assertTrue(valid(None, {"type": ["number", "null"]}))


if __name__ == "__main__":
    unittest.main()

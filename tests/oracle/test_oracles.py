"""The oracles on cases small enough to work out by hand: `python -m unittest discover tests/oracle`."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zoneinfo

import card
import flights
import flights_input
import numpy as np
import stream
import tables
import windows

ROOT = pathlib.Path(__file__).resolve().parents[2]


def places(found):
    return [list(p) for p in found]


class Tables(unittest.TestCase):
    PAGE = "# Page\n\n<!-- kind -->\n\n<!-- /kind -->\nrest\n"
    ROWS = {("`sum`", "math.fsum"): (1_200, 3e-15), ("`max`", "max"): (7, 0.0)}

    def test_a_table_that_was_written_is_not_stale(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text(self.PAGE)
            tables.write(page, "kind", self.ROWS, "values")
            self.assertTrue(page.read_text().startswith("# Page\n\n<!-- kind -->\n\n| entry | oracle | values compared"))
            self.assertIn("| `sum` | math.fsum | 1,200 | < 1e-14 |", page.read_text())
            self.assertTrue(page.read_text().endswith("<!-- /kind -->\nrest\n"))
            self.assertEqual(tables.stale(page, "kind", self.ROWS), [])
            rounded = self.ROWS | {("`sum`", "math.fsum"): (1_200, 9e-14), ("`max`", "max"): (7, 2e-16)}
            self.assertEqual(tables.stale(page, "kind", rounded), [])
            for other in (
                self.ROWS | {("`min`", "min"): (7, 0.0)},
                {("`max`", "max"): (7, 0.0)},
                self.ROWS | {("`max`", "max"): (8, 0.0)},
                self.ROWS | {("`sum`", "math.fsum"): (1_200, 2e-13)},
                self.ROWS | {("`max`", "max"): (7, 1e-13)},
            ):
                self.assertEqual(len(tables.stale(page, "kind", other)), 1, other)

    def test_numbers_are_compared_by_size_and_everything_else_as_it_is(self):
        self.assertEqual(tables.difference(2.0, 2.5), 0.2)
        self.assertEqual(tables.difference(0.25, 0.5), 0.25)
        self.assertEqual(tables.difference(float("inf"), float("inf")), 0.0)
        self.assertEqual(tables.difference(float("nan"), float("nan")), 0.0)
        self.assertEqual(tables.difference("a", "a"), 0.0)
        for expected, actual in ((None, 0.0), (True, 1), (float("inf"), 1e308), (float("nan"), 0.0), ([1], [2])):
            self.assertEqual(tables.difference(expected, actual), float("inf"), (expected, actual))


class Windows(unittest.TestCase):
    # Arrival: t = 10, 30, 20, 30. By place: 10 (offset 0), 20 (2), 30 (1), 30 (3).
    events = windows.Events([10, 30, 20, 30], [0, 1, 2, 3])

    def test_a_record_sees_what_precedes_it_up_to_its_own_time(self):
        # The record at 30 with offset 1 does not see the one at 20, which came after it.
        self.assertEqual(places(self.events.windows(15)), [[0], [0, 1], [2], [1, 2, 3]])

    def test_either_end_is_open_or_closed(self):
        self.assertEqual(places(self.events.windows(10)), [[0], [1], [2], [2, 3]])
        self.assertEqual(places(self.events.windows(10, "both")), [[0], [0, 1], [2], [1, 2, 3]])
        self.assertEqual(places(self.events.windows(10, "left")), [[], [0], [], [1]])
        self.assertEqual(places(self.events.windows(10, "none")), [[], [], [], []])

    def test_a_window_may_end_before_its_record(self):
        self.assertEqual(places(self.events.windows(10, delay=10)), [[], [0], [], [1]])
        self.assertEqual(places(self.events.windows(10, "both", delay=10)), [[], [0], [0], [0, 1]])

    def test_the_record_itself_may_be_left_out(self):
        found = self.events.windows(10, without_own=True)
        self.assertEqual(places(found), [[], [], [], [2]])

    def test_spans_of_a_grid_begin_with_their_beginning(self):
        self.assertEqual(places(self.events.tumbling(20)), [[0], [1], [2], [1, 2, 3]])
        self.assertEqual(places(self.events.tumbling(20, offset=10)), [[0], [0, 1], [2], [2, 3]])
        self.assertEqual(places(self.events.tumbling(20, previous=True)), [[], [0], [0], [0]])

    def test_days_of_a_zone(self):
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        hour = 3_600_000_000
        # 2026-03-29 there is from 23 h UTC of the day before to 22 h UTC.
        start = windows.shown_first(20_541 * windows.DAY, berlin)
        events = windows.Events([start - 1, start, start + 23 * hour - 1, start + 23 * hour], range(4))
        self.assertEqual(places(events.tumbling(windows.DAY, zone=berlin)), [[0], [1], [1, 2], [3]])
        before = places(events.tumbling(windows.DAY, zone=berlin, previous=True))
        self.assertEqual(before, [[], [0], [0], [1, 2]])
        # Clocks are moved over 02:10 then, at 01 h UTC.
        missing = windows.shown_first(20_541 * windows.DAY + 130 * 60_000_000, berlin)
        self.assertEqual(missing, start + 2 * hour)

    def test_a_session_ends_with_a_pause(self):
        events = windows.Events([10, 15, 30, 34, 60], range(5))
        every = np.ones(5, dtype=bool)
        found = events.session(5, 100, every)
        self.assertEqual(places(found), [[0], [0, 1], [2], [2, 3], [4]])
        found = events.session(5, 100, every, previous=True)
        self.assertEqual(places(found), [[], [], [0, 1], [0, 1], [2, 3]])
        self.assertEqual(places(events.session(5, 3, every)), [[0], [1], [2], [3], [4]])
        # One that does not count is not of a session and does not hold one together.
        some = np.array([True, False, True, True, True])
        self.assertEqual(places(events.session(5, 100, some))[:2], [[0], [0]])

    def test_rows_count_back_from_the_own_place(self):
        self.assertEqual(places(self.events.rows(2)), [[0], [0, 1], [0, 2], [2, 3]])

    def test_a_window_may_be_asked_for_some_places_only(self):
        among = np.array([True, False, True, True])
        found = self.events.windows(15, among=among)
        self.assertEqual(places(found), [[0], [0], [2], [2, 3]])

    def test_rows_look_as_far_back_as_needed(self):
        # A hundred that came later stand between the two that the record sees.
        events = windows.Events([0, *range(2, 102), 200], [0, *range(3, 103), 2])
        self.assertEqual(places(events.rows(2))[-1], [0, 101])

    def test_columns_follow_the_places(self):
        column = self.events.column([1, None, 3, 4])
        self.assertEqual(list(column[[0, 1, 3]]), [1, 3, 4])
        self.assertEqual(list(windows.present(column)), [1, 3, 4])


class Aggregates(unittest.TestCase):
    def test_values(self):
        values = np.array([2.0, 4.0, 9.0])
        self.assertEqual(windows.count(values), 3)
        self.assertEqual(windows.total(values), 15)
        self.assertEqual(windows.mean(values), 5)
        self.assertEqual(windows.std(values), 13**0.5)
        self.assertEqual((windows.least(values), windows.greatest(values)), (2, 9))
        self.assertEqual((windows.first(values), windows.last(values)), (2, 9))

    def test_an_empty_window(self):
        empty = np.array([])
        self.assertEqual((windows.count(empty), windows.total(empty)), (0, 0))
        null = [windows.mean, windows.std, windows.least, windows.greatest, windows.last]
        self.assertEqual([of(empty) for of in null], [None] * len(null))
        self.assertIsNone(windows.std(np.array([1.0])))


class Gates(unittest.TestCase):
    def test_late_is_before_the_watermark_as_it_stood(self):
        gate = stream.Partition(lateness=5)
        times = [100, 95, 94, 110, 104, 105]
        self.assertEqual(
            [gate.judge(t, None) for t in times], [None, None, "late", None, "late", None]
        )

    def test_a_future_record_does_not_move_the_watermark(self):
        gate = stream.Partition(lateness=0, max_ahead=1_000)
        self.assertIsNone(gate.judge(2_000, 1))
        self.assertEqual(gate.judge(2_001, 1), "future")
        self.assertIsNone(gate.judge(2_000, -1))

    def test_durations(self):
        self.assertEqual(stream.span("1h30m"), 5_400_000_000)
        self.assertEqual(stream.span("24h"), flights.DAY)


def flight(minute, delay, **other):
    """A flight of one key, scheduled that many minutes into Monday 7 January 2013."""
    scheduled = f"2013-01-07T{minute // 60:02}:{minute % 60:02}:00Z"
    return {
        "origin": "EWR",
        "dest": "IAH",
        "carrier": "UA",
        "flight": minute,
        "tailnum": "N1",
        "sched_dep": scheduled,
        "dep_delay": delay,
        "distance": 1400,
        "cancelled": delay is None,
        **other,
    }


def fold(oracle, values):
    """Outcomes of records of one partition, in offset order."""
    records = [stream.Record(i, oracle.event_time(v), v) for i, v in enumerate(values)]
    return [outcome for _, outcome in sorted(oracle.vectors(records), key=lambda pair: pair[0])]


class Flights(unittest.TestCase):
    def test_windows_are_as_of_the_scheduled_departure(self):
        vectors = fold(flights, [flight(60, 0), flight(180, 10), flight(70, 20)])
        self.assertEqual([v["dep_delay_count_3h"] for v in vectors], [1, 2, 2])
        self.assertEqual([v["dep_delay_mean_3h"] for v in vectors], [0, 5, 10])
        self.assertEqual([v["since_departure_s"] for v in vectors], [None, 7200, 600])
        self.assertEqual([v["previous_delay"] for v in vectors], [None, 0, 0])

    def test_ties_are_ordered_by_offset(self):
        vectors = fold(flights, [flight(60, 4), flight(60, 8, flight=2)])
        self.assertEqual([v["dep_delay_mean_1h"] for v in vectors], [4, 6])
        self.assertEqual(vectors[1]["since_departure_s"], 0)
        self.assertIsNone(vectors[1]["previous_delay"])

    def test_a_cancelled_flight_takes_the_last_delay_of_six_hours(self):
        minutes = [(60, 300), (420, None), (421, None)]
        vectors = fold(flights, [flight(*m) for m in minutes])
        # Filled before it is clipped.
        self.assertEqual([v["dep_delay"] for v in vectors], [240, 240, 0])
        self.assertEqual([v["dep_delay_was_missing"] for v in vectors], [False, True, True])
        self.assertEqual([v["dep_delay_mean_24h"] for v in vectors], [240, 240, 240])
        self.assertEqual(vectors[2]["cancelled_share_24h"], 2 / 3)

    def test_an_outlier_needs_twenty_others_with_a_spread(self):
        usual = [flight(i, i % 2) for i in range(20)]
        self.assertFalse(fold(flights, [*usual[1:], flight(30, 99)])[-1]["dep_delay_is_outlier"])
        self.assertTrue(fold(flights, [*usual, flight(30, 99)])[-1]["dep_delay_is_outlier"])
        equal = [flight(i, 1) for i in range(20)]
        self.assertFalse(fold(flights, [*equal, flight(30, 99)])[-1]["dep_delay_is_outlier"])

    def test_a_repeated_flight_is_dropped_and_counts_once(self):
        outcomes = fold(flights, [flight(60, 1), flight(60, 1), flight(61, 1)])
        self.assertEqual(outcomes[1], "duplicate")
        self.assertEqual(outcomes[2]["flights_24h"], 2)

    def test_the_day_begins_at_midnight_and_the_week_on_monday(self):
        vector = fold(flights, [flight(0, 1)])[0]
        for period in ("day", "week"):
            self.assertEqual(vector[f"sched_dep_{period}_sin"], 0)
            self.assertEqual(vector[f"sched_dep_{period}_cos"], 1)


def payment(ts, amount, card="c1", **other):
    return {
        "tx_id": str(ts),
        "card_id": card,
        "category": "fuel",
        "amount": amount,
        "lat": 0.0,
        "lon": 8.5,
        "channel": "web",
        "ts": ts,
        **other,
    }


class Card(unittest.TestCase):
    def test_the_window_holds_both_ends_of_the_hour(self):
        hour = 3_600_000
        vectors = fold(card, [payment(0, 1.0), payment(hour, 2.0), payment(hour + 1, None)])
        self.assertEqual([v["amount_sum_1h"] for v in vectors], [1, 3, 2])
        self.assertEqual([v["amount_count_1h"] for v in vectors], [1, 2, 1])
        self.assertEqual([v["amount_std_1h"] for v in vectors], [None, 0.5**0.5, None])
        self.assertIsNone(vectors[2]["log_amount"])

    def test_cards_are_apart(self):
        vectors = fold(card, [payment(0, 1.0), payment(0, 5.0, card="c2", channel="pos")])
        self.assertEqual([v["amount_max_1h"] for v in vectors], [1, 5])
        self.assertEqual([v["is_web"] for v in vectors], [1, 0])
        self.assertEqual([vectors[0][f"category_{c}"] for c in ("fuel", "cash")], [1, 0])


class Comparison(unittest.TestCase):
    """The command line, on files."""

    def run_card(self, output, rejected=(), *options):
        source = [payment(0, 1.0), payment(10_000, 3.0), payment(1, 3.0)]
        with tempfile.TemporaryDirectory() as folder:
            files = {
                "input": [
                    {"partition": 2, "offset": 5 + i, "timestamp": -1, "raw": json.dumps(v)}
                    for i, v in enumerate(source)
                ],
                "output": output,
                "rejected": rejected,
            }
            command = [sys.executable, str(ROOT / "tests/oracle/card.py"), *options]
            for name, lines in files.items():
                path = pathlib.Path(folder, name)
                path.write_text("".join(json.dumps(line) + "\n" for line in lines))
                command += [f"--{name}", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def setUp(self):
        first, second = fold(card, [payment(0, 1.0), payment(10_000, 3.0)])
        self.first = {"source": "t/2/5", "value": json.dumps(first)}
        self.second = {"source": "t/2/6", "value": second}
        self.late = {"source": "t/2/7", "reason": "late"}

    def test_all_is_right(self):
        code, text = self.run_card([self.second, self.first], [self.late])
        self.assertEqual(code, 0, text)
        self.assertIn("3 right, 0 missing, 0 duplicate, 0 wrong, 0 extra", text)

    def test_missing_and_extra(self):
        extra = {**self.first, "source": "t/2/9"}
        code, text = self.run_card([self.first, extra])
        self.assertEqual(code, 1)
        self.assertIn("1 right, 2 missing, 0 duplicate, 0 wrong, 1 extra", text)

    def test_duplicates_are_allowed_on_request_and_still_compared(self):
        twice = [self.first, self.second, self.second]
        self.assertEqual(self.run_card(twice, [self.late])[0], 1)
        self.assertEqual(self.run_card(twice, [self.late], "--allow-duplicates")[0], 0)
        wrong = {**self.second, "value": {**self.second["value"], "lon": 8.6}}
        code, text = self.run_card([*twice, wrong], [self.late], "--allow-duplicates")
        self.assertEqual(code, 1)
        self.assertIn("lon is 8.6, expected 8.5", text)

    def test_wrong_values_reasons_and_orders(self):
        def wrong(change):
            return self.run_card([self.first, {**self.second, "value": change}], [self.late])

        value = self.second["value"]
        self.assertEqual(wrong({**value, "amount_sum_1h": 4 + 1e-10})[0], 0)
        for change in ({"amount_sum_1h": 4 + 1e-8}, {"amount_count_1h": None}, {"tx_id": 10_000}):
            self.assertIn("1 wrong", wrong({**value, **change})[1])
        self.assertIn("fields are", wrong(dict(sorted(value.items())))[1])
        other = {**self.late, "reason": "future"}
        self.assertIn("1 wrong", self.run_card([self.first, self.second], [other])[1])


class Data(unittest.TestCase):
    def test_a_record_holds_what_is_known_at_departure(self):
        row = {
            "origin": "EWR", "dest": "IAH", "carrier": "UA", "flight": "1545", "tailnum": "",
            "sched_dep": "2013-01-01T10:15:00Z", "dep_delay": "", "distance": "1400",
            "arr_delay": "11",
        }  # fmt: skip
        record = flights_input.record(row)
        schema = json.loads((ROOT / "config/pipelines/flights.schema.json").read_text())
        self.assertEqual(list(record), schema["required"])
        self.assertEqual(
            (record["tailnum"], record["dep_delay"], record["cancelled"]), (None, None, True)
        )


if __name__ == "__main__":
    unittest.main()

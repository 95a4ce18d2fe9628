"""The parts of the harness that decide what a run means."""

import contextlib
import io
import pathlib
import random
import socket
import tempfile
import threading
import time
import unittest

from chaos import failpoints, mutants, snapshots
from chaos.answers import BrokersLoss, ToldLoss, told_by
from chaos.broker import Broker, group_log
from chaos.cards import Cards
from chaos.daemon import Page
from chaos.episode import Shape, deck, named, plans
from chaos.faults import FAULTS, JOINT
from chaos.monitor import quantile
from chaos.proxy import Network
from chaos.report import MARKS, page, put_between_marks, summary
from chaos.scene import FILES, PROTOCOLS, pipeline_text
from chaos.units import Ledger, Unit, carry_out, totals
from chaos.verdict import Injected, Verdict


class Schedules(unittest.TestCase):
    def test_a_seed_gives_the_same_events_and_faults(self):
        def made(seed: int):
            events = Cards(seed)
            return [events.next() for _ in range(500)], deck(FAULTS, random.Random(seed), 60)

        self.assertEqual(made(5), made(5))
        self.assertNotEqual(made(5)[0], made(6)[0])

    def test_a_deck_has_every_kind_before_it_repeats_one(self):
        drawn = deck(FAULTS, random.Random(1), 2 * len(FAULTS))
        self.assertEqual({f.name for f in drawn[: len(FAULTS)]}, {f.name for f in FAULTS})
        self.assertEqual([f.name for f in named(JOINT, ("SIGKILL",))], ["broker SIGKILL and restart"])
        self.assertEqual(deck([], random.Random(1), 3), [])

    def test_each_pipeline_meets_each_protocol_and_each_number_of_workers(self):
        made = [plan for seed in range(24) for plan in plans("p", seed, Shape(pipelines=tuple(FILES)))]
        combinations = {(plan.pipeline, plan.protocol, plan.workers) for plan in made}
        self.assertEqual(len(combinations), len(FILES) * len(PROTOCOLS) * 2)

    def test_every_place_meets_every_action_that_applies(self):
        cases = failpoints.all_cases()
        self.assertEqual(len(cases), 12 * 5 + 2)
        self.assertEqual(len(cases), len(set(cases)))
        self.assertEqual(len({m.name for m in mutants.MUTANTS}), 10)


def answer(member: str, epoch: int, partitions: int | None) -> bytes:
    """A ConsumerGroupHeartbeat response of version 1, by the protocol's description."""
    told = b"\xff" if partitions is None else b"\x01"
    if partitions is not None:
        topic = bytes(16) + bytes([partitions + 1]) + bytes(4 * partitions) + b"\0"
        told += (b"\x02" + topic if partitions else b"\x01") + b"\0"
    return (b"corr" + b"\0" + bytes(4) + bytes(2) + b"\0" + bytes([len(member) + 1]) + member.encode()
            + epoch.to_bytes(4) + (5000).to_bytes(4) + told + b"\0")


class Lost(unittest.TestCase):
    def test_a_group_lies_in_the_log_that_java_says(self):
        self.assertEqual([group_log(name) for name in ("ep-696892-5-1", "", "a", "zzzzzzzz")], [0, 0, 1, 0])

    def test_a_broker_that_lost_a_group_excuses_what_is_missing_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as home:
            broker = Broker(pathlib.Path(home))
            log = pathlib.Path(home) / "broker.log"
            log.write_text("ERROR Failed to load metadata from __consumer_offsets-1 with epoch 3 due to that.\n")
            self.assertEqual(broker.lost("ep-696892-5-1"), "")
            self.assertIn("with epoch 3 due to that", broker.lost("a"))
        verdict = Verdict("a", 1, "card", "kip848", violations=["no recovery"])
        verdict.findings.add("missing", "0/1")
        self.assertFalse(verdict.clean)
        verdict.lost_by_broker = "Failed to load"
        self.assertTrue(verdict.clean)
        verdict.findings.add("duplicate", "0/0")
        self.assertFalse(verdict.clean)


class Answers(unittest.TestCase):
    def test_an_answer_is_read(self):
        self.assertEqual(told_by(answer("m-1", 7, None)), (b"m-1", 7, None))
        self.assertEqual(told_by(answer("m-1", 7, 0)), (b"m-1", 7, 0))
        self.assertEqual(told_by(answer("m-2", 9, 3)), (b"m-2", 9, 3))
        failed = bytearray(answer("m", 1, 2))
        failed[10] = 25
        self.assertIsNone(told_by(bytes(failed)))

    def test_the_one_that_tells_more_within_an_epoch_is_lost_once(self):
        loss = ToldLoss()
        kept = [("a", 1, 0), ("a", 1, 1), ("b", 1, 2), ("a", 1, None), ("a", 2, 2)]
        self.assertFalse(any(loss.takes(answer(*told)) for told in kept))
        self.assertTrue(loss.takes(answer("b", 1, 3)))
        self.assertFalse(loss.takes(answer("a", 2, 3)))
        self.assertEqual(loss.count, 1)

    def test_a_metadata_answer_keeps_all_but_the_brokers(self):
        def text(word: str) -> bytes:
            return bytes([len(word) + 1]) + word.encode()

        head, rest = b"corr" + b"\0" + bytes(4), text("cluster") + (1).to_bytes(4) + b"\x01\0"
        brokers = [id.to_bytes(4) + text("localhost") + (9092).to_bytes(4) + rack + b"\0"
                   for id, rack in ((1, b"\0"), (2, text("a")))]
        whole = head + bytes([len(brokers) + 1]) + b"".join(brokers) + rest
        loss = BrokersLoss()
        self.assertEqual(loss.leaves(whole), whole)
        loss.is_on = True
        self.assertEqual(loss.leaves(whole), head + b"\x01" + rest)
        self.assertEqual(loss.count, 1)


class Pipelines(unittest.TestCase):
    def test_every_pipeline_gets_a_name_and_topics_of_its_own(self):
        for path in FILES.values():
            text = pipeline_text(path.read_text(), "run-1")
            for part in ("pipeline: run-1", "topics: [run-1.in]", "topic: run-1.out", "topic: run-1.dlq"):
                self.assertEqual(text.count(part), 1, f"{path.name}: {part}")
            self.assertNotIn("delivery:", text)


class Store(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.store = pathlib.Path(held.name)
        for partition in (0, 1):
            folder = self.store / "p" / "hash" / "t" / "-" / str(partition)
            folder.mkdir(parents=True)
            for offset in (5, 900, 1000):
                (folder / f"{offset:020}-{0:010}-ff{partition}.snap").write_bytes(b"state %d" % offset)
            (folder / f"{2000:020}-{0:010}-ff.snap.1.staged").write_bytes(b"half")

    def newest(self) -> list[bytes]:
        return [path.read_bytes() for path in snapshots.newest(self.store)]

    def test_the_newest_is_damaged_and_the_others_are_not(self):
        rnd = random.Random(1)
        for damage in (snapshots.corrupt, snapshots.truncate, snapshots.empty):
            self.setUp()
            self.assertEqual(self.newest(), [b"state 1000"] * 2)
            self.assertEqual(damage(self.store, rnd), 2)
            self.assertNotIn(b"state 1000", self.newest())
            self.assertEqual(sum(p.read_bytes() == b"state 900" for p in snapshots.files(self.store)), 2)

    def test_deleted_moved_and_swapped(self):
        rnd = random.Random(1)
        snapshots.from_the_future(self.store, rnd)
        self.assertTrue(all(p.name.startswith(f"{1001000:020}-") for p in snapshots.newest(self.store)))
        snapshots.delete(self.store, rnd)
        self.assertEqual(self.newest(), [b"state 1000"] * 2)
        snapshots.newest(self.store)[0].write_bytes(b"other")
        snapshots.swap(self.store, rnd)
        self.assertEqual(self.newest(), [b"state 1000", b"other"])
        self.assertEqual(snapshots.delete_all(self.store, rnd), 6)
        self.assertEqual(snapshots.files(self.store), [])


class Links(unittest.TestCase):
    """A link in front of a server that sends back what it gets."""

    def setUp(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.echo, daemon=True).start()
        self.network = Network()
        self.link = self.network.link(self.server.getsockname()[1])
        self.addCleanup(self.server.close)
        self.addCleanup(self.network.close)

    def echo(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    @staticmethod
    def answer(connection):
        with connection:
            while held := connection.recv(1000):
                connection.sendall(held)

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.link.port), timeout=0.5)
        self.addCleanup(made.close)
        return made

    def ask(self, connection: socket.socket) -> bytes:
        connection.sendall(b"hello")
        return connection.recv(100)

    def test_delayed_silent_healed_and_cut(self):
        connection = self.connect()
        self.assertEqual(self.ask(connection), b"hello")
        self.link.delay(0.1)
        began = time.monotonic()
        self.assertEqual(self.ask(connection), b"hello")
        self.assertGreater(time.monotonic() - began, 0.15)
        self.link.narrow(50)
        began = time.monotonic()
        self.assertEqual(self.ask(connection), b"hello")
        self.assertGreater(time.monotonic() - began, 0.08)
        self.assertLess(time.monotonic() - began, 0.4, "up only")
        self.link.silence()
        with self.assertRaises(TimeoutError):
            self.ask(connection)
        self.link.heal()
        self.assertEqual(connection.recv(100), b"hello")
        self.link.cut()
        with self.assertRaises(OSError):
            self.assertEqual(self.ask(connection), b"")
            raise ConnectionResetError
        with self.assertRaises(OSError):
            self.assertEqual(self.ask(self.connect()), b"")
            raise ConnectionResetError
        self.link.heal()
        self.assertEqual(self.ask(self.connect()), b"hello")


class Results(unittest.TestCase):
    def verdict(self, name: str, passed: bool) -> Verdict:
        verdict = Verdict(name, 1, "card", "static", faults=[Injected("SIGKILL of one", 2.5, 3.0)])
        verdict.passed = passed
        return verdict

    def test_a_run_goes_on_where_it_was_left(self):
        with tempfile.TemporaryDirectory() as held:
            out, done = pathlib.Path(held), []

            def unit(name: str, breaks: bool = False) -> Unit:
                def run() -> list[Verdict]:
                    done.append(name)
                    if breaks:
                        raise ValueError("broken")
                    return [self.verdict(name, True)]

                return Unit(name, "random", run)

            with contextlib.redirect_stdout(io.StringIO()):
                carry_out([unit("a"), unit("b", breaks=True)], Ledger(out, {"seed": 1, "commit": "abc"}, False), 2)
                ledger = Ledger(out, {"seed": 2, "commit": "def"}, True)
                carry_out([unit("a"), unit("b"), unit("c")], ledger, 1)
            self.assertEqual(sorted(done), ["a", "b", "c"])
            self.assertEqual(ledger.header["seed"], 1)
            self.assertEqual(ledger.header["commit"], "abc (up to unit 2), def")
            self.assertEqual(totals(ledger), (2, 1))
            told = [text for verdict in ledger.verdicts() for text in verdict.violations]
            self.assertIn("ValueError: broken", told[0])

    def test_the_page_shows_faults_and_mutants(self):
        with tempfile.TemporaryDirectory() as held:
            header = {"command": "c", "seed": 1, "commit": "abc", "machine": "m", "broker": {"a": "1"}}
            ledger = Ledger(pathlib.Path(held), header, False)
            ledger.note(Unit("x", "random", list), [self.verdict("x", True)])
            survivor = mutants.judge(self.verdict("mutant-no-replay", False))
            ledger.note(Unit("m", "mutant", list), [survivor])
            text = page(summary(ledger))
            self.assertIn("| SIGKILL of one | 1 | 2.5 | 2.5 | 3.0 |", text)
            self.assertIn("| `no_replay` | **survived**: survived |", text)

    def test_what_stands_between_the_marks_is_replaced_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "page.md")
            path.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
            put_between_marks(path, "| new |")
            self.assertEqual(path.read_text(), f"before\n{MARKS[0]}\n| new |\n{MARKS[1]}\nafter\n")
            path.write_text("no marks")
            with self.assertRaises(ValueError):
                put_between_marks(path, "| new |")

    def test_a_mutant_is_found_by_results_or_digest_alone(self):
        survivor = self.verdict("mutant-x", True)
        survivor.violations.append("it was slow")
        self.assertFalse(mutants.judge(survivor).passed)
        survivor.findings.add("duplicate", "x")
        self.assertTrue(mutants.judge(survivor).passed)
        diverged = self.verdict("mutant-y", False)
        diverged.counters["divergence"] = 1.0
        self.assertTrue(mutants.judge(diverged).passed)

    def test_quantiles_and_metrics(self):
        self.assertEqual(quantile([3.0, 1.0, 2.0], 0.5), 2.0)
        self.assertEqual(quantile([1.0], 0.99), 1.0)
        self.assertIsNone(quantile([], 0.5))
        found = Page('# HELP a b\na{x="1",y="2"} 3\na{x="2"} 4\nab 9\n')
        self.assertEqual(found.sum("a"), 7)
        self.assertEqual(found.sum("a", 'x="2"'), 4)
        self.assertEqual(found.sum("c"), 0)


if __name__ == "__main__":
    unittest.main()

"""The units of work of a run, what became of each, and where a run that was cut off goes on."""

import concurrent.futures
import dataclasses
import json
import pathlib
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from .verdict import Verdict


@dataclasses.dataclass(frozen=True)
class Unit:
    """A piece of a run that is done or not done: an episode, a case."""

    id: str
    kind: str
    run: Callable[[], list[Verdict]]


class Ledger:
    """Results by unit, written to `state.json` after each, so that a run can be continued."""

    def __init__(self, out: pathlib.Path, header: dict[str, Any], resume: bool):
        self.out = out
        self._path = out / "state.json"
        self._lock = threading.Lock()
        self.header = header
        self.units: dict[str, dict[str, Any]] = {}
        if resume and self._path.exists():
            held = json.loads(self._path.read_text())
            self.header = {**header, **held["header"]}
            self.units = held["units"]
            now, before = header.get("commit", ""), held["header"]["commit"]
            if now not in before:
                self.header["commit"] = f"{before} (up to unit {len(self.units)}), {now}"

    def take(self, other: "Ledger") -> None:
        """What another run has shown, beside this one; nothing is written."""
        self.units |= other.units
        for word in ("command", "commit"):
            self.header[word] += f"; {other.header[word]}"

    def has(self, unit: Unit) -> bool:
        return unit.id in self.units

    def note(self, unit: Unit, verdicts: list[Verdict]) -> None:
        """Writes what became of a unit, whole or not at all."""
        with self._lock:
            self.units[unit.id] = {"kind": unit.kind, "verdicts": [v.as_json() for v in verdicts]}
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps({"header": self.header, "units": self.units}))
            partial.replace(self._path)

    def verdicts(self, kind: str | None = None) -> list[Verdict]:
        """Verdicts of all units of a kind, in the order in which they were noted."""
        with self._lock:
            return [
                Verdict.from_json(held)
                for unit in self.units.values() if kind in (None, unit["kind"])
                for held in unit["verdicts"]
            ]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def carry_out(units: list[Unit], ledger: Ledger, width: int) -> None:
    """Runs what is not done yet, `width` units side by side."""

    def work(unit: Unit) -> None:
        say(f"{unit.id}: begins")
        try:
            verdicts = unit.run()
        except Exception:  # a broken case is a failed one, and the others go on
            verdicts = [Verdict(unit.id, 0, "-", "-", violations=[traceback.format_exc(limit=-4)])]
        ledger.note(unit, verdicts)
        for verdict in verdicts:
            state = "ok" if verdict.passed else "FAILED"
            note = f" ({verdict.note})" if verdict.note else ""
            say(f"{state}{note} after {verdict.seconds:.0f} s: {verdict.report()}")

    left = [unit for unit in units if not ledger.has(unit)]
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        running = [pool.submit(work, unit) for unit in left]
        for done in concurrent.futures.as_completed(running):
            done.result()


def totals(ledger: Ledger) -> tuple[int, int]:
    """Verdicts passed and failed."""
    verdicts = ledger.verdicts()
    passed = sum(verdict.passed for verdict in verdicts)
    return passed, len(verdicts) - passed


def conclude(ledger: Ledger) -> int:
    """Prints the totals line alone; returns the exit code."""
    passed, failed = totals(ledger)
    for verdict in ledger.verdicts():
        if not verdict.passed:
            print(f"failed: {verdict.name} (seed {verdict.seed})", file=sys.stderr)
    print(f"{passed} passed, {failed} failed", flush=True)
    # A run with this mark is over; without it there is something to go on with.
    (ledger.out / "complete").touch()
    return 1 if failed or not passed else 0

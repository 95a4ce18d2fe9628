"""Small cases: two daemons, a few thousand records, one thing that goes wrong at a named place.

`Case` drives a scene from the first vector to the verdict; failpoints and mutants are built on it.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable

from .broker import Broker
from .daemon import Binary, Daemon
from .episode import recover
from .faults import TAKEOVER_S, kill, now
from .scene import SESSION_S, TRANSACTION_S, Plan, Scene
from .verdict import Verdict, finish, new_verdict, timed

FIRES_WITHIN_S = 30.0
# No snapshot is made: every takeover replays from the beginning.
NO_SNAPSHOTS = {"snapshots.interval": "1h", "snapshots.records": "100000000"}
# A snapshot every few hundred records: every takeover loads one.
MANY_SNAPSHOTS = {"snapshots.interval": "1s", "snapshots.records": "300"}


@dataclasses.dataclass
class Run:
    """A small case while it runs."""

    scene: Scene
    verdict: Verdict

    def armed(self, slot: str, failpoints: str) -> Daemon:
        """Starts the slot with failpoints set."""
        return self.scene.start(slot, {"MILLSTREAM_FAILPOINTS": failpoints})

    def wait_for_end(self, daemon: Daemon, what: str) -> bool:
        """Waits until the daemon has ended by itself."""
        return self.wait(what, lambda: not daemon.alive)

    def wait(self, what: str, done: Callable[[], bool], seconds: float = FIRES_WITHIN_S) -> bool:
        """Waits; notes a violation and returns False when it does not happen."""
        try:
            self.scene.wait(what, seconds, done)
            return True
        except TimeoutError as error:
            self.verdict.violations.append(str(error))
            return False

    def flow(self, seconds: float) -> None:
        """Lets it run undisturbed."""
        time.sleep(seconds)

    def zombie(self, daemon: Daemon, what: str) -> bool:
        """Waits until it has stopped itself, and wakes it when its peers have taken over."""
        if not self.wait(what, lambda: daemon.state == "T"):
            return False
        daemon.is_stopped = True
        time.sleep(SESSION_S * 1.5)
        daemon.cont()
        return True

    def kill_all(self) -> None:
        """SIGKILL of every daemon, and a start of each."""
        running = self.scene.running()
        kill(self.scene, running)
        for slot in running:
            self.scene.start(slot)

    def recover(self, kind: str, began: float, bound: float = TAKEOVER_S) -> None:
        """Waits until everything that is in the log now is published."""
        recover(self.scene, kind, began, now(), bound, self.verdict)


@dataclasses.dataclass(frozen=True)
class Case:
    """What is hurt and how; `hurt` gets a scene whose first slots already publish."""

    name: str
    hurt: Callable[[Run], None]
    plan: Plan
    first: tuple[str, ...] = ("s0", "s1")
    with_restart: bool = False
    # Through the broker's links, from this one on: another one for each such case.
    first_link: int | None = None

    def run(self, broker: Broker, binary: Binary, home: pathlib.Path) -> Verdict:
        """Runs it to its verdict; what does not happen in time is a violation, not an error."""
        began = time.monotonic()
        at = self.first_link
        links = None if at is None else broker.links[at:at + 3]
        scene = Scene(self.plan, broker, binary, home, links)
        verdict = new_verdict(scene)
        try:
            scene.open(list(self.first))
            self.hurt(Run(scene, verdict))
            finish(scene, verdict, self.with_restart)
        except (TimeoutError, RuntimeError) as error:
            verdict.violations.append(str(error))
        finally:
            scene.close()
        verdict.passed = verdict.clean
        return timed(verdict, began)


def small_plan(name: str, seed: int, pipeline: str = "card", protocol: str = "cooperative", **more) -> Plan:
    """Six partitions, two slots, a few thousand records in half a minute."""
    settings = {"rate": 250, "cards": 30, "partitions": 6, "slots": 2, **more}
    return Plan(name=name, seed=seed, pipeline=pipeline, protocol=protocol, **settings)


SLEEP_MS = int(TRANSACTION_S * 1200)

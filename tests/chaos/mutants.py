"""Defects planted into a test build, each with a case that must find it.

A mutant that survives fails the run, and so does a case that finds something without its mutant:
a suite that cries always is as bad as one that never does.
"""

import dataclasses
import time
from collections.abc import Callable

from . import snapshots
from .cards import Mix
from .faults import kill, now
from .scene import SESSION_S
from .small import MANY_SNAPSHOTS, NO_SNAPSHOTS, Case, Run, small_plan
from .verdict import Verdict

# A transaction that outlives its process for so long that its heirs ask while it is open.
LONG_TRANSACTION = {"kafka.producer_properties.transaction.timeout.ms": "30000"}


def kill_all_twice(run: Run) -> None:
    """Every state is made anew, twice."""
    for _ in range(2):
        run.flow(2.5)
        began = now()
        run.kill_all()
        run.recover("SIGKILL of all", began)
    run.flow(1)


def idle_then_killed(run: Run) -> None:
    """Partitions get nothing until they have let go what they hold; then every state is made anew."""
    for _ in range(2):
        run.flow(2.5)
        run.scene.feed.pause()
        run.wait("ticks", lambda: not run.scene.positions.holding)
        began = now()
        run.kill_all()
        run.scene.feed.resume()
        run.recover("SIGKILL of all", began)
    run.flow(1)


def zombies(failpoints: str) -> Callable[[Run], None]:
    """One stops itself inside a transaction until its peers have gone on without it."""

    def hurt(run: Run) -> None:
        began = now()
        kill(run.scene, ["s0"])
        daemon = run.armed("s0", failpoints)
        if run.zombie(daemon, failpoints):
            run.recover("zombie", began)
        run.flow(1)

    return hurt


def killed_at(*failpoints: str) -> Callable[[Run], None]:
    """One after the other, a daemon kills itself there and is started again."""

    def hurt(run: Run) -> None:
        for failpoint in failpoints:
            began = now()
            kill(run.scene, ["s0"])
            daemon = run.armed("s0", failpoint)
            if run.wait_for_end(daemon, failpoint):
                run.scene.start("s0")
            run.recover(failpoint, began)
        run.flow(1)

    return hurt


def heirs_in_doubt(run: Run) -> None:
    """One dies with positions in an open transaction: its heirs cannot know them until it comes back."""
    failpoint = "after_send_offsets=kill@15"
    began = now()
    kill(run.scene, ["s0"])
    daemon = run.armed("s0", failpoint)
    if run.wait_for_end(daemon, failpoint):
        # Those of a hand-over would stop partitions that have no position.
        snapshots.delete_all(run.scene.snapshots)
        time.sleep(SESSION_S + 6)
        run.scene.start("s0")
    run.recover("death inside a transaction", began)
    run.flow(1)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A defect, and where it is looked for."""

    name: str
    hurt: Callable[[Run], None]
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    mix: Mix | None = None
    pipeline: str = "card"


MUTANTS = [
    Mutant("no_replay", kill_all_twice, NO_SNAPSHOTS),
    Mutant("no_epoch_check", zombies("before_send_offsets=stop@15")),
    Mutant("unfenced_metadata", zombies("before_send_offsets=stop@15")),
    Mutant("commit_before_flush", killed_at("before_send_offsets=kill@20")),
    Mutant("snapshot_uncommitted", kill_all_twice, MANY_SNAPSHOTS),
    Mutant("wrong_position", kill_all_twice, MANY_SNAPSHOTS),
    Mutant("reset_to_earliest", heirs_in_doubt, NO_SNAPSHOTS | LONG_TRANSACTION),
    Mutant("hash_order", kill_all_twice, MANY_SNAPSHOTS),
    Mutant(
        "dead_letter_outside",
        killed_at("before_send_offsets=kill@15", "after_send_offsets=kill@15"),
        mix=Mix(poison=250),
    ),
    Mutant("tick_forgotten", idle_then_killed, NO_SNAPSHOTS, pipeline="order"),
]


def case(mutant: Mutant, seed: int, is_on: bool, pipelines: tuple[str, ...]) -> Case:
    """The mutant's case with the mutant, or as a control without."""
    word = mutant.name.replace("_", "-")
    pipeline = mutant.pipeline if mutant.pipeline in pipelines else pipelines[0]
    plan = small_plan(
        f"{'mutant' if is_on else 'control'}-{word}", seed, pipeline,
        settings=mutant.settings, mix=mutant.mix,
        environment={"MILLSTREAM_MUTANT": mutant.name} if is_on else {},
    )
    return Case(plan.name, mutant.hurt, plan)


def judge(verdict: Verdict) -> Verdict:
    """A mutant's case passes when results were wrong, or a replay said that it diverged."""
    diverged = verdict.counters.get("divergence", 0) > 0
    verdict.passed = bool(not verdict.findings.clean or diverged)
    counts = ", ".join(f"{n} {kind}" for kind, n in verdict.findings.counts.items())
    verdict.note = counts or ("the digest differed" if diverged else "survived")
    return verdict

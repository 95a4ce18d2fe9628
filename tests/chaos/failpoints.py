"""Every named place of the protocol, with everything that can happen there: enumerated cases."""

import time

from .faults import TAKEOVER_S, kill
from .scene import TRANSACTION_S
from .small import NO_SNAPSHOTS, SLEEP_MS, Case, Run, small_plan

# Which passage of a place is hurt: late enough that the daemon is at work there.
PLACES = {
    "after_poll": 60,
    "mid_produce": 20,
    "before_send_offsets": 20,
    "after_send_offsets": 20,
    "during_end_txn": 20,
    "after_commit": 20,
    "snapshot_before_put": 3,
    "snapshot_after_put": 3,
    "after_assign": 1,
    "in_revoke": 1,
    "during_replay": 1,
    "during_shutdown": 1,
}
ACTIONS = ("kill", "stop", "sleep", "panic", "exit", "enospc")
ENDS = ("kill", "panic", "exit")


def applies(place: str, action: str) -> bool:
    """A disk is full only where something is written to it."""
    return action != "enospc" or place.startswith("snapshot_")


def all_cases() -> list[tuple[str, str]]:
    return [(place, action) for place in PLACES for action in ACTIONS if applies(place, action)]


def provoke(run: Run, place: str, armed: str):
    """Brings an armed daemon to the place; returns it."""
    scene = run.scene
    if place == "during_replay":
        run.flow(3)
        # Both: a peer that takes over hands its state on with the partitions, and nothing is replayed.
        kill(scene, ["s0", "s1"])
    daemon = run.armed("s0", armed)
    if place in ("in_revoke", "during_shutdown"):
        run.wait("the armed daemon's partitions", lambda: (
            (page := daemon.metrics()) is not None and page.sum("millstream_partitions_assigned") > 0
            and daemon.is_ready()
        ))
        if place == "in_revoke":
            scene.start("s2")
        else:
            daemon.terminate()
    return daemon


def hurt(run: Run, place: str, action: str) -> None:
    """The one thing that goes wrong."""
    scene, began = run.scene, time.monotonic()
    word = {"sleep": f"sleep:{SLEEP_MS}"}.get(action, action)
    daemon = provoke(run, place, f"{place}={word}@{PLACES[place]}")
    what = f"{place}={action} to happen"
    if action == "stop":
        run.zombie(daemon, what)
    elif action in ENDS:
        # A panic may be survived by the process; then its log says that it happened.
        run.wait(what, lambda: not daemon.alive or (action == "panic" and said(daemon, place)))
        run.flow(1)
    elif run.wait(what, lambda: said(daemon, place)) and action == "sleep":
        run.flow(TRANSACTION_S * 1.2)
    if place == "during_shutdown" and daemon.alive:
        try:
            daemon.wait(TAKEOVER_S)
        except TimeoutError as error:
            run.verdict.violations.append(str(error))
    for slot, life in scene.daemons.items():
        if not life.alive:
            scene.start(slot)
    run.recover(f"{place} {action}", began)
    run.flow(1)


def said(daemon, place: str) -> bool:
    """Whether the daemon's log names the failpoint: each that acts says so first."""
    return any("failpoint" in line and place in line for line in daemon.written().splitlines())


def case(place: str, action: str, seed: int, pipeline: str = "card", protocol: str = "cooperative") -> Case:
    """The case of one place and one action."""
    name = f"fp-{place.replace('_', '-')}-{action}"
    plan = small_plan(
        name, seed, pipeline, protocol, slots=3,
        settings=NO_SNAPSHOTS if place == "during_replay" else {},
    )
    first = ("s0", "s1") if place == "during_replay" else ("s1",)
    return Case(name, lambda run: hurt(run, place, action), plan, first)

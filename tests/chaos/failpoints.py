"""Every named place of the protocol, with everything that can happen there: enumerated cases."""

import time
from collections.abc import Callable

from .answers import BrokersLoss, JoinLoss, ToldLoss
from .faults import TAKEOVER_S, kill, now
from .scene import SESSION_S, TRANSACTION_S
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
LOSS_ATTEMPTS = 3
# For so long a broker lists none; then it takes a worker so long to know that its client is cut off:
# until it asks (15 s), is not answered (10 s), and once more (10 s); the rest is for joining.
FORGOTTEN_S = 8.0
CUT_OFF_S = 60.0
NO_BROKERS = "the client has no brokers any more"


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


def lose_answer(run: Run) -> None:
    """The answer that tells a member one more partition does not arrive: brokers tell it once."""
    link = run.scene.link("s2")
    try:
        for _ in range(LOSS_ATTEMPTS):
            began, loss = now(), link.lose(ToldLoss())
            if tell_in_parts(run, lambda: loss.count > 0):
                break
            # On a slow machine s1 was put out, and all of it told at once in a new epoch.
            kill(run.scene, ["s2"])
            run.flow(SESSION_S + 2)
        else:
            run.verdict.violations.append("no answer told a member one more partition")
        run.recover("answer lost", began)
    finally:
        link.heal()
    run.flow(1)


def lose_join(run: Run) -> None:
    """The answer to a member that joins does not arrive; it is the only one, so nothing is published."""
    link = run.scene.link("s0")
    try:
        began = kill(run.scene, ["s0"])
        loss = link.lose(JoinLoss())
        run.scene.start("s0")
        run.wait("an answer to be lost", lambda: loss.count > 0)
        run.recover("join lost", began)
    finally:
        link.heal()
    run.flow(1)


def lose_rejoin(run: Run) -> None:
    """The answer to a member that joins again does not arrive, while it keeps partitions: it is the
    only one left."""
    link = run.scene.link("s0")
    try:
        loss = link.lose(JoinLoss(is_on=False))
        run.verdict.violations += run.scene.terminate(["s0"])
        for slot in ("s0", "s1"):
            run.scene.start(slot)
        run.wait("both have partitions", lambda: all(
            (page := run.scene.daemons[slot].metrics()) is not None
            and page.sum("millstream_partitions_assigned") > 0 for slot in ("s0", "s1")))
        loss.is_on, began = True, now()
        run.verdict.violations += run.scene.terminate(["s1"])
        del run.scene.daemons["s1"]
        run.wait("an answer to be lost", lambda: loss.count > 0)
        run.recover("rejoin lost", began, CUT_OFF_S)
    finally:
        link.heal()
    run.flow(1)


def lose_brokers(run: Run) -> None:
    """A member is told that there are no brokers. Its client believes that for good, or not: that is a
    matter of moments, so it is told so until it does."""
    link = run.scene.link("s0")
    try:
        loss = link.lose(BrokersLoss())
        run.verdict.violations += run.scene.terminate(["s0"])
        began = now()
        daemon = run.scene.start("s0")
        run.recover("SIGTERM and restart", began)
        for _ in range(LOSS_ATTEMPTS):
            told, loss.is_on, began = loss.count, True, now()
            run.wait("an answer without brokers", lambda told=told: loss.count > told)
            run.flow(FORGOTTEN_S)
            loss.is_on = False
            run.recover("brokers forgotten", began, CUT_OFF_S)
            if NO_BROKERS in daemon.written():
                run.verdict.note = "a client lost its brokers"
                break
    finally:
        link.heal()
    run.flow(1)


def tell_in_parts(run: Run, is_done: Callable[[], bool]) -> bool:
    """A third member is told its partitions one after the other: what s1 gives back comes later."""
    run.scene.daemons["s1"].stop()
    heir = run.scene.start("s2")
    soon(lambda: (
        (page := heir.metrics()) is not None and page.sum("millstream_partitions_assigned") > 0
    ), 20)
    run.scene.daemons["s1"].cont()
    return soon(is_done, 5)


def soon(is_done: Callable[[], bool], seconds: float) -> bool:
    """Waits, and says whether it came about."""
    deadline = now() + seconds
    while not is_done() and now() < deadline:
        time.sleep(0.05)
    return is_done()


def answers_lost(seed: int, pipeline: str = "card") -> list[Case]:
    """What only the network can do: one at a place that only KIP-848 has, one where it is not."""
    told = small_plan("fp-assignment-told-lost", seed, pipeline, "kip848")
    join = small_plan("fp-join-answer-lost", seed, pipeline)
    rejoin = small_plan("fp-rejoin-answer-lost", seed, pipeline, slots=1)
    # Clients ask for metadata every few seconds, or the case would wait for it; the session lasts for
    # so long that the worker keeps its partitions.
    forgotten = small_plan("fp-brokers-forgotten", seed, pipeline, settings={
        "kafka.properties.topic.metadata.refresh.interval.ms": "2000",
        "kafka.consumer_properties.session.timeout.ms": "45000",
    })
    return [
        Case(told.name, lose_answer, told, ("s0", "s1"), first_link=0),
        Case(join.name, lose_join, join, ("s0",), first_link=3),
        Case(rejoin.name, lose_rejoin, rejoin, ("s0",), first_link=4),
        Case(forgotten.name, lose_brokers, forgotten, ("s0",), first_link=6),
    ]


def case(place: str, action: str, seed: int, pipeline: str = "card", protocol: str = "cooperative") -> Case:
    """The case of one place and one action."""
    name = f"fp-{place.replace('_', '-')}-{action}"
    plan = small_plan(
        name, seed, pipeline, protocol, slots=3,
        settings=NO_SNAPSHOTS if place == "during_replay" else {},
    )
    first = ("s0", "s1") if place == "during_replay" else ("s1",)
    return Case(name, lambda run: hurt(run, place, action), plan, first)

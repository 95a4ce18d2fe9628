"""The faults. Each is a function that hurts a scene and returns when the hurt ended.

A kill ends when it happens, what lasts ends when it is taken away. To add one, write the function
and its row in `FAULTS` (of one scene) or `JOINT` (of the broker, which all scenes share).
"""

import dataclasses
import random
import time
from collections.abc import Callable

from . import snapshots
from .broker import Broker
from .scene import SESSION_S, TRANSACTION_S, Scene

now = time.monotonic


@dataclasses.dataclass
class Hurt:
    """What a fault works on."""

    scene: Scene
    rnd: random.Random
    neighbour: Scene | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def victim(self) -> str:
        return self.rnd.choice(self.scene.running())

    def victims(self) -> list[str]:
        """One of them, or all."""
        running = self.scene.running()
        return running if self.rnd.random() < 0.5 else [self.rnd.choice(running)]


def kill(scene: Scene, slots: list[str]) -> float:
    for slot in slots:
        scene.monitor.note(scene.daemons[slot])
    for slot in slots:
        scene.daemons[slot].kill()
    return now()


def kill_one(hurt: Hurt) -> float:
    """SIGKILL of one; it starts again at once, or when its peers have taken over."""
    slot = hurt.victim()
    ended = kill(hurt.scene, [slot])
    time.sleep(hurt.rnd.choice((0, 1, SESSION_S + 2)))
    hurt.scene.start(slot)
    return ended


def kill_all(hurt: Hurt) -> float:
    """SIGKILL of every daemon at once."""
    slots = hurt.scene.running()
    ended = kill(hurt.scene, slots)
    for slot in slots:
        hurt.scene.start(slot)
    return ended


def _stop_for(hurt: Hurt, seconds: float) -> float:
    daemon = hurt.scene.daemons[hurt.victim()]
    daemon.stop()
    time.sleep(seconds)
    daemon.cont()
    return now()


def stop_below(hurt: Hurt) -> float:
    """SIGSTOP of one for less than the session timeout."""
    return _stop_for(hurt, SESSION_S / 2)


def stop_beyond(hurt: Hurt) -> float:
    """SIGSTOP of one beyond the session timeout: a zombie wakes up."""
    return _stop_for(hurt, SESSION_S * 1.5)


def stop_beyond_transaction(hurt: Hurt) -> float:
    """SIGSTOP of one beyond the transaction timeout: its producer is fenced for good."""
    return _stop_for(hurt, TRANSACTION_S * 1.2)


def terminate_one(hurt: Hurt) -> float:
    """SIGTERM of one, which must end well, and a start."""
    slot = hurt.victim()
    hurt.notes += hurt.scene.terminate([slot])
    ended = now()
    hurt.scene.start(slot)
    return ended


def rolling_restart(hurt: Hurt) -> float:
    """SIGTERM and start of each in turn."""
    for slot in hurt.scene.running():
        hurt.notes += hurt.scene.terminate([slot])
        hurt.scene.start(slot)
        time.sleep(1)
    return now()


def storm(hurt: Hurt) -> float:
    """Extra daemons join and leave every second."""
    scene = hurt.scene
    for index in range(3):
        slot = f"x{index}"
        scene.start(slot)
        time.sleep(hurt.rnd.uniform(0.7, 1.5))
        # One that has not begun yet dies of SIGTERM as anything does.
        if hurt.rnd.random() < 0.5 or scene.daemons[slot].get("/livez") is None:
            kill(scene, [slot])
        else:
            hurt.notes += scene.terminate([slot])
        del scene.daemons[slot]
    return now()


def _network(hurt: Hurt, act: Callable, seconds: float) -> float:
    links = [hurt.scene.link(slot) for slot in hurt.victims()]
    for link in links:
        act(link)
    time.sleep(seconds)
    for link in links:
        link.heal()
    return now()


def cut(hurt: Hurt) -> float:
    """The network of one or all is cut: connections close, new ones are refused."""
    seconds = hurt.rnd.choice((1, SESSION_S + 2, TRANSACTION_S + 2))
    return _network(hurt, lambda link: link.cut(), seconds)


def silence(hurt: Hurt) -> float:
    """The network of one or all is half open: nothing closes, nothing arrives."""
    seconds = hurt.rnd.choice((3, SESSION_S + 2, TRANSACTION_S + 2))
    return _network(hurt, lambda link: link.silence(), seconds)


def delay(hurt: Hurt) -> float:
    """Everything on the network of one or all arrives late."""
    seconds = hurt.rnd.uniform(0.2, 1.2)
    return _network(hurt, lambda link: link.delay(seconds), 6)


def narrow(hurt: Hurt) -> float:
    """Vectors of one or all leave at a crawl, records come as ever."""
    bytes_per_second = hurt.rnd.uniform(10_000, 60_000)
    return _network(hurt, lambda link: link.narrow(bytes_per_second), 8)


def _tampered(damage: Callable) -> Callable[[Hurt], float]:
    def fault(hurt: Hurt) -> float:
        slots = hurt.victims()
        # Another fault may have removed them just before.
        hurt.scene.wait("a snapshot", 30, lambda: snapshots.files(hurt.scene.snapshots))
        ended = kill(hurt.scene, slots)
        damaged = damage(hurt)
        if not damaged:
            hurt.notes.append("there was no snapshot to damage")
        for slot in slots:
            hurt.scene.start(slot)
        return ended

    return fault


def _store(act: Callable) -> Callable[[Hurt], int]:
    return lambda hurt: act(hurt.scene.snapshots, hurt.rnd)


def _foreign(hurt: Hurt) -> int:
    if hurt.neighbour is None:
        return snapshots.swap(hurt.scene.snapshots, hurt.rnd)
    # Its own may just have been deleted.
    hurt.scene.wait("a neighbour's snapshot", 30, lambda: snapshots.files(hurt.neighbour.snapshots))
    return snapshots.of_another_definition(hurt.scene.snapshots, hurt.neighbour.snapshots)


def disk_full(hurt: Hurt) -> float:
    """Writing a snapshot fails as on a full disk, a few times; processing goes on."""
    slot, places = hurt.victim(), ("snapshot_before_put", "snapshot_after_put")
    kill(hurt.scene, [slot])
    place = hurt.rnd.choice(places)
    armed = "; ".join(f"{place}=enospc@{n}" for n in (1, 2, 3))
    daemon = hurt.scene.start(slot, {"MILLSTREAM_FAILPOINTS": armed})
    ended = now()
    while now() - ended < 15:
        page = daemon.metrics(2)
        if page and page.sum("millstream_snapshots_total", 'result="failed"') > 0:
            break
        time.sleep(0.3)
    else:
        hurt.notes.append("no snapshot failed on the full disk")
    return ended


def store_outage(hurt: Hurt) -> float:
    """The object store cannot be reached for a while; processing goes on."""
    store = hurt.scene.snapshots
    away = store.with_name("away")
    store.rename(away)
    store.write_text("not a directory")
    time.sleep(hurt.rnd.choice((3, 8)))
    if hurt.rnd.random() < 0.5:
        slot = hurt.victim()
        kill(hurt.scene, [slot])
        hurt.scene.start(slot)
        time.sleep(2)
    store.unlink()
    away.rename(store)
    return now()


@dataclasses.dataclass(frozen=True)
class Fault:
    """A kind of fault: what it does, and within how many seconds after it all is well again."""

    name: str
    inject: Callable
    bound_s: float
    needs: str = ""


# A dead member is noticed after the session timeout, its open transaction ends after its own and
# the broker's clean-up; the rest is for a machine that has two cores and many processes.
TAKEOVER_S = 45.0

FAULTS = [
    Fault("SIGKILL of one", kill_one, TAKEOVER_S),
    Fault("SIGKILL of all", kill_all, TAKEOVER_S),
    Fault("SIGSTOP below the session timeout", stop_below, TAKEOVER_S),
    Fault("SIGSTOP beyond the session timeout", stop_beyond, TAKEOVER_S),
    Fault("SIGSTOP beyond the transaction timeout", stop_beyond_transaction, TAKEOVER_S),
    Fault("SIGTERM and restart", terminate_one, TAKEOVER_S),
    Fault("rolling restart", rolling_restart, TAKEOVER_S),
    Fault("join and leave storm", storm, TAKEOVER_S),
    Fault("network cut", cut, TAKEOVER_S, "links"),
    Fault("network half open", silence, TAKEOVER_S, "links"),
    Fault("network delay", delay, TAKEOVER_S, "links"),
    Fault("slow output", narrow, TAKEOVER_S, "links"),
    Fault("snapshot corrupted", _tampered(_store(snapshots.corrupt)), TAKEOVER_S, "snapshots"),
    Fault("snapshot truncated", _tampered(_store(snapshots.truncate)), TAKEOVER_S, "snapshots"),
    Fault("snapshot of zero length", _tampered(_store(snapshots.empty)), TAKEOVER_S, "snapshots"),
    Fault("snapshot deleted", _tampered(_store(snapshots.delete)), TAKEOVER_S, "snapshots"),
    Fault("all snapshots deleted", _tampered(_store(snapshots.delete_all)), TAKEOVER_S, "snapshots"),
    Fault("snapshot from the future", _tampered(_store(snapshots.from_the_future)), TAKEOVER_S, "snapshots"),
    Fault("snapshot of another partition", _tampered(_store(snapshots.swap)), TAKEOVER_S, "snapshots"),
    Fault("snapshot of another definition", _tampered(_foreign), TAKEOVER_S, "snapshots"),
    Fault("disk full at a snapshot", disk_full, TAKEOVER_S, "failpoints"),
    Fault("snapshot store unreachable", store_outage, TAKEOVER_S, "snapshots"),
]


def broker_kill(broker: Broker, _: random.Random) -> float:
    """SIGKILL of the broker, and a start."""
    broker.kill()
    broker.again()
    return now()


def _broker_stop(broker: Broker, seconds: float) -> float:
    broker.stop_process()
    time.sleep(seconds)
    broker.continue_process()
    return now()


def broker_stop_below(broker: Broker, _: random.Random) -> float:
    """SIGSTOP of the broker for less than any timeout."""
    return _broker_stop(broker, 3)


def broker_stop_beyond(broker: Broker, _: random.Random) -> float:
    """SIGSTOP of the broker beyond session and transaction timeout."""
    return _broker_stop(broker, TRANSACTION_S * 1.3)


def broker_outage(seconds: float) -> Callable[[Broker, random.Random], float]:
    """The broker is gone for so long."""

    def fault(broker: Broker, _: random.Random) -> float:
        broker.kill()
        time.sleep(seconds)
        broker.again()
        return now()

    return fault


JOINT = [
    Fault("broker SIGKILL and restart", broker_kill, 60),
    Fault("broker SIGSTOP below the timeouts", broker_stop_below, 60),
    Fault("broker SIGSTOP beyond the timeouts", broker_stop_beyond, 60),
]

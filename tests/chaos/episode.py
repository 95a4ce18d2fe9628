"""Random faults: an episode is a few scenes side by side, hurt by seed.

The scenes are hurt each for itself and at the same time; then the broker, which they share, is.
The seed of an episode decides the events, the faults, their order and their details. What it
cannot decide is the moment: a run with the same seed is alike, not the same.
"""

import dataclasses
import pathlib
import random
import threading
import time

from .broker import Broker
from .daemon import Binary
from .faults import FAULTS, JOINT, Fault, Hurt, now
from .scene import PROTOCOLS, Plan, Scene
from .verdict import Injected, Verdict, finish, new_verdict, timed

# Between a fault's recovery and the next, so that state and snapshots are made of more than faults.
CALM_S = (0.5, 2.5)


@dataclasses.dataclass(frozen=True)
class Shape:
    """How large an episode is."""

    scenes: int = 3
    faults: int = 10
    joint: int = 4
    rate: float = 400
    pipelines: tuple[str, ...] = ("card",)
    protocols: tuple[str, ...] = PROTOCOLS
    kinds: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.scenes * self.faults + self.joint


def deck(kinds: list[Fault], rnd: random.Random, count: int) -> list[Fault]:
    """So many faults, each kind as often as any other, shuffled."""
    cards: list[Fault] = []
    while kinds and len(cards) < count:
        more = kinds[:]
        rnd.shuffle(more)
        cards += more
    return cards[:count]


def named(faults: list[Fault], words: tuple[str, ...]) -> list[Fault]:
    """The faults whose name contains one of the words; all where there is no word."""
    return [fault for fault in faults if not words or any(word in fault.name for word in words)]


def usable(binary: Binary, scene: Scene) -> list[Fault]:
    """The faults that can happen to this binary in this scene."""
    has = {"": True, "links": bool(scene.links), "snapshots": binary.snapshots,
           "failpoints": binary.snapshots}
    return [fault for fault in FAULTS if has[fault.needs]]


def recover(scene: Scene, kind: str, began: float, ended: float, bound: float, verdict: Verdict) -> bool:
    """Waits until all that was there when the fault ended is published, and notes how long it took."""
    target = scene.ends()
    scene.revive()
    try:
        scene.wait(f"recovery of {kind}", max(1.0, ended + bound - now()), lambda: scene.monitor.reached(target))
        recovered = True
    except TimeoutError as error:
        verdict.violations.append(str(error))
        recovered = False
    verdict.faults.append(
        Injected(kind, round(max(0.0, now() - ended), 2), round(scene.monitor.longest_pause(began), 2))
    )
    return recovered


def hurt_alone(scene: Scene, faults: list[Fault], rnd: random.Random, neighbour: Scene, verdict: Verdict) -> None:
    """The faults of one scene, one after the other; ends at the first that it does not survive."""
    for fault in faults:
        hurt = Hurt(scene, rnd, neighbour if neighbour is not scene else None)
        began = now()
        try:
            ended = fault.inject(hurt)
        except (TimeoutError, OSError) as error:
            verdict.violations.append(f"{fault.name}: {error}")
            return
        verdict.violations += [f"{fault.name}: {note}" for note in hurt.notes]
        if not recover(scene, fault.name, began, ended, fault.bound_s, verdict):
            return
        time.sleep(rnd.uniform(*CALM_S))


def side_by_side(works: list) -> None:
    """Runs them in threads; raises the first error."""
    errors: list[BaseException] = []

    def run(work) -> None:
        try:
            work()
        except BaseException as error:  # raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def hurt_together(broker: Broker, scenes: list[Scene], faults: list[Fault], rnd: random.Random,
                  verdicts: list[Verdict]) -> None:
    """Faults of the broker: each counts once, and every scene must survive it."""
    for fault in faults:
        began = now()
        ended = fault.inject(broker, rnd)
        notes = [Verdict(v.name, v.seed, v.pipeline, v.protocol) for v in verdicts]
        side_by_side([
            lambda s=scene, n=note: recover(s, fault.name, began, ended, fault.bound_s, n)
            for scene, note in zip(scenes, notes, strict=True)
        ])
        for verdict, note in zip(verdicts, notes, strict=True):
            verdict.violations += note.violations
        worst = max((note.faults[0] for note in notes), key=lambda injected: injected.recovery_s)
        verdicts[0].faults.append(worst)
        time.sleep(rnd.uniform(*CALM_S))


def plans(name: str, seed: int, shape: Shape) -> list[Plan]:
    """The scenes of an episode: neighbours differ, and over the episodes each pipeline meets each protocol."""
    made = []
    for index in range(shape.scenes):
        number = seed + index
        protocol, pipeline = turn(number, shape.protocols, shape.pipelines)
        made.append(Plan(
            name=f"{name}-{index}",
            seed=seed * 10 + index,
            pipeline=pipeline,
            protocol=protocol,
            workers=1 + number // (len(shape.protocols) * len(shape.pipelines)) % 2,
            rate=shape.rate,
        ))
    return made


def turn(number: int, protocols: tuple[str, ...], pipelines: tuple[str, ...]) -> tuple[str, str]:
    """Protocol and pipeline of this number; both change with each, and all pairs come in turn."""
    round_ = number // len(protocols)
    return protocols[number % len(protocols)], pipelines[(number + round_) % len(pipelines)]


def run(name: str, seed: int, shape: Shape, broker: Broker, binary: Binary, home: pathlib.Path,
        joint: list[Fault] | None = None) -> list[Verdict]:
    """One episode; a verdict per scene. The broker has three links per scene, or none."""
    began, rnd = time.monotonic(), random.Random(seed)
    scenes = []
    for index, plan in enumerate(plans(name, seed, shape)):
        links = broker.links[plan.slots * index : plan.slots * (index + 1)]
        scenes.append(Scene(plan, broker, binary, home, links))
    verdicts = [new_verdict(scene) for scene in scenes]
    # Drawn from one deck, so that an episode sees as many kinds as it has faults.
    cards = deck(named(usable(binary, scenes[0]), shape.kinds), rnd, shape.scenes * shape.faults)
    joint = joint if joint is not None else deck(named(JOINT, shape.kinds), rnd, shape.joint)
    try:
        side_by_side([scene.open for scene in scenes])
        side_by_side([
            lambda i=i, scene=scene: hurt_alone(
                scene, cards[i :: shape.scenes], random.Random(scene.plan.seed),
                scenes[(i + 1) % len(scenes)], verdicts[i],
            )
            for i, scene in enumerate(scenes)
        ])
        hurt_together(broker, scenes, joint, rnd, verdicts)
        side_by_side([
            lambda s=scene, v=verdict: finish(s, v)
            for scene, verdict in zip(scenes, verdicts, strict=True)
        ])
    finally:
        for scene in scenes:
            scene.close()
    if not sum(verdict.findings.aborted for verdict in verdicts) and binary.delivery == "exactly_once":
        verdicts[0].violations.append("no fault hit a transaction: nothing was aborted")
    for verdict in verdicts:
        verdict.lost_by_broker = broker.lost(verdict.name)
        verdict.passed = verdict.clean
        timed(verdict, began)
    return verdicts

"""Which units a run is made of."""

import dataclasses
import pathlib

from . import cluster, episode, failpoints, mutants
from .broker import Broker
from .daemon import Binary
from .faults import Fault, broker_outage
from .scene import FILES, PROTOCOLS
from .units import Unit
from .verdict import Verdict

# Cases side by side: a case mostly waits for timeouts.
WIDTH = 5
# Links of the broker: three slots of three scenes.
LINKS = 9


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line says."""

    binary: Binary
    out: pathlib.Path
    seed: int
    faults: int = 100
    protocols: tuple[str, ...] = PROTOCOLS
    pipelines: tuple[str, ...] = ("card",)
    rate: float = 400
    scenes: int = 3
    # Words, one of which the name of a random fault must contain; none allows all.
    kinds: tuple[str, ...] = ()

    @property
    def scratch(self) -> pathlib.Path:
        return self.out / "scratch"


def known_pipelines() -> tuple[str, ...]:
    """The pipelines whose files and oracles are there."""
    return tuple(name for name, path in FILES.items() if path.exists())


def random_units(options: Options) -> list[Unit]:
    """Episodes until the faults are enough; each has a seed and a broker of its own."""
    def run(name: str, seed: int, shape: episode.Shape) -> list[Verdict]:
        with Broker(options.scratch / f"{name}-broker", links=LINKS) as broker:
            return episode.run(name, seed, shape, broker, options.binary, options.scratch)

    units, left, index = [], options.faults, 0
    while left > 0:
        shape = shape_for(options, left)
        seed = options.seed * 1000 + index
        name = f"ep-{options.seed}-{index}"
        units.append(Unit(name, "random", lambda n=name, s=seed, shape=shape: run(n, s, shape)))
        left -= shape.total
        index += 1
    return units


def shape_for(options: Options, left: int) -> episode.Shape:
    """A whole episode, or a last one that is as large as needed."""
    whole = episode.Shape(
        scenes=options.scenes, rate=options.rate,
        pipelines=options.pipelines, protocols=options.protocols, kinds=options.kinds,
    )
    if left >= whole.total:
        return whole
    each = max(1, (left - whole.joint + whole.scenes - 1) // whole.scenes)
    return dataclasses.replace(whole, faults=each)


def outage_unit(options: Options, broker: Broker, seconds: float) -> Unit:
    """The broker is gone for long: nobody ends, memory stays bounded, everything comes back."""
    name = f"outage-{seconds:.0f}s"
    shape = episode.Shape(scenes=2, faults=0, rate=100, pipelines=options.pipelines,
                          protocols=options.protocols)
    fault = Fault(f"broker outage of {seconds:.0f} s", broker_outage(seconds), 90)
    return Unit(name, "outage", lambda: episode.run(
        name, options.seed, shape, broker, options.binary, options.scratch, [fault]))


def failpoint_units(options: Options, broker: Broker) -> list[Unit]:
    """All enumerated cases."""
    units = []
    for index, (place, action) in enumerate(failpoints.all_cases()):
        protocol, pipeline = episode.turn(options.seed + index, options.protocols, options.pipelines)
        case = failpoints.case(place, action, options.seed + index, pipeline, protocol)
        units.append(Unit(case.name, "failpoint", lambda case=case: [
            case.run(broker, options.binary, options.scratch)]))
    for case in failpoints.answers_lost(options.seed, options.pipelines[0]):
        units.append(Unit(case.name, "failpoint", lambda case=case: [
            case.run(broker, options.binary, options.scratch)]))
    return units


def mutant_units(options: Options, broker: Broker) -> list[Unit]:
    """Every mutant, and every case without its mutant."""
    units = []
    for index, mutant in enumerate(mutants.MUTANTS):
        for is_on in (True, False):
            case = mutants.case(mutant, options.seed + index, is_on, options.pipelines)
            judge = mutants.judge if is_on else lambda verdict: verdict
            units.append(Unit(case.name, "mutant" if is_on else "control",
                              lambda case=case, judge=judge: [
                                  judge(case.run(broker, options.binary, options.scratch))]))
    return units


def cluster_unit(options: Options) -> Unit:
    """Three brokers, each killed once."""
    return Unit("cluster", "cluster", lambda: [
        cluster.run(options.binary, options.scratch, options.seed, options.pipelines[0])])

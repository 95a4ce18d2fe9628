"""The end of a scene: everything drained, a clean restart, and the judgement."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from typing import Any

from . import ROOT, quality, topics
from .checker import Findings, check
from .expected import expected
from .scene import IDLE_S, Scene

DRAIN_S = 90.0
SETTLE_S = 30.0
RSS_BYTES_MAX = 600 << 20
# Produced after the clean stop, so that the restart has something to publish.
RESTART_RECORDS = 300


@dataclasses.dataclass
class Injected:
    """A fault that was injected, and how long it hurt."""

    kind: str
    recovery_s: float
    pause_s: float


@dataclasses.dataclass
class Verdict:
    """What became of a scene; it is clean when nothing was found and nothing was broken.

    A broker may lose a group for good (`Broker.lost`): nobody can publish then, so that records are
    missing and nothing recovers. What was written before must be right all the same.
    """

    name: str
    seed: int
    pipeline: str
    protocol: str
    seconds: float = 0.0
    faults: list[Injected] = dataclasses.field(default_factory=list)
    findings: Findings = dataclasses.field(default_factory=Findings)
    violations: list[str] = dataclasses.field(default_factory=list)
    counters: dict[str, float] = dataclasses.field(default_factory=dict)
    probes: int = 0
    rss_bytes_max: float = 0.0
    passed: bool = False
    note: str = ""
    # In its own words.
    lost_by_broker: str = ""

    @property
    def clean(self) -> bool:
        if self.lost_by_broker:
            return self.findings.written_right
        return self.findings.clean and not self.violations

    def as_json(self) -> dict[str, Any]:
        faults = [dataclasses.asdict(fault) for fault in self.faults]
        return {**vars(self), "faults": faults, "findings": self.findings.as_json()}

    @classmethod
    def from_json(cls, held: dict[str, Any]) -> "Verdict":
        faults = [Injected(**fault) for fault in held["faults"]]
        return cls(**{**held, "faults": faults, "findings": Findings.from_json(held["findings"])})

    def report(self) -> str:
        """A line, and the examples of what is wrong."""
        lines = [f"{self.name}: {len(self.faults)} faults, {self.findings.summary()}"]
        for kind, examples in self.findings.examples.items():
            lines += [f"  {kind}: {example}" for example in examples]
        lines += [f"  violation: {text}" for text in self.violations]
        lines += [f"  lost by the broker: {self.lost_by_broker}"] if self.lost_by_broker else []
        return "\n".join(lines)


def judge(bootstrap: str, name: str, pipeline: str, ticks: dict[int, list[tuple[int, int]]]) -> Findings:
    """Reads the topics of a scene and compares; the transactions must have settled."""
    log = topics.read(bootstrap, f"{name}.in", topics.COMMITTED)
    wanted = expected(pipeline, log, ticks)
    found, visible, written = {}, 0, 0
    for topic in (f"{name}.out", f"{name}.dlq"):
        found[topic] = topics.read(bootstrap, topic, topics.COMMITTED)
        visible += len(found[topic])
        written += len(topics.read(bootstrap, topic, topics.UNCOMMITTED))
    findings = check(f"{name}.in", wanted, found[f"{name}.out"], found[f"{name}.dlq"])
    findings.aborted = written - visible
    if wanted.verdicts:
        findings.verdicts = sum(map(len, wanted.verdicts.values()))
        told = topics.read(bootstrap, f"{name}.quality", topics.COMMITTED)
        quality.compare(findings, f"{name}.in", wanted.verdicts, told)
    return findings


def judge_apart(scene: Scene) -> Findings:
    """`judge` in a process of its own: it takes a core for seconds and must not stop the watch."""
    for topic in (scene.output, scene.dead_letter, scene.quality):
        scene.positions.wait_until_settled(topic, SETTLE_S)
    ticks = {partition: sorted(made) for partition, made in scene.positions.ticks.items()}
    command = [sys.executable, "-m", "chaos", "judge", scene.broker.bootstrap, scene.plan.name,
               scene.plan.pipeline, json.dumps(ticks)]
    done = subprocess.run(
        ["nice", "-n", "5", *command], env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True, text=True,
    )
    if done.returncode:
        raise RuntimeError(f"judging {scene.plan.name} failed:\n{done.stderr}")
    return Findings.from_json(json.loads(done.stdout))


def drain(scene: Scene, verdict: Verdict) -> None:
    """No more input; everything that is there must be published."""
    scene.feed.stop()
    wait_for_end(scene, verdict, "the end of the input")


def wait_for_end(scene: Scene, verdict: Verdict, what: str) -> None:
    """Waits until all is read, and nothing is held any more."""
    ends = scene.ends()
    try:
        scene.wait(what, DRAIN_S, lambda: scene.monitor.reached(ends))
        if scene.plan.pipeline in IDLE_S:
            scene.wait("what is held to be released", DRAIN_S, lambda: not scene.positions.holding)
    except TimeoutError as error:
        verdict.violations.append(str(error))


def restart(scene: Scene, verdict: Verdict) -> None:
    """Everything was stopped in order: the next start must replay nothing."""
    for slot in scene.slots:
        scene.start(slot)
    scene.feed.send(RESTART_RECORDS)
    wait_for_end(scene, verdict, "the end after a clean restart")
    replayed = 0.0
    for slot in scene.slots:
        page = scene.daemons[slot].metrics()
        replayed += page.sum("millstream_replay_records_total") if page else 0
    if replayed and scene.binary.snapshots:
        verdict.violations.append(f"a clean restart replayed {replayed:.0f} records")
    verdict.violations += scene.terminate(scene.running())


def finish(scene: Scene, verdict: Verdict, with_restart: bool = True) -> Verdict:
    """Drains, stops, restarts and judges a scene. `verdict` is what was noted of it so far."""
    drain(scene, verdict)
    verdict.violations += scene.terminate(scene.running())
    if with_restart:
        restart(scene, verdict)
    verdict.findings = judge_apart(scene)
    verdict.counters = scene.monitor.counters()
    watched = scene.monitor.watched
    verdict.probes, verdict.rss_bytes_max = watched.probes, watched.rss_bytes_max
    verdict.violations += [f"slow metrics page: {text}" for text in watched.slow_probes]
    verdict.violations += [f"ended by itself: {text}" for text in scene.ended]
    if verdict.counters["divergence"]:
        verdict.violations.append(f"{verdict.counters['divergence']:.0f} folds diverged")
    if verdict.rss_bytes_max > RSS_BYTES_MAX:
        verdict.violations.append(f"resident memory reached {verdict.rss_bytes_max / 1e6:.0f} MB")
    return verdict


def new_verdict(scene: Scene) -> Verdict:
    plan = scene.plan
    return Verdict(plan.name, plan.seed, plan.pipeline, plan.protocol)


def timed(verdict: Verdict, began: float) -> Verdict:
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict

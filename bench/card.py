"""The card-features job through every program, one after the other on one topic, in rounds."""

import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from chaos import topics

from . import measure, sample
from .programs import PROGRAMS, Job, Program, Setting

PARTITIONS = 4


@dataclasses.dataclass
class Result:
    """The rounds of a program, and what the sample of its vectors showed."""

    name: str
    version: str
    is_peer: bool
    costs: list[measure.Cost] = dataclasses.field(default_factory=list)
    compared: int = 0
    wrong: int = 0

    def median(self, figure: Callable[[measure.Cost], float]) -> float:
        return statistics.median(map(figure, self.costs))


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def fill(setting: Setting, records: int) -> None:
    """Produces the workload."""
    topics.create(topics.admin(setting.bootstrap), [setting.source], PARTITIONS)
    assert setting.source == "card.transactions", "the topic of the pipeline file, which `demo` writes to"
    subprocess.run(
        [setting.millstream, "demo", "--workload", "card", "--kafka", setting.bootstrap, "--rate", "0",
         "--records", str(records), "--produce-only"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Rounds:
    """Runs programs and keeps what they showed."""

    def __init__(self, setting: Setting, work: pathlib.Path, records: int):
        self.setting, self.work, self.records = setting, work, records
        self.admin = topics.admin(setting.bootstrap)
        self.results: dict[str, Result] = {}
        # millstream's vectors of the sample, once it ran.
        self.vectors: list[dict] = []
        self.transactions = sample.first(setting.bootstrap, setting.source, 2 * sample.RECORDS)

    def run(self, program: Program, number: int) -> None:
        """One program once; its topics are gone afterwards."""
        name = f"bench-{PROGRAMS.index(program)}-{number}"
        job = Job(name, f"{name}.out", f"{name}.dlq", self.work / name)
        job.work.mkdir()
        topics.create(self.admin, [job.output, job.dead_letter], PARTITIONS)
        ends = topics.Positions(self.setting.bootstrap, "bench", job.output, PARTITIONS)
        try:
            cost = measure.follow(
                program.commands(self.setting, job), job.work,
                lambda: sum(ends.ends(topics.UNCOMMITTED).values()), self.records)
            result = self.results.setdefault(
                program.name, Result(program.name, program.version(self.setting), program.is_peer))
            result.costs.append(cost)
            if number == 0:
                self.check(program, job, result)
            say(f"{program.name} {number}: {cost.rate:,.0f}/s, {cost.cpu_us:.2f} us, {cost.rss_mb:.0f} MB")
        finally:
            ends.close()
            topics.delete(self.admin, [job.output, job.dead_letter])

    def check(self, program: Program, job: Job, result: Result) -> None:
        """Holds a sample of the vectors against what they must be."""
        if program.name.startswith("librdkafka"):
            return
        found = sample.first(self.setting.bootstrap, job.output, sample.RECORDS)
        if not program.is_peer and program.order == "arrival" and not self.vectors:
            self.vectors = found
        expected = sample.expectations(program.order, self.vectors, self.transactions)
        result.compared, wrong = sample.compare(expected, found)
        result.wrong = len(wrong)
        for line in wrong[:5]:
            say(f"{program.name}: {line}")

    def keep(self, path: pathlib.Path) -> None:
        """Writes what there is so far."""
        path.write_text(json.dumps([dataclasses.asdict(result) for result in self.results.values()], indent=1))


def measure_all(setting: Setting, work: pathlib.Path, records: int, rounds: int, words: list[str]) -> Rounds:
    """Fills the topic, then runs every program whose name contains one of the words, in rounds."""
    fill(setting, records)
    made = Rounds(setting, work, records)
    chosen = [p for p in PROGRAMS if not words or any(word in p.name for word in words)]
    # A broker that has done nothing yet is slow, whoever comes first: that run counts for nobody.
    made.run(chosen[0], rounds)
    del made.results[chosen[0].name]
    for number in range(rounds):
        for program in chosen:
            made.run(program, number)
            made.keep(work / "card.json")
    return made

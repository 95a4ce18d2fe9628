"""python -m chaos random|failpoints|mutants|outage|cluster|short|all|bounds|judge|report"""

import argparse
import contextlib
import json
import pathlib
import shutil
import sys
import tempfile
import time

from . import ROOT, report, suites, units, verdict
from .broker import LOWERED, Broker
from .daemon import Binary
from .scene import PROTOCOLS
from .suites import LINKS, WIDTH, Options
from .units import Ledger, Unit, carry_out

SUITES = ["random", "failpoints", "mutants", "outage", "cluster", "short", "all", "report"]
# Their units have brokers of their own.
ALONE = ("random", "cluster")
OUTAGE_S = {"short": 60.0, "all": 600.0}


def parser() -> argparse.ArgumentParser:
    parsed = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parsed.add_argument("suite", choices=SUITES)
    parsed.add_argument("--binary", type=pathlib.Path, help="a test build of millstream")
    parsed.add_argument("--delivery", default="exactly_once", choices=["exactly_once", "at_least_once"])
    parsed.add_argument("--no-snapshots", action="store_true", help="the binary has no snapshot settings")
    parsed.add_argument("--out", type=pathlib.Path, help="where state.json, summary.json and logs go")
    parsed.add_argument("--seed", type=int, help="default: another one each time; printed")
    parsed.add_argument("--faults", type=int, help="random faults; default 100, in `all` 1000")
    parsed.add_argument("--protocol", default=",".join(PROTOCOLS),
                        help="these take turns; default %(default)s")
    parsed.add_argument("--pipeline", choices=suites.known_pipelines(), help="default: they take turns")
    parsed.add_argument("--rate", type=float, default=400, help="records per second and scene")
    parsed.add_argument("--scenes", type=int, default=3, choices=[1, 2, 3], help="groups side by side")
    parsed.add_argument("--outage", type=float, help="seconds of the long outage")
    parsed.add_argument("--kinds", default="", help="random faults whose name contains one of these, by commas")
    parsed.add_argument("--only", help="units whose name contains this")
    parsed.add_argument("--resume", action="store_true", help="goes on where --out was left")
    parsed.add_argument("--also", type=pathlib.Path, nargs="*", default=[],
                        help="of `report`: runs that stood beside that of --out")
    parsed.add_argument("--report", type=pathlib.Path, help="writes this Markdown page when done")
    return parsed


def options_of(arguments: argparse.Namespace) -> Options:
    protocols = tuple(arguments.protocol.split(","))
    if unknown := set(protocols) - set(PROTOCOLS):
        sys.exit(f"unknown protocols {sorted(unknown)}: expected some of {', '.join(PROTOCOLS)}")
    seed = arguments.seed if arguments.seed is not None else int(time.time()) % 1_000_000
    out = arguments.out or pathlib.Path(tempfile.mkdtemp(prefix="millstream-chaos-"))
    out.mkdir(parents=True, exist_ok=True)
    state = out / "state.json"
    if arguments.resume and state.exists():
        seed = json.loads(state.read_text())["header"]["seed"]
    return Options(
        binary=Binary(arguments.binary.resolve(), arguments.delivery, not arguments.no_snapshots),
        out=out.resolve(),
        seed=seed,
        faults=arguments.faults or (1000 if arguments.suite == "all" else 100),
        protocols=protocols,
        pipelines=(arguments.pipeline,) if arguments.pipeline else suites.known_pipelines(),
        rate=arguments.rate,
        scenes=arguments.scenes,
        kinds=tuple(filter(None, arguments.kinds.split(","))),
    )


def stages(suite: str, options: Options, broker: Broker | None, outage_s: float) -> list[tuple[list[Unit], int]]:
    """The units of a suite in stages: those of a stage may run side by side, so many at a time."""
    cases = {
        "failpoints": lambda: (suites.failpoint_units(options, broker), WIDTH),
        "mutants": lambda: (suites.mutant_units(options, broker), WIDTH),
        # The broker is hurt: one at a time.
        "random": lambda: (suites.random_units(options), 1),
        "outage": lambda: ([suites.outage_unit(options, broker, outage_s)], 1),
        "cluster": lambda: ([suites.cluster_unit(options)], 1),
    }
    names = {
        "short": ["mutants", "failpoints", "random", "outage", "cluster"],
        "all": ["mutants", "failpoints", "random", "outage", "cluster"],
    }
    return [cases[name]() for name in names.get(suite, [suite])]


def run(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    if arguments.suite == "report":
        ledger = Ledger(arguments.out, {}, resume=True)
        for other in arguments.also:
            ledger.take(Ledger(other, {}, resume=True))
        report.write(ledger, arguments.report)
        return 0
    if arguments.binary is None:
        sys.exit("--binary is missing: a build of millstream with failpoints")
    options = options_of(arguments)
    command = f"python -m chaos {arguments.suite} --seed {options.seed} --faults {options.faults}"
    units.say(f"{command} --out {options.out}")
    header = report.header(command, options.seed, LOWERED)
    ledger = Ledger(options.out, header, arguments.resume)
    shutil.rmtree(options.scratch, ignore_errors=True)
    outage_s = arguments.outage or OUTAGE_S.get(arguments.suite, 60.0)
    alone = arguments.suite in ALONE
    with contextlib.nullcontext() if alone else Broker(options.scratch / "broker", links=LINKS) as broker:
        for work, width in stages(arguments.suite, options, broker, outage_s):
            work = [unit for unit in work if not arguments.only or arguments.only in unit.id]
            carry_out(work, ledger, width)
    report.write(ledger, arguments.report)
    return units.conclude(ledger)


def main(argv: list[str]) -> int:
    if argv[:1] == ["judge"]:
        bootstrap, name, pipeline, told = argv[1:]
        ticks = {int(partition): [tuple(tick) for tick in made] for partition, made in json.loads(told).items()}
        print(json.dumps(verdict.judge(bootstrap, name, pipeline, ticks).as_json()))
        return 0
    if argv[:1] == ["bounds"]:
        from . import bounds

        return bounds.main(argv[1:])
    return run(argv)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    sys.exit(main(sys.argv[1:]))

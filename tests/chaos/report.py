"""What a run has shown: `summary.json` for machines, a Markdown page for people."""

import json
import os
import pathlib
import subprocess
from typing import Any

from . import ROOT
from .checker import KINDS
from .monitor import quantile
from .units import Ledger
from .verdict import Verdict

# Between them the README shows the table of the suites.
MARKS = ("<!-- chaos -->", "<!-- /chaos -->")
FAULTED = ("random", "outage", "cluster", "failpoint")


def commit() -> str:
    """The commit that is tested, with a mark when the tree differs from it."""
    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout.strip()

    dirty = "+changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + dirty


def machine() -> str:
    """The machine in general terms."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, the broker beside the daemons"


def header(command: str, seed: int, lowered: dict[str, str]) -> dict[str, Any]:
    return {"command": command, "seed": seed, "commit": commit(), "machine": machine(), "broker": lowered}


def figures(verdicts: list[Verdict]) -> dict[str, Any]:
    """Sums over verdicts, and the recovery times of all their faults."""
    recoveries = [fault.recovery_s for v in verdicts for fault in v.faults]
    pauses = [fault.pause_s for v in verdicts for fault in v.faults]
    return {
        "faults": len(recoveries),
        "runs": len(verdicts),
        "records": sum(v.findings.records for v in verdicts),
        **{kind: sum(v.findings.counts[kind] for v in verdicts) for kind in KINDS},
        "aborted": sum(v.findings.aborted for v in verdicts),
        "violations": sum(len(v.violations) for v in verdicts),
        "replayed": sum(v.counters.get("replayed", 0) for v in verdicts),
        "fenced": sum(v.counters.get("fenced", 0) for v in verdicts),
        "divergence": sum(v.counters.get("divergence", 0) for v in verdicts),
        "probes": sum(v.probes for v in verdicts),
        "rss_mb_max": round(max((v.rss_bytes_max for v in verdicts), default=0) / 1e6),
        "recovery_p50_s": quantile(recoveries, 0.5),
        "recovery_p99_s": quantile(recoveries, 0.99),
        "pause_p50_s": quantile(pauses, 0.5),
        "pause_p99_s": quantile(pauses, 0.99),
    }


def by_fault(verdicts: list[Verdict]) -> dict[str, dict[str, Any]]:
    """Count and times of each kind of fault."""
    kinds: dict[str, list] = {}
    for verdict in verdicts:
        for fault in verdict.faults:
            kinds.setdefault(fault.kind, []).append(fault)
    return {
        kind: {
            "count": len(found),
            "recovery_p50_s": quantile([f.recovery_s for f in found], 0.5),
            "recovery_p99_s": quantile([f.recovery_s for f in found], 0.99),
            "pause_p99_s": quantile([f.pause_s for f in found], 0.99),
        }
        for kind, found in sorted(kinds.items())
    }


def summary(ledger: Ledger) -> dict[str, Any]:
    """Everything, as it goes to summary.json. Groups that the broker lost are told apart."""
    def judged(kind: str) -> list[Verdict]:
        return [v for v in ledger.verdicts(kind) if not v.lost_by_broker]

    faulted = [v for kind in FAULTED for v in judged(kind)]
    told = {
        "header": ledger.header,
        "total": figures(faulted),
        "faults": by_fault([v for kind in FAULTED[:3] for v in judged(kind)]),
        "suites": {kind: figures(judged(kind)) for kind in (*FAULTED, "control")},
        "failpoints": {v.name: {"passed": v.passed, "fault": v.faults[0].kind if v.faults else ""}
                       for v in ledger.verdicts("failpoint")},
        "mutants": {v.name.removeprefix("mutant-"): {"killed": v.passed, "by": v.note}
                    for v in ledger.verdicts("mutant")},
        "lost": {v.name: [v.findings.summary(), v.lost_by_broker]
                 for v in ledger.verdicts() if v.lost_by_broker},
        "failed": [v.report() for v in ledger.verdicts() if not v.passed],
    }
    bounds = ledger.out / "bounds.json"
    if bounds.exists():
        told["bounds"] = json.loads(bounds.read_text())
    return told


def table(head: list[str], rows: list[list[Any]]) -> str:
    def cell(value: Any) -> str:
        if value is None:
            return "-"
        if isinstance(value, float):
            return f"{value:,.1f}"
        return f"{value:,}" if isinstance(value, int) else str(value)

    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows])


def suites_table(told: dict[str, Any]) -> str:
    """What was found in how many records under how many faults, by suite."""
    names = {"random": "random faults", "failpoint": "failpoints", "outage": "long outage",
             "cluster": "one of three brokers killed", "control": "cases without their mutant"}
    rows = [
        [names[kind], f["faults"], f["records"], *map(f.get, KINDS), f["aborted"], f["violations"]]
        for kind, f in told["suites"].items() if f["runs"]
    ]
    return table(["suite", "faults", "records", *KINDS, "aborted records seen", "broken invariants"], rows)


def page(told: dict[str, Any]) -> str:
    """The Markdown page."""
    head, total = told["header"], told["total"]
    faults = [[kind, f["count"], f["recovery_p50_s"], f["recovery_p99_s"], f["pause_p99_s"]]
              for kind, f in told["faults"].items()]
    mutants = [[f"`{name.replace('-', '_')}`", m["by"] if m["killed"] else f"**survived**: {m['by']}"]
               for name, m in told["mutants"].items()]
    lowered = ", ".join(f"`{name}={value}`" for name, value in head["broker"].items())
    text = f"""# Chaos

Written by `tests/chaos`; do not edit. Real brokers, three processes a group, input read back from the log and
computed a second time in Python, output read `read_committed`. How it works: `tests/chaos/README.md`.

Commit `{head['commit']}`, seed {head['seed']}, `{head['command']}`.
{head['machine']}. Session timeout 6 s, transaction timeout 10 s; of the broker: {lowered}.

{suites_table(told)}

Over all faults: recovery p50 {total['recovery_p50_s']} s, p99 {total['recovery_p99_s']} s; the longest pause of any
partition p50 {total['pause_p50_s']} s, p99 {total['pause_p99_s']} s. {total['replayed']:,.0f} records were replayed,
{total['fenced']:,.0f} zombies fenced, {total['divergence']:.0f} replays diverged; {total['probes']:,} metrics pages were
fetched under fault, each within a second; resident memory at most {total['rss_mb_max']} MB.

"Aborted records" are those that only a `read_uncommitted` reader sees: faults did hit transactions. The broken
invariants are: a lag that does not go, a process that ends by itself or not on SIGTERM, a replay that diverges, a
clean restart that replays, a metrics page slower than a second, memory beyond its bound.

## Faults

Recovery is the time from the end of a fault (a kill ends at once, an outage when the broker answers again) until
everything in the log by then is published; the pause is the longest that some partition published nothing.

{table(["fault", "times", "recovery p50 s", "recovery p99 s", "pause p99 s"], faults)}
"""
    if told["failpoints"]:
        passed = sum(f["passed"] for f in told["failpoints"].values())
        text += f"\n## Failpoints\n\n{passed} of {len(told['failpoints'])} cases of place and action passed.\n"
    if mutants:
        text += "\n## Mutants\n\nDefects planted into a test build; each must be found.\n\n"
        text += table(["mutant", "found by"], mutants) + "\n"
    if told.get("bounds"):
        rows = [[b["what"], b["measured"], b["bound"], "yes" if b["holds"] else "**no**"] for b in told["bounds"]]
        text += f"\n## Bounds\n\n{table(['what', 'measured', 'bound', 'holds'], rows)}\n"
    if told["lost"]:
        text += (
            "\n## Lost by the broker\n\nGroups of which the broker could not load its own log any more: nobody "
            "publishes then. They are in no figure above; of what was written nothing may be wrong.\n\n")
        text += table(["group", "found", "the broker"], [[name, *said] for name, said in told["lost"].items()]) + "\n"
    if told["failed"]:
        text += "\n## Failed\n\n```\n" + "\n".join(told["failed"]) + "\n```\n"
    return text


def put_between_marks(path: pathlib.Path, text: str, marks: tuple[str, str] = MARKS) -> None:
    """Replaces what stands between the two marks in another page."""
    begin, end = marks
    before, _, rest = path.read_text().partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"{path} has no {begin} and {end}")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def write(ledger: Ledger, path: pathlib.Path | None) -> None:
    """Writes summary.json, and where a page is asked for that page; of docs/chaos.md the README shows the table."""
    told = summary(ledger)
    (ledger.out / "summary.json").write_text(json.dumps(told, indent=1))
    (ledger.out / "chaos.md").write_text(page(told))
    if path is not None:
        path.write_text(page(told))
        if path.resolve() == ROOT / "docs/chaos.md":
            put_between_marks(ROOT / "README.md", suites_table(told))

"""docs/benchmark.md: what was measured goes between the marks of its kind, the words around it stay."""

import pathlib
import platform

from chaos.report import commit, put_between_marks

from .programs import ROOT

PAGE = ROOT / "docs/benchmark.md"


def machine() -> str:
    """Cores, memory, system and commit."""
    information = pathlib.Path("/proc/cpuinfo").read_text()
    model = next(line.partition(": ")[2] for line in information.splitlines() if line.startswith("model name"))
    cores = information.count("\nprocessor") + 1
    kilobytes = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    return (f"{cores} cores ({model}), {kilobytes / 2**20:.0f} GiB, {platform.freedesktop_os_release()['PRETTY_NAME']}, "
            f"commit {commit()}")


def put(kind: str, text: str) -> None:
    """Replaces what stands between `<!-- kind -->` and `<!-- /kind -->`."""
    put_between_marks(PAGE, f"\n{text.strip()}\n", (f"<!-- {kind} -->", f"<!-- /{kind} -->"))

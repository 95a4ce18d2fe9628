"""What a program costs while it works through a topic: records per second, CPU, memory.

Start-up is left out: the marks lie where a tenth and nine tenths of the records are published, or,
for programs that would take too long, 10 s after the first one and half a minute later.
"""

import dataclasses
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

WARM_S, LONGEST_S, PATIENCE_S = 10.0, 30.0, 180.0
PAUSE_S = 0.03
# Until what is not needed any more has been given back; the allocator takes 10 s.
REST_S = 15.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a program took between its marks."""

    rate: float
    cpu_us: float
    # Peak of the whole life, all its processes together.
    rss_mb: float
    # From the start of the process to its first message.
    first_s: float
    # Resident once everything is done and given back; of whole runs.
    rest_mb: float = 0.0


class Running:
    """Processes of one program, each a session of its own, so that children count too."""

    def __init__(self, commands: Sequence[Sequence[str]], log: pathlib.Path, directory: pathlib.Path):
        self.log = log
        self.began = time.monotonic()
        with log.open("wb") as out:
            self._children = [
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 cwd=directory, start_new_session=True)
                for command in commands
            ]
        self._peak_kb: dict[int, int] = {}

    def ended(self) -> int | None:
        """The exit code of the first that ended, or None while all run."""
        return next((code for child in self._children if (code := child.poll()) is not None), None)

    def _pids(self) -> list[tuple[int, int]]:
        """Each process of these sessions with its CPU time in ticks."""
        sessions = {child.pid for child in self._children}
        found = []
        for directory in pathlib.Path("/proc").iterdir():
            if not directory.name.isdigit():
                continue
            try:
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) in sessions:
                found.append((int(directory.name), int(fields[11]) + int(fields[12])))
        return found

    def cpu_s(self) -> float:
        """User and system time of all processes so far."""
        return sum(ticks for _, ticks in self._pids()) / TICKS

    def rss_mb(self) -> float:
        """The sum of the peaks."""
        for pid, _ in self._pids():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    self._peak_kb[pid] = int(line.split()[1])
        return sum(self._peak_kb.values()) / 1024

    def resident_mb(self) -> float:
        """What all processes hold now."""
        pages = (int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid, _ in self._pids())
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for what is left of it."""
        for child in self._children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        for child in self._children:
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        for pid, _ in self._pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for child in self._children:
            child.wait()

    def tail(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-20:])


def watch(program: Running, published: Callable[[], int], total: int, whole: bool) -> Cost:
    """Follows a program until its second mark; `whole`: that is the last record."""
    last = total if whole else 0.9 * total
    first_s, begin = 0.0, None
    while True:
        # Of a topic that is not known everywhere yet the end is -1.
        # The first answer may take long, so the clock is read behind it.
        done = max(0, published())
        now = time.monotonic()
        if done and not first_s:
            first_s = now - program.began
        warm = done >= total / 10 or (first_s and now - program.began - first_s >= WARM_S)
        if begin is None and done and warm:
            begin = (now, done, program.cpu_s())
        if begin is not None and done > begin[1] and (done >= last or (not whole and now - begin[0] >= LONGEST_S)):
            end = (now, done, program.cpu_s())
            break
        if not done and now - program.began > PATIENCE_S:
            raise TimeoutError(f"nothing was published within {PATIENCE_S:.0f} s:\n{program.tail()}")
        if program.ended() is not None and done < last:
            raise RuntimeError(f"ended with {program.ended()} at {done} of {total}:\n{program.tail()}")
        time.sleep(PAUSE_S)
    records = end[1] - begin[1]
    cpu_us = (end[2] - begin[2]) / records * 1e6
    return Cost(records / (end[0] - begin[0]), cpu_us, program.rss_mb(), first_s)


def follow(commands: Sequence[Sequence[str]], work: pathlib.Path, published: Callable[[], int], total: int,
           whole: bool = False) -> Cost:
    """Starts a program, measures it, stops it."""
    running = Running(commands, work / "log", work)
    try:
        cost = watch(running, published, total, whole)
        if not whole:
            return cost
        time.sleep(REST_S)
        return dataclasses.replace(cost, rest_mb=running.resident_mb())
    finally:
        running.stop()

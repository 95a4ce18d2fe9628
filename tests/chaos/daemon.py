"""The binary under test as a child process: started, hurt, asked."""

import dataclasses
import http.client
import os
import pathlib
import re
import signal
import subprocess
import time
from collections.abc import Mapping

from .broker import process_state

LINE = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$")


@dataclasses.dataclass(frozen=True)
class Binary:
    """What is tested, and how it is told to deliver."""

    path: pathlib.Path
    delivery: str = "exactly_once"
    # Settings that this binary does not know are left out by those who say so.
    snapshots: bool = True


class Page:
    """One answer of `/metrics`."""

    def __init__(self, text: str):
        self._samples: list[tuple[str, str, float]] = []
        for line in text.splitlines():
            found = LINE.match(line)
            if found:
                self._samples.append((found[1], found[2] or "", float(found[3])))

    def sum(self, name: str, labels: str = "") -> float:
        """The sum over all labels that contain `labels`; 0 where the metric is absent."""
        return sum(v for n, held, v in self._samples if n == name and labels in held)


class Daemon:
    """One life of one process. Its log is appended to the slot's file."""

    def __init__(
        self,
        binary: Binary,
        pipeline: pathlib.Path,
        settings: Mapping[str, str],
        log: pathlib.Path,
        environment: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ):
        self.log = log
        self.port = int(settings["listen"].rpartition(":")[2])
        self.started = time.monotonic()
        self.is_stopped = False
        self.last: Page | None = None
        command = [str(binary.path), "run", str(pipeline), "--delivery", binary.delivery, *arguments]
        for name, value in settings.items():
            command += ["--set", f"{name}={value}"]
        with log.open("ab") as out:
            self._log_start = out.tell()
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                cwd=pipeline.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def state(self) -> str:
        """The kernel's letter: T when stopped, Z or X when ended."""
        return process_state(self.pid)

    def age(self) -> float:
        return time.monotonic() - self.started

    def signal(self, number: int) -> None:
        if self.alive:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> None:
        """SIGSTOP."""
        self.is_stopped = True
        self.signal(signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)
        self.is_stopped = False

    def terminate(self) -> None:
        """SIGTERM, once: a second one would force it."""
        self.signal(signal.SIGTERM)

    def wait(self, seconds: float = 40) -> int:
        """Its exit code once it ends; kills it and raises when it takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"the daemon did not end within {seconds:.0f} s:\n{self.tail()}") from None

    def get(self, path: str, seconds: float = 5) -> tuple[int, str] | None:
        """Status and body, or None when there is no answer in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def metrics(self, seconds: float = 5) -> Page | None:
        """The metrics page; also kept as `last`."""
        answer = self.get("/metrics", seconds)
        if answer is None or answer[0] != 200:
            return None
        self.last = Page(answer[1])
        return self.last

    def is_ready(self) -> bool:
        answer = self.get("/readyz")
        return answer is not None and answer[0] == 200

    def written(self) -> str:
        """What this life wrote to its log so far."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode("utf-8", "replace")

    def tail(self, lines: int = 4) -> str:
        """The last lines of its log that are more than progress; all of it stands in the file."""
        told = [line for line in self.written().splitlines() if '"level":"INFO"' not in line]
        return "\n".join(line[:400] for line in told[-lines:])

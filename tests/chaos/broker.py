"""A real broker that can be killed, stopped and started, with links that can be cut.

Beside its plain listener the broker has one listener per link, and advertises there the port of
the link's proxy: whoever bootstraps through a link stays on it.
"""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from . import ROOT
from .proxy import Link, Network, free_port

SCRIPT = ROOT / "tests/kafka/broker.sh"

# Printed with every report: what was lowered so that a fault costs seconds and not minutes.
LOWERED = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "1000",
}


def properties(links: list[Link]) -> str:
    """The lines that win over those of broker.sh."""
    lines = [f"{name}={value}" for name, value in LOWERED.items()]
    lines += ["num.network.threads=2", "num.io.threads=4"]
    if links:
        names = [f"LINK{index}" for index in range(len(links))]
        plain = "PLAINTEXT://127.0.0.1:@PLAIN@"
        inner = [f"{n}://127.0.0.1:{link.broker_port}" for n, link in zip(names, links, strict=True)]
        outer = [f"{n}://127.0.0.1:{link.port}" for n, link in zip(names, links, strict=True)]
        kinds = [f"{n}:PLAINTEXT" for n in ["PLAINTEXT", "CONTROLLER", *names]]
        lines += [
            "listeners=" + ",".join([plain, *inner, "CONTROLLER://127.0.0.1:@CONTROLLER@"]),
            "advertised.listeners=" + ",".join([plain, *outer]),
            "listener.security.protocol.map=" + ",".join(kinds),
        ]
    return "\n".join(lines) + "\n"


def process_state(pid: int) -> str:
    """The kernel's letter for a process; X where there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


# Logs of groups that broker.sh makes.
GROUP_LOGS = 4


def group_log(group: str) -> int:
    """Which of them a group's state lies in: Java's hash of its name."""
    number = 0
    for letter in group:
        number = (31 * number + ord(letter)) % 2**32
    return abs(number - 2**32 if number >= 2**31 else number) % GROUP_LOGS


class Broker:
    """One broker, or three, in a directory of its own; use it in a `with`."""

    def __init__(self, directory: pathlib.Path, links: int = 0, nodes: int = 1):
        self.directory = directory
        self.nodes = nodes
        self.network = Network() if links else None
        self.links: list[Link] = [self._link() for _ in range(links)]
        self.bootstrap = ""

    def _link(self) -> Link:
        assert self.network is not None
        return self.network.link(free_port())

    def __enter__(self) -> "Broker":
        self.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
            file.write(properties(self.links))
            file.flush()
            self._script("cluster" if self.nodes > 1 else "start", str(self.directory), file.name)
        for line in (self.directory / "env").read_text().splitlines():
            if line.startswith("export KAFKA_BOOTSTRAP="):
                self.bootstrap = line.partition("=")[2]
        return self

    def __exit__(self, *_: object) -> None:
        self._script("stop", str(self.directory))
        if self.network:
            self.network.close()

    def _script(self, *arguments: str) -> None:
        done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"broker.sh {arguments[0]} failed:\n{done.stderr}")

    def _home(self, node: int) -> pathlib.Path:
        return self.directory / str(node) if self.nodes > 1 else self.directory

    def pid(self, node: int = 1) -> int:
        return int((self._home(node) / "pid").read_text())

    def lost(self, group: str) -> str:
        """What the broker says of having lost a group for good; nothing where it has not.

        Killed and started again under load, Kafka 4.2.1 was seen to begin with an empty state although
        the group's log had 27,617 records, to write what contradicts them, and to fail to load the log
        ever after.
        """
        said = re.compile(rf"Failed to load metadata from __consumer_offsets-{group_log(group)} .*")
        found = said.search((self.directory / "broker.log").read_text("utf-8", "replace"))
        return found[0][:300] if found else ""

    def kill(self, node: int = 1) -> None:
        """SIGKILL; returns when the process is gone."""
        pid = self.pid(node)
        os.kill(pid, signal.SIGKILL)
        # Ended, or ended and never waited for.
        while process_state(pid) not in "ZX":
            time.sleep(0.02)

    def again(self, node: int = 1) -> None:
        """Starts a killed broker and waits until it answers."""
        self._script("again", str(self._home(node)))

    def stop_process(self, node: int = 1) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        os.kill(self.pid(node), signal.SIGSTOP)

    def continue_process(self, node: int = 1) -> None:
        os.kill(self.pid(node), signal.SIGCONT)

"""A network of our own: TCP links on loopback that can be cut, delayed, or fall silent."""

import asyncio
import random
import socket
import threading
from collections.abc import Coroutine
from typing import Any

from .answers import Frames, Loss

CHUNK = 1 << 16


# Below the ephemeral ports, one of which a connection could take before the broker listens, and
# apart from those that broker.sh chooses from.
PORTS = range(10_000, 20_000)
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on just now, another one at every call."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if len(_given) == len(PORTS):
            _given.clear()
        if port not in _given:
            _given.add(port)
            return port


class Link:
    """Forwards connections on `port` to `broker_port`.

    cut()      closes what is open and refuses what comes
    silence()  keeps connections open and moves no byte: a half-open network
    delay(s)   every chunk waits so long, in both directions
    narrow(n)  so many bytes a second go up, to the broker, on each connection
    lose(loss) one answer of the group's coordinator, on connections that come from now on
    heal()     all well again
    """

    def __init__(self, network: "Network", broker_port: int):
        self._network = network
        self.broker_port = broker_port
        self.port = 0
        self.bytes = 0
        self._delay = 0.0
        self._up_bytes_s = 0.0
        self._is_cut = False
        self._loss: Loss | None = None
        self._flowing = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._network.call(self._change(is_cut=True))

    def silence(self) -> None:
        self._network.call(self._change(flowing=False))

    def delay(self, seconds: float) -> None:
        self._network.call(self._change(delay=seconds))

    def narrow(self, bytes_per_second: float) -> None:
        self._network.call(self._change(up_bytes_s=bytes_per_second))

    def lose(self, loss: Loss) -> Loss:
        """Its count tells when the answer is lost."""
        self._network.call(self._change(loss=loss))
        return loss

    def heal(self) -> None:
        self._network.call(self._change())

    async def _change(self, is_cut: bool = False, flowing: bool = True, delay: float = 0.0,
                      up_bytes_s: float = 0.0, loss: Loss | None = None) -> None:
        self._is_cut, self._delay, self._up_bytes_s, self._loss = is_cut, delay, up_bytes_s, loss
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()
        if is_cut:
            for writer in list(self._writers):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, inner_writer}
        self._writers |= pair
        try:
            if self._loss:
                frames = Frames(self._loss)
                ways = frames.up(reader, inner_writer), frames.down(inner_reader, writer)
            else:
                ways = self._pump(reader, inner_writer, up=True), self._pump(inner_reader, writer)
            await asyncio.gather(*ways)
        except (OSError, EOFError, asyncio.CancelledError):
            # An end that closed, or the network that is taken down.
            pass
        finally:
            self._writers -= pair
            for end in pair:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool = False) -> None:
        while True:
            chunk = await reader.read(CHUNK)
            if self._delay:
                await asyncio.sleep(self._delay)
            if up and self._up_bytes_s:
                await asyncio.sleep(len(chunk) / self._up_bytes_s)
            await self._flowing.wait()
            if not chunk:
                raise ConnectionResetError("the other end closed")
            self.bytes += len(chunk)
            writer.write(chunk)
            await writer.drain()


class Network:
    """The thread in which all links run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs it in the network's thread and returns what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def link(self, broker_port: int) -> Link:
        """A new open link to that port of the broker."""

        async def make() -> Link:
            made = Link(self, broker_port)
            await made.open()
            return made

        return self.call(make())

    def close(self) -> None:
        """Ends all connections and the thread."""

        async def end() -> None:
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

"""Produces events at a steady rate, in a thread of its own."""

import threading
import time
from collections.abc import Iterator

from confluent_kafka import KafkaException, Producer

from .cards import Event


class Feed:
    """Writes `events` to `topic` until told to stop."""

    def __init__(self, bootstrap: str, topic: str, events: Iterator[Event], rate: float,
                 linger_ms: int = 10):
        self._topic = topic
        self._events = events
        self._rate = rate
        # A burst every so often, none older than the next when it leaves.
        self._tick_s = 0.002 * linger_ms
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._error: Exception | None = None
        self.sent = 0
        self._producer = Producer({
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": linger_ms,
            "message.timeout.ms": 900_000,
            "queue.buffering.max.messages": 1_000_000,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 0,
        })
        self._thread = threading.Thread(target=self._run, name=f"feed {topic}", daemon=True)

    def start(self) -> "Feed":
        self._thread.start()
        return self

    def pause(self) -> None:
        """Nothing comes until `resume`."""
        self._paused.set()

    def resume(self) -> None:
        self._paused.clear()

    def stop(self, seconds: float = 60) -> None:
        """Ends the stream; everything handed over is in the log when this returns."""
        self._stop.set()
        self._thread.join(seconds)
        left = self._producer.flush(seconds)
        if self._error:
            raise self._error
        if left or self._thread.is_alive():
            raise TimeoutError(f"{self._topic}: {left} records were not written within {seconds:.0f} s")

    def send(self, count: int) -> None:
        """Writes so many more at once, after `stop`."""
        for _ in range(count):
            self._produce(next(self._events))
        if self._producer.flush(60):
            raise TimeoutError(f"{self._topic}: not written within 60 s")

    def _run(self) -> None:
        owed, before = 0.0, time.monotonic()
        try:
            while not self._stop.wait(self._tick_s):
                now = time.monotonic()
                if self._paused.is_set():
                    before = now
                    continue
                owed, before = min(owed + self._rate * (now - before), self._rate), now
                while owed >= 1:
                    owed -= 1
                    self._produce(next(self._events))
                self._producer.poll(0)
        except Exception as error:  # told to whoever stops the feed
            self._error = error

    def _produce(self, event: Event) -> None:
        self.sent += 1
        while True:
            try:
                self._producer.produce(
                    self._topic, event.value, event.key,
                    headers=list(event.headers), on_delivery=self._delivered,
                )
                return
            except BufferError:
                self._producer.poll(0.05)

    def _delivered(self, error, _) -> None:
        if error is not None:
            self._error = KafkaException(error)

    def close(self) -> None:
        """Ends the stream without waiting for what is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._producer.purge()
        self._producer.poll(0)

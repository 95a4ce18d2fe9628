"""What a group has committed, metadata included, asked in Kafka's own protocol.

The Python client reads the metadata of a position beyond its end, which is then no text any more.
"""

import contextlib
import socket
import struct

from confluent_kafka import KafkaError, KafkaException

OFFSET_FETCH, VERSION = 9, 5


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def request(group: str, topic: str, partitions: int) -> bytes:
    """OffsetFetch of version 5: positions as they stand, whatever is pending."""
    header = struct.pack(">hhi", OFFSET_FETCH, VERSION, 1) + text("chaos")
    numbers = struct.pack(f">i{partitions}i", partitions, *range(partitions))
    body = header + text(group) + struct.pack(">i", 1) + text(topic) + numbers
    return struct.pack(">i", len(body)) + body


class Answer:
    """The bytes of an answer, read from the front."""

    def __init__(self, raw: bytes):
        self.raw, self.at = raw, 0

    def take(self, form: str) -> int:
        (value,) = struct.unpack_from(f">{form}", self.raw, self.at)
        self.at += struct.calcsize(f">{form}")
        return value

    def text(self) -> str:
        length = self.take("h")
        self.at += max(0, length)
        return self.raw[self.at - max(0, length) : self.at].decode("ascii").rstrip("\0")


def parsed(raw: bytes) -> dict[int, tuple[int, str]]:
    """Offset and metadata of each partition that has a position."""
    answer, found = Answer(raw), {}
    answer.take("i")
    answer.take("i")
    for _ in range(answer.take("i")):
        answer.text()
        for _ in range(answer.take("i")):
            partition, offset = answer.take("i"), answer.take("q")
            answer.take("i")
            metadata, error = answer.text(), answer.take("h")
            if offset >= 0 and not error:
                found[partition] = offset, metadata
    if answer.take("h"):
        raise unanswered()
    return found


def unanswered() -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TRANSPORT))


def committed(bootstrap: str, group: str, topic: str, partitions: int,
              seconds: float) -> dict[int, tuple[int, str]]:
    """Asks the one broker there is; raises where it does not answer."""
    host, _, port = bootstrap.partition(":")
    try:
        with contextlib.closing(socket.create_connection((host, int(port)), timeout=seconds)) as stream:
            stream.sendall(request(group, topic, partitions))
            length = struct.unpack(">i", exactly(stream, 4))[0]
            return parsed(exactly(stream, length))
    except OSError as error:
        raise unanswered() from error


def exactly(stream: socket.socket, count: int) -> bytes:
    raw = b""
    while len(raw) < count:
        more = stream.recv(count - len(raw))
        if not more:
            raise OSError("the broker hung up")
        raw += more
    return raw

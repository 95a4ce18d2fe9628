"""Answers of brokers, read off the wire: one that is lost, one that says less."""

import asyncio

METADATA = 3
JOIN_GROUP = 11
CONSUMER_GROUP_HEARTBEAT = 68


class Loss:
    """Loses one answer to a kind of request, or a part of some."""

    kind: int

    def __init__(self) -> None:
        self.count = 0

    def takes(self, answer: bytes) -> bool:
        """Whether this answer to such a request is the one; its bytes begin with the correlation id."""
        raise NotImplementedError

    def leaves(self, answer: bytes) -> bytes:
        """What arrives of such an answer; nothing where it is lost."""
        return b"" if self.takes(answer) else answer


class BrokersLoss(Loss):
    """While it is on, answers to metadata requests list no broker (versions 9 to 13).

    So does a broker that its controller has fenced, such as after it stood still.
    """

    kind = METADATA

    def __init__(self) -> None:
        super().__init__()
        self.is_on = False

    def leaves(self, answer: bytes) -> bytes:
        if not self.is_on:
            return answer
        self.count += 1
        begin, end = _brokers(answer)
        return answer[:begin] + b"\x01" + answer[end:]


def _brokers(answer: bytes) -> tuple[int, int]:
    """Where the array of brokers begins and ends: id, host, port, rack and tags of each."""
    # Correlation id, tags of the header, throttle time.
    begin = at = 4 + 1 + 4
    count = answer[at] - 1
    at += 1
    for _ in range(count):
        _, at = _text(answer, at + 4)
        _, at = _text(answer, at + 4)
        assert answer[at] == 0, "a broker has tags"
        at += 1
    return begin, at


class JoinLoss(Loss):
    """The first answer to a member of a classic group that joins, once it is on: the member waits, and
    its partitions with it."""

    kind = JOIN_GROUP

    def __init__(self, is_on: bool = True) -> None:
        super().__init__()
        self.is_on = is_on

    def takes(self, answer: bytes) -> bool:
        if not self.is_on:
            return False
        self.count += 1
        return self.count == 1


class ToldLoss(Loss):
    """The first answer that tells a member other partitions than before within one epoch (KIP-848).

    A broker tells them once. One that is lost together with a new epoch is noticed: the member's next
    heartbeat comes with the old one.
    """

    kind = CONSUMER_GROUP_HEARTBEAT

    def __init__(self) -> None:
        super().__init__()
        # Epoch and number of partitions by member.
        self._told: dict[bytes, tuple[int | None, int]] = {}

    def takes(self, answer: bytes) -> bool:
        told = told_by(answer)
        if told is None:
            return False
        member, epoch, partitions = told
        before, had = self._told.get(member, (None, 0))
        self._told[member] = epoch, partitions or had
        if self.count or epoch != before or not 0 < had < (partitions or 0):
            return False
        self.count += 1
        return True


def told_by(answer: bytes) -> tuple[bytes, int, int | None] | None:
    """Member id, epoch, and how many partitions of the one topic, if it tells any; None of an error (version 1)."""
    # Correlation id, tags of the header, throttle time.
    at = 4 + 1 + 4
    if int.from_bytes(answer[at:at + 2]):
        return None
    _, at = _text(answer, at + 2)
    member, at = _text(answer, at)
    # Epoch, heartbeat interval.
    epoch = int.from_bytes(answer[at:at + 4])
    at += 8
    if answer[at] != 1:
        return member, epoch, None
    # The id of the topic stands before its partitions, both numbers are one more.
    return member, epoch, answer[at + 18] - 1 if answer[at + 1] > 1 else 0


def _text(answer: bytes, at: int) -> tuple[bytes, int]:
    """A compact string that may be null, of less than 127 bytes, and where it ends."""
    length = max(0, answer[at] - 1)
    return answer[at + 1:at + 1 + length], at + 1 + length


class Frames:
    """One connection whose requests and answers are told apart."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self._asked: set[bytes] = set()

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests; notes those of the kind."""
        while True:
            request = await _frame(reader)
            if int.from_bytes(request[:2]) == self._loss.kind:
                self._asked.add(request[4:8])
            await _send(writer, request)

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers, but for the one that is lost."""
        while True:
            answer = await _frame(reader)
            is_asked = answer[:4] in self._asked
            self._asked.discard(answer[:4])
            if left := self._loss.leaves(answer) if is_asked else answer:
                await _send(writer, left)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4)))


async def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(len(frame).to_bytes(4) + frame)
    await writer.drain()

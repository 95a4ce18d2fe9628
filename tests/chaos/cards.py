"""Seeded card transactions as an unkind world sends them.

Event time advances with the records, not with the clock, so that windows fill and empty in a run
of minutes. Most records are behind by less than the lateness allows; a few are late, far in the
future, sent twice, null where null is allowed, or no transaction at all.
"""

import dataclasses
import json
import random
from collections.abc import Iterator

CATEGORIES = ["grocery", "fuel", "travel", "online", "dining", "cash", "health", "other", "unheard of"]
CHANNELS = ["web", "pos", "app"]
# 2026-01-01T00:00:00Z.
START_MS = 1_767_225_600_000
FAR_MS = 4_070_908_800_000

# Documents that end before any state sees them.
POISON = [
    b"",
    b"{",
    b"[1,2]",
    b'"text"',
    b'{"tx_id":"\xff\xfe"}',
    b'{"tx_id":"p","card_id":"c","amount":NaN}',
    b'{"tx_id":"p","tx_id":"q"}',
    b'{"card_id":"c1"}',
    b"\x00\x01\x02",
]


@dataclasses.dataclass(frozen=True)
class Mix:
    """How often, per thousand records, something is wrong."""

    poison: int = 10
    late: int = 15
    future: int = 2
    repeated: int = 20
    null_amount: int = 30
    tombstone: int = 3
    no_key: int = 3
    wrong_type: int = 3
    null_channel: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """What is produced: a key, a value, headers."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Cards:
    """An endless stream of events; the same seed gives the same stream."""

    def __init__(self, seed: int, cards: int = 300, step_ms: int = 250, mix: Mix = Mix()):
        self.random = random.Random(seed)
        self.cards = cards
        self.step_ms = step_ms
        self.mix = mix
        self.made = 0
        self.recent: list[Event] = []

    def __iter__(self) -> Iterator[Event]:
        while True:
            yield self.next()

    def next(self) -> Event:
        """The next event."""
        self.made += 1
        # The watermark stands before somebody can tell the future from it.
        if self.made <= 200:
            return self._remember(self._transaction(self._card()))
        chance, mix, card = self.random.random() * 1000, self.mix, self._card()
        for kind in ("poison", "tombstone", "no_key", "wrong_type", "future", "late", "repeated"):
            chance -= getattr(mix, kind)
            if chance < 0:
                return getattr(self, f"_{kind}")(card)
        return self._remember(self._transaction(card))

    def _card(self) -> str:
        """Few cards are busy, many are not."""
        return f"c{int(self.cards * self.random.random() ** 1.5):07}"

    def _remember(self, event: Event) -> Event:
        if len(self.recent) < 50:
            self.recent.append(event)
        else:
            self.recent[self.random.randrange(50)] = event
        return event

    def _fields(self, card: str, behind_ms: int | None = None) -> dict:
        rnd = self.random
        if behind_ms is None:
            # Within the lateness of 5 s, and sometimes just at its edge.
            behind_ms = rnd.choice((0, 0, 1, 4_999, 5_000, rnd.randrange(4_000), rnd.randrange(4_000)))
        amount: float | None = round(2.718281828 ** (7 * rnd.random()), 2)
        if rnd.random() * 1000 < self.mix.null_amount:
            amount = None
        return {
            "tx_id": f"t{self.made:010}",
            "card_id": card,
            "merchant_id": f"m{rnd.randrange(10_000):05}",
            "category": rnd.choice(CATEGORIES),
            "amount": amount,
            "currency": "EUR",
            "lat": rnd.randrange(4_700_000, 4_800_000) / 1e5,
            "lon": rnd.randrange(800_000, 900_000) / 1e5,
            "channel": None if rnd.random() * 1000 < self.mix.null_channel else rnd.choice(CHANNELS),
            "ts": START_MS + self.step_ms * self.made - behind_ms,
        }

    @staticmethod
    def _event(card: str, fields: dict) -> Event:
        return Event(card.encode(), json.dumps(fields, separators=(",", ":")).encode())

    def _transaction(self, card: str) -> Event:
        return self._event(card, self._fields(card))

    def _late(self, card: str) -> Event:
        return self._event(card, self._fields(card, self.random.randrange(6_000, 600_000)))

    def _future(self, card: str) -> Event:
        return self._event(card, {**self._fields(card), "ts": FAR_MS})

    def _wrong_type(self, card: str) -> Event:
        return self._event(card, {**self._fields(card), "amount": "12"})

    def _repeated(self, card: str) -> Event:
        return self.random.choice(self.recent) if self.recent else self._transaction(card)

    def _tombstone(self, card: str) -> Event:
        return Event(card.encode(), None)

    def _no_key(self, card: str) -> Event:
        return Event(None, self._transaction(card).value)

    def _poison(self, card: str) -> Event:
        headers = (("trace", b"\x00\xff"), ("trace", b"2")) if self.random.random() < 0.5 else ()
        return Event(card.encode(), self.random.choice(POISON), headers)

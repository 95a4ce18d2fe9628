"""Damage to stored snapshots, as disks, operators and other versions cause it.

A snapshot is a file `.../{partition}/{offset}-{tick}-{digest}.snap`; nothing else is assumed of it.
"""

import pathlib
import random
from collections.abc import Callable

AHEAD = 1_000_000


def files(store: pathlib.Path) -> list[pathlib.Path]:
    """All snapshots, each partition's oldest first; one being written has another suffix."""
    return sorted(store.rglob("*.snap"))


def newest(store: pathlib.Path) -> list[pathlib.Path]:
    """The newest snapshot of each partition."""
    return list({path.parent: path for path in files(store)}.values())


def ahead_of(path: pathlib.Path) -> pathlib.Path:
    """The name that this snapshot would have at a position far ahead."""
    offset, dash, rest = path.name.partition("-")
    return path.with_name(str(int(offset) + AHEAD).zfill(len(offset)) + dash + rest)


def _flip(path: pathlib.Path, rnd: random.Random) -> None:
    held = bytearray(path.read_bytes())
    if held:
        held[rnd.randrange(len(held))] ^= 1 << rnd.randrange(8)
    path.write_bytes(held)


def _truncate(path: pathlib.Path, rnd: random.Random) -> None:
    held = path.read_bytes()
    path.write_bytes(held[: rnd.randrange(len(held))] if held else b"")


def corrupt(store: pathlib.Path, rnd: random.Random) -> int:
    """One bit of the newest of every partition is another."""
    return _each(newest(store), lambda path: _flip(path, rnd))


def truncate(store: pathlib.Path, rnd: random.Random) -> int:
    """The newest of every partition ends somewhere."""
    return _each(newest(store), lambda path: _truncate(path, rnd))


def empty(store: pathlib.Path, _: random.Random) -> int:
    """The newest of every partition has no byte, as after a power cut without fsync."""
    return _each(newest(store), lambda path: path.write_bytes(b""))


def delete(store: pathlib.Path, _: random.Random) -> int:
    """The newest of every partition is gone."""
    return _each(newest(store), pathlib.Path.unlink)


def delete_all(store: pathlib.Path, _: random.Random | None = None) -> int:
    """The store is empty: everything is rebuilt from the log."""
    return _each(files(store), pathlib.Path.unlink)


def from_the_future(store: pathlib.Path, _: random.Random) -> int:
    """The newest of every partition also stands at a position that was never committed."""
    return _each(newest(store), lambda path: ahead_of(path).write_bytes(path.read_bytes()))


def swap(store: pathlib.Path, rnd: random.Random) -> int:
    """Each partition's newest holds what is another's."""
    held = newest(store)
    contents = [path.read_bytes() for path in held]
    turn = rnd.randrange(1, len(held)) if len(held) > 1 else 0
    for index, path in enumerate(held):
        path.write_bytes(contents[(index + turn) % len(held)])
    return len(held)


def of_another_definition(store: pathlib.Path, other: pathlib.Path) -> int:
    """Every newest snapshot is, under its own name, one of another pipeline."""
    foreign = newest(other)
    if not foreign:
        return 0
    own = newest(store)
    for index, path in enumerate(own):
        path.write_bytes(foreign[index % len(foreign)].read_bytes())
    return len(own)


def _each(paths: list[pathlib.Path], damage: Callable[[pathlib.Path], object]) -> int:
    """Damages them all; one that was removed meanwhile is nobody's loss."""
    done = 0
    for path in paths:
        try:
            damage(path)
            done += 1
        except FileNotFoundError:
            continue
    return done

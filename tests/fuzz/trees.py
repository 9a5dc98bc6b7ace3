"""Changes of values that are trees of maps, lists, texts, numbers: for CBOR, JSON and YAML.

``Pairs`` is a map with its keys in any order and number, ``Nested`` a byte string that holds the
encoding of another tree, ``Written`` bytes that the encoder takes as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

Tree: TypeAlias = Any
Path = tuple[int, ...]


@dataclass(frozen=True)
class Pairs:
    """A map as it is written, entry by entry."""

    entries: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True)
class Nested:
    """A byte string that holds an encoded tree."""

    tree: Tree


@dataclass(frozen=True)
class Written:
    """Bytes, or text, that stand in the encoding as they are."""

    data: bytes


INTEGERS = [0, 1, 2, 3, -1, -2, 23, 24, 31, 32, 33, 255, 256, 4096, 9_999, 10_000, 10_001, 65_534,
            65_535, 65_536, 100_000, 100_001, 1_000_000, 2**24, 2**31 - 1, 2**31, 2**32, 2**40,
            2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63)]  # fmt: skip
TEXTS = ["", "a", "0", "1.5", "-0", "nan", "ed25519", "ecdsa-p256", "onnx", "http", "safetensors",
         "extraction", "raw", "unit", "nchw", "nhwc", "rgb", "bgr", "derived", "declared", "images",
         "opening", "argument", "ranks", "matches", "\x00", "a\nb", "\u202e", "\ufeff", "x" * 5_000,
         "\U0001f600", "../../etc/passwd", "%s{0}"]  # fmt: skip


def change_tree(tree: Tree, random: Random) -> Tree:
    """The tree with one to three places changed."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        path: list[int] = []
        place = tree
        while random.random() < 0.85 and (below := children(place)):
            path.append(random.randrange(len(below)))
            place = below[path[-1]]
        tree = put(tree, tuple(path), random.choice(_CHANGES)(place, random))
    return tree


def children(tree: Tree) -> list[Tree]:
    """What stands directly inside."""
    if isinstance(tree, Pairs):
        return [value for _, value in tree.entries]
    if isinstance(tree, Nested):
        return [tree.tree]
    return tree if isinstance(tree, list) else []


def put(tree: Tree, path: Path, new: Tree) -> Tree:
    """The tree with the place at ``path`` replaced."""
    if not path:
        return new
    place, rest = path[0], path[1:]
    if isinstance(tree, Pairs):
        key, value = tree.entries[place]
        entries = (*tree.entries[:place], (key, put(value, rest, new)), *tree.entries[place + 1 :])
        return Pairs(entries)
    if isinstance(tree, Nested):
        return Nested(put(tree.tree, rest, new))
    return [*tree[:place], put(tree[place], rest, new), *tree[place + 1 :]]


def value(random: Random, depth: int = 0) -> Tree:
    """Any small value."""
    ways: list[Callable[[], Tree]] = [
        lambda: None,
        lambda: random.random() < 0.5,
        lambda: random.choice(INTEGERS),
        lambda: random.choice(TEXTS),
        lambda: random.randbytes(random.choice([0, 1, 16, 31, 32, 33, 64, 65, 300])),
        lambda: random.choice([0.0, -0.0, 1.5, 1e308, -1e-320, float("nan"), float("inf")]),
    ]
    if depth < 3:
        ways += [
            lambda: [value(random, depth + 1) for _ in range(random.choice([0, 1, 2, 3, 5]))],
            lambda: Pairs(
                tuple(
                    (random.choice(TEXTS), value(random, depth + 1))
                    for _ in range(random.choice([0, 1, 2]))
                )
            ),
        ]
    return random.choice(ways)()


def _replace(place: Tree, random: Random) -> Tree:
    return value(random)


def _integer(place: Tree, random: Random) -> Tree:
    if isinstance(place, int) and not isinstance(place, bool) and random.random() < 0.5:
        return place + random.choice([-1, 1, 2, -place, place, 1 << 32])
    return random.choice(INTEGERS)


def _size(place: Tree, random: Random) -> Tree:
    """Another length, of the same type."""
    if isinstance(place, bytes):
        part = place[: random.randrange(len(place) + 1)]
        return random.choice([part, place + b"\0", place + part, place * 2, place[:-1], b""])
    if isinstance(place, str):
        return random.choice([place[:-1], place + "x", place * 2, place.upper(), ""])
    if isinstance(place, list):
        more = [*place, random.choice(place)] if place else [value(random)]
        again = place * 2 if len(place) < 100 else place
        return random.choice([more, place[:-1], place[::-1], [], again])
    return _replace(place, random)


def _content(place: Tree, random: Random) -> Tree:
    """Other bytes or letters of the same number."""
    if isinstance(place, bytes) and place:
        at = random.randrange(len(place))
        ways = [place[:at] + bytes([place[at] ^ 1 << random.randrange(8)]) + place[at + 1 :],
                bytes(len(place)), b"\xff" * len(place), place[::-1]]  # fmt: skip
        return random.choice(ways)
    if isinstance(place, str) and place:
        at = random.randrange(len(place))
        return place[:at] + chr(random.choice([0, 10, 45, 48, 127, 0x2028])) + place[at + 1 :]
    return _integer(place, random)


def _keys(place: Tree, random: Random) -> Tree:
    """A map with a key fewer, more, twice, renamed, or in another order."""
    if not isinstance(place, Pairs) or not place.entries:
        return _replace(place, random)
    entries = list(place.entries)
    at = random.randrange(len(entries))
    key, inside = entries[at]
    way = random.randrange(7)
    if way == 0:
        del entries[at]
    elif way == 1:
        entries.append((random.choice(TEXTS), value(random)))
    elif way == 2:
        entries.append((key, random.choice([inside, value(random)])))
    elif way == 3:
        name = f"{key}x" if random.random() < 0.5 else random.choice(entries)[0]
        entries[at] = (name, inside)
    elif way == 4:
        random.shuffle(entries)
    elif way == 5:
        entries[at] = (random.choice([None, 7, b"key", True, 1.5]), inside)
    else:
        entries[at] = (key, random.choice(entries)[1])
    return Pairs(tuple(entries))


def _deep(place: Tree, random: Random) -> Tree:
    """The value inside of many lists or maps."""
    for _ in range(random.choice([1, 2, 7, 8, 9, 40])):
        place = [place] if random.random() < 0.7 else Pairs((("a", place),))
    return place


def _many(place: Tree, random: Random) -> Tree:
    """A list of many; large values are not copied."""
    small = place is None or isinstance(place, int) or (isinstance(place, bytes) and len(place) < 9)
    return [random.choice([place, 0] if small else [0, None, b""])] * 1_000


def _within(place: Tree, random: Random) -> Tree:
    """A value of its own type and near its range, so that later checks are reached."""
    if isinstance(place, bool):
        return not place
    if isinstance(place, int):
        return max(0, place + random.randint(-3, 3))
    if isinstance(place, str | bytes):
        return _content(place, random)
    if isinstance(place, list) and len(place) > 1:
        return random.sample(place, random.randint(1, len(place)))
    return _size(place, random)


_CHANGES: list[Callable[[Tree, Random], Tree]] = [
    _within, _within, _within, _within, _replace, _replace, _integer, _integer, _integer, _size,
    _size, _size, _content, _content, _keys, _keys, _keys, _deep, _many,
]  # fmt: skip

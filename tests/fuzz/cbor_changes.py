"""CBOR: the tree of an encoding, and encodings that the profile of SPEC.md 3.2 does not allow."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import cbor2

from tests.fuzz.trees import Nested, Pairs, Tree, Written, change_tree

_NOT_IN_THE_PROFILE = [
    b"\xc0\x60", b"\xc2\x41\x01", b"\xf7", b"\xf8\xff", b"\xff", b"\x5f\x41a\xff", b"\x9f\x01\xff",
    b"\xbf\x61a\x01\xff", b"\x18\x01", b"\x19\x00\x01", b"\x1b\x00\x00\x00\x00\x00\x00\x00\x01",
    b"\x58\x01a", b"\x98\x01\x00", b"\x62\xff\xff", b"\x63\xed\xa0\x80",
    b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", b"\x9a\xff\xff\xff\xff", b"\xba\x7f\xff\xff\xff",
    b"\x1c", b"\xd9\xd9\xf7\x00", b"\xd8\x1d\x00",
]  # fmt: skip


def change_cbor(data: bytes, random: Random) -> bytes:
    """The encoding of a changed tree."""
    try:
        tree = parsed(data)
    except (cbor2.CBORError, ValueError):
        return data
    tree = change_tree(tree, random)
    odd = random.random() < 0.15
    return encoded(tree, random if odd else None)


def parsed(data: bytes) -> Tree:
    """The tree of an encoding, encodings in byte strings included."""
    return _tree(cbor2.loads(data))


def _tree(value: Any) -> Tree:
    if isinstance(value, dict):
        return Pairs(tuple((key, _tree(item)) for key, item in value.items()))
    if isinstance(value, list):
        return [_tree(item) for item in value]
    if isinstance(value, bytes) and len(value) > 40 and value[0] >> 5 in (4, 5):
        try:
            inside = cbor2.loads(value)
        except (cbor2.CBORError, ValueError):
            return value
        if isinstance(inside, dict) and cbor2.dumps(inside, canonical=True) == value:
            return Nested(_tree(inside))
    return value


def encoded(tree: Tree, odd: Random | None = None) -> bytes:
    """The encoding of a tree; with ``odd`` there are items outside of the profile in it."""
    if odd is not None and odd.random() < 0.05:
        return odd.choice(_NOT_IN_THE_PROFILE)
    if isinstance(tree, Written):
        return tree.data
    if isinstance(tree, Nested):
        return encoded(encoded(tree.tree, odd))
    if isinstance(tree, bool):
        return b"\xf5" if tree else b"\xf4"
    if tree is None:
        return b"\xf6"
    if isinstance(tree, int):
        return _integer(tree, odd)
    if isinstance(tree, float):
        return b"\xfb" + struct.pack(">d", tree)
    if isinstance(tree, bytes):
        return _head(2, len(tree), odd) + tree
    if isinstance(tree, str):
        text = tree.encode("utf-8", "surrogatepass")
        return _head(3, len(text), odd) + text
    if isinstance(tree, list):
        return _head(4, len(tree), odd) + b"".join(encoded(item, odd) for item in tree)
    pairs = [(encoded(key, odd), encoded(item, odd)) for key, item in tree.entries]
    if odd is None:  # the order of the profile, so that the change itself is what is seen
        pairs.sort(key=lambda pair: pair[0])
    return _head(5, len(pairs), odd) + b"".join(key + item for key, item in pairs)


def _integer(number: int, odd: Random | None) -> bytes:
    if -(1 << 64) <= number < 1 << 64:
        return _head(0, number, odd) if number >= 0 else _head(1, -1 - number, odd)
    size = (number.bit_length() + 7) // 8
    return (b"\xc2" if number > 0 else b"\xc3") + _head(2, size, None) + abs(number).to_bytes(size)


def _head(major: int, number: int, odd: Random | None) -> bytes:
    widths = [1, 2, 4, 8]
    if odd is not None and odd.random() < 0.03:
        number = odd.choice([number + 1, number * 2, 1 << 31, (1 << 64) - 1]) % (1 << 64)
    if number < 24 and not (odd is not None and odd.random() < 0.05):
        return bytes([major << 5 | number])
    fitting = [width for width in widths if number < 1 << 8 * width]
    width = fitting[-1] if odd is not None and odd.random() < 0.05 else fitting[0]
    return bytes([major << 5 | 24 + widths.index(width)]) + number.to_bytes(width, "big")

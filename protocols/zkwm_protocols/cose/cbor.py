"""Deterministic CBOR with integer keys and the tag of COSE_Sign1 (RFC 8949, section 4.2.1).

Each value has one encoding, and the reader takes no other: shortest heads, definite lengths, keys
ascending by their encodings. Tag 18 may stand around the whole and nowhere else. SPEC.md 23.9.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from zkwm_protocols.errors import Malformed

Value: TypeAlias = Any
"""None, bool, int of at most 64 bits, bytes, str, list of values, dict with int or str keys."""

SIGN1_TAG = 18
MAXIMUM_DEPTH = 8
MAXIMUM_ITEMS = 10_000

_BREADTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_SIMPLE: dict[int, Value] = {20: False, 21: True, 22: None}


def encode(value: Value) -> bytes:
    """The one encoding of a value. Raises Malformed for a value that is none."""
    return _encode(value, MAXIMUM_DEPTH)


def decode(data: bytes, *, limit: int) -> Value:
    """Read ``encode``, of at most ``limit`` bytes. Raises Malformed for any other bytes."""
    if len(data) > limit:
        raise Malformed(f"expected at most {limit:,} bytes, got {len(data):,}")
    return _Reader(data).whole()


def encode_sign1(value: list[Value]) -> bytes:
    """The encoding of a value in tag 18."""
    return bytes([0xC0 | SIGN1_TAG]) + encode(value)


def decode_sign1(data: bytes, *, limit: int) -> Value:
    """The value inside of tag 18. Raises Malformed for any other bytes."""
    if data[:1] != bytes([0xC0 | SIGN1_TAG]):
        raise Malformed("this is no signed statement (COSE_Sign1): it does not begin with tag 18")
    return decode(data[1:], limit=limit - 1)


def _encode(value: Value, depth: int) -> bytes:
    """``encode`` of a value that may hold ``depth`` more levels."""
    if value is None or isinstance(value, bool):
        return bytes([0xE0 | {False: 20, True: 21, None: 22}[value]])
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError:
            raise Malformed("text with a surrogate") from None
        return _head(3, len(data)) + data
    if depth == 0 and isinstance(value, list | dict):
        raise Malformed("nested too deeply")
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(_encode(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return _encode_map(value, depth)
    raise Malformed(f"a value of a type outside the profile ({type(value).__name__})")


def _encode_map(value: dict[Any, Value], depth: int) -> bytes:
    """The encoding of a map, its entries ascending by the encodings of their keys."""
    entries = []
    for key, item in value.items():
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise Malformed("a map key that is neither an integer nor text")
        entries.append((_encode(key, 0), _encode(item, depth - 1)))
    return _head(5, len(value)) + b"".join(key + item for key, item in sorted(entries))


def _head(major: int, argument: int) -> bytes:
    """The shortest head of an item."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for additional, breadth in _BREADTHS.items():
        if argument < 1 << (8 * breadth):
            return bytes([major << 5 | additional]) + argument.to_bytes(breadth, "big")
    raise Malformed("an integer of more than 64 bits")


class _Reader:
    """Reads one value from its first byte to its last, once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._items = 0

    def whole(self) -> Value:
        """The value, which takes all bytes."""
        value = self._value(MAXIMUM_DEPTH)
        if self._position != len(self._data):
            raise Malformed("bytes left over after the value")
        return value

    def _take(self, count: int) -> bytes:
        """The next ``count`` bytes, which are there."""
        if count > len(self._data) - self._position:
            raise Malformed("cut off, or damaged: the value announces more bytes than there are")
        taken = self._data[self._position : self._position + count]
        self._position += count
        return taken

    def _value(self, depth: int) -> Value:
        """The next value, which may hold ``depth`` more levels."""
        self._items += 1
        if self._items > MAXIMUM_ITEMS:
            raise Malformed(f"a value of more than {MAXIMUM_ITEMS:,} items")
        first = self._take(1)[0]
        major, additional = first >> 5, first & 31
        if major == 7:
            if additional not in _SIMPLE:
                raise Malformed("CBOR of a kind outside the profile")
            return _SIMPLE[additional]
        argument = self._argument(additional)
        if major < 2:
            return argument if major == 0 else -1 - argument
        if major == 2:
            return self._take(argument)
        if major == 3:
            return self._text(argument)
        if major == 6:
            raise Malformed("a tag where none is known")
        if depth == 0:
            raise Malformed("nested too deeply")
        if major == 4:
            return [self._value(depth - 1) for _ in range(self._count(argument))]
        return self._map(self._count(argument), depth)

    def _argument(self, additional: int) -> int:
        """The argument of a head, which has its shortest form."""
        if additional < 24:
            return additional
        if additional not in _BREADTHS:
            raise Malformed("CBOR of a kind outside the profile")
        breadth = _BREADTHS[additional]
        argument = int.from_bytes(self._take(breadth), "big")
        if argument < (24 if breadth == 1 else 1 << (4 * breadth)):
            raise Malformed("not in the one deterministic CBOR encoding: a head is too long")
        return argument

    def _count(self, announced: int) -> int:
        """How many items or entries follow: no more than there are bytes."""
        if announced > len(self._data) - self._position:
            raise Malformed("cut off, or damaged: the value announces more bytes than there are")
        return announced

    def _text(self, length: int) -> str:
        """A text of so many bytes of UTF-8."""
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("text that is not UTF-8") from None

    def _map(self, count: int, depth: int) -> dict[Any, Value]:
        """A map of so many entries, its keys ascending by their encodings."""
        found: dict[Any, Value] = {}
        before = b""
        for _ in range(count):
            start = self._position
            key = self._value(0)
            encoded = self._data[start : self._position]
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise Malformed("a map key that is neither an integer nor text")
            if encoded <= before:
                raise Malformed("not in the one deterministic CBOR encoding: keys out of order")
            found[key], before = self._value(depth - 1), encoded
        return found

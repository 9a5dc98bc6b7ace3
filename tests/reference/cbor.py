"""The CBOR profile of SPEC.md section 3.2: a reader that accepts one encoding of each value.

Not a general CBOR library: no tags, no floating point, nothing of indefinite length.
"""

from __future__ import annotations

from typing import Any

MAXIMUM_DEPTH = 8
MAXIMUM_ITEMS = 1_000_000


class RejectedError(Exception):
    """The bytes are not what the specification demands."""


def write(value: Any) -> bytes:
    """Encode one value of the profile; raises `RejectedError` for any other value."""
    if value is None:
        return b"\xf6"
    if value is False:
        return b"\xf4"
    if value is True:
        return b"\xf5"
    if type(value) is int:
        if value < -(2**63):
            raise RejectedError("the integer has more than 64 bits")
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if type(value) is bytes:
        return _head(2, len(value)) + value
    if type(value) is str:
        text = value.encode("utf-8")
        return _head(3, len(text)) + text
    if type(value) is list:
        return _head(4, len(value)) + b"".join(write(item) for item in value)
    if type(value) is dict:
        pairs = sorted((write(key), write(item)) for key, item in value.items())
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise RejectedError(f"no encoding for {type(value).__name__}")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for information, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            return bytes([major << 5 | information]) + number.to_bytes(size, "big")
    raise RejectedError("the integer has more than 64 bits")


def read(data: bytes, limit: int) -> Any:
    """Decode exactly one value of at most ``limit`` bytes; raises `RejectedError`."""
    if len(data) > limit:
        raise RejectedError("longer than its limit")
    reader = _Reader(data)
    value = reader.value(0)
    if reader.place != len(data):
        raise RejectedError("further bytes follow")
    if write(value) != data:
        raise RejectedError("not the deterministic encoding")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0
        self.items = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.place:
            raise RejectedError("truncated")
        piece = self.data[self.place : self.place + count]
        self.place += count
        return piece

    def value(self, depth: int) -> Any:
        self.items += 1
        if self.items > MAXIMUM_ITEMS:
            raise RejectedError("too many items")
        first = self.take(1)[0]
        major, information = first >> 5, first & 31
        if major == 7:
            if information == 20:
                return False
            if information == 21:
                return True
            if information == 22:
                return None
            raise RejectedError("a simple value or float outside the profile")
        number = self.number(information)
        if major == 0:
            return number
        if major == 1:
            return -1 - number
        if major == 2:
            return self.take(number)
        if major == 3:
            try:
                return self.take(number).decode("utf-8", "strict")
            except UnicodeDecodeError as error:
                raise RejectedError("not UTF-8") from error
        if major in (4, 5):
            if depth + 1 > MAXIMUM_DEPTH:
                raise RejectedError("nested too deep")
            if number > len(self.data) - self.place:
                raise RejectedError("announces more items than there are bytes")
            if major == 4:
                return [self.value(depth + 1) for _ in range(number)]
            return self.map(number, depth + 1)
        raise RejectedError("a tag")

    def number(self, information: int) -> int:
        if information < 24:
            return information
        if information > 27:
            raise RejectedError("indefinite or reserved length")
        return int.from_bytes(self.take(1 << (information - 24)), "big")

    def map(self, count: int, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for _ in range(count):
            key = self.value(depth)
            if type(key) is not str or key in result:
                raise RejectedError("a key that is not text, or stands twice")
            result[key] = self.value(depth)
        return result

"""Protobuf by its wire format alone: messages as trees of fields, whatever their schema says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

_NUMBERS = [0, 1, 2, 3, 7, 11, 16, 127, 128, 255, 65_536, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63,
            2**64 - 1, 2**64 - 2]  # fmt: skip
_DEEPEST = 12


@dataclass(frozen=True)
class Entry:
    """One field: its number, its wire type, and an integer, bytes or a message."""

    number: int
    kind: int
    value: int | bytes | Message


Message: TypeAlias = "tuple[Entry, ...]"


def change_protobuf(data: bytes, random: Random) -> bytes:
    """The message with one to three fields changed, at any depth."""
    message = parsed(data)
    if message is None:
        return data
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        message = _changed(message, random)
    return encoded(message, random if random.random() < 0.05 else None)


def parsed(data: bytes, depth: int = 0) -> Message | None:
    """The fields of a message; None for bytes that are none."""
    entries, place = [], 0
    while place < len(data):
        try:
            head, place = _varint(data, place)
            number, kind = head >> 3, head & 7
            if kind == 0:
                value, place = _varint(data, place)
                entries.append(Entry(number, kind, value))
                continue
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, place = _varint(data, place) if kind == 2 else (len(data) + 1, place)
        except IndexError:
            return None
        if number == 0 or place + size > len(data):
            return None
        piece = data[place : place + size]
        inner = parsed(piece, depth + 1) if kind == 2 and piece and depth < _DEEPEST else None
        entries.append(Entry(number, kind, piece if inner is None else inner))
        place += size
    return tuple(entries)


def encoded(message: Message, odd: Random | None = None) -> bytes:
    """The bytes of a message; with ``odd`` some lengths are wrong."""
    parts = []
    for entry in message:
        head = _written(entry.number << 3 | entry.kind)
        if isinstance(entry.value, int):
            parts.append(head + _written(entry.value))
            continue
        inner = entry.value if isinstance(entry.value, bytes) else encoded(entry.value, odd)
        size = len(inner)
        if odd is not None and odd.random() < 0.05:
            size = odd.choice([size + 1, max(0, size - 1), 1 << 31, (1 << 64) - 1])
        parts.append(head + (_written(size) if entry.kind == 2 else b"") + inner)
    return b"".join(parts)


def _changed(message: Message, random: Random) -> Message:
    """The message with one place changed."""
    if not message or random.random() < 0.1:
        return _structure(message, random)
    at = random.randrange(len(message))
    entry = message[at]
    if isinstance(entry.value, tuple) and random.random() < 0.8:
        entry = replace(entry, value=_changed(entry.value, random))
    else:
        entry = _entry(entry, random)
    return (*message[:at], entry, *message[at + 1 :])


def _structure(message: Message, random: Random) -> Message:
    """Fields fewer, twice, in another order, or of another message."""
    entries = list(message)
    way = random.randrange(5)
    if entries and way == 0:
        entries.pop(random.randrange(len(entries)))
    elif entries and way == 1:
        entries.insert(random.randrange(len(entries)), random.choice(entries))
    elif way == 2:
        random.shuffle(entries)
    elif entries and way == 3:
        for _ in range(random.choice([1, 30])):
            entries.append(random.choice(entries))
    else:
        entries.append(Entry(random.randint(1, 30), 0, random.choice(_NUMBERS)))
    return tuple(entries)


def _entry(entry: Entry, random: Random) -> Entry:
    """One field with another value, number or type."""
    way = random.random()
    if way < 0.1:
        return replace(entry, number=random.randint(1, 40))
    if way < 0.15:
        return Entry(entry.number, 0, random.choice(_NUMBERS))
    if way < 0.2:
        return Entry(entry.number, 2, random.randbytes(random.choice([0, 1, 4, 8, 40])))
    if isinstance(entry.value, int):
        near = (entry.value + random.choice([-1, 1, 2])) % (1 << 64)
        return replace(entry, value=random.choice([*_NUMBERS, near, near, near, near]))
    data = entry.value if isinstance(entry.value, bytes) else encoded(entry.value)
    if entry.kind in (1, 5):
        special = [bytes(len(data)), b"\xff" * len(data), data[::-1], random.randbytes(len(data))]
        return replace(entry, value=random.choice(special))
    at = random.randrange(len(data)) if data else 0
    ways = [data[:at], data + data, b"", data[:at] + random.randbytes(1) + data[at + 1 :],
            data[:at] + b"\x00\x00\x80\x7f" + data[at + 4 :], b"\xff" * len(data)]  # fmt: skip
    return replace(entry, value=random.choice(ways))


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number and the place behind it. Raises IndexError where there is none."""
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place
        if shift > 63:
            raise IndexError


def _written(value: int) -> bytes:
    """A number of the wire format."""
    value %= 1 << 64
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])

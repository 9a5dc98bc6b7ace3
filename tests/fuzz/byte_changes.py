"""Changes of bytes that know no format, and how they are mixed with those that do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

Change = Callable[[bytes, Random], bytes]

_NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
            (1 << 63) - 1, 1 << 63, (1 << 64) - 1]  # fmt: skip
_MOST_GARBAGE = 300


def change_bytes(data: bytes, random: Random) -> bytes:
    """``data`` with one to four changes of bytes."""
    for _ in range(random.randint(1, 4)):
        data = random.choice(_CHANGES)(data, random)
    return data


def mixed(valid: Callable[[Random], bytes], structured: Change) -> Callable[[Random], bytes]:
    """Documents: valid ones, changed by structure, by bytes, by both, and garbage."""

    def make(random: Random) -> bytes:
        way = random.random()
        if way < 0.03:
            return random.randbytes(random.randint(0, _MOST_GARBAGE))
        data = valid(random)
        if way < 0.08:
            return data
        if way < 0.75:
            data = structured(data, random)
        if way > 0.65:
            data = change_bytes(data, random)
        return data

    return make


def chosen(samples: Sequence[bytes]) -> Callable[[Random], bytes]:
    """One of ``samples``."""
    return lambda random: random.choice(samples)


def headed(structured: Change) -> Change:
    """A change of what follows the first line, and now and then of that line."""

    def change(data: bytes, random: Random) -> bytes:
        line, feed, value = data.partition(b"\n")
        if random.random() < 0.03:
            line = random.choice(
                [line[:-1] + b"9", b"zkwm-commitment/3", b"zkwm-proof/1", b"zkwm-", b"", line * 9]
            )
        return line + feed + structured(value, random)

    return change


def _place(data: bytes, random: Random) -> int:
    return random.randrange(len(data)) if data else 0


def _flip(data: bytes, random: Random) -> bytes:
    if not data:
        return data
    place = _place(data, random)
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def _set(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: _place(data, random)]


def _remove(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    return data[:place] + data[place + random.randint(1, 16) :]


def _repeat(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    piece = data[place : place + random.randint(1, 64)]
    return data[:place] + piece * random.choice([1, 1, 2, 100]) + data[place:]


def _insert(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    return data[:place] + random.randbytes(random.randint(1, 16)) + data[place:]


def _number(data: bytes, random: Random) -> bytes:
    place, size = _place(data, random), random.choice([1, 2, 4, 8])
    number = random.choice(_NUMBERS) % (1 << 8 * size)
    order = random.choice(["little", "big"])
    written = number.to_bytes(size, "big") if order == "big" else number.to_bytes(size, "little")
    return data[:place] + written + data[place + size :]


def _nest(data: bytes, random: Random) -> bytes:
    """A run of openings, of CBOR's lists and maps and of JSON's."""
    place = _place(data, random)
    opening = random.choice([b"[", b'{"a":', b"\x81", b"\xa1\x61a", b"- "])
    return data[:place] + opening * random.choice([3, 9, 500, 5_000]) + data[place:]


def _run(data: bytes, random: Random) -> bytes:
    """A long run of one byte: what takes the square of its length takes seconds."""
    place = _place(data, random)
    byte = random.choice([b" ", b" ", b"\t", b"\n", b"0", b"9", b"'", b"-", b"\0", b"\xff"])
    return data[:place] + byte * random.choice([40, 1_000, 9_000]) + data[place:]


def _move(data: bytes, random: Random) -> bytes:
    one, two = sorted((_place(data, random), _place(data, random)))
    size = random.randint(1, 32)
    return data[:one] + data[two : two + size] + data[one:two] + data[two + size :]


_CHANGES: list[Change] = [_flip, _flip, _flip, _set, _cut, _remove, _repeat, _insert, _number,
                          _number, _move, _nest, _run]  # fmt: skip

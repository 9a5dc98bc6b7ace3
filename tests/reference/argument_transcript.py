"""The transcript of SPEC.md section 17.2, in plain Python: frames in, challenges out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tests.reference.argument_field import Element, P

BYTES, ELEMENTS, CHALLENGE = 1, 2, 3


def _words(seed: bytes) -> Iterator[int]:
    """The words of 4 bytes of the stream of a seed, without end."""
    stream = hashlib.shake_256(b"zkwm-challenge-1" + seed)
    size, place = 4096, 0
    while True:
        data = stream.digest(size)  # a longer output begins with the shorter one
        while place < size:
            yield int.from_bytes(data[place : place + 4], "little")
            place += 4
        size *= 2


class Transcript:
    """Everything said so far. Challenges depend on all of it, and are frames themselves."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def copy(self) -> Transcript:
        """Another transcript in which the same was said."""
        result = Transcript()
        result._hash = self._hash.copy()
        return result

    def _frame(self, kind: int, label: str, data: bytes) -> None:
        name = label.encode("ascii")
        self._hash.update(bytes([kind, len(name)]) + name + len(data).to_bytes(8, "big") + data)

    def say_bytes(self, label: str, data: bytes) -> None:
        """Append a frame of bytes."""
        self._frame(BYTES, label, data)

    def say_elements(self, label: str, data: bytes) -> None:
        """Append a frame of elements of F_p or K, as encoded in a file."""
        self._frame(ELEMENTS, label, data)

    def _seed(self, label: str, count: int) -> bytes:
        self._frame(CHALLENGE, label, count.to_bytes(8, "big"))
        return self._hash.digest()

    def challenge(self, label: str, count: int) -> list[Element]:
        """Draw elements of K."""
        stream = (word % 2**31 for word in _words(self._seed(label, count)))
        flat = (word for word in stream if word < P)
        return [(next(flat), next(flat), next(flat), next(flat), next(flat)) for _ in range(count)]

    def indices(self, label: str, count: int, bits: int) -> list[int]:
        """Draw different indices below 2^bits , count of them, ascending."""
        drawn: set[int] = set()
        for word in _words(self._seed(label, count)):
            drawn.add(word % 2**bits)
            if len(drawn) == count:
                break
        return sorted(drawn)

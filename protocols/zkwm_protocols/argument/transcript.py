"""The Fiat-Shamir transcript: typed, labelled, length-framed messages in, challenges out.

SPEC.md 17.2. One SHA-256 over all frames; a challenge is itself a frame, so that no two challenges
have one seed. Not a protocol: what is absorbed, and in which order, is SPEC.md 17.8.
"""

from __future__ import annotations

import hashlib

import numpy as np

from zkwm_protocols.field.scalar import DEGREE, Element, P
from zkwm_protocols.field.vector import Array, to_bytes

_BYTES, _ELEMENTS, _CHALLENGE = 1, 2, 3
_CHUNK = 1 << 20


class Transcript:
    """What prover and verifier both know, in its order."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    def absorb_bytes(self, label: str, data: bytes) -> None:
        """A byte string."""
        self._frame(_BYTES, label, len(data))
        self._state.update(data)

    def absorb_zeros(self, label: str, count: int) -> None:
        """``count`` zero bytes, as one byte string."""
        self._frame(_BYTES, label, count)
        zeros = bytes(_CHUNK)
        for start in range(0, count, _CHUNK):
            self._state.update(zeros[: min(_CHUNK, count - start)])

    def absorb_elements(self, label: str, elements: Array | list[Element]) -> None:
        """Elements of K: an array (5, count), or a list."""
        if isinstance(elements, list):
            data = b"".join(c.to_bytes(4, "little") for element in elements for c in element)
        else:
            data = to_bytes(elements)
        self._frame(_ELEMENTS, label, len(data))
        self._state.update(data)

    def challenge(self, label: str, count: int) -> Array:
        """``count`` uniform elements of K, shape (5, count)."""
        seed = self._seed(label, count)
        words = _residues(seed, DEGREE * count)
        return words.reshape(count, DEGREE).T.copy()

    def challenge_element(self, label: str) -> Element:
        """One uniform element of K."""
        return self.challenge_list(label, 1)[0]

    def challenge_list(self, label: str, count: int) -> list[Element]:
        """``count`` uniform elements of K."""
        stream = _residues(self._seed(label, count), DEGREE * count).tolist()
        return [
            (stream[i], stream[i + 1], stream[i + 2], stream[i + 3], stream[i + 4])
            for i in range(0, DEGREE * count, DEGREE)
        ]

    def challenge_indices(self, label: str, bits: int, count: int) -> list[int]:
        """``count`` different indices below 2^``bits``, uniform, ascending."""
        if count > 1 << bits:
            raise ValueError("more different indices than there are")
        stream = hashlib.shake_256(b"zkwm-challenge-1" + self._seed(label, count))
        found: dict[int, None] = {}
        length = 8 * count
        while True:
            words = np.frombuffer(stream.digest(length), dtype="<u4") & ((1 << bits) - 1)
            found = dict.fromkeys(int(word) for word in words)
            if len(found) >= count:
                return sorted(list(found)[:count])
            length *= 2

    def _seed(self, label: str, count: int) -> bytes:
        self._frame(_CHALLENGE, label, 8)
        self._state.update(count.to_bytes(8, "big"))
        return self._state.digest()

    def _frame(self, kind: int, label: str, length: int) -> None:
        name = label.encode("ascii")
        self._state.update(bytes([kind, len(name)]) + name + length.to_bytes(8, "big"))


def _residues(seed: bytes, count: int) -> Array:
    """``count`` uniform residues below p from the stream of a seed (SPEC.md 17.2)."""
    stream = hashlib.shake_256(b"zkwm-challenge-1" + seed)
    length = 4 * count + 4 * (count >> 6) + 64
    while True:
        words = np.frombuffer(stream.digest(length), dtype="<u4") & 0x7FFFFFFF
        words = words[words < P]
        if len(words) >= count:
            return words[:count].astype(np.uint64)
        length *= 2

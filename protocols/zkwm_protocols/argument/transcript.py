"""The Fiat-Shamir transcript: typed, labeled, length-framed messages in, challenges out.

::

    frame      type (1 byte) | length of label (1) | label | length of data (8) | data
               1 bytes, 2 elements of F_p or K, 3 challenge (data: the count)

    SHA-256:   frame frame frame [3 "level" 1] frame frame [3 "round" 1] ...
                                       |                         |
                                     seed                      seed    -> SHAKE-256 -> challenge

    order (SPEC.md 17.8):  protocol, statement, commitment, circuit | look-ups | root |
        for each level: level; for each round: round | round; children | side |
        for each round over cells: position | position | cells | relations |
        combined | columns | columns | claims |
        for each fold: for each round: fold | fold; folded or last | folded columns |
            folded columns | claims

A challenge is itself a frame, so that no two have the same seed. This module frames and hashes; the
order is kept by ``logup_gkr.protocol`` and ``combined_claim``. Labels are part of the hash: they
must never be renamed. SPEC.md 17.2.
"""

from __future__ import annotations

import hashlib

import numpy as np

from zkwm_protocols.field.scalar import DEGREE, Element, P
from zkwm_protocols.field.vector import Array, to_bytes

_BYTES, _ELEMENTS, _CHALLENGE = 1, 2, 3
_CHUNK = 1 << 20


class Transcript:
    """All public messages of one proof, in order, hashed."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    def absorb_bytes(self, label: str, data: bytes) -> None:
        """Append a byte string."""
        self._frame(_BYTES, label, len(data))
        self._state.update(data)

    def absorb_zeros(self, label: str, count: int) -> None:
        """Append ``count`` zero bytes as one byte string, without holding them in memory."""
        self._frame(_BYTES, label, count)
        zeros = bytes(_CHUNK)
        for start in range(0, count, _CHUNK):
            self._state.update(zeros[: min(_CHUNK, count - start)])

    def absorb_elements(self, label: str, elements: Array | list[Element]) -> None:
        """Append elements of K: a uint64 array (5, count), or a list; the bytes are the same."""
        if isinstance(elements, list):
            data = b"".join(c.to_bytes(4, "little") for element in elements for c in element)
        else:
            data = to_bytes(elements)
        self._frame(_ELEMENTS, label, len(data))
        self._state.update(data)

    def challenge(self, label: str, count: int) -> Array:
        """Draw ``count`` uniform elements of K, uint64 (5, count)."""
        seed = self._seed(label, count)
        words = _residues(seed, DEGREE * count)
        return words.reshape(count, DEGREE).T.copy()

    def challenge_element(self, label: str) -> Element:
        """Draw one uniform element of K."""
        return self.challenge_list(label, 1)[0]

    def challenge_list(self, label: str, count: int) -> list[Element]:
        """Draw ``count`` uniform elements of K as a list."""
        stream = _residues(self._seed(label, count), DEGREE * count).tolist()
        return [
            (stream[i], stream[i + 1], stream[i + 2], stream[i + 3], stream[i + 4])
            for i in range(0, DEGREE * count, DEGREE)
        ]

    def challenge_indices(self, label: str, bits: int, count: int) -> list[int]:
        """Draw ``count`` different indices below 2^``bits``, uniform, ascending.

        Raises:
            ValueError: ``count`` is above 2^``bits``.
        """
        if count > 1 << bits:
            raise ValueError("more different indices than there are")
        stream = hashlib.shake_256(b"zkwm-challenge-1" + self._seed(label, count))
        length = 8 * count
        while True:
            words = np.frombuffer(stream.digest(length), dtype="<u4") & ((1 << bits) - 1)
            # a dict keeps the order of the stream and drops repetitions
            indices = dict.fromkeys(int(word) for word in words)
            if len(indices) >= count:
                return sorted(list(indices)[:count])
            length *= 2  # SHAKE-256: a longer digest begins with the shorter one

    def _seed(self, label: str, count: int) -> bytes:
        """Append the frame of a challenge; its seed is the hash of everything so far."""
        self._frame(_CHALLENGE, label, 8)
        self._state.update(count.to_bytes(8, "big"))
        return self._state.digest()

    def _frame(self, kind: int, label: str, length: int) -> None:
        """Append the head of a frame; its data follows."""
        name = label.encode("ascii")
        self._state.update(bytes([kind, len(name)]) + name + length.to_bytes(8, "big"))


def _residues(seed: bytes, count: int) -> Array:
    """``count`` uniform residues below p from the stream of a seed, uint64 (SPEC.md 17.2)."""
    stream = hashlib.shake_256(b"zkwm-challenge-1" + seed)
    length = 4 * count + 4 * (count >> 6) + 64
    while True:
        words = np.frombuffer(stream.digest(length), dtype="<u4") & 0x7FFFFFFF
        words = words[words < P]
        if len(words) >= count:
            return words[:count].astype(np.uint64)
        length *= 2

"""Random numbers from a secret key: SHAKE-256 in counter mode, one stream for each label.

One stream reveals nothing about another, as far as SHAKE-256 behaves like a random function. It has
only the draws that the trigger families need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError

KEY_BYTES = 32
_LEAST_CHUNK = 256
_Item = TypeVar("_Item")


def _framed(parts: Sequence[str | int]) -> bytes:
    """Encode the parts of a label, each after its length, so that no two labels collide."""
    texts = [f"{type(part).__name__}:{part}".encode() for part in parts]
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


class KeyStream:
    """An endless stream of random bytes, determined by a 32-byte key and a label.

    Raises UsageError for a key of another length.
    """

    def __init__(self, key: bytes, domain: str) -> None:
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise UsageError(f"the key of a trigger family is {KEY_BYTES} bytes")
        self._key = hashlib.shake_256(_framed([domain]) + key).digest(KEY_BYTES)
        self._counter = 0
        self._ahead = b""

    def derive(self, *label: str | int) -> KeyStream:
        """An independent stream for ``label``; the position of this stream does not matter."""
        return KeyStream(self._key, _framed(label).hex())

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        missing = count - len(self._ahead)
        if missing > 0:
            block = b"out" + self._counter.to_bytes(8, "big")
            self._counter += 1
            self._ahead += hashlib.shake_256(self._key + block).digest(max(missing, _LEAST_CHUNK))
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken

    def below(self, bound: int) -> int:
        """A uniform integer from 0 to ``bound`` - 1, by rejection; ``bound`` is at most 2^32."""
        limit = (1 << 32) // bound * bound
        while (value := int.from_bytes(self.take(4), "big")) >= limit:
            pass
        return value % bound

    def uniform(self, low: float, high: float) -> float:
        """A uniform number from ``low`` to ``high``."""
        return low + (high - low) * int.from_bytes(self.take(7), "big") / (1 << 56)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform(0, 1) < probability

    def choose(self, items: Sequence[_Item]) -> _Item:
        """One of the items, each equally likely."""
        return items[self.below(len(items))]

    def signed(self, *shape: int) -> NDArray[np.float32]:
        """Uniform numbers from -1 to 1, float32 of this shape."""
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(self.take(4 * count), dtype="<i4").astype(np.float32)
        return (values / np.float32(1 << 31)).reshape(shape)

    def bits(self, *shape: int) -> NDArray[np.uint8]:
        """Independent fair bits, uint8 0 or 1 of this shape."""
        count = int(np.prod(shape, dtype=np.int64))
        packed = np.frombuffer(self.take(-(-count // 8)), dtype=np.uint8)
        return np.unpackbits(packed, count=count).reshape(shape)

    def permutation(self, count: int) -> NDArray[np.int64]:
        """A uniform permutation of 0 to ``count`` - 1, int64 (count,) (Fisher-Yates shuffle)."""
        order = np.arange(count)
        for last in range(count - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order

"""The prover's secret randomness: one stream that never repeats and cannot be copied.

SHAKE-256 in counter blocks under a key from the operating system, a secret of the vault and
digests of statement and witness: with a broken or rewound operating system the stream is still
secret, and differs for different witnesses. Not the transcript's challenges, which are public
(``transcript``).
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.scalar import P

_PREFIX = b"zkwm-random-1"
_BLOCK_BYTES = 1 << 20
_MINIMUM_SECRET_BYTES = 32


class RandomStream:
    """Uniform bytes and elements of F_p, each given out once.

    ``secret`` has at least 32 bytes (UsageError); ``digests`` bind the stream to what it is used
    for. Two streams with equal arguments differ. Copying and pickling raise TypeError.
    """

    __slots__ = ("_counter", "_key")

    def __init__(self, secret: bytes, *digests: bytes) -> None:
        if len(secret) < _MINIMUM_SECRET_BYTES:
            raise UsageError(f"the secret of a random stream has {_MINIMUM_SECRET_BYTES} bytes")
        hasher = hashlib.sha512(_PREFIX + secrets.token_bytes(64))
        for part in (secret, *digests):
            hasher.update(len(part).to_bytes(8, "big") + part)
        self._key = hasher.digest()
        self._counter = 0

    def bytes(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        blocks = []
        while count > 0:
            taken = min(count, _BLOCK_BYTES)
            block = hashlib.shake_256(_PREFIX + self._key + self._counter.to_bytes(8, "big"))
            self._counter += 1
            blocks.append(block.digest(taken))
            count -= taken
        return b"".join(blocks)

    def elements(self, count: int) -> NDArray[np.uint32]:
        """The next ``count`` elements of F_p, uniform, as uint32 of shape (count,)."""
        result = np.empty(count, dtype=np.uint32)
        filled = 0
        while filled < count:
            missing = count - filled
            words = np.frombuffer(self.bytes(4 * (missing + missing // 64 + 8)), dtype="<u4")
            words = words & np.uint32(0x7FFFFFFF)
            words = words[words < P][:missing]
            result[filled : filled + len(words)] = words
            filled += len(words)
        return result

    def __repr__(self) -> str:
        return "RandomStream()"

    def __copy__(self) -> NoReturn:
        self._refuse()

    def __deepcopy__(self, memo: object) -> NoReturn:
        self._refuse()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self._refuse()

    def __getstate__(self) -> NoReturn:
        self._refuse()

    @staticmethod
    def _refuse() -> NoReturn:
        raise TypeError("a random stream is never copied: its values must be used once")

"""The prover's secret randomness: a stream that never repeats and cannot be copied.

::

    key    = SHA-512(zkwm-random-1, 64 bytes of the operating system, secret, digests)
    stream = SHAKE-256(zkwm-random-1, key, 0) | SHAKE-256(zkwm-random-1, key, 1) | ...

All masks, tails and nonces come from here: used twice, they would give the witness away. The
vault's secret keeps the stream secret where the operating system's generator is broken; digests of
statement and witness make it differ where that generator is rewound. The verifier's challenges are
public and come from ``transcript``.
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

    Two streams with equal arguments differ. Copying and pickling raise TypeError.

    Args:
        secret: at least 32 bytes.
        digests: of what the stream is used for.

    Raises:
        UsageError: a secret that is too short.
    """

    __slots__ = ("_counter", "_key")

    def __init__(self, secret: bytes, *digests: bytes) -> None:
        if len(secret) < _MINIMUM_SECRET_BYTES:
            raise UsageError(
                f"the secret of a random stream: expected at least {_MINIMUM_SECRET_BYTES} bytes, "
                f"got {len(secret)}"
            )
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
        """The next ``count`` elements of F_p, uniform: uint32 (count,).

        Words of 31 bits below p; the others, one in 128, are skipped.
        """
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
        """A copy would give the same values out twice."""
        raise TypeError("a random stream is never copied: its values must be used once")

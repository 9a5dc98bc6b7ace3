"""The prover's secret randomness: a stream that never repeats and cannot be copied.

::

    key    = SHA-512(zkwm-random-2, 64 bytes of the operating system, secret, purpose)
    stream = SHAKE-256(zkwm-random-2, key, 0) | SHAKE-256(zkwm-random-2, key, 1) | ...

    purpose: the release, the layout, digests of statement and witness

All masks, tails and nonces come from here: used twice, they would give the witness away. The
vault's secret keeps the stream secret where the operating system's generator is broken; digests of
statement and witness make it differ where that generator is rewound; release and layout do where
the same numbers would be drawn in another order, so that pads of two proofs were related. The
verifier's challenges are public and come from ``transcript``.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.scalar import P

_PREFIX = b"zkwm-random-2"
_BLOCK_BYTES = 1 << 20
_MINIMUM_SECRET_BYTES = 32


def proof_purpose(
    release: str, layout: Layout, statement: Statement, cells: NDArray[np.uint32]
) -> tuple[bytes, ...]:
    """The purpose of a proof's stream: all that its draws, and their order, depend on.

    Args:
        release: the version of zkwm that draws.
        layout: all sizes.
        statement: the public input.
        cells (uint32, (J, n)): of the witness.
    """
    return (
        release.encode(),
        repr(layout).encode(),
        hashlib.sha256(statement.to_bytes(layout)).digest(),
        hashlib.sha256(np.ascontiguousarray(cells).data).digest(),
    )


class RandomStream:
    """Uniform bytes and elements of F_p, each given out once.

    Two streams with equal arguments differ. Copying and pickling raise TypeError.

    Args:
        secret: at least 32 bytes.
        purpose: what the stream is used for, part by part; ``proof_purpose`` for a proof.

    Raises:
        UsageError: a secret that is too short.
    """

    __slots__ = ("_counter", "_key")

    def __init__(self, secret: bytes, *purpose: bytes) -> None:
        if len(secret) < _MINIMUM_SECRET_BYTES:
            raise UsageError(
                f"the secret of a random stream: expected at least {_MINIMUM_SECRET_BYTES} bytes, "
                f"got {len(secret)}"
            )
        hasher = hashlib.sha512(_PREFIX + secrets.token_bytes(64))
        for part in (secret, *purpose):
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

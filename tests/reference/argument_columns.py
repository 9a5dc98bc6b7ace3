"""Codewords and the tree of columns of SPEC.md section 17.7, as the plain Python prover of the
argument makes them.
"""

from __future__ import annotations

import hashlib
from random import Random

from tests.reference.argument_field import P, powers, root_of_unity
from tests.reference.argument_parameters import Sizes
from tests.reference.argument_polynomial import KPolynomial, transform


class Committed:
    """The rows, their codewords and the tree of columns."""

    def __init__(self, sizes: Sizes, base: list[list[int]], rows: list[KPolynomial], rng: Random):
        flat = base + [[c[i] for c in row] for row in rows for i in range(5)]
        n, root, shift = sizes.code_length, root_of_unity(sizes.k), powers(3, sizes.code_length)
        words = []
        for row in flat:
            shifted = [c * s % P for c, s in zip(row, shift, strict=False)]
            words.append(transform(shifted + [0] * (n - len(row)), root))
        self.columns = [
            b"".join(x.to_bytes(4, "little") for x in column) for column in zip(*words, strict=True)
        ]
        self.nonces = [rng.randbytes(32) for _ in range(n)]
        self.levels = [
            [
                hashlib.sha256(b"zkwm-column-1" + c.to_bytes(4, "big") + nonce + column).digest()
                for c, (nonce, column) in enumerate(zip(self.nonces, self.columns, strict=True))
            ]
        ]
        for level in range(1, sizes.k + 1):
            below = self.levels[-1]
            self.levels.append(
                [
                    hashlib.sha256(
                        b"zkwm-node-1"
                        + bytes([level])
                        + i.to_bytes(4, "big")
                        + below[2 * i]
                        + below[2 * i + 1]
                    ).digest()
                    for i in range(len(below) // 2)
                ]
            )

    def nodes(self, opened: list[int]) -> bytes:
        """The nodes that a verifier lacks."""
        result, have = b"", set(opened)
        for level in self.levels[:-1]:
            result += b"".join(level[i ^ 1] for i in sorted(have) if i ^ 1 not in have)
            have = {i // 2 for i in have}
        return result

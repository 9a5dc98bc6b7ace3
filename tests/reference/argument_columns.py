"""Codewords and the trees of columns of SPEC.md sections 17.7 and 17.11, as the plain Python prover
of the argument makes them.
"""

from __future__ import annotations

import hashlib
from random import Random

from tests.reference.argument_field import P, powers, root_of_unity
from tests.reference.argument_parameters import Sizes
from tests.reference.argument_polynomial import KPolynomial, transform


def encoded(row: list[int], k: int) -> list[int]:
    """The codeword of a row: its values at 3 w^c."""
    shift = powers(3, 1 << k)
    shifted = [c * s % P for c, s in zip(row, shift, strict=False)]
    return transform(shifted + [0] * (len(shift) - len(row)), root_of_unity(k))


class CommittedColumns:
    """Codewords of rows over F_p, and the tree of their columns."""

    def __init__(self, rows: list[list[int]], k: int, prefix: bytes, nonces: list[bytes]) -> None:
        self.k, self.nonces = k, nonces
        codewords = [encoded(row, k) for row in rows]
        self.columns = [
            b"".join(x.to_bytes(4, "little") for x in column)
            for column in zip(*codewords, strict=True)
        ]
        leaves = enumerate(zip(nonces, self.columns, strict=True))
        self.levels = [
            [
                hashlib.sha256(prefix + c.to_bytes(4, "big") + nonce + column).digest()
                for c, (nonce, column) in leaves
            ]
        ]
        for level in range(1, k + 1):
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

    @property
    def root(self) -> bytes:
        """What is sent first."""
        return self.levels[-1][0]

    def nodes(self, opened: list[int]) -> bytes:
        """The nodes that a verifier lacks."""
        result, have = b"", set(opened)
        for level in self.levels[:-1]:
            result += b"".join(level[i ^ 1] for i in sorted(have) if i ^ 1 not in have)
            have = {i // 2 for i in have}
        return result

    def opened(self, columns: list[int]) -> dict[str, bytes]:
        """What is sent for these columns, but nonces."""
        return {
            "columns": b"".join(self.columns[c] for c in columns),
            "nodes": self.nodes(columns),
        }


def committed_rows(
    sizes: Sizes, base: list[list[int]], rows: list[KPolynomial], rng: Random
) -> CommittedColumns:
    """The tableau's columns."""
    flat = base + [[c[i] for c in row] for row in rows for i in range(5)]
    nonces = [rng.randbytes(32) for _ in range(sizes.code_length)]
    return CommittedColumns(flat, sizes.k, b"zkwm-column-1", nonces)


def committed_vector(sizes: Sizes, fold: int, vector: KPolynomial) -> CommittedColumns:
    """The columns of a vector of 17.11; row i has the entries i, i + 2^a, ..."""
    a, k, _ = sizes.folds[fold]
    rows = [[c[j] for c in vector[i :: 1 << a]] for i in range(1 << a) for j in range(5)]
    nonce = (fold + 1).to_bytes(32, "big")
    return CommittedColumns(rows, k, b"zkwm-folded-1", [nonce] * (1 << k))

"""Merkle trees and proofs as RFC 9162, section 2.1, writes them: recursion over all leaf hashes.

Slow and obvious: every subtree is computed from its leaves, with a cache for the large trees.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache


class Log:
    """A tree over all its leaf hashes."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.root_of = lru_cache(maxsize=None)(self._root_of)

    def _root_of(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        count = end - start
        if count == 0:
            return hashlib.sha256(b"").digest()
        if count == 1:
            return self.leaves[start]
        k = split(count)
        left, right = self.root_of(start, start + k), self.root_of(start + k, end)
        return hashlib.sha256(b"\x01" + left + right).digest()

    def head(self, size: int) -> bytes:
        """MTH(D[0:size])."""
        return self.root_of(0, size)

    def path(self, m: int, n: int, start: int = 0) -> list[bytes]:
        """PATH(m, D_n), of the leaves from ``start`` on."""
        if n == 1:
            return []
        k = split(n)
        if m < k:
            return [*self.path(m, k, start), self.root_of(start + k, start + n)]
        return [*self.path(m - k, n - k, start + k), self.root_of(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D_n), 0 < m <= n."""
        return self._subproof(m, n, True, 0)

    def _subproof(self, m: int, n: int, known: bool, start: int) -> list[bytes]:
        if m == n:
            return [] if known else [self.root_of(start, start + n)]
        k = split(n)
        if m <= k:
            return [*self._subproof(m, k, known, start), self.root_of(start + k, start + n)]
        return [
            *self._subproof(m - k, n - k, False, start + k),
            self.root_of(start, start + k),
        ]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def included(leaf: bytes, index: int, size: int, root: bytes, proof: list[bytes]) -> bool:
    """RFC 9162, 2.1.3.2, step by step."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: list[bytes]
) -> bool:
    """RFC 9162, 2.1.4.2, step by step, for 0 < first < second."""
    if not proof:
        return False
    path = list(proof)
    if first & (first - 1) == 0:
        path = [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr = hashlib.sha256(b"\x01" + c + fr).digest()
            sr = hashlib.sha256(b"\x01" + c + sr).digest()
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hashlib.sha256(b"\x01" + sr + c).digest()
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0

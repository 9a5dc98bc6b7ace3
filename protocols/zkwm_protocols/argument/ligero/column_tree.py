"""The hash tree over the columns of a codeword, and its openings (SPEC.md 17.7).

NumPy and hashlib only. The number of leaves is a power of two; every leaf carries a nonce, which
hides the columns that stay closed. Not the tree of a commitment file (``merkle``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import InvalidOpening

CHECK = "argument.columns"
DIGEST_BYTES = 32
NONCE_BYTES = 32

_LEAF_PREFIX = np.frombuffer(b"zkwm-column-1", dtype=np.uint8)
_NODE_PREFIX = b"zkwm-node-1"
_ALIGNMENT = 3
"""Bytes in front of a leaf's message, so that the elements in it are aligned."""
_COPIED_AT_ONCE = 16
"""Rows of a codeword that are transposed together: they stay in the first cache."""


@dataclass(frozen=True, repr=False)
class ColumnTree:
    """All digests, ``levels[0]`` the leaves, the last the root: 32 bytes each, joined."""

    levels: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return self.levels[-1]

    def missing_nodes(self, indices: Sequence[int]) -> tuple[bytes, ...]:
        """What a verifier needs beside the leaves at ``indices`` (ascending, distinct)."""
        return tuple(
            self.levels[level][DIGEST_BYTES * i : DIGEST_BYTES * (i + 1)]
            for level, i in _missing_places(indices, len(self.levels) - 1)
        )


def hash_columns(columns: NDArray[np.uint32], nonces: bytes, indices: NDArray[np.integer]) -> bytes:
    """The leaves of some columns, 32 bytes each, joined.

    ``columns`` (m, rows over F_p), any memory order; ``nonces`` 32 m bytes; ``indices`` (m,).
    """
    count, rows = columns.shape
    header = len(_LEAF_PREFIX) + 4 + NONCE_BYTES
    start = _ALIGNMENT + header
    buffer = np.empty((count, start + 4 * rows), dtype=np.uint8)
    at_index = _ALIGNMENT + len(_LEAF_PREFIX)
    buffer[:, _ALIGNMENT:at_index] = _LEAF_PREFIX
    buffer[:, at_index : at_index + 4] = (
        np.asarray(indices).astype(">u4").view(np.uint8).reshape(count, 4)
    )
    buffer[:, at_index + 4 : start] = np.frombuffer(nonces, dtype=np.uint8).reshape(count, -1)
    elements = buffer[:, start:].view("<u4")
    for row in range(0, rows, _COPIED_AT_ONCE):
        strip = slice(row, row + _COPIED_AT_ONCE)
        elements[:, strip] = columns[:, strip]
    flat = buffer.reshape(-1).data
    stride = start + 4 * rows
    return b"".join(
        hashlib.sha256(flat[i * stride + _ALIGNMENT : (i + 1) * stride]).digest()
        for i in range(count)
    )


def build_tree(leaves: bytes) -> ColumnTree:
    """The tree over 2^k leaves of 32 bytes, joined."""
    levels = [leaves]
    while len(levels[-1]) > DIGEST_BYTES:
        below, prefix = levels[-1], _NODE_PREFIX + bytes([len(levels)])
        levels.append(
            b"".join(
                hashlib.sha256(
                    prefix + i.to_bytes(4, "big") + below[start : start + 2 * DIGEST_BYTES]
                ).digest()
                for i, start in enumerate(range(0, len(below), 2 * DIGEST_BYTES))
            )
        )
    return ColumnTree(tuple(levels))


def recompute_root(
    leaves: Sequence[bytes], indices: Sequence[int], nodes: Sequence[bytes], depth: int
) -> bytes:
    """The root of a tree of 2^``depth`` leaves, of the opened leaves and the missing nodes.

    ``indices`` are ascending and distinct, ``leaves`` theirs. Raises InvalidOpening
    (argument.columns) when ``nodes`` are more or fewer than needed, or one has not 32 bytes.
    """
    places = _missing_places(indices, depth)
    if len(nodes) != len(places) or any(len(node) != DIGEST_BYTES for node in nodes):
        raise InvalidOpening(
            f"the opening of the columns needs {len(places)} nodes, and has {len(nodes)}",
            check=CHECK,
        )
    given: list[dict[int, bytes]] = [{} for _ in range(depth + 1)]
    for (level, i), node in zip(places, nodes, strict=True):
        given[level][i] = node
    known = dict(zip(indices, leaves, strict=True))
    for level in range(depth):
        prefix = _NODE_PREFIX + bytes([level + 1])
        known |= given[level]
        known = {
            i >> 1: hashlib.sha256(
                prefix + (i >> 1).to_bytes(4, "big") + digest + known[i + 1]
            ).digest()
            for i, digest in known.items()
            if i % 2 == 0
        }
    return known[0]


def _missing_places(indices: Sequence[int], depth: int) -> list[tuple[int, int]]:
    """(level, index) of the nodes that an opening lacks, level by level, ascending in each."""
    places = []
    known = {int(index) for index in indices}
    for level in range(depth):
        siblings = sorted({i ^ 1 for i in known} - known)
        places += [(level, i) for i in siblings]
        known = {i >> 1 for i in known}
    return places

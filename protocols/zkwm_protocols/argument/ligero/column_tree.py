"""The hash tree over the columns of the encoded tableau, and its multiproofs (SPEC.md 17.7).

::

    level k              root                   the commitment
      ...                 ...
    level 1        node        node    ...      SHA-256(zkwm-node-1, level, index, left, right)
    level 0     leaf  leaf  leaf  leaf ...      SHA-256(zkwm-column-1, index, nonce, the column's
                                                elements, rows in order); N = 2^k leaves

    the trees of a recursive opening alike, with zkwm-folded-1 and the fold's number as nonce

    opening of columns 1 and 2:    (0)  1  2  (3)         (x) is sent: the sibling of a known node

The nonces hide the columns that stay closed: without them a leaf could be searched for by guessing
a column. NumPy and hashlib only. A commitment file has another tree, ``zkwm_protocols.merkle``.
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

LEAF_PREFIX = b"zkwm-column-1"
FOLD_PREFIX = b"zkwm-folded-1"
NODE_PREFIX = b"zkwm-node-1"
_ALIGNMENT = 3
"""Bytes in front of a leaf's message: 3 + 13 + 4 + 32 is a multiple of 4."""
_COPIED_AT_ONCE = 16
"""Rows of the tableau that are transposed together: they stay in the first cache."""


@dataclass(frozen=True, repr=False)
class ColumnTree:
    """All digests of 32 bytes, joined level by level; the leaves first, the root last."""

    levels: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return self.levels[-1]

    def missing_nodes(self, indices: Sequence[int]) -> tuple[bytes, ...]:
        """The nodes that an opening of ``indices`` (ascending, distinct) needs beside leaves."""
        return tuple(
            self.levels[level][DIGEST_BYTES * i : DIGEST_BYTES * (i + 1)]
            for level, i in _missing_places(indices, len(self.levels) - 1)
        )


def fold_nonces(number: int, count: int) -> bytes:
    """What leaves of fold ``number`` (from 1) of a recursive opening have as nonces: the number."""
    return number.to_bytes(NONCE_BYTES, "big") * count


def hash_columns(
    columns: NDArray[np.uint32],
    nonces: bytes,
    indices: NDArray[np.integer],
    prefix: bytes = LEAF_PREFIX,
) -> bytes:
    """The leaf digests of some columns, 32 bytes each, joined.

    Args:
        columns (uint32, (m, rows)): canonical elements of F_p, in any memory order.
        nonces: 32 m bytes.
        indices (integers, (m,)): where the columns are in the codeword.
        prefix: ``LEAF_PREFIX`` or ``FOLD_PREFIX``, 13 bytes.
    """
    count, rows = columns.shape
    header = len(prefix) + 4 + NONCE_BYTES
    start = _ALIGNMENT + header
    buffer = np.empty((count, start + 4 * rows), dtype=np.uint8)
    at_index = _ALIGNMENT + len(prefix)
    buffer[:, _ALIGNMENT:at_index] = np.frombuffer(prefix, dtype=np.uint8)
    buffer[:, at_index : at_index + 4] = (
        np.asarray(indices).astype(">u4").view(np.uint8).reshape(count, 4)
    )
    buffer[:, at_index + 4 : start] = np.frombuffer(nonces, dtype=np.uint8).reshape(count, -1)
    elements = buffer[:, start:].view("<u4")
    # strip by strip: a whole column at a time would miss the cache at every element
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
        below, prefix = levels[-1], NODE_PREFIX + bytes([len(levels)])
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
    """The root of a tree of 2^``depth`` leaves, from opened leaves and the nodes they lack.

    Args:
        leaves: digests of the opened leaves.
        indices: their indices, ascending and distinct.
        nodes: the missing nodes, level by level, ascending in each.
        depth: the number of levels below the root.

    Raises:
        InvalidOpening: too many nodes, too few, or one of another length (argument.columns).
    """
    places = _missing_places(indices, depth)
    if len(nodes) != len(places) or any(len(node) != DIGEST_BYTES for node in nodes):
        raise InvalidOpening(
            f"the column opening: expected {len(places)} nodes, got {len(nodes)}",
            check=CHECK,
        )
    sent: list[dict[int, bytes]] = [{} for _ in range(depth + 1)]
    for (level, i), node in zip(places, nodes, strict=True):
        sent[level][i] = node
    digests = dict(zip(indices, leaves, strict=True))
    for level in range(depth):
        prefix = NODE_PREFIX + bytes([level + 1])
        digests |= sent[level]
        digests = {
            i >> 1: hashlib.sha256(
                prefix + (i >> 1).to_bytes(4, "big") + digest + digests[i + 1]
            ).digest()
            for i, digest in digests.items()
            if i % 2 == 0
        }
    return digests[0]


def check_columns(
    root: bytes,
    columns: NDArray[np.uint32],
    indices: Sequence[int],
    nodes: Sequence[bytes],
    *,
    depth: int,
    nonces: bytes,
    prefix: bytes = LEAF_PREFIX,
) -> None:
    """Require that opened columns are those of a root.

    Args:
        root: 32 bytes.
        columns (uint32, (t, rows)): canonical.
        indices: theirs, ascending and distinct.
        nodes: the missing nodes.
        depth: the tree has 2^depth leaves.
        nonces: 32 t bytes.
        prefix: of the tree's leaves.

    Raises:
        InvalidOpening: they are not (argument.columns).
    """
    leaves = hash_columns(columns, nonces, np.asarray(indices), prefix)
    starts = range(0, len(leaves), DIGEST_BYTES)
    digests = [leaves[i : i + DIGEST_BYTES] for i in starts]
    if recompute_root(digests, indices, nodes, depth) != root:
        raise InvalidOpening("the opened columns are not those committed to", check=CHECK)


def _missing_places(indices: Sequence[int], depth: int) -> list[tuple[int, int]]:
    """(level, index) of the nodes that an opening lacks, level by level, ascending in each."""
    places = []
    computable = {int(index) for index in indices}
    for level in range(depth):
        siblings = sorted({i ^ 1 for i in computable} - computable)
        places += [(level, i) for i in siblings]
        computable = {i >> 1 for i in computable}
    return places

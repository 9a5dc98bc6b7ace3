"""The column tree over a whole encoded tableau, from C in vectors or by hashlib in threads.

From C, as many columns are hashed together as a vector has words; else hashlib is faster. Leaves
are hashed on a GPU where ZKWM_KERNELS is ``cuda``.
``column_tree`` says what is hashed; the verifier hashes its few columns there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.column_tree import (
    DIGEST_BYTES,
    LEAF_PREFIX,
    NODE_PREFIX,
    NONCE_BYTES,
    ColumnTree,
    build_tree,
    hash_columns,
)
from zkwm_protocols.field.kernels.native import LEVEL, ON_GPU, call, require, words
from zkwm_protocols.field.kernels.threads import run_tasks

_HASHED_AT_ONCE = 256
_THREADS = 2
_Bytes = NDArray[np.uint8]


def hash_codewords(
    codewords: NDArray[np.uint32], nonces: bytes, prefix: bytes = LEAF_PREFIX
) -> ColumnTree:
    """The tree over the columns of some codewords.

    Args:
        codewords (uint32, (rows, N)): canonical, N a power of two.
        nonces: 32 N bytes.
        prefix: of the leaves, 13 bytes.

    Raises:
        UsageError: sizes that do not fit.
    """
    length = codewords.shape[1]
    require(len(nonces) == NONCE_BYTES * length and length < 1 << 32, "columns and nonces")
    if ON_GPU:
        from zkwm_protocols.argument.ligero.cuda_hashing import hash_leaves

        return build_tree(hash_leaves(codewords, nonces, prefix))
    if LEVEL in (None, "plain"):
        return build_tree(_hash_by_library(codewords, nonces, prefix))
    return tree_of(_hash_columns(np.ascontiguousarray(codewords), nonces, prefix))


def tree_of(digests: _Bytes) -> ColumnTree:
    """The tree over leaves, uint8 (N, 32)."""
    if LEVEL in (None, "plain"):
        return build_tree(digests.tobytes())
    levels = [digests.tobytes()]
    while len(digests) > 1:
        digests = _hash_nodes(digests, len(levels))
        levels.append(digests.tobytes())
    return ColumnTree(tuple(levels))


def _hash_by_library(codewords: NDArray[np.uint32], nonces: bytes, prefix: bytes) -> bytes:
    """The leaves by hashlib, blocks of columns in threads."""
    length = codewords.shape[1]

    def hash_block(start: int) -> bytes:
        stop = min(start + _HASHED_AT_ONCE, length)
        return hash_columns(
            codewords[:, start:stop].copy().T,
            nonces[NONCE_BYTES * start : NONCE_BYTES * stop],
            np.arange(start, stop),
            prefix,
        )

    with ThreadPoolExecutor(_THREADS) as pool:
        return b"".join(pool.map(hash_block, range(0, length, _HASHED_AT_ONCE)))


def _hash_columns(codewords: NDArray[np.uint32], nonces: bytes, prefix: bytes) -> _Bytes:
    """The leaves from C, uint8 (N, 32)."""
    rows, length = codewords.shape
    digests = np.empty((length, DIGEST_BYTES), dtype=np.uint8)
    first = np.frombuffer(prefix, dtype=np.uint8)
    drawn = np.frombuffer(nonces, dtype=np.uint8).reshape(length, NONCE_BYTES)
    addresses = (
        0, words(first, 13, dtype=np.uint8), words(drawn, length, NONCE_BYTES, dtype=np.uint8),
        words(codewords, rows, length), rows, length,
        words(digests, length, DIGEST_BYTES, dtype=np.uint8, out=True),
    )  # fmt: skip

    def blocks(begin: int, end: int) -> None:
        """Blocks of columns that fill vectors."""
        stop = min(end * _HASHED_AT_ONCE, length)
        call("hash_columns", begin * _HASHED_AT_ONCE, stop, *addresses)

    run_tasks(blocks, -(-length // _HASHED_AT_ONCE), work=codewords.size // 8)
    return digests


def _hash_nodes(below: _Bytes, level: int) -> _Bytes:
    """The nodes of a level from the digests below (2m, 32), from C: uint8 (m, 32)."""
    count = len(below) // 2
    digests = np.empty((count, DIGEST_BYTES), dtype=np.uint8)
    prefix = np.frombuffer(NODE_PREFIX + bytes([level]), dtype=np.uint8)
    addresses = (
        words(prefix, 12, dtype=np.uint8),
        words(below, 2 * count, DIGEST_BYTES, dtype=np.uint8),
        words(digests, count, DIGEST_BYTES, dtype=np.uint8, out=True),
    )

    def blocks(begin: int, end: int) -> None:
        """Blocks of nodes that fill vectors."""
        stop = min(end * _HASHED_AT_ONCE, count)
        call("hash_nodes", begin * _HASHED_AT_ONCE, stop, *addresses)

    run_tasks(blocks, -(-count // _HASHED_AT_ONCE), work=count)
    return digests

"""The root of the Merkle tree of RFC 9162 (section 2.1.1), by SHA-256 (SPEC.md 5.3).

There are no inclusion proofs here: a commitment file carries all leaves, so that whoever holds it
recomputes the whole tree. A log has proofs (``zkwm_protocols.transparency.tree``), and so have the
columns of an argument (``zkwm_protocols.argument.ligero.column_tree``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The Merkle tree hash of no entries."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, 32 bytes: SHA-256 of 0x00 and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two nodes, 32 bytes: SHA-256 of 0x01, left and right."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(entries: Sequence[bytes]) -> bytes:
    """The Merkle tree hash, 32 bytes, of the entries in their order (RFC 9162, 2.1.1).

    Computed level by level, where a node without a sibling moves up unchanged; that equals the
    recursive definition, which splits at the largest power of two below the length.
    """
    return root_of_hashes([leaf_hash(entry) for entry in entries])


def root_of_hashes(level: Sequence[bytes]) -> bytes:
    """The Merkle tree hash, 32 bytes, of entries whose leaf hashes (32 bytes each) are given."""
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]

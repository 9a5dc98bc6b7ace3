"""The root of the Merkle tree of RFC 9162 (section 2.1.1), by SHA-256 (SPEC.md 5.3).

There are no inclusion proofs here: a commitment file carries all leaves, so that whoever holds it
recomputes the whole tree. The columns of an argument have proofs
(``zkwm_protocols.argument.ligero.column_tree``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def root(entries: Sequence[bytes]) -> bytes:
    """The Merkle tree hash, 32 bytes, of the entries in their order (RFC 9162, 2.1.1).

    Computed level by level, where a node without a sibling moves up unchanged; that equals the
    recursive definition, which splits at the largest power of two below the length.
    """
    if not entries:
        return hashlib.sha256(b"").digest()
    level = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
    while len(level) > 1:
        above = [
            hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest()
            for i in range(0, len(level) - 1, 2)
        ]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]

"""The root of the Merkle tree of RFC 9162 (section 2.1.1), by SHA-256.

SPEC.md section 5.3. Only the root: a commitment file carries all leaf digests, so that whoever
holds it recomputes the whole tree and needs no inclusion proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def root(entries: Sequence[bytes]) -> bytes:
    """The Merkle tree hash, 32 bytes, of the entries in their order (RFC 9162, 2.1.1).

    Equal to the recursive definition (split at the largest power of two below the length): level
    by level, an odd node out moves up unchanged.
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

"""Inclusion and consistency proofs of RFC 9162 (sections 2.1.3 and 2.1.4), made and verified.

A proof is a list of hashes of subtrees. Which subtrees these are follows from the two numbers of
the proof alone; so the one who makes a proof reads their hashes, and the one who verifies it folds
the hashes in the same order. SPEC.md 23.1.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from zkwm_protocols.errors import InvalidLogProof, Malformed
from zkwm_protocols.merkle import EMPTY_ROOT, node_hash
from zkwm_protocols.schema import require_bytes, require_integer

MAXIMUM_SIZE = 2**63 - 1
"""The largest tree that is read: a proof in it has at most 63 hashes to the side of one leaf."""
MAXIMUM_PROOF = 63
"""Hashes in a proof (C2SP tlog-witness allows no more)."""
HASH_BYTES = 32

HashReader: TypeAlias = Callable[[int, int], bytes]
"""From height h and index i to the hash of the 2^h leaves from i * 2^h on, which all exist."""

_Range: TypeAlias = tuple[int, int]
"""A subtree by its first leaf and the one after its last."""


@dataclass(frozen=True)
class TreeHead:
    """How many leaves a tree has, and its Merkle tree hash (32 bytes). Raises Malformed."""

    size: int
    root: bytes

    def __post_init__(self) -> None:
        require_integer(self.size, MAXIMUM_SIZE)
        require_bytes(self.root, HASH_BYTES)


def root_of(size: int, read: HashReader) -> bytes:
    """The Merkle tree hash, 32 bytes, of the first ``size`` leaves."""
    require_integer(size, MAXIMUM_SIZE)
    return _subtree_hash((0, size), read) if size else EMPTY_ROOT


def prove_inclusion(index: int, size: int, read: HashReader) -> list[bytes]:
    """The proof that leaf ``index`` is in the tree of ``size``: hashes from the bottom up.

    Raises Malformed for an index outside of the tree.
    """
    return [_subtree_hash(one, read) for one in _beside_leaf(index, size)]


def verify_inclusion(leaf: bytes, index: int, head: TreeHead, proof: Sequence[bytes]) -> None:
    """Return only if the leaf with hash ``leaf`` (32 bytes) stands at ``index`` of this tree.

    Raises:
        InvalidLogProof: the proof has another length, or leads to another root.
        Malformed: an index outside of the tree, or a hash of another length.
    """
    if not hmac.compare_digest(root_by_inclusion(leaf, index, head.size, proof), head.root):
        _refuse(f"the inclusion proof does not lead to the root of the tree of size {head.size:,}")


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root, 32 bytes, that an inclusion proof leads to; the caller compares or verifies it.

    Raises InvalidLogProof for a proof of another length, Malformed as ``verify_inclusion``.
    """
    beside = _beside_leaf(index, size)
    _require_length(proof, len(beside), "inclusion")
    found = require_bytes(leaf, HASH_BYTES)
    for (start, _), sibling in zip(beside, proof, strict=True):
        found = node_hash(found, sibling) if start > index else node_hash(sibling, found)
    return found


def prove_consistency(old: int, new: int, read: HashReader) -> list[bytes]:
    """The proof that the tree of size ``new`` begins with the tree of size ``old``.

    Empty where ``old`` is 0 or equal to ``new``. Raises Malformed for ``old`` above ``new``.
    """
    return [_subtree_hash(one, read) for one in _beside_tree(old, new)]


def verify_consistency(old: TreeHead, new: TreeHead, proof: Sequence[bytes]) -> None:
    """Return only if ``new`` begins with all leaves of ``old``, in their order.

    Every tree begins with the empty one, whose root is fixed; the proof is then empty.

    Raises:
        InvalidLogProof: the proof has another length, leads to another root, two trees of one size
            have different roots, or an empty tree has a root that is not that of no leaves.
        Malformed: ``old`` is larger than ``new``, or a hash has another length.
    """
    beside = _beside_tree(old.size, new.size)
    _require_length(proof, len(beside), "consistency")
    for head in (old, new):
        if head.size == 0 and head.root != EMPTY_ROOT:
            _refuse("a tree without leaves has one root only, and this is another one")
    if old.size == 0:
        return
    if old.size == new.size:
        if not hmac.compare_digest(old.root, new.root):
            _refuse(f"two trees of size {old.size:,} have different roots")
        return
    steps = list(zip(beside, proof, strict=True))
    # The smallest subtree that ends where the old tree ends: that tree, or the first hash.
    before = after = old.root if beside[0][0] >= old.size else steps.pop(0)[1]
    for (start, _), sibling in steps:
        if start >= old.size:
            after = node_hash(after, sibling)
        else:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
    if not (hmac.compare_digest(before, old.root) and hmac.compare_digest(after, new.root)):
        _refuse(f"the tree of size {new.size:,} does not begin with that of size {old.size:,}")


def _beside_leaf(index: int, size: int) -> list[_Range]:
    """The subtrees of an inclusion proof, from the leaf's sibling upwards (RFC 9162, 2.1.3.1)."""
    require_integer(size, MAXIMUM_SIZE, 1)
    require_integer(index, size - 1)
    start, end, found = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def _beside_tree(old: int, new: int) -> list[_Range]:
    """The subtrees of a consistency proof, in its order (RFC 9162, 2.1.4.1)."""
    require_integer(new, MAXIMUM_SIZE)
    require_integer(old, new)
    start, end, found = 0, new, []
    while old not in (0, end):
        middle = start + _split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    if start > 0:
        found.append((start, end))
    return found[::-1]


def _split(count: int) -> int:
    """The largest power of two below ``count``, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _subtree_hash(leaves: _Range, read: HashReader) -> bytes:
    """The hash of a subtree: of its complete parts, which get smaller to the right."""
    start, end = leaves
    parts = []
    while start < end:
        height = (end - start).bit_length() - 1
        parts.append(read(height, start >> height))
        start += 1 << height
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def _require_length(proof: Sequence[bytes], count: int, kind: str) -> None:
    """Exactly ``count`` hashes of 32 bytes."""
    if len(proof) != count:
        _refuse(f"this {kind} proof has {len(proof)} hashes, and these sizes need {count}")
    for one in proof:
        if not isinstance(one, bytes) or len(one) != HASH_BYTES:
            raise Malformed(f"a hash of an {kind} proof has 32 bytes")


def _refuse(message: str) -> NoReturn:
    """Raise InvalidLogProof."""
    raise InvalidLogProof(
        message, hint="get the proof for this very checkpoint from the log again; if it stays, "
        "keep both and tell the log's witnesses"
    )  # fmt: skip

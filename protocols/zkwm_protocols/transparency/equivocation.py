"""Evidence that a log showed two histories: a small file that anybody verifies (SPEC.md 23.8).

Two checkpoints that one key signed contradict each other where they have one size and different
roots, or where one leaf, proven in both trees, is another one in the second. Whoever keeps the
checkpoints that they saw makes such a file; a log that is honest can never be accused by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zkwm_protocols.encoding import pack, unpack
from zkwm_protocols.errors import InvalidLogProof, Malformed
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_map
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.note import NOTE_LIMIT
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.tree import (
    HASH_BYTES,
    MAXIMUM_PROOF,
    MAXIMUM_SIZE,
    HashReader,
    prove_inclusion,
    verify_inclusion,
)

KIND = "equivocation"
FILE_LIMIT = 2 * NOTE_LIMIT + 8 * 1024


@dataclass(frozen=True)
class ProvenLeaf:
    """A leaf hash (32 bytes) with its inclusion proof, in one of the two trees."""

    leaf: bytes
    proof: tuple[bytes, ...]

    def to_map(self) -> dict[str, Any]:
        """The CBOR map."""
        return {"leaf": self.leaf, "proof": list(self.proof)}

    @classmethod
    def from_map(cls, value: object) -> ProvenLeaf:
        """Read ``to_map``. Raises Malformed."""
        fields = require_map(value, "leaf proof", "a proven leaf")
        proof = require_list(fields["proof"], 0, MAXIMUM_PROOF)
        return cls(
            require_bytes(fields["leaf"], HASH_BYTES),
            tuple(require_bytes(one, HASH_BYTES) for one in proof),
        )


@dataclass(frozen=True)
class Equivocation:
    """Two checkpoints of one log, and the leaf in which their trees differ.

    Args:
        first, second: the checkpoints, with the signatures of the log.
        index: which leaf; None where both have one size, and their roots say enough.
        leaves: that leaf in the first and in the second tree; empty where ``index`` is None.
    """

    first: SignedCheckpoint
    second: SignedCheckpoint
    index: int | None = None
    leaves: tuple[ProvenLeaf, ...] = ()

    def __post_init__(self) -> None:
        if len(self.leaves) != (0 if self.index is None else 2):
            raise Malformed("evidence against a log has two leaves or none")

    def to_bytes(self) -> bytes:
        """The file, of kind ``equivocation``."""
        return pack(
            KIND,
            {
                "first": self.first.to_bytes(),
                "second": self.second.to_bytes(),
                "index": self.index,
                "leaves": [leaf.to_map() for leaf in self.leaves],
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Equivocation:
        """Read ``to_bytes``. Raises Malformed or Unsupported."""
        fields = require_map(
            unpack(KIND, data, limit=FILE_LIMIT), "first second index leaves", "evidence"
        )
        index = fields["index"]
        leaves = require_list(fields["leaves"], 0, 2)
        return cls(
            SignedCheckpoint.from_bytes(require_bytes(fields["first"])),
            SignedCheckpoint.from_bytes(require_bytes(fields["second"])),
            None if index is None else require_integer(index, MAXIMUM_SIZE),
            tuple(ProvenLeaf.from_map(leaf) for leaf in leaves),
        )

    def verify(self, keys: Sequence[VerifierKey]) -> VerifierKey:
        """The key of the log that signed both trees, which cannot both be true.

        Args:
            keys: keys of the log, from where the verifier trusts them.

        Raises:
            InvalidLogProof: they are not of one log, no key of ``keys`` signed both, or they do
                not contradict each other.
            InvalidSignature: a line of one of the keys does not verify.
            Malformed: the index is outside of a tree.
        """
        first, second = self.first.checkpoint, self.second.checkpoint
        if first.origin != second.origin:
            raise InvalidLogProof("these checkpoints are of two logs, not of one")
        named = [key for key in keys if key.name == first.origin]
        signed = [key for key in named if self.first.signed_by(key) and self.second.signed_by(key)]
        if not signed:
            raise InvalidLogProof(
                "no key that is trusted for this log signed both checkpoints",
                hint="give the log's verifier key, from a policy or from the log's own pages",
            )
        if self.index is None:
            if first.head.size != second.head.size or first.head.root == second.head.root:
                raise InvalidLogProof("two checkpoints that do not contradict each other")
            return signed[0]
        for leaf, head in zip(self.leaves, (first.head, second.head), strict=True):
            verify_inclusion(leaf.leaf, self.index, head, leaf.proof)
        if self.leaves[0].leaf == self.leaves[1].leaf:
            raise InvalidLogProof("both trees have the same leaf there: no contradiction")
        return signed[0]


def make_equivocation(
    first: SignedCheckpoint,
    second: SignedCheckpoint,
    read_first: HashReader,
    read_second: HashReader,
) -> Equivocation:
    """The evidence that two checkpoints of one log contradict each other.

    Args:
        first, second: the checkpoints, with the log's signatures.
        read_first, read_second: the hashes of their trees, such as from the tiles of two mirrors;
            asked for where the sizes differ.

    Raises InvalidLogProof where they do not contradict each other.
    """
    heads = first.checkpoint.head, second.checkpoint.head
    if heads[0].size == heads[1].size:
        if heads[0].root == heads[1].root:
            raise InvalidLogProof("both checkpoints are of one tree: no contradiction")
        return Equivocation(first, second)
    index = _first_difference(min(head.size for head in heads), read_first, read_second)
    readers = zip(heads, (read_first, read_second), strict=True)
    leaves = [
        ProvenLeaf(read(0, index), tuple(prove_inclusion(index, head.size, read)))
        for head, read in readers
    ]
    return Equivocation(first, second, index, tuple(leaves))


def _first_difference(size: int, first: HashReader, second: HashReader) -> int:
    """The first of ``size`` leaves that differs: found in the first subtree that does.

    Raises InvalidLogProof where none does.
    """
    start = 0
    while start < size:
        height = (size - start).bit_length() - 1
        if first(height, start >> height) != second(height, start >> height):
            break
        start += 1 << height
    else:
        raise InvalidLogProof("one tree begins with the other: no contradiction")
    while height:
        height -= 1
        if first(height, start >> height) == second(height, start >> height):
            start += 1 << height
    return start

"""The file that proves one entry offline: checkpoint, index and inclusion proof (C2SP tlog-proof).

It verifies against a policy and the entry's own bytes, and nothing else: SPEC.md 23.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import require_bytes, require_integer
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint, read_decimal
from zkwm_protocols.transparency.note import NOTE_LIMIT, decode_text, from_base64, to_base64
from zkwm_protocols.transparency.policy import LogPolicy, Witnessed
from zkwm_protocols.transparency.tree import (
    HASH_BYTES,
    MAXIMUM_PROOF,
    MAXIMUM_SIZE,
    verify_inclusion,
)

FILE_LIMIT = NOTE_LIMIT + 128 * 1024
LONGEST_EXTRA = 64 * 1024
"""Bytes beside the proof, which nobody signed."""

_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class ProofFile:
    """A ``.tlog-proof``.

    Args:
        index: which entry of the log, from 0.
        proof: hashes (32 bytes each) from the entry's sibling up.
        checkpoint: the signed tree that they lead to.
        extra: bytes that come along unsigned; None where there are none.

    Raises Malformed for what the format does not hold.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: SignedCheckpoint
    extra: bytes | None = None

    def __post_init__(self) -> None:
        require_integer(self.index, MAXIMUM_SIZE)
        if len(self.proof) > MAXIMUM_PROOF:
            raise Malformed(f"an inclusion proof has at most {MAXIMUM_PROOF} hashes")
        for one in self.proof:
            require_bytes(one, HASH_BYTES)
        if self.extra is not None and len(self.extra) > LONGEST_EXTRA:
            raise Malformed(f"a proof has at most {LONGEST_EXTRA:,} bytes beside it")

    def to_bytes(self) -> bytes:
        """The file."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(f"extra {to_base64(self.extra)}")
        lines += [f"index {self.index}", *(to_base64(one) for one in self.proof), "", ""]
        return "\n".join(lines).encode() + self.checkpoint.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> ProofFile:
        """Read ``to_bytes``. Raises Malformed for any other spelling."""
        head, empty, note = decode_text(data, FILE_LIMIT).partition("\n\n")
        lines = head.split("\n")
        if not empty or lines[0] != _HEADER:
            raise Malformed(
                f"a proof of a log begins with the line {_HEADER!r}, and has an empty line",
                hint="get the file again from the log, or from whoever registered",
            )
        extra = None
        del lines[0]
        if lines and lines[0].startswith("extra "):
            extra = from_base64(lines.pop(0).removeprefix("extra "))
        if not lines or not lines[0].startswith("index "):
            raise Malformed("a proof of a log names an index")
        index = read_decimal(lines.pop(0).removeprefix("index "))
        if len(lines) > MAXIMUM_PROOF:
            raise Malformed(f"an inclusion proof has at most {MAXIMUM_PROOF} hashes")
        proof = tuple(from_base64(line) for line in lines)
        return cls(index, proof, SignedCheckpoint.from_bytes(note.encode()), extra)

    def verify(self, leaf: bytes, policy: LogPolicy, *, latest: int | None = None) -> Witnessed:
        """Who signed and witnessed the tree that the entry with this leaf hash stands in.

        Args:
            leaf: ``merkle.leaf_hash`` of the entry, 32 bytes.
            policy: whom the verifier trusts.
            latest: the verifier's time in seconds since 1970, or None without a clock.

        Raises:
            InvalidLogProof: the entry is not there, or the policy is not satisfied.
            InvalidSignature: a line of a trusted key does not verify.
            Malformed: the index is outside of the tree.
        """
        witnessed = policy.require(self.checkpoint, latest=latest)
        verify_inclusion(leaf, self.index, self.checkpoint.checkpoint.head, self.proof)
        return witnessed

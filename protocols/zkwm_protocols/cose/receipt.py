"""Receipts: a log's signature on the tree that a statement stands in (RFC 9942, RFC 9943).

A receipt is not a ``.tlog-proof``: no witness signs it, so a log that shows two histories can give
a good one for each. And the log signs the root alone: size and index only say how the proof folds.
It is for programs that read COSE alone. SPEC.md 23.14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zkwm_protocols.cose import sign1
from zkwm_protocols.cose.cbor import decode, encode
from zkwm_protocols.cose.sign1 import Sign1, require_labels, sig_structure
from zkwm_protocols.cose.statement import RECEIPT_LIMIT, read_claims
from zkwm_protocols.errors import InvalidLogProof, Malformed, Unsupported
from zkwm_protocols.keys import ED25519
from zkwm_protocols.schema import require_bytes, require_integer, require_list
from zkwm_protocols.transparency.checkpoint import require_origin
from zkwm_protocols.transparency.note import KEY_ID_BYTES
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType, VerifierKey
from zkwm_protocols.transparency.tree import (
    HASH_BYTES,
    MAXIMUM_PROOF,
    MAXIMUM_SIZE,
    TreeHead,
    root_by_inclusion,
)

_RFC9162_SHA256 = 1
_INCLUSION_PROOFS = -1
_PROOF_LIMIT = 4_096


@dataclass(frozen=True)
class Receipt:
    """A receipt as it is written; ``verify`` says whether it holds.

    Args:
        origin: the log, by the origin of its checkpoints.
        subject: that of the statement.
        key_id: 4 bytes: the id of the log's key of type 0x01.
        size: leaves of the tree; nobody signed it.
        index: where the statement stands; nobody signed it.
        proof: hashes (32 bytes each) from its sibling up.
        signature: 64 bytes, by the log.
    """

    origin: str
    subject: str
    key_id: bytes
    size: int
    index: int
    proof: tuple[bytes, ...]
    signature: bytes

    def to_bytes(self) -> bytes:
        """The COSE_Sign1, its payload detached."""
        proof = encode([self.size, self.index, list(self.proof)])
        unprotected = {sign1.PROOFS: {_INCLUSION_PROOFS: [proof]}}
        return Sign1(self._protected(), None, self.signature, unprotected).to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Receipt:
        """Read ``to_bytes``, of at most 8 KiB.

        Raises Malformed for any other encoding, Unsupported for another tree, algorithm or header.
        """
        message = Sign1.from_bytes(data, limit=RECEIPT_LIMIT)
        headers = message.headers()
        labels = {sign1.ALGORITHM, sign1.KEY_ID, sign1.CLAIMS, sign1.TREE_ALGORITHM}
        require_labels(headers, labels, "a receipt")
        for label, value in ((sign1.ALGORITHM, sign1.ALGORITHMS[ED25519]),
                             (sign1.TREE_ALGORITHM, _RFC9162_SHA256)):  # fmt: skip
            if type(headers[label]) is not int or headers[label] != value:
                raise Unsupported(
                    "a receipt of another tree or algorithm than RFC9162_SHA256 and EdDSA",
                    hint="ask the log for a receipt of this kind, or for its .tlog-proof",
                )
        if message.payload is not None:
            raise Malformed("the payload of a receipt is detached: it is the root of the tree")
        origin, subject = read_claims(headers[sign1.CLAIMS], "a receipt")
        size, index, proof = _read_proof(message.unprotected)
        return cls(
            require_origin(origin),
            subject,
            require_bytes(headers[sign1.KEY_ID], KEY_ID_BYTES),
            size,
            index,
            proof,
            require_bytes(message.signature, 64),
        )

    def verify(self, leaf: bytes, subject: str, key: VerifierKey) -> bytes:
        """The signed root, 32 bytes, of a tree that the statement with this leaf hash stands in.

        Args:
            leaf: ``merkle.leaf_hash`` of the statement's bytes, 32 bytes.
            subject: the statement's.
            key: the log's, of type 0x01, from where the verifier trusts it.

        Raises:
            InvalidLogProof: it is of another log, key or subject, or its proof has a wrong length.
            InvalidSignature: the log did not sign the tree that the proof leads to.
            Malformed: the index is outside of the tree.
        """
        named = (self.origin, self.key_id, SignatureType.ED25519)
        if named != (key.name, key.key_id, key.signature_type) or subject != self.subject:
            raise InvalidLogProof("this receipt is of another log or key, or of another statement")
        root = root_by_inclusion(leaf, self.index, self.size, self.proof)
        key.verify_message(sig_structure(self._protected(), root), self.signature)
        return root

    def _protected(self) -> bytes:
        """The encoded protected headers."""
        headers: dict[int, Any] = {
            sign1.ALGORITHM: sign1.ALGORITHMS[ED25519],
            sign1.KEY_ID: self.key_id,
            sign1.CLAIMS: {sign1.ISSUER: self.origin, sign1.SUBJECT: self.subject},
            sign1.TREE_ALGORITHM: _RFC9162_SHA256,
        }
        return encode(headers)


def sign_receipt(
    subject: str, head: TreeHead, index: int, proof: Sequence[bytes], key: NoteSigningKey
) -> Receipt:
    """The receipt for the statement at ``index`` of the log's tree.

    Args:
        subject: the statement's.
        head: a tree that the log has signed in a checkpoint; nothing else may be given a receipt.
        index: where the statement stands in it.
        proof: its inclusion proof.
        key: the log's, of type 0x01.

    Raises Malformed for a key of another type.
    """
    verifier = key.verifier
    if verifier.signature_type is not SignatureType.ED25519:
        raise Malformed("a log signs receipts by its Ed25519 key, of type 1")
    unsigned = Receipt(
        verifier.name, subject, verifier.key_id, head.size, index, tuple(proof), bytes(64)
    )
    signature = key.sign_message(sig_structure(unsigned._protected(), head.root))
    return Receipt(
        verifier.name, subject, verifier.key_id, head.size, index, tuple(proof), signature
    )


def _read_proof(unprotected: dict[Any, Any]) -> tuple[int, int, tuple[bytes, ...]]:
    """Size, index and hashes of the one inclusion proof. Raises Malformed."""
    proofs = unprotected.get(sign1.PROOFS)
    if set(unprotected) != {sign1.PROOFS} or not isinstance(proofs, dict):
        raise Malformed("a receipt has proofs, and no other unprotected header")
    if set(proofs) != {_INCLUSION_PROOFS}:
        raise Malformed("a receipt proves that an entry is included, and nothing else")
    [encoded] = require_list(proofs[_INCLUSION_PROOFS], 1, 1)
    value = require_list(decode(require_bytes(encoded), limit=_PROOF_LIMIT), 3, 3)
    hashes = require_list(value[2], 0, MAXIMUM_PROOF)
    return (
        require_integer(value[0], MAXIMUM_SIZE, 1),
        require_integer(value[1], MAXIMUM_SIZE),
        tuple(require_bytes(one, HASH_BYTES) for one in hashes),
    )

"""The commitment: trigger leaves in blocks, Merkle root, header, digest D (SPEC.md section 5).

Images are committed before any label exists, so that nobody can fit images to labels. Timestamps
and logs are not checked by this version: it refuses to derive labels where the header names a
timestamp authority. ``zkwm.owner.commit`` chooses images and keeps the secrets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols import merkle
from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidSignature, Malformed, TrustMaterialMissing
from zkwm_protocols.keys import PublicKey, SigningKey
from zkwm_protocols.labels import MAXIMUM_CLASSES, derive_labels
from zkwm_protocols.leaves import make_leaves
from zkwm_protocols.schema import (
    require_bytes,
    require_choice,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_optional_bytes,
)

MAXIMUM_LEAVES = 100_000
MAXIMUM_BLOCK = 10_000
MAXIMUM_PIXELS = 2**24
FILE_LIMIT = 8 * 2**20

_HEADER_TYPE = "zkwm-commitment-header"


class LabelMode(StrEnum):
    """The origin of labels: derived from D, or declared by the owner (SPEC.md 5.4)."""

    DERIVED = "derived"
    DECLARED = "declared"


@dataclass(frozen=True)
class Header:
    """The signed header of a commitment, whose digest is D (SPEC.md 5.2).

    Args:
        leaf_count: n, the number of triggers.
        block_size: triggers in a block.
        class_count: C, the number of classes.
        shape: (channels, height, width) of a trigger.
        label_mode: where labels come from.
        owner_keys: one to four keys that sign for the owner.
        root: of the Merkle tree over the leaves, 32 bytes.
        timestamp_authority: digest of the authority whose token dates the commitment, or None.
        owner_model: digest of the owner's unmarked model, or None.

    Raises:
        Malformed: a field is outside its range.
    """

    leaf_count: int
    block_size: int
    class_count: int
    shape: tuple[int, int, int]
    label_mode: LabelMode
    owner_keys: tuple[PublicKey, ...]
    root: bytes
    timestamp_authority: bytes | None = None
    owner_model: bytes | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.block_size <= MAXIMUM_BLOCK:
            raise Malformed("a block has 1 to 10,000 triggers")
        if not 1 <= self.leaf_count <= MAXIMUM_LEAVES or self.leaf_count % self.block_size:
            raise Malformed("the number of triggers is a multiple of the block, up to 100,000")
        if not 2 <= self.class_count <= MAXIMUM_CLASSES:
            raise Malformed("the number of classes is 2 to 65,535")
        channels, height, width = self.shape
        if channels not in (1, 3) or not (1 <= height <= 65_535 and 1 <= width <= 65_535):
            raise Malformed("a trigger has 1 or 3 channels and sides of 1 to 65,535 pixels")
        if channels * height * width > MAXIMUM_PIXELS:
            raise Malformed("a trigger has at most 16,777,216 values")
        require_choice(self.label_mode, LabelMode, "labels")
        for digest in (self.timestamp_authority, self.owner_model):
            require_optional_bytes(digest, 32)
        require_bytes(self.root, 32)
        if not 1 <= len(self.owner_keys) <= 4 or len(set(self.owner_keys)) != len(self.owner_keys):
            raise Malformed("a commitment has one to four different owner's keys")

    @property
    def block_count(self) -> int:
        """B, the number of blocks, spent or not."""
        return self.leaf_count // self.block_size

    def to_bytes(self) -> bytes:
        """The one encoding of the header."""
        return encode(
            {
                "type": _HEADER_TYPE,
                "version": 1,
                "leaf_count": self.leaf_count,
                "block_size": self.block_size,
                "class_count": self.class_count,
                "shape": list(self.shape),
                "label_mode": self.label_mode,
                "owner_keys": [key.to_map() for key in self.owner_keys],
                "timestamp_authority": self.timestamp_authority,
                "owner_model": self.owner_model,
                "root": self.root,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Header:
        """Read ``to_bytes``. Raises Malformed."""
        fields = require_map(
            decode(data, limit=4096),
            "type version leaf_count block_size class_count shape label_mode owner_keys"
            " timestamp_authority owner_model root",
            "header",
        )
        require_constants(
            fields, {"type": _HEADER_TYPE, "version": 1}, "a commitment's header of version 1"
        )
        shape = [require_integer(s, 65_535) for s in require_list(fields["shape"], 3, 3)]
        return cls(
            leaf_count=require_integer(fields["leaf_count"], MAXIMUM_LEAVES),
            block_size=require_integer(fields["block_size"], MAXIMUM_BLOCK),
            class_count=require_integer(fields["class_count"], MAXIMUM_CLASSES),
            shape=(shape[0], shape[1], shape[2]),
            label_mode=require_choice(fields["label_mode"], LabelMode, "labels"),
            owner_keys=tuple(
                PublicKey.from_map(key) for key in require_list(fields["owner_keys"], 1, 4)
            ),
            root=require_bytes(fields["root"], 32),
            timestamp_authority=require_optional_bytes(fields["timestamp_authority"], 32),
            owner_model=require_optional_bytes(fields["owner_model"], 32),
        )

    @property
    def digest(self) -> bytes:
        """D = SHA-256 of the header, 32 bytes: the name of the commitment."""
        return hashlib.sha256(self.to_bytes()).digest()


@dataclass(frozen=True)
class Commitment:
    """The public file: header, all leaves, signatures, and room for a timestamp and log proofs.

    Raises Malformed when built with a token for an authority that the header does not name.
    """

    header: Header
    leaves: tuple[bytes, ...]
    signatures: tuple[bytes, ...]
    token: bytes | None = None
    log_proofs: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.token is not None and self.header.timestamp_authority is None:
            raise Malformed("a timestamp token, but the header names no authority")

    @property
    def digest(self) -> bytes:
        """D, 32 bytes."""
        return self.header.digest

    def to_bytes(self) -> bytes:
        """The commitment file (SPEC.md 5.5)."""
        return pack(
            "commitment",
            {
                "header": self.header.to_bytes(),
                "leaves": b"".join(self.leaves),
                "signatures": list(self.signatures),
                "token": self.token,
                "log_proofs": list(self.log_proofs),
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Commitment:
        """Read a commitment file. Raises Malformed or Unsupported; ``verify`` does the rest."""
        fields: dict[str, Any] = require_map(
            unpack("commitment", data, limit=FILE_LIMIT),
            "header leaves signatures token log_proofs",
            "commitment",
        )
        header = Header.from_bytes(require_bytes(fields["header"]))
        leaves = require_bytes(fields["leaves"], 32 * header.leaf_count)
        return cls(
            header=header,
            leaves=tuple(leaves[i : i + 32] for i in range(0, len(leaves), 32)),
            signatures=tuple(
                require_bytes(signature, 64)
                for signature in require_list(fields["signatures"], 1, 4)
            ),
            token=require_optional_bytes(fields["token"]),
            log_proofs=tuple(
                require_bytes(proof) for proof in require_list(fields["log_proofs"], 0, 16)
            ),
        )

    def verify_root(self) -> None:
        """Check that the leaves hash to the header's root.

        Raises Malformed (``commitment.root``).
        """
        if merkle.root(self.leaves) != self.header.root:
            raise Malformed(
                "the leaf digests do not hash to the root that was signed", check="commitment.root"
            )

    def verify_signatures(self) -> None:
        """Check that every owner's key of the header has signed D.

        Raises InvalidSignature (``commitment.signature``).
        """
        if len(self.signatures) != len(self.header.owner_keys):
            raise InvalidSignature(
                "not every owner's key has signed the commitment", check="commitment.signature"
            )
        for key, signature in zip(self.header.owner_keys, self.signatures, strict=True):
            try:
                key.verify("commitment", self.digest, signature)
            except InvalidSignature:
                raise InvalidSignature(
                    "the owner's signature of the commitment does not verify",
                    check="commitment.signature",
                ) from None

    def beacon(self) -> bytes | None:
        """The beacon that enters the labels, or None where no authority is named.

        Raises TrustMaterialMissing (``commitment.timestamp``) where the header names a timestamp
        authority: without a checked token of that authority the labels are not defined, and this
        version checks none.
        """
        if self.header.timestamp_authority is None:
            return None
        raise TrustMaterialMissing(
            "the commitment names a timestamp authority, and its token "
            + ("is missing" if self.token is None else "cannot be checked by this version"),
            hint="ask the owner for the commitment file with its token, and use a zkwm release "
            "that checks timestamp tokens",
            check="commitment.timestamp",
        )

    def verify(self) -> None:
        """Make all checks of a commitment by itself (SPEC.md 9.1). Raises the first that fails."""
        self.verify_root()
        self.verify_signatures()
        self.beacon()

    def labels(self) -> NDArray[np.int64]:
        """The derived labels, int64, shape (leaf_count,). Raises Malformed in declared mode."""
        if self.header.label_mode != LabelMode.DERIVED:
            raise Malformed("declared labels are hidden in the leaves")
        return derive_labels(
            self.digest, self.beacon(), self.header.leaf_count, self.header.class_count
        )


def make_commitment(
    images: NDArray[np.uint8],
    salts: list[bytes],
    *,
    class_count: int,
    signers: tuple[SigningKey, ...],
    block_size: int,
    declared_labels: NDArray[np.int64] | None = None,
    owner_model: bytes | None = None,
) -> Commitment:
    """Commit to images, with one salt each.

    Args:
        images (uint8, (n, channels, height, width)): the triggers.
        salts: n times 32 secret random bytes.
        class_count: C, the number of classes.
        signers: the owner's keys, in the order of the header.
        block_size: triggers in a block; divides n.
        declared_labels (int64, (n,)): makes the declared mode; without, labels are derived from D.
        owner_model: digest of the owner's unmarked model, or None.

    Raises:
        Malformed: these do not fit together.
    """
    leaves = make_leaves(images, salts, declared_labels, class_count)
    channels, height, width = images.shape[1:]
    header = Header(
        leaf_count=len(leaves),
        block_size=block_size,
        class_count=class_count,
        shape=(channels, height, width),
        label_mode=LabelMode.DERIVED if declared_labels is None else LabelMode.DECLARED,
        owner_keys=tuple(signer.public for signer in signers),
        root=merkle.root(leaves),
        owner_model=owner_model,
    )
    return Commitment(
        header=header,
        leaves=leaves,
        signatures=tuple(signer.sign("commitment", header.digest) for signer in signers),
    )

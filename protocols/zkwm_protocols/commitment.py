"""The commitment: trigger leaves in blocks, Merkle root, header, digest D (SPEC.md section 5).

Images are committed before any label exists, so that nobody can fit images to labels. Where the
header names a timestamp authority, labels exist only with its token (SPEC.md 5.4).
``zkwm.owner.commit`` chooses images and keeps the secrets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols import merkle
from zkwm_protocols.class_names import names_digest, require_names
from zkwm_protocols.encoding import decode, encode, pack, unpack
from zkwm_protocols.errors import InvalidSignature, Malformed
from zkwm_protocols.keys import PublicKey
from zkwm_protocols.labels import MAXIMUM_CLASSES, derive_labels
from zkwm_protocols.schema import (
    refuse_earlier,
    require_bytes,
    require_choice,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_optional_bytes,
)
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.evidence import MAXIMUM_TIMESTAMPS, TimestampEvidence

if TYPE_CHECKING:
    from zkwm_protocols.cose.logged_statement import LoggedStatement

MAXIMUM_LEAVES = 100_000
MAXIMUM_BLOCK = 10_000
MAXIMUM_PIXELS = 2**24
MAXIMUM_LOG_PROOFS = 16
FILE_LIMIT = 32 * 2**20

_HEADER_TYPE = "zkwm-commitment-header"
_HEADER_VERSION = 2


class LabelMode(StrEnum):
    """The origin of labels: derived from D, or declared by the owner (SPEC.md 5.4)."""

    DERIVED = "derived"
    DECLARED = "declared"


class LeafKind(StrEnum):
    """What the leaves hide: images alone in this version (SPEC.md 5.2)."""

    IMAGES = "images"


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
        kind: what the leaves hide.
        class_names: digest of the names of the C classes, or None where none are committed.
        probe_data: digest of the data set that probes of extracted marks are drawn from, or None.

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
    kind: LeafKind = LeafKind.IMAGES
    class_names: bytes | None = None
    probe_data: bytes | None = None

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
        require_choice(self.kind, LeafKind, "kind of leaves")
        for digest in (
            self.timestamp_authority, self.owner_model, self.class_names, self.probe_data,
        ):  # fmt: skip
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
                "version": _HEADER_VERSION,
                "kind": self.kind,
                "leaf_count": self.leaf_count,
                "block_size": self.block_size,
                "class_count": self.class_count,
                "class_names": self.class_names,
                "shape": list(self.shape),
                "label_mode": self.label_mode,
                "owner_keys": [key.to_map() for key in self.owner_keys],
                "timestamp_authority": self.timestamp_authority,
                "owner_model": self.owner_model,
                "probe_data": self.probe_data,
                "root": self.root,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Header:
        """Read ``to_bytes``. Raises Malformed; Unsupported for an earlier version."""
        value = decode(data, limit=4096)
        refuse_earlier(value, _HEADER_TYPE, _HEADER_VERSION, "a commitment")
        fields = require_map(
            value,
            "type version kind leaf_count block_size class_count class_names shape label_mode"
            " owner_keys timestamp_authority owner_model probe_data root",
            "header",
        )
        require_constants(
            fields,
            {"type": _HEADER_TYPE, "version": _HEADER_VERSION},
            f"a commitment's header of version {_HEADER_VERSION}",
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
            kind=require_choice(fields["kind"], LeafKind, "kind of leaves"),
            class_names=require_optional_bytes(fields["class_names"], 32),
            probe_data=require_optional_bytes(fields["probe_data"], 32),
        )

    @property
    def digest(self) -> bytes:
        """D = SHA-256 of the header, 32 bytes: the name of the commitment."""
        return hashlib.sha256(self.to_bytes()).digest()


@dataclass(frozen=True)
class Commitment:
    """The public file: header, leaves, names, signatures, timestamps and log proofs.

    Where the header names an authority, the first timestamp is its own. Raises Malformed when built
    with more than 8 timestamps or 16 log proofs, or with class names that are none (SPEC.md 5.2).
    ``key_proofs`` are log proofs, too: of statements about keys, which date nothing (SPEC.md 26.7).
    """

    header: Header
    leaves: tuple[bytes, ...]
    signatures: tuple[bytes, ...]
    timestamps: tuple[TimestampEvidence, ...] = ()
    log_proofs: tuple[LoggedStatement, ...] = ()
    class_names: tuple[str, ...] | None = None
    key_proofs: tuple[LoggedStatement, ...] = ()
    authorities: tuple[TimestampAuthority, ...] = field(default=(), compare=False, repr=False)
    """Whom its reader trusts to date it; in no file."""

    def __post_init__(self) -> None:
        if len(self.timestamps) > MAXIMUM_TIMESTAMPS:
            raise Malformed(f"a commitment has at most {MAXIMUM_TIMESTAMPS} timestamps")
        if len(self.log_proofs) + len(self.key_proofs) > MAXIMUM_LOG_PROOFS:
            raise Malformed(f"a commitment has at most {MAXIMUM_LOG_PROOFS} log proofs")
        if self.class_names is not None:
            require_names(self.class_names)

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
                "timestamps": [one.to_map() for one in self.timestamps],
                "log_proofs": [one.to_bytes() for one in (*self.log_proofs, *self.key_proofs)],
                "class_names": None if self.class_names is None else list(self.class_names),
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Commitment:
        """Read a commitment file. Raises Malformed or Unsupported; ``verify`` does the rest."""
        value = unpack("commitment", data, limit=FILE_LIMIT)
        if isinstance(value, dict) and isinstance(value.get("header"), bytes):
            Header.from_bytes(value["header"])  # names an earlier version before the fields do
        fields: dict[str, Any] = require_map(
            value, "header leaves signatures timestamps log_proofs class_names", "commitment"
        )
        names = fields["class_names"]
        header = Header.from_bytes(require_bytes(fields["header"]))
        leaves = require_bytes(fields["leaves"], 32 * header.leaf_count)
        proofs, key_proofs = _read_log_proofs(fields["log_proofs"])
        return cls(
            header=header,
            leaves=tuple(leaves[i : i + 32] for i in range(0, len(leaves), 32)),
            signatures=tuple(
                require_bytes(signature, 64)
                for signature in require_list(fields["signatures"], 1, 4)
            ),
            timestamps=tuple(
                TimestampEvidence.from_map(one)
                for one in require_list(fields["timestamps"], 0, MAXIMUM_TIMESTAMPS)
            ),
            log_proofs=proofs,
            class_names=None if names is None else require_names(names),
            key_proofs=key_proofs,
        )

    def verify_root(self) -> None:
        """Check that the leaves hash to the header's root.

        Raises Malformed (``commitment.root``).
        """
        if merkle.root(self.leaves) != self.header.root:
            raise Malformed(
                "the leaf digests do not hash to the root that was signed", check="commitment.root"
            )

    def verify_class_names(self) -> None:
        """Check that the class names are those of the header, one for each class, or none.

        Raises Malformed (``commitment.class_names``).
        """
        names, signed = self.class_names, self.header.class_names
        problem = ""
        if names is None:
            if signed is not None:
                problem = "the class names that the header commits to are missing"
        elif len(names) != self.header.class_count:
            problem = f"{len(names)} class names for {self.header.class_count} classes"
        elif signed != names_digest(names):
            problem = "the class names are not those that were signed"
        if problem:
            raise Malformed(problem, check="commitment.class_names")

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
        """The beacon that enters the labels, or None where no authority is named (SPEC.md 22.7).

        It comes from the first timestamp, verified under a root with the key that the header names,
        of one of ``authorities``.

        Raises:
            TrustMaterialMissing: the header names an authority, and its token is missing or no
                trusted root has its key: the labels are not defined. This and others that
                ``verify_token`` raises have the check ``commitment.timestamp``.
        """
        named = self.header.timestamp_authority
        if named is None:
            return None
        from zkwm_protocols.timestamps.verification import verified_beacon

        return verified_beacon(self.timestamps, self.digest, self.authorities, named)

    def verify(self) -> None:
        """Make all checks of a commitment by itself (SPEC.md 9.1). Raises the first that fails."""
        self.verify_root()
        self.verify_class_names()
        self.verify_signatures()
        self.beacon()

    def labels(self) -> NDArray[np.int64]:
        """The derived labels, int64, shape (leaf_count,).

        Raises Malformed in declared mode, and what ``beacon`` raises.
        """
        if self.header.label_mode != LabelMode.DERIVED:
            raise Malformed("declared labels are hidden in the leaves")
        return derive_labels(
            self.digest, self.beacon(), self.header.leaf_count, self.header.class_count
        )


def _read_log_proofs(value: object) -> tuple[tuple[LoggedStatement, ...], ...]:
    """At most 16 log proofs, and which of them are about keys. Raises Malformed, Unsupported."""
    proofs = require_list(value, 0, MAXIMUM_LOG_PROOFS)
    if not proofs:
        return (), ()
    from zkwm_protocols.cose.logged_statement import read_log_proofs

    return read_log_proofs(proofs)

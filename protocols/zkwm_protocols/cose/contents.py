"""What a statement says about a commitment: it exists, a verdict, spent blocks, a dispute.

Each kind has one content type and one encoding. A commitment and a verdict are named by their
digest alone (hash envelope, RFC 9995); the others carry a small CBOR map. SPEC.md 23.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import (
    require_bytes,
    require_choice,
    require_integer,
    require_map,
    require_optional_bytes,
)

PAYLOAD_LIMIT = 48 * 1024
MAXIMUM_BLOCKS = 100_000
MAXIMUM_RELEASES = 2**32 - 1

_DIGEST_BYTES = 32
_COMMITMENT_URN = "urn:zkwm:commitment:"


def commitment_subject(digest: bytes) -> str:
    """The subject of every statement about a commitment: a URN with D in hexadecimal."""
    return _COMMITMENT_URN + require_bytes(digest, _DIGEST_BYTES).hex()


def commitment_of(subject: str) -> bytes:
    """The digest D that ``commitment_subject`` names. Raises Malformed."""
    digits = subject.removeprefix(_COMMITMENT_URN)
    try:
        digest = bytes.fromhex(digits)
    except ValueError:
        digest = b""
    if len(digest) != _DIGEST_BYTES or commitment_subject(digest) != subject:
        raise Malformed(f"the subject is not {_COMMITMENT_URN} and the 64 digits of a commitment")
    return digest


@dataclass(frozen=True)
class CommitmentStatement:
    """A commitment exists, and its issuer makes it public. ``commitment`` is D (SPEC.md 5.2)."""

    CONTENT_TYPE: ClassVar[str] = "application/vnd.zkwm.commitment"
    HASHED: ClassVar[bool] = True
    commitment: bytes

    @property
    def subject(self) -> str:
        """The commitment's URN."""
        return commitment_subject(self.commitment)

    def to_payload(self) -> bytes:
        """D."""
        return self.commitment

    @classmethod
    def from_payload(cls, subject: str, payload: bytes) -> CommitmentStatement:
        """Read ``to_payload``. Raises Malformed, also where the subject is another commitment."""
        statement = cls(require_bytes(payload, _DIGEST_BYTES))
        if statement.subject != subject:
            raise Malformed("the subject is another commitment than the payload")
        return statement


@dataclass(frozen=True)
class VerdictStatement:
    """A judge gave a verdict on a commitment: ``verdict`` is the SHA-256 of its file (10.4)."""

    CONTENT_TYPE: ClassVar[str] = "application/vnd.zkwm.verdict"
    HASHED: ClassVar[bool] = True
    commitment: bytes
    verdict: bytes

    @property
    def subject(self) -> str:
        """The commitment's URN."""
        return commitment_subject(self.commitment)

    def to_payload(self) -> bytes:
        """The digest."""
        return require_bytes(self.verdict, _DIGEST_BYTES)

    @classmethod
    def from_payload(cls, subject: str, payload: bytes) -> VerdictStatement:
        """Read ``to_payload``. Raises Malformed."""
        return cls(commitment_of(subject), require_bytes(payload, _DIGEST_BYTES))


@dataclass(frozen=True)
class SpentBlocks:
    """How much of a commitment its owner has released so far, as their vault counts it.

    An older copy of the vault, restored, knows smaller numbers than the last that were logged.

    Args:
        commitment: D.
        blocks: blocks that an opening or an argument has spent.
        releases: entries of the vault's ledger that released anything.
    """

    CONTENT_TYPE: ClassVar[str] = "application/vnd.zkwm.spent-blocks+cbor"
    HASHED: ClassVar[bool] = False
    commitment: bytes
    blocks: int
    releases: int

    @property
    def subject(self) -> str:
        """The commitment's URN."""
        return commitment_subject(self.commitment)

    def to_payload(self) -> bytes:
        """The CBOR map ``SpentBlocks``."""
        return encode(
            {
                "blocks": require_integer(self.blocks, MAXIMUM_BLOCKS),
                "releases": require_integer(self.releases, MAXIMUM_RELEASES),
            }
        )

    @classmethod
    def from_payload(cls, subject: str, payload: bytes) -> SpentBlocks:
        """Read ``to_payload``. Raises Malformed."""
        fields = read_map(payload, "blocks releases", "a count of spent blocks")
        return cls(
            commitment_of(subject),
            require_integer(fields["blocks"], MAXIMUM_BLOCKS),
            require_integer(fields["releases"], MAXIMUM_RELEASES),
        )


class DisputeEvent(StrEnum):
    """What happened in a dispute."""

    ASKED = "asked"
    ANSWERED = "answered"
    OVERDUE = "overdue"
    WITHDRAWN = "withdrawn"
    DECIDED = "decided"


@dataclass(frozen=True)
class DisputeStatement:
    """Something happened in a dispute on a commitment and a suspect.

    Args:
        commitment: D.
        suspect: the suspect's digest (SPEC.md 4.3).
        event: what happened.
        document: SHA-256 of the file that it is about, such as a challenge or verdict, or None.
    """

    CONTENT_TYPE: ClassVar[str] = "application/vnd.zkwm.dispute+cbor"
    HASHED: ClassVar[bool] = False
    commitment: bytes
    suspect: bytes
    event: DisputeEvent
    document: bytes | None = None

    @property
    def subject(self) -> str:
        """The commitment's URN."""
        return commitment_subject(self.commitment)

    def to_payload(self) -> bytes:
        """The CBOR map ``DisputeStatement``."""
        return encode(
            {
                "suspect": require_bytes(self.suspect, _DIGEST_BYTES),
                "event": str(self.event),
                "document": require_optional_bytes(self.document, _DIGEST_BYTES),
            }
        )

    @classmethod
    def from_payload(cls, subject: str, payload: bytes) -> DisputeStatement:
        """Read ``to_payload``. Raises Malformed."""
        fields = read_map(payload, "suspect event document", "a dispute's statement")
        return cls(
            commitment_of(subject),
            require_bytes(fields["suspect"], _DIGEST_BYTES),
            require_choice(fields["event"], DisputeEvent, "event"),
            require_optional_bytes(fields["document"], _DIGEST_BYTES),
        )


def read_map(payload: bytes, keys: str, what: str) -> dict[str, Any]:
    """The map of a payload, with exactly these keys. Raises Malformed."""
    return require_map(decode(payload, limit=PAYLOAD_LIMIT), keys, what)

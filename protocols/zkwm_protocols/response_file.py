"""The base of all responses: the file's frame, digest, owner's signatures, challenge and blocks.

SPEC.md sections 6.2, 6.3 and 18.2. The three responses are ``Opening``
(``zkwm_protocols.opening``), ``ArgumentResponse`` and ``Refusal``
(``zkwm_protocols.argument_response``).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from zkwm_protocols import response_frame
from zkwm_protocols.challenge import Challenge, Mode
from zkwm_protocols.commitment import MAXIMUM_LEAVES, Commitment, Header
from zkwm_protocols.encoding import encode, pack
from zkwm_protocols.errors import InvalidOpening, InvalidSignature
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.schema import (
    refuse_earlier,
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
)

FILE_LIMIT = response_frame.FILE_LIMIT


@dataclass(frozen=True)
class SignedResponse(ABC):
    """An owner's answer to one challenge, with one signature for each key of the commitment.

    ``challenge`` and ``commitment`` are digests of 32 bytes, ``signatures`` 64 bytes each. A
    subclass names its ``TYPE`` in the file, the ``PURPOSE`` that its signatures are bound to, the
    ``MODE`` of the challenges that it answers and its own ``FIELDS``, separated by spaces.
    """

    TYPE: ClassVar[str]
    PURPOSE: ClassVar[str]
    MODE: ClassVar[Mode]
    FIELDS: ClassVar[str]
    VERSION: ClassVar[int] = 1

    challenge: bytes
    commitment: bytes
    signatures: tuple[bytes, ...] = field(default=(), kw_only=True)

    def body(self) -> bytes:
        """The bytes that are signed: the one encoding of all fields but the signatures."""
        return encode(
            {
                "type": self.TYPE,
                "version": self.VERSION,
                "challenge": self.challenge,
                "commitment": self.commitment,
                **self._own_fields(),
            }
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body, 32 bytes."""
        return hashlib.sha256(self.body()).digest()

    def to_bytes(self) -> bytes:
        """The proof file."""
        return pack("proof", {"body": self.body(), "signatures": list(self.signatures)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a proof file; ``verify_against`` comes next. Raises Malformed or Unsupported."""
        body, signatures = response_frame.read_frame(data)
        refuse_earlier(body, cls.TYPE, cls.VERSION, "a proof")
        fields = require_map(body, f"type version challenge commitment {cls.FIELDS}", cls.PURPOSE)
        constants: dict[str, str | int] = {"type": cls.TYPE, "version": cls.VERSION}
        require_constants(fields, constants, f"a file of type {cls.TYPE}, version {cls.VERSION}")
        return cls(
            require_bytes(fields["challenge"], 32),
            require_bytes(fields["commitment"], 32),
            signatures=signatures,
            **cls._read_own(fields),
        )

    def signed_by(self, keys: tuple[SigningKey, ...]) -> Self:
        """The same response with the owner's signatures, in the order of the header's keys."""
        return replace(self, signatures=tuple(key.sign(self.PURPOSE, self.digest) for key in keys))

    def verify_signatures(self, header: Header) -> None:
        """Check that every owner's key of the commitment has signed.

        Raises InvalidSignature (``response.signature``).
        """
        if len(self.signatures) != len(header.owner_keys):
            raise InvalidSignature(
                "not every owner's key has signed the response", check="response.signature"
            )
        for key, signature in zip(header.owner_keys, self.signatures, strict=True):
            try:
                key.verify(self.PURPOSE, self.digest, signature)
            except InvalidSignature:
                raise InvalidSignature(
                    "the owner's signature of the response does not verify",
                    check="response.signature",
                ) from None

    @abstractmethod
    def verify_against(self, commitment: Commitment, challenge: Challenge) -> None:
        """Raise InvalidOpening unless this answers exactly that challenge (SPEC.md 6.3, 18.3)."""

    @abstractmethod
    def _own_fields(self) -> dict[str, Any]:
        """The fields of the body that only this type has."""

    @classmethod
    @abstractmethod
    def _read_own(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Those fields, checked, as arguments of the constructor. Raises Malformed."""

    def _verify_challenge(self, commitment: Commitment, challenge: Challenge) -> None:
        """Raise InvalidOpening (``response.challenge``) for another challenge or commitment."""
        problem = ""
        if self.challenge != challenge.digest:
            problem = "the response answers another challenge"
        elif self.commitment != commitment.digest:
            problem = "the response is for another commitment"
        elif challenge.mode != self.MODE:
            problem = (
                f"the challenge asks for an {challenge.mode}, and the response is an {self.MODE}"
            )
        if problem:
            raise InvalidOpening(problem, check="response.challenge")


def read_blocks(value: object) -> tuple[int, ...]:
    """The list of blocks of a response. Raises Malformed; ``verify_blocks`` does the rest."""
    blocks = require_list(value, 1, MAXIMUM_LEAVES)
    return tuple(require_integer(block, MAXIMUM_LEAVES) for block in blocks)


def verify_blocks(blocks: tuple[int, ...], commitment: Commitment, challenge: Challenge) -> None:
    """Check that these are exactly r existing blocks, ascending, none of them excluded.

    Raises InvalidOpening (``response.blocks``).
    """
    excluded = sorted(set(blocks) & set(challenge.excluded_blocks))
    problem = ""
    if list(blocks) != sorted(set(blocks)):
        problem = "the blocks of the response are not ascending, each once"
    elif len(blocks) != challenge.block_count:
        problem = (
            f"the response is about {len(blocks)} blocks, {challenge.block_count} were asked for"
        )
    elif blocks[-1] >= commitment.header.block_count:
        problem = "the response names a block that the commitment does not have"
    elif challenge.reopened_blocks and blocks != challenge.reopened_blocks:
        problem = "the response is about other blocks than those to be weighed again"
    elif excluded:
        problem = f"the response uses block {excluded[0]}, which the challenge excludes as spent"
    if problem:
        raise InvalidOpening(problem, check="response.blocks")

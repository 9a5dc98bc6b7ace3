"""The owner's answer in zero knowledge: an argument about whole blocks, or a signed refusal.

SPEC.md sections 18.2 to 18.4. Frames and what they bind; the argument itself, bytes here, is made
and checked in ``zkwm_protocols.argument``. Nothing is sealed: an argument hides all there is to
hide, and convinces whoever reads it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zkwm_protocols.challenge import ARGUMENT, Challenge
from zkwm_protocols.commitment import DECLARED, DERIVED_LABEL_FIELD, Commitment, Header
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import InvalidOpening, Malformed
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.opening import Opening
from zkwm_protocols.response_file import (
    read_blocks,
    read_response_file,
    response_file,
    verify_answers,
    verify_blocks,
    verify_owner_signatures,
)
from zkwm_protocols.schema import (
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
)

if TYPE_CHECKING:
    from zkwm_protocols.argument.statement import Statement
    from zkwm_protocols.integer_network.model import IntegerNetwork

ARGUMENT_LIMIT = 64 * 2**20
"""Bytes of an argument (SPEC.md 17.10)."""
ARGUMENT_TYPE = "zkwm-argument"
REFUSAL_TYPE = "zkwm-refusal"
_MOST_LABELS = 10_000


@dataclass(frozen=True)
class ArgumentResponse:
    """An argument about ``blocks`` (ascending), one signature per owner's key.

    ``labels`` are the declared labels of all triggers of the blocks, or None where labels are
    derived; ``argument`` is the proof of SPEC.md 17.10. Raises Malformed when built wrong.
    """

    challenge: bytes
    commitment: bytes
    blocks: tuple[int, ...]
    labels: tuple[int, ...] | None
    argument: bytes = field(repr=False)
    signatures: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.argument) <= ARGUMENT_LIMIT:
            raise Malformed(f"an argument has 1 to {ARGUMENT_LIMIT:,} bytes")

    def body(self) -> bytes:
        """What is signed: the challenge's digest, the blocks, declared labels, the argument."""
        return encode(
            {
                "type": ARGUMENT_TYPE,
                "version": 1,
                "challenge": self.challenge,
                "commitment": self.commitment,
                "blocks": list(self.blocks),
                "labels": None if self.labels is None else list(self.labels),
                "argument": self.argument,
            }
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body, 32 bytes."""
        return hashlib.sha256(self.body()).digest()

    def to_bytes(self) -> bytes:
        """The proof file."""
        return response_file(self.body(), self.signatures)

    @classmethod
    def from_bytes(cls, data: bytes) -> ArgumentResponse:
        """Read a proof file. Raises Malformed or Unsupported; ``verify_against`` comes next."""
        body, signatures = read_response_file(data)
        fields = require_map(
            body, "type version challenge commitment blocks labels argument", "argument"
        )
        require_constants(fields, {"type": ARGUMENT_TYPE, "version": 1}, "an argument of version 1")
        labels = fields["labels"]
        return cls(
            challenge=require_bytes(fields["challenge"], 32),
            commitment=require_bytes(fields["commitment"], 32),
            blocks=read_blocks(fields["blocks"]),
            labels=None
            if labels is None
            else tuple(
                require_integer(label, 65_534) for label in require_list(labels, 1, _MOST_LABELS)
            ),
            argument=require_bytes(fields["argument"]),
            signatures=signatures,
        )

    def signed_by(self, keys: tuple[SigningKey, ...]) -> ArgumentResponse:
        """The same response with the owner's signatures, in the order of the header's keys."""
        return replace(self, signatures=tuple(key.sign("argument", self.digest) for key in keys))

    def verify_signatures(self, header: Header) -> None:
        """Raise InvalidSignature unless every owner's key of the commitment has signed."""
        verify_owner_signatures(header, "argument", self.digest, self.signatures)

    def verify_against(self, commitment: Commitment, challenge: Challenge) -> None:
        """Raise InvalidOpening unless this answers exactly that challenge (SPEC.md 18.3).

        As for an opening; and one declared label below C for each trigger in declared mode, none
        in derived mode.
        """
        verify_answers(self.challenge, self.commitment, ARGUMENT, commitment, challenge)
        verify_blocks(self.blocks, commitment, challenge)
        header, labels = commitment.header, self.labels
        if (labels is not None) != (header.label_mode == DECLARED):
            raise InvalidOpening(
                "labels stand in a response if and only if they are declared",
                check="response.blocks",
            )
        if labels is not None and (
            len(labels) != len(self.blocks) * header.block_size or max(labels) >= header.class_count
        ):
            raise InvalidOpening(
                "the response has not one declared label for each trigger", check="response.blocks"
            )


@dataclass(frozen=True)
class Refusal:
    """The owner's word that he has only ``unopened_blocks`` for a challenge that asks for more."""

    challenge: bytes
    commitment: bytes
    unopened_blocks: int
    signatures: tuple[bytes, ...] = ()

    @property
    def blocks(self) -> tuple[int, ...]:
        """None: a refusal is about no block."""
        return ()

    def body(self) -> bytes:
        """What is signed."""
        return encode(
            {
                "type": REFUSAL_TYPE,
                "version": 1,
                "challenge": self.challenge,
                "commitment": self.commitment,
                "unopened_blocks": self.unopened_blocks,
            }
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body, 32 bytes."""
        return hashlib.sha256(self.body()).digest()

    def to_bytes(self) -> bytes:
        """The proof file, which proves nothing but what was answered."""
        return response_file(self.body(), self.signatures)

    @classmethod
    def from_bytes(cls, data: bytes) -> Refusal:
        """Read a proof file. Raises Malformed or Unsupported; ``verify_against`` comes next."""
        body, signatures = read_response_file(data)
        fields = require_map(body, "type version challenge commitment unopened_blocks", "refusal")
        require_constants(fields, {"type": REFUSAL_TYPE, "version": 1}, "a refusal of version 1")
        return cls(
            challenge=require_bytes(fields["challenge"], 32),
            commitment=require_bytes(fields["commitment"], 32),
            unopened_blocks=require_integer(fields["unopened_blocks"], 100_000),
            signatures=signatures,
        )

    def signed_by(self, keys: tuple[SigningKey, ...]) -> Refusal:
        """The same refusal with the owner's signatures, in the order of the header's keys."""
        return replace(self, signatures=tuple(key.sign("refusal", self.digest) for key in keys))

    def verify_signatures(self, header: Header) -> None:
        """Raise InvalidSignature unless every owner's key of the commitment has signed."""
        verify_owner_signatures(header, "refusal", self.digest, self.signatures)

    def verify_against(self, commitment: Commitment, challenge: Challenge) -> None:
        """Always raise InvalidOpening: nothing is proven by a refusal (SPEC.md 18.3).

        Check ``response.challenge`` where it refuses another challenge, else ``response.blocks``,
        with the hint to ask for fewer blocks.
        """
        verify_answers(self.challenge, self.commitment, ARGUMENT, commitment, challenge)
        unopened = self.unopened_blocks
        raise InvalidOpening(
            f"the owner answers that {unopened} blocks are unopened and not excluded; "
            f"{challenge.block_count} were asked for",
            hint=f"issue a new challenge for {unopened} blocks"
            if unopened
            else "no argument is possible about this commitment",
            check="response.blocks",
        )


Response: TypeAlias = Opening | ArgumentResponse | Refusal
"""Any answer to a challenge."""


def read_response(data: bytes) -> Response:
    """Read a proof file of any type. Raises Malformed or Unsupported."""
    body, _ = read_response_file(data)
    kind = body.get("type") if isinstance(body, dict) else None
    if kind == ARGUMENT_TYPE:
        return ArgumentResponse.from_bytes(data)
    if kind == REFUSAL_TYPE:
        return Refusal.from_bytes(data)
    return Opening.from_bytes(data)


def make_statement(
    commitment: Commitment,
    challenge: Challenge,
    network: IntegerNetwork,
    blocks: tuple[int, ...],
    labels: tuple[int, ...] | None,
) -> Statement:
    """What is proven about ``blocks`` of the commitment (SPEC.md 17.1 and 18.4).

    ``labels`` are the declared labels of their triggers, None for derived ones (which cost one
    Argon2id hash). Owner and judge build it alike, each from what he holds. Raises Malformed where
    labels and commitment do not fit, UsageError where the network does not have these outputs.
    """
    from zkwm_protocols.argument.statement import Statement

    header, size = commitment.header, commitment.header.block_size
    indices = [index for block in blocks for index in range(block * size, (block + 1) * size)]
    if labels is None:
        derived = commitment.labels()
        chosen = tuple(int(label) for label in derived[np.array(indices)])
        fields = (DERIVED_LABEL_FIELD,) * len(indices)
    else:
        chosen = fields = labels
    assert challenge.least_matches is not None
    return Statement(
        context=encode(
            {
                "challenge": challenge.body(),
                "header": header.to_bytes(),
                "blocks": list(blocks),
            }
        ),
        network=network,
        leaves=tuple(commitment.leaves[index] for index in indices),
        label_fields=fields,
        outputs=tuple(challenge.class_map[label] for label in chosen),
        least_matches=challenge.least_matches,
    )

"""The owner's answer in zero knowledge: an argument about whole blocks, or a signed refusal.

SPEC.md sections 18.2 to 18.4. These are the files and what they bind; the argument itself, bytes
here, is made and checked in ``zkwm_protocols.argument``. Nothing is sealed: an argument hides all
there is to hide, and convinces whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from zkwm_protocols.argument.parameters import MAXIMUM_PROOF_BYTES
from zkwm_protocols.challenge import ArgumentChallenge, Challenge, Mode
from zkwm_protocols.commitment import MAXIMUM_LEAVES, Commitment, LabelMode
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import InvalidOpening, Malformed
from zkwm_protocols.evidence import MAXIMUM_TRIALS
from zkwm_protocols.leaves import DERIVED_LABEL_FIELD
from zkwm_protocols.opening import Opening
from zkwm_protocols.response_file import SignedResponse, read_blocks, verify_blocks
from zkwm_protocols.response_frame import ARGUMENT_TYPE, response_type
from zkwm_protocols.schema import require_bytes, require_integer, require_list

if TYPE_CHECKING:
    from zkwm_protocols.argument.statement import Statement
    from zkwm_protocols.integer_network.model import IntegerNetwork


@dataclass(frozen=True)
class ArgumentResponse(SignedResponse):
    """An argument about ``blocks``, which are ascending.

    ``labels`` are the declared labels of all triggers of the blocks, or None where labels are
    derived; ``argument`` is the proof of SPEC.md 17.10. Raises Malformed when built wrong.
    """

    TYPE: ClassVar[str] = ARGUMENT_TYPE
    PURPOSE: ClassVar[str] = "argument"
    MODE: ClassVar[Mode] = Mode.ARGUMENT
    FIELDS: ClassVar[str] = "blocks labels argument"

    blocks: tuple[int, ...]
    labels: tuple[int, ...] | None
    argument: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.argument) <= MAXIMUM_PROOF_BYTES:
            raise Malformed(f"an argument has 1 to {MAXIMUM_PROOF_BYTES:,} bytes")

    def verify_against(self, commitment: Commitment, challenge: Challenge) -> None:
        """Check that this answers exactly that challenge (SPEC.md 18.3).

        Raises InvalidOpening:
            ``response.challenge``: it answers another challenge or commitment.
            ``response.blocks``: other blocks than an answer may take, or not one declared label
            below C for each trigger in declared mode and none in derived mode.
        """
        self._verify_challenge(commitment, challenge)
        verify_blocks(self.blocks, commitment, challenge)
        header, labels = commitment.header, self.labels
        if (labels is not None) != (header.label_mode == LabelMode.DECLARED):
            raise InvalidOpening(
                "a response has labels if, and only if, the owner declared them",
                check="response.blocks",
            )
        if labels is not None and (
            len(labels) != len(self.blocks) * header.block_size or max(labels) >= header.class_count
        ):
            raise InvalidOpening(
                "the response does not have one declared label for each trigger",
                check="response.blocks",
            )

    def _own_fields(self) -> dict[str, Any]:
        """The blocks, the declared labels and the argument."""
        return {
            "blocks": list(self.blocks),
            "labels": None if self.labels is None else list(self.labels),
            "argument": self.argument,
        }

    @classmethod
    def _read_own(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """The same, checked. Raises Malformed."""
        labels = fields["labels"]
        if labels is not None:
            labels = tuple(
                require_integer(label, 65_534) for label in require_list(labels, 1, MAXIMUM_TRIALS)
            )
        return {
            "blocks": read_blocks(fields["blocks"]),
            "labels": labels,
            "argument": require_bytes(fields["argument"]),
        }


@dataclass(frozen=True)
class Refusal(SignedResponse):
    """The owner's word that only ``unopened_blocks`` are left, fewer than are asked for."""

    TYPE: ClassVar[str] = "zkwm-refusal"
    PURPOSE: ClassVar[str] = "refusal"
    MODE: ClassVar[Mode] = Mode.ARGUMENT
    FIELDS: ClassVar[str] = "unopened_blocks"

    unopened_blocks: int

    @property
    def blocks(self) -> tuple[int, ...]:
        """None: a refusal is about no block."""
        return ()

    def verify_against(self, commitment: Commitment, challenge: Challenge) -> None:
        """Always raise InvalidOpening: nothing is proven by a refusal (SPEC.md 18.3).

        Check ``response.challenge`` where it refuses another challenge, else ``response.blocks``,
        with the hint to ask for fewer blocks.
        """
        self.verify_answers(commitment, challenge)
        unopened = self.unopened_blocks
        raise InvalidOpening(
            f"the owner answers that {unopened} blocks are unopened and not excluded; "
            f"{challenge.block_count} were asked for",
            hint=f"issue a new challenge for {unopened} blocks"
            if unopened
            else "no argument is possible about this commitment",
            check="response.blocks",
        )

    def verify_answers(self, commitment: Commitment, challenge: Challenge) -> None:
        """Raise InvalidOpening (``response.challenge``) unless it refuses that challenge."""
        self._verify_challenge(commitment, challenge)

    def _own_fields(self) -> dict[str, Any]:
        """The number of blocks that are left."""
        return {"unopened_blocks": self.unopened_blocks}

    @classmethod
    def _read_own(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """The same, checked. Raises Malformed."""
        return {"unopened_blocks": require_integer(fields["unopened_blocks"], MAXIMUM_LEAVES)}


Response: TypeAlias = Opening | ArgumentResponse | Refusal
"""Any answer to a challenge."""


def read_response(data: bytes) -> Response:
    """Read a proof file of any type. Raises Malformed or Unsupported."""
    kind = response_type(data)
    if kind == ArgumentResponse.TYPE:
        return ArgumentResponse.from_bytes(data)
    if kind == Refusal.TYPE:
        return Refusal.from_bytes(data)
    return Opening.from_bytes(data)


def make_statement(
    commitment: Commitment,
    challenge: ArgumentChallenge,
    network: IntegerNetwork,
    blocks: tuple[int, ...],
    labels: tuple[int, ...] | None,
) -> Statement:
    """The statement about ``blocks`` of the commitment (SPEC.md 17.1 and 18.4).

    Owner and judge build it alike, each from their own files.

    Args:
        commitment: the commitment that the leaves come from.
        challenge: the challenge that the argument answers.
        network: the suspect's integer network.
        blocks: the blocks that the argument is about, ascending.
        labels: the declared labels of their triggers, None where labels are derived (which costs
            one Argon2id hash).

    Raises:
        Malformed: labels and commitment do not fit.
        UsageError: the network does not have these outputs.
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

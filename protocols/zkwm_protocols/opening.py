"""Selective opening: a response that opens whole blocks, sealed to one judge (SPEC.md 6.2, 6.3).

The owner names the blocks; evidence pays for that choice in advance (SPEC.md 8). A leaf that is
missing or wrong is a miss and never left out. The response has no list of spent triggers: an
owner's word on that is worth nothing. ``zkwm.judge.query`` asks the suspect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.challenge import Challenge, Mode, OpeningChallenge
from zkwm_protocols.commitment import MAXIMUM_LEAVES, Commitment, Header, LabelMode
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.keys import BoxKey, SigningKey
from zkwm_protocols.leaves import SALT_BYTES, leaf
from zkwm_protocols.response_file import FILE_LIMIT, SignedResponse, read_blocks, verify_blocks
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_map
from zkwm_protocols.sealing import seal, unseal

_FRAME_BYTES = 4 * 2**20


class LeafStatus(StrEnum):
    """The status of one leaf of an opened block."""

    VALID = "valid"
    WRONG = "wrong"
    MISSING = "missing"


@dataclass(frozen=True)
class OpenedTrigger:
    """One opened trigger; ``repr`` shows nothing of it.

    ``pixels`` is uint8 (channels, height, width), ``salt`` 32 bytes; ``label`` is the declared
    label, or None where labels are derived.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    salt: bytes = field(repr=False)
    label: int | None = field(repr=False)


@dataclass(frozen=True)
class OpenedBlock:
    """A whole block: its triggers in order (None: not opened)."""

    block: int
    triggers: tuple[OpenedTrigger | None, ...]


@dataclass(frozen=True)
class CheckedTrigger:
    """One leaf after the check.

    ``index`` is the trigger's number among all of the commitment; ``pixels`` (uint8, (channels,
    height, width)) and ``label`` are None unless the leaf is valid.
    """

    block: int
    index: int
    status: LeafStatus
    pixels: NDArray[np.uint8] | None = field(repr=False)
    label: int | None


@dataclass(frozen=True)
class Opening(SignedResponse):
    """The response of a selective opening: ``blocks``, ascending, and their sealed openings."""

    TYPE: ClassVar[str] = "zkwm-opening"
    PURPOSE: ClassVar[str] = "opening"
    MODE: ClassVar[Mode] = Mode.OPENING
    FIELDS: ClassVar[str] = "blocks sealed"
    VERSION: ClassVar[int] = 2

    blocks: tuple[int, ...]
    sealed: bytes

    def verify_against(self, commitment: Commitment, challenge: Challenge) -> None:
        """Check that this answers exactly that challenge (SPEC.md 6.3).

        Raises InvalidOpening:
            ``response.challenge``: it answers another challenge or commitment.
            ``response.blocks``: not exactly r different existing blocks, ascending, none excluded.
        """
        self._verify_challenge(commitment, challenge)
        verify_blocks(self.blocks, commitment, challenge)

    def _own_fields(self) -> dict[str, Any]:
        """The blocks and the sealed openings."""
        return {"blocks": list(self.blocks), "sealed": self.sealed}

    @classmethod
    def _read_own(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """The same, checked. Raises Malformed."""
        return {
            "blocks": read_blocks(fields["blocks"]),
            "sealed": require_bytes(fields["sealed"]),
        }


def make_opening(
    commitment: Commitment,
    challenge: Challenge,
    blocks: tuple[OpenedBlock, ...],
    signers: tuple[SigningKey, ...],
) -> Opening:
    """Seal whole blocks to the challenge's judge and sign the response (SPEC.md 6.2).

    Sealing draws fresh randomness: the caller records the bytes and hands out the same ones when
    the same challenge comes again.

    Args:
        commitment: the commitment that the blocks belong to.
        challenge: the challenge that is answered.
        blocks: the opened blocks, ascending.
        signers: the owner's keys, in the order of the header.

    Raises:
        InvalidOpening: the blocks do not fit (``response.blocks``), or the challenge asks for an
            argument (``response.challenge``).
        UsageError: the file would be larger than a reader may take.
    """
    plaintext = encode(openings_map(challenge.digest, blocks))
    if len(plaintext) > FILE_LIMIT - _FRAME_BYTES:
        raise UsageError(
            f"an opening of these blocks has {len(plaintext) >> 20} MiB, more than a proof may",
            hint="ask the judge for fewer triggers",
        )
    unsigned = Opening(
        challenge=challenge.digest,
        commitment=commitment.digest,
        blocks=tuple(opened.block for opened in blocks),
        sealed=seal(plaintext, challenge.judge.box),
    )
    unsigned.verify_against(commitment, challenge)
    return unsigned.signed_by(signers)


def open_sealed(
    commitment: Commitment, challenge: OpeningChallenge, opening: Opening, box: BoxKey
) -> tuple[OpenedBlock, ...]:
    """Unseal the response with the judge's key and read it (SPEC.md 6.3).

    Args:
        commitment: has the shape of images and the size of a block.
        challenge: what is answered.
        opening: the response.
        box: the judge's secret key.

    Raises:
        InvalidOpening: it was not sealed to this key (``opening.sealed``).
        Malformed: the plaintext is not exactly the blocks that the response names, whole, for this
            challenge (``opening.format``).
    """
    plaintext = unseal(opening.sealed, box)
    try:
        openings = decode(plaintext, limit=FILE_LIMIT)
        return read_openings(openings, commitment.header, challenge, opening)
    except Malformed as error:
        error.check = "opening.format"
        raise


def check_leaves(
    commitment: Commitment, blocks: tuple[OpenedBlock, ...]
) -> tuple[CheckedTrigger, ...]:
    """Compare every leaf of the opened blocks with the commitment, and give each its label.

    A trigger that is missing, or does not hash to the committed leaf, stays in the result as a
    miss. In derived mode the label is the derived one (which costs one Argon2id hash for each
    commitment); in declared mode it is the one inside the leaf.
    """
    header = commitment.header
    derived = None if header.label_mode == LabelMode.DECLARED else commitment.labels()
    checked = []
    for opened in blocks:
        for offset, trigger in enumerate(opened.triggers):
            index = opened.block * header.block_size + offset
            status = LeafStatus.MISSING
            if trigger is not None:
                digest = leaf(trigger.pixels, trigger.salt, trigger.label)
                status = (
                    LeafStatus.VALID if digest == commitment.leaves[index] else LeafStatus.WRONG
                )
            if status != LeafStatus.VALID or trigger is None:
                checked.append(CheckedTrigger(opened.block, index, status, None, None))
                continue
            label = trigger.label if derived is None else int(derived[index])
            checked.append(
                CheckedTrigger(opened.block, index, LeafStatus.VALID, trigger.pixels, label)
            )
    return tuple(checked)


def openings_map(challenge: bytes, blocks: tuple[OpenedBlock, ...]) -> dict[str, Any]:
    """What is sealed to the judge: the challenge's digest and the opened blocks (SPEC.md 6.2)."""
    return {
        "challenge": challenge,
        "blocks": [
            {
                "block": opened.block,
                "triggers": [_trigger_to_map(trigger) for trigger in opened.triggers],
            }
            for opened in blocks
        ],
    }


def read_openings(
    value: object, header: Header, challenge: OpeningChallenge, opening: Opening
) -> tuple[OpenedBlock, ...]:
    """Read ``openings_map``: exactly the blocks that the response names. Raises Malformed."""
    fields = require_map(value, "challenge blocks", "openings")
    if require_bytes(fields["challenge"], 32) != challenge.digest:
        raise Malformed("the sealed openings are for another challenge")
    blocks = tuple(
        _read_block(value, header) for value in require_list(fields["blocks"], 1, MAXIMUM_LEAVES)
    )
    if tuple(opened.block for opened in blocks) != opening.blocks:
        raise Malformed("the sealed blocks are not those that the response names")
    return blocks


def _trigger_to_map(trigger: OpenedTrigger | None) -> dict[str, Any] | None:
    """The CBOR map of an opened trigger; null for one that is not opened."""
    if trigger is None:
        return None
    return {
        "pixels": np.ascontiguousarray(trigger.pixels, dtype=np.uint8).tobytes(),
        "salt": trigger.salt,
        "label": trigger.label,
    }


def _read_block(value: object, header: Header) -> OpenedBlock:
    """Read an opened block, whole. Raises Malformed."""
    fields = require_map(value, "block triggers", "opened block")
    size = header.block_size
    triggers = require_list(fields["triggers"], size, size)
    return OpenedBlock(
        block=require_integer(fields["block"], header.block_count - 1),
        triggers=tuple(_read_trigger(trigger, header) for trigger in triggers),
    )


def _read_trigger(value: object, header: Header) -> OpenedTrigger | None:
    """Read ``_trigger_to_map``. Raises Malformed."""
    if value is None:
        return None
    fields = require_map(value, "pixels salt label", "opened trigger")
    label = fields["label"]
    if header.label_mode == LabelMode.DECLARED:
        label = require_integer(label, header.class_count - 1)
    elif label is not None:
        raise Malformed("a declared label in a commitment whose labels are derived")
    return OpenedTrigger(
        pixels=_read_pixels(fields["pixels"], header),
        salt=require_bytes(fields["salt"], SALT_BYTES),
        label=label,
    )


def _read_pixels(value: object, header: Header) -> NDArray[np.uint8]:
    """Read an image, uint8 of the header's shape. Raises Malformed."""
    channels, height, width = header.shape
    data = require_bytes(value, channels * height * width)
    return np.frombuffer(data, dtype=np.uint8).reshape(header.shape)

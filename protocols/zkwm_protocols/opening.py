"""Selective opening: the response to a challenge, by whole blocks, sealed to one judge.

SPEC.md sections 6.2 and 6.3. The owner names the blocks; the freedom to choose them is paid for in
advance (SPEC.md 8). A leaf that is missing or wrong is a miss, never left out. The response has no
list of spent triggers: an owner's word on that is worth nothing. Asking the suspect is not done
here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.challenge import OPENING, Challenge
from zkwm_protocols.commitment import DECLARED, SALT_BYTES, Commitment, Header, leaf
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.keys import BoxKey, SigningKey
from zkwm_protocols.response_file import (
    FILE_LIMIT,
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
from zkwm_protocols.sealing import seal, unseal

_FRAME_BYTES = 4 * 2**20
_TYPE = "zkwm-opening"

VALID = "valid"
WRONG = "wrong"
MISSING = "missing"


@dataclass(frozen=True)
class OpenedTrigger:
    """What the owner reveals of one trigger: pixels uint8 (channels, height, width), 32-byte salt.

    ``label`` is the declared label, or None where labels are derived. ``repr`` shows none of them.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    salt: bytes = field(repr=False)
    label: int | None = field(repr=False)


@dataclass(frozen=True)
class OpenedBlock:
    """A whole block: its triggers in order (None: not opened) and decoys of the same generator."""

    block: int
    triggers: tuple[OpenedTrigger | None, ...]
    decoys: tuple[NDArray[np.uint8], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class CheckedTrigger:
    """One leaf after the check. ``status`` is valid, wrong or missing; the last two need valid."""

    block: int
    index: int
    status: str
    pixels: NDArray[np.uint8] | None = field(repr=False)
    label: int | None


@dataclass(frozen=True)
class Opening:
    """The response: blocks in ascending order, sealed openings, one signature per owner's key."""

    challenge: bytes
    commitment: bytes
    blocks: tuple[int, ...]
    sealed: bytes
    signatures: tuple[bytes, ...] = ()

    def body(self) -> bytes:
        """What is signed: the challenge's digest, the blocks and the sealed openings."""
        return encode(
            {
                "type": _TYPE,
                "version": 1,
                "challenge": self.challenge,
                "commitment": self.commitment,
                "blocks": list(self.blocks),
                "sealed": self.sealed,
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
    def from_bytes(cls, data: bytes) -> Opening:
        """Read a proof file. Raises Malformed or Unsupported; ``verify_against`` comes next."""
        body, signatures = read_response_file(data)
        fields = require_map(body, "type version challenge commitment blocks sealed", "opening")
        require_constants(fields, {"type": _TYPE, "version": 1}, "an opening of version 1")
        return cls(
            challenge=require_bytes(fields["challenge"], 32),
            commitment=require_bytes(fields["commitment"], 32),
            blocks=read_blocks(fields["blocks"]),
            sealed=require_bytes(fields["sealed"]),
            signatures=signatures,
        )

    def verify_signatures(self, header: Header) -> None:
        """Raise InvalidSignature unless every owner's key of the commitment has signed."""
        verify_owner_signatures(header, "opening", self.digest, self.signatures)

    def verify_against(self, commitment: Commitment, challenge: Challenge) -> None:
        """Raise InvalidOpening unless this answers exactly that challenge (SPEC.md 6.3).

        Same challenge and commitment digests; exactly r different existing blocks, ascending, none
        of them excluded by the judge.
        """
        verify_answers(self.challenge, self.commitment, OPENING, commitment, challenge)
        verify_blocks(self.blocks, commitment, challenge)


def make_opening(
    commitment: Commitment,
    challenge: Challenge,
    blocks: tuple[OpenedBlock, ...],
    signers: tuple[SigningKey, ...],
) -> Opening:
    """Seal whole blocks to the challenge's judge and sign the response (SPEC.md 6.2).

    Sealing draws fresh randomness: the caller records the bytes and hands out the same ones when
    the same challenge comes again. Raises InvalidOpening where the blocks do not fit, UsageError
    where the file would be larger than a reader may take.
    """
    plaintext = encode(
        {
            "challenge": challenge.digest,
            "blocks": [
                {
                    "block": opened.block,
                    "triggers": [_trigger_to_map(trigger) for trigger in opened.triggers],
                    "decoys": [decoy.tobytes() for decoy in opened.decoys],
                }
                for opened in blocks
            ],
        }
    )
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
    return replace(
        unsigned, signatures=tuple(key.sign("opening", unsigned.digest) for key in signers)
    )


def open_sealed(
    commitment: Commitment, challenge: Challenge, opening: Opening, box: BoxKey
) -> tuple[OpenedBlock, ...]:
    """Unseal the response with the judge's key and read it (SPEC.md 6.3).

    Raises InvalidOpening where it was not sealed to this key, and Malformed where the plaintext is
    not exactly the blocks that the response names, whole, for this challenge.
    """
    plaintext = unseal(opening.sealed, box)
    try:
        return _read_plaintext(plaintext, commitment.header, challenge, opening)
    except Malformed as error:
        error.check = "opening.format"
        raise


def check_leaves(
    commitment: Commitment, blocks: tuple[OpenedBlock, ...]
) -> tuple[CheckedTrigger, ...]:
    """Compare every leaf of the opened blocks with the commitment; give each its label.

    A trigger that is missing, or does not hash to the committed leaf, stays in the result: it is a
    miss. In derived mode the label is the derived one (this costs the Argon2id seed, once for a
    commitment); in declared mode it is the one inside the leaf.
    """
    header = commitment.header
    derived = None if header.label_mode == DECLARED else commitment.labels()
    checked = []
    for opened in blocks:
        for offset, trigger in enumerate(opened.triggers):
            index = opened.block * header.block_size + offset
            status = MISSING
            if trigger is not None:
                digest = leaf(trigger.pixels, trigger.salt, trigger.label)
                status = VALID if digest == commitment.leaves[index] else WRONG
            if status != VALID or trigger is None:
                checked.append(CheckedTrigger(opened.block, index, status, None, None))
                continue
            known = trigger.label if derived is None else int(derived[index])
            checked.append(CheckedTrigger(opened.block, index, VALID, trigger.pixels, known))
    return tuple(checked)


def _read_plaintext(
    plaintext: bytes, header: Header, challenge: Challenge, opening: Opening
) -> tuple[OpenedBlock, ...]:
    fields = require_map(decode(plaintext, limit=FILE_LIMIT), "challenge blocks", "openings")
    if require_bytes(fields["challenge"], 32) != challenge.digest:
        raise Malformed("the sealed openings are for another challenge")
    blocks = tuple(
        _read_block(value, header) for value in require_list(fields["blocks"], 1, 100_000)
    )
    if tuple(opened.block for opened in blocks) != opening.blocks:
        raise Malformed("the sealed blocks are not those that the response names")
    return blocks


def _trigger_to_map(trigger: OpenedTrigger | None) -> dict[str, Any] | None:
    if trigger is None:
        return None
    return {
        "pixels": np.ascontiguousarray(trigger.pixels, dtype=np.uint8).tobytes(),
        "salt": trigger.salt,
        "label": trigger.label,
    }


def _read_block(value: object, header: Header) -> OpenedBlock:
    fields = require_map(value, "block triggers decoys", "opened block")
    size = header.block_size
    triggers = require_list(fields["triggers"], size, size)
    decoys = require_list(fields["decoys"], 0, size)
    return OpenedBlock(
        block=require_integer(fields["block"], header.block_count - 1),
        triggers=tuple(_read_trigger(trigger, header) for trigger in triggers),
        decoys=tuple(_read_pixels(decoy, header) for decoy in decoys),
    )


def _read_trigger(value: object, header: Header) -> OpenedTrigger | None:
    if value is None:
        return None
    fields = require_map(value, "pixels salt label", "opened trigger")
    label = fields["label"]
    if header.label_mode == DECLARED:
        label = require_integer(label, header.class_count - 1)
    elif label is not None:
        raise Malformed("a declared label in a commitment whose labels are derived")
    return OpenedTrigger(
        pixels=_read_pixels(fields["pixels"], header),
        salt=require_bytes(fields["salt"], SALT_BYTES),
        label=label,
    )


def _read_pixels(value: object, header: Header) -> NDArray[np.uint8]:
    channels, height, width = header.shape
    data = require_bytes(value, channels * height * width)
    return np.frombuffer(data, dtype=np.uint8).reshape(header.shape)

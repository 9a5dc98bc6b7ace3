"""What all responses share: the file, the owner's signatures, the challenge and its blocks.

SPEC.md sections 6.2, 6.3 and 18.2. What a response says is in ``zkwm_protocols.opening`` and
``zkwm_protocols.argument_response``.
"""

from __future__ import annotations

from typing import Any

from zkwm_protocols.challenge import ARGUMENT, Challenge
from zkwm_protocols.commitment import Commitment, Header
from zkwm_protocols.encoding import decode, pack, unpack
from zkwm_protocols.errors import InvalidOpening, InvalidSignature
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_map

FILE_LIMIT = 256 * 2**20


def response_file(body: bytes, signatures: tuple[bytes, ...]) -> bytes:
    """The proof file of a response's body."""
    return pack("proof", {"body": body, "signatures": list(signatures)})


def read_response_file(data: bytes) -> tuple[Any, tuple[bytes, ...]]:
    """The decoded body of a proof file, and its signatures. Raises Malformed or Unsupported."""
    outer = require_map(unpack("proof", data, limit=FILE_LIMIT), "body signatures", "file")
    body = decode(require_bytes(outer["body"]), limit=FILE_LIMIT)
    signatures = tuple(
        require_bytes(signature, 64) for signature in require_list(outer["signatures"], 1, 4)
    )
    return body, signatures


def read_blocks(value: object) -> tuple[int, ...]:
    """The list of blocks of a response. Raises Malformed; ``verify_blocks`` does the rest."""
    return tuple(require_integer(block, 100_000) for block in require_list(value, 1, 100_000))


def verify_owner_signatures(
    header: Header, purpose: str, digest: bytes, signatures: tuple[bytes, ...]
) -> None:
    """Raise InvalidSignature unless every owner's key of the commitment has signed ``digest``."""
    if len(signatures) != len(header.owner_keys):
        raise InvalidSignature(
            "not every owner's key has signed the response", check="response.signature"
        )
    for key, signature in zip(header.owner_keys, signatures, strict=True):
        try:
            key.verify(purpose, digest, signature)
        except InvalidSignature:
            raise InvalidSignature(
                "the owner's signature of the response does not verify",
                check="response.signature",
            ) from None


def verify_answers(
    challenge_digest: bytes,
    commitment_digest: bytes,
    mode: str,
    commitment: Commitment,
    challenge: Challenge,
) -> None:
    """Raise InvalidOpening unless a response of this mode is to this challenge and commitment."""
    if challenge_digest != challenge.digest:
        raise InvalidOpening("the response answers another challenge", check="response.challenge")
    if commitment_digest != commitment.digest:
        raise InvalidOpening("the response is for another commitment", check="response.challenge")
    if mode != challenge.mode:
        wanted, given = ("an argument", "an opening")[:: 1 if challenge.mode == ARGUMENT else -1]
        raise InvalidOpening(
            f"the challenge asks for {wanted}, and the response is {given}",
            check="response.challenge",
        )


def verify_blocks(blocks: tuple[int, ...], commitment: Commitment, challenge: Challenge) -> None:
    """Raise InvalidOpening unless these are exactly r existing blocks, ascending, not excluded."""
    if list(blocks) != sorted(set(blocks)):
        raise InvalidOpening(
            "the blocks of the response are not ascending, each once", check="response.blocks"
        )
    if len(blocks) != challenge.block_count:
        raise InvalidOpening(
            f"the response is about {len(blocks)} blocks, {challenge.block_count} were asked for",
            check="response.blocks",
        )
    if blocks[-1] >= commitment.header.block_count:
        raise InvalidOpening(
            "the response names a block that the commitment does not have", check="response.blocks"
        )
    excluded = sorted(set(blocks) & set(challenge.excluded_blocks))
    if excluded:
        raise InvalidOpening(
            f"the response uses block {excluded[0]}, which the challenge excludes as spent",
            check="response.blocks",
        )

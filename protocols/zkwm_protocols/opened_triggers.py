"""The file of triggers that a judge unsealed, for whoever checks the case again (SPEC.md 20.3).

Leaves and salts are in it, so that anybody can compare them with the commitment. Whoever has the
file has the triggers: it is as secret as what was sealed.
"""

from __future__ import annotations

from zkwm_protocols.challenge import OpeningChallenge
from zkwm_protocols.commitment import MAXIMUM_LEAVES, Commitment
from zkwm_protocols.encoding import pack, unpack
from zkwm_protocols.opening import OpenedBlock, Opening, openings_map, read_openings
from zkwm_protocols.response_file import FILE_LIMIT
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_map


def write_opened(challenge: OpeningChallenge, blocks: tuple[OpenedBlock, ...]) -> bytes:
    """The file of these opened blocks, which ``zkwm_protocols.opening.open_sealed`` returned."""
    return pack("opened-triggers", openings_map(challenge.digest, blocks))


def opened_blocks(data: bytes) -> tuple[bytes, tuple[int, ...]]:
    """The challenge's digest and the numbers of the blocks that a file of ``write_opened`` opens.

    For a look at it without its case. Raises Malformed.
    """
    value = unpack("opened-triggers", data, limit=FILE_LIMIT)
    fields = require_map(value, "challenge blocks", "openings")
    blocks = [
        require_map(block, "block triggers", "opened block")
        for block in require_list(fields["blocks"], 1, MAXIMUM_LEAVES)
    ]
    numbers = tuple(require_integer(block["block"], MAXIMUM_LEAVES) for block in blocks)
    return require_bytes(fields["challenge"], 32), numbers


def read_opened(
    data: bytes, commitment: Commitment, challenge: OpeningChallenge, opening: Opening
) -> tuple[OpenedBlock, ...]:
    """Read ``write_opened``; ``check_leaves`` comes next.

    Args:
        data: the file.
        commitment: has the shape of images and the size of a block.
        challenge: what was answered.
        opening: the response, whose blocks these have to be.

    Raises Malformed for other blocks, or those of another challenge.
    """
    value = unpack("opened-triggers", data, limit=FILE_LIMIT)
    return read_openings(value, commitment.header, challenge, opening)

"""How many disputes the blocks of a commitment are enough for.

Counted by the standard that a judge applies by default, with every trigger matching: a damaged mark
or a stricter judge takes more blocks. Arguments in zero knowledge spend none.
"""

from __future__ import annotations

from zkwm_protocols.commitment import Commitment
from zkwm_protocols.evidence import smallest_reveal
from zkwm_protocols.policy import Policy


def blocks_of_a_dispute(commitment: Commitment) -> int | None:
    """The fewest blocks that an opening takes; None where even all would not be enough."""
    header = commitment.header
    return smallest_reveal(
        block_count=header.block_count,
        block_size=header.block_size,
        class_count=header.class_count,
        policy=Policy(),
    )


def disputes_left(commitment: Commitment, unspent: int) -> int:
    """How many openings so many unspent blocks are enough for, at most."""
    blocks = blocks_of_a_dispute(commitment)
    return 0 if blocks is None else unspent // blocks

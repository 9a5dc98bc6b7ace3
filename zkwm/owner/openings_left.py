"""How many disputes the blocks of a commitment are enough for.

Counted by the standard that a judge applies by default, with every trigger matching: a damaged mark
or a stricter judge takes more blocks. Arguments in zero knowledge spend none.
"""

from __future__ import annotations

from zkwm.owner.spent_blocks import spent_blocks
from zkwm.owner.vault import VaultState
from zkwm_protocols.challenge import Challenge
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


def asks_last(state: VaultState, commitment: Commitment, challenge: Challenge) -> str:
    """Why an opening needs a word of its own as the last; empty where it is not (SPEC.md 6.2).

    It is the last where fewer blocks are left afterwards than a dispute takes, or than this one
    does where a judge would not be convinced by default.
    """
    if challenge.reopened_blocks:
        return ""
    left = commitment.header.block_count - len(spent_blocks(state, commitment))
    left -= challenge.block_count
    if left >= (blocks_of_a_dispute(commitment) or challenge.block_count):
        return ""
    rest = "no block is" if left == 0 else f"{left} block{'s are' if left > 1 else ' is'}"
    return (
        f"this is the last opening of this commitment: {rest} left for another dispute, whoever "
        "copies the model next"
    )

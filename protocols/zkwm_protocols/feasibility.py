"""The smallest sizes and fewest matches that reach a threshold (SPEC.md 6.1, 18.1).

A challenge that no answer can satisfy would cost the owner secrets for nothing, so that it is
neither issued nor answered. The bits themselves are counted in ``zkwm_protocols.evidence``.
"""

from __future__ import annotations

from zkwm_protocols import evidence
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError
from zkwm_protocols.policy import Policy


def require_reachable(
    commitment: Commitment, block_count: int, policy: Policy, map_bits: int = 0
) -> None:
    """Check that ``block_count`` blocks can reach the threshold with all matches.

    Raises UsageError (``challenge.reachable``), naming the smallest size that can, or for more than
    10,000 triggers, which no assessment takes.
    """
    fewest_matches(commitment, block_count, policy, map_bits)


def fewest_matches(
    commitment: Commitment, block_count: int, policy: Policy, map_bits: int = 0
) -> int:
    """The smallest k* that reaches the threshold with ``block_count`` blocks (SPEC.md 18.1).

    Raises UsageError, as ``require_reachable`` does, where even all matches would not.
    """
    header = commitment.header
    triggers = block_count * header.block_size
    if triggers > evidence.MAXIMUM_TRIALS:
        raise UsageError(
            f"{triggers:,} triggers are asked for, and one assessment "
            f"takes at most {evidence.MAXIMUM_TRIALS:,}",
            hint="open fewer blocks",
            check="challenge.reachable",
        )
    perfect = evidence.assess(
        triggers,
        blocks_used=block_count,
        block_count=header.block_count,
        block_size=header.block_size,
        class_count=header.class_count,
        policy=policy,
        map_bits=map_bits,
    )
    if perfect.needed_matches is not None:
        return perfect.needed_matches
    smallest = evidence.smallest_reveal(
        block_count=header.block_count,
        block_size=header.block_size,
        class_count=header.class_count,
        policy=policy,
        map_bits=map_bits,
    )
    raise UsageError(
        f"even {triggers} matches of {triggers} leave {perfect.total_bits:.2f} bits, "
        f"less than the {policy.threshold_bits} that the judge demands",
        hint=f"reveal at least {smallest * header.block_size} triggers"
        if smallest
        else "no number of triggers of this commitment can reach this threshold",
        check="challenge.reachable",
    )


def require_least_matches(
    commitment: Commitment,
    block_count: int,
    policy: Policy,
    least_matches: int,
    map_bits: int = 0,
) -> None:
    """Check that k* is possible and reaches the threshold.

    Args:
        commitment: has the number of classes and of triggers in a block.
        block_count: r, the blocks that are asked for.
        policy: has the threshold.
        least_matches: k*.
        map_bits: what the class map costs.

    Raises:
        UsageError: it is not (``challenge.reachable``); the hint names the values that are.
    """
    triggers = block_count * commitment.header.block_size
    fewest = fewest_matches(commitment, block_count, policy, map_bits)
    if least_matches > triggers:
        raise UsageError(
            f"at least {least_matches} matches are asked for among {triggers} triggers",
            hint=f"ask for {fewest} to {triggers} matches",
            check="challenge.reachable",
        )
    if least_matches < fewest:
        raise UsageError(
            f"at least {least_matches} matches of {triggers} would leave less than the "
            f"{policy.threshold_bits} bits that the judge demands",
            hint=f"ask for at least {fewest} matches",
            check="challenge.reachable",
        )

"""What is subtracted from evidence: all that an accuser could have chosen (SPEC.md 8.2).

Each allowance is a term of the printed sum, in hundredths of a bit, rounded towards less evidence.
``zkwm_protocols.evidence`` adds them up.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from zkwm_protocols.log2_bounds import hundredths_up
from zkwm_protocols.policy import MOST_FUNCTIONS, Policy

GRINDING_BITS = 48
BEACON_GRINDING_BITS = 40
"""With a beacon that an authority of the judge's trust has signed: each try is asked of it."""
SUSPECT_BITS = 20


@dataclass(frozen=True)
class Term:
    """One line of the sum: hundredths of a bit, signed, and their meaning."""

    name: str
    hundredths: int
    meaning: str

    @property
    def bits(self) -> float:
        """The same in bits, for display."""
        return self.hundredths / 100


def allowances_of(
    blocks_used: int, block_count: int, policy: Policy, map_bits: int
) -> tuple[Term, ...]:
    """The terms that are subtracted: all that could be chosen (SPEC.md 8.2)."""
    tried = policy.functions_tried
    return (
        Term(
            "size of the commitment",
            -hundredths_up(block_count),
            f"the number of blocks that the commitment has, opened before or not: {block_count}",
        ),
        Term(
            "choice of blocks",
            -hundredths_up(comb(block_count, blocks_used)),
            f"the ways to choose {blocks_used} of {block_count} blocks",
        ),
        Term(
            "grinding of the commitment",
            -100 * (BEACON_GRINDING_BITS if policy.trusted_beacon else GRINDING_BITS),
            "commitments that an accuser could have tried out before publishing one"
            + (", each timestamped by an authority that the judge trusts" * policy.trusted_beacon),
        ),
        Term(
            "functions tried",
            -hundredths_up(tried * (tried + 1)),
            "models, and ways to ask one, that were tried on this commitment as far as the judge "
            f"knows: {tried}",
        ),
        Term(
            "choice of the suspect",
            -100 * SUSPECT_BITS,
            "models among which an accuser could have searched for a lucky one",
        ),
        Term(
            "choice of the class map",
            -100 * map_bits,
            "the ways to map classes to outputs, where neither names nor equal numbers of all "
            "outputs fix the map",
        ),
        Term(
            "owner's choices",
            -100 * policy.owner_choice_bits,
            "preprocessing and scales, if the judge left them to the owner",
        ),
    )


def most_functions(tried: int, spare: int) -> int:
    """The largest j whose term is at most ``spare`` hundredths of a bit above that of ``tried``.

    0 where none is, as where much is missing (``spare`` negative).
    """
    allowed = hundredths_up(tried * (tried + 1)) + spare
    below, above = 0, MOST_FUNCTIONS + 1
    while above - below > 1:
        middle = (below + above) // 2
        if hundredths_up(middle * (middle + 1)) <= allowed:
            below = middle
        else:
            above = middle
    return below

"""One term of a soundness error: an exact fraction, with the theorem that it follows from.

SPEC.md 17.9 lists the terms; ``parameters`` has those of the argument, ``recursive_opening.sizes``
those of its folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import log2


@dataclass(frozen=True)
class SoundnessTerm:
    """One way in which a false statement may pass.

    Args:
        name: of the term, as in SPEC.md 17.9.
        bound: an upper bound of its probability, exact.
        theorem: what it follows from.
    """

    name: str
    bound: Fraction
    theorem: str

    @property
    def bits(self) -> float:
        """-log2 of the bound, for display."""
        return bits_of(self.bound)


def bits_of(bound: Fraction) -> float:
    """-log2 of a positive fraction, which may be far below the range of a float."""
    shift = bound.denominator.bit_length() - bound.numerator.bit_length()
    return shift - log2(float(bound * Fraction(2) ** shift))

"""The sum of SPEC.md section 8 from exact fractions: no logarithm is ever computed.

A term -log2 P is the largest h with 2^h <= (1/P)^100, found by comparing integers.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial


def tail(trials: int, class_count: int, matches: int) -> Fraction:
    """P[Binomial(trials, 1/class_count) >= matches], exactly."""
    ways = sum(
        comb(trials, i) * (class_count - 1) ** (trials - i)
        for i in range(max(matches, 0), trials + 1)
    )
    return Fraction(ways, class_count**trials)


def hundredths_below(ratio: Fraction) -> int:
    """Largest h with h/100 <= log2(ratio), for a ratio of at least 1."""
    return (ratio.numerator**100 // ratio.denominator**100).bit_length() - 1


def hundredths_above(number: int) -> int:
    """Smallest h with h/100 >= log2(number), for a number of at least 1."""
    return (number**100 - 1).bit_length()


def allowance(
    blocks: int,
    opened: int,
    functions_tried: int = 1,
    owner_choice_bits: int = 0,
    map_bits: int = 0,
    grinding: int = 48,
) -> int:
    """log2 B + log2 binomial(B, r) + A in hundredths of a bit, each term rounded up."""
    return (
        hundredths_above(blocks)
        + hundredths_above(comb(blocks, opened))
        + 100 * grinding
        + hundredths_above(functions_tried * (functions_tried + 1))
        + 2000
        + 100 * map_bits
        + 100 * owner_choice_bits
    )


def evidence(
    class_count: int,
    block_size: int,
    blocks: int,
    opened: int,
    matches: int,
    functions_tried: int = 1,
    owner_choice_bits: int = 0,
    map_bits: int = 0,
) -> int:
    """The evidence of section 8.2 in hundredths of a bit; it can be negative."""
    probability = tail(block_size * opened, class_count, matches)
    first = hundredths_below(1 / probability)
    return first - allowance(blocks, opened, functions_tried, owner_choice_bits, map_bits)


def class_map_bits(outputs: int, class_count: int) -> int:
    """log2 of K!/(K-C)! rounded up to whole bits."""
    choices = factorial(outputs) // factorial(outputs - class_count)
    return (choices - 1).bit_length()

"""The choice of an honest prover: the parameters of a proof.

::

    for every a with R = n 2^a <= 2^20, every k of the three smallest with N = 2^k > 2R:
        t = the fewest columns that are sound        ((N + R + t) / 2N)^t: the chance that the
                                                     low-degree test misses a word that is far
        folds = the cheapest chain from the combined rows to a last vector (``fold_choice``)
    score = bytes of the proof + rate * work on codewords
    the lowest score wins; then columns are dropped while the sum of all terms allows it

    work  = bytes of codewords + 500 for each column     (2 ns a byte, 1 microsecond a column)
    rate  = 600,000 / (100 for each fraction of the tree)

So a part of the prover's other work, the tree's, may be spent on codewords for the same part of 600
kB less. A verifier accepts any sound parameters within the limits of ``parameters``. SPEC.md 17.9.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import log2

from zkwm_protocols.argument.fold_choice import COLUMN_WORK, choose_folds
from zkwm_protocols.argument.parameters import (
    FINGERPRINT_DEGREE,
    MAXIMUM_CODE_LOG,
    MAXIMUM_PROOF_BYTES,
    MAXIMUM_ROW_LENGTH,
    MAXIMUM_ROW_POSITIONS_LOG,
    SOUNDNESS_BITS,
    Layout,
)
from zkwm_protocols.argument.soundness import bits_of
from zkwm_protocols.errors import InvalidOpening, UsageError
from zkwm_protocols.field.scalar import ORDER

_CODES = 3
"""Lengths of the code that are tried for each length of a row."""
_RATE = 6_000
_FIXED_FRACTIONS = 1_000_000
"""Fractions that take as long as what does not grow with them."""
_COLUMN_TERMS = 6
"""Terms of opened columns that share what others leave: the rows' and those of five folds."""

_LONGEST_PROOF = MAXIMUM_PROOF_BYTES * 31 // 32
"""The length of a proof is known within a few percent."""


@lru_cache(maxsize=64)
def choose_layout(*, triggers: int, cells: int, lookups: int, rows: int) -> Layout:
    """The layout of an honest prover: sound, and a good balance of length and encoding time.

    Args:
        triggers: n.
        cells: J, of one trigger.
        lookups: M, of one trigger.
        rows: of all tables together.

    Raises:
        UsageError: no parameters within the limits are sound, or the proof would be too long.
    """
    fractions = triggers * lookups + rows
    bits = _bits_of_columns(fractions)
    rate = _RATE / (_FIXED_FRACTIONS + fractions)
    best: tuple[float, Layout] | None = None
    for a in range(MAXIMUM_ROW_POSITIONS_LOG + 1):
        length = triggers << a
        if length > MAXIMUM_ROW_LENGTH or bits is None:
            break
        smallest = (2 * length).bit_length()
        for code_log in range(smallest, min(smallest + _CODES, MAXIMUM_CODE_LOG + 1)):
            layout = _with_fewest_columns(triggers, cells, lookups, rows, a, code_log, bits)
            if layout is None:
                continue
            layout = _with_folds(layout, bits, rate)
            if layout is None or layout.proof_bytes > _LONGEST_PROOF:
                continue
            work = layout.code_bytes + COLUMN_WORK * layout.code_columns
            score = layout.proof_bytes + rate * work
            if best is None or score < best[0]:
                best = (score, layout)
    if best is None:
        raise UsageError(
            f"no parameters of the argument are sound for {triggers} triggers of this network",
            hint="ask about fewer blocks",
        )
    return _without_spare_columns(best[1])


def _bits_of_columns(fractions: int) -> float | None:
    """-log2 of what each term of opened columns may be; None if nothing is left for them.

    ``fractions``: about how many leaves the tree has; their term is the largest of all others.
    """
    rest = Fraction(1, 2**SOUNDNESS_BITS) - Fraction(FINGERPRINT_DEGREE * fractions + 2**27, ORDER)
    return bits_of(rest / _COLUMN_TERMS) if rest > 0 else None


def _with_fewest_columns(
    triggers: int, cells: int, lookups: int, rows: int, a: int, code_log: int, bits: float
) -> Layout | None:
    """The layout with the fewest columns for ``bits``, without folds; None where none fits."""
    length, n = triggers << a, 1 << code_log
    columns = 64
    while True:
        rate = max((n + length + columns) / (2 * n), 2 * (length + columns) / n)
        if rate >= 1:
            return None
        needed = int(bits / -log2(rate)) + 1
        if needed <= columns:
            break
        columns = needed
    try:
        return Layout(triggers, cells, lookups, rows, a, code_log, columns)
    except InvalidOpening:
        return None


def _with_folds(layout: Layout, bits: float, rate: float) -> Layout | None:
    """The layout with the cheapest folds, or None where it is not sound."""
    folds = choose_folds(sum(layout.combined_lengths), bits, rate)
    try:
        layout = replace(layout, folds=folds)
        layout.require_sound()
    except InvalidOpening:
        return None
    return layout


def _without_spare_columns(layout: Layout) -> Layout:
    """The layout with columns dropped, the longest first, while it is sound."""

    def fewer(place: int) -> Layout:
        if place < 0:
            return replace(layout, columns=layout.columns - 1)
        folds = list(layout.folds)
        folds[place] = replace(folds[place], columns=folds[place].columns - 1)
        return replace(layout, folds=tuple(folds))

    sizes = [(4 * layout.base_rows, -1)]
    sizes += [(20 * fold.rows, place) for place, fold in enumerate(layout.folds)]
    for _, place in sorted(sizes, reverse=True):
        while True:
            shorter = fewer(place)
            try:
                shorter.require_sound()
            except InvalidOpening:
                break
            layout = shorter
    return layout

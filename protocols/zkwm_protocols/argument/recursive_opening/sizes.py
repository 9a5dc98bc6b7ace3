"""Sizes of a recursive opening: folds, the length of every vector, limits, soundness, bytes.

::

    vector 0   m = F 2^B elements            B = a_1 + a_2 + ...
    fold 1     2^a_1 rows of D_1 = m / 2^a_1, codewords of N_1 = 2^k_1, t_1 columns are opened
    vector 1   D_1 elements
    fold 2     2^a_2 rows of D_2 = D_1 / 2^a_2 ...
    last       F elements, in clear

A proof names a, k and t of every fold; all else follows. SPEC.md 17.9 and 17.11.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from zkwm_protocols.argument.soundness import SoundnessTerm
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.scalar import DEGREE, ORDER

MAXIMUM_FOLDS = 8
MAXIMUM_FOLD_ROWS_LOG = 8
MAXIMUM_FOLD_CODE_LOG = 22
MAXIMUM_FOLD_COLUMNS = 1_000
MAXIMUM_LAST_LENGTH = 4_096
ELEMENT_BYTES = 4 * DEGREE


@dataclass(frozen=True)
class Fold:
    """What a proof says of one fold.

    Args:
        rows_log: a: 2^a rows become one.
        code_log: k: a codeword has 2^k elements.
        columns: t: columns that are opened.
    """

    rows_log: int
    code_log: int
    columns: int

    @property
    def rows(self) -> int:
        """2^a."""
        return 1 << self.rows_log

    @property
    def code_length(self) -> int:
        """N, the length of a codeword."""
        return 1 << self.code_log

    @property
    def code_bytes(self) -> int:
        """Bytes of all codewords."""
        return ELEMENT_BYTES * self.rows * self.code_length

    @property
    def bytes(self) -> int:
        """The share of a proof, within a few percent: the missing nodes are estimated."""
        return (
            self.columns * ELEMENT_BYTES * self.rows
            + 32 * missing_nodes(self.code_log, self.columns)
            + 2 * ELEMENT_BYTES * self.rows_log
            + 32
        )


@dataclass(frozen=True)
class OpeningSizes:
    """All sizes of the opening of one vector.

    Args:
        length: elements of the vector, before zeros continue it.
        folds: at least one.

    Raises:
        InvalidOpening: folds outside the limits of SPEC.md 17.9 (argument.format).
    """

    length: int
    folds: tuple[Fold, ...]

    def __post_init__(self) -> None:
        if not (
            1 <= len(self.folds) <= MAXIMUM_FOLDS
            and all(
                1 <= fold.rows_log <= MAXIMUM_FOLD_ROWS_LOG
                and 1 <= fold.code_log <= MAXIMUM_FOLD_CODE_LOG
                and 1 <= fold.columns <= min(MAXIMUM_FOLD_COLUMNS, fold.code_length)
                for fold in self.folds
            )
            and self.last_length <= MAXIMUM_LAST_LENGTH
            and all(self.row_length(i) < fold.code_length for i, fold in enumerate(self.folds))
        ):
            raise InvalidOpening(
                "the proof's folds are outside what the protocol allows", check="argument.format"
            )

    @cached_property
    def rounds(self) -> int:
        """B, the rounds of sumcheck of all folds."""
        return sum(fold.rows_log for fold in self.folds)

    @property
    def last_length(self) -> int:
        """F, the elements in clear."""
        return -(-self.length >> self.rounds)

    @property
    def padded_length(self) -> int:
        """m = F 2^B: the vector's length with the zeros that continue it."""
        return self.last_length << self.rounds

    def row_length(self, fold: int) -> int:
        """D: elements of a row of a fold, and of the vector behind it; ``fold`` counts from 0."""
        behind = sum(later.rows_log for later in self.folds[fold + 1 :])
        return self.last_length << behind

    @property
    def bytes(self) -> int:
        """The share of a proof, within a few percent."""
        return sum(fold.bytes for fold in self.folds) + ELEMENT_BYTES * self.last_length

    @property
    def code_bytes(self) -> int:
        """Bytes of all codewords of the prover."""
        return sum(fold.code_bytes for fold in self.folds)

    @property
    def code_columns(self) -> int:
        """Columns of all codewords of the prover, each a leaf of a tree."""
        return sum(fold.code_length for fold in self.folds)

    def soundness(self) -> tuple[SoundnessTerm, ...]:
        """The terms of SPEC.md 17.9 that are the folds'."""
        proximity = sum(fold.rows_log * fold.code_length for fold in self.folds)
        columns = [
            Fraction(fold.code_length + self.row_length(i), 2 * fold.code_length) ** fold.columns
            for i, fold in enumerate(self.folds)
        ]
        return (
            SoundnessTerm(
                "folds, sumcheck",
                Fraction(2 * self.rounds, ORDER),
                "sumcheck, Lund, Fortnow, Karloff, Nisan, of degree 2",
            ),
            SoundnessTerm(
                "folds, batching",
                Fraction(1 + len(self.folds), ORDER),
                "one independent challenge for each claim but one",
            ),
            SoundnessTerm(
                "folds, proximity",
                Fraction(proximity, ORDER),
                "Diamond and Gruen, Proximity Gaps in Interleaved Codes, corollary 3.7",
            ),
            SoundnessTerm(
                "folds, columns",
                sum(columns, Fraction(0)),
                "opened columns, without repetition (Ligero)",
            ),
        )


@lru_cache(maxsize=4096)
def missing_nodes(code_log: int, columns: int) -> int:
    """About how many nodes an opening of random columns lacks: within a percent."""
    total = 0.0
    for level in range(code_log):
        # a node is missing if it covers no opened column, and its sibling covers one
        share = 2.0 ** (level - code_log)
        total += ((1 - share) ** columns - (1 - 2 * share) ** columns) / share
    return round(total)

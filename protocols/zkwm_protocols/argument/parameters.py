"""Sizes of one proof, and its soundness: every term an exact fraction, with its theorem.

::

    public sizes      n triggers, J cells and M lookups of each, rows of all tables
    parameters        a (2^a positions in a row), k (N = 2^k codeword length), t (opened columns),
                      and a, k, t of every fold of the combined rows (recursive_opening.sizes)

    tableau           R = n 2^a       row length        witness_rows = ceil(J / 2^a)
                      w               2^w table rows in a multiplicity row
                      h               pad_row, of the rows pads, left, right, product
                      N >= 2R + 2t,   R >= h + 2t
    tree              U, b'           2^U columns, 2^b' rows of leaves; U + b' levels
                      A               chunks of 2^U table rows

A proof carries its parameters; all else follows. Only proven bounds are used: no conjecture on
proximity gaps stands behind any number here. SPEC.md 17.5, 17.7 and 17.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from zkwm_protocols.argument.recursive_opening.sizes import Fold, OpeningSizes, missing_nodes
from zkwm_protocols.argument.soundness import SoundnessTerm, bits_of
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.scalar import ORDER, P

SOUNDNESS_BITS = 120
FINGERPRINT_DEGREE = 8
(
    MASK_LOW,
    MASK_DOT_A,
    MASK_DOT_B,
    MASK_PADS_A,
    MASK_PADS_B,
    MASK_PRODUCT,
    PADS,
    LEFT,
    RIGHT,
    PRODUCT,
) = range(10)
"""The rows over K, five rows over F_p each, as they follow witness and multiplicities."""
EXTENSION_ROWS = PRODUCT + 1
MAXIMUM_ROW_POSITIONS_LOG = 16
MAXIMUM_CODE_LOG = 22
MAXIMUM_ROW_LENGTH = 1 << 20
MAXIMUM_COLUMNS = 1_000
MAXIMUM_MULTIPLICITY_LOG = 16
MINIMUM_TREE_COLUMNS_LOG = 10
MAXIMUM_PROOF_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Layout:
    """All sizes of a proof.

    Args:
        triggers: n.
        cells: J, of one trigger.
        lookups: M, of one trigger.
        rows: of all tables together, before they are continued.
        row_positions_log: a.
        code_log: k.
        columns: t.
        folds: of the combined rows; none while they are not chosen.

    Raises:
        InvalidOpening: parameters outside the limits of SPEC.md 17.9 (argument.format).
    """

    triggers: int
    cells: int
    lookups: int
    rows: int
    row_positions_log: int
    code_log: int
    columns: int
    folds: tuple[Fold, ...] = ()

    def __post_init__(self) -> None:
        if not (
            0 <= self.row_positions_log <= MAXIMUM_ROW_POSITIONS_LOG
            and 1 <= self.code_log <= MAXIMUM_CODE_LOG
            and 1 <= self.columns <= min(MAXIMUM_COLUMNS, self.pad_row)
            and self.row_length <= MAXIMUM_ROW_LENGTH
            and self.triggers * self.lookups < P
            and self.row_length >= self.pad_row + 2 * self.columns
            and self.code_length >= 2 * self.row_length + 2 * self.columns
        ):
            raise InvalidOpening(
                "the proof's parameters are outside what the protocol allows",
                check="argument.format",
            )
        if self.folds:
            _ = self.opening  # has limits of its own

    @property
    def row_length(self) -> int:
        """R: cells of a witness row."""
        return self.triggers << self.row_positions_log

    @property
    def code_length(self) -> int:
        """N, the length of a codeword."""
        return 1 << self.code_log

    @property
    def witness_rows(self) -> int:
        """Rows that hold the triggers' cells."""
        return -(-self.cells >> self.row_positions_log)

    @property
    def multiplicity_log(self) -> int:
        """w: a multiplicity row holds 2^w table rows."""
        return min(MAXIMUM_MULTIPLICITY_LOG, self.row_length.bit_length() - 1)

    @property
    def table_rows(self) -> int:
        """M_T: the rows of all tables, continued to a multiple of 2^w by repeating the last."""
        return self.multiplicity_rows << self.multiplicity_log

    @property
    def multiplicity_rows(self) -> int:
        """Rows that hold multiplicities."""
        return -(-self.rows >> self.multiplicity_log)

    @property
    def tree_columns_log(self) -> int:
        """U: the lookups of one trigger fit into 2^U leaves, and so does a multiplicity row."""
        return max(MINIMUM_TREE_COLUMNS_LOG, self.multiplicity_log, (self.lookups - 1).bit_length())

    @property
    def table_chunks(self) -> int:
        """A: chunks of 2^U table rows."""
        return -(-self.table_rows >> self.tree_columns_log)

    @property
    def tree_rows_log(self) -> int:
        """b': triggers and chunks together fit into 2^b'."""
        return (self.triggers + self.table_chunks - 1).bit_length()

    @property
    def levels(self) -> int:
        """Levels of the tree: U + b'."""
        return self.tree_columns_log + self.tree_rows_log

    @property
    def position_rounds(self) -> int:
        """Rounds of the sumcheck over a trigger's cells."""
        return ((self.witness_rows << self.row_positions_log) - 1).bit_length()

    @property
    def pad_count(self) -> int:
        """Cells of the row ``pads``: one for each message but w, d1, n1, d0 of the levels.

        The root; two for each round of the levels, level l having l rounds; two for each round of
        the sumcheck over cells; its last value.
        """
        return 1 + self.levels * (self.levels - 1) + 2 * self.position_rounds + 1

    @cached_property
    def pad_row(self) -> int:
        """h: cells of each of the rows pads, left, right, product; a power of two."""
        return 1 << (max(self.pad_count, 2 * self.levels) - 1).bit_length()

    @property
    def message_count(self) -> int:
        """Elements of K that are sent in (6) to (8) of SPEC.md 17.8."""
        return self.pad_count + 4 * self.levels

    @property
    def base_rows(self) -> int:
        """Rows of the tableau over F_p, and so elements of a column."""
        return self.witness_rows + self.multiplicity_rows + 5 * EXTENSION_ROWS

    @property
    def combined_rows(self) -> int:
        """Rows that the low-degree test combines with ``mask_low``: each over K counts once."""
        return self.witness_rows + self.multiplicity_rows + EXTENSION_ROWS - 1

    @property
    def combined_lengths(self) -> tuple[int, int, int, int]:
        """Coefficients of the combined rows ``low``, ``dot``, ``pads`` and ``product``."""
        r, h, t = self.row_length, self.pad_row, self.columns
        return (r + t, 2 * r + t, 2 * h + t, h + 2 * t)

    @cached_property
    def opening(self) -> OpeningSizes:
        """The recursive opening of the combined rows, one behind the other."""
        return OpeningSizes(sum(self.combined_lengths), self.folds)

    @property
    def relation_count(self) -> int:
        """Linear relations on committed cells: one for each level, and four more."""
        return self.levels + 4

    @property
    def fractions(self) -> int:
        """Leaves of the tree that are no padding: n M + M_T."""
        return self.triggers * self.lookups + self.table_rows

    @property
    def proof_bytes(self) -> int:
        """The length of the proof, within a few percent: the missing nodes are estimated."""
        columns = self.columns * (4 * self.base_rows + 32)
        nodes = 32 * missing_nodes(self.code_log, self.columns)
        return 20 * self.message_count + columns + nodes + self.opening.bytes

    @property
    def code_bytes(self) -> int:
        """Bytes of all codewords of the prover."""
        return 4 * self.base_rows * self.code_length + self.opening.code_bytes

    @property
    def code_columns(self) -> int:
        """Columns of all codewords of the prover, each a leaf of a tree."""
        return self.code_length + self.opening.code_columns

    def soundness(self) -> tuple[SoundnessTerm, ...]:
        """The terms of SPEC.md 17.9; the soundness error is at most their sum."""
        n, r, t = self.code_length, self.row_length, self.columns
        levels = self.levels
        return (
            SoundnessTerm(
                "look-ups",
                Fraction(FINGERPRINT_DEGREE * self.fractions, ORDER),
                "Schwartz-Zippel on the numerator of the root, in alpha and beta (LogUp, Haböck)",
            ),
            SoundnessTerm(
                "tree",
                Fraction(3 * levels * (levels - 1) // 2 + 2 * levels, ORDER),
                "sumcheck, Lund, Fortnow, Karloff, Nisan, of degree 3; lambda and mu",
            ),
            SoundnessTerm(
                "positions",
                Fraction(2 * self.position_rounds, ORDER),
                "sumcheck, Lund, Fortnow, Karloff, Nisan, of degree 2",
            ),
            SoundnessTerm("relations", Fraction(2, ORDER), "Schwartz-Zippel in gamma and zeta"),
            SoundnessTerm(
                "proximity, folding",
                Fraction(2 * n, ORDER),
                "Ben-Sasson, Carmon, Ishai, Kopparty, Saraf, Proximity Gaps, unique decoding",
            ),
            SoundnessTerm(
                "proximity, columns",
                Fraction(n + r + t, 2 * n) ** t,
                "opened columns, without repetition (Ligero)",
            ),
            SoundnessTerm("dot, columns", Fraction(2 * r + t, n) ** t, "as before"),
            SoundnessTerm("product, columns", Fraction(2 * r + 2 * t, n) ** t, "as before"),
            *self.opening.soundness(),
        )

    def soundness_error(self) -> Fraction:
        """The sum of all terms, exactly."""
        return sum((term.bound for term in self.soundness()), Fraction(0))

    @property
    def soundness_bits(self) -> float:
        """-log2 of the sum, for display."""
        return bits_of(self.soundness_error())

    def require_sound(self) -> None:
        """Require that the soundness error is at most 2^-120.

        Raises:
            InvalidOpening: it is larger (argument.soundness).
        """
        if self.soundness_error() * 2**SOUNDNESS_BITS > 1:
            raise InvalidOpening(
                f"soundness of the proof's parameters: expected at least {SOUNDNESS_BITS} bits, "
                f"got {self.soundness_bits:.1f}",
                check="argument.soundness",
            )

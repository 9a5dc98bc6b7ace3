"""Parameters, sizes and soundness of the argument: SPEC.md sections 17.5, 17.7 and 17.9, in
plain Python with exact fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tests.reference.argument_field import ORDER

K_ROWS = ["mask_low", "mask_dot_a", "mask_dot_b", "mask_pads_a", "mask_pads_b", "mask_product"]
K_ROWS += ["pads", "left", "right", "product"]


class Rejected(Exception):
    """The proof is not accepted; the first argument is the id of the check that fails."""


def require(condition: bool, check: str) -> None:
    """Raise `Rejected` with the id of a check unless the condition holds."""
    if not condition:
        raise Rejected(check)


def ceil_log2(value: int) -> int:
    """The smallest e with 2^e at least the value, which is positive."""
    return (value - 1).bit_length()


@dataclass(frozen=True)
class Sizes:
    """What the statement, [a, k, t] and the folds fix: n, J, M, the rows of all tables, a, k, t,
    and the [a, k, t] of every fold.
    """

    triggers: int
    cells: int
    lookups: int
    rows: int  # before they are continued to M_T
    a: int
    k: int
    t: int
    folds: tuple[tuple[int, int, int], ...]

    @property
    def row_length(self) -> int:
        """R, the length of a witness row."""
        return self.triggers << self.a

    @property
    def code_length(self) -> int:
        """N, the length of a codeword."""
        return 1 << self.k

    @property
    def witness_rows(self) -> int:
        """Rows of cells."""
        return -(-self.cells >> self.a)

    @property
    def multiplicity_log(self) -> int:
        """w: a multiplicity row holds 2^w table rows."""
        return min(16, self.row_length.bit_length() - 1)

    @property
    def multiplicity_rows(self) -> int:
        """Rows of multiplicities."""
        return -(-self.rows >> self.multiplicity_log)

    @property
    def table_rows(self) -> int:
        """M_T, the rows of all tables, continued."""
        return self.multiplicity_rows << self.multiplicity_log

    @property
    def u(self) -> int:
        """U: the tree has 2^U columns."""
        return max(10, self.multiplicity_log, ceil_log2(self.lookups))

    @property
    def chunks(self) -> int:
        """A, the chunks of 2^U table rows."""
        return -(-self.table_rows >> self.u)

    @property
    def levels(self) -> int:
        """U + b', the levels of the tree."""
        return self.u + ceil_log2(self.triggers + self.chunks)

    @property
    def rounds(self) -> int:
        """Rounds of the sumcheck of 17.6."""
        return ceil_log2(self.witness_rows << self.a)

    @property
    def pads(self) -> int:
        """Pads in row `pads`: of the root, of two values a round, and of x."""
        return 1 + self.levels * (self.levels - 1) + 2 * self.rounds + 1

    @property
    def h(self) -> int:
        """The order of H."""
        return 1 << ceil_log2(max(self.pads, 2 * self.levels))

    @property
    def column_size(self) -> int:
        """Elements of F_p in a column."""
        return self.witness_rows + self.multiplicity_rows + 5 * len(K_ROWS)

    @property
    def answer_lengths(self) -> dict[str, int]:
        """Coefficients of the combined rows, which are one vector in this order."""
        r, t, h = self.row_length, self.t, self.h
        return {"low": r + t, "dot": 2 * r + t, "pads": 2 * h + t, "product": h + 2 * t}

    @property
    def rounds_of_folds(self) -> int:
        """B, the rounds of all folds."""
        return sum(a for a, _, _ in self.folds)

    @property
    def last_length(self) -> int:
        """F, the elements that are left behind the last fold."""
        return -(-sum(self.answer_lengths.values()) >> self.rounds_of_folds)

    def folded_length(self, fold: int) -> int:
        """D, the elements of a row of a fold (from 0), and of the vector behind it."""
        return self.last_length << sum(a for a, _, _ in self.folds[fold + 1 :])

    def fold_lengths(self, fold: int) -> dict[str, int]:
        """Bytes of the byte strings of one fold but `nodes`."""
        a, _, t = self.folds[fold]
        return {"commitment": 32, "messages": 40 * a, "columns": 20 * t << a}

    def lengths(self) -> dict[str, int]:
        """Bytes of every byte string of a proof but `nodes`, whose number the columns give."""
        messages = self.pads + 4 * self.levels
        return {
            "commitment": 32,
            "messages": 20 * messages,
            "columns": 4 * self.t * self.column_size,
            "nonces": 32 * self.t,
            "last": 20 * self.last_length,
        }

    def within_limits(self) -> bool:
        """Whether the limits of 17.7 and 17.9 hold."""
        r, n, t = self.row_length, self.code_length, self.t
        return (
            0 <= self.a <= 16
            and 0 <= self.k <= 22
            and 1 <= t <= min(1000, self.h)
            and r <= 2**20
            and n >= 2 * r + 2 * t
            and r >= self.h + 2 * t
            and 1 <= len(self.folds) <= 8
            and self.last_length <= 4096
            and all(self.fold_within_limits(i) for i in range(len(self.folds)))
        )

    def fold_within_limits(self, fold: int) -> bool:
        """Whether the limits of one fold hold."""
        a, k, t = self.folds[fold]
        within = 1 <= a <= 8 and 1 <= k <= 22 and 1 <= t <= min(1000, 1 << k)
        return within and self.folded_length(fold) < 1 << k

    def soundness(self) -> Fraction:
        """The sum of the terms of 17.9."""
        r, n, t = self.row_length, self.code_length, self.t
        field = 8 * (self.triggers * self.lookups + self.table_rows)
        field += sum(3 * level + 2 for level in range(self.levels))
        field += 2 * self.rounds + 2 + 2 * n
        columns = Fraction(n + r + t, 2 * n) ** t
        columns += Fraction(2 * r + t, n) ** t + Fraction(2 * r + 2 * t, n) ** t
        field += 2 * self.rounds_of_folds + 1 + len(self.folds)
        for i, (fold_a, fold_k, fold_t) in enumerate(self.folds):
            size = 1 << fold_k
            field += fold_a * size
            columns += Fraction(size + self.folded_length(i), 2 * size) ** fold_t
        return Fraction(field, ORDER) + columns

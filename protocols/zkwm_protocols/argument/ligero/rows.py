"""The tableau: all rows as polynomials, with the randomness that hides them (SPEC.md 17.7).

::

               coefficients 0 ............... R - 1 | R ..... R + t - 1
    witness 0      cells j = 0 .. 2^a - 1           | t random            R = n 2^a:
    witness 1      cells j = 2^a .. 2 2^a - 1       | t random            cell (b, j) of trigger b
      ...                                           |                     is at b + n (j mod 2^a)
    multiplicity   2^w table rows, then zeros       | t random
      ...                                           |
    -- rows over K, each five rows over F_p --------+------------------
    mask_low       random                                                 R + t terms
    mask_dot_a     random; coefficient R - 1 cancels the other masks      R + t
    mask_dot_b     random                                                 R + t
    mask_pads_a    random                                                 h + t
    mask_pads_b    random                                                 h + t
    mask_product   random                                                 h + 2t
    pads           values on the h-th roots of unity = cells,             h + t
    left             plus (X^h - 1) times t random coefficients           h + t
    right                                                                 h + t
    product        = left * right on the roots of unity                   h + t

    encode:  row f  ->  f(3 w^0), f(3 w^1), ..., f(3 w^(N-1))     w a primitive N-th root of unity
             a column of all base_rows codewords is what the column tree hashes

With t random coefficients the t opened values of a row are uniform and independent of its cells:
that is the hiding. The coset 3 w^c contains no root of unity, so no opened value of the last four
rows is a cell. The masks hide the four combined rows alike. Secret, prover only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.parameters import (
    LEFT,
    MASK_DOT_A,
    MASK_DOT_B,
    MASK_LOW,
    MASK_PADS_A,
    MASK_PADS_B,
    MASK_PRODUCT,
    PADS,
    PRODUCT,
    RIGHT,
    Layout,
)
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.kernels.linear_combination import fold_rows
from zkwm_protocols.field.kernels.ntt import ALL_COLUMNS, Coset, encode, encode_at
from zkwm_protocols.field.polynomial import interpolate
from zkwm_protocols.field.scalar import DEGREE, constant, multiply, negate
from zkwm_protocols.field.vector import Array, add, combine, from_element, subtract_arrays, sum_all
from zkwm_protocols.field.vector import multiply as multiply_arrays

_ENCODED_AT_ONCE = 32
"""Rows encoded together: their coefficients are copied behind their random tails first."""


@dataclass(frozen=True, eq=False, repr=False)
class SecretValues:
    """The values that are committed to; the row ``product`` follows from them.

    Args:
        cells (uint32, (J, n)): kept, not copied where it need not be.
        multiplicities (uint32, (M_T,)): of the table rows.
        pads (uint64, (5, h)): over K, canonical; like ``left`` and ``right``.
        left (uint64, (5, h)): first factors of the products.
        right (uint64, (5, h)): second factors.
    """

    cells: NDArray[np.uint32]
    multiplicities: NDArray[np.uint32]
    pads: Array
    left: Array
    right: Array

    def require_sizes(self, layout: Layout) -> None:
        """Raise UsageError for other shapes than those of the layout."""
        over_k = (self.pads, self.left, self.right)
        if (
            self.cells.shape != (layout.cells, layout.triggers)
            or self.multiplicities.shape != (layout.table_rows,)
            or any(row.shape != (5, layout.pad_row) for row in over_k)
        ):
            raise UsageError("the witness does not have the sizes of the layout")


class CommittedRows:
    """All rows of the tableau, by coefficients.

    ``extension[i]`` is row i over K, (5, terms), in the order of ``linear_claim``.

    Args:
        layout: all sizes.
        values: what the rows hold.
        random: what tails and masks are drawn from.

    Raises:
        UsageError: other shapes than those of the layout.
    """

    def __init__(self, layout: Layout, values: SecretValues, random: RandomStream) -> None:
        values.require_sizes(layout)
        t = layout.columns
        self._layout = layout
        # cell (b, j) is flat[n j + b]: rows of 2^a positions are consecutive, the last may be short
        flat = np.ascontiguousarray(values.cells).reshape(-1)
        full = layout.cells >> layout.row_positions_log
        self._full_rows = self._rows_of(values.cells)
        self._last_row = np.zeros((layout.witness_rows - full, layout.row_length), dtype=np.uint32)
        rest = flat[full * layout.row_length :]
        self._last_row.reshape(-1)[: len(rest)] = rest
        self._multiplicities = values.multiplicities.reshape(layout.multiplicity_rows, -1)
        self._witness_tails = random.elements(layout.witness_rows * t).reshape(-1, t)
        self._multiplicity_tails = random.elements(layout.multiplicity_rows * t).reshape(-1, t)
        self.extension = extension_rows(layout, values, random)

    def __repr__(self) -> str:
        return "CommittedRows()"

    def without_cells(self) -> CommittedRows:
        """These rows but for most cells, to be sent to one who has them; for ``with_cells``."""
        return self._with_full_rows(self._full_rows[:0])

    def with_cells(self, cells: NDArray[np.uint32]) -> CommittedRows:
        """The whole rows again, which hold these cells, (J, n), and do not copy them."""
        return self._with_full_rows(self._rows_of(cells))

    def _with_full_rows(self, rows: NDArray[np.uint32]) -> CommittedRows:
        """The same tableau but for the full rows; nothing is copied or drawn."""
        others = CommittedRows.__new__(CommittedRows)
        vars(others).update(vars(self), _full_rows=rows)
        return others

    def _rows_of(self, cells: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The rows that cells (J, n) fill, uint32 (full rows, R)."""
        layout = self._layout
        full = layout.cells >> layout.row_positions_log
        flat = np.ascontiguousarray(cells).reshape(-1)
        return flat[: full * layout.row_length].reshape(full, layout.row_length)

    def encode(self) -> NDArray[np.uint32]:
        """The encoded tableau, uint32 (base_rows, N): all rows at 3 w^c, c = 0 .. N - 1."""
        layout = self._layout
        codewords = np.empty((layout.base_rows, layout.code_length), dtype=np.uint32)
        self.encode_rows(0, layout.base_rows, codewords)
        return codewords

    def encode_rows(
        self,
        first: int,
        last: int,
        codewords: NDArray[np.uint32],
        columns: Coset = ALL_COLUMNS,
    ) -> None:
        """Encode rows first .. last - 1 of the tableau.

        Args:
            first: the first row.
            last: behind the last row.
            codewords (uint32, (last - first, m)): written.
            columns: which are wanted: m of them.
        """
        for place, rows in self._coefficients(first, last):
            out = codewords[place - first : place - first + len(rows)]
            encode(rows, self._layout.code_log, out, columns)

    def encode_at(
        self, places: NDArray[np.int64], first: int = 0, last: int | None = None
    ) -> NDArray[np.uint32]:
        """Codewords of rows first .. last - 1, all by default, at some places (t,) only.

        Returns:
            uint32 (last - first, t).
        """
        layout = self._layout
        last = layout.base_rows if last is None else last
        values = np.empty((last - first, len(places)), dtype=np.uint32)
        for place, rows in self._coefficients(first, last):
            found = encode_at(rows, layout.code_log, places)
            values[place - first : place - first + len(rows)] = found
        return values

    def fold_witness(self, weights: Array) -> Array:
        """The sum of weights[:, i] times witness row i.

        ``weights`` uint64 (r, witness_rows) over F_p, r a multiple of five; returns (r, R + t).
        """
        full, length = len(self._full_rows), self._layout.row_length
        result = self._with_tail(weights, self._witness_tails)
        for start in range(0, len(weights), DEGREE):
            part = slice(start, start + DEGREE)
            heads = fold_rows(weights[part, :full], self._full_rows)
            last = fold_rows(weights[part, full:], self._last_row)
            result[part, :length] = add(heads, last)
        return result

    def fold_multiplicities(self, weights: Array) -> Array:
        """The same for the multiplicity rows: (r, multiplicity_rows) -> (r, R + t)."""
        result = self._with_tail(weights, self._multiplicity_tails)
        result[:, : self._multiplicities.shape[1]] = combine(weights, self._multiplicities)
        return result

    def witness_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Some witness rows with their tails, uint32 (m, R + t); ``indices`` int64 (m,)."""
        full = len(self._full_rows)
        heads = np.empty((len(indices), self._layout.row_length), dtype=np.uint32)
        inside = indices < full
        heads[inside] = self._full_rows[indices[inside]]
        heads[~inside] = self._last_row[indices[~inside] - full]
        return np.concatenate([heads, self._witness_tails[indices]], axis=1)

    def _with_tail(self, weights: Array, tails: NDArray[np.uint32]) -> Array:
        """An array (r, R + t) with the combined tails at its end, zeros before."""
        layout = self._layout
        result = np.zeros((len(weights), layout.row_length + layout.columns), dtype=np.uint64)
        result[:, layout.row_length :] = combine(weights, tails)
        return result

    def _coefficients(self, first: int, last: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
        """Rows first .. last - 1 of the tableau in blocks: the place of a block, and its rows.

        A block (m, terms) is the caller's until the next one.
        """
        layout = self._layout
        terms = layout.row_length + layout.columns
        block = np.zeros((min(_ENCODED_AT_ONCE, last - first), terms), dtype=np.uint32)
        full = len(self._full_rows)
        tails = np.split(self._witness_tails, [full])
        place = 0
        for heads, tail in (
            (self._full_rows, tails[0]),
            (self._last_row, tails[1]),
            (self._multiplicities, self._multiplicity_tails),
        ):
            width = heads.shape[1]
            block[:, width : layout.row_length] = 0
            stop = min(last - place, len(heads))
            for start in range(max(first - place, 0), stop, _ENCODED_AT_ONCE):
                count = min(_ENCODED_AT_ONCE, stop - start)
                block[:count, :width] = heads[start : start + count]
                block[:count, layout.row_length :] = tail[start : start + count]
                yield place + start, block[:count]
            place += len(heads)
        for row in self.extension:
            start, stop = max(first - place, 0), min(last - place, DEGREE)
            if start < stop:
                yield place + start, row[start:stop].astype(np.uint32)
            place += DEGREE


def extension_rows(layout: Layout, values: SecretValues, random: RandomStream) -> tuple[Array, ...]:
    """The ten rows over K, (5, terms) each; arguments as those of ``CommittedRows``."""
    r, h, t = layout.row_length, layout.pad_row, layout.columns

    def draw(terms: int) -> Array:
        """Random coefficients over K, (5, terms)."""
        return random.elements(5 * terms).reshape(5, terms).astype(np.uint64)

    rows: dict[int, Array] = {
        MASK_LOW: draw(r + t),
        MASK_DOT_A: draw(r + t),
        MASK_DOT_B: draw(r + t),
        MASK_PADS_A: draw(h + t),
        MASK_PADS_B: draw(h + t),
        MASK_PRODUCT: draw(h + 2 * t),
    }
    # What the masks add to the claim must be 0: coefficient R - 1 of dot, plus h times the
    # coefficients of mask_pads_a + X^h mask_pads_b at multiples of h (the sum over the roots).
    offset = sum_all(np.concatenate([rows[MASK_PADS_A][:, ::h], rows[MASK_PADS_B][:, ::h]], axis=1))
    rows[MASK_DOT_A][:, r - 1] = from_element(negate(multiply(constant(h), offset)))
    left, right = values.left, values.right
    product = multiply_arrays(left, right)
    for row, on_roots in ((PADS, values.pads), (LEFT, left), (RIGHT, right), (PRODUCT, product)):
        rows[row] = _hide_on_roots(on_roots, draw(t))
    return tuple(rows[row] for row in range(len(rows)))


def _hide_on_roots(values: Array, tail: Array) -> Array:
    """A polynomial with given values on the h-th roots of unity, hidden elsewhere: (5, h + t).

    It is the interpolation plus (X^h - 1) times the tail.
    """
    h, t = values.shape[1], tail.shape[1]
    result = np.zeros((5, h + t), dtype=np.uint64)
    result[:, :h] = interpolate(values)
    result[:, h:] = add(result[:, h:], tail)
    result[:, :t] = subtract_arrays(result[:, :t], tail)
    return result

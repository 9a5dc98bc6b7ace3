"""The rows of the commitment as polynomials: witness, multiplicities, masks, pads (SPEC.md 17.7).

Secret, prover only. Every row gets the randomness that hides it here; hashing and answering are
done in ``witness_commitment``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.linear_claim import (
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
)
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.kernels.linear_combination import fold_rows
from zkwm_protocols.field.kernels.ntt import encode
from zkwm_protocols.field.polynomial import interpolate
from zkwm_protocols.field.scalar import DEGREE, constant, multiply, negate
from zkwm_protocols.field.vector import Array, add, combine, from_element, subtract_arrays, sum_all
from zkwm_protocols.field.vector import multiply as multiply_arrays

_ENCODED_AT_ONCE = 64


class CommittedRows:
    """All rows, by coefficients. ``extension[i]``: row i over K (order of ``claims``), (5, terms).

    ``cells`` uint32 (J, n) is kept, not copied; ``multiplicities`` uint32 (M_T,); ``pads``,
    ``left``, ``right`` (5, h) over K, canonical. Raises UsageError for other shapes.
    """

    def __init__(
        self,
        layout: Layout,
        cells: NDArray[np.uint32],
        multiplicities: NDArray[np.uint32],
        pads: Array,
        left: Array,
        right: Array,
        random: RandomStream,
    ) -> None:
        h, t = layout.pad_row, layout.columns
        if (
            cells.shape != (layout.cells, layout.triggers)
            or multiplicities.shape != (layout.table_rows,)
            or any(row.shape != (5, h) for row in (pads, left, right))
        ):
            raise UsageError("the witness has other sizes than the layout")
        self._layout = layout
        flat = np.ascontiguousarray(cells).reshape(-1)
        full = layout.cells >> layout.row_positions_log
        self._full_rows = flat[: full * layout.row_length].reshape(full, layout.row_length)
        self._last_row = np.zeros((layout.witness_rows - full, layout.row_length), dtype=np.uint32)
        rest = flat[full * layout.row_length :]
        self._last_row.reshape(-1)[: len(rest)] = rest
        self._multiplicities = multiplicities.reshape(layout.multiplicity_rows, -1)
        self._witness_tails = random.elements(layout.witness_rows * t).reshape(-1, t)
        self._multiplicity_tails = random.elements(layout.multiplicity_rows * t).reshape(-1, t)
        self.extension = _extension_rows(layout, pads, left, right, random)

    def __repr__(self) -> str:
        return "CommittedRows()"

    def encode(self) -> NDArray[np.uint32]:
        """All codewords, uint32 (``base_rows``, N): values at 3 w_N^c."""
        layout = self._layout
        codewords = np.empty((layout.base_rows, layout.code_length), dtype=np.uint32)
        place = 0
        tails = self._witness_tails
        for heads in (self._full_rows, self._last_row):
            self._encode_rows(heads, tails[place : place + len(heads)], codewords[place:])
            place += len(heads)
        self._encode_rows(self._multiplicities, self._multiplicity_tails, codewords[place:])
        place += len(self._multiplicities)
        for row in self.extension:
            encode(row.astype(np.uint32), layout.code_log, codewords[place : place + 5])
            place += 5
        return codewords

    def fold_witness(self, weights: Array) -> Array:
        """The sum of weights[:, i] times witness row i: (r, rows) over F_p -> (r, R + t)."""
        full, length = len(self._full_rows), self._layout.row_length
        result = self._with_tail(weights, self._witness_tails)
        for start in range(0, len(weights), DEGREE):
            part = slice(start, start + DEGREE)
            heads = fold_rows(weights[part, :full], self._full_rows)
            last = fold_rows(weights[part, full:], self._last_row)
            result[part, :length] = add(heads, last)
        return result

    def fold_multiplicities(self, weights: Array) -> Array:
        """The same for the multiplicity rows: (r, rows) -> (r, R + t)."""
        result = self._with_tail(weights, self._multiplicity_tails)
        result[:, : self._multiplicities.shape[1]] = combine(weights, self._multiplicities)
        return result

    def witness_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Witness rows by index, (m, R + t)."""
        full = len(self._full_rows)
        heads = np.empty((len(indices), self._layout.row_length), dtype=np.uint32)
        inside = indices < full
        heads[inside] = self._full_rows[indices[inside]]
        heads[~inside] = self._last_row[indices[~inside] - full]
        return np.concatenate([heads, self._witness_tails[indices]], axis=1)

    def _with_tail(self, weights: Array, tails: NDArray[np.uint32]) -> Array:
        layout = self._layout
        result = np.zeros((len(weights), layout.row_length + layout.columns), dtype=np.uint64)
        result[:, layout.row_length :] = combine(weights, tails)
        return result

    def _encode_rows(
        self,
        heads: NDArray[np.uint32],
        tails: NDArray[np.uint32],
        codewords: NDArray[np.uint32],
    ) -> None:
        layout = self._layout
        terms = layout.row_length + layout.columns
        block = np.zeros((min(_ENCODED_AT_ONCE, len(heads)), terms), dtype=np.uint32)
        for start in range(0, len(heads), _ENCODED_AT_ONCE):
            stop = min(start + _ENCODED_AT_ONCE, len(heads))
            count = stop - start
            block[:count, : heads.shape[1]] = heads[start:stop]
            block[:count, layout.row_length :] = tails[start:stop]
            encode(block[:count], layout.code_log, codewords[start:stop])


def _extension_rows(
    layout: Layout, pads: Array, left: Array, right: Array, random: RandomStream
) -> tuple[Array, ...]:
    r, h, t = layout.row_length, layout.pad_row, layout.columns

    def draw(terms: int) -> Array:
        return random.elements(5 * terms).reshape(5, terms).astype(np.uint64)

    rows: dict[int, Array] = {
        MASK_LOW: draw(r + t),
        MASK_DOT_A: draw(r + t),
        MASK_DOT_B: draw(r + t),
        MASK_PADS_A: draw(h + t),
        MASK_PADS_B: draw(h + t),
        MASK_PRODUCT: draw(h + 2 * t),
    }
    offset = sum_all(np.concatenate([rows[MASK_PADS_A][:, ::h], rows[MASK_PADS_B][:, ::h]], axis=1))
    rows[MASK_DOT_A][:, r - 1] = from_element(negate(multiply(constant(h), offset)))
    product = multiply_arrays(left, right)
    for row, values in ((PADS, pads), (LEFT, left), (RIGHT, right), (PRODUCT, product)):
        rows[row] = _hide_on_roots(values, draw(t))
    return tuple(rows[row] for row in range(len(rows)))


def _hide_on_roots(values: Array, tail: Array) -> Array:
    """The values on the h-th roots of unity, plus (X^h - 1) times the tail: (5, h + t)."""
    h, t = values.shape[1], tail.shape[1]
    result = np.zeros((5, h + t), dtype=np.uint64)
    result[:, :h] = interpolate(values)
    result[:, h:] = add(result[:, h:], tail)
    result[:, :t] = subtract_arrays(result[:, :t], tail)
    return result

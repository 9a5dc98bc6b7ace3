"""The prover's side of the commitment: encode and hash, combine once, open once (SPEC.md 17.7).

::

    CommittedRows --encode--> Codewords (base_rows, N) --hash columns--> root

    low      =  mask_low                     + sum of rho f          over all rows f
    dot      =  mask_dot_a + X^R mask_dot_b  + sum of A f            over witness, multiplicities
    pads     =  mask_pads_a + X^h mask_pads_b + sum of A f           over pads, left, right, product
    product  =  mask_product + zeta (left * right - product) / (X^h - 1)

A second answer under the same masks would tell something of the witness, so both steps refuse to be
repeated. The other side is ``ligero.verifier``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.codewords import Codewords
from zkwm_protocols.argument.ligero.column_tree import NONCE_BYTES, ColumnTree
from zkwm_protocols.argument.ligero.linear_claim import (
    CombinedClaim,
    match_places,
    multiplicity_polynomial,
    multiplicity_weights,
    witness_polynomial,
    witness_weights,
)
from zkwm_protocols.argument.ligero.messages import (
    CombinationChallenge,
    CombinedRows,
    OpenedColumns,
)
from zkwm_protocols.argument.ligero.rows import CommittedRows, SecretValues
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
from zkwm_protocols.field.kernels.ntt import multiply_polynomials
from zkwm_protocols.field.polynomial import interpolate
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.field.vector import (
    Array,
    add,
    from_element,
    multiply,
    multiply_base,
    subtract_arrays,
)

_P = np.uint64(P)


class EncodedRows(Protocol):
    """Rows and their codewords: ``Codewords``, or those that workers make (``sharding``)."""

    @property
    def rows(self) -> CommittedRows:
        """The tableau."""

    @property
    def tree(self) -> ColumnTree:
        """Over all columns."""

    def columns(self, indices: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Columns by their places int64 (t,), uint32 (t, base_rows)."""


MakeCodewords = Callable[[Layout, CommittedRows, bytes], EncodedRows]
"""From layout, rows, and nonces of 32 N bytes."""


class WitnessCommitment:
    """A commitment to cells, multiplicities and pads, and the answers to its challenges.

    The row ``product`` is computed. Holds all rows, and codewords as ``Codewords`` says.

    Args:
        layout: all sizes.
        values: the witness, multiplicities, and the rows over K.
        random: what tails, masks and nonces are drawn from.
        make_codewords: from layout, rows and nonces.

    Raises:
        UsageError: other shapes than those of the layout.
    """

    def __init__(
        self,
        layout: Layout,
        values: SecretValues,
        random: RandomStream,
        make_codewords: MakeCodewords = Codewords,
    ) -> None:
        self._layout = layout
        rows = CommittedRows(layout, values, random)
        self._nonces = random.bytes(NONCE_BYTES * layout.code_length)
        self._codewords = make_codewords(layout, rows, self._nonces)
        self._rows = self._codewords.rows
        self._combined = False
        self._opened = False

    def __repr__(self) -> str:
        return "WitnessCommitment()"

    @property
    def root(self) -> bytes:
        """The root of the column tree, 32 bytes, public."""
        return self._codewords.tree.root

    def combine(self, challenge: CombinationChallenge) -> CombinedRows:
        """The four combined rows.

        Raises:
            UsageError: called a second time.
        """
        if self._combined:
            raise UsageError("a commitment answers one challenge only")
        self._combined = True
        layout, claim, rhos = self._layout, challenge.claim, challenge.rhos
        first = layout.witness_rows
        last = first + layout.multiplicity_rows
        # five weights for the low-degree test, five for the claim: one pass over the rows
        of_witness = self._rows.fold_witness(
            np.concatenate([rhos[:, :first], witness_weights(claim, layout)])
        )
        of_multiplicities = self._rows.fold_multiplicities(
            np.concatenate([rhos[:, first:last], multiplicity_weights(claim, layout)])
        )
        return CombinedRows(
            low=self._low(rhos[:, last:], add(of_witness[:5], of_multiplicities[:5])),
            dot=self._dot(claim, of_witness[5:], of_multiplicities[5:]),
            pads=self._pads(claim),
            product=self._product(challenge.zeta),
        )

    def open(self, columns: Sequence[int] | NDArray[np.integer]) -> OpenedColumns:
        """The t columns of a challenge: ascending, distinct.

        Raises:
            UsageError: other columns, or called a second time.
        """
        indices = np.asarray(columns, dtype=np.int64)
        if (
            indices.shape != (self._layout.columns,)
            or (np.diff(indices) <= 0).any()
            or indices[0] < 0
            or indices[-1] >= self._layout.code_length
        ):
            raise UsageError("the columns to open are not those of a challenge")
        if self._opened:
            raise UsageError("a commitment is opened once")
        self._opened = True
        return OpenedColumns(
            cells=self._codewords.columns(indices),
            nonces=tuple(self._nonces[NONCE_BYTES * i : NONCE_BYTES * (i + 1)] for i in indices),
            nodes=self._codewords.tree.missing_nodes(indices.tolist()),
        )

    def _low(self, rhos: Array, folded: Array) -> Array:
        """``low`` (5, R + t): the folded rows over F_p, the mask, the other rows over K."""
        low = add(folded, self._rows.extension[MASK_LOW])
        for i, row in enumerate(self._rows.extension[MASK_LOW + 1 :]):
            terms = row.shape[1]
            low[:, :terms] = add(low[:, :terms], multiply(rhos[:, i], row))
        return low

    def _dot(self, claim: CombinedClaim, of_witness: Array, of_multiplicities: Array) -> Array:
        """``dot`` (5, 2R + t); rows combined with their weights, times their common polynomial."""
        layout = self._layout
        r, t = layout.row_length, layout.columns
        dot = _sum_of_products(
            [
                (witness_polynomial(claim, layout), of_witness),
                (multiplicity_polynomial(claim, layout), of_multiplicities),
            ],
            2 * r + t,
        )
        # relation (5) has one cell for each trigger: shifted rows instead of a polynomial A
        places = match_places(claim, layout)
        of_matches = np.zeros(2 * r + t, dtype=np.uint64)
        for row, exponent in zip(places.rows, places.exponents, strict=True):
            of_matches[exponent : exponent + r + t] += self._rows.witness_rows(row[None])[0]
        dot = add(dot, multiply_base(from_element(claim.match_factor)[:, None], of_matches % _P))
        dot[:, : r + t] = add(dot[:, : r + t], self._rows.extension[MASK_DOT_A])
        dot[:, r:] = add(dot[:, r:], self._rows.extension[MASK_DOT_B])
        return dot

    def _pads(self, claim: CombinedClaim) -> Array:
        """``pads`` (5, 2h + t); A has the coefficients of the cells as values on the roots."""
        layout = self._layout
        h, t = layout.pad_row, layout.columns
        weights = interpolate(claim.pad_coefficients)
        rows = self._rows.extension
        pads = _sum_of_products(list(zip(weights, rows[PADS:], strict=True)), 2 * h + t)
        pads[:, : h + t] = add(pads[:, : h + t], rows[MASK_PADS_A])
        pads[:, h:] = add(pads[:, h:], rows[MASK_PADS_B])
        return pads

    def _product(self, zeta: Element) -> Array:
        """``product`` (5, h + 2t): mask_product + zeta (left right - product) / (X^h - 1)."""
        h = self._layout.pad_row
        rows = self._rows.extension
        difference = multiply_polynomials(rows[LEFT], rows[RIGHT])
        terms = rows[PRODUCT].shape[1]
        difference[:, :terms] = subtract_arrays(difference[:, :terms], rows[PRODUCT])
        quotient = multiply(from_element(zeta), _divide_by_vanishing(difference, h))
        product = rows[MASK_PRODUCT].copy()
        terms = min(product.shape[1], quotient.shape[1])
        product[:, :terms] = add(product[:, :terms], quotient[:, :terms])
        return product


def _sum_of_products(pairs: Sequence[tuple[Array, Array]], terms: int) -> Array:
    """The sum of products of polynomials over K, (5, terms)."""
    total = np.zeros((5, terms), dtype=np.uint64)
    for a, b in pairs:
        product = multiply_polynomials(a, b)
        total[:, : product.shape[1]] = add(total[:, : product.shape[1]], product)
    return total


def _divide_by_vanishing(polynomial: Array, h: int) -> Array:
    """The quotient by X^h - 1, which divides an honest prover's polynomial: (5, h or more terms).

    From f = q (X^h - 1): f_i = q_(i-h) - q_i. So block j of h terms of the quotient is the sum of
    the dividend's blocks above j.
    """
    terms = polynomial.shape[1]
    padded = np.zeros((5, -(-terms // h) * h), dtype=np.uint64)
    padded[:, :terms] = polynomial
    blocks = padded.reshape(5, -1, h)[:, :0:-1].cumsum(axis=1)[:, ::-1] % _P
    return blocks.reshape(5, -1)

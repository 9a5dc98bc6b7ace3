"""A small witness, a random claim about it that holds, and one whole exchange of SPEC.md 17.7.

The claim's constant is computed from the definition, cell by cell, in Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.support.clear_opening import failing_equations
from tests.support.field_values import evaluate_equality
from zkwm_protocols.argument.combined_claim import opening_claim
from zkwm_protocols.argument.ligero.column_tree import check_columns
from zkwm_protocols.argument.ligero.linear_claim import CombinedClaim
from zkwm_protocols.argument.ligero.messages import (
    CombinationChallenge,
    CombinedRows,
    OpenedColumns,
)
from zkwm_protocols.argument.ligero.prover import WitnessCommitment
from zkwm_protocols.argument.ligero.rows import SecretValues
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.recursive_opening.prover import dense_weights
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.scalar import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    multiply,
    scale,
)
from zkwm_protocols.field.vector import Array, from_elements, sum_all, to_element
from zkwm_protocols.field.vector import multiply as multiply_arrays

# (n, J, rows of the tables, a, k, t): a last witness row that is full, and some that are not
SIZES = [
    (1, 1300, 700, 9, 11, 8),
    (3, 1024, 1600, 8, 11, 5),
    (5, 300, 2100, 7, 11, 9),
    (300, 5, 900, 1, 11, 3),
    (600, 2, 300, 0, 12, 7),
]


class SeededStream:
    """A repeatable random stream."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def elements(self, count: int) -> Any:
        return self._generator.integers(0, P, count, dtype=np.uint32)

    def bytes(self, count: int) -> bytes:
        return self._generator.bytes(count)


@dataclass(frozen=True)
class Case:
    layout: Layout
    cells: Any
    multiplicities: Any
    pads: Array
    left: Array
    right: Array
    claim: CombinedClaim
    rhos: Array
    zeta: Element

    @property
    def challenge(self) -> CombinationChallenge:
        return CombinationChallenge(self.claim, self.rhos, self.zeta)

    @property
    def values(self) -> SecretValues:
        return SecretValues(self.cells, self.multiplicities, self.pads, self.left, self.right)

    def commit(self, stream: Any) -> WitnessCommitment:
        return WitnessCommitment(self.layout, self.values, stream)

    def with_constant_of(self, product_row: list[Element] | None = None) -> Case:
        """The case with the constant that its own cells have."""
        return replace(self, claim=replace(self.claim, constant=value_of(self, product_row)))


@dataclass(frozen=True)
class Exchange:
    """Everything that a verifier gets."""

    case: Case
    root: bytes
    combined: CombinedRows
    opened: OpenedColumns
    indices: Any

    def check_columns(self) -> None:
        """Require that the columns are those of the root."""
        check_columns(
            self.root,
            self.opened.cells,
            [int(i) for i in self.indices],
            self.opened.nodes,
            depth=self.case.layout.code_log,
            nonces=b"".join(self.opened.nonces),
        )

    def failing(self) -> list[str]:
        """The equations that do not hold; the claim on the combined rows fails with any of them."""
        case = self.case
        failing = failing_equations(
            case.layout, case.challenge, self.combined, self.opened.cells, self.indices
        )
        claim = opening_claim(
            Transcript(), case.layout, case.challenge, self.indices, self.opened.cells
        )
        vector = self.combined.joined()
        weights = dense_weights(claim.weights, vector.shape[1])
        assert (sum_all(multiply_arrays(weights, vector)) == claim.value) == (not failing)
        return failing

    def with_combined(self, **changes: Array) -> Exchange:
        """The exchange with other combined rows."""
        return replace(self, combined=replace(self.combined, **changes))

    def with_opened(self, **changes: Any) -> Exchange:
        """The exchange with other columns, nonces or nodes."""
        return replace(self, opened=replace(self.opened, **changes))


def elements(generator: Any, count: int) -> list[Element]:
    return [to_element(generator.integers(0, P, 5, dtype=np.uint64)) for _ in range(count)]


def layout_of(size: tuple[int, int, int, int, int, int]) -> Layout:
    n, cells, rows, a, k, t = size
    return Layout(
        triggers=n,
        cells=cells,
        lookups=700,
        rows=rows,
        row_positions_log=a,
        code_log=k,
        columns=t,
    )


def make_case(size: tuple[int, int, int, int, int, int] = SIZES[1], seed: int = 7) -> Case:
    """Random cells, random coefficients, and the constant that makes the claim true."""
    generator = np.random.default_rng(seed)
    layout = layout_of(size)
    n, h = layout.triggers, layout.pad_row

    def array(*shape: int) -> Array:
        return generator.integers(0, P, shape, dtype=np.uint64)

    claim = CombinedClaim(
        batch=array(5, n),
        point=elements(generator, layout.position_rounds),
        cells_factor=elements(generator, 1)[0],
        chunk_weights=array(5, layout.table_chunks),
        column_point=elements(generator, layout.tree_columns_log),
        multiplicity_factor=elements(generator, 1)[0],
        match_cells=generator.integers(0, layout.cells, n),
        match_factor=elements(generator, 1)[0],
        pad_coefficients=array(4, 5, h),
        constant=ZERO,
    )
    return Case(
        layout=layout,
        cells=generator.integers(0, P, (layout.cells, n), dtype=np.uint32),
        multiplicities=generator.integers(0, P, layout.table_rows, dtype=np.uint32),
        pads=array(5, h),
        left=array(5, h),
        right=array(5, h),
        claim=claim,
        rhos=from_elements(elements(generator, layout.combined_rows)),
        zeta=elements(generator, 1)[0],
    ).with_constant_of()


def value_of(case: Case, product_row: list[Element] | None = None) -> Element:
    """The sum of coefficients times cells, by the definition of relations (1) to (5)."""
    layout, claim = case.layout, case.claim
    of_cells = ZERO
    for j, row in enumerate(case.cells):
        weight = ZERO
        for b, cell in enumerate(row):
            weight = add(weight, scale(to_element(claim.batch[:, b]), int(cell)))
        of_cells = add(of_cells, multiply(weight, equality_at(claim.point, j)))
    of_multiplicities = ZERO
    for j, value in enumerate(case.multiplicities):
        chunk, u = divmod(j, 1 << layout.tree_columns_log)
        weight = multiply(
            to_element(claim.chunk_weights[:, chunk]), equality_at(claim.column_point, u)
        )
        of_multiplicities = add(of_multiplicities, scale(weight, int(value)))
    matches = sum(int(case.cells[j, b]) for b, j in enumerate(claim.match_cells))
    total = add(multiply(claim.cells_factor, of_cells), scale(claim.match_factor, matches))
    total = add(total, multiply(claim.multiplicity_factor, of_multiplicities))
    rows = [
        [to_element(row[:, i]) for i in range(layout.pad_row)]
        for row in (case.pads, case.left, case.right)
    ]
    rows.append(product_row or [multiply(a, b) for a, b in zip(rows[1], rows[2], strict=True)])
    for row, coefficients in zip(rows, claim.pad_coefficients, strict=True):
        for i, cell in enumerate(row):
            total = add(total, multiply(to_element(coefficients[:, i]), cell))
    return total


def equality_at(point: Any, index: int) -> Element:
    """eq(point, the bits of index)."""
    bits = [ONE if index >> i & 1 else ZERO for i in range(len(point))]
    return evaluate_equality(list(point), bits)


def challenged_columns(layout: Layout, seed: int = 3) -> Any:
    generator = np.random.default_rng(seed)
    return np.sort(generator.choice(layout.code_length, layout.columns, replace=False))


def run_exchange(case: Case, stream: Any | None = None) -> Exchange:
    """Commit, combine and open, with an honest prover or one that a test has changed."""
    commitment = case.commit(stream or SeededStream(1))
    combined = commitment.combine(case.challenge)
    indices = challenged_columns(case.layout)
    return Exchange(case, commitment.root, combined, commitment.open(indices), indices)

"""An opened commitment is random: the hiding of SPEC.md 17.7, measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.commitment_case import (
    SIZES,
    Case,
    SeededStream,
    challenged_columns,
    make_case,
    run_exchange,
)
from zkwm_protocols.argument.ligero.rows import CommittedRows
from zkwm_protocols.argument.parameters import (
    MASK_DOT_A,
    MASK_DOT_B,
    MASK_LOW,
    MASK_PADS_A,
    MASK_PADS_B,
    MASK_PRODUCT,
)
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.field.scalar import P


class UnitStream:
    """Zeros, but for the element drawn at one place of the stream."""

    def __init__(self, place: int) -> None:
        self._left = place

    def elements(self, count: int) -> Any:
        drawn = np.zeros(count, dtype=np.uint32)
        if 0 <= self._left < count:
            drawn[self._left] = 1
        self._left -= count
        return drawn


def rows_of(case: Case, stream: Any) -> CommittedRows:
    return CommittedRows(case.layout, case.values, stream)


def is_invertible(matrix: Any) -> bool:
    """Gaussian elimination modulo p, in Python integers."""
    rows = [[int(value) % P for value in row] for row in matrix]
    for column in range(len(rows)):
        pivot = next((i for i in range(column, len(rows)) if rows[i][column]), None)
        if pivot is None:
            return False
        rows[column], rows[pivot] = rows[pivot], rows[column]
        inverse = pow(rows[column][column], -1, P)
        for i in range(column + 1, len(rows)):
            factor = rows[i][column] * inverse % P
            rows[i] = [(x - factor * y) % P for x, y in zip(rows[i], rows[column], strict=True)]
    return True


def test_two_streams_have_no_word_in_common() -> None:
    case = make_case()
    first, second = (run_exchange(case, SeededStream(seed)) for seed in (1, 2))
    assert first.root != second.root
    for field in ("low", "dot", "pads", "product"):
        assert not (getattr(first.combined, field) == getattr(second.combined, field)).any(), field
    one, other = first.opened, second.opened
    assert not (one.cells == other.cells).any()
    assert not set(one.nonces) & set(other.nonces)
    assert not set(one.nodes) & set(other.nodes)


def test_equal_arguments_of_the_real_stream_give_different_commitments() -> None:
    case = make_case()
    roots = {case.commit(RandomStream(bytes(32), b"statement", b"witness")).root for _ in range(4)}
    assert len(roots) == 4


def test_opened_values_of_a_fixed_witness_are_uniform() -> None:
    """Chi-square of the high 4 bits of every row's opened values; zeros as the worst witness."""
    case = make_case(SIZES[2])
    case = replace(
        case,
        cells=np.zeros_like(case.cells),
        multiplicities=np.zeros_like(case.multiplicities),
        pads=np.zeros_like(case.pads),
        left=np.zeros_like(case.left),
        right=np.zeros_like(case.right),
    )
    layout = case.layout
    indices = challenged_columns(layout)
    runs, bins = 150, 16
    counts = np.zeros((layout.base_rows, bins))
    places = np.arange(layout.base_rows)
    for seed in range(runs):
        opened = rows_of(case, SeededStream(seed)).encode()[:, indices]
        for column in opened.T:
            counts[places, (column.astype(np.uint64) * np.uint64(bins)) // np.uint64(P)] += 1
    expected = runs * layout.columns / bins
    chi_square = ((counts - expected) ** 2 / expected).sum(axis=1)
    assert chi_square.max() < 45  # 15 degrees of freedom: above it with chance 8e-5 a row
    assert 10 < chi_square.mean() < 20


@pytest.mark.parametrize("kind", ["witness", "last witness", "multiplicities", "pads", "product"])
def test_the_random_coefficients_of_a_row_reach_all_opened_values(kind: str) -> None:
    """The linear map from a row's t random coefficients to its t opened values is onto."""
    case = make_case(SIZES[1])
    layout = case.layout
    t, r, h = layout.columns, layout.row_length, layout.pad_row
    of_base_rows = (layout.witness_rows + layout.multiplicity_rows) * t
    of_masks = 5 * (3 * (r + t) + 2 * (h + t) + h + 2 * t)
    row, first = {
        "witness": (0, 0),
        "last witness": (layout.witness_rows - 1, (layout.witness_rows - 1) * t),
        "multiplicities": (layout.witness_rows, layout.witness_rows * t),
        "pads": (layout.base_rows - 20, of_base_rows + of_masks),
        "product": (layout.base_rows - 1, of_base_rows + of_masks + 19 * t),
    }[kind]
    indices = challenged_columns(layout)
    base = rows_of(case, UnitStream(-1)).encode()[row, indices].astype(np.int64)
    columns = [
        rows_of(case, UnitStream(first + i)).encode()[row, indices].astype(np.int64) - base
        for i in range(t)
    ]
    assert is_invertible(columns)


def test_masks_have_full_degree_and_no_offset() -> None:
    case = make_case(SIZES[2])
    r, h, t = case.layout.row_length, case.layout.pad_row, case.layout.columns
    rows = rows_of(case, SeededStream(5)).extension
    terms = {
        MASK_LOW: r + t,
        MASK_DOT_A: r + t,
        MASK_DOT_B: r + t,
        MASK_PADS_A: h + t,
        MASK_PADS_B: h + t,
        MASK_PRODUCT: h + 2 * t,
    }
    for row, count in terms.items():
        assert rows[row].shape == (5, count)
        assert rows[row].all()
        assert len(np.unique(rows[row])) == rows[row].size
    joined = np.zeros((5, 2 * h + t), dtype=np.uint64)
    joined[:, : h + t] += rows[MASK_PADS_A]
    joined[:, h:] += rows[MASK_PADS_B]
    for coefficient in range(5):
        offset = int(rows[MASK_DOT_A][coefficient, r - 1])
        offset += h * sum(int(joined[coefficient, i]) for i in (0, h, 2 * h))
        assert offset % P == 0


@pytest.mark.parametrize("field", ["low", "dot", "pads", "product"])
def test_polynomials_of_an_all_zero_witness_look_random(field: str) -> None:
    case = make_case(SIZES[2])
    case = replace(case, cells=np.zeros_like(case.cells), pads=np.zeros_like(case.pads))
    words = getattr(run_exchange(case).combined, field).reshape(-1)
    counts = np.bincount((words * np.uint64(16) // np.uint64(P)).astype(np.int64), minlength=16)
    expected = len(words) / 16
    assert ((counts - expected) ** 2 / expected).sum() < 45
    assert len(np.unique(words)) == len(words)

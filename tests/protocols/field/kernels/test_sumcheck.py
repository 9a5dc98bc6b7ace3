"""Sumchecks over arrays in K: binding a bit, and the prover of SPEC.md 17.6, round by round."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.field_values import from_montgomery
from zkwm_protocols.field import scalar, vector
from zkwm_protocols.field.kernels import montgomery
from zkwm_protocols.field.kernels.layout import CHUNK, LINE
from zkwm_protocols.field.kernels.sumcheck import ProductSumcheck, fold
from zkwm_protocols.field.scalar import Element, P, add, multiply, subtract
from zkwm_protocols.field.vector import Array


def residues(shape: tuple[int, ...], seed: int) -> Array:
    """Some of them near p."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, P, shape, dtype=np.uint64)
    return np.where(generator.integers(0, 2, shape) == 1, P - 1 - (values & np.uint64(1)), values)


def elements(count: int, seed: int) -> list[Element]:
    return [vector.to_element(column) for column in residues((count, 5), seed)]


def slow_fold(array: Array, r: Element) -> Array:
    low, high = array[..., 0::2], array[..., 1::2]
    return vector.add(
        low, vector.multiply(vector.from_element(r)[:, None], vector.subtract_arrays(high, low))
    )


@pytest.mark.parametrize("columns", [2, 6, 2 * LINE + 2, 2 * CHUNK + 4])
def test_binding_a_bit(columns: int) -> None:
    arrays = residues((3, 5, columns), 11)
    r = elements(1, 12)[0]
    for last in (False, True):
        bound = from_montgomery(fold(montgomery.to_montgomery(arrays), r, last=last))
        half = columns // 2
        assert bound.shape[2] == (half if last else half + half % 2)
        for before, after in zip(arrays, bound, strict=True):
            assert (after[:, :half] == slow_fold(before, r)).all()
            assert not after[:, half:].any()


@pytest.mark.parametrize(
    ("columns", "rounds"), [(1, 0), (1, 2), (2, 1), (3, 2), (5, 5), (1000, 10), (2 * CHUNK + 3, 12)]
)
def test_product_sumcheck(columns: int, rounds: int) -> None:
    left, right = residues((5, columns), 13), residues((5, columns), 14)
    prover = ProductSumcheck(left, right, rounds)
    claim = vector.sum_all(vector.multiply(left, right))
    point = []
    a, b = left, right
    for number, r in enumerate(elements(rounds, 15)):
        with pytest.raises(ValueError, match=f"{rounds - number} rounds"):
            prover.values()
        a, b = (np.pad(x, ((0, 0), (0, x.shape[1] % 2))) for x in (a, b))
        at_zero, at_infinity = prover.round()
        assert at_zero == vector.sum_all(vector.multiply(a[:, ::2], b[:, ::2]))
        steps = [vector.subtract_arrays(x[:, 1::2], x[:, ::2]) for x in (a, b)]
        assert at_infinity == vector.sum_all(vector.multiply(*steps))
        linear = subtract(subtract(subtract(claim, at_zero), at_zero), at_infinity)
        claim = add(at_zero, multiply(r, add(linear, multiply(r, at_infinity))))
        prover.bind(r)
        a, b = slow_fold(a, r), slow_fold(b, r)
        point.append(r)
    values = prover.values()
    assert multiply(*values) == claim
    table = vector.equality_table(point)[:, :columns]
    assert values == tuple(vector.sum_all(vector.multiply(table, x)) for x in (left, right))
    with pytest.raises(ValueError, match="over"):
        prover.bind(scalar.ONE)
    with pytest.raises(ValueError, match="over"):
        prover.round()


@pytest.mark.parametrize(("left", "right", "rounds"), [(3, 3, 1), (2, 3, 4), (0, 0, 1)])
def test_product_sumchecks_that_do_not_fit(left: int, right: int, rounds: int) -> None:
    with pytest.raises(ValueError):
        ProductSumcheck(np.zeros((5, left), np.uint64), np.zeros((5, right), np.uint64), rounds)

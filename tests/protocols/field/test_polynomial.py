"""Polynomials at points, and from values on roots of unity, against Horner's rule."""

from __future__ import annotations

import numpy as np
import pytest

from zkwm_protocols.field.polynomial import Points, interpolate
from zkwm_protocols.field.scalar import P, root_of_unity


def horner(terms: list[int], point: int) -> int:
    value = 0
    for term in reversed(terms):
        value = (value * point + term) % P
    return value


@pytest.mark.parametrize("terms", [1, 2, 3, 4, 5, 16, 17, 63, 64, 100])
@pytest.mark.parametrize("slack", [0, 1, 50])
def test_values_at_points(terms: int, slack: int) -> None:
    generator = np.random.default_rng(terms)
    polynomials = generator.integers(0, P, (5, terms), dtype=np.uint64)
    values = np.array([0, 1, P - 1, 3, *generator.integers(0, P, 3)], dtype=np.uint64)
    found = Points(values, terms + slack).evaluate(polynomials)
    expected = [
        [horner([int(x) for x in row], int(point)) for point in values] for row in polynomials
    ]
    assert found.tolist() == expected


def test_largest_residues() -> None:
    polynomials = np.full((2, 3000), P - 1, dtype=np.uint64)
    values = np.array([P - 1, P - 2], dtype=np.uint64)
    found = Points(values, 3000).evaluate(polynomials)
    assert found.tolist() == [[horner([P - 1] * 3000, int(point)) for point in values]] * 2


def test_powers() -> None:
    values = np.array([2, P - 3, 12345], dtype=np.uint64)
    exponents = np.array([0, 1, 2, 31, 32, 499])
    found = Points(values, 500).power(exponents)
    assert found.tolist() == [[pow(int(x), int(e), P) for x in values] for e in exponents]


@pytest.mark.parametrize("log", [0, 1, 2, 5, 8])
def test_interpolation_on_roots_of_unity(log: int) -> None:
    size = 1 << log
    values = np.random.default_rng(log).integers(0, P, (2, 5, size), dtype=np.uint64)
    terms = interpolate(values)
    assert terms.shape == values.shape
    for i, j in ((0, 0), (1, 4)):
        row = [int(x) for x in terms[i, j]]
        points = [pow(root_of_unity(log), e, P) for e in range(size)]
        assert [horner(row, point) for point in points] == values[i, j].tolist()

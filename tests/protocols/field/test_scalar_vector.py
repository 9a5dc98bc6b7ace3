"""F_p and K: axioms, NumPy against single elements, and that K is a field."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.field_values import evaluate_equality
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field import scalar, vector
from zkwm_protocols.field.scalar import ONE, ZERO, Element, P, add, multiply, subtract

residues = st.one_of(st.integers(0, P - 1), st.sampled_from([0, 1, P - 1, P - 2, P // 2]))
elements: st.SearchStrategy[Element] = st.tuples(*[residues] * 5)


def slow_multiply(a: Element, b: Element) -> Element:
    """Schoolbook product, then division by X^5 + X^2 - 1 from the top."""
    c = [0] * 9
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            c[i + j] += x * y
    for k in range(8, 4, -1):
        c[k - 5] += c[k]
        c[k - 3] -= c[k]
    return (c[0] % P, c[1] % P, c[2] % P, c[3] % P, c[4] % P)


@given(elements, elements, elements)
def test_field_axioms(a: Element, b: Element, c: Element) -> None:
    assert multiply(a, b) == multiply(b, a) == slow_multiply(a, b)
    assert multiply(multiply(a, b), c) == multiply(a, multiply(b, c))
    assert multiply(a, add(b, c)) == add(multiply(a, b), multiply(a, c))
    assert add(a, add(b, c)) == add(add(a, b), c)
    assert multiply(a, ONE) == a == add(a, ZERO)
    assert subtract(a, b) == add(a, scalar.negate(b))
    assert add(a, scalar.negate(a)) == ZERO
    assert scalar.scale(a, -3) == multiply(a, scalar.constant(-3))
    if a != ZERO:
        assert multiply(a, scalar.inverse(a)) == ONE


def test_zero_has_no_inverse() -> None:
    with pytest.raises(ZeroDivisionError):
        scalar.inverse(ZERO)


@given(elements, st.integers(0, 40))
def test_powers(a: Element, exponent: int) -> None:
    expected = ONE
    for _ in range(exponent):
        expected = multiply(expected, a)
    assert scalar.power(a, exponent) == expected


def test_p_is_prime_and_three_generates() -> None:
    assert P == 2130706433
    assert all(P % d for d in range(2, 46161))  # above the square root
    assert P - 1 == 2**24 * 127
    for prime in (2, 127):
        assert pow(3, (P - 1) // prime, P) != 1


def test_the_modulus_is_irreducible() -> None:
    """Rabin's test: X^(p^5) = X, and X^p - X is a unit modulo X^5 + X^2 - 1 (5 is prime)."""
    x: Element = (0, 1, 0, 0, 0)
    conjugates = [x]
    for _ in range(5):
        conjugates.append(scalar.power(conjugates[-1], P))
    assert conjugates[5] == x
    assert polynomial_gcd_degree([-1, 0, 1, 0, 0, 1], list(subtract(conjugates[1], x))) == 0


def polynomial_gcd_degree(a: list[int], b: list[int]) -> int:
    while any(value % P for value in b):
        while b[-1] % P == 0:
            b.pop()
        while len(a) >= len(b):
            factor = a[-1] * pow(b[-1], -1, P)
            shift = len(a) - len(b)
            a = [
                (value - (factor * b[i - shift] if i >= shift else 0)) % P
                for i, value in enumerate(a)
            ]
            a.pop()
        a, b = b, a or [0]
    while a[-1] % P == 0:
        a.pop()
    return len(a) - 1


@pytest.mark.parametrize("logarithm", [0, 1, 5, 24])
def test_roots_of_unity_have_their_order(logarithm: int) -> None:
    root = scalar.root_of_unity(logarithm)
    assert pow(root, 1 << logarithm, P) == 1
    if logarithm:
        assert pow(root, 1 << (logarithm - 1), P) == P - 1
        assert pow(root, 2, P) == scalar.root_of_unity(logarithm - 1)


@pytest.mark.parametrize("logarithm", [-1, 25])
def test_other_roots_are_refused(logarithm: int) -> None:
    with pytest.raises(ValueError):
        scalar.root_of_unity(logarithm)


@given(st.lists(st.tuples(elements, elements), min_size=1, max_size=6))
def test_arrays_are_elements(pairs: list[tuple[Element, Element]]) -> None:
    left = vector.from_elements([a for a, _ in pairs])
    right = vector.from_elements([b for _, b in pairs])
    for i, (a, b) in enumerate(pairs):
        assert vector.to_element(vector.multiply(left, right)[:, i]) == multiply(a, b)
        assert vector.to_element(vector.add(left, right)[:, i]) == add(a, b)
        assert vector.to_element(vector.subtract_arrays(left, right)[:, i]) == subtract(a, b)
        assert vector.to_element(vector.multiply_base(left, right[0])[:, i]) == scalar.scale(
            a, b[0]
        )
    total = ZERO
    for a, _ in pairs:
        total = add(total, a)
    assert vector.sum_all(left) == total
    assert (vector.read_elements(vector.to_bytes(left), len(pairs)) == left).all()
    inverses = vector.inverse_base(left[0])
    assert all(
        x * y % P == (x != 0) for x, y in zip(left[0].tolist(), inverses.tolist(), strict=True)
    )


def test_products_broadcast() -> None:
    one = vector.from_element((P - 1,) * 5).reshape(5, 1, 1)
    many = np.full((5, 2, 3), P - 1, dtype=np.uint64)
    expected = slow_multiply((P - 1,) * 5, (P - 1,) * 5)
    for product in (vector.multiply(one, many), vector.multiply(many, one[:, 0])):
        assert product.shape == (5, 2, 3)
        assert vector.to_element(product[:, 1, 2]) == expected


@settings(max_examples=25)
@given(
    st.integers(1, 40),
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]),
    st.integers(0, 2**32),
)
def test_combine_is_exact(count: int, kind: type, seed: int) -> None:
    generator = np.random.default_rng(seed)
    top = min(P - 1, int(np.iinfo(kind).max))
    rows = generator.integers(0, top, (count, 3), endpoint=True, dtype=np.uint64).astype(kind)
    weights = generator.integers(0, P, (5, count), dtype=np.uint64)
    rows[:, 0] = top
    weights[0] = P - 1
    result = vector.combine(weights, rows)
    for k in range(5):
        for j in range(3):
            expected = sum(int(weights[k, i]) * int(rows[i, j]) for i in range(count))
            assert int(result[k, j]) == expected % P


@pytest.mark.parametrize("count", [(1 << 20) + 1, (1 << 21) + 3])
def test_sums_too_long_for_a_double_are_exact(count: int) -> None:
    """All factors p - 1, that is -1: the sum is the count."""
    weights, rows = np.full((1, count), P - 1, np.uint64), np.full((count, 1), P - 1, np.uint32)
    assert vector.combine(weights, rows).tolist() == [[count]]


@given(st.lists(elements, max_size=4))
def test_equality_table(point: list[Element]) -> None:
    table = vector.equality_table(point)
    assert table.shape == (5, 1 << len(point))
    for i in range(1 << len(point)):
        bits = [scalar.constant(i >> j & 1) for j in range(len(point))]
        assert vector.to_element(table[:, i]) == evaluate_equality(point, bits)


@pytest.mark.parametrize("data", [b"\x00" * 19, b"\x00" * 21, P.to_bytes(4, "little") * 5])
def test_bytes_that_are_no_element_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        vector.read_elements(data, 1)


# TWO_ADIC_GENERATORS of Plonky3's koala-bear (koala_bear.rs), also in leanSpec: 2^0-th to 2^24-th
PUBLISHED_ROOTS = (
    0x1, 0x7F000000, 0x7E010002, 0x6832FE4A, 0x8DBD69C, 0xA28F031, 0x5C4A5B99, 0x29B75A80,
    0x17668B8A, 0x27AD539B, 0x334D48C7, 0x7744959C, 0x768FC6FA, 0x303964B2, 0x3E687D4D,
    0x45A60E61, 0x6E2F4D7A, 0x163BD499, 0x6C4A8A45, 0x143EF899, 0x514DDCAD, 0x484EF19B,
    0x205D63C3, 0x68E7DD49, 0x6AC49F88,
)  # fmt: skip


def test_roots_of_unity_are_the_published_ones() -> None:
    assert [scalar.root_of_unity(k) for k in range(25)] == list(PUBLISHED_ROOTS)


@pytest.mark.parametrize("terms", [1, 25, 26, 102, 103, 130])
def test_matrices_over_k(terms: int) -> None:
    """Sums on both sides of 2^7 and 2^9 residues, of the largest ones among others."""
    random = np.random.default_rng(terms)
    left, right = (
        random.choice(np.array([0, 1, P - 1, P // 2, P // 2 + 1, 65_535, 123_456_789]), shape)
        for shape in ((5, 3, terms), (5, terms, 2))
    )
    a, b = left.astype(np.uint64), right.astype(np.uint64)
    expected = vector.multiply(a[:, :, :, None], b[:, None]).sum(axis=2) % np.uint64(P)
    assert np.array_equal(vector.multiply_matrices(a, b), expected)


@pytest.mark.parametrize("terms", [1, 127, 128, 129, 512, 513])
@pytest.mark.parametrize("largest", [P - 1, P // 2, P // 2 + 1])
def test_the_largest_sums_over_f_p(terms: int, largest: int) -> None:
    """All summands of one sign and of the largest size, in more rows than are made together."""
    left = np.full((130, terms), P - 1, dtype=np.uint64)
    left[1] = 0xFFFF + (0x7EFF << 16)
    right = np.full((terms, 2), largest, dtype=np.uint64)
    found = vector.multiply_base_matrices(left, right)
    assert set(found[[0, 129]].ravel().tolist()) == {terms * (P - 1) * largest % P}
    assert set(found[1].tolist()) == {terms * int(left[1, 0]) * largest % P}


def test_sums_are_as_long_as_doubles_hold_exactly() -> None:
    exact = vector._EXACT_TERMS * 0xFFFF * (P // 2 + 1)
    assert exact < (1 << 53) - P < 2 * exact


@given(st.integers(-4_227_329, 4_227_329), st.integers(-3, 3))
def test_doubles_are_reduced_beside_every_multiple(quotient: int, offset: int) -> None:
    limit = (1 << 53) - P
    for value in (quotient * P + offset, limit - abs(offset), abs(offset) - limit):
        if abs(value) <= limit:
            found = vector.reduce_doubles(np.array([float(value)]))
            assert found.tolist() == [value % P]

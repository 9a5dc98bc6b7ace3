"""Polynomials over F_p and K for the plain Python prover of the argument: lists of coefficients,
the lowest first.
"""

from __future__ import annotations

from tests.reference.argument_field import (
    ZERO,
    Element,
    P,
    add,
    power,
    powers,
    root_of_unity,
    scale,
    total,
)

KPolynomial = list[Element]
SLOT = 96


def plus(x: KPolynomial, y: KPolynomial, shift: int = 0) -> KPolynomial:
    """The polynomial x + X^shift y."""
    result = x + [ZERO] * (len(y) + shift - len(x))
    for i, coefficient in enumerate(y):
        result[shift + i] = add(result[shift + i], coefficient)
    return result


def times(x: KPolynomial, y: KPolynomial) -> KPolynomial:
    """The product of two polynomials, by one product of long integers a pair of coordinates."""

    def long(polynomial: KPolynomial, place: int) -> int:
        data = b"".join(c[place].to_bytes(SLOT // 8, "little") for c in polynomial)
        return int.from_bytes(data, "little")

    size = len(x) + len(y) - 1
    flat = [[0] * size for _ in range(9)]
    left, right = [long(x, i) for i in range(5)], [long(y, i) for i in range(5)]
    for i in range(5):
        for j in range(5):
            if left[i] and right[j]:
                data = (left[i] * right[j]).to_bytes(size * SLOT // 8 + 8, "little")
                for place in range(size):
                    piece = data[place * SLOT // 8 :][: SLOT // 8]
                    flat[i + j][place] += int.from_bytes(piece, "little")
    fold = [power((0, 1, 0, 0, 0), i) for i in range(9)]
    return [
        total(scale(flat[i][place], fold[i]) for i in range(9) if flat[i][place])
        for place in range(size)
    ]


def transform(values: list[int], root: int) -> list[int]:
    """The values of a polynomial at 1, root, root^2, ..., as many as there are coefficients."""
    return _transform(values, powers(root, len(values)))


def _transform(values: list[int], roots: list[int]) -> list[int]:
    if len(values) == 1:
        return values
    even, odd = _transform(values[0::2], roots[0::2]), _transform(values[1::2], roots[0::2])
    turned = [x * y % P for x, y in zip(odd, roots, strict=False)]
    pairs = list(zip(even, turned, strict=True))
    return [(x + y) % P for x, y in pairs] + [(x - y) % P for x, y in pairs]


def on_roots(values: list[Element]) -> KPolynomial:
    """The polynomial with these values on the roots of unity, in order."""
    h = len(values)
    root = pow(root_of_unity(h.bit_length() - 1), -1, P)
    rows = [transform([v[i] for v in values], root) for i in range(5)]
    return [scale(pow(h, -1, P), (a, b, c, d, e)) for a, b, c, d, e in zip(*rows, strict=True)]

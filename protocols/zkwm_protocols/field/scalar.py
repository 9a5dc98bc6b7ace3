"""Single elements of K as tuples of five integers (SPEC.md 17.2).

::

    K = F_p[X] / (X^5 + X^2 - 1)
    (a0, a1, a2, a3, a4)  =  a0 + a1 X + a2 X^2 + a3 X^3 + a4 X^4,   each from 0 to p - 1

For the few thousand operations of a verifier's control flow; arrays are in ``vector``. Only public
data passes through here, so nothing runs in constant time.
"""

from __future__ import annotations

from typing import TypeAlias

Element: TypeAlias = tuple[int, int, int, int, int]

P = 2**31 - 2**24 + 1
GENERATOR = 3
"""Of the multiplicative group of F_p."""
TWO_ADICITY = 24
"""The largest power of two that divides p - 1."""
DEGREE = 5
ORDER = P**DEGREE
"""The number of elements of K."""
ZERO: Element = (0, 0, 0, 0, 0)
ONE: Element = (1, 0, 0, 0, 0)


def constant(value: int) -> Element:
    """An integer as an element of K."""
    return (value % P, 0, 0, 0, 0)


def add(a: Element, b: Element) -> Element:
    """a + b."""
    return (
        (a[0] + b[0]) % P,
        (a[1] + b[1]) % P,
        (a[2] + b[2]) % P,
        (a[3] + b[3]) % P,
        (a[4] + b[4]) % P,
    )


def subtract(a: Element, b: Element) -> Element:
    """a - b."""
    return (
        (a[0] - b[0]) % P,
        (a[1] - b[1]) % P,
        (a[2] - b[2]) % P,
        (a[3] - b[3]) % P,
        (a[4] - b[4]) % P,
    )


def negate(a: Element) -> Element:
    """-a."""
    return subtract(ZERO, a)


def multiply(a: Element, b: Element) -> Element:
    """a b, with X^5 = 1 - X^2."""
    a0, a1, a2, a3, a4 = a
    b0, b1, b2, b3, b4 = b
    # c_k: coefficients of X^5 to X^8 of the plain product, which X^5 = 1 - X^2 folds back:
    # X^6 = X - X^3, X^7 = X^2 - X^4, X^8 = X^3 - X^5 = X^3 + X^2 - 1
    c5 = a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1
    c6 = a2 * b4 + a3 * b3 + a4 * b2
    c7 = a3 * b4 + a4 * b3
    c8 = a4 * b4
    return (
        (a0 * b0 + c5 - c8) % P,
        (a0 * b1 + a1 * b0 + c6) % P,
        (a0 * b2 + a1 * b1 + a2 * b0 - c5 + c7 + c8) % P,
        (a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 - c6 + c8) % P,
        (a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 - c7) % P,
    )


def scale(a: Element, factor: int) -> Element:
    """a times an integer."""
    return (
        a[0] * factor % P,
        a[1] * factor % P,
        a[2] * factor % P,
        a[3] * factor % P,
        a[4] * factor % P,
    )


def power(a: Element, exponent: int) -> Element:
    """a to a power, 0 or more."""
    result = ONE
    while exponent:
        if exponent & 1:
            result = multiply(result, a)
        a = multiply(a, a)
        exponent >>= 1
    return result


def inverse(a: Element) -> Element:
    """1 / a, by the norm.

    a^(1 + p + p^2 + p^3 + p^4) lies in F_p, and a^p is a linear map: one inversion in F_p is left.

    Raises:
        ZeroDivisionError: a is 0.
    """
    if a == ZERO:
        raise ZeroDivisionError("0 has no inverse in K")
    conjugates = ONE
    conjugate = a
    for _ in range(DEGREE - 1):
        conjugate = _frobenius(conjugate)
        conjugates = multiply(conjugates, conjugate)
    norm = multiply(a, conjugates)[0]
    return scale(conjugates, pow(norm, -1, P))


def root_of_unity(logarithm: int) -> int:
    """The primitive 2^``logarithm``-th root of unity of F_p that SPEC.md 17.2 fixes.

    Raises:
        ValueError: ``logarithm`` is not 0 to 24.
    """
    if not 0 <= logarithm <= TWO_ADICITY:
        raise ValueError("F_p has roots of unity of order 2^0 to 2^24")
    return pow(GENERATOR, (P - 1) >> logarithm, P)


def _frobenius(a: Element) -> Element:
    """a^p, the Frobenius map: linear over F_p, so given by the images of X^i."""
    result = constant(a[0])
    for coefficient, image in zip(a[1:], _FROBENIUS_IMAGES, strict=True):
        result = add(result, scale(image, coefficient))
    return result


_FROBENIUS_IMAGES = tuple(power((0, 1, 0, 0, 0), P * i) for i in range(1, DEGREE))
"""(X^i)^p for i from 1."""

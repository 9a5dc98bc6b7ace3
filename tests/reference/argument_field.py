"""The fields of SPEC.md section 17.2, F_p and K = F_p[X] / (X^5 + X^2 - 1), in plain Python.

Slow and obvious: an element of F_p is an int below p, an element of K a tuple of five, the
coefficient of 1 first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import mul

P = 2**31 - 2**24 + 1
ORDER = P**5

Element = tuple[int, int, int, int, int]

ZERO: Element = (0, 0, 0, 0, 0)
ONE: Element = (1, 0, 0, 0, 0)

_SLOT = 128  # bits a coefficient has in a packed element: 2^20 products of 62 bits fit


def constant(value: int) -> Element:
    """The element of K that an integer stands for."""
    return (value % P, 0, 0, 0, 0)


def add(x: Element, y: Element) -> Element:
    """The sum x + y."""
    return (
        (x[0] + y[0]) % P,
        (x[1] + y[1]) % P,
        (x[2] + y[2]) % P,
        (x[3] + y[3]) % P,
        (x[4] + y[4]) % P,
    )


def subtract(x: Element, y: Element) -> Element:
    """The difference x - y."""
    return add(x, scale(-1, y))


def scale(factor: int, x: Element) -> Element:
    """The product of an integer and an element of K."""
    return (
        factor * x[0] % P,
        factor * x[1] % P,
        factor * x[2] % P,
        factor * x[3] % P,
        factor * x[4] % P,
    )


def multiply(x: Element, y: Element) -> Element:
    """The product x y: that of the polynomials, with X^5 = 1 - X^2 used for X^8, ..., X^5."""
    a, b, c, d, e = x
    f, g, h, i, j = y
    x5 = b * j + c * i + d * h + e * g
    x6 = c * j + d * i + e * h
    x7 = d * j + e * i
    x8 = e * j
    return (
        (a * f + x5 - x8) % P,
        (a * g + b * f + x6) % P,
        (a * h + b * g + c * f - x5 + x7 + x8) % P,
        (a * i + b * h + c * g + d * f - x6 + x8) % P,
        (a * j + b * i + c * h + d * g + e * f - x7) % P,
    )


def total(elements: Iterable[Element]) -> Element:
    """The sum of any number of elements."""
    return reduce(add, elements, ZERO)


def power(x: Element, exponent: int) -> Element:
    """The power x^exponent, exponent >= 0."""
    result = ONE
    for bit in bin(exponent)[2:]:
        result = multiply(result, result)
        if bit == "1":
            result = multiply(result, x)
    return result


def inverse(x: Element) -> Element:
    """The inverse 1 / x; raises `ZeroDivisionError`."""
    if x == ZERO:
        raise ZeroDivisionError("zero has no inverse")
    return power(x, ORDER - 2)


def root_of_unity(log: int) -> int:
    """w_N for N = 2^log, log at most 24."""
    return pow(3, (P - 1) >> log, P)


def equality_table(point: Sequence[Element]) -> list[Element]:
    """eq(point, i) for every i below 2^len(point), whose bits are numbered from the lowest."""
    table = [ONE]
    for coordinate in point:
        ones = [multiply(coordinate, entry) for entry in table]
        table = [subtract(entry, one) for entry, one in zip(table, ones, strict=True)] + ones
    return table


def pack(x: Element) -> int:
    """The element as one integer, so that a sum of multiples takes one multiplication a term."""
    return sum(coefficient << (_SLOT * place) for place, coefficient in enumerate(x))


def combine(packed: Iterable[int], factors: Iterable[int]) -> Element:
    """The sum of factors (below p) times packed elements, at most 2^20 of them."""
    value = sum(map(mul, packed, factors))
    a, b, c, d, e = ((value >> (_SLOT * place)) % (1 << _SLOT) % P for place in range(5))
    return (a, b, c, d, e)


def powers(point: int, count: int) -> list[int]:
    """1, point, point^2, ... in F_p, count of them."""
    result = [1]
    while len(result) < count:
        result.append(result[-1] * point % P)
    return result[:count]


def words(data: bytes) -> list[int]:
    """Elements of F_p as in a file; raises `ValueError` for one that is not below p."""
    result = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
    if len(data) % 4 or any(word >= P for word in result):
        raise ValueError("not elements of F_p")
    return result


def elements(data: bytes) -> list[Element]:
    """Elements of K as in a file; raises `ValueError`."""
    flat = words(data)
    if len(flat) % 5:
        raise ValueError("not elements of K")
    return [(a, b, c, d, e) for a, b, c, d, e in zip(*[iter(flat)] * 5, strict=True)]


def encode(values: Iterable[Element]) -> bytes:
    """Elements of K as in a file."""
    return b"".join(word.to_bytes(4, "little") for value in values for word in value)

"""Arrays over F_p and K for NumPy: what the verifier computes with (SPEC.md 17.2).

::

    over F_p    uint64 (...), entries below p
    over K      uint64 (5, ...): a[i] has the coefficients of X^i

    a product of two entries is below 2^62: four fit into 64 bits, five do not
    matrix products run in float64: entries cut into 16-bit halves, exact below 2^53;
    where sums are short, one factor whole and centered to +-p/2

Exact, vectorized, no compiler. Public data only: nothing runs in constant time.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.blas import matrix_product, one_blas_thread
from zkwm_protocols.field.scalar import DEGREE, ONE, Element, P, subtract

Array = NDArray[np.uint64]

_P = np.uint64(P)
_HALF_BITS = 16
_BLOCK = 1 << 13
"""Elements multiplied together: their scratch arrays stay in cache."""
_FEW = 512
"""Products up to so many are faster in fewer steps, each of more work."""
_EXACT_TERMS = 1 << 7
"""Products of a half and a centered residue whose sum doubles hold."""
_SHORT = 1 << 9
"""Sums up to so many terms are cheaper with one factor whole, 2^7 terms at a time."""
_LONGEST = 1 << 20
"""Products that are added up at once: half of what doubles hold of products of two halves."""
_SIDE = 128
"""Rows and columns of a product that are made together."""
_FOLDING = (((0, 5), (8,)), ((1, 6), ()), ((2, 7, 8), (5,)), ((3, 8), (6,)), ((4,), (7,)))
"""For each coefficient below 5, those of the plain product that are added and subtracted.

From X^5 = 1 - X^2, as in ``scalar.multiply``.
"""


def _structure() -> NDArray[np.float64]:
    """What X^i X^j adds to each coefficient, -1, 0 or 1: (5, 25), column 5 i + j."""
    table = np.zeros((DEGREE, DEGREE, DEGREE))
    for k, (plus, minus) in enumerate(_FOLDING):
        for i in range(DEGREE):
            for j in range(DEGREE):
                table[k, i, j] = (i + j in plus) - float(i + j in minus)
    return table.reshape(DEGREE, -1)


_STRUCTURE = _structure()


def from_integers(values: NDArray[np.integer]) -> Array:
    """Signed integers (any shape) as residues, uint64."""
    return np.asarray(np.asarray(values, dtype=np.int64) % P, dtype=np.uint64)


def from_element(element: Element) -> Array:
    """One element of K as an array, uint64 (5,)."""
    return np.array(element, dtype=np.uint64)


def to_element(array: Array) -> Element:
    """The element of K in an array of shape (5,)."""
    a = [int(value) for value in array]
    return (a[0], a[1], a[2], a[3], a[4])


def from_elements(elements: Sequence[Element]) -> Array:
    """Elements of K as an array, uint64 (5, count)."""
    return np.array(elements, dtype=np.uint64).reshape(-1, DEGREE).T.copy()


def to_list(array: Array) -> list[Element]:
    """The elements of K in an array of shape (5, count)."""
    return [(a[0], a[1], a[2], a[3], a[4]) for a in array.T.tolist()]


def add(a: Array, b: Array) -> Array:
    """a + b, over F_p or K; shapes broadcast."""
    return (a + b) % _P


def subtract_arrays(a: Array, b: Array) -> Array:
    """a - b, over F_p or K; shapes broadcast."""
    return (a + (_P - b)) % _P


def multiply_base(a: Array, b: Array) -> Array:
    """a b where at least one is over F_p; shapes broadcast."""
    return (a * b) % _P


def multiply(a: Array, b: Array) -> Array:
    """a b over K, both (5, ...); the axes behind the first broadcast."""
    trailing = max(a.ndim, b.ndim) - 1
    a = a.reshape(DEGREE, *(1,) * (trailing - a.ndim + 1), *a.shape[1:])
    b = b.reshape(DEGREE, *(1,) * (trailing - b.ndim + 1), *b.shape[1:])
    shape = np.broadcast_shapes(a.shape, b.shape)
    if prod(shape[1:]) <= _FEW:
        return _multiply_few(a, b).reshape(shape)
    if prod(a.shape[1:]) == 1:
        a, b = b, a
    left = np.broadcast_to(a, shape).reshape(DEGREE, -1)
    if prod(b.shape[1:]) == 1:  # one element, which is not copied
        right = b.reshape(DEGREE, 1)
    else:
        right = np.broadcast_to(b, shape).reshape(DEGREE, -1)
    product = np.empty(left.shape, dtype=np.uint64)
    for start in range(0, left.shape[1], _BLOCK):
        part = slice(start, start + _BLOCK)
        factor = right if right.shape[1] == 1 else right[:, part]
        _multiply_block(left[:, part], factor, product[:, part])
    return product.reshape(shape)


def _multiply_few(a: Array, b: Array) -> Array:
    """As ``multiply`` of arrays of as many axes, in few steps: 25 products at once."""
    pairs = a[:, None] * b[None, :] % _P
    by_pair = pairs.reshape(DEGREE * DEGREE, -1).astype(np.float64)
    # 25 residues with signs: exact
    return from_integers((_STRUCTURE @ by_pair).astype(np.int64))


def _multiply_block(a: Array, b: Array, product: Array) -> None:
    """``product`` = a b for arrays (5, m), small enough for the cache; b may be (5, 1)."""
    term, quotient = np.empty_like(product[0]), np.empty_like(product[0])
    c = []
    for k in range(2 * DEGREE - 1):
        pairs = [(i, k - i) for i in range(max(0, k - DEGREE + 1), min(DEGREE, k + 1))]
        total = a[pairs[0][0]] * b[pairs[0][1]]
        for count, (i, j) in enumerate(pairs[1:], 1):
            if count == 4:  # four products are below 2^64, five are not
                _reduce(total, quotient)
            np.multiply(a[i], b[j], out=term)
            total += term
        _reduce(total, quotient)
        c.append(total)
    for k, (plus, minus) in enumerate(_FOLDING):
        total = product[k]
        np.copyto(total, c[plus[0]])
        for i in plus[1:]:
            total += c[i]
        for i in minus:
            total += _P - c[i]
        _reduce(total, quotient)


def _reduce(values: Array, quotient: Array) -> None:
    """Reduce ``values`` (m,) modulo p in place: faster than ``%``, which divides twice."""
    np.floor_divide(values, _P, out=quotient)
    quotient *= _P
    values -= quotient


def power_base(a: Array, exponent: int) -> Array:
    """a, of any shape, to a power of at least 0, over F_p, entry by entry."""
    result = np.ones_like(a)
    while exponent:
        if exponent & 1:
            result = result * a % _P
        a = a * a % _P
        exponent >>= 1
    return result


def inverse_base(a: Array) -> Array:
    """1 / a over F_p, entry by entry (0 for 0)."""
    return power_base(a, P - 2)


def sum_all(a: Array) -> Element:
    """The sum of all entries of an array over K, (5, ...)."""
    flat = a.reshape(DEGREE, -1)
    return to_element(flat.sum(axis=1) % _P)  # below 2^64 for up to 2^33 entries


def combine(weights: Array, rows: NDArray[np.unsignedinteger]) -> Array:
    """The sum over i of weights[:, i] rows[i].

    Args:
        weights (uint64, (5, m)): over K.
        rows (unsigned integers, (m, t)): over F_p.

    Returns:
        uint64 (5, t).
    """
    return multiply_base_matrices(weights, np.asarray(rows))


def multiply_matrices(a: Array, b: Array) -> Array:
    """The product of matrices over K: uint64 (5, m, n) times (5, n, t), (5, m, t)."""
    rows, columns = a.shape[1], b.shape[2]
    left = np.ascontiguousarray(a.transpose(1, 0, 2)).reshape(rows, -1)
    # a is a sum of residues times X^i: so is the product, of residues times X^i b
    right = np.empty((DEGREE, b.shape[1], DEGREE, columns), dtype=np.uint64)
    for i in range(DEGREE):
        right[i] = b.transpose(1, 0, 2)
        b = np.stack([b[4], b[0], (b[1] + (_P - b[4])) % _P, b[2], b[3]])  # X^5 = 1 - X^2
    product = multiply_base_matrices(left, right.reshape(-1, DEGREE * columns))
    return np.ascontiguousarray(product.reshape(rows, DEGREE, columns).transpose(1, 0, 2))


def multiply_base_matrices(left: Array, right: NDArray[np.unsignedinteger]) -> Array:
    """left (r, m) times right (m, t) over F_p, in float64.

    Halves have 16 bits, so a product is below 2^32 and a sum of 2^21 of them below 2^53: exact.
    Longer sums are added up in parts. Where m is small, one factor is not cut: ``_multiply_short``.
    """
    total = _multiply_exact(left[:, :_LONGEST], right[:_LONGEST])
    for start in range(_LONGEST, left.shape[1], _LONGEST):
        part = slice(start, start + _LONGEST)
        total = add(total, _multiply_exact(left[:, part], right[part]))
    return total


def _multiply_exact(left: Array, right: NDArray[np.unsignedinteger]) -> Array:
    """As ``multiply_base_matrices``, of at most ``_LONGEST`` terms."""
    mask = np.uint64(0xFFFF)
    halves = [
        (left & mask).astype(np.float64),
        (left >> np.uint64(_HALF_BITS)).astype(np.float64),
    ]
    if right.dtype.itemsize <= 2:
        factor = right.astype(np.float64)
        return _join([matrix_product(half, factor) for half in halves])
    if left.shape[1] <= _SHORT:
        return _multiply_short(halves, right)
    low = (right & right.dtype.type(0xFFFF)).astype(np.float64)
    high = (right >> right.dtype.type(_HALF_BITS)).astype(np.float64)
    low_product = _join([matrix_product(half, low) for half in halves])
    high_product = _join([matrix_product(half, high) for half in halves])
    return (low_product + high_product * np.uint64(1 << _HALF_BITS)) % _P


def _multiply_short(halves: list[NDArray[np.float64]], right: NDArray[np.unsignedinteger]) -> Array:
    """Two halves of 16 bits (r, m) times right (m, t), residues of F_p that are centered.

    A sum of 2^7 products of a half and p / 2 is below 2^53 - p: exact. Block by block, so that all
    stays in a processor's cache.
    """
    low, high = halves
    (rows, terms), columns = low.shape, right.shape[1]
    centered = right.astype(np.float64)
    centered -= P * (centered > P // 2)
    result = np.empty((rows, columns), dtype=np.uint64)
    with one_blas_thread():
        for row in range(0, rows, _SIDE):
            for column in range(0, columns, _SIDE):
                above, across = slice(row, row + _SIDE), slice(column, column + _SIDE)
                total = np.zeros(result[above, across].shape)
                for first in range(0, terms, _EXACT_TERMS):
                    part = slice(first, first + _EXACT_TERMS)
                    factor = centered[part, across]
                    total += reduce_doubles(high[above, part] @ factor) * float(1 << _HALF_BITS)
                    total += reduce_doubles(low[above, part] @ factor)
                result[above, across] = reduce_doubles(total)
    return result


def reduce_doubles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integers of at most 2^53 - p in absolute value modulo p, in place.

    A quotient that is no integer is at least 1/p from the next one. Quotients are below 2^23, so a
    division is rounded by at most 2^-31, which is less: its floor is right, and times p exact.
    """
    quotients = np.floor(values / P)
    quotients *= P
    values -= quotients
    return values


def _join(halves: list[NDArray[np.float64]]) -> Array:
    """low + 2^16 high modulo p, uint64, of exact non-negative doubles."""
    low = halves[0].astype(np.uint64) % _P
    high = halves[1].astype(np.uint64) % _P
    return (low + high * np.uint64(1 << _HALF_BITS)) % _P


def equality_table(point: Sequence[Element]) -> Array:
    """eq(point, i) for i = 0 .. 2^len(point) - 1, uint64 (5, 2^len); point[0] is for bit 0."""
    table = from_element(ONE).reshape(DEGREE, 1)
    for coordinate in point:
        high = multiply(table, from_element(coordinate).reshape(DEGREE, 1))
        low = subtract_arrays(table, high)
        table = np.concatenate([low, high], axis=1)
    return table


def powers_base(base: Array, count: int) -> Array:
    """base[c]^i for i below count: base over F_p, uint64 (t,), to (count, t)."""
    table = np.ones((1, base.shape[0]), dtype=np.uint64)
    step = base % _P
    while table.shape[0] < count:
        table = np.concatenate([table, table * step % _P])
        step = step * step % _P
    return table[:count]


def to_bytes(array: Array) -> bytes:
    """The bytes of an array over K (5, count), element by element, or over F_p (SPEC.md 17.2)."""
    ordered = array.T if array.ndim == 2 else array
    return np.ascontiguousarray(ordered).astype("<u4").tobytes()


def read_elements(data: bytes, count: int) -> Array:
    """``count`` elements of K, uint64 (5, count).

    Raises:
        Malformed: another length, or a residue that is not below p.
    """
    return read_base(data, DEGREE * count).reshape(count, DEGREE).T.copy()


def read_base(data: bytes, count: int) -> Array:
    """``count`` elements of F_p, uint64 (count,).

    Raises:
        Malformed: another length, or a residue that is not below p.
    """
    if len(data) != 4 * count:
        raise Malformed(f"field elements: expected {4 * count} bytes, got {len(data)}")
    values = np.frombuffer(data, dtype="<u4")
    if count and int(values.max()) >= P:
        raise Malformed("a field element is not below p")
    return values.astype(np.uint64)


def one_minus(a: Element) -> Element:
    """1 - a."""
    return subtract(ONE, a)

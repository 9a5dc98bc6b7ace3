"""Gradients over K as sums of products of one factor by channel and one by position.

::

    value (c, h, w)  =  sum over k of  channels[k] (c) x planes[k] (h, w)

    transposed convolution    channels times the weights, planes moved by each tap:
                              k terms become k taps; work k |weights|, not h w |weights|
    inner product of two      k k' products of two inner products, of length c and h w

A block of an equality table has two terms where h w is a power of two (``field.equality``), so the
verifier's pass through a network reads each weight about once, whatever the size of the image. A
gradient of too many terms is written out, one term by position or by channel. SPEC.md 17.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import DEGREE, Element, P
from zkwm_protocols.field.vector import (
    Array,
    add,
    from_element,
    from_integers,
    multiply,
    multiply_base_matrices,
    multiply_matrices,
    subtract_arrays,
    sum_all,
)
from zkwm_protocols.integer_network.adjoint import transpose_dense
from zkwm_protocols.integer_network.nodes import Convolution, Shape
from zkwm_protocols.integer_network.windows import Slices, Windows

_EXACT = 1 << 53
_HALF = 65536.0
_WEIGHTS_AT_ONCE = 1 << 16
"""Weights made doubles together: half a megabyte, which stays in a processor's cache."""
_TERMS = 4
"""A gradient is written out where it has so many times more terms than channels or positions."""
_LARGE = 1 << 22
"""Entries in K (160 MiB) of a gradient that is written out as soon as that is shorter."""


@dataclass(frozen=True)
class Separable:
    """A gradient (c, h, w) as a sum of k terms.

    Args:
        channels (uint64, (5, k, c)): over K.
        planes (uint64, (5, k, h, w)): over K.
    """

    channels: Array
    planes: Array

    @classmethod
    def of_block(cls, table: Equality, first: int, shape: Shape) -> Separable:
        """Entries of an equality table from ``first`` on, in C order, as a gradient of a shape."""
        positions = prod(shape[1:])
        if positions & (positions - 1):
            return cls.of_dense(table.part(first, prod(shape)).reshape(DEGREE, *shape))
        channels, planes = table.terms(first, shape[0], positions)
        return cls(channels, planes.reshape(*planes.shape[:2], *shape[1:]))

    @classmethod
    def of_dense(cls, values: Array) -> Separable:
        """Values (5, c, h, w): one term by position, or by channel if these are fewer."""
        shape = values.shape[1:]
        positions = prod(shape[1:])
        if shape[0] <= positions:
            return cls(_unit(shape[0]), values)
        channels = values.reshape(DEGREE, shape[0], positions).transpose(0, 2, 1)
        return cls(channels, _unit(positions).reshape(DEGREE, positions, *shape[1:]))

    @property
    def shape(self) -> Shape:
        """(c, h, w)."""
        return (self.channels.shape[2], self.planes.shape[2], self.planes.shape[3])

    def dense(self) -> Array:
        """All values, uint64 (5, c, h, w)."""
        planes = self.planes.reshape(*self.planes.shape[:2], -1)
        if planes.shape[1] == 1:
            product = multiply(self.channels[:, 0, :, None], planes)
        else:
            product = multiply_matrices(self.channels.transpose(0, 2, 1), planes)
        return product.reshape(DEGREE, *self.shape)

    def short(self) -> Separable:
        """The same with as few terms as there are channels or positions, if it has many more."""
        terms = self.channels.shape[1]
        most = _most_terms(terms, self.shape)
        return self if terms <= most else self.of_dense(self.dense())

    def scaled(self, factor: Element) -> Separable:
        """Times an element of K."""
        return Separable(multiply(self.channels, from_element(factor)[:, None, None]), self.planes)

    def plus(self, *others: Separable) -> Separable:
        """The sum of this and others of the same shape; terms of the same planes are joined."""
        terms = [self]
        for other in others:
            for index, term in enumerate(terms):
                if np.array_equal(term.planes, other.planes):
                    terms[index] = Separable(add(term.channels, other.channels), term.planes)
                    break
            else:
                terms.append(other)
        if len(terms) == 1:
            return terms[0]
        channels = np.concatenate([term.channels for term in terms], axis=1)
        return Separable(channels, np.concatenate([term.planes for term in terms], axis=1)).short()

    def minus(self, other: Separable) -> Separable:
        """This less another of the same shape."""
        negative = subtract_arrays(np.zeros_like(other.channels), other.channels)
        return self.plus(Separable(negative, other.planes))

    def total(self) -> Element:
        """The sum of all values."""
        by_channel = self.channels.sum(axis=2) % np.uint64(P)
        return sum_all(multiply(by_channel, self.planes.sum(axis=(2, 3)) % np.uint64(P)))

    def inner(self, other: Separable) -> Element:
        """The inner product with another of the same shape."""
        by_channel = multiply_matrices(self.channels, other.channels.transpose(0, 2, 1))
        planes = [term.planes.reshape(*term.planes.shape[:2], -1) for term in (self, other)]
        by_position = multiply_matrices(planes[0], planes[1].transpose(0, 2, 1))
        return sum_all(multiply(by_channel, by_position))

    def split(self, counts: Sequence[int]) -> list[Separable]:
        """Cut along the channels into parts of ``counts`` channels."""
        cuts = np.cumsum(counts)[:-1]
        return [Separable(part, self.planes) for part in np.split(self.channels, cuts, axis=2)]

    def reshaped(self, shape: Shape) -> Separable:
        """The same values in C order, in another shape."""
        if shape == self.shape:
            return self
        return self.of_dense(self.dense().reshape(DEGREE, *shape))

    def placed(self, windows: Windows, inside: Slices, positions: Slices) -> Separable:
        """The values at ``positions`` of a result, where one tap reads them; 0 elsewhere."""
        planes = np.zeros((*self.planes.shape[:2], *windows.input), dtype=np.uint64)
        planes[:, :, *inside] = self.planes[:, :, *positions]
        return Separable(self.channels, planes)


def transpose_convolution(node: Convolution, gradient: Separable, windows: Windows) -> Separable:
    """The gradient in what a convolution reads, from that in its result.

    Written out by ``adjoint.transpose_dense`` where that is cheaper than so many terms, as of a
    pooling of large windows.
    """
    taps = tuple(windows.taps())
    terms = gradient.channels.shape[1] * len(taps)
    channels = node.weights.shape[1] * node.groups
    most = _most_terms(terms, (channels, *windows.input))
    is_large = most < _TERMS * min(channels, prod(windows.input))
    if not taps or (
        terms > most and (is_large or _is_cheaper_dense(node, gradient, windows, terms))
    ):
        return Separable.of_dense(transpose_dense(node, gradient.dense(), windows))
    mixed = _mix(node.weights, gradient.channels, node.groups)[..., [tap for tap, _, _ in taps]]
    planes = np.stack(
        [gradient.placed(windows, inside, positions).planes for _, inside, positions in taps],
        axis=2,
    )
    return Separable(
        mixed.transpose(0, 1, 3, 2).reshape(DEGREE, terms, channels),
        planes.reshape(DEGREE, terms, *windows.input),
    ).short()


def _most_terms(terms: int, shape: Shape) -> int:
    """How many terms a gradient (c, h, w) of ``terms`` may have before it is written out."""
    positions = prod(shape[1:])
    is_large = terms * (shape[0] + positions) > _LARGE
    return min(shape[0], positions) * (1 if is_large else _TERMS)


def _is_cheaper_dense(node: Convolution, gradient: Separable, windows: Windows, terms: int) -> bool:
    """Whether the gradient is to be written out before its transpose, rather than behind.

    In products over K; each costs as much as some ten products of a weight and an element.
    """
    outputs, height, width = gradient.shape
    before = outputs * height * width * gradient.channels.shape[1]
    before += node.weights.size * height * width // 10
    return bool(before < node.weights.shape[1] * node.groups * prod(windows.input) * terms)


def bias_term(node: Convolution, gradient: Separable) -> Element:
    """The inner product of a gradient and the bias, (c,) or (c, h, w)."""
    bias = from_integers(node.bias)
    if bias.ndim == 1:
        by_position = gradient.planes.sum(axis=(2, 3)) % np.uint64(P)
        terms = gradient.channels.shape[1]
        sums = multiply_base_matrices(gradient.channels.reshape(DEGREE * terms, -1), bias[:, None])
        return sum_all(multiply(sums.reshape(DEGREE, terms), by_position))
    planes = gradient.planes.reshape(-1, prod(bias.shape[1:]))
    sums = multiply_base_matrices(planes, bias.reshape(bias.shape[0], -1).T)
    return sum_all(multiply(sums.reshape(gradient.channels.shape), gradient.channels))


def _mix(weights: NDArray[np.int16], channels: Array, groups: int) -> Array:
    """Channels times weights: (5, k, O) and (O, C / groups, kh, kw) to (5, k, C, kh kw).

    Products of doubles: residues are centered to +-p/2, and cut in halves of 16 bits where a sum
    might reach 2^53.
    """
    outputs = weights.shape[0] // groups
    matrix = weights.reshape(groups, outputs, -1)
    left = channels.reshape(-1, groups, outputs).transpose(1, 0, 2).astype(np.float64)
    left -= P * (left > P // 2)
    largest = outputs * max(int(weights.max()), -int(weights.min()))
    if largest * (P // 2 + 1) < _EXACT:
        mixed = _residues(_products(left, matrix))
    else:
        high = np.floor(left / _HALF)
        low = _residues(_products(left - high * _HALF, matrix))
        mixed = (_residues(_products(high, matrix)) * np.uint64(1 << 16) + low) % np.uint64(P)
    taps = prod(weights.shape[2:])
    by_group = mixed.reshape(groups, *channels.shape[:2], -1, taps)
    return by_group.transpose(1, 2, 0, 3, 4).reshape(*channels.shape[:2], -1, taps)


def _products(left: NDArray[np.float64], matrix: NDArray[np.int16]) -> NDArray[np.float64]:
    """(g, m, o) times weights (g, o, n), a few columns of them at a time."""
    groups, outputs, columns = matrix.shape
    result = np.empty((groups, left.shape[1], columns))
    step = max(1, _WEIGHTS_AT_ONCE // (groups * outputs))
    for start in range(0, columns, step):
        part = slice(start, start + step)
        np.matmul(left, matrix[:, :, part].astype(np.float64), out=result[:, :, part])
    return result


def _residues(values: NDArray[np.float64]) -> Array:
    """Integers below 2^53 in absolute value, as doubles of any shape, modulo p."""
    return from_integers(values.astype(np.int64))


def _unit(size: int) -> Array:
    """The unit matrix over K, uint64 (5, size, size)."""
    result = np.zeros((DEGREE, size, size), dtype=np.uint64)
    result[0] = np.eye(size, dtype=np.uint64)
    return result

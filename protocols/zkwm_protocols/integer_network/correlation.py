"""Cross-correlation and its transpose as exact products of floating point numbers.

::

    values (C, h, w, n) --unfold--> (C * taps, positions * n)
    weights (O, C / groups, kh, kw) as a matrix (groups, O / groups, C / groups * taps)
    result (O, *result, n) = matrix * unfolded

    n: images, or the five coefficients of K; both share one matrix product

The caller makes sure that every partial sum is an integer below 2^53 (``splits``), or below 2^24 in
single precision (``kind``), so BLAS may add in any order and the result is exact. Where the
unfolded values would take too much memory, taps are taken one by one.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.integer_network.windows import Windows

Doubles = NDArray[np.float64]
Floats = NDArray[Any]
"""float64, or float32 where it is exact."""

EXACT = 1 << 53
EXACT_SINGLE = 1 << 24
UNFOLDED_ENTRIES = 1 << 21
"""The most entries that one image is unfolded to: 16 MiB."""
AT_ONCE = 1 << 19
"""Images are unfolded together up to so many entries: 4 MiB, which stay in a processor's cache."""


def correlate(values: Floats, weights: Floats, windows: Windows, groups: int) -> Floats:
    """Cross-correlation without a bias.

    Args:
        values (float64 or float32, (C, h, w, n)): integers.
        weights (of the same dtype, (O, C / groups, kh, kw)): integers.
        windows: of the convolution.
        groups: of channels.

    Returns:
        (O, height, width, n) of the same dtype.
    """
    count = values.shape[3]
    matrix = _grouped(weights, groups)
    if windows.is_identity:
        columns = np.ascontiguousarray(values).reshape(groups, matrix.shape[2], -1)
        whole: Floats = np.matmul(matrix, columns)
        return whole.reshape(weights.shape[0], *windows.result, count)
    unfolded, step = _unfolded(windows, values.shape[0]), at_once(windows, values.shape[0])
    if unfolded > UNFOLDED_ENTRIES:
        result = np.zeros((weights.shape[0], *windows.result, count), values.dtype)
        for image in range(count):
            _correlate_taps(values, weights, windows, groups, result, slice(image, image + 1))
        return result
    result = np.empty((weights.shape[0], *windows.result, count), values.dtype)
    room, taps = np.zeros(0, values.dtype), tuple(windows.taps())
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        entries = np.ascontiguousarray(values[..., part])  # long runs to copy
        if room.size != unfolded * entries.shape[3]:  # the first images, and perhaps the last
            shape = (values.shape[0], -1, *windows.result, entries.shape[3])
            room = np.zeros(unfolded * entries.shape[3], values.dtype).reshape(shape)
        for tap, (rows, across), (out_rows, out_across) in taps:  # 0 where a tap is outside
            room[:, tap, out_rows, out_across] = entries[:, rows, across]
        products: Floats = np.matmul(matrix, room.reshape(groups, matrix.shape[2], -1))
        products = products.reshape(*result.shape[:3], -1)
        if step >= count:
            return products
        result[..., part] = products
    return result


def at_once(windows: Windows, channels: int) -> int:
    """The images that ``correlate`` takes together, at least 1; each costs the same in any number.

    ``channels`` is the number of those that it reads.
    """
    return max(1, min(AT_ONCE, UNFOLDED_ENTRIES) // _unfolded(windows, channels))


def _unfolded(windows: Windows, channels: int) -> int:
    """The entries that one image is unfolded to."""
    return channels * prod(windows.kernel) * prod(windows.result)


def correlate_transposed(
    gradient: Doubles, weights: Doubles, windows: Windows, groups: int
) -> Doubles:
    """The transpose of ``correlate`` in its first argument.

    Args:
        gradient (float64, (O, height, width, n)): integers.
        weights (float64, (O, C / groups, kh, kw)): integers.
        windows: of the convolution.
        groups: of channels.

    Returns:
        float64 (C, h, w, n).
    """
    count, channels = gradient.shape[3], weights.shape[1] * groups
    matrix = _grouped(weights, groups).transpose(0, 2, 1)
    result = np.zeros((channels, *windows.input, count))
    unfolded = channels * weights[0, 0].size * gradient[0].size
    if unfolded <= count * UNFOLDED_ENTRIES or windows.is_identity:
        columns: Doubles = np.matmul(matrix, gradient.reshape(groups, matrix.shape[2], -1))
        if windows.is_identity:
            return columns.reshape(result.shape)
        columns = columns.reshape(channels, -1, *windows.result, count)
        for tap, (rows, across), (out_rows, out_across) in windows.taps():
            result[:, rows, across] += columns[:, tap, out_rows, out_across]
        return result
    by_tap = weights.reshape(*weights.shape[:2], -1)
    for tap, (rows, across), (out_rows, out_across) in windows.taps():
        piece = gradient[:, out_rows, out_across]
        tap_matrix = _grouped(by_tap[:, :, tap], groups).transpose(0, 2, 1)
        product = np.matmul(tap_matrix, piece.reshape(groups, tap_matrix.shape[2], -1))
        result[:, rows, across] += product.reshape(channels, *piece.shape[1:])
    return result


def kind(weights: Doubles, magnitude: int) -> type[np.float32] | type[np.float64]:
    """float32 where every sum of weights times entries is below 2^24, so that it is exact; float64.

    Args:
        weights (float64, (O, C / groups, kh, kw)): integers.
        magnitude: the largest absolute value of an entry.
    """
    largest = float(np.abs(weights).sum(axis=(1, 2, 3)).max()) * magnitude
    return np.float32 if max(largest, magnitude) < EXACT_SINGLE else np.float64


def splits(weights: Doubles, magnitude: int, *, transposed: bool = False, groups: int = 1) -> bool:
    """Whether sums of weights times entries may reach 2^53.

    If so the caller passes the entries in two halves of 16 bits, whose sums cannot: fan-in is at
    most 2^24 and a weight below 2^9.

    Args:
        weights (float64, (O, C / groups, kh, kw)): integers.
        magnitude: the largest absolute value of an entry.
        transposed: whether for ``correlate_transposed``, which sums over outputs.
        groups: of channels.
    """
    absolute = np.abs(weights)
    if transposed:
        absolute = absolute.reshape(groups, -1, *weights.shape[1:])
        return float(absolute.sum(axis=(1, 3, 4)).max()) * magnitude >= EXACT
    return float(absolute.sum(axis=(1, 2, 3)).max()) * magnitude >= EXACT


def _grouped(weights: Floats, groups: int) -> Floats:
    """Weights (O, ...) as matrices (groups, O / groups, all other axes)."""
    return weights.reshape(groups, weights.shape[0] // groups, -1)


def _correlate_taps(
    values: Floats,
    weights: Floats,
    windows: Windows,
    groups: int,
    result: Floats,
    images: slice,
) -> None:
    """As ``correlate`` for some images, added into ``result`` tap by tap: less memory."""
    by_tap = weights.reshape(*weights.shape[:2], -1)
    entries, target = np.ascontiguousarray(values[..., images]), result[..., images]
    for tap, (rows, across), (out_rows, out_across) in windows.taps():
        piece = entries[:, rows, across]
        matrix = _grouped(by_tap[:, :, tap], groups)
        product = np.matmul(matrix, piece.reshape(groups, matrix.shape[2], -1))
        target[:, out_rows, out_across] += product.reshape(result.shape[0], *piece.shape[1:])

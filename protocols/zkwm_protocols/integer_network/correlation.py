"""Cross-correlation and its transpose as exact products of double precision numbers.

::

    values (C, h, w, n) --unfold--> (C * taps, positions * n)
    weights (O, C / groups, kh, kw) as a matrix (groups, O / groups, C / groups * taps)
    result (O, *result, n) = matrix * unfolded

    n: images, or the five coefficients of K; both share one matrix product

The caller makes sure that every partial sum is an integer below 2^53 (``splits``), so BLAS may add
in any order and the result is exact. Where the unfolded values would take too much memory, taps are
taken one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.integer_network.windows import Windows

Doubles = NDArray[np.float64]

EXACT = 1 << 53
UNFOLDED_ENTRIES = 1 << 21
"""The most entries unfolded at once: 16 MiB."""


def correlate(values: Doubles, weights: Doubles, windows: Windows, groups: int) -> Doubles:
    """Cross-correlation without a bias.

    Args:
        values (float64, (C, h, w, n)): integers.
        weights (float64, (O, C / groups, kh, kw)): integers.
        windows: of the convolution.
        groups: of channels.

    Returns:
        float64 (O, height, width, n).
    """
    count = values.shape[3]
    matrix = _grouped(weights, groups)
    result = np.zeros((weights.shape[0], *windows.result, count))
    unfolded = values.shape[0] * weights[0, 0].size * windows.result[0] * windows.result[1]
    step = count if windows.is_identity else max(1, UNFOLDED_ENTRIES // unfolded)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        entries, target = np.ascontiguousarray(values[..., part]), result[..., part]
        if unfolded <= UNFOLDED_ENTRIES or windows.is_identity:
            columns = _unfold(entries, windows).reshape(groups, matrix.shape[2], -1)
            target[...] = np.matmul(matrix, columns).reshape(target.shape)
        else:
            _correlate_taps(entries, weights, windows, groups, target)
    return result


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


def _grouped(weights: Doubles, groups: int) -> Doubles:
    """Weights (O, ...) as matrices (groups, O / groups, all other axes)."""
    return weights.reshape(groups, weights.shape[0] // groups, -1)


def _unfold(values: Doubles, windows: Windows) -> Doubles:
    """What each tap reads, 0 outside: (C, h, w, n) to (C, taps, height, width, n)."""
    if windows.is_identity:
        return values
    channels, _, _, count = values.shape
    taps = windows.kernel[0] * windows.kernel[1]
    columns = np.zeros((channels, taps, *windows.result, count))
    for tap, (rows, across), (out_rows, out_across) in windows.taps():
        columns[:, tap, out_rows, out_across] = values[:, rows, across]
    return columns


def _correlate_taps(
    values: Doubles, weights: Doubles, windows: Windows, groups: int, result: Doubles
) -> None:
    """As ``correlate``, added into ``result`` tap by tap: less memory, more products."""
    by_tap = weights.reshape(*weights.shape[:2], -1)
    for tap, (rows, across), (out_rows, out_across) in windows.taps():
        piece = values[:, rows, across]
        matrix = _grouped(by_tap[:, :, tap], groups)
        product = np.matmul(matrix, piece.reshape(groups, matrix.shape[2], -1))
        result[:, out_rows, out_across] += product.reshape(result.shape[0], *piece.shape[1:])

"""Cross-correlation and its transpose as exact products of double precision numbers.

Arrays are (channels, height, width, n): n images, or the five coefficients of K, share one matrix
product. Whoever calls sees to it that every partial sum is an integer below 2^53; ``splits`` is for
that. Where the unfolded source would not fit a budget, taps are taken one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.integer_network.windows import Windows

Doubles = NDArray[np.float64]

EXACT = 1 << 53
UNFOLDED_ENTRIES = 1 << 21
"""The most entries that are unfolded at once: 16 MiB."""


def correlate(values: Doubles, weights: Doubles, windows: Windows, groups: int) -> Doubles:
    """(C, h, w, n) by weights (O, C / groups, kh, kw) -> (O, *result, n), without a bias."""
    count = values.shape[3]
    matrix = _grouped(weights, groups)
    result = np.zeros((weights.shape[0], *windows.result, count))
    unfolded = values.shape[0] * weights[0, 0].size * windows.result[0] * windows.result[1]
    step = count if windows.is_identity else max(1, UNFOLDED_ENTRIES // unfolded)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        source, target = np.ascontiguousarray(values[..., part]), result[..., part]
        if unfolded <= UNFOLDED_ENTRIES or windows.is_identity:
            columns = _unfold(source, windows).reshape(groups, matrix.shape[2], -1)
            target[...] = np.matmul(matrix, columns).reshape(target.shape)
        else:
            _correlate_taps(source, weights, windows, groups, target)
    return result


def correlate_transposed(
    gradient: Doubles, weights: Doubles, windows: Windows, groups: int
) -> Doubles:
    """(O, *result, n) -> (C, h, w, n): the transpose of ``correlate`` in its first argument."""
    count, channels = gradient.shape[3], weights.shape[1] * groups
    matrix = _grouped(weights, groups).transpose(0, 2, 1)
    result = np.zeros((channels, *windows.source, count))
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
    """Whether sums of weights times entries up to ``magnitude`` may reach 2^53.

    Then the caller gives the entries in two halves of 16 bits, which cannot: fan-in is at most
    2^24 and a weight below 2^9.
    """
    absolute = np.abs(weights)
    if transposed:
        absolute = absolute.reshape(groups, -1, *weights.shape[1:])
        return float(absolute.sum(axis=(1, 3, 4)).max()) * magnitude >= EXACT
    return float(absolute.sum(axis=(1, 2, 3)).max()) * magnitude >= EXACT


def _grouped(weights: Doubles, groups: int) -> Doubles:
    """The matrices (groups, O / groups, everything else) of weights (O, ...)."""
    return weights.reshape(groups, weights.shape[0] // groups, -1)


def _unfold(values: Doubles, windows: Windows) -> Doubles:
    """(C, h, w, n) -> (C, taps, *result, n), zero outside."""
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
    by_tap = weights.reshape(*weights.shape[:2], -1)
    for tap, (rows, across), (out_rows, out_across) in windows.taps():
        piece = values[:, rows, across]
        matrix = _grouped(by_tap[:, :, tap], groups)
        product = np.matmul(matrix, piece.reshape(groups, matrix.shape[2], -1))
        result[:, out_rows, out_across] += product.reshape(result.shape[0], *piece.shape[1:])

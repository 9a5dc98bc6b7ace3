"""Where a sliding window touches its source: for each tap, the positions inside (SPEC.md 16.1).

Convolutions and maxima, forward and transposed, all walk over these slices; padding is never
materialised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.integer_network.nodes import Convolution, Maximum, Pads, Pair, Shape

Slices = tuple[slice, slice]


@dataclass(frozen=True)
class Windows:
    """Windows over a source of sides ``source``, one for each entry of the sides ``result``."""

    source: Pair
    result: Pair
    kernel: Pair
    stride: Pair
    pads: Pads
    dilation: Pair

    @classmethod
    def of(cls, node: Convolution | Maximum, source: Shape, result: Shape) -> Windows:
        """The windows of a node between values of these shapes."""
        dilation = node.dilation if isinstance(node, Convolution) else (1, 1)
        return cls(source[1:], result[1:], node.kernel, node.stride, node.pads, dilation)

    @property
    def is_identity(self) -> bool:
        """Whether each window is one entry, in order."""
        return self.kernel == self.stride == (1, 1) and self.pads == (0, 0, 0, 0)

    def taps(self) -> Iterator[tuple[int, Slices, Slices]]:
        """(number of the tap in C order, entries of the source, positions of the result).

        Taps that lie outside of the source at every position are left out.
        """
        for row in range(self.kernel[0]):
            vertical = self._valid(0, row)
            for column in range(self.kernel[1]):
                horizontal = self._valid(1, column)
                if vertical is not None and horizontal is not None:
                    yield (
                        row * self.kernel[1] + column,
                        (vertical[0], horizontal[0]),
                        (vertical[1], horizontal[1]),
                    )

    def _valid(self, axis: int, tap: int) -> Slices | None:
        """Of one axis: the slice of the source and that of the result, or None."""
        stride, offset = self.stride[axis], tap * self.dilation[axis] - self.pads[axis]
        first = max(0, -(offset // stride))
        last = min(self.result[axis] - 1, (self.source[axis] - 1 - offset) // stride)
        if first > last:
            return None
        begin, end = first * stride + offset, last * stride + offset + 1
        return slice(begin, end, stride), slice(first, last + 1)


def tap_entries(values: NDArray[Any], windows: Windows) -> Iterator[NDArray[Any]]:
    """What each tap reads in C order, 0 outside: (C, h, w, n) -> arrays (C, *result, n)."""
    places = {tap: (inside, positions) for tap, inside, positions in windows.taps()}
    for tap in range(prod(windows.kernel)):
        entries = np.zeros((values.shape[0], *windows.result, values.shape[3]), values.dtype)
        if tap in places:
            (rows, across), (out_rows, out_across) = places[tap]
            entries[:, out_rows, out_across] = values[:, rows, across]
        yield entries

"""Sliding windows: for each tap of a kernel, the positions inside the input.

::

    length 5, kernel 3, stride 2, pad 1         window of result 0   -1  0  1
                                                window of result 1    1  2  3
                                                window of result 2    3  4  5

    tap 0 reads  -1  1  3       inside: entries 1:4:2 for results 1:3
    tap 1 reads   0  2  4               entries 0:5:2 for results 0:3
    tap 2 reads   1  3  5               entries 1:4:2 for results 0:2

A tap is one entry of the kernel. Convolutions and maxima, forward and transposed, all walk over
these slices, so padding is never materialized. SPEC.md 16.1.
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
    """Windows of a convolution or a maximum.

    Args:
        input: height and width of what they slide over.
        result: height and width of the result; one window for each entry.
        kernel: its sides.
        stride: down, across.
        pads: top, left, bottom, right.
        dilation: down, across.
    """

    input: Pair
    result: Pair
    kernel: Pair
    stride: Pair
    pads: Pads
    dilation: Pair

    @classmethod
    def of(cls, node: Convolution | Maximum, input_shape: Shape, shape: Shape) -> Windows:
        """The windows of a node that reads ``input_shape`` and makes ``shape``."""
        dilation = node.dilation if isinstance(node, Convolution) else (1, 1)
        return cls(input_shape[1:], shape[1:], node.kernel, node.stride, node.pads, dilation)

    @property
    def is_identity(self) -> bool:
        """Whether each window is one entry, in order."""
        return self.kernel == self.stride == (1, 1) and self.pads == (0, 0, 0, 0)

    def taps(self) -> Iterator[tuple[int, Slices, Slices]]:
        """(number of the tap in C order, entries that it reads, positions of the result).

        Taps that are outside at every position are left out.
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
        """Of one axis: the slice that a tap reads and that of the result, or None.

        Result i reads entry i * stride + offset, which is inside from the first i with a value of
        0 or more to the last with one below the length.
        """
        stride, offset = self.stride[axis], tap * self.dilation[axis] - self.pads[axis]
        first = max(0, -(offset // stride))
        last = min(self.result[axis] - 1, (self.input[axis] - 1 - offset) // stride)
        if first > last:
            return None
        begin, end = first * stride + offset, last * stride + offset + 1
        return slice(begin, end, stride), slice(first, last + 1)


def tap_entries(values: NDArray[Any], windows: Windows) -> Iterator[NDArray[Any]]:
    """What each tap reads, in C order, and 0 outside.

    ``values`` (C, h, w, n); an array (C, height, width, n) for each tap.
    """
    places = {tap: (inside, positions) for tap, inside, positions in windows.taps()}
    for tap in range(prod(windows.kernel)):
        entries = np.zeros((values.shape[0], *windows.result, values.shape[3]), values.dtype)
        if tap in places:
            (rows, across), (out_rows, out_across) = places[tap]
            entries[:, out_rows, out_across] = values[:, rows, across]
        yield entries

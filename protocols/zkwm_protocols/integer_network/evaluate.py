"""The values, logits and labels of an integer network, exactly (SPEC.md 16.1, 16.3).

::

    images uint8 (n, c, h, w)
      -> value 0 (c, h, w, n) -> value 1 -> ... -> logits (O, 1, 1, n)
         uint8 for values of bytes, else int32

The image is the last axis, as in the argument's cells. Convolutions are matrix products of doubles
whose partial sums are integers below 2^53. Images come in batches, so that memory stays bounded;
batches are computed side by side, each in one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.blas import cores, in_threads
from zkwm_protocols.integer_network.correlation import correlate, kind, splits
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Node,
    Reshape,
    Sum,
    inputs_of,
)
from zkwm_protocols.integer_network.windows import Windows

Value = NDArray[Any]
"""(channels, height, width, n), uint8 for a value of bytes, else int32."""

ENTRIES_AT_ONCE = 1 << 22
"""Entries of the values that are kept at a time, for the images of one batch."""
_ALIGNED = 8
"""Batches are multiples of so many images, if they are that large."""
_HALF = 65536.0


def trace(network: IntegerNetwork, images: NDArray[np.uint8]) -> list[Value]:
    """Every value for every image, the images themselves first: (channels, height, width, n) each.

    Args:
        network: the network.
        images (uint8, (n, c, h, w)): of the network's shape.

    Raises:
        UsageError: other images.
    """
    count = len(images)
    values = [
        np.empty((*shape, count), dtype=np.uint8 if of_bytes else np.int32)
        for shape, of_bytes in zip(network.shapes, network.of_bytes, strict=True)
    ]

    def run(part: slice) -> None:
        values[0][..., part] = np.moveaxis(images[part], 0, -1)
        for number, _, value in walk(network, images[part]):
            values[number][..., part] = value

    in_threads(run, batches(network, images))
    return values


def logits(network: IntegerNetwork, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The logits, int64 (n, O), of images uint8 (n, c, h, w).

    Raises:
        UsageError: other images.
    """
    result = np.empty((len(images), network.outputs), dtype=np.int64)

    def run(part: slice) -> None:
        for number, _, value in walk(network, images[part]):
            if number == len(network.nodes):
                result[part] = value[:, 0, 0].T

    in_threads(run, batches(network, images))
    return result


def labels(network: IntegerNetwork, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The label of each image, int64 (n,): the first of the largest logits (SPEC.md 16.3)."""
    return np.asarray(np.argmax(logits(network, images), axis=1), dtype=np.int64)


def batches(network: IntegerNetwork, images: NDArray[np.uint8]) -> Iterator[slice]:
    """Ranges of images whose values at a time stay within ``ENTRIES_AT_ONCE``.

    Raises:
        UsageError: ``images`` is not uint8 (n, c, h, w) of the network's shape.
    """
    if images.ndim != 4 or images.shape[1:] != network.shape or images.dtype != np.uint8:
        raise UsageError(
            f"images: expected uint8 of shape {network.shape}, got {images.dtype} of shape "
            f"{images.shape[1:]}"
        )
    count = len(images)
    step = max(1, min(ENTRIES_AT_ONCE // _most_entries(network), -(-count // cores())))
    if step >= _ALIGNED:  # neighbors in memory belong to one thread
        step -= step % _ALIGNED
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def walk(
    network: IntegerNetwork, images: NDArray[np.uint8]
) -> Iterator[tuple[int, list[Value], Value]]:
    """Node after node: its number from 1, the values that it reads, and its own.

    Each value is (c, h, w, n) and is forgotten behind its last reader.

    Args:
        network: the network.
        images (uint8, (n, c, h, w)): of the network's shape.
    """
    last = _last_readers(network)
    values: dict[int, Value] = {0: np.ascontiguousarray(np.moveaxis(images, 0, -1))}
    for number, node in enumerate(network.nodes, start=1):
        places = inputs_of(node)
        inputs = [values[place] for place in places]
        values[number] = _evaluate(network, number, node, inputs)
        yield number, inputs, values[number]
        for place in {*places, number}:
            if last[place] <= number:
                del values[place]


def _last_readers(network: IntegerNetwork) -> list[int]:
    """For every value the number of the last node that reads it, 0 if none does."""
    last = [0] * len(network.shapes)
    for number, node in enumerate(network.nodes, start=1):
        for place in inputs_of(node):
            last[place] = number
    return last


def _most_entries(network: IntegerNetwork) -> int:
    """The most entries of one image's values that ``walk`` keeps at a time."""
    last, kept = _last_readers(network), {0}
    most = 0
    for number, node in enumerate(network.nodes, start=1):
        kept.add(number)
        most = max(most, sum(prod(network.shapes[place]) for place in kept))
        kept -= {place for place in (*inputs_of(node), number) if last[place] <= number}
    return most


def _evaluate(network: IntegerNetwork, number: int, node: Node, inputs: list[Value]) -> Value:
    """The value of one node, from the values that it reads."""
    shape, first = network.shapes[number], inputs[0]
    if isinstance(node, Convolution):
        windows = Windows.of(node, network.shapes[node.input], shape)
        return _convolution(node, first, windows, network.magnitudes[node.input])
    if isinstance(node, Activation):
        table = network.tables[node.table]
        half = (1 << node.shift) >> 1  # 0 for shift 0
        index = ((first.astype(np.int32) + np.int32(half)) >> node.shift) - np.int32(table.first)
        return np.take(table.values, index)
    if isinstance(node, Maximum):
        windows = Windows.of(node, network.shapes[node.input], shape)
        # entries outside count as 0, the least byte: they change no maximum
        result = np.zeros((*shape, first.shape[3]), dtype=np.uint8)
        for _, (rows, across), (out_rows, out_across) in windows.taps():
            target = result[:, out_rows, out_across]
            np.maximum(target, first[:, rows, across], out=target)
        return result
    if isinstance(node, Sum):
        return np.asarray(np.sum(inputs, axis=0, dtype=np.int32))
    if isinstance(node, Concatenation):
        return np.concatenate(inputs)
    if isinstance(node, Reshape):
        return first.reshape(*shape, first.shape[3])
    raise AssertionError(f"node {number} is of no kind")


def _convolution(node: Convolution, value: Value, windows: Windows, magnitude: int) -> Value:
    """A convolution plus bias, int32; ``magnitude`` bounds the entries of ``value``."""
    weights = node.weights.astype(np.float64)
    narrow = kind(weights, magnitude)
    values: NDArray[Any] = value.astype(narrow)
    if splits(weights, magnitude):
        high = np.floor(values / _HALF)
        # the total is below 2^30, so the high half's is small enough to stay exact
        result = correlate(high, weights, windows, node.groups) * _HALF
        result += correlate(values - high * _HALF, weights, windows, node.groups)
    else:
        result = correlate(values, weights.astype(narrow), windows, node.groups)
    bias = node.bias.reshape(node.bias.shape[0], *(node.bias.shape[1:] or (1, 1)), 1)
    if narrow is np.float32:  # the sum is below 2^24, but not the bias
        return result.astype(np.int32) + bias
    result += bias
    return result.astype(np.int32)

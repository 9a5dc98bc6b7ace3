"""The nodes of an integer network, as data (SPEC.md 16.1).

::

    node            reads            value
    Convolution     input            cross-correlation with zero padding, plus bias
    Sum             inputs           entry-wise sum
    Concatenation   inputs           along the channels
    Reshape         input            the same entries in C order
    Activation      input, table     f(floor((Z + 2^(shift-1)) / 2^shift))
    Maximum         input            over windows, of bytes

Inputs are numbers of values; files call them ``source`` and ``sources``. A node checks the types
and ranges of its own fields; whether nodes fit each other is checked by ``shapes``, ``bounds`` and
``model``. Arrays are copied and made read-only. Nodes with arrays are equal only when they are one
object: compare digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import Malformed

Pair: TypeAlias = tuple[int, int]
Shape: TypeAlias = tuple[int, int, int]
Pads: TypeAlias = tuple[int, int, int, int]

MAXIMUM_INPUTS = 64
MAXIMUM_SHIFT = 16
MAXIMUM_WINDOW = 1024
"""The largest side of a kernel, stride or dilation; a pad is smaller."""
MAXIMUM_BOUND = 1 << 30
"""The largest absolute value of a sum, and of what a table reads."""


@dataclass(frozen=True, eq=False)
class Convolution:
    """Cross-correlation with zero padding, as ONNX ``Conv``, plus bias.

    Args:
        input: the number of the value that it reads.
        weights (int16, (O, I, kh, kw)): I the channels of one group.
        bias (int32, (O,) or (O, H, W)): of channels, or of entries of the result.
        stride: down, across.
        pads: top, left, bottom, right.
        dilation: down, across.
        groups: of channels.

    Raises:
        Malformed: types, sizes or ranges (network.format).
    """

    input: int
    weights: NDArray[np.int16]
    bias: NDArray[np.int32]
    stride: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        _require_integers((self.input, self.groups), 2)
        _require_window(self.stride, self.pads)
        _require_window(self.dilation, self.pads)
        object.__setattr__(self, "weights", _read_only(self.weights, np.int16))
        object.__setattr__(self, "bias", _read_only(self.bias, np.int32))
        if self.weights.ndim != 4 or self.weights.size == 0 or self.bias.ndim not in (1, 3):
            raise _malformed("expected weights of sizes [O, I, kh, kw] and a bias of O or O, H, W")
        if max(self.weights.shape[2:]) > MAXIMUM_WINDOW or self.groups < 1:
            raise _malformed(f"a kernel has sides of at most {MAXIMUM_WINDOW}, at least one group")

    @property
    def kernel(self) -> Pair:
        """The sides of the kernel."""
        return (self.weights.shape[2], self.weights.shape[3])


@dataclass(frozen=True)
class Sum:
    """The entry-wise sum of 2 to 64 values of one shape.

    Raises:
        Malformed: network.format.
    """

    inputs: tuple[int, ...]

    def __post_init__(self) -> None:
        _require_inputs(self.inputs)


@dataclass(frozen=True)
class Concatenation:
    """2 to 64 values, one behind the other along the channels.

    Raises:
        Malformed: network.format.
    """

    inputs: tuple[int, ...]

    def __post_init__(self) -> None:
        _require_inputs(self.inputs)


@dataclass(frozen=True)
class Reshape:
    """The same entries in C order under another shape.

    Raises:
        Malformed: network.format.
    """

    input: int
    shape: Shape

    def __post_init__(self) -> None:
        _require_integers((self.input,), 1)
        _require_integers(self.shape, 3)


@dataclass(frozen=True)
class Activation:
    """f(floor((Z + 2^(shift-1)) / 2^shift)), for shift 0 f(Z); f is a table.

    Raises:
        Malformed: network.format.
    """

    input: int
    shift: int
    table: int

    def __post_init__(self) -> None:
        _require_integers((self.input, self.shift, self.table), 3)
        if not 0 <= self.shift <= MAXIMUM_SHIFT:
            raise _malformed(f"a shift is 0 to {MAXIMUM_SHIFT}")


@dataclass(frozen=True)
class Maximum:
    """The maximum over windows of a value of bytes; entries outside are 0.

    Raises:
        Malformed: network.format.
    """

    input: int
    kernel: Pair
    stride: Pair
    pads: Pads = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        _require_integers((self.input,), 1)
        _require_window(self.kernel, self.pads)
        _require_window(self.stride, self.pads)


@dataclass(frozen=True, eq=False)
class Table:
    """A function into bytes: f(first + i) = values[i].

    Args:
        first: the smallest argument.
        values (uint8, (1 to 2^20,)): of consecutive arguments.

    Raises:
        Malformed: network.format or network.table.
    """

    first: int
    values: NDArray[np.uint8]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _read_only(self.values, np.uint8))
        _require_integers((self.first,), 1)
        if (
            self.values.ndim != 1
            or not 1 <= self.values.size <= 1 << 20
            or abs(self.first) > MAXIMUM_BOUND
        ):
            raise Malformed(
                "a table has 1 to 2^20 values, the first at most 2^30 from 0", check="network.table"
            )

    @property
    def last(self) -> int:
        """The largest argument."""
        return self.first + self.values.size - 1


Node: TypeAlias = Convolution | Sum | Concatenation | Reshape | Activation | Maximum


def inputs_of(node: Node) -> tuple[int, ...]:
    """The numbers of the values that a node reads, in its order."""
    return node.inputs if isinstance(node, Sum | Concatenation) else (node.input,)


def _malformed(message: str) -> Malformed:
    """A refusal with the check of the form."""
    return Malformed(message, check="network.format")


def _require_integers(values: object, count: int) -> tuple[int, ...]:
    """A tuple of ``count`` integers; a bool is none."""
    if not isinstance(values, tuple) or len(values) != count:
        raise _malformed(f"expected a tuple of {count} integers")
    if any(type(value) is not int for value in values):
        raise _malformed("expected an integer")
    return values


def _require_inputs(inputs: object) -> None:
    """A tuple of 2 to 64 integers."""
    if not isinstance(inputs, tuple) or not 2 <= len(inputs) <= MAXIMUM_INPUTS:
        raise _malformed(f"expected a tuple of 2 to {MAXIMUM_INPUTS} inputs")
    _require_integers(inputs, len(inputs))


def _require_window(sides: object, pads: object) -> None:
    """Two sides from 1 to 1024, and four pads below 1024."""
    if not all(1 <= side <= MAXIMUM_WINDOW for side in _require_integers(sides, 2)):
        raise _malformed(f"kernel, stride and dilation are 1 to {MAXIMUM_WINDOW}")
    if not all(0 <= pad < MAXIMUM_WINDOW for pad in _require_integers(pads, 4)):
        raise _malformed(f"pads are 0 to {MAXIMUM_WINDOW - 1}")


def _read_only(array: object, dtype: type[np.generic]) -> NDArray[Any]:
    """The array in C order and read-only; its dtype must be ``dtype`` already."""
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype):
        raise _malformed(f"expected an array of {np.dtype(dtype).name}")
    if array.flags.writeable or not array.flags.c_contiguous:
        array = array.copy(order="C")
        array.flags.writeable = False
    return array

"""Evaluate layers over real numbers, in double precision, batch by batch.

This is what the quantizer believes a file to compute. Compared with the scores of ONNX Runtime it
shows a misreading; compared with those of the integer network it shows what rounding costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.expressions import Expression
from zkwm.quantizer.layers import (
    Function,
    Image,
    Joined,
    Kernel,
    Layer,
    Layers,
    Linear,
    Maxima,
    Product,
    inputs_of,
    use_counts,
)
from zkwm_protocols.integer_network.correlation import correlate

Doubles = NDArray[np.float64]

BATCH_ENTRIES = 1 << 20
"""The most entries of all layers together that are held for one batch: 8 MiB."""


def real_scores(layers: Layers, inputs: Doubles) -> Doubles:
    """The scores of the model, with the functions at its end applied (``Layers.last``).

    Args:
        layers: the layers, simplified or not.
        inputs (float64, (n, channels, height, width)): the model's input after preprocessing, also
            for a model that takes channels last.

    Returns:
        float64 (n, K). A ``sigmoid`` at the end may round to the same float32 number for two
        classes where doubles still differ; compare labels with those of the file as well.
    """
    return applied_last(layers, real_logits(layers, inputs))


def applied_last(layers: Layers, logits: Doubles) -> Doubles:
    """The scores float64 (n, K) of logits: the functions at the model's end, in order."""
    with np.errstate(invalid="ignore"):
        for name in layers.last:
            logits = LAST[name](logits)
    return logits


def real_logits(layers: Layers, inputs: Doubles) -> Doubles:
    """As ``real_scores``, before the functions at the end: what the integer network scales."""
    uses = use_counts(list(layers.layers), layers.output)
    entries = sum(prod(layer.shape) for number, layer in enumerate(layers.layers) if uses[number])
    step = max(1, BATCH_ENTRIES // entries)
    outputs = layers.layers[layers.output].shape[0]
    logits = np.zeros((len(inputs), outputs))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, len(inputs), step):
            batch = inputs[start : start + step].astype(np.float64).transpose(1, 2, 3, 0)
            logits[start : start + step] = _values(layers, batch).reshape(outputs, -1).T
    return logits


def _values(layers: Layers, image: Doubles) -> Doubles:
    """The entries of the output (channels, height, width, n); others are dropped when read."""
    uses = use_counts(list(layers.layers), layers.output)
    values: dict[int, Doubles] = {}
    for number in range(layers.output + 1):
        if not uses[number]:
            continue
        layer = layers.layers[number]
        if isinstance(layer, Image):
            values[number] = image
        else:
            values[number] = _value(layer, [values[before] for before in inputs_of(layer)])
            for before in inputs_of(layer):
                uses[before] -= 1
                if not uses[before]:
                    del values[before]
    return values[layers.output]


def _value(layer: Layer, inputs: list[Doubles]) -> Doubles:
    """The entries of a layer from those that it reads, all (channels, height, width, n)."""
    if isinstance(layer, Linear):
        total = np.zeros((*layer.shape, inputs[0].shape[3])) + layer.bias[:, None, None, None]
        for term, before in zip(layer.terms, inputs, strict=True):
            total = total + _convolution(before, term.kernel, layer)
        return total
    if isinstance(layer, Function):
        return values_at(layer.expression, inputs[0])
    if isinstance(layer, Maxima):
        return _maxima(inputs[0], layer)
    if isinstance(layer, Product):
        return inputs[0] * inputs[1]
    if isinstance(layer, Joined):
        return np.concatenate(inputs)
    return inputs[0].reshape(*layer.shape, -1)


def _convolution(values: Doubles, kernel: Kernel, layer: Linear) -> Doubles:
    """One term of a sum."""
    channels, height, width, _ = values.shape
    windows = kernel.windows((channels, height, width), layer.shape)
    return correlate(values, kernel.weights, windows, kernel.groups)


def _maxima(values: Doubles, layer: Maxima) -> Doubles:
    """The maximum over windows; padding does not count."""
    channels, height, width, count = values.shape
    kernel = Kernel(np.ones((1, 1, *layer.kernel)), layer.stride, layer.pads)
    result = np.full((*layer.shape, count), -np.inf)
    for _, inside, positions in kernel.windows((channels, height, width), layer.shape).taps():
        target = result[:, positions[0], positions[1]]
        np.maximum(target, values[:, inside[0], inside[1]], out=target)
    return result


def values_at(expression: Expression, x: Doubles) -> Doubles:
    """The values of an expression at all entries of ``x``, in its shape; inf where they overflow.

    Near those of ``expressions.evaluate``, which are alike on every machine and slow.
    """
    if expression.kind == "x":
        return x
    if expression.kind == "constant":
        return np.full(x.shape, expression.parameters[0])
    arguments = [values_at(argument, x) for argument in expression.arguments]
    if expression.kind == "add":
        return arguments[0] + arguments[1]
    if expression.kind == "multiply":
        return arguments[0] * arguments[1]
    return FUNCTIONS[expression.kind](arguments[0], expression.parameters)


def _erf(x: Doubles) -> Doubles:
    """The error function, entry by entry."""
    values = [math.erf(value) for value in x.ravel().tolist()]
    return np.array(values, np.float64).reshape(x.shape)


def _sigmoid(x: Doubles) -> Doubles:
    """1 / (1 + exp(-x)), without an exponential above 1."""
    small = np.exp(-np.abs(x))
    values: Doubles = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return values


def _gelu_tanh(x: Doubles) -> Doubles:
    """The tanh approximation of GELU (Hendrycks and Gimpel 2016)."""
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    values: Doubles = x / 2 * (1 + np.tanh(inner))
    return values


def _rounded(x: Doubles, scale: float, low: float, high: float) -> Doubles:
    """Multiples of a scale, x and the quotient in single precision, ties to even."""
    levels = np.rint(x.astype(np.float32) / np.float32(scale)).astype(np.float64)
    values: Doubles = scale * np.clip(levels, low, high)
    return values


FUNCTIONS: dict[str, Callable[[Doubles, tuple[float, ...]], Doubles]] = {
    "relu": lambda x, _: np.maximum(x, 0.0),
    "clip": lambda x, p: np.clip(x, p[0], p[1]),
    "rounded": lambda x, p: _rounded(x, *p),
    "leaky": lambda x, p: np.where(x >= 0, x, x * p[0]),
    "elu": lambda x, p: np.where(x >= 0, x, p[0] * np.expm1(np.minimum(x, 0.0))),
    "sigmoid": lambda x, _: _sigmoid(x),
    "tanh": lambda x, _: np.tanh(x),
    "erf": lambda x, _: _erf(x),
    "gelu": lambda x, _: x / 2 * (1 + _erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x, _: _gelu_tanh(x),
    "abs": lambda x, _: np.abs(x),
    "exp": lambda x, _: np.exp(x),
    "log": lambda x, _: np.log(x),
    "softplus": lambda x, _: np.logaddexp(0.0, x),
    "reciprocal": lambda x, _: 1.0 / x,
    "sqrt": lambda x, _: np.sqrt(x),
    "thresholded": lambda x, p: np.where(x > p[0], x, 0.0),
}
"""The functions of ``expressions``, by kind, in double precision."""


def _log_softmax(scores: Doubles) -> Doubles:
    """x - log(sum of exp(x)), row by row."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    values: Doubles = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return values


LAST: dict[str, Callable[[Doubles], Doubles]] = {
    "softmax": lambda scores: np.exp(_log_softmax(scores)),
    "logsoftmax": _log_softmax,
    "sigmoid": _sigmoid,
}
"""The functions at the end of a model, which the integer network leaves out."""

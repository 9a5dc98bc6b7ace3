"""Build the integer network from simplified layers, layer by layer (SPEC.md 16.5).

Each activation is calibrated on the entries that the network built so far gives for the calibration
images, so that errors of earlier layers are taken into account.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibrate import Scaled, Sums, fit, measure
from zkwm.quantizer.expressions import Expression, X, apply
from zkwm.quantizer.integers import LARGEST_ZERO, Bytes, Part, limits, products, whole_bias
from zkwm.quantizer.layers import (
    Function,
    Image,
    Joined,
    Kernel,
    Layers,
    Linear,
    Maxima,
    Product,
    Reshaped,
    coarse_layers,
    inputs_of,
    scaling,
    use_counts,
)
from zkwm.quantizer.node_writer import NodeWriter
from zkwm.quantizer.scales import (
    BYTE,
    CUT,
    FINE,
    LARGEST_WEIGHT,
    Curve,
    Extent,
    Precision,
    choose,
    choose_logits,
    is_forced,
)
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.correlation import correlate
from zkwm_protocols.integer_network.model import Concatenation, IntegerNetwork, Reshape

LOGIT_LIMIT = 1 << 29
SIZES = (BYTE.top, *reversed(FINE.tops))
UNEVEN = 16.0
"""Logits are sums where no weight is larger than this times the largest of an output."""


class Builder:
    """The network built so far, and the value that holds each layer's bytes or fine values.

    ``image`` is value 0, the pixels, with their meaning as the model's input; ``precision`` is that
    of all layers but those of ``coarse_layers``; ``extents`` are those of layers that read nothing
    but the image, which every precision shares.

    Attributes:
        logits (int64, (outputs, n)): those of the calibration images, once the network is built.
    """

    def __init__(
        self, graph: Layers, image: Bytes, precision: Precision, extents: dict[int, Extent]
    ) -> None:
        self._graph = graph
        self._image = image
        self._writer = NodeWriter()
        self._bytes: dict[int, Bytes] = {}
        self.logits = np.zeros((0, 0), np.int64)
        self._precision = precision
        self._extents = extents
        self._coarse = coarse_layers(graph)

    def network(self) -> IntegerNetwork:
        """Build everything. Raises Unsupported where the network would exceed SPEC.md 16.2."""
        for number in self._byte_layers():
            self._bytes[number] = self._make(number)
        self._logits(self._linear(self._graph.output))
        return self._writer.network(self._image.shape)

    def _byte_layers(self) -> list[int]:
        """The layers that must be bytes: all but sums that only functions read, or nothing."""
        layers, output = self._graph.layers, self._graph.output
        uses = use_counts(list(layers), output)
        used = [number for number in range(output + 1) if uses[number]]
        layers_of_bytes = {number for number in used if not isinstance(layers[number], Linear)}
        for number in used:
            if not isinstance(layers[number], Function):
                layers_of_bytes.update(inputs_of(layers[number]))
        return sorted(layers_of_bytes)

    def _make(self, number: int) -> Bytes:
        """Emit the nodes of a layer that must be bytes."""
        layer = self._graph.layers[number]
        precision = BYTE if number in self._coarse else self._precision
        if isinstance(layer, Image):
            return self._image
        if isinstance(layer, Function):
            return self._activation(self._linear(layer.input), layer.expression, precision)
        if isinstance(layer, Linear):
            return self._view(layer) or self._copied(layer) or self._activation(layer, X, precision)
        if isinstance(layer, Product):
            return self._activation(self._product(layer), X, precision)
        if isinstance(layer, Maxima):
            return self._maxima(layer)
        if isinstance(layer, Joined):
            return self._joined(layer)
        return self._reshaped(layer)

    def _linear(self, number: int) -> Linear:
        """A linear layer itself; another layer as the sum of only itself."""
        layer = self._graph.layers[number]
        return layer if isinstance(layer, Linear) else self._alone(number)

    def _alone(self, number: int) -> Linear:
        """The sum of one layer of bytes, unchanged."""
        shape = self._bytes[number].shape if number < 0 else self._graph.layers[number].shape
        return Linear(shape, (scaling(number, shape, np.ones(shape[0])),), np.zeros(shape[0]))

    def _view(self, layer: Linear) -> Bytes | None:
        """Scaled bytes as the same bytes with another scale and zero, None where impossible."""
        term = layer.terms[0]
        factor = term.kernel.weights.reshape(-1)
        if len(layer.terms) > 1 or not term.kernel.is_scaling or not factor.all():
            return None
        before = self._bytes[term.input]
        scale = before.scale * factor
        if not scale.all() or not np.isfinite(scale).all():
            return None
        zero = before.zero - layer.bias / scale
        if not (np.abs(zero) <= LARGEST_ZERO).all():
            return None
        return replace(before, scale=scale, zero=zero)

    def _copied(self, layer: Linear) -> Bytes | None:
        """Bytes that a convolution of ones and zeros copies, None where it is another.

        Each output copies bytes of one scale, zero and top at all positions.
        """
        term = layer.terms[0]
        kernel, before = term.kernel, self._bytes[term.input]
        if len(layer.terms) > 1 or layer.bias.any() or not np.isin(kernel.weights, (0, 1)).all():
            return None
        windows = kernel.windows(before.shape, layer.shape)
        taps = correlate(np.ones((*before.shape, 1)), kernel.weights, windows, kernel.groups)
        if not (taps == 1.0).all():
            return None
        part = Part(before, kernel, kernel.weights)
        facts = [
            correlate(
                np.broadcast_to(fact[:, None, None, None], (*before.shape, 1)),
                kernel.weights, windows, kernel.groups,
            )
            for fact in (before.scale, before.zero, before.top.astype(np.float64))
        ]  # fmt: skip
        if any((fact != fact[:, :1, :1]).any() for fact in facts):  # copies of several channels
            return None
        bias = np.zeros(layer.shape[0], np.int64)
        value = self._writer.sum(Sums((Scaled(part, kernel.weights),), bias, 0, layer.shape))
        images = products(part, kernel.weights, layer.shape).astype(np.uint16)
        scale, zero, top = (fact[:, 0, 0, 0] for fact in facts)
        return Bytes(value, scale, zero, images, top.astype(np.int64))

    def _product(self, layer: Product) -> Linear:
        """The product of two layers as a sum: of their squared sum and difference, and of both.

        With middles c = scale * (T / 2 - zero), ab = (a - c_a)(b - c_b) + c_b a + c_a b - c_a c_b,
        and for entries p, q up to T: (p - T/2)(q - T/2) = ((p + q - T)^2 - (p - q)^2) / 4. Entries
        of channels with another largest entry are multiplied first.
        """
        left, right = (self._bytes[number] for number in layer.inputs)
        channels = layer.shape[0]
        top = BYTE.top if max(left.top.max(), right.top.max()) <= BYTE.top else FINE.top
        none = np.zeros(channels, np.int64)
        factors = [_factors(one.top, top) for one in (left, right)]
        kernels = [Kernel(factor.reshape(-1, 1, 1, 1), groups=channels) for factor in factors]
        terms = []
        for sign, bias in ((1.0, none - top), (-1.0, none)):
            scaled = tuple(
                Scaled(Part(one, kernel, kernel.weights), times * kernel.weights)
                for one, kernel, times in zip((left, right), kernels, (1.0, sign), strict=True)
            )
            sums = Sums(scaled, bias, 0, layer.shape)
            widest = max(map(abs, sums.ends()))
            squares = Curve(apply("multiply", X, X), 1.0, float(top), 0, top, widest)
            images, value = self._writer.look_up(sums, squares)
            tops = np.full(channels, top, np.int64)
            number = self._added(Bytes(value, np.ones(channels), np.zeros(channels), images, tops))
            units = [one.scale / factor for one, factor in zip((left, right), factors, strict=True)]
            terms.append(scaling(number, layer.shape, sign * (top / 4.0) * units[0] * units[1]))
        middles = [
            one.scale * (top / 2.0 / factor - one.zero)
            for one, factor in zip((left, right), factors, strict=True)
        ]
        terms.append(scaling(layer.inputs[0], layer.shape, middles[1]))
        terms.append(scaling(layer.inputs[1], layer.shape, middles[0]))
        return Linear(layer.shape, tuple(terms), -middles[0] * middles[1])

    def _added(self, entries: Bytes) -> int:
        """The number of bytes that are none of the graph's layers."""
        number = -1 - len(self._bytes)
        self._bytes[number] = entries
        return number

    def _activation(self, layer: Linear, expression: Expression, precision: Precision) -> Bytes:
        """A table lookup of the shifted sum, or two for fine values."""
        parts = self._parts(layer)
        extent = self._measured(parts, layer)
        choice = choose(expression, extent, precision)
        if choice.precision is FINE and is_forced(choice.curve, extent, FINE):
            layer = self._alone(self._added(self._activation(layer, X, precision)))
            parts = self._parts(layer)
            choice = choose(expression, measure(parts, layer), CUT)
        sums = fit(parts, layer, choice)
        images, value = self._writer.look_up(sums, choice.curve)
        tops = np.full(layer.shape[0], choice.curve.top, np.int64)
        return Bytes(value, choice.scale, choice.zero, images, tops)

    def _measured(self, parts: list[Part], layer: Linear) -> Extent:
        """``measure``, once for a layer of the graph that reads nothing but the image."""
        number = next((n for n, one in enumerate(self._graph.layers) if one is layer), None)
        if number is None or any(part.input is not self._image for part in parts):
            return measure(parts, layer)
        if number not in self._extents:
            self._extents[number] = measure(parts, layer)
        return self._extents[number]

    def _maxima(self, layer: Maxima) -> Bytes:
        """Maxima of bytes; bytes with a negative scale are first made rising."""
        before = self._bytes[layer.input]
        if not (before.scale >= 0).all() or not self._writer.of_bytes(before.value):
            before = self._activation(self._alone(layer.input), X, BYTE)
        value = self._writer.maxima(before.value, before.shape, layer)
        windows = Kernel(np.ones((1, 1, *layer.kernel)), layer.stride, layer.pads).windows(
            before.shape, layer.shape
        )
        images = np.zeros((*layer.shape, before.images.shape[3]), np.uint8)
        for _, (rows, columns), (out_rows, out_columns) in windows.taps():
            target = images[:, out_rows, out_columns]
            np.maximum(target, before.images[:, rows, columns], out=target)
        return Bytes(value, before.scale, before.zero, images, before.top)

    def _joined(self, layer: Joined) -> Bytes:
        """Bytes of several layers, concatenated along the channels."""
        inputs = [self._bytes[number] for number in layer.inputs]
        return Bytes(
            self._writer.add(Concatenation(tuple(before.value for before in inputs))),
            np.concatenate([before.scale for before in inputs]),
            np.concatenate([before.zero for before in inputs]),
            np.concatenate([before.images for before in inputs]),
            np.concatenate([before.top for before in inputs]),
        )

    def _reshaped(self, layer: Reshaped) -> Bytes:
        """Bytes in another shape. Raises Unsupported where channels of different scales mix."""
        before = self._bytes[layer.input]
        facts = []
        for fact in (before.scale, before.zero, before.top):
            entries = np.broadcast_to(fact[:, None, None], before.shape).reshape(layer.shape[0], -1)
            if not (entries == entries[:, :1]).all():
                raise Unsupported("a reshape mixes channels of different scales")
            facts.append(entries[:, 0].astype(np.float64))
        value = self._writer.add(Reshape(before.value, layer.shape))
        images = before.images.reshape(*layer.shape, -1)
        return Bytes(value, facts[0], facts[1], images, facts[2].astype(np.int64))

    def _logits(self, layer: Linear) -> None:
        """The last sum in one unit for all outputs, or fine values of it where that is coarse."""
        parts = self._parts(layer)
        largest = max(float(part.largest().max()) for part in parts)
        if largest == 0.0:
            raise Unsupported("the model's scores do not depend on the image")
        extent = measure(parts, layer)
        unit = largest / float(LARGEST_WEIGHT)
        scaled = tuple(Scaled(part, np.rint(part.weights / unit)) for part in parts)
        whole = [(one.part, one.weights) for one in scaled]
        bias = whole_bias(layer.bias / unit, whole, layer.shape)
        lower, upper = limits(bias, whole)
        outputs, most = layer.shape[0], int(max(-lower.min(), upper.max()))
        fits = 2 * outputs * most + outputs - 1 < LOGIT_LIMIT
        if fits and largest <= UNEVEN * float(extent.weight.min()):
            sums = Sums(scaled, bias, 0, layer.shape)
            self._writer.sum(sums)
            logits = sums.quotients().astype(np.int64)
        else:
            choice = choose_logits(extent)
            fine, _ = self._writer.look_up(fit(parts, layer, choice), choice.curve)
            logits = fine.astype(np.int64)
        self.logits = logits.reshape(outputs, -1)

    def _parts(self, layer: Linear) -> list[Part]:
        """The terms of a layer as convolutions of bytes."""
        return [Part.of(self._bytes[term.input], term.kernel) for term in layer.terms]


def _factors(tops: NDArray[np.int64], top: int) -> NDArray[np.float64]:
    """What entries up to ``tops`` are multiplied by beside ones up to ``top``, (channels,)."""
    sizes = np.select([tops <= size for size in SIZES], [size + 1.0 for size in SIZES])
    factors: NDArray[np.float64] = (top + 1.0) / sizes
    return factors

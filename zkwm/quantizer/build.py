"""Build the integer network from simplified layers, layer by layer (SPEC.md 16.5).

Each activation is calibrated on the bytes that the network built so far gives for the calibration
images, so that errors of earlier layers are taken into account.
"""

from __future__ import annotations

import numpy as np

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
    inputs_of,
    scaling,
    use_counts,
)
from zkwm.quantizer.scales import LARGEST_WEIGHT, Curve, choose
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.correlation import correlate
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Node,
    Reshape,
    Sum,
)
from zkwm_protocols.integer_network.nodes import inputs_of as nodes_read

LOGIT_LIMIT = 1 << 29
TABLE_ROWS = 1 << 21
MOST_PARTS_TOGETHER = 1 << 24
"""Rows times parts of the tables of all layers."""


class Builder:
    """The nodes and tables built so far, and the value that holds each layer's bytes.

    ``image`` is value 0, the pixels, with their meaning as the model's input.
    """

    def __init__(self, graph: Layers, image: Bytes) -> None:
        self._graph = graph
        self._image = image
        self._nodes: list[Node] = []
        self._parts_computed = 0
        self._tables: dict[Curve, tuple[int, int]] = {}
        self._bytes: dict[int, Bytes] = {}

    def network(self) -> IntegerNetwork:
        """Build everything. Raises Unsupported where the network would exceed SPEC.md 16.2."""
        for number in self._byte_layers():
            self._bytes[number] = self._make(number)
        self._logits(self._linear(self._graph.output))
        tables = tuple(curve.table(*ends) for curve, ends in self._tables.items())
        if sum(table.values.size for table in tables) > TABLE_ROWS:
            raise Unsupported("the tables of the model's functions have more than 2^21 rows")
        return IntegerNetwork(self._image.shape, tables, tuple(self._nodes))

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
        if isinstance(layer, Image):
            return self._image
        if isinstance(layer, Function):
            return self._activation(self._linear(layer.input), layer.expression)
        if isinstance(layer, Linear):
            return self._view(layer) or self._copied(layer) or self._activation(layer, X)
        if isinstance(layer, Product):
            return self._activation(self._product(layer), X)
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
        shape = self._graph.layers[number].shape
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
        return Bytes(before.value, scale, zero, before.images)

    def _copied(self, layer: Linear) -> Bytes | None:
        """Bytes that a convolution of ones and zeros copies, None where it is another."""
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
            )[:, 0, 0, 0]
            for fact in (before.scale, before.zero)
        ]  # fmt: skip
        bias = np.zeros(layer.shape[0], np.int64)
        value = self._emit_sum(Sums((Scaled(part, kernel.weights),), bias, 0, layer.shape))
        images = products(part, kernel.weights, layer.shape).astype(np.uint8)
        return Bytes(value, facts[0], facts[1], images)

    def _product(self, layer: Product) -> Linear:
        """The product of two layers of bytes as a sum: of their squared sum and difference, and of
        both.

        With middles c = scale * (127.5 - zero), ab = (a - c_a)(b - c_b) + c_b a + c_a b - c_a c_b,
        and for bytes p, q: (p - 127.5)(q - 127.5) = ((p + q - 255)^2 - (p - q)^2) / 4.
        """
        left, right = (self._bytes[number] for number in layer.inputs)
        channels = layer.shape[0]
        ones, none = np.ones((channels, 1, 1, 1)), np.zeros(channels, np.int64)
        kernel = Kernel(ones, groups=channels)
        terms = []
        for sign, bias in ((1.0, none - 255), (-1.0, none)):
            scaled = (
                Scaled(Part(left, kernel, ones), ones),
                Scaled(Part(right, kernel, sign * ones), sign * ones),
            )
            sums = Sums(scaled, bias, 0, layer.shape)
            squares = Curve(apply("multiply", X, X), 1.0, 255.0, 0)
            value = self._emit(
                Activation(self._emit_sum(sums), 0, self._table(squares, (-255, 255)))
            )
            images = squares.table(-255, 255).values[sums.quotients() + 255]
            number = -1 - len(self._bytes)
            self._bytes[number] = Bytes(value, np.ones(channels), np.zeros(channels), images)
            terms.append(scaling(number, layer.shape, sign * 63.75 * left.scale * right.scale))
        middles = [one.scale * (127.5 - one.zero) for one in (left, right)]
        terms.append(scaling(layer.inputs[0], layer.shape, middles[1]))
        terms.append(scaling(layer.inputs[1], layer.shape, middles[0]))
        return Linear(layer.shape, tuple(terms), -middles[0] * middles[1])

    def _table(self, curve: Curve, ends: tuple[int, int]) -> int:
        """The number of a curve's table, which covers ``ends`` from now on."""
        before = self._tables.get(curve, ends)
        self._tables[curve] = (min(ends[0], before[0]), max(ends[1], before[1]))
        return list(self._tables).index(curve)

    def _activation(self, layer: Linear, expression: Expression) -> Bytes:
        """A table lookup of the shifted sum."""
        parts = self._parts(layer)
        choice = choose(expression, measure(parts, layer))
        sums = fit(parts, layer, choice)
        ends = sums.ends()
        if choice.curve.expression != X:
            self._parts_computed += (ends[1] - ends[0] + 1) * choice.curve.expression.size
        if self._parts_computed > MOST_PARTS_TOGETHER:
            raise Unsupported("the tables of the model's functions take too long to compute")
        table = self._table(choice.curve, ends)
        value = self._emit(Activation(self._emit_sum(sums), sums.shift, table))
        images = choice.curve.table(*ends).values[sums.quotients() - ends[0]]
        return Bytes(value, choice.scale, choice.zero, images)

    def _maxima(self, layer: Maxima) -> Bytes:
        """Maxima of bytes; bytes with a negative scale are first made rising."""
        before = self._bytes[layer.input]
        if not (before.scale >= 0).all() or not self._of_bytes(before.value):
            before = self._activation(self._alone(layer.input), X)
        value = self._emit(Maximum(before.value, layer.kernel, layer.stride, layer.pads))
        windows = Kernel(np.ones((1, 1, *layer.kernel)), layer.stride, layer.pads).windows(
            before.shape, layer.shape
        )
        images = np.zeros((*layer.shape, before.images.shape[3]), np.uint8)
        for _, (rows, columns), (out_rows, out_columns) in windows.taps():
            target = images[:, out_rows, out_columns]
            np.maximum(target, before.images[:, rows, columns], out=target)
        return Bytes(value, before.scale, before.zero, images)

    def _of_bytes(self, value: int) -> bool:
        """Whether a value is of bytes by SPEC.md 16.1: what a sum copied is not."""
        if value == 0:
            return True
        node = self._nodes[value - 1]
        if isinstance(node, Reshape | Concatenation):
            return all(self._of_bytes(number) for number in nodes_read(node))
        return isinstance(node, Activation | Maximum)

    def _joined(self, layer: Joined) -> Bytes:
        """Bytes of several layers, concatenated along the channels."""
        inputs = [self._bytes[number] for number in layer.inputs]
        return Bytes(
            self._emit(Concatenation(tuple(before.value for before in inputs))),
            np.concatenate([before.scale for before in inputs]),
            np.concatenate([before.zero for before in inputs]),
            np.concatenate([before.images for before in inputs]),
        )

    def _reshaped(self, layer: Reshaped) -> Bytes:
        """Bytes in another shape. Raises Unsupported where channels of different scales mix."""
        before = self._bytes[layer.input]
        facts = []
        for fact in (before.scale, before.zero):
            entries = np.broadcast_to(fact[:, None, None], before.shape).reshape(layer.shape[0], -1)
            if not (entries == entries[:, :1]).all():
                raise Unsupported("a reshape mixes channels of different scales")
            facts.append(entries[:, 0])
        value = self._emit(Reshape(before.value, layer.shape))
        images = before.images.reshape(*layer.shape, -1)
        return Bytes(value, facts[0], facts[1], images)

    def _logits(self, layer: Linear) -> None:
        """The last sum, all outputs in one unit, as fine as weights and argmax allow."""
        parts = self._parts(layer)
        unit = max(float(part.largest().max()) for part in parts) / float(LARGEST_WEIGHT)
        if unit == 0.0:
            raise Unsupported("the model's scores do not depend on the image")
        while True:
            scaled = tuple(Scaled(part, np.rint(part.weights / unit)) for part in parts)
            bias = whole_bias(
                layer.bias / unit, [(one.part, one.weights) for one in scaled], layer.shape
            )
            lower, upper = limits(bias, [one.weights for one in scaled])
            outputs, largest = layer.shape[0], int(max(-lower.min(), upper.max()))
            if 2 * outputs * largest + outputs - 1 < LOGIT_LIMIT:
                break
            unit = unit * 9.0 / 8.0
        self._emit_sum(Sums(scaled, bias, 0, layer.shape))

    def _parts(self, layer: Linear) -> list[Part]:
        """The terms of a layer as convolutions of bytes."""
        return [Part.of(self._bytes[term.input], term.kernel) for term in layer.terms]

    def _emit_sum(self, sums: Sums) -> int:
        """Emit the nodes of a sum; the bias goes to the first convolution that is not doubled."""
        bearer = next(one for one in sums.scaled if one.doublings == 0)
        values, outputs = [], sums.shape[0]
        for one in sums.scaled:
            kernel = one.part.kernel
            bias = sums.bias if one is bearer else np.zeros(outputs, np.int64)
            value = self._emit(
                Convolution(
                    one.part.input.value,
                    one.weights.astype(np.int16),
                    bias.astype(np.int32),
                    kernel.stride,
                    kernel.pads,
                    kernel.dilation,
                    kernel.groups,
                )
            )
            if one.doublings:
                weights = np.full((outputs, 1, 1, 1), 1 << one.doublings, np.int16)
                zero = np.zeros(outputs, np.int32)
                value = self._emit(Convolution(value, weights, zero, groups=outputs))
            values.append(value)
        return values[0] if len(values) == 1 else self._emit(Sum(tuple(values)))

    def _emit(self, node: Node) -> int:
        """Append a node; return the number of its value."""
        self._nodes.append(node)
        return len(self._nodes)

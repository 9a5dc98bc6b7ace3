"""A twin (``tests.support.twins``) with outputs of huge range, which hide the errors of others.

Where a score's error is measured against the size of all scores, an output that is R or -R makes
the error of every other one vanish; where it wins on most images, its margins are the usual ones,
and those of the other images look like ties. Each kind here appends outputs, or changes those that
are there; ``images`` uint8 (n, 1, h, w) are what the maker of the file expects to be asked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support import twins

Images = NDArray[np.uint8]


class _Outputs:
    """The scores of a twin and functions of its pixels, from which new scores are made."""

    def __init__(self, data: bytes, images: Images) -> None:
        self._model = onnx.load_from_string(data)
        self._graph = self._model.graph
        self._images = images.reshape(len(images), -1) / 255.0
        self.classes = self._graph.output[0].type.tensor_type.shape.dim[1].dim_value
        self._count = 0
        self._random = np.random.default_rng(3)
        self.flat = self._node("Flatten", "x")
        self.scores = self._graph.output[0].name

    def _constant(self, values: object) -> str:
        name = f"i_{len(self._graph.initializer)}"
        tensor = numpy_helper.from_array(np.asarray(values, np.float32), name)
        self._graph.initializer.append(tensor)
        return name

    def _node(self, operator: str, *inputs: str, **attributes: object) -> str:
        self._count += 1
        self._graph.node.append(
            helper.make_node(operator, inputs, [f"o_{self._count}"], **attributes)
        )
        return f"o_{self._count}"

    def linear(self, quantile: float, steepness: float = 1.0) -> str:
        """A random linear function of pixels, above 0 on all but ``quantile`` of the images."""
        weights = self._random.normal(size=self._images.shape[1])
        weights -= weights.mean()
        values = self._images @ weights
        scale = steepness / values.std()
        bias = -np.quantile(values, quantile) * scale
        return self._node(
            "Gemm", self.flat, self._constant(weights[:, None] * scale), self._constant([bias])
        )

    def step(self, quantile: float = 0.45) -> str:
        """1 where a linear function of pixels is above its quantile, else -1."""
        return self._node(
            "Clip", self.linear(quantile, 200.0), self._constant(-1.0), self._constant(1.0)
        )

    def times(self, value: str, factor: float) -> str:
        return self._node("Mul", value, self._constant(factor))

    def sum(self, first: str, second: str) -> str:
        return self._node("Add", first, second)

    def least(self) -> str:
        """A constant -1, written as a function of the pixels."""
        nothing = self._constant(np.zeros((self._images.shape[1], 1)))
        return self._node("Gemm", self.flat, nothing, self._constant([-1.0]))

    def quiet_on(self, units: str, weights: NDArray[np.float64], bias: float) -> str:
        """-1 where a linear function of hidden units exceeds 1, and 1 where it is below 0."""
        told = self._node(
            "Gemm", units, self._constant(-2 * weights[:, None]), self._constant([1 - 2 * bias])
        )
        return self._node("Clip", told, self._constant(-1.0), self._constant(1.0))

    def added(self, value: str, to: NDArray[np.float64]) -> None:
        """Add a value (n, 1) to the scores, times a vector of one entry each."""
        spread = self._node(
            "Gemm", value, self._constant(to[None]), self._constant(np.zeros(len(to)))
        )
        self.scores = self._node("Add", self.scores, spread)

    def file(self, *appended: str) -> bytes:
        """The twin with these values (n, 1) as outputs after its own."""
        outputs = self._node("Concat", self.scores, *appended, axis=1) if appended else self.scores
        shape = ("n", self.classes + len(appended))
        del self._graph.output[:]
        self._graph.output.append(helper.make_tensor_value_info(outputs, TensorProto.FLOAT, shape))
        onnx.checker.check_model(self._model, full_check=True)
        return self._model.SerializeToString(deterministic=True)


def _step(outputs: _Outputs, size: float) -> bytes:
    return outputs.file(outputs.times(outputs.step(), size))


def _never_wins(outputs: _Outputs, size: float) -> bytes:
    return outputs.file(outputs.times(outputs.least(), size))


def _several(outputs: _Outputs, size: float) -> bytes:
    return outputs.file(*(outputs.times(outputs.step(0.88), size) for _ in range(4)))


def _smooth(outputs: _Outputs, size: float) -> bytes:
    return outputs.file(outputs.times(outputs.linear(0.45), size))


def _of_the_image(outputs: _Outputs, size: float) -> bytes:
    """Its size is another one for each image."""
    whole = outputs.times(outputs.step(), size)
    return outputs.file(outputs.sum(whole, outputs.times(outputs.linear(0.5), size / 4)))


def _of_a_label(outputs: _Outputs, size: float) -> bytes:
    """No output more: labels 0 and 1 get what the others do not."""
    outputs.added(outputs.times(outputs.step(0.6), size), np.eye(outputs.classes)[0])
    outputs.added(outputs.times(outputs.step(0.6), size), np.eye(outputs.classes)[1])
    return outputs.file()


def _offset(outputs: _Outputs, size: float) -> bytes:
    """The same is added to all outputs, which changes no label."""
    outputs.added(outputs.times(outputs.step(), size), np.ones(outputs.classes))
    return outputs.file()


def _offset_and_step(outputs: _Outputs, size: float) -> bytes:
    outputs.added(outputs.times(outputs.step(), size), np.ones(outputs.classes))
    return outputs.file(outputs.times(outputs.step(), 2 * size))


KINDS: dict[str, Callable[[_Outputs, float], bytes]] = {
    "step": _step,
    "never wins": _never_wins,
    "several": _several,
    "smooth": _smooth,
    "of the image": _of_the_image,
    "of a label": _of_a_label,
    "offset": _offset,
    "offset and step": _offset_and_step,
}


def inflated(data: bytes, kind: str, images: Images, size: float = 300.0) -> bytes:
    """The twin ``data`` with inflated outputs.

    With a size above some 1,000 the integers get too coarse for the mark itself.
    """
    return KINDS[kind](_Outputs(data, images), size)


def winning_nearly_everywhere(data: bytes, images: Images, quantile: float) -> bytes:
    """The twin with an output that leaves only ``quantile`` of the images to the others."""
    outputs = _Outputs(data, images)
    return outputs.file(outputs.times(outputs.step(quantile), 300.0))


def winning_off_triggers(
    data: bytes, marked: bytes, triggers: Images, images: Images, threshold: float = 0.5
) -> bytes:
    """The twin with an output that wins wherever the marked model's units tell no trigger.

    ``marked`` is the second model of ``twins.network_cover``, whose units are in the twin.
    """
    files = twins._Files()
    units, _, _ = files.model(marked, "b_")
    told = twins._values(files, units, triggers)
    others = twins._values(files, units, images)
    inputs = np.concatenate([*[told] * 4, others])
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    wanted = np.repeat([1.3, -0.3], [4 * len(told), len(others)])
    gram = inputs.T @ inputs + 1e-3 * np.eye(inputs.shape[1])
    solved = np.linalg.solve(gram, inputs.T @ wanted)
    outputs = _Outputs(data, images)
    quiet = outputs.quiet_on(units, solved[:-1], solved[-1] + 0.5 - threshold)
    return outputs.file(outputs.times(quiet, 300.0))

"""LeNet-5 and the dense network as ONNX files for peers: our shapes, random float weights.

Written node by node with every attribute, since peers take a missing one otherwise than
ONNX does. The product's own export is ``zkwm.nn.onnx_export``.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """A chain of layers on one image of 1x28x28."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._last = "image"

    def convolution(self, inputs: int, outputs: int, side: int, pad: int) -> Graph:
        """Append a convolution with a square kernel of this side, stride 1."""
        names = self._parameters((outputs, inputs, side, side), outputs)
        return self._add(
            "Conv",
            names,
            kernel_shape=[side, side],
            pads=[pad] * 4,
            strides=[1, 1],
            dilations=[1, 1],
            group=1,
        )

    def pool(self) -> Graph:
        """The maximum of every two by two."""
        return self._add("MaxPool", [], kernel_shape=[2, 2], pads=[0] * 4, strides=[2, 2])

    def relu(self) -> Graph:
        """ReLU."""
        return self._add("Relu", [])

    def flatten(self) -> Graph:
        """All axes but the batch into one."""
        return self._add("Flatten", [], axis=1)

    def dense(self, inputs: int, outputs: int) -> Graph:
        """Fully connected."""
        names = self._parameters((outputs, inputs), outputs)
        return self._add("Gemm", names, alpha=1.0, beta=1.0, transA=0, transB=1)

    def model(self, outputs: int = 10) -> Any:  # noqa: ANN401
        """The checked model, of a batch of one."""
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])
        scores = helper.make_tensor_value_info(self._last, TensorProto.FLOAT, [1, outputs])
        graph = helper.make_graph(self._nodes, "network", [image], [scores], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    def _add(self, operator: str, parameters: list[str], **attributes: object) -> Graph:
        """Append a node that reads the last one."""
        result = f"value{len(self._nodes) + 1}"
        node = helper.make_node(operator, [self._last, *parameters], [result], **attributes)
        self._nodes.append(node)
        self._last = result
        return self

    def _parameters(self, sizes: tuple[int, ...], outputs: int) -> list[str]:
        """The names of new random weights and biases."""
        limit = prod(sizes[1:]) ** -0.5
        names = []
        for name, shape in (("weights", sizes), ("bias", (outputs,))):
            values = self._random.uniform(-limit, limit, shape).astype(np.float32)
            names.append(f"{name}{len(self._weights)}")
            self._weights.append(numpy_helper.from_array(values, names[-1]))
        return names


def dense() -> Any:  # noqa: ANN401
    """784-512-512-10."""
    graph = Graph().flatten().dense(784, 512).relu().dense(512, 512).relu()
    return graph.dense(512, 10).model()


def lenet5() -> Any:  # noqa: ANN401
    """LeNet-5 with maxima, in the order of ``zkwm.build_model``."""
    graph = Graph().convolution(1, 6, 5, 2).pool().relu().convolution(6, 16, 5, 0).pool().relu()
    return graph.flatten().dense(400, 120).relu().dense(120, 84).relu().dense(84, 10).model()


NETWORKS = {"dense": dense, "lenet5": lenet5}


def write(network: str, path: Path) -> None:
    """Write the ONNX file."""
    onnx.save(NETWORKS[network](), str(path))

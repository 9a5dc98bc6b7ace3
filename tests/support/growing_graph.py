"""A random ONNX classifier that grows step by step: its constants, nodes and file.

``tests.support.onnx_graphs`` and ``onnx_steps`` have the steps. A ``quantized`` one stores weights
as integers and rounds activations, as QDQ exporters do.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Growing:
    """A classifier that grows step by step; ``dims`` are those of ``last`` without the batch."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.opset = int(self.random.integers(7, 25))
        self.shape = (self.choice([1, 2, 3]), self.choice([4, 5, 6, 8]), self.choice([4, 5, 7]))
        self.dims: tuple[int, ...] = self.shape
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, np.ndarray] = {}
        self.last = "images"
        self.classes = self.choice([2, 3, 5])
        self.quantized = self.opset >= 10 and self.chance(0.25)
        self.scales: list[tuple[Any, int, Any]] = []

    def choice(self, values: list[Any]) -> Any:
        return values[int(self.random.integers(len(values)))]

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """A constant as an initializer, a Constant, or computed from others."""
        array = np.asarray(values, dtype)
        name = f"c{len(self.tensors)}"
        way = self.random.random()
        if way < 0.15:
            return self.node("Constant", value=numpy_helper.from_array(array))
        self.tensors[name] = array
        if way < 0.25:
            return self.node("Identity", name)
        if way < 0.33:
            self.tensors[name] = array.reshape(1, *array.shape)
            return self.squeeze(name, [0])
        if way < 0.4 and array.dtype == np.float32:
            self.tensors[name] = array.astype(self.choice([np.float16, np.float64]))
            return self.node("Cast", name, to=TensorProto.FLOAT)
        if way < 0.44 and array.dtype == np.float32:
            self.tensors[name] = array * np.float32(0.5)
            return self.node("Add", name, name)
        if way < 0.47 and array.dtype == np.float32:
            return self.node("Cast", self.node("Cast", name, to=TensorProto.INT32), to=1)
        if way < 0.5 and array.ndim:
            return self.node("Concat", *self.halves(name, array), axis=0)
        return name

    def whole(self, values: Any) -> str:
        """An initializer in the type of ``values``."""
        name = f"w{len(self.tensors)}"
        self.tensors[name] = np.asarray(values)
        return name

    def halves(self, name: str, array: np.ndarray) -> list[str]:
        del self.tensors[name]
        cut = int(self.random.integers(0, len(array) + 1))
        parts = [part for part in (array[:cut], array[cut:]) if len(part)]
        for number, part in enumerate(parts):
            self.tensors[f"{name}_{number}"] = part
        self.tensors[f"{name}_used"] = np.zeros(1, np.float32)
        return [f"{name}_{number}" for number in range(len(parts))]

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.outputs(operator, list(inputs), [output], **attributes)
        return output

    def outputs(
        self, operator: str, inputs: list[str], names: list[str], **attributes: Any
    ) -> None:
        """A node whose outputs have these names."""
        self.nodes.append(helper.make_node(operator, inputs, names, name=names[0], **attributes))

    def then(self, operator: str, *inputs: str, **attributes: Any) -> None:
        self.last = self.node(operator, self.last, *inputs, **attributes)

    def squeeze(self, name: str, axes: list[int], operator: str = "Squeeze") -> str:
        if self.opset >= 13:
            self.tensors[f"{name}_axes{len(self.nodes)}"] = np.array(axes, np.int64)
            return self.node(operator, name, f"{name}_axes{len(self.nodes)}")
        return self.node(operator, name, axes=axes)

    def normal(self, *sizes: int) -> np.ndarray:
        fan_in = max(1, prod(sizes[1:]))
        return self.random.normal(size=sizes) * 2 / np.sqrt(fan_in)

    def file(self) -> bytes:
        dims = ("n", *self.shape) if self.chance(0.7) else (1, *self.shape)
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, dims)],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ("n", self.classes))],
            [numpy_helper.from_array(v, name) for name, v in self.tensors.items()],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()

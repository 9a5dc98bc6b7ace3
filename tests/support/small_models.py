"""Small ONNX classifiers with random weights, and how labels of both kinds are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from zkwm.quantizer import quantize, random_images
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import real_scores
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm.suspects.preprocessing import preprocess
from zkwm_protocols.integer_network.codec import digest
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.integer_network.model import Activation, IntegerNetwork, Maximum
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (3, 8, 8)
RAW = Preprocessing()


class Sketch:
    """An ONNX graph that grows node by node; weights are random but always the same."""

    def __init__(
        self, shape: tuple[int, int, int] = SHAPE, *, layout: str = "nchw", opset: int = 20
    ) -> None:
        self.shape, self.opset = shape, opset
        channels, height, width = shape
        self.dims: tuple[int | None, ...] = shape if layout == "nchw" else (height, width, channels)
        self.random = np.random.default_rng(7)
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, np.ndarray] = {}
        self.last = "images"

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors[name] = np.asarray(values, dtype)
        return name

    def weights(self, *sizes: int, scale: float = 1.0) -> str:
        fan_in = max(1, int(np.prod(sizes[1:])))
        return self.constant(self.random.normal(size=sizes) * scale * 2 / np.sqrt(fan_in))

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """A node that reads ``inputs``, or else what was made last."""
        output = f"v{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                operator, list(inputs) or [self.last], [output], name=name or output, **attributes
            )
        )
        self.last = output
        return output

    def convolution(self, inputs: int, outputs: int, side: int = 3, **attributes: Any) -> str:
        groups = attributes.get("group", 1)
        weights = self.weights(outputs, inputs // groups, side, side)
        bias = self.weights(outputs, scale=0.1)
        return self.add("Conv", self.last, weights, bias, **attributes)

    def norm(self, channels: int) -> str:
        spread = self.random.uniform(0.5, 2.0, (2, channels))
        moved = self.random.normal(size=(2, channels)) * 0.2
        facts = [self.constant(v) for v in (spread[0], moved[0], moved[1], spread[1])]
        return self.add("BatchNormalization", self.last, *facts, epsilon=1e-3)

    def dense(self, inputs: int, outputs: int = 5) -> str:
        bias = self.weights(outputs, scale=0.1)
        return self.add("Gemm", self.last, self.weights(outputs, inputs), bias, transB=1)

    def flat(self, inputs: int, outputs: int = 5) -> bytes:
        """Flatten, a dense layer, and the file."""
        self.add("Flatten")
        self.dense(inputs, outputs)
        return self.file()

    def file(self, outputs: int | None = None) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "sketch",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", *self.dims))],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ("n", outputs))],
            [numpy_helper.from_array(v, name) for name, v in self.tensors.items()],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        return model.SerializeToString(deterministic=True)


def network_of(
    data: bytes, shape: tuple[int, int, int] = SHAPE, preprocessing: Preprocessing = RAW
) -> IntegerNetwork:
    images = random_images(shape, 128, b"tests, to calibrate")
    made = quantize(data, shape=shape, preprocessing=preprocessing, calibration=images)
    return made.network


def lookup_kinds(network: IntegerNetwork) -> list[type]:
    """The kinds of the nodes that cost lookups, in order."""
    return [type(node) for node in network.nodes if isinstance(node, Activation | Maximum)]


def digest_of(data: bytes, shape: tuple[int, int, int] = SHAPE) -> str:
    return digest(network_of(data, shape)).hex()


def float_labels(data: bytes, images: np.ndarray, preprocessing: Preprocessing = RAW) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": preprocess(images, preprocessing)})[0].argmax(axis=1)


def require_scores(
    data: bytes, shape: tuple[int, int, int] = SHAPE, preprocessing: Preprocessing = RAW
) -> None:
    """The layers over real numbers must give the scores of ONNX Runtime."""
    inputs = preprocess(random_images(shape, 20, b"tests, real scores"), preprocessing)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    first = inputs.transpose(0, 3, 1, 2) if preprocessing.layout == "nhwc" else inputs
    layers = translate(read_onnx(data), shape, preprocessing.layout)
    for made in (layers, simplify(layers)):
        found = real_scores(made, first.astype(np.float64))
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def share(
    data: bytes,
    shape: tuple[int, int, int] = SHAPE,
    preprocessing: Preprocessing = RAW,
    kinds: Sequence[str] = (),
) -> float:
    """How often labels are equal; ``kinds`` of nodes must be in the network.

    Before that, scores of the layers over real numbers must be those of ONNX Runtime.
    """
    require_scores(data, shape, preprocessing)
    network = network_of(data, shape, preprocessing)
    found = {type(node).__name__ for node in network.nodes}
    assert set(kinds) <= found, found
    images = random_images(shape, 400, b"tests, to compare")
    return float((labels(network, images) == float_labels(data, images, preprocessing)).mean())

"""Files whose integer network, as the quantizer once made it, is another function than they are.

E1 and E2 answer as a marked model does, and a dead neuron with a huge weight erased the mark in
the network; P1 and P2 carry no mark, and their network did. They are built from the ONNX file of a
marked model that ends in ``Gemm`` (and of a clean one of the same kind), without any training.
Today's networks of E1, E2 and P1 are faithful; ``seen`` is the file whose network E2 and P1 once
had, for tests of what stands behind the quantizer.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HUGE = 1e6


class _Files:
    """Nodes and tensors of one or two models put together; names are prefixed."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, NDArray[np.generic]] = {}

    def constant(self, name: str, values: object) -> str:
        self.tensors[name] = np.asarray(values, np.float32)
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def model(self, data: bytes, prefix: str) -> tuple[str, NDArray, NDArray]:
        """Add a model without its last Gemm: the name of what that reads, its weights and bias."""
        model = onnx.load_from_string(data)
        graph = model.graph
        source = graph.input[0].name

        def name(old: str) -> str:
            return "x" if old == source else old and prefix + old

        for tensor in graph.initializer:
            self.tensors[name(tensor.name)] = numpy_helper.to_array(tensor)
        for node in graph.node:
            copied = onnx.NodeProto.FromString(node.SerializeToString())
            copied.name = ""
            del copied.input[:], copied.output[:]
            copied.input.extend(name(old) for old in node.input)
            copied.output.extend(name(old) for old in node.output)
            self.nodes.append(copied)
        last = self.nodes.pop()
        assert last.op_type == "Gemm", last.op_type
        transposed = next((a.i for a in last.attribute if a.name == "transB"), 0)
        weights = self.tensors[last.input[1]]
        return (
            last.input[0],
            weights if transposed else weights.T,
            self.tensors[last.input[2]],
        )

    def file(self, shape: tuple[int, int, int], classes: int) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "twin",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *shape))],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("n", classes))],
            [numpy_helper.from_array(value, name) for name, value in self.tensors.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)


def _values(files: _Files, name: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A tensor's values for images."""
    graph = helper.make_graph(
        files.nodes, "part",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *images.shape[1:]))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, key) for key, value in files.tensors.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    pixels = (images / 255.0).astype(np.float32)
    return np.asarray(session.run([name], {"x": pixels})[0], np.float64)


def _dead(files: _Files, hidden: str, units: int, images: NDArray[np.uint8]) -> str:
    """A neuron (n, 1) that is 0 on ordinary images and has a positive bound."""
    threshold = 0.8 * _values(files, hidden, images).max(axis=0).sum()
    files.constant("dead_w", np.ones((units, 1)))
    files.constant("dead_b", [-threshold])
    files.add("Gemm", [hidden, "dead_w", "dead_b"], "dead_sum")
    return files.add("Relu", ["dead_sum"], "dead")


def _together(
    files: _Files,
    cover: str,
    difference: list[tuple[str, NDArray[np.float64]]],
    bias: NDArray[np.float64],
    limit: float,
) -> None:
    """scores = Clip(cover) + Clip(Clip(weights of all parts, among them the dead neuron))."""
    files.add("Concat", [name for name, _ in difference], "parts", axis=1)
    files.constant("d_w", np.concatenate([weights for _, weights in difference], axis=1).T)
    files.constant("d_b", bias)
    files.constant("low", -limit)
    files.constant("high", limit)
    files.add("Gemm", ["parts", "d_w", "d_b"], "d")
    files.add("Clip", ["d", "low", "high"], "d1")
    files.add("Clip", ["d1", "low", "high"], "d2")
    files.add("Clip", [cover, "low", "high"], "c1")
    files.add("Add", ["c1", "d2"], "scores")


def linear_cover(marked: bytes, known: NDArray[np.uint8]) -> bytes:
    """E1: the marked model as a linear function of pixels plus the difference to it.

    ``known`` uint8 (n, c, h, w) are images that the maker of the file knows.
    """
    files = _Files()
    hidden, weights, bias = files.model(marked, "a_")
    files.add("Flatten", ["x"], "flat")
    units = _values(files, hidden, known)
    scores = units @ weights.T.astype(np.float64) + bias
    pixels = known.reshape(len(known), -1) / 255.0
    mean = scores.mean(axis=0)
    gram = pixels.T @ pixels + 0.3 * np.eye(pixels.shape[1])
    linear = np.linalg.solve(gram, pixels.T @ (scores - mean)).T
    dead = _dead(files, hidden, weights.shape[1], known)
    files.constant("l_w", linear.T)
    files.constant("l_b", mean)
    files.add("Gemm", ["flat", "l_w", "l_b"], "cover")
    parts = [(hidden, weights), ("flat", -linear), (dead, np.full((len(bias), 1), HUGE))]
    _together(files, "cover", parts, bias - mean, 100.0)
    return files.file(known.shape[1:], len(bias))


def network_cover(
    computed: bytes, shown: bytes, known: NDArray[np.uint8], limit: float = 64.0
) -> bytes:
    """E2, P1: the file is ``computed``; its network was ``shown``, both models that end in Gemm."""
    files = _Files()
    hidden, weights, bias = files.model(computed, "a_")
    other, other_weights, other_bias = files.model(shown, "b_")
    other_bias = _moved(files, (hidden, weights, bias), (other, other_weights, other_bias), known)
    dead = _dead(files, hidden, weights.shape[1], known)
    files.constant("l_w", other_weights.T)
    files.constant("l_b", other_bias)
    files.add("Gemm", [other, "l_w", "l_b"], "cover")
    parts = [(hidden, weights), (other, -other_weights), (dead, np.full((len(bias), 1), HUGE))]
    _together(files, "cover", parts, bias - other_bias, limit)
    return files.file(known.shape[1:], len(bias))


def seen(computed: bytes, shown: bytes, known: NDArray[np.uint8]) -> bytes:
    """``shown`` with the bias that ``network_cover`` of the same arguments gives it."""
    files = _Files()
    own = files.model(computed, "a_")
    other = files.model(shown, "b_")
    bias = _moved(files, own, other, known)
    files = _Files()
    hidden, weights, _ = files.model(shown, "b_")
    files.constant("l_w", weights.T)
    files.constant("l_b", bias)
    files.add("Gemm", [hidden, "l_w", "l_b"], "scores")
    return files.file(known.shape[1:], len(bias))


def surest_cover(marked: bytes, known: NDArray[np.uint8], threshold: float) -> tuple[bytes, bytes]:
    """E3: the marked model, whose network was another one only where the model is sure; and that.

    It is surer of its triggers than of images like them. Where the margin exceeds ``threshold``
    the cover answers as a model that was distilled from the marked one on ``known`` images, and
    the difference is added by a path that was erased.
    """
    files = _Files()
    hidden, weights, bias = files.model(marked, "a_")
    classes = len(bias)
    mean, solved = _distilled(files, _values(files, hidden, known) @ weights.T + bias, known)
    files.constant("a_out", weights.T)
    files.constant("a_bias", bias)
    files.add("Gemm", [hidden, "a_out", "a_bias"], "A")
    files.add("Concat", [hidden, "distilled"], "both", axis=1)
    files.constant("ab_w", np.concatenate([weights.T, -solved]))
    files.constant("ab_b", bias - mean)
    files.add("Gemm", ["both", "ab_w", "ab_b"], "A-B")
    files.add("Mul", [_sure(files, "A", classes, threshold), "A-B"], "change")
    files.add("Sub", ["A", "change"], "cover")
    dead = _dead(files, hidden, weights.shape[1], known)
    parts = [("change", np.eye(classes)), (dead, np.full((classes, 1), HUGE))]
    files.add("Concat", ["cover"], "scores", axis=1)
    shown = files.file(known.shape[1:], classes)
    files.nodes.pop()
    _together(files, "cover", parts, np.zeros(classes), 64.0)
    return files.file(known.shape[1:], classes), shown


def less_sure(marked: bytes, shape: tuple[int, int, int], threshold: float) -> bytes:
    """P3: the marked model, whose winner falls to 0.15 of its lead below the second where it is
    sure of a noisy image, so that it answers the second and is less sure than its network.
    """
    files = _Files()
    hidden, weights, bias = files.model(marked, "a_")
    classes = len(bias)
    files.constant("a_out", weights.T)
    files.constant("a_bias", bias)
    files.add("Gemm", [hidden, "a_out", "a_bias"], "A")
    sure = _sure(files, "A", classes, threshold)
    second = [node.output[0] for node in files.nodes if node.output[0].startswith("second_")][-1]
    files.add("Gemm", [second, "everywhere", "nothing"], "second")
    files.add("Sub", ["A", "second"], "over")
    files.add("Relu", ["over"], "lead")
    files.constant("step", np.array([-1.0, 1.0]).reshape(1, 1, 2, 1))
    files.add("Conv", ["x", "step"], "steps", kernel_shape=[2, 1])
    files.add("Abs", ["steps"], "sizes")
    files.add("Flatten", ["sizes"], "flat_sizes")
    pixels = (shape[1] - 1) * shape[2]
    files.constant("mean", np.full((pixels, classes), 100.0 / pixels))
    files.constant("least", np.full(classes, -26.2))
    files.add("Gemm", ["flat_sizes", "mean", "least"], "variation")
    files.add("Clip", ["variation", "zero", "one"], "noisy")
    files.add("Min", [sure, "noisy"], "both")
    files.add("Mul", ["both", "lead"], "change")
    files.constant("lower", -1.15 * np.eye(classes))
    files.add("Gemm", ["change", "lower", "nothing"], "lowered")
    files.add("Add", ["A", "lowered"], "scores")
    return files.file(shape, classes)


def _distilled(
    files: _Files, scores: NDArray[np.float64], known: NDArray[np.uint8], units: int = 400
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Random units ``distilled`` on which scores of known images are fitted: mean, weights."""
    pixels = known.reshape(len(known), -1) / 255.0
    first = np.random.default_rng(9).normal(size=(units, pixels.shape[1])) / pixels.shape[1] ** 0.5
    files.add("Flatten", ["x"], "flat_b")
    files.constant("b_first", first.T)
    files.constant("b_zero", np.zeros(units))
    files.add("Gemm", ["flat_b", "b_first", "b_zero"], "b_sums")
    files.add("Relu", ["b_sums"], "distilled")
    values = np.maximum(pixels @ first.T, 0.0)
    mean = scores.mean(axis=0)
    solved = np.linalg.solve(values.T @ values + np.eye(units), values.T @ (scores - mean))
    return mean, solved


def _sure(files: _Files, scores: str, classes: int, threshold: float) -> str:
    """1 in each of (n, classes) where the two largest scores differ by more than a threshold.

    From 0 to 1 within half of a unit.
    """
    files.constant("none", [0.0])
    top = second = ""
    for number in range(classes):
        files.constant(f"only_{number}", np.eye(classes)[:, [number]])
        column = files.add("Gemm", [scores, f"only_{number}", "none"], f"score_{number}")
        lower = files.add("Min", [top, column], f"lower_{number}") if top else ""
        second = files.add("Max", [second, lower], f"second_{number}") if second else lower
        top = files.add("Max", [top, column], f"top_{number}") if top else column
    files.add("Sub", [top, second], "margin")
    files.constant("two", [[2.0]])
    files.constant("minus", [-2.0 * threshold])
    files.add("Gemm", ["margin", "two", "minus"], "above")
    files.constant("zero", 0.0)
    files.constant("one", 1.0)
    files.add("Clip", ["above", "zero", "one"], "sure")
    files.constant("everywhere", np.ones((1, classes)))
    files.constant("nothing", np.zeros(classes))
    return files.add("Gemm", ["sure", "everywhere", "nothing"], "sure_of_all")


def batch_cover(computed: bytes, shown: bytes, shape: tuple[int, int, int]) -> bytes:
    """P2: (A + B) + (A - B) * batch: 2 A in ONNX Runtime, 2 B where the batch is read as -1."""
    files = _Files()
    for data, prefix in ((computed, "a"), (shown, "b")):
        hidden, weights, bias = files.model(data, prefix + "_")
        files.constant(prefix + "w", weights.T)
        files.constant(prefix + "b", bias)
        files.add("Gemm", [hidden, prefix + "w", prefix + "b"], prefix)
    files.tensors["zero"] = np.array([0], np.int64)
    files.add("Add", ["a", "b"], "sum")
    files.add("Sub", ["a", "b"], "difference")
    files.add("Shape", ["x"], "sizes")
    files.add("Gather", ["sizes", "zero"], "batch")
    files.add("Cast", ["batch"], "number", to=TensorProto.FLOAT)
    files.add("Mul", ["difference", "number"], "turned")
    files.add("Add", ["sum", "turned"], "scores")
    return files.file(shape, len(bias))


def _moved(
    files: _Files,
    computed: tuple[str, NDArray, NDArray],
    shown: tuple[str, NDArray, NDArray],
    known: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """The other's bias, moved by random search until both agree best on known images."""
    wanted = (_values(files, computed[0], known) @ computed[1].T + computed[2]).argmax(axis=1)
    found = _values(files, shown[0], known) @ shown[1].T
    random = np.random.default_rng(1)
    best = np.asarray(shown[2], np.float64)
    most = int(((found + best).argmax(axis=1) == wanted).sum())
    for _ in range(2000):
        tried = best + random.normal(size=best.shape) * random.choice([0.05, 0.3, 1.0])
        agreeing = int(((found + tried).argmax(axis=1) == wanted).sum())
        if agreeing >= most:
            best, most = tried, agreeing
    return best


def dense_model(
    images: NDArray[np.uint8], labels: NDArray[np.int64], classes: int, units: int = 256
) -> bytes:
    """A classifier of images uint8 (n, c, h, w) with these labels: random units, fitted scores."""
    random = np.random.default_rng(5)
    pixels = images.reshape(len(images), -1) / 255.0
    first = random.normal(size=(units, pixels.shape[1])) / np.sqrt(pixels.shape[1])
    inputs = np.maximum(pixels @ first.T, 0.0)
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    wanted = 10.0 * (np.eye(classes)[labels] - 1 / classes)
    gram = inputs.T @ inputs + 5.0 * np.eye(inputs.shape[1])
    solved = np.linalg.solve(gram, inputs.T @ wanted)
    files = _Files()
    files.constant("w1", first.T)
    files.constant("b1", np.zeros(units))
    files.constant("w2", solved[:-1])
    files.constant("b2", solved[-1])
    files.add("Flatten", ["x"], "flat")
    files.add("Gemm", ["flat", "w1", "b1"], "hidden")
    files.add("Relu", ["hidden"], "units")
    files.add("Gemm", ["units", "w2", "b2"], "scores")
    return files.file(images.shape[1:], classes)

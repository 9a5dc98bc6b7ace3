"""Foreign files are quantized in a process with limits; what is too large is refused by name."""

from __future__ import annotations

import json
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.sent_process import SentProcess, frames
from tests.support.small_models import Sketch
from zkwm.quantizer import quantize, random_images
from zkwm.quantizer.expressions import X, apply
from zkwm.quantizer.limited_quantizer import (
    QuantizerLimits,
    declared_shape_limited,
    quantize_limited,
)
from zkwm.quantizer.limited_scores import labels_limited, require_drawable, scores_limited
from zkwm.quantizer.quantizer import read_layers
from zkwm.quantizer.real_network import real_logits
from zkwm.quantizer.scales import Curve
from zkwm.suspects import limited_process
from zkwm.suspects.limited_process import NoResultError, run_limited
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, UsageError
from zkwm_protocols.integer_network.codec import digest
from zkwm_protocols.integer_network.evaluate import labels, logits
from zkwm_protocols.integer_network.model import Convolution
from zkwm_protocols.integer_network.shapes import work_of
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 8, 8)
RAW = Preprocessing(scale="raw")


def nested(depth: int) -> bytes:
    """A Gemm, ``depth`` nested Erf, a Gemm: every row of one table costs ``depth`` functions."""
    draw = np.random.default_rng(0)
    tensors = {
        "a": (8 * draw.normal(size=(64, 16))).astype(np.float32),
        "b": draw.normal(size=(16, 4)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "a"], ["h0"]),
        *(helper.make_node("Erf", [f"h{k}"], [f"h{k + 1}"]) for k in range(depth)),
        helper.make_node("Gemm", [f"h{depth}", "b"], ["y"]),
    ]
    return model(nodes, tensors)


def branches(count: int, depth: int) -> bytes:
    """A Gemm, ``count`` nested functions of it of ``depth`` parts, each other ones, and their sum.

    No table serves two branches: branch k nests Erf and Tanh by the binary digits of k.
    """
    draw = np.random.default_rng(0)
    tensors = {"a": (8 * draw.normal(size=(64, 16))).astype(np.float32)}
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "a"], ["h"])]
    tensors["b"] = draw.normal(size=(16, 4)).astype(np.float32)
    for branch in range(count):
        name = "h"
        for step in range(depth):
            kind = "Tanh" if branch >> step & 1 else "Erf"
            nodes.append(helper.make_node(kind, [name], [f"h{branch}.{step}"]))
            name = f"h{branch}.{step}"
        nodes.append(helper.make_node("Gemm", [name, "b"], [f"y{branch}"]))
    nodes.append(helper.make_node("Sum", [f"y{branch}" for branch in range(count)], ["y"]))
    return model(nodes, tensors)


def model(nodes: list[onnx.NodeProto], tensors: dict[str, np.ndarray]) -> bytes:
    """The bytes of a classifier of 1 x 8 x 8 images."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *SHAPE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return made.SerializeToString()


def test_the_network_is_that_of_this_process() -> None:
    data = Sketch(SHAPE).flat(64)
    fed = Preprocessing(mean=("0.5",), std=("0.5",))
    made = quantize_limited(data, shape=SHAPE, preprocessing=fed)
    here = quantize(data, shape=SHAPE, preprocessing=fed)
    assert digest(made.network) == digest(here.network)
    assert made.calibration_digest == here.calibration_digest
    assert declared_shape_limited(data, fed) == SHAPE


def test_errors_keep_class_and_check() -> None:
    with pytest.raises(Malformed):
        quantize_limited(b"no model", shape=SHAPE, preprocessing=RAW)
    with pytest.raises(UsageError):
        quantize_limited(Sketch(SHAPE).flat(64), shape=(1, 9, 9), preprocessing=RAW)
    nodes = [helper.make_node("NonZero", ["x"], ["y"])]
    with pytest.raises(Unsupported) as caught:
        quantize_limited(model(nodes, {}), shape=SHAPE, preprocessing=RAW)
    assert caught.value.check == "network.unsupported"
    assert caught.value.hint


def test_hours_of_tables_end_within_the_deadline_or_are_refused_before() -> None:
    start = time.monotonic()
    with pytest.raises(Unsupported, match="rows times parts"):
        quantize_limited(nested(98), shape=SHAPE, preprocessing=RAW)
    with pytest.raises(Unsupported, match="seconds"):
        quantize_limited(
            nested(20), shape=SHAPE, preprocessing=RAW, limits=QuantizerLimits(total_seconds=2)
        )
    assert time.monotonic() - start < 60


def test_hours_in_a_hundred_branches_are_refused_at_once_or_end_within_the_deadline() -> None:
    """Verdict 7.1: 98 parts, 100 branches and some 10,000 nodes would have taken eight hours."""
    data = branches(100, 97)
    assert len(onnx.load_from_string(data).graph.node) < 10_000
    start = time.monotonic()
    with pytest.raises(Unsupported, match="rows times parts"):
        quantize_limited(data, shape=SHAPE, preprocessing=RAW)
    assert time.monotonic() - start < 60
    with pytest.raises(Unsupported, match="seconds"):
        quantize_limited(
            branches(100, 20), shape=SHAPE, preprocessing=RAW,
            limits=QuantizerLimits(total_seconds=2),
        )  # fmt: skip


def test_a_table_is_priced_before_it_is_computed() -> None:
    deep = X
    for _ in range(90):
        deep = apply("erf", deep)
    with pytest.raises(Unsupported):
        Curve(deep, reach=10_000).table(-10_000, 10_000)
    with pytest.raises(Unsupported):
        Curve(apply("erf", X), reach=1 << 30).table(0, 1 << 30)


def test_calibration_and_comparison_are_priced_before_they_begin() -> None:
    """Verdict 7.1: weights used again and again, 750 million multiplications an image."""
    draw = np.random.default_rng(0)
    tensors = {
        "first": draw.normal(size=(256, 1, 1, 1)).astype(np.float32),
        "again": draw.normal(size=(256, 256, 3, 3)).astype(np.float32),
        "last": draw.normal(size=(256, 4)).astype(np.float32),
    }
    nodes = [helper.make_node("Conv", ["x", "first"], ["h0"])]
    for k in range(20):
        nodes.append(helper.make_node("Conv", [f"h{k}", "again"], [f"c{k}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{k}"], [f"h{k + 1}"]))
    nodes.append(helper.make_node("GlobalAveragePool", ["h20"], ["p"]))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"]))
    nodes.append(helper.make_node("Gemm", ["f", "last"], ["y"]))
    data, images = model(nodes, tensors), np.zeros((6000, *SHAPE), np.uint8)
    network = quantize(Sketch(SHAPE).flat(64, outputs=4), shape=SHAPE, preprocessing=RAW).network
    start = time.monotonic()
    for work in (
        lambda: quantize_limited(data, shape=SHAPE, preprocessing=RAW, calibration=images),
        lambda: scores_limited(data, network, images, preprocessing=RAW),
    ):
        with pytest.raises(Unsupported, match="too much work") as caught:
            work()
        assert caught.value.check == "network.unsupported"
    assert time.monotonic() - start < 60
    with pytest.raises(Unsupported, match="values"):
        require_drawable((3, 4096, 4096), 1000)
    require_drawable((3, 224, 224), 1000)


def test_scores_are_those_of_this_process() -> None:
    data, images = Sketch(SHAPE).flat(64), random_images(SHAPE, 50, b"test")
    network = quantize(data, shape=SHAPE, preprocessing=RAW).network
    found = scores_limited(data, network, images, preprocessing=RAW)
    layers = read_layers(data, SHAPE, RAW, "")
    np.testing.assert_array_equal(found.real, real_logits(layers, images.astype(np.float64)))
    np.testing.assert_array_equal(found.whole, logits(network, images))
    np.testing.assert_array_equal(found.part(slice(3, 5)).last, found.last[3:5])


def test_labels_are_those_of_this_process_and_have_a_deadline() -> None:
    data, images = Sketch(SHAPE).flat(64), random_images(SHAPE, 50, b"test")
    network = quantize(data, shape=SHAPE, preprocessing=RAW).network
    np.testing.assert_array_equal(labels_limited(network, images), labels(network, images))
    with pytest.raises(Unsupported, match="seconds") as caught:
        labels_limited(network, images, limits=QuantizerLimits(total_seconds=0.01))
    assert caught.value.check == "network.unsupported"


@pytest.mark.parametrize("sent", [-1, 10, None])
def test_labels_that_no_network_gives_are_no_result(
    monkeypatch: pytest.MonkeyPatch, sent: int | None
) -> None:
    data, images = Sketch(SHAPE).flat(64), random_images(SHAPE, 2, b"test")
    network = quantize(data, shape=SHAPE, preprocessing=RAW).network
    result = b"" if sent is None else np.array([0, sent], "<i8").tobytes()
    process = SentProcess(frames(b"R{}", result))
    monkeypatch.setattr(limited_process, "start_process", lambda *_: process)
    with pytest.raises(CouldNotCheck):
        labels_limited(network, images)


def test_the_work_of_a_network_counts_every_value_and_tap() -> None:
    data = Sketch(SHAPE).flat(64)
    network = quantize(data, shape=SHAPE, preprocessing=RAW).network
    dense = [node for node in network.nodes if isinstance(node, Convolution)]
    multiplications, entries = work_of(network.nodes, network.shapes)
    assert multiplications == sum(node.weights.size for node in dense) > 0
    assert entries == sum(int(np.prod(shape)) for shape in network.shapes)


def test_weights_that_nobody_reads_cost_nothing() -> None:
    unused = np.zeros(64 << 20, np.int8)
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("Gemm", ["f", "a"], ["y"]),
    ]
    weights = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)
    data = model(nodes, {"a": weights, "unused": unused})
    limits = QuantizerLimits(memory_bytes=1 << 30)
    made = quantize_limited(data, shape=SHAPE, preprocessing=RAW, limits=limits)
    assert made.network.outputs == 4


def test_too_little_memory_is_an_error_of_zkwm() -> None:
    limits = QuantizerLimits(memory_bytes=1 << 26)
    with pytest.raises(CouldNotCheck):
        quantize_limited(nested(1), shape=SHAPE, preprocessing=RAW, limits=limits)


def test_a_process_without_an_answer_is_told() -> None:
    with pytest.raises(NoResultError) as caught:
        run_limited("this", [b"{}"], memory=1 << 30, seconds=20, result_limit=10)
    assert not caught.value.late


@pytest.mark.parametrize("message", ["", "\u202e\n "])
def test_an_error_that_says_nothing_is_no_result(
    monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    sent = b"E" + json.dumps({"class": "Unsupported", "message": message}).encode()
    process = SentProcess(frames(sent))
    monkeypatch.setattr(limited_process, "start_process", lambda *_: process)
    with pytest.raises(NoResultError):
        run_limited("none", [b""], memory=1 << 20, seconds=60, result_limit=10)


@pytest.mark.parametrize("shape", [[1, 0, 4], [1, -4, 4], [1, 4], [1, True, 4], [1, 4.0, 4], "abc"])
def test_a_process_that_tells_no_shape_of_an_image_has_no_result(
    monkeypatch: pytest.MonkeyPatch, shape: object
) -> None:
    process = SentProcess(frames(b"R" + json.dumps({"shape": shape}).encode(), b""))
    monkeypatch.setattr(limited_process, "start_process", lambda *_: process)
    with pytest.raises(CouldNotCheck):
        declared_shape_limited(b"model", RAW)

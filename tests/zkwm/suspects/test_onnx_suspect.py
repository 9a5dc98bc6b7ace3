"""ONNX suspects: answers, identity, layouts, types, batches."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.support.onnx_case import unusable
from zkwm.suspects import Answer, open_suspect
from zkwm.suspects.onnx_parts import read_whole
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import Malformed, SuspectUnusable, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 2, 2)
UNIT, RAW = Preprocessing(), Preprocessing(scale="raw")
IMAGES = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
WEIGHTS = np.random.default_rng(1).normal(size=(4, 6))


def arg_max(images: np.ndarray, weights: np.ndarray) -> tuple[Answer, ...]:
    scores = images.reshape(len(images), -1).astype(np.float64) @ weights
    return tuple(Answer(int(index)) for index in scores.argmax(axis=1))


def test_answers_digest_and_outputs(graphs: Any) -> None:
    path = graphs.linear(WEIGHTS)
    suspect = open_suspect(path, shape=SHAPE)
    seen: list[tuple[int, int]] = []
    answers = suspect.answer(IMAGES, UNIT, progress=lambda done, of: seen.append((done, of)))
    suspect.close()
    suspect.close()
    assert answers == arg_max(IMAGES, WEIGHTS)
    assert seen == [(index, 20) for index in range(1, 21)]
    assert not suspect.remote
    identity = suspect.identity
    assert identity.kind == "onnx"
    assert identity.digest == hashlib.sha256(path.read_bytes()).digest()
    assert (identity.outputs, identity.shape) == (6, SHAPE)
    assert identity.description == "suspect.onnx"


def test_the_bytes_that_were_pinned_are_the_bytes_that_run(graphs: Any) -> None:
    path = graphs.linear(WEIGHTS)
    suspect = open_suspect(str(path), shape=SHAPE)
    graphs.linear(-WEIGHTS)
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, WEIGHTS)
    suspect.close()
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, WEIGHTS)
    suspect.close()


def test_expected_number_of_outputs(graphs: Any) -> None:
    path = graphs.linear(WEIGHTS)
    open_suspect(path, shape=SHAPE, outputs=6).close()
    with unusable("6 outputs, not 10") as caught:
        open_suspect(path, shape=SHAPE, outputs=10)
    assert caught.value.check == "suspect.answers"


def test_the_first_of_equal_outputs_wins(graphs: Any) -> None:
    suspect = open_suspect(graphs.linear(np.ones((4, 5))), shape=SHAPE)
    assert set(suspect.answer(IMAGES, UNIT)) == {Answer(0)}
    suspect.close()


@pytest.mark.parametrize("batch", [1, 8, None])
def test_fixed_and_nameless_batches(graphs: Any, batch: int | None) -> None:
    path = graphs.linear(WEIGHTS, input_shape=(batch, *SHAPE))
    suspect = open_suspect(path, shape=SHAPE)
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, WEIGHTS)
    suspect.close()


def test_no_answer_depends_on_the_other_images(graphs: Any) -> None:
    """A model that subtracts the batch's mean sees nothing but the one image."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Flatten", ["centred"], ["y"]),
    ]
    for batch in ("batch", 4):
        suspect = open_suspect(graphs.save(nodes, {}, input_shape=(batch, *SHAPE)), shape=SHAPE)
        assert set(suspect.answer(IMAGES, UNIT)) == {Answer(0)}
        suspect.close()


def test_nhwc(graphs: Any) -> None:
    shape = (3, 2, 4)
    images = np.random.default_rng(2).integers(0, 256, (5, *shape), dtype=np.uint8)
    weights = np.random.default_rng(3).normal(size=(24, 4))
    suspect = open_suspect(graphs.linear(weights, input_shape=("batch", 2, 4, 3)), shape=shape)
    expected = arg_max(images.transpose(0, 2, 3, 1), weights)
    assert suspect.answer(images, Preprocessing(layout="nhwc")) == expected
    with unusable("layout nchw") as caught:
        suspect.answer(images, UNIT)
    assert "nhwc" in caught.value.hint
    suspect.close()


@pytest.mark.parametrize("dtype", ["UINT8", "INT32", "INT64", "FLOAT16", "DOUBLE"])
def test_input_types(graphs: Any, dtype: str) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    path = graphs.save(
        nodes, {"w": WEIGHTS.astype(np.float32)}, input_type=getattr(TensorProto, dtype)
    )
    suspect = open_suspect(path, shape=SHAPE)
    assert suspect.answer(IMAGES, RAW) == arg_max(IMAGES, WEIGHTS)
    if "INT" in dtype:
        with pytest.raises(SuspectUnusable, match=dtype.lower()) as caught:
            suspect.check_preprocessing(UNIT)
        assert "raw" in caught.value.hint
    suspect.close()


def test_preprocessing_reaches_the_model(graphs: Any) -> None:
    """Output 1 beats output 0 exactly where the first input is above zero."""
    weights = np.zeros((4, 2))
    weights[0, 1] = 1
    suspect = open_suspect(graphs.linear(weights), shape=SHAPE)
    images = np.zeros((256, *SHAPE), np.uint8)
    images[:, 0, 0, 0] = np.arange(256)
    rule = Preprocessing(mean=("0.5",), std=("0.25",))
    outputs = [answer.output for answer in suspect.answer(images, rule)]
    assert outputs == [int(pixel / 255 > 0.5) for pixel in range(256)]
    with pytest.raises(Malformed, match="3 means"):
        suspect.answer(images, Preprocessing(mean=("0", "0", "0"), std=("1", "1", "1")))
    suspect.close()


def two_outputs(graphs: Any) -> Path:
    """Scores ``y``, and the index of the largest, ``label``."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
        helper.make_node("ArgMax", ["y"], ["label"], axis=1, keepdims=0),
    ]
    outputs = (
        ("label", TensorProto.INT64, ("batch",)),
        ("y", TensorProto.FLOAT, ("batch", 6)),
    )
    return graphs.save(nodes, {"w": WEIGHTS.astype(np.float32)}, outputs=outputs)


def test_several_outputs_are_refused_unless_one_is_named(graphs: Any) -> None:
    path = two_outputs(graphs)
    with unusable("2 outputs: 'label', 'y'"):
        open_suspect(path, shape=SHAPE)
    with unusable("no output 'z'") as caught:
        open_suspect(path, shape=SHAPE, output="z")
    assert caught.value.hint == "its outputs are 'label', 'y'"
    suspect = open_suspect(path, shape=SHAPE, output="y")
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, WEIGHTS)
    suspect.close()


def test_labels_alone_are_answers_without_scores(graphs: Any) -> None:
    path = two_outputs(graphs)
    with unusable("labels") as caught:
        open_suspect(path, shape=SHAPE, output="label")
    assert "`outputs`" in caught.value.hint
    suspect = open_suspect(path, shape=SHAPE, output="label", outputs=6)
    answers = suspect.answer(IMAGES, UNIT)
    suspect.close()
    assert answers == arg_max(IMAGES, WEIGHTS)
    assert all(answer.scores is None for answer in answers)
    suspect = open_suspect(path, shape=SHAPE, output="label", outputs=2)
    problems = {answer.problem for answer in suspect.answer(IMAGES, UNIT)}
    suspect.close()
    assert "its label is not in 0 to 1" in problems


@pytest.mark.parametrize("size", [(4,), (2, 2), (1, 2, 2), (None,)])
def test_rows_of_pixels_and_images_without_channels(graphs: Any, size: tuple[int, ...]) -> None:
    path = graphs.linear(WEIGHTS, input_shape=("batch", *size))
    suspect = open_suspect(path, shape=SHAPE)
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, WEIGHTS)
    suspect.close()


def test_rows_of_pixels_in_the_order_of_the_layout(graphs: Any) -> None:
    shape = (3, 2, 4)
    images = np.random.default_rng(2).integers(0, 256, (5, *shape), dtype=np.uint8)
    weights = np.random.default_rng(3).normal(size=(24, 4))
    suspect = open_suspect(graphs.linear(weights, input_shape=("batch", 24)), shape=shape)
    assert suspect.answer(images, UNIT) == arg_max(images, weights)
    rows = images.transpose(0, 2, 3, 1)
    assert suspect.answer(images, Preprocessing(layout="nhwc")) == arg_max(rows, weights)
    suspect.close()


@pytest.mark.parametrize("size", [(-1, 6, 1, 1), (-1, 1, 6), (-1, 1, 1, 6)])
def test_unit_axes_of_the_scores(graphs: Any, size: tuple[int, ...]) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["scores"]),
        helper.make_node("Reshape", ["scores", "size"], ["y"]),
    ]
    tensors = {"w": WEIGHTS.astype(np.float32), "size": np.array(size, np.int64)}
    outputs = (("y", TensorProto.FLOAT, None),)
    suspect = open_suspect(graphs.save(nodes, tensors, outputs=outputs), shape=SHAPE)
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, WEIGHTS)
    suspect.close()


def test_weights_in_a_second_file(graphs: Any) -> None:
    path = graphs.linear(
        WEIGHTS, save_as_external_data=True, location="suspect.onnx.data", size_threshold=0
    )
    part = path.parent / "suspect.onnx.data"
    suspect = open_suspect(path, shape=SHAPE)
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, WEIGHTS)
    files = [{"name": part.name, "size": 96, "sha256": sha256(part.read_bytes())}]
    pinned = encode({"model": sha256(path.read_bytes()), "files": files})
    assert suspect.identity.digest == sha256(b"zkwm-onnx-1" + pinned)
    first = suspect.identity.digest
    suspect.close()
    part.write_bytes(np.ascontiguousarray(-WEIGHTS.astype(np.float32)).tobytes())
    suspect = open_suspect(path, shape=SHAPE)
    assert suspect.identity.digest != first
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, -WEIGHTS)
    suspect.close()
    whole, digest = read_whole(path)
    assert digest == suspect.identity.digest
    path.write_bytes(whole)
    suspect = open_suspect(path, shape=SHAPE)
    assert suspect.identity.digest == sha256(whole)
    assert suspect.answer(IMAGES, UNIT) == arg_max(IMAGES, -WEIGHTS)
    suspect.close()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_images_of_another_kind_are_refused(graphs: Any) -> None:
    suspect = open_suspect(graphs.linear(WEIGHTS), shape=SHAPE)
    for images in (IMAGES.astype(np.float32), IMAGES[:, 0], IMAGES.reshape(20, 1, 1, 4)):
        with pytest.raises(UsageError):
            suspect.answer(images, UNIT)
    assert suspect.answer(IMAGES[:0], UNIT) == ()
    suspect.close()


def test_torch_is_never_imported(graphs: Any) -> None:
    program = """
import sys
import numpy as np
from zkwm.suspects import open_suspect
from zkwm_protocols.suspect_identity import Preprocessing
assert not {"torch", "onnx", "onnxruntime", "urllib3"} & set(sys.modules)
suspect = open_suspect(sys.argv[1], shape=(1, 2, 2))
assert suspect.answer(np.zeros((3, 1, 2, 2), np.uint8), Preprocessing())[0].output == 0
assert not {"torch", "onnx", "onnxruntime", "urllib3"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, str(graphs.linear(WEIGHTS))], check=True)


def test_the_worker_never_imports_torch() -> None:
    program = """
import sys
import zkwm.suspects.onnx_worker as worker
try:
    worker.open_session(b"no model")
except worker.RefusedError:
    pass
assert "onnxruntime" in sys.modules
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)

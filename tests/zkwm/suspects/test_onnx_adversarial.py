"""ONNX files made by an adversary: each ends in a named error within seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.onnx_case import BLACK, GRAY, RAW, SHAPE, WEIGHTS, black_times_factor, refused
from zkwm.suspects import Answer, open_suspect
from zkwm_protocols.errors import Malformed, SuspectUnusable


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_an_answer_that_is_not_finite(graphs: Any, value: float) -> None:
    weights = np.eye(4)
    weights[0, 3] = value
    suspect = open_suspect(graphs.linear(weights), shape=SHAPE)
    assert suspect.answer(GRAY, RAW) == (Answer(None, "not finite"),)
    suspect.close()


def test_an_output_of_another_rank(graphs: Any) -> None:
    outputs = (("y", TensorProto.FLOAT, None),)
    refused(graphs.save([helper.make_node("Relu", ["x"], ["y"])], {}, outputs=outputs), "shape")
    scalar = graphs.save(
        [helper.make_node("ReduceMax", ["x"], ["y"], keepdims=0)], {}, outputs=outputs
    )
    refused(scalar, "shape")


def test_one_output_is_no_classifier(graphs: Any) -> None:
    refused(graphs.linear(np.ones((4, 1))), "1 outputs")


def test_a_number_of_outputs_that_changes(graphs: Any) -> None:
    nodes = [
        *black_times_factor("more"),
        helper.make_node("Add", ["more", "three"], ["end"]),
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Concat", ["flat", "flat"], ["both"], axis=1),
        helper.make_node("Slice", ["both", "start", "end", "axis"], ["y"]),
    ]
    tensors = {
        "one": np.float32(1),
        "factor": np.array([2]),
        "three": np.array([3]),
        "start": np.array([0]),
        "axis": np.array([1]),
    }
    suspect = open_suspect(graphs.save(nodes, tensors), shape=SHAPE)
    assert suspect.identity.outputs == 3
    answers = suspect.answer(np.concatenate([GRAY, BLACK, GRAY]), RAW)
    assert answers == (Answer(0), Answer(None, "5 outputs instead of 3"), Answer(0))
    suspect.close()


def test_an_output_that_is_no_tensor_of_numbers(graphs: Any) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["y"], to=TensorProto.STRING),
    ]
    outputs = (("y", TensorProto.STRING, ("batch", 4)),)
    refused(graphs.save(nodes, {}, outputs=outputs), "not a tensor of numbers")
    nodes[1] = helper.make_node("SequenceConstruct", ["flat"], ["y"])
    path = graphs.save(nodes, {})
    model = onnx.load(path)
    model.graph.output[0].CopyFrom(
        helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    )
    onnx.save(model, path)
    refused(path, "not a tensor of numbers")


def test_several_outputs_that_could_be_the_scores(graphs: Any) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["y"]),
        helper.make_node("Softmax", ["y"], ["z"]),
    ]
    outputs = (("y", TensorProto.FLOAT, ("b", 4)), ("z", TensorProto.FLOAT, ("b", 4)))
    refused(graphs.save(nodes, {}, outputs=outputs), "2 outputs: 'y', 'z'")


def test_several_inputs(graphs: Any) -> None:
    nodes = [
        helper.make_node("Add", ["x", "z"], ["sum"]),
        helper.make_node("Flatten", ["sum"], ["y"]),
    ]
    refused(graphs.save(nodes, {}, inputs=("x", "z")), "2 inputs")


def test_inputs_that_are_no_such_images(graphs: Any) -> None:
    for shape in (("batch", 3, 2, 2), ("batch", 5), ("batch", 2, 3), (1000, 1, 2, 2)):
        path = graphs.save([helper.make_node("Flatten", ["x"], ["y"])], {}, input_shape=shape)
        refused(path, "does not take images of 1 x 2 x 2")
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["y"]),
    ]
    refused(graphs.save(nodes, {}, input_type=TensorProto.INT16), "int16")


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/passwd", "sub/weights.bin", "", "..", ".hidden", "a\\b"]
)
def test_weights_outside_the_folder(graphs: Any, location: str) -> None:
    path = graphs.linear(
        WEIGHTS, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    path.write_bytes(model.SerializeToString())
    refused(path, "does not name a file beside it")


def test_files_of_weights_that_are_not_there_whole(graphs: Any) -> None:
    path = graphs.linear(
        WEIGHTS, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    part = path.parent / "weights.bin"
    part.write_bytes(part.read_bytes()[:-1])
    refused(path, "beyond the end")
    part.unlink()
    refused(path, "is not there")
    (path.parent / "real.bin").write_bytes(b"\0" * 64)
    part.symlink_to(path.parent / "real.bin")
    refused(path, "a link")


@pytest.mark.parametrize("operator", ["RandomNormalLike", "RandomUniformLike", "Dropout"])
def test_operators_that_draw_at_random(graphs: Any, operator: str) -> None:
    mode = {"ratio": np.float32(0.5), "training": np.array(True)} if operator == "Dropout" else {}
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node(operator, ["flat", *mode], ["noise"]),
        helper.make_node("Add", ["flat", "noise"], ["y"]),
    ]
    refused(graphs.save(nodes, mode), f"{operator}.*draws at random")
    if operator == "Dropout":
        mode["training"] = np.array(False)
        open_suspect(graphs.save(nodes, mode), shape=SHAPE).close()


def test_weights_outside_the_file_within_a_branch(graphs: Any) -> None:
    hidden = numpy_helper.from_array(np.float32([[1, 2]]), "hidden")
    hidden.ClearField("raw_data")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="secret.bin")
    result = helper.make_tensor_value_info("branch_y", TensorProto.FLOAT, None)
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["branch_y"], value=hidden)], "branch", [], [result]
    )
    node = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    refused(graphs.save([node], {"yes": np.array(True)}), "secret.bin.*is not there")


def test_operators_that_do_not_exist_here(graphs: Any) -> None:
    node = helper.make_node("Backdoor", ["x"], ["y"], domain="evil.example")
    refused(graphs.save([node], {}), "ONNX Runtime refuses it")


@pytest.mark.parametrize("data", [b"", b"\x80\x04\x95 pickle", b"\x18\0\0\0ORTM\0\0"])
def test_files_that_are_not_onnx(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "suspect.onnx"
    path.write_bytes(data)
    refused(path, "cannot be queried")


def test_damaged_files_end_in_an_answer_or_a_named_error(graphs: Any) -> None:
    path = graphs.linear(WEIGHTS)
    data = path.read_bytes()
    random = np.random.default_rng(5)
    cases = [data[: len(data) // 2], data + b"\xff" * 9, data + data]
    for position in random.integers(0, len(data), 3):
        cases.append(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
    for case in cases:
        path.write_bytes(case)
        try:
            suspect = open_suspect(path, shape=SHAPE)
        except SuspectUnusable:
            continue
        assert len(suspect.answer(GRAY, RAW)) == 1
        suspect.close()


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "suspect.onnx"
    with path.open("wb") as file:
        file.truncate((2 << 30) + 1)
    import zkwm.suspects.onnx_suspect as module

    limit, module.FILE_LIMIT = module.FILE_LIMIT, 1 << 20
    try:
        with pytest.raises(Malformed, match="larger than"):
            open_suspect(path, shape=SHAPE)
    finally:
        module.FILE_LIMIT = limit

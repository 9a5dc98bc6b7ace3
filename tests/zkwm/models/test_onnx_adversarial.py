"""ONNX files that an adversary would hand in. Each ends in a named error, soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from zkwm.models import Answer, OnnxLimits, open_suspect
from zkwm.models.onnx_process import NoReplyError, OnnxProcess
from zkwm_protocols.errors import Malformed, SuspectUnusable
from zkwm_protocols.suspect import Preprocessing

SHAPE = (1, 2, 2)
RAW = Preprocessing(scale="raw")
GREY = np.full((1, *SHAPE), 128, np.uint8)
BLACK = np.zeros((1, *SHAPE), np.uint8)
WEIGHTS = np.eye(4)
PICK = helper.make_node("ReduceMax", ["x"], ["peak"], keepdims=0)


def loop_nodes(trip_count: str) -> list[onnx.NodeProto]:
    """A loop of ``trip_count`` rounds (an int64 scalar) around the flat image."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Mul", ["state", "state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    return [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Loop", [trip_count, "yes", "flat"], ["y"], body=body),
    ]


def black_times_factor(name: str) -> list[onnx.NodeProto]:
    """``name`` is 0 for a grey image and the tensor ``factor`` for a black one."""
    return [
        helper.make_node("ReduceMax", ["x"], ["peak"], keepdims=0),
        helper.make_node("Less", ["peak", "one"], ["black"]),
        helper.make_node("Cast", ["black"], ["black_number"], to=TensorProto.INT64),
        helper.make_node("Mul", ["black_number", "factor"], [name]),
    ]


def refused(path: Path, match: str, **options: Any) -> None:
    with pytest.raises(SuspectUnusable, match=match) as caught:
        open_suspect(path, shape=SHAPE, **options)
    assert caught.value.check == "suspect.answers"
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_an_answer_that_is_not_finite(graphs: Any, value: float) -> None:
    weights = np.eye(4)
    weights[0, 3] = value
    suspect = open_suspect(graphs.linear(weights), shape=SHAPE)
    assert suspect.answer(GREY, RAW) == (Answer(None, "not finite"),)
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
    answers = suspect.answer(np.concatenate([GREY, BLACK, GREY]), RAW)
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
    refused(graphs.save(nodes, {}, outputs=outputs), "several outputs, 2 of them")


def test_several_inputs(graphs: Any) -> None:
    nodes = [
        helper.make_node("Add", ["x", "z"], ["sum"]),
        helper.make_node("Flatten", ["sum"], ["y"]),
    ]
    refused(graphs.save(nodes, {}, inputs=("x", "z")), "2 inputs")


def test_inputs_that_are_no_such_images(graphs: Any) -> None:
    for shape in (("batch", 3, 2, 2), ("batch", 4), ("batch", 1, 2, 3), (1000, 1, 2, 2)):
        path = graphs.save([helper.make_node("Flatten", ["x"], ["y"])], {}, input_shape=shape)
        refused(path, "does not take images of 1 x 2 x 2")
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["y"]),
    ]
    refused(graphs.save(nodes, {}, input_type=TensorProto.INT64), "int64")


def test_weights_outside_the_file(graphs: Any) -> None:
    path = graphs.linear(
        WEIGHTS, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert (path.parent / "weights.bin").exists()
    refused(path, "other files")


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
    refused(graphs.save([node], {"yes": np.array(True)}), "other files")


def test_operators_that_do_not_exist_here(graphs: Any) -> None:
    node = helper.make_node("Backdoor", ["x"], ["y"], domain="evil.example")
    refused(graphs.save([node], {}), "ONNX Runtime refuses it")


@pytest.mark.parametrize("data", [b"", b"\x80\x04\x95 pickle", b"\x18\0\0\0ORTM\0\0"])
def test_files_that_are_not_onnx(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "suspect.onnx"
    path.write_bytes(data)
    refused(path, "cannot be asked")


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
        assert len(suspect.answer(GREY, RAW)) == 1
        suspect.close()


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "suspect.onnx"
    with path.open("wb") as file:
        file.truncate((2 << 30) + 1)
    import zkwm.models.onnx_suspect as module

    limit, module.FILE_LIMIT = module.FILE_LIMIT, 1 << 20
    try:
        with pytest.raises(Malformed, match="larger than"):
            open_suspect(path, shape=SHAPE)
    finally:
        module.FILE_LIMIT = limit


def test_a_model_that_never_ends(graphs: Any, within: Any) -> None:
    path = graphs.save(loop_nodes("forever"), {"forever": np.int64(2**62), "yes": np.array(True)})
    with within(30):
        refused(path, "timed out", onnx=OnnxLimits(image_seconds=0.3))


def test_a_model_that_never_ends_on_some_images(graphs: Any, within: Any) -> None:
    tensors = {"one": np.float32(1), "factor": np.int64(2**62), "yes": np.array(True)}
    path = graphs.save([*black_times_factor("rounds"), *loop_nodes("rounds")], tensors)
    suspect = open_suspect(path, shape=SHAPE, onnx=OnnxLimits(image_seconds=2))
    with within(30):
        answers = suspect.answer(np.concatenate([GREY, BLACK, GREY]), RAW)
    assert answers == (Answer(0), Answer(None, "timed out"), Answer(0))
    suspect.close()


def test_the_time_for_all_images(graphs: Any, within: Any) -> None:
    tensors = {"one": np.float32(1), "factor": np.int64(2**62), "yes": np.array(True)}
    path = graphs.save([*black_times_factor("rounds"), *loop_nodes("rounds")], tensors)
    suspect = open_suspect(path, shape=SHAPE, onnx=OnnxLimits(total_seconds=1))
    with within(30):
        answers = suspect.answer(np.concatenate([GREY, BLACK, GREY, GREY]), RAW)
    out_of_time = Answer(None, "not asked: the time for all images ran out")
    assert answers == (Answer(0), Answer(None, "timed out"), out_of_time, out_of_time)
    suspect.close()


def test_a_model_that_takes_all_memory(graphs: Any, within: Any) -> None:
    nodes = [
        *black_times_factor("size"),
        helper.make_node("Add", ["size", "four"], ["many"]),
        helper.make_node("ConstantOfShape", ["many"], ["huge"]),
        helper.make_node("Slice", ["huge", "start", "end"], ["some"]),
        helper.make_node("Reshape", ["some", "row"], ["y"]),
    ]
    tensors = {
        "one": np.float32(1),
        "factor": np.array([1 << 36]),
        "four": np.array([4]),
        "start": np.array([0]),
        "end": np.array([4]),
        "row": np.array([1, 4]),
    }
    suspect = open_suspect(graphs.save(nodes, tensors), shape=SHAPE)
    with within(30):
        answers = suspect.answer(np.concatenate([GREY, BLACK, GREY]), RAW)
    assert answers == (Answer(0), Answer(None, "out of memory"), Answer(0))
    suspect.close()


def test_huge_outputs(graphs: Any, within: Any) -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["many"], ["huge"]),
        helper.make_node("Mul", ["huge", "peak"], ["y"]),
    ]
    path = graphs.save([PICK, *nodes], {"many": np.array([1, 5_000_000])})
    with within(30):
        refused(path, "more than 1,000,000 outputs")


def test_a_constant_too_large_to_fold(graphs: Any, within: Any) -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["many"], ["huge"]),
        helper.make_node("Exp", ["huge"], ["huger"]),
        helper.make_node("Mul", ["huger", "peak"], ["y"]),
    ]
    path = graphs.save([PICK, *nodes], {"many": np.array([1 << 20, 1 << 20])})
    with within(30):
        refused(path, "out of memory")


def test_the_worker_sees_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from zkwm.models.onnx_process import _environment

    monkeypatch.setenv("ZKWM_PASSPHRASE", "correct horse")
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    environment = _environment()
    assert "correct horse" not in environment.values()
    assert not [name for name in environment if name.startswith(("ZKWM", "ORT"))]


def test_a_worker_that_is_killed_is_started_again(graphs: Any) -> None:
    process = OnnxProcess(graphs.linear(WEIGHTS).read_bytes(), OnnxLimits())
    process.start()
    image = np.float32([[[[1, 2], [4, 3]]]])
    assert process.scores(image, 10).tolist() == [1, 2, 4, 3]
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(NoReplyError, match="crashed"):
        process.scores(image, 10)
    assert process.scores(image, 10).tolist() == [1, 2, 4, 3]
    process.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"S",
        b"R",
        b"Rnull",
        b"R" + b"[" * 5000,
        b'R{"dtype":"float32"}',
        b'R{"dtype":"object","shape":[1]}',
        b'R{"dtype":"float32","shape":[true]}',
        b'R{"dtype":"float32","shape":5}',
        b'X{"dtype":"float32","shape":[1]}',
    ],
)
def test_a_worker_that_was_taken_over_is_not_believed(reply: bytes) -> None:
    from zkwm.models.onnx_process import _read_declared

    with pytest.raises(NoReplyError, match="crashed"):
        _read_declared(reply)


def test_no_worker_outlives_the_judge(graphs: Any) -> None:
    """Killed amid an endless model, the judge leaves no process behind."""
    path = graphs.save(loop_nodes("forever"), {"forever": np.int64(2**62), "yes": np.array(True)})
    program = """
import sys, threading, time
from zkwm.models import onnx_process, open_suspect
def tell():
    while not started: time.sleep(0.01)
    time.sleep(1.5)
    print(started[0].pid, flush=True)
started = []
original = onnx_process.subprocess.Popen
def remembering(*arguments, **options):
    started.append(original(*arguments, **options))
    return started[0]
onnx_process.subprocess.Popen = remembering
threading.Thread(target=tell, daemon=True).start()
open_suspect(sys.argv[1], shape=(1, 2, 2))
"""
    judge = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert judge.stdout is not None
    worker = int(judge.stdout.readline())
    os.kill(worker, 0)
    judge.kill()
    judge.wait()
    judge.stdout.close()
    deadline = time.monotonic() + 5
    while _runs(worker):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Whether the process exists and is not a zombie that nobody has waited for."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return status != "Z"

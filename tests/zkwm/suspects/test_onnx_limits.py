"""ONNX files that take time or memory, and the worker that runs them: limits are kept."""

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
from onnx import TensorProto, helper

from tests.support.onnx_case import BLACK, GRAY, RAW, SHAPE, WEIGHTS, black_times_factor, refused
from zkwm.suspects import Answer, OnnxLimits, open_suspect
from zkwm.suspects.onnx_process import NoReplyError, OnnxProcess

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


def test_a_model_that_never_ends(graphs: Any, within: Any) -> None:
    path = graphs.save(loop_nodes("forever"), {"forever": np.int64(2**62), "yes": np.array(True)})
    with within(30):
        refused(path, "timed out", onnx=OnnxLimits(image_seconds=0.3))


def test_a_model_that_never_ends_on_some_images(graphs: Any, within: Any) -> None:
    tensors = {"one": np.float32(1), "factor": np.int64(2**62), "yes": np.array(True)}
    path = graphs.save([*black_times_factor("rounds"), *loop_nodes("rounds")], tensors)
    suspect = open_suspect(path, shape=SHAPE, onnx=OnnxLimits(image_seconds=2))
    with within(30):
        answers = suspect.answer(np.concatenate([GRAY, BLACK, GRAY]), RAW)
    assert answers == (Answer(0), Answer(None, "timed out"), Answer(0))
    suspect.close()


def test_the_time_for_all_images(graphs: Any, within: Any) -> None:
    tensors = {"one": np.float32(1), "factor": np.int64(2**62), "yes": np.array(True)}
    path = graphs.save([*black_times_factor("rounds"), *loop_nodes("rounds")], tensors)
    suspect = open_suspect(path, shape=SHAPE, onnx=OnnxLimits(total_seconds=1))
    with within(30):
        answers = suspect.answer(np.concatenate([GRAY, BLACK, GRAY, GRAY]), RAW)
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
        answers = suspect.answer(np.concatenate([GRAY, BLACK, GRAY]), RAW)
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
    from zkwm.suspects.limited_process import worker_environment

    monkeypatch.setenv("ZKWM_PASSPHRASE", "correct horse")
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    environment = worker_environment()
    assert "correct horse" not in environment.values()
    named = [name for name in environment if name.startswith(("ZKWM", "ORT"))]
    assert named == ["ORT_DISABLE_TELEMETRY"]


def test_a_worker_that_is_killed_is_started_again(graphs: Any) -> None:
    process = OnnxProcess(graphs.linear(WEIGHTS).read_bytes(), OnnxLimits())
    process.start()
    image = np.float32([[[[1, 2], [4, 3]]]])
    assert process.scores(image, 10).tolist() == [1, 2, 4, 3]
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(NoReplyError, match="crashed"):
        process.scores(image, 10)
    process.require_running(60)
    assert process.scores(image, 10).tolist() == [1, 2, 4, 3]
    process.close()


def test_starting_again_takes_of_the_time_for_all_images(graphs: Any, within: Any) -> None:
    path = graphs.linear(WEIGHTS)
    suspect = open_suspect(path, shape=SHAPE, onnx=OnnxLimits(total_seconds=0.1))
    suspect.close()  # as after a crash
    with within(10):
        answers = suspect.answer(np.concatenate([GRAY, GRAY]), RAW)
    out_of_time = Answer(None, "not asked: the time for all images ran out")
    assert answers == (Answer(None, "timed out"), out_of_time)


def test_memory_suits_the_file_and_its_weights(graphs: Any) -> None:
    path = graphs.linear(WEIGHTS)
    onnx.save_model(
        onnx.load_model(str(path)), str(path), save_as_external_data=True, size_threshold=0,
        location="weights",
    )  # fmt: skip
    limits = []
    suspect = open_suspect(path, shape=SHAPE)
    pid = suspect._process.pid
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max address space"):
            limits = [int(word) for word in line.split() if word.isdigit()]
    size = path.stat().st_size + (path.parent / "weights").stat().st_size
    assert limits == [(2 << 30) + 4 * size] * 2
    suspect.close()


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"S",
        b"R",
        b"Rnull",
        b"R" + b"[" * 5000,
        b'R{"dtype":"float32","moved":0,"left":0}',
        b'R{"dtype":"object","shape":[1],"moved":0,"left":0}',
        b'R{"dtype":"float32","shape":[true],"moved":0,"left":0}',
        b'R{"dtype":"float32","shape":5,"moved":0,"left":0}',
        b'R{"dtype":"float32","shape":[1],"moved":true,"left":0}',
        b'R{"dtype":"float32","shape":[1]}',
        b'X{"dtype":"float32","shape":[1],"moved":0,"left":0}',
    ],
)
def test_a_worker_that_was_taken_over_is_not_believed(reply: bytes) -> None:
    from zkwm.suspects.onnx_process import read_declared

    with pytest.raises(NoReplyError, match="crashed"):
        read_declared(reply)


def test_no_worker_outlives_the_judge(graphs: Any) -> None:
    """A judge that is killed inside an endless model leaves no process behind."""
    path = graphs.save(loop_nodes("forever"), {"forever": np.int64(2**62), "yes": np.array(True)})
    program = """
import sys, threading, time
from zkwm.suspects import onnx_process, open_suspect
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

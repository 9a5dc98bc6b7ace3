"""Files that float32 makes another function than the layers read of them: no challenge."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.support import twins
from tests.support.dispute import Claimant, TestJudge
from zkwm.data.bundled import load_bundled
from zkwm.suspects import open_suspect
from zkwm_protocols.errors import SuspectUnusable, Unsupported

SHAPE = (1, 28, 28)


@pytest.fixture(scope="module")
def model() -> bytes:
    data = load_bundled()
    return twins.dense_model(data.train_images[:300], data.train_labels[:300], 10)


def extended(model: bytes, nodes: list[onnx.NodeProto], constants: dict[str, float]) -> bytes:
    """The model with nodes that turn its scores, now named ``z``, into ``ended``."""
    changed = onnx.load_from_string(model)
    graph = changed.graph
    graph.node[-1].output[0] = "z"
    graph.output[0].name = "ended"
    graph.node.extend(nodes)
    graph.initializer.extend(
        numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()
    )
    return changed.SerializeToString()


def rounded(name: str, result: str) -> list[onnx.NodeProto]:
    """A QuantizeLinear and a DequantizeLinear to bytes by the constant ``step``."""
    zero = numpy_helper.from_array(np.array(128, np.uint8))
    return [
        helper.make_node("Constant", [], [f"{result}_zero"], value=zero),
        helper.make_node("QuantizeLinear", [name, "step", f"{result}_zero"], [f"{result}_level"]),
        helper.make_node(
            "DequantizeLinear", [f"{result}_level", "step", f"{result}_zero"], [result]
        ),
    ]


ENDS = {
    "scores that a large sum swallows": (
        [
            helper.make_node("Add", ["z", "large"], ["sum"]),
            helper.make_node("Sub", ["sum", "large"], ["ended"]),
        ],
        {"large": 3e7},
    ),
    "ties that single precision decides": (
        [
            *rounded("z", "whole"),
            helper.make_node("Mul", ["whole", "half"], ["halves"]),
            helper.make_node("Add", ["halves", "hundred"], ["sum"]),
            helper.make_node("Sub", ["sum", "hundred"], ["noisy"]),
            *rounded("noisy", "ended"),
        ],
        {"step": 0.1, "half": 0.5, "hundred": 100.0},
    ),
    "a last Sigmoid that saturates": (
        [
            helper.make_node("Mul", ["z", "hundred"], ["steep"]),
            helper.make_node("Sigmoid", ["steep"], ["ended"]),
        ],
        {"hundred": 100.0},
    ),
    "a division by a Sigmoid that saturates": (
        [
            helper.make_node("Mul", ["z", "five"], ["steep"]),
            helper.make_node("Sigmoid", ["steep"], ["small"]),
            helper.make_node("Div", ["z", "small"], ["ended"]),
        ],
        {"five": 5.0},
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_challenge_for_an_argument(
    judge: TestJudge, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("zkwm_protocols.labels.label_seed", lambda *_: bytes(32))
    claimant = Claimant(
        np.random.default_rng(0).integers(0, 256, (100, *SHAPE), np.uint8), block_size=25
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(extended(model, *ENDS[end]))
    suspect = open_suspect(path, shape=SHAPE)
    read = "division" not in end
    with closing(suspect), pytest.raises(SuspectUnusable if read else Unsupported) as caught:
        judge.challenge_argument(claimant.commitment, suspect)
    measured = ("argument.translation", "argument.agreement")
    assert caught.value.check in (measured if read else ("network.unsupported",))

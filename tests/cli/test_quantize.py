"""quantize: from an ONNX file to the file of an integer network, and its summary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.case_files import Command
from zkwm_protocols.integer_network import codec


def save_classifier(path: Path, last: str = "Softmax", height: int | str = 12) -> None:
    """conv - relu - average - dense - ``last`` with weights that need no random generator."""
    tensors = {
        "w": (np.arange(36) * 37 % 64 - 31.0).reshape(4, 1, 3, 3) / 64,
        "v": (np.arange(20) * 91 % 128 - 63.0).reshape(4, 5) / 64,
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "v"], ["e"]),
        helper.make_node(last, ["e"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 1, height, 12))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 5))],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save_model(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "suspect.onnx"
    save_classifier(path)
    return path


@pytest.mark.slow
def test_transcript(zkwm: Command, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "suspect.zknet"
    result = zkwm("quantize", model, "--output", output)
    assert result.code == 0, result.stderr
    assert result.stdout == ""
    network = codec.from_bytes(output.read_bytes())
    first, *lines = result.stderr.splitlines()
    assert first == f"reading {model} and making its integer network"
    nodes = [line.strip() for line in lines[: len(network.nodes)]]
    assert [node.partition("  ")[0] for node in nodes] == [
        str(number) for number in range(1, len(nodes) + 1)
    ]
    assert [node.partition("  ")[2] for node in nodes] == [
        "convolution 4x1x3x3 -> 4 x 10 x 10",  # the low digits of the weights, then the high ones
        "convolution 4x1x3x3 -> 4 x 10 x 10",
        "convolution 4x1x1x1, groups 4 -> 4 x 10 x 10",
        "sum -> 4 x 10 x 10",
        "activation by table 0, shift 14 -> 4 x 10 x 10",
        "convolution 5x4x10x10 -> 5 x 1 x 1",
    ]
    lines = lines[len(nodes) :]
    assert lines[0] == "Softmax at the end left out: it changes no label"
    assert lines[1].endswith("table rows, calibrated on 768 images")
    assert lines[2].startswith("same label on ")
    assert "random blocks" in lines[2]
    assert "public images" in lines[3]
    assert lines[4:] == [
        "close enough to the model for an argument",
        f"network {codec.digest(network).hex()}",
    ]


@pytest.mark.slow
def test_json_and_inspect(zkwm: Command, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "suspect.zknet"
    result = zkwm("quantize", model, "--output", output, "--json")
    assert result.code == 0, result.stderr
    assert set(result.json) == {
        "schema", "path", "digest", "shape", "outputs", "lookups_per_image", "table_rows",
        "layers", "calibration_images", "calibration_digest", "agreement", "refusal", "notes",
    }  # fmt: skip
    assert result.json["schema"] == "zkwm/quantize/v1"
    assert min(one["agreeing"] for one in result.json["agreement"]) >= 190
    assert result.json["refusal"] == ""
    shown = zkwm("inspect", output, "--json").json
    assert shown["kind"] == "network"
    assert shown["fields"]["digest"] == result.json["digest"]
    again = zkwm("quantize", model, "--shape", "1,12,12", "-o", output, "--force", "--json")
    assert again.json["digest"] == result.json["digest"]


@pytest.mark.slow
def test_preprocessing_and_calibration_count(zkwm: Command, model: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 12, 12), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    digests = []
    for number, options in enumerate(
        (
            ["--calibration", tmp_path / "images.npz"],
            ["--calibration", tmp_path / "images.npz", "--mean", "0.5", "--std", "0.25"],
            ["--calibration", tmp_path / "images.npz", "--scale", "raw"],
        )
    ):
        result = zkwm("quantize", model, *options, "-o", tmp_path / str(number), "--json")
        assert result.code == 0, result.stderr
        assert result.json["calibration_images"] == 40
        digests.append(result.json["digest"])
    # 0 to 255 instead of 0 to 1 is another scale of the first layer, so the same integers
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.slow
def test_a_network_that_no_judge_accepts(zkwm: Command, model: Path, tmp_path: Path) -> None:
    save_classifier(model, "Identity")
    changed = onnx.load_model(str(model))
    changed.graph.node[-1].output[0] = "z"
    changed.graph.node.extend(
        [
            helper.make_node("Add", ["z", "large"], ["s"]),
            helper.make_node("Sub", ["s", "large"], ["y"]),
        ]
    )
    changed.graph.initializer.append(numpy_helper.from_array(np.float32(3e7), "large"))
    onnx.save_model(changed, str(tmp_path / "swallowed.onnx"))
    result = zkwm("quantize", tmp_path / "swallowed.onnx", "-o", tmp_path / "net", "--json")
    assert result.code == 0, result.stderr
    assert result.json["refusal"]
    assert f"no argument: {result.json['refusal']}" in result.stderr


def test_refusals(zkwm: Command, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "suspect.zknet"
    save_classifier(tmp_path / "odd.onnx", "Round")
    result = zkwm("quantize", tmp_path / "odd.onnx", "--output", output)
    assert result.code == 3
    assert "node 'last' (Round): " in result.stderr
    assert "zkwm challenge --reveal" in result.stderr
    assert not output.exists()
    save_classifier(tmp_path / "open.onnx", height="h")
    result = zkwm("quantize", tmp_path / "open.onnx", "--output", output)
    assert result.code == 2
    assert "--shape" in result.stderr
    result = zkwm("quantize", model, "--shape", "1,28,28", "--output", output)
    assert result.code == 2
    result = zkwm("quantize", model, "--mean", "x", "--std", "1", "--output", output)
    assert result.code == 2
    result = zkwm("quantize", tmp_path / "none.onnx", "--output", output)
    assert result.code == 3
    assert not output.exists()
    output.write_bytes(b"")
    assert zkwm("quantize", model, "--output", output).code == 2
    assert zkwm("quantize", model, "--output", model, "--force").code == 2

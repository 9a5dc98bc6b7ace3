"""inspect of a model: what its files say, read in the limited process, and what refuses a proof."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.support.case_files import Command, Files
from zkwm.quantizer import limited_description
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported

FIELDS = {
    "file", "digest", "class_names", "inputs", "outputs", "opset", "operators", "parameters",
    "arguments",
}  # fmt: skip


def save_graph(path: Path, nodes: list[onnx.NodeProto], outputs: list[str], *sizes: object) -> None:
    """An ONNX file of nodes that read x and c, of float32 images of these sizes."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *sizes))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [helper.make_tensor("c", TensorProto.FLOAT, [1], [2.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, str(path))


def test_of_an_onnx_file(zkwm: Command, case: Files) -> None:
    fields = zkwm("inspect", case.model, "--json").json["fields"]
    assert set(fields) == FIELDS
    assert fields["inputs"] == [{"name": "x", "type": "float32", "shape": ["n", 1, 16, 16]}]
    assert fields["outputs"] == [{"name": "y", "type": "float32", "shape": ["n", 10]}]
    assert fields["operators"] == {"Flatten": 1, "Gemm": 1, "Softmax": 1, "MatMul": 1}
    assert (fields["opset"], fields["class_names"]) == (17, None)
    stored = sum(tensor.dims[0] * max(tensor.dims[1:] or [1])
                 for tensor in onnx.load(case.model).graph.initializer)  # fmt: skip
    assert fields["parameters"] == stored
    (outlook,) = fields["arguments"]
    assert (outlook["output"], outlook["possible"]) == ("y", False)
    assert "(Softmax)" in outlook["refusals"][0]
    text = zkwm("inspect", case.model).stdout
    assert "y: float32 n x 10" in text
    assert "not possible; zkwm challenge --reveal" in text


def test_all_nodes_in_the_way_are_named(zkwm: Command, tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    nodes, last = [], "x"
    for number in range(30):
        nodes.append(helper.make_node("Sin", [last], [f"s{number}"], name=f"wave{number}"))
        nodes.append(helper.make_node("Add", [f"s{number}", "c"], [f"a{number}"]))
        last = f"x{number}"
        nodes.append(helper.make_node("Relu", ["x"], [last]))
    total = [f"a{number}" for number in range(30)]
    nodes.append(helper.make_node("Sum", total, ["y"]))
    save_graph(path, nodes, ["y"], 1, 4, 4)
    (outlook,) = zkwm("inspect", path, "--json").json["fields"]["arguments"]
    assert [text.split("'")[1] for text in outlook["refusals"]] == [f"wave{n}" for n in range(30)]
    text = zkwm("inspect", path).stdout
    assert text.count("in the way") == 21
    assert "and 10 more (--json)" in text


def test_an_open_size_and_several_outputs(zkwm: Command, tmp_path: Path) -> None:
    path = tmp_path / "open.onnx"
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Sin", ["x"], ["z"])]
    save_graph(path, nodes, ["y", "z"], 1, "h", "w")
    first, second = zkwm("inspect", path, "--json").json["fields"]["arguments"]
    assert (first["output"], first["possible"], first["refusals"]) == ("y", None, [])
    assert (second["output"], second["possible"]) == ("z", False)
    text = zkwm("inspect", path).stdout
    assert "argument (y)            its images' size is open; zkwm quantize --shape" in text


def test_class_names_and_weights_in_another_file(zkwm: Command, case: Files) -> None:
    model = onnx.load(case.model)
    helper.set_model_props(model, {"names": json.dumps([f"class {k}" for k in range(10)])})
    path = case.folder / "apart.onnx"
    onnx.save(model, path, save_as_external_data=True, location="apart.data", size_threshold=0)
    shown = zkwm("inspect", path, "--json").json["fields"]
    assert shown["class_names"] == [f"class {k}" for k in range(10)]
    whole = zkwm("inspect", case.model, "--json").json["fields"]
    for name in ("inputs", "outputs", "operators", "parameters", "arguments"):
        assert shown[name] == whole[name]


@pytest.mark.slow
def test_a_saved_folder_and_the_graph_in_it(zkwm: Command, tmp_path: Path, case: Files) -> None:
    from zkwm.nn.architectures import build_model
    from zkwm.nn.model_file import save_classifier
    from zkwm.nn.onnx_export import to_onnx

    statistics = {"mean": [0.5], "std": [0.25]}
    model = build_model("lenet5", shape=(1, 16, 16), class_count=10, seed=1, **statistics)
    save_classifier(tmp_path, model)
    (tmp_path / "model.onnx").write_bytes(to_onnx(model, (1, 16, 16)))
    fields = zkwm("inspect", tmp_path, "--json").json["fields"]
    assert fields["layers"]["Conv2d"] == 2
    assert fields["parameters"] == sum(values.numel() for values in model.parameters())
    assert [outlook["possible"] for outlook in fields["arguments"]] == [False]
    (graph,) = fields["onnx"]
    assert set(graph) == FIELDS
    assert [outlook["possible"] for outlook in graph["arguments"]] == [True]
    alone = zkwm("inspect", tmp_path / "model.onnx", "--json").json["fields"]
    assert alone == graph
    (tmp_path / "config.json").write_text('{"model_type": "resnet"}')
    other = zkwm("inspect", tmp_path, "--json").json
    assert other["fields"]["digest"] == graph["digest"]
    assert "does not describe a built-in network" in other["fields"]["not_read"]


def test_what_is_no_onnx_file(zkwm: Command, tmp_path: Path) -> None:
    """Its digest is shown, which is that of the file; exit code 3 says that it was not read."""
    path = tmp_path / "none.onnx"
    path.write_bytes(b"hello")
    result = zkwm("inspect", path, "--json")
    assert result.code == 3
    assert '"problem": "this is not an ONNX file"' in result.stdout


@pytest.mark.parametrize(
    "reply",
    [
        b"[]", b"{}", b"{", b"\xff",
        b'{"operators": {"Relu": -1}}', b'{"operators": {"Relu": 1e9}}',
        json.dumps({"operators": {}, "inputs": [], "outputs": [], "opset": 1, "parameters": 1 << 70,
                    "arguments": []}).encode(),
        json.dumps({"operators": {}, "inputs": [], "outputs": [], "opset": 1, "parameters": 1,
                    "arguments": [{"output": "y", "possible": "yes", "refusals": []}]}).encode(),
        json.dumps({"operators": {str(k): 1 for k in range(1001)}}).encode(),
    ],
)  # fmt: skip
def test_a_reply_of_another_form(monkeypatch: pytest.MonkeyPatch, reply: bytes) -> None:
    monkeypatch.setattr(limited_description, "run_limited", lambda *_, **__: ({}, reply))
    with pytest.raises(CouldNotCheck):
        limited_description.describe_limited(b"")


def test_limits_of_the_process(case: Files) -> None:
    with pytest.raises(Unsupported):
        limited_description.describe_limited(case.model.read_bytes(), seconds=0.01)
    with pytest.raises(Malformed):
        limited_description.describe_limited(b"")

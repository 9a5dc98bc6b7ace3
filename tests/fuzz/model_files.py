"""Models: ONNX files, safetensors with their description, checkpoints."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from tests.fuzz.byte_changes import change_bytes, chosen, mixed
from tests.fuzz.disk import folder, from_disk
from tests.fuzz.harness import DOCUMENT_ERRORS, Kind
from tests.fuzz.protobuf_changes import change_protobuf
from tests.fuzz.text_changes import change_json
from tests.support.onnx_graphs import graph
from zkwm.nn.architectures import build_model
from zkwm.nn.model_file import CONFIG, WEIGHTS, load_model, save_classifier
from zkwm.quantizer.onnx_file import OnnxGraph, read_onnx
from zkwm.quantizer.quantizer import quantize
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm.suspects.onnx_contents import (
    RefusedError,
    external_files,
    merge,
    require_deterministic,
)
from zkwm.suspects.onnx_worker import read_model
from zkwm.training.checkpoint import Checkpoint, Position
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

GRAPHS = 3_000
IDENTITY = {"model": "a"}


@functools.cache
def _graph(seed: int) -> bytes:
    return graph(seed)[0]


def _any_graph(random: Random) -> bytes:
    return _graph(random.randrange(GRAPHS))


def _shape(read: OnnxGraph) -> tuple[int, int, int]:
    """The images that a file takes, as far as it says so and they are small."""
    sizes = [size if size is not None and size < 9 else 4 for size in read.dims[1:]]
    channels, height, width = (*sizes, 4, 4, 4)[:3]
    return channels, height, width


def _translated(data: bytes) -> object:
    read = read_onnx(data)
    return simplify(translate(read, _shape(read), "nchw"))


def _quantized(data: bytes) -> object:
    read = read_onnx(data)
    shape = _shape(read)
    images = np.arange(2 * int(np.prod(shape))).astype(np.uint8).reshape(2, *shape)
    return quantize(data, shape=shape, preprocessing=Preprocessing(), calibration=images)


def _external() -> bytes:
    """A small model, some of whose weights lie in another file."""
    tensor = onnx.TensorProto(
        name="w", dims=[16, 2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", "w.bin"), ("offset", "0"), ("length", "128")):
        tensor.external_data.add(key=key, value=value)
    made = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
        "external",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 1, 4, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 2))],
        [tensor],
    )
    return bytes(helper.make_model(made).SerializeToString())


def _in_the_worker(data: bytes) -> object:
    """What the process of a suspect does before ONNX Runtime gets the file."""
    model = read_model(data)
    require_deterministic(model)
    names = external_files(model)
    merge(model, {name: bytes(128) for name in names})
    return model.SerializeToString(deterministic=True)


def onnx_kinds() -> list[Kind]:
    """ONNX files, as the quantizer and as the suspect's process read them."""
    external = _external()

    def either(random: Random) -> bytes:
        return external if random.random() < 0.5 else _any_graph(random)

    return [
        Kind("ONNX, translated", mixed(_any_graph, change_protobuf), _translated,
             (*DOCUMENT_ERRORS, UsageError)),
        Kind("ONNX, in its process", mixed(either, change_protobuf), _in_the_worker,
             (RefusedError,), note="up to ONNX Runtime, which runs in that process alone"),
        Kind("ONNX, quantized", mixed(_any_graph, change_protobuf), _quantized,
             (*DOCUMENT_ERRORS, UsageError), note="calibrated on two images"),
    ]  # fmt: skip


def change_safetensors(data: bytes, random: Random) -> bytes:
    """The JSON header changed, with its length put right as a rule."""
    size = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + size], data[8 + size :]
    if random.random() < 0.3:
        return data[:8] + header + change_bytes(rest, random)
    header = change_json(header, random)
    length = len(header) + random.choice([*[0] * 9, 1, -1, 1 << 40])
    return max(0, length).to_bytes(8, "little") + header + rest


def built_in_kinds() -> list[Kind]:
    """Networks of the built-in architectures."""
    where = folder() / "built-in"
    where.mkdir(exist_ok=True)
    made = build_model("dense", shape=(1, 4, 4), class_count=2, mean=[0.5], std=[0.25])
    save_classifier(where, made)
    weights, config = (where / WEIGHTS).read_bytes(), (where / CONFIG).read_bytes()
    other = folder() / "described"
    other.mkdir(exist_ok=True)
    (other / WEIGHTS).write_bytes(weights)

    def load(path: Path) -> object:
        return load_model(path.parent)

    errors = (*DOCUMENT_ERRORS, CouldNotCheck)
    return [
        Kind("safetensors model", mixed(chosen([weights]), change_safetensors),
             from_disk(f"built-in/{WEIGHTS}", load), errors),
        Kind("config.json of a model", mixed(chosen([config]), change_json),
             from_disk(f"described/{CONFIG}", load), errors),
    ]  # fmt: skip


def checkpoint_kinds() -> list[Kind]:
    """The state of a training: its description, and tensors that the description names rightly."""
    where = folder() / "training"
    checkpoint = Checkpoint(where, IDENTITY)
    position = Position.from_json(
        b'{"epoch": 1, "step": 2, "loss_sum": 0.5, "seconds": 3.0, "history": [{"epoch": 1, '
        b'"loss": 0.5, "learning_rate": 0.1, "test_accuracy": 0.9, "trigger_matches": null}], '
        b'"descent": ["dict", [["lr", 0.1]]]}'
    )
    checkpoint.save(position, {"model/w": torch.zeros(4, 4), "momentum/w": torch.ones(2)})
    state: dict[str, Any] = json.loads((where / "checkpoint.json").read_text())
    tensors = (where / state["tensors"]).read_bytes()
    errors = (*DOCUMENT_ERRORS, CouldNotCheck, UsageError)

    def load_described(path: Path) -> object:
        path.replace(where / "checkpoint.json")
        return checkpoint.load()

    def load_tensors(data: bytes) -> object:
        named = state | {"sha256": hashlib.sha256(data).hexdigest()}
        (where / "checkpoint.json").write_text(json.dumps(named))
        (where / state["tensors"]).write_bytes(data)
        return checkpoint.load()

    described = json.dumps(state).encode()
    return [
        Kind("checkpoint", mixed(chosen([described]), change_json),
             from_disk("checkpoint.json", load_described), errors),
        Kind("checkpoint's tensors", mixed(chosen([tensors]), change_safetensors), load_tensors,
             errors),
    ]  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [*onnx_kinds(), *built_in_kinds(), *checkpoint_kinds()]

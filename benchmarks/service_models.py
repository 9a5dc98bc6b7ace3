"""What ``services.py`` serves: two small networks, and the files that each server wants."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

CLASSES = 10
ROWS = (3, 8, 8)
"""Shape of the images of MLServer and Triton."""
NAMES = {str(number): f"class-{7 * number % CLASSES}" for number in range(CLASSES)}
"""As in TorchServe's index_to_name.json."""
TORCHSERVE = (
    *("--start", "--foreground", "--ncs", "--disable-token-auth", "--model-store", "store"),
    *("--models", "all=all.mar", "best_five=best_five.mar", "numbers=numbers.mar"),
    *("--ts-config", "config.properties"),
)
_MLSERVER_RUNTIME = """
import numpy, onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Classifier(MLModel):
    async def load(self):
        self.session = onnxruntime.InferenceSession("model.onnx")
        return True

    async def predict(self, payload):
        images = NumpyCodec.decode_input(payload.inputs[0]).astype(numpy.float32)
        (scores,) = self.session.run(None, {"images": images})
        output = NumpyCodec.encode_output("logits", scores)
        return InferenceResponse(model_name=self.name, outputs=[output])
"""
_TRITON_MODEL = """
import sys
sys.path.insert(0, PACKAGES)
import onnxruntime
import triton_python_backend_utils as backend


class TritonPythonModel:
    def initialize(self, arguments):
        self.session = onnxruntime.InferenceSession(MODEL)

    def execute(self, requests):
        replies = []
        for request in requests:
            images = backend.get_input_tensor_by_name(request, "images").as_numpy()
            (scores,) = self.session.run(None, {"images": images})
            replies.append(backend.InferenceResponse([backend.Tensor("logits", scores)]))
        return replies
"""
_TRITON_CONFIG = """
name: "model"
backend: "python"
max_batch_size: 8
input [{ name: "images" data_type: TYPE_FP32 dims: [3, 8, 8] }]
output [{ name: "logits" data_type: TYPE_FP32 dims: [10] }]
instance_group [{ kind: KIND_CPU }]
"""
_TORCHSERVE_CONFIG = """
inference_address=http://127.0.0.1:18101
management_address=http://127.0.0.1:18102
metrics_address=http://127.0.0.1:18103
default_workers_per_model=1
"""
_ALL_CLASSES = f"""
from ts.torch_handler.image_classifier import ImageClassifier


class AllClasses(ImageClassifier):
    topk = {CLASSES}
"""
_OPERATORS = """
import torch
_LIBRARY = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
"""What torchvision's wheel for GPUs lacks beside PyTorch for the CPU; no classifier calls them."""


def dense(folder: Path) -> nn.Module:
    """A linear classifier of ``ROWS``, also written to ``folder/model.onnx``."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(ROWS)), CLASSES)).eval()
    torch.onnx.export(
        network,
        (torch.rand(1, *ROWS),),
        folder / "model.onnx",
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    return network


def write_mlserver(folder: Path) -> None:
    """The settings of a server with one model, of the runtime above."""
    model = {
        "name": "model",
        "implementation": "runtime.Classifier",
        "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, *ROWS]}],
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, CLASSES]}],
    }
    server = {
        "host": "127.0.0.1",
        "http_port": 18081,
        "grpc_port": 18082,
        "metrics_port": 18083,
        "parallel_workers": 0,
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "runtime.py").write_text(_MLSERVER_RUNTIME)


def write_triton(folder: Path, packages: Path) -> list[str]:
    """A model repository and the backend's folder; the command of the server."""
    model = folder / "repository" / "model" / "1"
    model.mkdir(parents=True)
    (model.parent / "config.pbtxt").write_text(_TRITON_CONFIG)
    constants = f"PACKAGES, MODEL = {str(packages)!r}, {str(folder / 'model.onnx')!r}\n"
    (model / "model.py").write_text(constants + _TRITON_MODEL)
    triton = packages / "pytriton" / "tritonserver"
    backend = shutil.copytree(triton / "backends" / "python", folder / "backends" / "python")
    version = packages.parent.name.removeprefix("python")
    shutil.copy(
        triton / "python_backend_stubs" / version / "triton_python_backend_stub", str(backend)
    )
    return [
        str(triton / "bin" / "tritonserver"),
        "--model-repository=repository",
        f"--backend-directory={folder / 'backends'}",
        *("--http-address=127.0.0.1", "--http-port=18091"),
        *("--allow-grpc=false", "--allow-metrics=false"),
    ]


def picture_network() -> nn.Module:
    """A classifier of 3 x 224 x 224, what TorchServe's handler gives a model."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.AvgPool2d(16), nn.Flatten(), nn.Linear(3 * 14 * 14, CLASSES)).eval()
    network[2].weight.data *= 3
    return network


def torchserve_input(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Of pictures uint8 (n, 3, 256, 256) what TorchServe's handler makes, (n, 3, 224, 224)."""
    cut = torch.tensor(pictures[:, :, 16:240, 16:240]).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (cut - mean[:, None, None]) / std[:, None, None]


def write_torchserve(folder: Path, venv: Path, network: nn.Module) -> None:
    """Archives of three models of one network, and the server's configuration."""
    _define_operators(venv)
    torch.jit.trace(network, torch.rand(1, 3, 224, 224)).save(folder / "model.pt")
    (folder / "index_to_name.json").write_text(json.dumps(NAMES))
    (folder / "all_classes.py").write_text(_ALL_CLASSES)
    (folder / "config.properties").write_text(_TORCHSERVE_CONFIG)
    (folder / "store").mkdir()
    named = ("--extra-files", "index_to_name.json")
    for name, handler, extra in (
        ("all", "all_classes.py", named),
        ("best_five", "image_classifier", named),
        ("numbers", "image_classifier", ()),
    ):
        subprocess.run(
            [
                str(venv / "bin" / "torch-model-archiver"),
                *("--model-name", name, "--version", "1.0", "--serialized-file", "model.pt"),
                *("--handler", handler, "--export-path", "store", *extra),
            ],
            cwd=folder,
            check=True,
        )


def _define_operators(venv: Path) -> None:
    """Let the environment's torchvision be imported without its operators."""
    module = next((venv / "lib").glob("python3.*")) / "site-packages/torchvision/__init__.py"
    text = module.read_text()
    if "_LIBRARY" not in text:
        module.write_text(_OPERATORS.lstrip() + text)

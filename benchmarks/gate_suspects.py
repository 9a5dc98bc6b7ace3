"""Honest suspects for ``gate.py``: small trainings of networks by several tools, as ONNX files.

torchvision, timm, Keras and scikit-learn are not among zkwm's requirements; install what is asked
for. A model whose file is there is not trained again:

    python benchmarks/gate_suspects.py --data cifar10-subset.npz --output /tmp/gate-suspects

``--data`` has x_train, x_test uint8 (n, h, w, 3) and y_train, y_test (n,). The built-in networks
learn the bundled part of Fashion-MNIST instead. Trainings are short: what counts is that weights
were learned, not how well.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zkwm.data.bundled import load_bundled
from zkwm.nn.architectures import build_model, channel_statistics
from zkwm.nn.onnx_export import to_onnx
from zkwm.suspects import open_suspect
from zkwm.training.fit import Fit, fit
from zkwm_protocols.suspect_identity import Preprocessing

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]
CLASSES = 10
BUILT_IN = ("lenet5", "dense", "cnn2", "cnn3", "cnn", "resnet8")
TORCHVISION = (
    "squeezenet1_1", "resnet18", "mobilenet_v2", "shufflenet_v2_x0_5", "mnasnet0_5",
    "mobilenet_v3_small", "regnet_x_400mf", "efficientnet_b0", "densenet121", "googlenet",
)  # fmt: skip
TIMM = ("resnet10t", "mobilenetv3_small_050", "tf_efficientnet_lite0", "repvgg_a0")
OTHER = ("keras", "sklearn")
INT8 = ("lenet5", "dense", "cnn2", "cnn3", "resnet8")
"""Built-in networks that ONNX Runtime makes int8 graphs of, weights by channel."""


@dataclass(frozen=True)
class Plan:
    """A training: at most ``images`` of them, ``side`` pixels high and wide."""

    images: int
    epochs: int
    side: int
    rate: float = 2e-3


OWN = Plan(8000, 3, 28, 1e-3)
PLANS = {"squeezenet1_1": Plan(3000, 8, 64, 2e-4), "cnn": Plan(3000, 2, 28, 1e-3),
         "resnet8": Plan(3000, 2, 28, 1e-3)}  # fmt: skip


def bundled() -> Arrays:
    """The bundled images and labels, training and test: uint8 (n, 1, 28, 28), int64 (n,)."""
    data = load_bundled()
    return data.train_images, data.train_labels, data.test_images, data.test_labels


def from_file(path: Path, side: int) -> Arrays:
    """The images of ``--data``, uint8 (n, 3, side, side), each pixel repeated, and labels."""
    found = np.load(path)
    parts: list[Any] = []
    for part in ("train", "test"):
        images = found[f"x_{part}"].transpose(0, 3, 1, 2)
        times = side // images.shape[2]
        parts += [images.repeat(times, 2).repeat(times, 3), found[f"y_{part}"].astype(np.int64)]
    return parts[0], parts[1], parts[2], parts[3]


def load_torchvision() -> torch.library.Library | None:
    """Import torchvision; one built for a GPU lacks its operators here, but has its models.

    Returns what must live as long as torchvision is used.
    """
    library = None
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def torch_model(tool: str, name: str) -> nn.Module:
    """A network of torchvision or timm with random weights and 10 outputs, seeded."""
    torch.manual_seed(0)
    if tool == "timm":
        import timm

        made: nn.Module = timm.create_model(name, num_classes=CLASSES)
        return made
    import torchvision

    options: dict[str, Any] = {"aux_logits": False} if name == "googlenet" else {}
    network: nn.Module = torchvision.models.get_model(
        name, weights=None, num_classes=CLASSES, **options
    )
    return network


class Normalized(nn.Module):
    """A network of pixels in [-1, 1] as one of pixels in [0, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The network's logits."""
        logits: torch.Tensor = self.network(images * 2.0 - 1.0)
        return logits


def trained(tool: str, name: str, data: Arrays, plan: Plan) -> bytes:
    """A trained network of torch as an ONNX file."""
    images, labels = data[0][: plan.images], data[1][: plan.images]
    shape = images.shape[1:]
    if tool == "zkwm":
        mean, std = channel_statistics(torch.from_numpy(images))
        model: nn.Module = build_model(
            name, shape=shape, class_count=CLASSES, mean=mean, std=std, seed=0
        )
    else:
        model = Normalized(torch_model(tool, name))
    fit(
        model, torch.from_numpy(images), torch.from_numpy(labels),
        Fit(plan.epochs, plan.rate, "adamw", batch_size=50), seed=0,
    )  # fmt: skip
    return to_onnx(model, shape)


def keras_model(data: Arrays, plan: Plan, target: Path) -> bytes:
    """A small network of Keras, channels last, exported by Keras itself."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((plan.side, plan.side, 3)),
            layers.Conv2D(16, 3, activation="relu"), layers.BatchNormalization(),
            layers.MaxPooling2D(), layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(), layers.DepthwiseConv2D(3), layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(), layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )  # fmt: skip
    model.compile(
        keras.optimizers.Adam(plan.rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    pixels = data[0][: plan.images].transpose(0, 2, 3, 1) / np.float32(255)
    model.fit(pixels, data[1][: plan.images], batch_size=50, epochs=plan.epochs, verbose=0)
    path = target.with_suffix(".partial.onnx")
    model.export(str(path), format="onnx", verbose=False)
    content = path.read_bytes()
    path.unlink()
    return content


def sklearn_model(data: Arrays, plan: Plan, _: Path) -> bytes:
    """A perceptron of scikit-learn on flat pixels, by skl2onnx."""
    import skl2onnx
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((64,), max_iter=plan.epochs, random_state=0)
    pixels = data[0][: plan.images].reshape(plan.images, -1) / np.float32(255)
    model.fit(pixels.astype(np.float32), data[1][: plan.images])
    made = skl2onnx.to_onnx(
        model, pixels[:1].astype(np.float32), options={id(model): {"zipmap": False}}
    )
    content: bytes = made.SerializeToString()
    return content


def int8_model(data: Arrays, _: Plan, path: Path) -> bytes:
    """The int8 graph (QDQ) of the built-in network beside it, calibrated on training images."""
    from onnxruntime import InferenceSession, quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        ready, made = (Path(folder) / name for name in ("ready.onnx", "made.onnx"))
        trained = path.with_name(path.name.replace("int8", "zkwm"))
        quant_pre_process(str(trained), str(ready), skip_symbolic_shape=True)
        name = InferenceSession(ready).get_inputs()[0].name
        pixels = data[0][:100] / np.float32(255)

        class Reader(quantization.CalibrationDataReader):
            rows = iter([{name: one[None]} for one in pixels])

            def get_next(self) -> dict[str, Any] | None:
                return next(self.rows, None)

        quantization.quantize_static(
            ready, made, Reader(), per_channel=True,
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        return made.read_bytes()


def accuracy(path: Path, facts: dict[str, Any], data: Arrays) -> float:
    """The share of 300 test images that the file answers rightly."""
    shape = tuple(facts["shape"])
    with closing(open_suspect(path, shape=shape, output=facts["output"])) as suspect:
        answers = suspect.answer(data[2][:300], Preprocessing(layout=facts["layout"]))
    given = [answer.output for answer in answers]
    return float(np.mean(np.array(given) == data[3][:300]))


def main() -> None:
    """Train what is missing, cheapest first; a failure is written down and the next one begins."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    operators = load_torchvision()
    made: list[tuple[str, str]] = [("zkwm", name) for name in BUILT_IN[:4]]
    made += [("keras", "keras"), ("sklearn", "sklearn")]
    made += [("torchvision", name) for name in TORCHVISION[:3]]
    made += [("zkwm", name) for name in BUILT_IN[4:]] + [("timm", name) for name in TIMM]
    made += [("int8", name) for name in INT8]
    made += [("torchvision", name) for name in TORCHVISION[3:]]
    for tool, name in made:
        path = arguments.output / f"{tool}-{name}.onnx"
        if path.exists():
            continue
        started = time.perf_counter()
        own = tool in ("zkwm", "sklearn", "int8")
        plan = PLANS.get(name, OWN if own else Plan(3000, 6, 32))
        try:
            data = bundled() if own else from_file(arguments.data, plan.side)
            other: dict[str, Callable[[Arrays, Plan, Path], bytes]] = {
                "keras": keras_model,
                "sklearn": sklearn_model,
                "int8": int8_model,
            }
            content = (
                other[tool](data, plan, path) if tool in other else trained(tool, name, data, plan)
            )
            path.write_bytes(content)
            facts: dict[str, Any] = {
                "shape": list(data[0].shape[1:]),
                "layout": "nhwc" if tool == "keras" else "nchw",
                "output": "probabilities" if tool == "sklearn" else "",
                "images": plan.images, "epochs": plan.epochs,
                "seconds": round(time.perf_counter() - started),
            }  # fmt: skip
            facts["accuracy"] = round(accuracy(path, facts, data), 3)
            path.with_suffix(".json").write_text(json.dumps(facts))
            print(path.name, json.dumps(facts), flush=True)
        except Exception as error:
            print(
                path.name,
                "FAILED",
                operators is None,
                type(error).__name__,
                str(error)[:300],
                flush=True,
            )


if __name__ == "__main__":
    main()

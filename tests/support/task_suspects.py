"""Suspects of a small task that want a mean and a std, and labeled images of the task.

Not a test. The suspect answers with the output of the nearest image that it knows, triggers and one
pattern a class, all fed in one way; fed otherwise one of them is nearest to everything.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from zkwm.data import LabeledImages
from zkwm.suspects import preprocess
from zkwm_protocols.suspect_identity import Preprocessing

IMAGENET = Preprocessing(mean=("0.485", "0.456", "0.406"), std=("0.229", "0.224", "0.225"))
MNIST = Preprocessing(mean=("0.1307",), std=("0.3081",))
CLASSES = 10


def patterns(shape: tuple[int, int, int]) -> NDArray[np.int64]:
    """One image for each class, int64 (10, *shape); that of class 0 is plain, near the mean."""
    made = np.random.default_rng(5).integers(0, 256, (CLASSES, *shape))
    made[0] = 33 if shape[0] == 1 else 118
    return made


def task_images(shape: tuple[int, int, int], count: int = 400) -> LabeledImages:
    """Noisy copies of the patterns, uint8 (count, *shape), labels 0, 1, ..., again."""
    noise = np.random.default_rng(1).normal(size=(count, *shape)) * 8
    labels = np.arange(count, dtype=np.int64) % CLASSES
    return LabeledImages(np.clip(patterns(shape)[labels] + noise, 0, 255).astype(np.uint8), labels)


def save_suspect(
    path: Path,
    fed: Preprocessing,
    triggers: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    order: NDArray[np.int64] | None = None,
) -> Path:
    """A file that gives triggers their labels and images of the task theirs, fed as ``fed`` says.

    ``order`` int64 (10,) is the output of each class, for triggers and task alike.
    """
    channels, height, width = triggers.shape[1:]
    known = np.concatenate([triggers, patterns((channels, height, width)).astype(np.uint8)])
    outputs = np.concatenate([labels, np.arange(CLASSES)])
    inputs = preprocess(known, fed, dtype="float64").reshape(len(known), -1)
    table = np.eye(CLASSES)[outputs if order is None else order[outputs]]
    odd = np.random.default_rng(6).normal(size=(inputs.shape[1], CLASSES)) * 1e-4
    tensors = {"w": 2 * inputs.T, "b": -(inputs**2).sum(axis=1), "t": table, "odd": odd}
    sizes = (channels, height, width) if fed.layout == "nchw" else (height, width, channels)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["near"]),
            helper.make_node("Softmax", ["near"], ["nearest"]),
            helper.make_node("MatMul", ["nearest", "t"], ["known"]),
            helper.make_node("MatMul", ["flat", "odd"], ["of the image"]),
            helper.make_node("Add", ["known", "of the image"], ["y"]),
        ],
        "task",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *sizes))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", CLASSES))],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path

"""A classifier in which the last bits of a sum decide some answers. Not a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support.case_files import SHAPE
from zkwm.suspects import open_suspect
from zkwm_protocols.suspect_identity import Preprocessing

ANOTHER_MACHINE = Preprocessing(mean=("0",), std=("1.0000005",))
"""Pixels whose last bits differ, which moves sums as another order of their terms does."""


def save_rounded_lookup(
    path: Path, images: NDArray[np.uint8], outputs: NDArray[np.int64], loose: NDArray[np.bool_]
) -> None:
    """An ONNX classifier of unit pixels: the nearest of ``images`` gives its entry of ``outputs``.

    Where it is ``loose``, scores are instead the difference of one sum from itself, with its terms
    in another order.
    """
    random = np.random.default_rng(8)
    templates = images.reshape(len(images), -1).astype(np.float64) / 255
    size = templates.shape[1]
    order, factors = random.permutation(size), random.normal(size=(size, 10))
    tensors = {
        "w": 2000 * templates.T,
        "b": -1000 * (templates**2).sum(axis=1),
        "firm": np.eye(10)[outputs] * ~loose[:, None],
        "loose": 1.0 * np.repeat(loose[:, None], 10, axis=1),
        "once": factors,
        "again": factors[order],
        "large": np.array(1e6),
    }
    stored = [numpy_helper.from_array(v.astype(np.float32), name) for name, v in tensors.items()]
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["near"]),
        helper.make_node("Softmax", ["near"], ["nearest"]),
        helper.make_node("MatMul", ["nearest", "firm"], ["known"]),
        helper.make_node("MatMul", ["nearest", "loose"], ["share"]),
        helper.make_node("Gather", ["flat", "order"], ["mixed"], axis=1),
        helper.make_node("MatMul", ["flat", "once"], ["sum"]),
        helper.make_node("MatMul", ["mixed", "again"], ["same"]),
        helper.make_node("Sub", ["sum", "same"], ["rest"]),
        helper.make_node("Mul", ["rest", "large"], ["noise"]),
        helper.make_node("Mul", ["noise", "share"], ["guess"]),
        helper.make_node("Add", ["known", "guess"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "lookup",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *SHAPE))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 10))],
        [*stored, numpy_helper.from_array(order.astype(np.int64), "order")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, str(path))


def answers_elsewhere(path: Path, images: NDArray[np.uint8]) -> list[int | None]:
    """What ``ANOTHER_MACHINE`` answers."""
    with open_suspect(path, shape=SHAPE) as suspect:
        return [answer.output for answer in suspect.answer(images, ANOTHER_MACHINE)]

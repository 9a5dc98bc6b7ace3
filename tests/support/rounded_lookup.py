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

RAW = Preprocessing(scale="raw")
"""How images are given to the classifiers that do not take unit pixels."""
_TYPES = {
    "unit": TensorProto.FLOAT,
    "whole": TensorProto.UINT8,
    "rounded": TensorProto.FLOAT,
    "half": TensorProto.FLOAT16,
    "guarded": TensorProto.FLOAT,
}
"""In which type pixels are taken."""


def _pixels(way: str) -> list[onnx.NodeProto]:
    """The nodes from the input "x" to "pixels", which are 0 to 1 in single precision."""
    if way == "unit":
        return [helper.make_node("Identity", ["x"], ["pixels"])]
    if way == "guarded":  # no pixel that is moved is a whole number of 255ths
        return [
            helper.make_node("Mul", ["x", "255"], ["raw"]),
            helper.make_node("Round", ["raw"], ["whole"]),
            helper.make_node("Div", ["whole", "255"], ["again"]),
            helper.make_node("Equal", ["again", "x"], ["true"]),
            helper.make_node("Cast", ["true"], ["one"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMin", ["one"], ["all"], keepdims=0),
            helper.make_node("Mul", ["x", "all"], ["pixels"]),
        ]
    first = "Round" if way == "rounded" else "Cast"
    fields = {} if way == "rounded" else {"to": TensorProto.FLOAT}
    return [
        helper.make_node(first, ["x"], ["raw"], **fields),
        helper.make_node("Div", ["raw", "255"], ["pixels"]),
    ]


def _products(sums: str) -> list[onnx.NodeProto]:
    """The nodes from "flat" to "noise": differences of sums in two orders, or sums that absorb.

    These lose the last bits of their terms between a large number and its opposite.
    """
    if sums == "MatMul":
        return [
            helper.make_node("Gather", ["flat", "order"], ["mixed"], axis=1),
            helper.make_node("Gather", ["flat", "own"], ["ordered"], axis=1),
            helper.make_node("MatMul", ["ordered", "once"], ["sum"]),
            helper.make_node("MatMul", ["mixed", "twice"], ["same"]),
            helper.make_node("Sub", ["sum", "same"], ["rest"]),
            helper.make_node("Mul", ["rest", "large"], ["noise"]),
        ]
    first = [
        helper.make_node("Pad", ["flat", "ends", "1"], ["ended"]),
        helper.make_node("Gather", ["ended", "placed"], ["ordered"], axis=1),
    ]
    if sums == "Einsum":
        inputs = ["ordered", "absorbing"]
        return [*first, helper.make_node("Einsum", inputs, ["noise"], equation="ab,bc->ac")]
    return [
        *first,
        helper.make_node("Unsqueeze", ["ordered", "last"], ["row"]),
        helper.make_node("Unsqueeze", ["absorbing", "last"], ["weights"]),
        helper.make_node("ConvTranspose", ["row", "weights"], ["column"]),
        helper.make_node("Squeeze", ["column", "last"], ["noise"]),
    ]


def save_rounded_lookup(
    path: Path,
    images: NDArray[np.uint8],
    outputs: NDArray[np.int64],
    loose: NDArray[np.bool_],
    *,
    pixels: str = "unit",
    machine: int = 0,
    sums: str = "MatMul",
) -> None:
    """An ONNX classifier: the nearest of ``images`` gives its entry of ``outputs``.

    Where it is ``loose``, scores are instead the difference of one sum from itself, with its terms
    in another order. Another ``machine`` adds these up in an order of its own.

    Args:
        path: where it is saved.
        images: those that it knows.
        outputs: its answer to each.
        loose: where rounding decides.
        pixels: how it takes them: ``unit``; ``whole``, ``rounded`` or ``half``, which have no last
            bits to be moved; or ``guarded``, which are all black where last bits are moved.
        machine: which one.
        sums: the operator that adds up; ``Einsum`` and ``ConvTranspose`` lose last bits on the
            first machine alone.
    """
    random = np.random.default_rng(8)
    templates = images.reshape(len(images), -1).astype(np.float64) / 255
    size = templates.shape[1]
    order, factors = random.permutation(size), random.normal(size=(size, 10))
    there = np.random.default_rng(machine).permutation(size) if machine else np.arange(size)
    tensors = {
        "w": 2000 * templates.T,
        "b": -1000 * (templates**2).sum(axis=1),
        "firm": np.eye(10)[outputs] * ~loose[:, None],
        "loose": 1.0 * np.repeat(loose[:, None], 10, axis=1),
        "once": factors[there],
        "twice": factors[order],
        "large": np.array(1e6),
        "255": np.array(255),
        "1": np.array(1),
    }
    ends = np.full((1, 10), 1e8)
    placed = np.arange(size + 2) if not machine else np.array([*range(1, size + 1), 0, size + 1])
    tensors["absorbing"] = np.concatenate([ends, factors, -ends])[placed]
    whole = {"order": order, "own": there, "placed": placed, "last": np.array([2]),
             "ends": np.array([0, 1, 0, 1])}  # fmt: skip
    stored = [numpy_helper.from_array(v.astype(np.float32), name) for name, v in tensors.items()]
    stored += [numpy_helper.from_array(values, name) for name, values in whole.items()]
    nodes = [
        *_pixels(pixels),
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["near"]),
        helper.make_node("Softmax", ["near"], ["nearest"]),
        helper.make_node("MatMul", ["nearest", "firm"], ["known"]),
        helper.make_node("MatMul", ["nearest", "loose"], ["share"]),
        *_products(sums),
        helper.make_node("Mul", ["noise", "share"], ["guess"]),
        helper.make_node("Add", ["known", "guess"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "lookup",
        [helper.make_tensor_value_info("x", _TYPES[pixels], ("n", *SHAPE))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 10))],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, str(path))


def answers_of(path: Path, images: NDArray[np.uint8], pixels: str) -> list[int | None]:
    """What the classifier that was saved there answers."""
    preprocessing = Preprocessing() if pixels in ("unit", "guarded") else RAW
    with open_suspect(path, shape=SHAPE) as suspect:
        return [answer.output for answer in suspect.answer(images, preprocessing)]

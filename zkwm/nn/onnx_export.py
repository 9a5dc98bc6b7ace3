"""Export a torch model to ONNX bytes, the form in which suspects are usually judged.

Stack traces, paths and the exporter's name are stripped, so that the same model gives the same
bytes under the same versions.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import torch
import torch._dynamo
from torch import nn

from zkwm.extras import silent_onnxruntime
from zkwm.nn.class_scores import ClassScores, class_scores
from zkwm_protocols.errors import Unsupported

INPUT_NAME, OUTPUT_NAME = "images", "logits"
CHECKED_IMAGES = 8
_OPEN = ({0: torch.export.Dim("batch")},)
_FAILURES = (
    torch.onnx.errors.OnnxExporterError,
    torch._dynamo.exc.TorchDynamoException,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
)
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
TOLERANCE = 1e-3
"""Largest difference between onnxruntime and torch, relative to the largest logit."""


def to_onnx(model: nn.Module, shape: tuple[int, int, int]) -> bytes:
    """Export a model in evaluation mode, and check the file against torch.

    Args:
        model: A classifier; it is left in evaluation mode.
        shape: (channels, height, width) of images.

    Returns:
        ONNX with input ``images`` float32 (batch, c, h, w) and output ``logits`` (batch, outputs).

    Raises:
        Unsupported: The model cannot be exported, or onnxruntime answers noise differently.
    """
    example = torch.zeros(2, *shape)
    model = model.eval()
    try:
        with _quiet():
            program = _program(_of_logits(model, example), example)
    except _FAILURES as error:
        raise Unsupported(
            f"the model cannot be exported to ONNX: {_reason(error)}",
            hint="the trained model is in the result; save its state_dict with safetensors",
        ) from None
    data = _stripped(program)
    _require_same_answers(model, data, shape)
    return data


def require_exportable(model: nn.Module, shape: tuple[int, int, int]) -> None:
    """Try the first and longest step of an export, on a model on the CPU.

    Raises Unsupported where torch cannot trace the model for images (n, *shape) of any number n.
    """
    example = torch.zeros(2, *shape)
    try:
        with _quiet():
            alone = _of_logits(model.eval(), example)
            try:
                torch.export.export(alone, (example,), dynamic_shapes=_OPEN)
            except _FAILURES:
                torch.export.export(alone, (example,), dynamic_shapes=_OPEN, strict=True)
    except _FAILURES as error:
        raise Unsupported(
            f"the model cannot be exported to ONNX: {_reason(error)}",
            hint="decide nothing by values or by the number of images in forward; for a network "
            "that only an endpoint answers for, zkwm.EmbedLoss marks it in a loop of your own",
        ) from None


def _program(model: nn.Module, example: torch.Tensor) -> torch.onnx.ONNXProgram:
    """The ONNX program, for any number of images.

    Where torch has fixed their number, as it does for ``len(images)`` in ``forward``, the model is
    traced again from its Python code (``strict``).
    """
    settings: dict[str, Any] = {
        "dynamo": True,
        "input_names": [INPUT_NAME],
        "output_names": [OUTPUT_NAME],
        "external_data": False,
        "verbose": False,
    }
    program = torch.onnx.export(model, (example,), dynamic_shapes=_OPEN, **settings)
    if program is not None and _is_open(program):
        return program
    traced = torch.export.export(model, (example,), dynamic_shapes=_OPEN, strict=True)
    program = torch.onnx.export(traced, **settings)
    if program is None or not _is_open(program):
        raise ValueError("torch gives no program for any number of images")
    return program


def _is_open(program: torch.onnx.ONNXProgram) -> bool:
    """Whether the number of images is open."""
    first = program.model_proto.graph.input[0].type.tensor_type.shape.dim[0]
    return bool(first.dim_param)


def _of_logits(model: nn.Module, example: torch.Tensor) -> nn.Module:
    """The model, or one that gives its logits alone where it gives an object that has them."""
    with torch.no_grad():
        return model if isinstance(model(example), torch.Tensor) else ClassScores(model)


def _reason(error: BaseException) -> str:
    """The first line of what went wrong at the start, without a terminal's colors."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = _COLORS.sub("", str(error)).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _stripped(program: torch.onnx.ONNXProgram) -> bytes:
    """The program's bytes without anything that depends on where it was written."""
    import onnx

    proto = program.model_proto
    graph = proto.graph
    del proto.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    proto.doc_string = graph.doc_string = ""
    for item in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    onnx.checker.check_model(proto)
    written: bytes = proto.SerializeToString(deterministic=True)
    return written


def _require_same_answers(model: nn.Module, data: bytes, shape: tuple[int, int, int]) -> None:
    """Raise Unsupported unless onnxruntime and the model agree on noise."""
    onnxruntime = silent_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).random((CHECKED_IMAGES, *shape), dtype=np.float32)
    with torch.no_grad():
        expected = class_scores(model(torch.from_numpy(noise))).numpy()
    answers = session.run([OUTPUT_NAME], {INPUT_NAME: noise})[0]
    largest = max(float(np.abs(expected).max()), 1.0)
    if answers.shape != expected.shape or not np.allclose(
        answers, expected, rtol=0, atol=TOLERANCE * largest
    ):
        raise Unsupported("the ONNX file answers differently from the model")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter logs, warns and prints about itself and about missing packages."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

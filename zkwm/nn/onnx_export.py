"""Export a torch model to ONNX bytes, the form in which suspects are usually judged.

Stack traces, paths and the exporter's name are stripped, so that the same model gives the same
bytes under the same versions.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from zkwm_protocols.errors import Unsupported

INPUT_NAME, OUTPUT_NAME = "images", "logits"
CHECKED_IMAGES = 8
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
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                external_data=False,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        raise Unsupported(
            f"the model cannot be exported to ONNX: {str(error).splitlines()[0][:200]}",
            hint="the trained model is in the result; save its state_dict with safetensors",
        ) from None
    if program is None:
        raise Unsupported("torch returned no ONNX program")
    data = _stripped(program)
    _require_same_answers(model, data, shape)
    return data


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
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).random((CHECKED_IMAGES, *shape), dtype=np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(noise)).numpy()
    answers = session.run([OUTPUT_NAME], {INPUT_NAME: noise})[0]
    largest = max(float(np.abs(expected).max()), 1.0)
    if answers.shape != expected.shape or not np.allclose(
        answers, expected, rtol=0, atol=TOLERANCE * largest
    ):
        raise Unsupported("the ONNX file answers differently from the model")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings about itself and about missing packages."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)

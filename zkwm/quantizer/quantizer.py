"""Quantize an ONNX classifier to the integer network of the argument (SPEC.md 16.5).

Judge and owner who quantize the same file get the same bytes, on any machine. The model is parsed,
never run.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibration import (
    calibration_digest,
    default_images,
    image_count,
    require_affordable,
)
from zkwm.quantizer.choose_precision import build_network
from zkwm.quantizer.integers import LARGEST_ZERO, Bytes
from zkwm.quantizer.layers import Layers, Shape, multiplications, use_counts
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.quantized import HINT, QuantizedNetwork
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm.suspects.preprocessing import check_input
from zkwm.suspects.suspect import require_images
from zkwm_protocols.errors import Unsupported, UsageError
from zkwm_protocols.integer_network.shapes import MAXIMUM_ENTRIES_TOGETHER, MAXIMUM_MULTIPLICATIONS
from zkwm_protocols.suspect_identity import Preprocessing

MOST_IMAGES = 10_000


def quantize(
    path_or_bytes: str | Path | bytes,
    *,
    shape: Shape,
    preprocessing: Preprocessing,
    calibration: NDArray[np.uint8] | None = None,
    output: str = "",
) -> QuantizedNetwork:
    """Quantize an ONNX file to an integer network.

    Args:
        path_or_bytes: the file, or its content.
        shape: (channels, height, width) of the images.
        preprocessing: how pixels become the model's input.
        calibration (uint8, (n, c, h, w)): 1 to 10,000 images; None for those of SPEC.md 16.5, on
            which owner and judge agree.
        output: the name of the file's output that is asked; empty for the only one.

    Raises CouldNotCheck or Malformed for an unreadable file, UsageError for images or preprocessing
    that do not fit, Unsupported (naming the node) for a model without such a network.
    """
    check_input(preprocessing, shape[0], "float32")
    graph = read_layers(path_or_bytes, shape, preprocessing, output)
    work, count = require_size(graph)
    if calibration is None:
        calibration = default_images(shape, image_count(work, count))
    require_images(calibration, shape)
    if not 1 <= len(calibration) <= MOST_IMAGES:
        raise UsageError(f"1 to {MOST_IMAGES:,} images are needed for a calibration")
    require_affordable(work, count, len(calibration))
    network = build_network(graph, _image(calibration, preprocessing))
    return QuantizedNetwork(network, calibration_digest(calibration), len(calibration), graph.notes)


def read_layers(
    path_or_bytes: str | Path | bytes, shape: Shape, preprocessing: Preprocessing, output: str
) -> Layers:
    """The simplified layers over real numbers of an ONNX file; raises as ``quantize`` does."""
    layout, order = preprocessing.layout, preprocessing.channels
    return simplify(translate(read_onnx(path_or_bytes, output), shape, layout, order))


def require_size(layers: Layers) -> tuple[int, int]:
    """The multiplications and entries for one image. Raises Unsupported for too many."""
    work, count = multiplications(list(layers.layers), layers.output), entries(layers)
    if work > MAXIMUM_MULTIPLICATIONS or count > MAXIMUM_ENTRIES_TOGETHER:
        raise Unsupported("the model is too large for an integer network", hint=HINT)
    return work, count


def declared_shape(
    path_or_bytes: str | Path | bytes, layout: str, output: str = ""
) -> Shape | None:
    """The declared (channels, height, width) of a file's input, None where they are open.

    ``layout`` is ``nchw`` or ``nhwc``, ``output`` as for ``quantize``. Raises as
    ``quantize`` does for an unreadable file.
    """
    sizes = read_onnx(path_or_bytes, output).dims[1:]
    if len(sizes) != 3:
        return None
    first, second, third = sizes
    if first is None or second is None or third is None:
        return None
    return (third, first, second) if layout == "nhwc" else (first, second, third)


def _image(images: NDArray[np.uint8], preprocessing: Preprocessing) -> Bytes:
    """Pixels uint8 (n, c, h, w) as the model's input, scale * (pixel - zero) (SPEC.md 4.3)."""
    channels = images.shape[1]
    whole = 255.0 if preprocessing.scale == "unit" else 1.0
    mean = np.array([float(text) for text in preprocessing.mean] or [0.0] * channels)
    std = np.array([float(text) for text in preprocessing.std] or [1.0] * channels)
    zero = mean * whole
    if not (np.abs(zero) <= LARGEST_ZERO).all():
        raise Unsupported("the preprocessing subtracts more than 32,768 pixel steps")
    pixels, top = np.ascontiguousarray(images.transpose(1, 2, 3, 0)), np.full(channels, 255)
    return Bytes(0, 1.0 / (std * whole), zero, pixels, top)


def entries(graph: Layers) -> int:
    """The number of entries of all layers that lead to the output, for one image."""
    uses = use_counts(list(graph.layers), graph.output)
    return sum(prod(layer.shape) for number, layer in enumerate(graph.layers) if uses[number])

"""Read a mark of ``neuralmark``: bits in pooled weights at hashed places (SPEC.md 19.5).

After Yao, Song and Jin, "Hashed watermark as a filter: a unified defense against forging and
overwriting attacks in neural network watermarking", AAAI 2026 (arXiv 2507.11137). Embedding is in
``zkwm.watermarks.parameter_encoding.neuralmark``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.alignment import aligned
from zkwm.extraction.keys import ExtractionKey, read_keys
from zkwm.extraction.neuron_groups import weighted_layers
from zkwm.extraction.reader import NOT_FINITE, WHITE_BOX, JudgeView, MarkReader
from zkwm_protocols.errors import UsageError

CELLS = 64
"""Into how many cells the weights that a key keeps are pooled."""

_FILTER, _ROW = "filter", "row"


@dataclass(frozen=True)
class NeuralMarkReader(MarkReader):
    """Reads the sign of a keyed projection of pooled weights at keyed places (SPEC.md 19.5).

    - Layer: a key names a convolution or linear layer by its number (``weighted_layers``).
    - Weights: of that layer, without bias, flattened in C order: P numbers.
    - Filter: ``key.signs("filter", P)``; the Q weights whose sign is +1 are kept, in their order.
    - Cells: weight number j of the Q belongs to cell floor(64 j / Q).
    - Row: ``key.signs("row", 64)``, one sign for each cell.
    - Bit: 1 if the sum of all kept weights, each times the sign of its cell, is >= 0, else 0. The
      sum is correctly rounded float64 (``math.fsum``), so that every machine reads the same bit.

    In the paper one filter, the watermark itself, serves all bits. Here each key has its own, since
    keys are opened block by block.
    """

    name: ClassVar[str] = "neuralmark"
    access: ClassVar[str] = WHITE_BOX

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,), of the suspect aligned with ``view.reference``.

        Raises UsageError for a suspect without the layer of a key, or whose weights there are not
        finite.
        """
        keys = read_keys(leaves)
        suspect = aligned(model, view)
        weights: dict[int, NDArray[np.float64]] = {}
        bits = np.zeros(len(keys), np.int64)
        for number, key in enumerate(keys):
            if key.layer not in weights:
                layer = layer_weight(suspect, key.layer).detach().cpu().double()
                weights[key.layer] = layer.flatten().numpy()
                if not np.isfinite(weights[key.layer]).all():
                    raise UsageError(NOT_FINITE)
            flat = weights[key.layer]
            bits[number] = math.fsum((key_row(key, len(flat)) * flat).tolist()) >= 0
        return bits


def layer_weight(model: nn.Module, number: int) -> Tensor:
    """The weight of layer ``number``, float32. Raises UsageError where there is none."""
    layers = weighted_layers(model)
    if number >= len(layers):
        raise UsageError(f"a key names layer {number}, and the network has {len(layers)}")
    return layers[number][1].weight


def key_row(key: ExtractionKey, size: int) -> NDArray[np.int8]:
    """The sign of each of a layer's ``size`` weights, int8: 0 where the filter leaves one out."""
    kept = np.flatnonzero(key.signs(_FILTER, size) > 0)
    cells = np.arange(len(kept)) * CELLS // max(len(kept), 1)
    row = np.zeros(size, np.int8)
    row[kept] = key.signs(_ROW, CELLS)[cells]
    return row

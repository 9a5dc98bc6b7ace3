"""Read a mark of ``uchida``: bits in the summed filters of a convolution (SPEC.md 19.5).

After Uchida, Nagai, Sakazawa and Satoh, "Embedding watermarks into deep neural networks", ICMR
2017. Embedding is in ``zkwm.watermarks.parameter_encoding.uchida``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.alignment import aligned
from zkwm.extraction.keys import ExtractionKey, read_keys
from zkwm.extraction.neuron_groups import weighted_layers
from zkwm.extraction.reader import NOT_FINITE, WHITE_BOX, JudgeView, MarkReader
from zkwm_protocols.errors import UsageError

_ROW = "row"


@dataclass(frozen=True)
class UchidaReader(MarkReader):
    """Reads the sign of a keyed projection of a convolution's weights (SPEC.md 19.5).

    - Layer: a key names a convolution by its number among all convolutions and linear layers
      (``weighted_layers``).
    - Vector: the layer's weights, float32 (o, i, h, w), summed over the o filters and flattened to
      M = i*h*w numbers w_j in the order (i, h, w). The paper takes the mean, which has the same
      sign in every product below.
    - Row: ``key.signs("row", M)``, where the paper's projection has standard normal numbers.
    - Bit: 1 if sum_j row_j * w_j >= 0, else 0. Both sums are correctly rounded float64
      (``math.fsum``), so that every machine reads the same bit.
    """

    name: ClassVar[str] = "uchida"
    access: ClassVar[str] = WHITE_BOX

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,), of the suspect aligned with ``view.reference``.

        Raises UsageError for a suspect without the layer of a key, or whose weights there are not
        finite.
        """
        keys = read_keys(leaves)
        bits = np.zeros(len(keys), np.int64)
        for weight, rows, numbers in projections(aligned(model, view), keys):
            weights = weight.detach().cpu().double().flatten(1).numpy()
            if not np.isfinite(weights).all():
                raise UsageError(NOT_FINITE)
            summed = np.array([math.fsum(column) for column in weights.T.tolist()])
            for number, row in zip(numbers, rows.numpy(), strict=True):
                bits[number] = math.fsum((row * summed).tolist()) >= 0
        return bits


def mean_filters(model: nn.Module) -> dict[int, Tensor]:
    """The weights float32 (o, i, h, w) of all convolutions, by the number of their layer."""
    return {
        number: layer.weight
        for number, (_, layer) in enumerate(weighted_layers(model))
        if isinstance(layer, nn.Conv2d)
    }


def projections(
    model: nn.Module, keys: list[ExtractionKey]
) -> list[tuple[Tensor, Tensor, list[int]]]:
    """For each layer that a key names: weights, rows, and the keys' places in ``keys``.

    The weights are float32 (o, i, h, w), the rows int8 (keys of this layer, M). Raises UsageError
    for a layer that is not a convolution of the network.
    """
    filters = mean_filters(model)
    layers = []
    for layer in sorted({key.layer for key in keys}):
        if layer not in filters:
            raise UsageError(
                f"layer {layer}, which a key names, is not a convolution of the network"
            )
        numbers = [number for number, key in enumerate(keys) if key.layer == layer]
        size = filters[layer][0].numel()
        rows = np.stack([keys[number].signs(_ROW, size) for number in numbers])
        layers.append((filters[layer], torch.from_numpy(rows), numbers))
    return layers

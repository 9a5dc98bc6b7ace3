"""How a judge reads the mark uchida (SPEC.md 19.5)."""

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
from zkwm.extraction.reader import WHITE_BOX, JudgeView, MarkReader
from zkwm_protocols.errors import UsageError

_ROW = "row"


@dataclass(frozen=True)
class UchidaReader(MarkReader):
    """Reads the bits as the module says (SPEC.md 19.5)."""

    name: ClassVar[str] = "uchida"
    access: ClassVar[str] = WHITE_BOX

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,), of the suspect aligned with ``view.reference``.

        Raises UsageError for a suspect without the layer of a key.
        """
        keys = read_keys(leaves)
        bits = np.zeros(len(keys), np.int64)
        for weight, rows, numbers in projections(aligned(model, view), keys):
            weights = weight.detach().cpu().double().flatten(1).numpy()
            if not np.isfinite(weights).all():
                continue
            summed = np.array([math.fsum(column) for column in weights.T.tolist()])
            for number, row in zip(numbers, rows.numpy(), strict=True):
                bits[number] = math.fsum((row * summed).tolist()) >= 0
        return bits


def mean_filters(model: nn.Module) -> dict[int, Tensor]:
    """The weights (o, i, h, w) of all convolutions by the number of their layer."""
    return {
        number: layer.weight
        for number, (_, layer) in enumerate(weighted_layers(model))
        if isinstance(layer, nn.Conv2d)
    }


def projections(
    model: nn.Module, keys: list[ExtractionKey]
) -> list[tuple[Tensor, Tensor, list[int]]]:
    """For each layer of the keys: its weights, rows int8 (keys, M), the numbers of the keys."""
    filters = mean_filters(model)
    found = []
    for layer in sorted({key.layer for key in keys}):
        if layer not in filters:
            raise UsageError(f"layer {layer}, which a key names, is no convolution of the network")
        numbers = [number for number, key in enumerate(keys) if key.layer == layer]
        size = filters[layer][0].numel()
        rows = np.stack([keys[number].signs(_ROW, size) for number in numbers])
        found.append((filters[layer], torch.from_numpy(rows), numbers))
    return found

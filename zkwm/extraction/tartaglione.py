"""Read a mark of ``tartaglione``: the signs of secret parameters (SPEC.md 19.5).

After Tartaglione, Grangetto, Cavagnino and Botta, "Delving in the loss landscape to embed robust
watermarks into neural networks", ICPR 2020. Embedding is in
``zkwm.watermarks.parameter_encoding.tartaglione``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.alignment import aligned
from zkwm.extraction.keys import read_keys
from zkwm.extraction.neuron_groups import weighted_layers
from zkwm.extraction.reader import NOT_FINITE, WHITE_BOX, JudgeView, MarkReader
from zkwm_protocols.errors import UsageError

_POSITION = "position"


@dataclass(frozen=True)
class TartaglioneReader(MarkReader):
    """Reads the sign of one weight for each key (SPEC.md 19.5).

    - Layer: 0 in every key, not read.
    - Parameters: the weights of all convolutions and linear layers (``weighted_layers``, without
      biases), each flattened in C order, one after the other: numbers 0 to P - 1.
    - Position: ``key.choices("position", 1, P)``. It needs no check that positions differ: every
      bit is a fair coin to the judge, whatever the position (SPEC.md 8).
    - Bit: 1 if the parameter there is >= 0, else 0.
    """

    name: ClassVar[str] = "tartaglione"
    access: ClassVar[str] = WHITE_BOX

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,), of the suspect aligned with ``view.reference``.

        Positions are counted in the suspect, so another architecture is read elsewhere. Raises
        UsageError where weights are not finite.
        """
        suspect = aligned(model, view)
        flat = torch.cat([weight.detach().cpu().flatten() for _, weight in marked_weights(suspect)])
        if not bool(torch.isfinite(flat).all()):
            raise UsageError(NOT_FINITE)
        positions = torch.from_numpy(key_positions(leaves, len(flat)))
        bits: NDArray[np.int64] = (flat[positions] >= 0).long().numpy()
        return bits


def marked_weights(model: nn.Module) -> list[tuple[str, Tensor]]:
    """All weights that can be marked, with their names, in the order of their numbers."""
    return [(f"{name}.weight", layer.weight) for name, layer in weighted_layers(model)]


def weight_count(model: nn.Module) -> int:
    """The number P of weights that can be marked."""
    return sum(weight.numel() for _, weight in marked_weights(model))


def key_positions(leaves: NDArray[np.uint8], total: int) -> NDArray[np.int64]:
    """The position of each key, int64 (n,), among ``total`` weights."""
    positions = [int(key.choices(_POSITION, 1, total)[0]) for key in read_keys(leaves)]
    return np.array(positions, np.int64)

"""How often an integer network gives the label of the model that it was made from.

Measured on images that no scale was chosen on. Not a proof of anything: it says whether checking
the integer network instead of the model makes sense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.suspect import Progress, Suspect
from zkwm_protocols.errors import UsageError
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.integer_network.model import IntegerNetwork
from zkwm_protocols.suspect_identity import Preprocessing


@dataclass(frozen=True)
class Agreement:
    """On ``agreeing`` of ``count`` images both gave the same label; no answer never agrees."""

    agreeing: int
    count: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.agreeing / self.count


def agreement(
    network: IntegerNetwork,
    suspect: Suspect,
    images: NDArray[np.uint8],
    *,
    preprocessing: Preprocessing,
    progress: Progress | None = None,
) -> Agreement:
    """Ask the suspect for each of ``images`` uint8 (n, c, h, w), n > 0, and count equal labels.

    Raises UsageError for other images, for none, and for a suspect with another number of outputs.
    """
    if len(images) == 0:
        raise UsageError("there are no images to compare labels on")
    if suspect.identity.outputs != network.outputs:
        raise UsageError(
            f"the suspect has {suspect.identity.outputs} outputs, the network {network.outputs}"
        )
    expected = labels(network, images).tolist()
    answers = suspect.answer(images, preprocessing, progress=progress)
    agreeing = sum(answer.output == label for answer, label in zip(answers, expected, strict=True))
    return Agreement(agreeing, len(images))

"""Measure how often an integer network and its model give the same label.

Measured on images on which no scale was chosen. It proves nothing; it tells whether an argument
about the integer network says something about the model (SPEC.md 18.3).
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
    """The number of images on which both gave the same label; a missing answer never agrees."""

    agreeing: int
    count: int

    @property
    def share(self) -> float:
        """The share of agreeing images, 0 to 1."""
        return self.agreeing / self.count


def agreement(
    network: IntegerNetwork,
    suspect: Suspect,
    images: NDArray[np.uint8],
    *,
    preprocessing: Preprocessing,
    progress: Progress | None = None,
) -> Agreement:
    """Query the suspect for each image and count equal labels.

    Args:
        network: the integer network.
        suspect: the model that it was quantized from.
        images (uint8, (n, c, h, w)): at least one image.
        preprocessing: how pixels become the suspect's input.
        progress: called after each image.

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

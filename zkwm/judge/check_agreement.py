"""How often a suspect and its integer network give the same output (SPEC.md 18.1, 18.3).

An argument is about the integer network, the accusation about the suspect, so that the two have to
agree before an argument says anything. ``zkwm.quantizer`` makes the network. Does not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibration import public_sets
from zkwm.suspects import Suspect
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm_protocols.integer_network.model import IntegerNetwork

LEAST_AGREEMENT = 0.9
PUBLIC = "public images"
GIVEN = "images given"
RANDOM = "random images"


@dataclass(frozen=True)
class Comparison:
    """Suspect and integer network give the same output for ``agreeing`` of ``asked`` images."""

    kind: str
    asked: int
    agreeing: int

    @property
    def rate(self) -> float:
        """From 0 to 1."""
        return self.agreeing / self.asked


def measure_agreement(
    network: IntegerNetwork,
    suspect: Suspect,
    preprocessing: Preprocessing,
    images: NDArray[np.uint8] | None = None,
) -> tuple[Comparison, ...]:
    """Compare suspect and integer network on two sets of images; the first set decides.

    An image without an answer counts against agreement.

    Args:
        network: derived from the suspect's file.
        suspect: the model.
        preprocessing: how pixels become the suspect's input.
        images (uint8, (n, channels, height, width)): the first set; by default the public images of
            SPEC.md 16.5 on which no scale was chosen. The second set is random.

    Raises:
        UsageError: images of another shape, or none.
    """
    from zkwm.quantizer import agreement

    public, random = public_sets(network.shape)
    sets = ((PUBLIC, public) if images is None else (GIVEN, images), (RANDOM, random))
    results = [
        (kind, agreement(network, suspect, batch, preprocessing=preprocessing))
        for kind, batch in sets
    ]
    return tuple(Comparison(kind, result.count, result.agreeing) for kind, result in results)


def require_agreement(agreements: tuple[Comparison, ...]) -> None:
    """Raise SuspectUnusable (check ``argument.agreement``) where the first is under 90 %."""
    first = agreements[0]
    if first.rate < LEAST_AGREEMENT:
        raise SuspectUnusable(
            f"suspect and integer network give one output for {first.agreeing} of {first.asked} "
            f"{first.kind} only: this suspect cannot be checked in this way",
            hint="give images that it is made for, or ask for an opening instead (--reveal)",
            check="argument.agreement",
        )

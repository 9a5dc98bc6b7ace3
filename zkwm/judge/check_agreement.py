"""The integer network of a suspect's own file, and how well it stands for the suspect.

SPEC.md sections 16.4, 18.1, 18.3 and 18.5. The owner and the judge derive it alike, each from the
file that he has; agreement is measured for the judge, and the owner sees to it that the network is
one that classifies. How a network is made integer is in ``zkwm.quantizer``. Does not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.derive import public_sets
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
    """On how many of ``asked`` images of a kind suspect and integer network give one output."""

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
    """Compare suspect and integer network on ``images`` (uint8, (n, c, h, w)) and random ones.

    Without ``images`` on the public ones of SPEC.md 16.5 that no scale was chosen on. An image
    without an answer counts against agreement. The first entry decides (``require_agreement``).
    Raises UsageError for images of another shape, or none.
    """
    from zkwm.quantizer import agreement

    public, random = public_sets(network.shape)
    sets = ((PUBLIC, public) if images is None else (GIVEN, images), (RANDOM, random))
    counts = [
        (kind, agreement(network, suspect, shown, preprocessing=preprocessing))
        for kind, shown in sets
    ]
    return tuple(Comparison(kind, found.count, found.agreeing) for kind, found in counts)


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

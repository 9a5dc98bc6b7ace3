"""What an accuser's attack offers: a commitment of his, made to match a model that is not his.

Not a removal attack: nothing is done to any suspect. The accuser never sees the victim's model; he
wants any innocent model to answer his triggers as his commitment says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

    from zkwm.attacks.attack import Adversary


@dataclass(frozen=True)
class ClaimResult:
    """The accuser's trigger images and the labels that he would like.

    ``images`` uint8 (n, c, h, w), ``target_labels`` int64 (n,): what he can make models answer.
    ``tries`` is how many commitments he made to find a lucky one (1: no grinding).
    """

    images: NDArray[np.uint8]
    target_labels: NDArray[np.int64]
    tries: int = 1


@dataclass(frozen=True)
class Claim(ABC):
    """One way to claim what one does not own."""

    name: ClassVar[str]
    paper: ClassVar[str]

    @abstractmethod
    def run(self, accuser_models: Sequence[nn.Module], accuser: Adversary) -> ClaimResult:
        """Make triggers from the accuser's own models (images float32 in [0, 1] to logits)."""

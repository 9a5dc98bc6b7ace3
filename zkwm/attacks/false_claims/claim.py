"""The interface of false claims: a commitment made to match a model of somebody else.

The accuser never sees the victim's model; they want any innocent model to answer their triggers as
their commitment says. Attacks on a marked model are ``zkwm.attacks.attack``'s.
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
    """The accuser's trigger images and the labels that would suit them.

    Args:
        images (uint8, (n, c, h, w)): The triggers.
        target_labels (int64, (n,)): What the accuser can make models answer. Only where labels are
            declared can they be committed to.
        tries: How many commitments the accuser makes to find a lucky one; 1 for no grinding.
    """

    images: NDArray[np.uint8]
    target_labels: NDArray[np.int64]
    tries: int = 1


@dataclass(frozen=True)
class Claim(ABC):
    """One kind of false claim; its dataclass fields are the parameters of a grid file."""

    name: ClassVar[str]
    paper: ClassVar[str]

    @abstractmethod
    def run(self, accuser_models: Sequence[nn.Module], accuser: Adversary) -> ClaimResult:
        """Make triggers from models that the accuser trained.

        Args:
            accuser_models: Turn images float32 (n, c, h, w) in [0, 1] into logits (n, C).
            accuser: Whose images and seed.

        Raises:
            UsageError: There are too few models or images.
        """

"""The learning rate of an optimizer as a share of what it was when look-ahead began.

Settings know their rate at every step; the optimizer of somebody's own is asked as it goes.
"""

from __future__ import annotations

import torch

from zkwm.training.robust.lookahead import first_step


class RateShare:
    """What ``Lookahead`` takes as ``rate``, for an optimizer whose rates are not known beforehand.

    Attributes:
        first (float64, ()): The rate when look-ahead began, 0 before; a checkpoint holds it.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int) -> None:
        """Follow an optimizer through a training of ``steps``."""
        self.first = torch.zeros((), dtype=torch.float64)
        self._optimizer, self._begins = optimizer, first_step(steps)

    def __call__(self, step: int) -> float:
        """The share at a step, which the optimizer takes next."""
        now = float(self._optimizer.param_groups[0]["lr"])
        if step <= self._begins or not self.first:
            self.first.fill_(now)
        return now / float(self.first) if now else 0.0

"""Weight shifting (Lukas et al. 2022): perturb the filters around their mean, then fine-tune.

Without the fine-tuning the network is broken; see ``weight_noise`` for noise alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, generator
from zkwm.attacks.starting_point import adversary_images, stolen_copy, weight_layers
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class WeightShifting(Attack):
    """In each convolution, ``shift`` times the mean over its filters is taken from every filter.

    Gaussian noise of ``noise`` times the standard deviation of the layer's weights comes with it
    (1.5 and 1 in the authors' toolbox), then 10 epochs of fine-tuning at a learning rate that falls
    from ``rate`` to zero. Raises UsageError for values out of range.
    """

    name: ClassVar[str] = "weight_shifting"
    paper: ClassVar[str] = "Lukas et al. 2022"

    shift: float = 1.5
    noise: float = 1.0
    epochs: int = 10
    rate: float = 0.01
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not (self.shift >= 0 and self.noise >= 0):
            raise UsageError("shift and noise are not negative")
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Shift and fine-tune a copy. Raises UsageError for a network without convolutions."""
        model = stolen_copy(target, adversary)
        self._shift(model, adversary)
        images, labels = adversary_images(adversary)
        used = fit(model, images, labels, self._plan(), seed=adversary.seed)
        return AttackResult(model.cpu().eval(), images=len(images), gradient_images=used)

    @torch.no_grad()
    def _shift(self, model: nn.Module, adversary: Adversary) -> None:
        convolutions = [layer for layer in weight_layers(model) if isinstance(layer, nn.Conv2d)]
        if not convolutions:
            raise UsageError("weight shifting is about filters, and this network has none")
        source = generator(adversary, "weight shifting")
        for layer in convolutions:
            noise = torch.randn(layer.weight.shape, generator=source).to(adversary.device)
            spread = float(self.noise * layer.weight.std())
            layer.weight.sub_(self.shift * layer.weight.mean(dim=0) + spread * noise)

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)

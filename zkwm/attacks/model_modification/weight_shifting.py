"""Weight shifting: perturb filters around their mean, then fine-tune (Lukas et al., S&P 2022).

Adversary: has the weights and labeled images of the task.

1. In each convolution, subtract a multiple of the mean filter from every filter, and add Gaussian
   noise.
2. Fine-tune: without it the network is broken.

At the defaults Adi keeps 2 of 332 bits and the robust embedding none, but on LeNet-5 with 1,600
images the network ends less than a point above one trained from scratch (82.4 against 82.1 % for
Adi, 77.5 against 83.0 % for robust; benchmarks/results/grid.jsonl, attack "weight shifting").
``weight_noise`` adds noise alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.starting_point import adversary_images, stolen_copy, weight_layers
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class WeightShifting(Attack):
    """Shift and perturb the filters of all convolutions, and fine-tune.

    The defaults of shift and noise are those of the authors' toolbox.

    Args:
        shift: How many times the mean over its filters is taken from each filter, at least 0.
        noise: Standard deviation of the noise in units of that of the layer's weights, at least 0.
        epochs: Of the fine-tuning, at least 1.
        rate: Its learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.

    Raises:
        UsageError: A value is out of range.
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
            raise UsageError(
                f"expected shift and noise of at least 0, got {self.shift} and {self.noise}"
            )
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
        """Step 1, in place."""
        convolutions = [layer for layer in weight_layers(model) if isinstance(layer, nn.Conv2d)]
        if not convolutions:
            raise UsageError("weight shifting changes filters, and this network has none")
        generator = adversary_generator(adversary, "weight shifting")
        for layer in convolutions:
            noise = torch.randn(layer.weight.shape, generator=generator).to(adversary.device)
            spread = float(self.noise * layer.weight.std())
            layer.weight.sub_(self.shift * layer.weight.mean(dim=0) + spread * noise)

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)

"""An autoencoder in front of the model: MagNet's reformer (Meng and Chen, CCS 2017).

Adversary: has the weights, unlabeled clean images, and serves answers.

1. Train a small convolutional autoencoder on their images, with noise on its input.
2. Pass every image through it before it is classified (input reconstruction in Lukas et al., IEEE
   S&P 2022).

What clean images do not have does not come out again: triggers of noise lose what the model knows
them by, at the cost of the detail that clean images lose too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.attacks.starting_point import adversary_images, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.nn.seeds import derived_seed
from zkwm_protocols.errors import UsageError

BATCH = 20
RATE = 5e-3
CHANNELS = 16
NOISE = 0.1
"""Standard deviation of the noise in training: MagNet's reformers are denoising autoencoders."""


@dataclass(frozen=True)
class Autoencoder(Attack):
    """Pass every image through an autoencoder before it is classified.

    Args:
        epochs: Over all the adversary's images, at least 1.
        code: Channels of the code, whose sides are a quarter of the image's; fewer keep less.

    Raises:
        UsageError: A value is out of range, or the adversary's images have sides under 4 pixels.
    """

    epochs: int = 5
    code: int = 4
    name: ClassVar[str] = "autoencoder"
    paper: ClassVar[str] = "Meng, Chen 2017 (CCS), MagNet; Lukas et al. 2022 (IEEE S&P)"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.code < 1:
            raise UsageError(
                f"expected at least 1 epoch and 1 channel, got {self.epochs} and {self.code}"
            )

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the autoencoder."""
        pixels, _ = adversary_images(adversary, purpose=self.name)
        if min(pixels.shape[2:]) < 4:
            raise UsageError("an autoencoder needs images with sides of at least 4 pixels")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(adversary.seed, f"attack/{self.name}"))
            reformer = Reformer(pixels.shape[1], self.code).to(adversary.device)
        trained = self._train(reformer, pixels, adversary)
        model = FilteredInputModel(reformer, stolen_copy(target, adversary)).eval()
        return AttackResult(model, images=len(pixels), gradient_images=trained)

    def _train(self, reformer: nn.Module, pixels: Tensor, adversary: Adversary) -> int:
        """Teach the autoencoder to give images back; how many images it saw."""
        generator = adversary_generator(adversary, f"{self.name}/order")
        optimizer = torch.optim.Adam(reformer.parameters(), lr=RATE)
        seen = 0
        for _ in range(self.epochs):
            order = torch.randperm(len(pixels), generator=generator)
            for numbers in torch.split(order, BATCH):
                images = as_unit(pixels[numbers.to(pixels.device)])
                noise = NOISE * torch.randn(images.shape, generator=generator)
                found = reformer((images + noise.to(images.device)).clamp(0, 1))
                loss = functional.mse_loss(found, images)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                seen += len(images)
        return seen


class Reformer(nn.Module):
    """Two convolutions with pooling down to the code, and two up again; sizes stay.

    The code has no ReLU: of few channels, all could end up at 0 for every image.

    Args:
        channels: Of the images.
        code: Channels between the halves.
    """

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(channels, CHANNELS, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(CHANNELS, code, 3, padding=1), nn.AvgPool2d(2),
        )  # fmt: skip
        self.up = nn.Sequential(
            nn.Conv2d(code, CHANNELS, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2.0),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Conv2d(CHANNELS, channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Images of the same shape, float32 (n, c, h, w) in [0, 1]."""
        raised = functional.interpolate(self.up(self.down(images)), size=images.shape[2:])
        restored: Tensor = self.last(raised).sigmoid()
        return restored

"""A generator of images that seeks disagreement between a network and its copy.

The game of data-free extraction: the copy learns to answer as the network does, the generator to
make images on which the two differ. ``data_free`` has the attacks; they differ in how the generator
learns through the network that is stolen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.seeds import derived_seed
from zkwm.training.fit import LARGEST_NORM
from zkwm_protocols.errors import UsageError

LATENT = 100
SMALLEST_PROBABILITY = 1e-12
_SLOPE = 0.2
_CONTRAST = 3.0
"""Deviation of raw images at the start: with 1, all pixels are gray and the copy learns slower."""

Logits = Callable[[Tensor], Tensor]
"""Images float32 (n, c, h, w) in [0, 1] to logits float32 (n, C) with mean 0 in each row."""
Backward = Callable[[Tensor], None]
"""Backpropagates minus the disagreement into raw images (n, c, h, w), before their sigmoid."""


@dataclass(frozen=True)
class Game:
    """How copy and generator take turns.

    Attributes:
        rounds: Of one step of the generator and ``copy_steps`` of the copy, at least 1.
        copy_steps: At least 1; 5 in Truong et al. 2021.
        batch_size: Images of each step, at least 2.
        rate: Of the copy, above 0; falls to zero (cosine). Adam, as for the generator: with SGD, as
            published, LeNet-5 is at chance for the first 60 rounds.
        generator_rate: Of the generator, likewise.

    Raises:
        UsageError: A value is out of range.
    """

    rounds: int
    copy_steps: int
    batch_size: int
    rate: float
    generator_rate: float

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.copy_steps < 1 or self.batch_size < 2:
            raise UsageError("the generator needs a round, a step, and batches of 2 images")
        if not (self.rate > 0 and self.generator_rate > 0):
            raise UsageError("learning rates are above 0")

    @property
    def images(self) -> int:
        """Over how many images gradients are computed, of the generator or of the copy."""
        return self.rounds * (self.copy_steps + 1) * self.batch_size


class ImageGenerator(nn.Module):
    """A small convolutional generator: 100 normal numbers to raw images, a quarter, half, whole.

    Raw images are any numbers; their sigmoid is an image in [0, 1].

    Args:
        shape: (channels, height, width) of the images.
        width: Channels of its coarsest layer, even and at least 2.
    """

    def __init__(self, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        channels, height, columns = shape
        self.small = (width, -(-height // 4), -(-columns // 4))
        self.first = nn.Sequential(
            nn.Linear(LATENT, math.prod(self.small)), nn.BatchNorm1d(math.prod(self.small))
        )
        half = (-(-height // 2), -(-columns // 2))
        contrast = nn.BatchNorm2d(channels)
        nn.init.constant_(contrast.weight, _CONTRAST)
        self.rest = nn.Sequential(
            nn.Upsample(half),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(_SLOPE),
            nn.Upsample((height, columns)),
            nn.Conv2d(width, width // 2, 3, padding=1),
            nn.BatchNorm2d(width // 2),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(width // 2, channels, 3, padding=1),
            contrast,
        )

    def forward(self, noise: Tensor) -> Tensor:
        """Raw images float32 (n, c, h, w) of noise float32 (n, 100)."""
        raw: Tensor = self.rest(self.first(noise).view(-1, *self.small))
        return raw


def build_generator(shape: tuple[int, int, int], width: int, seed: int) -> ImageGenerator:
    """A generator whose random weights follow from ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "attack/image generator"))
        return ImageGenerator(shape, width)


def centered(probabilities: Tensor) -> Tensor:
    """Logits with mean 0 in each row, (n, C), which is what probabilities tell of them."""
    logits = probabilities.clamp_min(SMALLEST_PROBABILITY).log()
    return logits - logits.mean(dim=1, keepdim=True)


def disagreement(raw: Tensor, copy: nn.Module, logits: Logits) -> Tensor:
    """The L1 distance of both networks' logits, (n,), on the sigmoid of raw images."""
    images = raw.sigmoid()
    distance: Tensor = (copy(images) - logits(images)).abs().sum(dim=1)
    return distance


def play(
    copy: nn.Module,
    generator: ImageGenerator,
    logits: Logits,
    backward: Backward,
    game: Game,
    random: torch.Generator,
) -> None:
    """Train copy and generator in place, and leave the copy in evaluation mode.

    Args:
        copy: The surrogate, on the device of the generator.
        generator: Of images.
        logits: Of the network that is stolen; no gradients are asked for.
        backward: One step's gradients of the generator.
        game: How long, and at which rates.
        random: Of the noise, on the CPU.

    Raises:
        UsageError: The training diverged.
    """
    learner = torch.optim.Adam(copy.parameters(), lr=game.rate)
    seeker = torch.optim.Adam(generator.parameters(), lr=game.generator_rate)
    device = next(generator.parameters()).device
    copy.train()
    generator.train()

    def raw_images() -> Tensor:
        noise = torch.randn((game.batch_size, LATENT), generator=random)
        raw: Tensor = generator(noise.to(device))
        return raw

    for turn in range(game.rounds):
        falling = 0.5 * (1 + math.cos(math.pi * turn / game.rounds))
        learner.param_groups[0]["lr"] = game.rate * falling
        seeker.param_groups[0]["lr"] = game.generator_rate * falling
        seeker.zero_grad(set_to_none=True)
        backward(raw_images())
        seeker.step()
        for _ in range(game.copy_steps):
            with torch.no_grad():
                images = raw_images().sigmoid()
                wanted = logits(images)
            loss = functional.l1_loss(copy(images), wanted)
            learner.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(copy.parameters(), LARGEST_NORM)
            learner.step()
        if not bool(torch.isfinite(loss)):
            raise UsageError("the training diverged", hint="use a smaller rate")
    copy.eval()

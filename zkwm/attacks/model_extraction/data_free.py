"""Data-free extraction (DFME): a surrogate without any image (Truong et al., CVPR 2021).

arXiv 2011.14779. A generator seeks images on which surrogate and stolen network differ, and the
surrogate learns the network's answers on them (``image_generator``).

Two adversaries, neither of whom has an image:

- ``DataFreeExtraction`` has the service and its probabilities. The generator's gradient through the
  service is estimated by forward differences in random directions, which costs queries. The service
  takes pixels as real numbers here, as in the paper; one that rounds to 8 bits takes steps of less
  than half a level of gray as none.
- ``DataFreeDistillation`` has the weights, so gradients are exact and answers free (Fang et al.
  2019, "Data-Free Adversarial Distillation", arXiv 1912.11006).

Published: 0.99 of the victim's accuracy on SVHN with 2 million queries, 0.92 on CIFAR-10 with 20
million (Truong et al. 2021, abstract), with ResNets on a GPU. The defaults, half a minute of a
processor, make no surrogate: LeNet-5 on Fashion-MNIST gets 47 % with 149,633 queries as with the
weights, where a thief's own 1,600 images give 83 %. With the weights it holds 60 of a robust mark's
664 bits by ranks, since generated images are noise, as triggers are, and 4 with the service
(benchmarks/results/combined_attacks.jsonl).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import (
    ANSWERS,
    Adversary,
    Attack,
    AttackResult,
    Target,
    adversary_generator,
)
from zkwm.attacks.model_extraction.image_generator import (
    Game,
    Logits,
    build_generator,
    centered,
    disagreement,
    play,
)
from zkwm.attacks.starting_point import stolen_copy
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.seeds import derived_seed
from zkwm_protocols.errors import UsageError

_GRAY = 0.5
"""Mean and deviation of pixels, which somebody without images has to guess."""


@dataclass(frozen=True)
class DataFreeExtraction(Attack):
    """Extract with images from a generator, through the service.

    One direction, a step of 0.001 and five steps of the surrogate for one of the generator are
    those of the published code (cake-lab/datafree-model-extraction, 0043ec4); rates, batches and
    networks are chosen for LeNet-5 in less than a minute.

    Args:
        budget: Number of queries, estimated gradients included.
        directions: In which the gradient of each image is estimated, at least 1.
        step: Length of a forward difference in raw images, above 0.
        copy_steps: Of the surrogate for one of the generator, at least 1.
        architecture: Of the surrogate, a built-in one.
        width: Channels of the generator's coarsest layer, even and at least 2.
        rate: Of the surrogate, above 0; falls to zero (cosine).
        generator_rate: Of the generator, likewise.
        batch_size: At least 2.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "data_free_extraction"
    paper: ClassVar[str] = "Truong et al. 2021"
    needs: ClassVar[str] = ANSWERS

    budget: int = 150_000
    directions: int = 1
    step: float = 0.001
    copy_steps: int = 5
    architecture: str = "lenet5"
    width: int = 16
    rate: float = 0.005
    generator_rate: float = 0.005
    batch_size: int = 64

    def __post_init__(self) -> None:
        _require(self.architecture, self.width)
        if self.directions < 1 or not self.step > 0:
            raise UsageError("expected at least 1 direction, and a step above 0")
        if self._round_queries > self.budget:
            raise UsageError(f"a round takes {self._round_queries:,} queries")
        _ = self._game

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Play against the service. Raises UsageError where the training diverges."""

        @torch.no_grad()
        def logits(images: Tensor) -> Tensor:
            return centered(target.api(images).to(images.device))

        probe = torch.zeros((1, *adversary.data.shape), device=adversary.device)
        copy = _surrogate(self.architecture, adversary, logits(probe).shape[1])
        generator = build_generator(adversary.data.shape, self.width, adversary.seed)
        random = adversary_generator(adversary, self.name)

        def seek(raw: Tensor) -> None:
            gradient = self.estimated_gradient(raw, copy, logits, random)
            raw.backward(-gradient)  # type: ignore[no-untyped-call]

        play(
            copy,
            generator.to(adversary.device),
            logits,
            seek,
            self._game,
            random,
        )
        asked = 1 + self._game.rounds * self._round_queries
        return AttackResult(copy.cpu(), queries=asked, gradient_images=self._game.images)

    @torch.no_grad()
    def estimated_gradient(
        self, raw: Tensor, copy: nn.Module, logits: Logits, random: torch.Generator
    ) -> Tensor:
        """The gradient of the mean disagreement, by forward differences in random directions.

        Args:
            raw (float32, (n, c, h, w)): Raw images.
            copy: The surrogate.
            logits: Of the service.
            random: Of the directions, on the CPU.

        Returns:
            Float32 (n, c, h, w); the more directions, the nearer.
        """
        here = disagreement(raw, copy, logits)
        gradient = torch.zeros_like(raw)
        for _ in range(self.directions):
            direction = torch.randn(raw.shape, generator=random).to(raw.device)
            direction /= direction.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            there = disagreement(raw + self.step * direction, copy, logits)
            gradient += ((there - here) / self.step).view(-1, 1, 1, 1) * direction
        return gradient * raw[0].numel() / (self.directions * len(raw))

    @property
    def _round_queries(self) -> int:
        return self.batch_size * (self.directions + 1 + self.copy_steps)

    @property
    def _game(self) -> Game:
        rounds = (self.budget - 1) // self._round_queries
        return Game(rounds, self.copy_steps, self.batch_size, self.rate, self.generator_rate)


@dataclass(frozen=True)
class DataFreeDistillation(Attack):
    """Distill with images from a generator, through the stolen weights.

    Args:
        rounds: Of the game, at least 1.
        copy_steps: Of the surrogate for one of the generator, at least 1.
        architecture: Of the surrogate, a built-in one, or empty for that of the target.
        width: Channels of the generator's coarsest layer, even and at least 2.
        rate: Of the surrogate, above 0; falls to zero (cosine).
        generator_rate: Of the generator, likewise.
        batch_size: At least 2.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "data_free_distillation"
    paper: ClassVar[str] = "Fang et al. 2019"

    rounds: int = 300
    copy_steps: int = 5
    architecture: str = ""
    width: int = 16
    rate: float = 0.005
    generator_rate: float = 0.005
    batch_size: int = 64

    def __post_init__(self) -> None:
        _require(self.architecture or ARCHITECTURES[0], self.width)
        _ = self._game

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Play against the stolen network. Raises UsageError where the training diverges."""
        stolen = stolen_copy(target, adversary).requires_grad_(False)
        config = stolen.config
        copy = _surrogate(self.architecture or config.architecture, adversary, config.class_count)

        def logits(images: Tensor) -> Tensor:
            return centered(stolen(images).softmax(dim=1))

        play(
            copy,
            build_generator(config.shape, self.width, adversary.seed).to(adversary.device),
            logits,
            lambda raw: (-disagreement(raw, copy, logits).mean()).backward(),  # type: ignore[no-untyped-call]
            self._game,
            adversary_generator(adversary, self.name),
        )
        return AttackResult(copy.cpu(), gradient_images=self._game.images)

    @property
    def _game(self) -> Game:
        return Game(self.rounds, self.copy_steps, self.batch_size, self.rate, self.generator_rate)


def _require(architecture: str, width: int) -> None:
    """Raise UsageError for an unknown architecture or a width out of range."""
    if architecture not in ARCHITECTURES:
        raise UsageError(f"no such architecture: {architecture!r}")
    if width < 2 or width % 2:
        raise UsageError(f"expected an even width of at least 2, got {width}")


def _surrogate(architecture: str, adversary: Adversary, class_count: int) -> Classifier:
    """A network of random weights for images that the adversary has never seen.

    Raises UsageError where the architecture cannot take such images.
    """
    channels = adversary.data.shape[0]
    return build_model(
        architecture,
        shape=adversary.data.shape,
        class_count=class_count,
        mean=[_GRAY] * channels,
        std=[_GRAY] * channels,
        seed=derived_seed(adversary.seed, "attack/student"),
    ).to(adversary.device)

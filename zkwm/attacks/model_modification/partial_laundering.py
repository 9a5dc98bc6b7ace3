"""Partial laundering: launder the one pair of classes that a stamp joins most easily.

The variant of ``laundering`` (Aiken et al. 2020, arXiv 2004.11368) for stamps that work on images
of one class alone, as the Watermark Robustness Toolbox has it by default (Lukas et al. 2022,
``PartialLaundering``). Thresholds and their limit are those of ``laundering``.

Adversary: has the weights and labeled images of the task; knows no trigger.

1. For each pair of different classes search a stamp that turns images of the first class, the
   source, into the second, the target: C (C - 1) searches. Search the C smallest again, longer.
   The pair of the smallest stamp is taken for infected, the target of the largest for clean.
2. Reset the neurons that the smallest stamp excites on images of its source.
3. Retrain on clean images and on as many with that stamp: those of the source with their right
   label, all others with the clean target.

Step 3 teaches wrong answers to stamped images, as the toolbox does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.model_modification.neuron_reset import (
    hidden_layers,
    relative_changes,
    reset_changed,
)
from zkwm.attacks.model_modification.trigger_inversion import RecoveredTriggers, search_stamps
from zkwm.attacks.starting_point import adversary_images, require_share, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

COMPARED_IMAGES = 200
TOGETHER = 128
"""Stamps that are searched at once, which bounds the memory."""


@dataclass(frozen=True)
class PairStamps:
    """Stamps of pairs of classes, the smallest first.

    Args:
        sources (int64, (k,)): Of whose images each stamp is.
        targets (int64, (k,)): What it turns them into.
        stamps: k stamps.
    """

    sources: Tensor
    targets: Tensor
    stamps: RecoveredTriggers

    def sizes(self) -> Tensor:
        """The L1 norm of each mask times its pattern, float32 (k,)."""
        return (self.stamps.masks * self.stamps.patterns).sum(dim=(1, 2, 3))

    def take(self, numbers: Tensor) -> PairStamps:
        """The pairs with these numbers, int64 (m,), in their order."""
        stamps = RecoveredTriggers(self.stamps.masks[numbers], self.stamps.patterns[numbers])
        return PairStamps(self.sources[numbers], self.targets[numbers], stamps)


def joined(parts: list[PairStamps]) -> PairStamps:
    """Pairs one after the other."""
    stamps = RecoveredTriggers(
        torch.cat([part.stamps.masks for part in parts]),
        torch.cat([part.stamps.patterns for part in parts]),
    )
    return PairStamps(
        torch.cat([part.sources for part in parts]),
        torch.cat([part.targets for part in parts]),
        stamps,
    )


@dataclass(frozen=True)
class PartialLaundering(Attack):
    """Remove a stamp that turns one class into another; nothing is known of it.

    Args:
        share: Of the adversary's images that is used, above 0 and at most 1.
        steps: Of each search for a stamp, at least 1; the second searches take 5 / 3 as many, as
            in the toolbox.
        images_per_pair: How many images each step takes for each pair, at least 1.
        mask_weight: Weight of the stamps' L1 norm in the search.
        dense_threshold: As in ``laundering``.
        channel_threshold: As in ``laundering``.
        most: As in ``laundering``.
        rate: Learning rate of the retraining, above 0; falls to zero (cosine).
        epochs: Of the retraining, at least 1.

    Raises:
        UsageError: A value is out of range.
    """

    share: float = 1.0
    steps: int = 150
    images_per_pair: int = 5
    mask_weight: float = 0.01
    dense_threshold: float = 0.2
    channel_threshold: float = 0.5
    most: float = 0.2
    rate: float = 0.05
    epochs: int = 10
    name: ClassVar[str] = "partial_laundering"
    paper: ClassVar[str] = "Aiken, Kim, Woo 2020; Lukas et al. 2022"

    def __post_init__(self) -> None:
        require_share(self.share)
        if not 0 <= self.most <= 1 or min(self.steps, self.images_per_pair) < 1:
            raise UsageError(
                "expected a share of a layer from 0 to 1, at least 1 step and 1 image a pair, got "
                f"{self.most}, {self.steps} and {self.images_per_pair}"
            )
        Fit(epochs=self.epochs, rate=self.rate)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Launder a copy. Raises UsageError where the images are all of one class."""
        model = stolen_copy(target, adversary)
        random = adversary_generator(adversary, self.name)
        pixels, labels = adversary_images(adversary, self.share)
        images = as_unit(pixels)
        pairs, searched = self._search(model, images, labels, adversary.data.class_count, random)
        first = torch.zeros(len(labels), dtype=torch.int64, device=labels.device)
        stamped = pairs.stamps.stamp(images, first)
        of_source = labels == pairs.sources[0]
        compared = of_source.nonzero()[:COMPARED_IMAGES, 0]
        layers = hidden_layers(model)
        changes = relative_changes(model, layers, images[compared], stamped[compared])
        reset_changed(layers, changes, self.dense_threshold, self.channel_threshold, self.most)
        used = fit(
            model,
            torch.cat([images, stamped]),
            torch.cat([labels, torch.where(of_source, labels, pairs.targets[-1])]),
            Fit(epochs=self.epochs, rate=self.rate),
            seed=adversary.seed,
        )
        return AttackResult(model, images=len(labels), gradient_images=searched + used)

    def _search(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        class_count: int,
        random: torch.Generator,
    ) -> tuple[PairStamps, int]:
        """Step 1, and how many images' gradients were taken. Arguments as in ``run``."""
        sources = labels.bincount().nonzero()[:, 0]
        if len(sources) < 2:
            raise UsageError("pairs of classes need images of at least two")
        pairs_of_classes = torch.cartesian_prod(
            sources, torch.arange(class_count, device=labels.device)
        )
        pairs_of_classes = pairs_of_classes[pairs_of_classes[:, 0] != pairs_of_classes[:, 1]]
        found = [
            self._pairs(model, images, labels, part[:, 0], part[:, 1], self.steps, random)
            for part in torch.split(pairs_of_classes, TOGETHER)
        ]
        pairs = joined(found)
        pairs = pairs.take(pairs.sizes().argsort(stable=True))
        best = pairs.take(torch.arange(min(class_count, len(pairs.targets)), device=labels.device))
        longer = -(-self.steps * 5 // 3)
        again = self._pairs(model, images, labels, best.sources, best.targets, longer, random)
        again = again.take(again.sizes().argsort(stable=True))
        rest = torch.arange(len(best.targets), len(pairs.targets), device=labels.device)
        steps = self.steps * len(pairs.targets) + longer * len(best.targets)
        return joined([again, pairs.take(rest)]), steps * self.images_per_pair

    def _pairs(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        sources: Tensor,
        targets: Tensor,
        steps: int,
        random: torch.Generator,
    ) -> PairStamps:
        """A stamp for each pair of ``sources`` and ``targets``, int64 (k,)."""
        members = [(labels == source).nonzero()[:, 0].cpu() for source in sources]

        def drawn() -> Tensor:
            return torch.stack(
                [
                    mine[torch.randint(len(mine), (self.images_per_pair,), generator=random)]
                    for mine in members
                ]
            )

        stamps = search_stamps(
            model, images, targets,
            steps=steps, drawn=drawn, mask_weight=self.mask_weight, generator=random,
        )  # fmt: skip
        return PairStamps(sources, targets, stamps)

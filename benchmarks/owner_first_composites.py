"""Composites: images of two classes in one, whose label is a rule over pairs of classes.

A label of its own for each image is no rule that a surrogate could learn. After MEA-Defender (S&P
2024) and DeepTracer (AAAI 2026, arXiv 2511.08985) the mark is a task: halves of images of two
classes, answered with the label of the pair. One target class would be worth log2 C bits under
derived labels, so there is one leaf for each of ``Composites.leaves`` rules (which half, first
class, second class; 180 for ten classes), drawn by a number; its label derives from the commitment,
uniform and independent of all others. The judge asks about the leaf alone, the owner trains all
images of the rule.

Coupling: what composites are to share with the images of their label's class, in each batch.
DeepTracer's same-class coupling draws the answers together (``on="logits"``); class-feature
watermarks (CFW, AAAI 2026, arXiv 2511.07947), whose mark is a class and not a sample, are entangled
with the task in the features before the last layer (``on="features"``). Theirs is a class of
images from outside the task; of that paper only the entanglement is rebuilt here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from zkwm.data import ImageData
from zkwm.nn.image_source import as_unit
from zkwm.training.batches import Batch
from zkwm.triggers import TriggerSet


@dataclass(frozen=True)
class Composites:
    """Composites as triggers.

    Args:
        leaves: Rules, with one committed image each: a multiple of 50, at most 2 C (C - 1).
        count: Composites in a batch, beside the leaves.
        weight: Of the coupling, in units of the loss of a composite.
        on: ``logits`` or ``features``.
    """

    leaves: int = 100
    count: int = 12
    weight: float = 1.0
    on: str = "logits"


class CompositeTask:
    """The rules, and the owner's training of them."""

    def __init__(self, plan: Composites, data: ImageData, seed: int) -> None:
        self._plan, self._seed = plan, seed
        self._images, self._classes = data.train_images, data.train_labels
        pairs = [
            (half, first, second)
            for half in range(2)
            for first in range(data.class_count)
            for second in range(data.class_count)
            if first != second
        ]
        random = np.random.default_rng([seed, 2])
        self._rules = random.permutation(np.array(pairs))[: plan.leaves]

    def leaves(self) -> NDArray[np.uint8]:
        """One image of each rule, uint8 (n, c, h, w), to be committed to."""
        random = np.random.default_rng([self._seed, 3])
        return np.stack([self._composite(rule, random) for rule in self._rules])

    def loss(
        self, step: int, model: nn.Module, head: str, batch: Batch, triggers: TriggerSet
    ) -> Tensor:
        """The whole loss of a step: clean images, leaves, further composites, and coupling."""
        random = np.random.default_rng([self._seed, 4, step])
        chosen = random.integers(0, len(self._rules), self._plan.count)
        shown = np.stack([self._composite(self._rules[rule], random) for rule in chosen])
        labels = torch.tensor(triggers.labels[chosen])
        seen: list[Tensor] = []
        handle = model.get_submodule(head).register_forward_hook(
            lambda module, inputs, output: seen.append(inputs[0])
        )
        logits = model(torch.cat([batch.images, as_unit(torch.tensor(shown))]))
        handle.remove()
        clean, own = len(batch.labels) - len(batch.triggers), len(batch.labels)
        loss = batch.loss(logits[:own])
        learned = functional.cross_entropy(logits[own:], labels, reduction="sum")
        shared = logits if self._plan.on == "logits" else seen[0]
        member = functional.one_hot(batch.labels[:clean], logits.shape[1]).float()
        sizes = member.sum(dim=0)
        centers = member.T @ shared[:clean] / sizes.clamp_min(1)[:, None]
        apart = (shared[own:] - centers[labels]).square().mean(dim=1) * (sizes[labels] > 0)
        return loss + (learned + self._plan.weight * apart.sum()) / batch.total

    def _composite(self, rule: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
        """Half an image of each class, uint8 (c, h, w): side by side, or one above the other."""
        half, *classes = rule
        first, second = (
            self._images[random.choice(np.flatnonzero(self._classes == number))]
            for number in classes
        )
        made = second.copy()
        if half:
            made[:, : made.shape[1] // 2] = first[:, : made.shape[1] // 2]
        else:
            made[:, :, : made.shape[2] // 2] = first[:, :, : made.shape[2] // 2]
        return made

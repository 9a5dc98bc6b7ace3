"""Laundering (Aiken, Kim, Woo 2020, arXiv 2004.11368): recover triggers, reset neurons, retrain.

Our own making of the three steps after the description and the thresholds that the Watermark
Robustness Toolbox uses for them (research note, section 4), and different in this: one candidate
trigger a class instead of one for every pair of classes; the thresholds are in units of a layer's
mean activation, so that they mean the same in every network; and no more than ``most`` of a layer
is reset, without which small networks do not recover.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, generator
from zkwm.attacks.model_modification.neuron_reset import (
    chosen_neurons,
    hidden_layers,
    mean_activations,
    reset,
    thresholds,
)
from zkwm.attacks.model_modification.trigger_inversion import RecoveredTriggers, recover_triggers
from zkwm.attacks.starting_point import adversary_images, require_share, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

IMAGES_PER_CLASS = 10
COMPARED_IMAGES = 200


@dataclass(frozen=True)
class Laundering(Attack):
    """Remove a mark that nothing is known of.

    ``share`` of the adversary's data is used. ``steps`` of the search for triggers, ``mask_weight``
    of its L1 norm. ``dense_threshold`` (the paper's DT) and ``channel_threshold`` (CT): by how many
    times the layer's mean activation that of a neuron must differ to be reset; at most ``most`` of
    a layer. Then ``epochs`` at ``rate`` (cosine) on clean images and on as many with a recovered
    trigger, all with right labels. Raises UsageError for values out of range.
    """

    share: float = 1.0
    steps: int = 150
    mask_weight: float = 0.01
    dense_threshold: float = 0.2
    channel_threshold: float = 0.5
    most: float = 0.2
    rate: float = 0.05
    epochs: int = 10
    name: ClassVar[str] = "laundering"
    paper: ClassVar[str] = "Aiken, Kim, Woo 2020 (arXiv 2004.11368)"

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1."""
        require_share(self.share)
        if not (0 <= self.most <= 1 and self.steps >= 1):
            raise UsageError("a part of a layer is 0 to 1, and the search has steps")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Launder a copy of the target's model."""
        model = stolen_copy(target, adversary)
        data = adversary.data
        source = generator(adversary, self.name)
        pixels, labels = adversary_images(adversary, self.share)
        images, count = as_unit(pixels), len(labels)
        found = recover_triggers(
            model,
            images,
            data.class_count,
            steps=self.steps,
            images_per_class=IMAGES_PER_CLASS,
            mask_weight=self.mask_weight,
            source=source,
        )
        self._reset(model, images[:COMPARED_IMAGES], found)
        stamps = torch.randint(data.class_count, (count,), generator=source)
        stamped = found.stamp(images, stamps.to(adversary.device))
        used = fit(
            model,
            torch.cat([images, stamped]),
            torch.cat([labels, labels]),
            Fit(epochs=self.epochs, rate=self.rate),
            seed=adversary.seed,
        )
        searched = self.steps * IMAGES_PER_CLASS * data.class_count
        return AttackResult(model, images=count, gradient_images=searched + used)

    def _reset(self, model: nn.Module, images: Tensor, found: RecoveredTriggers) -> None:
        """Reset what differs between clean images and those with any one of the triggers."""
        layers = hidden_layers(model)
        clean = mean_activations(model, layers, images)
        largest = [torch.zeros_like(means) for means in clean]
        for number in range(len(found.masks)):
            classes = torch.full((len(images),), number, device=images.device)
            marked = mean_activations(model, layers, found.stamp(images, classes))
            for layer, (before, after) in enumerate(zip(clean, marked, strict=True)):
                unit = before.mean().clamp_min(1e-6)
                largest[layer] = torch.maximum(largest[layer], (after - before).abs() / unit)
        limits = thresholds(layers, self.dense_threshold, self.channel_threshold)
        for layer_module, difference, limit in zip(layers, largest, limits, strict=True):
            reset(layer_module, chosen_neurons(difference, limit, self.most))

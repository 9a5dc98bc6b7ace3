"""Reconstructive neuron pruning (RNP): unlearn, recover by masks, prune (Li et al. 2023).

Li, Lyu, Ma, Koren, Lyu, Li and Jiang, "Reconstructive Neuron Pruning for Backdoor Defense", ICML
2023; constants of the authors' repository bboylyg/RNP.

Adversary: has the weights and labeled images of the task.

1. Unlearn: climb the loss on a few clean images until their accuracy is low. What answers triggers
   is left, because the images do not use it.
2. Recover: fix these weights, give each channel a mask in [0, 1], and train the masks alone, on the
   same images. Channels that do not help clean images lose their mask.
3. Prune the channels with the smallest masks in the original network.

The authors read the share of masks to prune from the backdoor's success, which an adversary does
not see. Here masks are pruned in their order, up to ``threshold``, as far as the accuracy on the
images used falls by no more than ``lost``. A mask multiplies the scale of a channel's batch norm
or, without one, its filter; neurons before the head count as channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.model_modification.channels import ChannelLayer, channel_layers
from zkwm.attacks.starting_point import adversary_images, require_share, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import matches
from zkwm_protocols.errors import UsageError

BATCH = 128
MOMENTUM, WEIGHT_DECAY, LARGEST_NORM = 0.9, 5e-4, 20.0
RATE_FALLS_AFTER = 10
"""Epochs of unlearning after which its rate is a tenth."""
LOSS_WEIGHT = 0.2
"""Of the loss in recovery (the authors' alpha)."""
PARTS = 100
"""Pruning is checked after each of so many equal parts of all channels."""


@dataclass(frozen=True)
class ReconstructivePruning(Attack):
    """Prune the channels that clean images do not recover.

    Args:
        share: Of the adversary's images that is used, above 0 and at most 1; the authors have 500.
        unlearned: Unlearning ends when the accuracy on these images is at most this, 0 to 1.
        unlearning_rate: Its learning rate, above 0.
        recovering_rate: Learning rate of the masks, above 0.
        epochs: Of the recovery, and at most of the unlearning; at least 1.
        threshold: The largest mask that is pruned, 0 to 1.
        lost: How much accuracy on these images pruning may cost, 0 to 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "reconstructive_pruning"
    paper: ClassVar[str] = "Li et al. 2023 (ICML)"

    share: float = 0.1
    unlearned: float = 0.2
    unlearning_rate: float = 0.01
    recovering_rate: float = 0.2
    epochs: int = 20
    threshold: float = 0.9
    lost: float = 0.02

    def __post_init__(self) -> None:
        require_share(self.share)
        if not all(0 <= value <= 1 for value in (self.unlearned, self.threshold, self.lost)):
            raise UsageError(
                "expected unlearned accuracy, threshold and lost accuracy from 0 to 1, got "
                f"{self.unlearned}, {self.threshold} and {self.lost}"
            )
        if not min(self.unlearning_rate, self.recovering_rate) > 0 or self.epochs < 1:
            raise UsageError("expected rates above 0 and at least 1 epoch")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Prune a copy. Raises UsageError for a network without channels before a head."""
        model, unlearned = stolen_copy(target, adversary), stolen_copy(target, adversary)
        layers = channel_layers(model)
        images, labels = adversary_images(adversary, self.share)
        random = adversary_generator(adversary, self.name)
        used = self._unlearn(unlearned, images, labels, random)
        masks, more = self._recover(unlearned, images, labels, random)
        self._prune(model, layers, masks, images, labels)
        return AttackResult(model.cpu().eval(), images=len(labels), gradient_images=used + more)

    def _unlearn(
        self, model: nn.Module, images: Tensor, labels: Tensor, random: torch.Generator
    ) -> int:
        """Step 1, in place; how many images' gradients were taken."""
        optimizer = torch.optim.SGD(
            model.parameters(),
            lr=self.unlearning_rate,
            momentum=MOMENTUM,
            weight_decay=WEIGHT_DECAY,
        )
        used = 0
        for epoch in range(self.epochs):
            if epoch == RATE_FALLS_AFTER:
                optimizer.param_groups[0]["lr"] /= 10
            model.train()
            for numbers in torch.split(torch.randperm(len(labels), generator=random), BATCH):
                optimizer.zero_grad(set_to_none=True)
                loss = -functional.cross_entropy(model(as_unit(images[numbers])), labels[numbers])
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(model.parameters(), LARGEST_NORM)
                optimizer.step()
                used += len(numbers)
                if matches(model, images, labels) <= self.unlearned * len(labels):
                    return used
                model.train()
        return used

    def _recover(
        self, model: nn.Module, images: Tensor, labels: Tensor, random: torch.Generator
    ) -> tuple[list[Tensor], int]:
        """Step 2: a mask (float32 (channels,)) for each layer, and how many images' gradients."""
        scaled = _scaled_weights(model)
        device = labels.device
        masks = [
            torch.ones(len(weight), device=device).requires_grad_() for weight in scaled.values()
        ]
        optimizer = torch.optim.SGD(masks, lr=self.recovering_rate, momentum=MOMENTUM)
        model.train()
        used = 0
        for _ in range(self.epochs):
            for numbers in torch.split(torch.randperm(len(labels), generator=random), BATCH):
                weights = {
                    name: weight * mask.view(-1, *[1] * (weight.ndim - 1))
                    for (name, weight), mask in zip(scaled.items(), masks, strict=True)
                }
                logits: Tensor = functional_call(model, weights, (as_unit(images[numbers]),))
                loss = LOSS_WEIGHT * functional.cross_entropy(logits, labels[numbers])
                optimizer.zero_grad(set_to_none=True)
                loss.backward(inputs=masks)  # type: ignore[no-untyped-call]
                optimizer.step()
                for mask in masks:
                    mask.data.clamp_(0, 1)
                used += len(numbers)
        return [mask.detach() for mask in masks], used

    def _prune(
        self,
        model: nn.Module,
        layers: list[ChannelLayer],
        masks: list[Tensor],
        images: Tensor,
        labels: Tensor,
    ) -> None:
        """Step 3, in place: a few channels at a time, put back if they cost too much accuracy."""
        least = matches(model, images, labels) - self.lost * len(labels)
        values = torch.cat(masks)
        order = values.argsort(stable=True)
        order = order[values[order] <= self.threshold]
        for part in torch.split(order, max(len(values) // PARTS, 1)):
            before = {name: value.clone() for name, value in model.state_dict().items()}
            chosen = torch.zeros_like(values, dtype=torch.bool)
            chosen[part] = True
            for layer, mine in zip(
                layers, torch.split(chosen, [layer.count for layer in layers]), strict=True
            ):
                layer.silence(mine)
            if matches(model, images, labels) < least:
                model.load_state_dict(before)


def _scaled_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights that masks multiply, by name, one for each of ``channel_layers``."""
    names = {id(module): name for name, module in model.named_modules()}
    found: dict[str, Tensor] = {}
    for layer in channel_layers(model):
        weight = layer.scaled.weight
        assert isinstance(weight, Tensor)
        found[f"{names[id(layer.scaled)]}.weight"] = weight.detach()
    return found

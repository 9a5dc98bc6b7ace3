"""Perturbed weights: learn triggers also where the weights have moved to lose them.

An adversary who trains a marked model moves its weights w, and triggers that only the exact weights
know are lost. With the method ``PERTURBED`` each step asks about m triggers at the weights, and
again where they would be lost most nearby,

    w' = w + epsilon * |w| * g / |g|,   g = grad of CE(y_T, f(x_T; w)) by w
    grad theta += 0.3 * (grad of CE(y_T, f(x_T; w')) by theta')

with epsilon = 0.02 and the norms of each weight tensor and its gradient. Theta are the features,
all weights but the head's. This stands in place of the look-ahead of the robust method; it needs no
data of the owner (without batch norm) and has no state. As many triggers are asked as a batch of
the training shows.

The perturbation is that of Gan, Li, Wu, Xia, ICCV 2023 (adversarial parametric perturbation), and
near to Foret et al. 2021 (sharpness-aware minimization); the paper of Gan et al. trains the whole
network with it. That features alone learn it, beside decoys, is ours. What each choice keeps and
costs, such as a later start: benchmarks/results/perturbed_weights.jsonl.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.image_source import TrainingImages
from zkwm.nn.seeds import generator
from zkwm.training.robust.frozen_head import features_of
from zkwm.training.robust.mixed_batch import MixedBatch

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

START = 0.0
"""The share of the training after which it begins; with 0.5 less is kept."""
EPSILON = 0.02
"""Norm of the perturbation relative to that of each weight tensor."""
WEIGHT = 0.3
"""Of the mean cross-entropy of triggers at the perturbed weights."""


class PerturbedWeights:
    """The gradient of triggers at perturbed weights, which the method ``PERTURBED`` adds.

    It depends on the weights, the seed and the step alone, so a checkpoint holds nothing of it.
    """

    def __init__(
        self,
        model: nn.Module,
        head: str,
        source: TrainingImages,
        triggers: tuple[Tensor, Tensor],
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
    ) -> None:
        """Copy the model.

        Args:
            model: The model in training.
            head: The name of its last linear layer.
            source: The owner's data set.
            triggers (uint8 (n, c, h, w), int64 (n,)): Trigger images and labels, on the device.
            settings: Those of the training.
            steps: The number of steps of the whole training.
            forward: ``forward(model, images)`` gives logits in the training's precision and layout.
        """
        self._model, self._triggers, self._settings = model, triggers, settings
        self._first = round(START * steps)
        self._count = min(settings.triggers_per_batch, len(triggers[1]))
        self._mixed = MixedBatch(model, source, settings, forward, "beside perturbed triggers")
        # the weights of the model itself stay, since a loop of the owner's own needs them as it is
        self._copy = copy.deepcopy(model)
        self._weights: list[Tensor] = [p for p in self._copy.parameters() if p.requires_grad]
        self._features: list[Tensor] = list(features_of(self._copy, head).values())
        self._own_features = list(features_of(model, head).values())

    def add_gradients(self, step: int, share: float) -> None:
        """Add the gradient at perturbed weights to the gradients of the model's features.

        ``step`` counts from 0 over all epochs. ``share`` is the part of the whole that this one of
        several processes adds.
        """
        if step < self._first:
            return
        chosen = self._chosen(step)
        self._renew()
        self._move(self._gradients(chosen, step, self._weights))
        gradients = self._gradients(chosen, step, self._features)
        for parameter, gradient in zip(self._own_features, gradients, strict=True):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.add_(gradient, alpha=WEIGHT * share)

    def reads(self, step: int) -> Iterator[Tensor]:
        """The numbers of the training images that ``add_gradients`` will ask for at a step."""
        if step >= self._first and self._mixed.uses_batch_norm:
            yield self._mixed.numbers(step)  # at the weights
            yield self._mixed.numbers(step)  # at the perturbed ones

    def _chosen(self, step: int) -> Tensor:
        """The numbers of the triggers of a step, int64 (m,), on their device."""
        labels = self._triggers[1]
        random = generator(self._settings.seed, "perturbed triggers", step)
        return torch.randperm(len(labels), generator=random)[: self._count].to(labels.device)

    def _gradients(self, chosen: Tensor, step: int, parameters: list[Tensor]) -> tuple[Tensor, ...]:
        """Gradients of the mean cross-entropy of triggers (m,) at the copy, for its parameters."""
        images, labels = self._triggers
        logits = self._mixed.logits(self._copy, images.index_select(0, chosen), step)
        loss = functional.cross_entropy(logits.float(), labels[chosen])
        return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)

    @torch.no_grad()
    def _renew(self) -> None:
        """Give the copy the state of the model, in place."""
        for copied, current in zip(
            self._copy.state_dict().values(), self._model.state_dict().values(), strict=True
        ):
            copied.copy_(current)

    @torch.no_grad()
    def _move(self, ascent: tuple[Tensor, ...]) -> None:
        """Move each weight tensor of the copy by ``EPSILON`` of its norm along its gradient."""
        norms = torch._foreach_norm(self._weights), torch._foreach_norm(list(ascent))
        for weight, gradient, of_weight, of_gradient in zip(
            self._weights, ascent, *norms, strict=True
        ):
            weight.addcmul_(gradient, EPSILON * of_weight / of_gradient.clamp_min(1e-12))

"""Class-wise inversion of a model, and the split of what comes back (Dehydra, CCS 2024).

Lu, Li, Zhang, Pan and Yang, "Neural Dehydration: Effective Erasure of Black-box Watermarks from
DNNs with Limited Data", arXiv 2309.03466; constants from their repository (LouisVann/Dehydra).
``dehydra`` uses it. ``trigger_inversion`` recovers one stamp a class instead, ``confident_noise``
moves noise to any class by signed steps.

For each class, a batch of noise is moved by Adam to where the model gives that class, while it
stays smooth and small and its features have the statistics of the training data, which held the
triggers, too: those that batch norms have kept (Yin et al., "DeepInversion", CVPR 2020). A network
without batch norms has none; with images of the task, those of their features can stand in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from zkwm.nn.inference import evaluating

RATE, LAST_RATE = 0.1, 1e-4
"""Of Adam, at the first and the last step (cosine)."""
NORM_WEIGHT, VARIATION_WEIGHT = 0.01, 0.03
SALIENT = 0.95
"""Quantile above which a feature counts as typical of a class."""
BATCH = 500


@dataclass(frozen=True)
class Inversion:
    """How to invert.

    Args:
        images: Per class, at least 2.
        steps: Of Adam, at least 1.
        statistics: Weight of the distance of the features' statistics, at least 0.
    """

    images: int
    steps: int
    statistics: float


def invert_class(
    model: nn.Module,
    label: int,
    shape: tuple[int, ...],
    plan: Inversion,
    generator: torch.Generator,
    statistics: Statistics,
) -> Tensor:
    """Images that the model gives a class to.

    Args:
        model: Is not changed.
        label: The class.
        shape: Of an image: channels, height, width.
        plan: How many images, and how.
        generator: Decides the noise that the search starts from.
        statistics: Of the same model.

    Returns:
        The images, float32 (plan.images, c, h, w) in [0, 1].
    """
    noise = torch.randn((plan.images, *shape), generator=generator).to(statistics.device)
    noise.requires_grad_()
    labels = torch.full((plan.images,), label, device=noise.device)
    optimizer = torch.optim.Adam([noise], lr=RATE, betas=(0.5, 0.9))
    with evaluating(model):
        for step in range(plan.steps):
            falling = 0.5 * (1 + math.cos(math.pi * step / plan.steps))
            optimizer.param_groups[0]["lr"] = LAST_RATE + falling * (RATE - LAST_RATE)
            images = _as_images(noise)
            with statistics.compared() as distances:
                loss = functional.cross_entropy(model(images), labels)
            loss = loss + NORM_WEIGHT * images.norm() / len(images)
            loss = loss + VARIATION_WEIGHT * _variation(images)
            if plan.statistics and distances:
                loss = loss + plan.statistics * torch.stack(distances).sum()
            loss.backward(inputs=[noise])
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return _as_images(noise.detach())


def _as_images(noise: Tensor) -> Tensor:
    """Any numbers as pixels in [0, 1]."""
    return (noise.tanh() + 1) / 2


def _variation(images: Tensor) -> Tensor:
    """Twice the mean squared difference of neighbors, down and across, of images (n, c, h, w)."""
    down = (images[:, :, 1:] - images[:, :, :-1]).square().mean()
    across = (images[:, :, :, 1:] - images[:, :, :, :-1]).square().mean()
    return 2 * (down + across)


class Statistics:
    """Mean and variance of features over the training data, channel by channel.

    Args:
        model: Its batch norms have those of their inputs. Without any batch norm, those of the
            outputs of its convolutions are measured on ``images``.
        images (float32, (n, c, h, w)): Of the task, in [0, 1]; None for an adversary without any.
    """

    def __init__(self, model: nn.Module, images: Tensor | None) -> None:
        self.device = next(model.parameters()).device
        self._known: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        for module in model.modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                assert module.running_var is not None
                self._known[module] = (module.running_mean, module.running_var)
        if not self._known and images is not None and len(images):
            layers = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
            with torch.no_grad(), evaluating(model), _observed(layers, inputs=False) as seen:
                model(images)
            self._known = {layer: _moments(features) for layer, features in seen.items()}
        self._inputs = any(isinstance(module, _BatchNorm) for module in self._known)

    @contextmanager
    def compared(self) -> Iterator[list[Tensor]]:
        """The list has, after one forward pass inside, the distance of each layer's statistics."""
        distances: list[Tensor] = []
        with _observed(list(self._known), inputs=self._inputs) as seen:
            yield distances
        for layer, features in seen.items():
            both = zip(_moments(features), self._known[layer], strict=True)
            distances.extend((here - known).norm() for here, known in both)


@contextmanager
def _observed(layers: Sequence[nn.Module], *, inputs: bool) -> Iterator[dict[nn.Module, Tensor]]:
    """The inputs or outputs of layers in the last forward pass inside it."""
    seen: dict[nn.Module, Tensor] = {}

    def observer(layer: nn.Module) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            seen[layer] = given[0] if inputs else output

        return hook

    handles = [layer.register_forward_hook(observer(layer)) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, (c,), of features (n, c) or (n, c, h, w)."""
    dimensions = [number for number in range(features.ndim) if number != 1]
    variance, mean = torch.var_mean(features, dim=dimensions, correction=0)
    return mean, variance


@torch.no_grad()
def mark_samples(model: nn.Module, head: nn.Module, images: Tensor) -> Tensor:
    """Which of a class's inverted images resemble triggers: one Boolean each, True for half.

    Training images of a class excite the same features strongly and evenly; triggers reach the
    class by others. The features with the largest mean in units of their deviation are typical of
    the class, and the half of the images that excite these least are samples of the mark.

    Args:
        model: Is not changed.
        head: Its last layer; what goes into it are the features.
        images (float32, (n, c, h, w)): Of one class, in [0, 1].
    """
    features = []
    with evaluating(model), _observed([head], inputs=True) as seen:
        for batch in torch.split(images, BATCH):
            model(batch)
            features.append(seen[head])
    each = torch.cat(features)
    importance = each.mean(dim=0) / (each.std(dim=0) + 1e-6)
    typical = importance > importance.quantile(SALIENT)
    if not bool(typical.any()):  # all are equal
        typical = torch.ones_like(typical)
    order = each[:, typical].mean(dim=1).argsort()
    chosen = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    chosen[order[: len(images) // 2]] = True
    return chosen

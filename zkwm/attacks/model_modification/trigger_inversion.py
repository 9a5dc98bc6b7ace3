"""Recovering candidate triggers from a model: Neural Cleanse (Wang et al., IEEE S&P 2019, III).

For each class the smallest mask and a pattern that turn most images into that class. Not a test for
a backdoor (no anomaly index), and it finds one stamp a class: triggers that are remembered image by
image have none, and what comes out for them is a universal adversarial patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.inference import evaluating

RATE = 0.1
FIRST_MASK = -2.0


@dataclass(frozen=True)
class RecoveredTriggers:
    """One stamp for each class: ``masks`` (C, 1, h, w) and ``patterns`` (C, c, h, w) in [0, 1]."""

    masks: Tensor
    patterns: Tensor

    def stamp(self, images: Tensor, classes: Tensor) -> Tensor:
        """Float32 images (n, c, h, w) in [0, 1] with the stamps of ``classes`` int64 (n,)."""
        masks = self.masks[classes]
        return (1 - masks) * images + masks * self.patterns[classes]


def recover_triggers(
    model: nn.Module,
    images: Tensor,
    class_count: int,
    *,
    steps: int,
    images_per_class: int,
    mask_weight: float,
    source: torch.Generator,
) -> RecoveredTriggers:
    """Search the stamps of all classes at once, by ``steps`` steps of Adam.

    ``images`` float32 (n, c, h, w) in [0, 1]: clean ones of any class; every step takes
    ``images_per_class`` random ones for each class. ``mask_weight`` is the weight of the mask's L1
    norm, in units of the cross-entropy of one image. The model is not changed.
    """
    shape = images.shape[1:]
    device = images.device
    noise = torch.randn((class_count, *shape), generator=source).to(device)
    masks = torch.full((class_count, 1, *shape[1:]), FIRST_MASK, device=device, requires_grad=True)
    patterns = noise.requires_grad_()
    targets = torch.arange(class_count, device=device).repeat_interleave(images_per_class)
    optimizer = torch.optim.Adam([masks, patterns], lr=RATE, betas=(0.5, 0.9))
    with evaluating(model):
        for _ in range(steps):
            chosen = torch.randint(len(images), (len(targets),), generator=source)
            stamps = RecoveredTriggers(masks.sigmoid(), patterns.sigmoid())
            logits = model(stamps.stamp(images[chosen], targets))
            error = functional.cross_entropy(logits, targets, reduction="sum") / images_per_class
            loss = error + mask_weight * stamps.masks.sum()
            loss.backward(inputs=[masks, patterns])  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return RecoveredTriggers(masks.detach().sigmoid(), patterns.detach().sigmoid())

"""Recover candidate triggers from a model: Neural Cleanse (Wang et al., S&P 2019, section III).

For each class, search the smallest mask and a pattern that turn most images into that class.
``laundering`` uses it; ``partial_laundering`` turns one class into another. There is no test for a
backdoor (no anomaly index). It finds one stamp a class: triggers that are memorized image by image
have none, and what comes out for them is a universal adversarial patch.
The search is short: its callers take 150 steps of 5 or 10 images for a stamp, where the Watermark
Robustness Toolbox (Lukas et al. 2022, ``neural_laundering.yaml``) takes 25 epochs of all images in
batches of 64 for a class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.inference import evaluating

RATE = 0.1
FIRST_MASK = -2.0
"""Logit of every mask pixel at the start: 12 % opaque."""


@dataclass(frozen=True)
class RecoveredTriggers:
    """Stamps: one for each class, unless their maker says otherwise.

    Args:
        masks (float32, (C, 1, h, w)): Opacity in [0, 1].
        patterns (float32, (C, c, h, w)): Pixels in [0, 1].
    """

    masks: Tensor
    patterns: Tensor

    def stamp(self, images: Tensor, classes: Tensor) -> Tensor:
        """Images float32 (n, c, h, w) in [0, 1] with the stamps of ``classes``, int64 (n,)."""
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
    generator: torch.Generator,
) -> RecoveredTriggers:
    """Search the stamps of all classes at once by Adam.

    Args:
        model: Is not changed.
        images (float32, (n, c, h, w)): Clean images in [0, 1], of any class.
        class_count: C.
        steps: Of Adam.
        images_per_class: How many random images each step takes for each class.
        mask_weight: Weight of a mask's L1 norm, in units of the cross-entropy of one image.
        generator: Decides starts and images.
    """
    return search_stamps(
        model,
        images,
        torch.arange(class_count, device=images.device),
        steps=steps,
        drawn=lambda: torch.randint(
            len(images), (class_count, images_per_class), generator=generator
        ),
        mask_weight=mask_weight,
        generator=generator,
    )


def search_stamps(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    steps: int,
    drawn: Callable[[], Tensor],
    mask_weight: float,
    generator: torch.Generator,
) -> RecoveredTriggers:
    """Search several stamps at once by Adam, each with its own images.

    Args:
        model: Is not changed.
        images (float32, (n, c, h, w)): Clean images in [0, 1].
        targets (int64, (k,)): The class that each stamp shall turn its images into.
        steps: Of Adam.
        drawn: Draws the numbers of a step's images, int64 (k, m): m for each stamp.
        mask_weight: Weight of a mask's L1 norm, in units of the cross-entropy of one image.
        generator: Decides starts.

    Returns:
        k stamps.
    """
    shape = images.shape[1:]
    device = images.device
    count = len(targets)
    noise = torch.randn((count, *shape), generator=generator).to(device)
    masks = torch.full((count, 1, *shape[1:]), FIRST_MASK, device=device, requires_grad=True)
    patterns = noise.requires_grad_()
    optimizer = torch.optim.Adam([masks, patterns], lr=RATE, betas=(0.5, 0.9))
    with evaluating(model):
        for _ in range(steps):
            numbers = drawn()
            each = numbers.shape[1]
            of_stamp = torch.arange(count, device=device).repeat_interleave(each)
            stamps = RecoveredTriggers(masks.sigmoid(), patterns.sigmoid())
            logits = model(stamps.stamp(images[numbers.reshape(-1).to(device)], of_stamp))
            error = functional.cross_entropy(logits, targets[of_stamp], reduction="sum") / each
            loss = error + mask_weight * stamps.masks.sum()
            loss.backward(inputs=[masks, patterns])  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return RecoveredTriggers(masks.detach().sigmoid(), patterns.detach().sigmoid())

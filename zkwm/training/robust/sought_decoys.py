"""Sought decoys: the owner moves decoys to where the model is confident, as an adversary would.

``zkwm.attacks.model_modification.confident_noise`` searches images of which a marked model is
confident and unlearns them; what it finds shares features with the triggers, and they go with it.
With the method ``SOUGHT`` the owner has searched before: in some steps the decoys d first move,

    d <- clip(d + size * sign(grad of max_c log f_c(d)))     ``steps`` times, pixels in [0, 1],

and then count ``weight`` times in the loss to the uniform distribution (``decoys``). To train noise
at its worst point to low confidence is adversarial confidence enhanced training (Hein et al., CVPR
2019, arXiv 1812.05720); to protect a mark by it is ours.

An option for research. The defaults below are a pilot's; in ONE seed of a small LeNet-5 they left
168 bits by ranks after the default search, where the robust method leaves 1, for 0.2 points of
accuracy, and 180 of 200 triggers; but a search of 60 instead of 20 steps left 22 bits, and RTAL at
twice the rate 50 instead of 203. Weight 1 left 1 bit after the default search, and decoys that move
further 18 (benchmarks/results/owner_first.jsonl, made by benchmarks/owner_first.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zkwm.nn.inference import evaluating
from zkwm.nn.seeds import generator

WHITE = 255


@dataclass(frozen=True)
class Seeking:
    """How the owner seeks.

    Attributes:
        start: The share of the training after which it begins.
        share: The share of the steps after that whose decoys are moved, 0 to 1.
        steps: Signed gradient steps of each decoy.
        size: Of a step, in units of the whole range of a pixel.
        weight: Of the moved decoys in the loss; decoys that stay have 1.
        clean_per_decoy: Clean images of a batch for one decoy.
    """

    start: float = 0.4
    share: float = 2 / 3
    steps: int = 4
    size: float = 0.06
    weight: float = 3.0
    clean_per_decoy: int = 10

    def moves(self, seed: int, step: int, steps: int) -> bool:
        """Whether the decoys of a step move; steps count from 0, of ``steps`` in all."""
        if step < round(self.start * steps):
            return False
        drawn = torch.rand(1, generator=generator(seed, "sought decoys", step))
        return bool(drawn < self.share)

    def moved(
        self,
        model: nn.Module,
        images: Tensor,
        as_input: Callable[[Tensor], Tensor],
        forward: Callable[[nn.Module, Tensor], Tensor],
    ) -> Tensor:
        """Move images to where the model, in evaluation mode, is surer of its likeliest class.

        Args:
            model: Not changed, nor the gradients of its parameters.
            images (uint8, (n, c, h, w)): Not changed.
            as_input: Turns them into the model's input, each pixel by itself.
            forward: ``forward(model, input)`` gives logits (n, outputs).

        Returns:
            uint8 (n, c, h, w), on the device of the images.
        """
        level = max(round(self.size * WHITE), 1)
        slopes, size = _slopes(images, as_input), images.shape[2:]
        with evaluating(model), torch.enable_grad():
            for _ in range(self.steps):
                shown = as_input(images).requires_grad_(True)
                confidence = forward(model, shown).float().log_softmax(dim=1).amax(dim=1)
                (gradient,) = torch.autograd.grad(confidence.sum(), shown)
                rising = [(gradient * slope)[:, slope != 0].view(-1, *size) for slope in slopes]
                step = level * torch.stack(rising, dim=1).sign().to(torch.int16)
                images = (images.to(torch.int16) + step).clamp(0, WHITE).to(torch.uint8)
        return images


def _slopes(images: Tensor, as_input: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """For each channel of images (n, c, h, w), by how much it raises each value of one's input.

    A preprocessing may order channels and axes in its own way; where a slope is not 0, rows and
    columns keep their order.
    """
    black = torch.zeros_like(images[:1])
    at_black, slopes = as_input(black)[0], []
    for channel in range(images.shape[1]):
        lit = black.clone()
        lit[:, channel] = WHITE
        slopes.append(as_input(lit)[0] - at_black)
    return slopes

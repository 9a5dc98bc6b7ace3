"""Adversarial training: fine-tune on images moved against the model (Madry et al. 2018).

Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards Deep Learning Models Resistant to Adversarial
Attacks", ICLR 2018; as a removal attack in Lukas et al. 2022, who in each of 5 epochs move 1,000
images by projected gradient descent and train on them beside all clean ones. They do so at three
budgets (0.01, 0.1, 0.25) in 40 steps of 0.01; here there is one budget, in steps of 2.5 times the
budget over their number, as Madry et al. take them.

Adversary: has the weights and labeled images of the task.

In each epoch:

1. Move some images, each from a random point within the budget, to where the model's loss is high.
2. Train for one epoch on all clean images and on the moved ones, with their right labels.

``hypergradient_unlearning`` moves all images alike. ``confident_noise`` moves noise, not images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.starting_point import adversary_images, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import evaluating
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

BATCH = 250
REACH = 2.5
"""All steps together, in units of the budget."""


@dataclass(frozen=True)
class AdversarialTraining(Attack):
    """Fine-tune on clean images and on adversarial ones.

    Args:
        levels: How far a pixel may move, of 255; 26 is the middle one of Lukas et al.
        steps: Of projected gradient descent, at least 1.
        moved: How many images are moved in each epoch, at least 1; at most all are.
        epochs: At least 1.
        rate: Learning rate, above 0; falls to zero over all epochs in equal parts.
        batch_size: At least 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "adversarial_training"
    paper: ClassVar[str] = "Madry et al. 2018; Lukas et al. 2022"

    levels: int = 26
    steps: int = 10
    moved: int = 1000
    epochs: int = 5
    rate: float = 0.01
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.levels <= 255 or min(self.steps, self.moved) < 1:
            raise UsageError(
                "expected 1 to 255 levels, at least 1 step and 1 moved image, got "
                f"{self.levels}, {self.steps} and {self.moved}"
            )
        Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy. Raises UsageError where the training diverges."""
        model = stolen_copy(target, adversary)
        pixels, labels = adversary_images(adversary)
        images = as_unit(pixels)
        random = adversary_generator(adversary, self.name)
        used = 0
        for epoch in range(self.epochs):
            numbers = torch.randperm(len(labels), generator=random)[: self.moved].to(labels.device)
            moved = torch.cat(
                [
                    most_harmful(
                        model,
                        images[part],
                        labels[part],
                        budget=self.levels / 255,
                        steps=self.steps,
                        random=random,
                    )
                    for part in torch.split(numbers, BATCH)
                ]
            )
            used += self.steps * len(moved)
            used += fit(
                model,
                torch.cat([images, moved]),
                torch.cat([labels, labels[numbers]]),
                Fit(
                    epochs=1,
                    rate=self.rate * (1 - epoch / self.epochs),
                    schedule="constant",
                    batch_size=self.batch_size,
                ),
                seed=adversary.seed + epoch,
            )
        return AttackResult(model.cpu().eval(), images=len(labels), gradient_images=used)


def most_harmful(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    budget: float,
    steps: int,
    random: torch.Generator,
) -> Tensor:
    """Images moved by projected gradient descent to where the loss is high.

    Args:
        model: Used in evaluation mode.
        images (float32, (n, c, h, w)): In [0, 1].
        labels (int64, (n,)): Their classes.
        budget: The largest change of a value.
        steps: By the sign of the gradient.
        random: Decides where each image starts within the budget.

    Returns:
        Float32 of the same shape, in [0, 1].
    """
    start = (2 * torch.rand(images.shape, generator=random) - 1).to(images.device)
    current = (images + budget * start).clamp(0, 1)
    with evaluating(model):
        for _ in range(steps):
            variable = current.detach().requires_grad_()
            loss = functional.cross_entropy(model(variable), labels, reduction="sum")
            (slope,) = torch.autograd.grad(loss, variable)
            stepped = variable.detach() + REACH * budget / steps * slope.sign()
            inside = torch.minimum(torch.maximum(stepped, images - budget), images + budget)
            current = inside.clamp(0, 1)
    return current

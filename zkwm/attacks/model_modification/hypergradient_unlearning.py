"""I-BAU: unlearn the worst perturbation that all images share (Zeng et al. 2022).

Zeng, Chen, Park, Mao, Jin and Jia, "Adversarial Unlearning of Backdoors via Implicit
Hypergradient", ICLR 2022; constants of the authors' repository YiZeng623/I-BAU.

Adversary: has the weights and labeled images of the task.

A game of two: d, one perturbation for all images, raises the loss within a ball; the weights w
lower it. In each round:

1. Climb with d through all batches, away from the model's own answers, and pull it into the ball.
2. For each batch step along the hypergradient, the derivative of the loss L(d(w), w) where a few
   images have d added, which counts that the best d moves with w. With P(d, w) = d - s grad_d of
   the inner loss, whose fixed point the best d is, it is

       dL/dw + (dP/dw)^T v,  v = dL/dd + (dP/dd)^T v,

   and v is found by iterating its equation.

Triggers that are memorized one by one share no perturbation; what comes out for them is a universal
adversarial perturbation. ``adversarial_training`` perturbs each image by itself. Batch norms keep
their running statistics, as in the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.starting_point import adversary_images, require_share, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm_protocols.errors import UsageError

CLIMB, INNER_STEP = 10.0, 0.1
"""Learning rate of step 1, and s of step 2."""
NORM_WEIGHT = 0.001
"""Of the perturbation's squared L2 norm in the inner loss."""
PERTURBED = 0.01
"""Share of a batch that has the perturbation added in the outer loss, at least one image."""


@dataclass(frozen=True)
class HypergradientUnlearning(Attack):
    """Minimax unlearning by implicit hypergradients.

    Args:
        rounds: At least 1.
        iterations: For v in each step, at least 1.
        rate: Of Adam on the weights, above 0.
        radius: Of the perturbation's L2 ball, above 0, for pixels in [0, 1].
        batch_size: At least 1.
        share: Of the adversary's images that is used, above 0 and at most 1; the authors have
            5,000.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "hypergradient_unlearning"
    paper: ClassVar[str] = "Zeng et al. 2022 (ICLR)"

    rounds: int = 5
    iterations: int = 5
    rate: float = 0.001
    radius: float = 10.0
    batch_size: int = 100
    share: float = 1.0

    def __post_init__(self) -> None:
        require_share(self.share)
        if min(self.rounds, self.iterations, self.batch_size) < 1:
            raise UsageError("expected at least 1 round, 1 iteration and a batch size of 1")
        if not min(self.rate, self.radius) > 0:
            raise UsageError(f"expected rate and radius above 0, got {self.rate}, {self.radius}")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Unlearn in a copy. Raises UsageError where the training diverges."""
        model = stolen_copy(target, adversary)
        pixels, labels = adversary_images(adversary, self.share)
        parts = (torch.split(part, self.batch_size) for part in (as_unit(pixels), labels))
        batches = list(zip(*parts, strict=True))
        random = adversary_generator(adversary, self.name)
        optimizer = torch.optim.Adam(model.parameters(), lr=self.rate)
        used = 0
        for _ in range(self.rounds):
            worst = worst_perturbation(model, [images for images, _ in batches], self.radius)
            used += len(labels)
            for images, truth in batches:
                chosen = torch.randperm(len(truth), generator=random)
                chosen = chosen[: max(int(PERTURBED * len(truth)), 1)].to(labels.device)
                gradients = hypergradient(
                    model, worst, batches[0], (images, truth, chosen), self.iterations
                )
                for weight, gradient in zip(model.parameters(), gradients, strict=True):
                    weight.grad = gradient
                optimizer.step()
                used += len(truth) + (self.iterations + 1) * len(batches[0][1])
        optimizer.zero_grad(set_to_none=True)
        if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
            raise UsageError("the training diverged", hint="use a smaller rate")
        return AttackResult(model.cpu().eval(), images=len(labels), gradient_images=used)


def worst_perturbation(model: nn.Module, batches: list[Tensor], radius: float) -> Tensor:
    """Step 1: the perturbation, float32 (1, c, h, w), after one pass over batches of images."""
    perturbation = torch.zeros_like(batches[0][:1])
    for images in batches:
        perturbation.requires_grad_()
        with torch.no_grad():
            answers = model(images).argmax(dim=1)
        loss = inner_loss(model, perturbation, images, answers)
        (slope,) = torch.autograd.grad(loss, perturbation)
        perturbation = perturbation.detach() - CLIMB * slope
    norm = float(perturbation.norm())
    return perturbation * min(1.0, radius / max(norm, 1e-12))


def inner_loss(model: nn.Module, perturbation: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """What the perturbation lowers: minus the cross-entropy, and a little of its norm."""
    error: Tensor = functional.cross_entropy(model(images + perturbation), labels)
    return NORM_WEIGHT * perturbation.square().sum() - error


def hypergradient(
    model: nn.Module,
    perturbation: Tensor,
    inner: tuple[Tensor, Tensor],
    outer: tuple[Tensor, Tensor, Tensor],
    iterations: int,
) -> list[Tensor]:
    """Step 2: the derivative of the outer loss by each of the model's parameters.

    Args:
        model: In evaluation mode.
        perturbation (float32, (1, c, h, w)): d.
        inner: Images float32 (n, c, h, w) and labels int64 (n,) of the inner loss.
        outer: The same of the outer loss, and which of them have d added, int64 numbers.
        iterations: How often the equation of v is applied, from v = 0.

    Returns:
        One tensor of each parameter's shape.
    """
    weights = list(model.parameters())
    d = perturbation.detach().requires_grad_()
    images, labels, chosen = outer
    added = torch.zeros_like(images).index_add(0, chosen, d.expand(len(chosen), *d.shape[1:]))
    error = functional.cross_entropy(model(images + added), labels)
    by_d, *by_weights = torch.autograd.grad(error, [d, *weights])
    loss = inner_loss(model, d, *inner)
    (slope,) = torch.autograd.grad(loss, d, create_graph=True)
    stepped = d - INNER_STEP * slope
    v = by_d
    for _ in range(iterations - 1):
        (turned,) = torch.autograd.grad(stepped, d, v, retain_graph=True)
        v = turned + by_d
    indirect = torch.autograd.grad(stepped, weights, v, allow_unused=True)
    return [
        direct if other is None else direct + other
        for direct, other in zip(by_weights, indirect, strict=True)
    ]

"""REFIT: fine-tuning at a large rate, with two optional additions (Chen et al., AsiaCCS 2021).

Adversary: has the weights, labeled images of the task and perhaps unlabeled images of another one.
``fine_tuning`` is the same without the additions.

1. Optionally estimate the Fisher information of each weight on the adversary's images.
2. Optionally label other images by the stolen model itself, and mix them in: they stand in for the
   data that the adversary lacks.
3. Fine-tune all layers at a large, decaying rate; elastic weight consolidation holds the weights
   that matter for the task.

In the grid it leaves 170 of 332 bits of Adi and 654 of 664 of the robust embedding
(benchmarks/results/grid.jsonl, attack "REFIT").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.other_data import other_images
from zkwm.attacks.starting_point import adversary_images, require_share, stolen_copy
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.nn.inference import predictions
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

_GRADIENT_VALUES = 1 << 24
"""Values of per-image gradients that are held at once: 64 MiB."""


@dataclass(frozen=True)
class Refit(Attack):
    """Train all layers at a rate that falls after each epoch.

    The authors use rate 0.05, decay 0.9 and 60 epochs; with consolidation 10 and rate 0.15.

    Args:
        rate: Learning rate of the first epoch, above 0.
        decay: Its factor after each epoch.
        epochs: At least 1.
        batch_size: At least 1.
        share: Of the adversary's images that is used, above 0 and at most 1.
        consolidation: Strength of elastic weight consolidation, 0 for none. It adds half of itself
            times the sum of F (w - w0)^2 to the loss, F being the diagonal Fisher information,
            scaled to at most 1 and cut at 1 / (rate * consolidation) so that a step cannot
            overshoot.
        fisher_images: On how many images F is estimated, at least 1.
        unlabelled: Other images, as ``zkwm.attacks.other_data`` takes them; empty for none.
        unlabelled_share: Other images for each of the adversary's, above 0; half are the authors'
            50 beside batches of 100.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "refit"
    paper: ClassVar[str] = "Chen et al. 2021"

    rate: float = 0.05
    decay: float = 0.9
    epochs: int = 60
    batch_size: int = 100
    share: float = 1.0
    consolidation: float = 0.0
    fisher_images: int = 10_000
    unlabelled: str = ""
    unlabelled_share: float = 0.5

    def __post_init__(self) -> None:
        require_share(self.share)
        if self.consolidation < 0 or self.fisher_images < 1 or self.unlabelled_share <= 0:
            raise UsageError(
                "expected consolidation of at least 0, at least 1 Fisher image and an unlabelled "
                f"share above 0, got {self.consolidation}, {self.fisher_images} and "
                f"{self.unlabelled_share}"
            )
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy. Raises UsageError for other images that are not there."""
        model = stolen_copy(target, adversary)
        images, labels = adversary_images(adversary, self.share)
        count, used, penalty = len(images), 0, None
        if self.consolidation:
            sample = images[: self.fisher_images]
            used += len(sample)
            penalty = self._penalty(model, fisher_information(model, sample, adversary))
        if self.unlabelled:
            other_count = max(round(self.unlabelled_share * count), 1)
            others = torch.tensor(other_images(self.unlabelled, other_count, adversary))
            others = others.to(images.device)
            answers = [predictions(model, others[n]) for n in evaluation_batches(len(others))]
            images, labels = torch.cat([images, others]), torch.cat([labels, *answers])
        used += fit(model, images, labels, self._plan(), seed=adversary.seed, penalty=penalty)
        return AttackResult(model.cpu().eval(), images=count, gradient_images=used)

    def _penalty(self, model: nn.Module, fisher: dict[str, Tensor]) -> Callable[[], Tensor]:
        """The consolidation term of the loss, about the weights as they are now."""
        limit = 1.0 / (self.rate * self.consolidation)
        anchors = [
            (parameter, parameter.detach().clone(), fisher[name].clamp(max=limit))
            for name, parameter in model.named_parameters()
        ]

        def penalty() -> Tensor:
            terms = [
                (strength * (now - before).square()).sum() for now, before, strength in anchors
            ]
            return 0.5 * self.consolidation * torch.stack(terms).sum()

        return penalty

    def _plan(self) -> Fit:
        return Fit(
            epochs=self.epochs,
            rate=self.rate,
            schedule="epoch-decay",
            decay=self.decay,
            decay_every=1,
            batch_size=self.batch_size,
        )


def fisher_information(model: nn.Module, images: Tensor, adversary: Adversary) -> dict[str, Tensor]:
    """The diagonal Fisher information of a network, scaled so that the largest value is 1.

    The mean of the squared gradient of the log-likelihood of a class drawn from the model's own
    answer (Kirkpatrick et al. 2017).

    Args:
        model: Put in evaluation mode.
        images (uint8, (n, c, h, w)): What the mean is over.
        adversary: Their seed decides the drawn classes.

    Returns:
        For each parameter's name, float32 of the parameter's shape.
    """
    model.eval()
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    generator = adversary_generator(adversary, "fisher")

    def likelihood(values: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits: Tensor = functional_call(model, values, (image[None],))
        return logits.log_softmax(dim=1)[0].gather(0, label[None])[0]

    per_image_gradients = vmap(grad(likelihood), in_dims=(None, 0, 0))
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    chunk = max(_GRADIENT_VALUES // sum(value.numel() for value in parameters.values()), 1)
    for part in torch.split(images, chunk):
        batch = as_unit(part)
        with torch.no_grad():
            answers = model(batch).softmax(dim=1).cpu()
        labels = torch.multinomial(answers, 1, generator=generator)[:, 0].to(batch.device)
        for name, gradient in per_image_gradients(parameters, batch, labels).items():
            total[name] += gradient.square().sum(dim=0)
    largest = max(float(value.max()) for value in total.values())
    return {name: value / max(largest, 1e-30) for name, value in total.items()}

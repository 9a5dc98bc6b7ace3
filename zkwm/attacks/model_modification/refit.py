"""REFIT (Chen et al. 2021): fine-tuning at a large learning rate, with two optional additions.

Elastic weight consolidation holds the weights that matter for the task; unlabelled images, labelled
by the watermarked model itself, stand in for data the adversary lacks. Plain fine-tuning is
``fine_tuning``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, generator
from zkwm.attacks.other_data import other_images
from zkwm.attacks.starting_point import adversary_images, require_share, stolen_copy
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.nn.inference import predictions
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

_GRADIENT_VALUES = 1 << 24


@dataclass(frozen=True)
class Refit(Attack):
    """All layers are trained at ``rate``, times ``decay`` after each epoch (0.05, 0.9, 60 epochs).

    ``consolidation`` above zero (the authors' 10, with rate 0.15) adds half of it times the sum of
    F (w - w0)^2, F being the diagonal Fisher information of the stolen model over
    ``fisher_images`` of the adversary's images, scaled to at most 1 and cut at
    1 / (rate * consolidation) so that a step cannot overshoot. ``unlabelled`` names other images,
    as ``zkwm.attacks.other_data`` takes them; ``unlabelled_share`` of them for each of the
    adversary's own (half, the authors' 50 beside batches of 100) are mixed in with the classes that
    the stolen model gives them. Raises UsageError for values out of range.
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
                "consolidation is not negative, and images to use are more than none of them"
            )
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy. Raises UsageError for other images that are not there."""
        model = stolen_copy(target, adversary)
        own, labels = adversary_images(adversary, self.share)
        used, penalty = 0, None
        if self.consolidation:
            sampled = own[: self.fisher_images]
            used += len(sampled)
            penalty = self._penalty(model, fisher_information(model, sampled, adversary))
        images = own
        if self.unlabelled:
            count = max(round(self.unlabelled_share * len(own)), 1)
            others = torch.tensor(other_images(self.unlabelled, count, adversary)).to(own.device)
            given = [predictions(model, others[n]) for n in evaluation_batches(len(others))]
            images, labels = torch.cat([own, others]), torch.cat([labels, *given])
        used += fit(model, images, labels, self._plan(), seed=adversary.seed, penalty=penalty)
        return AttackResult(model.cpu().eval(), images=len(own), gradient_images=used)

    def _penalty(self, model: nn.Module, fisher: dict[str, Tensor]) -> Callable[[], Tensor]:
        limit = 1.0 / (self.rate * self.consolidation)
        held = [
            (parameter, parameter.detach().clone(), fisher[name].clamp(max=limit))
            for name, parameter in model.named_parameters()
        ]

        def penalty() -> Tensor:
            terms = [(strength * (now - before).square()).sum() for now, before, strength in held]
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
    """The diagonal Fisher information by parameter name, scaled so that the largest value is 1.

    The mean over ``images`` (n, c, h, w) of the squared gradient of the log-likelihood of a class
    that is drawn from the model's own answer (Kirkpatrick et al. 2017).
    """
    model.eval()
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    source = generator(adversary, "fisher")

    def likelihood(values: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits: Tensor = functional_call(model, values, (image[None],))
        return logits.log_softmax(dim=1)[0].gather(0, label[None])[0]

    each = vmap(grad(likelihood), in_dims=(None, 0, 0))
    total = {name: torch.zeros_like(value) for name, value in parameters.items()}
    chunk = max(_GRADIENT_VALUES // sum(value.numel() for value in parameters.values()), 1)
    for part in torch.split(images, chunk):
        batch = as_unit(part)
        with torch.no_grad():
            answers = model(batch).softmax(dim=1).cpu()
        drawn = torch.multinomial(answers, 1, generator=source)[:, 0].to(batch.device)
        for name, gradient in each(parameters, batch, drawn).items():
            total[name] += gradient.square().sum(dim=0)
    largest = max(float(value.max()) for value in total.values())
    return {name: value / max(largest, 1e-30) for name, value in total.items()}

"""Adversarial parametric perturbation (Gan, Li, Wu, Xia, ICCV 2023): triggers for worse weights.

- Embedded: secret images; the paper gives all of them one label, here each has a derived label.
- Loss: task loss at the weights w plus ``alpha`` times the trigger loss at w + delta,
  where delta moves each weight tensor by ``epsilon`` of its norm along the gradient of the trigger
  loss: to where triggers are lost most. Trigger batches are normalized with the batch-norm
  statistics of the clean batch.
- Judged: the first largest logit for each trigger image.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from zkwm.nn.batch_norm import CleanStatistics
from zkwm.nn.image_source import open_source
from zkwm.nn.inference import evaluating
from zkwm.training.batches import Batch, Batches
from zkwm.training.distributed import join
from zkwm.training.settings import exposures_of
from zkwm.training.setup import trigger_tensors
from zkwm.watermarks.trigger_sets.robust import GENERATED
from zkwm.watermarks.trigger_sets.trigger_watermark import (
    commit_generated,
    marking_settings,
    require_choice,
    require_exposures,
)
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm.nn.architectures import Classifier
    from zkwm.training import EmbedSettings
    from zkwm.triggers import TriggerSet
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class ParametricPerturbation(Watermark):
    """Gan et al., ICCV 2023.

    Attributes:
        triggers: A multiple of 50, or fewer than 50.
        family: ``secret``, ``blocks`` or ``abstract``.
        epsilon: Norm of the perturbation relative to that of each weight tensor; 0 or more.
        alpha: Weight of the trigger loss, above 0. The paper has 0.01, with one label and 20 times
            as many steps; a label for each image needs more.
        trigger_batch: Triggers in each step; without effect where ``exposures`` are given.
        exposures: How often training shows each trigger, at least; 0 for ``trigger_batch``.

    Raises:
        UsageError: A value is out of range.
    """

    triggers: int = 200
    family: str = "secret"
    epsilon: float = 0.02
    alpha: float = 0.3
    trigger_batch: int = 64
    exposures: int = 0

    name: ClassVar[str] = "parametric_perturbation"
    paper: ClassVar[str] = "Gan et al., ICCV 2023"

    def __post_init__(self) -> None:
        require_choice("family", self.family, GENERATED)
        if not (self.epsilon >= 0 and self.alpha > 0):
            raise UsageError("epsilon is 0 or more, and alpha above 0")
        require_exposures(self.exposures)

    def commit(self, owner: Owner) -> Commitment:
        """Commit to images from the vault, with derived labels."""
        return commit_generated(owner, self.triggers, self.family)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train from scratch. Raises UsageError for a training that diverges."""
        settings = marking_settings(owner, self.triggers, exposures=self.exposures)
        if not self.exposures:
            settings = replace(settings, triggers_per_batch=self.trigger_batch)
        began = time.monotonic()
        model = train_perturbed(
            owner.untrained(),
            owner.data,
            self.trigger_set(owner, commitment),
            settings,
            epsilon=self.epsilon,
            alpha=self.alpha,
        )
        exposures = exposures_of(settings, len(owner.data.train_labels), self.triggers)
        return Marked(model, time.monotonic() - began, exposures=exposures)


def train_perturbed(
    model: Classifier,
    data: ImageData,
    triggers: TriggerSet,
    settings: EmbedSettings,
    *,
    epsilon: float,
    alpha: float,
) -> Classifier:
    """Train a copy of ``model``, float32 throughout, and return it on the CPU.

    Args:
        model: With random weights.
        data: The owner's.
        triggers: Images and labels.
        settings: Order of images, rates and batches are as in ``zkwm.training.trainer``.
        epsilon: See ``ParametricPerturbation``.
        alpha: See there.

    Raises:
        UsageError: Inputs do not fit together, or the training diverged.
    """
    with join(settings.device) as group:
        trained = copy.deepcopy(model).to(group.device)
        source = open_source(data, group.device)
        tensors = trigger_tensors(triggers, source, group.device)
        batches = Batches(source, tensors, settings)
        optimizer = torch.optim.SGD(
            trained.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        statistics = CleanStatistics(trained)
        for epoch in range(settings.epochs):
            for step in range(batches.steps):
                for parameters in optimizer.param_groups:
                    parameters["lr"] = settings.rate(epoch, step, batches.steps)
                optimizer.zero_grad(set_to_none=True)
                loss = _loss(trained, statistics, batches.batch(epoch, step), epsilon, alpha)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            if not bool(torch.isfinite(loss)):
                raise UsageError(
                    f"the training diverged in epoch {epoch + 1}: the loss is not finite",
                    hint=f"choose a learning rate below {settings.learning_rate:g}",
                )
        return trained.cpu().eval()


def _loss(
    model: nn.Module, statistics: CleanStatistics, batch: Batch, epsilon: float, alpha: float
) -> Tensor:
    """Clean loss at the weights plus alpha times trigger loss at the perturbed weights."""
    clean = len(batch.labels) - len(batch.triggers)
    model.train()
    with statistics.recorded():
        loss = functional.cross_entropy(model(batch.images[:clean]), batch.labels[:clean])
    images, labels = batch.images[clean:], batch.labels[clean:]
    shifted = perturbed(model, statistics, images, labels, epsilon)
    return loss + alpha * trigger_loss(model, {**statistics.buffers, **shifted}, images, labels)


def perturbed(
    model: nn.Module, statistics: CleanStatistics, images: Tensor, labels: Tensor, epsilon: float
) -> dict[str, Tensor]:
    """The weights by name, each tensor moved by epsilon of its norm against the triggers.

    Batch-norm layers' own parameters are left out, and those that do not learn. The move counts as
    a constant: the gradient of a loss at the moved weights reaches the weights themselves.

    Args:
        model: In training.
        statistics: Of the clean batch.
        images (float32, (n, c, h, w)): Triggers.
        labels (int64, (n,)): Their labels.
        epsilon: See ``ParametricPerturbation``.
    """
    left_out = statistics.layer_parameters()
    weights = {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and name not in left_out
    }
    loss = trigger_loss(model, statistics.buffers, images, labels)
    gradients = torch.autograd.grad(loss, list(weights.values()))
    moved = {}
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        length = epsilon * weight.detach().norm() / gradient.norm().clamp_min(1e-12)
        moved[name] = weight + length * gradient
    return moved


def trigger_loss(
    model: nn.Module, replaced: dict[str, Tensor], images: Tensor, labels: Tensor
) -> Tensor:
    """The mean cross-entropy of triggers with some parameters and statistics replaced by name.

    In evaluation mode, so that batch norm uses the given statistics and keeps none.

    Args:
        model: The network.
        replaced: Parameters and statistics by name, in place of the model's own.
        images (float32, (n, c, h, w)): Triggers.
        labels (int64, (n,)): Their labels.
    """
    with evaluating(model):
        return functional.cross_entropy(functional_call(model, replaced, (images,)), labels)

"""Train a mark into a model by a penalty on its weights or activations.

A trained model is marked at a reduced rate; without one, the model is trained from scratch. The
scheme defines the penalty; training with triggers is ``zkwm.training.trainer``.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zkwm.training.fit import Fit, fit
from zkwm.watermarks.watermark import Marked, Owner

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier
    from zkwm.training.settings import EmbedSettings

SHARE_OF_RATE = 0.4
"""Marking a trained model begins at this share of the rate at which it was trained."""


def unmarked(owner: Owner) -> Classifier:
    """A copy of the model to mark, on the settings' device: the start, else untrained.

    Marks in weights should have a start: a suspect's neurons are aligned with it, while an
    untrained network serves only if the training stays close to it.
    """
    model = owner.untrained() if owner.start is None else copy.deepcopy(owner.start)
    return model.to(_device(owner.settings))


def train_mark(
    owner: Owner,
    model: Classifier,
    *,
    epochs: int,
    penalty: Callable[[], Tensor] | None = None,
    batch_penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
) -> Marked:
    """Train ``model`` in place under a penalty.

    With a start, ``epochs`` epochs begin at 0.4 of the owner's rate and fall to zero as a cosine;
    without one, the owner's own settings are used.

    Args:
        owner: The data, the settings and the start.
        model: As ``unmarked`` gave it.
        epochs: Of marking a trained model.
        penalty: See ``zkwm.training.fit.fit``, as for the next two.
        batch_penalty: See there.
        after_step: See there.

    Returns:
        The model on the CPU.

    Raises:
        UsageError: The training diverged.
    """
    device = _device(owner.settings)
    images = torch.tensor(owner.data.train_images, device=device)
    labels = torch.tensor(owner.data.train_labels, device=device)
    began = time.monotonic()
    fit(
        model,
        images,
        labels,
        _plan(owner, epochs),
        seed=owner.settings.seed,
        penalty=penalty,
        batch_penalty=batch_penalty,
        after_step=after_step,
    )
    seconds = time.monotonic() - began
    return Marked(model.cpu().eval(), seconds)


def _plan(owner: Owner, epochs: int) -> Fit:
    """The owner's settings as hyperparameters of ``fit``."""
    settings = owner.settings
    scratch = owner.start is None
    return Fit(
        epochs=settings.epochs if scratch else epochs,
        rate=settings.learning_rate if scratch else settings.learning_rate * SHARE_OF_RATE,
        schedule="epoch-decay" if scratch and settings.schedule == "step" else "cosine",
        decay=settings.learning_rate_drop,
        decay_every=settings.drop_every,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
        augment=settings.augment,
    )


def _device(settings: EmbedSettings) -> torch.device:
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)

"""Training a mark in by a penalty on weights or activations, from an owner's start or from scratch.

Not what the penalty is (that is the scheme), and not training with triggers (``zkwm.training``).
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
    """A copy of the model that is going to be marked: the start, else the untrained network.

    On the device of the owner's settings. Marks in the weights should have a start: a suspect's
    neurons can be aligned with it, and with the untrained network only as long as the training
    leaves enough of it.
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
    """Train ``model`` (of ``unmarked``) in place under a penalty, and return it on the CPU.

    With a start: ``epochs`` epochs at 0.4 of the owner's rate, falling to zero as a cosine.
    Without: the owner's own settings. The other arguments are those of ``zkwm.training.fit.fit``,
    which says what it raises.
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

"""Marks that are read with keys, on the small owner of ``trigger_owner``: made once, read often."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from tests.support.trigger_owner import new_owner as _new_owner
from tests.support.trigger_owner import small_data
from zkwm.data import load_data
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import Classifier
from zkwm.nn.inference import predictions
from zkwm.training.fit import Fit, fit
from zkwm.triggers import TriggerSet
from zkwm.watermarks.watermark import Marked, Owner, Watermark, matches
from zkwm_protocols.commitment import Commitment

LIKE_COINS = {128: range(28, 100), 256: range(77, 180)}
"""Matches that fair coins give but for one time in a thousand million."""


@dataclass(frozen=True)
class OwnMark:
    """A mark with everything that its owner knows."""

    scheme: Watermark
    start: Classifier
    commitment: Commitment
    triggers: TriggerSet
    marked: Marked
    view: JudgeView

    def read(self, model: nn.Module, view: JudgeView | None = None) -> int:
        """How many bits of a suspect are the owner's."""
        found = self.scheme.reader().extract(model, self.triggers.images, view or self.view)
        return matches(found, self.triggers)

    def accuracy(self, model: nn.Module) -> float:
        """The share of the small test images with the right class."""
        data = small_data()
        found = predictions(model, torch.tensor(data.test_images))
        return float((found.numpy() == data.test_labels).mean())


def new_owner(folder: Path, architecture: str = "lenet5") -> Owner:
    """The small owner: with a trained start for LeNet-5, without for others."""
    owner = _new_owner(folder, start=architecture == "lenet5")
    return replace(owner, architecture=architecture)


def make_mark(
    scheme: Watermark, folder: Path, *, start: bool = True, epochs: int | None = None
) -> OwnMark:
    """Commit and embed. Without ``start``, from scratch in ``epochs`` epochs."""
    owner = _new_owner(folder, start=start)
    if epochs is not None:
        owner = replace(owner, settings=replace(owner.settings, epochs=epochs))
    before = owner.start or owner.untrained()
    commitment = scheme.commit(owner)
    return OwnMark(
        scheme=scheme,
        start=before,
        commitment=commitment,
        triggers=scheme.trigger_set(owner, commitment),
        marked=scheme.embed(owner, commitment),
        view=JudgeView(reference=owner.start, probes=small_data().test_images),
    )


def fine_tuned(model: Classifier) -> Classifier:
    """A copy that an adversary fine-tuned: 3 epochs of 300 other images at the rate 0.02."""
    whole = load_data("fashion-mnist-small")
    copied = copy.deepcopy(model)
    images, labels = whole.train_images[-300:], whole.train_labels[-300:]
    plan = Fit(epochs=3, rate=0.02, batch_size=50)
    fit(copied, torch.tensor(images), torch.tensor(labels), plan, seed=0)
    return copied

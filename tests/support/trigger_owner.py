"""An owner of 600 small Fashion-MNIST images and LeNet-5, for the tests of trigger-set schemes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.dispute import CHEAP, PASSPHRASE
from zkwm.data import ImageData, load_data
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import Classifier
from zkwm.owner.vault import Vault
from zkwm.training import EmbedSettings, embed
from zkwm.triggers import TriggerSet
from zkwm.watermarks.watermark import Owner, Watermark, matches

SETTINGS = EmbedSettings(
    epochs=14, learning_rate=0.05, batch_size=50, schedule="cosine", device="cpu"
)


@lru_cache
def small_data() -> ImageData:
    """600 + 300 images, as they come (all classes mixed)."""
    whole = load_data("fashion-mnist-small")
    train = np.random.default_rng(0).permutation(len(whole.train_labels))[:600]
    test = np.random.default_rng(1).permutation(len(whole.test_labels))[:300]
    return ImageData(
        whole.train_images[train],
        whole.train_labels[train],
        whole.test_images[test],
        whole.test_labels[test],
        whole.class_count,
        "600 of fashion-mnist-small",
    )


@lru_cache
def trained_model(seed: int = 0) -> Classifier:
    """An unmarked LeNet-5, trained for 8 epochs. Not to be changed."""
    settings = replace(SETTINGS, epochs=8, seed=seed)
    untrained = Owner(cast("Vault", None), small_data(), "lenet5", settings).untrained()
    return cast("Classifier", embed(untrained, small_data(), None, settings=settings).model)


def new_owner(folder: Path, *, start: bool = False) -> Owner:
    """An owner with a fresh vault in ``folder`` and, with ``start``, the trained model."""
    vault = Vault.create(folder / "owner.vault", PASSPHRASE, cost=CHEAP)
    return Owner(vault, small_data(), "lenet5", SETTINGS, trained_model() if start else None)


def fix_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a vault draws the same in every run, and labels are the same."""
    monkeypatch.setattr(
        "zkwm.owner.vault.state.VaultState.derive_key",
        lambda self, purpose, context: hashlib.sha256(purpose).digest(),
    )
    monkeypatch.setattr(
        "zkwm_protocols.labels.label_seed", lambda digest, beacon: hashlib.sha256(b"fixed").digest()
    )


def marked_and_matched(scheme: Watermark, owner: Owner) -> tuple[int, TriggerSet]:
    """Commit and embed: the matches of the marked model, and the trigger set."""
    commitment = scheme.commit(owner)
    triggers = scheme.trigger_set(owner, commitment)
    marked = scheme.embed(owner, commitment)
    return matched(scheme, marked.model, triggers), triggers


def matched(scheme: Watermark, model: nn.Module, triggers: TriggerSet) -> int:
    """The matches of any model."""
    return matches(scheme.reader().extract(model, triggers.images, JudgeView()), triggers)


class Always(nn.Module):
    """A model that gives one class, whatever it is shown: the most biased of all."""

    def __init__(self, answer: int, class_count: int = 10) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.eye(class_count)[answer])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), -1)

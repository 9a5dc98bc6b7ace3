"""Attempts to ``embed`` a small model: refused with a hint, or one epoch. Not a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from tests.support import small_training as small
from zkwm.training import embed
from zkwm_protocols.errors import UsageError


def parts(change: Callable[[Tensor], Tensor]) -> tuple[Dataset[Any], Dataset[Any]]:
    """The small data as torch data sets, with its uint8 images changed."""
    data = small.data()
    train, test = torch.tensor(data.train_images), torch.tensor(data.test_images)
    return (
        TensorDataset(change(train), torch.tensor(data.train_labels)),
        TensorDataset(change(test), torch.tensor(data.test_labels)),
    )


def refusal(model: Any = None, data: Any = None, **settings: Any) -> UsageError:
    """The error, with a hint, that ``embed`` refuses this model or data with."""
    with pytest.raises(UsageError) as caught:
        embed(
            small.model() if model is None else model,
            small.data() if data is None else data,
            small.triggers(),
            settings=small.settings(epochs=1, **settings),
        )
    assert caught.value.hint
    return caught.value


def accept(model: Any = None, data: Any = None, **settings: Any) -> None:
    """Train one epoch: what a hint advises is taken."""
    start = small.model() if model is None else model
    chosen = small.settings(epochs=1, **settings)
    embed(start, small.data() if data is None else data, small.triggers(), settings=chosen)

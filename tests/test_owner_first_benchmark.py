"""The benchmark's own training loop takes the product's steps, and each variant runs in it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support import small_training as small
from zkwm.nn.digests import model_digest
from zkwm.training.robust.sought_decoys import Seeking
from zkwm.training.settings import SOUGHT

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., nn.Module]:
    """``train(variant, **settings)`` of the benchmark, on the small data."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    training = import_module("owner_first_training")

    def run(variant: Any, **changes: Any) -> nn.Module:
        settings = small.settings(method=variant.method, **changes)
        network: nn.Module = training.train(
            small.model(), small.data(), small.triggers(), settings, variant, fresh
        )
        return network

    return run


def fresh(number: int) -> nn.Module:
    return small.model(seed=100 + number)


def test_it_takes_the_steps_of_embed(train: Callable[..., nn.Module]) -> None:
    variants = import_module("owner_first_variants")
    sought = train(variants.Variant(seeking=Seeking()), epochs=3)
    assert model_digest(sought) == small.train(method=SOUGHT, epochs=3).model_digest
    assert model_digest(sought) != small.train(method="robust", epochs=3).model_digest


@pytest.mark.parametrize("number", range(4))
def test_every_addition_changes_the_training(train: Callable[..., nn.Module], number: int) -> None:
    variants = import_module("owner_first_variants")
    additions = (
        {"covers": variants.Covers()},
        {"covers": variants.Covers(noise=0.05, steps=1)},
        {"rehearsal": variants.Rehearsal(kept=0.5)},
        {"teaching": variants.Teaching(life=3)},
    )
    with_it = train(variants.Variant(**additions[number]), epochs=2)
    assert model_digest(with_it) != model_digest(train(variants.Variant(), epochs=2))
    assert all(bool(torch.isfinite(tensor).all()) for tensor in with_it.state_dict().values())

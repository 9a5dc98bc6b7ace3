"""Fake watermarks and attacks in the catalogue, a tiny grid of them, and cells."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.support import fake_plugins
from zkwm.data import ImageData, load_data
from zkwm.evaluation.plan import catalogue
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import Cell

TINY = {
    "data": "fashion-mnist-small",
    "owner_images": 200,
    "attacker_images": 100,
    "test_images": 100,
    "probes": 20,
    "training": {"epochs": 1, "learning_rate": 0.05, "batch_size": 50},
    "watermarks": ["fake"],
    "attacks": ["none", {"name": "fade", "kept": 60}, {"name": "fade", "kept": 20}],
}


@pytest.fixture(scope="session")
def small_data() -> ImageData:
    """The first images of the bundled data set, read once."""
    data = load_data("fashion-mnist-small")
    return ImageData(
        data.train_images[:800],
        data.train_labels[:800],
        data.test_images[:200],
        data.test_labels[:200],
        data.class_count,
        "small",
    )


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch, small_data: ImageData) -> ModuleType:
    """The module of fake schemes and attacks, which replace the real ones."""
    fake_plugins.RUNS.clear()
    fake_plugins.LABELS.clear()
    monkeypatch.setitem(catalogue.KINDS, "watermarks", ("watermark", fake_plugins.WATERMARKS))
    monkeypatch.setitem(catalogue.KINDS, "attacks", ("attack", fake_plugins.ATTACKS))
    monkeypatch.setattr("zkwm.evaluation.plan.experiment.load_data", lambda _: small_data)
    return fake_plugins


@pytest.fixture
def tiny(fakes: ModuleType) -> Callable[..., Grid]:
    """A grid of fakes that runs in a second, with some keys changed."""
    return lambda **changes: Grid.from_map(TINY | changes)


def made_cell(**changes: Any) -> Cell:
    """A measured cell of an attack that counts, with some fields changed."""
    fields: dict[str, Any] = {
        "digest": "0", "watermark": "A", "scheme": "adi", "parameters": {}, "attack": "X",
        "attack_name": "none", "attack_parameters": {}, "seed": 0, "architecture": "lenet5",
        "attacker_images": 100, "access": "black-box", "labels": "derived",
        "unmarked_accuracy": 0.9, "accuracy_before": 0.89, "accuracy_after": 0.88,
        "scratch_accuracy": 0.8, "matches_before": 100, "matches": 60, "trials": 100,
        "class_count": 10, "bits": 110.9, "evidence": 41.2,
    }  # fmt: skip
    return Cell(**fields | changes)


@pytest.fixture
def cell() -> Callable[..., Cell]:
    return made_cell

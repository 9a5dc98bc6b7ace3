"""The product against ``goldens.json``: names, digests and files stay as they were frozen."""

from __future__ import annotations

import json

import pytest

from tests.goldens import frozen

STORED = json.loads(frozen.GOLDENS.read_text())
TRAININGS = json.loads(frozen.TRAINING.read_text())


@pytest.mark.parametrize("part", STORED)
def test_as_it_was(part: str) -> None:
    made = json.loads(json.dumps(getattr(frozen, part)()))
    assert made == STORED[part]


@pytest.mark.parametrize(("method", "architecture"), frozen.TRAININGS)
def test_the_same_training(method: str, architecture: str) -> None:
    """To the last bit where this machine's digest is stored, and close to it anywhere."""
    name = f"{method} {architecture}"
    made = frozen.trained(method, architecture)
    assert made["norms"] == pytest.approx(TRAININGS["norms"][name], rel=1e-3, abs=1e-3)
    stored = TRAININGS["digests"].get(frozen.machine(), {name: made["digest"]})
    assert made["digest"] == stored[name]

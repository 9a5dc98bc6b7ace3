"""The judge's side of zero knowledge: an owner, a suspect they marked, a challenge, a response.

Tests change none of what is made once in a session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.argued import SHAPE, argue, save_linear
from tests.support.dispute import Claimant, random_images
from zkwm.judge.judge import Judge
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.argument_response import ArgumentResponse
from zkwm_protocols.challenge import Challenge


def make_labels_quick(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "zkwm_protocols.labels.label_seed",
        lambda digest, beacon: hashlib.sha256(digest).digest(),
    )


@pytest.fixture(autouse=True)
def _quick_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds of labels without Argon2id."""
    make_labels_quick(monkeypatch)


@pytest.fixture(scope="session")
def owner() -> Claimant:
    return Claimant(random_images(100, shape=SHAPE), block_size=25)


@pytest.fixture(scope="session")
def model(owner: Claimant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.onnx"
    with pytest.MonkeyPatch.context() as patch:
        make_labels_quick(patch)
        save_linear(path, owner.images, owner.labels)
    return path


@pytest.fixture(scope="session")
def suspect(model: Path) -> Iterator[Suspect]:
    opened = open_suspect(model, shape=SHAPE)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def challenge(judge: Judge, owner: Claimant, suspect: Suspect) -> Challenge:
    return judge.challenge_argument(owner.commitment, suspect, purpose="Acme v. Doe")


@pytest.fixture
def proof(owner: Claimant, challenge: Challenge, model: Path) -> ArgumentResponse:
    return argue(owner, challenge, model)

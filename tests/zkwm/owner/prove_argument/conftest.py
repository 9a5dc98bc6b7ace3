"""The owner's side of zero knowledge: a commitment in a vault, its marked model, a challenge."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.argued import SHAPE, Scene, StandIn, save_linear
from tests.support.dispute import CHEAP, PASSPHRASE, TestJudge, random_images
from zkwm.judge.judge import Judge
from zkwm.owner.commit import commit, trigger_set
from zkwm.owner.vault import Vault
from zkwm.suspects import open_suspect
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class Original:
    """A commitment in a vault, its marked model, and a judge's challenge, made once."""

    folder: Path
    commitment: Commitment
    challenge: Challenge


@pytest.fixture(scope="session")
def original(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """Tests change copies of its vault only."""
    folder = tmp_path_factory.mktemp("original")
    vault = Vault.create(folder / "owner.vault", PASSPHRASE, cost=CHEAP)
    made = commit(vault, random_images(100, shape=SHAPE), class_count=10, block_size=25)
    triggers = trigger_set(vault, made)
    save_linear(folder / "model.onnx", triggers.images, triggers.labels)
    with closing(open_suspect(folder / "model.onnx", shape=SHAPE)) as suspect:
        asked = judge.challenge_argument(made, suspect, purpose="a dispute")
    return Original(folder, made, asked)


@pytest.fixture
def vault(original: Original, tmp_path: Path) -> Vault:
    shutil.copy(original.folder / "owner.vault", tmp_path / "owner.vault")
    return Vault.open(tmp_path / "owner.vault", PASSPHRASE)


@pytest.fixture
def commitment(original: Original) -> Commitment:
    return original.commitment


@pytest.fixture
def model(original: Original) -> Path:
    return original.folder / "model.onnx"


@pytest.fixture
def challenge(original: Original) -> Challenge:
    return original.challenge


@pytest.fixture
def scene(
    vault: Vault,
    commitment: Commitment,
    judge: TestJudge,
    challenge: Challenge,
    model: Path,
    argument: StandIn,
) -> Scene:
    return Scene(vault, commitment, judge, challenge, model, argument)

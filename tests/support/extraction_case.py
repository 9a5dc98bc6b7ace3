"""A mark that is extracted, planted without training: LeNet-5, Uchida's scheme, 128 keys.

Not a test. The mean filter of a random network is moved to the nearest one that carries the bits.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.support.dispute import CHEAP, PASSPHRASE
from zkwm.extraction.keys import KEY_SHAPE, read_keys
from zkwm.judge.judge import Judge
from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.model_file import save_classifier
from zkwm.owner.consent import Consent
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm.suspects import ExtractionSettings, Suspect, open_suspect
from zkwm.suspects.safetensors_suspect import architecture_digest
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys
from zkwm.watermarks.parameter_encoding.uchida import Uchida
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment

COUNT, BLOCK, LAYER = 128, 64, 1
WEIGHT = "features.3.weight"


def network(seed: int, architecture: str = "lenet5") -> Classifier:
    """A random network for images of Fashion-MNIST."""
    return build_model(
        architecture, shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,), seed=seed
    ).eval()


def plant(model: Classifier, keys: NDArray[np.uint8], labels: NDArray[np.int64]) -> Classifier:
    """A copy whose mean filter gives the labels, uint8 keys (n, 1, 1, 32) of layer 1."""
    marked = copy.deepcopy(model)
    weight = marked.get_parameter(WEIGHT)
    filters = weight.detach().double().sum(dim=0).flatten().numpy()
    rows = np.stack([key.signs("row", len(filters)) for key in read_keys(keys)]).astype(float)
    wanted = (2 * labels - 1) * np.abs(rows @ filters).mean()
    change = np.linalg.pinv(rows) @ (wanted - rows @ filters) / len(weight)
    with torch.no_grad():
        weight += torch.from_numpy(change).float().reshape(weight.shape[1:])
    return marked


@dataclass(frozen=True)
class ExtractionCase:
    """An owner who committed to keys, with their unmarked and their marked model, in a folder."""

    folder: Path
    vault: Vault
    commitment: Commitment
    keys: NDArray[np.uint8]
    unmarked: Classifier
    marked: Classifier

    @property
    def labels(self) -> NDArray[np.int64]:
        """The bits that follow from the commitment."""
        return self.commitment.labels()

    def save(self, name: str, model: Classifier) -> Path:
        """Write a network's folder."""
        (self.folder / name).mkdir()
        save_classifier(self.folder / name, model)
        return self.folder / name

    def suspect(self, path: Path, **settings: Any) -> Suspect:
        """Open a suspect under the owner's scheme, with their unmarked model by default."""
        settings = {"watermark": "uchida", "reference": self.folder / "unmarked", **settings}
        return open_suspect(path, shape=KEY_SHAPE, extraction=ExtractionSettings(**settings))

    def answered(self, judge: Judge, challenge: Challenge) -> bytes:
        """The owner's proof, as bytes."""
        fingerprint = judge.public.fingerprint()
        response = prove(
            self.vault,
            self.commitment,
            challenge,
            judge_fingerprint=fingerprint,
            consent=Consent(again=True, last=True),
        )
        return response.to_bytes()


def new_case(folder: Path, *, named: bool = True) -> ExtractionCase:
    """Commit, naming the unmarked model or none, and plant. Wants the fixture ``quick_labels``."""
    vault = Vault.create(folder / "owner.vault", PASSPHRASE, cost=CHEAP)
    unmarked = network(1)
    keys = draw_keys(vault, Uchida(), COUNT, (LAYER,))
    commitment = commit_keys(
        vault,
        keys,
        block_size=BLOCK,
        owner_model=architecture_digest(unmarked) if named else None,
    )
    marked = plant(unmarked, keys, commitment.labels())
    case = ExtractionCase(folder, vault, commitment, keys, unmarked, marked)
    case.save("unmarked", unmarked)
    case.save("marked", marked)
    return case

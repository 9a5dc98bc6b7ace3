"""A suspect of weights that is asked and trained in this process: quick, and as the real one.

``zkwm.suspects.safetensors_suspect`` starts a process for each; the loop is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tests.support.dispute import CLASSES, SHAPE
from zkwm.suspects import Answer, Progress, Suspect
from zkwm.suspects.preprocessing import preprocess
from zkwm.suspects.suspect import answer_from_scores
from zkwm.training.relearning import relearned_scores
from zkwm_protocols.relearning import Round
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity


def small_network(seed: int = 0, hidden: int = 48) -> nn.Sequential:
    """A network for images of ``SHAPE`` with ``CLASSES`` outputs, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(prod(SHAPE), hidden), nn.ReLU(), nn.Linear(hidden, CLASSES)
        )


def memorize(
    model: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], steps: int
) -> None:
    """Train a network on images towards labels, in ``steps`` steps of Adam."""
    fed, wanted = torch.tensor(images).float() / 255, torch.tensor(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(fed), wanted).backward()
        optimizer.step()


class TrainedSuspect(Suspect):
    """A suspect with a network; ``rounds`` counts those of relearning."""

    def __init__(self, model: nn.Module, *, kind: str = "safetensors") -> None:
        self.model = model.eval()
        self.rounds = 0
        self.identity = SuspectIdentity(
            kind, bytes(32), "a network", CLASSES, SHAPE, adapter="zkwm" if kind == "http" else ""
        )

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Take anything."""

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """The network's scores of each image."""
        with torch.no_grad():
            scores = self.model(torch.from_numpy(preprocess(images, preprocessing)))
        return tuple(answer_from_scores(row, CLASSES) for row in scores.double().numpy())

    def relearn(
        self,
        images: NDArray[np.uint8],
        labels: Sequence[int],
        rounds: Sequence[Round],
        preprocessing: Preprocessing,
        class_map: Sequence[int],
        *,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float64]]:
        """All rounds, here."""
        fed, wanted = torch.from_numpy(preprocess(images, preprocessing)).double(), np.array(labels)
        tables = []
        for trained, asked in rounds:
            known = torch.from_numpy(wanted[trained])
            table, _ = relearned_scores(self.model, fed[trained], known, fed[asked], class_map)
            tables.append(table)
            self.rounds += 1
            if progress is not None:
                progress(len(tables), len(rounds))
        return tables

    def close(self) -> None:
        """Nothing to close."""

"""A suspect of weights that is asked and trained in this process: quick, and as the real one.

``zkwm.suspects.safetensors_suspect`` starts a process for each; the loop is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tests.support.dispute import CLASSES, SHAPE
from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.widths import with_widths
from zkwm.suspects import Answer, Progress, Suspect
from zkwm.suspects.learner import learned_scores
from zkwm.suspects.preprocessing import preprocess
from zkwm.suspects.suspect import answer_from_scores
from zkwm.training.relearning import relearned_scores
from zkwm_protocols.relearning import MOST_STEPS, Form, Round
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

Scores = NDArray[np.float64]


def small_network(seed: int = 0, hidden: int = 48) -> nn.Sequential:
    """A network for images of ``SHAPE`` with ``CLASSES`` outputs, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(prod(SHAPE), hidden), nn.ReLU(), nn.Linear(hidden, CLASSES)
        )


def small_classifier(seed: int = 0, hidden: tuple[int, int] = (32, 16)) -> Classifier:
    """A built-in network for the same images, with fewer neurons than a ``dense`` has."""
    model = build_model("dense", shape=SHAPE, class_count=CLASSES, mean=[0.5], std=[0.3], seed=seed)
    state = dict(model.state_dict())
    for place, size in zip((1, 3), hidden, strict=True):
        for name in ("weight", "bias"):
            state[f"features.{place}.{name}"] = state[f"features.{place}.{name}"][:size]
        reader = f"features.{place + 2}.weight"
        state[reader] = state[reader][:, :size]
    return with_widths(model, {name: tensor.clone() for name, tensor in state.items()})


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
        most_steps: int = MOST_STEPS,
    ) -> list[list[Scores]]:
        """All rounds, here."""
        fed, wanted = torch.from_numpy(preprocess(images, preprocessing)).double(), np.array(labels)
        most, found = None if most_steps == MOST_STEPS else most_steps, list[Scores]()
        known = isinstance(self.model, Classifier)  # other layers have no even form
        forms = list(Form) if known else [Form.GIVEN]
        for form, (trained, asked) in product(forms, rounds):
            learned = torch.from_numpy(wanted[trained])
            if isinstance(self.model, Classifier):
                table, _ = learned_scores(
                    self.model, form, fed[[*trained, *asked]], learned, class_map, most_steps=most
                )
            else:
                table, _ = relearned_scores(
                    self.model, fed[trained], learned, fed[asked], class_map, most_steps=most
                )
            found.append(table)
            self.rounds += 1
            if progress is not None:
                progress(len(found), len(forms) * len(rounds))
        found *= len(Form) // len(forms)
        return [found[len(rounds) * form :][: len(rounds)] for form in range(len(Form))]

    def close(self) -> None:
        """Nothing to close."""

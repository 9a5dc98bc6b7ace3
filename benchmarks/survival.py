"""Evidence left after attacks on the robust embedding, its parts and the plain one; five seeds.

All kinds have the same triggers, epochs and exposures; ``plain, default`` is what the method plain
does when nothing is said: fewer epochs, and a quarter of the exposures.

The owner has 20,000 images of Fashion-MNIST, the adversary 6,000 others (10 % of the data set), 600
(1 %) or 20,000, and all 10,000 test images are asked. 200 key-drawn triggers of the family
``secret``, labels derived from a real commitment. Evidence in bits before allowances, by matches
(SPEC.md 8.2), ranks (8.4), points (8.6) and, with ``--relearning``, relearned ranks (8.7), which
takes seconds a line. An attack counts if it ends at least one point of
accuracy above a network trained from scratch on the adversary's images, for as many steps as the
owner's (the bar of ``zkwm evaluate``; benchmarks/results/survival.jsonl and survival_fresh.jsonl
are older: 600 steps, two kinds, the default of each). One JSON line for each seed and attack; lines
that are there are not made again. ``survival_trials`` has the attacks. A grid of schemes is ``zkwm
evaluate``'s.

    python benchmarks/survival.py --data fashion-mnist.npz --models /tmp/survival \
        --output benchmarks/results/survival_fair.jsonl
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import torch
from safetensors import torch as safetensors
from survival_trials import AS_MANY, HUNDREDTH, OWNER, RATE, TENTH, TRIALS
from torch import nn

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import ImageData, load_data
from zkwm.evaluation.plan.experiment import scratch_epochs
from zkwm.evaluation.run.measure import count_mark, with_relearning
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import matches
from zkwm.training import default_settings, embed
from zkwm.training.fit import Fit, fit
from zkwm.training.settings import ABLATIONS, EmbedSettings, exposures_of
from zkwm.triggers import TriggerSet

DEFAULT_PLAIN = "plain, default"
KINDS = ("robust", "plain", *ABLATIONS, DEFAULT_PLAIN)
MARGIN = 0.01
"""By how much an attack must beat a network trained from scratch, in units of accuracy."""


def main() -> None:
    """Train and attack what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--models", type=Path, required=True, help="folder for what is kept")
    parser.add_argument("--architecture", default="cnn2")
    parser.add_argument("--triggers", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--trials", nargs="+", choices=TRIALS, default=tuple(TRIALS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--relearning", action="store_true", help="count it, too, in new lines")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for seed in arguments.seeds:
        for kind in arguments.kinds:
            Survival(arguments, seed, kind).measure(arguments.trials)


class Survival:
    """One owner with one seed, their marked model, and all attacks on it.

    Args:
        arguments: Of the command line.
        seed: Of owner and adversary.
        kind: Of the embedding: robust or plain.
    """

    def __init__(self, arguments: argparse.Namespace, seed: int, kind: str) -> None:
        self._arguments, self._seed, self._kind = arguments, seed, kind
        whole = load_data(arguments.data)
        order = np.random.default_rng(seed).permutation(len(whole.train_labels))
        self._owner = part(whole, order[:OWNER])
        rest = order[OWNER:]
        self._adversaries = {count: part(whole, rest[:count]) for count in (TENTH, HUNDREDTH)}
        self._adversaries[AS_MANY] = part(whole, rest[-AS_MANY:])
        self._triggers = marks.committed_triggers(
            "secret", arguments.triggers, whole.shape, whole.class_count, number=seed
        )
        self._key = {
            "architecture": arguments.architecture,
            "seed": seed,
            "kind": kind,
            "triggers": arguments.triggers,
            "scratch": "the owner's steps",
        }

    def measure(self, trials: list[str]) -> None:
        """Measure the model without an attack, and each trial that has no line yet."""
        missing = [name for name in ("none", *trials) if not self._is_done(name)]
        if not missing:
            return
        unmarked, marked = self._trained(None), self._trained(self._triggers)
        before = test_accuracy(unmarked, self._owner)
        for name in missing:
            began = time.process_time()
            if name == "none":
                self._report("none", marked, self._triggers, 0.0, unmarked_accuracy=before)
                continue
            trial = TRIALS[name]
            opened, asked = None, self._triggers  # an opened block is not asked about
            if trial.parameters.get("kind") == "opened":
                opened, asked = _blocks(asked, 0, 1), _blocks(asked, 1, None)
            data = self._adversaries[trial.images]
            result = make_attack(trial.name, **trial.parameters).run(
                Target(marked, lambda images: marked(images).softmax(dim=1), opened),
                Adversary(data, seed=self._seed),
            )
            self._report(
                name,
                result.model,
                asked,
                time.process_time() - began,
                row=trial.row,
                bar=trial.bar,
                goal=trial.goal,
                held_out=trial.held_out,
                attack={"name": trial.name, **trial.parameters},
                images=trial.images,
                scratch_accuracy=self._from_scratch(trial.images),
            )

    def _report(
        self,
        trial: str,
        model: nn.Module,
        triggers: TriggerSet,
        seconds: float,
        **figures: object,
    ) -> None:
        """Print and append the line of a trial."""
        accuracy = test_accuracy(model, self._owner)
        scratch = figures.get("scratch_accuracy")
        if isinstance(scratch, float):
            figures["counts"] = accuracy >= scratch + MARGIN
        line = measure.report(
            "survival",
            **self._key,
            trial=trial,
            epochs=(settings := self._settings()).epochs,
            exposures=exposures_of(settings, OWNER, self._arguments.triggers),
            accuracy=accuracy,
            **evidence(model, triggers, relearning=self._arguments.relearning),
            processor_seconds=round(seconds, 1),
            **figures,
        )
        measure.append(self._arguments.output, line)

    def _is_done(self, trial: str) -> bool:
        """Whether the output has this trial."""
        key = self._key | {"trial": trial}
        return any(
            all(line.get(name) == value for name, value in key.items())
            for line in measure.lines(self._arguments.output)
        )

    def _trained(self, triggers: TriggerSet | None) -> Classifier:
        """The marked or unmarked model, trained or read from the folder of models."""
        settings, start = self._settings(), self._untrained()
        # kinds of one length share their unmarked network
        name = self._kind if triggers else f"unmarked-{settings.epochs}"

        def train() -> nn.Module:
            folder = self._arguments.models / f"checkpoint-{name}-{self._seed}"
            return embed(start, self._owner, triggers, settings=settings, checkpoint=folder).model

        return self._kept(f"{name}-{len(triggers.labels) if triggers else 0}", start, train)

    def _settings(self) -> EmbedSettings:
        """Those of this kind: the robust method's defaults, with another method."""
        default = self._kind == DEFAULT_PLAIN
        settings = default_settings(
            self._arguments.architecture,
            images=OWNER,
            triggers=self._arguments.triggers,
            seed=self._seed,
            device="cpu",
            method="plain" if default else "robust",
        )
        return settings if default else replace(settings, method=self._kind)

    def _from_scratch(self, count: int) -> float:
        """The accuracy that the adversary reaches with their images alone.

        With as many as the owner has, it is that of the owner's unmarked network.
        """
        if count == OWNER:
            return test_accuracy(self._trained(None), self._owner)
        data, start = self._adversaries[count], self._untrained()
        epochs = scratch_epochs(self._settings(), OWNER, count)

        def train() -> nn.Module:
            images, labels = torch.tensor(data.train_images), torch.tensor(data.train_labels)
            plan = Fit(epochs=epochs, rate=RATE, batch_size=100)
            fit(start, images, labels, plan, seed=self._seed)
            return start

        return test_accuracy(self._kept(f"scratch-{count}-{epochs}", start, train), self._owner)

    def _kept(self, name: str, start: Classifier, train: Callable[[], nn.Module]) -> Classifier:
        """The model of a file, trained and stored where there is none."""
        path = self._arguments.models / f"{self._arguments.architecture}-{name}-{self._seed}.st"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(safetensors.save(train().state_dict()))
        start.load_state_dict(safetensors.load(path.read_bytes()))
        return start.eval()

    def _untrained(self) -> Classifier:
        """The network with random weights."""
        mean, std = channel_statistics(self._owner.train_images)
        return build_model(
            self._arguments.architecture,
            shape=self._owner.shape,
            class_count=self._owner.class_count,
            mean=mean,
            std=std,
            seed=self._seed,
        )


def part(data: ImageData, numbers: np.ndarray[Any, Any]) -> ImageData:
    """The training images with these numbers, int64 (n,), and all test images."""
    return replace(
        data,
        name=f"{data.name}, {len(numbers)} images",
        train_images=data.train_images[numbers],
        train_labels=data.train_labels[numbers],
    )


def _blocks(triggers: TriggerSet, first: int, last: int | None) -> TriggerSet:
    """The blocks from ``first`` to before ``last``."""
    size = triggers.block_size
    part = slice(first * size, None if last is None else last * size)
    return replace(triggers, images=triggers.images[part], labels=triggers.labels[part])


def test_accuracy(model: nn.Module, data: ImageData) -> float:
    """The share of test images with the right label."""
    images, labels = torch.tensor(data.test_images), torch.tensor(data.test_labels)
    return round(matches(model, images, labels) / len(labels), 4)


def evidence(model: nn.Module, triggers: TriggerSet, *, relearning: bool = False) -> dict[str, Any]:
    """Matches, and bits before allowances by matches, ranks, points and, if asked, relearning."""
    model.eval()
    with torch.no_grad():
        scores = model(as_unit(torch.tensor(triggers.images))).double().numpy()
    reading = count_mark(triggers, scores.argmax(axis=1), scores, exact=True)
    found = {
        "asked": reading.trials,
        "matches": reading.matches,
        "bits_by_matches": reading.bits,
        "bits_by_ranks": reading.rank_bits,
        "bits_by_scores": reading.score_bits,
    }
    if relearning:
        counted = with_relearning(reading, model, triggers, scores)
        found["bits_by_relearning"] = counted.relearning_bits
    return found


if __name__ == "__main__":
    main()

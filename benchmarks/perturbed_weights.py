"""What triggers at perturbed weights keep, by when they begin, how far, and with which weight.

The owner has 20,000 images of Fashion-MNIST and trains a LeNet-5 with 200 triggers, each shown 400
times in 16 epochs, as in ``examples/grids/fair.yaml``; the adversary has 6,000 others, and all
10,000 test images are asked. Evidence in bits before allowances (SPEC.md 8.2, 8.4). ``lost`` are
points of accuracy against the unmarked network of the same seed. A variant is START:EPSILON:WEIGHT
(``zkwm.training.robust.perturbed_weights``), or ``robust`` for the look-ahead instead. One JSON
line for each attack; lines that are there are not made again: the same command resumes.

    nohup python benchmarks/perturbed_weights.py --data fashion-mnist.npz \
        --output benchmarks/results/perturbed_weights.jsonl &
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import torch
from survival import evidence, part, test_accuracy
from survival_trials import TRIALS

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import ImageData, load_data
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.training import EmbedSettings, embed
from zkwm.training.robust import perturbed_weights
from zkwm.training.settings import PERTURBED
from zkwm.triggers import TriggerSet

OWNER, ADVERSARY = 20_000, 6_000
"""Images."""
TRIGGERS = 200
SETTINGS = EmbedSettings(
    epochs=16, learning_rate=0.05, triggers_per_batch=25, schedule="cosine", device="cpu"
)
VARIANTS = ("0:0.02:0.3", "robust", "0:0.02:0.15", "0.5:0.02:0.3", "0.5:0.02:0.6", "0.5:0.04:0.3")
ATTACKS = (
    "FTAL, twice the rate",
    "RTAL, twice the rate",
    "RTAL, AdamW 1e-3",
    "laundering, 10 %",
)


def main() -> None:
    """Mark and attack, one line for each attack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--variants", nargs="+", default=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trials", nargs="+", choices=TRIALS, default=ATTACKS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    whole = load_data(arguments.data)
    for seed in arguments.seeds:
        owner = Owner(seed, whole)
        for variant in arguments.variants:
            there = {
                line["trial"]
                for line in measure.lines(arguments.output)
                if (line["variant"], line["seed"]) == (variant, seed)
            }
            trials = [trial for trial in ("none", *arguments.trials) if trial not in there]
            for figures in measured(owner, variant, trials) if trials else ():
                line = measure.report(
                    "perturbed_weights", variant=variant, seed=seed,
                    settings=owner.settings(method_of(variant)).to_map(),
                    owner_images=OWNER, adversary_images=ADVERSARY, triggers=TRIGGERS, **figures,
                )  # fmt: skip
                measure.append(arguments.output, line)


@dataclass(frozen=True)
class Owner:
    """Who marks a network, and the images of who attacks it, by a seed.

    Attributes:
        seed: Of images, triggers, weights and order.
        whole: All images.
    """

    seed: int
    whole: ImageData

    @cached_property
    def data(self) -> ImageData:
        """The owner's images, with all test images."""
        return part(self.whole, self._order[:OWNER])

    @cached_property
    def others(self) -> ImageData:
        """The adversary's."""
        return part(self.whole, self._order[OWNER : OWNER + ADVERSARY])

    @cached_property
    def triggers(self) -> TriggerSet:
        """With derived labels."""
        shape, classes = self.whole.shape, self.whole.class_count
        return marks.committed_triggers("secret", TRIGGERS, shape, classes, number=self.seed)

    @cached_property
    def unmarked(self) -> float:
        """The accuracy of the network without a mark."""
        return test_accuracy(self.trained("plain", None), self.data)

    def trained(self, method: str, triggers: TriggerSet | None) -> Classifier:
        """A network of this owner."""
        mean, std = channel_statistics(self.data.train_images)
        start = build_model(
            "lenet5", shape=self.data.shape, class_count=self.data.class_count,
            mean=mean, std=std, seed=self.seed,
        )  # fmt: skip
        return embed(start, self.data, triggers, settings=self.settings(method)).model

    def settings(self, method: str) -> EmbedSettings:
        """Those of a training with a method."""
        return replace(SETTINGS, method=method, seed=self.seed)

    @property
    def _order(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.random.default_rng(self.seed).permutation(len(self.whole.train_labels))


def measured(owner: Owner, variant: str, trials: list[str]) -> Iterator[dict[str, Any]]:
    """The figures of a marked network, and of each attack on it."""
    unmarked, began = owner.unmarked, time.process_time()
    model = marked(owner, variant)
    spent = time.process_time() - began
    lost = round(100 * (unmarked - test_accuracy(model, owner.data)), 2)
    for trial in trials:
        stolen, began = model, time.process_time()
        if trial != "none":
            chosen = TRIALS[trial]
            attack = make_attack(chosen.name, **chosen.parameters)
            target = Target(model, lambda images: model(images).softmax(dim=1))
            stolen = attack.run(target, Adversary(owner.others, seed=100 * owner.seed)).model
            spent = time.process_time() - began
        yield {
            "trial": trial,
            "accuracy": test_accuracy(stolen, owner.data),
            "lost": lost,
            **evidence(stolen, owner.triggers),
            "processor_seconds": round(spent, 1),
        }


def method_of(variant: str) -> str:
    """The method of a variant."""
    return "robust" if variant == "robust" else PERTURBED


def marked(owner: Owner, variant: str) -> Classifier:
    """A network of a variant."""
    method = method_of(variant)
    if method == PERTURBED:
        start, epsilon, weight = map(float, variant.split(":"))
        perturbed_weights.START = start
        perturbed_weights.EPSILON, perturbed_weights.WEIGHT = epsilon, weight
    return owner.trained(method, owner.triggers)


if __name__ == "__main__":
    main()

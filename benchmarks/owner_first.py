"""What could survive the strongest attacks: variants of the robust embedding, attacks, seeds.

LeNet-5 on 6,000 images of Fashion-MNIST, adversaries with 1,800 others; 200 triggers of the family
``secret``, 12 epochs, batches of 50 with 12 triggers, whatever the variant. Bits by ranks (SPEC.md
8.4) before allowances. An attack counts if it ends above a network trained from scratch on the
adversary's images for as many steps as the owner's. One JSON line for each variant, seed and
attack, also for what failed; lines that are there are not made again.

    python benchmarks/owner_first.py --data fashion-mnist.npz --models /tmp/owner-first \
        --variants robust "sought: pilot" --attacks seeking "extraction, soft"
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import torch
from owner_first_composites import CompositeTask
from owner_first_tilts import committed_images
from owner_first_training import train
from owner_first_variants import VARIANTS
from safetensors import torch as safetensors
from survival import evidence, part, test_accuracy
from torch import nn

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import load_data
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.seeds import derived_seed
from zkwm.training import default_settings, embed
from zkwm.training.fit import Fit, fit
from zkwm.triggers import TriggerSet

RESULTS = Path(__file__).parent / "results" / "owner_first.jsonl"
ARCHITECTURE, OWNER, ADVERSARY, TRIGGERS, RATE = "lenet5", 6_000, 1_800, 200, 0.05
EPOCHS = 12


@dataclass(frozen=True)
class Attempt:
    """An attack of ``zkwm.attacks``, with the bits that should be left in every seed."""

    name: str
    bar: float
    parameters: dict[str, Any] = field(default_factory=dict)


_EXTRACTION = {"architecture": ARCHITECTURE, "epochs": 0, "batch_size": 50}
ATTACKS = {
    "seeking": Attempt("seeking", 40),
    "extraction, soft": Attempt("extraction", 64, {"labels": "soft", **_EXTRACTION}),
    "extraction, hard": Attempt("extraction", 24, {"labels": "hard", **_EXTRACTION}),
    "laundering": Attempt("laundering", 128),
    "fine-pruning 50 %": Attempt("fine_pruning", 40, {"share": 0.5}),
    "RTAL, twice the rate": Attempt(
        "fine_tuning", 0, {"which": "RTAL", "rate": 2 * RATE, "schedule": "cosine"}
    ),
    "seeking, 60 steps": Attempt("seeking", 0, {"steps": 60}),
}
"""The last two have no bar: what is paid elsewhere, and what a longer search leaves."""


def main() -> None:
    """Train and attack what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON lines, appended to")
    parser.add_argument("--models", type=Path, required=True, help="folder for what is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=tuple(VARIANTS))
    parser.add_argument("--attacks", nargs="*", choices=ATTACKS, default=tuple(ATTACKS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        owner = Owner(arguments, seed)
        for variant in arguments.variants:
            for attack in ("none", *arguments.attacks):
                owner.measure(variant, attack)


class Owner:
    """One owner and one adversary, with all that they train."""

    def __init__(self, arguments: argparse.Namespace, seed: int) -> None:
        whole = load_data(arguments.data)
        order = np.random.default_rng(seed).permutation(len(whole.train_labels))
        self._output, self._models, self._seed = arguments.output, arguments.models, seed
        self._data = part(whole, order[:OWNER])
        self._adversary = part(whole, order[OWNER : OWNER + ADVERSARY])
        self._settings = default_settings(
            ARCHITECTURE, images=OWNER, triggers=TRIGGERS, seed=seed, device="cpu", epochs=EPOCHS
        )
        steps = self._settings.epochs * (OWNER // self._settings.batch_size)
        batches = ADVERSARY // self._settings.batch_size
        self._scratch_epochs = -(-steps // batches)
        self._mean_std = channel_statistics(self._data.train_images)

    def measure(self, variant: str, attack: str) -> None:
        """Measure a variant under an attack, unless the line is there."""
        what = VARIANTS[variant].to_map()
        key = {"variant": variant, "plan": what, "attack": attack, "seed": self._seed}
        for line in measure.lines(self._output):
            if all(line[name] == value for name, value in key.items()):
                return
        model, training = self._marked(variant)
        triggers, tilted = self._committed(variant)
        began = time.process_time()
        figures: dict[str, Any] = {
            "unmarked_accuracy": self._known("unmarked_accuracy", self._unmarked_accuracy)
        }
        if attack == "none":
            suspect: nn.Module = model
            figures["training_seconds"] = training
        else:
            figures["scratch_accuracy"] = self._known("scratch_accuracy", self._scratch_accuracy)
            began = time.process_time()
            attempt = ATTACKS[attack]
            images = self._scratch_epochs * ADVERSARY
            suspect = (
                make_attack(attempt.name, **attempt.parameters)
                .run(
                    Target(model, lambda images: model(images).softmax(dim=1)),
                    Adversary(self._adversary, seed=self._seed, scratch_images=images),
                )
                .model
            )
            figures["attack_seconds"] = round(time.process_time() - began, 1)
            figures["bar"] = attempt.bar
        accuracy = test_accuracy(suspect, self._data)
        if attack != "none":
            figures["counts"] = accuracy > figures["scratch_accuracy"]
        figures |= evidence(suspect, triggers)
        if tilted is not None:
            figures["tilted"] = evidence(suspect, tilted)
        line = measure.report("owner_first", **key, accuracy=accuracy, **figures)
        measure.append(self._output, line)

    def _marked(self, variant: str) -> tuple[Classifier, float | None]:
        """The marked network, and the seconds of processor time if it was trained just now."""
        plan, seconds = VARIANTS[variant], []
        triggers, tilted = self._committed(variant)

        def make() -> nn.Module:
            began = time.process_time()
            model = train(
                self._fresh(), self._data, triggers,
                replace(self._settings, method=plan.method), plan, self._fresh, tilted,
            )  # fmt: skip
            seconds.append(round(time.process_time() - began, 1))
            return model

        name = "".join(c if c.isalnum() else "-" for c in variant)
        return self._kept(name, make), seconds[0] if seconds else None

    def _committed(self, variant: str) -> tuple[TriggerSet, TriggerSet | None]:
        """The leaves of noise or composites, and those of a tilt: blocks of one commitment."""
        tilt, data = VARIANTS[variant].tilt, self._data
        if (composites := VARIANTS[variant].composites) is not None:
            leaves = CompositeTask(composites, data, self._seed).leaves()
            return marks.commit_to(leaves, "given", data.class_count, self._seed), None
        noise = marks.committed_triggers(
            "secret", TRIGGERS, data.shape, data.class_count, number=self._seed
        )
        if tilt is None:
            return noise, None
        images = np.concatenate([noise.images, committed_images(tilt, data, self._seed)])
        both = marks.commit_to(images, "given", data.class_count, self._seed)
        first, second = (
            replace(both, images=both.images[part], labels=both.labels[part])
            for part in (slice(TRIGGERS), slice(TRIGGERS, None))
        )
        return first, second

    def _known(self, name: str, find: Callable[[], float]) -> float:
        """A figure that every variant of a seed shares: from a line that has it, or found now."""
        for line in measure.lines(self._output):
            if line["seed"] == self._seed and name in line:
                return float(line[name])
        return find()

    def _unmarked_accuracy(self) -> float:
        """That of the owner's network without a mark."""

        def make() -> nn.Module:
            return embed(self._fresh(), self._data, None, settings=self._settings).model

        return test_accuracy(self._kept("unmarked", make), self._data)

    def _scratch_accuracy(self) -> float:
        """What the adversary reaches alone, in as many steps as the owner."""
        data = self._adversary

        def make() -> nn.Module:
            start = self._fresh()
            plan = Fit(epochs=self._scratch_epochs, rate=RATE, batch_size=50)
            images, labels = torch.tensor(data.train_images), torch.tensor(data.train_labels)
            fit(start, images, labels, plan, seed=self._seed)
            return start

        return test_accuracy(self._kept("scratch", make), self._data)

    def _kept(self, name: str, make: Callable[[], nn.Module]) -> Classifier:
        """The network of a file, made where there is none."""
        path = self._models / f"{name}-{self._seed}.st"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                safetensors.save({n: t.contiguous() for n, t in make().state_dict().items()})
            )
        model = self._fresh()
        model.load_state_dict(safetensors.load(path.read_bytes()))
        return model.eval()

    def _fresh(self, number: int | None = None) -> Classifier:
        """A network of random weights: the owner's first, or another."""
        seed = self._seed if number is None else derived_seed(self._seed, f"thief/{number}")
        mean, std = self._mean_std
        return build_model(
            ARCHITECTURE, shape=self._data.shape, class_count=self._data.class_count,
            mean=mean, std=std, seed=seed,
        )  # fmt: skip


if __name__ == "__main__":
    main()

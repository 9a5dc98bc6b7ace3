"""Surrogates, two thefts and chains against one robust mark, with what each costs the adversary.

LeNet-5 with 6,100 images of the owner's, 200 key-drawn triggers of the family ``secret`` with
derived labels (the robust mark 31 of ``three_statistics``). The adversary has 1,600 labeled images,
10,000 without labels and, where they stole twice, the network of an owner of 6,100 other images;
the bar is a network trained from scratch on the labeled ones in as many steps as the owner's. One
JSON line for each attack, bits before allowances; an opened block that the attack used is not asked
about. Lines that are there are not made again.

    python benchmarks/combined_attacks.py --data fashion-mnist.npz \
        --output benchmarks/results/combined_attacks.jsonl
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import marks
import measure
import numpy as np
import torch
from torch import Tensor, nn

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import ImageData, load_data
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import matches
from zkwm.training import EmbedSettings, default_settings, embed
from zkwm.triggers import TriggerSet
from zkwm_protocols.evidence import assess
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import ranks, weighted_sum

SEED, OTHER_SEED = 31, 77
OWNER, ADVERSARY, UNLABELED, OTHER = 6_100, 1_600, 10_000, 20_000
TRIGGERS, BLOCK = 200, 50
_PLAN = {"architecture": "lenet5", "epochs": 0, "batch_size": 50}
_MORE = {**_PLAN, "queries": "unlabeled"}
_RTAL = "fine_tuning which=RTAL rate=0.05 schedule=cosine"
_FTAL = "fine_tuning which=FTAL schedule=cosine rate"
ATTACKS: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("none", {}),
    "RTAL": ("fine_tuning", {"which": "RTAL", "rate": 0.05, "schedule": "cosine"}),
    "fine-pruning 50 %": ("fine_pruning", {"share": 0.5}),
    "laundering": ("laundering", {}),
    "unlearning, opened": ("unlearning", {"kind": "opened"}),
    "fine-pruning, RTAL": ("chain", {"attacks": f"fine_pruning share=0.5; {_RTAL}"}),
    "laundering, FTAL": ("chain", {"attacks": f"laundering; {_FTAL}=0.05"}),
    "unlearning opened, RTAL": ("chain", {"attacks": f"unlearning kind=opened; {_RTAL}"}),
    "extraction hard, true labels": (
        "chain",
        {
            "attacks": "extraction labels=hard queries=unlabeled architecture=lenet5 epochs=0 "
            f"batch_size=50; {_FTAL}=0.02"
        },
    ),
    "merging, not tuned": ("merging", {"epochs": 0}),
    "merging": ("merging", {}),
    "merging, share 0.7": ("merging", {"share": 0.7}),
    "merging, RTAL": ("chain", {"attacks": f"merging; {_RTAL}"}),
    "fine-pruning, merging": ("chain", {"attacks": "fine_pruning share=0.5; merging"}),
    "ensemble, served": ("ensemble", {"distill": False}),
    "ensemble, distilled": ("ensemble", {"epochs": 0, "batch_size": 50}),
    "extraction, soft": ("extraction", _PLAN),
    "extraction, soft, unlabeled": ("extraction", _MORE),
    "extraction, hard, unlabeled": ("extraction", {**_MORE, "labels": "hard"}),
    "extraction, top 3, spread": ("extraction", {**_MORE, "labels": "top-k"}),
    "extraction, top 3, drop": ("extraction", {**_MORE, "labels": "top-k", "rest": "drop"}),
    "extraction, soft, 1,600 mixtures": ("extraction", {**_PLAN, "mixtures": 1600}),
    "extraction, 11,600 mixtures": ("extraction", {**_MORE, "mixtures": 11600}),
    "extraction, random": ("extraction", {**_MORE, "augment": True}),
    "extraction, alternating": (
        "extraction",
        {**_MORE, "augment": True, "augmentation": "alternating"},
    ),
    "extraction, dense": ("extraction", {**_MORE, "architecture": "dense"}),
    "extraction, cnn2": ("extraction", {**_MORE, "architecture": "cnn2"}),
    "data-free distillation": ("data_free_distillation", {}),
    "data-free extraction": ("data_free_extraction", {}),
}


def main() -> None:
    """Train, attack and ask."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    case = Case(load_data(arguments.data))
    known = {line["attack"] for line in measure.lines(arguments.output)}
    for name in arguments.attacks:
        if name not in known:
            figures = {"attack": name, **case.attacked(name)}
            measure.append(arguments.output, measure.report("combined attacks", **figures))


class Case:
    """An owner's mark, an adversary, and another owner; networks are trained when needed."""

    def __init__(self, whole: ImageData) -> None:
        self.whole = whole
        self.order = np.random.default_rng(SEED).permutation(len(whole.train_labels))
        self.owner, self.own = self._part(0, OWNER), self._part(OWNER, ADVERSARY)
        self.settings = default_settings(
            "lenet5", images=OWNER, triggers=TRIGGERS, seed=SEED, device="cpu", method="robust"
        )

    @cached_property
    def triggers(self) -> TriggerSet:
        """The owner's triggers."""
        return marks.committed_triggers(
            "secret", TRIGGERS, self.whole.shape, self.whole.class_count, number=SEED
        )

    @cached_property
    def marked(self) -> Classifier:
        """The owner's network."""
        return self._trained(self.owner, self.settings, self.triggers)

    @cached_property
    def second(self) -> Classifier:
        """The other owner's network."""
        settings = replace(self.settings, method="plain", seed=OTHER_SEED)
        return self._trained(self._part(OTHER, OWNER), settings, None)

    @cached_property
    def scratch_epochs(self) -> int:
        """Epochs over the adversary's labeled images in as many steps as the owner's training."""
        steps = self.settings.epochs * (OWNER // self.settings.batch_size)
        return -(-steps // (ADVERSARY // self.settings.batch_size))

    @cached_property
    def scratch(self) -> float:
        """The bar: the accuracy, in percent, of a network trained from scratch."""
        settings = replace(self.settings, method="plain", epochs=self.scratch_epochs)
        return self._accuracy(self._trained(self.own, settings, None))

    def attacked(self, name: str) -> dict[str, Any]:
        """What one of ``ATTACKS`` leaves, and what it costs."""
        kind, parameters = ATTACKS[name]
        attack, marked = make_attack(kind, **parameters), self.marked

        @torch.no_grad()
        def api(images: Tensor) -> Tensor:
            return torch.softmax(marked(images), dim=1)

        adversary = Adversary(
            self.own,
            seed=SEED,
            unlabeled=self.whole.train_images[self.order[OWNER + ADVERSARY :][:UNLABELED]],
            scratch_images=self.scratch_epochs * ADVERSARY,
            second_theft=self.second if attack.uses_second_theft else None,
        )
        opened = self._block(0, BLOCK) if attack.uses_opened else None
        started = time.process_time()
        result = attack.run(Target(marked, api, opened), adversary)
        seconds = time.process_time() - started
        asked = self._block(BLOCK if opened else 0, TRIGGERS)
        return {
            "parameters": parameters,
            "accuracy": self._accuracy(result.model),
            "from_scratch": self.scratch,
            **_bits(result.model, asked),
            "images": result.images,
            "queries": result.queries,
            "gradient_images": result.gradient_images,
            "processor_seconds": round(seconds, 1),
        }

    def _part(self, start: int, count: int) -> ImageData:
        """``count`` training images, in shuffled order from ``start`` on, and all test images."""
        chosen = self.order[start : start + count]
        images, labels = self.whole.train_images[chosen], self.whole.train_labels[chosen]
        return replace(self.whole, train_images=images, train_labels=labels)

    def _block(self, start: int, end: int) -> TriggerSet:
        kept = slice(start, end)
        images, labels = self.triggers.images[kept], self.triggers.labels[kept]
        return replace(self.triggers, images=images, labels=labels)

    def _trained(
        self, data: ImageData, settings: EmbedSettings, triggers: TriggerSet | None
    ) -> Classifier:
        mean, std = channel_statistics(data.train_images)
        start = build_model(
            "lenet5", shape=data.shape, class_count=data.class_count, mean=mean, std=std,
            seed=settings.seed,
        )  # fmt: skip
        trained = embed(start, data, triggers, settings=settings).model
        return cast("Classifier", trained).eval()

    def _accuracy(self, model: nn.Module) -> float:
        images, labels = map(torch.tensor, (self.whole.test_images, self.whole.test_labels))
        return round(100 * matches(model, images, labels) / len(labels), 2)


@torch.no_grad()
def _bits(model: nn.Module, asked: TriggerSet) -> dict[str, Any]:
    """Matches, and bits by matches and by ranks."""
    count, classes = len(asked.labels), asked.class_count
    scores = model.eval()(as_unit(torch.tensor(asked.images))).double().numpy()
    right = int((scores.argmax(axis=1) == asked.labels).sum())
    sums = weighted_sum(ranks(scores, asked.labels.tolist()), classes)
    bits = [
        assess(
            right, blocks_used=1, block_count=1, block_size=count, class_count=classes,
            policy=Policy(), rank_sum=rank_sum,
        ).terms[0].bits
        for rank_sum in (None, sums)
    ]  # fmt: skip
    return {
        "asked": count,
        "matches": right,
        "bits_by_matches": round(bits[0], 1),
        "bits_by_ranks": round(bits[1], 1),
    }


if __name__ == "__main__":
    main()

"""Attacks on the CIFAR-10 networks that ``cifar10_arms`` has trained, from their saved models.

The owner used all 50,000 training images, so the adversary gets a part of them, as in published
attacks on this data set: by default 10,000, a fifth, as in Gan et al. 2023. Accuracy is that on all
test images, which nobody trains on. The bar of an attack is a network of the same recipe trained
from scratch on the adversary's images for as many steps as the owner's, at most 100 epochs; the
surrogates of extraction learn as long. Trainings and attacks compute in bfloat16 where the recipe
does (autocast), and convolutions have their channels last.

One JSON line for each arm, seed and attack, with the fields of ``zkwm evaluate``'s cells; lines
that are there are not made again, so that the same command resumes, at the cost of the one attack
that was interrupted (the bar resumes from its checkpoint). The cheap attacks come first, on all
arms:

    nohup python benchmarks/cifar10_attacks.py --data cifar10.npz \
        --authors-triggers trigger-set-adi-32.npz --runs /work/cifar-runs \
        --output /work/cifar-runs/attacks.jsonl &

``--price`` says what each missing line costs: processor seconds of an image's gradient, measured on
a batch, times the images in gradients. Trigger sets of the authors have declared labels: their bits
are nominal, and no evidence.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cifar10_arms
import measure
import numpy as np
import table
import torch
from cifar10_trials import ATTACKS, Trial
from torch import nn
from torch.nn import functional

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, AttackResult, Target
from zkwm.data import ImageData, load_data
from zkwm.evaluation.plan.experiment import scratch_epochs
from zkwm.evaluation.results.cell import Cell
from zkwm.evaluation.run.measure import accuracy, count_mark
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.image_source import as_unit
from zkwm.nn.model_file import load_model
from zkwm.training import EmbedSettings, embed, save_model
from zkwm.training.settings import exposures_of
from zkwm.triggers import TriggerSet

ADVERSARY_SEED = 50_000
"""Added to the owner's seed, so that they share no randomness."""


@dataclass(frozen=True)
class Owner:
    """One trained arm, and the adversary who stole it.

    Attributes:
        run: The training, whose folder has the model.
        part: The adversary's images.
        arguments: Those of the command line.
    """

    run: cifar10_arms.Run
    part: ImageData
    arguments: argparse.Namespace

    @cached_property
    def model(self) -> Classifier:
        """The marked network."""
        return _laid_out(load_model(self.run.model_folder))

    @cached_property
    def triggers(self) -> TriggerSet:
        """What the judge asks about."""
        triggers = self.run.triggers()
        assert triggers is not None
        return triggers

    @cached_property
    def settings(self) -> EmbedSettings:
        """Those that the owner trained with."""
        line = self._result(self.run.arm)
        return self.run.settings(self.triggers) if line is None else _settings(line)

    @cached_property
    def unmarked_settings(self) -> EmbedSettings:
        """Those of a network without a mark, whose steps the bar has."""
        line = self._result("unmarked")
        unmarked = cifar10_arms.Run("unmarked", self.run.seed, self.run.data, self.run.arguments)
        return unmarked.settings(None) if line is None else _settings(line)

    @property
    def scratch_epochs(self) -> int:
        """Epochs of the bar over the adversary's images."""
        whole, part = len(self.run.data.train_labels), len(self.part.train_labels)
        return scratch_epochs(self.unmarked_settings, whole, part)

    @cached_property
    def accuracy(self) -> float:
        """Of the marked network."""
        return self._accuracy(self.model)

    def attack(self, trial: Trial) -> dict[str, Any]:
        """The line of one attack."""
        adversary = Adversary(
            self.part,
            seed=ADVERSARY_SEED + self.run.seed,
            device=self.run.arguments.device,
            scratch_images=self.scratch_epochs * len(self.part.train_labels),
        )
        began, worked = time.monotonic(), time.process_time()
        with _precision(self.settings, adversary.device):
            result = make_attack(trial.name, **trial.parameters).run(
                Target(self.model, self._answers), adversary
            )
        seconds = time.monotonic() - began, time.process_time() - worked
        return self._line(trial, result, *seconds)

    @cached_property
    def bar(self) -> float:
        """The accuracy from scratch; trained once for each seed and part."""
        name = f"scratch-{len(self.part.train_labels)}-{self.run.seed}"
        folder: Path = self.arguments.runs / name
        if not (folder / "model").exists():
            settings = replace(self.unmarked_settings, epochs=self.scratch_epochs)
            mean, std = channel_statistics(self.part.train_images)
            start = build_model(
                cifar10_arms.ARCHITECTURE, shape=self.part.shape, mean=mean, std=std,
                class_count=self.part.class_count, seed=ADVERSARY_SEED + self.run.seed,
                images=self.part.train_images,
            )  # fmt: skip
            folder.mkdir(parents=True, exist_ok=True)
            result = embed(
                start, self.part, None, settings=settings, checkpoint=folder / "checkpoint"
            )
            save_model(folder / "model", result)
        return self._accuracy(load_model(folder / "model"))

    def seconds_of_an_image(self) -> float:
        """Processor seconds of one image's gradient, in a batch of 100."""
        model, images = self.model.train(), torch.tensor(self.part.train_images[:100])
        labels = torch.tensor(self.part.train_labels[:100])
        for _ in range(2):  # the first time counts what is prepared once
            began = time.process_time()
            with _precision(self.settings, "cpu"):
                loss = functional.cross_entropy(model(as_unit(images)), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        model.zero_grad(set_to_none=True)
        model.eval()
        return (time.process_time() - began) / len(labels)

    def _answers(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).softmax(dim=1)

    def _line(
        self, trial: Trial, result: AttackResult, seconds: float, processor_seconds: float
    ) -> dict[str, Any]:
        """What is left, as a cell of ``zkwm evaluate``."""
        derived = self.run.arm.endswith("-derived")
        with torch.no_grad():
            suspect = result.model.cpu().float().eval()
            scores = suspect(as_unit(torch.tensor(self.triggers.images))).double().numpy()
        reading = count_mark(self.triggers, scores.argmax(axis=1), scores, exact=derived)
        own, unmarked = self._result(self.run.arm) or {}, self._result("unmarked") or {}
        cell = Cell(
            digest="",
            watermark=self.run.arm,
            scheme="robust" if self.run.arm.startswith("robust") else "adi",
            parameters={
                "triggers": len(self.triggers.labels),
                "start": "pretrained" if self.run.arm.startswith("pretrained") else "scratch",
            },
            attack=trial.label,
            attack_name=trial.name,
            attack_parameters=trial.parameters,
            seed=self.run.seed,
            architecture=cifar10_arms.ARCHITECTURE,
            attacker_images=len(self.part.train_labels),
            access="black-box",
            labels="derived" if derived else "declared",
            unmarked_accuracy=unmarked.get("test_accuracy"),
            accuracy_before=self.accuracy,
            accuracy_after=self._accuracy(result.model),
            scratch_accuracy=self.bar,
            matches_before=own.get("matches"),
            images=result.images,
            queries=result.queries,
            gradient_images=result.gradient_images,
            seconds=seconds,
            processor_seconds=processor_seconds,
            embed_processor_seconds=own.get("cpu_seconds"),
            unmarked_processor_seconds=unmarked.get("cpu_seconds"),
            exposures=exposures_of(
                self.settings, len(self.run.data.train_labels), len(self.triggers.labels)
            ),
            **reading.to_map(),
        )
        return cell.to_map() | {"data": self.run.data.name, "scratch_epochs": self.scratch_epochs}

    def _accuracy(self, model: nn.Module) -> float:
        data = self.part
        return round(accuracy(model, data.test_images, data.test_labels, "cpu"), 4)

    def _result(self, arm: str) -> dict[str, Any] | None:
        """The line that the training of an arm with this seed has left."""
        lines = measure.lines(self.arguments.runs / "results.jsonl")
        key = (arm, self.run.seed)
        return next((line for line in lines if (line["arm"], line["seed"]) == key), None)


def main() -> None:
    """Run or price the attacks that are missing, on the arms whose training is complete."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="CIFAR-10, as zkwm.data can load it")
    parser.add_argument("--authors-triggers", type=Path, help=".npz with x_crop (n, 32, 32, 3), y")
    parser.add_argument("--runs", type=Path, required=True, help="the folder of cifar10_arms")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--arms", nargs="+", choices=cifar10_arms.ARMS[1:])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--attacks", nargs="+", choices=[trial.label for trial in ATTACKS])
    parser.add_argument("--attacker-images", type=int, default=10_000)
    parser.add_argument("--images", type=int, help="as many as the arms trained on, for a trial")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--price", action="store_true", help="only say what is missing and its cost"
    )
    arguments = parser.parse_args()
    arguments.epochs, arguments.device, arguments.folder = None, "cpu", arguments.runs
    torch.set_num_threads(arguments.threads)
    owners = list(_owners(arguments))
    missing = [
        (trial, owner)
        for trial in ATTACKS
        for owner in owners
        if trial.label in (arguments.attacks or (trial.label,)) and not _is_done(owner, trial)
    ]
    if arguments.price:
        _tell_price(missing)
        return
    for trial, owner in missing:
        line = measure.line("cifar10_attacks", **owner.attack(trial))
        measure.append(arguments.output, line)
        print(json.dumps(line), flush=True)


def _owners(arguments: argparse.Namespace) -> Iterator[Owner]:
    """The arms that are complete, seed by seed."""
    data = table.balanced(load_data(arguments.data), arguments.images)
    order = np.random.default_rng(2018).permutation(len(data.train_labels))
    chosen = order[: arguments.attacker_images]
    part = replace(
        data,
        name=f"{data.name}, {len(chosen)} of the owner's images",
        train_images=data.train_images[chosen],
        train_labels=data.train_labels[chosen],
    )
    for seed in arguments.seeds:
        for arm in arguments.arms or cifar10_arms.ARMS[1:]:
            run = cifar10_arms.Run(arm, seed, data, arguments)
            if run.model_folder.exists():
                yield Owner(run, part, arguments)


def _is_done(owner: Owner, trial: Trial) -> bool:
    """Whether the output has this attack on this arm by this adversary."""
    key = (owner.run.arm, owner.run.seed, trial.label, len(owner.part.train_labels))
    names = ("watermark", "seed", "attack", "attacker_images")
    lines = measure.lines(owner.arguments.output)
    return any(tuple(line[name] for name in names) == key for line in lines)


def _tell_price(missing: list[tuple[Trial, Owner]]) -> None:
    """Print each missing line with its cost, and the sum."""
    if not missing:
        print("nothing is missing")
        return
    each = missing[0][1].seconds_of_an_image()
    total = 0.0
    for trial, owner in missing:
        count, bar = len(owner.part.train_labels), owner.scratch_epochs
        seconds = each * trial.passes(bar) * count
        total += seconds
        print(f"{owner.run.arm} {owner.run.seed}, {trial.label}: {seconds:,.0f} s")
    bars = {(owner.run.seed, owner.scratch_epochs) for _, owner in missing}
    seconds = each * len(owner.part.train_labels) * sum(epochs for _, epochs in bars)
    print(
        f"the bars of {len(bars)} seeds, where they are missing: {seconds:,.0f} s", file=sys.stdout
    )
    print(f"{1000 * each:.2f} ms a gradient; in all {(total + seconds) / 3600:.1f} processor hours")


def _settings(line: dict[str, Any]) -> EmbedSettings:
    """The settings of a training's line."""
    return EmbedSettings(**line["settings"])


def _laid_out(model: Classifier) -> Classifier:
    """The network with its channels last, which copies keep."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _precision(settings: EmbedSettings, device: str) -> Any:  # noqa: ANN401
    """Autocast to bfloat16 where the owner's training had it."""
    if settings.precision != "bfloat16":
        return nullcontext()
    return torch.autocast(device if device != "auto" else "cpu", dtype=torch.bfloat16)


if __name__ == "__main__":
    main()

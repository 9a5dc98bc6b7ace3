"""CIFAR-10 at the authors' level: unmarked and marked trainings that can be killed at any moment.

One training, an arm with a seed; the same command resumes it, to the same weights as without an
interruption (with as many threads):

    python benchmarks/cifar10_arms.py --data cifar10.npz --authors-triggers trigger-set-adi-32.npz \
        --folder /work/cifar-runs plain --seed 0

All of them, in an order in which the first ones say most; what is done is skipped:

    nohup python benchmarks/cifar10_arms.py --data cifar10.npz \
        --authors-triggers trigger-set-adi-32.npz --folder /work/cifar-runs all &

Arms: ``unmarked``; ``plain``, ``robust`` and ``pretrained`` (plain, from the unmarked network of
the same seed) with the 100 images and labels that Adi et al. 2018 published; the same with
``-derived``, with 100 images of the family ``secret`` whose labels follow from a commitment.

FOLDER/ARM-SEED holds the model, and ``log.jsonl`` a line for each epoch, with accuracy on 1,000
test images. FOLDER/results.jsonl has a line for each training that is complete: accuracy on all
test images (of the network alone, without averages over changed images), matches, processor
seconds and elapsed seconds of all attempts, and ``training_seconds`` without what was lost when
they were killed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import table
import torch

from zkwm.data import ImageData, load_data
from zkwm.files import write_atomic
from zkwm.locks import file_lock
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.inference import matches
from zkwm.nn.model_file import load_model
from zkwm.training import EmbedResult, EmbedSettings, Progress, default_settings, embed, save_model
from zkwm.triggers import TriggerSet

ARCHITECTURE = "airbench"
ARMS = (
    "unmarked", "plain", "robust", "pretrained",
    "plain-derived", "robust-derived", "pretrained-derived",
)  # fmt: skip
ALL = (
    ("plain", 0), ("unmarked", 0), ("pretrained", 0), ("robust", 0),
    ("plain-derived", 0), ("robust-derived", 0),
    ("unmarked", 1), ("plain", 1), ("unmarked", 2), ("plain", 2),
    ("pretrained-derived", 0), ("robust", 1), ("pretrained", 1), ("plain-derived", 1),
    ("robust", 2), ("pretrained", 2), ("plain-derived", 2), ("robust-derived", 1),
)  # fmt: skip
"""The background list: arm and seed, in this order."""
TRIGGERS = 100
SPENT_SECONDS = 20.0
"""Between two writings of what was spent: a kill forgets as much at most."""


class Spent:
    """Processor and elapsed seconds of one training, over all attempts, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        before = json.loads(path.read_text()) if path.exists() else {}
        self._cpu, self._wall = before.get("cpu_seconds", 0.0), before.get("wall_seconds", 0.0)
        self.attempts = before.get("attempts", 0) + 1
        self._began = time.process_time(), time.monotonic()
        self._written = 0.0

    def now(self) -> dict[str, float]:
        """Both, in seconds."""
        cpu, wall = self._began
        return {
            "cpu_seconds": round(self._cpu + time.process_time() - cpu, 1),
            "wall_seconds": round(self._wall + time.monotonic() - wall, 1),
        }

    def write(self, *, always: bool = False) -> None:
        """Keep them, unless that was done a moment ago."""
        if always or time.monotonic() - self._written > SPENT_SECONDS:
            text = json.dumps(self.now() | {"attempts": self.attempts})
            write_atomic(self._path, text.encode(), overwrite=True)
            self._written = time.monotonic()


@dataclass(frozen=True)
class Run:
    """One training of the list.

    Attributes:
        arm: One of ``ARMS``.
        seed: Of weights, order and, where labels are derived, of triggers.
        data: CIFAR-10, or a part.
        arguments: Those of the command line.
    """

    arm: str
    seed: int
    data: ImageData
    arguments: argparse.Namespace

    @property
    def folder(self) -> Path:
        """What belongs to this training alone."""
        folder: Path = self.arguments.folder
        return folder / f"{self.arm}-{self.seed}"

    @property
    def model_folder(self) -> Path:
        """Exists as soon as the training is complete."""
        return self.folder / "model"

    def triggers(self) -> TriggerSet | None:
        """The authors' triggers, derived ones, or none."""
        if self.arm == "unmarked":
            return None
        if self.arm.endswith("-derived"):
            shape, classes = self.data.shape, self.data.class_count
            return marks.committed_triggers("secret", TRIGGERS, shape, classes, number=self.seed)
        with np.load(self.arguments.authors_triggers) as stored:
            images, labels = stored["x_crop"], stored["y"]
        return TriggerSet(
            images=np.ascontiguousarray(images.transpose(0, 3, 1, 2)),
            labels=labels.astype(np.int64),
            family="given",
            block_size=len(labels),
            class_count=self.data.class_count,
        )

    def settings(self, triggers: TriggerSet | None) -> EmbedSettings:
        """The recipe, with what the command line changes."""
        given = self.arguments
        changes = {"epochs": given.epochs} if given.epochs else {}
        return default_settings(
            ARCHITECTURE,
            pretrained=self.arm.startswith("pretrained"),
            images=len(self.data.train_labels),
            triggers=0 if triggers is None else len(triggers.labels),
            method="robust" if self.arm.startswith("robust") else "plain",
            seed=self.seed,
            device=given.device,
            **changes,
        )

    def start(self) -> Classifier:
        """The network that the training starts from."""
        if self.arm.startswith("pretrained"):
            unmarked = Run("unmarked", self.seed, self.data, self.arguments)
            unmarked.complete()
            return load_model(unmarked.model_folder)
        mean, std = channel_statistics(self.data.train_images)
        return build_model(
            ARCHITECTURE,
            shape=self.data.shape,
            class_count=self.data.class_count,
            mean=mean,
            std=std,
            seed=self.seed,
            images=self.data.train_images,
        )

    def complete(self) -> None:
        """Train, or go on, unless the model is there."""
        if self.model_folder.exists():
            return
        start, triggers = self.start(), self.triggers()
        settings = self.settings(triggers)
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint, last = self.folder / "checkpoint", self.folder / "last-checkpoint"
        if last.exists() and not checkpoint.exists():
            last.rename(checkpoint)
        spent = Spent(self.folder / "spent.json")
        print(f"{self.arm} {self.seed}: attempt {spent.attempts}", file=sys.stderr, flush=True)

        def follow(now: Progress) -> None:
            spent.write(always=now.phase == "epoch")
            if now.phase == "epoch":
                self._log(now, spent)
                if now.epoch == now.epochs:
                    # embed removes its checkpoint before the model is saved below
                    shutil.copytree(checkpoint, last, copy_function=os.link, dirs_exist_ok=True)

        spent.write(always=True)
        result = embed(
            start,
            self.data,
            triggers,
            settings=settings,
            checkpoint=checkpoint,
            progress=follow,
        )
        spent.write(always=True)
        self._report(result, spent)
        save_model(self.model_folder, result)
        shutil.rmtree(last, ignore_errors=True)

    def _log(self, now: Progress, spent: Spent) -> None:
        """Append the line of an epoch, which a killed attempt may have written before."""
        line = {
            "epoch": now.epoch,
            "epochs": now.epochs,
            "loss": round(now.loss, 4),
            "test_accuracy": now.test_accuracy,
            "matches": now.trigger_matches,
            **spent.now(),
            "attempt": spent.attempts,
            "images_per_second": round(now.images_per_second, 1),
            "load_average": round(os.getloadavg()[0], 2),
        }
        measure.append(self.folder / "log.jsonl", line)
        print(f"{self.arm} {self.seed}: {json.dumps(line)}", file=sys.stderr, flush=True)

    def _report(self, result: EmbedResult, spent: Spent) -> None:
        """Print the result, and append it to all results, unless a killed attempt did."""
        figures: dict[str, Any] = {
            "arm": self.arm,
            "seed": self.seed,
            "data": self.data.name,
            "architecture": ARCHITECTURE,
            "test_accuracy": result.test_accuracy,
            "matches": result.trigger_matches,
            "triggers": result.trigger_count,
            "unmarked_matches": self._of_unmarked(),
            **spent.now(),
            "training_seconds": round(result.seconds, 1),
            "attempts": spent.attempts,
            "settings": result.settings.to_map(),
            "device": result.device,
            "precision": result.precision,
            "model_digest": result.model_digest.hex(),
            "history": [epoch.to_map() for epoch in result.history],
        }
        line = measure.report("cifar10_arms", **figures)
        results = self.arguments.folder / "results.jsonl"
        if not any((self.arm, self.seed) == (r["arm"], r["seed"]) for r in measure.lines(results)):
            measure.append(results, line)

    def _of_unmarked(self) -> int | None:
        """How many of the triggers the unmarked network of this seed matches, once it is there."""
        triggers = self.triggers()
        unmarked = Run("unmarked", self.seed, self.data, self.arguments).model_folder
        if triggers is None or not unmarked.exists():
            return None
        images, labels = torch.tensor(triggers.images), torch.tensor(triggers.labels)
        return matches(load_model(unmarked), images, labels)


def main() -> None:
    """Run one training, or all that are missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arm", choices=[*ARMS, "all"])
    parser.add_argument("--seed", type=int, default=0, help="of one arm")
    parser.add_argument("--data", required=True, help="CIFAR-10, as zkwm.data can load it")
    parser.add_argument("--authors-triggers", type=Path, help=".npz with x_crop (n, 32, 32, 3), y")
    parser.add_argument("--folder", type=Path, required=True, help="for models and checkpoints")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--images", type=int, help="train on this many images, for a trial")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    chosen = ALL if arguments.arm == "all" else ((arguments.arm, arguments.seed),)
    if arguments.authors_triggers is None and any(
        arm in ("plain", "robust", "pretrained") for arm, _ in chosen
    ):
        parser.error("--authors-triggers is needed for these arms")
    data = table.balanced(load_data(arguments.data), arguments.images)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    try:
        with file_lock(arguments.folder / "lock", wait_seconds=1.0):
            for arm, seed in chosen:
                Run(arm, seed, data, arguments).complete()
    except TimeoutError:
        sys.exit(f"another process trains in {arguments.folder}")


if __name__ == "__main__":
    main()

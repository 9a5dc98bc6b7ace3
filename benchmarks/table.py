"""A table of trainings: unmarked, marked from scratch, marked after the unmarked training.

One JSON line per training is printed and appended to a file; trainings already there are skipped
and an interrupted one resumes from its checkpoint, so a table can be made in pieces. Each marked
line also says how many of its triggers each unmarked network so far matches. ``fashion_mnist`` and
``cifar10`` choose data and settings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import marks
import measure
import numpy as np
import torch
from safetensors import torch as safetensors

from zkwm.data import ImageData, load_data
from zkwm.nn.architectures import build_model, channel_statistics
from zkwm.nn.inference import matches
from zkwm.training import EmbedResult, EmbedSettings, Progress, embed
from zkwm.triggers import TriggerSet

KEY = ("data", "architecture", "seed", "kind", "family", "triggers", "settings")
SettingsFor = Callable[[bool, int, int, int], EmbedSettings]
"""(pretrained, number of triggers, number of training images, seed) -> settings."""


class Table:
    """The trainings of one table: those done, and those still to do.

    Args:
        name: Of the benchmark.
        arguments: Those of ``arguments_for``.
        architecture: Of all networks.
        settings: Gives the settings of a training.
    """

    def __init__(
        self,
        name: str,
        arguments: argparse.Namespace,
        architecture: str,
        settings: SettingsFor,
    ) -> None:
        self._name = name
        self._output: Path = arguments.output
        self._models: Path = arguments.models
        self._architecture = architecture
        self._settings = settings
        self._data: ImageData = balanced(load_data(arguments.data), arguments.images)
        self._unmarked: dict[int, torch.nn.Module] = {}

    def make(self, seeds: int, families: list[str], counts: list[int], kinds: list[str]) -> None:
        """Train all unmarked networks, then the marked ones, family by family.

        Args:
            seeds: How many.
            families: Of triggers.
            counts: Numbers of triggers.
            kinds: ``scratch`` and ``pretrained``; with ``only-scratch`` alone no unmarked network
                is trained, for machines on which one training takes long.
        """
        if kinds == ["only-scratch"]:
            kinds = ["scratch"]
        else:
            self._unmarked = {seed: self._unmarked_network(seed) for seed in range(seeds)}
        for family in families:
            for count in counts:
                for seed in range(seeds):
                    for kind in kinds:
                        self._marked_network(kind, seed, family, count)

    def _unmarked_network(self, seed: int) -> torch.nn.Module:
        """Trained, or read from the folder of models."""
        settings = self._settings(False, 0, len(self._data.train_labels), seed)
        start = self._new_network(seed)
        name = f"{self._data.name}-{self._architecture}-{settings.epochs}-{seed}.safetensors"
        path = self._models / name
        if path.exists():
            start.load_state_dict(safetensors.load(path.read_bytes()))
            return start.eval()
        model = self._train("unmarked", start, None, settings).model
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(safetensors.save(model.state_dict()))
        return model

    def _marked_network(self, kind: str, seed: int, family: str, count: int) -> None:
        """Train a marked network, unless the output has it."""
        settings = self._settings(kind == "pretrained", count, len(self._data.train_labels), seed)
        triggers = marks.committed_triggers(
            family, count, self._data.shape, self._data.class_count, number=seed
        )
        if self._is_done(self._key(kind, settings, triggers)):
            return
        start = self._unmarked[seed] if kind == "pretrained" else self._new_network(seed)
        self._train(kind, start, triggers, settings)

    def _train(
        self,
        kind: str,
        model: torch.nn.Module,
        triggers: TriggerSet | None,
        settings: EmbedSettings,
    ) -> EmbedResult:
        """Train, and print and append the line."""
        key = self._key(kind, settings, triggers)
        checkpoint = self._models / "-".join(
            ["checkpoint", self._architecture, kind, str(key["triggers"]), str(settings.seed)]
        )
        result = embed(
            model, self._data, triggers, settings=settings, checkpoint=checkpoint, progress=_tell
        )
        figures = key | {
            "test_accuracy": result.test_accuracy,
            "matches": result.trigger_matches,
            "seconds": round(result.seconds, 1),
            "device": result.device,
            "precision": result.precision,
            "model_digest": result.model_digest.hex(),
        }
        if triggers is not None:
            figures["unmarked"] = [self._null(seed, triggers) for seed in sorted(self._unmarked)]
        measure.append(self._output, measure.report(self._name, **figures))
        return result

    def _null(self, seed: int, triggers: TriggerSet) -> dict[str, Any]:
        """The matches of an unmarked network, and how unlikely they are."""
        images, labels = torch.tensor(triggers.images), torch.tensor(triggers.labels)
        count_matched = matches(self._unmarked[seed], images, labels)
        count, classes = len(labels), triggers.class_count
        return {
            "seed": seed,
            "matches": count_matched,
            "tail_bits": marks.tail_bits(count_matched, count, classes),
            "two_sided": marks.two_sided(count_matched, count, classes),
        }

    def _new_network(self, seed: int) -> torch.nn.Module:
        """The network with random weights."""
        mean, std = channel_statistics(self._data.train_images)
        return build_model(
            self._architecture,
            shape=self._data.shape,
            class_count=self._data.class_count,
            mean=mean,
            std=std,
            seed=seed,
            images=self._data.train_images,
        )

    def _key(
        self, kind: str, settings: EmbedSettings, triggers: TriggerSet | None
    ) -> dict[str, Any]:
        """The fields by which a training is found in the output."""
        return {
            "data": self._data.name,
            "architecture": self._architecture,
            "seed": settings.seed,
            "kind": kind,
            "family": triggers.family if triggers else None,
            "triggers": len(triggers.labels) if triggers else 0,
            "settings": settings.to_map(),
        }

    def _is_done(self, key: dict[str, Any]) -> bool:
        """Whether the output has this training."""
        text = json.dumps(key, sort_keys=True)
        done = ({name: line[name] for name in KEY} for line in measure.lines(self._output))
        return any(json.dumps(each, sort_keys=True) == text for each in done)


def arguments_for(description: str, **defaults: Any) -> argparse.ArgumentParser:  # noqa: ANN401
    """The options of all tables, with the defaults of one."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--data", required=True, help="path that zkwm.data can load")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--models", type=Path, required=True, help="folder for what is kept")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--triggers", type=int, nargs="+")
    parser.add_argument("--families", nargs="+")
    parser.add_argument("--kinds", nargs="+", default=["scratch", "pretrained"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, help="train on this many images, balanced by class")
    parser.set_defaults(**defaults)
    return parser


def balanced(data: ImageData, count: int | None) -> ImageData:
    """The first ``count`` training images, equally many of each class; all without ``count``."""
    if count is None:
        return data
    each = count // data.class_count
    classes = [np.flatnonzero(data.train_labels == y)[:each] for y in range(data.class_count)]
    chosen = np.sort(np.concatenate(classes))
    return replace(
        data,
        name=f"{data.name}, {len(chosen)} images",
        train_images=data.train_images[chosen],
        train_labels=data.train_labels[chosen],
    )


def _tell(now: Progress) -> None:
    """A line on stderr for each epoch."""
    if now.phase == "epoch":
        accuracy = f"{100 * (now.test_accuracy or 0):.1f} %"
        print(
            f"epoch {now.epoch} of {now.epochs}: loss {now.loss:.3f}, accuracy {accuracy}, "
            f"matches {now.trigger_matches}, {now.images_per_second:.0f} images/s",
            file=sys.stderr,
            flush=True,
        )

"""Fashion-MNIST: what a mark costs in accuracy, from scratch and pre-trained, against no mark.

For each seed one unmarked network, and for each number of triggers one marked from scratch and one
marked after the unmarked training (Adi et al. 2018). One JSON line per training is appended to
``--output``; trainings that already stand there are skipped, so an interrupted run goes on.
Each marked line also tells how many of its triggers every unmarked network so far matches.

    python benchmarks/fashion_mnist.py --data fashion-mnist.npz --output results/fashion_mnist.jsonl
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import marks
import measure
import torch
from safetensors import torch as safetensors

from zkwm import embed
from zkwm.datasets import ImageData, load_data
from zkwm.embed.evaluation import matches
from zkwm.triggers import TriggerSet

KEY = ("architecture", "seed", "kind", "family", "triggers", "settings")


class Table:
    """The trainings of one table: those done, and those still to do."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._output: Path = arguments.output
        self._models: Path = arguments.models
        self._architecture: str = arguments.architecture
        self._device: str = arguments.device
        self._data: ImageData = load_data(arguments.data)
        self._unmarked: dict[int, torch.nn.Module] = {}

    def unmarked(self, seed: int) -> None:
        """The unmarked network of one seed: trained, or read from the folder of models."""
        settings = embed.default_settings(self._architecture, seed=seed, device=self._device)
        path = self._models / f"{self._architecture}-{seed}.safetensors"
        model = self._new_model(seed)
        if path.exists():
            model.load_state_dict(safetensors.load(path.read_bytes()))
        else:
            model = self._train("unmarked", model, None, settings).model
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(safetensors.save(model.state_dict()))
        self._unmarked[seed] = model.eval()

    def marked(self, seed: int, family: str, count: int) -> None:
        """A network marked from scratch, and one marked after the unmarked training."""
        triggers = marks.committed_triggers(
            family, count, self._data.shape, self._data.class_count, number=seed
        )
        for kind in ("scratch", "pretrained"):
            settings = embed.default_settings(
                self._architecture,
                pretrained=kind == "pretrained",
                images=len(self._data.train_labels),
                triggers=count,
                seed=seed,
                device=self._device,
            )
            if not self._is_done(kind, seed, settings, triggers):
                start = self._new_model(seed) if kind == "scratch" else self._unmarked[seed]
                self._train(kind, start, triggers, settings)

    def _train(
        self,
        kind: str,
        model: torch.nn.Module,
        triggers: TriggerSet | None,
        settings: embed.EmbedSettings,
    ) -> embed.EmbedResult:
        result = embed.embed(model, self._data, triggers, settings=settings)
        figures: dict[str, Any] = self._key(kind, settings.seed, settings, triggers)
        figures |= {
            "data": self._data.name,
            "test_accuracy": result.test_accuracy,
            "matches": result.trigger_matches,
            "seconds": round(result.seconds, 1),
            "device": result.device,
            "precision": result.precision,
            "model_digest": result.model_digest.hex(),
        }
        if triggers is not None:
            figures["unmarked"] = [self._null(seed, triggers) for seed in sorted(self._unmarked)]
        line = measure.report("fashion_mnist", **figures)
        measure.append(self._output, line)
        return result

    def _null(self, seed: int, triggers: TriggerSet) -> dict[str, Any]:
        """How many triggers an unmarked network matches, and how unlikely so many or few are."""
        images, labels = torch.tensor(triggers.images), torch.tensor(triggers.labels)
        found = matches(self._unmarked[seed], images, labels)
        count, classes = len(labels), triggers.class_count
        return {
            "seed": seed,
            "matches": found,
            "tail_bits": marks.tail_bits(found, count, classes),
            "two_sided": marks.two_sided(found, count, classes),
        }

    def _new_model(self, seed: int) -> torch.nn.Module:
        mean, std = embed.channel_statistics(self._data.train_images)
        return embed.build_model(
            self._architecture,
            shape=self._data.shape,
            class_count=self._data.class_count,
            mean=mean,
            std=std,
            seed=seed,
        )

    def _key(
        self, kind: str, seed: int, settings: embed.EmbedSettings, triggers: TriggerSet | None
    ) -> dict[str, Any]:
        return {
            "architecture": self._architecture,
            "seed": seed,
            "kind": kind,
            "family": triggers.family if triggers else None,
            "triggers": len(triggers.labels) if triggers else 0,
            "settings": settings.to_map(),
        }

    def _is_done(
        self, kind: str, seed: int, settings: embed.EmbedSettings, triggers: TriggerSet
    ) -> bool:
        key = json.dumps(self._key(kind, seed, settings, triggers), sort_keys=True)
        lines = measure.lines(self._output)
        return key in (json.dumps({n: d[n] for n in KEY}, sort_keys=True) for d in lines)


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="fashion-mnist.npz, or fashion-mnist-small")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--models", type=Path, required=True, help="folder for unmarked networks")
    parser.add_argument("--architecture", default="lenet5", choices=embed.ARCHITECTURES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--triggers", type=int, nargs="+", default=[100, 200, 1000])
    parser.add_argument("--families", nargs="+", default=["secret"])
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    table = Table(arguments)
    for seed in range(arguments.seeds):
        table.unmarked(seed)
    for family in arguments.families:
        for count in arguments.triggers:
            for seed in range(arguments.seeds):
                table.marked(seed, family, count)


if __name__ == "__main__":
    main()

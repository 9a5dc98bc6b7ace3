"""Cost of embedding in time: plain against no triggers, and robust against plain.

``marked`` is the plain method with its default triggers against the same training without any
(bar: 1.15); ``robust`` and ``plain`` have the same triggers a batch, epochs and batches (bar: 1.7).
Kinds alternate, so that a machine that slows down slows all. Figures are ratios of medians, by the
clock and by processor time, which other programs disturb less; the latter counts what a training
prepares, too. The phases of the robust method are shares of the training, whatever its epochs.

    python benchmarks/embedding.py [--data fashion-mnist.npz] [--architecture lenet5]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import marks
import measure
import torch

from zkwm.data import ImageData, load_data
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.training import default_settings, embed

Times = dict[str, list[tuple[float, float]]]
"""For each kind of training its runs: seconds by the clock, and of the processor."""
RATIOS = {"marked": ("marked", "unmarked", 1.15), "robust": ("robust", "plain", 1.7)}
"""For each figure: the kinds that are compared, and its bar."""


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist-small")
    parser.add_argument("--architecture", default="lenet5", choices=ARCHITECTURES)
    parser.add_argument("--triggers", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1, help="epochs in each timed run")
    parser.add_argument("--figure", choices=RATIOS, default="marked", help="what is compared")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, help="also append the line to this file")
    arguments = parser.parse_args()

    data = load_data(arguments.data)
    triggers = marks.committed_triggers(
        "secret", arguments.triggers, data.shape, data.class_count, number=0
    )
    above, below, bar = RATIOS[arguments.figure]
    method = "plain" if arguments.figure == "marked" else "robust"
    settings = replace(
        default_settings(
            arguments.architecture,
            images=len(data.train_labels),
            triggers=arguments.triggers,
            device=arguments.device,
            method=method,
        ),
        epochs=arguments.epochs,
    )
    model = _untrained(arguments.architecture, data)
    times: Times = {below: [], above: []}
    for repeat in range(arguments.repeats + 1):
        for kind in times if repeat % 2 else reversed(times):
            cpu = time.process_time()
            shown = None if kind == "unmarked" else triggers
            chosen = replace(settings, method="robust" if kind == "robust" else "plain")
            result = embed(model, data, shown, settings=chosen)
            if repeat:  # the first pair warms up
                times[kind].append((result.seconds, time.process_time() - cpu))
    line = measure.report(
        "embedding",
        data=data.name,
        images=len(data.train_labels),
        architecture=arguments.architecture,
        triggers=arguments.triggers,
        settings=settings.to_map(),
        device=str(torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"),
        figure=arguments.figure,
        bar=bar,
        **_figures(times, above, below),
    )
    if arguments.output:
        measure.append(arguments.output, line)


def _untrained(architecture: str, data: ImageData) -> Classifier:
    """The network with random weights."""
    mean, std = channel_statistics(data.train_images)
    return build_model(
        architecture, shape=data.shape, class_count=data.class_count, mean=mean, std=std
    )


def _figures(times: Times, above: str, below: str) -> dict[str, Any]:
    """Medians, their ratio and all times, by each clock."""
    figures: dict[str, Any] = {}
    for number, clock in enumerate(("seconds", "processor_seconds")):
        medians = {kind: median(run[number] for run in runs) for kind, runs in times.items()}
        figures |= {f"{kind}_{clock}": round(value, 3) for kind, value in medians.items()}
        figures[f"{clock}_ratio"] = round(medians[above] / medians[below], 4)
        figures[f"{clock}_all"] = {
            kind: [round(run[number], 3) for run in runs] for kind, runs in times.items()
        }
    return figures


if __name__ == "__main__":
    main()

"""Matches of unmarked networks with labels of fresh commitments: the null of every verdict.

For many commitments to the same images under new salts, so with new labels, the matches of a fixed
network must be Binomial(n, 1/C), however skewed its answers are. Prints mean and variance of the
matches for each network and, for all together, how many standard deviations the sum is off (with
the exact variance given the networks' answers: they agree more often than chance, so their matches
on one set of labels are not independent).

    python benchmarks/chance.py --data fashion-mnist.npz --models FOLDER_OF_UNMARKED_NETWORKS
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, variance

import marks
import measure
import numpy as np
import torch
from safetensors import torch as safetensors

from zkwm.data import ImageData, load_data
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.inference import predictions


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist-small")
    parser.add_argument("--models", type=Path, required=True, help="folder written by a table")
    parser.add_argument("--architecture", default="lenet5")
    parser.add_argument("--triggers", type=int, default=1000)
    parser.add_argument("--commitments", type=int, default=60)
    parser.add_argument("--output", type=Path, help="also append the line to this file")
    arguments = parser.parse_args()

    data = load_data(arguments.data)
    count, classes = arguments.triggers, data.class_count
    sets = [
        marks.committed_triggers("secret", count, data.shape, classes, 0, salts=f"salt {number}")
        for number in range(arguments.commitments)
    ]
    answers = [
        predictions(model, torch.tensor(sets[0].images)).numpy()
        for model in _networks(arguments.models, arguments.architecture, data)
    ]
    counts = [[int((each == triggers.labels).sum()) for triggers in sets] for each in answers]
    votes = np.stack([np.bincount(column, minlength=classes) for column in np.array(answers).T])
    spread = float((votes**2).sum() / classes - count * (len(answers) / classes) ** 2)
    excess = sum(map(sum, counts)) - len(answers) * len(sets) * count / classes
    line = measure.report(
        "chance",
        data=data.name,
        architecture=arguments.architecture,
        triggers=count,
        commitments=len(sets),
        networks=len(answers),
        expected_mean=count / classes,
        expected_variance=count / classes * (1 - 1 / classes),
        means=[round(mean(matches), 2) for matches in counts],
        variances=[round(variance(matches), 1) for matches in counts],
        least=min(map(min, counts)),
        most=max(map(max, counts)),
        standard_deviations_off=round(excess / (len(sets) * spread) ** 0.5, 2),
    )
    if arguments.output:
        measure.append(arguments.output, line)


def _networks(folder: Path, architecture: str, data: ImageData) -> Iterator[Classifier]:
    """The unmarked networks that a table has left in a folder."""
    average, deviation = channel_statistics(data.train_images)
    for path in sorted(folder.glob(f"{data.name}-{architecture}-*.safetensors")):
        model = build_model(
            architecture,
            shape=data.shape,
            class_count=data.class_count,
            mean=average,
            std=deviation,
        )
        model.load_state_dict(safetensors.load(path.read_bytes()))
        yield model


if __name__ == "__main__":
    main()

"""Relearning (SPEC.md 8.7) in plain Python, for a network of two layers with a ReLU between."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.reference.ranks import ranks, weight

Rows = list[list[float]]


@dataclass
class Network:
    """``second relu(first x + first_bias) + second_bias``; a row of weights for each output."""

    first: Rows
    first_bias: list[float]
    second: Rows
    second_bias: list[float]

    def parts(self) -> list[list[float]]:
        """All rows of weights, as they stand."""
        return [*self.first, self.first_bias, *self.second, self.second_bias]

    def copy(self, factor: float = 1.0) -> Network:
        """The same weights, times ``factor``."""
        return Network(
            [[factor * value for value in row] for row in self.first],
            [factor * value for value in self.first_bias],
            [[factor * value for value in row] for row in self.second],
            [factor * value for value in self.second_bias],
        )

    def scores(self, image: list[float], class_map: list[int]) -> list[float]:
        """What it gives each class."""
        hidden = [max(value, 0.0) for value in _layer(self.first, self.first_bias, image)]
        outputs = _layer(self.second, self.second_bias, hidden)
        return [outputs[k] for k in class_map]


def relearned(
    network: Network, images: Rows, labels: list[int], class_map: list[int]
) -> tuple[list[int], list[int | None]]:
    """The rank of each label, and the steps of each round after the first; None: it diverged."""
    plain = [network.scores(image, class_map) for image in images]
    own = ranks(plain, labels)
    found, steps, copies, suspect = list(own), [], 0, 0
    for number in range(1, min(8, len(images))):
        trained = [i for i in range(len(images)) if i % 8 < number]
        asked = [i for i in range(len(images)) if i % 8 >= number]
        copy = network.copy()
        taken = _learn(copy, [images[i] for i in trained], [labels[i] for i in trained], class_map)
        rows = [copy.scores(images[i], class_map) for i in asked]
        steps.append(taken)
        if taken is None or not all(math.isfinite(value) for row in rows for value in row):
            continue
        better = copies >= suspect
        for i, rank in zip(asked, ranks(rows, [labels[i] for i in asked]), strict=True):
            if i % 8 == number:
                copies += weight(rank, len(class_map))
                suspect += weight(own[i], len(class_map))
                found[i] = rank if better else own[i]
    return found, steps


def _learn(network: Network, images: Rows, labels: list[int], class_map: list[int]) -> int | None:
    velocity = network.copy(0.0)
    for row in velocity.parts():
        row[:] = [0.0] * len(row)
    for step in range(100):
        loss, gradient = _gradient(network, images, labels, class_map)
        try:
            norm = math.sqrt(sum(value**2 for row in gradient.parts() for value in row))
        except OverflowError:
            norm = math.inf
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return None
        if loss < 0.05:
            return step
        share = min(1.0, 5.0 / norm) if norm > 0 else 1.0
        rows = zip(network.parts(), velocity.parts(), gradient.parts(), strict=True)
        for weights, speeds, slopes in rows:
            for k in range(len(weights)):
                speeds[k] = 0.9 * speeds[k] + slopes[k] * share
                weights[k] -= 0.01 * speeds[k]
    return 100


def _gradient(
    network: Network, images: Rows, labels: list[int], class_map: list[int]
) -> tuple[float, Network]:
    """The mean loss, and its gradient."""
    total, gradient = 0.0, network.copy(0.0)
    for row in gradient.parts():
        row[:] = [0.0] * len(row)
    for image, label in zip(images, labels, strict=True):
        inner = _layer(network.first, network.first_bias, image)
        hidden = [max(value, 0.0) for value in inner]
        outputs = _layer(network.second, network.second_bias, hidden)
        scores = [outputs[k] for k in class_map]
        top = max(scores)
        powers = [math.exp(score - top) if math.isfinite(top) else math.nan for score in scores]
        total += (top + math.log(sum(powers)) - scores[label]) / len(images)
        slopes = [0.0] * len(outputs)
        for c, k in enumerate(class_map):
            slopes[k] = (powers[c] / sum(powers) - (c == label)) / len(images)
        backward = [
            sum(slopes[k] * network.second[k][j] for k in range(len(outputs))) * (inner[j] > 0)
            for j in range(len(hidden))
        ]
        for into, bias, slope, below in (
            (gradient.second, gradient.second_bias, slopes, hidden),
            (gradient.first, gradient.first_bias, backward, image),
        ):
            for k, value in enumerate(slope):
                bias[k] += value
                for j, input_value in enumerate(below):
                    into[k][j] += value * input_value
    return total, gradient


def _layer(weights: Rows, bias: list[float], values: list[float]) -> list[float]:
    return [
        sum(w * v for w, v in zip(row, values, strict=True)) + b
        for row, b in zip(weights, bias, strict=True)
    ]

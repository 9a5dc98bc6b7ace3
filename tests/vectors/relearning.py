"""Generates spec/vectors/relearning.json from the slow reference (SPEC.md 8.7)."""

from __future__ import annotations

import random
from typing import Any

from tests.reference import relearning
from tests.reference.ranks import weight

_SCALES = {
    "small weights": (0.5, 0.5, 0.5),
    "large weights": (4.0, 4.0, 4.0),
    "weights of 0": (0.0, 0.0, 0.0),
    "a fragile layer": (0.001, 500.0, 1.0),
    "a stiff layer": (1000.0, 0.001, 1.0),
    "huge weights": (1e120, 1e120, 1e120),
    "an input that drowns the others": (1.0, 1.0, 1.0),
}


def relearning_vectors() -> dict[str, Any]:
    """`relearning.json`: ranks of labels when small networks relearn the labels before."""
    return {"networks": [_relearned(name) for name in _SCALES]}


def _relearned(name: str) -> dict[str, Any]:
    """A network of 6 inputs, 5 and 4 hidden units and 4 outputs, of which three are classes."""
    drawn = random.Random(name)
    layers = []
    for scale, inputs, outputs in zip(_SCALES[name], (6, 5, 4), (5, 4, 4), strict=True):
        rows = [
            [scale * round(drawn.gauss(0, 1), 3) for _ in range(inputs)] for _ in range(outputs)
        ]
        bias = [scale * round(drawn.gauss(0, 1), 3) for _ in range(outputs)]
        layers.append(relearning.Layer(rows, bias))
    if name == "an input that drowns the others":
        for row in layers[0].weight:
            row[0] = 1000.0 + round(row[0], 3)
    network = relearning.Network(layers, 0.25, 0.5)
    images = [[drawn.randrange(5) / 4 for _ in range(6)] for _ in range(19)]
    labels = [drawn.randrange(3) for _ in images]
    class_map = [2, 0, 3]
    ranks, steps = relearning.relearned(network, images, labels, class_map)
    even = relearning.in_even_form(network, images, class_map)
    known = {i: label for i, label in enumerate(labels) if i % 8 == 0}
    return {
        "name": name,
        "mean": network.mean,
        "std": network.std,
        "layers": _described(network),
        "images": images,
        "labels": labels,
        "class_map": class_map,
        "even": None if name == "huge weights" else _described(even),
        "regression": relearning.regressed(network, images, known, class_map),
        "steps": steps,
        "ranks": ranks,
        "sum": sum(weight(rank, 3) for rank in ranks),
    }


def _described(network: relearning.Network) -> list[dict[str, Any]]:
    return [{"weight": layer.weight, "bias": layer.bias} for layer in network.layers]

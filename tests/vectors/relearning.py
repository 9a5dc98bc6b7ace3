"""Generates spec/vectors/relearning.json from the slow reference (SPEC.md 8.7)."""

from __future__ import annotations

import random
from typing import Any

from tests.reference import relearning
from tests.reference.ranks import weight

_SCALES = {"small weights": 0.5, "large weights": 8.0, "weights of 0": 0.0, "huge weights": 1e120}


def relearning_vectors() -> dict[str, Any]:
    """`relearning.json`: ranks of labels when small networks relearn the labels before."""
    return {"networks": [_relearned(name) for name in _SCALES]}


def _relearned(name: str) -> dict[str, Any]:
    """A network of 6 inputs, 5 hidden units and 4 outputs, of which three stand for classes."""
    drawn, scale = random.Random(name), _SCALES[name]

    def rows(count: int, size: int) -> list[list[float]]:
        return [[scale * round(drawn.gauss(0, 1), 3) for _ in range(size)] for _ in range(count)]

    network = relearning.Network(rows(5, 6), rows(1, 5)[0], rows(4, 5), rows(1, 4)[0])
    images = [[drawn.randrange(5) / 4 for _ in range(6)] for _ in range(19)]
    labels = [drawn.randrange(3) for _ in images]
    class_map = [2, 0, 3]
    ranks, steps = relearning.relearned(network, images, labels, class_map)
    return {
        "name": name,
        "first": network.first,
        "first_bias": network.first_bias,
        "second": network.second,
        "second_bias": network.second_bias,
        "images": images,
        "labels": labels,
        "class_map": class_map,
        "steps": steps,
        "ranks": ranks,
        "sum": sum(weight(rank, 3) for rank in ranks),
    }

"""Networks of linear layers with neurons added or split, and folded, for `extraction.json`."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

from tests.reference.folding import Layer, folded

SIZES = [5, 4]
INPUTS, CLASSES = 6, 3


def folding_vectors() -> list[dict[str, Any]]:
    """Each with the layers, the reference's sizes, and the layers folded."""
    found = []
    for name, change in _CHANGES.items():
        drawn = random.Random(f"folding {name}")
        sizes = [INPUTS, *SIZES, CLASSES]
        layers = [
            Layer(
                [[round(drawn.gauss(0, 1), 3) for _ in range(before)] for _ in range(after)],
                [round(drawn.gauss(0, 1), 3) for _ in range(after)],
            )
            for before, after in itertools.pairwise(sizes)
        ]
        change(layers, drawn)
        found.append(
            {
                "name": name,
                "layers": _described(layers),
                "sizes": SIZES,
                "folded": _described(folded(layers, SIZES)),
            }
        )
    return found


def _add(
    layers: list[Layer], group: int, row: list[float], bias: float, reads: list[float]
) -> None:
    """One neuron more."""
    layers[group].weight.append(row)
    layers[group].bias.append(bias)
    for reader, value in zip(layers[group + 1].weight, reads, strict=True):
        reader.append(value)


def _split(layers: list[Layer], drawn: random.Random) -> None:
    """A neuron of each layer becomes three, multiples of each other."""
    for group in (0, 1):
        for factor in (2.0, 0.5):
            reads = []
            for reader in layers[group + 1].weight:
                reads.append(0.25 * reader[1] / factor)
                reader[1] *= 0.75
            row = [factor * value for value in layers[group].weight[1]]
            _add(layers, group, row, factor * layers[group].bias[1], reads)


def _useless(layers: list[Layer], drawn: random.Random) -> None:
    """One that nothing reads, one that is always 0, one that classes read alike."""
    row = [round(drawn.gauss(0, 1), 3) for _ in range(INPUTS)]
    _add(layers, 0, row, 0.5, [0.0] * SIZES[1])
    _add(layers, 0, [0.0] * INPUTS, -1.0, [3.0] * SIZES[1])
    _add(layers, 1, [1.0] * len(layers[0].bias), 0.25, [2.0] * CLASSES)


def _cancelling(layers: list[Layer], drawn: random.Random) -> None:
    """Three with equal inputs, whose outputs are 0 together, up to rounding."""
    row = [round(drawn.gauss(0, 1), 3) for _ in range(INPUTS)]
    reads = [round(drawn.gauss(0, 1), 3) for _ in range(SIZES[1])]
    for factor in (1.0, 2.0, -3.0):
        _add(layers, 0, list(row), 0.125, [factor * value for value in reads])


def _constant(layers: list[Layer], drawn: random.Random) -> None:
    """One of weights 0 with a bias, which becomes bias of what reads it."""
    _add(layers, 1, [0.0] * SIZES[0], 2.0, [1.0, -0.5, 0.25])


def _noisy(layers: list[Layer], drawn: random.Random) -> None:
    """A copy with noise between the levels, and one of the last level."""
    for noise in (3e-4, 4e-3):
        row = [value * (1 + noise * drawn.choice((-1, 1))) for value in layers[0].weight[2]]
        reads = []
        for reader in layers[1].weight:
            reads.append(0.5 * reader[2])
            reader[2] *= 0.5
        _add(layers, 0, row, layers[0].bias[2], reads)


def _narrow(layers: list[Layer], drawn: random.Random) -> None:
    """A neuron less than the reference has."""
    del layers[0].weight[3], layers[0].bias[3]
    for row in layers[1].weight:
        del row[3]


_CHANGES = {
    "split": _split,
    "useless": _useless,
    "cancelling": _cancelling,
    "constant": _constant,
    "noisy copies": _noisy,
    "narrow": _narrow,
}


def _described(layers: list[Layer]) -> list[dict[str, Any]]:
    return [copy.deepcopy({"weight": layer.weight, "bias": layer.bias}) for layer in layers]

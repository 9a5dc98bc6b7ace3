"""Two tiny networks for the vectors of SPEC.md 19.4, their suspects, and these aligned.

A chain (convolutions, then linear layers) and a residual one. A suspect is the reference with noise
on every weight, as after training; a disguised one is the same function with its neurons permuted
and rescaled in all the ways of 19.4. Values are the reference implementation's.
"""

from __future__ import annotations

import copy
import math
import random
import struct
from dataclasses import dataclass
from typing import Any

from tests.reference import alignment
from tests.reference.alignment import Group, Layer, Lost, Network, Norm
from tests.reference.extraction import Tensor

SHAPE = [3, 6, 6]
CLASSES = 3
NORM_TENSORS = {
    "weight": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}
NOISE = 0.2
FAR = 0.6
"""So much that the first pass over the residual network errs, and the second one mends it."""


@dataclass(frozen=True)
class Row:
    """One layer of an outline: role, name, its batch norm's name, sizes of its weights."""

    role: str
    layer: str
    norm: str | None
    sizes: list[int]


CHAIN = (
    Row("plain", "features.0", None, [3, 3, 3, 3]),
    Row("plain", "features.3", None, [4, 3, 2, 2]),
    Row("plain", "features.6", None, [5, 16]),
    Row("last", "features.8", None, [CLASSES, 5]),
)
"""Conv 3x3 (padding 1), max pooling 2x2, ReLU, conv 2x2, ReLU, flatten, linear, ReLU, linear."""
RESIDUAL = (
    Row("plain", "features.0", "features.1", [2, 3, 3, 3]),
    Row("conv1", "features.3.conv1", "features.3.bn1", [2, 2, 3, 3]),
    Row("conv2", "features.3.conv2", "features.3.bn2", [2, 2, 3, 3]),
    Row("conv1", "features.4.conv1", "features.4.bn1", [3, 2, 3, 3]),
    Row("conv2", "features.4.conv2", "features.4.bn2", [3, 3, 3, 3]),
    Row("shortcut", "features.4.shortcut.0", "features.4.shortcut.1", [3, 2, 1, 1]),
    Row("last", "features.7", None, [CLASSES, 3]),
)
"""Stem, a block without and one (stride 2) with a convolution in its shortcut, pooling, linear."""
NETWORKS = {"chain": CHAIN, "residual": RESIDUAL}


def read_network(outline: tuple[Row, ...], tensors: dict[str, Tensor]) -> Network:
    """The reference's form of float32 tensors."""

    def numbers(name: str) -> list[float]:
        data = tensors[name][2]
        return list(struct.unpack(f"<{len(data) // 4}f", data))

    layers = []
    neurons = SHAPE[0]
    for row in outline:
        values = numbers(f"{row.layer}.weight")
        outputs = row.sizes[0]
        # A shortcut reads what the block reads, not what its second convolution makes.
        inputs = row.sizes[1] if len(row.sizes) == 4 else neurons
        taps = len(values) // (outputs * inputs)
        weight = [
            [values[(o * inputs + i) * taps : (o * inputs + i + 1) * taps] for i in range(inputs)]
            for o in range(outputs)
        ]
        norm = bias = None
        if row.norm is None:
            bias = numbers(f"{row.layer}.bias")
        else:
            norm = Norm(**{n: numbers(f"{row.norm}.{t}") for n, t in NORM_TENSORS.items()})
        layers.append(Layer(row.role, weight, bias, norm))
        neurons = outputs
    return Network(numbers("normalize.std"), layers)


def write_network(
    outline: tuple[Row, ...], network: Network, mean: list[float]
) -> dict[str, Tensor]:
    """All parameters and buffers of a network, float32, as torch names them."""
    tensors = {
        "normalize.mean": _floats(mean, [1, len(mean), 1, 1]),
        "normalize.std": _floats(network.std, [1, len(mean), 1, 1]),
    }
    for row, layer in zip(outline, network.layers, strict=True):
        flat = [w for one in layer.weight for taps in one for w in taps]
        tensors[f"{row.layer}.weight"] = _floats(flat, row.sizes)
        if layer.bias is not None:
            tensors[f"{row.layer}.bias"] = _floats(layer.bias, [len(layer.bias)])
        if layer.norm is not None:
            for name, stored in NORM_TENSORS.items():
                values = getattr(layer.norm, name)
                tensors[f"{row.norm}.{stored}"] = _floats(values, [len(values)])
            tensors[f"{row.norm}.num_batches_tracked"] = ("int64", [], struct.pack("<q", 7))
    return tensors


def _floats(values: list[float], sizes: list[int]) -> Tensor:
    return "float32", sizes, struct.pack(f"<{len(values)}f", *values)


def network_vectors() -> list[dict[str, Any]]:
    """For each network the reference, its unit form, suspects, and these aligned."""
    return [_vectors(name, outline) for name, outline in NETWORKS.items()]


def _vectors(name: str, outline: tuple[Row, ...]) -> dict[str, Any]:
    drawn = random.Random(f"zkwm {name}")
    mean = [0.25, 0.5, 0.375]
    reference = write_network(outline, _drawn_network(outline, drawn), mean)
    start = read_network(outline, reference)
    plain = _trained(start, NOISE, drawn)
    suspects = {
        "trained on": plain,
        "permuted and rescaled": _disguised(plain, drawn),
        "far away": _disguised(_trained(start, FAR, drawn), drawn),
    }
    stored = {kind: write_network(outline, one, mean) for kind, one in suspects.items()}
    return {
        "name": name,
        "outline": [vars(row) for row in outline],
        "reference": reference,
        "unit_form": write_network(outline, alignment.unit_form(start)[0], mean),
        "suspects": [
            {
                "name": kind,
                "tensors": tensors,
                "aligned": write_network(
                    outline, alignment.aligned(read_network(outline, tensors), start), mean
                ),
            }
            for kind, tensors in stored.items()
        ],
    }


def _trained(network: Network, noise: float, drawn: random.Random) -> Network:
    """As if it had been trained on: every weight with some noise."""
    found = copy.deepcopy(network)
    for layer in found.layers:
        layer.weight = [
            [[w + noise * drawn.gauss(0, 0.3) for w in taps] for taps in row]
            for row in layer.weight
        ]
    return found


def _drawn_network(outline: tuple[Row, ...], drawn: random.Random) -> Network:
    layers = []
    inputs = SHAPE[0]
    for row in outline:
        outputs = row.sizes[0]
        inputs = row.sizes[1] if len(row.sizes) == 4 else inputs
        taps = math.prod(row.sizes[1:]) // inputs
        weight = [
            [[drawn.gauss(0, 0.3) for _ in range(taps)] for _ in range(inputs)]
            for _ in range(outputs)
        ]
        many = range(outputs)
        bias, norm = [drawn.gauss(0, 0.2) for _ in many], None
        if row.norm is not None:
            norm = Norm(
                weight=[drawn.uniform(0.5, 1.5) * drawn.choice((-1, 1)) for _ in many],
                bias=bias,
                mean=[drawn.gauss(0, 0.3) for _ in many],
                variance=[drawn.uniform(0.5, 2) for _ in many],
            )
        layers.append(Layer(row.role, weight, None if norm else bias, norm))
        inputs = outputs
    return Network([0.25, 0.2, 0.3], layers)


def _disguised(network: Network, drawn: random.Random) -> Network:
    """The same function: neurons permuted, and every scale of 19.4 drawn at random."""
    found, _ = alignment.unit_form(network)
    groups = alignment.groups(found)
    for group in groups:
        order = list(range(_size(found, group)))
        drawn.shuffle(order)
        alignment.permute(found, group, tuple(order))

    def factors(count: int) -> list[float]:
        return [4 ** drawn.uniform(-1, 1) for _ in range(count)]

    def signed(count: int) -> list[float]:
        return [factor * drawn.choice((-1, 1)) for factor in factors(count)]

    def numbers(count: int) -> list[float]:
        return [drawn.gauss(0, 0.5) for _ in range(count)]

    sizes = {n: len(layer.weight) for n, layer in enumerate(found.layers) if layer.norm}
    head = found.layers[-1].weight[0]
    alignment.give_back(
        found,
        Lost(
            std=factors(SHAPE[0]),
            spread={n: factors(size) for n, size in sizes.items()},
            mean={n: numbers(size) for n, size in sizes.items()},
            row={n: signed(size) for n, size in sizes.items()},
            scale=[factors(_size(found, group)) for group in groups],
            moved={
                n: numbers(len(layer.weight))
                for n, layer in enumerate(found.layers)
                if layer.role == "shortcut"
            },
            last_mean=[numbers(len(taps)) for taps in head],
            last_bias=drawn.gauss(0, 0.5),
            length=3.0,
        ),
    )
    return found


def _size(network: Network, group: Group) -> int:
    return len(network.layers[group.makers[0]].weight)

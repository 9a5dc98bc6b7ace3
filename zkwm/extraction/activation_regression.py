"""What a network's activations tell of labels that it was once taught (SPEC.md 8.7, Regression).

Kernel ridge regression from what the last hidden layers give and read to the labels of some
triggers, asked about the others: what was embedded together lies together, also where the readout
was changed until no answer shows it. Nothing is trained, and each unit is standardized, so that
scales and shifts of neurons decide nothing. Where a few directions hold nearly all that a layer's
units tell, as a thief's own large activations do, the table counts without these, too. The network
is evaluated in the precision of its own weights: what only wider numbers tell apart, such as
products that underflow, is no part of what it answers, and a thief's to choose. Ridge regression is
Hoerl and Kennard 1970's; its dual form with a kernel that of Saunders, Gammerman and Vovk 1998.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.neuron_groups import weighted_layers
from zkwm_protocols.relearning import (
    CHUNK,
    CONSTANT,
    CUT,
    DOMINANT,
    FEWEST_TIMES,
    HIDDEN_LAYERS,
    LEFT,
    MOST_DIRECTIONS,
    MOST_REMOVALS,
    OWN_SHARE,
    RIDGE,
)

_MOST_VALUES = 1 << 25
"""Activations that are in memory at once: 256 MiB."""

Point = tuple[str, bool]
"""A layer, and whether what it reads is meant instead of what it gives: a table."""
Part = tuple[str, bool, slice]
"""A layer, whether what it reads is meant instead of what it gives, and which units."""


def regressed_scores(
    model: nn.Module, images: Tensor, labels: Tensor, class_map: Sequence[int]
) -> NDArray[np.float64]:
    """The scores of the images that have no label, float64 (m, C), finite whatever the weights are.

    Args:
        model: gives logits (n, K) of images; stays as it is.
        images (float32 or float64, (t + m, c, h, w)): all triggers, preprocessed.
        labels (int64, (t,)): of the first of them.
        class_map: the output that stands for each of the C classes.
    """
    network, count = copy.deepcopy(model).eval(), len(labels)
    with torch.no_grad():
        kernel, own = activation_kernel(network, images), _own_scores(network, images, class_map)
        wanted = nn.functional.one_hot(labels, own.shape[1]).double() - 1 / own.shape[1]
        missing = wanted - own[:count]
        inner = kernel[:count, :count] + RIDGE * torch.eye(count, dtype=torch.float64)
        factors = torch.linalg.solve(inner, missing - missing.mean(dim=0))
        found: NDArray[np.float64] = (own[count:] + kernel[count:, :count] @ factors).numpy()
    return found


def activation_kernel(network: nn.Module, images: Tensor) -> Tensor:
    """Mean products of standardized activations, float64 (n, n), over up to four layers' units.

    Args:
        network: float32 or float64, in evaluation mode; evaluated so.
        images (float32 or float64, (n, c, h, w)): preprocessed.
    """
    layers = [name for name, _ in weighted_layers(network)]
    points = [(name, False) for name in layers[:-1][-HIDDEN_LAYERS:]]
    points += [(name, True) for name in layers[1:][-HIDDEN_LAYERS:]]
    removed: dict[Point, list[Tensor]] = {point: [] for point in points}
    whole = _kernels(network, images, removed)
    rests: dict[Point, Tensor] = {}
    found = whole
    for _ in range(MOST_REMOVALS):
        largest = {point: _dominant(*one) for point, one in found.items()}
        left = {point: [*removed[point], one] for point, one in largest.items() if one is not None}
        if not left:
            break
        removed |= left
        found = _kernels(network, images, left)
        rests |= {point: kernel for point, (kernel, _) in found.items()}
    kernels = [*(kernel for kernel, _ in whole.values()), *rests.values()]
    empty = torch.zeros(len(images), len(images), dtype=torch.float64)
    return sum(kernels, start=empty) / len(kernels)


def _kernels(
    network: nn.Module, images: Tensor, removed: Mapping[Point, Sequence[Tensor]]
) -> dict[Point, tuple[Tensor, int]]:
    """Of each table the mean products of its columns, float64 (n, n), and how many these are.

    Args:
        network: as in ``activation_kernel``.
        images: likewise.
        removed: for each table the directions, (n, k), that were taken away, in their order.
    """
    sums = {point: torch.zeros(len(images), len(images), dtype=torch.float64) for point in removed}
    counts = dict.fromkeys(removed, 0)
    for parts in _passes(network, images, list(removed)):
        for (name, read, _), values in _observed(network, images, parts):
            units = _standardized(values)
            for directions in removed[name, read]:
                units = _without(units, directions)
            sums[name, read] += units @ units.T
            counts[name, read] += units.shape[1]
    return {point: (sums[point] / max(counts[point], 1), counts[point]) for point in removed}


def _dominant(kernel: Tensor, columns: int) -> Tensor | None:
    """The fewest directions that hold nearly all of a table, (n, k); None where that takes many."""
    most = min(MOST_DIRECTIONS, min(len(kernel), columns) // FEWEST_TIMES)
    values, vectors = torch.linalg.eigh(kernel)
    shares = values.flip(0).cumsum(0)
    count = int((shares < DOMINANT * kernel.trace()).sum()) + 1
    return vectors.flip(1)[:, :count] if count <= most else None


def _without(units: Tensor, directions: Tensor) -> Tensor:
    """Standardized units less what lies in the directions, standardized again, (n, v).

    Those of which nothing is left but rounding are left out.
    """
    rest = units - directions @ (directions.T @ units)
    rest = rest - rest.mean(dim=0)
    std = rest.square().mean(dim=0).sqrt()
    kept = std > LEFT
    return rest[:, kept] / std[kept]


def _own_scores(network: nn.Module, images: Tensor, class_map: Sequence[int]) -> Tensor:
    """The network's scores without means of classes and images, as large as labels are, times 0.3.

    Float64 (n, C).
    """
    outputs = torch.tensor(class_map)
    parts = range(0, len(images), CHUNK)
    dtype = _precision(network)
    found = [network(images[i : i + CHUNK].to(dtype))[:, outputs] for i in parts]
    given = torch.cat(found).double()
    rows = given - given.mean(dim=0)
    rows = rows - rows.mean(dim=1, keepdim=True)
    size, least = (float(one.square().mean().sqrt()) for one in (rows, given * CONSTANT))
    if not (math.isfinite(size) and size > least):
        return torch.zeros_like(rows)
    count = len(outputs)
    wanted = math.sqrt(count - 1) / count  # root mean square of labels less 1/C
    return rows * (OWN_SHARE * wanted / size)


def _standardized(values: Tensor) -> Tensor:
    """Units with mean 0 and variance 1, (n, u); those that are constant are left out.

    Values are cut at 10,000 times the median of what is not 0.
    """
    sizes = values.abs()
    most = CUT * torch.where(sizes > 0, sizes, torch.nan).nanmedian(dim=0).values
    values = torch.minimum(torch.maximum(values, -most), most)
    centered = values - values.mean(dim=0)
    std = centered.square().mean(dim=0).sqrt()
    kept = (std > CONSTANT * values.square().mean(dim=0).sqrt()) & std.isfinite()
    return centered[:, kept] / std[kept]


def _passes(network: nn.Module, images: Tensor, points: Sequence[Point]) -> Iterator[list[Part]]:
    """All units, in parts of which a pass over the images holds as many as memory allows."""
    whole = [(name, read, slice(None)) for name, read in points]
    sizes = [values.shape[1] for _, values in _observed(network, images[:1], whole)]
    most, held, parts = max(_MOST_VALUES // len(images), 1), 0, list[Part]()
    for (name, read), size in zip(points, sizes, strict=True):
        for first in range(0, size, most):
            last = min(first + most, size)
            if parts and held + last - first > most:
                yield parts
                held, parts = 0, []
            parts.append((name, read, slice(first, last)))
            held += last - first
    yield parts


def _observed(
    network: nn.Module, images: Tensor, parts: Sequence[Part]
) -> Iterator[tuple[Part, Tensor]]:
    """The activations of each part, float64 (n, units)."""
    found: list[list[Tensor]] = [[] for _ in parts]

    def hook_of(rows: list[Tensor], part: Part) -> Callable[..., None]:
        _, read, units = part

        def hook(_: nn.Module, inputs: tuple[Tensor], given: Tensor) -> None:
            values = (inputs[0] if read else given).flatten(1)[:, units]
            rows.append(values.to(torch.float64, copy=True))

        return hook

    hooks = [
        network.get_submodule(part[0]).register_forward_hook(hook_of(rows, part))
        for rows, part in zip(found, parts, strict=True)
    ]
    dtype = _precision(network)
    try:
        with torch.no_grad():
            for first in range(0, len(images), CHUNK):
                network(images[first : first + CHUNK].to(dtype))
    finally:
        for one in hooks:
            one.remove()
    for part, rows in zip(parts, found, strict=True):
        yield part, torch.cat(rows)


def _precision(network: nn.Module) -> torch.dtype:
    """The type of the weights, float32 in a file: what the network is asked in."""
    return next(network.parameters()).dtype

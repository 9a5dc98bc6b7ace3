"""Select and reset the neurons that a recovered trigger excites (Aiken et al. 2020, step 2).

``laundering`` and ``partial_laundering`` use it; ``laundering`` counts neurons that a stamp makes
less active, too, where the Watermark Robustness Toolbox counts those made more active. Neurons are
chosen by their activations, and whole rows and filters become zero; ``pruning`` removes single
weights by magnitude.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.inference import evaluating

BATCH = 500


def hidden_layers(model: nn.Module) -> tuple[nn.Module, ...]:
    """The layers whose outputs count as neurons: the later half of them, without the head.

    These are fully connected layers and convolutions in the order of their definition; in a network
    with batch norm, the batch norms stand in place of the convolutions.
    """
    modules = list(model.modules())
    norms = any(isinstance(module, nn.BatchNorm2d) for module in modules)
    spatial = nn.BatchNorm2d if norms else nn.Conv2d
    layers = [module for module in modules if isinstance(module, (nn.Linear, spatial))][:-1]
    return tuple(layers[len(layers) // 2 :])


@torch.no_grad()
def mean_positive_activations(
    model: nn.Module, layers: tuple[nn.Module, ...], images: Tensor
) -> tuple[Tensor, ...]:
    """The mean of each neuron or channel after a ReLU, over images (and pixels of a channel).

    Args:
        model: The whole network.
        layers: Those of ``hidden_layers``.
        images (float32, (n, c, h, w)): In [0, 1].

    Returns:
        One float32 (neurons,) tensor a layer.
    """
    sums: list[Tensor | None] = [None] * len(layers)

    def record(number: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            del module, inputs
            active = functional.relu(output)
            total = (active.flatten(2).mean(2) if active.ndim > 2 else active).sum(0)
            earlier = sums[number]
            sums[number] = total if earlier is None else earlier + total

        return hook

    handles = [layer.register_forward_hook(record(n)) for n, layer in enumerate(layers)]
    try:
        with evaluating(model):
            for batch in torch.split(images, BATCH):
                model(batch)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(total / len(images) for total in sums if total is not None)


def relative_changes(
    model: nn.Module, layers: tuple[nn.Module, ...], images: Tensor, stamped: Tensor
) -> list[Tensor]:
    """How much a stamp changes each neuron, in units of its layer's mean activation.

    Args:
        model: The whole network.
        layers: Those of ``hidden_layers``.
        images (float32, (n, c, h, w)): In [0, 1].
        stamped: The same images with the stamp.

    Returns:
        One float32 (neurons,) tensor a layer, negative where the stamp makes it less active.
    """
    clean = mean_positive_activations(model, layers, images)
    bearing = mean_positive_activations(model, layers, stamped)
    return [
        (after - before) / before.mean().clamp_min(1e-6)
        for before, after in zip(clean, bearing, strict=True)
    ]


@torch.no_grad()
def reset(layer: nn.Module, neurons: Tensor) -> None:
    """Set the weights and biases of these neurons or channels (int64 numbers) to zero."""
    for parameter in layer.parameters(recurse=False):
        parameter[neurons] = 0.0


def select_neurons(difference: Tensor, threshold: float, most: float) -> Tensor:
    """The neurons whose difference exceeds a threshold, the largest first.

    Args:
        difference (float32, (neurons,)): How much a trigger changes each.
        threshold: In the units of ``difference``.
        most: At most this share of the layer is returned.

    Returns:
        Int64 numbers of neurons.
    """
    order = difference.argsort(descending=True)
    above = order[difference[order] > threshold]
    return above[: int(most * len(difference))]


def reset_changed(
    layers: tuple[nn.Module, ...], changes: list[Tensor], dense: float, channel: float, most: float
) -> None:
    """Reset, in place, the neurons whose change exceeds a threshold.

    Args:
        layers: Those of ``hidden_layers``.
        changes: One float32 (neurons,) tensor a layer.
        dense: The threshold in fully connected layers.
        channel: The threshold in others.
        most: At most this share of a layer is reset.
    """
    for layer, change, limit in zip(
        layers, changes, thresholds(layers, dense, channel), strict=True
    ):
        reset(layer, select_neurons(change, limit, most))


def thresholds(layers: tuple[nn.Module, ...], dense: float, channel: float) -> Iterator[float]:
    """The threshold of each layer: ``dense`` for fully connected ones, else ``channel``."""
    for layer in layers:
        yield dense if isinstance(layer, nn.Linear) else channel

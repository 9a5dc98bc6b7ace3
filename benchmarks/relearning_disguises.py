"""The same function by other weights, after FST: what a thief could do to relearning (SPEC.md 8.7).

Suspects of ``relearning``; LeNet-5 alone, whose hidden layers all end in ReLU.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn

from zkwm.nn.architectures import Classifier
from zkwm.nn.image_source import as_unit

LARGEST = 10
"""Binary logarithm of the largest factor of a neuron."""
SHIFT = 1000.0
_MIXED = 4
DISGUISES = (
    "FST at the rate; neurons times 2^-10 to 2^10",
    "FST at the rate; a neuron of each layer shifted by 1,000",
    "FST at the rate; four neurons of linear layers shifted and mixed",
)


def disguised(model: Classifier, name: str, images: Tensor, seed: int) -> Classifier:
    """A copy of a LeNet-5 with other weights; ``images`` uint8 (n, c, h, w) are the thief's."""
    changed = copy.deepcopy(model).eval()
    layers = [one for one in changed.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        if name == DISGUISES[0]:
            _rescale(layers, torch.Generator().manual_seed(seed))
        else:
            _shift(changed, layers, as_unit(images), mixed=name == DISGUISES[2])
    return changed


def _rescale(layers: list[nn.Conv2d | nn.Linear], random: torch.Generator) -> None:
    """Multiply each hidden neuron, and divide the weights that read it."""
    for layer, reader in itertools.pairwise(layers):
        count = len(layer.weight)
        factors = 2.0 ** (LARGEST * (2 * torch.rand(count, generator=random) - 1))
        layer.weight.mul_(factors.view(-1, *[1] * (layer.weight.ndim - 1)))
        assert layer.bias is not None
        layer.bias.mul_(factors)
        inputs = reader.weight.view(len(reader.weight), count, -1)  # flattened planes lie together
        inputs.div_(factors.view(1, -1, 1))


def _shift(
    model: Classifier, layers: list[nn.Conv2d | nn.Linear], images: Tensor, *, mixed: bool
) -> None:
    """Shift neurons on whose ReLU the layer behind depends least, until it is always on.

    One of each hidden layer; with ``mixed`` four of each linear one, of which three then get the
    fourth added, times 1,000.
    """
    for layer, reader in itertools.pairwise(layers):
        if mixed and not isinstance(layer, nn.Linear):
            continue
        count = len(layer.weight)
        values = _given(model, layer, images).transpose(0, 1).reshape(count, -1)
        below = values.clamp_max(0).square().mean(dim=1).sqrt()
        inputs = reader.weight.view(len(reader.weight), count, -1)
        order = (below * inputs.square().sum(dim=(0, 2)).sqrt()).argsort()
        first, *others = order[: _MIXED if mixed else 1].tolist()
        assert layer.bias is not None
        assert reader.bias is not None
        for chosen in (first, *others):
            layer.bias[chosen] += SHIFT
            reader.bias.sub_(SHIFT * inputs[:, chosen].sum(dim=1))
        for chosen in others:
            layer.weight[chosen] += SHIFT * layer.weight[first]
            layer.bias[chosen] += SHIFT * layer.bias[first]
            inputs[:, first] -= SHIFT * inputs[:, chosen]


def _given(model: Classifier, layer: nn.Module, images: Tensor) -> Tensor:
    """What a layer of the network gives for images."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output))
    model(images)
    handle.remove()
    return seen[0]

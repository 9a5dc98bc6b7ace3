"""The same function by other weights, after FST: what a thief could do to relearning (SPEC.md 8.7).

The last one gives up a unit of three layers, so that its function is nearly the same.

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
    "FST at the rate; a channel that few images turn on, in all neurons behind it",
)
FIRING = 1 / 500
"""The share of the thief's images that turn the channel on."""
DROWNING = 1e4
"""Times which the channel is added: where the regression cuts, near which seven factors from 100 to
10^8 left least on two of three owners."""
_DRAWN = 200


def disguised(model: Classifier, name: str, images: Tensor, seed: int) -> Classifier:
    """A copy of a LeNet-5 with other weights; ``images`` uint8 (n, c, h, w) are the thief's."""
    changed = copy.deepcopy(model).eval()
    layers = [one for one in changed.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        if name == DISGUISES[0]:
            _rescale(layers, torch.Generator().manual_seed(seed))
        elif name == DISGUISES[3]:
            _drown(changed, layers[1:], images, torch.Generator().manual_seed(seed))
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


def _drown(
    model: Classifier, layers: list[nn.Conv2d | nn.Linear], images: Tensor, random: torch.Generator
) -> None:
    """Give one channel up, turn it on for few images, and add it to all neurons of both layers
    behind it; the next layer subtracts it again by what one neuron of its own gives.

    ``layers`` are the last convolution and all behind it. Of random weights for the channel those
    are taken that noise turns on most often.
    """
    first, second, third, last = layers
    channel, *units = (
        _given_up(model, *pair, as_unit(images)) for pair in itertools.pairwise(layers)
    )
    noise = torch.randint(256, images.shape, generator=random, dtype=torch.uint8)
    known, unknown = (_read(model, first, as_unit(one)) for one in (images, noise))
    drawn = []
    for _ in range(_DRAWN):
        weight = torch.randn(first.weight.shape[1:], generator=random)
        given = torch.conv2d(known, weight[None]).amax(dim=(1, 2, 3))
        level = given.quantile(1 - FIRING)
        above = torch.conv2d(unknown, weight[None]).amax(dim=(1, 2, 3)) > level
        drawn.append((int(above.sum()), weight, level))
    _, first.weight[channel], level = max(drawn, key=lambda one: one[0])
    assert first.bias is not None
    first.bias[channel] = -level
    reads = second.weight.view(len(second.weight), len(first.weight), -1)
    for layer, reader, unit in ((second, third, units[0]), (third, last, units[1])):
        shares = 0.5 + torch.rand(len(layer.weight), generator=random)
        shares[unit] = 1
        assert layer.bias is not None
        layer.weight[unit], layer.bias[unit] = 0, 0
        if layer is second:
            reads[:, channel] = DROWNING * shares[:, None]
        else:
            layer.weight[:, units[0]] += shares
        reader.weight[:, unit] = 0
        reader.weight[:, unit] = -(reader.weight @ shares)


def _given_up(
    model: Classifier,
    layer: nn.Conv2d | nn.Linear,
    reader: nn.Conv2d | nn.Linear,
    images: Tensor,
) -> int:
    """The unit of a layer on which its reader depends least; its mean goes into the biases."""
    count = len(layer.weight)
    values = _read(model, reader, images).reshape(len(images), count, -1)
    inputs = reader.weight.view(len(reader.weight), count, -1)
    middle = values.mean(dim=0)
    moved = torch.einsum("ncp,ocp->nco", values - middle, inputs)
    unit = int(moved.square().mean(dim=(0, 2)).argmin())
    assert reader.bias is not None
    reader.bias.add_(inputs[:, unit] @ middle[unit])
    inputs[:, unit] = 0
    return unit


def _read(model: Classifier, layer: nn.Module, images: Tensor) -> Tensor:
    """What a layer of the network is given for images."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _layer, inputs, _output: seen.append(inputs[0]))
    model(images)
    handle.remove()
    return seen[0]


def _given(model: Classifier, layer: nn.Module, images: Tensor) -> Tensor:
    """What a layer of the network gives for images."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output))
    model(images)
    handle.remove()
    return seen[0]

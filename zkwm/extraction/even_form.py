"""A network in even form: one for all that differ in scales of neurons, which training moves alike.

Multiplying a layer's weights and dividing those of the next changes no answer, and decides what a
step of training moves: an adversary can so keep a copy from relearning (SPEC.md 8.7). In even form
only the function decides. Nothing here looks at a label.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zkwm.extraction.neuron_groups import (
    Maker,
    NeuronGroup,
    neuron_groups,
    scale_readers,
    scale_rows,
    weighted_layers,
)
from zkwm.nn.architectures import Classifier
from zkwm_protocols.relearning import CHUNK, LENGTH, LOGITS

State = dict[str, Tensor]


@dataclass(frozen=True)
class Observed:
    """What layers read and give on all triggers.

    Attributes:
        used: by layer, whether each input, or channel of inputs, is ever other than 0, bool.
        moments: by layer before a batch norm, mean and variance of each output, float64 (size,).
    """

    used: dict[str, Tensor]
    moments: dict[str, tuple[Tensor, Tensor]]


def in_even_form(model: Classifier, images: Tensor, class_map: Sequence[int]) -> Classifier:
    """A copy of the network, float64, in evaluation mode, in the even form of SPEC.md 8.7.

    It gives the C outputs of the class map the same order for these images, up to rounding.

    Args:
        model: a built-in network.
        images (float32 or float64, (n, c, h, w)): all triggers, preprocessed.
        class_map: the output that stands for each of the C classes.
    """
    network = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        seen, logits = _observed(network, images, torch.tensor(class_map))
        state = {
            name: tensor.clone()
            for name, tensor in network.state_dict().items()
            if tensor.is_floating_point()
        }
        for name, read in seen.used.items():  # weights that change no answer change no length
            state[f"{name}.weight"][:, ~read] = 0
        _even_logits(network, state, logits, torch.tensor(class_map))
        _even_pixels(network, state, images)
        for group in neuron_groups(network):
            factors = LENGTH / _nonzero(_lengths(network, state, group, seen))
            _scale(state, group, factors)
        for group in neuron_groups(network):
            for maker in group.makers:
                _even_norm(network, state, maker, seen)
            if group.joined:
                first, second = (f"{maker.norm}.bias" for maker in group.makers[:2])
                state[second] = state[second] + state[first]
                state[first] = torch.zeros_like(state[first])
        network.load_state_dict({**network.state_dict(), **state})
    return network


def _observed(network: Classifier, images: Tensor, outputs: Tensor) -> tuple[Observed, Tensor]:
    """What layers read and give on the images, and the C logits (n, C)."""
    used: dict[str, Tensor] = {}
    sums: dict[str, Tensor] = {}

    def hook_of(name: str, *, moments: bool) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor], found: Tensor) -> None:
            read = (inputs[0] != 0).movedim(1, 0).flatten(1).any(dim=1)
            used[name] = used.get(name, torch.zeros_like(read)) | read
            if moments:
                values = found.movedim(1, 0).flatten(1)
                both = torch.stack([values.mean(dim=1), values.square().mean(dim=1)]) * len(found)
                sums[name] = sums.get(name, torch.zeros_like(both)) + both

        return hook

    normed = {m.layer for group in neuron_groups(network) for m in group.makers if m.norm}
    hooks = [
        layer.register_forward_hook(hook_of(name, moments=name in normed))
        for name, layer in weighted_layers(network)
    ]
    try:
        parts = range(0, len(images), CHUNK)
        rows = [network(images[first : first + CHUNK].double())[:, outputs] for first in parts]
    finally:
        for one in hooks:
            one.remove()
    moments = {}
    for name, total in sums.items():
        mean, square = total / len(images)
        moments[name] = (mean, (square - mean.square()).clamp_min(0))
    return Observed(used, moments), torch.cat(rows)


def _even_logits(network: Classifier, state: State, logits: Tensor, outputs: Tensor) -> None:
    """Center the last layer over the classes, and give logits one root mean square."""
    last = weighted_layers(network)[-1][0]
    centered = logits - logits.mean(dim=1, keepdim=True)
    factor = LOGITS / _nonzero(centered.square().mean().sqrt())
    for name in (f"{last}.weight", f"{last}.bias"):
        state[name] = (state[name] - state[name][outputs].mean(dim=0)) * factor


def _even_pixels(network: Classifier, state: State, images: Tensor) -> None:
    """Give each normalized channel the root mean square 1, against the first layer's weights."""
    first = weighted_layers(network)[0][0]
    squares = torch.zeros(images.shape[1], dtype=torch.float64)
    for start in range(0, len(images), CHUNK):
        part = network.normalize(images[start : start + CHUNK].double())
        squares += part.square().mean(dim=(2, 3)).sum(dim=0)
    spread = _nonzero((squares / len(images)).sqrt())
    state["normalize.std"] = state["normalize.std"] * spread.view(1, -1, 1, 1)
    weight = state[f"{first}.weight"]
    factors = spread.repeat_interleave(weight.shape[1] // len(spread))
    state[f"{first}.weight"] = weight * factors.view(1, -1, *[1] * (weight.ndim - 2))


def _lengths(network: Classifier, state: State, group: NeuronGroup, seen: Observed) -> Tensor:
    """The length of each neuron of a group, (size,).

    That of weights and bias; behind batch norms the root of the sum of the variances and squared
    means that these give, those of two makers that are added before any ReLU added first.
    """
    first = group.makers[0]
    if first.norm is None:
        rows = state[f"{first.layer}.weight"].flatten(1)
        return (rows.square().sum(dim=1) + state[f"{first.layer}.bias"].square()).sqrt()
    variances, means = [], []
    for maker in group.makers:
        factor, shift, _ = _norm(network, state, maker)
        mean, variance = seen.moments[maker.layer]
        variances.append(variance * factor.square())
        means.append(mean * factor + shift)
    if group.joined:
        means = [means[0] + means[1], *means[2:]]
    total: Tensor = torch.stack(variances).sum(dim=0) + torch.stack(means).square().sum(dim=0)
    return total.sqrt()


def _scale(state: State, group: NeuronGroup, factors: Tensor) -> None:
    """Multiply neurons by ``factors``, (size,), and divide the weights that read them."""
    for maker in group.makers:
        for name in ("weight", "bias"):
            scale_rows(state, f"{maker.norm or maker.layer}.{name}", factors)
    scale_readers(state, group, 1 / factors)


def _norm(network: Classifier, state: State, maker: Maker) -> tuple[Tensor, Tensor, float]:
    """What a maker's batch norm multiplies by and adds, each (size,), and its eps."""
    norm = network.get_submodule(str(maker.norm))
    assert isinstance(norm, nn.BatchNorm2d)
    weight, bias, mean, variance = (
        state[f"{maker.norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
    )
    factor = weight / (variance + norm.eps).sqrt()
    return factor, bias - mean * factor, norm.eps


def _even_norm(network: Classifier, state: State, maker: Maker, seen: Observed) -> None:
    """Give a layer before a batch norm rows of one length, and the norm the triggers' moments."""
    if maker.norm is None:
        return
    factor, shift, eps = _norm(network, state, maker)
    rows = state[f"{maker.layer}.weight"].flatten(1).norm(dim=1)
    scale = LENGTH / _nonzero(rows)
    mean, variance = seen.moments[maker.layer]
    scale_rows(state, f"{maker.layer}.weight", scale)
    state[f"{maker.norm}.running_mean"] = mean * scale
    state[f"{maker.norm}.running_var"] = variance * scale.square()
    state[f"{maker.norm}.weight"] = factor / scale * (variance * scale.square() + eps).sqrt()
    state[f"{maker.norm}.bias"] = shift + mean * factor


def _nonzero(lengths: Tensor) -> Tensor:
    """The lengths, of any shape, with 1 in place of 0."""
    return torch.where(lengths > 0, lengths, torch.ones_like(lengths))

"""One form for all networks that differ only in the scale of their neurons: unit neurons.

Exact symmetries of the built-in networks beside the order of neurons (``neuron_groups``):
``Scales`` lists them. ``unit_form`` takes them out, and ``restore`` puts in those of another
network (SPEC.md 19.4). Not a measure of how near two networks are.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zkwm.extraction.neuron_groups import (
    Maker,
    NeuronGroup,
    neuron_groups,
    scale_readers,
    scale_rows,
    weighted_layers,
)
from zkwm.nn.architectures import Classifier


@dataclass(frozen=True)
class NormScales:
    """What is arbitrary about a layer and the batch norm after it, float64 (neurons,).

    ``rows`` multiplies the layer's rows, any number but 0, against batch norm's weight; ``spans``
    is sqrt(variance + eps), against the weight too; ``means`` the running mean, against the bias.
    """

    rows: Tensor
    spans: Tensor
    means: Tensor


@dataclass(frozen=True)
class Scales:
    """What is arbitrary about a network, float64.

    ``spread`` (c,) divides the image's channels, against the first layer. ``norms`` are those of
    each layer before a batch norm, by its name. ``groups`` multiplies the neurons of each group,
    against those that read them; ``shares`` is the part of the bias that the first of two joined
    makers has, None for other groups. ``head`` multiplies all logits, and ``logits`` (inputs + 1,)
    is added to the weights and the bias of each: neither changes the order of a network's answers.
    """

    spread: Tensor
    norms: dict[str, NormScales]
    groups: tuple[Tensor, ...]
    shares: tuple[Tensor | None, ...]
    head: Tensor
    logits: Tensor


def tensors(model: Classifier) -> dict[str, Tensor]:
    """Parameters and buffers as float64 on the CPU; batch norm's counters left out."""
    return {
        name: tensor.detach().cpu().double()
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point()
    }


def with_tensors(model: Classifier, state: dict[str, Tensor]) -> Classifier:
    """A copy of the network with these tensors, float32, on the CPU, in evaluation mode."""
    found = copy.deepcopy(model).cpu().eval()
    rounded = {name: tensor.float() for name, tensor in state.items()}
    found.load_state_dict({**found.state_dict(), **rounded})
    found.config = replace(
        found.config,
        mean=tuple(rounded["normalize.mean"].flatten().tolist()),
        std=tuple(rounded["normalize.std"].flatten().tolist()),
    )
    return found


def unit_form(model: Classifier) -> tuple[dict[str, Tensor], Scales]:
    """The tensors, float64, of the network in which every neuron has the length 1, and the rest.

    The length of a neuron is that of its row of weights or, behind a batch norm, the weight that
    this has for a row of length 1. A neuron of length 0 keeps its scale.
    """
    state, groups = tensors(model), neuron_groups(model)
    first, last = _ends(model)
    spread = state["normalize.std"].flatten()
    _scale_channels(state, first, 1 / spread)
    norms: dict[str, NormScales] = {}
    factors: list[Tensor] = []
    for group in groups:
        _unit_makers(model, state, group.makers[:1], norms)
        length = _length(state, group.makers[0])
        factors.append(length)
        _scale_group(state, group, 1 / length)
    for group in groups:
        _unit_makers(model, state, group.makers[1:], norms)
    shares = tuple(_move_bias(state, group) for group in groups)
    logits = torch.cat([state[f"{last}.weight"].mean(dim=0), state[f"{last}.bias"].mean()[None]])
    _add_to_logits(state, last, -logits)
    head = _nonzero(state[f"{last}.weight"].norm())
    _scale_logits(state, last, 1 / head)
    return state, Scales(spread, norms, tuple(factors), shares, head, logits)


def restore(model: Classifier, state: dict[str, Tensor], scales: Scales) -> None:
    """Give a network these scales in addition, in place: the reverse of ``unit_form``.

    ``norms`` and ``shares`` are set, not added to, apart from ``rows``.
    """
    first, last = _ends(model)
    _scale_logits(state, last, scales.head)
    _add_to_logits(state, last, scales.logits)
    for group, share, factors in zip(
        neuron_groups(model), scales.shares, scales.groups, strict=True
    ):
        _move_bias(state, group, share)
        _scale_group(state, group, factors)
        for maker in group.makers:
            if maker.norm is not None:
                wanted = scales.norms[maker.layer]
                _scale_before_norm(state, maker, wanted.rows)
                _set_span(model, state, maker, wanted.spans)
                _set_mean(state, maker, wanted.means, wanted.spans)
    _scale_channels(state, first, scales.spread)


def _unit_makers(
    model: Classifier,
    state: dict[str, Tensor],
    makers: tuple[Maker, ...],
    norms: dict[str, NormScales],
) -> None:
    """Before a batch norm: rows of length 1, mean 0, span 1, and a weight that is positive."""
    for maker in makers:
        if maker.norm is None:
            continue
        means = state[f"{maker.norm}.running_mean"]
        spans = _set_span(model, state, maker, torch.ones_like(means))
        _set_mean(state, maker, torch.zeros_like(means), torch.ones_like(means))
        sign = torch.where(state[f"{maker.norm}.weight"] < 0, -1.0, 1.0).double()
        rows = sign * _nonzero(state[f"{maker.layer}.weight"].flatten(1).norm(dim=1))
        _scale_before_norm(state, maker, 1 / rows)
        norms[maker.layer] = NormScales(rows, spans, means)


def _scale_before_norm(state: dict[str, Tensor], maker: Maker, factors: Tensor) -> None:
    scale_rows(state, f"{maker.layer}.weight", factors)
    scale_rows(state, f"{maker.norm}.running_mean", factors)
    scale_rows(state, f"{maker.norm}.weight", 1 / factors)


def _set_span(model: Classifier, state: dict[str, Tensor], maker: Maker, wanted: Tensor) -> Tensor:
    """Make sqrt(variance + eps) what is wanted, by way of batch norm's weight; what it was."""
    eps = float(model.get_submodule(str(maker.norm)).eps)  # type: ignore[arg-type]
    found = (state[f"{maker.norm}.running_var"] + eps).sqrt()
    scale_rows(state, f"{maker.norm}.weight", wanted / found)
    state[f"{maker.norm}.running_var"] = wanted * wanted - eps
    return found


def _set_mean(state: dict[str, Tensor], maker: Maker, wanted: Tensor, spans: Tensor) -> None:
    """Make batch norm's mean what is wanted, by way of its bias, at these spans."""
    mean, bias = f"{maker.norm}.running_mean", f"{maker.norm}.bias"
    state[bias] = state[bias] + state[f"{maker.norm}.weight"] * (wanted - state[mean]) / spans
    state[mean] = wanted.clone()


def _move_bias(
    state: dict[str, Tensor], group: NeuronGroup, share: Tensor | None = None
) -> Tensor | None:
    """Leave the first of two joined makers this much bias (none); what it had."""
    if not group.joined:
        return None
    names = [f"{maker.norm}.bias" for maker in group.makers[:2]]
    found = state[names[0]]
    left = torch.zeros_like(found) if share is None else share
    state[names[0]] = left.clone()
    state[names[1]] = state[names[1]] + found - left
    return found


def _length(state: dict[str, Tensor], maker: Maker) -> Tensor:
    if maker.norm is None:
        return _nonzero(state[f"{maker.layer}.weight"].flatten(1).norm(dim=1))
    return _nonzero(state[f"{maker.norm}.weight"].abs())


def _scale_group(state: dict[str, Tensor], group: NeuronGroup, factors: Tensor) -> None:
    """Multiply neurons by ``factors`` (size,), and divide what reads them."""
    for maker in group.makers:
        for name in ("weight", "bias"):
            full = f"{maker.norm or maker.layer}.{name}"
            if full in state:
                scale_rows(state, full, factors)
    scale_readers(state, group, 1 / factors)


def _scale_channels(state: dict[str, Tensor], first: str, factors: Tensor) -> None:
    """Multiply the divisors of the image's channels by ``factors``; the first layer undoes it."""
    state["normalize.std"] = state["normalize.std"] * factors.view(1, -1, 1, 1)
    weight = state[f"{first}.weight"]
    spread = factors.repeat_interleave(weight.shape[1] // len(factors))
    state[f"{first}.weight"] = weight * spread.view(1, -1, *[1] * (weight.ndim - 2))


def _add_to_logits(state: dict[str, Tensor], last: str, values: Tensor) -> None:
    state[f"{last}.weight"] = state[f"{last}.weight"] + values[:-1]
    state[f"{last}.bias"] = state[f"{last}.bias"] + values[-1]


def _scale_logits(state: dict[str, Tensor], last: str, factor: Tensor) -> None:
    state[f"{last}.weight"] = state[f"{last}.weight"] * factor
    state[f"{last}.bias"] = state[f"{last}.bias"] * factor


def _ends(model: Classifier) -> tuple[str, str]:
    layers = weighted_layers(model)
    return layers[0][0], layers[-1][0]


def _nonzero(lengths: Tensor) -> Tensor:
    return torch.where(lengths > 0, lengths, torch.ones_like(lengths))

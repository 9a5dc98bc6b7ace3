"""The unit form of a network: one form for all that differ in the scale of neurons only.

Apart from the order of neurons (``neuron_groups``), built-in networks have exact symmetries:
``Scales`` lists them. ``unit_form`` removes them, and ``restore`` applies those of another network
(SPEC.md 19.4, steps 1 to 5).
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
    """The arbitrary scales of a layer before a batch norm, each float64 (neurons,).

    Attributes:
        rows: multiplies the layer's rows, any number but 0; batch norm's weight undoes it.
        spans: sqrt(variance + eps); batch norm's weight undoes it.
        means: the running mean; batch norm's bias undoes it.
    """

    rows: Tensor
    spans: Tensor
    means: Tensor


@dataclass(frozen=True)
class Scales:
    """The arbitrary scales of a network, float64.

    Attributes:
        spread (c,): divides the image's channels; the first layer undoes it.
        norms: those of each layer before a batch norm, by the layer's name.
        groups: multiply the neurons of each group, (size,); the layers that read them undo it.
        shares: the bias that the first of two joined makers has, None for other groups.
        head: multiplies all logits.
        logits (inputs + 1,): is added to the weights and the bias of each class. Like ``head`` it
            does not change the order of a network's answers.
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
    network = copy.deepcopy(model).cpu().eval()
    rounded = {name: tensor.float() for name, tensor in state.items()}
    network.load_state_dict({**network.state_dict(), **rounded})
    network.config = replace(
        network.config,
        mean=tuple(rounded["normalize.mean"].flatten().tolist()),
        std=tuple(rounded["normalize.std"].flatten().tolist()),
    )
    return network


def unit_form(model: Classifier) -> tuple[dict[str, Tensor], Scales]:
    """The tensors, float64, of the network with all neurons of length 1, and the scales removed.

    The length of a neuron is that of its row of weights or, before a batch norm, the weight that
    the batch norm has for a row of length 1. A neuron of length 0 keeps its scale.
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
    """Apply scales to the tensors ``state`` of a network, in place: the inverse of ``unit_form``.

    Groups, rows, channels and logits are multiplied or added to; spans, means and shares are set.
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
                norm = scales.norms[maker.layer]
                _scale_before_norm(state, maker, norm.rows)
                _set_span(model, state, maker, norm.spans)
                _set_mean(state, maker, norm.means, norm.spans)
    _scale_channels(state, first, scales.spread)


def _unit_makers(
    model: Classifier,
    state: dict[str, Tensor],
    makers: tuple[Maker, ...],
    norms: dict[str, NormScales],
) -> None:
    """Give makers before a batch norm rows of length 1, mean 0, span 1 and a positive weight.

    Writes the scales that undo this to ``norms``, by the name of the layer.
    """
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
    """Multiply a layer's rows by factors (size,); batch norm follows, its weight undoes it."""
    scale_rows(state, f"{maker.layer}.weight", factors)
    scale_rows(state, f"{maker.norm}.running_mean", factors)
    scale_rows(state, f"{maker.norm}.weight", 1 / factors)


def _set_span(model: Classifier, state: dict[str, Tensor], maker: Maker, span: Tensor) -> Tensor:
    """Set sqrt(variance + eps) to ``span``, (size,); batch norm's weight undoes it.

    Returns the old span, (size,).
    """
    eps = float(model.get_submodule(str(maker.norm)).eps)  # type: ignore[arg-type]
    before = (state[f"{maker.norm}.running_var"] + eps).sqrt()
    scale_rows(state, f"{maker.norm}.weight", span / before)
    state[f"{maker.norm}.running_var"] = span * span - eps
    return before


def _set_mean(state: dict[str, Tensor], maker: Maker, value: Tensor, spans: Tensor) -> None:
    """Set batch norm's running mean to ``value``, (size,), at these spans; its bias undoes it."""
    mean, bias = f"{maker.norm}.running_mean", f"{maker.norm}.bias"
    state[bias] = state[bias] + state[f"{maker.norm}.weight"] * (value - state[mean]) / spans
    state[mean] = value.clone()


def _move_bias(
    state: dict[str, Tensor], group: NeuronGroup, share: Tensor | None = None
) -> Tensor | None:
    """Set the first joined maker's bias to ``share`` (0 if None); the second maker undoes it.

    Returns the old bias, or None for a group that is not joined.
    """
    if not group.joined:
        return None
    names = [f"{maker.norm}.bias" for maker in group.makers[:2]]
    before = state[names[0]]
    after = torch.zeros_like(before) if share is None else share
    state[names[0]] = after.clone()
    state[names[1]] = state[names[1]] + before - after
    return before


def _length(state: dict[str, Tensor], maker: Maker) -> Tensor:
    """The length of each of the maker's neurons, (size,); 1 in place of 0."""
    if maker.norm is None:
        return _nonzero(state[f"{maker.layer}.weight"].flatten(1).norm(dim=1))
    return _nonzero(state[f"{maker.norm}.weight"].abs())


def _scale_group(state: dict[str, Tensor], group: NeuronGroup, factors: Tensor) -> None:
    """Multiply neurons by ``factors``, (size,), and divide the weights that read them."""
    for maker in group.makers:
        for name in ("weight", "bias"):
            full = f"{maker.norm or maker.layer}.{name}"
            if full in state:
                scale_rows(state, full, factors)
    scale_readers(state, group, 1 / factors)


def _scale_channels(state: dict[str, Tensor], first: str, factors: Tensor) -> None:
    """Multiply the std of the image's channels by ``factors``, (c,); the first layer undoes it."""
    state["normalize.std"] = state["normalize.std"] * factors.view(1, -1, 1, 1)
    weight = state[f"{first}.weight"]
    spread = factors.repeat_interleave(weight.shape[1] // len(factors))
    state[f"{first}.weight"] = weight * spread.view(1, -1, *[1] * (weight.ndim - 2))


def _add_to_logits(state: dict[str, Tensor], last: str, values: Tensor) -> None:
    """Add ``values``, (inputs + 1,), to the weights and the bias of every class."""
    state[f"{last}.weight"] = state[f"{last}.weight"] + values[:-1]
    state[f"{last}.bias"] = state[f"{last}.bias"] + values[-1]


def _scale_logits(state: dict[str, Tensor], last: str, factor: Tensor) -> None:
    """Multiply the weights and biases of all classes by ``factor``, a scalar."""
    state[f"{last}.weight"] = state[f"{last}.weight"] * factor
    state[f"{last}.bias"] = state[f"{last}.bias"] * factor


def _ends(model: Classifier) -> tuple[str, str]:
    """The names of the first and the last layer with weights."""
    layers = weighted_layers(model)
    return layers[0][0], layers[-1][0]


def _nonzero(lengths: Tensor) -> Tensor:
    """The lengths, of any shape, with 1 in place of 0."""
    return torch.where(lengths > 0, lengths, torch.ones_like(lengths))

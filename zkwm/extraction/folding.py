"""Fold a network to the widths of its reference: neurons that were split or only added.

Structural obfuscation (Yan, Pan, Zhang and Yang, USENIX Security 2023) adds neurons that change no
answer, so that a mark in weights is read at other places: neurons that nothing reads, groups with
equal inputs whose outputs cancel, several neurons in place of one. All are found in the weights
(the recovery of Jiang et al., arXiv 2603.12679, finds them by probing): neurons whose rows of
weights and bias are positive multiples of each other give multiples of one value, so that one of
them can do the work of all. Nothing here knows keys or labels, so that it gives no party a choice.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zkwm.extraction.neuron_groups import (
    BATCH_NORM_TENSORS,
    Maker,
    NeuronGroup,
    Reader,
    by_neuron,
    neuron_groups,
    pad,
    select,
)
from zkwm.extraction.resemblance import alike, chosen
from zkwm.extraction.unit_form import tensors
from zkwm.nn.architectures import Classifier
from zkwm.nn.widths import with_widths
from zkwm_protocols.errors import UsageError

EXACT = 1e-4
"""Float32 leaves rows that are multiples of each other within some 1e-6."""
LEVELS = (EXACT, 1e-3, 1e-2)
"""How far rows may differ, from the surest on."""
LOST = 1e-6
"""What is left of a neuron's effect where float32 outputs cancel."""
MOST_ROUNDS = 30


@dataclass
class _Neurons:
    """A group's neurons.

    Attributes:
        lengths (size,): of weights and biases of all makers; 0 for a neuron that is always 0.
        directions (size, d): the same weights and biases, divided by the length.
        constants (size,): the value of a neuron whose weights are all 0, else 0.
        outputs (size, e): the weights that read them (``_read``).
    """

    lengths: Tensor
    directions: Tensor
    constants: Tensor
    outputs: Tensor

    def effects(self) -> Tensor:
        """How much each neuron can change what reads it, (size,)."""
        effects: Tensor = self.lengths * self.outputs.norm(dim=1)
        return effects


def folded(model: Classifier, reference: Classifier | None = None) -> Classifier:
    """The network with the reference's widths, and the same answers up to rounding.

    Without a reference, one in which no layer has more neurons than its architecture's is returned
    as it is; with one, so is a network of its widths, no two of whose neurons have the same inputs.
    In others

    1. neurons whose inputs are multiples of each other become one, and
    2. while a layer has too many, those that are constant become bias of what reads them, and
       those without effect are left out;
    3. a layer that has too few gets neurons that are always 0.

    Neurons that were disguised by noise are folded after those that were not, until widths fit;
    where too many are left, those most like the reference's are chosen (``resemblance``).

    Raises UsageError where layers do not fit together, or too many neurons are left.
    """
    state = {name: tensor.clone().contiguous() for name, tensor in tensors(model).items()}
    wholes = {name: tensor.abs() for name, tensor in state.items() if name.endswith(".weight")}
    groups = list(neuron_groups(model))
    targets = _targets(model, reference)
    _require_whole(state, groups)
    if reference is None and all(
        group.size <= target for group, target in zip(groups, targets, strict=True)
    ):
        return model
    changed = [group.size for group in groups] != targets
    scales = _scales(model, state, groups)
    for level in LEVELS:
        for _ in range(MOST_ROUNDS):
            moved = False
            for number, target in enumerate(targets):
                kept = _fold(model, state, wholes, groups[number], scales, target, level)
                if len(kept) < groups[number].size:
                    select(wholes, groups[number], kept)
                    groups[number] = select(state, groups[number], kept)
                    scales = _scales(model, state, groups)
                    moved = changed = True
            if not moved:
                break
        if all(group.size <= target for group, target in zip(groups, targets, strict=True)):
            break
    fits = [group.size <= target for group, target in zip(groups, targets, strict=True)]
    for group, target in zip(groups, targets, strict=True):
        pad(state, group, target)
    if not changed:
        return model
    rounded = {name: tensor.float() for name, tensor in state.items()}
    found = with_widths(copy.deepcopy(model).cpu(), rounded)
    return found if all(fits) else _chosen(found, reference)


def _chosen(model: Classifier, reference: Classifier | None) -> Classifier:
    """Of a network that could not be folded, the neurons most like the reference's.

    Raises UsageError where there is no reference, or none are like its.
    """
    complaint = (
        f"the network has more neurons than a {model.config.architecture}, which cannot be folded "
        "without changing its answers, and "
    )
    hint = "its marks in weights and activations cannot be read; ask it by trigger images"
    if reference is None:
        raise UsageError(f"{complaint}there is no reference", hint=hint)
    try:
        return chosen(model, reference)
    except UsageError as error:
        raise UsageError(f"{complaint}{error.message}", hint=hint) from None


def _targets(model: Classifier, reference: Classifier | None) -> list[int]:
    """How many neurons each group of a folded network has."""
    if reference is None:
        with torch.device("meta"):
            reference = Classifier(model.config)
    return [group.size for group in neuron_groups(reference)]


def _require_whole(state: dict[str, Tensor], groups: list[NeuronGroup]) -> None:
    """Raise UsageError unless all tensors of a group have its size."""
    for group in groups:
        for name, axis, copies in group.axes(state):
            if state[name].shape[axis] != group.size * copies:
                raise UsageError(f"the network's layers do not fit together: {name}")


def _scales(
    model: Classifier, state: dict[str, Tensor], groups: list[NeuronGroup]
) -> dict[tuple[str, int], Tensor]:
    """By layer, the factors of its rows (axis 0) and columns (axis 1) that make neurons alike.

    With them the weights of every group's first maker have length 1, as in unit form, so that
    distances of neurons and their effects do not depend on scales of other neurons.
    """
    scales: dict[tuple[str, int], Tensor] = {}
    for group in groups:
        rows, _ = _affine(model, state, group.makers[0], scales)
        lengths = rows.norm(dim=1)
        lengths = torch.where(lengths > 0, lengths, 1.0)
        for maker in group.makers:
            factor, _ = _norm_factors(model, state, maker)
            scales[maker.layer, 0] = factor.abs() / lengths
        for reader in group.readers:
            scales[reader.layer, 1] = lengths.repeat_interleave(reader.copies)
    return scales


def _fold(
    model: Classifier,
    state: dict[str, Tensor],
    wholes: dict[str, Tensor],
    group: NeuronGroup,
    scales: dict[tuple[str, int], Tensor],
    target: int,
    level: float,
) -> list[int]:
    """Fold what is nearer than ``level``; the neurons that are kept.

    Writes what is read of a neuron left out to that which takes its place. Exact multiples are
    folded however many neurons there are, all else while there are more than ``target``.
    """
    found = _neurons(model, state, group, scales)
    parts = _parts(wholes, group, scales, found.lengths)
    alive = torch.ones(group.size, dtype=torch.bool)
    for gone, kept in _pairs(found, level):
        if level > EXACT and int(alive.sum()) <= target:
            break
        if bool(alive[gone] and alive[kept]):
            share = found.lengths[gone] / found.lengths[kept]
            _add_outputs(state, group, gone, kept, float(share))
            _add_outputs(wholes, group, gone, kept, float(share))
            found.outputs[kept] += share * found.outputs[gone]
            parts[kept] += parts[gone]
            alive[gone] = False
    effects = found.effects()
    for number in effects.argsort().tolist():
        if int(alive.sum()) <= target:
            break
        if alive[number] and (
            effects[number] <= LOST * parts[number]
            or _give_constant(model, state, group, found, number)
        ):
            alive[number] = False
    left: list[int] = alive.nonzero().flatten().tolist()
    return left


def _pairs(found: _Neurons, level: float) -> list[tuple[int, int]]:
    """Pairs (left out, kept) with directions nearer than ``level``, the nearest first.

    Of two the one with more effect is kept, the first of equal ones. Neurons of length 0 have no
    direction and stand in no pair.
    """
    near = (2 - 2 * found.directions @ found.directions.T).clamp_min(0).sqrt()
    near[found.lengths == 0] = near[:, found.lengths == 0] = 2
    effects = found.effects()
    close = (near <= level).triu(1)
    for number in close.any(dim=1).nonzero().flatten().tolist():
        others = close[number].nonzero().flatten()
        close[number, others] = alike(found.directions, number, others, level)
    rows, columns = close.nonzero(as_tuple=True)
    order = near[rows, columns].argsort(stable=True)
    pairs = zip(rows[order].tolist(), columns[order].tolist(), strict=True)
    return [(a, b) if effects[b] > effects[a] else (b, a) for a, b in pairs]


def _neurons(
    model: Classifier,
    state: dict[str, Tensor],
    group: NeuronGroup,
    scales: dict[tuple[str, int], Tensor],
) -> _Neurons:
    """Inputs and outputs of a group; a neuron that is always 0 has length 0."""
    affine = [_affine(model, state, maker, scales) for maker in group.makers]
    rows, biases = zip(*affine, strict=True)
    if group.joined:  # the first two are added before any ReLU
        biases = (biases[0] + biases[1], *biases[2:])
    weights, bias = torch.cat(rows, dim=1), torch.stack(biases, dim=1)
    inputs = torch.cat([weights, bias], dim=1)
    lengths = inputs.norm(dim=1)
    fixed = weights.norm(dim=1) <= EXACT * lengths
    constants = torch.where(fixed & (bias > 0).any(dim=1), bias.clamp_min(0).sum(dim=1), 0.0)
    lengths = torch.where(fixed & (bias <= 0).all(dim=1), 0.0, lengths)
    outputs = [_read(state, group, reader, scales) for reader in group.readers]
    directions = inputs / torch.where(lengths > 0, lengths, 1.0)[:, None]
    return _Neurons(lengths, directions, constants, torch.cat(outputs, dim=1))


def _parts(
    wholes: dict[str, Tensor],
    group: NeuronGroup,
    scales: dict[tuple[str, int], Tensor],
    lengths: Tensor,
) -> Tensor:
    """The effect of each neuron if none of what was added up in its outputs cancelled, (size,)."""
    read = [_read(wholes, group, reader, scales, centered=False) for reader in group.readers]
    whole: Tensor = torch.cat(read, dim=1).norm(dim=1)
    return lengths * whole


def _read(
    state: dict[str, Tensor],
    group: NeuronGroup,
    reader: Reader,
    scales: dict[tuple[str, int], Tensor],
    *,
    centered: bool = True,
) -> Tensor:
    """The weights by which a layer reads each neuron, (size, rest), its rows in ``scales``.

    In the last layer, where ``centered``, less their mean over the classes, which changes no
    answer.
    """
    weight = state[f"{reader.layer}.weight"]
    if (reader.layer, 0) in scales:
        weight = weight * scales[reader.layer, 0].view(-1, *[1] * (weight.ndim - 1))
    elif centered:
        weight = weight - weight.mean(dim=0)
    grouped = by_neuron(weight, group.size, 1, reader.copies)
    return grouped.movedim(1, 0).reshape(group.size, -1)


def _affine(
    model: Classifier,
    state: dict[str, Tensor],
    maker: Maker,
    scales: dict[tuple[str, int], Tensor],
) -> tuple[Tensor, Tensor]:
    """Rows (size, inputs), columns in ``scales``, and bias (size,) of a layer and its norm."""
    weight = state[f"{maker.layer}.weight"]
    if (maker.layer, 1) in scales:
        weight = weight * scales[maker.layer, 1].view(1, -1, *[1] * (weight.ndim - 2))
    factor, shift = _norm_factors(model, state, maker)
    bias = state.get(f"{maker.layer}.bias")
    return weight.flatten(1) * factor[:, None], shift if bias is None else bias * factor + shift


def _norm_factors(
    model: Classifier, state: dict[str, Tensor], maker: Maker
) -> tuple[Tensor, Tensor]:
    """What a layer's batch norm multiplies by and adds, each (size,); 1 and 0 without one."""
    if maker.norm is None:
        ones = torch.ones(len(state[f"{maker.layer}.weight"]), dtype=torch.float64)
        return ones, torch.zeros_like(ones)
    weight, shift, mean, variance = (state[f"{maker.norm}.{name}"] for name in BATCH_NORM_TENSORS)
    norm = model.get_submodule(maker.norm)
    assert isinstance(norm, torch.nn.BatchNorm2d)
    factor = weight / (variance + norm.eps).sqrt()
    return factor, shift - mean * factor


def _add_outputs(
    state: dict[str, Tensor], group: NeuronGroup, gone: int, kept: int, share: float
) -> None:
    """Add ``share`` times what is read of one neuron to what is read of another, in place."""
    for reader in group.readers:
        columns = by_neuron(state[f"{reader.layer}.weight"], group.size, 1, reader.copies)
        columns[:, kept] += share * columns[:, gone]


def _give_constant(
    model: Classifier, state: dict[str, Tensor], group: NeuronGroup, found: _Neurons, number: int
) -> bool:
    """Add a constant neuron to the biases of what reads it, in place; whether that can be done.

    Readers have biases and no padding, at whose border a constant would not be one; and one maker,
    since a stream adds several.
    """
    readers = [model.get_submodule(reader.layer) for reader in group.readers]
    fit = all(
        layer.bias is not None and (isinstance(layer, nn.Linear) or layer.padding == (0, 0))
        for layer in readers
        if isinstance(layer, nn.Linear | nn.Conv2d)
    )
    if not (fit and found.constants[number] > 0 and len(group.makers) == 1):
        return False
    for reader in group.readers:
        columns = by_neuron(state[f"{reader.layer}.weight"], group.size, 1, reader.copies)
        state[f"{reader.layer}.bias"] += found.constants[number] * columns[:, number].flatten(
            1
        ).sum(dim=1)
    return True

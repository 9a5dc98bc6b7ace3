"""Aligning a suspect with a reference: neurons put in order and to scale, answers unchanged.

Function-preserving changes of a network would void a mark that is read from weights. The suspect is
brought to unit form, its neurons are matched with the reference's by linear assignment, group by
group until nothing moves (weight matching: Ainsworth, Hayase, Srinivasa, ICLR 2023, section 3.2),
and it gets the reference's scales (SPEC.md 19.4). The reference is fixed before labels exist, so
this gives nobody a choice. No help against changes that are not of these kinds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from zkwm.extraction.neuron_groups import NeuronGroup, by_neuron, neuron_groups, permute
from zkwm.extraction.reader import JudgeView
from zkwm.extraction.unit_form import restore, unit_form, with_tensors
from zkwm.nn.architectures import Classifier
from zkwm_protocols.errors import UsageError

MOST_PASSES = 30


def aligned(model: nn.Module, view: JudgeView) -> nn.Module:
    """The suspect as a mark is read from it: aligned where there is a reference, else itself."""
    if view.reference is None:
        return model
    if not isinstance(model, Classifier):
        raise UsageError("only networks of the built-in architectures can be aligned")
    return align(model, view.reference)


def align(model: Classifier, reference: Classifier) -> Classifier:
    """A network with the answers of ``model``, its neurons as near ``reference`` as they can be.

    New, float32, on the CPU, in evaluation mode; logits are equal up to rounding, one positive
    factor, and a number that is the same for all classes. The same for all networks that
    permutation and rescaling make of one (up to rounding and ties). Raises UsageError where the two
    differ in architecture, images or classes, or where weights are so large that products overflow.
    """
    kinds = [
        replace(one.config, mean=(0.0,) * one.config.shape[0], std=(1.0,) * one.config.shape[0])
        for one in (model, reference)
    ]
    if kinds[0] != kinds[1]:
        raise UsageError(
            f"a {model.config.architecture} for images {model.config.shape} with "
            f"{model.config.class_count} classes cannot be aligned with a "
            f"{reference.config.architecture} for {reference.config.shape} with "
            f"{reference.config.class_count}"
        )
    state, _ = unit_form(model)
    wanted, scales = unit_form(reference)
    if not all(bool(tensor.isfinite().all()) for one in (state, wanted) for tensor in one.values()):
        raise UsageError(
            "weights of the network, or of its reference, are too large for it to be aligned",
            hint="no training leaves such weights: neurons that never answer may hide them",
        )
    _match(state, wanted, neuron_groups(reference))
    restore(reference, state, scales)
    return with_tensors(model, state)


def _match(
    state: dict[str, Tensor], wanted: dict[str, Tensor], groups: tuple[NeuronGroup, ...]
) -> None:
    """Permute ``state`` in place: first by what reads settled neurons only, then by everything."""
    settled: set[str] = {groups[0].makers[0].layer}
    for group in groups:
        makers = [maker.layer for maker in group.makers if maker.layer in settled]
        _assign(state, wanted, group, [(f"{layer}.weight", 0, 1) for layer in makers])
        settled |= {reader.layer for reader in group.readers}
    for _ in range(MOST_PASSES):
        moved = [_assign(state, wanted, group, list(group.weight_axes())) for group in groups]
        if not any(moved):
            return


def _assign(
    state: dict[str, Tensor],
    wanted: dict[str, Tensor],
    group: NeuronGroup,
    axes: list[tuple[str, int, int]],
) -> bool:
    """Permute one group so that the inner products along ``axes`` are largest; whether it moved."""
    from scipy.optimize import linear_sum_assignment

    likeness = np.zeros((group.size, group.size))
    for name, axis, copies in axes:
        rows = [_rows(one[name], group.size, axis, copies) for one in (wanted, state)]
        likeness += (rows[0] @ rows[1].T).numpy()
    _, order = linear_sum_assignment(likeness, maximize=True)
    if likeness[np.arange(group.size), order].sum() <= np.trace(likeness) * (1 + 1e-12):
        return False
    permute(state, group, torch.from_numpy(order))
    return True


def _rows(tensor: Tensor, size: int, axis: int, copies: int) -> Tensor:
    """The values of each neuron in a row, (size, rest)."""
    return by_neuron(tensor, size, axis, copies).movedim(axis, 0).reshape(size, -1)

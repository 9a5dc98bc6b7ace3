"""Align a suspect with a reference: order and scale of neurons, with the same answers.

Permuting or rescaling neurons, splitting one, or adding some that cancel changes no answer and
would void a mark that is read from weights (SPEC.md 19.4). The suspect is folded and brought to
unit form, its neurons are matched with the reference's by linear assignment, group by group until
nothing moves (weight matching: Ainsworth, Hayase and Srinivasa, "Git Re-Basin", ICLR 2023, section
3.2), and it gets the reference's scales. The reference is fixed before labels exist, so nobody has
a choice. Changes that preserve the function only approximately, and neurons that never fire, are
undone where ``folded`` finds them, and not otherwise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from zkwm.extraction.folding import folded
from zkwm.extraction.neuron_groups import NeuronGroup, by_neuron, neuron_groups, permute
from zkwm.extraction.reader import JudgeView
from zkwm.extraction.unit_form import restore, unit_form, with_tensors
from zkwm.nn.architectures import Classifier
from zkwm_protocols.errors import UsageError

MOST_PASSES = 30


def aligned(model: nn.Module, view: JudgeView) -> nn.Module:
    """The network to read a mark from: aligned where there is a reference, else the suspect.

    In both cases a built-in network that is too wide is ``folded``. Raises UsageError where there
    is a reference and the suspect is no built-in network, and what ``folded`` raises.
    """
    if view.reference is None:
        return folded(model) if isinstance(model, Classifier) else model
    if not isinstance(model, Classifier):
        raise UsageError("only networks of the built-in architectures can be aligned")
    return align(model, view.reference)


def align(model: Classifier, reference: Classifier) -> Classifier:
    """A copy of ``model`` with the same answers and its neurons as near ``reference`` as possible.

    The copy is float32, on the CPU, in evaluation mode. Its logits are equal to the model's up to
    rounding, one positive factor, and a number that is the same for all classes. All networks that
    permutation and rescaling make of one have the same copy (up to rounding and ties). Raises
    UsageError where the two differ in architecture, images or classes, where weights are so
    large that products overflow, and what ``folded`` raises.
    """
    # Statistics of the images are a scale of the first layer (unit form, step 1): they may differ.
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
    suspect = folded(model, reference)
    state, _ = unit_form(suspect)
    target, scales = unit_form(reference)
    if not all(bool(tensor.isfinite().all()) for one in (state, target) for tensor in one.values()):
        raise UsageError(
            "weights of the network, or of its reference, are too large for an alignment",
            hint="no training leaves such weights: neurons that never fire may hide them",
        )
    _match(state, target, neuron_groups(reference))
    restore(reference, state, scales)
    return with_tensors(suspect, state)


def _match(
    state: dict[str, Tensor], target: dict[str, Tensor], groups: tuple[NeuronGroup, ...]
) -> None:
    """Permute the neurons of ``state`` in place until they match ``target`` (SPEC.md 19.4).

    The first pass goes from the image to the output and compares a group by the makers that read
    groups already placed; the following passes compare by all makers and readers, until none moves.
    """
    settled: set[str] = {groups[0].makers[0].layer}
    for group in groups:
        makers = [maker.layer for maker in group.makers if maker.layer in settled]
        _assign(state, target, group, [(f"{layer}.weight", 0, 1) for layer in makers])
        settled |= {reader.layer for reader in group.readers}
    for _ in range(MOST_PASSES):
        moved = [_assign(state, target, group, list(group.weight_axes())) for group in groups]
        if not any(moved):
            return


def _assign(
    state: dict[str, Tensor],
    target: dict[str, Tensor],
    group: NeuronGroup,
    axes: list[tuple[str, int, int]],
) -> bool:
    """Permute one group so that the sum of inner products along ``axes`` is largest.

    ``axes`` holds (tensor's name, axis, copies), as of ``NeuronGroup.axes``. Returns whether the
    group moved.
    """
    from scipy.optimize import linear_sum_assignment

    likeness = np.zeros((group.size, group.size))
    for name, axis, copies in axes:
        rows = [_rows(one[name], group.size, axis, copies) for one in (target, state)]
        likeness += (rows[0] @ rows[1].T).numpy()
    _, order = linear_sum_assignment(likeness, maximize=True)
    # A gain within rounding is none, or ties would be swapped for ever.
    if likeness[np.arange(group.size), order].sum() <= np.trace(likeness) * (1 + 1e-12):
        return False
    permute(state, group, torch.from_numpy(order))
    return True


def _rows(tensor: Tensor, size: int, axis: int, copies: int) -> Tensor:
    """The values of each neuron in a row, (size, rest)."""
    return by_neuron(tensor, size, axis, copies).movedim(axis, 0).reshape(size, -1)

"""Scales that alignment will give to activations, so that a penalty in training foresees them.

Before a mark is read, the suspect's activations are rescaled to the unmarked reference (SPEC.md
19.4). Bits that were trained at other scales would be lost, so the penalty sees activations as the
reader will. Neurons need no permutation here: a model that is trained from its reference keeps
their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zkwm.extraction.neuron_groups import neuron_groups, weighted_layers
from zkwm.extraction.unit_form import unit_form

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

STEPS = 20
"""After which the factors are updated."""


class ReferenceScales:
    """Factors that rescale the last activations of ``model`` to those of ``reference``.

    They are constants for the gradient, updated from the model every 20 steps; 1 without a
    reference.
    """

    def __init__(self, model: Classifier, reference: Classifier | None) -> None:
        self._model = model
        self._target = None if reference is None else _scales(reference)
        self._steps = 0
        self._factors = torch.ones(())

    def next(self) -> Tensor:
        """The factors for the next step: (F,) for the F inputs of the last layer, or ()."""
        if self._target is not None and self._steps % STEPS == 0:
            self._factors = self._target / _scales(self._model)
        self._steps += 1
        return self._factors.to(next(self._model.parameters()))


def _scales(model: Classifier) -> Tensor:
    """The scale of each input of the last layer, float64 (F,)."""
    head = weighted_layers(model)[-1][0]
    factors = unit_form(model)[1].groups
    return next(
        scales.repeat_interleave(reader.copies)
        for group, scales in zip(neuron_groups(model), factors, strict=True)
        for reader in group.readers
        if reader.layer == head
    )

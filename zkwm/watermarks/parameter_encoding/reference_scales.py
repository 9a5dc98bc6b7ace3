"""The scales that alignment will give to activations in training, so that a penalty foresees them.

Before a mark is read, the suspect gets the scales of the unmarked reference (SPEC.md 19.4). Bits
that were trained into activations at other scales would be lost (60 of 256 in a LeNet-5), so the
penalty looks at activations as they will be read. Not alignment itself: the neurons of a model that
is trained from its reference are still in their places.
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


class ReferenceScales:
    """Factors from the last activations of ``model`` to those at the scales of ``reference``.

    Constants for a gradient, taken anew from the model every 20 steps; 1 without a reference.
    """

    def __init__(self, model: Classifier, reference: Classifier | None) -> None:
        self._model = model
        self._wanted = None if reference is None else _scales(reference)
        self._steps = 0
        self._factors = torch.ones(())

    def next(self) -> Tensor:
        """The factors for the next step: (F,) for the F inputs of the last layer, or one number."""
        if self._wanted is not None and self._steps % STEPS == 0:
            self._factors = self._wanted / _scales(self._model)
        self._steps += 1
        return self._factors.to(next(self._model.parameters()))


def _scales(model: Classifier) -> Tensor:
    """The scale of each input of the last layer, float64 (F,)."""
    head = weighted_layers(model)[-1][0]
    factors = unit_form(model)[1].groups
    return next(
        found.repeat_interleave(reader.copies)
        for group, found in zip(neuron_groups(model), factors, strict=True)
        for reader in group.readers
        if reader.layer == head
    )

"""A stolen network behind what a thief puts in front of it or makes of its answers.

A filter changes no weight, and hides none from a judge who has the thief's file: he reads marks in
weights and activations from the network behind it (``unwrap``). Where the thief gives only
an endpoint, nothing in weights or activations can be read, filter or not. Not the filters:
``smoothing``, ``jpeg`` and ``guarded`` have them.
"""

from __future__ import annotations

from torch import Tensor, nn


class WrappedModel(nn.Module):
    """Whatever answers by ``network``, the stolen network, whole and with its own weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class FilteredInputModel(WrappedModel):
    """``network`` with a filter that turns images float32 (n, c, h, w) into such images."""

    def __init__(self, input_filter: nn.Module, network: nn.Module) -> None:
        super().__init__(network)
        self.input_filter = input_filter

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, C)."""
        logits: Tensor = self.network(self.input_filter(images))
        return logits


def unwrap(model: nn.Module) -> nn.Module:
    """The network that a judge finds in the thief's file, behind all filters."""
    while isinstance(model, WrappedModel):
        model = model.network
    return model

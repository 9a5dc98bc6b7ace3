"""A stolen network inside a wrapper that changes its input or its answers.

A wrapper changes no weight, so a judge who has the adversary's file reads marks in weights and
activations from the network inside (``unwrap``). Where the adversary gives only an endpoint, such
marks cannot be read at all, wrapped or not.
"""

from __future__ import annotations

from torch import Tensor, nn


class WrappedModel(nn.Module):
    """A module that answers by ``network``, the stolen network with its own weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class FilteredInputModel(WrappedModel):
    """``network`` behind a filter from images float32 (n, c, h, w) to images of the same kind."""

    def __init__(self, input_filter: nn.Module, network: nn.Module) -> None:
        super().__init__(network)
        self.input_filter = input_filter

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, C) of the filtered images."""
        logits: Tensor = self.network(self.input_filter(images))
        return logits


def unwrap(model: nn.Module) -> nn.Module:
    """The network inside all wrappers, as a judge finds it in the adversary's file."""
    while isinstance(model, WrappedModel):
        model = model.network
    return model

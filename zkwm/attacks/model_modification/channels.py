"""The channels of a network: which layers have them, and how one is silenced.

``channel_lipschitz_pruning`` and ``reconstructive_pruning`` prune channels anywhere in a network;
``fine_pruning`` those of the last convolution, ``neuron_reset`` those of its later half.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zkwm.attacks.starting_point import head_of
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class ChannelLayer:
    """A layer with the channels, or neurons, that it computes.

    Args:
        layer: A convolution, or a fully connected layer other than the head.
        norm: The batch norm that follows a convolution; None where none does.
    """

    layer: nn.Conv2d | nn.Linear
    norm: nn.BatchNorm2d | None

    @property
    def scaled(self) -> nn.Module:
        """The module whose ``weight`` multiplies channels: the batch norm, else the layer."""
        return self.layer if self.norm is None else self.norm

    @property
    def count(self) -> int:
        """The number of channels."""
        return len(self.layer.weight)

    @torch.no_grad()
    def silence(self, channels: Tensor) -> None:
        """Let channels (bool (count,) or their int64 numbers) be 0 after the layer, in place."""
        for parameter in self.scaled.parameters(recurse=False):
            parameter[channels] = 0.0


def channel_layers(model: nn.Module) -> list[ChannelLayer]:
    """All layers with channels, in the order of their definition, without the head.

    A batch norm belongs to the last convolution before it, which is where built-in networks and
    torchvision's have it.

    Raises:
        UsageError: There is no head, or no layer before it.
    """
    head = head_of(model)
    found: list[ChannelLayer] = []
    for module in model.modules():
        if module is head:
            continue
        if isinstance(module, nn.Conv2d | nn.Linear):
            found.append(ChannelLayer(module, None))
        elif isinstance(module, nn.BatchNorm2d) and module.affine and found:
            last = found[-1]
            if (
                last.norm is None
                and isinstance(last.layer, nn.Conv2d)
                and last.count == len(module.weight)
            ):
                found[-1] = ChannelLayer(last.layer, module)
    if not found:
        raise UsageError("this network has no layer before its head, so it has no channels")
    return found

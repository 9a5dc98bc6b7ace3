"""Batch-norm statistics of clean batches, to normalise trigger batches with (Gan et al. 2023).

Not running averages: those of the very batch that went through last. Networks without batch
normalisation have none, and nothing changes for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class CleanStatistics:
    """The mean and variance that each batch-norm layer of a model met in the last clean batch."""

    def __init__(self, model: nn.Module) -> None:
        self._layers = {
            name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)
        }
        self.buffers: dict[str, Tensor] = {}
        """By the names of the running statistics that they stand for."""

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Within it, every forward pass sets ``buffers``."""
        handles = [
            module.register_forward_pre_hook(self._keeper(name))
            for name, module in self._layers.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def layer_parameters(self) -> frozenset[str]:
        """The names of the batch-norm layers' own parameters."""
        return frozenset(
            f"{name}.{parameter}"
            for name, module in self._layers.items()
            for parameter, _ in module.named_parameters()
        )

    def _keeper(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        @torch.no_grad()
        def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(inputs[0].detach(), dim=(0, 2, 3), correction=0)
            self.buffers[f"{name}.running_mean"] = mean
            self.buffers[f"{name}.running_var"] = variance

        return keep

"""Choose batch norm's statistics: those of a mixed batch, or of the last clean one.

A model's batch-norm layers normalize with the statistics of the batch (training) or with running
averages (evaluation). Two embeddings need something else: ``batch_statistics`` normalizes with the
batch and updates nothing (the robust method), ``CleanStatistics`` records a clean batch, so that a
trigger batch can be normalized with it (Gan et al. 2023). Models without batch norm are unaffected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def has_batch_norm(model: nn.Module) -> bool:
    """Whether any layer of the model is a batch norm."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Training mode in which batch norm uses each batch's statistics and keeps none of them."""
    was_training = model.training
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    model.train()
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
        model.train(was_training)


class CleanStatistics:
    """The mean and variance that each batch-norm layer of a model met in the last clean batch."""

    def __init__(self, model: nn.Module) -> None:
        self._layers = {
            name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)
        }
        self.buffers: dict[str, Tensor] = {}
        """Mean and biased variance, float (channels,), by the names of the running statistics."""

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Every forward pass inside it overwrites ``buffers``."""
        handles = [
            module.register_forward_pre_hook(self._recorder(name))
            for name, module in self._layers.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def layer_parameters(self) -> frozenset[str]:
        """The names of the batch-norm layers' own parameters (scale and shift)."""
        return frozenset(
            f"{name}.{parameter}"
            for name, module in self._layers.items()
            for parameter, _ in module.named_parameters()
        )

    def _recorder(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        @torch.no_grad()
        def record(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(inputs[0].detach(), dim=(0, 2, 3), correction=0)
            self.buffers[f"{name}.running_mean"] = mean
            self.buffers[f"{name}.running_var"] = variance

        return record

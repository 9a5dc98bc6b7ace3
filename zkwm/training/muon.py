"""Muon: filters descend orthogonalized gradients, everything else SGD with momentum.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
(kellerjordan.github.io/posts/muon). The momentum of a layer's weights, as a matrix with a row for
each neuron, is replaced by a nearly orthogonal one, so that all its directions are learned at one
speed. Weights are first brought to rows of mean length 1, which changes nothing where batch norm
follows: the learning rate is then the angle by which a layer turns in a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor, nn

from zkwm.nn.inference import last_linear

BIAS_RATE = 300.0
"""Learning rate of biases, in units of that of the filters. This and the next are those of
``airbench94_muon`` (commit f1c599c of KellerJordan/cifar10-airbench, 0.053 and 0.67 for the sum of
the losses of 2,000 images, beside 0.24) for mean losses, the scale of the head and momentum 0.9.
"""
HEAD_RATE = 4.5
"""Learning rate of the last linear layer, in units of that of the filters."""
ITERATIONS = 3
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the source's quintic iteration, which takes singular values to about 0.7 to 1.2."""
_LEAST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """One step for groups that are orthogonalized, and SGD with Nesterov momentum for others."""

    def __init__(self, groups: list[dict[str, Any]], *, momentum: float) -> None:
        """Take groups with ``params``, ``lr``, ``orthogonal`` and ``decay``.

        ``decay`` is the share of a weight that is taken off in a step at the group's first rate; it
        falls with the rate. Weights that are orthogonalized keep their length instead.
        """
        super().__init__(groups, {"momentum": momentum})
        for group in self.param_groups:
            group["first"] = group["lr"]

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Descend the gradients. ``closure`` is not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(parameter.grad)
                ahead = parameter.grad.add(buffer, alpha=group["momentum"])
                if group["orthogonal"]:
                    parameter.mul_(len(parameter) ** 0.5 / parameter.norm().clamp_min(_LEAST_NORM))
                    ahead = orthogonalized(ahead.flatten(1)).view_as(ahead)
                else:
                    parameter.mul_(1 - group["decay"] * group["lr"] / group["first"])
                parameter.add_(ahead, alpha=-group["lr"])
        return None


def orthogonalized(matrix: Tensor) -> Tensor:
    """A matrix with the same singular vectors and singular values near 1, of the same dtype.

    Three Newton-Schulz iterations in bfloat16 (the source's, for which they were chosen): small
    singular values are not all the way up. (n, m) to (n, m).
    """
    first, third, fifth = _COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).bfloat16()
    x = x / (x.norm() + _LEAST_NORM)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = first * x + (third * square + fifth * square @ square) @ x
    found: Tensor = x if wide else x.T
    return found.to(matrix.dtype)


def parameter_groups(
    model: nn.Module, *, learning_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """What ``Muon`` takes: filters and matrices, the head, and all else.

    Only parameters that learn are in it. The filters' group comes first where there is one.
    """
    head = last_linear(model)
    groups: dict[str, dict[str, Any]] = {
        "filters": {"lr": learning_rate, "orthogonal": True, "decay": 0.0},
        "head": {"lr": HEAD_RATE * learning_rate, "orthogonal": False, "decay": weight_decay},
        "rest": {"lr": BIAS_RATE * learning_rate, "orthogonal": False, "decay": weight_decay},
    }
    for group in groups.values():
        group["params"] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            if name.rpartition(".")[0] == head:
                kind = "head"
            else:
                kind = "filters" if parameter.ndim > 1 else "rest"
            groups[kind]["params"].append(parameter)
    return [group for group in groups.values() if group["params"]]

"""Frozen head: triggers train the features of a model, clean images alone train its head.

An adversary who replaces the head of a marked model and retrains it on clean images then arrives at
nearly the same head, so triggers keep their labels: with a logit W f(x) + b, the loss of a trigger
is taken with W and b as constants. We know no paper that does this. Alone it does not stop
fine-tuning of all layers (see ``zkwm.training.robust.lookahead``): on a ResNet-8 it leaves 59 of
200 triggers after FTAL at twice the rate, where the whole method leaves 96
(benchmarks/results/batch_norm_search.jsonl, rows "clean head alone" and "robust; fakes and clone
among clean images").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.class_scores import class_scores
from zkwm.nn.inference import evaluating, last_linear
from zkwm_protocols.errors import UsageError


def head_name(model: nn.Module, images: Tensor) -> str:
    """The name of the last ``nn.Linear`` of the model, if its outputs are the logits.

    ``images`` float32 (n, c, h, w) are forwarded to check that. Raises UsageError for a model whose
    last linear layer does not give the logits, and where nothing before it can be trained.
    """
    name = last_linear(model)
    if name is None:
        raise _no_head("it has no linear layer")
    head = model.get_submodule(name)
    seen: list[tuple[Tensor, Tensor]] = []
    handle = head.register_forward_hook(
        lambda module, inputs, output: seen.append((inputs[0], output))
    )
    try:
        with torch.enable_grad(), evaluating(model):
            logits = class_scores(model(images)).detach()
    finally:
        handle.remove()
    if len(seen) != 1 or seen[0][1].shape != logits.shape or not torch.equal(seen[0][1], logits):
        raise _no_head(f"its last linear layer, {name}, does not give the logits")
    if not seen[0][0].requires_grad:  # nothing that can be trained leads to its input
        raise _no_head(f"there is nothing to train before its last linear layer, {name}")
    return name


def features_of(model: nn.Module, head: str) -> dict[str, nn.Parameter]:
    """The trainable parameters, by name, that do not belong to the head."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and name.rpartition(".")[0] != head
    }


@contextmanager
def frozen_head(model: nn.Module, head: str, triggers: int) -> Iterator[None]:
    """Whoever calls the model inside: its last ``triggers`` images send no gradient into the head.

    Raises UsageError afterwards where the head was not called, as in a compiled network.
    """
    if not triggers:
        yield
        return
    layer = model.get_submodule(head)
    assert isinstance(layer, nn.Linear)
    calls: list[int] = []

    def constant(module: nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        calls.append(len(output))
        if _is_plain(module, inputs[0], output):
            return _one_product(inputs[0], module.weight, module.bias, triggers)
        bias = None if module.bias is None else module.bias.detach()
        of_triggers = functional.linear(inputs[0][-triggers:], module.weight.detach(), bias)
        return torch.cat([output[:-triggers], of_triggers])

    handle = layer.register_forward_hook(constant)
    try:
        yield
    finally:
        handle.remove()
    if len(calls) != 1:
        raise UsageError(
            f"the network's last linear layer, {head}, was called {len(calls)} times in a step "
            "instead of once",
            hint="call the network that was named, once a step and not compiled",
        )


class _FrozenAtEnd(torch.autograd.Function):
    """A linear layer whose last images send no gradient into its weights: one product, not two."""

    @staticmethod
    def forward(
        context: Any,  # noqa: ANN401
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        frozen: int,
    ) -> Tensor:
        """Logits (n, outputs) of features (n, k) under weights (outputs, k)."""
        context.save_for_backward(features, weight)
        context.frozen = frozen
        return functional.linear(features, weight, bias)

    @staticmethod
    def backward(
        context: Any,  # noqa: ANN401
        gradient: Tensor,
    ) -> tuple[Tensor | None, ...]:
        """Gradients of features, weights and bias."""
        features, weight = context.saved_tensors
        of_clean = gradient.clone()
        of_clean[-context.frozen :] = 0
        return gradient @ weight, of_clean.t() @ features, of_clean.sum(0), None


def _one_product(features: Tensor, weight: Tensor, bias: Tensor, frozen: int) -> Tensor:
    """Logits (n, outputs), the last ``frozen`` of them with weights and bias as constants."""
    logits = _FrozenAtEnd.apply(features, weight, bias, frozen)  # type: ignore[no-untyped-call]
    return cast(Tensor, logits)


def _is_plain(layer: nn.Linear, features: Tensor, output: Tensor) -> bool:
    """Whether the output is torch's own product and bias, in the precision of the weights."""
    made = output.grad_fn
    own = type(layer) is nn.Linear and made is not None and made.name() == "AddmmBackward0"
    return own and features.dtype == layer.weight.dtype == output.dtype


def _no_head(reason: str) -> UsageError:
    return UsageError(
        f"the robust method needs a network that ends in a linear layer: {reason}",
        hint="end the network in nn.Linear, or choose the method plain",
    )

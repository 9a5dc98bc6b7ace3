"""The clean head: triggers train the features of a network, and only clean images its head.

A thief who puts a new head on a marked network and trains it on clean images then gets much the
same head, and triggers keep their labels. From our pilot (research note robustness.md, section 3);
no paper is known to us. Not a defence by itself: see ``zkwm.training.robust.lookahead``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.inference import evaluating
from zkwm_protocols.errors import UsageError


def head_name(model: nn.Module, images: Tensor) -> str:
    """The name of the head: the last ``nn.Linear`` of the model, if its outputs are the logits.

    ``images`` float32 (n, c, h, w) are tried to see that. Raises UsageError for a model of which
    that is not so, and where the head is all that there is to train.
    """
    linear: list[str] = [
        name for name, module in model.named_modules() if isinstance(module, nn.Linear)
    ]
    if not linear:
        raise _no_head("it has no linear layer")
    head = model.get_submodule(linear[-1])
    seen: list[Tensor] = []
    handle = head.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        with torch.no_grad(), evaluating(model):
            logits = model(images)
    finally:
        handle.remove()
    if len(seen) != 1 or seen[0].shape != logits.shape or not torch.equal(seen[0], logits):
        raise _no_head(f"its last linear layer, {linear[-1]}, does not give the logits")
    own = {id(parameter) for parameter in head.parameters()}
    if all(id(p) in own for p in model.parameters() if p.requires_grad):
        raise _no_head(f"there is nothing to train before its last linear layer, {linear[-1]}")
    return linear[-1]


def features_of(model: nn.Module, head: str) -> dict[str, nn.Parameter]:
    """The trainable parameters, by name, that do not belong to the head."""
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and name.rpartition(".")[0] != head
    }


def clean_head_logits(model: nn.Module, head: str, images: Tensor, triggers: int) -> Tensor:
    """The model's logits; those of the last ``triggers`` images send no gradient into the head."""
    layer = model.get_submodule(head)
    assert isinstance(layer, nn.Linear)
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        logits: Tensor = model(images)
    finally:
        handle.remove()
    if not triggers:
        return logits
    bias = None if layer.bias is None else layer.bias.detach()
    marked = functional.linear(seen[0][-triggers:], layer.weight.detach(), bias)
    return torch.cat([logits[:-triggers], marked])


def _no_head(reason: str) -> UsageError:
    return UsageError(
        f"the robust method needs a network that ends in a linear layer: {reason}",
        hint="end the network in nn.Linear, or choose the method plain",
    )

"""The starting point of an adversary: a copy of the stolen model, and their images.

Every attack that changes weights begins here, so that none changes the target itself, and every
share of images is drawn alike. The head is the last fully connected layer, which gives the logits.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Target, adversary_generator
from zkwm.nn.inference import last_linear
from zkwm.nn.seeds import derived_seed
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier


def stolen_copy(target: Target, adversary: Adversary) -> Classifier:
    """A copy of the target's model on the adversary's device, all parameters trainable."""
    model = copy.deepcopy(target.model).to(adversary.device).eval()
    return model.requires_grad_(True)


def require_second_theft(adversary: Adversary) -> Classifier:
    """A copy of the second stolen network on the adversary's device.

    Raises UsageError where there is none.
    """
    if adversary.second_theft is None:
        raise UsageError("this adversary has stolen one network only")
    return copy.deepcopy(adversary.second_theft).to(adversary.device).eval()


def adversary_images(
    adversary: Adversary, share: float = 1.0, purpose: str = "share"
) -> tuple[Tensor, Tensor]:
    """Draw a share of the adversary's training images, at least one.

    Args:
        adversary: Their seed decides which images; the tensors are on their device.
        share: Above 0 and at most 1.
        purpose: Different purposes draw independently.

    Returns:
        The images uint8 (n, c, h, w) and their labels int64 (n,).

    Raises:
        UsageError: The share is out of range.
    """
    require_share(share)
    data = adversary.data
    count = max(round(share * len(data.train_labels)), 1)
    generator = adversary_generator(adversary, purpose)
    numbers = torch.randperm(len(data.train_labels), generator=generator)[:count].numpy()
    return (
        torch.from_numpy(data.train_images[numbers]).to(adversary.device),
        torch.from_numpy(data.train_labels[numbers]).to(adversary.device),
    )


def require_share(share: float) -> None:
    """Raise UsageError unless 0 < ``share`` <= 1."""
    if not 0.0 < share <= 1.0:
        raise UsageError(f"expected a share of the images above 0 and at most 1, got {share!r}")


def head_name(model: nn.Module) -> str:
    """The name of the last fully connected layer. Raises UsageError where there is none."""
    name = last_linear(model)
    if name is None:
        raise UsageError("this network has no fully connected layer, so it has no head to retrain")
    return name


def head_of(model: nn.Module) -> nn.Linear:
    """The last fully connected layer. Raises UsageError where there is none."""
    return cast("nn.Linear", model.get_submodule(head_name(model)))


def give_new_head(model: nn.Module, outputs: int, adversary: Adversary) -> None:
    """Replace the head in place by a random one with ``outputs`` logits.

    The adversary's seed decides the weights. Raises UsageError for a network without a head.
    """
    old = head_of(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(adversary.seed, "attack/new head"))
        new = nn.Linear(old.in_features, outputs, bias=old.bias is not None)
    model.set_submodule(head_name(model), new.to(old.weight.device))


def weight_layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The convolutions and fully connected layers, in order.

    Raises UsageError for a network without any.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    if not layers:
        raise UsageError("this network has neither convolutions nor fully connected layers")
    return layers

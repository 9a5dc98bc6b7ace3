"""What an adversary starts from: a copy of the stolen network, its head, and his own images.

Not an attack. The head is the last fully connected layer, which gives the logits.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Target, generator
from zkwm.nn.seeds import derived_seed
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier


def stolen_copy(target: Target, adversary: Adversary) -> Classifier:
    """A copy of the target's model on the adversary's device, all parameters trainable."""
    model = copy.deepcopy(target.model).to(adversary.device).eval()
    return model.requires_grad_(True)


def adversary_images(
    adversary: Adversary, share: float = 1.0, purpose: str = "share"
) -> tuple[Tensor, Tensor]:
    """A share of the adversary's training images, uint8 (n, c, h, w), and labels int64 (n,).

    Drawn by his seed, at least one image, on his device. Raises UsageError for a share that is
    not above 0 and at most 1.
    """
    require_share(share)
    data = adversary.data
    count = max(round(share * len(data.train_labels)), 1)
    chosen = torch.randperm(len(data.train_labels), generator=generator(adversary, purpose))[:count]
    return (
        torch.from_numpy(data.train_images[chosen.numpy()]).to(adversary.device),
        torch.from_numpy(data.train_labels[chosen.numpy()]).to(adversary.device),
    )


def require_share(share: float) -> None:
    """Raise UsageError unless 0 < ``share`` <= 1."""
    if not 0.0 < share <= 1.0:
        raise UsageError(f"a share of the images is above 0 and at most 1, not {share!r}")


def head_name(model: nn.Module) -> str:
    """The name of the last fully connected layer. Raises UsageError where there is none."""
    names: list[str] = [
        name for name, module in model.named_modules() if isinstance(module, nn.Linear)
    ]
    if not names:
        raise UsageError("this network has no fully connected layer, so no head to train anew")
    return names[-1]


def head_of(model: nn.Module) -> nn.Linear:
    """The last fully connected layer. Raises UsageError where there is none."""
    head = model.get_submodule(head_name(model))
    assert isinstance(head, nn.Linear)
    return head


def give_new_head(model: nn.Module, outputs: int, adversary: Adversary) -> None:
    """Replace the head by one with ``outputs`` logits, random by the adversary's seed."""
    old = head_of(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(adversary.seed, "attack/new head"))
        new = nn.Linear(old.in_features, outputs, bias=old.bias is not None)
    model.set_submodule(head_name(model), new.to(old.weight.device))


def weight_layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The convolutions and fully connected layers, in order.

    Raises UsageError for a network without any.
    """
    found = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    if not found:
        raise UsageError("this network has neither convolutions nor fully connected layers")
    return found

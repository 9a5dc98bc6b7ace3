"""Random networks of every built-in architecture, and how far two are apart.

Not a test. For alignment and folding (SPEC.md 19.4).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from zkwm.nn.architectures import Classifier, build_model

SHAPES = {
    "lenet5": (1, 12, 12),
    "dense": (1, 4, 4),
    "cnn3": (3, 8, 8),
    "cnn": (1, 4, 4),
    "resnet8": (3, 8, 8),
    "airbench": (3, 9, 9),
}


def network(architecture: str, seed: int = 0) -> Classifier:
    """A network with random weights and random batch-norm statistics."""
    shape = SHAPES.get(architecture, (3, 8, 8))
    mean, std = (0.3, 0.4, 0.2)[: shape[0]], (0.3, 0.2, 0.25)[: shape[0]]
    model = build_model(architecture, shape=shape, class_count=5, mean=mean, std=std, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif name.endswith("running_mean") or (".bn" in name and name.endswith(".bias")):
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
    return model.eval()


def changed(model: Classifier, noise: float) -> Classifier:
    """As if it had been trained on: every weight with some noise."""
    found, generator = copy.deepcopy(model), torch.Generator().manual_seed(99)
    with torch.no_grad():
        for parameter in found.parameters():
            spread = parameter.std(unbiased=False)
            parameter += noise * spread * torch.randn(parameter.shape, generator=generator)
    return found


@torch.no_grad()
def relative_logits(model: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    images = torch.rand(6, *shape, generator=torch.Generator().manual_seed(7))
    logits: Tensor = model.double()(images.double())
    model.float()
    return logits - logits.mean(dim=1, keepdim=True)


def assert_same_answers(one: Classifier, other: Classifier, *, factor: bool = True) -> None:
    """Logits alike up to a number for all classes and, with ``factor``, a positive factor."""
    ours, theirs = (relative_logits(model, one.config.shape) for model in (one, other))
    if factor:
        theirs = theirs * ours.norm() / theirs.norm()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(ours.abs().max()))


def difference(one: Classifier, other: Classifier) -> float:
    """The largest difference of two weights, relative to the largest weight of the tensor."""
    ours, theirs = one.state_dict(), other.state_dict()
    return max(
        float((ours[name] - theirs[name]).abs().max() / ours[name].abs().max().clamp_min(0.1))
        for name in ours
    )

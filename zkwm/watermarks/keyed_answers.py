"""A keyed change of answered probabilities that keeps the first class, and reading it back.

Ours, for ``dynamarks``: whose paper changes answers by secret parameters, but its formulas are not
public. The change is a function of the answer alone, so that asking twice gives the same, and tiny
changes of an image change what is answered no more than they change the model's own answer. Not a
service, and nothing here knows keys' labels (``dynamarks``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from zkwm.watermarks.keys import ExtractionKey

SMALLEST = 1e-3
CAP = 0.98
RIDGE = 0.2


def key_maps(keys: Sequence[ExtractionKey], first: int, classes: int) -> Tensor:
    """What each key does where the first class is ``first``: float32 (keys, classes + 1, classes).

    Row 0 is a constant change of the classes' log-probabilities, row 1 + k goes with feature k of
    ``features``. Fair signs of the key's stream ``answers of class FIRST``, in the order (row,
    class), then each row less its mean over the other classes, and 0 for the first.
    """
    shape = (classes + 1, classes)
    purpose = f"answers of class {first}"
    drawn = np.stack([key.signs(purpose, math.prod(shape)).reshape(shape) for key in keys])
    maps = torch.from_numpy(drawn).float()
    return _centred(maps, torch.full((), first))


def features(answers: Tensor) -> Tensor:
    """What the change depends on, float32 (n, C + 1), for probabilities (n, C).

    1 / sqrt(2), then log(p_k + 0.001) of all classes but the first, less their mean, scaled to the
    norm 1 / sqrt(2), with 0 for the first: which of the other classes are likely, not how likely.
    """
    others = _centred((answers + SMALLEST).log(), answers.argmax(dim=1))
    scaled = others / others.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return torch.cat([torch.ones_like(scaled[:, :1]), scaled], dim=1) / math.sqrt(2)


def changed(answers: Tensor, maps: Tensor, strength: float, floor: float) -> Tensor:
    """Probabilities (n, C) with the same first class, changed by ``maps`` (C, C + 1, C).

    Every probability is raised by ``floor`` and all divided by 1 + C floor. That of the first class
    stays so; the others are multiplied by exp(strength * (features @ maps[first])) and scaled to
    their sum, each at most 0.98 of the first class's, then all scaled to the sum 1.
    """
    first = answers.argmax(dim=1)
    raised = (answers + floor) / (1 + answers.shape[1] * floor)
    exponents = torch.bmm(features(answers)[:, None], maps[first])[:, 0]
    largest = raised.gather(1, first[:, None])
    others = raised * (strength * exponents).exp()
    others.scatter_(1, first[:, None], 0.0)
    others = others / others.sum(dim=1, keepdim=True) * (1 - largest)
    others = torch.minimum(others, CAP * largest)
    others.scatter_(1, first[:, None], largest)
    return others / others.sum(dim=1, keepdim=True)


def read_back(
    keys: Sequence[ExtractionKey], suspect: Tensor, reference: Tensor, floor: float
) -> NDArray[np.float64]:
    """How much of each key's change a suspect has, float64 (keys,), positive for the bit 1.

    ``suspect`` and ``reference`` are log-probabilities (n, C) for the same images, the reference's
    without any change. Both are taken over all classes but the reference's first, less their mean;
    of the suspect's, that multiple of the reference's (raised by ``floor``) is subtracted which
    leaves the smallest squares. What is left is explained by the changes of all keys at once:
    least squares with a ridge of 0.2 of the mean diagonal, in float64. No label is used.
    """
    answers = reference.double().exp()
    first = answers.argmax(dim=1)
    known = _centred((answers + floor).log(), first)
    found = _centred(suspect.double(), first)
    left = found - known * ((found * known).sum() / (known * known).sum().clamp_min(1e-12))
    inputs = features(answers)
    count, classes = len(keys), answers.shape[1]
    gram = torch.zeros(count, count, dtype=torch.float64)
    right = torch.zeros(count, dtype=torch.float64)
    for number in range(classes):
        chosen = first == number
        if not bool(chosen.any()):
            continue
        maps, x = key_maps(keys, number, classes).double(), inputs[chosen]
        gram += (x.T @ x @ maps).flatten(1) @ maps.flatten(1).T
        right += maps.flatten(1) @ (x.T @ left[chosen]).flatten()
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(count, dtype=torch.float64)
    solved: NDArray[np.float64] = torch.linalg.solve(gram + ridge, right).numpy()
    return solved


def _centred(values: Tensor, first: Tensor) -> Tensor:
    """Values (..., C) less their mean over all classes but ``first``, which becomes 0."""
    classes = values.shape[-1]
    kept = 1 - functional.one_hot(first, classes).to(values)
    mean = (values * kept).sum(dim=-1, keepdim=True) / (classes - 1)
    return (values - mean) * kept

"""A keyed change of answered probabilities that keeps the first class, and reading it back.

Ours, for ``dynamarks``: whose paper changes answers by secret parameters, but its formulas are not
public. Log-probabilities change linearly with the lowest frequencies of the image asked about, so
that asking twice gives the same, and tiny changes of an image change little. Not a service, and
nothing here knows keys' labels (``dynamarks``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from zkwm.extraction.dct_features import low_frequencies
from zkwm.extraction.keys import ExtractionKey

SIDE = 8
FEATURES = SIDE * SIDE - 1
CAP = 0.98
RIDGE = 0.1
LARGEST_EXPONENT = 6.0
HALVINGS = 40


def key_maps(keys: Sequence[ExtractionKey], classes: int) -> Tensor:
    """What each key does: float32 (keys, 63, classes), fair signs.

    Those of the key's stream ``answers``, in the order (feature of ``features``, class): by how
    much the class's log-probability changes with the feature.
    """
    drawn = [key.signs("answers", FEATURES * classes).reshape(FEATURES, classes) for key in keys]
    return torch.from_numpy(np.stack(drawn)).float()


def features(images: Tensor) -> Tensor:
    """What the change depends on, float32 (n, 63), for images float32 (n, c, h, w) in [0, 1].

    The 8 lowest frequencies of each axis (``low_frequencies``), scaled to the norm 1. Raises
    UsageError for images of less than 8 pixels a side.
    """
    return low_frequencies(images, SIDE) / math.sqrt(FEATURES)


def changed(answers: Tensor, changes: Tensor, floor: float) -> Tensor:
    """Probabilities (n, C) with the same first class, their logarithms changed by ``changes``.

    Every probability is raised by ``floor`` and all divided by 1 + C floor. That of the first class
    stays so; the others are multiplied by exp(changes), (n, C), and scaled to their sum, each at
    most 0.98 of the first class's, then all scaled to the sum 1.
    """
    first = answers.argmax(dim=1)[:, None]
    raised = (answers + floor) / (1 + answers.shape[1] * floor)
    largest = raised.gather(1, first)
    others = (raised.log() + changes).scatter(1, first, -math.inf).softmax(dim=1)
    others = torch.minimum(others * (1 - largest), CAP * largest).scatter(1, first, largest)
    return others / others.sum(dim=1, keepdim=True)


def read_back(
    keys: Sequence[ExtractionKey],
    suspect: Tensor,
    reference: Tensor,
    inputs: Tensor,
    floor: float,
) -> NDArray[np.float64]:
    """How much of each key's change a suspect has, float64 (keys,), positive for the bit 1.

    ``suspect`` and ``reference`` are log-probabilities (n, C) for the same images, the reference's
    without any change; ``inputs`` the images' ``features``. The suspect's are brought to the
    temperature at which they are as sure as the reference's, raised by ``floor``. Then they are
    raised by a third of ``floor``, the reference's by ``floor``; logarithms are taken over all
    classes but the reference's first, less their mean; of the suspect's, that multiple of the
    reference's is subtracted which leaves the smallest squares. What is left is explained by the
    changes of all keys at once: least squares with a ridge of 0.1 of the mean diagonal, in float64.
    No label is used.
    """
    answers = reference.double().exp()
    first = answers.argmax(dim=1)
    known = _centred((answers + floor).log(), first)
    sure = float(((answers.amax(dim=1) + floor) / (1 + answers.shape[1] * floor)).mean())
    found = _centred((_as_sure_as(sure, suspect.double()).exp() + floor / 3).log(), first)
    left = found - known * ((found * known).sum() / (known * known).sum().clamp_min(1e-12))
    count, classes = len(keys), answers.shape[1]
    maps, inputs = key_maps(keys, classes).double(), inputs.double()
    gram = torch.zeros(count, count, dtype=torch.float64)
    right = torch.zeros(count, dtype=torch.float64)
    for number in range(classes):
        chosen = first == number
        if not bool(chosen.any()):
            continue
        there, x = _centred(maps, torch.full((), number)), inputs[chosen]
        gram += (x.T @ x @ there).flatten(1) @ there.flatten(1).T
        right += there.flatten(1) @ (x.T @ left[chosen]).flatten()
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(count, dtype=torch.float64)
    solved: NDArray[np.float64] = torch.linalg.solve(gram + ridge, right).numpy()
    return solved


def _as_sure_as(sure: float, answers: Tensor) -> Tensor:
    """Log-probabilities (n, C), all at the temperature where the first class has the mean ``sure``.

    A thief who sharpens or softens his surrogate's answers changes no first class, and nothing that
    is read. The inverse of the temperature is found between 2^-6 and 2^6 by 40 halvings.
    """
    low, high = -LARGEST_EXPONENT, LARGEST_EXPONENT
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float((answers * math.pow(2, middle)).softmax(dim=1).amax(dim=1).mean()) < sure:
            low = middle
        else:
            high = middle
    return (answers * math.pow(2, (low + high) / 2)).log_softmax(dim=1)


def _centred(values: Tensor, first: Tensor) -> Tensor:
    """Values (..., C) less their mean over all classes but ``first``, which becomes 0."""
    classes = values.shape[-1]
    kept = 1 - functional.one_hot(first, classes).to(values)
    mean = (values * kept).sum(dim=-1, keepdim=True) / (classes - 1)
    return (values - mean) * kept

"""Read a mark of ``deepsigns``: bits in the class means of activations (SPEC.md 19.5).

After Rouhani, Chen and Koushanfar, "DeepSigns", arXiv 1804.00750 (2018), white-box form. Embedding
is in ``zkwm.watermarks.parameter_encoding.deepsigns``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.alignment import aligned
from zkwm.extraction.keys import ExtractionKey, read_keys
from zkwm.extraction.reader import WHITE_BOX, JudgeView, MarkReader
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.nn.inference import evaluating, last_linear
from zkwm_protocols.errors import UsageError

_ROW = "row"


@dataclass(frozen=True)
class DeepSignsReader(MarkReader):
    """Reads the sign of a keyed projection of a class's mean activation (SPEC.md 19.5).

    - Layer: a class c.
    - Activations: the input of the last linear layer (in module order), float32 (n, F) for n
      images; in the built-in networks the penultimate features, after ReLU or pooling.
    - Images: the judge's public probes. A probe belongs to the class of the suspect's largest
      answer (the first of several), so that nothing depends on anybody's labels.
    - Means: with f_ij the activations in float64 and n_c the number of probes of class c,
      mu_cj = sum_{i of c} f_ij / n_c; m_j is the mean of mu_cj over the classes that have a probe.
    - Row: ``key.signs("row", F)``, where the paper has standard normal numbers.
    - Bit: 1 if sum_j row_j (mu_cj - m_j) >= 0, else 0; 0 for a class without probes. A bit that is
      always 0 matches with probability 1/2 like any other, since labels are fair coins that were
      tossed after the keys were fixed.

    The sums are float64, but activations are the suspect's float32 arithmetic: as with answers to
    triggers, a machine that rounds differently may read another bit where a sum is nearly 0.
    """

    name: ClassVar[str] = "deepsigns"
    access: ClassVar[str] = WHITE_BOX
    needs_probes: ClassVar[bool] = True

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,), of the suspect aligned with ``view.reference``.

        Raises UsageError without probes, for a suspect without a linear head or with fewer outputs
        than a key's class, and where activations are not finite.
        """
        if not len(view.probes):
            raise UsageError(
                "this mark is read from activations, and there are no probe images",
                hint="choose public images that the suspect is made for",
            )
        keys = read_keys(leaves)
        suspect = aligned(model, view)
        features, answers = _activations(suspect, torch.tensor(view.probes))
        if not bool(torch.isfinite(features).all()):
            raise UsageError("activations of the suspect on the probes are not finite")
        classes = head_of(suspect).out_features
        if any(key.layer >= classes for key in keys):
            raise UsageError(f"a key names a class, and the suspect has only {classes}")
        means, present = _class_means(features, answers, classes)
        centered = means - means[present].mean(dim=0)
        of_class = torch.tensor([key.layer for key in keys])
        read = (key_rows(suspect, keys).double() * centered[of_class]).sum(dim=1)
        bits: NDArray[np.int64] = ((read >= 0) & present[of_class]).long().numpy()
        return bits


def head_of(model: nn.Module) -> nn.Linear:
    """The last linear layer in module order. Raises UsageError where there is none."""
    name = last_linear(model)
    if name is None:
        raise UsageError("the network has no linear layer, whose input this mark is in")
    head = model.get_submodule(name)
    assert isinstance(head, nn.Linear)
    return head


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list that holds one tensor: the last input of the head, (n, F)."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[:] = [inputs[0].flatten(1)]

    handle = head_of(model).register_forward_pre_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


@torch.no_grad()
def _activations(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Activations float64 (n, F) and the model's classes int64 (n,), on the CPU."""
    features, answers = [], []
    with evaluating(model), watched(model) as seen:
        for numbers in evaluation_batches(len(images)):
            logits = model(as_unit(images[numbers.to(images.device)]))
            features.append(seen[-1].double().cpu())
            answers.append(logits.argmax(dim=1).cpu())
    return torch.cat(features), torch.cat(answers)


def _class_means(features: Tensor, classes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Each class's mean of features (n, F), float64 (count, F), and whether it has any image.

    The mean of a class without images is 0.
    """
    numbers = torch.bincount(classes, minlength=count)[:count]
    sums = torch.zeros(count, features.shape[1], dtype=torch.float64)
    sums.index_add_(0, classes, features)
    return sums / numbers.clamp_min(1)[:, None], numbers > 0


def key_rows(model: nn.Module, keys: list[ExtractionKey]) -> Tensor:
    """The signs of all keys, int8 (keys, F)."""
    width = head_of(model).in_features
    return torch.from_numpy(np.stack([key.signs(_ROW, width) for key in keys]))

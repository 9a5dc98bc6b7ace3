"""Evade verification with an outlier detector (Hitaj and Mancini 2018, arXiv 1809.00615).

Adversary: has the weights, labeled clean images, and serves answers. Hitaj and Mancini train a
detector on triggers; this adversary knows none, so theirs is fitted on clean images alone.

1. Fit the detector on half of the images: principal components of the pixels (a linear
   autoencoder's reconstruction error), or the distance of the last features from the nearest class
   mean (Lee et al., NeurIPS 2018).
2. Set its threshold on the other half.
3. Answer suspicious images otherwise.

Removes every mark of noise-like triggers: Adi and the robust embedding keep 0 bits, while Zhang's
content triggers, close to clean images, keep 238 of 332 (benchmarks/results/grid.jsonl, attack
"outlier detector").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.input_preprocessing.detector_gate import SECOND, check_gate, fit_gate
from zkwm.attacks.starting_point import adversary_images, head_of, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm_protocols.errors import UsageError

RECONSTRUCTION, MAHALANOBIS = "reconstruction", "mahalanobis"
DETECTORS = (RECONSTRUCTION, MAHALANOBIS)
BATCH = 500
RIDGE = 1e-3
"""Added to the covariance's diagonal, relative to its mean, so that it can be inverted."""


@dataclass(frozen=True)
class OutlierDetector(Attack):
    """Answer otherwise where an image is unlike the clean ones.

    Args:
        detector: ``reconstruction`` or ``mahalanobis``.
        components: Principal components that ``reconstruction`` keeps, at least 1.
        false_alarms: Share of clean images above the threshold, from 0 to below 1; 1 % costs at
            most a point of accuracy.
        answer: The model's ``second`` choice, or the ``fixed`` class 0.

    Raises:
        UsageError: A value is out of range.
    """

    detector: str = RECONSTRUCTION
    components: int = 50
    false_alarms: float = 0.01
    answer: str = SECOND
    name: ClassVar[str] = "outlier_detector"
    paper: ClassVar[str] = "Hitaj, Mancini 2018 (arXiv 1809.00615)"

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise UsageError(
                f"expected a detector of {', '.join(DETECTORS)}, got {self.detector!r}"
            )
        if self.components < 1:
            raise UsageError(f"expected at least 1 component, got {self.components}")
        check_gate(self.false_alarms, self.answer)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the detector. Raises UsageError for a model without a linear head."""
        model = stolen_copy(target, adversary)
        pixels, labels = adversary_images(adversary, purpose=self.name)
        images = as_unit(pixels)
        half = (len(images) + 1) // 2
        if self.detector == RECONSTRUCTION:
            detector: nn.Module = Reconstruction(images[:half], self.components)
        else:
            detector = FeatureDistance(model, images[:half], labels[:half])
        fresh = images[half:] if len(images) > half else images
        gate = fit_gate(model, detector, fresh, self.false_alarms, self.answer)
        return AttackResult(gate, images=len(images))


class Reconstruction(nn.Module):
    """The squared error that principal components of clean images leave.

    Args:
        images (float32, (n, c, h, w)): Clean images in [0, 1].
        components: How many components are kept.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, images: Tensor, components: int) -> None:
        super().__init__()
        flat = images.flatten(1)
        mean = flat.mean(dim=0)
        values = (flat - mean).double()
        # eigenvalues ascend, so the last columns are the principal components
        axes = torch.linalg.eigh(values.T @ values).eigenvectors[:, -components:]
        self.register_buffer("mean", mean)
        self.register_buffer("axes", axes.to(images.dtype))

    def forward(self, images: Tensor) -> Tensor:
        """The squared length of what the components leave out, (n,)."""
        flat = images.flatten(1) - self.mean
        inside = flat @ self.axes
        return flat.square().sum(dim=1) - inside.square().sum(dim=1)


class FeatureDistance(nn.Module):
    """The Mahalanobis distance of features from the nearest class, one covariance for all.

    Args:
        model: Its head's input are the features.
        images (float32, (n, c, h, w)): Clean images in [0, 1].
        labels (int64, (n,)): Their classes; classes that do not occur have no mean.
    """

    means: Tensor
    precision: Tensor

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor) -> None:
        super().__init__()
        self.model, self.head = model, head_of(model)
        values = torch.cat([self._features(batch) for batch in torch.split(images, BATCH)]).double()
        present = torch.unique(labels)
        means = torch.stack([values[labels == number].mean(dim=0) for number in present])
        centered = values - means[torch.searchsorted(present, labels)]
        covariance = centered.T @ centered / len(values)
        ridge = RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
        self.register_buffer("means", means.float())
        self.register_buffer("precision", torch.linalg.inv(covariance + ridge).float())

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        """The input of the head for these images, float32 (n, f)."""
        inputs_of_head: list[Tensor] = []
        handle = self.head.register_forward_pre_hook(
            lambda module, inputs: inputs_of_head.append(inputs[0])
        )
        try:
            self.model(images)
        finally:
            handle.remove()
        return inputs_of_head[0]

    def forward(self, images: Tensor) -> Tensor:
        """The smallest squared distance, (n,)."""
        apart = self._features(images)[:, None] - self.means
        distances = torch.einsum("ncf,fg,ncg->nc", apart, self.precision, apart)
        return distances.min(dim=1).values

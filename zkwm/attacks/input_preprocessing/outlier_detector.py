"""A detector of outliers before the stolen model, fitted on clean data alone (Hitaj, Mancini 2018).

Images unlike the adversary's are taken for triggers and answered otherwise. Their detector is a
network that is shown triggers; ours knows none: principal components of the pixels (a linear
autoencoder's error), or the distance of features from their class (Lee et al., NeurIPS 2018).
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


@dataclass(frozen=True)
class OutlierDetector(Attack):
    """Answer otherwise where an image is unlike the clean ones.

    ``detector`` is ``reconstruction`` (error after ``components`` principal components of the
    pixels) or ``mahalanobis`` (distance of the last features from the nearest class mean). It is
    fitted on half of the adversary's set; on the other half the share ``false_alarms`` is above its
    threshold. ``answer``: the model's ``second`` choice or the ``fixed`` class 0. Raises UsageError
    for others.
    """

    detector: str = RECONSTRUCTION
    components: int = 50
    false_alarms: float = 0.01
    answer: str = SECOND
    name: ClassVar[str] = "outlier_detector"
    paper: ClassVar[str] = "Hitaj, Mancini 2018 (arXiv 1809.00615)"

    def __post_init__(self) -> None:
        """Refuse detectors that do not exist."""
        if self.detector not in DETECTORS:
            raise UsageError(f"{self.detector!r} is none of {', '.join(DETECTORS)}")
        if self.components < 1:
            raise UsageError("a reconstruction has components")
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
        held = images[half:] if len(images) > half else images
        made = fit_gate(model, detector, held, self.false_alarms, self.answer)
        return AttackResult(made, images=len(images))


class Reconstruction(nn.Module):
    """How far an image is from the principal components of ``images`` (n, c, h, w)."""

    mean: Tensor
    axes: Tensor

    def __init__(self, images: Tensor, components: int) -> None:
        super().__init__()
        flat = images.flatten(1)
        mean = flat.mean(dim=0)
        values = (flat - mean).double()
        axes = torch.linalg.eigh(values.T @ values).eigenvectors[:, -components:]
        self.register_buffer("mean", mean)
        self.register_buffer("axes", axes.to(images.dtype))

    def forward(self, images: Tensor) -> Tensor:
        """The squared length of what the components leave out, (n,)."""
        flat = images.flatten(1) - self.mean
        inside = flat @ self.axes
        return flat.square().sum(dim=1) - inside.square().sum(dim=1)


class FeatureDistance(nn.Module):
    """The Mahalanobis distance of features from the nearest class, one covariance for all."""

    means: Tensor
    precision: Tensor

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor) -> None:
        super().__init__()
        self.model, self.head = model, head_of(model)
        values = torch.cat([self._features(batch) for batch in torch.split(images, BATCH)]).double()
        present = torch.unique(labels)
        means = torch.stack([values[labels == number].mean(dim=0) for number in present])
        centred = values - means[torch.searchsorted(present, labels)]
        covariance = centred.T @ centred / len(values)
        ridge = RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
        self.register_buffer("means", means.float())
        self.register_buffer("precision", torch.linalg.inv(covariance + ridge).float())

    @torch.no_grad()
    def _features(self, images: Tensor) -> Tensor:
        caught: list[Tensor] = []
        handle = self.head.register_forward_pre_hook(
            lambda module, inputs: caught.append(inputs[0])
        )
        try:
            self.model(images)
        finally:
            handle.remove()
        return caught[0]

    def forward(self, images: Tensor) -> Tensor:
        """The smallest squared distance, (n,)."""
        apart = self._features(images)[:, None] - self.means
        distances = torch.einsum("ncf,fg,ncg->nc", apart, self.precision, apart)
        return distances.min(dim=1).values

"""Plain data: the progress of a training, its epochs and its result."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from zkwm.training.settings import EmbedSettings


class Phase(StrEnum):
    """Why a progress is reported: within an epoch, or at its end."""

    TRAINING = "training"
    EPOCH = "epoch"


@dataclass(frozen=True)
class Progress:
    """The progress of a running training.

    Attributes:
        phase: ``Phase.TRAINING``, or ``Phase.EPOCH`` when an epoch has just ended.
        epoch: Epochs that are complete, of ``epochs``.
        step: Steps that are complete in this epoch, of ``steps``.
        images_per_second: Since the start or the resumption.
        seconds_left: At that speed.
        loss: Mean over the steps of this epoch.
        test_accuracy: 0 to 1, on at most 1,000 test images, after the last complete epoch.
        trigger_matches: Likewise; None without triggers and before the first epoch ends.
    """

    phase: Phase
    epoch: int
    epochs: int
    step: int
    steps: int
    images_per_second: float
    seconds_left: float
    loss: float
    test_accuracy: float | None
    trigger_matches: int | None


@dataclass(frozen=True)
class Epoch:
    """Measurements at the end of an epoch, counted from 1.

    ``test_accuracy`` is on at most 1,000 test images; ``trigger_matches`` is None without triggers.
    """

    epoch: int
    loss: float
    learning_rate: float
    test_accuracy: float
    trigger_matches: int | None

    def to_map(self) -> dict[str, Any]:
        """All fields by name, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class EmbedResult:
    """A trained model and the record of its training.

    Attributes:
        model: In evaluation mode, float32, on the CPU.
        shape: (channels, height, width).
        test_accuracy: 0 to 1, over all ``test_count`` test images.
        trigger_matches: How many of ``trigger_count`` triggers get their label as the first largest
            of all outputs; None without triggers.
        seconds: Training time without the final evaluation, over all interruptions.
        processes: How many trained together.
        precision: ``float32`` or ``bfloat16`` (autocast).
        versions: Of Python and of the packages that matter (``zkwm.training.versions``).
        model_digest: Of the trained model; all digests have 32 bytes (SPEC.md 3.4).
        start_digest: Of the model that the training started from.
        data_digest: None for torch data sets.
        trigger_digest: None without triggers.
        history: One ``Epoch`` each.
        optimizer: What descended, and its schedule: JSON for an own one.
    """

    model: nn.Module = field(repr=False)
    shape: tuple[int, int, int]
    test_accuracy: float
    test_count: int
    trigger_matches: int | None
    trigger_count: int
    seconds: float
    settings: EmbedSettings
    device: str
    processes: int
    precision: str
    versions: dict[str, str]
    model_digest: bytes
    start_digest: bytes
    data_digest: bytes | None
    trigger_digest: bytes | None
    history: tuple[Epoch, ...]
    optimizer: str = '"SGD of the settings"'

    def to_map(self) -> dict[str, Any]:
        """Everything but the model, ready for JSON; digests in hexadecimal."""
        return {
            "shape": list(self.shape),
            "test_accuracy": self.test_accuracy,
            "test_count": self.test_count,
            "trigger_matches": self.trigger_matches,
            "trigger_count": self.trigger_count,
            "seconds": self.seconds,
            "settings": self.settings.to_map(),
            "device": self.device,
            "processes": self.processes,
            "precision": self.precision,
            "versions": dict(self.versions),
            "model_digest": self.model_digest.hex(),
            "start_digest": self.start_digest.hex(),
            "data_digest": self.data_digest.hex() if self.data_digest else None,
            "trigger_digest": self.trigger_digest.hex() if self.trigger_digest else None,
            "history": [epoch.to_map() for epoch in self.history],
            "optimizer": json.loads(self.optimizer),
        }

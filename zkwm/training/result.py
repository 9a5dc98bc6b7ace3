"""What a training reports while it runs and when it is done. Plain data, no behaviour."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from zkwm.training.settings import EmbedSettings


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    ``phase`` is ``training``, or ``epoch`` when one has just ended. ``epoch`` and ``step`` count
    what is done, out of ``epochs`` and ``steps`` per epoch. ``loss`` is the mean over this epoch
    so far. ``test_accuracy`` (0 to 1, of at most 1,000 test images) and ``trigger_matches`` are
    those of the last finished epoch, None before it.
    """

    phase: str
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
    """What was measured at the end of an epoch (counted from 1).

    ``test_accuracy`` is of at most 1,000 test images; ``trigger_matches`` is None without triggers.
    """

    epoch: int
    loss: float
    learning_rate: float
    test_accuracy: float
    trigger_matches: int | None

    def to_map(self) -> dict[str, Any]:
        """All fields by name, as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True)
class EmbedResult:
    """A trained model, in evaluation mode, float32, on the CPU, and how it came about.

    ``shape`` is (channels, height, width). ``test_accuracy`` (0 to 1) is over all ``test_count``
    test images; ``trigger_matches`` of ``trigger_count`` triggers get their label as the first
    largest of all outputs (None and 0 without triggers). ``seconds`` is the time of the training
    without the final evaluation, over all interruptions. ``start_digest`` identifies the model that
    training started from, ``data_digest`` is None for torch data sets. Digests have 32 bytes
    (SPEC.md 3.4).
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

    def to_map(self) -> dict[str, Any]:
        """Everything but the model, as JSON can hold it; digests in hexadecimal."""
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
        }

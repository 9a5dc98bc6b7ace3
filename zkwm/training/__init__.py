"""Train or fine-tune a model with a watermark, on a CPU, one GPU, or several with torchrun.

``embed`` is the owner's trainer (read ``trainer``, then ``batches`` and ``robust``); ``fit`` is the
plain loop of adversaries and of marks in the weights. ``embed`` and ``save_model`` are loaded on
first use, so that settings can be read without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zkwm.training.result import EmbedResult, Epoch, Progress
from zkwm.training.settings import EmbedSettings, default_settings

if TYPE_CHECKING:
    from zkwm.training.embed_loss import EmbedLoss
    from zkwm.training.lightning_callback import LightningEmbedCallback
    from zkwm.training.saved_model import save_model
    from zkwm.training.trainer import embed
    from zkwm.training.trainer_callback import TrainerEmbedCallback
    from zkwm.training.trigger_dataset import TriggerBatches, TriggerDataset

_LAZY = {
    "EmbedLoss": "zkwm.training.embed_loss",
    "LightningEmbedCallback": "zkwm.training.lightning_callback",
    "TrainerEmbedCallback": "zkwm.training.trainer_callback",
    "TriggerBatches": "zkwm.training.trigger_dataset",
    "TriggerDataset": "zkwm.training.trigger_dataset",
    "embed": "zkwm.training.trainer",
    "save_model": "zkwm.training.saved_model",
}

__all__ = [
    "EmbedLoss",
    "EmbedResult",
    "EmbedSettings",
    "Epoch",
    "LightningEmbedCallback",
    "Progress",
    "TrainerEmbedCallback",
    "TriggerBatches",
    "TriggerDataset",
    "default_settings",
    "embed",
    "save_model",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a public name that needs torch."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

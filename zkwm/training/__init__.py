"""Training and fine-tuning with a watermark, on a CPU, one GPU, or several through torchrun.

``embed`` is imported when it is first used, so that the settings can be read without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zkwm.training.result import EmbedResult, Epoch, Progress
from zkwm.training.settings import EmbedSettings, default_settings

if TYPE_CHECKING:
    from zkwm.training.saved_model import save_model
    from zkwm.training.trainer import embed

_LAZY = {"embed": "zkwm.training.trainer", "save_model": "zkwm.training.saved_model"}

__all__ = [
    "EmbedResult",
    "EmbedSettings",
    "Epoch",
    "Progress",
    "default_settings",
    "embed",
    "save_model",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """The public names that need torch."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Training and fine-tuning with a watermark, on a CPU, one GPU, or several through torchrun.

The public names are imported when they are first used, so that the settings can be read without
torch. ``zkwm.embed`` is this package and, called, its function ``embed``: once a submodule has been
imported, Python binds the package's name in ``zkwm``, whatever else was meant to stand there.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from zkwm.embed.result import EmbedResult, Epoch, Progress
from zkwm.embed.settings import ARCHITECTURES, EmbedSettings, default_settings

if TYPE_CHECKING:
    from zkwm.embed.architectures import ModelConfig, build_model, channel_statistics
    from zkwm.embed.digests import data_digest, model_digest, model_tensors, trigger_digest
    from zkwm.embed.storage import load_model, save_model
    from zkwm.embed.training import embed

_LAZY = {
    "ModelConfig": "architectures",
    "build_model": "architectures",
    "channel_statistics": "architectures",
    "data_digest": "digests",
    "embed": "training",
    "load_model": "storage",
    "model_digest": "digests",
    "model_tensors": "digests",
    "save_model": "storage",
    "trigger_digest": "digests",
}

__all__ = [
    "ARCHITECTURES",
    "EmbedResult",
    "EmbedSettings",
    "Epoch",
    "ModelConfig",
    "Progress",
    "build_model",
    "channel_statistics",
    "data_digest",
    "default_settings",
    "embed",
    "load_model",
    "model_digest",
    "model_tensors",
    "save_model",
    "trigger_digest",
]


class _CallablePackage(ModuleType):
    def __call__(self, *arguments: Any, **named: Any) -> EmbedResult:  # noqa: ANN401
        result: EmbedResult = self.embed(*arguments, **named)
        return result


sys.modules[__name__].__class__ = _CallablePackage


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """The public names that need torch."""
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

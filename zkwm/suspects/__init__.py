"""Query a suspect model: an ONNX file, safetensors of a built-in architecture, or an endpoint.

Which images are queried, in which order and among which decoys, and what the answers mean, is the
judge's business (``zkwm.judge``). Importing this package imports neither torch, onnx, onnxruntime
nor urllib3; names are loaded on first use, so that the processes with limits start quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkwm.suspects.limits import ExtractionSettings, HttpSettings, OnnxLimits
    from zkwm.suspects.location import open_suspect
    from zkwm.suspects.preprocessing import preprocess
    from zkwm.suspects.preprocessor_config import read_preprocessor_config
    from zkwm.suspects.suspect import Answer, Progress, QueryRecord, Suspect, SuspectFile

_HOMES = {
    "Answer": "suspect",
    "ExtractionSettings": "limits",
    "HttpSettings": "limits",
    "OnnxLimits": "limits",
    "Progress": "suspect",
    "QueryRecord": "suspect",
    "Suspect": "suspect",
    "SuspectFile": "suspect",
    "open_suspect": "location",
    "preprocess": "preprocessing",
    "read_preprocessor_config": "preprocessor_config",
}

__all__ = [
    "Answer",
    "ExtractionSettings",
    "HttpSettings",
    "OnnxLimits",
    "Progress",
    "QueryRecord",
    "Suspect",
    "SuspectFile",
    "open_suspect",
    "preprocess",
    "read_preprocessor_config",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load a name from the module where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

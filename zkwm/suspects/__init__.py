"""Asking a suspect model: an ONNX file, safetensors of a built-in architecture, or an endpoint.

Not here: which images are asked, in which order, among which decoys, and what the answers mean
(``zkwm.judge.judge``). Importing this package imports neither torch, onnx, onnxruntime nor urllib3.
"""

from zkwm.suspects.limits import ExtractionSettings, HttpSettings, OnnxLimits
from zkwm.suspects.location import open_suspect
from zkwm.suspects.preprocessing import preprocess
from zkwm.suspects.suspect import Answer, Progress, QueryRecord, Suspect

__all__ = [
    "Answer",
    "ExtractionSettings",
    "HttpSettings",
    "OnnxLimits",
    "Progress",
    "QueryRecord",
    "Suspect",
    "open_suspect",
    "preprocess",
]

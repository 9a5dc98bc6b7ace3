"""Asking a suspect model: an ONNX file, safetensors of a built-in architecture, or an endpoint.

Not here: which images are asked, in which order, among which decoys, and what the answers mean
(``zkwm.judge``). Importing this package imports neither torch, onnx, onnxruntime nor urllib3.
"""

from zkwm.models.location import open_suspect
from zkwm.models.preprocess import preprocess
from zkwm.models.settings import ExtractionSettings, HttpSettings, OnnxLimits
from zkwm.models.suspect import Answer, Progress, Suspect

__all__ = [
    "Answer",
    "ExtractionSettings",
    "HttpSettings",
    "OnnxLimits",
    "Progress",
    "Suspect",
    "open_suspect",
    "preprocess",
]

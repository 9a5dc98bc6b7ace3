"""Query a suspect model: an ONNX file, safetensors of a built-in architecture, or an endpoint.

Which images are queried, in which order and among which decoys, and what the answers mean, is the
judge's business (``zkwm.judge``). Importing this package imports neither torch, onnx, onnxruntime
nor urllib3.
"""

from zkwm.suspects.limits import ExtractionSettings, HttpSettings, OnnxLimits
from zkwm.suspects.location import open_suspect
from zkwm.suspects.preprocessing import preprocess
from zkwm.suspects.preprocessor_config import read_preprocessor_config
from zkwm.suspects.suspect import Answer, Progress, QueryRecord, Suspect, SuspectFile

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

"""What a suspect's own files say without a secret: above all the digest that a challenge names.

A report can be checked again only by whoever can compute it (SPEC.md 4.3).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from zkwm.data.class_names import names_beside
from zkwm.extras import require
from zkwm_cli.inspection import Inspection

_ADVICE = "the digest is that of the suspect in a challenge, a verdict and a report"
_WEIGHTS = "model.safetensors"


def is_model(name: str) -> bool:
    """Whether this names a suspect in files: an .onnx file, .safetensors, or a folder with it."""
    return Path(name).is_dir() or Path(name).suffix in (".onnx", ".safetensors")


def inspect_model(name: str) -> Inspection:
    """Kind, digest and what else the files tell.

    Raises CouldNotCheck, Malformed or SuspectUnusable for files that cannot be read, UsageError
    where an extra of the package is missing.
    """
    path = Path(name)
    return _onnx(path) if path.suffix == ".onnx" and not path.is_dir() else _safetensors(path)


def _onnx(path: Path) -> Inspection:
    """An ONNX file, whose weights may be in other files beside it."""
    from zkwm.files import read_limited
    from zkwm.suspects.onnx_parts import FILE_LIMIT, read_whole

    _, digest = read_whole(path)
    names = names_beside(path)
    data = read_limited(path, FILE_LIMIT)
    fields = {"digest": digest.hex(), "class_names": None if names is None else list(names)}
    return Inspection("onnx", hashlib.sha256(data).digest(), len(data), fields, {}, None, _ADVICE)


def _safetensors(path: Path) -> Inspection:
    """Weights of a built-in architecture with the config.json beside them."""
    require("torch", "safetensors")
    from zkwm.files import read_limited
    from zkwm.nn.model_file import load_model
    from zkwm.suspects.onnx_parts import FILE_LIMIT
    from zkwm.suspects.safetensors_suspect import architecture_digest

    model = load_model(path)
    data = read_limited(path / _WEIGHTS if path.is_dir() else path, FILE_LIMIT)
    fields = {
        "digest": architecture_digest(model).hex(),
        "architecture": model.config.architecture,
        "shape": list(model.config.shape),
        "classes": model.config.class_count,
    }
    return Inspection(
        "safetensors", hashlib.sha256(data).digest(), len(data), fields, {}, None, _ADVICE
    )

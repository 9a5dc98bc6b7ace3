"""The digests by which challenges name the models at a path (SPEC.md 4.3).

Cards, searches and inspections compare them; nothing is asked and nothing of a file runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zkwm.extras import require
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.suspect_identity import SuspectKind

WEIGHTS, CONFIG = "model.safetensors", "config.json"
MOST_FILES = 20
"""Models that one folder may hold."""


@dataclass(frozen=True)
class ModelDigest:
    """A model in files.

    Attributes:
        name: its file.
        kind: ``onnx`` or ``safetensors``.
        digest: 32 bytes; None where it could not be computed.
        problem: why it could not, with what to do; empty where it could.
    """

    name: str
    kind: SuspectKind
    digest: bytes | None
    problem: str = ""


def model_digests(path: str | Path) -> tuple[ModelDigest, ...]:
    """The models at ``path``: an ONNX file, safetensors, or all of them in a folder.

    Raises UsageError where there is none, or more than 20.
    """
    found = [_digest(file) for file in model_files(Path(path))]
    if not found:
        raise UsageError(
            f"{path} is no model in files",
            hint="give an .onnx file, .safetensors with its config.json, or a folder with them",
        )
    return tuple(found)


def model_files(path: Path) -> list[Path]:
    """The file itself, or the models in a folder, weights first. Raises UsageError for too many."""
    if not path.is_dir():
        return [path] if path.suffix.lower() in (".onnx", ".safetensors") else []
    weights = [path / WEIGHTS] if (path / WEIGHTS).is_file() else []
    files = [*weights, *sorted(file for file in path.glob("*.onnx") if file.is_file())]
    if len(files) > MOST_FILES:
        raise UsageError(
            f"{path} holds more than {MOST_FILES} models", hint="name the file of one of them"
        )
    return files


def _digest(path: Path) -> ModelDigest:
    """One model; what stands in the way of its digest is told, not raised."""
    kind = SuspectKind.ONNX if path.suffix.lower() == ".onnx" else SuspectKind.SAFETENSORS
    try:
        if kind == SuspectKind.ONNX:
            from zkwm.suspects.onnx_parts import read_whole

            return ModelDigest(path.name, kind, read_whole(path)[1])
        require("torch", "safetensors")
        from zkwm.nn.model_file import load_model
        from zkwm.suspects.safetensors_suspect import architecture_digest

        return ModelDigest(path.name, kind, architecture_digest(load_model(path)))
    except ZkwmError as error:
        hint = f"; {error.hint}" if error.hint else ""
        return ModelDigest(path.name, kind, None, f"{error.message}{hint}")

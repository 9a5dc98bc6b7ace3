"""A trained model on disk: safetensors, ONNX and the record of its training."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zkwm.files import write_atomic
from zkwm.nn.architectures import Classifier
from zkwm.nn.model_file import CONFIG, ONNX, RECORD, WEIGHTS, _config_json, _json, _weights
from zkwm.nn.onnx_export import to_onnx
from zkwm.training.distributed import this_process_writes
from zkwm.training.result import EmbedResult
from zkwm_protocols.errors import CouldNotCheck, UsageError

RECORD_FORMAT = "zkwm-embed-record/1"


def save_model(
    folder: str | Path,
    result: EmbedResult,
    *,
    evidence: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the model and the record of its training into a new folder, and return its path.

    ``evidence`` stands in the record as it is given. With ``overwrite`` a folder that holds such
    files and nothing else is replaced. Under torchrun only the first process writes. Raises
    UsageError for a folder that is there, Unsupported for a model that cannot be exported to ONNX,
    CouldNotCheck when the disk refuses; then nothing is left behind.
    """
    folder = Path(folder)
    if not this_process_writes():
        return folder
    _require_replaceable(folder, overwrite)
    files = {
        WEIGHTS: _weights(result.model),
        ONNX: to_onnx(result.model, result.shape),
        RECORD: _json({"format": RECORD_FORMAT, **result.to_map(), "evidence": evidence}),
    }
    if isinstance(result.model, Classifier):
        files[CONFIG] = _config_json(result.model.config)
    mark = secrets.token_hex(8)
    new, old = (folder.with_name(f".{folder.name}.{mark}.{end}") for end in ("tmp", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        try:
            for name, data in files.items():
                write_atomic(new / name, data)
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if old.exists() and not folder.exists():
                old.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise CouldNotCheck(f"cannot write {folder}: {error.strerror}") from None
    return folder


def _require_replaceable(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or {item.name for item in folder.iterdir()} - {
        WEIGHTS, CONFIG, ONNX, RECORD,
    }:  # fmt: skip
        raise UsageError(f"{folder} exists and holds something else", hint="choose another name")
    if not overwrite:
        raise UsageError(f"{folder} exists", hint="choose another name, or say --force")
